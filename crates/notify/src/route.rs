//! Which notices go to which receivers.

use serde_json::Value;

use crate::config::ReceiverName;
use crate::fields::{ConfigError, Fields};
use crate::notice::{Notice, Occasion, Severity};

/// A rule: what matches all conditions goes to the receivers. A condition that is not there is met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) receivers: Vec<ReceiverName>,
    /// One of these.
    namespaces: Vec<String>,
    /// All of these.
    labels: Vec<(String, String)>,
    /// This, or more urgent.
    severity: Option<Severity>,
    /// One of these.
    occasions: Vec<Occasion>,
}

impl Route {
    /// Reads the route of that number.
    pub(crate) fn read(number: usize, value: Value) -> Result<Self, ConfigError> {
        let mut fields = Fields::of(&format!("route {number}"), value)?;
        let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let receivers =
            fields.list("receivers", "names of receivers", |value| value.as_str().and_then(ReceiverName::parse))?;
        let severity = fields.parsed("severity", "info, warning or critical", |text| text.parse().ok())?;
        let occasions = fields.list("occasions", &format!("some of {}", all_occasions()), |value| {
            value.as_str().and_then(|text| text.parse().ok())
        })?;
        let namespaces = fields.list("namespaces", "names of namespaces", text)?;
        let labels = fields.texts("labels")?;
        if receivers.is_empty() {
            return Err(fields.error("receivers", "is missing"));
        }
        fields.end()?;
        Ok(Self { receivers, namespaces, labels, severity, occasions })
    }

    pub(crate) fn depends_on_label(&self, name: &str) -> bool {
        self.labels.iter().any(|(key, _)| key == name)
    }

    pub(crate) fn matches(&self, notice: &Notice) -> bool {
        let has = |(key, value): &(String, String)| notice.labels.get(key) == Some(value);
        (self.namespaces.is_empty() || self.namespaces.contains(&notice.namespace))
            && self.labels.iter().all(has)
            && self.severity.is_none_or(|least| notice.severity >= least)
            && (self.occasions.is_empty() || self.occasions.contains(&notice.occasion))
    }
}

fn all_occasions() -> String {
    use strum::IntoEnumIterator;
    Occasion::iter().map(<&str>::from).collect::<Vec<_>>().join(", ")
}
