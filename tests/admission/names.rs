//! What can be made can be referred to: one rule for a name and for the fields that hold it.

use serde_json::{Value, json};

use crate::approvals::approval;
use crate::cluster::{Cluster, merged, object};
use crate::providers::provider;
use crate::subscriptions::subscription;

/// Names at the limits, and some that are none.
fn names() -> Vec<String> {
    let of = |length: usize| "n".repeat(length);
    let labels = |length: usize| format!("{}.{}", of(length - 2), 0);
    let mut names: Vec<_> = [
        "a",
        "0",
        "0.0",
        "team.sandbox",
        "team-a.sandbox-1.x",
        "1e3",
        "null",
        "true",
        "a--b",
        "a..b",
        ".a",
        "a.",
        "-a",
        "a-",
        "a.-b",
        "A",
        "a_b",
        "a b",
        "a/b",
        "a\n",
        "ä",
        "",
    ]
    .map(str::to_owned)
    .into();
    names.extend([of(63), labels(63), of(64), labels(64), of(253), labels(253), of(254), labels(254)]);
    names
}

/// Crossplane/upjet#143, rancher#25955, kubernetes-sigs/cluster-api#3049: names with dots could be given and not be used.
#[tokio::test]
async fn every_valid_object_name_can_be_referenced() {
    let cluster = Cluster::new().await;
    let named = |object: Value, name: &str| merged(object, &json!({"metadata": {"name": name}}));
    let mut counts = [0, 0];
    for name in names() {
        let made = cluster.try_create(&named(provider(), &name)).await;
        let referred = merged(subscription(), &json!({"spec": {"providerName": name}}));
        counts[0] += usize::from(made.is_ok());
        if made.is_ok() {
            cluster.try_create(&referred).await.unwrap_or_else(|why| panic!("BillingProvider {name}: {why}"));
        }
        let made = cluster.try_create(&named(subscription(), &name)).await;
        counts[1] += usize::from(made.is_ok());
        if made.is_ok() {
            let referred = merged(approval(), &json!({"spec": {"subscriptionName": name}}));
            cluster.try_create(&referred).await.unwrap_or_else(|why| panic!("Subscription {name}: {why}"));
            // As `payg approve` names what it creates: the API server cuts the beginning where it is too long.
            let mut generated = approval();
            generated["metadata"] = json!({"generateName": format!("{name}-")});
            generated["spec"]["subscriptionName"] = json!(name);
            cluster.try_create(&generated).await.unwrap_or_else(|why| panic!("an approval of {name}: {why}"));
        }
    }
    assert!(counts[0] >= 12 && counts[1] >= 10, "{counts:?}");
}

/// Whatever the API server takes as the name of a Secret or a ServiceAccount, a BillingProvider can name.
#[tokio::test]
async fn a_secret_and_a_service_account_of_any_name_can_be_referred_to() {
    let cluster = Cluster::new().await;
    for name in names() {
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}});
        if cluster.try_create(&secret).await.is_ok() {
            let aws = json!({"credentials": {"secret": {"name": name}}});
            let provider = object("BillingProvider", "aws", json!({"aws": aws}));
            cluster.try_create(&provider).await.unwrap_or_else(|why| panic!("{name}: {why}"));
        }
    }
}
