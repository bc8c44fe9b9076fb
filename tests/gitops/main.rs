//! At home in GitOps: what kstatus and Flux's rules make of every status, what Argo CD's own Lua engine makes of
//! `deploy/argocd`, and Flux's own controller on a real API server with the operator at work.
//!
//! The programs are built by `tests/gitops/programs/build.sh`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::needless_pass_by_value, reason = "these are tests")]

mod argocd;
mod examples;
mod fleet;
mod flux;
mod programs;
mod repository;
mod statuses;
mod tenants;
