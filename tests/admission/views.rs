//! What users see without asking for YAML, and what the operator writes and reads back.

use std::fmt::Debug;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{
    Api, Resource, ResourceExt,
    api::{Patch, PatchParams, ValidationDirective},
};
use payg_api::{
    AccountStatus, Amount, Attempt, AttemptProvider, Benefit, BillingProvider, BillingProviderStatus, Delivery,
    Evidence, Forecast, Intent, Money, Notices, Offer, OfferInForce, RecordApproval, Requester, SeenAccounts,
    Subscription, SubscriptionStatus, TimelineEntry, Transition, UpgradeProgress, UpgradeRecord, UpgradeRecordStatus,
    conditions::{self, Statement, Status},
};
use payg_core::reason::{ConditionType, Reason};
use rust_decimal::Decimal;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;

use crate::{
    approvals::approval,
    cluster::{ADMIN, Cluster, merged},
    providers::provider,
    records,
    subscriptions::{GUID, subscription},
};

const HASH: &str = "0123456789abcdef0123456789abcdef";

fn time<T: From<jiff::Timestamp>>(text: &str) -> T {
    text.parse::<jiff::Timestamp>().unwrap().into()
}

fn amount(text: &str) -> Amount {
    text.parse::<Decimal>().unwrap().into()
}

fn ready(reason: Reason, message: &str) -> Vec<Condition> {
    let mut conditions = Vec::new();
    let statement = Statement { type_: ConditionType::Ready, status: Status::True, reason, message };
    conditions::set(&mut conditions, statement, 1, time("2026-11-23T12:00:00Z"));
    conditions
}

fn subscription_status() -> SubscriptionStatus {
    let offer = |class: &str, native: &str| Offer { class: class.into(), native: Some(native.into()) };
    SubscriptionStatus {
        observed_generation: Some(1),
        conditions: ready(Reason::WaitingForExhaustion, "142.69 USD are left."),
        account: Some(AccountStatus {
            lifecycle: Some("Active".into()),
            owner_tenant_id: Some(GUID.into()),
            ..AccountStatus::default()
        }),
        offer: Some(OfferInForce {
            offer: offer("FreeTrial", "FreeTrial_2014-09-01"),
            source: Some("subscription".into()),
            as_of_time: None,
        }),
        benefits: vec![
            Benefit {
                kind: "Credit".into(),
                state: "Active".into(),
                granted: Some(amount("200.00")),
                remaining: Some(amount("142.69")),
                currency: Some("USD".into()),
                end_time: Some(time("2026-12-01T00:00:00Z")),
                as_of_time: Some(time("2026-11-23T06:00:00Z")),
                source: "balanceSummary".into(),
            },
            Benefit {
                kind: "Period".into(),
                state: "Active".into(),
                source: "spec.trial".into(),
                ..Benefit::default()
            },
        ],
        forecast: Some(Forecast {
            exhaustion_time: Some(time("2026-12-01T00:00:00Z")),
            burn_per_day: Some(amount("7.31")),
            cost_per_day: Some(Money { amount: amount("7.31"), currency: "USD".to_owned() }),
            cost_per_month: Some(Money { amount: amount("219.3"), currency: "USD".to_owned() }),
            due_time: Some(time("2026-11-30T00:00:00Z")),
        }),
        transition: Some(Transition {
            hash: HASH.into(),
            from: offer("FreeTrial", "FreeTrial_2014-09-01"),
            to: offer("PayAsYouGo", "PayAsYouGo_2014-09-01"),
            reversible: Some(false),
            credit_after: Some("Kept".into()),
            cost_note: Some("Upgrading costs nothing by itself.".into()),
            deadline_time: Some(time("2026-12-31T00:00:00Z")),
        }),
        upgrade: Some(UpgradeProgress {
            record_name: Some("up-0".into()),
            request_time: Some(time("2026-11-23T12:00:00Z")),
            accept_time: Some(time("2026-11-23T12:00:01Z")),
            convert_time: Some(time("2026-11-23T12:00:02.5Z")),
            message: Some("x".repeat(2000).as_str().into()),
            action_url: Some("https://portal.azure.com/".into()),
        }),
        notices: Some(Notices {
            armed_time: Some(time("2026-11-01T12:00:00Z")),
            due: vec!["End/7d/1793534400".to_owned()],
            deliveries: vec![Delivery {
                id: "End/7d/1793534400".to_owned(),
                occasion: "EndAhead".into(),
                severity: "warning".into(),
                receiver: "chat".to_owned(),
                accept_time: Some(time("2026-11-23T12:00:00Z")),
                ended: Some(true),
            }],
        }),
        last_observed_time: Some(time("2026-11-23T12:00:00Z")),
        next_check_time: Some(jiff::Timestamp::MAX.into()),
        last_handled_reconcile_at: Some("2026-11-23T12:00:00.123456789+01:00".into()),
    }
}

