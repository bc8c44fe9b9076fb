//! The admission policies, met by users with certificates of their own and roles like those that are shipped.

use std::fs;

use payg_test_kit::eventually;
use serde_json::{Value, json};

use crate::{
    cluster::{ADMIN, Cluster, file, merged, object},
    records,
};

const HASH: &str = "0123456789abcdef";

fn decision(decision: &str, approver: &str) -> Value {
    let name = format!("{}-by-{approver}", decision.to_lowercase());
    let spec = json!({"subscriptionName": "sandbox", "transitionHash": HASH, "decision": decision, "approver": approver,
        "reason": "a test", "expireTime": "2026-12-01T00:00:00Z"});
    object("UpgradeApproval", &name, spec)
}

/// A new user in `cluster`'s namespace with these rules, in addition to what everybody may.
async fn user(cluster: &Cluster, name: &str, rules: Value) -> Cluster {
    let mut role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": name}});
    role["rules"] = rules;
    cluster.create(&role).await.unwrap();
    bind(cluster, name, "Role", name).await;
    cluster.user(name).await
}

/// A new user in `cluster`'s namespace with the role `payg-approver`.
async fn approver(cluster: &Cluster, name: &str) -> Cluster {
    bind(cluster, name, "ClusterRole", "payg-approver").await;
    cluster.user(name).await
}

async fn bind(cluster: &Cluster, user: &str, kind: &str, role: &str) {
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": format!("{user}-{role}")},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role},
    });
    cluster.create(&binding).await.unwrap();
}

/// Rules of a user who may handle approvals as objects, without a say in upgrades.
fn clerk() -> Value {
    json!([{"apiGroups": ["payg-operator.io"], "resources": ["upgradeapprovals"], "verbs": ["create", "delete"]}])
}

/// Waits until a create is refused for this reason: bindings and policies take effect a little later than they are
/// made.
async fn refused(user: &Cluster, object: &Value, why: &str) {
    let mut last = None;
    let found = eventually(why, async || {
        last = Some(user.try_create(object).await);
        last.as_ref().is_some_and(|outcome| outcome.as_ref().is_err_and(|message| message.contains(why))).then_some(())
    });
    found.await;
}

/// Waits until a create is allowed, and makes it.
async fn allowed(user: &Cluster, object: &Value) {
    eventually("permission", async || user.create(object).await.ok()).await;
}

/// Waits until the policy on approvals is in force.
async fn policy_in_force(cluster: &Cluster) {
    refused(cluster, &decision("Approve", "nobody"), "spec.approver must be the requesting user").await;
}

#[tokio::test]
async fn approvers_approve_only_in_their_namespace() {
    let (here, elsewhere) = (Cluster::new().await, Cluster::new().await);
    policy_in_force(&here).await;
    let jane = approver(&here, "jane").await;
    user(&elsewhere, "jane", clerk()).await;
    for word in ["Approve", "Deny"] {
        allowed(&jane, &decision(word, "jane")).await;
    }
    refused(
        &jane.within(&elsewhere),
        &decision("Approve", "jane"),
        "user `jane` may not `approve` subscriptions.payg-operator.io `sandbox` in this namespace",
    )
    .await;
}

#[tokio::test]
async fn an_approval_must_name_its_requester() {
    let cluster = Cluster::new().await;
    policy_in_force(&cluster).await;
    let mallory = approver(&cluster, "mallory").await;
    refused(&mallory, &decision("Approve", "jane"), "spec.approver must be the requesting user, `mallory`").await;
    refused(&cluster, &decision("Deny", "jane"), &format!("spec.approver must be the requesting user, `{ADMIN}`"))
        .await;
}

#[tokio::test]
async fn being_allowed_to_create_approvals_is_not_being_allowed_to_approve() {
    let cluster = Cluster::new().await;
    policy_in_force(&cluster).await;
    let carl = user(&cluster, "carl", clerk()).await;
    for word in ["Approve", "Deny"] {
        refused(&carl, &decision(word, "carl"), "user `carl` may not `approve`").await;
    }
}

#[tokio::test]
async fn editors_and_viewers_do_not_approve() {
    let cluster = Cluster::new().await;
    for role in ["payg-editor", "payg-viewer"] {
        bind(&cluster, "eve", "ClusterRole", role).await;
    }
    let eve = cluster.user("eve").await;
    eventually("roles", async || {
        eve.get(&object("UpgradeApproval", "none", json!({}))).await.err()?.contains("not found").then_some(())
    })
    .await;
    let message = eve.try_create(&decision("Approve", "eve")).await.unwrap_err();
    assert!(message.contains("cannot create resource \"upgradeapprovals\""), "{message}");
}

