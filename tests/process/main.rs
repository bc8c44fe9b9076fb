//! The operator as a process: it dies, it is stopped, it is restarted, it is held back; and what it costs to run.
#![allow(clippy::unwrap_used, clippy::panic, clippy::needless_pass_by_value, reason = "these are tests")]

mod policies;

use std::net::TcpListener;
use std::time::{Duration, Instant};

use payg_test_kit::world::{RATE, World, automatic, condition};
use payg_test_kit::{Process, Stack, payg_dev};
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard, OnceCell};

static STACK: OnceCell<Stack> = OnceCell::const_new();
/// There is one lease, so one test at a time.
static ALONE: Mutex<()> = Mutex::const_new(());

async fn alone() -> (MutexGuard<'static, ()>, &'static Stack) {
    let guard = ALONE.lock().await;
    let start = async || Stack::start(payg_dev(), RATE).await.unwrap();
    (guard, STACK.get_or_init(start).await)
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

async fn stop(mut operator: Process) -> Duration {
    let began = Instant::now();
    let status = operator.stop(Duration::from_secs(35)).await.unwrap();
    assert!(status.success(), "{status}: {}", operator.log_tail(20));
    began.elapsed()
}

fn upgrade_requests(requests: &[Value]) -> usize {
    requests.iter().filter(|request| request["operation"] == "upgrade").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_killed_in_mid_request_is_replaced_and_nothing_is_asked_twice() {
    let (_alone, stack) = alone().await;
    let world = World::on(stack).await;
    let mut leader = stack.operator("leader", &[]).await.unwrap();
    let account = world.account(json!({"periodDays": 1})).await;
    // The broker takes the request and answers after the leader is dead.
    world.fault("upgrade", &account, Some(1), json!({"latency": {"millis": 15_000}})).await;
    world.subscribe("sandbox", &account, automatic("BenefitsExhausted"));
    world.until("sandbox", "WaitingForExhaustion").await;
    let standby = stack.operator("standby", &[]).await.unwrap();
    let asked = async || (world.ledger(&account).await.len() == 1).then_some(());
    world.eventually(60, asked).await.expect("the request arrives");
    leader.kill().unwrap();
    assert_eq!(world.records(&account)[0]["status"], Value::Null, "nobody wrote how it ended");
    world.until_within(90, "sandbox", "OfferInPlace").await;
    assert_eq!(world.ledger(&account).await.len(), 1);
    assert_eq!(upgrade_requests(&world.requests(&account).await), 1);
    assert_eq!(world.records(&account)[0]["status"]["state"], "Confirmed");
    stop(standby).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_that_the_broker_is_at_is_followed_by_the_next_leader() {
    let (_alone, stack) = alone().await;
    let world = World::on(stack).await;
    let mut leader = stack.operator("leader", &[]).await.unwrap();
    // Longer than it takes until a lease that nobody gave back is over.
    let broker = json!({"operationSeconds": 75, "retryAfterSeconds": 1});
    let account = world.account(json!({"periodDays": 1, "graceDays": 1000, "broker": broker})).await;
    world.subscribe("slow", &account, automatic("BenefitsExhausted"));
    world.until("slow", "VerifyingUpgrade").await;
    leader.kill().unwrap();
    let polls = async || {
        let requests = world.requests(&account).await;
        requests.iter().filter(|request| request["operation"] == "operationStatus").count()
    };
    let before = polls().await;
    let next = stack.operator("next", &[]).await.unwrap();
    world.until_within(180, "slow", "OfferInPlace").await;
    assert!(polls().await > before, "it goes on from the record");
    assert_eq!(upgrade_requests(&world.requests(&account).await), 1);
    assert_eq!(world.ledger(&account).await.len(), 1);
    stop(next).await;
}

/// What a record's status may hold by the CRDs in the cluster: whether an attempt may name its operation.
fn attempts_may_name_an_operation(stack: &Stack) -> bool {
    let record = json!({"apiVersion": "payg-operator.io/v1alpha1", "kind": "UpgradeRecord", "metadata": {"name": "probe"},
        "status": {"attempts": [{"number": 1, "operation": "https://broker.example/1"}]}});
    let probe = stack.control_plane.dir().join("probe.json");
    std::fs::write(&probe, record.to_string()).unwrap();
    let probe = ["create", "--dry-run=server", "--validate=strict", "-f", probe.to_str().unwrap()];
    let complaint = stack.try_kubectl(&probe).unwrap().stderr;
    !String::from_utf8_lossy(&complaint).contains("unknown field \"status.attempts[0].operation\"")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_is_kept_also_where_the_crd_is_older_than_the_operator() {
    const CRD: &str = "upgraderecords.payg-operator.io";
    let (_alone, stack) = alone().await;
    let world = World::on(stack).await;
    let mut new: Value = serde_json::from_str(&stack.kubectl(&["get", "crd", CRD, "-o", "json"]).unwrap()).unwrap();
    new["metadata"].as_object_mut().unwrap().remove("resourceVersion");
    let replace = |crd: &Value| {
        let file = stack.control_plane.dir().join("crd.json");
        std::fs::write(&file, crd.to_string()).unwrap();
        stack.kubectl(&["replace", "-f", file.to_str().unwrap()]).unwrap();
    };
    let mut older = new.clone();
    let status = "/spec/versions/0/schema/openAPIV3Schema/properties/status/properties/attempts/items";
    let attempt = older.pointer_mut(status).unwrap();
    attempt["properties"].as_object_mut().unwrap().remove("operation").unwrap();
    let rules = attempt["x-kubernetes-validations"].as_array_mut().unwrap();
    rules.retain(|rule| !rule["rule"].as_str().unwrap().contains("operation"));
    replace(&older);
    let in_force = async || (!attempts_may_name_an_operation(stack)).then_some(());
    world.eventually(30, in_force).await.expect("the older CRD");

    let operator = stack.operator("newer", &[]).await.unwrap();
    let broker = json!({"operationSeconds": 2, "retryAfterSeconds": 1});
    let account = world.account(json!({"periodDays": 1, "graceDays": 1000, "broker": broker})).await;
    world.subscribe("slow", &account, automatic("BenefitsExhausted"));
    let confirmed =
        async || world.records(&account).into_iter().find(|record| record["status"]["state"] == "Confirmed");
    let record = world.eventually(60, confirmed).await;
    let log = operator.log_tail(1000);
    stop(operator).await;
    replace(&new);
    let in_force = async || attempts_may_name_an_operation(stack).then_some(());
    world.eventually(30, in_force).await.expect("the new CRD");

    let record = record.expect("a record that is closed");
    assert_eq!(record["status"]["attempts"][0]["outcome"], "Accepted", "{record:#}");
    assert_eq!(upgrade_requests(&world.requests(&account).await), 1);
    assert!(log.contains("apply the CRDs of this version"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_leader_hands_over_at_once() {
    let (_alone, stack) = alone().await;
    let world = World::on(stack).await;
    let first = stack.operator("first", &[]).await.unwrap();
    let account = world.account(json!({"periodDays": 3000})).await;
    world.subscribe("long", &account, automatic("BenefitsExhausted"));
    world.until("long", "WaitingForExhaustion").await;
    let second = stack.operator("second", &[]).await.unwrap();
    let holder = || {
        let lease = stack.kubectl(&["get", "lease", "payg-operator", "-n", "payg-operator", "-o", "json"]).unwrap();
        let lease: Value = serde_json::from_str(&lease).unwrap();
        lease["spec"]["holderIdentity"].as_str().unwrap_or_default().to_owned()
    };
    assert!(holder().starts_with("first"));
    let took = stop(first).await;
    assert!(took < Duration::from_secs(10), "an idle leader stops in {took:?}");
    let taken_over = async || holder().starts_with("second").then_some(());
    world.eventually(10, taken_over).await.expect("well before the lease would have expired");
    stop(second).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_decides_everything_and_requests_nothing() {
    let (_alone, stack) = alone().await;
    let world = World::on(stack).await;
    let operator = stack.operator("dry", &["--dry-run"]).await.unwrap();
    let account = world.account(json!({})).await;
    world.subscribe("held", &account, automatic("Immediately"));
    let held = world.until("held", "UpgradeHeld").await;
    assert_eq!(condition(&held, "UpgradeAvailable")["status"], "True");
    assert_eq!(world.records(&account), Vec::<Value>::new());
    stop(operator).await;
    assert_eq!(upgrade_requests(&world.requests(&account).await), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_upgrades_an_hour_than_the_cap_also_after_a_restart() {
    let (_alone, stack) = alone().await;
    let world = World::on(stack).await;
    // What the other tests requested within this hour counts, as it should.
    let made: Value =
        serde_json::from_str(&world.kubectl(&["get", "upgraderecords.payg-operator.io", "-o", "json"]).unwrap())
            .unwrap();
    let cap = (made["items"].as_array().unwrap().len() + 1).to_string();
    let arguments = ["--max-upgrades-per-hour", cap.as_str()];
    let operator = stack.operator("capped", &arguments).await.unwrap();
    let mut accounts = Vec::new();
    for name in ["one", "two", "three"] {
        let account = world.account(json!({})).await;
        world.subscribe(name, &account, automatic("Immediately"));
        accounts.push(account);
    }
    let upgrades = async || {
        let mut upgrades = 0;
        for account in &accounts {
            upgrades += world.ledger(account).await.len();
        }
        upgrades
    };
    let held = || {
        let reasons =
            ["one", "two", "three"].map(|name| condition(&world.subscription(name), "Ready")["reason"].clone());
        reasons.iter().filter(|reason| *reason == "UpgradeHeld").count()
    };
    world.eventually(60, async || (held() == 2).then_some(())).await.expect("two that are held");
    assert_eq!(upgrades().await, 1);
    stop(operator).await;
    let operator = stack.operator("capped-again", &arguments).await.unwrap();
    let account = world.account(json!({})).await;
    world.subscribe("four", &account, automatic("Immediately"));
    world.until("four", "UpgradeHeld").await;
    assert_eq!(upgrades().await, 1);
    stop(operator).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn health_readiness_and_metrics_tell_how_it_is() {
    let (_alone, stack) = alone().await;
    let world = World::on(stack).await;
    let [metrics, probes] = [0, 1].map(|_| format!("127.0.0.1:{}", free_port()));
    let operator = stack.operator("observed", &["--listen", &metrics, "--probes-listen", &probes]).await.unwrap();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let get = async |path: &str| {
        let address = if path == "metrics" { &metrics } else { &probes };
        let answer = http.get(format!("http://{address}/{path}")).send().await.ok()?;
        let status = answer.status().as_u16();
        Some((status, answer.text().await.ok()?))
    };
    let ready = async || get("readyz").await.filter(|(status, _)| *status == 200);
    world.eventually(30, ready).await.expect("readiness");
    assert_eq!(get("healthz").await.unwrap().0, 200);
    let account = world.account(json!({"offer": "PayAsYouGo", "agreement": "MOSP"})).await;
    world.subscribe("paid", &account, automatic("Never"));
    world.until("paid", "OfferInPlace").await;
    let (_, metrics) = get("metrics").await.unwrap();
    for line in [
        "payg_operator_leader 1",
        "payg_operator_upgrade_attempts_total{outcome=\"Accepted\"} 0",
        "payg_operator_watch_age_seconds",
    ] {
        assert!(metrics.contains(line), "{line} is missing in {metrics}");
    }
    assert!(metrics.contains("payg_operator_account_reads_total{reason=\"Observed\"}"), "{metrics}");
    stop(operator).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_deployment_is_admitted_under_restricted_pod_security() {
    let (_alone, stack) = alone().await;
    if !stack.control_plane.has_controller_manager() {
        println!("skipped: without a kube-controller-manager no Deployment makes Pods");
        return;
    }
    let world = World::on(stack).await;
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/kustomize/default");
    let applied = stack.kubectl(&["apply", "--server-side", "-k", default]).unwrap();
    assert!(applied.contains("deployment.apps/payg-operator serverside-applied"), "{applied}");
    let pods = || {
        let pods = stack.kubectl(&["get", "pods", "-n", "payg-operator", "-o", "json"]).unwrap();
        serde_json::from_str::<Value>(&pods).unwrap()["items"].as_array().unwrap().clone()
    };
    let two = async || Some(pods()).filter(|pods| pods.len() == 2);
    let pods = world.eventually(30, two).await.expect("two Pods, which the restricted level lets in");
    let container = &pods[0]["spec"]["containers"][0];
    assert_eq!(container["args"], json!(["operator", "--log-format=json"]));
    assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
    stack.kubectl(&["delete", "deployment", "payg-operator", "-n", "payg-operator"]).unwrap();
}
