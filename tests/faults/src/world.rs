//! The world of a run: an API server, the clouds, and replicas of the operator on one thread, under a clock that jumps from
//! event to event. Every effect of a replica passes through [`World::meet`], where the plan of the run says what goes wrong.

use std::collections::BTreeMap;
use std::future::{pending, poll_fn};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use jiff::Timestamp;
use payg_test_kit::fake_api::FakeApi;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

use super::effect::{Effect, Side};
use super::fault::{Fault, Happening};
use super::witness::Witness;
use super::workload::{NAME, OTHER_TEAM, SECRET, TEAM, Workload};
use payg_operator::operator::Reconcile;
use payg_simulator::local::Local;
use payg_virtual_time::unskewed;

/// What goes wrong in a run: at the effect with this number, this.
pub(super) type Plan = Vec<(usize, Fault)>;

/// A replica from its start to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Life {
    pub(super) replica: usize,
    number: usize,
}

/// What a replica asks the run for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    /// The replica is dead, and must be started again.
    Crashed(usize),
    /// A second replica must be started.
    SecondLeader,
}

pub(super) struct World {
    pub(super) api: FakeApi,
    pub(super) cloud: Local,
    pub(super) workload: Workload,
    pub(super) began: Instant,
    /// When that was (wall clock).
    pub(super) began_at: Timestamp,
    /// What the API server's revision was then.
    pub(super) first_revision: u64,
    signals: mpsc::UnboundedSender<Signal>,
    state: Mutex<State>,
}

#[derive(Default)]
pub(super) struct State {
    plan: BTreeMap<usize, Fault>,
    pub(super) trace: Vec<Effect>,
    /// When the last fault struck.
    pub(super) last_fault: Duration,
    lives: Vec<Life>,
    lives_begun: usize,
    paused_until: BTreeMap<usize, Instant>,
    /// Whether the cloud takes another secret than at the begin.
    rotated: bool,
    pub(super) witness: Witness,
}

impl State {
    /// Notes an effect of a replica that lives, and returns what the plan has for it.
    fn note(&mut self, life: Life, side: Side, what: String, at: Duration) -> Option<Fault> {
        if !self.lives.contains(&life) {
            return None;
        }
        let fault = self.plan.get(&self.trace.len()).copied();
        self.trace.push(Effect { side, what, replica: life.replica, at });
        if let Some(fault) = fault {
            self.last_fault = self.last_fault.max(at + fault.lasts());
        }
        fault
    }

    /// Whether every live read is of a moment at which it was under way, as those of a real API server are.
    pub(super) fn reads_the_present(&self) -> bool {
        !self.plan.values().any(|fault| matches!(fault, Fault::Stale | Fault::Old))
    }

    /// Whether the replica was stopped for a while a moment ago: what it does now, it may have checked before that.
    pub(super) fn was_just_paused(&self, life: Life) -> bool {
        let until = self.paused_until.get(&life.replica);
        until.is_some_and(|until| until.elapsed() < Duration::from_mins(1))
    }
}

impl World {
    pub(super) fn new(
        api: FakeApi,
        cloud: Local,
        workload: Workload,
        plan: &Plan,
    ) -> (Arc<Self>, mpsc::UnboundedReceiver<Signal>) {
        let (signals, heard) = mpsc::unbounded_channel();
        let state = State { plan: plan.iter().copied().collect(), ..State::default() };
        let first_revision = api.revision();
        let world = Self {
            api,
            cloud,
            workload,
            began: Instant::now(),
            began_at: payg_virtual_time::wall(),
            first_revision,
            signals,
            state: Mutex::new(state),
        };
        (Arc::new(world), heard)
    }

    /// Never held across an await.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A replica begins to live; the one of the same number before it is dead.
    pub(super) fn begin_life(&self, replica: usize) -> Life {
        let mut state = self.state();
        state.lives_begun += 1;
        let life = Life { replica, number: state.lives_begun };
        state.lives.retain(|other| other.replica != replica);
        state.lives.push(life);
        life
    }

