//! A team whose manifests Flux applies as an account of the team's own namespace.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::repository::Repository;
use crate::world::World;

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
async fn approvals_in_git_count_only_if_fluxs_account_of_the_team_holds_the_verb() {
    let world = World::new().await;
    let account = world.account(json!({"periodDays": 3000})).await;
    let mut repository = Repository::new(&world, &[&account]).await;
    repository.edit("team-a/sandbox.yaml", "when: BenefitsExhausted", "when: Immediately");
    repository.edit("team-a/sandbox.yaml", "approval: Automatic", "approval: Manual");
    repository.push();
    repository.until_ready("accounts").await;

    let approver = format!("system:serviceaccount:{}:flux", world.namespace);
    let hash = world.subscription("sandbox")["status"]["transition"]["hash"].clone();
    let approval = json!({"apiVersion": "payg-operator.io/v1alpha1", "kind": "UpgradeApproval", "metadata": {"name": "by-git"},
        "spec": {"subscriptionName": "sandbox", "transitionHash": hash, "decision": "Approve", "approver": approver,
            "reason": "merged", "expireTime": (Timestamp::now() + SignedDuration::from_hours(1)).to_string()}});
    repository.files.insert("team-a/approval.yaml".to_owned(), approval.to_string());
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

    world.kubectl(&["delete", "rolebindings", "flux-writes"]).unwrap();
    repository.platform("approve-by-pull-request.yaml");
    repository.push();
    repository.until_ready("accounts").await;
    world.until("sandbox", "UpgradeAccepted").await;
    let records = world.records(&account);
    assert_eq!(records[0]["spec"]["intent"]["approval"]["approver"], approver.as_str(), "{records:#?}");
}
