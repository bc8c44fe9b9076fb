//! What a replica does to the world, one by one: the places where something can go wrong.

use std::fmt;
use std::time::Duration;

/// What an effect is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Side {
    /// A live read of the API server.
    ApiRead,
    /// A list or a watch of the engine.
    ApiWatch,
    /// A write to the API server.
    ApiWrite,
    /// A request to a cloud that changes nothing.
    CloudRead,
    /// The request for the upgrade.
    Upgrade,
    /// A notice to a receiver.
    Notice,
}

/// One effect of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Effect {
    pub(super) side: Side,
    /// The request's method and path.
    pub(super) what: String,
    pub(super) replica: usize,
    /// When, from the begin of the run.
    pub(super) at: Duration,
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>9.3} s, replica {}: {}", self.at.as_secs_f64(), self.replica, self.what)
    }
}
