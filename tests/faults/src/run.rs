//! One run: a workload, the faults to inject, and the result.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use payg_test_kit::fake_api::FakeApi;
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::effect::Effect;
use super::witness::SKEW;
use super::workload::{Begin, NAME, OTHER_TEAM, SECRET, TEAM, Workload};
use super::world::{Plan, Signal, World};
use super::{api, cloud, receiver};
use payg_clock::Clock;
use payg_core::approval::SETTLED;
use payg_operator::operator::{Clouds, Replica, Settings};
use payg_providers::{aws, azure};
use payg_runtime::shutdown::Tasks;
use payg_runtime::workers::Pulse;
use payg_simulator::local::Local;
use prometheus_client::registry::Registry;

/// Where the clouds are, by the operator's configuration.
const URL: &str = "https://clouds.example";
/// Both clocks go with tokio's.
pub(super) const CLOCK: Clock = Clock::with_wall(payg_virtual_time::wall);
/// The number of workers of a replica. The only namespace has four of them.
const WORKERS: usize = 16;
/// When workloads are made.
const BEGIN: &str = "2026-03-01T12:00:00Z";
/// How long a run goes on when all is settled.
const QUIET: Duration = Duration::from_mins(16);
/// The same with more than one fault: long enough for an upgrade that is not wanted to come.
const QUIET_AFTER_MANY: Duration = Duration::from_mins(4);
/// From when on nothing may be written any more: the list of all accounts, which is read every five minutes, shows that one has
/// been upgraded, and has it observed once more.
const LAST_WORDS: Duration = Duration::from_mins(6);
/// How long a dead process takes to be started again.
const RESTART: Duration = Duration::from_secs(2);
/// How long a run may take.
const LONGEST: Duration = Duration::from_hours(8);

/// The state of the world from which the runs of a workload begin.
pub(super) struct Snapshot {
    pub(super) workload: Workload,
    api: FakeApi,
    cloud: String,
    pub(super) at: Timestamp,
}

/// What came of a run.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) trace: Vec<Effect>,
    /// What must not be.
    pub(super) violations: Vec<String>,
    /// How many effects there were until all was settled.
    points: usize,
    pub(super) end: End,
    /// All objects as they are in the end, and their history.
    pub(super) api: FakeApi,
    /// From the last fault until the end was reached.
    pub(super) took: Duration,
    pub(super) attempts: usize,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct End {
    /// The verdict on the first Subscription, and on the other one.
    pub(super) verdict: String,
    pub(super) other: String,
    /// The state of the record.
    pub(super) record: String,
    /// How often the account was upgraded, by the operator and by anybody.
    pub(super) ours: usize,
    pub(super) all: usize,
}

impl Outcome {
    /// The effects until all was settled.
    pub(super) fn points(&self) -> &[Effect] {
        &self.trace[..self.points]
    }
}

/// When all was settled, and how many effects there were by then.
#[derive(Clone, Copy)]
struct Settled {
    at: Duration,
    points: usize,
}

/// In virtual time, on this thread.
pub(super) fn in_virtual_time<T>(at: Timestamp, future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        payg_virtual_time::begin(at);
        fastrand::seed(1); // jitter
        future.await
    })
}

/// Makes the workload and lets the operator work without faults up to where its runs begin.
pub(super) fn prepare(workload: Workload) -> Snapshot {
    in_virtual_time(BEGIN.parse().unwrap(), async {
        let api = FakeApi::new(payg_virtual_time::wall);
        api::install(&api);
        let cloud = Local::new(URL, CLOCK, 1);
        cloud.control("POST", "/accounts", workload.account_settings(payg_virtual_time::wall())).await;
        cloud.control("POST", "/clients", workload.client(SECRET)).await;
        if workload.lost_before > 0 {
            let fault = json!({"operation": "upgrade", "count": workload.lost_before, "kind": "cut"});
            cloud.control("POST", "/faults", fault).await;
        }
        // An approval counts from when the policies are surely in force.
        sleep(2 * SETTLED.unsigned_abs()).await;
        for object in [workload.secret(TEAM, SECRET), workload.provider(TEAM), workload.subscription(TEAM)] {
            api.apply(&object).unwrap();
        }
        let (world, signals) = World::new(api, cloud, workload, &Plan::new());
        // Of two claimants of the same second either may be the first.
        sleep(Duration::from_secs(1)).await;
        if workload.two_claimants {
            world.second_claimant();
        }
        if let Begin::At(verdict) = workload.begin {
            let replica = start(&world, 0);
            while verdict_of(&world, TEAM).as_deref() != Some(verdict) {
                let status = || world.api.list("Subscription")[0]["status"].clone();
                assert!(world.began.elapsed() < LONGEST, "{}: never {verdict}: {:#}", workload.name, status());
                // Less than the shortest time between two reconciles.
                sleep(Duration::from_millis(50)).await;
            }
            replica.abort();
            let _ = replica.await;
        }
        drop(signals);
        decide(&world);
        Snapshot {
            workload,
            api: world.api.fork(payg_virtual_time::wall),
            cloud: world.cloud.save(),
            at: payg_virtual_time::wall(),
        }
    })
}

