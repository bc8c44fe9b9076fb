//! Watches: the changes of a kind after a revision, as they happen.

use std::{
    collections::VecDeque,
    future::{Future, poll_fn},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use serde_json::json;
use tokio::time::{Instant, Sleep, sleep_until};

use super::{
    Shared,
    kind::Kind,
    read::Form,
    refusal::Refusal,
    request::{Query, Target},
    selector::Selector,
    store::{Change, Store, Version},
};

/// How long before its end a watch reports its progress, and how often it does so before that; as the real one does.
const BEFORE_THE_END: Duration = Duration::from_secs(2);
const BOOKMARKS: Duration = Duration::from_mins(1);

/// An open watch. It takes its events from the store when it is polled, so that it never misses a change.
#[derive(Debug)]
pub struct Watch {
    shared: Arc<Shared>,
    watcher: u64,
    kind: Arc<Kind>,
    namespace: Option<String>,
    selector: Selector,
    form: Form,
    /// Events to send before any others.
    first: VecDeque<Event>,
    /// The point up to which changes were sent.
    revision: u64,
    bookmarks: bool,
    timeout: Option<Duration>,
    /// When the next bookmark is due and when the watch ends; set when it is first polled.
    times: Option<(Instant, Option<Instant>)>,
    sleep: Option<Pin<Box<Sleep>>>,
    is_over: bool,
}

/// An event of a watch.
#[derive(Clone, Debug)]
pub struct Event {
    /// `ADDED`, `MODIFIED`, `DELETED`, `BOOKMARK` or `ERROR`.
    pub type_: &'static str,
    /// The revision that it reports.
    pub revision: u64,
    /// The object, as JSON.
    pub object: Bytes,
}

impl Event {
    /// The line that is sent.
    pub fn line(&self) -> Bytes {
        let mut line = Vec::with_capacity(self.object.len() + 40);
        line.extend_from_slice(b"{\"type\":\"");
        line.extend_from_slice(self.type_.as_bytes());
        line.extend_from_slice(b"\",\"object\":");
        line.extend_from_slice(&self.object);
        line.extend_from_slice(b"}\n");
        line.into()
    }
}

impl Watch {
    pub(super) fn open(
        shared: &Arc<Shared>,
        store: &mut Store,
        target: Target,
        query: Query,
        form: Form,
    ) -> Result<Self, Refusal> {
        let asked = query.resource_version.as_deref().map(super::read::revision).transpose()?.filter(|at| *at > 0);
        let mut watch = Self {
            shared: Arc::clone(shared),
            watcher: store.add_watcher(Arc::clone(&target.kind)),
            kind: target.kind,
            namespace: target.namespace,
            selector: query.selector,
            form,
            first: VecDeque::new(),
            revision: store.revision,
            bookmarks: query.bookmarks,
            timeout: query.timeout_seconds.map(Duration::from_secs),
            times: None,
            sleep: None,
            is_over: false,
        };
        match asked {
            Some(revision) if !query.initial_events => {
                watch.revision = revision;
                if revision < store.compacted {
                    watch.first.push_back(watch.expired(store));
                }
            }
            _ => watch.begin_with_all(store, query.initial_events),
        }
        Ok(watch)
    }

    fn begin_with_all(&mut self, store: &Store, mark_the_end: bool) {
        let all = store.list(&self.kind, self.namespace.as_deref(), "", store.revision);
        let selected = all.filter(|version| self.selector.takes(&version.object));
        self.first = selected.map(|version| self.event("ADDED", version)).collect();
        if mark_the_end && self.bookmarks {
            let mark = self.bookmark(store.revision, true);
            self.first.push_back(mark);
        }
    }

    /// The next event, at once or not at all. It does not see the time pass.
    pub fn try_next(&mut self) -> Option<Event> {
        let shared = Arc::clone(&self.shared);
        self.take(&shared.lock())
    }

    /// The next event; `None` when the watch has ended.
    pub async fn next(&mut self) -> Option<Event> {
        poll_fn(|context| self.poll_event(context)).await
    }

    /// Polls for the next event; `None` when the watch has ended.
    pub fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Option<Event>> {
        let shared = Arc::clone(&self.shared);
        let mut store = shared.lock();
        loop {
            if let Some(event) = self.take(&store) {
                return Poll::Ready(Some(event));
            }
            if self.is_over {
                return Poll::Ready(None);
            }
            store.wait(self.watcher, context.waker());
            let (bookmark, end) = *self.times.get_or_insert_with(|| {
                let now = Instant::now();
                let end = self.timeout.map(|timeout| now + timeout);
                (next_bookmark(now, end), end)
            });
            let next = end.map_or(bookmark, |end| end.min(bookmark));
            let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(next)));
            if sleep.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            self.sleep = None;
            if end.is_some_and(|end| next >= end) {
                self.is_over = true;
                return Poll::Ready(None);
            }
            self.times = Some((next_bookmark(next, end), end));
            if self.bookmarks {
                return Poll::Ready(Some(self.bookmark(store.revision, false)));
            }
        }
    }

    fn take(&mut self, store: &Store) -> Option<Event> {
        if let Some(event) = self.first.pop_front() {
            self.is_over |= event.type_ == "ERROR";
            return Some(event);
        }
        if self.is_over {
            return None;
        }
        if self.revision < store.compacted {
            self.is_over = true;
            return Some(self.expired(store));
        }
        let mut event = None;
        for change in store.changes_after(self.revision) {
            self.revision = change.after.revision;
            event = self.tell(change);
            if event.is_some() {
                break;
            }
        }
        event
    }

    /// How a change appears to a watch with a selector.
    fn tell(&self, change: &Change) -> Option<Event> {
        let after = &change.after;
        let is_here = Arc::ptr_eq(&after.kind, &self.kind)
            && self.namespace.as_ref().is_none_or(|namespace| *namespace == after.namespace);
        if !is_here {
            return None;
        }
        let was = change.before.as_ref().is_some_and(|before| self.selector.takes(&before.object));
        let is = !after.is_deleted && self.selector.takes(&after.object);
        match (was, is) {
            (false, false) => None,
            (false, true) => Some(self.event("ADDED", after)),
            (true, true) => Some(self.event("MODIFIED", after)),
            (true, false) if after.is_deleted => Some(self.event("DELETED", after)),
            (true, false) => {
                // The event shows the object as it was when last selected, with the revision of the change.
                let mut object = change.before.as_ref()?.object.clone();
                object["metadata"]["resourceVersion"] = after.revision.to_string().into();
                let object = self.form.of_object(&object).into();
                Some(Event { type_: "DELETED", revision: after.revision, object })
            }
        }
    }

    fn event(&self, type_: &'static str, version: &Version) -> Event {
        Event { type_, revision: version.revision, object: self.form.of_version(version) }
    }

    fn bookmark(&self, revision: u64, is_initial: bool) -> Event {
        let mut object = json!({
            "apiVersion": self.kind.api_version(), "kind": self.kind.name,
            "metadata": {"resourceVersion": revision.to_string()},
        });
        if is_initial {
            object["metadata"]["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        Event { type_: "BOOKMARK", revision, object: object.to_string().into() }
    }

    fn expired(&self, store: &Store) -> Event {
        let message = format!("too old resource version: {} ({})", self.revision, store.compacted);
        Event { type_: "ERROR", revision: store.revision, object: Refusal::expired(message).body().into() }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.shared.lock().remove_watcher(self.watcher);
    }
}

fn next_bookmark(now: Instant, end: Option<Instant>) -> Instant {
    let regular = now + BOOKMARKS;
    match end.and_then(|end| end.checked_sub(BEFORE_THE_END)).filter(|last| *last > now) {
        Some(last) => regular.min(last),
        None => regular,
    }
}
