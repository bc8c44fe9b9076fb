//! What must hold at each request for an upgrade and at each write, whatever goes wrong: observed from outside, at the wire.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use jiff::Timestamp;
use payg_test_kit::fake_api::Body as FakeBody;
use serde_json::Value;

use super::cloud::Lost;
use super::workload::{Begin, Cloud, NAME, OTHER_TEAM, SECRET, Workload};
use super::world::{Life, World};
use payg_fixtures::flux;

/// By how much the clocks of two replicas differ in a run.
pub(super) const SKEW: Duration = Duration::from_secs(7);
/// How long a request may be under way after the last moment at which it may be sent: the timeout of the call, and by how
/// much clocks may differ.
const SETTLED: Duration = Duration::from_secs(20 + 60).saturating_sub(SKEW);

/// How long an observation may be behind: a reconcile at its slowest, and an answer that is stale.
const NOTICED: Duration = Duration::from_mins(5);

/// How far two observations are apart at the least that count as two, by one clock and in whole seconds.
const MIN_OBSERVATION_GAP: Duration = Duration::from_secs(5 - 1);

/// How many requests may be without an outcome before a person is asked, and how many more a Retry allows.
const IN_DOUBT: usize = 3;
const BY_RETRY: usize = 1;

/// What was seen of a run.
#[derive(Default)]
pub(super) struct Witness {
    /// What should never be, and was.
    pub(super) violations: Vec<String>,
    /// The intents that a replica has written, and that it has read in answers.
    written: BTreeMap<Life, BTreeSet<String>>,
    acknowledged: BTreeMap<Life, BTreeSet<String>>,
    /// The intents that are stored: none may ever go.
    stored: BTreeSet<String>,
    /// The observations of the account that were answered, by anybody.
    looks: Vec<Duration>,
    /// The number of the answer in which a replica last saw this.
    last: BTreeMap<(Life, Seen), usize>,
    answers: usize,
    /// The Subscriptions as replicas read them last, by replica, namespace and name.
    subscriptions: BTreeMap<(Life, String), Value>,
    /// The uids of all that they have read.
    uids: BTreeMap<Life, BTreeSet<String>>,
    /// The approvals as replicas read them last, by replica and namespace.
    approvals: BTreeMap<(Life, String), Vec<Value>>,
    /// Whether the namespaces, as replicas read them last, are being deleted or gone.
    ending: BTreeMap<(Life, String), bool>,
    /// The number of the last answer before the namespace of the first Subscription began to be deleted.
    ended: Option<usize>,
    pub(super) attempts: Vec<Attempt>,
    /// When the account got new benefits (wall clock).
    pub(super) topped_up: Option<Timestamp>,
    pub(super) last_write: Duration,
    /// How often each notice arrived.
    pub(super) arrived: BTreeMap<String, usize>,
}

/// What must be seen in a certain order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Seen {
    Account,
    Subscription,
    Approvals,
}

/// A request for an upgrade.
#[derive(Debug)]
pub(super) struct Attempt {
    /// Until when it may be under way (wall clock).
    until: Timestamp,
    /// Since when the caller knows for certain that nothing came of it.
    refused: Option<Duration>,
}

impl Witness {
    fn violation(&mut self, text: String) {
        if !self.violations.contains(&text) {
            self.violations.push(text);
        }
    }

    /// The notice with this id has arrived.
    pub(super) fn notified(&mut self, id: String) {
        *self.arrived.entry(id).or_default() += 1;
    }

