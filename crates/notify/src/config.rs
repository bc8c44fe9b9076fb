//! The administrator's file: the receivers, and which notices they get. docs/operate/notices.md describes it.

use std::fmt;

use payg_core::notice::THRESHOLDS;
use serde_json::Value;

use crate::contact::MailAddress;
use crate::fields::{ConfigError, Fields, number};
use crate::notice::Notice;
use crate::receivers::Settings;
use crate::route::Route;

/// The most thresholds that there may be.
const MOST_THRESHOLDS: usize = 10;
/// The most receivers that there may be: the status of a Subscription remembers what each has accepted.
const MOST_RECEIVERS: usize = 8;

/// The name of a receiver in the file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReceiverName(String);

impl ReceiverName {
    /// `None` unless it is 1 to 63 small letters, digits and `-`.
    pub fn parse(text: &str) -> Option<Self> {
        let plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
        ((1..=63).contains(&text.len()) && text.chars().all(plain)).then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ReceiverName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Which notices a receiver gets, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Each notice once; not that it ended. Slack, Teams, mail, Flux: a message to people.
    Message,
    /// Each notice once, and once that it ended. CloudEvents.
    Event,
    /// What holds, again at each reconcile and at least once a day, and that it ended. Alertmanager.
    State,
}

/// What is in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    receivers: Vec<(ReceiverName, Settings)>,
    routes: Vec<Route>,
    thresholds: Vec<u16>,
}

impl Config {
    /// Reads the text of the file.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let mut fields = Fields::of("", document(text)?)?;
        let mut thresholds = fields.list("thresholdDays", "numbers from 1 to 365", |value| number(value, 365))?;
        let expected = "domains such as example.com";
        let domains = fields.list("mailDomains", expected, |value| domain(value.as_str()?))?;
        let receivers = fields.list("receivers", "receivers", |value| Some(value.clone()))?;
        let routes = fields.list("routes", "routes", |value| Some(value.clone()))?;
        if thresholds.len() > MOST_THRESHOLDS {
            return Err(fields.error("thresholdDays", &format!("has more than {MOST_THRESHOLDS} numbers")));
        }
        if receivers.len() > MOST_RECEIVERS {
            return Err(fields.error("receivers", &format!("has more than {MOST_RECEIVERS}")));
        }
        for (name, missing) in [("receivers", receivers.is_empty()), ("routes", routes.is_empty())] {
            fields.required(name, (!missing).then_some(()))?;
        }
        fields.end()?;
        if thresholds.is_empty() {
            thresholds = THRESHOLDS.to_vec();
        }
        thresholds.sort_unstable_by(|one, other| other.cmp(one));
        thresholds.dedup();
        let config = Self { receivers: read_receivers(receivers, &domains)?, routes: read_routes(routes)?, thresholds };
        config.check_routes()?;
        Ok(config)
    }

    fn check_routes(&self) -> Result<(), ConfigError> {
        for (index, route) in self.routes.iter().enumerate() {
            if let Some(name) = route.receivers.iter().find(|name| self.settings(name).is_none()) {
                let at = format!("route {}, field `receivers`", index + 1);
                return Err(ConfigError::new(at, format!("there is no receiver `{name}` in the file")));
            }
        }
        Ok(())
    }

    /// How many days before the end there is a notice, the most first.
    pub fn thresholds(&self) -> &[u16] {
        &self.thresholds
    }

    /// Whether any route depends on the label with this name.
    pub fn routes_by_label(&self, name: &str) -> bool {
        self.routes.iter().any(|route| route.depends_on_label(name))
    }

    /// All receivers, in the order of the file.
    pub fn receivers(&self) -> Vec<&ReceiverName> {
        self.receivers.iter().map(|(name, _)| name).collect()
    }

    /// The receivers of `notice`: those of all routes that match it, each once. Without those that have nobody to tell.
    pub fn routes(&self, notice: &Notice) -> Vec<&ReceiverName> {
        let matching: Vec<&Route> = self.routes.iter().filter(|route| route.matches(notice)).collect();
        let routed = |name: &ReceiverName| matching.iter().any(|route| route.receivers.contains(name));
        let receivers = self.receivers.iter().filter(|(name, settings)| routed(name) && settings.concerns(notice));
        receivers.map(|(name, _)| name).collect()
    }

    /// Which notices the receiver of this name gets, and how often; `None` if there is none.
    pub fn delivery(&self, receiver: &ReceiverName) -> Option<Delivery> {
        self.settings(receiver).map(Settings::delivery)
    }

    pub(crate) fn settings(&self, receiver: &ReceiverName) -> Option<&Settings> {
        self.receivers.iter().find(|(name, _)| name == receiver).map(|(_, settings)| settings)
    }

    pub(crate) fn into_receivers(self) -> Vec<(ReceiverName, Settings)> {
        self.receivers
    }
}

fn document(text: &str) -> Result<Value, ConfigError> {
    let mut documents = payg_yaml::documents(text);
    match (documents.pop(), documents.is_empty()) {
        (Some(document), true) => document
            .value
            .map_err(|fault| ConfigError::new(format!("line {}, column {}", fault.line, fault.column), fault.problem)),
        (None, _) => Err(ConfigError::new("the file", "is empty")),
        (Some(_), false) => Err(ConfigError::new("the file", "has more than one document: remove the `---`")),
    }
}

fn read_receivers(values: Vec<Value>, domains: &[String]) -> Result<Vec<(ReceiverName, Settings)>, ConfigError> {
    let mut receivers: Vec<(ReceiverName, Settings)> = Vec::new();
    for (index, value) in values.into_iter().enumerate() {
        let mut fields = Fields::of(&format!("receiver {}", index + 1), value)?;
        let name = fields.parsed("name", "1 to 63 small letters, digits and `-`", ReceiverName::parse)?;
        let name = fields.required("name", name)?;
        let mut fields = fields.owned_by(format!("receiver `{name}`"));
        let settings = Settings::read(&mut fields, domains)?;
        fields.end()?;
        if receivers.iter().any(|(other, _)| *other == name) {
            return Err(ConfigError::new(format!("receiver `{name}`"), "is there twice"));
        }
        receivers.push((name, settings));
    }
    Ok(receivers)
}

fn read_routes(values: Vec<Value>) -> Result<Vec<Route>, ConfigError> {
    values.into_iter().enumerate().map(|(index, value)| Route::read(index + 1, value)).collect()
}

fn domain(text: &str) -> Option<String> {
    MailAddress::parse(&format!("x@{text}")).map(|address| address.domain().to_owned())
}

#[cfg(test)]
mod tests;
