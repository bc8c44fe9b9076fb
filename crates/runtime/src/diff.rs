//! Finds what changed in what a watch reports: a list after a gap says neither what vanished meanwhile nor what is
//! just as it was.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::core::DeserializeGuard;
use kube::core::error_boundary::InvalidObject;
use kube::runtime::watcher;

use super::object_key::ObjectKey;

/// What a watch reports. Each version of an object is reported once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<K> {
    /// The object exists, in this state. It may have replaced one of the same name.
    Applied(K),
    Deleted(ObjectKey),
    /// The object exists and cannot be read as its kind: it was stored under another version of the schema.
    Invalid {
        key: ObjectKey,
        /// What is wrong with it.
        error: String,
    },
    /// A full list is complete: everything that exists has been reported, and everything that was reported and exists
    /// no more as deleted.
    Synced,
}

/// What the watch has reported so far: a few words per object.
#[derive(Debug, Default)]
pub(super) struct Diff {
    known: HashMap<ObjectKey, Known>,
    /// Counts the lists.
    epoch: u32,
    listing: bool,
    invalid: u32,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    /// Hash of uid and resourceVersion.
    version: u64,
    /// The last list in which it was.
    epoch: u32,
    invalid: bool,
}

impl Diff {
    /// Whether a list has begun and is not complete.
    pub(super) fn listing(&self) -> bool {
        self.listing
    }

    /// How many objects exist that cannot be read.
    pub(super) fn invalid(&self) -> u32 {
        self.invalid
    }

    /// Takes one event of the watcher and reports what follows from it.
    pub(super) fn take<K>(&mut self, event: watcher::Event<DeserializeGuard<K>>, mut report: impl FnMut(Event<K>))
    where
        K: Resource,
    {
        match event {
            watcher::Event::Init => {
                self.epoch = self.epoch.wrapping_add(1);
                self.listing = true;
            }
            watcher::Event::InitApply(object) | watcher::Event::Apply(object) => {
                if let Some(event) = self.apply(object) {
                    report(event);
                }
            }
            watcher::Event::Delete(object) => {
                let key = ObjectKey::of(object.meta());
                if let Some(known) = self.known.remove(&key) {
                    self.invalid -= u32::from(known.invalid);
                    report(Event::Deleted(key));
                }
            }
            watcher::Event::InitDone => {
                self.listing = false;
                for key in self.vanished() {
                    report(Event::Deleted(key));
                }
                report(Event::Synced);
            }
        }
    }

    fn apply<K: Resource>(&mut self, object: DeserializeGuard<K>) -> Option<Event<K>> {
        let key = ObjectKey::of(object.meta());
        let known = Known { version: version(object.meta()), epoch: self.epoch, invalid: object.0.is_err() };
        let before = self.known.insert(key.clone(), known);
        if before.is_some_and(|before| before.version == known.version) {
            return None;
        }
        self.invalid += u32::from(known.invalid);
        self.invalid -= before.map_or(0, |before| u32::from(before.invalid));
        Some(match object.0 {
            Ok(mut object) => {
                object.meta_mut().managed_fields = None; // often the larger part of an object, and nothing to us
                Event::Applied(object)
            }
            Err(InvalidObject { error, .. }) => Event::Invalid { key, error },
        })
    }

    /// Forgets what the last list did not hold.
    fn vanished(&mut self) -> Vec<ObjectKey> {
        let epoch = self.epoch;
        let vanished: Vec<_> = self.known.extract_if(|_, known| known.epoch != epoch).collect();
        self.invalid -= vanished.iter().map(|(_, known)| u32::from(known.invalid)).sum::<u32>();
        vanished.into_iter().map(|(key, _)| key).collect()
    }
}

