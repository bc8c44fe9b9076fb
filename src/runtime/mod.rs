//! The engine: see each module.

mod backoff;
pub mod client;
mod diff;
pub mod metrics;
mod object_key;
pub mod queue;
mod schedule;
pub mod shutdown;
pub mod watch;
pub mod workers;

pub use object_key::ObjectKey;
