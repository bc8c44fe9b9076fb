//! How a lease stands for one replica: the election without its clock and without its calls.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use tokio::time::Instant;

use super::lease::LEASE_DURATION;

/// What this replica knows about the lease.
#[derive(Debug)]
pub(super) struct View {
    /// Under what name this replica holds the lease.
    pub(super) identity: String,
    /// The lease as last seen, and when it was first seen so.
    seen: Option<(LeaseSpec, Instant)>,
}

#[derive(Debug, PartialEq)]
pub(super) enum LeaseState {
    /// There is none.
    Absent,
    /// This replica holds it.
    Ours,
    /// Nobody holds it, or somebody who has not renewed it for too long.
    Free,
    /// Somebody else holds it.
    Held { by: String },
}

impl View {
    /// A replica that has not seen the lease yet.
    pub(super) fn new(identity: String) -> Self {
        Self { identity, seen: None }
    }

    /// Takes note of the lease that was just read.
    pub(super) fn judge(&mut self, found: Option<&Lease>, now: Instant) -> LeaseState {
        let Some(lease) = found else {
            self.seen = None;
            return LeaseState::Absent;
        };
        let spec = lease.spec.clone().unwrap_or_default();
        let since = match self.seen.take() {
            Some((before, since)) if before == spec => since,
            _ => now,
        };
        let holder = spec.holder_identity.clone().filter(|holder| !holder.is_empty());
        let valid =
            spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok()).filter(|seconds| *seconds > 0);
        let expires = since + valid.map_or(LEASE_DURATION, Duration::from_secs);
        self.seen = Some((spec, since));
        match holder {
            Some(holder) if holder == self.identity => LeaseState::Ours,
            Some(by) if now < expires => LeaseState::Held { by },
            _ => LeaseState::Free,
        }
    }

    /// The lease, held by this replica from now or still.
    pub(super) fn held(&self, found: Option<Lease>, name: &str, wall: Timestamp) -> Lease {
        let now = Some(MicroTime(wall));
        let mut lease = found.unwrap_or_else(|| Lease {
            metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
            spec: None,
        });
        let takes_over = lease.spec.is_some();
        let spec = lease.spec.get_or_insert_default();
        if spec.holder_identity.as_ref() != Some(&self.identity) {
            spec.holder_identity = Some(self.identity.clone());
            spec.acquire_time.clone_from(&now);
            spec.lease_transitions = Some(spec.lease_transitions.unwrap_or(0).saturating_add(i32::from(takes_over)));
        }
        spec.lease_duration_seconds = i32::try_from(LEASE_DURATION.as_secs()).ok();
        spec.renew_time = now;
        lease
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(identity: &str) -> View {
        View::new(identity.to_owned())
    }

    fn wall(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn held_by(by: LeaseState) -> String {
        let LeaseState::Held { by } = by else { panic!("{by:?}") };
        by
    }

    #[test]
    fn a_lease_expires_by_what_was_seen_of_it_and_no_clock() {
        let now = Instant::now();
        let (leader, mut standby) = (view("a"), view("b"));
        // The leader's clock is years behind, then years ahead: neither matters.
        let lease = leader.held(None, "lease", wall(0));
        assert_eq!(held_by(standby.judge(Some(&lease), now)), "a");
        let last_moment = now + LEASE_DURATION.checked_sub(Duration::from_millis(1)).unwrap();
        assert_eq!(held_by(standby.judge(Some(&lease), last_moment)), "a");

        let renewed = leader.held(Some(lease), "lease", wall(4_000_000_000));
        assert_eq!(held_by(standby.judge(Some(&renewed), last_moment)), "a", "a renewal starts the time anew");
        let expiry = last_moment + LEASE_DURATION;
        assert_eq!(held_by(standby.judge(Some(&renewed), expiry - Duration::from_millis(1))), "a");
        assert_eq!(standby.judge(Some(&renewed), expiry), LeaseState::Free);
    }

    #[test]
    fn the_first_look_at_a_dead_leaders_lease_starts_the_time() {
        let lease = view("a").held(None, "lease", wall(0));
        let mut standby = view("b");
        let late = Instant::now() + Duration::from_hours(24);
        assert_eq!(held_by(standby.judge(Some(&lease), late)), "a");
        assert_eq!(standby.judge(Some(&lease), late + LEASE_DURATION), LeaseState::Free);
    }

    #[test]
    fn a_released_lease_is_free_at_once_and_an_absent_one_too() {
        let now = Instant::now();
        let mut lease = view("a").held(None, "lease", wall(0));
        lease.spec.as_mut().unwrap().holder_identity = Some(String::new());
        assert_eq!(view("b").judge(Some(&lease), now), LeaseState::Free);
        assert_eq!(view("b").judge(Some(&Lease::default()), now), LeaseState::Free);
        assert_eq!(view("b").judge(None, now), LeaseState::Absent);
    }

    #[test]
    fn the_holder_says_since_when_and_how_often_the_lease_changed_hands() {
        let first = view("a").held(None, "lease", wall(1));
        let renewed = view("a").held(Some(first.clone()), "lease", wall(3));
        let taken = view("b").held(Some(renewed.clone()), "lease", wall(30));
        let told = |lease: Lease| {
            let spec = lease.spec.unwrap();
            let second = |time: Option<MicroTime>| time.unwrap().0.as_second();
            let transitions = spec.lease_transitions.unwrap();
            (spec.holder_identity.unwrap(), second(spec.acquire_time), second(spec.renew_time), transitions)
        };
        assert_eq!(told(first), ("a".to_owned(), 1, 1, 0));
        assert_eq!(told(renewed), ("a".to_owned(), 1, 3, 0));
        assert_eq!(told(taken), ("b".to_owned(), 30, 30, 1));
    }
}
