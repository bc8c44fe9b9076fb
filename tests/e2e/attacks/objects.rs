//! Objects that are made to be too large to hold in memory.

use std::time::Duration;

use kube::api::{ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::{Api, Client, Resource};
use payg_api::{Subscription, UpgradeApproval};
use payg_test_kit::world::{World, automatic, provider, subscription};
use payg_test_kit::{Process, Stack, payg_dev};
use serde_json::{Map, Value, json};
use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep};

use crate::people::{APPROVER, EDITOR, user};

/// What the operator may use by its chart, in kB: 256 MiB.
const MEMORY_LIMIT: u64 = 256 << 10;
const BINDING: &str = "bounds.payg-operator.io";
const RECORD: &str = "up-0123456789abcdef0123456789abcdef01234567";
const LARGE_SUBSCRIPTIONS: usize = 200;
const LARGE_APPROVALS: usize = 60;

/// So many labels, or annotations, with an empty value.
fn many(count: usize) -> Value {
    (0..count).map(|number| (format!("example.com/{number}"), json!(""))).collect::<Map<_, _>>().into()
}

fn subscription_with(name: &str, metadata: &Value) -> Value {
    let mut object = subscription(name, "6f1a3c1e-0000-4a00-9000-00000000f7ee", automatic("Never"));
    object["metadata"] = metadata.clone();
    object["metadata"]["name"] = json!(name);
    object
}

fn approval(name: &str, subscription: &str, approver: &str) -> Value {
    json!({"apiVersion": "payg-operator.io/v1alpha1", "kind": "UpgradeApproval", "metadata": {"name": name},
        "spec": {"subscriptionName": subscription, "transitionHash": "0123456789abcdef", "decision": "Deny",
            "approver": approver, "reason": "a test"}})
}

fn record(name: &str) -> Value {
    json!({"apiVersion": "payg-operator.io/v1alpha1", "kind": "UpgradeRecord", "metadata": {"name": name}, "spec": {
        "key": name.trim_start_matches("up-"),
        "account": {"cloud": "aws", "id": "123456789012"},
        "from": {"class": "FreeTrial", "native": "FREE"},
        "to": {"class": "PayAsYouGo"},
        "requester": {"namespace": "team-a", "name": "sandbox", "uid": "5e1ab5b9-8d0a-4f9e-9be1-8b8f0b9f7a01"},
        "intent": {"id": "0b0b2d2a-41f9-4a2f-8a35-1f5f2a7a9f10", "notAfterTime": "2026-11-23T12:00:30Z",
            "evidence": {"observedTime": "2026-11-23T12:00:00Z", "summary": "The credit is used up."}},
        "endpoint": "https://freetier.us-east-1.api.aws",
    }})
}

/// That nobody may create `object` with this metadata, and what is said of it.
fn assert_refused(world: &World, as_user: &str, mut object: Value, metadata: &Value, says: &str) {
    let name = object["metadata"]["name"].clone();
    object["metadata"] = metadata.clone();
    object["metadata"]["name"] = name;
    let told = world.kubectl(&[as_user, "create", "-f", &world.file(&object)]).unwrap_err();
    assert!(told.contains(BINDING) && told.contains(says), "{says}: {}", &told[..told.len().min(500)]);
}

/// Class: resource exhaustion by unbounded metadata. Source: kubeflow/spark-operator#3028 (objects of one user with `edit` kill
/// the operator), CVE-2026-40886.
#[tokio::test(flavor = "multi_thread")]
async fn large_metadata_is_refused_at_admission() {
    let world = World::new().await;
    until_bound(world.stack, true).await;
    let name = format!("ed-{}", world.number);
    let ed = user(&world, &name, &[EDITOR, APPROVER]).await;
    let ed = format!("--kubeconfig={}", ed.kubeconfig.display());
    let owner = |name: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": "a"});
    let finalizers: Vec<_> = (0..17).map(|number| format!("example.com/{number}")).collect();
    let owners: Vec<_> = (0..17).map(|number| owner(&format!("owner-{number}"))).collect();
    let cases = [
        (json!({"labels": many(65)}), "metadata.labels: at most 64"),
        (json!({"annotations": {"example.com/a": "x".repeat(250_000)}}), "metadata.annotations: at most"),
        (json!({"annotations": many(65)}), "metadata.annotations: at most"),
        (json!({"finalizers": finalizers}), "metadata.finalizers: at most 16"),
        (json!({"ownerReferences": [owner(&"x".repeat(1000))]}), "metadata.ownerReferences: at most"),
        (json!({"ownerReferences": owners}), "metadata.ownerReferences: at most"),
    ];
    for (metadata, says) in cases {
        assert_refused(&world, &ed, subscription_with("large", &json!({})), &metadata, says);
        assert_refused(&world, &ed, provider("large", "Broker"), &metadata, says);
        assert_refused(&world, &ed, approval("large", "sandbox", &name), &metadata, says);
        assert_refused(&world, "--request-timeout=60s", record(RECORD), &metadata, says);
    }
}

