//! One tenant that keeps the operator busy.
