//! Who says yes is another person.

use std::path::Path;
use std::time::Duration;

use payg_test_kit::world::{World, provider};
use serde_json::{Value, json};

use crate::approvals::word;
use crate::people::{APPROVER, EDITOR, Role, user};

const HOUR: Duration = Duration::from_hours(1);
const EDIT: Role = ("edit", &["create", "configmaps"]);
const ADMIN: Role = ("admin", &["create", "rolebindings"]);

/// A namespace that requires a second person, an account whose upgrade waits for an Approve there, and its hash.
async fn asking() -> (World, String, Value) {
    let world = World::new().await;
    let account = world.account(json!({})).await;
    world.subscribe("sandbox", &account, json!({"when": "Immediately", "approval": "Manual"}));
    world.stack.kubectl(&["label", "namespace", &world.namespace, "payg-operator.io/second-person=required"]).unwrap();
    let asking = world.until("sandbox", "AwaitingApproval").await;
    tokio::time::sleep(Duration::from_secs(62)).await; // what is said sooner after the label does not count anyway
    let hash = asking["status"]["transition"]["hash"].clone();
    (world, account, hash)
}

fn kubectl(world: &World, kubeconfig: &Path, arguments: &[&str]) -> Result<String, String> {
    let kubeconfig = format!("--kubeconfig={}", kubeconfig.display());
    world.kubectl(&[&[kubeconfig.as_str()], arguments].concat())
}

/// An Approve in the name of `approver`, created as `arguments` say.
fn approve(
    world: &World,
    kubeconfig: &Path,
    approver: &str,
    hash: &Value,
    arguments: &[&str],
) -> Result<String, String> {
    let mut approval = word("yes", "Approve", "sandbox", hash, HOUR);
    approval["spec"]["approver"] = json!(approver);
    kubectl(world, kubeconfig, &[&["create", "--validate=false", "-f", &world.file(&approval)], arguments].concat())
}

async fn never_upgraded(world: &World, account: &str) {
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!((world.ledger(account).await, world.records(account)), (vec![], vec![]));
}

const OWN: &str = "whoever may edit here can act as its ServiceAccounts";

/// Class: privilege escalation by an identity of one's own making. Source:
/// <https://kubernetes.io/docs/concepts/security/rbac-good-practices/#workload-creation>.
#[tokio::test(flavor = "multi_thread")]
async fn a_service_account_that_the_requester_makes_and_acts_as() {
    let (world, account, hash) = asking().await;
    let both = user(&world, "both", &[ADMIN, EDITOR, APPROVER]).await;
    let refused = approve(&world, &both.kubeconfig, "both", &hash, &[]).unwrap_err();
    assert!(refused.contains("must be approved by somebody who cannot change the Subscription"), "{refused}");

    let puppet = format!("system:serviceaccount:{}:puppet", world.namespace);
    kubectl(&world, &both.kubeconfig, &["create", "serviceaccount", "puppet"]).unwrap();
    let subject = format!("--serviceaccount={}:puppet", world.namespace);
    let bound = ["create", "rolebinding", "puppet", "--clusterrole=payg-approver", &subject];
    kubectl(&world, &both.kubeconfig, &bound).unwrap();
    let as_puppet = format!("--as={puppet}");
    let refused = async || {
        let refused = approve(&world, &both.kubeconfig, &puppet, &hash, &[&as_puppet]).unwrap_err();
        refused.contains(OWN).then_some(())
    };
    world.eventually(30, refused).await.expect("the policy's word, once the binding is in force");
    never_upgraded(&world, &account).await;
}

/// Class: privilege escalation by a token. Source:
/// <https://kubernetes.io/docs/concepts/security/rbac-good-practices/#token-request>.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_a_service_account_that_approves() {
    let (world, account, hash) = asking().await;
    let eve = user(&world, "eve", &[EDIT]).await;
    world.kubectl(&["create", "serviceaccount", "flux"]).unwrap();
    let subject = format!("--serviceaccount={}:flux", world.namespace);
    world.kubectl(&["create", "rolebinding", "flux", "--clusterrole=payg-approver", &subject]).unwrap();
    let token = kubectl(&world, &eve.kubeconfig, &["create", "token", "flux"]).unwrap();
    let flux = format!("system:serviceaccount:{}:flux", world.namespace);
    let config: Value = serde_saphyr::from_str(&std::fs::read_to_string(&eve.kubeconfig).unwrap()).unwrap();
    let mut by_token = config;
    by_token["users"][0]["user"] = json!({"token": token.trim()});
    let path = world.stack.control_plane.dir().join(format!("{}-token.kubeconfig", world.namespace));
    std::fs::write(&path, by_token.to_string()).unwrap();
    let refused = async || {
        let refused = approve(&world, &path, &flux, &hash, &[]).unwrap_err();
        refused.contains(OWN).then_some(())
    };
    world.eventually(30, refused).await.expect("the policy's word, once the binding is in force");
    never_upgraded(&world, &account).await;
}

