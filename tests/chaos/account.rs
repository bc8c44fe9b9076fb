//! One account of the workload: made, subscribed, perhaps approved, perhaps given up midway, and put away once settled.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::faults;
use crate::seen::{Seen, understood};
use crate::verdict::History;
use crate::workload::{APPROVER, Estate, NAMESPACE, SECRET, TWINS, World};

/// For how long an account that is not to be upgraded is watched.
const LEFT_ALONE: Duration = Duration::from_secs(15);
/// How often an account is looked after.
const PERIOD: Duration = Duration::from_millis(500);

/// How somebody gives an upgrade up midway.
#[derive(Clone, Copy, Debug)]
enum GivenUp {
    Never,
    Suspended,
    Denied,
    Deleted,
}

/// What is to become of an account.
pub(crate) struct Account {
    name: String,
    id: String,
    estate: Arc<Estate>,
    on_aws: bool,
    upgrade: Value,
    is_twin: bool,
    given_up: Option<(GivenUp, Duration)>,
    random: Rng,
}

/// What became of it, as far as the cluster shows.
pub(crate) struct Life {
    pub(crate) history: History,
    /// Its Subscriptions, as last seen.
    pub(crate) last_seen: Vec<Value>,
}

impl Account {
    /// One of many kinds. Of AWS there are fewer, as each of these has a BillingProvider of its own to be observed.
    pub(crate) fn any(number: u32, estate: Arc<Estate>, mut random: Rng) -> Self {
        let on_aws = random.u32(0..100) < 20;
        let given_up = (random.u32(0..100) < 20).then(|| {
            let how = [GivenUp::Never, GivenUp::Suspended, GivenUp::Denied, GivenUp::Deleted][random.usize(0..4)];
            (how, Duration::from_millis(random.u64(0..4000)))
        });
        // Which of two Subscriptions has the account can change until both have seen it: nobody could say which to approve.
        let is_twin = !on_aws && given_up.is_none() && random.u32(0..100) < 15;
        let approval = if !is_twin && random.u32(0..100) < 15 { "Manual" } else { "Automatic" };
        let upgrade = match random.u32(0..100) {
            0..25 => json!({"when": "Immediately", "approval": approval}),
            25..40 if on_aws => json!({"when": "BeforeExhaustion", "approval": approval,
                "beforeExhaustion": {"creditBelow": {"amount": "40.00", "currency": "USD"}}}),
            _ => json!({"when": "BenefitsExhausted", "approval": approval}),
        };
        let id = if on_aws { format!("{number:012}") } else { format!("{number:08x}-0000-4a00-9000-000000000000") };
        Self { name: format!("account-{number}"), id, estate, on_aws, upgrade, is_twin, given_up, random }
    }

    /// Lives until all is settled, or until `over` ends it.
    pub(crate) async fn live(mut self, world: Arc<World>, seen: Arc<Seen>, over: Arc<AtomicBool>) -> Life {
        self.make(&world).await;
        let (born, mut gave_up) = (Instant::now(), None);
        let mut life = Life { history: History { account: self.id.clone(), ..History::default() }, last_seen: vec![] };
        let mut is_approved = self.upgrade["approval"] == "Automatic";
        loop {
            self.look(&world, &seen, &mut life).await;
            if !is_approved && life.history.reasons.iter().any(|reason| reason == "AwaitingApproval") {
                is_approved = self.say(&world, &life, "Approve").await;
            }
            if gave_up.is_none()
                && let Some((how, after)) = self.given_up
                && born.elapsed() >= after
                && self.give_up(&world, &life, how).await
            {
                gave_up = Some(Instant::now());
                life.history.unwanted_since = Some(Timestamp::now());
            }
            let is_left_alone = gave_up.is_some_and(|gave_up| gave_up.elapsed() < LEFT_ALONE);
            if over.load(Ordering::Relaxed) || (!is_left_alone && life.history.is_settled()) {
                break;
            }
            sleep(PERIOD).await;
        }
        if !over.load(Ordering::Relaxed) {
            self.put_away(&world).await;
        }
        life
    }