    /// What the API server answered to a request of `life` for `path`.
    pub(super) fn answered_by_api(&mut self, life: Life, path: &str, body: &Value) {
        let namespace = path.split("/namespaces/").nth(1).and_then(|rest| rest.split('/').next());
        let namespace = namespace.unwrap_or_default().to_owned();
        if path.ends_with(&format!("/api/v1/namespaces/{namespace}")) {
            let is_ending = body["code"] == 404 || body["metadata"]["deletionTimestamp"].is_string();
            self.ending.insert((life, namespace), is_ending);
            return;
        }
        match body["kind"].as_str() {
            Some("Subscription") => {
                self.saw(life, Seen::Subscription);
                let uid = body["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
                self.uids.entry(life).or_default().insert(uid);
                self.subscriptions.insert((life, namespace), body.clone());
            }
            Some("Status") if body["code"] == 404 && path.contains("/subscriptions/") => {
                self.subscriptions.remove(&(life, namespace));
            }
            Some("UpgradeApprovalList") => {
                self.saw(life, Seen::Approvals);
                self.approvals.insert((life, namespace), body["items"].as_array().cloned().unwrap_or_default());
            }
            Some("UpgradeRecord") => {
                self.acknowledged.entry(life).or_default().extend(intents(body));
            }
            _ => {}
        }
    }

    /// A cloud has reported `life` for the account.
    pub(super) fn looked(&mut self, life: Life, at: Duration) {
        self.saw(life, Seen::Account);
        self.looks.push(at);
    }

    /// The namespace of the first Subscription begins to be deleted.
    pub(super) fn namespace_ends(&mut self) {
        self.ended = Some(self.answers);
    }

    fn saw(&mut self, life: Life, what: Seen) {
        self.answers += 1;
        self.last.insert((life, what), self.answers);
    }

    /// The answer to an attempt has come to its sender.
    pub(super) fn answered(&mut self, attempt: usize, at: Duration, answer: &Result<Response<Vec<u8>>, Lost>) {
        let definite = match answer {
            Err(Lost::NotConnected) => true,
            Err(Lost::Broken) => false,
            Ok(answer) => matches!(answer.status().as_u16(), 400 | 401 | 403 | 404 | 422 | 429),
        };
        self.attempts[attempt].refused = definite.then_some(at);
    }
}

/// The ids of all intents in a record.
fn intents(record: &Value) -> BTreeSet<String> {
    let attempts = record["status"]["attempts"].as_array().map(Vec::as_slice).unwrap_or_default();
    let all = attempts.iter().map(|attempt| &attempt["intent"]).chain([&record["spec"]["intent"]]);
    all.filter_map(|intent| intent["id"].as_str()).map(str::to_owned).collect()
}

/// Until when the last intent in a record may be sent.
fn not_after(record: &Value) -> Option<Timestamp> {
    last_intent(record)?["notAfterTime"].as_str()?.parse().ok()
}

fn last_intent(record: &Value) -> Option<&Value> {
    let attempts = record["status"]["attempts"].as_array().map(Vec::as_slice).unwrap_or_default();
    attempts.iter().rev().find(|attempt| attempt["intent"].is_object()).map(|attempt| &attempt["intent"]).or_else(
        || {
            let first = &record["spec"]["intent"];
            first.is_object().then_some(first)
        },
    )
}

/// A request for an upgrade is about to leave `life`.
pub(super) fn asked(world: &Arc<World>, life: Life, request: &Request<Vec<u8>>) -> usize {
    let key_of_account = world.workload.account_id().upgrade_key().idempotency_key().to_string();
    let record = world.workload.record(&world.api);
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let key = header("idempotency-key");
    let mut state = world.state();
    let was_paused = state.was_just_paused(life);
    let witness = &mut state.witness;
    witness.check_record(life, record.as_ref(), was_paused);
    if world.workload.cloud == Cloud::Azure && key.as_ref() != Some(&key_of_account) {
        witness.violation(format!("an upgrade is asked for with the key {key:?}, which is not the account's"));
    }
    witness.check_allowed(life, &world.workload);
    witness.check_number(&world.workload);
    let late = world.workload.when != "Immediately"
        && witness.topped_up.is_some_and(|at| payg_virtual_time::wall() > at + NOTICED);
    if world.workload.benefits_left || late {
        witness.violation("an upgrade is asked for while there are benefits left".to_owned());
    }
    let under_way = |earlier: &Attempt| earlier.refused.is_none() && payg_virtual_time::wall() < earlier.until;
    if witness.attempts.iter().any(under_way) && !was_paused {
        witness.violation("an upgrade is asked for while an earlier request may still be under way".to_owned());
    }
    let last_moment = record.as_ref().and_then(not_after).unwrap_or_else(payg_virtual_time::wall);
    witness.attempts.push(Attempt { until: last_moment + SETTLED, refused: None });
    witness.attempts.len() - 1
}

impl Witness {
    /// Whether the record is there first, and says why, and is the sender's own.
    fn check_record(&mut self, life: Life, record: Option<&Value>, was_paused: bool) {
        let Some(record) = record else { return self.violation("an upgrade is asked for without a record".to_owned()) };
        let intent = last_intent(record).cloned().unwrap_or_default();
        let id = intent["id"].as_str().unwrap_or_default();
        let knows = |intents: &BTreeMap<Life, BTreeSet<String>>| intents.get(&life).is_some_and(|all| all.contains(id));
        if !knows(&self.written) {
            self.violation("an upgrade is asked for on an intent of somebody else".to_owned());
        }
        if !knows(&self.acknowledged) {
            self.violation("an upgrade is asked for on an intent that was not acknowledged to its sender".to_owned());
        }
        if not_after(record).is_none_or(|end| payg_virtual_time::wall() > end) && !was_paused {
            self.violation("an upgrade is asked for after notAfterTime".to_owned());
        }
        if intent["evidence"]["summary"].as_str().is_none_or(str::is_empty) {
            self.violation("an upgrade is asked for without evidence in the record".to_owned());
        }
        let requester = record["spec"]["requester"]["uid"].as_str().unwrap_or_default();
        let is_first = intent == record["spec"]["intent"];
        if is_first && !self.uids.get(&life).is_some_and(|read| read.contains(requester)) {
            self.violation("an upgrade is asked for, and the record says that it is for somebody else".to_owned());
        }
    }

