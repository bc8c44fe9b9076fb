//! The one queue: what to look at, when. At most one reconcile at a time per key. Groups of keys are served in turn, so that no
//! group waits for what another one has to do, however much that is and however long it takes.

use std::hash::Hash;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::rate_limit::Rate;
use super::schedule::Schedule;

/// Where a key waits: among whose keys, and for what. Keys of which nothing is said wait in one group, without a lane.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// Whose it is. Groups are served in turn.
    pub group: Arc<str>,
    /// What of the group's its passes use, if that bears only so much at once.
    pub lane: Option<Arc<str>>,
}

/// How much of the workers there is for whom. What must wait for a bound waits in the queue and holds no worker.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The same key is never started twice within this time.
    pub min_interval: Duration,
    /// How many keys of one group are in a reconcile at once, at least 1.
    pub group: usize,
    /// How many keys of one lane are in a reconcile at once, at least 1.
    pub lane: usize,
    /// How often keys of one lane are started.
    pub rate_limit: Rate,
}

/// What is to happen with a key after a reconcile of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requeue {
    /// Reconcile again after this time, or at a change before it.
    After(Duration),
    /// Reconcile again at a change only.
    OnChange,
    /// The reconcile failed: try again after a backoff, which doubles with every failure in a row from half a second to five
    /// minutes, or at a change before it.
    Retry {
        /// The backoff is no shorter than this.
        at_least: Duration,
    },
}

impl Requeue {
    /// The reconcile failed; nothing asks for a longer pause than the backoff.
    pub const RETRY: Self = Self::Retry { at_least: Duration::ZERO };
}

/// How full the queue is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Keys that are due and wait for a worker.
    pub due: usize,
    /// Keys that are to be observed later.
    pub scheduled: usize,
    /// Keys that are in a reconcile.
    pub running: usize,
    /// How long the one of the due keys has been due that is due for longest.
    pub oldest_wait: Duration,
}

/// A queue of keys. Each operation costs at most the logarithm of the number of waiting keys; to start one costs in addition
/// as many steps as there are groups that could start one.
#[derive(Debug)]
pub struct Queue<K> {
    schedule: Mutex<Schedule<K>>,
    changed: Notify,
}

impl<K: Clone + Eq + Hash> Queue<K> {
    /// An empty queue that keeps these bounds.
    pub fn new(bounds: Bounds) -> Self {
        Self { schedule: Mutex::new(Schedule::new(bounds)), changed: Notify::new() }
    }

    /// Says where the key waits, from now on and until it is forgotten. It asks for no reconcile.
    pub fn assign(&self, key: &K, place: &Place) {
        self.schedule().assign(key, place, Instant::now());
        self.changed.notify_waiters();
    }

    /// Asks for a reconcile of the key as soon as possible: it changed. This ends a backoff. A key whose reconcile is running is
    /// passed over once more.
    pub fn add(&self, key: K) {
        self.schedule().add(key, Instant::now());
        self.changed.notify_waiters();
    }

    /// Asks for a reconcile of the key after this time. If one is due earlier that one stands, and a backoff stands too.
    pub fn add_after(&self, key: K, delay: Duration) {
        self.schedule().add_after(key, delay, Instant::now());
        self.changed.notify_waiters();
    }

    /// The next key that is due and within the bounds, as soon as there is one. The caller has the key to itself and must
    /// hand it back to [`done`](Self::done). Dropping the future loses no key.
    pub async fn next(&self) -> K {
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable(); // from here on no change is missed
            let next_start = {
                let mut schedule = self.schedule();
                if let Some(key) = schedule.start(Instant::now()) {
                    return key;
                }
                schedule.next_start()
            };
            match next_start {
                Some(at) => tokio::select! { () = changed => {}, () = sleep_until(at) => {} },
                None => changed.await,
            }
        }
    }

    /// Ends the reconcile of a key that [`next`](Self::next) returned. What was asked for during the reconcile is not lost.
    pub fn done(&self, key: K, next: Requeue) {
        self.schedule().done(key, next, Instant::now());
        self.changed.notify_waiters();
    }

    /// Takes back every request for the key, and where it waits, for example because its object is gone. A reconcile that runs
    /// goes on.
    pub fn forget(&self, key: &K) {
        self.schedule().forget(key, Instant::now());
    }

    /// How full the queue is. This goes through all keys: for metrics, not for a hot path.
    pub fn load(&self) -> Load {
        let now = Instant::now();
        let schedule = self.schedule();
        let mut load = Load { running: schedule.running(), ..Load::default() };
        for at in schedule.pending() {
            load.due += usize::from(at <= now);
            load.scheduled += usize::from(at > now);
            load.oldest_wait = load.oldest_wait.max(now.saturating_duration_since(at));
        }
        load
    }

    fn schedule(&self) -> MutexGuard<'_, Schedule<K>> {
        // Nothing panics half-way through a change of the schedule, except perhaps a key's own hash or comparison.
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;

    use super::*;

    /// Nothing but what is in turn.
    pub(crate) const UNBOUNDED: Bounds = Bounds {
        min_interval: Duration::ZERO,
        group: usize::MAX,
        lane: usize::MAX,
        rate_limit: Rate { burst: 1, interval: Duration::ZERO },
    };

    #[tokio::test(start_paused = true)]
    async fn waits_for_the_time_and_wakes_for_an_earlier_one() {
        let queue = Arc::new(Queue::new(UNBOUNDED));
        let began = Instant::now();
        queue.add_after("late", Duration::from_mins(1));
        let waiter = tokio::spawn({
            let queue = queue.clone();
            async move { (queue.next().await, queue.next().await) }
        });
        tokio::time::sleep(Duration::from_secs(10)).await;
        queue.add("now");
        assert_eq!(waiter.await.unwrap(), ("now", "late"));
        assert_eq!(began.elapsed(), Duration::from_mins(1));
    }

    #[tokio::test(start_paused = true)]
    async fn every_waiter_is_served() {
        let queue = Arc::new(Queue::new(UNBOUNDED));
        let waiters: Vec<_> = (0..10)
            .map(|_| {
                let queue = queue.clone();
                tokio::spawn(async move { queue.next().await })
            })
            .collect();
        tokio::task::yield_now().await;
        for key in 0..10 {
            queue.add_after(key, Duration::from_secs(key % 3));
        }
        let mut served = Vec::new();
        for waiter in waiters {
            served.push(waiter.await.unwrap());
        }
        served.sort_unstable();
        assert_eq!(served, (0..10).collect::<Vec<_>>());
    }

    #[tokio::test(start_paused = true)]
    async fn tells_how_full_it_is() {
        let queue = Queue::new(UNBOUNDED);
        for key in ["a", "b", "c"] {
            queue.add(key);
        }
        queue.add_after("d", Duration::from_mins(1));
        queue.next().await;
        tokio::time::advance(Duration::from_secs(7)).await;
        let expected = Load { due: 2, scheduled: 1, running: 1, oldest_wait: Duration::from_secs(7) };
        assert_eq!(queue.load(), expected);
    }
}
