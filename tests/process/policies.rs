//! What becomes of approvals when the admission policies are altered or removed: the operator acts on none, and says why.

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use payg_test_kit::{REPOSITORY, Stack};
use serde_json::{Value, json};

use crate::{alone, stop, upgrade_requests};
use payg_test_kit::world::{World, automatic, condition, message, provider};

/// A little longer than it takes until a policy is surely in force.
const SETTLED: Duration = Duration::from_secs(62);
const POLICY: &str = "ValidatingAdmissionPolicy";
const BINDING: &str = "ValidatingAdmissionPolicyBinding";
const APPROVALS: &str = "upgradeapprovals.payg-operator.io";
const RECORDS: &str = "upgraderecords.payg-operator.io";
const CLOUDS: &str = "provider-cloud.payg-operator.io";
const AUTOMATIC: &str = "automatic.payg-operator.io";
const SECOND_PERSON: &str = "second-person.payg-operator.io";

fn shipped() -> String {
    format!("{REPOSITORY}/deploy/kustomize/base/admission.yaml")
}

/// Puts altered policies back as they are shipped.
fn put_back(stack: &Stack) {
    stack.kubectl(&["replace", "-f", &shipped()]).unwrap();
}

/// Creates what is missing of them.
fn apply(stack: &Stack) {
    stack.kubectl(&["apply", "--server-side", "-f", &shipped()]).unwrap();
}

fn alter(stack: &Stack, kind: &str, name: &str, change: Value) {
    stack.kubectl(&["patch", kind, name, "--type=merge", "-p", &json!({"spec": change}).to_string()]).unwrap();
}

/// Who decides in these tests.
struct People {
    jane: PathBuf,
}

impl People {
    fn of(world: &World) -> Self {
        let arguments = ["create", "rolebinding", "approvers", "--clusterrole=payg-approver", "--user=jane"];
        world.kubectl(&arguments).unwrap();
        world.wait_until_approvals_count();
        Self { jane: world.stack.control_plane.user_kubeconfig("jane", &[]).unwrap() }
    }

    /// Jane's Approve of the Subscription called `asks`.
    async fn approve(&self, world: &World, name: &str) {
        let asking = world.subscription("asks");
        let expires = Timestamp::now() + Duration::from_hours(1);
        let approval = json!({"apiVersion": "payg-operator.io/v1alpha1", "kind": "UpgradeApproval", "metadata": {"name": name},
            "spec": {"subscriptionName": "asks", "transitionHash": asking["status"]["transition"]["hash"],
                "decision": "Approve", "approver": "jane", "reason": "test", "expireTime": expires.to_string()}});
        let file = world.file(&approval);
        let kubeconfig = format!("--kubeconfig={}", self.jane.display());
        let created = async || world.kubectl(&[&kubeconfig, "create", "-f", &file]).ok();
        world.eventually(30, created).await.expect("an approval");
    }
}

/// Has the Subscription called `asks` judged anew, until it is ready or not because of `reason`, and says so about `what`.
async fn judged(world: &World, approval: &str, reason: &str, what: &[&str]) {
    let mut touched = 0;
    let mut last = Value::Null;
    let is_so = async || {
        // A change of an approval brings an observation of once.
        touched += 1;
        let label = format!("touched={touched}");
        let touch = ["label", "--overwrite", "upgradeapprovals.payg-operator.io", approval, &label];
        world.kubectl(&touch).unwrap();
        last = world.subscription("asks");
        let says = what.iter().all(|what| message(&last).contains(what));
        (condition(&last, "Ready")["reason"] == reason && says).then_some(())
    };
    let found = world.eventually(30, is_so).await;
    assert!(found.is_some(), "never {reason} about {what:?}: {:#}", last["status"]["conditions"]);
}

/// Like [`judged`], for the approval `go`, which may have been given while `changed` was not in force.
async fn judged_too_young(world: &World, changed: &str) {
    judged(world, "go", "ApprovalPolicyMissing", &["UpgradeApproval go does not count", changed]).await;
}

