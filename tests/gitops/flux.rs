//! Flux's kustomize-controller applies the example repository of `deploy/flux`, with `wait` and `prune`.

use jiff::{SignedDuration, Timestamp};
use payg_test_kit::world::{World, condition, message};
use serde_json::{Value, json};

use crate::repository::Repository;

const SANDBOX: &str = "team-a/sandbox.yaml";

/// The reason of the Subscription's Ready condition; none if it is not there yet.
fn reason(world: &World, name: &str) -> String {
    let path = r#"jsonpath={.status.conditions[?(@.type=="Ready")].reason}"#;
    world.kubectl(&["get", "subscriptions.payg-operator.io", name, "--ignore-not-found", "-o", path]).unwrap()
}

/// An account whose trial goes on for longer than any test.
async fn young(world: &World) -> String {
    world.account(json!({"periodDays": 3000})).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_trial_is_ready_at_once_and_a_pushed_change_takes_effect() {
    let world = World::new().await;
    let account = young(&world).await;
    let mut repository = Repository::new(&world, &[&account]).await;
    repository.push();
    repository.until_ready("accounts").await;
    let told = world.subscription("sandbox");
    assert_eq!(condition(&told, "Ready")["reason"], "WaitingForExhaustion", "{:#}", told["status"]);

    repository.edit(SANDBOX, "when: BenefitsExhausted", "when: Immediately");
    repository.edit(SANDBOX, "approval: Automatic", "approval: Manual");
    repository.push();
    repository.until_ready("accounts").await;
    assert_eq!(reason(&world, "sandbox"), "AwaitingApproval", "settled, until somebody says yes");
    assert_eq!(world.ledger(&account).await, Vec::<Value>::new());

    repository.edit(SANDBOX, "approval: Manual", "approval: Automatic");
    repository.push();
    repository.until_ready("accounts").await;
    assert_eq!(reason(&world, "sandbox"), "UpgradeAccepted", "settled: the offer changes when the benefits end");
    assert_eq!(world.ledger(&account).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_is_installed_with_the_image_of_the_example() {
    let _policies = crate::repository::POLICIES.lock().await;
    let world = World::new().await;
    let mut repository = Repository::of_the_operator(&world).await;
    repository.push();
    repository.until_ready("payg-operator").await;
    let path = "jsonpath={.spec.template.spec.containers[0].image}";
    let image =
        world.stack.kubectl(&["get", "deployment", "payg-operator", "-n", "payg-operator", "-o", path]).unwrap();
    assert_eq!(image, concat!("registry.example/payg-operator:", env!("CARGO_PKG_VERSION")));
}

#[tokio::test(flavor = "multi_thread")]
async fn approvals_survive_flux_reconciliation() {
    let _policies = crate::repository::POLICIES.lock().await;
    let world = World::new().await;
    let account = young(&world).await;
    let mut repository = Repository::new(&world, &[&account]).await;
    repository.edit(SANDBOX, "when: BenefitsExhausted", "when: Immediately");
    repository.edit(SANDBOX, "approval: Automatic", "approval: Manual");
    repository.push();
    repository.until_ready("accounts").await;
    let hash = world.subscription("sandbox")["status"]["transition"]["hash"].clone();
    world.apply(
        &json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "approvers"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "payg-approver"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "jane"}]}),
    );
    let mut decision = json!({"apiVersion": "payg-operator.io/v1alpha1", "kind": "UpgradeApproval", "metadata": {"name": "stop"},
        "spec": {"subscriptionName": "sandbox", "transitionHash": hash, "decision": "Deny", "approver": "jane", "reason": "wait"}});
    world.create_as("jane", &decision).unwrap();
    world.until("sandbox", "UpgradeDenied").await;

    // What is pushed is applied anew, and so is what is the same.
    repository.edit(SANDBOX, "  name: sandbox", "  name: sandbox\n  labels: {pushed: again}");
    repository.push();
    repository.until_ready("accounts").await;
    assert_eq!(world.subscription("sandbox")["metadata"]["labels"]["pushed"], "again");
    assert_eq!(reason(&world, "sandbox"), "UpgradeDenied");
    assert_eq!(world.get("upgradeapprovals.payg-operator.io", "stop")["spec"]["decision"], "Deny");

    world.kubectl(&["delete", "upgradeapprovals.payg-operator.io", "stop"]).unwrap();
    decision["metadata"]["name"] = json!("go");
    decision["spec"]["decision"] = json!("Approve");
    decision["spec"]["expireTime"] = json!((Timestamp::now() + SignedDuration::from_hours(1)).to_string());
    world.create_as("jane", &decision).unwrap();
    world.until("sandbox", "UpgradeAccepted").await;
    assert_eq!(world.ledger(&account).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_manifest_is_not_ready_with_our_message_in_it() {
    let world = World::new().await;
    let account = young(&world).await;
    let mut repository = Repository::new(&world, &[&account]).await;
    repository.push();
    repository.until_ready("accounts").await;
    repository.edit(SANDBOX, "when: BenefitsExhausted", "when: BeforeExhaustion");
    repository.push();
    let told = repository.until_failed("accounts").await;
    assert!(told.contains("`beforeExhaustion` must be given with `when: BeforeExhaustion`"), "{told}");
    assert_eq!(world.subscription("sandbox")["spec"]["upgrade"]["when"], "BenefitsExhausted");
    repository.edit(SANDBOX, "when: BeforeExhaustion", "when: Never");
    repository.push();
    repository.until_ready("accounts").await;
    assert_eq!(reason(&world, "sandbox"), "Observing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_account_is_not_ready_and_names_the_subscription_that_says_why() {
    let world = World::new().await;
    let (mine, other) = (world.aws_account(json!({})).await, world.aws_account(json!({})).await);
    let key = json!({"accountId": other, "accessKeyId": format!("AKIA{other}"), "secretAccessKey": "s3cr3t-value",
        "allow": ["freetier:GetAccountPlanState", "account:GetAccountInformation", "billing:GetCredits"]});
    world.stack.simulator.post("clients", &key).await.unwrap();
    world.lend_secret("aws", json!({"accessKeyId": format!("AKIA{other}"), "secretAccessKey": "s3cr3t-value"}));
    let mut repository = Repository::new(&world, &[]).await;
    let provider = json!({"apiVersion": "payg-operator.io/v1alpha1", "kind": "BillingProvider", "metadata": {"name": "aws"},
        "spec": {"aws": {"credentials": {"secret": {"name": "aws"}}}}});
    repository.files.insert("team-a/billing-provider.yaml".to_owned(), provider.to_string());
    repository.edit(SANDBOX, "providerName: azure", "providerName: aws");
    let azure = "azure:\n      subscriptionId: 6f1a3c1e-0000-4a00-9000-000000000001";
    repository.edit(SANDBOX, azure, &format!("aws:\n      accountId: \"{mine}\""));
    repository.push();
    let told = repository.until_failed("accounts").await;
    let named = format!("Subscription/{}/sandbox status: 'Failed'", world.namespace);
    assert!(told.contains("failed early due to stalled resources") && told.contains(&named), "{told}");
    let told = world.subscription("sandbox");
    assert_eq!(condition(&told, "Ready")["reason"], "WrongAccount");
    assert!(message(&told).contains(&other), "{}", message(&told));
}

/// The Kustomization called `name`, read while it waits and the Subscription `subscription` has the expected reason.
async fn while_it_is(world: &World, repository: &Repository<'_>, name: &str, subscription: &str, told: &str) -> Value {
    let during = async || {
        let kustomization = repository.kustomization(name);
        let is_waiting = condition(&kustomization, "Healthy")["status"] == "Unknown";
        (reason(world, subscription) == told && is_waiting).then_some(kustomization)
    };
    world.eventually(100, during).await.unwrap_or_else(|| panic!("{name} never waits while {subscription} is {told}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_in_progress_holds_the_wait_until_it_is_done() {
    let world = World::new().await;
    let account =
        world.account(json!({"periodDays": 3000, "broker": {"operationSeconds": 45, "retryAfterSeconds": 1}})).await;
    let mut repository = Repository::new(&world, &[&account]).await;
    repository.edit(SANDBOX, "when: BenefitsExhausted", "when: Immediately");
    repository.push();
    let waiting = while_it_is(&world, &repository, "accounts", "sandbox", "VerifyingUpgrade").await;
    assert!(!repository.is_ready(&waiting), "{waiting:#}");
    repository.until_ready("accounts").await;
    assert_eq!(reason(&world, "sandbox"), "UpgradeAccepted");
}

#[tokio::test(flavor = "multi_thread")]
async fn health_check_expressions_hold_what_needs_a_paid_account() {
    let world = World::new().await;
    let (sandbox, production) = (young(&world).await, world.account(json!({"periodDays": 40})).await);
    let mut repository = Repository::new(&world, &[&sandbox, &production]).await;
    repository.edit("team-a-paid/production.yaml", "when: Immediately", "when: BenefitsExhausted");
    repository.push();
    repository.until_ready("accounts").await;
    let waiting = while_it_is(&world, &repository, "paid", "production", "WaitingForExhaustion").await;
    assert!(!repository.is_ready(&waiting), "kstatus alone would let it pass: {waiting:#}");
    repository.until_ready("paid").await;
    assert_eq!(reason(&world, "production"), "OfferInPlace");
    assert_eq!(reason(&world, "sandbox"), "WaitingForExhaustion");
}

#[tokio::test(flavor = "multi_thread")]
async fn pruning_a_subscription_touches_no_cloud() {
    let world = World::new().await;
    let account = young(&world).await;
    let mut repository = Repository::new(&world, &[&account]).await;
    repository.push();
    repository.until_ready("accounts").await;
    repository.files.remove(SANDBOX);
    repository.edit("team-a/kustomization.yaml", "- sandbox.yaml\n", "");
    repository.push();
    repository.until_ready("accounts").await;
    let sandbox = ["get", "subscriptions.payg-operator.io", "sandbox", "--ignore-not-found", "-o", "name"];
    assert_eq!(world.kubectl(&sandbox).unwrap(), "");
    world.assert_left_alone(&account).await;
}
