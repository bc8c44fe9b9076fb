//! How far an upgrade has come that the broker took, in the manner of Azure Resource Manager:
//! <https://github.com/Azure/azure-resource-manager-rpc/blob/master/v1.0/async-api-reference.md>.
//!
//! The broker names the address in its answer, and the record keeps it. The token is sent there only if that is on the
//! broker that is configured. What is read there proves nothing about the account.

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, LOCATION};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use url::Url;

use crate::Secret;
use crate::azure::arm::with_headers;
use crate::azure::http::{Answer, Client, excerpt};
use payg_core::provider::{Operation, ProviderError};

/// The longest address that is kept, in bytes: what a record holds.
const LONGEST_ADDRESS: usize = 2048;

/// Where the answer with these headers says that the operation can be read: the first of the three that is there. `None` if
/// it does not say; an error if that is not an address of the `broker`.
pub(super) fn address(headers: &HeaderMap, broker: &Url) -> Result<Option<Url>, String> {
    let names = ["azure-asyncoperation", "operation-location", LOCATION.as_str()];
    let Some((name, value)) = names.iter().find_map(|name| Some((name, headers.get(*name)?))) else {
        return Ok(None);
    };
    let value = value.to_str().map_err(|_| format!("the header {name} is not text"))?;
    checked(value, broker).map(Some).map_err(|odd| format!("the address in the header {name} {odd}"))
}

/// The address `text`, if a token for the `broker` may be sent there; or what is odd about it. The address is not repeated:
/// anything may be in it.
fn checked(text: &str, broker: &Url) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|_| "is not an absolute URL".to_owned())?;
    if url.as_str().len() > LONGEST_ADDRESS {
        return Err(format!("is longer than {LONGEST_ADDRESS} bytes"));
    }
    if url.scheme() != "https" || url.origin() != broker.origin() {
        return Err(format!("is not on {}, the configured broker", broker.origin().ascii_serialization()));
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err("has a user, a password or a fragment".to_owned());
    }
    Ok(url)
}

/// Reads the operation at `address`, where a token for the `broker` may be sent there.
pub(crate) async fn read(
    client: &Client,
    broker: &Url,
    token: impl Future<Output = Result<Secret, ProviderError>>,
    address: &str,
) -> Operation {
    // The record may be older than the configuration, or may have been written by somebody else.
    let url = match checked(address, broker) {
        Ok(url) => url,
        Err(odd) => return unknown(format!("the address in the record {odd}"), None),
    };
    let token = match token.await {
        Ok(token) => token,
        Err(ProviderError::Throttled { retry_after }) => {
            return unknown("the token issuer is rate limiting requests".to_owned(), retry_after);
        }
        Err(error) => return unknown(error.to_string(), None),
    };
    // Not even the version is added to the address.
    match client.exchange(with_headers(client.get(url), &token)).await {
        Ok(answer) => told(&answer),
        Err(lost) => unknown(lost.detail(), None),
    }
}

/// The state of an operation.
#[derive(Deserialize)]
struct Told {
    /// Nothing if it is not there: null is not nothing.
    #[serde(default, deserialize_with = "there")]
    status: Option<Value>,
}

fn there<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(value).map(Some)
}

/// What the answer says of the operation.
fn told(answer: &Answer) -> Operation {
    let retry_after = answer.retry_after();
    match answer.status {
        StatusCode::ACCEPTED => Operation::Running(retry_after),
        StatusCode::NO_CONTENT => Operation::Succeeded,
        StatusCode::OK | StatusCode::CREATED if answer.is_declared_empty() => Operation::Succeeded,
        StatusCode::OK | StatusCode::CREATED => match answer.json::<Told>() {
            Ok(body) => of_status(answer, body.status.as_ref()),
            Err(odd) => unknown(format!("the broker answered HTTP {}, but {odd}", answer.status), retry_after),
        },
        // The status could not be read. That does not make the operation fail.
        status => {
            let said = answer.error().map(|error| error.text()).unwrap_or_default();
            unknown(format!("the broker answered HTTP {status} {said}").trim_end().to_owned(), retry_after)
        }
    }
}

/// What the body says. Words that are not known are of an operation that goes on, and `Location` ends without one.
fn of_status(answer: &Answer, status: Option<&Value>) -> Operation {
    let status = match status {
        None => return Operation::Succeeded,
        Some(Value::String(status)) => status,
        Some(_) => return unknown("the `status` of the operation is not a text".to_owned(), answer.retry_after()),
    };
    let is = |state: &str| status.eq_ignore_ascii_case(state);
    if is("Succeeded") {
        return Operation::Succeeded;
    }
    if is("Failed") || is("Canceled") {
        let why = answer.error().map_or_else(|| "the broker does not say why".to_owned(), |error| error.text());
        return Operation::Failed { detail: format!("{}: {why}", excerpt(status)) };
    }
    Operation::Running(answer.retry_after())
}

fn unknown(detail: String, retry_after: Option<std::time::Duration>) -> Operation {
    Operation::Unknown { detail, retry_after }
}
