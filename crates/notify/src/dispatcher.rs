//! Delivers notices: a queue and a worker for each receiver, so that none waits for another.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use payg_clock::Clock;
use thiserror::Error;
use tokio::sync::Notify;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};

use crate::config::{Config, Delivery, ReceiverName};
use crate::notice::Notice;
use crate::queue::{Dropped, Queue};
use crate::receivers::{Receiver, Settings};

/// So many notices wait for a receiver.
const MOST_QUEUED: usize = 1000;
/// How long a receiver may take for one.
const DEADLINE: Duration = Duration::from_mins(1);
/// The nominal pause after the first failure; it doubles with each one after it, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(5);
/// A receiver that asks for a longer pause is asked again after this.
const LONGEST_RETRY_AFTER: Duration = Duration::from_hours(1);

/// What became of a notice at a receiver.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub notice: Arc<Notice>,
    pub receiver: ReceiverName,
    pub result: Result<(), NotDelivered>,
}

/// Why a receiver did not take a notice, and will not be asked again unless it is offered again.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotDelivered {
    #[error("the receiver refused it: {0}")]
    Refused(String),
    #[error("the queue of the receiver was full, and more urgent notices were in it")]
    QueueFull,
    #[error("it was moot before the receiver could take it")]
    Moot,
    #[error("the receiver is not in the file any more")]
    ReceiverGone,
}

/// Why a receiver did not take a notice this time. The texts hold no secret.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SendError {
    /// Another try may succeed, after this time if the receiver named one.
    #[error("{detail}")]
    Temporary { detail: String, after: Option<Duration> },
    /// The receiver will never take it.
    #[error("{0}")]
    Refused(String),
}

/// What a receiver's worker has done since the start, and what it still has to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Notices that the receiver took.
    pub sent: u64,
    /// Tries that failed.
    pub failed: u64,
    /// Notices that were given up: refused, moot, or for want of room.
    pub dropped: u64,
    /// Notices that wait.
    pub queued: usize,
}

/// Makes a receiver that stands for the one with this name.
pub type MakeReceiver = Box<dyn Fn(&ReceiverName) -> Box<dyn Receiver> + Send + Sync>;

/// The queues and the workers. They end with it; what is still queued is offered again by whoever goes on.
pub struct Dispatcher {
    clock: Clock,
    stand_in: Option<MakeReceiver>,
    outcomes: UnboundedSender<Outcome>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    lanes: BTreeMap<ReceiverName, Lane>,
    workers: JoinSet<()>,
}

/// The way to one receiver.
struct Lane {
    settings: Settings,
    waiting: Arc<Waiting>,
    worker: AbortHandle,
}

impl fmt::Debug for Dispatcher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Dispatcher").field("counts", &self.counts()).finish_non_exhaustive()
    }
}

impl Dispatcher {
    /// Starts a worker for each receiver, on the current runtime of tokio. Somebody must take the outcomes.
    pub fn start(config: Config, clock: Clock) -> (Self, UnboundedReceiver<Outcome>) {
        Self::start_with(config, clock, None)
    }

    /// The same with a stand-in for each receiver, so that tests decide what becomes of a notice.
    pub fn start_with(
        config: Config,
        clock: Clock,
        stand_in: Option<MakeReceiver>,
    ) -> (Self, UnboundedReceiver<Outcome>) {
        let (outcomes, receiver) = mpsc::unbounded_channel();
        let dispatcher = Self { clock, stand_in, outcomes, inner: Mutex::default() };
        dispatcher.reload(config);
        (dispatcher, receiver)
    }

    /// Queues `notice` for `receiver`, instead of an older one with the same id. Never waits.
    ///
    /// A notice that has ended is for receivers that were offered its beginning. One of [`Delivery::Message`] doesn't get it:
    /// for it the beginning only leaves the queue, if it is still there.
    pub fn offer(&self, notice: &Notice, receiver: &ReceiverName) {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(lane) = inner.lanes.get(receiver) else { return };
        let is_told_ends = match lane.settings.delivery() {
            Delivery::Message => false,
            Delivery::Event | Delivery::State => true,
        };
        let dropped = lane.waiting.with(|state| {
            let dropped = match notice.ends {
                Some(_) if !is_told_ends => state.queue.withdraw(&notice.id),
                Some(_) | None => state.queue.offer(Arc::new(notice.clone())),
            };
            state.dropped += u64::from(dropped.is_some());
            dropped
        });
        lane.waiting.report(&self.outcomes, dropped);
        lane.waiting.changed.notify_one();
    }

    /// Goes on with another file. What waits for a receiver that is still there goes to it as it is now.
    pub fn reload(&self, config: Config) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let Inner { lanes, workers } = &mut *inner;
        while workers.try_join_next().is_some() {} // those that were ended
        let mut before = std::mem::take(lanes);
        for (name, settings) in config.into_receivers() {
            let lane = match before.remove(&name) {
                Some(lane) if lane.settings == settings => lane,
                Some(lane) => {
                    lane.worker.abort();
                    let dropped = lane.waiting.with(|state| state.queue.failed());
                    lane.waiting.report(&self.outcomes, dropped);
                    self.lane(workers, settings, lane.waiting)
                }
                None => self.lane(workers, settings, Arc::new(Waiting::new(name.clone()))),
            };
            lanes.insert(name, lane);
        }
        for lane in before.into_values() {
            lane.worker.abort();
            let dropped = lane.waiting.with(|state| state.queue.clear());
            lane.waiting.report(&self.outcomes, dropped);
        }
    }

    fn lane(&self, workers: &mut JoinSet<()>, settings: Settings, waiting: Arc<Waiting>) -> Lane {
        let receiver = match &self.stand_in {
            Some(stand_in) => stand_in(&waiting.name),
            None => settings.clone().receiver(self.clock),
        };
        let worker = workers.spawn(work(Arc::clone(&waiting), receiver, self.clock, self.outcomes.clone()));
        Lane { settings, waiting, worker }
    }

    /// The numbers of each receiver.
    pub fn counts(&self) -> Vec<(ReceiverName, Counts)> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.lanes.iter().map(|(name, lane)| (name.clone(), lane.waiting.with(|state| state.counts()))).collect()
    }
}

