//! Which key is worked on next: the queue without its clock and without its lock.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    hash::Hash,
    time::Duration,
};

use tokio::time::Instant;

use super::{backoff::Backoff, queue::Next};

/// After a failed pass.
const BACKOFF: Backoff = Backoff { first: Duration::from_millis(500), cap: Duration::from_mins(5) };

/// No key waits longer for its time, which also keeps the time within what an [`Instant`] holds.
const FAR: Duration = Duration::from_hours(365 * 24);

/// When a pending key is due, and, among keys due at the same time, which came first.
type Slot = (Instant, u64);

/// Keys that wait for a pass or are in one. It holds a key only as long as there is something to know about it.
#[derive(Debug)]
pub(super) struct Schedule<K> {
    floor: Duration,
    entries: HashMap<K, Entry>,
    /// Every pending key, by its slot.
    pending: BTreeMap<Slot, K>,
    /// Every start of the last `floor`, oldest first: when it stops to matter, and of which key it was.
    starts: VecDeque<(Instant, K)>,
    sequence: u64,
    running: usize,
}

#[derive(Debug, Default)]
struct Entry {
    pending: Option<Slot>,
    /// The pending slot is the end of a backoff.
    backing_off: bool,
    running: bool,
    /// Added while running.
    woken: bool,
    /// Added for later while running.
    later: Option<Instant>,
    /// Failures in a row.
    failures: u32,
    /// The floor: no start before.
    not_before: Option<Instant>,
}

impl<K: Clone + Eq + Hash> Schedule<K> {
    /// A schedule that lets at least `floor` pass between two starts of the same key.
    pub(super) fn new(floor: Duration) -> Self {
        Self {
            floor,
            entries: HashMap::new(),
            pending: BTreeMap::new(),
            starts: VecDeque::new(),
            sequence: 0,
            running: 0,
        }
    }

    /// Asks for a pass over the key now, whatever backoff it is in.
    pub(super) fn add(&mut self, key: K, now: Instant) {
        let entry = self.entries.entry(key.clone()).or_default();
        if entry.running {
            entry.woken = true;
        } else {
            self.put(key, now, false);
        }
    }

    /// Asks for a pass over the key after this time. An earlier time that is already set stands, and so does a backoff.
    pub(super) fn add_after(&mut self, key: K, delay: Duration, now: Instant) {
        let at = now + delay.min(FAR);
        let entry = self.entries.entry(key.clone()).or_default();
        if entry.running {
            entry.later = earliest(entry.later, Some(at));
        } else if !entry.backing_off {
            self.put(key, at, false);
        }
    }

    /// Starts the key that has been due for longest, if there is any.
    pub(super) fn start(&mut self, now: Instant) -> Option<K> {
        self.sweep(now);
        let due = self.pending.first_entry().filter(|first| first.key().0 <= now)?;
        let key = due.remove();
        let entry = self.entries.entry(key.clone()).or_default();
        entry.pending = None;
        entry.backing_off = false;
        entry.running = true;
        entry.not_before = Some(now + self.floor);
        self.running += 1;
        self.starts.push_back((now + self.floor, key.clone()));
        Some(key)
    }

    /// Ends the pass over the key. A request that came during the pass is kept, and one for now beats a backoff.
    pub(super) fn done(&mut self, key: K, next: Next, now: Instant) {
        let Some(entry) = self.entries.get_mut(&key).filter(|entry| entry.running) else { return };
        entry.running = false;
        self.running -= 1;
        let woken = std::mem::take(&mut entry.woken).then_some(now);
        let later = entry.later.take();
        entry.failures = if matches!(next, Next::Retry { .. }) { entry.failures.saturating_add(1) } else { 0 };
        let (at, backing_off) = match next {
            Next::After(delay) => (earliest(earliest(Some(now + delay.min(FAR)), later), woken), false),
            Next::OnChange => (earliest(later, woken), false),
            Next::Retry { at_least } => {
                let delay = BACKOFF.delay(entry.failures).max(at_least.min(FAR));
                (woken.or_else(|| Some(now + delay)), woken.is_none())
            }
        };
        match at {
            Some(at) => self.put(key, at, backing_off),
            None => self.drop_if_idle(&key, now),
        }
    }

