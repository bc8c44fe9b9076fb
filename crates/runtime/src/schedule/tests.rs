//! What the schedule promises, over any order of events.

use std::collections::HashSet;

use proptest::prelude::*;

use super::super::queue::tests::UNBOUNDED;
use super::super::rate_limit::Rate;
use super::*;

const FLOOR: Duration = Duration::from_millis(100);
const SLOW: Rate = Rate { burst: 3, interval: Duration::from_millis(400) };

fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn with_floor<K: Clone + Eq + Hash>() -> Schedule<K> {
    Schedule::new(Bounds { min_interval: FLOOR, ..UNBOUNDED })
}

fn place(group: &str, lane: Option<&str>) -> Place {
    Place { group: group.into(), lane: lane.map(Arc::from) }
}

/// A schedule in which `count` keys of one group, from 1000 on, are due, and the key 1 of another since a moment later.
fn crowd(bounds: Bounds, count: u32, lane: Option<&str>, now: Instant) -> Schedule<u32> {
    let mut schedule = Schedule::new(bounds);
    for key in 1000..1000 + count {
        schedule.assign(&key, &place("mallory", lane), now);
        schedule.add(key, now - millis(1));
    }
    schedule.assign(&1, &place("jane", Some("azure")), now);
    schedule.add(1, now);
    schedule
}

#[test]
fn equal_times_are_first_come_first_served() {
    let now = Instant::now();
    let mut schedule = with_floor();
    for key in ["c", "a", "b", "a"] {
        schedule.add(key, now);
    }
    assert_eq!(schedule.pending().filter(|at| *at == now).count(), 3);
    assert_eq!([(); 4].map(|()| schedule.start(now)), [Some("c"), Some("a"), Some("b"), None]);
    assert_eq!(schedule.running(), 3);
}

#[test]
fn the_earlier_time_wins() {
    let now = Instant::now();
    let mut schedule = with_floor();
    schedule.add_after("a", millis(500), now);
    schedule.add_after("a", millis(200), now);
    schedule.add_after("a", millis(900), now);
    assert_eq!(schedule.next_start(), Some(now + millis(200)));
    schedule.add("a", now);
    assert_eq!(schedule.start(now), Some("a"));
}

#[test]
fn a_backoff_yields_to_a_change_only() {
    let now = Instant::now();
    let mut schedule = Schedule::new(UNBOUNDED);
    for failures in 1..=4 {
        schedule.add("a", now);
        assert_eq!(schedule.start(now), Some("a"), "a change starts it at once");
        schedule.done("a", Requeue::RETRY, now);
        let half = millis(250) * 2_u32.pow(failures - 1);
        schedule.add_after("a", millis(1), now);
        assert!(schedule.next_start().unwrap() >= now + half, "a wish for later does not");
        assert!(schedule.next_start().unwrap() <= now + 2 * half);
    }
    let late = now + Duration::from_mins(1);
    assert_eq!(schedule.start(late), Some("a"));
    schedule.done("a", Requeue::OnChange, late);
    schedule.add("a", late);
    schedule.start(late);
    schedule.done("a", Requeue::RETRY, late);
    assert!(schedule.next_start().unwrap() <= late + millis(500), "a success ends the doubling");
}

#[test]
fn requests_during_a_reconcile_run_after_it() {
    let now = Instant::now();
    for next in [Requeue::OnChange, Requeue::RETRY, Requeue::After(Duration::from_hours(1))] {
        let mut schedule = with_floor();
        schedule.add("a", now);
        schedule.start(now);
        schedule.add("a", now);
        assert_eq!(schedule.start(now), None);
        schedule.done("a", next, now + millis(10));
        assert_eq!(schedule.next_start(), Some(now + FLOOR), "{next:?}");
    }
}

#[test]
fn forgetting_takes_back_everything_but_the_floor() {
    let now = Instant::now();
    let mut schedule = with_floor();
    schedule.assign(&"a", &place("jane", Some("azure")), now);
    schedule.add("a", now);
    schedule.start(now);
    schedule.done("a", Requeue::RETRY, now);
    schedule.forget(&"a", now);
    assert_eq!(schedule.pending().count(), 0);
    schedule.add("a", now);
    assert_eq!(schedule.next_start(), Some(now + FLOOR));
    schedule.forget(&"a", now);
    assert_eq!(schedule.start(now + FLOOR), None);
    assert_nothing_left(&schedule);
}

#[test]
fn a_group_waits_for_no_more_than_one_key_of_another() {
    let now = Instant::now();
    let mut schedule = crowd(UNBOUNDED, 1000, None, now);
    assert_eq!([(); 3].map(|()| schedule.start(now)), [Some(1000), Some(1), Some(1001)]);
}

