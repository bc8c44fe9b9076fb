//! What the operator has to do in a run, and what must come of it.

use std::time::Duration;

use payg_test_kit::fake_api::FakeApi;
use serde_json::{Value, json};

use payg_core::account::AccountId;

/// The account in Azure.
pub(super) const AZURE: &str = "6f1a3c1e-0000-4a00-9000-00000000f7ee";
/// The account in AWS.
pub(super) const AWS: &str = "123456789012";
pub(super) const TENANT: &str = "72f988bf-0000-4a00-9000-0000000000aa";
pub(super) const CLIENT: &str = "0e5f1c1e-0000-4a00-9000-0000000000cc";
/// What the Secrets hold: it must not show up anywhere else.
pub(super) const SECRET: &str = "s3cr3t-canary";
/// The namespace of the first Subscription, and of the one that comes later.
pub(super) const TEAM: &str = "team-a";
pub(super) const OTHER_TEAM: &str = "team-b";
pub(super) const NAME: &str = "sandbox";

/// A cloud, with the account that is upgraded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cloud {
    Azure,
    Aws,
}

/// Where a run begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begin {
    /// Nobody has observed the account.
    Fresh,
    /// The verdict is this one: what was done up to here is no part of the run.
    At(&'static str),
}

/// A job for the operator.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each says something else of the job, and most jobs have none")]
pub(super) struct Workload {
    pub(super) name: &'static str,
    pub(super) cloud: Cloud,
    pub(super) when: &'static str,
    pub(super) approval: &'static str,
    /// How many replicas take themselves for the leader from the begin.
    pub(super) leaders: usize,
    /// Whether a second Subscription, in another namespace, names the account too.
    pub(super) two_claimants: bool,
    /// Whether the benefits last for longer than any run.
    pub(super) benefits_left: bool,
    /// Whether a Deny stands from the begin.
    pub(super) denied: bool,
    /// How many requests for the upgrade are lost before the run begins.
    pub(super) lost_before: u32,
    /// Whether there is a receiver of notices.
    pub(super) notified: bool,
    pub(super) begin: Begin,
}

const AUTOMATIC: Workload = Workload {
    name: "automatic",
    cloud: Cloud::Azure,
    when: "BenefitsExhausted",
    approval: "Automatic",
    leaders: 1,
    two_claimants: false,
    benefits_left: false,
    denied: false,
    lost_before: 0,
    notified: false,
    begin: Begin::At("WaitingForExhaustion"),
};

/// All of them.
pub(super) const ALL: [Workload; 11] = [
    AUTOMATIC,
    Workload { name: "two-leaders", leaders: 2, ..AUTOMATIC },
    Workload { name: "two-claimants", two_claimants: true, ..AUTOMATIC },
    Workload { name: "approved", approval: "Manual", ..AUTOMATIC },
    Workload { name: "denied", denied: true, ..AUTOMATIC },
    Workload { name: "retry", lost_before: 3, begin: Begin::At("UpgradeUnresolved"), ..AUTOMATIC },
    Workload { name: "fresh", begin: Begin::Fresh, ..AUTOMATIC },
    Workload { name: "not-yet", begin: Begin::Fresh, benefits_left: true, ..AUTOMATIC },
    Workload { name: "notified", notified: true, ..AUTOMATIC },
    Workload { name: "aws", cloud: Cloud::Aws, when: "BeforeExhaustion", ..AUTOMATIC },
    Workload { name: "aws-immediately", cloud: Cloud::Aws, when: "Immediately", begin: Begin::Fresh, ..AUTOMATIC },
];

