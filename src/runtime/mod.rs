//! The engine: see each module.

mod backoff;
pub mod client;
pub mod queue;
mod schedule;
