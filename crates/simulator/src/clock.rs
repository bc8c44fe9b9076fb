//! The simulator's billing clock: the configured one until the control API advances it or changes its speed.

use jiff::{SignedDuration, Timestamp};
use payg_clock::Clock;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug)]
pub(crate) struct VirtualClock {
    clock: Clock,
    /// How far the control API has advanced it.
    advanced: SignedDuration,
}

/// What the clocks show at one time, and how fast the billing clock goes on from there.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Reading {
    billing_time: Timestamp,
    wall_time: Timestamp,
    rate: u32,
}

impl From<Reading> for VirtualClock {
    /// A clock that went on since the reading.
    fn from(reading: Reading) -> Self {
        Self::new(Clock::scaled(reading.billing_time, reading.wall_time, reading.rate))
    }
}

impl VirtualClock {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, advanced: SignedDuration::ZERO }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.at(payg_virtual_time::wall())
    }

    /// The billing time when the wall clock shows `wall`, in whole steps of 100 ns: no service of Microsoft writes more
    /// than seven digits of a second, and not every reader takes more.
    pub(crate) fn at(&self, wall: Timestamp) -> Timestamp {
        let time = self.clock.at(wall);
        // Adding an absolute duration saturates; the error is for calendar units only.
        let time = time.saturating_add(self.advanced).unwrap_or(time);
        time - SignedDuration::from_nanos(i64::from(time.subsec_nanosecond() % 100))
    }

    /// Jumps forward.
    pub(crate) fn advance(&mut self, by: SignedDuration) {
        self.advanced = self.advanced.saturating_add(by);
    }

    /// Goes on from now, `rate` times as fast as the wall clock.
    pub(crate) fn set_rate(&mut self, rate: u32) {
        let wall = payg_virtual_time::wall();
        *self = Self::new(Clock::scaled(self.at(wall), wall, rate));
    }

    /// How many billing seconds pass in a second of the wall clock.
    fn rate(&self) -> u32 {
        let (wall, second) = (payg_virtual_time::wall(), SignedDuration::from_secs(1));
        let passed = self.clock.at(wall + second).duration_since(self.clock.at(wall));
        u32::try_from(passed.as_secs()).unwrap_or(u32::MAX)
    }

    pub(crate) fn read(&self) -> Reading {
        let wall_time = payg_virtual_time::wall();
        Reading { billing_time: self.at(wall_time), wall_time, rate: self.rate() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_jumps_and_goes_on_from_there() {
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let mut clock = VirtualClock::new(Clock::scaled(start, Timestamp::now(), 1));
        clock.advance(SignedDuration::from_hours(24));
        clock.set_rate(2);
        let passed = clock.now().duration_since(start);
        assert!(passed >= SignedDuration::from_hours(24) && passed < SignedDuration::from_hours(25), "{passed}");
    }

    #[test]
    fn it_knows_its_rate() {
        let mut clock = VirtualClock::new(Clock::real());
        assert_eq!(clock.rate(), 1);
        clock.set_rate(86_400);
        assert_eq!(clock.rate(), 86_400);
    }
}