#[tokio::test]
async fn approval_can_be_given_for_one_subscription_only() {
    let cluster = Cluster::new().await;
    policy_in_force(&cluster).await;
    let rules = json!([
        {"apiGroups": ["payg-operator.io"], "resources": ["subscriptions"], "resourceNames": ["sandbox"],
            "verbs": ["approve"]},
        clerk()[0],
    ]);
    let rita = user(&cluster, "rita", rules).await;
    allowed(&rita, &decision("Approve", "rita")).await;
    let another = json!({"metadata": {"name": "another"}, "spec": {"subscriptionName": "another"}});
    refused(
        &rita,
        &merged(decision("Approve", "rita"), &another),
        "`approve` subscriptions.payg-operator.io `another`",
    )
    .await;
}

#[tokio::test]
async fn a_deny_is_lifted_only_by_who_may_approve() {
    let cluster = Cluster::new().await;
    policy_in_force(&cluster).await;
    let dora = approver(&cluster, "dora").await;
    let carl = user(&cluster, "carl", clerk()).await;
    let (yes, no) = (decision("Approve", "dora"), decision("Deny", "dora"));
    allowed(&dora, &yes).await;
    allowed(&dora, &no).await;

    // Taking an approval back is no more than not having given it.
    eventually("permission to delete", async || carl.delete(&yes).await.ok()).await;
    let message = carl.delete(&no).await.unwrap_err();
    assert!(message.contains("user `carl` may not `approve`"), "{message}");
    dora.delete(&no).await.unwrap();
}

/// Kubernetes deletes what is in a namespace with the rights of a controller, which may not approve.
#[tokio::test]
async fn a_deny_does_not_keep_its_namespace() {
    let cluster = Cluster::new().await;
    policy_in_force(&cluster).await;
    cluster.create(&decision("Deny", ADMIN)).await.unwrap();
    if !cluster.control_plane.has_controller_manager() {
        return;
    }
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": cluster.namespace}});
    cluster.delete(&namespace).await.unwrap();
    eventually("the end of the namespace", async || cluster.get(&namespace).await.err()).await;
}

#[tokio::test]
async fn the_ledger_is_not_deleted_by_accident() {
    let cluster = Cluster::new().await;
    let record = records::numbered(&records::record(), 2000);
    let why = "an UpgradeRecord is what keeps an account from being upgraded twice; it must not be deleted";
    eventually("the policy on records", async || {
        let _already_there = cluster.create(&record).await;
        cluster.delete(&record).await.err().filter(|message| message.contains(why))
    })
    .await;
    cluster.get(&record).await.unwrap();
}

#[tokio::test]
async fn an_account_is_in_the_cloud_of_its_provider() {
    let cluster = Cluster::new().await;
    let provider =
        |name: &str| object("BillingProvider", name, json!({"aws": {"credentials": {"secret": {"name": "key"}}}}));
    let subscription = |name: &str, provider: &str, account: Value| {
        let upgrade = json!({"when": "Never", "approval": "Manual"});
        object(
            "Subscription",
            name,
            json!({"providerName": provider, "account": account, "offer": "PayAsYouGo", "upgrade": upgrade}),
        )
    };
    let azure = json!({"azure": {"subscriptionId": "6f1a3c1e-0000-4a00-9000-00000000f7ee"}});
    let aws = json!({"aws": {"accountId": "123456789012"}});
    let why = "spec.account must name the cloud of BillingProvider `aws`";

    cluster.create(&subscription("early", "not-there-yet", azure.clone())).await.unwrap();
    cluster.create(&provider("aws")).await.unwrap();
    refused(&cluster, &subscription("wrong", "aws", azure.clone()), why).await;
    cluster.create(&subscription("right", "aws", aws)).await.unwrap();
    cluster.create(&subscription("of-another", "azure", azure.clone())).await.unwrap();
    let change = json!({"spec": {"providerName": "aws"}});
    let message = cluster.patch(&subscription("early", "", azure), &change).await.unwrap_err();
    assert!(message.contains(why), "{message}");
}

/// Sets a label on `cluster`'s namespace, which asks for one of the policies.
async fn label(cluster: &Cluster, key: &str, value: &str) {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": cluster.namespace}});
    cluster.patch(&namespace, &json!({"metadata": {"labels": {key: value}}})).await.unwrap();
}

fn subscription(name: &str, approval: &str) -> Value {
    let account = json!({"azure": {"subscriptionId": "6f1a3c1e-0000-4a00-9000-00000000f7ee"}});
    let upgrade = json!({"when": "BenefitsExhausted", "approval": approval});
    object(
        "Subscription",
        name,
        json!({"providerName": "azure", "account": account, "offer": "PayAsYouGo", "upgrade": upgrade}),
    )
}

const AUTOMATIC: &str =
    "in this namespace `approval: Automatic`, and every change under it, needs the verb `approve` on the Subscription";

