//! The main job on a real API server: Subscriptions applied with kubectl, the operator as a process under its own
//! ServiceAccount, and a simulated Azure whose days pass in a second.
#![allow(clippy::unwrap_used, clippy::panic, reason = "these are tests")]

mod stories;
mod world;
