//! Reconciles: a bounded number at once, each with a deadline, none able to take the others down.

use std::collections::HashMap;
use std::fmt::Display;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::error::Elapsed;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, error, info, info_span, warn};

use super::metrics::{ByOutcome, Metrics};
use super::queue::{Queue, Requeue};

/// How often the loop shows that it moves.
const BEAT: Duration = Duration::from_secs(5);

/// The loop is stuck if it has not moved for so long.
const STUCK: Duration = Duration::from_mins(1);

/// How long an abandoned pass may take to notice.
const ABORT: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many reconciles run at once, at least 1.
    pub workers: usize,
    /// A reconcile is dropped after this time, at whatever await it has reached, and counts as failed.
    pub deadline: Duration,
    /// How long running reconciles may go on after a shutdown has begun; then they are dropped.
    pub grace: Duration,
}

/// The sign of life of the workers. A standby, which runs none, is alive.
#[derive(Clone, Debug, Default)]
pub struct Pulse(Arc<Mutex<Option<Instant>>>);

impl Pulse {
    /// How long the workers have been stuck, if they are: their loop does not turn, or a reconcile does not end at its
    /// deadline because it blocks its thread. Neither heals without a restart.
    pub fn stuck(&self) -> Option<Duration> {
        let last = (*self.0.lock().unwrap_or_else(PoisonError::into_inner))?;
        Some(last.elapsed()).filter(|silence| *silence >= STUCK)
    }

    fn set(&self, beat: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = beat;
    }
}

/// Works on the queue until `shutdown`: starts a reconcile for each key that is due and hands the key back with its outcome.
/// A reconcile that panics or does not end by its deadline counts as failed. On shutdown no more reconciles are started and those
/// that run may end within the grace period.
pub async fn run<K, P, F>(
    queue: Arc<Queue<K>>,
    limits: Limits,
    metrics: Metrics,
    pulse: Pulse,
    shutdown: CancellationToken,
    reconcile: P,
) where
    K: Clone + Eq + Hash + Display + Send + 'static,
    P: Fn(K) -> F + Send + Sync + 'static,
    F: Future<Output = Requeue> + Send + 'static,
{
    let mut workers = Workers {
        queue,
        limits,
        metrics,
        reconcile: Arc::new(reconcile),
        reconciles: JoinSet::new(),
        started: HashMap::new(),
    };
    let mut beat = interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            Some(ended) = workers.reconciles.join_next_with_id() => workers.end(ended),
            _ = beat.tick() => if !workers.overdue() { pulse.set(Some(Instant::now())) },
            key = workers.queue.next(), if workers.reconciles.len() < limits.workers.max(1) => workers.start(key),
        }
    }
    pulse.set(None);
    workers.drain().await;
}

type Ended = Result<(Id, Result<Requeue, Elapsed>), JoinError>;

struct Workers<K, P> {
    queue: Arc<Queue<K>>,
    limits: Limits,
    metrics: Metrics,
    reconcile: Arc<P>,
    reconciles: JoinSet<Result<Requeue, Elapsed>>,
    /// The key of each reconcile that runs, and when it began.
    started: HashMap<Id, (K, Instant)>,
}

