//! Whoever can reach the operator's ports.
