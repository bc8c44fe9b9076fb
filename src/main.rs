//! The `payg` command.
fn main() {}
