//! One tenant that keeps the operator busy. What another tenant waits is measured, from a change of a Subscription until its
//! status is about that change, after a new look.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::{StreamExt, stream};
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use payg_api as api;
use payg_test_kit::world::{World, condition, subscription};
use payg_test_kit::{Process, Stack, payg_dev};
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard, OnceCell};
use tokio::time::{Instant, sleep};

use crate::people::{EDITOR, user};

static STACK: OnceCell<(Stack, Process)> = OnceCell::const_new();
static ALONE: Mutex<()> = Mutex::const_new(());

/// A stack of their own, with an operator as it is shipped, for one test at a time: nobody else's load is measured.
async fn alone() -> (MutexGuard<'static, ()>, &'static Stack) {
    let guard = ALONE.lock().await;
    let start = async || {
        let stack = Stack::start(payg_dev(), 1).await.unwrap();
        let operator = stack.operator("operator-0", &[]).await.unwrap();
        (stack, operator)
    };
    (guard, &STACK.get_or_init(start).await.0)
}

/// How many changes are measured.
const CHANGES: usize = 9;
/// Nobody may be made to wait this long.
const SHORT: Duration = Duration::from_secs(1);

/// Somebody with one account, who changes its Subscription now and then.
struct Jane {
    world: World,
    api: Api<DynamicObject>,
}

impl Jane {
    async fn on(stack: &'static Stack) -> Self {
        let world = World::on(stack).await;
        let account = world.account(json!({})).await;
        world.subscribe("sandbox", &account, json!({"when": "BenefitsExhausted", "approval": "Manual"}));
        world.until("sandbox", "WaitingForExhaustion").await;
        let api = subscriptions(stack.control_plane.admin_client().unwrap(), &world.namespace);
        Self { world, api }
    }