/// Class: resource exhaustion by metadata that the API server keeps itself. Source: kubernetes/kubernetes#81816 (managers add
/// up), flyteorg/flyte#1714 (hundreds of kB of managed fields).
#[tokio::test(flavor = "multi_thread")]
async fn managed_fields_that_a_user_makes_up_are_refused() {
    let world = World::new().await;
    until_bound(world.stack, true).await;
    let ed = user(&world, &format!("ed-{}", world.number), &[EDITOR]).await;
    let ed = format!("--kubeconfig={}", ed.kubeconfig.display());
    let manager = |number: usize, fields: usize| {
        let fields: Map<_, _> = (0..fields).map(|field| (format!("f:{field}"), json!({}))).collect();
        json!({"manager": format!("manager-{number}"), "operation": "Apply", "apiVersion": "payg-operator.io/v1alpha1",
            "time": "2026-01-01T00:00:00Z", "fieldsType": "FieldsV1", "fieldsV1": {"f:metadata": {"f:labels": fields}}})
    };
    let managers: Vec<_> = (0..33).map(|number| manager(number, 1)).collect();
    for managers in [json!(managers), json!([manager(0, 40_000)])] {
        let metadata = json!({"managedFields": managers});
        assert_refused(
            &world,
            &ed,
            subscription_with("large", &json!({})),
            &metadata,
            "metadata.managedFields: at most",
        );
    }
}

/// Class: a bound that keeps out those who mean well. Source: kubernetes/kubernetes#82292 and the 262144 bytes of `kubectl
/// apply`'s last-applied annotation; the labels are those of Argo CD, Flux and Helm.
#[tokio::test(flavor = "multi_thread")]
async fn metadata_written_by_tools_is_accepted() {
    let world = World::new().await;
    let ed = user(&world, &format!("ed-{}", world.number), &[EDITOR]).await;
    let ed = format!("--kubeconfig={}", ed.kubeconfig.display());
    let labels = json!({"app.kubernetes.io/instance": "team-a", "app.kubernetes.io/managed-by": "Helm",
        "app.kubernetes.io/name": "sandboxes", "app.kubernetes.io/version": "1.2.3", "helm.sh/chart": "sandboxes-1.2.3",
        "argocd.argoproj.io/instance": "team-a", "kustomize.toolkit.fluxcd.io/name": "team-a",
        "kustomize.toolkit.fluxcd.io/namespace": "flux-system"});
    let annotations = json!({"argocd.argoproj.io/tracking-id": "team-a:payg-operator.io/Subscription:team-a/sandbox",
        "meta.helm.sh/release-name": "team-a", "meta.helm.sh/release-namespace": "team-a",
        "reconcile.fluxcd.io/requestedAt": "2026-03-01T12:00:00Z", "payg-operator.io/requested-at": "2026-03-01T12:00:00Z",
        "example.com/note": "x".repeat(4000)});
    let metadata = json!({"labels": labels, "annotations": annotations, "finalizers": ["example.com/keep"]});
    let mut sandbox = subscription_with("sandbox", &metadata);
    for when in ["Never", "BenefitsExhausted"] {
        sandbox["spec"]["upgrade"] = automatic(when);
        world.kubectl(&[&ed, "apply", "-f", &world.file(&sandbox)]).unwrap();
    }
    let annotations = world.subscription("sandbox")["metadata"]["annotations"].clone();
    assert!(annotations["kubectl.kubernetes.io/last-applied-configuration"].is_string(), "{annotations:#}");
    let applied = ["apply", "--server-side", "--force-conflicts", "-f", &world.file(&sandbox)];
    for manager in ["argocd-controller", "kustomize-controller", "helm"] {
        world.kubectl(&[&[ed.as_str(), "--field-manager", manager], applied.as_slice()].concat()).unwrap();
    }
    let free = json!({"metadata": {"finalizers": null}}).to_string();
    world.kubectl(&["patch", "subscriptions.payg-operator.io", "sandbox", "--type=merge", "-p", &free]).unwrap();
}