#[tokio::test]
async fn where_the_namespace_demands_it_automatic_takes_the_verb() {
    let (here, elsewhere) = (Cluster::new().await, Cluster::new().await);
    label(&here, "payg-operator.io/automatic", "needs-approve").await;
    for cluster in [&here, &elsewhere] {
        bind(cluster, "eric", "ClusterRole", "payg-editor").await;
    }
    let eric = here.user("eric").await;
    refused(&eric, &subscription("by-itself", "Automatic"), AUTOMATIC).await;
    allowed(&eric.within(&elsewhere), &subscription("by-itself", "Automatic")).await;

    // Nor by a change of one that asks.
    let reconcile_request = subscription("asks", "Manual");
    eric.create(&reconcile_request).await.unwrap();
    let automatic = json!({"spec": {"upgrade": {"approval": "Automatic"}}});
    assert!(eric.patch(&reconcile_request, &automatic).await.unwrap_err().contains(AUTOMATIC));
    eric.patch(&reconcile_request, &json!({"spec": {"trial": {"endTime": "2026-12-24T00:00:00Z"}}})).await.unwrap();

    // Who holds the verb may, and what they have written nobody else loosens, and everybody else stops.
    bind(&here, "erica", "ClusterRole", "payg-editor").await;
    let erica = approver(&here, "erica").await;
    eventually("the verb", async || erica.patch(&reconcile_request, &automatic).await.ok()).await;
    for looser in [
        json!({"upgrade": {"when": "Immediately"}}),
        json!({"trial": {"endTime": "2026-12-01T00:00:00Z"}}),
        json!({"trial": null}),
        json!({"providerName": "another"}),
    ] {
        let message = eric.patch(&reconcile_request, &json!({"spec": looser})).await.unwrap_err();
        assert!(message.contains(AUTOMATIC), "{looser}: {message}");
    }
    eric.patch(&reconcile_request, &json!({"metadata": {"labels": {"team": "a"}}})).await.unwrap();
    eric.patch(&reconcile_request, &json!({"spec": {"suspend": true}})).await.unwrap();
    eric.patch(&reconcile_request, &json!({"spec": {"upgrade": {"approval": "Manual"}}})).await.unwrap();
}

#[tokio::test]
async fn where_the_namespace_demands_it_a_second_person_approves() {
    let (here, elsewhere) = (Cluster::new().await, Cluster::new().await);
    policy_in_force(&here).await;
    label(&here, "payg-operator.io/second-person", "required").await;
    for cluster in [&here, &elsewhere] {
        bind(cluster, "both", "ClusterRole", "payg-editor").await;
        bind(cluster, "both", "ClusterRole", "payg-approver").await;
    }
    // What is approved goes through a BillingProvider.
    let azure = json!({"cloud": "Public", "tenantId": "72f988bf-0000-4a00-9000-0000000000aa", "upgradeMethod": "Broker",
        "credentials": {"secret": {"name": "azure", "clientId": "0e5f1c1e-0000-4a00-9000-0000000000cc"}}});
    here.create(&object("BillingProvider", "azure", json!({"azure": azure}))).await.unwrap();
    let both = here.user("both").await;
    let why = "must be approved by somebody who cannot change the Subscription";
    refused(&both, &decision("Approve", "both"), why).await;
    let retry = merged(decision("Approve", "both"), &json!({"spec": {"decision": "Retry", "recordAttempt": 1}}));
    refused(&both, &retry, why).await;
    // Whoever may approve may say no.
    allowed(&both, &decision("Deny", "both")).await;
    allowed(&both.within(&elsewhere), &decision("Approve", "both")).await;

    // To be allowed to change that one alone is enough to be refused.
    let rules = json!([{"apiGroups": ["payg-operator.io"], "resources": ["subscriptions"], "resourceNames": ["sandbox"],
        "verbs": ["patch"]}]);
    user(&here, "patcher", rules).await;
    let patcher = approver(&here, "patcher").await;
    refused(&patcher, &decision("Approve", "patcher"), why).await;
    let second = approver(&here, "second").await;
    allowed(&second, &decision("Approve", "second")).await;
}

/// The operator compares what is in the cluster with what it ships, so nothing may be filled in by the API server.
#[tokio::test]
async fn policies_are_stored_as_they_are_shipped() {
    let cluster = Cluster::new().await;
    let text = fs::read_to_string(file("deploy/kustomize/base/admission.yaml")).unwrap();
    let shipped: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
    assert_eq!(shipped.len(), 14);
    for object in shipped {
        let stored = cluster.get(&object).await.unwrap();
        assert_eq!(stored["spec"], object["spec"], "{} {}", object["kind"], object["metadata"]["name"]);
    }
}
