//! Kubernetes Events: what happened to an object, for people who look at it. Best effort, never an error.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::time::timeout;
use tracing::warn;
use uuid::Uuid;

use super::metrics::Metrics;

/// A name may have so many bytes.
const NAME_BYTES: usize = 253;
/// A note may have so many bytes.
const NOTE_BYTES: usize = 1024;
/// A reason, an action and an instance may have so many bytes.
const WORD_BYTES: usize = 128;
/// All of the calls for one Event must be done within this time.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Events of cluster-scoped objects live here; the API server insists on it.
const CLUSTER_NAMESPACE: &str = "default";
/// So many Events are remembered, to be counted on. The API server keeps each for an hour.
const MOST_REMEMBERED: usize = 4096;

/// Whether an Event asks for attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Something happened as it should.
    Normal,
    /// Somebody may have to do something.
    Warning,
}

#[derive(Clone, Copy, Debug)]
pub struct Note<'a> {
    /// Whether it asks for attention.
    pub severity: Severity,
    /// Why, in one `UpperCamelCase` word.
    pub reason: &'a str,
    /// What was being done, in one `UpperCamelCase` word.
    pub action: &'a str,
    /// What happened, in a sentence. Cut at 1024 bytes.
    pub text: &'a str,
}

/// Writes Events. What this process has said before about the same object is counted on the Event that said it, as long as
/// the earlier one still reports it. Needs the verbs `create`, `get` and `patch` on `events.events.k8s.io`.
#[derive(Clone)]
pub struct Events {
    client: Client,
    controller: String,
    instance: String,
    metrics: Metrics,
    /// The names of the Events that were written, by their content.
    written: Arc<Mutex<HashMap<Saying, String>>>,
}

/// What was said about which object, as a hash.
type Saying = [u8; 32];

impl Events {
    /// A writer that reports as `controller`, a name like `example.io/operator`, and as `instance`, the pod's name.
    pub fn new(client: Client, controller: &str, instance: &str, metrics: &Metrics) -> Self {
        Self {
            client,
            controller: controller.to_owned(),
            instance: head(instance, WORD_BYTES).to_owned(),
            metrics: metrics.clone(),
            written: Arc::default(),
        }
    }

    /// Says what happened to the object. Takes at most five seconds; a failure is logged and counted.
    pub async fn publish(&self, regarding: &ObjectReference, note: Note<'_>) {
        let failure = match timeout(TIMEOUT, self.write(regarding, note)).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_elapsed) => format!("no answer within {} s", TIMEOUT.as_secs()),
        };
        self.metrics.event_failures.inc();
        let (kind, name) = (regarding.kind.as_deref(), regarding.name.as_deref());
        let (kind, name) = (kind.unwrap_or_default(), name.unwrap_or_default());
        let namespace = namespace(regarding);
        warn!(kind, namespace, name, reason = note.reason, "an Event could not be written: {failure}");
    }

    async fn write(&self, regarding: &ObjectReference, note: Note<'_>) -> kube::Result<()> {
        let api = Api::<Event>::namespaced(self.client.clone(), namespace(regarding));
        let event = self.event(regarding, note, Timestamp::now());
        let saying = saying(&event);
        let before = self.written().get(&saying).cloned();
        if let Some(name) = before
            && self.count_on(&api, &name, &event).await?
        {
            return Ok(());
        }
        let created = api.create(&PostParams::default(), &event).await?;
        let mut written = self.written();
        if written.len() >= MOST_REMEMBERED {
            written.clear(); // what is said once more is said by a new Event, and that is all
        }
        written.insert(saying, created.metadata.name.unwrap_or_default());
        Ok(())
    }

    /// Counts once more on the Event of this name, and says whether it did: it may have expired, and whoever may write Events
    /// may have made it say something else. An Event without a series has happened once.
    async fn count_on(&self, api: &Api<Event>, name: &str, event: &Event) -> kube::Result<bool> {
        let Some(there) = api.get_opt(name).await? else { return Ok(false) };
        if saying(&there) != saying(event) || there.reporting_controller != event.reporting_controller {
            return Ok(false);
        }
        let count = there.series.map_or(1, |series| series.count).saturating_add(1);
        let patch = json!({
            "metadata": {"resourceVersion": there.metadata.resource_version},
            "series": {"count": count, "lastObservedTime": MicroTime(Timestamp::now())},
        });
        match api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await {
            Ok(_) => Ok(true),
            // It is gone, or is no longer what was read.
            Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn written(&self) -> std::sync::MutexGuard<'_, HashMap<Saying, String>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn event(&self, regarding: &ObjectReference, note: Note<'_>, now: Timestamp) -> Event {
        let severity = match note.severity {
            Severity::Normal => "Normal",
            Severity::Warning => "Warning",
        };
        Event {
            metadata: ObjectMeta {
                namespace: Some(namespace(regarding).to_owned()),
                name: Some(name(regarding)),
                ..ObjectMeta::default()
            },
            event_time: Some(MicroTime(now)),
            reporting_controller: Some(self.controller.clone()),
            reporting_instance: Some(self.instance.clone()),
            regarding: Some(regarding.clone()),
            type_: Some(severity.to_owned()),
            reason: Some(head(note.reason, WORD_BYTES).to_owned()),
            action: Some(head(note.action, WORD_BYTES).to_owned()),
            note: Some(head(&payg_text::excerpt(note.text, NOTE_BYTES), NOTE_BYTES).to_owned()),
            ..Event::default()
        }
    }
}

