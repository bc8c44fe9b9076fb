//! The rules of Subscriptions.

use serde_json::{Value, json};

use crate::{
    cluster::{Cluster, merged, object},
    rules::{
        Changes, Creations, Expected,
        Expected::{Accepted, Refused},
        TIME_PATTERN, check_changes, check_creations, check_statuses,
    },
};

/// The account of the valid Subscription.
pub(crate) const GUID: &str = "6f1a3c1e-0000-4a00-9000-00000000f7ee";
const PROVIDER: &str =
    "must be the name of a BillingProvider in this namespace: lower case letters, digits, hyphens and dots";
const ACCOUNT: &str = "must have exactly one of `azure` and `aws`";
const DIGITS: &str = "must be the 12 digits of the account id, in quotes, such as \"123456789012\"";
const SUBSCRIPTION_ID: &str =
    "must be the subscription id, a GUID in lower case, such as 6f1a3c1e-0000-4a00-9000-00000000f7ee";
const BEFORE: &str = "`beforeExhaustion` must be given with `when: BeforeExhaustion`, and only with it";
const AMOUNT: &str = "must be a decimal number in quotes, without sign or exponent, such as \"5.00\"";
const CURRENCY: &str = "must be an ISO 4217 code in capitals, such as USD";
const WHEN: &str = "supported values: \"BenefitsExhausted\", \"BeforeExhaustion\", \"Immediately\", \"Never\"";

/// A valid one.
pub(crate) fn subscription() -> Value {
    let account = json!({"azure": {"subscriptionId": GUID}});
    let upgrade = json!({"when": "BenefitsExhausted", "approval": "Manual"});
    object(
        "Subscription",
        "sandbox",
        json!({"providerName": "azure", "account": account, "offer": "PayAsYouGo", "upgrade": upgrade}),
    )
}

pub(crate) fn creations() -> Creations {
    let name = |length| json!({"metadata": {"name": "n".repeat(length)}});
    let provider = |name: &str| json!({"spec": {"providerName": name}});
    let account = |account| json!({"spec": {"account": account}});
    let azure = |id: &str| json!({"spec": {"account": {"azure": {"subscriptionId": id}}}});
    let aws = |id| json!({"spec": {"account": {"azure": null, "aws": {"accountId": id}}}});
    let upgrade = |upgrade| json!({"spec": {"upgrade": upgrade}});
    let before = |limits| json!({"spec": {"upgrade": {"when": "BeforeExhaustion", "beforeExhaustion": limits}}});
    let credit =
        |amount: &str, currency: &str| before(json!({"creditBelow": {"amount": amount, "currency": currency}}));
    let trial = |trial| json!({"spec": {"trial": trial}});
    vec![
        (json!({}), Accepted),
        (name(63), Accepted),
        (name(64), Refused("", "metadata.name must be at most 63 characters")),
        (provider("azure-2"), Accepted),
        (provider("Azure"), Refused("spec.providerName", PROVIDER)),
        (provider("azure.prod"), Accepted),
        (provider(&"n".repeat(253)), Accepted),
        (provider(&"n".repeat(254)), Refused("spec.providerName", "may not be more than 253")),
        (provider(".azure"), Refused("spec.providerName", PROVIDER)),
        (provider("azure\n"), Refused("spec.providerName", PROVIDER)),
        (provider(""), Refused("spec.providerName", "should be at least 1 chars long")),
        (aws(json!("123456789012")), Accepted),
        (aws(json!("12345678901")), Refused("spec.account.aws.accountId", DIGITS)),
        (aws(json!(123_456_789_012_u64)), Refused("spec.account.aws.accountId", "must be of type string")),
        (azure("6F1A3C1E-0000-4A00-9000-00000000F7EE"), Refused("spec.account.azure.subscriptionId", SUBSCRIPTION_ID)),
        (account(json!({"azure": null})), Refused("spec.account", ACCOUNT)),
        (account(json!({"aws": {"accountId": "123456789012"}})), Refused("spec.account", ACCOUNT)),
        (json!({"spec": {"offer": "Commitment"}}), Refused("spec.offer", "supported values: \"PayAsYouGo\"")),
        (upgrade(json!({"when": "Immediately", "approval": "Automatic"})), Accepted),
        (upgrade(json!({"when": "Never"})), Accepted),
        (upgrade(json!({"when": "Later"})), Refused("spec.upgrade.when", WHEN)),
        (upgrade(json!({"approval": null})), Refused("spec.upgrade.approval", "Required value")),
        (
            upgrade(json!({"approval": "Later"})),
            Refused("spec.upgrade.approval", "supported values: \"Automatic\", \"Manual\""),
        ),
        (before(json!({"creditBelow": {"amount": "5.00", "currency": "USD"}, "timeLeftSeconds": 259_200})), Accepted),
        (upgrade(json!({"when": "BeforeExhaustion"})), Refused("spec.upgrade", BEFORE)),
        (upgrade(json!({"beforeExhaustion": {"timeLeftSeconds": 60}})), Refused("spec.upgrade", BEFORE)),
        (before(json!({})), Refused("spec.upgrade.beforeExhaustion", "should have at least 1 properties")),
        (before(json!({"timeLeftSeconds": 60})), Accepted),
        (
            before(json!({"timeLeftSeconds": 59})),
            Refused("spec.upgrade.beforeExhaustion.timeLeftSeconds", "should be greater than or equal to 60"),
        ),
        (before(json!({"timeLeftSeconds": 31_536_000})), Accepted),
        (
            before(json!({"timeLeftSeconds": 31_536_001})),
            Refused("spec.upgrade.beforeExhaustion.timeLeftSeconds", "should be less than or equal to 31536000"),
        ),
        (credit("0", "USD"), Accepted),
        (credit("999999999999.9999", "JPY"), Accepted),
        (credit("-5", "USD"), Refused("spec.upgrade.beforeExhaustion.creditBelow.amount", AMOUNT)),
        (credit("5,00", "USD"), Refused("spec.upgrade.beforeExhaustion.creditBelow.amount", AMOUNT)),
        (credit("05", "USD"), Refused("spec.upgrade.beforeExhaustion.creditBelow.amount", AMOUNT)),
        (credit("5e3", "USD"), Refused("spec.upgrade.beforeExhaustion.creditBelow.amount", AMOUNT)),
        (credit("5.00", "usd"), Refused("spec.upgrade.beforeExhaustion.creditBelow.currency", CURRENCY)),
        (trial(json!({"startTime": "2026-11-01T00:00:00Z", "endTime": "2026-12-01T00:00:00.5+02:00"})), Accepted),
        (trial(json!({"credit": {"amount": "200.00", "currency": "USD"}})), Accepted),
        (trial(json!({})), Refused("spec.trial", "should have at least 1 properties")),
        (
            trial(json!({"startTime": "2026-12-01T00:00:00Z", "endTime": "2026-11-30T23:00:00-01:00"})),
            Refused("spec.trial", "`endTime` must be after `startTime`"),
        ),
        (trial(json!({"endTime": "tomorrow"})), Refused("spec.trial.endTime", TIME_PATTERN)),
        (trial(json!({"endTime": "9999-12-31T23:59:59Z"})), Refused("spec.trial.endTime", TIME_PATTERN)),
        (trial(json!({"endTime": "2026-12-01T00:00:00+99:99"})), Refused("spec.trial.endTime", TIME_PATTERN)),
        (trial(json!({"endTime": "2026-02-30T00:00:00Z"})), Refused("spec.trial.endTime", "must be of type date-time")),
        (
            trial(json!({"credit": {"amount": "200.00", "currency": "dollars"}})),
            Refused("spec.trial.credit.currency", "may not be more than 3"),
        ),
        (json!({"spec": {"suspend": true}}), Accepted),
    ]
}

