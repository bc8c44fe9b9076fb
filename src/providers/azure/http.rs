//! One exchange over HTTP, with what every answer is held to: it has an end, it is not too large, it is what it says it is.

use std::error::Error;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, DATE, HeaderMap, HeaderName, RETRY_AFTER};
use reqwest::{RequestBuilder, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::core::provider::ProviderError;

/// The largest body that is read, in bytes. What is read here has some thousand.
pub(super) const LARGEST_BODY: usize = 1 << 20;
/// The largest page of a list: Azure Resource Manager's own limit,
/// <https://github.com/Azure/azure-resource-manager-rpc/blob/master/v1.0/common-api-details.md>
pub(super) const LARGEST_PAGE: usize = 8 << 20;
/// How much of a foreign text is repeated, in characters.
const LONGEST_EXCERPT: usize = 300;
/// Where Microsoft.Consumption says how long to wait:
/// <https://learn.microsoft.com/rest/api/consumption/#throttling>
const OF_CONSUMPTION: &str = "x-ms-ratelimit-microsoft.consumption-retry-after";
/// The longest pause that is taken for one. Azure's own are at most 10 minutes:
/// <https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling>
const LONGEST_PAUSE: Duration = Duration::from_hours(1);

/// An answer, read to its end.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum NoAnswer {
    /// There was no connection, so nothing was sent.
    NotConnected(String),
    /// It broke off somewhere after that.
    Broken(String),
    /// It is larger than this, in bytes.
    TooLarge(usize),
}

impl NoAnswer {
    /// What happened.
    pub(super) fn detail(self) -> String {
        match self {
            Self::NotConnected(detail) | Self::Broken(detail) => detail,
            Self::TooLarge(largest) => format!("the answer is larger than {largest} bytes"),
        }
    }

    /// The error of a read of `what`.
    pub(super) fn of_read(self, what: &str) -> ProviderError {
        let too_large = matches!(self, Self::TooLarge(_));
        let detail = format!("{what}: {}", self.detail());
        if too_large { ProviderError::Protocol { detail } } else { ProviderError::Transient { detail } }
    }
}

/// Sends `request`, once, and reads the answer.
pub(super) async fn exchange(request: RequestBuilder) -> Result<Answer, NoAnswer> {
    exchange_up_to(LARGEST_BODY, request).await
}

/// Sends `request`, once, and reads the answer, which may have `largest` bytes.
pub(super) async fn exchange_up_to(largest: usize, request: RequestBuilder) -> Result<Answer, NoAnswer> {
    let mut response = request.send().await.map_err(|error| {
        // The connection failed in the connector: name, TCP or TLS. The request was not handed to it.
        if error.is_connect() { NoAnswer::NotConnected(chain(error)) } else { NoAnswer::Broken(chain(error)) }
    })?;
    let (status, headers) = (response.status(), response.headers().clone());
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| NoAnswer::Broken(chain(error)))? {
        if body.len() + chunk.len() > largest {
            return Err(NoAnswer::TooLarge(largest));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer { status, headers, body })
}

/// An error and its causes. Not the URL, which the callers name in their own words.
fn chain(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    excerpt(&text)
}

/// The error that Azure Resource Manager answers with, as do interfaces that follow it:
/// <https://github.com/Azure/azure-resource-manager-rpc/blob/master/v1.0/common-api-details.md#error-response-content>
#[derive(Debug, Default, Deserialize)]
pub(super) struct ArmError {
    pub(super) code: String,
    #[serde(default)]
    message: String,
}

impl ArmError {
    /// The code and the message, for people.
    pub(super) fn text(&self) -> String {
        excerpt(&format!("{}: {}", self.code, self.message))
    }

    /// The message, for people.
    pub(super) fn message(&self) -> String {
        excerpt(&self.message)
    }
}

impl Answer {
    /// The body as JSON, or what is odd about it.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, String> {
        let header = self.header(&CONTENT_TYPE).unwrap_or_default();
        let kind = header.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if kind != "application/json" && !(kind.starts_with("application/") && kind.ends_with("+json")) {
            return Err(format!("the answer is not JSON but {:?}", excerpt(&kind)));
        }
        // A list would pass for an object whose fields are in that order.
        if self.body.trim_ascii_start().first() != Some(&b'{') {
            return Err("the answer is malformed: it is not a JSON object".to_owned());
        }
        serde_json::from_slice(&self.body)
            .map_err(|error| format!("the answer is malformed: {}", excerpt(&error.to_string())))
    }

    /// The error in the body, where there is one.
    pub(super) fn error(&self) -> Option<ArmError> {
        #[derive(Deserialize)]
        struct Envelope {
            error: ArmError,
        }
        self.json::<Envelope>().ok().map(|envelope| envelope.error).filter(|error| !error.code.is_empty())
    }

    /// The time by the server's clock, to the second.
    pub(super) fn date(&self) -> Option<Timestamp> {
        http_date(self.header(&DATE)?)
    }

    /// How long the server asks to wait. Capped. In milliseconds as Microsoft's own clients read it
    /// (<https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling>), else as
    /// seconds or as a date: RFC 9110, section 10.2.3.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        let milliseconds = |name| self.named(name).and_then(|text| text.trim().parse().ok()).map(Duration::from_millis);
        let pause = milliseconds("retry-after-ms").or_else(|| milliseconds("x-ms-retry-after-ms"));
        let seconds = || self.seconds_or_date(RETRY_AFTER.as_str()).or_else(|| self.seconds_or_date(OF_CONSUMPTION));
        pause.or_else(seconds).map(|pause| pause.min(LONGEST_PAUSE))
    }

    fn seconds_or_date(&self, name: &str) -> Option<Duration> {
        let text = self.named(name)?.trim();
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Some(Duration::from_secs(text.parse().ok()?));
        }
        let pause = http_date(text)?.duration_since(self.date().unwrap_or_else(Timestamp::now));
        Some(pause.try_into().unwrap_or(Duration::ZERO))
    }

    /// How many reads are left before Azure Resource Manager asks to slow down, by the least of the numbers that it gives:
    /// <https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling#remaining-requests>
    pub(super) fn reads_left(&self) -> Option<u32> {
        let names = ["subscription-reads", "tenant-reads", "subscription-global-reads"];
        let left = |name| self.named(&format!("x-ms-ratelimit-remaining-{name}"))?.trim().parse().ok();
        names.into_iter().filter_map(left).min()
    }

    /// What Azure calls this request.
    pub(super) fn request_id(&self) -> Option<String> {
        let id = self.named("x-ms-request-id").filter(|text| text.len() == 36)?;
        Uuid::try_parse(id).ok().map(|id| id.to_string())
    }

    /// Whether the body is empty and meant to be: one that was cut off may look empty.
    pub(super) fn is_declared_empty(&self) -> bool {
        self.body.is_empty() && self.header(&CONTENT_LENGTH) == Some("0")
    }

    fn header(&self, name: &HeaderName) -> Option<&str> {
        self.named(name.as_str())
    }

    fn named(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// The form of RFC 5322, of which the preferred one of HTTP is a part.
fn http_date(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::parse(text).ok().map(|time| time.timestamp())
}

/// A foreign text on one line of bounded length.
pub(super) fn excerpt(text: &str) -> String {
    let line = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
    let mut line: String = line.take(LONGEST_EXCERPT + 1).collect();
    if let Some((end, _)) = line.char_indices().nth(LONGEST_EXCERPT) {
        line.truncate(end);
        line.push('…');
    }
    line
}
