//! Approvals from when nobody checked them. The policies are altered here, so there is a control plane for these tests alone,
//! and they go one after the other.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use payg_test_kit::world::{RATE, World, message};
use payg_test_kit::{Process, REPOSITORY, Stack, payg_dev};
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard, OnceCell};

use crate::approvals::word;

const HOUR: Duration = Duration::from_hours(1);
const POLICY: &str = "validatingadmissionpolicies";
const BINDING: &str = "validatingadmissionpolicybindings";
const APPROVALS: &str = "upgradeapprovals.payg-operator.io";

static STACK: OnceCell<(Stack, Process)> = OnceCell::const_new();
static ALONE: Mutex<()> = Mutex::const_new(());

async fn start() -> (Stack, Process) {
    let stack = Stack::start(payg_dev(), RATE).await.unwrap();
    let operator = stack.operator("operator", &["--max-upgrades-per-hour", "1000"]).await.unwrap();
    (stack, operator)
}

/// The stack, an account whose upgrade waits for an Approve, its hash, and lim: who may write UpgradeApprovals and approve
/// nothing.
struct Scene {
    _alone: MutexGuard<'static, ()>,
    stack: &'static Stack,
    world: World,
    account: String,
    hash: Value,
    lim: PathBuf,
}

impl Scene {
    async fn new() -> Self {
        let alone = ALONE.lock().await;
        let (stack, _) = STACK.get_or_init(start).await;
        let world = World::on(stack).await;
        let rule = ["create", "role", "lim", "--verb=create", "--resource=upgradeapprovals.payg-operator.io"];
        world.kubectl(&rule).unwrap();
        world.kubectl(&["create", "rolebinding", "lim", "--role=lim", "--user=lim"]).unwrap();
        let lim = stack.control_plane.user_kubeconfig("lim", &[]).unwrap();
        let account = world.account(json!({})).await;
        world.subscribe("sandbox", &account, json!({"when": "Immediately", "approval": "Manual"}));
        let asking = world.until("sandbox", "AwaitingApproval").await;
        let hash = asking["status"]["transition"]["hash"].clone();
        let scene = Self { _alone: alone, stack, world, account, hash, lim };
        // As long as it is refused, so that its own role is in force.
        let checked =
            async || scene.forge("probe", &[]).err().filter(|refused| refused.contains("spec.approver must be"));
        scene.world.eventually(30, checked).await.expect("the policies are in force");
        scene
    }

    /// An Approve in the name of somebody else.
    fn forge(&self, name: &str, arguments: &[&str]) -> Result<String, String> {
        let mut forged = word(name, "Approve", "sandbox", &self.hash, HOUR);
        forged["spec"]["approver"] = json!("the-boss");
        let kubeconfig = format!("--kubeconfig={}", self.lim.display());
        let create = ["create", "--validate=false", "-f", &self.world.file(&forged)];
        self.world.kubectl(&[&[kubeconfig.as_str()], &create[..], arguments].concat())
    }

    /// Forges one after the other until the first is refused, and returns how many were accepted and for how long.
    fn forge_until_refused(&self, name: &str, arguments: &[&str]) -> (usize, Duration) {
        let (began, mut taken) = (Instant::now(), 0);
        while began.elapsed() < Duration::from_secs(20) {
            match self.forge(&format!("{name}-{taken}"), arguments) {
                Ok(_) => taken += 1,
                Err(refused) if refused.contains("spec.approver must be") => return (taken, began.elapsed()),
                Err(_) => {}
            }
        }
        panic!("the policies are never in force again");
    }

    fn kubectl(&self, arguments: &[&str]) -> String {
        self.stack.kubectl(arguments).unwrap()
    }

    fn apply(&self) {
        self.kubectl(&["apply", "--server-side", "--force-conflicts", "-f", &shipped()]);
    }

