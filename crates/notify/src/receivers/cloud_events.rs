//! CloudEvents 1.0 over HTTP: <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md>.

use async_trait::async_trait;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use crate::contact::Contact;
use crate::dispatcher::SendError;
use crate::endpoint::{Endpoint, Poster};
use crate::fields::{ConfigError, Fields};
use crate::foreign::{LONGEST_TEXT, LONGEST_TITLE, LONGEST_VALUE, MOST_FACTS, line};
use crate::notice::Notice;
use crate::receivers::{Receiver, json_headers};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    endpoint: Endpoint,
    mode: Mode,
    /// Which operator it is, among all whose events come together.
    source: String,
}

/// How an event is in a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, strum::EnumString)]
enum Mode {
    /// All of it in the body.
    #[default]
    Structured,
    /// Its data in the body, and the rest in headers.
    Binary,
}

impl Settings {
    pub(crate) fn read(fields: &mut Fields) -> Result<Self, ConfigError> {
        let endpoint = Endpoint::read(fields)?;
        let mode = fields.parsed("mode", "Structured or Binary", |text| text.parse().ok())?.unwrap_or_default();
        let is_reference = |text: &str| {
            let plain = |letter: char| letter.is_ascii_alphanumeric() || "-._~:/?#[]@!$&'()*+,;=%".contains(letter);
            ((1..=200).contains(&text.len()) && text.chars().all(plain)).then(|| text.to_owned())
        };
        let source = fields.parsed("source", "a URI or a path, such as /clusters/prod/payg-operator", is_reference)?;
        Ok(Self { endpoint, mode, source: fields.required("source", source)? })
    }
}

pub(crate) struct CloudEvents {
    poster: Poster,
    mode: Mode,
    source: String,
}

impl CloudEvents {
    pub(crate) fn new(settings: Settings) -> Self {
        Self { poster: Poster::new(settings.endpoint), mode: settings.mode, source: settings.source }
    }
}

#[async_trait]
impl Receiver for CloudEvents {
    async fn send(&self, notice: &Notice) -> Result<(), SendError> {
        let attributes = attributes(notice, &self.source);
        let (headers, body) = match self.mode {
            Mode::Structured => structured(attributes, &data(notice)),
            Mode::Binary => (binary(attributes), data(notice)),
        };
        self.poster.post(&[], headers, body.to_string()).await
    }
}

fn attributes(notice: &Notice, source: &str) -> [(&'static str, String); 7] {
    let id = line(&notice.id, LONGEST_VALUE);
    [
        ("specversion", "1.0".to_owned()),
        // Source and id identify an event, so an end has an id of its own.
        ("id", if notice.ends.is_some() { format!("{id}/ended") } else { id }),
        ("source", source.to_owned()),
        ("type", format!("io.payg-operator.notice.{}", notice.occasion)),
        ("subject", format!("{}/{}", line(&notice.namespace, LONGEST_VALUE), line(&notice.name, LONGEST_VALUE))),
        ("time", notice.ends.unwrap_or(notice.starts).to_string()),
        ("severity", notice.severity.to_string()), // an extension, because brokers choose by attributes alone
    ]
}

fn structured(attributes: [(&'static str, String); 7], data: &Value) -> (HeaderMap, Value) {
    let mut event = json!({"datacontenttype": "application/json", "data": data});
    for (name, value) in attributes {
        event[name] = value.into();
    }
    let kind = HeaderValue::from_static("application/cloudevents+json; charset=utf-8");
    (HeaderMap::from_iter([(CONTENT_TYPE, kind)]), event)
}

fn binary(attributes: [(&'static str, String); 7]) -> HeaderMap {
    let mut headers = json_headers();
    for (name, value) in attributes {
        let name = HeaderName::try_from(format!("ce-{name}"));
        if let (Ok(name), Ok(value)) = (name, HeaderValue::try_from(encoded(&value))) {
            headers.insert(name, value);
        }
    }
    headers
}

/// A value as section 3.1.3.2 has it in a header: what is not printable ASCII, spaces, `"` and `%` are percent-encoded.
fn encoded(value: &str) -> String {
    let mut encoded = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'"' | b'%' | 0..=0x20 | 0x7f.. => encoded.extend(["%".to_owned(), format!("{byte:02X}")]),
            plain => encoded.push(char::from(plain)),
        }
    }
    encoded
}

/// What happened, for programs.
fn data(notice: &Notice) -> Value {
    let facts = notice.facts.iter().take(MOST_FACTS);
    let facts: Vec<Value> =
        facts.map(|(name, value)| json!({"name": name, "value": line(value, LONGEST_VALUE)})).collect();
    let mut data = json!({
        "notice": line(&notice.id, LONGEST_VALUE),
        "occasion": notice.occasion.to_string(),
        "severity": notice.severity.to_string(),
        "starts": notice.starts.to_string(),
        "namespace": line(&notice.namespace, LONGEST_VALUE),
        "name": line(&notice.name, LONGEST_VALUE),
        "uid": line(&notice.uid, LONGEST_VALUE),
        "account": line(&notice.account, LONGEST_VALUE),
        "title": line(&notice.title, LONGEST_TITLE),
        "text": line(&notice.text, LONGEST_TEXT),
        "facts": facts,
        "contacts": notice.contacts.iter().map(Contact::to_string).collect::<Vec<_>>(),
    });
    let further = [
        ("ends", notice.ends.map(|ends| ends.to_string())),
        ("command", notice.command.as_deref().map(|command| line(command, LONGEST_TEXT))),
        ("link", notice.link.as_ref().map(ToString::to_string)),
        ("page", notice.page.as_ref().map(ToString::to_string)),
    ];
    for (name, value) in further {
        if let Some(value) = value {
            data[name] = value.into();
        }
    }
    data
}