/// What a person says before the run begins, where the workload asks one.
fn decide(world: &World) {
    let Some(subscription) = world.api.get("Subscription", TEAM, NAME) else { return };
    let hash = subscription["status"]["transition"]["hash"].as_str().unwrap_or("0000000000000000");
    let decision = match (world.workload.approval, world.workload.lost_before) {
        _ if world.workload.denied => "Deny",
        ("Manual", _) => "Approve",
        (_, 1..) => "Retry",
        _ => return,
    };
    world.api.apply(&Workload::decision(decision, hash, payg_virtual_time::wall())).unwrap();
    // An answer that is as of before the last write is not one of before that.
    let other = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "other", "namespace": TEAM}});
    world.api.apply(&other).unwrap();
}

/// Runs the workload with what `plan` says going wrong.
pub(super) fn run(snapshot: &Snapshot, plan: &Plan) -> Outcome {
    in_virtual_time(snapshot.at, async {
        let (world, signals) = enter(snapshot, plan);
        let mut outcome = drive(&world, signals, if plan.len() > 1 { QUIET_AFTER_MANY } else { QUIET }).await;
        let arrived = std::mem::take(&mut world.state().witness.arrived);
        outcome.violations.extend(receiver::judge(&world, &arrived, plan.len()));
        outcome
    })
}

/// The world of a run, in which nothing happens yet.
pub(super) fn enter(snapshot: &Snapshot, plan: &Plan) -> (Arc<World>, UnboundedReceiver<Signal>) {
    let cloud = Local::new(URL, CLOCK, 1);
    cloud.restore(&snapshot.cloud);
    World::new(snapshot.api.fork(payg_virtual_time::wall), cloud, snapshot.workload, plan)
}

async fn drive(world: &Arc<World>, mut signals: UnboundedReceiver<Signal>, quiet: Duration) -> Outcome {
    let mut replicas: BTreeMap<usize, JoinHandle<()>> = BTreeMap::new();
    let mut to_start: Vec<(Instant, usize)> =
        (0..world.workload.leaders).map(|replica| (Instant::now(), replica)).collect();
    let mut settled: Option<Settled> = None;
    let mut looked_at = (0, false);
    let violations = loop {
        to_start.retain(|(at, replica)| {
            let due = *at <= Instant::now();
            if due {
                replicas.insert(*replica, start(world, *replica));
            }
            !due
        });
        let next = to_start.iter().map(|(at, _)| *at).min().unwrap_or_else(|| Instant::now() + Duration::from_secs(2));
        tokio::select! {
            biased;
            Some(signal) = signals.recv() => match signal {
                Signal::Crashed(replica) => {
                    if let Some(task) = replicas.remove(&replica) {
                        task.abort();
                    }
                    to_start.push((Instant::now() + RESTART, replica));
                }
                Signal::SecondLeader if !replicas.contains_key(&1) => to_start.push((Instant::now(), 1)),
                Signal::SecondLeader => {}
            },
            () = sleep_until(next) => {}
        }
        let now = world.began.elapsed();
        let revision = world.api.revision();
        // What goes on after its fault, such as a request that arrives late, changes what is settled.
        let fault_is_over = now > world.state().last_fault;
        if (revision, fault_is_over) != looked_at {
            looked_at = (revision, fault_is_over);
            let points = world.state().trace.len();
            settled = is_settled(world).then(|| settled.unwrap_or(Settled { at: now, points }));
        }
        match settled {
            Some(Settled { at, .. }) if now > at + quiet && to_start.is_empty() => {
                let state = world.state();
                let later = state.witness.last_write.saturating_sub(at.max(state.last_fault));
                break if later > last_words(world) {
                    vec!["it is still being written when all is settled".to_owned()]
                } else {
                    Vec::new()
                };
            }
            _ if now > LONGEST => break vec!["never settled".to_owned()],
            _ => {}
        }
    };
    for replica in replicas.into_values() {
        replica.abort();
        let _ = replica.await;
    }
    let end = end(world).await;
    let mut state = world.state();
    let mut all = std::mem::take(&mut state.witness.violations);
    all.extend(violations);
    let (settled_at, points) = settled.map_or((LONGEST, state.trace.len()), |settled| (settled.at, settled.points));
    Outcome {
        trace: std::mem::take(&mut state.trace),
        violations: all,
        end,
        api: world.api.clone(),
        took: settled_at.saturating_sub(state.last_fault),
        points,
        attempts: state.witness.attempts.len(),
    }
}