/// Class: resource exhaustion by number. Source: the advice on quota for custom resources,
/// <https://kubernetes.io/docs/concepts/policy/resource-quotas/#quota-on-object-count>; kubeflow/spark-operator#3028.
#[tokio::test(flavor = "multi_thread")]
async fn a_quota_bounds_how_much_a_team_stores() {
    let world = World::new().await;
    if !world.stack.control_plane.has_controller_manager() {
        println!("skipped: without a kube-controller-manager no quota is counted");
        return;
    }
    let documented = include_str!("../../../docs/operate/multi-tenancy.md");
    let (_, quota) = documented.split_once("kubectl create quota payg ").unwrap();
    let (_, hard) = quota.split_once("--hard=").unwrap();
    let hard = hard.split_whitespace().next().unwrap();
    for kind in ["subscriptions", "billingproviders", "upgradeapprovals"] {
        assert!(hard.contains(&format!("count/{kind}.payg-operator.io=")), "{hard}");
    }
    // Of the same form, and small.
    let small: Vec<_> = hard.split(',').map(|one| format!("{}=3", one.split('=').next().unwrap())).collect();
    let small = format!("--hard={}", small.join(","));
    // The controller that counts hears of new kinds every half a minute, and counts a quota from before only then.
    let counted = async || {
        let _ = world.kubectl(&["delete", "quota", "payg"]);
        world.kubectl(&["create", "quota", "payg", &small]).unwrap();
        sleep(Duration::from_secs(3)).await;
        let used = &world.get("resourcequota", "payg")["status"]["used"]["count/billingproviders.payg-operator.io"];
        (used == "1").then_some(())
    };
    let is_counted = world.eventually(180, counted).await.is_some();
    assert!(is_counted, "the quota is not counted: {:#}", world.get("resourcequota", "payg"));
    let ed = format!("ed-{}", world.number);
    user(&world, &ed, &[EDITOR]).await;
    let create = |number: u32| world.create_as(&ed, &subscription_with(&format!("sandbox-{number}"), &json!({})));
    for number in 0..3 {
        create(number).unwrap();
    }
    let told = create(3).unwrap_err();
    assert!(told.contains("exceeded quota: payg"), "{told}");
    world.kubectl(&["delete", "subscriptions.payg-operator.io", "sandbox-0"]).unwrap();
    let again = async || create(3).ok();
    world.eventually(30, again).await.expect("there is room again");
}

fn objects<K: Resource<DynamicType = ()>>(client: &Client, namespace: &str) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), namespace, &ApiResource::erase::<K>(&()))
}

/// 1.2 MB: an annotation of 250 kB, and labels that the API server notes in the managed fields, too.
fn large(mut object: Value) -> Value {
    let [b, c, d, e, value] = ["b", "c", "d", "e", "v"].map(|letter| letter.repeat(60));
    let label = |number: usize| (format!("a{number}.{b}.{c}.{d}/{e}"), json!(value));
    object["metadata"]["labels"] = (0..1700).map(label).collect::<Map<_, _>>().into();
    object["metadata"]["annotations"] = json!({"example.com/a": "x".repeat(250_000)});
    object
}

/// Has mallory store `object` as large as the API server takes it, and puts so many more beside it, which only takes less time.
async fn store<K: Resource<DynamicType = ()>>(stack: &Stack, mallory: &Client, object: Value, count: usize) {
    let namespace = object["metadata"]["namespace"].as_str().unwrap().to_owned();
    let api = objects::<K>(mallory, &namespace);
    let first = api.create(&PostParams::default(), &serde_json::from_value(large(object)).unwrap()).await.unwrap();
    let mut stored = serde_json::to_value(&first).unwrap();
    let length = stored.to_string().len();
    assert!(length > 1_100_000, "it has only {length} bytes");
    stored["metadata"].as_object_mut().unwrap().remove("resourceVersion");
    for number in 1..count {
        let name = format!("large-{number}");
        stored["metadata"]["name"] = json!(name);
        stored["metadata"]["uid"] = json!(format!("00000000-0000-4000-8000-{number:012x}"));
        if stored["spec"]["account"].is_object() {
            stored["spec"]["account"]["azure"]["subscriptionId"] = json!(account(number));
        }
        let key = format!("/registry/payg-operator.io/{}/{namespace}/{name}", K::plural(&()));
        stack.control_plane.etcd_put(&key, stored.to_string().as_bytes()).await.unwrap();
    }
}

