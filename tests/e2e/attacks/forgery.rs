//! Objects, statuses and users that are not what they say.

use std::time::Duration;

use payg_test_kit::world::{World, automatic, subscription};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{APPROVALS, Asking, HOUR, SUBSCRIPTIONS, assert_refused, assert_untouched, still_is};
use crate::approvals::word;
use crate::people::{ADMIN, APPROVER, EDIT, EDITOR, User, limited, user};

const RECORDS: &str = "upgraderecords.payg-operator.io";
const OPERATOR: &str = "system:serviceaccount:payg-operator:payg-operator";

/// A status by which the account was seen to be used up a moment ago.
fn forged_status() -> Value {
    json!({"observedGeneration": 1, "lastObservedTime": "2020-01-01T00:00:00Z",
        "offer": {"class": "FreeTrial", "native": "FreeTrial_2014-09-01", "source": "subscription"},
        "account": {"lifecycle": "Restricted"},
        "benefits": [{"kind": "Period", "state": "Exhausted", "source": "provider", "endTime": "2020-01-01T00:00:00Z"}]})
}

/// Class: forged status. Source: CVE-2020-8554 (a user's patch of a Service's status was believed),
/// <https://github.com/kubernetes/kubernetes/issues/97076>.
#[tokio::test(flavor = "multi_thread")]
async fn users_cannot_patch_statuses() {
    let world = World::new().await;
    let account = world.account(json!({"periodDays": 3000})).await;
    world.subscribe("sandbox", &account, automatic("BenefitsExhausted"));
    world.until("sandbox", "WaitingForExhaustion").await;
    let patch = json!({"status": forged_status()}).to_string();
    for (name, role) in [("ed", EDITOR), ("eve", EDIT), ("adam", ADMIN), ("jane", APPROVER)] {
        let them = user(&world, name, &[role]).await;
        let patched =
            them.kubectl(&["patch", SUBSCRIPTIONS, "sandbox", "--subresource=status", "--type=merge", "-p", &patch]);
        assert_refused(patched, "Forbidden");
    }
    still_is(&world, "sandbox", "WaitingForExhaustion").await;
    assert_untouched(&world, &account).await;
}

/// Class: forged status. Source: Kubernetes API conventions, `spec` and `status`,
/// <https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md>.
#[tokio::test(flavor = "multi_thread")]
async fn a_status_that_comes_with_a_manifest_is_dropped() {
    let world = World::new().await;
    let ed = user(&world, "ed", &[EDITOR]).await;
    let account = world.account(json!({"periodDays": 3000})).await;
    let mut forged = subscription("sandbox", &account, automatic("BenefitsExhausted"));
    forged["status"] = forged_status();
    ed.create(&forged).unwrap();
    let file = world.file(&forged);
    let as_operator = ["apply", "--server-side", "--force-conflicts", "--field-manager=payg-operator", "-f", &file];
    ed.kubectl(&as_operator).unwrap();
    ed.kubectl(&[
        "patch",
        SUBSCRIPTIONS,
        "sandbox",
        "--type=merge",
        "-p",
        &json!({"status": forged_status()}).to_string(),
    ])
    .unwrap();
    let seen = world.until("sandbox", "WaitingForExhaustion").await;
    assert_ne!(seen["status"]["lastObservedTime"], "2020-01-01T00:00:00Z");
    still_is(&world, "sandbox", "WaitingForExhaustion").await;
    assert_untouched(&world, &account).await;
}

/// Class: forged author. Source: CVE-2021-42694 (homoglyphs), <https://nvd.nist.gov/vuln/detail/CVE-2021-42694>.
#[tokio::test(flavor = "multi_thread")]
async fn a_lookalike_approver_name_is_refused() {
    let asking = Asking::new().await;
    let mallory = user(&asking.world, "mallory", &[APPROVER]).await;
    let names = ["jane", "mallory ", " mallory", "MALLORY", "m\u{430}llory", "mallory\u{200b}", "admin", OPERATOR];
    for (number, name) in names.into_iter().enumerate() {
        let forged = mallory.create(&asking.word(&format!("forged-{number}"), "Approve", name));
        assert_refused(forged, "spec.approver must be the requesting user");
    }
    asking.assert_still_asks().await;
}