impl<K, P, F> Workers<K, P>
where
    K: Clone + Eq + Hash + Display + Send + 'static,
    P: Fn(K) -> F + Send + Sync + 'static,
    F: Future<Output = Requeue> + Send + 'static,
{
    fn start(&mut self, key: K) {
        let span = info_span!("reconcile", %key);
        let (reconcile, deadline, own) = (Arc::clone(&self.reconcile), self.limits.deadline, key.clone());
        let work = async move { timeout(deadline, reconcile(own)).await };
        let id = self.reconciles.spawn(work.instrument(span)).id();
        self.started.insert(id, (key, Instant::now()));
    }

    fn end(&mut self, ended: Ended) {
        let id = ended.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        let Some((key, began)) = self.started.remove(&id) else { return };
        let (next, outcome) = match ended {
            Ok((_, Ok(next @ Requeue::After(_)))) => (next, "after"),
            Ok((_, Ok(next @ Requeue::OnChange))) => (next, "on_change"),
            Ok((_, Ok(next @ Requeue::Retry { .. }))) => (next, "retry"),
            Ok((_, Err(_elapsed))) => {
                warn!(%key, "the reconcile did not end within {} s and was cut", self.limits.deadline.as_secs_f64());
                (Requeue::RETRY, "timeout")
            }
            Err(error) => {
                error!(%key, "the reconcile panicked, which is a bug in this program; please report it: {}", panic_text(error));
                (Requeue::RETRY, "panic")
            }
        };
        self.metrics.reconciles.get_or_create(&ByOutcome { outcome }).inc();
        self.metrics.reconcile_seconds.observe(began.elapsed().as_secs_f64());
        self.queue.done(key, next);
    }

    /// Whether a reconcile still runs long after its deadline, which it can only by blocking its thread.
    fn overdue(&self) -> bool {
        let late = self.limits.deadline.saturating_add(BEAT);
        let mut late_reconciles = self.started.values().filter(|(_, began)| began.elapsed() > late).peekable();
        let overdue = late_reconciles.peek().is_some();
        for (key, began) in late_reconciles {
            error!(%key, "the reconcile has run for {} s and blocks its thread", began.elapsed().as_secs());
        }
        overdue
    }

    async fn drain(mut self) {
        if !self.reconciles.is_empty() {
            info!(
                "waiting up to {} s for {} reconciles to end",
                self.limits.grace.as_secs_f64(),
                self.reconciles.len()
            );
        }
        let grace = self.limits.grace;
        let all = async {
            while let Some(ended) = self.reconciles.join_next_with_id().await {
                self.end(ended);
            }
        };
        if timeout(grace, all).await.is_ok() {
            return;
        }
        for (key, began) in self.started.values() {
            warn!(%key, "the reconcile was abandoned after {} s by the shutdown", began.elapsed().as_secs_f64());
            self.metrics.reconciles.get_or_create(&ByOutcome { outcome: "abandoned" }).inc();
        }
        // They end at their next await, unless one blocks its thread.
        let _blocked = timeout(ABORT, self.reconciles.shutdown()).await;
    }
}