pub(crate) fn changes() -> Changes {
    const IMMUTABLE: Expected = Refused(
        "spec.account",
        "is immutable: make a new Subscription for another account (deleting one never touches the cloud)",
    );
    vec![
        (
            json!({}),
            json!({"spec": {"providerName": "another", "suspend": true, "upgrade": {"when": "Never"}}}),
            Accepted,
        ),
        (
            json!({}),
            json!({"spec": {"account": {"azure": {"subscriptionId": "00000000-0000-4a00-9000-00000000f7ee"}}}}),
            IMMUTABLE,
        ),
        (json!({}), json!({"spec": {"account": {"azure": null, "aws": {"accountId": "123456789012"}}}}), IMMUTABLE),
    ]
}

pub(crate) fn statuses() -> Changes {
    let condition = |field: &str, value: &str| {
        let condition = json!({"type": "Ready", "status": "True", "reason": "Observing", "message": "",
            "lastTransitionTime": "2026-11-23T12:00:00Z"});
        json!({"conditions": [merged(condition, &json!({field: value}))]})
    };
    let credit = |field: &str, value: &str| {
        let credit = json!({"kind": "Credit", "state": "Active", "source": "balanceSummary"});
        json!({"benefits": [merged(credit, &json!({field: value}))]})
    };
    let offer = json!({"class": "FreeTrial"});
    let transition = |hash: &str| json!({"transition": {"hash": hash, "from": offer, "to": offer}});
    let cases = vec![
        (condition("type", "Ready"), Accepted),
        (condition("type", "ready"), Refused("status.conditions[0].type", "should match '^[A-Z][A-Za-z0-9]*$'")),
        (
            condition("status", "Maybe"),
            Refused("status.conditions[0].status", "supported values: \"True\", \"False\", \"Unknown\""),
        ),
        (
            condition("reason", "two words"),
            Refused("status.conditions[0].reason", "should match '^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$'"),
        ),
        (condition("reason", ""), Refused("status.conditions[0].reason", "should be at least 1 chars long")),
        (condition("lastTransitionTime", "now"), Refused("status.conditions[0].lastTransitionTime", TIME_PATTERN)),
        (credit("remaining", "-0.5"), Accepted),
        (
            credit("remaining", "1e3"),
            Refused("status.benefits[0].remaining", r"should match '^-?(0|[1-9][0-9]{0,11})(\.[0-9]{1,4})?$'"),
        ),
        (credit("currency", "usd"), Refused("status.benefits[0].currency", "should match '^[A-Z]{3}$'")),
        (credit("state", "AStateOfANewerVersion"), Accepted),
        (transition("0123456789abcdef"), Accepted),
        (transition("no-hash"), Refused("status.transition.hash", "should match '^[0-9a-f]{16,64}$'")),
        (json!({"upgrade": {"actionUrl": "https://portal.azure.com/"}}), Accepted),
        (
            json!({"upgrade": {"actionUrl": "javascript:alert(1)"}}),
            Refused("status.upgrade.actionUrl", "should match '^https://'"),
        ),
        (
            json!({"observedGeneration": -2}),
            Refused("status.observedGeneration", "should be greater than or equal to -1"),
        ),
    ];
    cases.into_iter().map(|(change, expected)| (json!({}), change, expected)).collect()
}

#[tokio::test]
async fn subscriptions_follow_the_rules() {
    let cluster = Cluster::new().await;
    check_creations(&cluster, &subscription(), creations()).await;
    check_changes(&cluster, &subscription(), changes()).await;
    check_statuses(&cluster, &subscription(), statuses()).await;
}