/// Class: impersonation. Source: KEP-5284 and the documentation of impersonation,
/// <https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation>.
#[tokio::test(flavor = "multi_thread")]
async fn an_approval_under_another_users_name_is_refused() {
    let asking = Asking::new().await;
    let jane = user(&asking.world, "jane", &[APPROVER]).await;
    let eve = user(&asking.world, "eve", &[EDIT]).await;
    let ed = user(&asking.world, "ed", &[EDITOR]).await;
    let create = |them: &User, approver: &str, flags: &[&str]| {
        let file = asking.world.file(&asking.word("forged", "Approve", approver));
        them.kubectl(&[flags, &["create", "--validate=false", "-f", &file]].concat())
    };
    let as_operator = format!("--as={OPERATOR}");
    for (them, approver, flags) in [
        (&jane, "admin", &["--as=admin"][..]),
        (&jane, "jane", &["--as=jane", "--as-group=system:masters"]),
        (&eve, OPERATOR, &[&as_operator]),
        (&ed, "jane", &["--as=jane"]),
    ] {
        assert_refused(create(them, approver, flags), "cannot impersonate");
    }
    asking.assert_still_asks().await;
}

/// Class: a right for one name used for others. Source: Kubernetes RBAC, "Referring to resources": `create` cannot be restricted by
/// name, <https://kubernetes.io/docs/reference/access-authn-authz/rbac/#referring-to-resources>.
#[tokio::test(flavor = "multi_thread")]
async fn an_approver_of_one_subscription_approves_no_other() {
    let asking = Asking::new().await;
    let lim = limited(&asking.world, "lim", "another").await;
    let word = |name: &str| asking.word(name, "Approve", "lim");
    let why = "may not `approve` subscriptions.payg-operator.io `asks`";
    assert_refused(lim.create(&word("plain")), why);
    let file = asking.world.file(&word("applied"));
    assert_refused(lim.kubectl(&["apply", "--server-side", "--validate=false", "-f", &file]), why);
    let mut generated = word("unused");
    generated["metadata"] = json!({"generateName": "asks-", "name": ""});
    assert_refused(lim.create(&generated), why);
    // One that was taken for another Subscription is not moved to this one.
    let mut own = word("own");
    own["spec"]["subscriptionName"] = json!("another");
    lim.create(&own).unwrap();
    let moved =
        lim.kubectl(&["patch", APPROVALS, "own", "--type=merge", "-p", r#"{"spec":{"subscriptionName":"asks"}}"#]);
    assert_refused(moved, "is immutable");
    own["spec"]["subscriptionName"] = json!("asks");
    let file = asking.world.file(&own);
    let over = lim.kubectl(&["apply", "--server-side", "--force-conflicts", "--validate=false", "-f", &file]);
    assert_refused(over, "is immutable");
    asking.assert_still_asks().await;
}

/// A trial that is over, held by jane's Deny alone.
async fn denied(world: &World) -> String {
    let jane = user(world, "jane", &[APPROVER]).await;
    let account = world.account(json!({"periodDays": 1, "graceDays": 1000})).await;
    jane.create(&word("stop", "Deny", "sandbox", &json!("0".repeat(16)), HOUR)).unwrap();
    world.subscribe("sandbox", &account, automatic("BenefitsExhausted"));
    let over = async || (world.account_now(&account).await["state"] == "Disabled").then_some(());
    world.eventually(60, over).await.expect("the trial's end");
    world.until("sandbox", "UpgradeDenied").await;
    account
}

/// Class: removal of a veto. Source: CWE-862 (missing authorization of a delete), <https://cwe.mitre.org/data/definitions/862.html>.
#[tokio::test(flavor = "multi_thread")]
async fn only_approvers_remove_a_deny() {
    let world = World::new().await;
    let account = denied(&world).await;
    let lim = limited(&world, "lim", "another").await;
    let why = "may not `approve` subscriptions.payg-operator.io `sandbox`";
    assert_refused(lim.kubectl(&["delete", APPROVALS, "stop"]), why);
    assert_refused(lim.kubectl(&["delete", APPROVALS, "--all"]), why);
    let kinder = r#"{"spec":{"decision":"Approve"}}"#;
    assert_refused(lim.kubectl(&["patch", APPROVALS, "stop", "--type=merge", "-p", kinder]), "is immutable");
    for (name, role) in [("ed", EDITOR), ("eve", EDIT), ("adam", ADMIN)] {
        let them = user(&world, name, &[role]).await;
        assert_refused(them.kubectl(&["delete", APPROVALS, "stop"]), "Forbidden");
    }
    still_is(&world, "sandbox", "UpgradeDenied").await;
    assert_untouched(&world, &account).await;
}

/// Class: the garbage collector as a confused deputy. Source: the admission plugin `OwnerReferencesPermissionEnforcement`,
/// <https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#ownerreferencespermissionenforcement>.
#[tokio::test(flavor = "multi_thread")]
async fn the_garbage_collector_removes_no_deny() {
    let world = World::new().await;
    let account = denied(&world).await;
    let lim = limited(&world, "lim", "another").await;
    let gone = json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "never-was", "uid": "7f1d8a52-0000-4a00-9000-0000000000d1"}]);
    let patch = json!({"metadata": {"ownerReferences": gone}}).to_string();
    lim.kubectl(&["patch", APPROVALS, "stop", "--type=merge", "-p", &patch]).unwrap();
    // Proof that the collector runs: it removes an object with the same dangling owner.
    world.apply(
        &json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "bait", "ownerReferences": gone}}),
    );
    let collected = async || world.kubectl(&["get", "configmap", "bait"]).is_err().then_some(());
    world.eventually(60, collected).await.expect("a garbage collector");
    still_is(&world, "sandbox", "UpgradeDenied").await;
    assert_untouched(&world, &account).await;
}

