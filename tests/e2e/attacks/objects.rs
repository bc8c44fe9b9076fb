//! Objects that are too large.
