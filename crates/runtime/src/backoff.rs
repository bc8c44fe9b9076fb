//! How long to wait after a failure.

use std::time::Duration;

/// Delays that double from `first` up to `cap`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Backoff {
    /// The nominal delay after the first failure.
    pub(super) first: Duration,
    /// No delay is longer.
    pub(super) cap: Duration,
}

impl Backoff {
    /// The delay after so many failures in a row (1 after the first): at random between half of the nominal delay and
    /// the whole of it, so that what failed together does not come back together.
    pub(super) fn delay(self, failures: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
        let nominal = self.first.saturating_mul(doubled).min(self.cap);
        nominal.mul_f64(f64::midpoint(1.0, fastrand::f64()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_the_cap() {
        let backoff = Backoff { first: Duration::from_millis(500), cap: Duration::from_mins(5) };
        for (failures, nominal) in [(0, 0.5), (1, 0.5), (2, 1.0), (3, 2.0), (10, 256.0), (11, 300.0), (u32::MAX, 300.0)]
        {
            for _ in 0..100 {
                let delay = backoff.delay(failures).as_secs_f64();
                assert!(delay >= nominal / 2.0 && delay <= nominal, "{delay} s after {failures} failures");
            }
        }
    }
}