    /// Forges an approval that nothing checks, as soon as nothing does.
    async fn forge_until_taken(&self, name: &str) {
        let taken = async || self.forge(name, &[]).ok();
        self.world.eventually(30, taken).await.unwrap_or_else(|| panic!("{name} is refused"));
    }

    /// The operator says that something forged does not count, and goes on saying so; nothing was upgraded.
    async fn nothing_forged_counts(&self) {
        let says = async || {
            let message = message(&self.world.subscription("sandbox"));
            (message.contains("does not count")
                || message.contains("missing: ")
                || message.contains("not as shipped: "))
            .then_some(())
        };
        self.world
            .eventually(60, says)
            .await
            .unwrap_or_else(|| panic!("{:#}", self.world.subscription("sandbox")["status"]));
        self.never_upgraded().await;
    }

    async fn never_upgraded(&self) {
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!((self.world.ledger(&self.account).await, self.world.records(&self.account)), (vec![], vec![]));
    }
}

fn shipped() -> String {
    format!("{REPOSITORY}/deploy/kustomize/base/admission.yaml")
}

/// Class: approvals of before a policy is enforced. Source: kubernetes/kubernetes#134921, kubernetes/kubernetes#119180.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a control plane for itself: make attacks"]
async fn forged_while_the_policies_are_created_anew() {
    let scene = Scene::new().await;
    for (round, kinds) in [vec![POLICY, BINDING], vec![BINDING], vec![POLICY], vec![POLICY, BINDING]].iter().enumerate()
    {
        for kind in kinds {
            scene.kubectl(&["delete", kind, APPROVALS]);
        }
        scene.apply();
        let (taken, lag) = scene.forge_until_refused(&format!("round-{round}"), &[]);
        println!("round {round}: {taken} forged approvals were taken in {lag:?} after kubectl apply");
    }
    // One that the API server surely took while nothing checked it.
    scene.kubectl(&["delete", BINDING, APPROVALS]);
    scene.forge_until_taken("surely-forged").await;
    scene.apply();
    scene.forge_until_refused("afterwards", &[]);
    scene.nothing_forged_counts().await;
}

