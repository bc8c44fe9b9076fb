//! How many upgrades the operator's own settings allow: within an hour in all, and of one namespace.

use std::time::Duration;

use jiff::Timestamp;

use super::verdict::Held;

/// The time within which requests are counted.
const HOUR: Duration = Duration::from_hours(1);

/// What the operator's own settings allow.
#[derive(Clone, Debug)]
pub struct Allowance {
    /// Nothing is ever requested.
    pub dry_run: bool,
    /// How many upgrades may be requested within an hour.
    pub per_hour: u32,
    /// The requests that may have reached a provider, according to the ledger.
    pub requested: Vec<Requested>,
    /// Whether all Subscriptions are of one namespace.
    pub alone: bool,
}

/// A request that may have reached a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requested {
    /// The last moment at which it may have been sent (wall clock).
    pub at: Timestamp,
    /// Whether it was made for the namespace of this decision.
    pub own: bool,
}

/// Which bound is reached.
enum Bound {
    Cap,
    Share(u32),
}

impl Allowance {
    /// The bound that blocks a request at `wall` (wall clock), and until when.
    pub fn holds(&self, wall: Timestamp) -> Option<Held> {
        if self.dry_run {
            return Some(Held::DryRun);
        }
        let ends = |request: &Requested| request.at.checked_add(HOUR).unwrap_or(Timestamp::MAX);
        let mut recent: Vec<_> = self.requested.iter().copied().filter(|request| ends(request) > wall).collect();
        recent.sort_by_key(|request| request.at);
        let bound = self.reached(&recent)?;
        let until = (1..=recent.len()).find(|gone| self.reached(&recent[*gone..]).is_none());
        let until = until.and_then(|gone| recent.get(gone - 1)).map(ends);
        Some(match bound {
            Bound::Cap => Held::Cap { per_hour: self.per_hour, until },
            Bound::Share(share) => Held::Share { share, per_hour: self.per_hour, until },
        })
    }

    /// The bound that these requests reach. A namespace may use half of what the others leave, rounded up: so however many
    /// it asks for, another one finds something left, and all together never exceed the cap.
    fn reached(&self, recent: &[Requested]) -> Option<Bound> {
        let count = |own| u32::try_from(recent.iter().filter(|request| request.own == own).count()).unwrap_or(u32::MAX);
        let (own, others) = (count(true), count(false));
        let left = self.per_hour.saturating_sub(others);
        if own >= left {
            return Some(Bound::Cap);
        }
        let share = left.div_ceil(2);
        (!self.alone && own >= share).then_some(Bound::Share(share))
    }
}
