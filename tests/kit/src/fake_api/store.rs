//! What is stored: every object with its history, and the log of all changes.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    task::Waker,
};

use bytes::Bytes;
use serde_json::{Map, Value};

use super::kind::{Kind, built_in};

/// An object as it was written at a revision, or as it was when it was deleted at it.
#[derive(Debug)]
pub(super) struct Version {
    pub(super) kind: Arc<Kind>,
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) revision: u64,
    pub(super) is_deleted: bool,
    /// Whether some of it was filled in on reading only, so that any write changes what is stored.
    pub(super) is_filled_in: bool,
    pub(super) object: Map<String, Value>,
    /// The same, as it is sent.
    pub(super) json: Bytes,
}

/// A change, with what was there before.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) before: Option<Arc<Version>>,
    pub(super) after: Arc<Version>,
}

/// The objects of a kind by key, each with its versions in the order in which they were written.
type Objects = BTreeMap<String, Vec<Arc<Version>>>;

#[derive(Debug)]
pub(super) struct Store {
    kinds: Vec<(Arc<Kind>, Objects)>,
    log: VecDeque<Change>,
    pub(super) revision: u64,
    /// History up to this revision is forgotten.
    pub(super) compacted: u64,
    watchers: BTreeMap<u64, Watcher>,
    watchers_made: u64,
    pub(super) seed: u64,
    uids_made: u64,
}

#[derive(Debug)]
struct Watcher {
    kind: Arc<Kind>,
    waker: Option<Waker>,
}

/// What is to be written.
pub(super) struct Write {
    pub(super) kind: Arc<Kind>,
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) object: Map<String, Value>,
    pub(super) is_filled_in: bool,
}

impl Store {
    pub(super) fn new() -> Self {
        Self {
            kinds: built_in().into_iter().map(|kind| (Arc::new(kind), Objects::new())).collect(),
            log: VecDeque::new(),
            revision: 1,
            compacted: 1,
            watchers: BTreeMap::new(),
            watchers_made: 0,
            seed: 0,
            uids_made: 0,
        }
    }

    /// The same objects with the same history, watched by nobody.
    pub(super) fn fork(&self) -> Self {
        Self { kinds: self.kinds.clone(), log: self.log.clone(), watchers: BTreeMap::new(), ..*self }
    }

    pub(super) fn add_kind(&mut self, kind: Kind) {
        self.kinds.push((Arc::new(kind), Objects::new()));
    }

    pub(super) fn kinds(&self) -> impl Iterator<Item = Arc<Kind>> {
        self.kinds.iter().map(|(kind, _)| Arc::clone(kind))
    }

    pub(super) fn kind(&self, is_it: impl Fn(&Kind) -> bool) -> Option<Arc<Kind>> {
        self.kinds.iter().map(|(kind, _)| kind).find(|kind| is_it(kind)).cloned()
    }

    fn objects(&self, kind: &Arc<Kind>) -> &Objects {
        let mut kinds = self.kinds.iter();
        kinds.find(|(other, _)| Arc::ptr_eq(kind, other)).map(|(_, objects)| objects).expect("a kind of this store")
    }

    fn objects_mut(&mut self, kind: &Arc<Kind>) -> &mut Objects {
        let mut kinds = self.kinds.iter_mut();
        kinds.find(|(other, _)| Arc::ptr_eq(kind, other)).map(|(_, objects)| objects).expect("a kind of this store")
    }

    /// The object under `key`, unless it is deleted.
    pub(super) fn get(&self, kind: &Arc<Kind>, key: &str) -> Option<&Arc<Version>> {
        self.objects(kind).get(key)?.last().filter(|version| !version.is_deleted)
    }

    /// The object under `key` as it was at `revision`.
    pub(super) fn get_at(&self, kind: &Arc<Kind>, key: &str, revision: u64) -> Option<&Arc<Version>> {
        at(self.objects(kind).get(key)?, revision)
    }

    /// All that is kept of the object under `key`, the oldest first.
    pub(super) fn history(&self, kind: &Arc<Kind>, key: &str) -> &[Arc<Version>] {
        self.objects(kind).get(key).map_or(&[], Vec::as_slice)
    }

