//! The two clocks. The *billing clock* tells the dates of trials: what a provider reports, forecasts, the next look.
//! The *wall clock* tells everything that is about this process and its cluster: deadlines, leases, backoff, the expiry
//! of approvals. In production they are the same. For demos and tests the billing clock may start elsewhere and run
//! faster, so that a trial of 30 days passes in half a minute while no time-out shrinks.

use std::time::Duration;

use jiff::Timestamp;

/// The time by the wall clock.
pub fn wall() -> Timestamp {
    #[cfg(test)]
    if let Some(time) = virtual_time::wall() {
        return time;
    }
    Timestamp::now()
}

/// A wall clock for tests that goes with tokio's paused one.
#[cfg(test)]
pub mod virtual_time {
    use std::cell::Cell;

    use jiff::{SignedDuration, Timestamp};
    use tokio::time::Instant;

    thread_local! {
        static STARTED: Cell<Option<(Timestamp, Instant)>> = const { Cell::new(None) };
    }
    tokio::task_local! {
        /// By how much the clock of the machine is wrong that a task runs on.
        pub static SKEW: SignedDuration;
    }

    /// From here on the wall clock of this thread shows `start`, and goes on with tokio's clock.
    pub fn begin(start: Timestamp) {
        STARTED.set(Some((start, Instant::now())));
    }

    /// As on a machine whose clock is right, whatever that of the caller's shows.
    pub async fn unskewed<T>(future: impl Future<Output = T>) -> T {
        SKEW.scope(SignedDuration::ZERO, future).await
    }

    pub(super) fn wall() -> Option<Timestamp> {
        let (start, began) = STARTED.get()?;
        let skew = SKEW.try_with(|skew| *skew).unwrap_or_default();
        start.checked_add(began.elapsed()).ok()?.checked_add(skew).ok()
    }
}

/// What time it is for the providers' billing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BillingClock(Option<Scale>);

/// A clock that showed `start` when the wall clock showed `origin`, and runs `rate` times as fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Scale {
    start: Timestamp,
    origin: Timestamp,
    rate: u32,
}

impl BillingClock {
    /// The billing clock of production: the wall clock.
    pub const fn real() -> Self {
        Self(None)
    }

    /// A billing clock that shows `start` when the wall clock shows `origin`, and runs `rate` times as fast (at least 1).
    pub fn scaled(start: Timestamp, origin: Timestamp, rate: u32) -> Self {
        Self(Some(Scale { start, origin, rate: rate.max(1) }))
    }

    /// The billing time now.
    pub fn now(&self) -> Timestamp {
        self.at(wall())
    }

    /// The billing time when the wall clock shows `wall`. Times that no calendar holds are clamped to its ends.
    pub fn at(&self, wall: Timestamp) -> Timestamp {
        let Some(Scale { start, origin, rate }) = self.0 else { return wall };
        let elapsed = wall.duration_since(origin).saturating_mul(i32::try_from(rate).unwrap_or(i32::MAX));
        // Adding a span without calendar units saturates; the error is for calendar units only.
        start.saturating_add(elapsed).unwrap_or(start)
    }

    /// How long it is on the wall clock until the billing clock shows `time`; zero when it is past.
    pub fn wall_until(&self, time: Timestamp) -> Duration {
        let left = time.duration_since(self.now());
        if left.is_negative() {
            return Duration::ZERO;
        }
        left.unsigned_abs() / self.0.map_or(1, |scale| scale.rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_day_passes_in_a_second() {
        let clock = BillingClock::scaled(time("2026-01-01T00:00:00Z"), time("2026-11-23T12:00:00Z"), 86_400);
        assert_eq!(clock.at(time("2026-11-23T12:00:30Z")), time("2026-01-31T00:00:00Z"));
        assert_eq!(clock.at(time("2026-11-23T11:59:59Z")), time("2025-12-31T00:00:00Z"));
    }

    #[test]
    fn the_real_clock_is_the_wall_clock() {
        let wall = time("2026-11-23T12:00:30Z");
        assert_eq!(BillingClock::real().at(wall), wall);
        assert_eq!(BillingClock::real().wall_until(time("2020-01-01T00:00:00Z")), Duration::ZERO);
    }

    #[test]
    fn a_clock_never_leaves_the_calendar() {
        let clock = BillingClock::scaled(time("2026-01-01T00:00:00Z"), time("1970-01-01T00:00:00Z"), u32::MAX);
        assert!(clock.at(time("9999-12-30T22:00:00Z")) > time("9999-01-01T00:00:00Z"));
    }
}
