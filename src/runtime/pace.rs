//! A bound on how often something is done: a token bucket.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

/// Lets `burst` through at once, and one more every `interval`.
#[derive(Debug)]
pub struct Pace {
    burst: u32,
    interval: Duration,
    /// When the bucket is full again: each that passes moves it by an interval.
    full_at: Mutex<Instant>,
}

impl Pace {
    /// A bucket that is full.
    pub fn new(burst: u32, interval: Duration) -> Self {
        Self { burst: burst.max(1), interval, full_at: Mutex::new(Instant::now()) }
    }

    /// Waits for a token; who came first is served first.
    pub async fn wait(&self) {
        let mut full_at = self.full_at.lock().await;
        let now = Instant::now();
        *full_at = (*full_at).max(now) + self.interval;
        // As many intervals as the burst may be outstanding.
        let due = *full_at - self.interval * self.burst;
        if due > now {
            sleep_until(due).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_passes_and_then_one_an_interval() {
        let pace = Pace::new(3, Duration::from_secs(1));
        let begin = Instant::now();
        for expected in [0, 0, 0, 1, 2, 3] {
            pace.wait().await;
            assert_eq!(begin.elapsed().as_secs(), expected);
        }
    }
}