/// An account that nobody has.
fn account(number: usize) -> String {
    format!("0badc0de-0000-4a00-9000-{number:012x}")
}

/// Waits until a label too many is refused, or let through.
async fn until_bound(stack: &Stack, is_bound: bool) {
    let probe = stack.control_plane.dir().join("probe.json");
    std::fs::write(&probe, subscription_with("probe", &json!({"labels": many(65)})).to_string()).unwrap();
    let create = ["create", "-n", "default", "--dry-run=server", "-f", probe.to_str().unwrap()];
    let deadline = Instant::now() + Duration::from_mins(1);
    while stack.kubectl(&create).is_err() != is_bound {
        assert!(Instant::now() < deadline, "the policy is not taken note of");
        sleep(Duration::from_millis(100)).await;
    }
}

/// A stack in which mallory has stored large objects before there was a bound on them: Subscriptions, and approvals of the small
/// one called `heap`.
static BEFORE: OnceCell<(Stack, String)> = OnceCell::const_new();

async fn before() -> (&'static Stack, &'static str) {
    let (stack, namespace) = BEFORE.get_or_init(store_before).await;
    (stack, namespace)
}

async fn store_before() -> (Stack, String) {
    let stack = Stack::start(payg_dev(), 3600).await.unwrap();
    let namespace = "mallorys".to_owned();
    stack.kubectl(&["create", "namespace", &namespace]).unwrap();
    let binding = "validatingadmissionpolicybindings.admissionregistration.k8s.io";
    let shipped = stack.kubectl(&["get", binding, BINDING, "-o", "json"]).unwrap();
    stack.kubectl(&["delete", binding, BINDING]).unwrap();
    until_bound(&stack, false).await;
    for (name, role) in [("edits", "payg-editor"), ("approves", "payg-approver")] {
        let role = format!("--clusterrole={role}");
        stack.kubectl(&["create", "rolebinding", name, &role, "--user=mallory", "-n", &namespace]).unwrap();
    }
    let kubeconfig = stack.control_plane.user_kubeconfig("mallory", &[]).unwrap();
    let mallory = payg_test_kit::client(&kubeconfig).await.unwrap();
    let subscriptions = objects::<Subscription>(&mallory, &namespace);
    let upgrade = json!({"when": "BenefitsExhausted", "approval": "Manual"});
    let heap = subscription("heap", &account(9999), upgrade.clone());
    // Whoever may approve is known a moment after the binding is made.
    while subscriptions.create(&PostParams::default(), &serde_json::from_value(heap.clone()).unwrap()).await.is_err() {
        sleep(Duration::from_millis(200)).await;
    }
    let mut first = subscription("large-0", &account(0), upgrade);
    first["metadata"]["namespace"] = json!(namespace);
    store::<Subscription>(&stack, &mallory, first, LARGE_SUBSCRIPTIONS).await;
    let mut first = approval("large-0", "heap", "mallory");
    first["metadata"]["namespace"] = json!(namespace);
    store::<UpgradeApproval>(&stack, &mallory, first, LARGE_APPROVALS).await;
    let mut shipped: Value = serde_json::from_str(&shipped).unwrap();
    shipped["metadata"] = json!({"name": BINDING});
    let file = stack.control_plane.dir().join("bounds.json");
    std::fs::write(&file, shipped.to_string()).unwrap();
    stack.kubectl(&["create", "-f", file.to_str().unwrap()]).unwrap();
    until_bound(&stack, true).await;
    (stack, namespace)
}

/// The most memory that a process has used so far, in kB.
fn peak(process: &Process) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn assert_within_memory(process: &Process, when: &str) {
    let peak = peak(process);
    println!("FIGURE memory {when}: {} MiB at most, of {} MiB", peak >> 10, MEMORY_LIMIT >> 10);
    assert!(peak < MEMORY_LIMIT, "{when} the operator uses {peak} kB");
}