    /// The account, and all that is needed to have it upgraded.
    async fn make(&mut self, world: &World) {
        let seconds = self.random.u32(0..3);
        let mut trial = Value::Null;
        // An hour reconciles in a second.
        if self.on_aws {
            let burn = 2400 / (seconds + 1);
            // One that is closed at the first observation could have been closed by its owner, and is left to a person.
            let account =
                json!({"accountId": self.id, "burnPerDay": burn, "graceDays": 100_000, "closesAtOnce": false});
            world.stack.simulator.post("accounts", &account).await.unwrap();
            world.aws_provider(&self.name, &self.id).await;
        } else {
            self.estate.ready(world).await;
            let end = SignedDuration::from_hours(i64::from(seconds));
            let start = world.stack.clock.now() - SignedDuration::from_hours(30 * 24) + end;
            // A customer agreement states the end; for others it is declared.
            let agreement = ["MCA", "MOSP"][self.random.usize(0..2)];
            if agreement == "MOSP" {
                trial = json!({"endTime": (start + SignedDuration::from_hours(30 * 24)).to_string()});
            }
            let takes = [0, 0, 0, 2][self.random.usize(0..4)];
            let broker = json!({"operationSeconds": takes, "retryAfterSeconds": 1});
            let account = json!({"subscriptionId": self.id, "tenantId": self.estate.tenant, "agreement": agreement,
                "startTime": start, "graceDays": 100_000, "broker": broker});
            world.stack.simulator.post("accounts", &account).await.unwrap();
        }
        if let Some((name, kind)) = faults::of_an_upgrade(&mut self.random) {
            let operation = if self.on_aws { "upgradeAccountPlan" } else { "upgrade" };
            world.fault(name, &json!({"operation": operation, "account": self.id, "kind": kind, "count": 1})).await;
        }
        for namespace in self.namespaces() {
            let (provider, account) = if self.on_aws {
                (&self.name, json!({"aws": {"accountId": self.id}}))
            } else {
                (&self.estate.provider, json!({"azure": {"subscriptionId": self.id}}))
            };
            let mut subscription = json!({"apiVersion": "payg-operator.io/v1alpha1", "kind": "Subscription",
                "metadata": {"name": self.name},
                "spec": {"providerName": provider, "account": account, "offer": "PayAsYouGo", "upgrade": self.upgrade}});
            if !trial.is_null() {
                subscription["spec"]["trial"] = trial.clone();
            }
            world.admin.create(Some(namespace), &subscription).await;
        }
    }

    fn namespaces(&self) -> &'static [&'static str] {
        if self.is_twin { &[NAMESPACE, TWINS] } else { &[NAMESPACE] }
    }

    async fn look(&self, world: &World, seen: &Seen, life: &mut Life) {
        let mut subscriptions = Vec::new();
        for namespace in self.namespaces() {
            subscriptions.extend(seen.subscription(namespace, &self.name));
        }
        life.history.reasons = subscriptions.iter().filter_map(ready_reason).collect();
        life.history.record = seen.record(&self.id).as_ref().map(understood);
        // What a person is asked about may still show.
        if life.history.is_unresolved() {
            let truth = world.stack.simulator.get(&format!("accounts/{}", self.id)).await.unwrap();
            life.history.applied = truth["upgradedAt"].as_str().map(|_| Timestamp::now()).into_iter().collect();
        }
        life.last_seen = subscriptions;
    }

    /// Has somebody say Approve or Deny. False: the Subscription does not tell yet what about, or it would not count yet.
    async fn say(&self, world: &World, life: &Life, decision: &str) -> bool {
        if decision == "Approve" && Timestamp::now() < world.approvals_count_from {
            return false;
        }
        for (namespace, subscription) in self.namespaces().iter().zip(&life.last_seen) {
            let Some(hash) = subscription["status"]["transition"]["hash"].as_str() else { return false };
            let mut approval = json!({"apiVersion": "payg-operator.io/v1alpha1", "kind": "UpgradeApproval",
                "metadata": {"name": format!("{}-{}", self.name, decision.to_lowercase())},
                "spec": {"subscriptionName": self.name, "transitionHash": hash, "decision": decision,
                    "approver": APPROVER, "reason": "the campaign"}});
            if decision == "Approve" {
                approval["spec"]["expireTime"] = json!((Timestamp::now() + SignedDuration::from_hours(1)).to_string());
            }
            world.approver.create(Some(namespace), &approval).await;
        }
        !life.last_seen.is_empty()
    }

    /// Takes back that the upgrade is wanted. False: not yet possible.
    async fn give_up(&self, world: &World, life: &Life, how: GivenUp) -> bool {
        let never = json!({"spec": {"upgrade": {"when": "Never", "beforeExhaustion": null}}});
        match how {
            GivenUp::Never => world.admin.patch(NAMESPACE, &self.name, &never).await,
            GivenUp::Suspended => world.admin.patch(NAMESPACE, &self.name, &json!({"spec": {"suspend": true}})).await,
            GivenUp::Denied => return self.say(world, life, "Deny").await,
            GivenUp::Deleted => world.admin.delete("Subscription", NAMESPACE, &self.name).await,
        }
        true
    }

    async fn put_away(&self, world: &World) {
        for namespace in self.namespaces() {
            world.admin.delete("Subscription", namespace, &self.name).await;
        }
        if self.on_aws {
            world.admin.delete("BillingProvider", NAMESPACE, &self.name).await;
            world.admin.delete(SECRET, NAMESPACE, &self.name).await;
        }
        self.estate.leave(world).await;
    }
}

/// The reason of a Subscription's Ready condition.
fn ready_reason(subscription: &Value) -> Option<String> {
    let conditions = subscription["status"]["conditions"].as_array()?;
    let ready = conditions.iter().find(|condition| condition["type"] == "Ready")?;
    ready["reason"].as_str().map(str::to_owned)
}
