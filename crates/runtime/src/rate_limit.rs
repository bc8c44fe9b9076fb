//! A bound on how often something is done: a token bucket.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

/// So many at once, and one more every interval.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// How many at once, at least 1.
    pub burst: u32,
    /// Between two, once the burst is used up.
    pub interval: Duration,
}

impl Rate {
    /// How long it takes from an empty bucket to a full one.
    pub(super) fn whole(self) -> Duration {
        self.interval * self.burst.max(1)
    }

    /// When the next token is there, in a bucket that is full at `full_at`.
    pub(super) fn next(self, full_at: Instant) -> Instant {
        // As many intervals as the burst may be outstanding.
        full_at.checked_sub(self.interval * (self.burst.max(1) - 1)).unwrap_or(full_at)
    }

    /// When the bucket is full after a token is taken, now or as soon as there is one, if it was to be at `full_at`.
    pub(super) fn take(self, full_at: Option<Instant>, now: Instant) -> Instant {
        full_at.map_or(now, |full_at| full_at.max(now)) + self.interval
    }
}

/// A bucket that whoever needs a token waits at.
#[derive(Debug)]
pub struct RateLimit {
    rate: Rate,
    full_at: Mutex<Option<Instant>>,
}

impl RateLimit {
    /// A bucket that is full.
    pub fn new(rate: Rate) -> Self {
        Self { rate, full_at: Mutex::default() }
    }

    /// Waits for a token; who came first is served first.
    pub async fn wait(&self) {
        let mut full_at = self.full_at.lock().await;
        if let Some(full_at) = *full_at {
            sleep_until(self.rate.next(full_at)).await;
        }
        *full_at = Some(self.rate.take(*full_at, Instant::now()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_passes_and_then_one_an_interval() {
        let rate_limit = RateLimit::new(Rate { burst: 3, interval: Duration::from_secs(1) });
        let begin = Instant::now();
        for expected in [0, 0, 0, 1, 2, 3] {
            rate_limit.wait().await;
            assert_eq!(begin.elapsed().as_secs(), expected);
        }
    }
}
