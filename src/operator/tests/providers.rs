//! A BillingProvider in each state.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::GENERATION;
use crate::operator::reconcile::billing_provider::say;
use payg_core::provider::ProviderError;
use payg_fixtures::given::now;

/// The BillingProvider `azure`, with each finding made that many minutes after now.
fn provider(told: &[(i64, &Result<String, ProviderError>)], generation: i64) -> Value {
    let mut conditions = Vec::new();
    let at = |minutes: i64| -> Timestamp { now() + SignedDuration::from_mins(minutes) };
    for (minutes, works) in told {
        say(&mut conditions, works, generation, at(*minutes));
    }
    let status = if conditions.is_empty() {
        json!({"observedGeneration": -1})
    } else {
        json!({"observedGeneration": generation, "conditions": conditions})
    };
    json!({
        "apiVersion": "payg-operator.io/v1alpha1", "kind": "BillingProvider",
        "metadata": {"name": "azure", "namespace": "team-a", "uid": "7f1d8a52-0000-4a00-9000-0000000000b1",
            "creationTimestamp": "2026-01-18T20:00:00Z", "generation": GENERATION},
        "spec": {"azure": {"cloud": "Public", "tenantId": "72f988bf-0000-4a00-9000-0000000000aa",
            "upgradeMethod": "PortalHandoff", "credentials": {"workloadIdentity":
                {"serviceAccountName": "payg-billing", "clientId": "0e5f1c1e-0000-4a00-9000-0000000000cc"}}}},
        "status": status,
    })
}

/// The examples by name.
pub(super) fn examples() -> BTreeMap<String, Value> {
    let works = Ok("The credentials (workload identity) work, and see 3 Azure subscriptions.".to_owned());
    let missing = Err(ProviderError::Config { detail: "there is no ServiceAccount payg-billing".to_owned() });
    let down = Err(ProviderError::Transient { detail: "connection refused".to_owned() });
    [
        ("fresh", provider(&[], GENERATION)),
        ("credentials-accepted", provider(&[(0, &works)], GENERATION)),
        ("changed-since", provider(&[(0, &works)], GENERATION - 1)),
        ("invalid-configuration", provider(&[(0, &works), (1, &missing)], GENERATION)),
        ("invalid-configuration-for-long", provider(&[(0, &works), (1, &missing), (7, &missing)], GENERATION)),
        ("unreachable", provider(&[(0, &works), (1, &down), (60, &down)], GENERATION)),
    ]
    .map(|(name, example)| (name.to_owned(), example))
    .into()
}
