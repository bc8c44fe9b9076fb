//! The two clocks. The *billing clock* is for the dates of trials: what a provider reports, forecasts, the next observation.
//! The *wall clock* is for everything about this process and its cluster: deadlines, leases, backoff, the expiry
//! of approvals. In production they are the same. For demos and tests the billing clock may start elsewhere and run
//! faster, so that a trial of 30 days reconciles in half a minute while no timeout shrinks.

use std::time::Duration;

use jiff::Timestamp;

/// The two clocks.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    wall: fn() -> Timestamp,
    scale: Option<Scale>,
}

impl Default for Clock {
    fn default() -> Self {
        Self::real()
    }
}

/// A clock that showed `start` when the wall clock showed `origin`, and runs `rate` times as fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Scale {
    start: Timestamp,
    origin: Timestamp,
    rate: u32,
}

impl Clock {
    /// The clocks of production: both show the machine's time.
    pub const fn real() -> Self {
        Self::with_wall(Timestamp::now)
    }

    /// Both clocks show what `wall` returns, which need not be the machine's time.
    pub const fn with_wall(wall: fn() -> Timestamp) -> Self {
        Self { wall, scale: None }
    }

    /// A billing clock that shows `start` when the machine's clock shows `origin`, and runs `rate` times as fast (at least 1).
    pub fn scaled(start: Timestamp, origin: Timestamp, rate: u32) -> Self {
        Self { scale: Some(Scale { start, origin, rate: rate.max(1) }), ..Self::real() }
    }

    /// The time on the wall clock.
    pub fn wall(&self) -> Timestamp {
        (self.wall)()
    }

    /// The time on the billing clock.
    pub fn billing(&self) -> Timestamp {
        self.at(self.wall())
    }

    /// The billing time when the wall clock shows `wall`. Times that no calendar holds are clamped to its ends.
    pub fn at(&self, wall: Timestamp) -> Timestamp {
        let Some(Scale { start, origin, rate }) = self.scale else { return wall };
        let elapsed = wall.duration_since(origin).saturating_mul(i32::try_from(rate).unwrap_or(i32::MAX));
        // Adding a span without calendar units saturates; the error is for calendar units only.
        start.saturating_add(elapsed).unwrap_or(start)
    }

    /// How long it is on the wall clock until the billing clock shows `time`; zero when it is past.
    pub fn wall_until(&self, time: Timestamp) -> Duration {
        let left = time.duration_since(self.billing());
        if left.is_negative() {
            return Duration::ZERO;
        }
        left.unsigned_abs() / self.scale.map_or(1, |scale| scale.rate)
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
        let clock = Clock::scaled(time("2026-01-01T00:00:00Z"), time("2026-11-23T12:00:00Z"), 86_400);
        assert_eq!(clock.at(time("2026-11-23T12:00:30Z")), time("2026-01-31T00:00:00Z"));
        assert_eq!(clock.at(time("2026-11-23T11:59:59Z")), time("2025-12-31T00:00:00Z"));
    }

    #[test]
    fn the_real_clock_is_the_wall_clock() {
        let wall = time("2026-11-23T12:00:30Z");
        assert_eq!(Clock::real().at(wall), wall);
        assert_eq!(Clock::real().wall_until(time("2020-01-01T00:00:00Z")), Duration::ZERO);
    }

    #[test]
    fn a_clock_never_leaves_the_calendar() {
        let clock = Clock::scaled(time("2026-01-01T00:00:00Z"), time("1970-01-01T00:00:00Z"), u32::MAX);
        assert!(clock.at(time("9999-12-30T22:00:00Z")) > time("9999-01-01T00:00:00Z"));
    }
}
