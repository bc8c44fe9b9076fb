//! What an answer of Azure is held to, and what its headers tell.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, RETRY_AFTER};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

pub(super) use crate::http::{Answer, Client, NoAnswer, excerpt};

use crate::document;
use crate::http::http_date;

/// The largest page of a list: Azure Resource Manager's own limit,
/// <https://github.com/Azure/azure-resource-manager-rpc/blob/master/v1.0/common-api-details.md>
pub(super) const LARGEST_PAGE: usize = 8 << 20;
/// Where Microsoft.Consumption says how long to wait:
/// <https://learn.microsoft.com/rest/api/consumption/#throttling>
const OF_CONSUMPTION: &str = "x-ms-ratelimit-microsoft.consumption-retry-after";
/// The longest pause that is taken for one. Azure's own are at most 10 minutes:
/// <https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling>
const LONGEST_PAUSE: Duration = Duration::from_hours(1);

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

    pub(super) fn message(&self) -> String {
        excerpt(&self.message)
    }
}

/// The number that a header holds. RFC 9110 knows only digits; some servers send a fraction.
fn number(text: &str) -> Option<f64> {
    let text = text.trim();
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    text.parse().ok().filter(|_| is_number)
}

/// A pause of so many seconds, or the longest that is taken for one. What is over is none.
fn pause(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.max(0.0)).map_or(LONGEST_PAUSE, |pause| pause.min(LONGEST_PAUSE))
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
        document::read(&self.body).map_err(|error| format!("the answer is malformed: {}", excerpt(&error.to_string())))
    }

    /// The error in the body, where there is one.
    pub(super) fn error(&self) -> Option<ArmError> {
        #[derive(Deserialize)]
        struct Envelope {
            error: ArmError,
        }
        let error = self.json::<Envelope>().ok()?.error;
        (!error.code.is_empty()).then(|| ArmError { code: excerpt(&error.code), ..error })
    }

    /// How long the server asks to wait. Capped; nothing if it says nothing that can be a pause. In milliseconds as Microsoft's own clients read it
    /// (<https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling>), else as
    /// seconds or as a date: RFC 9110, section 10.2.3.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        let milliseconds = |name| self.named(name).and_then(number).map(|number| number / 1000.0).map(pause);
        let precise = milliseconds("retry-after-ms").or_else(|| milliseconds("x-ms-retry-after-ms"));
        let seconds = || self.seconds_or_date(RETRY_AFTER.as_str()).or_else(|| self.seconds_or_date(OF_CONSUMPTION));
        precise.or_else(seconds)
    }

    fn seconds_or_date(&self, name: &str) -> Option<Duration> {
        let text = self.named(name)?.trim();
        number(text).map(pause).or_else(|| {
            let left = http_date(text)?.duration_since(self.date().unwrap_or_else(Timestamp::now));
            Some(pause(left.as_secs_f64()))
        })
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
