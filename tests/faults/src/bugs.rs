//! Published bugs of other operators and of what operators are built on, each replayed here. What went wrong there is described
//! in our own words; what must hold here is what the test asserts. The list is in `docs/develop/published-bugs.md`.

mod calls;
mod engine;
mod records;
mod stale;

use std::sync::OnceLock;
use std::time::Duration;

use payg_test_kit::fake_api::FakeApi;
use serde_json::Value;

use super::effect::{Effect, Side};
use super::fault::Fault;
use super::run::{Outcome, Snapshot, prepare, run};
use super::workload;
use super::world::Plan;

/// How long the operator may take where nothing has to be waited for.
const SOON: Duration = Duration::from_mins(1);
/// How long it may take when nobody knows what came of a request: until it is settled, and a little more.
const SETTLED: Duration = Duration::from_secs(30 + 20 + 60 + 60);

/// The workload called `name`, up to where its runs begin.
fn prepared(name: &str) -> &'static Snapshot {
    static SNAPSHOTS: [OnceLock<Snapshot>; workload::ALL.len()] = [const { OnceLock::new() }; workload::ALL.len()];
    let number = workload::ALL.iter().position(|workload| workload.name == name).unwrap();
    SNAPSHOTS[number].get_or_init(|| prepare(workload::ALL[number]))
}

/// A run whose faults are chosen one after the other: where the next one strikes is seen in the run with those before it.
struct Scenario {
    snapshot: &'static Snapshot,
    plan: Plan,
    outcome: Outcome,
    /// The next fault strikes here or later.
    from: usize,
}

impl Scenario {
    /// The workload called `name`, without faults.
    fn of(name: &str) -> Self {
        let snapshot = prepared(name);
        Self { snapshot, plan: Plan::new(), outcome: run(snapshot, &Plan::new()), from: 0 }
    }

    fn next(&self, is_it: fn(&Effect) -> bool) -> Option<usize> {
        (self.from..self.outcome.trace.len()).find(|number| is_it(&self.outcome.trace[*number]))
    }

    /// Goes past the next effect that `is_it`.
    fn past(mut self, is_it: fn(&Effect) -> bool) -> Self {
        self.from = self.next(is_it).unwrap_or_else(|| panic!("there is no such effect in {self}")) + 1;
        self
    }

    /// Lets `fault` strike at the next effect that `is_it`.
    fn then(self, fault: Fault, is_it: fn(&Effect) -> bool) -> Self {
        let number = self.next(is_it).unwrap_or_else(|| panic!("there is no effect for {fault} in {self}"));
        self.strike(number, fault, is_it)
    }

    /// Lets `fault` strike at every effect that `is_it` for `span` from the last fault on.
    fn during(mut self, span: Duration, fault: Fault, is_it: fn(&Effect) -> bool) -> Self {
        let (end, before) = (self.struck().unwrap() + span, self.plan.len());
        while let Some(first) = self.next(is_it).filter(|number| self.outcome.trace[*number].at < end) {
            // Those of one moment at once, which saves runs, if they are still there when the first one has gone wrong.
            let at = self.outcome.trace[first].at;
            let same = |number: &usize| self.outcome.trace[*number].at == at && is_it(&self.outcome.trace[*number]);
            let all: Vec<usize> = (first..self.outcome.trace.len()).filter(same).collect();
            self.plan.extend(all.iter().map(|number| (*number, fault)));
            self = self.rerun();
            let met = |number: &&usize| self.outcome.trace.get(**number).is_some_and(is_it);
            if let Some(missed) = all.len().checked_sub(all.iter().take_while(met).count()).filter(|missed| *missed > 0)
            {
                assert!(missed < all.len(), "{fault} met something else in {self}");
                self.plan.truncate(self.plan.len() - missed);
                self = self.rerun();
            }
        }
        assert!(self.plan.len() > before, "there is no effect for {fault} in {self}");
        self
    }

    fn strike(mut self, number: usize, fault: Fault, is_it: fn(&Effect) -> bool) -> Self {
        self.plan.push((number, fault));
        self = self.rerun();
        // Up to here the run is the same, so the fault has met what it was meant for.
        assert!(self.outcome.trace.get(number).is_some_and(is_it), "{fault} met something else in {self}");
        self
    }

    fn rerun(mut self) -> Self {
        self.outcome = run(self.snapshot, &self.plan);
        self.from = self.plan.last().map_or(0, |(number, _)| number + 1);
        self
    }

    /// When the last fault struck.
    fn struck(&self) -> Option<Duration> {
        self.plan.last().map(|(number, _)| self.outcome.trace[*number].at)
    }