    /// The objects as they were at `revision`, in the order of their keys, from `start` on: all, or those of a namespace.
    pub(super) fn list<'a>(
        &'a self,
        kind: &Arc<Kind>,
        namespace: Option<&str>,
        start: &str,
        revision: u64,
    ) -> impl Iterator<Item = &'a Arc<Version>> + use<'a> {
        let prefix = namespace.map(|namespace| format!("{namespace}/"));
        let from = prefix.as_deref().map_or(start, |prefix| start.max(prefix)).to_owned();
        self.objects(kind)
            .range(from..)
            .take_while(move |(key, _)| prefix.as_ref().is_none_or(|prefix| key.starts_with(prefix)))
            .filter_map(move |(_, versions)| at(versions, revision))
    }

    /// The first change after `revision` that is kept, with all that follow.
    pub(super) fn changes_after(&self, revision: u64) -> impl Iterator<Item = &Change> {
        let skip = usize::try_from(revision.saturating_sub(self.compacted)).unwrap_or(usize::MAX);
        self.log.iter().skip(skip)
    }

    /// Stores an object, and returns it as it is then.
    pub(super) fn write(&mut self, write: Write) -> Arc<Version> {
        self.push(write, false)
    }

    /// Removes an object that is there.
    pub(super) fn remove(&mut self, version: &Arc<Version>) -> Arc<Version> {
        let write = Write {
            kind: Arc::clone(&version.kind),
            namespace: version.namespace.clone(),
            name: version.name.clone(),
            object: version.object.clone(),
            is_filled_in: false,
        };
        self.push(write, true)
    }

    fn push(&mut self, mut write: Write, is_deleted: bool) -> Arc<Version> {
        self.revision += 1;
        let revision = self.revision;
        write.object["metadata"]["resourceVersion"] = revision.to_string().into();
        let json = serde_json::to_vec(&write.object).expect("JSON of a map").into();
        let Write { kind, namespace, name, object, is_filled_in } = write;
        let key = kind.key(&namespace, &name);
        let version = Arc::new(Version { kind, namespace, name, revision, is_deleted, is_filled_in, object, json });
        let versions = self.objects_mut(&version.kind).entry(key).or_default();
        let before = versions.last().filter(|version| !version.is_deleted).cloned();
        versions.push(Arc::clone(&version));
        self.log.push_back(Change { before, after: Arc::clone(&version) });
        for watcher in self.watchers.values_mut().filter(|watcher| Arc::ptr_eq(&watcher.kind, &version.kind)) {
            if let Some(waker) = watcher.waker.take() {
                waker.wake();
            }
        }
        version
    }

    /// Forgets what was before `revision`.
    pub(super) fn compact(&mut self, revision: u64) {
        let revision = revision.min(self.revision);
        while self.compacted < revision {
            self.log.pop_front();
            self.compacted += 1;
        }
        for (_, objects) in &mut self.kinds {
            objects.retain(|_, versions| {
                let old = versions.partition_point(|version| version.revision <= revision);
                let keep_last = old > 0 && !versions[old - 1].is_deleted;
                versions.drain(..old - usize::from(keep_last));
                !versions.is_empty()
            });
        }
    }

    pub(super) fn add_watcher(&mut self, kind: Arc<Kind>) -> u64 {
        self.watchers_made += 1;
        self.watchers.insert(self.watchers_made, Watcher { kind, waker: None });
        self.watchers_made
    }

    /// Has `waker` woken by the next change of the watcher's kind.
    pub(super) fn wait(&mut self, watcher: u64, waker: &Waker) {
        if let Some(watcher) = self.watchers.get_mut(&watcher) {
            watcher.waker.get_or_insert_with(|| waker.clone()).clone_from(waker);
        }
    }

    pub(super) fn remove_watcher(&mut self, watcher: u64) {
        self.watchers.remove(&watcher);
    }

    /// A number that no other of this store is, and that looks like any.
    pub(super) fn draw(&mut self) -> u64 {
        self.uids_made += 1;
        mix(self.seed ^ mix(self.uids_made))
    }

    /// A uid in the shape of a random one.
    pub(super) fn draw_uid(&mut self) -> String {
        let (high, low) = (self.draw(), self.draw());
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            high >> 32,
            high >> 16 & 0xffff,
            high & 0xfff,
            low >> 48 & 0x3fff | 0x8000,
            low & 0xffff_ffff_ffff
        )
    }
}

fn at(versions: &[Arc<Version>], revision: u64) -> Option<&Arc<Version>> {
    let newer = versions.iter().rev().skip_while(|version| version.revision > revision);
    newer.take(1).next().filter(|version| !version.is_deleted)
}

/// The finaliser of splitmix64: a bijection, so that different numbers stay different.
fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}