fn namespace(regarding: &ObjectReference) -> &str {
    regarding.namespace.as_deref().filter(|namespace| !namespace.is_empty()).unwrap_or(CLUSTER_NAMESPACE)
}

/// What an Event says, and of which object.
fn saying(event: &Event) -> Saying {
    let mut hasher = Sha256::new();
    let uid = event.regarding.as_ref().and_then(|regarding| regarding.uid.as_ref());
    for part in [uid, event.type_.as_ref(), event.reason.as_ref(), event.note.as_ref()] {
        let part = part.map(String::as_str).unwrap_or_default();
        hasher.update(part.len().to_be_bytes()); // so that no two lists of parts read alike
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// A name for an Event about the object: it begins with the object's own, and nobody can guess it. Who could, and may write
/// Events, would be there first, and the Event would never be seen.
fn name(regarding: &ObjectReference) -> String {
    let suffix = format!(".{}", Uuid::new_v4().simple());
    let object = head(regarding.name.as_deref().unwrap_or_default(), NAME_BYTES - suffix.len());
    let object = object.trim_end_matches(|last: char| !last.is_ascii_alphanumeric());
    if object.is_empty() { format!("event{suffix}") } else { format!("{object}{suffix}") }
}

/// As much of the beginning of the text as fits into so many bytes.
fn head(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use axum::extract::Path;
    use axum::http::StatusCode;
    use axum::routing::{get, post};
    use axum::{Json, Router};
    use prometheus_client::registry::Registry;
    use serde_json::Value;

    use super::*;

    fn regarding(namespace: Option<&str>, name: &str) -> ObjectReference {
        ObjectReference {
            kind: Some("ConfigMap".into()),
            namespace: namespace.map(str::to_owned),
            name: Some(name.into()),
            uid: Some("6f1a3c1e".into()),
            ..ObjectReference::default()
        }
    }

    fn note(text: &str) -> Note<'_> {
        Note { severity: Severity::Normal, reason: "Looked", action: "Look", text }
    }

    fn events(service: Router) -> Events {
        let metrics = Metrics::register(&mut Registry::default());
        Events::new(Client::new(service, "default"), "example.io/operator", "operator-0", &metrics)
    }

    #[test]
    fn event_names_are_unpredictable() {
        let object = regarding(Some("team-a"), "sandbox");
        let first = name(&object);
        assert_ne!(first, name(&object));
        assert!(first.starts_with("sandbox.") && first.len() == "sandbox.".len() + 32, "{first}");
    }

    #[tokio::test]
    async fn other_words_and_other_objects_are_counted_apart() {
        let events = events(Router::new());
        let object = regarding(Some("team-a"), "sandbox");
        let of = |object: &ObjectReference, note| saying(&events.event(object, note, Timestamp::UNIX_EPOCH));
        let first = of(&object, note("all is well"));
        assert_eq!(first, of(&object, note("all is well")));
        assert_ne!(first, of(&object, note("all is not well")));
        assert_ne!(first, of(&object, Note { severity: Severity::Warning, ..note("all is well") }));
        assert_ne!(first, of(&object, Note { reason: "Lookedall", ..note(" is well") }));
        assert_ne!(first, of(&ObjectReference { uid: Some("another".into()), ..object }, note("all is well")));
    }

    #[test]
    fn a_long_name_is_cut_to_a_valid_one() {
        let long = format!("{}.{}", "a".repeat(219), "b".repeat(33));
        let cut = name(&regarding(None, &long));
        assert!(cut.len() <= 253 && cut.starts_with("aaa") && !cut.contains(".."), "{cut}");
        assert!(name(&regarding(None, "")).starts_with("event."));
    }

    #[tokio::test]
    async fn long_notes_are_cut_between_characters() {
        let events = events(Router::new());
        let text = "ä".repeat(600) + "b";
        let event = events.event(&regarding(None, "sandbox"), note(&text), Timestamp::UNIX_EPOCH);
        assert_eq!(event.note.unwrap(), "ä".repeat(512));
        let hidden = events.event(&regarding(None, "sandbox"), note("a\nb\u{1b}[2J"), Timestamp::UNIX_EPOCH);
        assert_eq!(hidden.note.unwrap(), "a\\nb\\u{1b}[2J");
        assert_eq!(head(&format!("a{}", "ä".repeat(600)), 1024).len(), 1023);
        assert_eq!(event.metadata.namespace.as_deref(), Some("default"), "a cluster-scoped object");
    }

    type Stored = Arc<Mutex<BTreeMap<String, Value>>>;

    /// An API server that keeps the Events of the namespace team-a.
    fn server(stored: &Stored) -> Router {
        let (read, created, patched) = (stored.clone(), stored.clone(), stored.clone());
        let create = async move |Json(event): Json<Value>| {
            let name = event["metadata"]["name"].as_str().unwrap().to_owned();
            created.lock().unwrap().insert(name, event.clone());
            (StatusCode::CREATED, Json(event))
        };
        let read = async move |Path(name): Path<String>| match read.lock().unwrap().get(&name) {
            Some(event) => (StatusCode::OK, Json(event.clone())),
            None => (StatusCode::NOT_FOUND, Json(json!({"kind": "Status", "code": 404, "reason": "NotFound"}))),
        };
        let patch = async move |Path(name): Path<String>, body: String| {
            let patch: Value = serde_json::from_str(&body).unwrap();
            let mut stored = patched.lock().unwrap();
            let event = stored.get_mut(&name).unwrap();
            event["series"] = patch["series"].clone();
            Json(event.clone())
        };
        let base = "/apis/events.k8s.io/v1/namespaces/team-a/events";
        Router::new().route(base, post(create)).route(&format!("{base}/{{name}}"), get(read).patch(patch))
    }

    async fn say(events: &Events, text: &str) {
        events.publish(&regarding(Some("team-a"), "sandbox"), note(text)).await;
    }

    fn counts(stored: &Stored) -> Vec<Value> {
        stored.lock().unwrap().values().map(|event| event["series"]["count"].clone()).collect()
    }

    #[tokio::test]
    async fn a_repetition_is_counted() {
        let stored = Stored::default();
        let events = events(server(&stored));
        for count in [Value::Null, json!(2), json!(3)] {
            say(&events, "all is well").await;
            assert_eq!(counts(&stored), [count]);
        }
        assert_eq!(events.metrics.event_failures.get(), 0);
    }

    #[tokio::test]
    async fn a_deleted_or_different_event_is_not_counted_on() {
        let stored = Stored::default();
        let events = events(server(&stored));
        say(&events, "all is well").await;
        stored.lock().unwrap().clear();
        say(&events, "all is well").await;
        assert_eq!(counts(&stored), [Value::Null]);
        for (field, other) in [("note", "all is ill"), ("reason", "Slept"), ("reportingController", "example.io/other")]
        {
            for event in stored.lock().unwrap().values_mut() {
                event[field] = json!(other);
            }
            say(&events, "all is well").await;
            let true_ones = |event: &&Value| {
                event["note"] == "all is well" && event["reason"] == "Looked" && event["reportingController"] != other
            };
            assert_eq!(stored.lock().unwrap().values().filter(true_ones).count(), 1, "{field}");
        }
        say(&events, "all is well").await;
        assert_eq!(counts(&stored).iter().filter(|count| **count == 2).count(), 1, "the true one is counted on");
    }

    #[tokio::test]
    async fn not_all_is_remembered() {
        let events = events(server(&Stored::default()));
        for number in 0..=MOST_REMEMBERED {
            say(&events, &number.to_string()).await;
        }
        assert_eq!(events.written().len(), 1);
    }

    #[tokio::test]
    async fn a_failure_is_counted_and_nothing_more() {
        let refuse =
            async || (StatusCode::FORBIDDEN, Json(json!({"kind": "Status", "code": 403, "reason": "Forbidden"})));
        let events = events(Router::new().fallback(refuse));
        events.publish(&regarding(None, "sandbox"), note("all is well")).await;
        assert_eq!(events.metrics.event_failures.get(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_server_is_not_waited_for() {
        let events = events(Router::new().fallback(async || std::future::pending::<()>().await));
        let began = tokio::time::Instant::now();
        events.publish(&regarding(None, "sandbox"), note("all is well")).await;
        assert_eq!((began.elapsed(), events.metrics.event_failures.get()), (TIMEOUT, 1));
    }
}