pub(super) fn panic_text(error: JoinError) -> String {
    match error.try_into_panic() {
        Ok(payload) => match payload.downcast::<String>() {
            Ok(text) => *text,
            Err(payload) => payload.downcast_ref::<&str>().map_or("no message", |text| text).to_owned(),
        },
        Err(error) => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::sync::atomic::Ordering::SeqCst;

    use prometheus_client::registry::Registry;
    use tokio::task::JoinHandle;
    use tokio::time::sleep;

    use super::super::queue::tests::UNBOUNDED;
    use super::super::queue::{Bounds, Place};
    use super::super::rate_limit::Rate;
    use super::*;

    const LIMITS: Limits = Limits { workers: 2, deadline: Duration::from_secs(30), grace: Duration::from_secs(20) };

    struct Running {
        queue: Arc<Queue<&'static str>>,
        metrics: Metrics,
        pulse: Pulse,
        shutdown: CancellationToken,
        task: JoinHandle<()>,
    }

    impl Running {
        fn with<P, F>(reconcile: P) -> Self
        where
            P: Fn(&'static str) -> F + Send + Sync + 'static,
            F: Future<Output = Requeue> + Send + 'static,
        {
            let (queue, pulse, shutdown) =
                (Arc::new(Queue::new(UNBOUNDED)), Pulse::default(), CancellationToken::new());
            let metrics = Metrics::register(&mut Registry::default());
            let task =
                tokio::spawn(run(queue.clone(), LIMITS, metrics.clone(), pulse.clone(), shutdown.clone(), reconcile));
            Self { queue, metrics, pulse, shutdown, task }
        }

        fn reconciles(&self, outcome: &'static str) -> u64 {
            self.metrics.reconciles.get_or_create(&ByOutcome { outcome }).get()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_is_a_failure_of_one_key() {
        let calls = Arc::new(AtomicUsize::new(0));
        let running = Running::with({
            let calls = calls.clone();
            move |key| {
                assert!(key != "bad" || calls.fetch_add(1, SeqCst) > 2, "boom");
                async { Requeue::OnChange }
            }
        });
        running.queue.add("bad");
        running.queue.add("good");
        sleep(Duration::from_secs(10)).await;
        assert_eq!((running.reconciles("panic"), running.reconciles("on_change")), (3, 2));
        assert_eq!(calls.load(SeqCst), 4, "retried until it did not panic");
    }

    #[tokio::test(start_paused = true)]
    async fn a_pass_is_cut_at_its_deadline() {
        let running = Running::with(|key| async move {
            if key == "slow" {
                std::future::pending::<()>().await;
            }
            Requeue::After(Duration::from_secs(10))
        });
        running.queue.add("slow");
        running.queue.add("quick");
        sleep(Duration::from_millis(30_100)).await;
        assert_eq!((running.reconciles("timeout"), running.reconciles("after")), (1, 4));
        assert_eq!(running.pulse.stuck(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_passes_at_once_than_workers() {
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let running = Running::with({
            let most = most.clone();
            move |_| {
                let (now, most) = (now.clone(), most.clone());
                async move {
                    most.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
                    sleep(Duration::from_secs(1)).await;
                    now.fetch_sub(1, SeqCst);
                    Requeue::OnChange
                }
            }
        });
        for key in ["a", "b", "c", "d", "e"] {
            running.queue.add(key);
        }
        sleep(Duration::from_millis(3_100)).await;
        assert_eq!((running.reconciles("on_change"), most.load(SeqCst)), (5, 2));
    }

    /// How long a key waits at most that changes every ten seconds, beside a thousand whose reconciles hang for half a minute.
    async fn longest_wait(bounds: Bounds, is_placed: bool) -> Duration {
        let queue = Arc::new(Queue::new(bounds));
        for key in 1..=1000 {
            if is_placed {
                queue.assign(&key, &Place { group: "mallory".into(), lane: Some("dead".into()) });
            }
            queue.add(key);
        }
        let changed: Arc<Mutex<Option<Instant>>> = Arc::default();
        let longest: Arc<Mutex<Duration>> = Arc::default();
        let reconcile = {
            let (changed, longest) = (changed.clone(), longest.clone());
            move |key: u32| {
                let changed = if key == 0 { changed.lock().unwrap().take() } else { None };
                if let Some(changed) = changed {
                    let mut longest = longest.lock().unwrap();
                    *longest = changed.elapsed().max(*longest);
                }
                async move {
                    if key > 0 {
                        sleep(Duration::from_secs(30)).await;
                        return Requeue::After(Duration::from_mins(1));
                    }
                    Requeue::OnChange
                }
            }
        };
        let limits = Limits { workers: 32, deadline: Duration::from_mins(2), ..LIMITS };
        let metrics = Metrics::register(&mut Registry::default());
        let task =
            tokio::spawn(run(queue.clone(), limits, metrics, Pulse::default(), CancellationToken::new(), reconcile));
        for _ in 0..200 {
            sleep(Duration::from_secs(10)).await;
            changed.lock().unwrap().get_or_insert_with(Instant::now);
            queue.add(0);
        }
        task.abort();
        *longest.lock().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_thousand_passes_that_hang_delay_nobody_else() {
        let rate_limit = Rate { burst: 8, interval: Duration::from_millis(125) };
        let bounds = Bounds { min_interval: Duration::from_millis(200), group: 8, lane: 4, rate_limit };
        let (fair, in_line) = (longest_wait(bounds, true).await, longest_wait(UNBOUNDED, false).await);
        println!("a change waits {fair:?}; in one line with the others {in_line:?}");
        assert!(fair < Duration::from_millis(10) && in_line > Duration::from_mins(10), "{fair:?}, {in_line:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_shutdown_lets_passes_end_within_the_grace_period() {
        let running = Running::with(|key| async move {
            sleep(Duration::from_secs(if key == "long" { 29 } else { 5 })).await;
            Requeue::OnChange
        });
        running.queue.add("long");
        running.queue.add("short");
        sleep(Duration::from_secs(1)).await;
        let began = Instant::now();
        running.shutdown.cancel();
        running.queue.add("new");
        sleep(Duration::from_secs(19)).await;
        assert_eq!(running.reconciles("on_change"), 1);
        assert!(!running.task.is_finished());
        let metrics = running.metrics.clone();
        running.task.await.unwrap();
        assert_eq!(began.elapsed(), LIMITS.grace);
        assert_eq!(metrics.reconciles.get_or_create(&ByOutcome { outcome: "abandoned" }).get(), 1);
        assert_eq!(running.queue.load().due, 1, "the new one was not started");
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_does_not_turn_is_stuck() {
        let running = Running::with(|_| async { Requeue::OnChange });
        sleep(Duration::from_mins(10)).await;
        assert_eq!(running.pulse.stuck(), None, "an idle loop turns");
        running.task.abort();
        running.task.await.unwrap_err();
        tokio::time::advance(STUCK).await;
        assert!(running.pulse.stuck().is_some());
        assert_eq!(Pulse::default().stuck(), None, "a standby is alive");
    }
}
