//! The rules of UpgradeApprovals.

use serde_json::{Value, json};

use crate::{
    cluster::{ADMIN, Cluster, object},
    rules::{
        Changes, Creations,
        Expected::{Accepted, Refused},
        TIME_PATTERN, check_changes, check_creations,
    },
};

const SUBSCRIPTION: &str =
    "must be the name of a Subscription in this namespace: lower case letters, digits, hyphens and dots";
const HASH: &str =
    "must be the `status.transition.hash` of the Subscription, 16 to 64 hexadecimal digits in lower case";
const EXPIRY: &str = "`expireTime` must be given, except with `decision: Deny`";
const ATTEMPT: &str = "`recordAttempt` must be given with `decision: Retry`, and only with it";

/// A valid one, of the administrator.
pub(crate) fn approval() -> Value {
    let spec = json!({
        "subscriptionName": "sandbox", "transitionHash": "0123456789abcdef", "decision": "Approve", "approver": ADMIN,
        "reason": "the trial is over", "expireTime": "2026-12-01T00:00:00Z",
    });
    object("UpgradeApproval", "decision", spec)
}

pub(crate) fn creations() -> Creations {
    let spec = |spec| json!({"spec": spec});
    vec![
        (json!({}), Accepted),
        (spec(json!({"subscriptionName": "Sandbox"})), Refused("spec.subscriptionName", SUBSCRIPTION)),
        (spec(json!({"subscriptionName": "team.sandbox"})), Accepted),
        (spec(json!({"subscriptionName": "n".repeat(253)})), Accepted),
        (
            spec(json!({"subscriptionName": "n".repeat(254)})),
            Refused("spec.subscriptionName", "may not be more than 253"),
        ),
        (spec(json!({"subscriptionName": "team.sandbox."})), Refused("spec.subscriptionName", SUBSCRIPTION)),
        (spec(json!({"transitionHash": "yes"})), Refused("spec.transitionHash", HASH)),
        (
            spec(json!({"decision": "Perhaps"})),
            Refused("spec.decision", "supported values: \"Approve\", \"Deny\", \"Retry\""),
        ),
        (spec(json!({"approver": ""})), Refused("spec.approver", "should be at least 1 chars long")),
        (spec(json!({"reason": ""})), Refused("spec.reason", "should be at least 1 chars long")),
        (spec(json!({"reason": null})), Refused("spec.reason", "Required value")),
        (spec(json!({"expireTime": "never"})), Refused("spec.expireTime", TIME_PATTERN)),
        (spec(json!({"expireTime": null})), Refused("spec", EXPIRY)),
        (spec(json!({"decision": "Deny", "expireTime": null})), Accepted),
        (spec(json!({"decision": "Retry", "recordAttempt": 1})), Accepted),
        (
            spec(json!({"decision": "Retry", "recordAttempt": 0})),
            Refused("spec.recordAttempt", "should be greater than or equal to 1"),
        ),
        (
            spec(json!({"decision": "Retry", "recordAttempt": 65})),
            Refused("spec.recordAttempt", "should be less than or equal to 64"),
        ),
        (spec(json!({"decision": "Retry"})), Refused("spec", ATTEMPT)),
        (spec(json!({"recordAttempt": 1})), Refused("spec", ATTEMPT)),
    ]
}

pub(crate) fn changes() -> Changes {
    vec![
        (json!({}), json!({"metadata": {"labels": {"ticket": "42"}}}), Accepted),
        (
            json!({}),
            json!({"spec": {"expireTime": "2026-12-24T00:00:00Z"}}),
            Refused("spec", "is immutable: delete this UpgradeApproval and create another"),
        ),
    ]
}

#[tokio::test]
async fn upgrade_approvals_follow_the_rules() {
    let cluster = Cluster::new().await;
    check_creations(&cluster, &approval(), creations()).await;
    check_changes(&cluster, &approval(), changes()).await;
}