/// Class: a guard that is loosened and put back. Source: <https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/#validation-actions>.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a control plane for itself: make attacks"]
async fn forged_while_a_binding_only_audits() {
    let scene = Scene::new().await;
    scene.kubectl(&["patch", BINDING, APPROVALS, "--type=merge", "-p", r#"{"spec":{"validationActions":["Audit"]}}"#]);
    scene.forge_until_taken("audited").await;
    scene.kubectl(&["patch", BINDING, APPROVALS, "--type=merge", "-p", r#"{"spec":{"validationActions":["Deny"]}}"#]);
    scene.forge_until_refused("afterwards", &[]);
    scene.nothing_forged_counts().await;
}

/// Class: a guard that excepts somebody for a while. Source: CWE-863.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a control plane for itself: make attacks"]
async fn forged_while_a_policy_has_an_exception() {
    let scene = Scene::new().await;
    let exception =
        json!({"spec": {"matchConditions": [{"name": "not-lim", "expression": "request.userInfo.username != 'lim'"}]}});
    scene.kubectl(&["patch", POLICY, APPROVALS, "--type=merge", "-p", &exception.to_string()]);
    scene.forge_until_taken("excepted").await;
    scene.kubectl(&["replace", "-f", &shipped()]);
    scene.forge_until_refused("afterwards", &[]);
    scene.nothing_forged_counts().await;
}

/// When the API server says that the spec of a policy or a binding was changed for the last time.
fn last_change(stack: &Stack, kind: &str, name: &str) -> Timestamp {
    let text = stack.kubectl(&["get", kind, name, "-o", "json", "--show-managed-fields"]).unwrap();
    let object: Value = serde_json::from_str(&text).unwrap();
    let entries = object["metadata"]["managedFields"].as_array().unwrap().iter();
    let of_spec = entries.filter(|entry| entry["subresource"].is_null() && entry["fieldsV1"]["f:spec"].is_object());
    of_spec.map(|entry| entry["time"].as_str().unwrap().parse::<Timestamp>().unwrap()).max().unwrap()
}

/// Class: a guard that is loosened and put back without a trace. Source:
/// <https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management>.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a machine for itself: make attacks"]
async fn every_way_to_loosen_a_policy_leaves_its_time_when_it_is_put_back() {
    let scene = Scene::new().await;
    let nobody = json!({"matchLabels": {"checked": "yes"}});
    let exclude = json!([{"apiGroups": ["payg-operator.io"], "apiVersions": ["*"], "resources": ["*"], "operations": ["*"], "scope": "*"}]);
    let loosened = [
        (POLICY, json!({"failurePolicy": "Ignore"})),
        (POLICY, json!({"validations": [{"expression": "true"}]})),
        (POLICY, json!({"matchConditions": [{"name": "never", "expression": "false"}]})),
        (POLICY, json!({"matchConditions": null})),
        (POLICY, json!({"matchConstraints": {"namespaceSelector": nobody}})),
        (POLICY, json!({"matchConstraints": {"objectSelector": nobody}})),
        (POLICY, json!({"matchConstraints": {"matchPolicy": "Exact"}})),
        (POLICY, json!({"matchConstraints": {"excludeResourceRules": exclude}})),
        // With Warn it could not be put back by server-side apply, which adds to a set and takes nothing out of it.
        (BINDING, json!({"validationActions": ["Audit"]})),
        (BINDING, json!({"matchResources": {"namespaceSelector": nobody}})),
        (BINDING, json!({"matchResources": {"objectSelector": nobody}})),
        (BINDING, json!({"matchResources": {"excludeResourceRules": exclude}})),
        (BINDING, json!({"matchResources": null})),
    ];
    let ways: [&[&str]; 3] = [
        &["replace", "-f"],
        &["apply", "--server-side", "--force-conflicts", "-f"],
        &["apply", "--server-side", "--force-conflicts", "--field-manager=kustomize-controller", "-f"],
    ];
    for way in ways {
        for (kind, change) in &loosened {
            scene.kubectl(&["patch", kind, APPROVALS, "--type=merge", "-p", &json!({"spec": change}).to_string()]);
            // Times are in whole seconds.
            tokio::time::sleep(Duration::from_millis(1100)).await;
            let before = Timestamp::now().as_second();
            scene.kubectl(&[way, &[shipped().as_str()]].concat());
            let noted = last_change(scene.stack, kind, APPROVALS).as_second();
            assert!(noted >= before, "{kind} {change} put back by {way:?} at {before}: noted {noted}");
        }
        // What changes nothing leaves the time as it is: a GitOps controller applies every ten minutes.
        let before = last_change(scene.stack, BINDING, APPROVALS);
        tokio::time::sleep(Duration::from_millis(1100)).await;
        scene.kubectl(&[way, &[shipped().as_str()]].concat());
        assert_eq!(last_change(scene.stack, BINDING, APPROVALS), before, "{way:?}");
    }
    scene.kubectl(&["replace", "-f", &shipped()]);
    scene.forge_until_refused("afterwards", &[]);
}

/// Class: a demand that is taken back for a while. Source: CWE-863.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a control plane for itself: make attacks"]
async fn approved_by_the_requester_while_the_label_was_away() {
    let scene = Scene::new().await;
    let label = |value: &str| {
        scene.kubectl(&[
            "label",
            "namespace",
            &scene.world.namespace,
            &format!("payg-operator.io/second-person{value}"),
        ])
    };
    label("=required");
    for role in ["payg-editor", "payg-approver"] {
        scene.world.kubectl(&["create", "rolebinding", role, &format!("--clusterrole={role}"), "--user=both"]).unwrap();
    }
    let both = scene.stack.control_plane.user_kubeconfig("both", &[]).unwrap();
    let both = format!("--kubeconfig={}", both.display());
    label("-");
    let mut own = word("own", "Approve", "sandbox", &scene.hash, HOUR);
    own["spec"]["approver"] = json!("both");
    let file = scene.world.file(&own);
    // Dry, until it would be taken: it must not be acted upon before the label is back.
    let would =
        async || scene.world.kubectl(&[&both, "create", "--dry-run=server", "--validate=false", "-f", &file]).ok();
    scene.world.eventually(30, would).await.expect("nothing refuses it");
    scene
        .world
        .kubectl(&[
            "patch",
            "subscriptions.payg-operator.io",
            "sandbox",
            "--type=merge",
            "-p",
            r#"{"spec":{"suspend":true}}"#,
        ])
        .unwrap();
    scene.world.until("sandbox", "Suspended").await;
    scene.world.kubectl(&[&both, "create", "--validate=false", "-f", &file]).unwrap();
    label("=required");
    scene
        .world
        .kubectl(&[
            "patch",
            "subscriptions.payg-operator.io",
            "sandbox",
            "--type=merge",
            "-p",
            r#"{"spec":{"suspend":false}}"#,
        ])
        .unwrap();
    scene.nothing_forged_counts().await;
    assert!(
        message(&scene.world.subscription("sandbox"))
            .contains("the label payg-operator.io/second-person of this namespace")
    );
}

/// Class: approvals of before a policy is enforced, by an API server that is behind. Source: kubernetes/kubernetes#134921.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a machine for itself: make attacks"]
async fn forged_at_another_api_server_of_the_control_plane() {
    let scene = Scene::new().await;
    let mut servers = Vec::new();
    for _ in 0..2 {
        servers.push(format!("--server={}", scene.stack.control_plane.another_api_server().await.unwrap()));
    }
    let mut longest = Duration::ZERO;
    for round in 0..3 {
        scene.kubectl(&["delete", BINDING, APPROVALS]);
        scene.apply();
        for (number, server) in servers.iter().enumerate() {
            let (taken, lag) = scene.forge_until_refused(&format!("server-{number}-{round}"), &[server]);
            println!("round {round}, API server {number}: {taken} forged approvals were taken in {lag:?}");
            longest = longest.max(lag);
        }
    }
    println!("the longest lag of three API servers behind one etcd: {longest:?}");
    assert!(longest < Duration::from_secs(30), "half of the margin");
    scene.never_upgraded().await;
}

/// Class: Automatic of before anybody asked whose it is. Source: CWE-862.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a control plane for itself: make attacks"]
async fn automatic_from_before_the_label_asks_for_a_person() {
    let scene = Scene::new().await;
    let world = &scene.world;
    let account = world.account(json!({"periodDays": 3000})).await;
    world.subscribe("by-itself", &account, json!({"when": "BenefitsExhausted", "approval": "Automatic"}));
    world.until("by-itself", "WaitingForExhaustion").await;
    scene.kubectl(&["label", "namespace", &world.namespace, "payg-operator.io/automatic=needs-approve"]);
    world.subscribe("by-itself", &account, json!({"when": "Immediately", "approval": "Automatic"}));
    let told = world.until("by-itself", "ApprovalPolicyMissing").await;
    assert!(message(&told).contains("`approval: Automatic` of this Subscription does not count"), "{}", message(&told));
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!((world.ledger(&account).await, world.records(&account)), (vec![], vec![]));

    // A person can still say yes.
    tokio::time::sleep(Duration::from_secs(62)).await;
    world.kubectl(&["create", "rolebinding", "jane", "--clusterrole=payg-approver", "--user=jane"]).unwrap();
    let hash = &world.subscription("by-itself")["status"]["transition"]["hash"];
    let yes = word("yes", "Approve", "by-itself", hash, HOUR);
    let said = async || world.create_as("jane", &yes).ok();
    world.eventually(30, said).await.expect("jane's word");
    world.until("by-itself", "UpgradeAccepted").await;
    assert_eq!(world.records(&account)[0]["spec"]["intent"]["approval"]["approver"], "jane");
}
