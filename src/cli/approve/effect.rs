//! Refuses a decision that would change nothing now: it might count on another day, when nobody
//! thinks of it any more.

use payg_api::{ApprovalMode, Decision, Subscription, UpgradeApproval, When};
use payg_core::reason::{ConditionType, Reason};

use super::super::show;

/// Why a `decision` about the upgrade of `subscription` would have no effect as things are, and what to do instead; `said` is
/// what people have said about it already.
pub fn lacking(decision: Decision, subscription: &Subscription, said: &[UpgradeApproval]) -> Option<String> {
    let what = match decision {
        Decision::Deny => return None,
        Decision::Approve => "an Approve",
        Decision::Retry => "a Retry",
    };
    if let Some(deny) = said.iter().find(|said| said.spec.decision == Decision::Deny) {
        let name = deny.metadata.name.as_deref().unwrap_or_default();
        let namespace = subscription.metadata.namespace.as_deref().unwrap_or_default();
        return Some(format!(
            "{} denied the upgrade (UpgradeApproval {name}), and {what} has no effect while that Deny exists. To lift it, which \
             requires the verb `approve` too:\n  kubectl delete upgradeapprovals.payg-operator.io {name} --namespace {namespace}",
            deny.spec.approver
        ));
    }
    let upgrade = &subscription.spec.upgrade;
    match (decision, upgrade.when, upgrade.approval) {
        (_, When::Never, _) => {
            Some(format!("The Subscription has `when: Never`, so {what} has no effect: its account is only observed."))
        }
        // One that the namespace does not let upgrade by itself asks like others.
        (Decision::Approve, _, ApprovalMode::Automatic) if !waits_for_approval(subscription) => Some(
            "The Subscription has `approval: Automatic`, so an Approve has no effect: it is upgraded without one. To be asked \
             first, set `approval: Manual` in its manifest; to prevent the upgrade, use `payg deny`."
                .to_owned(),
        ),
        _ => None,
    }
}

fn waits_for_approval(subscription: &Subscription) -> bool {
    show::condition(subscription, ConditionType::Ready).is_some_and(|ready| {
        [Reason::AwaitingApproval, Reason::ApprovalPolicyMissing].iter().any(|reason| ready.reason == *reason)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn subscription(when: &str, approval: &str, reason: &str) -> Subscription {
        let azure = json!({"subscriptionId": "6f1a3c1e-0000-4a00-9000-00000000f7ee"});
        let ready = json!({"type": "Ready", "status": "True", "reason": reason, "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z"});
        let object = json!({"apiVersion": "payg-operator.io/v1alpha1", "kind": "Subscription",
            "metadata": {"name": "sandbox", "namespace": "team-a"}, "status": {"conditions": [ready]},
            "spec": {"providerName": "azure", "account": {"azure": azure}, "offer": "PayAsYouGo",
                "upgrade": {"when": when, "approval": approval}}});
        serde_json::from_value(object).unwrap()
    }

    fn said(decision: &str) -> UpgradeApproval {
        let object = json!({"apiVersion": "payg-operator.io/v1alpha1", "kind": "UpgradeApproval", "metadata": {"name": "word"},
            "spec": {"subscriptionName": "sandbox", "transitionHash": "0000000000000000", "decision": decision,
                "approver": "jane", "reason": "why"}});
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn ineffective_decisions_name_the_effective_one() {
        use Decision::{Approve, Deny, Retry};
        for (decision, when, approval, reason, standing, told) in [
            (Approve, "Immediately", "Manual", "AwaitingApproval", None, ""),
            (Approve, "BenefitsExhausted", "Manual", "WaitingForExhaustion", Some("Approve"), ""),
            (
                Approve,
                "Immediately",
                "Manual",
                "UpgradeDenied",
                Some("Deny"),
                "delete upgradeapprovals.payg-operator.io word",
            ),
            (Approve, "Immediately", "Automatic", "UpgradeDenied", Some("Deny"), "jane denied"),
            (Approve, "BenefitsExhausted", "Automatic", "WaitingForExhaustion", None, "set `approval: Manual`"),
            (Approve, "BenefitsExhausted", "Automatic", "AwaitingApproval", None, ""),
            (Approve, "Never", "Manual", "Observing", None, "`when: Never`"),
            (Retry, "Immediately", "Automatic", "UpgradeUnresolved", None, ""),
            (Retry, "Immediately", "Manual", "UpgradeUnresolved", Some("Deny"), "a Retry has no effect"),
            (Retry, "Never", "Manual", "UpgradeUnresolved", None, "`when: Never`"),
            (Deny, "Never", "Manual", "Observing", Some("Deny"), ""),
            (Deny, "Immediately", "Automatic", "WaitingForExhaustion", None, ""),
        ] {
            let standing: Vec<_> = standing.into_iter().map(said).collect();
            let why = lacking(decision, &subscription(when, approval, reason), &standing).unwrap_or_default();
            assert!(
                why.contains(told) && why.is_empty() == told.is_empty(),
                "{decision:?} {when} {approval} {reason}: {why}"
            );
        }
    }
}
