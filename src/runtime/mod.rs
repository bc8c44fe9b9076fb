//! The engine: see each module.

mod backoff;
pub mod queue;
mod schedule;
