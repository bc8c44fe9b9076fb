//! Which key is worked on next: the queue without its clock and without its lock.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::backoff::Backoff;
use super::queue::{Bounds, Place, Requeue};

/// After a failed pass.
const BACKOFF: Backoff = Backoff { first: Duration::from_millis(500), cap: Duration::from_mins(5) };

/// No key waits longer for its time, which also keeps the time within what an [`Instant`] holds.
const FAR: Duration = Duration::from_hours(365 * 24);

/// When a pending key is due, and, among keys due at the same time, which came first.
type Slot = (Instant, u64);

/// The name of a lane in its group.
type LaneName = Option<Arc<str>>;

/// Keys that wait for a reconcile or are in one, in the lanes of their groups. It holds a key only as long as there is something
/// to know about it.
#[derive(Debug)]
pub(super) struct Schedule<K> {
    bounds: Bounds,
    entries: HashMap<K, Entry>,
    groups: HashMap<Arc<str>, Group<K>>,
    /// Every group that may start a key, by when it may.
    ready: BTreeSet<(Instant, Arc<str>)>,
    /// Every start of the last `min_interval`, oldest first: when it stops to matter, and of which key it was.
    starts: VecDeque<(Instant, K)>,
    /// The same for the part of a lane's rate that starts have used.
    taken: VecDeque<(Instant, Place)>,
    sequence: u64,
    /// Twice the number of turns that there were, so that a group can come in between two.
    turns: u64,
    running: usize,
}

#[derive(Debug, Default)]
struct Entry {
    place: Place,
    pending: Option<Slot>,
    /// The pending slot is the end of a backoff.
    backing_off: bool,
    /// Where the reconcile of it was started that runs.
    running: Option<Place>,
    /// Added while running.
    woken: bool,
    /// Added for later while running.
    later: Option<Instant>,
    /// Failures in a row.
    failures: u32,
    /// The floor: no start before.
    not_before: Option<Instant>,
}

#[derive(Debug)]
struct Group<K> {
    /// Its last turn. If it had none yet: before the last turn that there was when it came, and after all others.
    turn: u64,
    running: usize,
    lanes: HashMap<LaneName, Lane<K>>,
    /// Every lane that may start a key as far as the lane itself goes, by when it may.
    ready: BTreeSet<(Instant, LaneName)>,
    /// When it is in the schedule's `ready`.
    ready_at: Option<Instant>,
}

#[derive(Debug)]
struct Lane<K> {
    pending: BTreeMap<Slot, K>,
    running: usize,
    /// When the part of its rate that starts used is available again.
    full_at: Option<Instant>,
    /// When it is in its group's `ready`.
    ready_at: Option<Instant>,
}

impl<K> Lane<K> {
    const fn new() -> Self {
        Self { pending: BTreeMap::new(), running: 0, full_at: None, ready_at: None }
    }

    /// When it may start a key: its first one is due, not too many run, and its rate allows it.
    fn next_start(&self, bounds: Option<&Bounds>) -> Option<Instant> {
        let (first_due, _) = *self.pending.first_key_value()?.0;
        let Some(bounds) = bounds else { return Some(first_due) };
        let paced = self.full_at.map_or(first_due, |full_at| bounds.rate_limit.next(full_at));
        (self.running < bounds.lane.max(1)).then(|| first_due.max(paced))
    }
}

