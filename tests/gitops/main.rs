//! At home in GitOps: what kstatus and Flux's rules make of every status.
//!
//! The programs are built by `tests/gitops/programs/build.sh`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::needless_pass_by_value, reason = "these are tests")]

mod examples;
mod programs;
mod statuses;
