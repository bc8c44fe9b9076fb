//! Every fault at every effect, alone and in pairs, and what must come of each run.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::effect::{Effect, Side};
use super::fault::{Fault, Happening};
use super::run::{End, Outcome, Snapshot, prepare, run};
use super::workload::Workload;
use super::world::Plan;

/// How long the operator may take to be done after the last fault, beside the pauses that the protocol itself makes.
const BOUND: Duration = Duration::from_mins(1);
/// An attempt with an unknown outcome is watched for this long, and observed a little later.
const WATCHED: Duration = Duration::from_secs(30 + 20 + 60 + 60);
/// When an account is observed that nothing is expected of. A real API server does not answer a live read with the past.
const UNSEEN: Duration = Duration::from_hours(6);
/// When an account is observed again if another permission would reveal more.
const MAY_BE_GRANTED: Duration = Duration::from_mins(15);
/// When a record is observed that has a Subscription to look after it.
const OBSERVED_AFTER: Duration = Duration::from_mins(5);
/// When an account is observed if a person has to decide about it.
const ASKED: Duration = Duration::from_hours(1);
/// After a refusal by the provider, the next attempt follows in an hour, and then in two.
const REFUSED: Duration = Duration::from_hours(3);

/// What must come of the runs of a workload.
pub(super) struct Campaign {
    snapshot: Snapshot,
    /// The run without faults.
    reference: Outcome,
}

/// Runs and what was wrong with them.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) runs: AtomicUsize,
    pub(super) attempts: AtomicUsize,
    pub(super) slowest: Mutex<Duration>,
    failures: Mutex<BTreeMap<String, (usize, String)>>,
}

impl Campaign {
    pub(super) fn new(workload: Workload) -> Self {
        let snapshot = prepare(workload);
        let reference = run(&snapshot, &Plan::new());
        assert_eq!(reference.violations, Vec::<String>::new(), "{} without faults", workload.name);
        Self { snapshot, reference }
    }

    pub(super) fn name(&self) -> &'static str {
        self.snapshot.workload.name
    }

    /// The effects of the run without faults, up to where it is done.
    pub(super) fn points(&self) -> &[Effect] {
        self.reference.points()
    }

    /// All plans with one fault.
    pub(super) fn singles(&self) -> Vec<Plan> {
        following(&Plan::new(), &self.reference)
    }

    /// What comes of `plan`.
    pub(super) fn run(&self, plan: &Plan) -> Outcome {
        run(&self.snapshot, plan)
    }

    /// Runs `plan`, and returns all plans with one more fault.
    pub(super) fn try_out(&self, plan: &Plan, tally: &Tally) -> Vec<Plan> {
        let outcome = self.run(plan);
        self.count(plan, &outcome, tally);
        following(plan, &outcome)
    }

    /// Runs a plan of three to eight faults that `seed` chooses. What can go wrong at an effect is known when the run before
    /// it has come there.
    pub(super) fn try_at_random(&self, seed: u64, tally: &Tally) {
        let mut random = fastrand::Rng::with_seed(seed);
        let (mut plan, mut points) = (Plan::new(), self.points().to_vec());
        for _ in 0..random.usize(3..=8) {
            let from = plan.last().map_or(0, |(number, _)| number + 1);
            if from >= points.len() {
                break;
            }
            // Early ones leave room for more.
            let number = from + random.usize(0..(points.len() - from).div_ceil(2));
            let Some(fault) = random.choice(Fault::at(&points[number])) else { continue };
            plan.push((number, fault));
            let outcome = self.run(&plan);
            self.count(&plan, &outcome, tally);
            points = outcome.points().to_vec();
        }
    }

    fn count(&self, plan: &Plan, outcome: &Outcome, tally: &Tally) {
        tally.runs.fetch_add(1, Ordering::Relaxed);
        tally.attempts.fetch_add(outcome.attempts, Ordering::Relaxed);
        let mut slowest = tally.slowest.lock().unwrap();
        *slowest = outcome.took.max(*slowest);
        drop(slowest);
        let wrong = self.judge(plan, outcome);
        if !wrong.is_empty() {
            tally.fail(&wrong, || self.story(plan, outcome, &wrong));
        }
    }

    /// What is wrong with what came of `plan`.
    fn judge(&self, plan: &Plan, outcome: &Outcome) -> Vec<String> {
        let (mut wrong, end) = (outcome.violations.clone(), &outcome.end);
        if end.all > 1 {
            wrong.push(format!("{} upgrades", end.all));
        }
        let happened = |is: fn(Happening) -> bool| {
            plan.iter().any(|(_, fault)| matches!(fault, Fault::World(happening) if is(*happening)))
        };
        // The BillingProvider that could show it went.
        let is_out_of_sight = happened(|happening| match happening {
            Happening::ProviderEnds => true,
            Happening::NamespaceEnds(gone) => gone.0.contains(&"BillingProvider"),
            _ => false,
        });
        if end.ours > 0 && !is_out_of_sight && !matches!(end.record.as_str(), "Confirmed" | "Accepted") {
            wrong.push(format!("an upgrade of ours is not in the ledger: {end}"));
        }
        // Three requests were lost before the run; the one that a Retry is for may be the last.
        let is_last_try = self.snapshot.workload.lost_before > 0 && end.verdict == "UpgradeUnresolved";
        // The other Subscription is the older one then, and nobody has approved it.
        let workload = &self.snapshot.workload;
        let is_others = workload.needs_person()
            && happened(|happening| happening == Happening::Recreated)
            && happened(|happening| happening == Happening::SecondClaimant);
        let reads_the_present = !plan.iter().any(|(_, fault)| matches!(fault, Fault::Stale | Fault::Old));
        if workload.denied
            && end.ours > 0
            && reads_the_present
            && !happened(|happening| happening == Happening::SecondClaimant)
        {
            wrong.push("what a Deny forbade was upgraded".to_owned());
        }
        let may_be_left = is_others
            || workload.denied
            || plan.iter().any(|(_, fault)| is_unwanted(*fault))
            || self.snapshot.workload.benefits_left
            || is_last_try;
        if end.all == 0 && !may_be_left {
            wrong.push(format!("nothing is upgraded: {end}"));
        }
        let quiet = plan.iter().all(|(_, fault)| !matches!(fault, Fault::World(_)));
        if quiet && !is_last_try && *end != self.reference.end {
            wrong.push(format!("the end is {end}, and not {}", self.reference.end));
        }
        let allowed = BOUND + self.pauses(plan, outcome);
        if outcome.took > allowed {
            wrong.push(format!("it took longer than {} minutes after the last fault", allowed.as_secs() / 60));
        }
        wrong
    }

    /// How long the protocol itself waits in a run with these faults: what can come of each of them comes at most once.
    fn pauses(&self, plan: &Plan, outcome: &Outcome) -> Duration {
        let of = |(number, fault): &(usize, Fault)| match (outcome.trace.get(*number).map(|effect| effect.side), fault)
        {
            (Some(Side::Upgrade), Fault::Status(400..=403)) | (_, Fault::World(Happening::Rotated)) => REFUSED,
            (Some(Side::CloudRead), Fault::Status(401 | 403)) => MAY_BE_GRANTED,
            // A record that comes to be when nobody expects it any more is looked after by itself.
            (Some(Side::ApiWrite), Fault::Late(_)) => WATCHED + OBSERVED_AFTER,
            // An observation of what was not seen follows in the end.
            (_, Fault::Stale | Fault::Old) => UNSEEN,
            _ => WATCHED,
        };
        // With a person asked, an observation follows each hour. One is where an upgrade is no longer wanted that may have happened.
        let may_be_asked = self.snapshot.workload.lost_before > 0 || plan.iter().any(|(_, fault)| is_unwanted(*fault));
        let asked = if may_be_asked { ASKED } else { Duration::ZERO };
        self.reference.took + asked + plan.iter().map(of).sum::<Duration>()
    }

    fn story(&self, plan: &Plan, outcome: &Outcome, wrong: &[String]) -> String {
        let mut text = String::new();
        for (number, fault) in plan {
            let effect = outcome.trace.get(*number).map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(text, "    {fault} at effect {number}:{effect}");
        }
        let _ = writeln!(text, "    ends as {} after {:?}", outcome.end, outcome.took);
        for problem in wrong {
            let _ = writeln!(text, "    WRONG: {problem}");
        }
        format!("  {} {plan:?}\n{text}", self.name())
    }
}