    /// Takes back every request for the key and its failures. A pass that runs goes on.
    pub(super) fn forget(&mut self, key: &K, now: Instant) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        if let Some(slot) = entry.pending.take() {
            self.pending.remove(&slot);
        }
        entry.backing_off = false;
        entry.woken = false;
        entry.later = None;
        entry.failures = 0;
        self.drop_if_idle(key, now);
    }

    /// When the first pending key is due.
    pub(super) fn first_due(&self) -> Option<Instant> {
        self.pending.first_key_value().map(|(slot, _)| slot.0)
    }

    /// How many keys are due, counted; not for a hot path.
    pub(super) fn due(&self, now: Instant) -> usize {
        self.pending.range(..=(now, u64::MAX)).count()
    }

    /// How many keys wait, due or not.
    pub(super) fn pending(&self) -> usize {
        self.pending.len()
    }

    /// How many keys are in a pass.
    pub(super) fn running(&self) -> usize {
        self.running
    }

    /// Makes a key that is not running pending, at that time or when the floor allows, unless it is pending for earlier.
    fn put(&mut self, key: K, at: Instant, backing_off: bool) {
        let entry = self.entries.entry(key.clone()).or_default();
        let at = entry.not_before.map_or(at, |floor| floor.max(at));
        if let Some(slot) = entry.pending {
            if slot.0 <= at {
                return;
            }
            self.pending.remove(&slot);
        }
        let slot = (at, self.sequence);
        self.sequence += 1;
        entry.pending = Some(slot);
        entry.backing_off = backing_off;
        self.pending.insert(slot, key);
    }

    /// Drops keys that were kept only for the floor.
    fn sweep(&mut self, now: Instant) {
        while let Some((_, key)) = self.starts.pop_front_if(|(until, _)| *until <= now) {
            self.drop_if_idle(&key, now);
        }
    }

    fn drop_if_idle(&mut self, key: &K, now: Instant) {
        let idle = |entry: &Entry| {
            !entry.running && entry.pending.is_none() && entry.not_before.is_none_or(|floor| floor <= now)
        };
        if self.entries.get(key).is_some_and(idle) {
            self.entries.remove(key);
        }
    }
}

