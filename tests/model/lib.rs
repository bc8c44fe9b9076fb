//! A model of how an upgrade is made exactly once, explored by a model checker. `docs/develop/model.md` says what is in it.
//!
//! It is a package of its own so that it alone is optimised: the product's functions, which it calls, are not.
#![cfg(test)]
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "these are tests")]
#![allow(
    clippy::trivially_copy_pass_by_ref,
    clippy::unused_self,
    clippy::ref_option,
    clippy::match_same_arms,
    clippy::similar_names,
    clippy::struct_excessive_bools,
    clippy::type_complexity,
    clippy::cast_possible_truncation,
    reason = "a world of small values, and steps that read alike"
)]

mod actions;
mod changes;
mod entry_object;
mod given;
mod knockouts;
mod properties;
mod quiet;
mod real;
mod state;
mod steps;
mod tests;
mod worlds;