impl Workload {
    /// The id of the account.
    pub(super) const fn account(&self) -> &'static str {
        match self.cloud {
            Cloud::Azure => AZURE,
            Cloud::Aws => AWS,
        }
    }

    pub(super) fn account_id(&self) -> AccountId {
        let cloud = match self.cloud {
            Cloud::Azure => "azure",
            Cloud::Aws => "aws",
        };
        AccountId::parse(cloud, self.account()).unwrap()
    }

    /// The ledger's entry of the account.
    pub(super) fn record(&self, api: &FakeApi) -> Option<Value> {
        api.get("UpgradeRecord", "", &self.account_id().upgrade_key().record_name())
    }

    /// How the account is set up in the simulator. Its benefits are used up, or nearly so in AWS, which closes others.
    pub(super) fn account_settings(&self, now: jiff::Timestamp) -> Value {
        let ago = |days: u64| (now - Duration::from_hours(24 * days)).to_string();
        match self.cloud {
            Cloud::Azure => {
                json!({"subscriptionId": AZURE, "tenantId": TENANT, "offer": "FreeTrial", "agreement": "MCA",
                "startTime": ago(if self.benefits_left { 10 } else { 31 }), "graceDays": 1000, "broker": {"retryAfterSeconds": 1}})
            }
            Cloud::Aws => {
                json!({"accountId": AWS, "startTime": ago(10), "credit": {"amount": "100", "currency": "USD"},
                "burnPerDay": "9.9"})
            }
        }
    }

    /// Who may read and upgrade the account, by the simulator.
    pub(super) fn client(&self, secret: &str) -> Value {
        match self.cloud {
            Cloud::Azure => {
                json!({"tenantId": TENANT, "clientId": CLIENT, "clientSecret": secret, "subscriptions": "*",
                "billing": "Reader", "broker": true, "tokenLifetimeSeconds": 86_000})
            }
            Cloud::Aws => json!({"accountId": AWS, "accessKeyId": "AKIAIOSFODNN7EXAMPLE", "secretAccessKey": secret,
                "allow": ["freetier:GetAccountPlanState", "account:GetAccountInformation", "billing:GetCredits",
                    "freetier:UpgradeAccountPlan"]}),
        }
    }

    pub(super) fn secret(&self, namespace: &str, secret: &str) -> Value {
        let data = match self.cloud {
            Cloud::Azure => json!({"clientSecret": base64(secret)}),
            Cloud::Aws => json!({"accessKeyId": base64("AKIAIOSFODNN7EXAMPLE"), "secretAccessKey": base64(secret)}),
        };
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "credentials", "namespace": namespace},
            "type": "Opaque", "data": data})
    }

    pub(super) fn provider(&self, namespace: &str) -> Value {
        let spec = match self.cloud {
            Cloud::Azure => json!({"azure": {"cloud": "Public", "tenantId": TENANT, "upgradeMethod": "Broker",
                "credentials": {"secret": {"name": "credentials", "clientId": CLIENT}}}}),
            Cloud::Aws => json!({"aws": {"credentials": {"secret": {"name": "credentials"}}}}),
        };
        object("BillingProvider", namespace, "cloud", &spec)
    }

    pub(super) fn subscription(&self, namespace: &str) -> Value {
        let account = match self.cloud {
            Cloud::Azure => json!({"azure": {"subscriptionId": AZURE}}),
            Cloud::Aws => json!({"aws": {"accountId": AWS}}),
        };
        let mut upgrade = json!({"when": self.when, "approval": self.approval});
        if self.when == "BeforeExhaustion" {
            upgrade["beforeExhaustion"] = json!({"creditBelow": {"amount": "5.00", "currency": "USD"}});
        }
        let spec = json!({"providerName": "cloud", "account": account, "offer": "PayAsYouGo", "upgrade": upgrade});
        object("Subscription", namespace, NAME, &spec)
    }

    /// Whether nothing is requested without an approval.
    pub(super) fn needs_person(&self) -> bool {
        self.approval == "Manual" || self.lost_before > 0
    }

    /// What a person says to the upgrade.
    pub(super) fn decision(decision: &str, hash: &str, now: jiff::Timestamp) -> Value {
        let mut spec = json!({"subscriptionName": NAME, "transitionHash": hash, "decision": decision, "approver": "jane",
            "reason": "a test"});
        match decision {
            "Deny" => {}
            _ => spec["expireTime"] = json!((now + Duration::from_hours(240)).to_string()),
        }
        if decision == "Retry" {
            spec["recordAttempt"] = json!(3);
        }
        object("UpgradeApproval", TEAM, &decision.to_lowercase(), &spec)
    }
}

fn object(kind: &str, namespace: &str, name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "payg-operator.io/v1alpha1", "kind": kind, "metadata": {"name": name, "namespace": namespace},
        "spec": spec})
}

fn base64(text: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(text)
}
