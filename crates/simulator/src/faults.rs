//! Faults on demand: which requests they meet, and what they do to the answer.

use std::collections::BTreeMap;
use std::fmt;

use axum::http::StatusCode;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::operation::OperationName;

/// A fault to inject. The first one that matches a request fires.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Fault {
    operation: Scope,
    /// Only requests about this account; `None`: all.
    #[serde(default)]
    pub(crate) account: Option<String>,
    pub(crate) kind: Kind,
    /// How many more times it fires; `None`: for ever.
    #[serde(default)]
    count: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Scope {
    One(OperationName),
    All(Star),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Star {
    #[serde(rename = "*")]
    Star,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub(crate) enum Kind {
    /// Processed at once, answered later (wall clock).
    Latency { millis: u64 },
    /// Throttled; with `Retry-After`, in seconds or as a date, where the service has it. Not processed.
    Throttle {
        retry_after_seconds: u32,
        #[serde(default)]
        retry_after_date: bool,
    },
    /// This status with an error in the shape of the service; not processed.
    Status { code: u16 },
    /// The connection is closed without an answer; not processed.
    Cut,
    /// Changes of accounts only: processed, then cut.
    AppliedAnswerLost,
    /// Changes of accounts only: answered or cut now, processed later (wall clock).
    AppliedLate {
        millis: u64,
        #[serde(default)]
        answer: LateAnswer,
    },
    /// Reads of accounts only: answered as it was this many billing seconds ago.
    Stale { seconds: u32 },
    /// Processed; the second half of the answer is missing.
    MalformedJson,
    /// Processed; a byte order mark is before the answer's body, where it has one.
    ByteOrderMark,
    /// This answer, with these headers; not processed.
    Answer {
        status: u16,
        #[serde(default)]
        headers: BTreeMap<String, String>,
        #[serde(default)]
        body: String,
    },
    /// A web page with this status (200 unless given); not processed.
    HtmlPage {
        #[serde(default = "ok")]
        status: u16,
    },
    /// So many bytes of JSON; not processed.
    OversizedBody { bytes: u64 },
    /// 307 to this URL; not processed.
    Redirect { to: String },
    /// Processed; the answer lacks the field at this path (`properties.billingTenantId`).
    MissingField { name: String },
    /// Processed; the answer has this value at this path (`subscriptionPolicies.quotaId`).
    ReplaceField { path: String, value: Value },
    /// Processed; the answer has the member at this path again, after the first, with this value.
    RepeatField { path: String, value: Value },
}

/// How long a throttled client has to wait, and in which form the answer says so.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RetryAfter {
    pub(crate) seconds: u32,
    /// As a date of the wall clock.
    pub(crate) date: bool,
}

impl fmt::Display for RetryAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.date {
            return write!(f, "{}", self.seconds);
        }
        let then = payg_virtual_time::wall() + SignedDuration::from_secs(self.seconds.into());
        write!(f, "{}", then.strftime("%a, %d %b %Y %H:%M:%S GMT"))
    }
}

/// What the caller of a change sees that is applied late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum LateAnswer {
    #[default]
    GatewayTimeout,
    Cut,
}

impl Fault {
    /// Why this fault cannot be injected; `None`: it can.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        match &self.kind {
            Kind::Status { code } | Kind::HtmlPage { status: code } | Kind::Answer { status: code, .. } => {
                let known = StatusCode::from_u16(*code).is_ok_and(|code| code.as_u16() >= 200);
                (!known).then_some("the status must be between 200 and 999")
            }
            Kind::MissingField { name: path } | Kind::ReplaceField { path, .. } | Kind::RepeatField { path, .. }
                if path.is_empty() =>
            {
                Some("the path of the field is empty; write it as subscriptionPolicies.quotaId")
            }
            Kind::MissingField { .. } | Kind::ReplaceField { .. } | Kind::RepeatField { .. } if matches!(self.operation, Scope::One(name) if name.answers_in_xml()) => {
                Some("the answers of this operation are XML: no path leads to a field; use malformedJson")
            }
            _ => None,
        }
    }

    fn matches(&self, operation: OperationName, account: Option<&str>) -> bool {
        let applicable = match self.kind {
            Kind::AppliedAnswerLost | Kind::AppliedLate { .. } => operation.changes_accounts(),
            Kind::Stale { .. } => operation.reads_accounts(),
            Kind::MissingField { .. } | Kind::ReplaceField { .. } | Kind::RepeatField { .. } => {
                !operation.answers_in_xml()
            }
            _ => true,
        };
        let operations = match self.operation {
            Scope::All(Star::Star) => true,
            Scope::One(name) => name == operation,
        };
        applicable && operations && self.account.as_deref().is_none_or(|id| account == Some(id))
    }
}