    /// How many effects were like this.
    fn count(&self, is_it: impl Fn(&Effect) -> bool) -> usize {
        self.outcome.trace.iter().filter(|effect| is_it(effect)).count()
    }

    /// How many writes there were after all was settled.
    fn late_writes(&self) -> usize {
        let settled = self.outcome.points().len();
        self.outcome.trace[settled..].iter().filter(|effect| effect.side == Side::ApiWrite).count()
    }

    /// The account was upgraded once, with so many requests, and every status reports it; within `bound` after the last fault.
    fn assert_upgraded(&self, requests: usize, bound: Duration) {
        self.assert_end("OfferInPlace", "Confirmed", 1);
        assert_eq!(self.outcome.attempts, requests, "requests in {self}");
        self.assert_within(bound);
    }

    /// It ended with this verdict, this state of the record and so many upgrades, and nothing was wrong on the way.
    fn assert_end(&self, verdict: &str, record: &str, upgrades: usize) {
        assert_eq!(self.outcome.violations, Vec::<String>::new(), "{self}");
        let end = &self.outcome.end;
        assert_eq!((end.verdict.as_str(), end.record.as_str()), (verdict, record), "{self}");
        assert_eq!((end.ours, end.all), (upgrades, upgrades), "upgrades in {self}");
        assert!(self.outcome.api.list("UpgradeRecord").len() <= 1, "{self}");
        assert_eq!(self.outcome.api.list("UpgradeRecord").is_empty(), record == "none", "{self}");
    }

    fn assert_within(&self, bound: Duration) {
        assert!(self.outcome.took <= bound, "it took {:?}, and not {bound:?}: {self}", self.outcome.took);
    }

    /// How the attempts ended by the record; "" where that is not noted.
    fn attempts(&self) -> Vec<String> {
        attempts(&self.outcome.api)
    }
}

fn attempts(api: &FakeApi) -> Vec<String> {
    let record = api.list("UpgradeRecord").pop().unwrap_or_default();
    let attempts = record["status"]["attempts"].as_array().cloned().unwrap_or_default();
    attempts.iter().map(|attempt| attempt["outcome"].as_str().unwrap_or_default().to_owned()).collect()
}

/// The plan and all that happened.
impl std::fmt::Display for Scenario {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(
            f,
            "the run of {} with {:?}, which ends as {}:",
            self.snapshot.workload.name, self.plan, self.outcome.end
        )?;
        for (number, effect) in self.outcome.trace.iter().enumerate().take(self.outcome.points().len() + 20) {
            let faults = self.plan.iter().filter(|(at, _)| *at == number).map(|(_, fault)| format!(" <- {fault}"));
            writeln!(f, "{number:4} {effect}{}", faults.collect::<String>())?;
        }
        Ok(())
    }
}

fn is(effect: &Effect, side: Side, method: &str, part: &str) -> bool {
    effect.side == side && effect.what.starts_with(method) && effect.what.contains(part)
}

/// The request for the upgrade.
fn upgrade(effect: &Effect) -> bool {
    effect.side == Side::Upgrade
}

/// The record is created.
fn create_record(effect: &Effect) -> bool {
    is(effect, Side::ApiWrite, "POST", "/upgraderecords")
}

/// Something is written into the record.
fn write_record(effect: &Effect) -> bool {
    is(effect, Side::ApiWrite, "PATCH", "/upgraderecords/")
}

fn read_record(effect: &Effect) -> bool {
    is(effect, Side::ApiRead, "GET", "/upgraderecords/")
}

fn read_subscription(effect: &Effect) -> bool {
    is(effect, Side::ApiRead, "GET", "/subscriptions/sandbox")
}

/// The Subscription's status is written.
fn write_status(effect: &Effect) -> bool {
    is(effect, Side::ApiWrite, "PATCH", "/subscriptions/sandbox/status")
}

/// The account is read.
fn observation(effect: &Effect) -> bool {
    effect.side == Side::CloudRead && effect.what.starts_with("GET") && !effect.what.contains("Broker")
}

/// Subscriptions are listed or watched.
fn watch_subscriptions(effect: &Effect) -> bool {
    is(effect, Side::ApiWatch, "GET", "/subscriptions")
}

/// Records are listed or watched.
fn watch_records(effect: &Effect) -> bool {
    is(effect, Side::ApiWatch, "GET", "/upgraderecords")
}

/// Approvals are listed or watched.
fn watch_approvals(effect: &Effect) -> bool {
    is(effect, Side::ApiWatch, "GET", "/upgradeapprovals")
}

fn subscription(api: &FakeApi) -> Option<Value> {
    api.get("Subscription", workload::TEAM, workload::NAME)
}
