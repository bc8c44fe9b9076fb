//! A model of how an upgrade is made exactly once, explored by a model checker. `docs/model.md` says what is in it.
//!
//! It is a package of its own so that it alone is optimised: the product's functions, which it calls, are not.
#![cfg(test)]
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, missing_docs, reason = "these are tests")]

mod actions;
mod knockouts;
mod properties;
mod quiet;
mod real;
mod state;
mod tests;
mod worlds;