/// How many lists of Subscriptions the operator has read from the beginning.
fn lists(stack: &Stack) -> usize {
    let audit = stack.control_plane.audit().unwrap();
    let is_list = |event: &&Value| {
        let uri = event["requestURI"].as_str().unwrap_or_default();
        event["user"]["username"] == "system:serviceaccount:payg-operator:payg-operator"
            && event["verb"] == "list"
            && uri.starts_with("/apis/payg-operator.io/v1alpha1/subscriptions")
            && !uri.contains("continue=")
    };
    audit.iter().filter(is_list).count()
}

async fn until_observed(api: &Api<DynamicObject>, name: &str) {
    let deadline = Instant::now() + Duration::from_mins(4);
    while api.get(name).await.unwrap().data["status"]["conditions"].is_null() {
        assert!(Instant::now() < deadline, "{name} is never looked at");
        sleep(Duration::from_millis(500)).await;
    }
}

/// Class: a tenant's objects keep the operator from starting. Source: CVE-2026-40886, kubeflow/spark-operator#3028.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a machine for itself: make attacks"]
async fn the_operator_works_within_its_memory_beside_large_objects() {
    let (stack, namespace) = before().await;
    let jane = World::on(stack).await;
    let account = jane.account(json!({})).await;
    jane.subscribe("sandbox", &account, automatic("BenefitsExhausted"));
    let mut operator = stack.operator("operator-0", &[]).await.unwrap();
    jane.until("sandbox", "WaitingForExhaustion").await;
    assert_within_memory(&operator, "at the start");

    let subscriptions = objects::<Subscription>(&stack.control_plane.admin_client().unwrap(), namespace);
    until_observed(&subscriptions, "heap").await;
    // In the order of their names some twenty come before the last of these.
    for name in ["large-0", "large-1", "large-12"] {
        until_observed(&subscriptions, name).await;
    }
    assert_within_memory(&operator, "after passes over the large objects and the approvals");

    let before = lists(stack);
    stack.control_plane.restart_api_server().await.unwrap();
    jane.kubectl(&["delete", "subscriptions.payg-operator.io", "sandbox"]).unwrap();
    jane.subscribe("again", &account, automatic("BenefitsExhausted"));
    jane.until("again", "WaitingForExhaustion").await;
    let again = lists(stack) - before;
    assert_within_memory(&operator, &format!("after a restart of the API server and {again} new lists"));
    let status = operator.stop(Duration::from_secs(35)).await.unwrap();
    assert!(status.success(), "{status}: {}", operator.log_tail(20));
}

/// Class: a bound that keeps what broke it. Source: kubernetes/enhancements KEP-4008 (ratcheting: what is unchanged stays valid),
/// finalizers that nobody may take off any more.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a machine for itself: make attacks"]
async fn a_large_object_from_before_can_be_changed_made_smaller_and_deleted() {
    let (stack, namespace) = before().await;
    let kubeconfig = stack.control_plane.user_kubeconfig("mallory", &[]).unwrap();
    let api = objects::<Subscription>(&payg_test_kit::client(&kubeconfig).await.unwrap(), namespace);
    let name = format!("large-{}", LARGE_SUBSCRIPTIONS - 1);
    let patch = async |patch: Value| api.patch(&name, &PatchParams::default(), &Patch::Merge(patch)).await;
    patch(json!({"spec": {"suspend": true}})).await.unwrap();
    for larger in [json!({"annotations": {"example.com/b": "x"}}), json!({"labels": {"example.com/b": "x"}})] {
        let told = patch(json!({"metadata": larger})).await.unwrap_err().to_string();
        assert!(told.contains(BINDING), "{told}");
    }
    patch(json!({"metadata": {"finalizers": ["example.com/keep"]}})).await.unwrap();
    patch(json!({"metadata": {"annotations": {"example.com/a": "x".repeat(200_000)}}})).await.unwrap();
    api.delete(&name, &DeleteParams::default()).await.unwrap();
    patch(json!({"metadata": {"finalizers": null}})).await.unwrap();
    assert!(api.get_opt(&name).await.unwrap().is_none());
    let name = format!("large-{}", LARGE_SUBSCRIPTIONS - 2);
    let small = json!({"metadata": {"annotations": null, "labels": null}});
    let small = api.patch(&name, &PatchParams::default(), &Patch::Merge(small)).await.unwrap();
    assert_eq!((small.metadata.labels, small.metadata.annotations), (None, None));
}