#[test]
fn a_group_holds_no_more_than_its_bound() {
    let now = Instant::now();
    let mut schedule = crowd(Bounds { group: 2, ..UNBOUNDED }, 1000, None, now);
    assert_eq!([(); 4].map(|()| schedule.start(now)), [Some(1000), Some(1), Some(1001), None]);
    schedule.done(1, Requeue::OnChange, now);
    assert_eq!((schedule.start(now), schedule.next_start()), (None, None), "nobody may start before a pass ends");
    schedule.done(1000, Requeue::OnChange, now);
    assert_eq!([(); 2].map(|()| schedule.start(now)), [Some(1002), None]);
}

#[test]
fn a_lane_holds_no_more_than_its_bound_and_leaves_the_rest_to_others_of_its_group() {
    let now = Instant::now();
    let mut schedule = crowd(Bounds { group: 2, lane: 1, ..UNBOUNDED }, 1000, Some("dead"), now);
    assert_eq!([(); 3].map(|()| schedule.start(now)), [Some(1000), Some(1), None]);
    schedule.assign(&2, &place("mallory", Some("other")), now);
    schedule.add(2, now);
    assert_eq!([(); 2].map(|()| schedule.start(now)), [Some(2), None]);
}

#[test]
fn a_rate_limited_lane_delays_no_other() {
    let now = Instant::now();
    let mut schedule = crowd(Bounds { rate_limit: SLOW, ..UNBOUNDED }, 1000, Some("dead"), now);
    let started = [(); 5].map(|()| schedule.start(now));
    assert_eq!(started, [Some(1000), Some(1), Some(1001), Some(1002), None]);
    assert_eq!(schedule.next_start(), Some(now + SLOW.interval));
    schedule.assign(&2, &place("mallory", Some("other")), now);
    schedule.add(2, now);
    assert_eq!(schedule.start(now), Some(2));
    assert_eq!([(); 2].map(|()| schedule.start(now + SLOW.interval)), [Some(1003), None]);
}

#[test]
fn a_key_that_changes_its_place_waits_there_for_as_long() {
    let now = Instant::now();
    let mut schedule = crowd(Bounds { lane: 1, ..UNBOUNDED }, 2, Some("dead"), now);
    assert_eq!([(); 3].map(|()| schedule.start(now)), [Some(1000), Some(1), None]);
    schedule.assign(&1001, &place("mallory", Some("other")), now);
    assert_eq!(schedule.start(now), Some(1001));
    schedule.assign(&1000, &place("mallory", Some("other")), now);
    schedule.add(1000, now);
    schedule.done(1000, Requeue::OnChange, now);
    assert_eq!(schedule.start(now), None, "the pass that runs counts where it was started");
    schedule.done(1001, Requeue::OnChange, now);
    assert_eq!(schedule.start(now), Some(1000));
}

fn assert_nothing_left<K: std::fmt::Debug>(schedule: &Schedule<K>) {
    let is_empty = schedule.entries.is_empty()
        && schedule.groups.is_empty()
        && schedule.ready.is_empty()
        && schedule.starts.is_empty()
        && schedule.taken.is_empty();
    assert!(is_empty, "{schedule:?}");
}

#[derive(Clone, Debug)]
enum Step {
    Assign(u8, Place),
    Add(u8),
    AddAfter(u8, u64),
    Start,
    Done(usize, Requeue),
    Forget(u8),
    Pass(u64),
}

const KEYS: u8 = 12;

fn step() -> impl Strategy<Value = Step> {
    let next = prop_oneof![
        Just(Requeue::OnChange),
        Just(Requeue::RETRY),
        (0..400_u64).prop_map(|d| Requeue::After(millis(d)))
    ];
    let lane = prop_oneof![Just(None), Just(Some("one")), Just(Some("two"))];
    let place =
        (prop_oneof![Just("jane"), Just("mallory"), Just("ed")], lane).prop_map(|(group, lane)| place(group, lane));
    prop_oneof![
        2 => (0..KEYS, place).prop_map(|(key, place)| Step::Assign(key, place)),
        5 => (0..KEYS).prop_map(Step::Add),
        2 => (0..KEYS, 0..400_u64).prop_map(|(key, delay)| Step::AddAfter(key, delay)),
        6 => Just(Step::Start),
        4 => (0..8_usize, next).prop_map(|(index, next)| Step::Done(index, next)),
        1 => (0..KEYS).prop_map(Step::Forget),
        3 => (0..200_u64).prop_map(Step::Pass),
    ]
}

/// The schedule, and what it promises, checked at every step against what was done to it.
struct Checked {
    schedule: Schedule<u8>,
    now: Instant,
    places: HashMap<u8, Place>,
    /// With the place where each was started.
    running: Vec<(u8, Place)>,
    /// Keys that were asked for and not started since.
    owed: HashSet<u8>,
    last_start: HashMap<u8, Instant>,
    /// By lane: when its keys were started.
    starts: HashMap<Place, Vec<Instant>>,
    /// (waiting, other): the other of the same place was started while this one was due.
    overtakes: HashSet<(u8, u8)>,
    /// (waiting, other): the other group had a turn while this one could have had one.
    turns: HashSet<(Arc<str>, Arc<str>)>,
}