    /// Whether there were looks enough before, and not too many requests.
    fn check_number(&mut self, workload: &Workload) {
        let observed_twice =
            self.looks.first().zip(self.looks.last()).is_some_and(|(one, other)| *other >= *one + MIN_OBSERVATION_GAP);
        // Between two clocks nobody can say.
        let by_one = workload.leaders == 1 && self.acknowledged.keys().all(|life| life.replica == 0);
        if by_one && workload.begin == Begin::Fresh && workload.when != "Immediately" && !observed_twice {
            self.violation("an upgrade is asked for upon a single look".to_owned());
        }
        let allowed = if workload.lost_before == 0 { IN_DOUBT } else { BY_RETRY };
        if self.attempts.iter().filter(|attempt| attempt.refused.is_none()).count() >= allowed {
            self.violation("an upgrade is asked for once more, and no person was asked".to_owned());
        }
    }

    /// Whether the Subscription and the approvals were read again after the account, before the intents in `body` are
    /// written, and the namespace was not being deleted by then: a Deny that was looked for and not found may have gone with it.
    fn check_order(&mut self, life: Life, body: &Value, is_alone: bool, reads_the_present: bool) {
        let new: Vec<_> = intents(body).into_iter().filter(|id| !self.stored.contains(id)).collect();
        let last = |what| self.last.get(&(life, what)).copied();
        let had_ended = self.ended.is_some_and(|ended| last(Seen::Approvals) > Some(ended));
        let before = |what| last(what) < last(Seen::Account);
        if is_alone && !new.is_empty() && (before(Seen::Subscription) || before(Seen::Approvals)) {
            self.violation(
                "an intent is written, and nobody has looked whether somebody changed their mind".to_owned(),
            );
        }
        if is_alone && reads_the_present && !new.is_empty() && had_ended {
            self.violation("an intent is written for a namespace that was being deleted".to_owned());
        }
        self.written.entry(life).or_default().extend(new);
    }