/// A replica that works until it is aborted.
fn start(world: &Arc<World>, replica: usize) -> JoinHandle<()> {
    start_until(world, replica, CancellationToken::new())
}

/// A replica that works until it is stopped.
pub(super) fn start_until(world: &Arc<World>, replica: usize, stop: CancellationToken) -> JoinHandle<()> {
    static CLOUDS: OnceLock<(azure::Connections, aws::Connections)> = OnceLock::new();
    let clouds = CLOUDS.get_or_init(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let url: url::Url = URL.parse().unwrap();
        let broker = azure::Broker {
            url: format!("{URL}/broker").parse().unwrap(),
            scope: "api://payg-broker/.default".to_owned(),
        };
        let azure = azure::Settings {
            arm_endpoint: Some(url.clone()),
            authority_host: Some(url.clone()),
            broker: Some(broker),
            clock: CLOCK,
            ..azure::Settings::default()
        };
        let aws = aws::Settings { endpoint: Some(url), clock: CLOCK, ..aws::Settings::default() };
        (azure::Connections::new(azure).unwrap(), aws::Connections::new(aws).unwrap())
    });
    let life = world.begin_life(replica);
    let settings = Settings { dry_run: false, upgrades_per_hour: 20, clock: CLOCK };
    let transport = cloud::transport(world, life);
    let (azure, aws) = (clouds.0.clone().over(&transport), clouds.1.clone().over(&transport));
    let clouds = Clouds { azure, aws, ambient_identity_namespaces: HashSet::new() };
    let client = api::client(world, life);
    // The clocks of two machines always differ a little.
    let skew = if replica == 0 { SignedDuration::ZERO } else { SKEW.try_into().unwrap() };
    let held = Arc::clone(world);
    let around = move |reconcile| held.hold(life, Box::pin(payg_virtual_time::SKEW.scope(skew, reconcile)));
    let (world, notified) = (Arc::clone(world), world.workload.notified);
    tokio::spawn(async move {
        let mut registry = Registry::default();
        let (notices, outcomes) = notified.then(|| receiver::notices(&world, life)).unzip();
        let notices = notices.map(Arc::new);
        let replica = Replica::new(&client, clouds, notices, settings, "replica", WORKERS, &mut registry);
        let mut tasks = Tasks::new();
        replica.watch(&mut tasks);
        if let Some(outcomes) = outcomes {
            replica.remember(&mut tasks, outcomes);
        }
        replica.synced().await;
        replica.reconcile(Pulse::default(), stop, around).await;
    })
}

