//! A wall clock that tests move: it goes with tokio's clock, which they can pause.

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

/// From here on [`wall`] shows `start` on this thread, and goes on with tokio's clock.
pub fn begin(start: Timestamp) {
    STARTED.set(Some((start, Instant::now())));
}

/// The time on the wall clock: virtual where it has begun on this thread, and the machine's elsewhere.
pub fn wall() -> Timestamp {
    virtual_wall().unwrap_or_else(Timestamp::now)
}

fn virtual_wall() -> Option<Timestamp> {
    let (start, began) = STARTED.get()?;
    let skew = SKEW.try_with(|skew| *skew).unwrap_or_default();
    start.checked_add(began.elapsed()).ok()?.checked_add(skew).ok()
}

/// Runs `future` as on a machine whose clock is right, whatever that of the caller's shows.
pub async fn unskewed<T>(future: impl Future<Output = T>) -> T {
    SKEW.scope(SignedDuration::ZERO, future).await
}
