//! The rules of UpgradeRecords, which keep the ledger from being rewritten.

use serde_json::{Value, json};

use crate::{
    cluster::{Cluster, merged, object},
    rules::{
        Changes, Creations,
        Expected::{Accepted, Refused},
        TIME_PATTERN, check_changes, check_creations, check_statuses,
    },
};

pub(crate) fn record() -> Value {
    let spec = json!({
        "account": {"cloud": "aws", "id": "123456789012"},
        "from": {"class": "FreeTrial", "native": "FREE"},
        "to": {"class": "PayAsYouGo"},
        "requester": {"namespace": "team-a", "name": "sandbox", "uid": "5e1ab5b9-8d0a-4f9e-9be1-8b8f0b9f7a01"},
        "intent": intent("2026-11-23T12:00:30Z"),
        "endpoint": "https://freetier.us-east-1.api.aws",
    });
    numbered(&object("UpgradeRecord", "", spec), 0)
}

fn intent(not_after: &str) -> Value {
    json!({
        "id": "0b0b2d2a-41f9-4a2f-8a35-1f5f2a7a9f10",
        "notAfterTime": not_after,
        "approval": {"name": "yes", "uid": "77a31a15-2f36-4c3e-9fd1-2b8f0a3f5a7e", "approver": "jane"},
        "evidence": {"observedTime": "2026-11-23T12:00:00Z", "summary": "The credit is used up."},
    })
}

/// The same record with a key of its own. Records of all tests share one scope.
pub(crate) fn numbered(record: &Value, number: usize) -> Value {
    let key = format!("{number:040x}");
    merged(record.clone(), &json!({"metadata": {"name": format!("up-{key}")}, "spec": {"key": key}}))
}

pub(crate) fn creations() -> Creations {
    vec![
        (json!({}), Accepted),
        (json!({"metadata": {"name": "another"}}), Refused("", "metadata.name must be `up-` and `spec.key`")),
        (
            json!({"metadata": {"name": "up-key"}, "spec": {"key": "key"}}),
            Refused("spec.key", "should match '^[0-9a-f]{40,64}$'"),
        ),
        (json!({"spec": {"intent": {"notAfterTime": "soon"}}}), Refused("spec.intent.notAfterTime", TIME_PATTERN)),
        (json!({"spec": {"intent": {"evidence": null}}}), Refused("spec.intent.evidence", "Required value")),
        (json!({"spec": {"intent": {"approval": null}, "endpoint": null}}), Accepted),
        (
            json!({"spec": {"intent": {"approval": {"reason": "it goes on", "createTime": "2026-11-23T12:00:00Z",
                "expireTime": "2026-12-23T12:00:00Z"}}}}),
            Accepted,
        ),
        (json!({"spec": {"requester": {"name": format!("team.{}", "n".repeat(248))}}}), Accepted),
        (
            json!({"spec": {"requester": {"name": "n".repeat(254)}}}),
            Refused("spec.requester.name", "may not be more than 253"),
        ),
        (json!({"spec": {"to": {"class": null}}}), Refused("spec.to.class", "Required value")),
    ]
}

pub(crate) fn changes() -> Changes {
    vec![
        (json!({}), json!({"metadata": {"labels": {"audit": "2026"}}}), Accepted),
        (json!({}), json!({"spec": {"endpoint": "https://elsewhere.example"}}), Refused("spec", "is immutable")),
        (json!({}), json!({"spec": {"intent": {"id": "another"}}}), Refused("spec", "is immutable")),
    ]
}

pub(crate) fn statuses() -> Changes {
    const FINAL: &str = "`state: Confirmed` is final";
    const KEPT: &str = "an attempt must never be removed";
    const SENT_ONCE: &str = "`sendTime` is set once";
    const NAMED_ONCE: &str = "`operation` is set once";
    const KNOWN: &str = "a known `outcome` is final";
    let attempts = |attempts| json!({"attempts": attempts});
    let first = || json!([{"number": 1, "sendTime": "2026-11-23T12:00:01Z", "outcome": "Unknown"}]);
    let answered_and_second = json!([
        {"number": 1, "sendTime": "2026-11-23T12:00:01Z", "outcome": "Accepted"},
        {"number": 2, "intent": intent("2026-11-23T13:00:30Z")},
    ]);
    let rejected = || json!([{"number": 1, "outcome": "Rejected"}]);
    let taken = |operation| json!([{"number": 1, "outcome": "Accepted", "operation": operation}]);
    let [here, elsewhere] = ["https://broker.example/1", "https://elsewhere.example/1"].map(Value::from);
    vec![
        (json!({}), json!({"state": "AStateOfANewerVersion"}), Accepted),
        (json!({"state": "Unknown"}), json!({"state": "Accepted"}), Accepted),
        (json!({"state": "Unknown"}), json!({"state": null}), Refused("", "status.state must not be removed")),
        (json!({"state": "Confirmed"}), json!({"outcome": "The account is on the new offer."}), Accepted),
        (json!({"state": "Confirmed"}), json!({"state": "Rejected"}), Refused("status", FINAL)),
        (attempts(first()), attempts(answered_and_second), Accepted),
        (attempts(first()), attempts(json!([])), Refused("status", KEPT)),
        (attempts(first()), attempts(Value::Null), Refused("status", KEPT)),
        (attempts(first()), attempts(json!([{"number": 2}])), Refused("status", KEPT)),
        (
            attempts(first()),
            attempts(json!([{"number": 1, "sendTime": "2026-11-23T12:00:02Z"}])),
            Refused("status.attempts[0]", SENT_ONCE),
        ),
        (attempts(first()), attempts(json!([{"number": 1}])), Refused("status.attempts[0]", SENT_ONCE)),
        (
            attempts(first()),
            attempts(json!([{"number": 1, "sendTime": "2026-11-23T12:00:01Z", "operation": here}])),
            Accepted,
        ),
        (attempts(taken(&here)), attempts(taken(&elsewhere)), Refused("status.attempts[0]", NAMED_ONCE)),
        (attempts(taken(&here)), attempts(taken(&Value::Null)), Refused("status.attempts[0]", NAMED_ONCE)),
        (
            attempts(rejected()),
            attempts(json!([{"number": 1, "outcome": "Accepted"}])),
            Refused("status.attempts[0]", KNOWN),
        ),
        (attempts(rejected()), attempts(json!([{"number": 1}])), Refused("status.attempts[0]", KNOWN)),
        (
            json!({}),
            attempts(json!([{"number": 0}])),
            Refused("status.attempts[0].number", "should be greater than or equal to 1"),
        ),
        (
            json!({}),
            attempts(json!([{"number": 65}])),
            Refused("status.attempts[0].number", "should be less than or equal to 64"),
        ),
        (json!({}), attempts(json!([{"number": 1}, {"number": 1}])), Refused("status.attempts[1]", "Duplicate value")),
        (
            json!({}),
            json!({"timeline": [{"time": "soon", "event": "Intended"}]}),
            Refused("status.timeline[0].time", TIME_PATTERN),
        ),
    ]
}

#[tokio::test]
async fn upgrade_records_follow_the_rules() {
    let cluster = Cluster::new().await;
    check_creations(&cluster, &record(), creations()).await;
    check_changes(&cluster, &record(), changes()).await;
    check_statuses(&cluster, &record(), statuses()).await;
}
