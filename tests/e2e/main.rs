//! The main job on a real API server: Subscriptions applied with kubectl, the operator as a process under its own
//! ServiceAccount, and simulated clouds whose days pass in a second.
#![allow(clippy::unwrap_used, clippy::panic, clippy::needless_pass_by_value, reason = "these are tests")]

mod approvals;
mod attacks;
mod aws;
mod aws_identities;
mod bad_input;
mod bodies;
mod commands;
mod discovery;
mod drift;
mod hooks;
mod identities;
mod lives;
mod looks;
mod lost_answers;
mod names;
mod offers;
mod operations;
mod people;
mod plans;
mod reads;
mod shells;
mod stories;