/// Class: squatting of a name that can be foretold. Source: "Bucket Monopoly", Aqua Security 2024,
/// <https://www.aquasec.com/blog/bucket-monopoly-breaching-aws-accounts-through-shadow-resources/>.
#[tokio::test(flavor = "multi_thread")]
async fn users_cannot_create_records() {
    let world = World::new().await;
    let account = world.account(json!({"periodDays": 1})).await;
    world.subscribe("first", &account, automatic("BenefitsExhausted"));
    world.until("first", "OfferInPlace").await;
    let mut forged = world.records(&account).remove(0);
    forged["metadata"] = json!({"name": format!("up-{}", "0".repeat(40))});
    for (name, role) in [("ed", EDITOR), ("jane", APPROVER), ("adam", ADMIN), ("eve", EDIT)] {
        let them = user(&world, name, &[role]).await;
        assert_refused(them.create(&forged), "Forbidden");
    }
    assert_eq!(world.ledger(&account).await.len(), 1);
}

/// Class: tampering with the ledger. Source: MITRE ATT&CK T1070, indicator removal, <https://attack.mitre.org/techniques/T1070/>.
#[tokio::test(flavor = "multi_thread")]
async fn users_cannot_delete_or_change_records() {
    let world = World::new().await;
    let account = world.account(json!({"periodDays": 1})).await;
    world.subscribe("sandbox", &account, automatic("BenefitsExhausted"));
    world.until("sandbox", "OfferInPlace").await;
    let record = world.records(&account).remove(0);
    let name = record["metadata"]["name"].as_str().unwrap();
    let policy = "an UpgradeRecord is what keeps an account from being upgraded twice";
    // The administrator, of system:masters.
    assert_refused(world.kubectl(&["delete", RECORDS, name]), policy);
    assert_refused(world.kubectl(&["delete", RECORDS, "--all"]), policy);
    let rewritten = r#"{"spec":{"account":{"id":"another"}}}"#;
    assert_refused(world.kubectl(&["patch", RECORDS, name, "--type=merge", "-p", rewritten]), "immutable");
    let operator = world.stack.operator_kubeconfig().await.unwrap();
    let operator = format!("--kubeconfig={}", operator.display());
    assert_refused(world.kubectl(&[&operator, "delete", RECORDS, name]), "Forbidden");
    assert_eq!(world.records(&account)[0]["metadata"]["uid"], record["metadata"]["uid"]);
    assert_eq!(world.ledger(&account).await.len(), 1);
}

/// Class: disarming a guard. Source: Kubernetes, "RBAC good practices", privilege escalation risks,
/// <https://kubernetes.io/docs/concepts/security/rbac-good-practices/>.
#[tokio::test(flavor = "multi_thread")]
async fn the_admin_of_a_namespace_does_not_disarm_its_guards() {
    let asking = Asking::new().await;
    let adam = user(&asking.world, "adam", &[ADMIN]).await;
    asking
        .world
        .stack
        .kubectl(&["label", "namespace", &asking.world.namespace, "payg-operator.io/second-person=required"])
        .unwrap();
    let (namespace, audit) = (asking.world.namespace.as_str(), r#"{"spec":{"validationActions":["Audit"]}}"#);
    for command in [
        &["delete", "validatingadmissionpolicybinding", APPROVALS][..],
        &["delete", "validatingadmissionpolicy", APPROVALS],
        &["patch", "validatingadmissionpolicybinding", APPROVALS, "--type=merge", "-p", audit],
        &["label", "namespace", namespace, "payg-operator.io/second-person-"],
        &["label", "namespace", namespace, "payg-operator.io/automatic=needs-nothing"],
        &["label", "clusterrole", "payg-approver", "rbac.authorization.k8s.io/aggregate-to-admin=true"],
        &["delete", "crd", "upgraderecords.payg-operator.io"],
    ] {
        assert_refused(adam.kubectl(command), "Forbidden");
    }
    asking.assert_still_asks().await;
}

/// Class: privilege escalation by RBAC. Source: Kubernetes, "Privilege escalation prevention and bootstrapping",
/// <https://kubernetes.io/docs/reference/access-authn-authz/rbac/#privilege-escalation-prevention-and-bootstrapping>.
#[tokio::test(flavor = "multi_thread")]
async fn the_admin_of_a_namespace_does_not_give_away_a_right_that_he_has_not() {
    let asking = Asking::new().await;
    let adam = user(&asking.world, "adam", &[ADMIN]).await;
    let why = "attempting to grant RBAC permissions not currently held";
    let role = |verb: &str| {
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "mine"},
            "rules": [{"apiGroups": ["payg-operator.io"], "resources": ["subscriptions"], "verbs": [verb]}]})
    };
    assert_refused(adam.create(&role("approve")), why);
    assert_refused(adam.create(&role("*")), why);
    for role in ["payg-approver", "cluster-admin"] {
        let bind = ["create", "rolebinding", "mine", &format!("--clusterrole={role}"), "--user=adam"];
        assert_refused(adam.kubectl(&bind), why);
    }
    assert_refused(adam.create(&asking.word("forged", "Approve", "adam")), "Forbidden");
    asking.assert_still_asks().await;
}

