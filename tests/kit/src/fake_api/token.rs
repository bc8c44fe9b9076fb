//! Tokens of ServiceAccounts.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::{store::Version, write::time};

/// Whose token is asked for, and for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenSubject {
    /// The namespace of the ServiceAccount.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// Whom the token is for.
    pub audiences: Vec<String>,
    /// When it ends.
    pub end: Timestamp,
}

/// What makes tokens.
pub(super) type Issuer = dyn Fn(&TokenSubject) -> String + Send + Sync;

/// How long a token is valid for if nobody says so.
const HOUR: i64 = 3600;

/// The answer to a TokenRequest.
pub(super) fn issue(issuer: &Issuer, account: &Version, request: &Map<String, Value>, now: Timestamp) -> Vec<u8> {
    let spec = request.get("spec").cloned().unwrap_or_default();
    let seconds = spec["expirationSeconds"].as_i64().unwrap_or(HOUR);
    let audiences = spec["audiences"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let subject = TokenSubject {
        namespace: account.namespace.clone(),
        name: account.name.clone(),
        uid: account.object["metadata"]["uid"].as_str().unwrap_or_default().to_owned(),
        audiences: audiences.map(str::to_owned).collect(),
        end: now.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX),
    };
    let answer = json!({
        "kind": "TokenRequest",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": {
            "name": subject.name, "namespace": subject.namespace, "uid": subject.uid, "creationTimestamp": time(now),
        },
        "spec": {"audiences": subject.audiences, "expirationSeconds": seconds, "boundObjectRef": null},
        "status": {"token": issuer(&subject), "expirationTimestamp": time(subject.end)},
    });
    answer.to_string().into_bytes()
}
