//! The four kinds as users meet them: on a real API server.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod approvals;
mod cluster;
mod names;
mod policies;
mod providers;
mod records;
mod rules;
mod subscriptions;
mod views;