fn version(metadata: &ObjectMeta) -> u64 {
    let mut hasher = DefaultHasher::new();
    (&metadata.uid, &metadata.resource_version).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::ResourceExt;
    use kube::runtime::watcher::Event as From;
    use serde_json::json;

    use super::*;

    fn object(name: &str, version: u32) -> DeserializeGuard<ConfigMap> {
        let managed = json!([{"manager": "kubectl", "operation": "Update"}]);
        let metadata = json!({"namespace": "team-a", "name": name, "resourceVersion": version.to_string(), "managedFields": managed});
        serde_json::from_value(json!({"metadata": metadata})).unwrap()
    }

    fn broken(name: &str, version: u32) -> DeserializeGuard<ConfigMap> {
        let metadata = json!({"namespace": "team-a", "name": name, "resourceVersion": version.to_string()});
        serde_json::from_value(json!({"metadata": metadata, "data": 7})).unwrap()
    }

    /// Feeds the events and returns in short what was reported.
    fn feed(diff: &mut Diff, events: Vec<From<DeserializeGuard<ConfigMap>>>) -> Vec<String> {
        let mut told = Vec::new();
        for event in events {
            diff.take(event, |event| {
                told.push(match event {
                    Event::Applied(object) => {
                        assert!(object.managed_fields().is_empty());
                        format!("{} {}", object.name_any(), object.resource_version().unwrap())
                    }
                    Event::Deleted(key) => format!("-{key}"),
                    Event::Invalid { key, error } => {
                        assert!(!error.is_empty());
                        format!("!{key}")
                    }
                    Event::Synced => "synced".to_owned(),
                });
            });
        }
        told
    }

    #[test]
    fn a_gap_hides_no_deletion_and_repeats_nothing() {
        let mut diff = Diff::default();
        let first = vec![
            From::Init,
            From::InitApply(object("a", 1)),
            From::InitApply(object("b", 2)),
            From::InitApply(object("c", 3)),
            From::InitDone,
            From::Apply(object("c", 4)),
        ];
        assert_eq!(feed(&mut diff, first), ["a 1", "b 2", "c 3", "synced", "c 4"]);
        let after_a_gap =
            vec![From::Init, From::InitApply(object("a", 1)), From::InitApply(object("c", 5)), From::InitDone];
        assert_eq!(feed(&mut diff, after_a_gap), ["c 5", "-team-a/b", "synced"]);
    }

    #[test]
    fn a_list_that_breaks_off_deletes_nothing() {
        let mut diff = Diff::default();
        feed(
            &mut diff,
            vec![From::Init, From::InitApply(object("a", 1)), From::InitApply(object("b", 2)), From::InitDone],
        );
        let broken_off = vec![From::Init, From::InitApply(object("a", 1)), From::Init];
        assert_eq!(feed(&mut diff, broken_off), Vec::<String>::new());
        assert!(diff.listing());
        let rest = vec![From::InitApply(object("b", 2)), From::InitDone];
        assert_eq!(feed(&mut diff, rest), ["-team-a/a", "synced"]);
        assert!(!diff.listing());
    }

    #[test]
    fn an_unreadable_object_is_told_once_per_version() {
        let mut diff = Diff::default();
        let events = vec![From::Init, From::InitApply(broken("a", 1)), From::InitApply(object("b", 2)), From::InitDone];
        assert_eq!(feed(&mut diff, events), ["!team-a/a", "b 2", "synced"]);
        let again = vec![From::Init, From::InitApply(broken("a", 1)), From::InitApply(object("b", 2)), From::InitDone];
        assert_eq!(feed(&mut diff, again), ["synced"]);
        assert_eq!(diff.invalid(), 1);
        assert_eq!(feed(&mut diff, vec![From::Apply(broken("a", 3))]), ["!team-a/a"]);
        assert_eq!(feed(&mut diff, vec![From::Apply(object("a", 4))]), ["a 4"]);
        assert_eq!(diff.invalid(), 0);
    }

    #[test]
    fn unreadable_objects_are_counted_while_they_exist() {
        let mut diff = Diff::default();
        feed(&mut diff, vec![From::Apply(object("a", 1)), From::Apply(broken("a", 2)), From::Apply(broken("b", 3))]);
        assert_eq!(diff.invalid(), 2);
        assert_eq!(feed(&mut diff, vec![From::Delete(broken("a", 4))]), ["-team-a/a"]);
        assert_eq!(diff.invalid(), 1);
        assert_eq!(feed(&mut diff, vec![From::Init, From::InitDone]), ["-team-a/b", "synced"]);
        assert_eq!(diff.invalid(), 0);
    }
}