/// Takes the first fault that matches and counts it down.
pub(crate) fn take(faults: &mut Vec<Fault>, operation: OperationName, account: Option<&str>) -> Option<Kind> {
    faults.retain(|fault| fault.count != Some(0));
    let fault = faults.iter_mut().find(|fault| fault.matches(operation, account))?;
    fault.count = fault.count.map(|count| count - 1);
    Some(fault.kind.clone())
}

/// Removes the field at a path of member names and indices, separated by dots.
pub(crate) fn remove(body: &mut Value, path: &str) {
    let (parent, name) = path.rsplit_once('.').unwrap_or(("", path));
    match body.pointer_mut(&pointer(parent)) {
        Some(Value::Object(members)) => drop(members.remove(name)),
        Some(Value::Array(items)) => {
            if let Some(index) = name.parse().ok().filter(|index| *index < items.len()) {
                items.remove(index);
            }
        }
        _ => {}
    }
}

/// Sets the field at a path; members that are missing on the way are made.
pub(crate) fn replace(mut body: &mut Value, path: &str, value: Value) {
    for name in path.split('.') {
        let index = name.parse::<usize>().ok().filter(|index| body.get(index).is_some());
        if let Some(index) = index {
            body = &mut body[index];
            continue;
        }
        if !body.is_object() {
            *body = Value::Object(serde_json::Map::new());
        }
        body = &mut body[name];
    }
    *body = value;
}

/// What is put behind the name of a member that is there again: its place in the order of names is right behind the first.
const AGAIN: char = '\u{1}';

/// Adds the member at a path again, for [`repeated`] to call it by its name.
pub(crate) fn repeat(body: &mut Value, path: &str, value: Value) {
    replace(body, &format!("{path}{AGAIN}"), value);
}

/// The text of an answer in which members are there again.
pub(crate) fn repeated(text: &str) -> String {
    text.replace("\\u0001\":", "\":")
}

fn pointer(path: &str) -> String {
    path.split('.').filter(|name| !name.is_empty()).fold(String::new(), |pointer, name| pointer + "/" + name)
}

fn ok() -> u16 {
    200
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_are_removed_and_replaced_by_path() {
        let mut body = json!({"a": {"b": 1, "c": [{"d": 2}, 3]}});
        remove(&mut body, "a.b");
        remove(&mut body, "a.c.1");
        remove(&mut body, "a.none.at.all");
        assert_eq!(body, json!({"a": {"c": [{"d": 2}]}}));
        replace(&mut body, "a.c.0.d", json!("x"));
        replace(&mut body, "e.f", json!(null));
        assert_eq!(body, json!({"a": {"c": [{"d": "x"}]}, "e": {"f": null}}));
        repeat(&mut body, "a.c.0.d", json!(0));
        assert_eq!(repeated(&body.to_string()), r#"{"a":{"c":[{"d":"x","d":0}]},"e":{"f":null}}"#);
    }

    #[test]
    fn the_first_fault_that_matches_fires_and_counts_down() {
        let fault = |text: Value| serde_json::from_value::<Fault>(text).unwrap();
        let mut faults = vec![
            fault(json!({"operation": "*", "kind": "appliedAnswerLost"})),
            fault(json!({"operation": "subscription", "account": "a", "kind": "cut", "count": 1})),
            fault(json!({"operation": "*", "kind": {"latency": {"millis": 1}}, "count": 1})),
        ];
        let mut take = |account| take(&mut faults, OperationName::Subscription, account);
        assert_eq!(take(Some("a")), Some(Kind::Cut));
        assert_eq!(take(Some("b")), Some(Kind::Latency { millis: 1 }));
        assert_eq!(take(Some("a")), None, "the first is for upgrades, the others are used up");
    }

    #[test]
    fn mistakes_are_found() {
        for text in [
            json!({"operation": "nothing", "kind": "cut"}),
            json!({"operation": "*", "kind": "cut", "acount": "a"}),
            json!({"operation": "*", "kind": {"latency": {}}}),
        ] {
            assert!(serde_json::from_value::<Fault>(text.clone()).is_err(), "{text}");
        }
        let fault: Fault = serde_json::from_value(json!({"operation": "*", "kind": {"status": {"code": 99}}})).unwrap();
        assert!(fault.problem().is_some());
    }
}