    /// An effect of a replica: notes it, lets happen what the plan has for it, and returns what is left to be done about it.
    /// Does not return for a replica that is dead by then.
    pub(super) async fn meet(&self, life: Life, side: Side, what: String) -> Option<Fault> {
        let fault = self.state().note(life, side, what, self.began.elapsed());
        match fault {
            Some(Fault::World(happening)) => self.happen(happening).await,
            Some(Fault::CrashBefore) => self.crash(life),
            Some(Fault::Pause(seconds)) => {
                let until = Instant::now() + Duration::from_secs(seconds.into());
                self.state().paused_until.insert(life.replica, until);
                tokio::task::yield_now().await;
            }
            other => {
                self.check_alive(life).await;
                return other;
            }
        }
        self.check_alive(life).await;
        None
    }

    /// The end of a replica's life.
    pub(super) fn crash(&self, life: Life) {
        self.state().lives.retain(|other| *other != life);
        // The run has ended if nobody listens.
        let _ = self.signals.send(Signal::Crashed(life.replica));
    }

    /// Returns if the replica lives.
    pub(super) async fn check_alive(&self, life: Life) {
        if !self.state().lives.contains(&life) {
            pending::<()>().await;
        }
    }

    /// A reconcile of a replica, which stands still while the replica is paused.
    pub(super) fn hold(self: &Arc<Self>, life: Life, reconcile: Reconcile) -> Reconcile {
        let world = Arc::clone(self);
        Box::pin(async move {
            let mut reconcile = reconcile;
            let mut wake = None;
            poll_fn(move |context| {
                let paused = world.state().paused_until.get(&life.replica).copied();
                if let Some(until) = paused.filter(|until| *until > Instant::now())
                    && wake.insert(Box::pin(sleep_until(until))).as_mut().poll(context).is_pending()
                {
                    return Poll::Pending;
                }
                reconcile.as_mut().poll(context)
            })
            .await
        })
    }

    /// What the cloud takes for the secret of the credentials now.
    fn secret(&self) -> String {
        if self.state().rotated { rotated() } else { SECRET.to_owned() }
    }

    /// Applies `object`. Where its namespace is being deleted, nothing new comes to be.
    fn apply(&self, object: &Value) {
        let applied = self.api.apply(object);
        assert!(applied.is_ok() || self.is_ending(), "{applied:?}");
    }

    /// Whether the namespace of the first Subscription is being deleted.
    pub(super) fn is_ending(&self) -> bool {
        self.api.get("Namespace", "", TEAM).is_some_and(|team| team["metadata"]["deletionTimestamp"].is_string())
    }

    /// What there is of the kind in the namespace is deleted, and kept by a finalizer.
    fn delete_and_keep(&self, kind: &str) {
        for object in self.api.list(kind).iter().filter(|object| object["metadata"]["namespace"] == TEAM) {
            let name = object["metadata"]["name"].as_str().unwrap();
            self.apply(&json!({"apiVersion": object["apiVersion"], "kind": kind,
                "metadata": {"name": name, "namespace": TEAM, "finalizers": ["example.com/keeps"]}}));
            self.api.delete(kind, TEAM, name).unwrap();
        }
    }

    /// The namespace is being deleted, and what is in it of the `kinds` is gone.
    fn end_namespace(&self, kinds: &[&str]) {
        if !self.is_ending() {
            // The real API server keeps it by `spec.finalizers` until it is empty.
            let kept = json!({"apiVersion": "v1", "kind": "Namespace",
                "metadata": {"name": TEAM, "finalizers": ["payg-operator.io/contents"]}});
            self.apply(&kept);
            self.api.delete("Namespace", "", TEAM).unwrap();
            self.state().witness.namespace_ends();
        }
        for kind in kinds {
            for object in self.api.list(kind).iter().filter(|object| object["metadata"]["namespace"] == TEAM) {
                let name = object["metadata"]["name"].as_str().unwrap();
                self.api.delete(kind, TEAM, name).unwrap();
                // Somebody has taken out the finalizer that kept it.
                let metadata = json!({"name": name, "namespace": TEAM, "finalizers": null});
                if self.api.get(kind, TEAM, name).is_some() {
                    self.apply(&json!({"apiVersion": object["apiVersion"], "kind": kind, "metadata": metadata}));
                }
            }
        }
    }