impl Checked {
    const BOUNDS: Bounds = Bounds { min_interval: FLOOR, group: 3, lane: 2, rate_limit: SLOW };

    fn new() -> Self {
        Self {
            schedule: Schedule::new(Self::BOUNDS),
            now: Instant::now(),
            places: HashMap::new(),
            running: Vec::new(),
            owed: HashSet::new(),
            last_start: HashMap::new(),
            starts: HashMap::new(),
            overtakes: HashSet::new(),
            turns: HashSet::new(),
        }
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Assign(key, ref place) => {
                self.schedule.assign(&key, place, self.now);
                self.places.insert(key, place.clone());
            }
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
                let (key, _) = self.running.swap_remove(index % self.running.len());
                self.schedule.done(key, next, self.now);
                if next != Requeue::OnChange {
                    self.owed.insert(key);
                }
            }
            Step::Done(..) => {}
            Step::Forget(key) => {
                self.schedule.forget(&key, self.now);
                self.places.remove(&key);
                self.owed.remove(&key);
                self.overtakes.retain(|(waiting, _)| *waiting != key);
            }
            Step::Pass(time) => self.now += millis(time),
        }
        assert_eq!(self.schedule.running(), self.running.len());
        let waiting: HashSet<_> = self.could_start().into_iter().map(|key| self.place(key).group).collect();
        self.turns.retain(|(group, _)| waiting.contains(group));
    }

    fn place(&self, key: u8) -> Place {
        self.places.get(&key).cloned().unwrap_or_default()
    }

    /// Whether the bounds allow one start more at `place`.
    fn has_room(&self, place: &Place) -> bool {
        let in_group = self.running.iter().filter(|(_, other)| other.group == place.group).count();
        let in_lane = self.running.iter().filter(|(_, other)| other == place).count();
        let starts = self.starts.get(place).map(Vec::as_slice).unwrap_or_default();
        // Of one more than the burst and as many as you like, the last is as many intervals after the first.
        let burst = SLOW.burst as usize;
        let mut earlier = starts.iter().rev().skip(burst - 1).zip(1..);
        let paced = earlier.all(|(earlier, more)| self.now >= *earlier + SLOW.interval * more);
        in_group < Self::BOUNDS.group && (place.lane.is_none() || in_lane < Self::BOUNDS.lane && paced)
    }

    fn start(&mut self) {
        let (due, can_start) = (self.due(), self.could_start());
        let waiting: HashSet<_> = can_start.iter().map(|key| self.place(*key).group).collect();
        let Some(key) = self.schedule.start(self.now) else {
            assert!(can_start.is_empty(), "{can_start:?} could be started and were not");
            return;
        };
        assert!(!self.running.iter().any(|(running, _)| *running == key), "{key} runs twice at once");
        assert!(can_start.contains(&key), "{key} was started beyond the bounds, or is not due");
        if let Some(last) = self.last_start.insert(key, self.now) {
            assert!(self.now >= last + FLOOR, "{key} was started below the floor");
        }
        let place = self.place(key);
        let beside: Vec<_> = due.into_iter().filter(|other| *other != key && self.place(*other) == place).collect();
        for other in beside {
            assert!(self.overtakes.insert((other, key)), "{key} overtook {other} twice");
        }
        self.overtakes.retain(|(waiting, _)| *waiting != key);
        for group in waiting.into_iter().filter(|group| *group != place.group) {
            assert!(self.turns.insert((group, place.group.clone())), "{} had two turns", place.group);
        }
        self.turns.retain(|(waiting, _)| *waiting != place.group);
        self.starts.entry(place.clone()).or_default().push(self.now);
        self.owed.remove(&key);
        self.running.push((key, place));
    }

    fn due(&self) -> HashSet<u8> {
        let due = |entry: &Entry| entry.pending.is_some_and(|(at, _)| at <= self.now);
        self.schedule.entries.iter().filter(|(_, entry)| due(entry)).map(|(key, _)| *key).collect()
    }

    /// What is due and within the bounds.
    fn could_start(&self) -> HashSet<u8> {
        self.due().into_iter().filter(|key| self.has_room(&self.place(*key))).collect()
    }

    /// Finishes everything; then nothing may be owed, and nothing may be left behind.
    fn settle(mut self) {
        for _ in 0..100 {
            self.start();
            self.take(&Step::Done(0, Requeue::OnChange));
            self.take(&Step::Pass(FLOOR.as_millis().try_into().unwrap()));
        }
        self.now += Duration::from_mins(5);
        for _ in 0..2 * KEYS {
            self.start();
            self.take(&Step::Done(0, Requeue::OnChange));
            self.take(&Step::Pass(SLOW.interval.as_millis().try_into().unwrap()));
        }
        assert!(self.owed.is_empty(), "{:?} were asked for and never started", self.owed);
        for key in 0..KEYS {
            self.take(&Step::Forget(key));
        }
        self.now += FLOOR + SLOW.whole();
        self.start();
        assert_nothing_left(&self.schedule);
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
