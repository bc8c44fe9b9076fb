//! Kubernetes Events: what happened to an object, for people who look at it. Best effort, never an error.

use std::{fmt::Write, time::Duration};

use jiff::Timestamp;
use k8s_openapi::{
    api::{core::v1::ObjectReference, events::v1::Event},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
};
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::time::timeout;
use tracing::warn;

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

/// Whether an Event asks for attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Something happened as it should.
    Normal,
    /// Somebody may have to do something.
    Warning,
}

/// What happened.
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

/// Writes Events. What was said before about the same object is counted on the Event that said it. Needs the verbs
/// `create`, `get` and `patch` on `events.events.k8s.io`.
#[derive(Clone)]
pub struct Events {
    client: Client,
    controller: String,
    instance: String,
    metrics: Metrics,
}

impl Events {
    /// A writer that reports as `controller`, a name like `example.io/operator`, and as `instance`, the pod's name.
    pub fn new(client: Client, controller: &str, instance: &str, metrics: &Metrics) -> Self {
        Self {
            client,
            controller: controller.to_owned(),
            instance: head(instance, WORD_BYTES).to_owned(),
            metrics: metrics.clone(),
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
        match api.create(&PostParams::default(), &event).await {
            Err(kube::Error::Api(status)) if status.is_already_exists() => {}
            other => return other.map(drop),
        }
        let name = event.metadata.name.as_deref().unwrap_or_default();
        match count_on(&api, name).await {
            // It expired between the two calls.
            Err(kube::Error::Api(status)) if status.is_not_found() => {
                api.create(&PostParams::default(), &event).await.map(drop)
            }
            // Somebody counted on it at the same moment.
            Err(kube::Error::Api(status)) if status.is_conflict() => Ok(()),
            other => other,
        }
    }

    fn event(&self, regarding: &ObjectReference, note: Note<'_>, now: Timestamp) -> Event {
        let severity = match note.severity {
            Severity::Normal => "Normal",
            Severity::Warning => "Warning",
        };
        Event {
            metadata: ObjectMeta {
                namespace: Some(namespace(regarding).to_owned()),
                name: Some(name(regarding, severity, note.reason, note.text)),
                ..ObjectMeta::default()
            },
            event_time: Some(MicroTime(now)),
            reporting_controller: Some(self.controller.clone()),
            reporting_instance: Some(self.instance.clone()),
            regarding: Some(regarding.clone()),
            type_: Some(severity.to_owned()),
            reason: Some(head(note.reason, WORD_BYTES).to_owned()),
            action: Some(head(note.action, WORD_BYTES).to_owned()),
            note: Some(head(note.text, NOTE_BYTES).to_owned()),
            ..Event::default()
        }
    }
}

/// Counts once more on the Event that is there. An Event without a series has happened once.
async fn count_on(api: &Api<Event>, name: &str) -> kube::Result<()> {
    let event = api.get(name).await?;
    let count = event.series.map_or(1, |series| series.count).saturating_add(1);
    let patch = json!({
        "metadata": {"resourceVersion": event.metadata.resource_version},
        "series": {"count": count, "lastObservedTime": MicroTime(Timestamp::now())},
    });
    api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.map(drop)
}

fn namespace(regarding: &ObjectReference) -> &str {
    regarding.namespace.as_deref().filter(|namespace| !namespace.is_empty()).unwrap_or(CLUSTER_NAMESPACE)
}

/// The name of the Event that says this about the object: always the same one. It begins with the object's name.
fn name(regarding: &ObjectReference, severity: &str, reason: &str, text: &str) -> String {
    let mut hasher = Sha256::new();
    for part in [regarding.uid.as_deref().unwrap_or_default(), severity, reason, text] {
        hasher.update(part.len().to_be_bytes()); // so that no two lists of parts read alike
        hasher.update(part);
    }
    let mut suffix = String::from(".");
    for byte in &hasher.finalize()[..8] {
        let _ = write!(suffix, "{byte:02x}"); // a String takes all that is written to it
    }
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
    use std::sync::{Arc, Mutex};

    use axum::{
        Json, Router,
        extract::Path,
        http::StatusCode,
        routing::{get, post},
    };
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
    fn the_same_words_have_the_same_name() {
        let object = regarding(Some("team-a"), "sandbox");
        let first = name(&object, "Normal", "Looked", "all is well");
        assert_eq!(first, name(&object, "Normal", "Looked", "all is well"));
        assert!(first.starts_with("sandbox.") && first.len() == "sandbox.".len() + 16, "{first}");
        assert_ne!(first, name(&object, "Normal", "Looked", "all is not well"));
        assert_ne!(first, name(&object, "Warning", "Looked", "all is well"));
        assert_ne!(first, name(&object, "Normal", "Lookedall", " is well"));
        let other = ObjectReference { uid: Some("another".into()), ..object };
        assert_ne!(first, name(&other, "Normal", "Looked", "all is well"));
    }

    #[test]
    fn a_long_name_is_cut_to_a_valid_one() {
        let long = format!("{}.{}", "a".repeat(235), "b".repeat(17));
        let cut = name(&regarding(None, &long), "Normal", "Looked", "");
        assert!(cut.len() <= 253 && cut.starts_with("aaa") && !cut.contains(".."), "{cut}");
        assert!(name(&regarding(None, ""), "Normal", "Looked", "").starts_with("event."));
    }

    #[tokio::test]
    async fn what_is_too_long_is_cut_between_characters() {
        let events = events(Router::new());
        let text = "ä".repeat(600) + "b";
        let event = events.event(&regarding(None, "sandbox"), note(&text), Timestamp::UNIX_EPOCH);
        assert_eq!(event.note.unwrap(), "ä".repeat(512));
        assert_eq!(head(&format!("a{}", "ä".repeat(600)), 1024).len(), 1023);
        assert_eq!(event.metadata.namespace.as_deref(), Some("default"), "a cluster-scoped object");
    }

    /// An API server that knows Events of the namespace team-a, and all that it was sent.
    fn server(stored: Arc<Mutex<Option<Value>>>) -> Router {
        let (read, created, patched) = (stored.clone(), stored.clone(), stored);
        let missing = |reason: &str, code: u16| json!({"kind": "Status", "code": code, "reason": reason});
        let create = async move |Json(event): Json<Value>| {
            let mut stored = created.lock().unwrap();
            if stored.is_some() {
                return (StatusCode::CONFLICT, Json(missing("AlreadyExists", 409)));
            }
            *stored = Some(event.clone());
            (StatusCode::CREATED, Json(event))
        };
        let read = async move |Path(_): Path<String>| Json(read.lock().unwrap().clone().unwrap());
        let patch = async move |Path(_): Path<String>, body: String| {
            let patch: Value = serde_json::from_str(&body).unwrap();
            let mut stored = patched.lock().unwrap();
            let event = stored.as_mut().unwrap();
            event["series"] = patch["series"].clone();
            Json(event.clone())
        };
        let base = "/apis/events.k8s.io/v1/namespaces/team-a/events";
        Router::new().route(base, post(create)).route(&format!("{base}/{{name}}"), get(read).patch(patch))
    }

    #[tokio::test]
    async fn a_repetition_is_counted() {
        let stored = Arc::new(Mutex::new(None));
        let events = events(server(stored.clone()));
        for count in [Value::Null, json!(2), json!(3)] {
            events.publish(&regarding(Some("team-a"), "sandbox"), note("all is well")).await;
            assert_eq!(stored.lock().unwrap().as_ref().unwrap()["series"]["count"], count);
        }
        assert_eq!(events.metrics.event_failures.get(), 0);
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
