//! Flux's notification-controller, in the format of its events: <https://fluxcd.io/flux/components/notification/events/>.
//! Its Alerts choose by the object that an event is about, and that must be of a kind of Flux's: the file names the one which
//! stands for the Subscriptions, such as the Kustomization that applies them.

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use crate::dispatcher::SendError;
use crate::endpoint::{Endpoint, Poster};
use crate::fields::{ConfigError, Fields};
use crate::foreign::{LONGEST_TEXT, LONGEST_TITLE, LONGEST_VALUE, MOST_FACTS, command, unmarked};
use crate::notice::{Notice, Severity};
use crate::receivers::{Receiver, json_headers};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    endpoint: Endpoint,
    object: Object,
}

/// What the events are said to be about.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Object {
    kind: Kind,
    namespace: String,
    name: String,
}

/// The kinds that apply Subscriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::EnumString, strum::IntoStaticStr)]
enum Kind {
    Kustomization,
    HelmRelease,
}

impl Kind {
    fn group(self) -> &'static str {
        match self {
            Self::Kustomization => "kustomize.toolkit.fluxcd.io",
            Self::HelmRelease => "helm.toolkit.fluxcd.io",
        }
    }

    fn version(self) -> &'static str {
        match self {
            Self::Kustomization => "v1",
            Self::HelmRelease => "v2",
        }
    }
}

impl Settings {
    pub(crate) fn read(fields: &mut Fields) -> Result<Self, ConfigError> {
        let endpoint = Endpoint::read(fields)?;
        let object = fields.map("involvedObject")?;
        let mut object = fields.required("involvedObject", object)?;
        let kind = object.parsed("kind", "Kustomization or HelmRelease", |text| text.parse().ok())?;
        let (namespace, name) = (object.text("namespace")?, object.text("name")?);
        let kind = object.required("kind", kind)?;
        let namespace = object.required("namespace", namespace)?;
        let name = object.required("name", name)?;
        object.end()?;
        Ok(Self { endpoint, object: Object { kind, namespace, name } })
    }
}

pub(crate) struct Flux {
    poster: Poster,
    object: Object,
}

impl Flux {
    pub(crate) fn new(settings: Settings) -> Self {
        Self { poster: Poster::new(settings.endpoint), object: settings.object }
    }
}

#[async_trait]
impl Receiver for Flux {
    async fn send(&self, notice: &Notice) -> Result<(), SendError> {
        self.poster.post(&[], json_headers(), event(notice, &self.object).to_string()).await
    }
}

fn event(notice: &Notice, object: &Object) -> Value {
    let kind: &str = object.kind.into();
    let severity = match notice.severity {
        Severity::Info => "info",
        Severity::Warning | Severity::Critical => "error",
    };
    json!({
        "involvedObject": {
            "apiVersion": format!("{}/{}", object.kind.group(), object.kind.version()),
            "kind": kind,
            "namespace": object.namespace,
            "name": object.name,
        },
        "severity": severity,
        "timestamp": notice.starts.to_string(),
        "message": message(notice),
        "reason": notice.occasion.to_string(),
        "metadata": metadata(notice, object.kind.group()),
        "reportingController": "payg-operator",
    })
}

pub(super) fn message(notice: &Notice) -> String {
    let (title, text) = (unmarked(&notice.title, LONGEST_TITLE), unmarked(&notice.text, LONGEST_TEXT));
    let command = notice.command.as_deref().map(command);
    [Some(title), Some(text), command].into_iter().flatten().collect::<Vec<_>>().join("\n")
}

/// The controller passes on what has the group of the object before its name.
fn metadata(notice: &Notice, group: &str) -> Map<String, Value> {
    let mut metadata = Map::new();
    let mut add = |name: &str, value: String| {
        metadata.insert(format!("{group}/{name}"), value.into());
    };
    let subscription = format!("{}/{}", notice.namespace, notice.name);
    add("subscription", unmarked(&subscription, LONGEST_VALUE));
    add("account", unmarked(&notice.account, LONGEST_VALUE));
    add("urgency", notice.severity.to_string());
    for (name, value) in notice.facts.iter().take(MOST_FACTS) {
        add(name, unmarked(value, LONGEST_VALUE));
    }
    for (name, url) in [("link", &notice.link), ("page", &notice.page)] {
        if let Some(url) = url {
            add(name, url.to_string());
        }
    }
    metadata
}