/// Class: a policy circumvented by the form of a request. Source: CVE-2021-25735 (an update that an admission webhook did not see as
/// it was), <https://github.com/kubernetes/kubernetes/issues/100096>.
#[tokio::test(flavor = "multi_thread")]
async fn automatic_needs_the_verb_whatever_the_form_of_the_request() {
    let world = World::new().await;
    world.stack.kubectl(&["label", "namespace", &world.namespace, "payg-operator.io/automatic=needs-approve"]).unwrap();
    let ed = user(&world, "ed", &[EDITOR]).await;
    let account = world.account(json!({})).await;
    let wish = |name: &str| subscription(name, &account, automatic("Immediately"));
    let why = "needs the verb `approve` on the Subscription";
    // A policy takes hold a moment after the label.
    let refused = async || ed.create(&wish("probe")).is_err_and(|told| told.contains(why)).then_some(());
    assert!(world.eventually(30, refused).await.is_some(), "the label has no effect");
    let mut generated = wish("unused");
    generated["metadata"] = json!({"generateName": "sandbox-", "name": ""});
    assert_refused(ed.create(&generated), why);
    let file = world.file(&wish("applied"));
    assert_refused(ed.kubectl(&["apply", "--server-side", "--validate=false", "-f", &file]), why);
    let put = world.file(&wish("put"));
    let path = format!("/apis/payg-operator.io/v1alpha1/namespaces/{}/subscriptions/put", world.namespace);
    assert!(ed.kubectl(&["replace", "--raw", &path, "-f", &put]).is_err());
    let mut manual = wish("manual");
    manual["spec"]["upgrade"]["approval"] = json!("Manual");
    ed.create(&manual).unwrap();
    let becomes = r#"{"spec":{"upgrade":{"approval":"Automatic"}}}"#;
    for type_ in ["merge", "json"] {
        let change = if type_ == "merge" {
            becomes
        } else {
            r#"[{"op":"replace","path":"/spec/upgrade/approval","value":"Automatic"}]"#
        };
        let patched = ed.kubectl(&["patch", SUBSCRIPTIONS, "manual", &format!("--type={type_}"), "-p", change]);
        assert_refused(patched, why);
    }
    world.until("manual", "AwaitingApproval").await;
    assert_untouched(&world, &account).await;
}

/// Class: race between a yes and a no. Source: CWE-367 (time of check, time of use), <https://cwe.mitre.org/data/definitions/367.html>.
#[tokio::test(flavor = "multi_thread")]
async fn a_deny_beats_the_approve_that_follows_it_however_soon() {
    for pause in [0, 20, 150] {
        let asking = Asking::new().await;
        let jane = user(&asking.world, "jane", &[APPROVER]).await;
        jane.create(&asking.word("stop", "Deny", "jane")).unwrap();
        sleep(Duration::from_millis(pause)).await;
        jane.create(&asking.word("go", "Approve", "jane")).unwrap();
        asking.world.until("asks", "UpgradeDenied").await;
        still_is(&asking.world, "asks", "UpgradeDenied").await;
        assert_untouched(&asking.world, &asking.account).await;
    }
}

/// Class: a right of one namespace used in another. Source: CWE-639 (authorization by a key that users choose),
/// <https://cwe.mitre.org/data/definitions/639.html>.
#[tokio::test(flavor = "multi_thread")]
async fn an_approver_of_another_namespace_has_no_say() {
    let (asking, elsewhere) = (Asking::new().await, World::new().await);
    let mallory = user(&elsewhere, "mallory", &[APPROVER, EDIT]).await;
    let file = asking.world.file(&asking.word("forged", "Approve", "mallory"));
    let there = ["--namespace", &asking.world.namespace, "create", "--validate=false", "-f", &file];
    assert_refused(mallory.kubectl(&there), "Forbidden");
    // In her own namespace she may say what she likes, about a Subscription of that name.
    mallory.create(&asking.word("own", "Approve", "mallory")).unwrap();
    asking.assert_still_asks().await;
}