    /// Whether what `life` read last allows an upgrade.
    fn check_allowed(&mut self, life: Life, workload: &Workload) {
        let allowing = |subscription: &Value| {
            subscription["metadata"]["name"] == NAME
                && subscription["metadata"]["deletionTimestamp"].is_null()
                && subscription["spec"]["suspend"] != true
                && subscription["spec"]["upgrade"]["when"] != "Never"
        };
        let of = |life: Life, namespace: &str| (life, namespace.to_owned());
        let allows = |witness: &Self, namespace: &str| {
            let denies = |approval: &Value| approval["spec"]["decision"] == "Deny";
            let approves = |approval: &Value| !denies(approval) && approval["metadata"]["deletionTimestamp"].is_null();
            let said = witness.approvals.get(&of(life, namespace)).map(Vec::as_slice).unwrap_or_default();
            witness.subscriptions.get(&of(life, namespace)).is_some_and(allowing)
                && !said.iter().any(denies)
                && (!workload.needs_person() || said.iter().any(approves))
                && witness.ending.get(&of(life, namespace)) == Some(&false)
        };
        let namespaces: BTreeSet<String> =
            self.subscriptions.keys().filter(|(of, _)| *of == life).map(|(_, namespace)| namespace.clone()).collect();
        if !namespaces.iter().any(|namespace| allows(self, namespace)) {
            self.violation("an upgrade is asked for that no Subscription, as it was read last, allows".to_owned());
        }
    }
}

/// A write of a replica sets out for the API server.
pub(super) fn sets_out(world: &World, life: Life, request: &Request<Vec<u8>>) {
    if request.uri().path().contains("/upgraderecords")
        && let Ok(body) = serde_json::from_slice(request.body())
    {
        let mut state = world.state();
        let reads_the_present = state.reads_the_present();
        let witness = &mut state.witness;
        witness.stored.extend(intents(&world.workload.record(&world.api).unwrap_or_default()));
        // Whoever claims an account also observes it, and the two cannot be distinguished.
        let is_alone = world.api.get("Subscription", OTHER_TEAM, NAME).is_none();
        witness.check_order(life, &body, is_alone, reads_the_present);
    }
}

/// Whether a write only remembers notices. It is no reconcile, and the spec may have changed since the last one.
fn is_of_notices(request: &Request<Vec<u8>>) -> bool {
    let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
    body["status"].as_object().is_some_and(|status| status.keys().eq(["notices"]))
}

/// A write has been done: no attempt may be missing now, and no status may say what tools read wrong.
pub(super) fn is_done(world: &World, request: &Request<Vec<u8>>, answer: &Response<FakeBody>) {
    if let Some(body) = answer.body().whole().filter(|_| answer.status().is_success())
        && let Ok(written) = serde_json::from_slice::<Value>(body)
        && ["Subscription", "BillingProvider"].iter().any(|kind| written["kind"] == *kind)
        && !is_of_notices(request)
    {
        for rule in flux::broken(&written) {
            let status = &written["status"];
            world.state().witness.violation(format!("a status breaks Flux's rule {rule}: {status}"));
        }
    }
    if request.uri().path().contains("/upgraderecords") {
        let record = world.workload.record(&world.api).unwrap_or_default();
        let now = intents(&record);
        let witness = &mut world.state().witness;
        if !now.is_superset(&witness.stored) {
            witness.violation("an attempt is gone from the record".to_owned());
        }
        witness.stored = now;
    }
}

/// A write of a replica reaches the API server.
pub(super) fn arrives(world: &World, request: &Request<Vec<u8>>) {
    let (path, text) = (request.uri().path(), String::from_utf8_lossy(request.body()));
    let body: Value = serde_json::from_str(&text).unwrap_or_default();
    let upgraded = |condition: &Value| condition["type"] == "Upgraded" && condition["status"] == "True";
    let conditions = body["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let says_upgraded = body["status"]["state"] == "Confirmed" || conditions.iter().any(upgraded);
    let is_upgraded = !says_upgraded || world.cloud.is_upgraded(world.workload.account());
    let mut state = world.state();
    let at = world.began.elapsed();
    let witness = &mut state.witness;
    witness.last_write = at;
    if text.contains(SECRET) {
        witness.violation(format!("a secret is written to {path}"));
    }
    if !is_upgraded {
        witness.violation(format!("{path} is told that the account is upgraded, and it is not"));
    }
}
