//! Waiting for what comes to be a little later.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Polls for a minute until `look` finds something.
///
/// # Panics
/// If it does not, with what was `waited_for`.
pub async fn eventually<T>(waited_for: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {waited_for}");
        sleep(Duration::from_millis(50)).await;
    }
}