/// Class: impersonation of an approving ServiceAccount. Source:
/// <https://kubernetes.io/docs/reference/access-authn-authz/rbac/#user-facing-roles> (`edit` may act as any ServiceAccount).
#[tokio::test(flavor = "multi_thread")]
async fn an_account_of_the_platform_that_approves_is_not_to_be_had_by_the_team() {
    let (world, account, hash) = asking().await;
    let (eve, adam) = (user(&world, "eve", &[EDIT]).await, user(&world, "adam", &[ADMIN]).await);
    let platform = format!("{}-approvals", world.namespace);
    world.stack.kubectl(&["create", "namespace", &platform]).unwrap();
    world.stack.kubectl(&["create", "serviceaccount", "flux", "--namespace", &platform]).unwrap();
    let subject = format!("--serviceaccount={platform}:flux");
    world.kubectl(&["create", "rolebinding", "flux", "--clusterrole=payg-approver", &subject]).unwrap();
    let flux = format!("system:serviceaccount:{platform}:flux");
    for somebody in [&eve, &adam] {
        let refused = approve(&world, &somebody.kubeconfig, &flux, &hash, &[&format!("--as={flux}")]).unwrap_err();
        assert!(refused.contains("cannot impersonate") || refused.contains("forbidden"), "{refused}");
        let token = ["create", "token", "flux", "--namespace", &platform];
        let kubeconfig = format!("--kubeconfig={}", somebody.kubeconfig.display());
        let refused = world.stack.kubectl(&[&[kubeconfig.as_str()][..], &token].concat());
        assert!(refused.is_err(), "{refused:?}");
    }
    never_upgraded(&world, &account).await;

    let itself = world.stack.control_plane.service_account_kubeconfig(&platform, "flux").await.unwrap();
    let approved = async || approve(&world, &itself, &flux, &hash, &[]).ok();
    world.eventually(30, approved).await.expect("the account itself may, once its binding is in force");
    world.until("sandbox", "OfferInPlace").await;
}

/// Somebody who may approve, and has these rules beside.
async fn approver_with(world: &World, name: &str, rules: Value) -> std::path::PathBuf {
    world.apply(&json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": name}, "rules": rules}));
    world.kubectl(&["create", "rolebinding", name, &format!("--role={name}"), &format!("--user={name}")]).unwrap();
    user(world, name, &[APPROVER]).await.kubeconfig
}

/// Class: separation of duties by the wrong object. Source: NIST SP 800-53 AC-5.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_can_change_what_the_upgrade_goes_through() {
    let (world, account, hash) = asking().await;
    let one = json!([{"apiGroups": ["payg-operator.io"], "resources": ["billingproviders"], "resourceNames": ["azure"],
        "verbs": ["patch"]}]);
    let patcher = approver_with(&world, "patcher", one).await;
    let why = "must be approved by somebody who cannot change BillingProvider `azure`";
    let refused = approve(&world, &patcher, "patcher", &hash, &[]).unwrap_err();
    assert!(refused.contains(why), "{refused}");
    // A provider that nobody has observed yet is observed, too.
    world.apply(&provider("another", "PortalHandoff"));
    let maker = json!([{"apiGroups": ["payg-operator.io"], "resources": ["billingproviders"], "verbs": ["create"]}]);
    let maker = approver_with(&world, "maker", maker).await;
    assert!(approve(&world, &maker, "maker", &hash, &[]).unwrap_err().contains("who cannot change BillingProvider"));
    never_upgraded(&world, &account).await;
}

/// Class: separation of duties by another verb. Source: NIST SP 800-53 AC-5.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_can_delete_the_subscription_and_create_another() {
    let (world, account, hash) = asking().await;
    let rules =
        json!([{"apiGroups": ["payg-operator.io"], "resources": ["subscriptions"], "verbs": ["create", "delete"]}]);
    let maker = approver_with(&world, "maker", rules).await;
    let refused = approve(&world, &maker, "maker", &hash, &[]).unwrap_err();
    assert!(refused.contains("must be approved by somebody who cannot change the Subscription"), "{refused}");
    // To say no takes nobody else.
    let mut deny = word("no", "Deny", "sandbox", &hash, HOUR);
    deny["spec"]["approver"] = json!("maker");
    kubectl(&world, &maker, &["create", "-f", &world.file(&deny)]).unwrap();
    world.until("sandbox", "UpgradeDenied").await;
    never_upgraded(&world, &account).await;
}