/// The operator runs dry: it holds what it would request, so that one approval can be judged often.
#[tokio::test(flavor = "multi_thread")]
async fn an_altered_policy_stops_every_approval_until_it_is_put_back() {
    let (_alone, stack) = alone().await;
    let world = World::on(stack).await;
    let operator = stack.operator("policies", &["--dry-run"]).await.unwrap();
    let people = People::of(&world);
    let account = world.account(json!({"periodDays": 3000})).await;
    world.subscribe("asks", &account, json!({"when": "Immediately", "approval": "Manual"}));
    world.until("asks", "AwaitingApproval").await;
    people.approve(&world, "go").await;
    judged(&world, "go", "UpgradeHeld", &[]).await;

    let narrow = json!({"namespaceSelector": {"matchLabels": {"approvals": "checked"}}});
    let on_delete = json!([{"apiGroups": ["payg-operator.io"], "apiVersions": ["*"], "resources": ["upgradeapprovals"],
        "operations": ["DELETE"], "scope": "*"}]);
    let another_label = json!({"namespaceSelector": {"matchLabels": {"payg-operator.io/second-person": "please"}}});
    for (kind, name, change) in [
        (BINDING, APPROVALS, json!({"validationActions": ["Warn"]})),
        (BINDING, RECORDS, json!({"validationActions": ["Audit"]})),
        (BINDING, CLOUDS, json!({"validationActions": ["Warn"]})),
        (BINDING, AUTOMATIC, json!({"validationActions": ["Warn"]})),
        (BINDING, SECOND_PERSON, json!({"matchResources": another_label})),
        (BINDING, APPROVALS, json!({"matchResources": narrow})),
        (POLICY, APPROVALS, json!({"failurePolicy": "Ignore"})),
        (POLICY, APPROVALS, json!({"matchConstraints": {"resourceRules": on_delete}})),
        (POLICY, APPROVALS, json!({"matchConditions": [{"name": "never", "expression": "false"}]})),
        (POLICY, RECORDS, json!({"matchConstraints": narrow})),
        (POLICY, AUTOMATIC, json!({"validations": [{"expression": "true"}]})),
        (POLICY, SECOND_PERSON, json!({"validations": [{"expression": "true"}]})),
    ] {
        alter(stack, kind, name, change);
        judged(&world, "go", "ApprovalPolicyMissing", &["not as shipped: ", &format!("{kind}/{name}")]).await;
        put_back(stack);
        judged_too_young(&world, &format!("{kind}/{name}")).await;
    }

    // Whatever of them it is: an approval is not surely older than none.
    for (kind, name) in [(BINDING, CLOUDS), (POLICY, AUTOMATIC), (BINDING, SECOND_PERSON)] {
        stack.kubectl(&["delete", kind, name]).unwrap();
        judged(&world, "go", "ApprovalPolicyMissing", &["missing: ", &format!("{kind}/{name}")]).await;
        apply(stack);
        judged_too_young(&world, &format!("{kind}/{name}")).await;
    }
    stack.kubectl(&["label", "namespace", &world.namespace, "payg-operator.io/second-person=required"]).unwrap();
    let label = "the label payg-operator.io/second-person of this namespace";
    judged_too_young(&world, label).await;
    people.approve(&world, "too-soon").await;
    judged(&world, "too-soon", "ApprovalPolicyMissing", &["does not count"]).await;
    tokio::time::sleep(SETTLED).await;
    people.approve(&world, "go-again").await;
    judged(&world, "go-again", "UpgradeHeld", &[]).await;

    stop(operator).await;
    assert_eq!((upgrade_requests(&world.requests(&account).await), world.records(&account)), (0, vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_from_before_a_policy_was_removed_never_counts_again() {
    let (_alone, stack) = alone().await;
    let world = World::on(stack).await;
    let operator = stack.operator("removed", &["--max-upgrades-per-hour", "1000"]).await.unwrap();
    let people = People::of(&world);
    let account = world.account(json!({"periodDays": 40, "graceDays": 1000})).await;
    world.subscribe("asks", &account, json!({"when": "BenefitsExhausted", "approval": "Manual"}));
    world.until("asks", "WaitingForExhaustion").await;
    people.approve(&world, "before").await;
    for (kind, name) in [(BINDING, APPROVALS), (POLICY, APPROVALS), (BINDING, RECORDS)] {
        stack.kubectl(&["delete", kind, name]).unwrap();
    }
    let told = world.until("asks", "ApprovalPolicyMissing").await;
    assert_eq!(condition(&told, "Stalled")["status"], "True");
    for missing in [(BINDING, APPROVALS), (POLICY, APPROVALS), (BINDING, RECORDS)] {
        assert!(message(&told).contains(&format!("{}/{}", missing.0, missing.1)), "{}", message(&told));
    }
    apply(stack);
    judged(&world, "before", "ApprovalPolicyMissing", &["UpgradeApproval before does not count: it dates from"]).await;
    assert_eq!((upgrade_requests(&world.requests(&account).await), world.records(&account)), (0, vec![]));

    tokio::time::sleep(SETTLED).await;
    people.approve(&world, "after").await;
    world.until("asks", "OfferInPlace").await;
    assert_eq!((upgrade_requests(&world.requests(&account).await), world.ledger(&account).await.len()), (1, 1));
    assert_eq!(world.records(&account)[0]["spec"]["intent"]["approval"]["name"], "after");
    stop(operator).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn automatic_is_not_believed_where_nobody_looks_at_who_writes_it() {
    let (_alone, stack) = alone().await;
    let (demands, does_not) = (World::on(stack).await, World::on(stack).await);
    let operator = stack.operator("automatic", &["--dry-run"]).await.unwrap();
    stack.kubectl(&["label", "namespace", &demands.namespace, "payg-operator.io/automatic=needs-approve"]).unwrap();
    alter(stack, BINDING, AUTOMATIC, json!({"validationActions": ["Warn"]}));
    for world in [&demands, &does_not] {
        let account = world.account(json!({"periodDays": 3000})).await;
        world.subscribe("by-itself", &account, automatic("Immediately"));
    }
    let told = demands.until("by-itself", "ApprovalPolicyMissing").await;
    assert!(message(&told).contains(&format!("not as shipped: {BINDING}/{AUTOMATIC}")), "{}", message(&told));
    does_not.until("by-itself", "UpgradeHeld").await;
    put_back(stack);
    let patched = ["patch", "subscriptions.payg-operator.io", "by-itself", "--type=merge", "-p"];
    demands.kubectl(&[&patched[..], &["{\"spec\":{\"suspend\":false}}"]].concat()).unwrap();
    // Nobody checked who wrote it, and nothing shows what was changed since.
    let older = async || message(&demands.subscription("by-itself")).contains("does not count").then_some(());
    demands.eventually(60, older).await.expect("it is older than the binding");
    tokio::time::sleep(SETTLED).await;
    for kind in ["subscriptions", "billingproviders"] {
        demands.kubectl(&["delete", &format!("{kind}.payg-operator.io"), "--all"]).unwrap();
    }
    demands.apply(&provider("azure", "Broker"));
    let account = demands.account(json!({})).await;
    demands.subscribe("by-itself", &account, automatic("Immediately"));
    demands.until("by-itself", "UpgradeHeld").await;
    stop(operator).await;
}
