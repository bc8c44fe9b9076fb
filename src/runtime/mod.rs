//! The engine: see each module.

mod backoff;
pub mod client;
mod diff;
pub mod events;
pub mod lease;
pub mod metrics;
mod object_key;
pub mod queue;
mod schedule;
pub mod shutdown;
mod standing;
pub mod watch;
pub mod workers;

pub use object_key::ObjectKey;