/// Whether nobody wants the upgrade any more.
fn is_unwanted(fault: Fault) -> bool {
    use Happening::{Deleted, Denied, NamespaceEnds, Never, ProviderEnds, Suspended, TakenBack, ToppedUp, Untrusted};
    let Fault::World(happening) = fault else { return false };
    matches!(
        happening,
        Never | Suspended | Denied | Deleted | ToppedUp | TakenBack | ProviderEnds | Untrusted | NamespaceEnds(_)
    )
}

/// All plans that go on from `plan` with one more fault, after those that are in it.
fn following(plan: &Plan, outcome: &Outcome) -> Vec<Plan> {
    let from = plan.last().map_or(0, |(number, _)| number + 1);
    let points = outcome.points().iter().enumerate().skip(from);
    points
        .flat_map(|(number, effect)| Fault::at(effect).into_iter().map(move |fault| (number, fault)))
        .map(|next| plan.iter().copied().chain([next]).collect())
        .collect()
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let wrong: usize = self.failures.lock().unwrap().values().map(|(count, _)| count).sum();
        let (runs, attempts) = (self.runs.load(Ordering::Relaxed), self.attempts.load(Ordering::Relaxed));
        write!(f, "{runs} runs, {attempts} requests for an upgrade, {wrong} wrong; ")?;
        write!(f, "settled {:?} after the last fault at the latest", self.slowest.lock().unwrap())
    }
}

impl Tally {
    fn fail(&self, wrong: &[String], story: impl FnOnce() -> String) {
        let mut failures = self.failures.lock().unwrap();
        let kind = wrong.join("; ");
        failures.entry(kind).and_modify(|(count, _)| *count += 1).or_insert_with(|| (1, story()));
    }

    /// Fails if anything was wrong, with an example of each kind.
    pub(super) fn check(&self) {
        let failures = self.failures.lock().unwrap();
        let all: usize = failures.values().map(|(count, _)| count).sum();
        let mut text = String::new();
        for (kind, (count, story)) in failures.iter().take(40) {
            let _ = writeln!(text, "{count} times: {kind}\n{story}");
        }
        assert!(failures.is_empty(), "{all} of {} runs went wrong:\n{text}", self.runs.load(Ordering::Relaxed));
    }
}

/// Calls `work` on all `items`, on as many threads as there are processors.
pub(super) fn on_all<T: Sync>(items: &[T], work: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(1, Into::into);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                    work(item);
                }
            });
        }
    });
}

/// What distinguishes one end from another.
impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { verdict, other, record, ours, all } = self;
        write!(f, "{verdict} / {other}, record {record}, upgrades {ours} of ours, {all} in all")
    }
}