impl<K: Clone + Eq + Hash> Schedule<K> {
    /// An empty schedule that keeps these bounds.
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            entries: HashMap::new(),
            groups: HashMap::new(),
            ready: BTreeSet::new(),
            starts: VecDeque::new(),
            taken: VecDeque::new(),
            sequence: 0,
            turns: 0,
            running: 0,
        }
    }

    /// Says where the key waits from now on. A reconcile that runs goes on counting where it was started.
    pub(super) fn assign(&mut self, key: &K, place: &Place, now: Instant) {
        let entry = self.entries.entry(key.clone()).or_default();
        let former = std::mem::replace(&mut entry.place, place.clone());
        if let Some(slot) = entry.pending.filter(|_| former != *place) {
            self.lane(&former).pending.remove(&slot);
            // Before the former lane is forgotten: a group that goes on waiting keeps its turn.
            self.lane(place).pending.insert(slot, key.clone());
            self.refresh(place, now);
            self.refresh(&former, now);
        }
        self.drop_if_idle(key, now);
    }

    /// Asks for a reconcile of the key now, whatever backoff it is in.
    pub(super) fn add(&mut self, key: K, now: Instant) {
        let entry = self.entries.entry(key.clone()).or_default();
        if entry.running.is_some() {
            entry.woken = true;
        } else {
            self.put(key, now, false, now);
        }
    }

    /// Asks for a reconcile of the key after this time. An earlier time that is already set stands, and so does a backoff.
    pub(super) fn add_after(&mut self, key: K, delay: Duration, now: Instant) {
        let at = now + delay.min(FAR);
        let entry = self.entries.entry(key.clone()).or_default();
        if entry.running.is_some() {
            entry.later = earliest(entry.later, Some(at));
        } else if !entry.backing_off {
            self.put(key, at, false, now);
        }
    }

    /// Starts a key, if there is one that may be: of the group whose last turn is the longest ago that which could have been
    /// started for longest.
    pub(super) fn start(&mut self, now: Instant) -> Option<K> {
        self.sweep(now);
        let due = self.ready.iter().take_while(|(at, _)| *at <= now).map(|(_, group)| group);
        let group = Arc::clone(due.min_by_key(|group| self.groups.get(*group).map(|group| group.turn))?);
        let lane = self.groups.get(&group)?.ready.first()?.1.clone();
        let place = Place { group, lane };
        let (_, key) = self.lane(&place).pending.pop_first()?;
        self.begin(&key, &place, now);
        self.refresh(&place, now);
        Some(key)
    }

    /// Counts the start of a key.
    fn begin(&mut self, key: &K, place: &Place, now: Instant) {
        let entry = self.entries.entry(key.clone()).or_default();
        entry.pending = None;
        entry.backing_off = false;
        entry.running = Some(place.clone());
        entry.not_before = Some(now + self.bounds.min_interval);
        self.starts.push_back((now + self.bounds.min_interval, key.clone()));
        self.running += 1;
        self.turns += 2;
        let (turn, bound) = (self.turns + 1, self.bounds.rate_limit);
        let group = self.group(&place.group);
        (group.turn, group.running) = (turn, group.running + 1);
        let lane = self.lane(place);
        lane.running += 1;
        if place.lane.is_some() {
            lane.full_at = Some(bound.take(lane.full_at, now));
            self.taken.push_back((now + bound.whole(), place.clone()));
        }
    }

    /// Ends the reconcile of the key. A request that came during the reconcile is kept, and one for now beats a backoff.
    pub(super) fn done(&mut self, key: K, next: Requeue, now: Instant) {
        let Some(entry) = self.entries.get_mut(&key) else { return };
        let Some(place) = entry.running.take() else { return };
        let woken = std::mem::take(&mut entry.woken).then_some(now);
        let later = entry.later.take();
        entry.failures = if matches!(next, Requeue::Retry { .. }) { entry.failures.saturating_add(1) } else { 0 };
        let (at, backing_off) = match next {
            Requeue::After(delay) => (earliest(earliest(Some(now + delay.min(FAR)), later), woken), false),
            Requeue::OnChange => (earliest(later, woken), false),
            Requeue::Retry { at_least } => {
                let delay = BACKOFF.delay(entry.failures).max(at_least.min(FAR));
                (woken.or_else(|| Some(now + delay)), woken.is_none())
            }
        };
        self.running -= 1;
        self.group(&place.group).running -= 1;
        self.lane(&place).running -= 1;
        self.refresh(&place, now);
        match at {
            Some(at) => self.put(key, at, backing_off, now),
            None => self.drop_if_idle(&key, now),
        }
    }

    /// Takes back every request for the key, its failures and its place. A reconcile that runs goes on.
    pub(super) fn forget(&mut self, key: &K, now: Instant) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        let (pending, place) = (entry.pending.take(), std::mem::take(&mut entry.place));
        entry.backing_off = false;
        entry.woken = false;
        entry.later = None;
        entry.failures = 0;
        if let Some(slot) = pending {
            self.lane(&place).pending.remove(&slot);
            self.refresh(&place, now);
        }
        self.drop_if_idle(key, now);
    }

    /// When a key may be started next, if nothing is asked for and no reconcile ends before.
    pub(super) fn next_start(&self) -> Option<Instant> {
        self.ready.first().map(|(at, _)| *at)
    }

    /// When each pending key is due: for metrics.
    pub(super) fn pending(&self) -> impl Iterator<Item = Instant> {
        self.entries.values().filter_map(|entry| entry.pending).map(|(at, _)| at)
    }

    /// How many keys are in a reconcile.
    pub(super) fn running(&self) -> usize {
        self.running
    }

    /// Makes a key that is not running pending, at that time or when the floor allows, unless it is pending for earlier.
    fn put(&mut self, key: K, at: Instant, backing_off: bool, now: Instant) {
        let entry = self.entries.entry(key.clone()).or_default();
        let at = entry.not_before.map_or(at, |floor| floor.max(at));
        let former = entry.pending;
        if former.is_some_and(|slot| slot.0 <= at) {
            return;
        }
        let slot = (at, self.sequence);
        self.sequence += 1;
        entry.pending = Some(slot);
        entry.backing_off = backing_off;
        let place = entry.place.clone();
        let pending = &mut self.lane(&place).pending;
        if let Some(former) = former {
            pending.remove(&former);
        }
        pending.insert(slot, key);
        self.refresh(&place, now);
    }

    fn group(&mut self, name: &Arc<str>) -> &mut Group<K> {
        let turn = self.turns;
        let new = || Group { turn, running: 0, lanes: HashMap::new(), ready: BTreeSet::new(), ready_at: None };
        self.groups.entry(Arc::clone(name)).or_insert_with(new)
    }

    fn lane(&mut self, place: &Place) -> &mut Lane<K> {
        self.group(&place.group).lanes.entry(place.lane.clone()).or_insert_with(Lane::new)
    }

    /// Finds anew when the lane, and its group, may start a key. Forgets them if there is nothing to know about them.
    fn refresh(&mut self, place: &Place, now: Instant) {
        let bounds = self.bounds;
        let Some(group) = self.groups.get_mut(&place.group) else { return };
        if let Some(lane) = group.lanes.get_mut(&place.lane) {
            let at = lane.next_start(place.lane.is_some().then_some(&bounds));
            if let Some(former) = std::mem::replace(&mut lane.ready_at, at) {
                group.ready.remove(&(former, place.lane.clone()));
            }
            group.ready.extend(at.map(|at| (at, place.lane.clone())));
            if lane.pending.is_empty() && lane.running == 0 && lane.full_at.is_none_or(|full_at| full_at <= now) {
                group.lanes.remove(&place.lane);
            }
        }
        let first = group.ready.first().map(|(at, _)| *at);
        let at = first.filter(|_| group.running < bounds.group.max(1));
        if let Some(former) = std::mem::replace(&mut group.ready_at, at) {
            self.ready.remove(&(former, Arc::clone(&place.group)));
        }
        self.ready.extend(at.map(|at| (at, Arc::clone(&place.group))));
        if group.lanes.is_empty() {
            self.groups.remove(&place.group);
        }
    }

    /// Drops keys that were kept only for the floor, and lanes that were kept only for their rate.
    fn sweep(&mut self, now: Instant) {
        while let Some((_, key)) = self.starts.pop_front_if(|(until, _)| *until <= now) {
            self.drop_if_idle(&key, now);
        }
        while let Some((_, place)) = self.taken.pop_front_if(|(until, _)| *until <= now) {
            self.refresh(&place, now);
        }
    }

    fn drop_if_idle(&mut self, key: &K, now: Instant) {
        let idle = |entry: &Entry| {
            entry.place == Place::default()
                && entry.running.is_none()
                && entry.pending.is_none()
                && entry.not_before.is_none_or(|floor| floor <= now)
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
mod tests;