fn record_status() -> UpgradeRecordStatus {
    let intent = Intent {
        id: GUID.into(),
        not_after_time: time("2026-11-23T13:00:30Z"),
        approval: Some(RecordApproval {
            name: "yes".into(),
            uid: GUID.into(),
            approver: "jane".into(),
            reason: Some("it goes on".into()),
            create_time: Some(time("2026-11-23T12:00:00Z")),
            expire_time: Some(time("2026-12-23T12:00:00Z")),
        }),
        evidence: Evidence { observed_time: time("2026-11-23T13:00:00Z"), summary: "The credit is used up.".into() },
    };
    UpgradeRecordStatus {
        state: Some("Accepted".into()),
        attempts: vec![Attempt {
            operation: None,
            number: 1,
            intent: Some(intent),
            endpoint: Some("https://broker.example".to_owned()),
            send_time: Some(time("2026-11-23T13:00:01.000000001Z")),
            outcome: Some("Accepted".into()),
            reason: Some("Forbidden".into()),
            message: Some("202 Accepted".into()),
            requester: Some(Requester { namespace: "team-a".into(), name: "sandbox".into(), uid: GUID.into() }),
            provider: Some(AttemptProvider { uid: GUID.into(), generation: 3 }),
        }],
        outcome: Some("The provider took the request.".into()),
        timeline: vec![TimelineEntry {
            time: time("2026-11-23T13:00:01Z"),
            event: "Sent".into(),
            message: Some("to https://freetier.us-east-1.api.aws".into()),
        }],
    }
}

#[tokio::test]
async fn an_unobserved_subscription_is_not_settled() {
    let cluster = Cluster::new().await;
    for object in [subscription(), provider()] {
        let created = cluster.create(&object).await.unwrap();
        assert_eq!(created["status"], json!({"observedGeneration": -1}), "{}", object["kind"]);
    }
}

/// Writes a status as the operator does, and reads it back as it does.
async fn write_status<K, S>(api: &Api<K>, name: &str, status: &S) -> K
where
    K: Resource + Clone + DeserializeOwned + Debug,
    S: Serialize,
{
    let strict = PatchParams { field_validation: Some(ValidationDirective::Strict), ..PatchParams::default() };
    api.patch_status(name, &strict, &Patch::Merge(json!({"status": status}))).await.unwrap();
    api.get(name).await.unwrap()
}

#[tokio::test]
async fn everything_that_the_types_hold_is_kept_by_the_schema() {
    let cluster = Cluster::new().await;
    let record = records::numbered(&records::record(), 1000);
    for object in [&subscription(), &provider(), &record] {
        cluster.create(object).await.unwrap();
    }

    let subscriptions = Api::<Subscription>::namespaced(cluster.client.clone(), &cluster.namespace);
    let read = write_status(&subscriptions, "sandbox", &subscription_status()).await;
    assert_eq!(read.status, Some(subscription_status()));
    assert_eq!(serde_json::to_value(read.spec).unwrap(), subscription()["spec"]);

    let accounts = SeenAccounts { seen: 3, declared: 2, undeclared: 1, undeclared_ids: vec![GUID.to_owned()] };
    let status = BillingProviderStatus {
        observed_generation: Some(1),
        conditions: ready(Reason::CredentialsAccepted, ""),
        accounts: Some(accounts),
    };
    let providers = Api::<BillingProvider>::namespaced(cluster.client.clone(), &cluster.namespace);
    let read = write_status(&providers, "cloud", &status).await;
    assert_eq!(read.status, Some(status));
    assert_eq!(serde_json::to_value(read.spec).unwrap(), provider()["spec"]);

    let records = Api::<UpgradeRecord>::all(cluster.client.clone());
    let read = write_status(&records, record["metadata"]["name"].as_str().unwrap(), &record_status()).await;
    assert_eq!(read.status, Some(record_status()));
    assert_eq!(serde_json::to_value(&read.spec).unwrap(), record["spec"]);
    assert_eq!(read.name_any(), format!("up-{}", read.spec.key));
}