/// Sends `notice` to `receiver` once, without a queue: for tests of a receiver.
pub async fn send_once(config: &Config, receiver: &ReceiverName, notice: &Notice) -> Result<(), SendError> {
    let Some(settings) = config.settings(receiver) else {
        return Err(SendError::Refused(format!("there is no receiver `{receiver}` in the file")));
    };
    if !settings.concerns(notice) {
        return Err(SendError::Refused(
            "it has nobody to notify: it has no `to`, and the notice no contacts".to_owned(),
        ));
    }
    settings.clone().receiver(Clock::real()).send(notice).await
}

/// What waits for a receiver.
struct Waiting {
    name: ReceiverName,
    state: Mutex<State>,
    changed: Notify,
}

struct State {
    queue: Queue,
    sent: u64,
    failed: u64,
    dropped: u64,
}

impl State {
    fn counts(&self) -> Counts {
        Counts { sent: self.sent, failed: self.failed, dropped: self.dropped, queued: self.queue.len() }
    }
}

impl Waiting {
    fn new(name: ReceiverName) -> Self {
        let state = State { queue: Queue::new(MOST_QUEUED), sent: 0, failed: 0, dropped: 0 };
        Self { name, state: Mutex::new(state), changed: Notify::new() }
    }

    fn with<T>(&self, use_it: impl FnOnce(&mut State) -> T) -> T {
        use_it(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn report(&self, outcomes: &UnboundedSender<Outcome>, dropped: impl IntoIterator<Item = Dropped>) {
        for (notice, why) in dropped {
            self.tell(outcomes, notice, Err(why));
        }
    }

    fn tell(&self, outcomes: &UnboundedSender<Outcome>, notice: Arc<Notice>, result: Result<(), NotDelivered>) {
        if let Err(why) = &result {
            tracing::warn!(receiver = %self.name, notice = notice.id, %why, "A notice was not delivered");
        }
        // Nobody listens while the process ends.
        let _ = outcomes.send(Outcome { notice, receiver: self.name.clone(), result });
    }

    /// The next notice, as soon as there is one.
    async fn next(&self, clock: Clock, outcomes: &UnboundedSender<Outcome>) -> Arc<Notice> {
        loop {
            let (next, moot) = self.with(|state| {
                let (next, moot) = state.queue.take(clock.wall());
                state.dropped += moot.len() as u64;
                (next, moot)
            });
            self.report(outcomes, moot);
            match next {
                Some(notice) => return notice,
                None => self.changed.notified().await,
            }
        }
    }
}

/// Sends what waits, one notice after the other.
async fn work(waiting: Arc<Waiting>, receiver: Box<dyn Receiver>, clock: Clock, outcomes: UnboundedSender<Outcome>) {
    let mut failures = 0;
    loop {
        let notice = waiting.next(clock, &outcomes).await;
        let sent = timeout(DEADLINE, receiver.send(&notice)).await;
        let sent = sent.unwrap_or_else(|_| {
            let detail = format!("did not answer within {} s", DEADLINE.as_secs());
            Err(SendError::Temporary { detail, after: None })
        });
        let result = match sent {
            Ok(()) => Ok(()),
            Err(SendError::Refused(why)) => Err(NotDelivered::Refused(why)),
            Err(SendError::Temporary { detail, after }) => {
                failures += 1;
                let dropped = waiting.with(|state| {
                    state.failed += 1;
                    let dropped = state.queue.failed();
                    state.dropped += u64::from(dropped.is_some());
                    dropped
                });
                waiting.report(&outcomes, dropped);
                let pause = pause(failures, after);
                let (receiver, seconds) = (&waiting.name, pause.as_secs());
                tracing::warn!(%receiver, notice = notice.id, error = detail, seconds, "A notice could not be sent; trying again");
                sleep(pause).await;
                continue;
            }
        };
        failures = 0;
        waiting.with(|state| {
            state.queue.done(&notice.id);
            state.sent += u64::from(result.is_ok());
            state.failed += u64::from(result.is_err());
            state.dropped += u64::from(result.is_err());
        });
        waiting.tell(&outcomes, notice, result);
    }
}

/// How long to leave a receiver alone after so many failures in a row (1 after the first): at random between half of the
/// nominal pause and the whole of it, and not less than it asked for.
fn pause(failures: u32, after: Option<Duration>) -> Duration {
    let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
    let nominal = FIRST_PAUSE.saturating_mul(doubled).min(LONGEST_PAUSE);
    let pause = nominal.mul_f64(f64::midpoint(1.0, fastrand::f64()));
    pause.max(after.unwrap_or_default().min(LONGEST_RETRY_AFTER))
}

#[cfg(test)]
mod tests;