    /// How long it takes until a change is observed.
    async fn waits(&self, change: usize) -> Duration {
        let end = format!("2030-01-{:02}T00:00:00Z", change % 27 + 1);
        let patch = json!({"spec": {"trial": {"endTime": end}}});
        let before = self.api.get("sandbox").await.unwrap().data["status"]["lastObservedTime"].clone();
        let began = Instant::now();
        let changed = self.api.patch("sandbox", &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
        loop {
            let now = self.api.get("sandbox").await.unwrap();
            let status = &now.data["status"];
            let is_seen = status["observedGeneration"] == json!(changed.metadata.generation);
            if is_seen && status["lastObservedTime"] != before {
                return began.elapsed();
            }
            assert!(began.elapsed() < Duration::from_mins(2), "the change is not looked at: {status:#}");
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// What changes one after the other wait: the median, and the longest. Times in status have whole seconds.
    async fn wait(&self) -> (Duration, Duration) {
        let mut waits = Vec::new();
        for change in 0..CHANGES {
            waits.push(self.waits(change).await);
            sleep(Duration::from_millis(1100)).await;
        }
        waits.sort();
        (waits[CHANGES / 2], waits[CHANGES - 1])
    }
}

/// Shows by how much the wait is longer than it was `before`, and demands that it is not much.
fn compare(what: &str, before: (Duration, Duration), during: (Duration, Duration)) {
    let delay = during.0.saturating_sub(before.0);
    println!(
        "FIGURE {what}: a change waits {:?} (longest {:?}) at rest, {:?} (longest {:?}) beside it: {delay:?} more",
        before.0, before.1, during.0, during.1
    );
    assert!(delay < SHORT, "{what} delays another tenant by {delay:?}");
}

fn subscriptions(client: Client, namespace: &str) -> Api<DynamicObject> {
    Api::namespaced_with(client, namespace, &ApiResource::erase::<api::Subscription>(&()))
}

/// A namespace of mallory's, who may edit there, and her own way to its Subscriptions.
async fn mallory(stack: &'static Stack) -> (World, Api<DynamicObject>) {
    let world = World::on(stack).await;
    let name = format!("mallory-{}", world.number);
    let kubeconfig = user(&world, &name, &[EDITOR]).await.kubeconfig;
    let api = subscriptions(payg_test_kit::client(&kubeconfig).await.unwrap(), &world.namespace);
    (world, api)
}

async fn create(api: &Api<DynamicObject>, objects: impl IntoIterator<Item = Value>) {
    let create = async |object: Value| {
        api.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap();
    };
    stream::iter(objects).map(create).buffer_unordered(8).collect::<()>().await;
}

/// Subscriptions of accounts that there are not, by the BillingProvider called `azure`.
fn of_nothing(world: &World, count: u32) -> impl Iterator<Item = Value> {
    let upgrade = json!({"when": "BenefitsExhausted", "approval": "Manual"});
    (0..count).map(move |number| {
        let account = format!("{:08x}-dead-4a00-9000-{number:012x}", world.number);
        subscription(&format!("dead-{number}"), &account, upgrade.clone())
    })
}

/// Subscriptions of accounts about which the cloud does not answer before everybody has given up.
async fn that_hang(world: &World, count: u32) -> Vec<Value> {
    let mut subscriptions = Vec::new();
    for number in 0..count {
        let account = world.account(json!({})).await;
        world.fault("*", &account, None, json!({"latency": {"millis": 60_000}})).await;
        subscriptions.push(subscription(
            &format!("hangs-{number}"),
            &account,
            json!({"when": "BenefitsExhausted", "approval": "Manual"}),
        ));
    }
    subscriptions
}

/// Class: starvation of a shared queue by one tenant. Source: kubernetes/kubernetes#25744 (a thousand objects of user A come
/// before the one of user B) and kubernetes-retired/multi-tenancy#1134.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a machine for itself: make attacks"]
async fn a_thousand_subscriptions_with_a_dead_provider_delay_nobody_else() {
    let (_alone, stack) = alone().await;
    let jane = Jane::on(stack).await;
    let before = jane.wait().await;
    let (world, theirs) = mallory(stack).await;
    world.apply(&world.application(json!({"subscriptions": [], "billing": "None"})).await);
    create(&theirs, of_nothing(&world, 1000)).await;
    compare("a thousand Subscriptions with a dead provider", before, jane.wait().await);
}

/// Class: a dependency that hangs uses up a shared pool. Source: kyma-incubator/reconciler#1098 (an outage of a service held
/// every worker), opensearch-project/opensearch-k8s-operator#1333.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a machine for itself: make attacks"]
async fn a_provider_that_hangs_delays_nobody_else() {
    let (_alone, stack) = alone().await;
    let jane = Jane::on(stack).await;
    let before = jane.wait().await;
    let (world, theirs) = mallory(stack).await;
    create(&theirs, that_hang(&world, 60).await).await;
    compare("sixty accounts that hang", before, jane.wait().await);
}

/// Class: a bound per dependency that is got round by many dependencies. Source: mckinsey/agents-at-scale-ark#2698 (a bounded
/// pool that one namespace fills), CWE-770.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a machine for itself: make attacks"]
async fn many_providers_that_hang_delay_nobody_else() {
    let (_alone, stack) = alone().await;
    let jane = Jane::on(stack).await;
    let before = jane.wait().await;
    let (world, theirs) = mallory(stack).await;
    let mut subscriptions = that_hang(&world, 40).await;
    for (number, subscription) in subscriptions.iter_mut().enumerate() {
        let mut provider = world.get("billingproviders.payg-operator.io", "azure");
        provider["metadata"] = json!({"name": format!("azure-{number}")});
        provider.as_object_mut().unwrap().remove("status");
        subscription["spec"]["providerName"] = provider["metadata"]["name"].clone();
        world.apply(&provider);
    }
    create(&theirs, subscriptions).await;
    compare("forty BillingProviders that hang", before, jane.wait().await);
}

/// Class: one dependency that hangs starves the others of its owner. Source: kyma-incubator/reconciler#1098.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a machine for itself: make attacks"]
async fn a_provider_that_hangs_leaves_the_others_of_its_namespace_alone() {
    let (_alone, stack) = alone().await;
    let jane = Jane::on(stack).await;
    let before = jane.wait().await;
    let hanging = that_hang(&jane.world, 60).await;
    let mut other = jane.world.get("billingproviders.payg-operator.io", "azure");
    other["metadata"] = json!({"name": "other"});
    other.as_object_mut().unwrap().remove("status");
    jane.world.apply(&other);
    let hanging = hanging.into_iter().map(|mut subscription| {
        subscription["spec"]["providerName"] = json!("other");
        subscription
    });
    create(&jane.api, hanging).await;
    compare("another BillingProvider of the same namespace that hangs", before, jane.wait().await);
}

/// Class: a flood of changes. Source: kubernetes-sigs/controller-runtime#3496 (a high rate of events starves what waits),
/// kubernetes-sigs/controller-runtime#3261.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a machine for itself: make attacks"]
async fn changes_without_end_delay_nobody_else() {
    let (_alone, stack) = alone().await;
    let jane = Jane::on(stack).await;
    let before = jane.wait().await;
    let (world, theirs) = mallory(stack).await;
    create(&theirs, of_nothing(&world, 100)).await;
    let (is_over, changes) = (AtomicBool::new(false), std::sync::atomic::AtomicU32::new(0));
    let flood = async {
        for round in 0.. {
            for number in 0..100 {
                if is_over.load(Ordering::Relaxed) {
                    return;
                }
                let patch =
                    json!({"spec": {"trial": {"endTime": format!("20{:02}-01-01T00:00:00Z", 30 + round % 60)}}});
                let name = format!("dead-{number}");
                theirs.patch(&name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
                changes.fetch_add(1, Ordering::Relaxed);
            }
        }
    };
    let measure = async {
        let during = jane.wait().await;
        is_over.store(true, Ordering::Relaxed);
        during
    };
    let ((), during) = tokio::join!(flood, measure);
    let changes = changes.into_inner();
    assert!(changes > 100, "only {changes} changes");
    compare(&format!("{changes} changes of another tenant"), before, during);
}

/// Class: what waits for its turn is forgotten. Source: kube-rs/kube#1322 (a bound on concurrency that lost changes).
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a machine for itself: make attacks"]
async fn rate_limited_subscriptions_are_observed_eventually() {
    let (_alone, stack) = alone().await;
    let (world, theirs) = mallory(stack).await;
    let mut names = Vec::new();
    let mut subscriptions = Vec::new();
    for number in 0..60 {
        let account = world.account(json!({})).await;
        names.push(format!("sandbox-{number}"));
        subscriptions.push(subscription(&names[number], &account, json!({"when": "Never", "approval": "Manual"})));
    }
    let began = Instant::now();
    create(&theirs, subscriptions).await;
    for name in &names {
        let seen = world.until(name, "Observing").await;
        assert_eq!(condition(&seen, "Observed")["status"], "True");
    }
    println!("FIGURE sixty accounts of one BillingProvider are looked at within {:?}", began.elapsed());
}