fn ready(subscription: &Value) -> &Value {
    let conditions = subscription["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    conditions.iter().find(|condition| condition["type"] == "Ready").unwrap_or(&Value::Null)
}

fn verdict_of(world: &World, namespace: &str) -> Option<String> {
    let subscription = world.api.get("Subscription", namespace, NAME)?;
    Some(ready(&subscription)["reason"].as_str().unwrap_or("nothing").to_owned())
}

/// Whether nothing is left to do but to wait for people, or for a benefit to end.
fn is_settled(world: &World) -> bool {
    let topped_up = world.state().witness.topped_up;
    if is_out_of_sight(world) {
        // Its claim ends, and then another one has the account.
        return settled_verdict(world, OTHER_TEAM, topped_up).is_some_and(|other| other != "AccountConflict");
    }
    let verdicts = [TEAM, OTHER_TEAM].map(|namespace| settled_verdict(world, namespace, topped_up));
    let [Some(one), Some(other)] = verdicts else { return false };
    // One of two has the account. The other one observes again until it knows that.
    if one == "AccountConflict" && other == "AccountConflict" {
        return false;
    }
    if !receiver::is_done(world) {
        return false;
    }
    let record = world.workload.record(&world.api);
    match record.as_ref().map(|record| record["status"]["state"].as_str().unwrap_or_default()) {
        None | Some("Confirmed" | "Rejected") => true,
        // A request that came late after all is still to be noticed.
        Some("Unresolved") => !world.cloud.is_upgraded(world.workload.account()),
        // The benefits are used up first.
        Some("Accepted") => one == "UpgradeAccepted" || other == "UpgradeAccepted" || topped_up.is_some(),
        _ => false,
    }
}

/// For how long something may still be written when all is settled.
fn last_words(world: &World) -> Duration {
    // Whether somebody has put the policies or the BillingProvider back is observed again and again.
    let waits = is_out_of_sight(world) || verdict_of(world, TEAM).as_deref() == Some("ApprovalPolicyMissing");
    if waits { LONGEST } else { LAST_WORDS }
}

/// Whether the first Subscription no longer has anything to read the account with.
fn is_out_of_sight(world: &World) -> bool {
    let provider = world.api.get("BillingProvider", TEAM, "cloud");
    provider.is_none_or(|provider| provider["metadata"]["deletionTimestamp"].is_string())
}

/// The verdict on the Subscription in `namespace`, if it is one that lasts and is of the spec as it is.
fn settled_verdict(world: &World, namespace: &str, topped_up: Option<Timestamp>) -> Option<String> {
    let Some(subscription) = world.api.get("Subscription", namespace, NAME) else { return Some("gone".to_owned()) };
    let ready = ready(&subscription);
    let seen: Option<Timestamp> =
        subscription["status"]["lastObservedTime"].as_str().and_then(|time| time.parse().ok());
    let verdict = ready["reason"].as_str()?;
    let lasts = match verdict {
        "OfferInPlace" | "Observing" | "Suspended" | "UpgradeDenied" | "AccountConflict" | "UpgradeAccepted"
        // Nobody puts the policies back.
        | "ApprovalPolicyMissing" => true,
        // What somebody said is taken back.
        "AwaitingApproval" if taken_back(world) => true,
        // What was so before the run says nothing.
        "UpgradeUnresolved" => seen > Some(world.began_at),
        // Of two claimants only the first has a person who approves.
        "AwaitingApproval" => namespace == OTHER_TEAM,
        "WaitingForExhaustion" => world.workload.benefits_left || topped_up.is_some_and(|at| seen >= Some(at)),
        _ => false,
    };
    (lasts && ready["observedGeneration"] == subscription["metadata"]["generation"]).then(|| verdict.to_owned())
}

/// Whether no word of a person allows anything any more.
fn taken_back(world: &World) -> bool {
    world.api.list("UpgradeApproval").iter().all(|said| said["metadata"]["deletionTimestamp"].is_string())
}

/// How it ended, in a line.
pub(super) async fn end(world: &World) -> End {
    let ledger = world.cloud.control("GET", "/ledger", Value::Null).await;
    let ours = |applied: &&Value| applied["by"]["person"].is_null();
    let applied = ledger.as_array().map(Vec::as_slice).unwrap_or_default();
    let verdict = |namespace| verdict_of(world, namespace).unwrap_or_else(|| "gone".to_owned());
    let state = world.workload.record(&world.api).map_or_else(
        || "none".to_owned(),
        |record| record["status"]["state"].as_str().unwrap_or("intended").to_owned(),
    );
    End {
        verdict: verdict(TEAM),
        other: verdict(OTHER_TEAM),
        record: state,
        ours: applied.iter().filter(ours).count(),
        all: applied.len(),
    }
}