fn earliest(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    one.into_iter().chain(other).min()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    const FLOOR: Duration = Duration::from_millis(100);

    fn millis(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn equal_times_are_first_come_first_served() {
        let now = Instant::now();
        let mut schedule = Schedule::new(FLOOR);
        for key in ["c", "a", "b", "a"] {
            schedule.add(key, now);
        }
        assert_eq!((schedule.due(now), schedule.pending()), (3, 3));
        assert_eq!([(); 4].map(|()| schedule.start(now)), [Some("c"), Some("a"), Some("b"), None]);
        assert_eq!(schedule.running(), 3);
    }

    #[test]
    fn the_earlier_time_wins() {
        let now = Instant::now();
        let mut schedule = Schedule::new(FLOOR);
        schedule.add_after("a", millis(500), now);
        schedule.add_after("a", millis(200), now);
        schedule.add_after("a", millis(900), now);
        assert_eq!(schedule.first_due(), Some(now + millis(200)));
        schedule.add("a", now);
        assert_eq!(schedule.start(now), Some("a"));
    }

    #[test]
    fn a_backoff_yields_to_a_change_only() {
        let now = Instant::now();
        let mut schedule = Schedule::new(Duration::ZERO);
        for failures in 1..=4 {
            schedule.add("a", now);
            assert_eq!(schedule.start(now), Some("a"), "a change starts it at once");
            schedule.done("a", Next::RETRY, now);
            let half = millis(250) * 2_u32.pow(failures - 1);
            schedule.add_after("a", millis(1), now);
            assert!(schedule.first_due().unwrap() >= now + half, "a wish for later does not");
            assert!(schedule.first_due().unwrap() <= now + 2 * half);
        }
        let late = now + Duration::from_mins(1);
        assert_eq!(schedule.start(late), Some("a"));
        schedule.done("a", Next::OnChange, late);
        schedule.add("a", late);
        schedule.start(late);
        schedule.done("a", Next::RETRY, late);
        assert!(schedule.first_due().unwrap() <= late + millis(500), "a success ends the doubling");
    }

    #[test]
    fn what_is_asked_for_during_a_pass_comes_after_it() {
        let now = Instant::now();
        for next in [Next::OnChange, Next::RETRY, Next::After(Duration::from_hours(1))] {
            let mut schedule = Schedule::new(FLOOR);
            schedule.add("a", now);
            schedule.start(now);
            schedule.add("a", now);
            assert_eq!(schedule.start(now), None);
            schedule.done("a", next, now + millis(10));
            assert_eq!(schedule.first_due(), Some(now + FLOOR), "{next:?}");
        }
    }

    #[test]
    fn forgetting_takes_back_everything_but_the_floor() {
        let now = Instant::now();
        let mut schedule = Schedule::new(FLOOR);
        schedule.add("a", now);
        schedule.start(now);
        schedule.done("a", Next::RETRY, now);
        schedule.forget(&"a", now);
        assert_eq!(schedule.pending(), 0);
        schedule.add("a", now);
        assert_eq!(schedule.first_due(), Some(now + FLOOR));
        schedule.forget(&"a", now);
        assert_eq!(schedule.start(now + FLOOR), None);
        assert!(schedule.entries.is_empty() && schedule.starts.is_empty(), "nothing is left: {schedule:?}");
    }

    #[derive(Clone, Debug)]
    enum Step {
        Add(u8),
        AddAfter(u8, u64),
        Start,
        Done(usize, Next),
        Forget(u8),
        Pass(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        let next =
            prop_oneof![Just(Next::OnChange), Just(Next::RETRY), (0..400_u64).prop_map(|d| Next::After(millis(d)))];
        prop_oneof![
            4 => (0..8_u8).prop_map(Step::Add),
            2 => (0..8_u8, 0..400_u64).prop_map(|(key, delay)| Step::AddAfter(key, delay)),
            5 => Just(Step::Start),
            4 => (0..8_usize, next).prop_map(|(index, next)| Step::Done(index, next)),
            1 => (0..8_u8).prop_map(Step::Forget),
            3 => (0..200_u64).prop_map(Step::Pass),
        ]
    }

    /// The schedule, and what it promises, checked at every step.
    struct Checked {
        schedule: Schedule<u8>,
        now: Instant,
        running: Vec<u8>,
        /// Keys that were asked for and not started since.
        owed: HashSet<u8>,
        last_start: HashMap<u8, Instant>,
        /// (waiting, other): the other was started while this one was due.
        overtakes: HashSet<(u8, u8)>,
    }

    impl Checked {
        fn new() -> Self {
            Self {
                schedule: Schedule::new(FLOOR),
                now: Instant::now(),
                running: Vec::new(),
                owed: HashSet::new(),
                last_start: HashMap::new(),
                overtakes: HashSet::new(),
            }
        }

        fn take(&mut self, step: &Step) {
            match *step {
                Step::Add(key) => {
                    self.schedule.add(key, self.now);
                    self.owed.insert(key);
                }
                Step::AddAfter(key, delay) => {
                    self.schedule.add_after(key, millis(delay), self.now);
                    self.owed.insert(key);
                }
                Step::Start => self.start(),
                Step::Done(index, next) if !self.running.is_empty() => {
                    let key = self.running.swap_remove(index % self.running.len());
                    self.schedule.done(key, next, self.now);
                    if next != Next::OnChange {
                        self.owed.insert(key);
                    }
                }
                Step::Done(..) => {}
                Step::Forget(key) => {
                    self.schedule.forget(&key, self.now);
                    self.owed.remove(&key);
                    self.overtakes.retain(|(waiting, _)| *waiting != key);
                }
                Step::Pass(time) => self.now += millis(time),
            }
            assert_eq!(self.schedule.running(), self.running.len());
        }

        fn start(&mut self) {
            let due: HashSet<u8> = self.due();
            let Some(key) = self.schedule.start(self.now) else {
                assert!(due.is_empty(), "{due:?} are due and were not started");
                return;
            };
            assert!(!self.running.contains(&key), "{key} runs twice at once");
            if let Some(last) = self.last_start.insert(key, self.now) {
                assert!(self.now >= last + FLOOR, "{key} was started below the floor");
            }
            for waiting in due.into_iter().filter(|waiting| *waiting != key) {
                assert!(self.overtakes.insert((waiting, key)), "{key} overtook {waiting} twice");
            }
            self.overtakes.retain(|(waiting, _)| *waiting != key);
            self.owed.remove(&key);
            self.running.push(key);
        }

        fn due(&self) -> HashSet<u8> {
            let due = |entry: &Entry| entry.pending.is_some_and(|(at, _)| at <= self.now);
            self.schedule.entries.iter().filter(|(_, entry)| due(entry)).map(|(key, _)| *key).collect()
        }

        /// Finishes everything; then nothing may be owed, and nothing may be left behind.
        fn settle(mut self) {
            for _ in 0..100 {
                self.start();
                self.take(&Step::Done(0, Next::OnChange));
                self.take(&Step::Pass(FLOOR.as_millis().try_into().unwrap()));
            }
            self.now += Duration::from_mins(5);
            for _ in 0..10 {
                self.start();
                self.take(&Step::Done(0, Next::OnChange));
            }
            assert!(self.owed.is_empty(), "{:?} were asked for and never started", self.owed);
            self.now += FLOOR;
            self.start();
            assert!(self.schedule.entries.is_empty() && self.schedule.starts.is_empty(), "{:?}", self.schedule);
        }
    }

    proptest! {
        #[test]
        fn keeps_its_promises(steps in proptest::collection::vec(step(), 0..300)) {
            let mut checked = Checked::new();
            for step in &steps {
                checked.take(step);
            }
            checked.settle();
        }
    }
}
