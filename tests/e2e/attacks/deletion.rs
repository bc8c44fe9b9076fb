//! What is taken back, or goes with its namespace.
