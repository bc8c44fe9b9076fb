//! A team whose manifests Flux applies as an account of the team's own namespace.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use payg_test_kit::world::World;
use serde_json::{Value, json};

use crate::repository::Repository;

/// A role of one rule, for Flux's account.
fn give(world: &World, name: &str, resource: &str, verbs: &[&str]) {
    world.apply(&json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": name},
        "rules": [{"apiGroups": ["payg-operator.io"], "resources": [resource], "verbs": verbs}]}));
    world.apply(
        &json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": "flux", "namespace": world.namespace}]}),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn approvals_in_git_count_only_if_the_account_that_applies_them_holds_the_verb() {
    let _policies = crate::repository::POLICIES.lock().await;
    let world = World::new().await;
    let account = world.account(json!({"periodDays": 3000})).await;
    let mut repository = Repository::new(&world, &[&account]).await;
    repository.edit("team-a/sandbox.yaml", "when: BenefitsExhausted", "when: Immediately");
    repository.edit("team-a/sandbox.yaml", "approval: Automatic", "approval: Manual");
    repository.push();
    repository.until_ready("accounts").await;

    let approver = |namespace: &str| format!("system:serviceaccount:{namespace}:flux");
    let hash = world.subscription("sandbox")["status"]["transition"]["hash"].clone();
    let approval = |approver: &str| {
        json!({"apiVersion": "payg-operator.io/v1alpha1", "kind": "UpgradeApproval", "metadata": {"name": "by-git"},
        "spec": {"subscriptionName": "sandbox", "transitionHash": hash, "decision": "Approve", "approver": approver,
            "reason": "merged", "expireTime": (Timestamp::now() + SignedDuration::from_hours(1)).to_string()}})
        .to_string()
    };
    let by_the_team = approval(&approver(&world.namespace));
    repository.files.insert("team-a/approval.yaml".to_owned(), by_the_team);
    repository.edit("team-a/kustomization.yaml", "- sandbox.yaml", "- sandbox.yaml\n- approval.yaml");
    repository.push();
    let told = repository.until_failed("accounts").await;
    assert!(told.contains("upgradeapprovals.payg-operator.io \"by-git\" is forbidden"), "{told}");

    // That it may write such objects is not enough.
    give(&world, "flux-writes", "upgradeapprovals", &["get", "list", "watch", "create", "patch", "delete"]);
    repository.push();
    let told = repository.until_failed("accounts").await;
    assert!(told.contains("approve"), "{told}");
    assert!(told.contains("upgradeapprovals.payg-operator.io"), "{told}");
    assert_eq!(world.kubectl(&["get", "upgradeapprovals.payg-operator.io", "-o", "name"]).unwrap(), "");
    assert_eq!(world.ledger(&account).await, Vec::<Value>::new());

    // The platform's account holds it, where everybody must be somebody else than who changes the Subscription.
    world.kubectl(&["delete", "rolebindings", "flux-writes"]).unwrap();
    world.stack.kubectl(&["label", "namespace", &world.namespace, "payg-operator.io/second-person=required"]).unwrap();
    let mut approvals = Repository::of_approvals(&world).await;
    let by_the_platform = approver(&format!("{}-approvals", world.namespace));
    tokio::time::sleep(Duration::from_secs(62)).await; // what is said sooner after the label does not count
    approvals.files.insert("team-a/approval.yaml".to_owned(), approval(&by_the_platform));
    approvals.push();
    approvals.until_ready("team-a").await;
    world.until("sandbox", "UpgradeAccepted").await;
    let records = world.records(&account);
    assert_eq!(records[0]["spec"]["intent"]["approval"]["approver"], by_the_platform.as_str(), "{records:#?}");
}
