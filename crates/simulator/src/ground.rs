//! The common ground of the simulated clouds: the address, the billing clock, the random numbers and the ledger.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::clock::VirtualClock;

/// What all simulated clouds share.
pub(crate) struct Ground {
    pub(crate) url: String,
    pub(crate) clock: VirtualClock,
    pub(crate) random: fastrand::Rng,
    pub(crate) ledger: Vec<Applied>,
}

/// Who upgraded an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum By {
    /// A caller of the broker, by its idempotency key.
    Key(String),
    /// A caller of the cloud's own API, by its name there.
    Caller(String),
    /// A person, on the cloud's own pages.
    Person(bool),
}

/// An upgrade that was applied.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Applied {
    pub(crate) account: String,
    billing_time: Timestamp,
    wall_time: Timestamp,
    by: By,
}

impl Ground {
    pub(crate) fn new(url: String, clock: VirtualClock, seed: u64) -> Self {
        Self { url, clock, random: fastrand::Rng::with_seed(seed), ledger: Vec::new() }
    }

    /// Enters an upgrade in the ledger.
    pub(crate) fn enter(&mut self, account: String, by: By, now: Timestamp) {
        self.ledger.push(Applied { account, billing_time: now, wall_time: payg_virtual_time::wall(), by });
    }

    /// The time that a read shows which is this many billing seconds behind.
    pub(crate) fn ago(&self, seconds: u32) -> Timestamp {
        let now = self.clock.now();
        // Subtracting an absolute duration saturates; the error is for calendar units only.
        now.saturating_sub(SignedDuration::from_secs(seconds.into())).unwrap_or(now)
    }

    pub(crate) fn uuid(&mut self) -> String {
        uuid::Builder::from_random_bytes(self.random.u128(..).to_be_bytes()).into_uuid().to_string()
    }
}
