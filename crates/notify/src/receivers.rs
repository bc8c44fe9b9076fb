//! The receivers: a file for each kind.

pub(crate) mod alertmanager;
pub(crate) mod cloud_events;
pub(crate) mod flux;
pub(crate) mod slack;
pub(crate) mod smtp;
pub(crate) mod teams;

use async_trait::async_trait;
use payg_clock::Clock;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};

use crate::config::Delivery;
use crate::dispatcher::SendError;
use crate::endpoint::Endpoint;
use crate::fields::{ConfigError, Fields};
use crate::notice::Notice;

use alertmanager::Alertmanager;
use cloud_events::CloudEvents;
use flux::Flux;
use slack::Slack;
use smtp::Smtp;
use teams::Teams;

/// Whom notices are sent to.
#[async_trait]
pub trait Receiver: Send + Sync {
    /// Sends `notice`, once. `Ok` is the receiver's word that it has it.
    async fn send(&self, notice: &Notice) -> Result<(), SendError>;
}

/// What the file says of a receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Settings {
    Alertmanager(Endpoint),
    CloudEvents(cloud_events::Settings),
    Flux(flux::Settings),
    Slack(Endpoint),
    Smtp(smtp::Settings),
    Teams(Endpoint),
}

/// Reads what the file says of a receiver of one kind, given the domains that may get mail.
type Read = fn(&mut Fields, &[String]) -> Result<Settings, ConfigError>;

/// The field of each kind.
const KINDS: [(&str, Read); 6] = [
    ("alertmanager", |fields, _| Endpoint::read(fields).map(Settings::Alertmanager)),
    ("cloudEvents", |fields, _| cloud_events::Settings::read(fields).map(Settings::CloudEvents)),
    ("flux", |fields, _| flux::Settings::read(fields).map(Settings::Flux)),
    ("slack", |fields, _| Endpoint::read_secret(fields).map(Settings::Slack)),
    ("smtp", |fields, domains| smtp::Settings::read(fields, domains).map(Settings::Smtp)),
    ("teams", |fields, _| Endpoint::read_secret(fields).map(Settings::Teams)),
];

impl Settings {
    /// Takes the one field that says of which kind it is.
    pub(crate) fn read(fields: &mut Fields, domains: &[String]) -> Result<Self, ConfigError> {
        let mut found = Vec::new();
        for (kind, read) in KINDS {
            if let Some(map) = fields.map(kind)? {
                found.push((map, read));
            }
        }
        let (Some((mut map, read)), true) = (found.pop(), found.is_empty()) else {
            let kinds = KINDS.map(|(kind, _)| kind).join(", ");
            return Err(fields.error("name", &format!("must have exactly one of {kinds} beside it")));
        };
        let settings = read(&mut map, domains)?;
        map.end()?;
        Ok(settings)
    }

    pub(crate) fn delivery(&self) -> Delivery {
        match self {
            Self::Alertmanager(_) => Delivery::State,
            Self::CloudEvents(_) => Delivery::Event,
            Self::Flux(_) | Self::Slack(_) | Self::Smtp(_) | Self::Teams(_) => Delivery::Message,
        }
    }

    /// Whether there is anybody to tell of `notice`.
    pub(crate) fn concerns(&self, notice: &Notice) -> bool {
        match self {
            Self::Smtp(settings) => !settings.recipients(notice).is_empty(),
            Self::Alertmanager(_) | Self::CloudEvents(_) | Self::Flux(_) | Self::Slack(_) | Self::Teams(_) => true,
        }
    }

    pub(crate) fn receiver(self, clock: Clock) -> Box<dyn Receiver> {
        match self {
            Self::Alertmanager(endpoint) => Box::new(Alertmanager::new(endpoint, clock)),
            Self::CloudEvents(settings) => Box::new(CloudEvents::new(settings)),
            Self::Flux(settings) => Box::new(Flux::new(settings)),
            Self::Slack(endpoint) => Box::new(Slack::new(endpoint)),
            Self::Smtp(settings) => Box::new(Smtp::new(settings)),
            Self::Teams(endpoint) => Box::new(Teams::new(endpoint)),
        }
    }
}

fn json_headers() -> HeaderMap {
    HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))])
}

#[cfg(test)]
mod tests;