    async fn happen(&self, happening: Happening) {
        let subscription = |change: &dyn Fn(&mut Value)| {
            let Some(mut object) = self.api.get("Subscription", TEAM, NAME) else { return };
            change(&mut object);
            let metadata = json!({"name": NAME, "namespace": TEAM});
            let object = json!({"apiVersion": object["apiVersion"], "kind": "Subscription", "metadata": metadata,
                "spec": object["spec"]});
            self.apply(&object);
        };
        let account = format!("/accounts/{}", self.workload.account());
        match happening {
            Happening::SecondLeader => {
                let _ = self.signals.send(Signal::SecondLeader);
            }
            Happening::Recreated => {
                if self.api.delete("Subscription", TEAM, NAME).is_ok() {
                    self.apply(&self.workload.subscription(TEAM));
                }
            }
            Happening::Deleted => {
                let _ = self.api.delete("Subscription", TEAM, NAME);
            }
            Happening::SecondClaimant => self.second_claimant(),
            Happening::StatusWiped => {
                if let Some(object) = self.api.get("Subscription", TEAM, NAME) {
                    let fields = object["status"].as_object().into_iter().flat_map(|status| status.keys());
                    let nothing: Value = fields.map(|field| (field.clone(), Value::Null)).collect();
                    self.apply(&json!({"apiVersion": object["apiVersion"], "kind": "Subscription",
                        "metadata": {"name": NAME, "namespace": TEAM}, "status": nothing}));
                }
            }
            Happening::Never => subscription(&|object| {
                let upgrade = object["spec"]["upgrade"].as_object_mut().unwrap();
                upgrade.insert("when".to_owned(), json!("Never"));
                upgrade.insert("beforeExhaustion".to_owned(), Value::Null);
            }),
            Happening::Suspended => subscription(&|object| object["spec"]["suspend"] = json!(true)),
            Happening::Denied => self.apply(&Workload::decision("Deny", "0000000000000000", payg_virtual_time::wall())),
            Happening::TakenBack => self.delete_and_keep("UpgradeApproval"),
            Happening::ProviderEnds => self.delete_and_keep("BillingProvider"),
            Happening::Untrusted => {
                let _ = self.api.delete("ValidatingAdmissionPolicyBinding", "", "upgradeapprovals.payg-operator.io");
            }
            Happening::NamespaceEnds(gone) => self.end_namespace(gone.0),
            Happening::Rotated => self.rotate().await,
            Happening::UpgradedByPerson => {
                // It is refused where the account is upgraded already.
                let _ = self.cloud.try_control("POST", &format!("{account}/portal-upgrade"), Value::Null).await;
            }
            Happening::ToppedUp => {
                let benefits = match self.workload.cloud {
                    super::workload::Cloud::Azure => json!({"periodDays": 400}),
                    super::workload::Cloud::Aws => json!({"credit": {"amount": "1000", "currency": "USD"}}),
                };
                // Times in a status are in whole seconds.
                let now =
                    unskewed(async { Timestamp::from_second(payg_virtual_time::wall().as_second()).unwrap() }).await;
                self.state().witness.topped_up = Some(now);
                let _ = self.cloud.try_control("PATCH", &account, benefits).await;
            }
        }
    }

    /// Somebody names the account in another namespace, with credentials of their own.
    pub(super) fn second_claimant(&self) {
        let workload = &self.workload;
        self.apply(&workload.secret(OTHER_TEAM, &self.secret()));
        self.apply(&workload.provider(OTHER_TEAM));
        self.apply(&workload.subscription(OTHER_TEAM));
    }

    async fn rotate(&self) {
        let new = rotated();
        self.state().rotated = true;
        let _ = self.cloud.try_control("POST", "/clients", self.workload.client(&new)).await;
        let (api, workload) = (self.api.clone(), self.workload);
        tokio::spawn(async move {
            sleep(Duration::from_secs(5)).await;
            for namespace in [TEAM, OTHER_TEAM] {
                if api.get("Secret", namespace, "credentials").is_some() {
                    api.apply(&workload.secret(namespace, &new)).unwrap();
                }
            }
        });
    }
}

/// The secret that comes after the first one.
fn rotated() -> String {
    format!("{SECRET}-2")
}