#[tokio::test]
async fn columns_tell_what_it_is_on_what_is_left_when_it_ends_and_whether_it_is_fine() {
    let cluster = Cluster::new().await;
    let record = records::numbered(&records::record(), 1001);
    let subscription = merged(subscription(), &json!({"spec": {"suspend": false}}));
    for object in [&subscription, &provider(), &approval(), &record] {
        cluster.create(object).await.unwrap();
    }
    let provider_status = json!({"observedGeneration": 1, "conditions": ready(Reason::CredentialsAccepted, "")});
    cluster.patch_status(&subscription, &json!({"status": subscription_status()})).await.unwrap();
    cluster.patch_status(&provider(), &json!({"status": provider_status})).await.unwrap();
    cluster.patch_status(&record, &json!({"status": record_status()})).await.unwrap();
    let name = record["metadata"]["name"].as_str().unwrap();
    let table = |arguments: &[&str]| without_ages(&cluster.kubectl(&[&["get"], arguments].concat()).unwrap());

    assert_eq!(
        table(&["psub"]),
        [
            "NAME OFFER CREDIT ENDS READY REASON AGE",
            "sandbox FreeTrial 142.69 2026-12-01T00:00:00Z True WaitingForExhaustion <age>",
        ]
    );
    assert_eq!(
        table(&["psub", "-o", "wide"]),
        [
            "NAME OFFER CREDIT ENDS READY REASON AGE \
                ACCOUNT CURRENCY WHEN APPROVAL SUSPENDED TRANSITION OBSERVED MESSAGE",
            &format!(
                "sandbox FreeTrial 142.69 2026-12-01T00:00:00Z True WaitingForExhaustion <age> {GUID} USD \
                BenefitsExhausted Manual false {HASH} <age> 142.69 USD are left."
            ),
        ]
    );
    assert_eq!(
        table(&["pprov"]),
        ["NAME AZURE-TENANT AWS-ROLE READY REASON AGE", &format!("cloud {GUID} True CredentialsAccepted <age>")]
    );
    assert_eq!(
        table(&["pappr", "-o", "wide"]),
        [
            "NAME SUBSCRIPTION DECISION APPROVER EXPIRES REASON AGE",
            &format!("decision sandbox Approve {ADMIN} 2026-12-01T00:00:00Z the trial is over <age>"),
        ]
    );
    assert_eq!(
        table(&["prec", name, "-o", "wide"]),
        [
            "NAME CLOUD ACCOUNT TO STATE AGE FOR-NAMESPACE FOR OUTCOME",
            &format!("{name} aws 123456789012 PayAsYouGo Accepted <age> team-a sandbox The provider took the request."),
        ]
    );
    let all = cluster.kubectl(&["get", "payg", "-o", "name"]).unwrap();
    for kind in ["subscription", "billingprovider", "upgradeapproval", "upgraderecord"] {
        assert!(all.contains(&format!("{kind}.payg-operator.io/")), "category payg has no {kind}: {all}");
    }
}

/// The lines of a table with single spaces, and with ages made equal. A time that has not come would be `<invalid>`.
fn without_ages(table: &str) -> Vec<String> {
    let is_age =
        |word: &&str| word.ends_with(['s', 'm', 'h', 'd']) && word.starts_with(|first: char| first.is_ascii_digit());
    let line = |line: &str| {
        let words = line.split_whitespace().map(|word| if is_age(&word) { "<age>" } else { word });
        words.collect::<Vec<_>>().join(" ")
    };
    table.lines().map(line).collect()
}

#[tokio::test]
async fn objects_can_be_selected_by_what_they_refer_to() {
    let cluster = Cluster::new().await;
    cluster.create(&subscription()).await.unwrap();
    cluster.create(&approval()).await.unwrap();
    for (kind, found, missed) in [
        ("subscriptions.payg-operator.io", "spec.providerName=azure", "spec.providerName=aws"),
        ("upgradeapprovals.payg-operator.io", "spec.subscriptionName=sandbox", "spec.subscriptionName=another"),
    ] {
        let select = |selector| cluster.kubectl(&["get", kind, "-o", "name", "--field-selector", selector]).unwrap();
        assert_eq!(select(found).lines().count(), 1, "{kind} {found}");
        assert_eq!(select(missed).lines().count(), 0, "{kind} {missed}");
    }
}

#[tokio::test]
async fn kubectl_explains_fields() {
    let cluster = Cluster::new().await;
    let explained = cluster.kubectl(&["explain", "subscriptions.payg-operator.io.spec.upgrade.when"]).unwrap();
    let text = explained.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("BenefitsExhausted: once the trial's benefits are used up or have ended."), "{explained}");
    assert!(text.contains("ENUM: BenefitsExhausted BeforeExhaustion Immediately Never"), "{explained}");
}
