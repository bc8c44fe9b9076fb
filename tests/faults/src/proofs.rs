//! Rules of the protocol, each in one run that would go wrong without it. `tests/mutants` takes them out of the code one by
//! one.

use super::campaign::{Campaign, Tally};
use super::effect::{Effect, Side};
use super::fault::{Fault, Gone, Happening};
use super::run::Outcome;
use super::workload::{self, AZURE};
use super::world::Plan;

/// The effects that something may go wrong at.
type At = fn(&Effect) -> bool;

/// What goes wrong in a run, in this order, each at the first effect of its kind.
type Faults<'a> = &'a [(At, Fault)];

fn start(effect: &Effect) -> bool {
    effect.side == Side::ApiWatch
}

/// The last read of the observation of the account.
fn observation(effect: &Effect) -> bool {
    effect.side == Side::CloudRead && effect.what.contains(AZURE) && effect.what.contains("Billing")
}

/// The same of the observation that decides: the workloads begin with a first one in their status, or make it at once.
fn second_observation(effect: &Effect) -> bool {
    observation(effect) && effect.at.as_secs() >= 5
}

fn read_subscription(effect: &Effect) -> bool {
    effect.side == Side::ApiRead && effect.what.ends_with("/subscriptions/sandbox")
}

fn read_approvals(effect: &Effect) -> bool {
    effect.side == Side::ApiRead && effect.what.ends_with("/upgradeapprovals")
}

fn open(effect: &Effect) -> bool {
    effect.side == Side::ApiWrite && effect.what.ends_with("/upgraderecords")
}

fn request(effect: &Effect) -> bool {
    effect.side == Side::Upgrade
}

fn status(effect: &Effect) -> bool {
    write(effect) && effect.what.ends_with("/sandbox/status")
}

fn write(effect: &Effect) -> bool {
    effect.side == Side::ApiWrite
}

/// The run of the workload with these faults.
fn plan(workload: &str, faults: Faults) -> (Campaign, Plan) {
    let workload = workload::ALL.into_iter().find(|one| one.name == workload).unwrap();
    let (campaign, mut plan) = (Campaign::new(workload), Plan::new());
    for (at, fault) in faults {
        let from = plan.last().map_or(0, |(number, _)| number + 1);
        let trace = campaign.run(&plan).trace;
        let number = (from..trace.len()).find(|number| at(&trace[*number]));
        plan.push((number.expect("the run comes to it"), *fault));
    }
    (campaign, plan)
}

/// What comes of the workload with these faults, where nothing forbidden may be seen on the way.
fn run(workload: &str, faults: Faults) -> Outcome {
    let (campaign, plan) = plan(workload, faults);
    let outcome = campaign.run(&plan);
    assert_eq!(outcome.violations, Vec::<String>::new());
    outcome
}

/// What comes of the workload with these faults, where all that must hold of any run has to.
fn upgraded(workload: &str, faults: Faults) -> Outcome {
    let (campaign, plan) = plan(workload, faults);
    let tally = Tally::default();
    campaign.try_out(&plan, &tally);
    tally.check();
    campaign.run(&plan)
}

/// When effects of a kind were, in seconds from the begin of the run.
fn times(outcome: &Outcome, at: At) -> Vec<f64> {
    outcome.trace.iter().filter(|effect| at(effect)).map(|effect| effect.at.as_secs_f64()).collect()
}

#[test]
fn a_request_is_in_the_ledger_before_it_is_sent() {
    let outcome = upgraded("automatic", &[]);
    assert_eq!(times(&outcome, request).len(), 1);
    assert!(times(&outcome, open)[0] <= times(&outcome, request)[0]);
}

#[test]
fn every_request_has_the_key_of_the_account() {
    let outcome = upgraded("automatic", &[(request, Fault::Lost)]);
    assert_eq!(times(&outcome, request).len(), 2);
}

#[test]
fn nothing_is_sent_without_a_ledger_entry() {
    upgraded("automatic", &[(open, Fault::Lost)]);
}

#[test]
fn an_entry_is_read_back_when_the_answer_is_lost() {
    for fault in [Fault::DoneCut, Fault::DoneSilent] {
        let outcome = upgraded("automatic", &[(open, fault)]);
        let (opened, sent) = (times(&outcome, open), times(&outcome, request));
        assert_eq!((opened.len(), sent.len()), (1, 1));
        assert!(sent[0] - opened[0] < 20.0, "{:?}", sent[0] - opened[0]);
    }
}

/// As when something on the way sends the create twice, and hands on the second answer.
#[test]
fn an_entry_that_is_there_already_may_be_ours() {
    let outcome = upgraded("automatic", &[(open, Fault::DoneStatus(409))]);
    let (opened, sent) = (times(&outcome, open), times(&outcome, request));
    assert_eq!(sent.len(), 1);
    assert!(sent[0] - opened[0] < 20.0, "{:?}", sent[0] - opened[0]);
}

/// Two replicas believe that they lead, and both have decided to upgrade when the first one opens the record.
#[test]
fn only_the_replica_whose_intent_is_in_the_ledger_sends() {
    let outcome = upgraded("two-leaders", &[]);
    assert_eq!(times(&outcome, open).len(), 2, "they met");
    assert_eq!(times(&outcome, request).len(), 1);
}

#[test]
fn a_deny_during_the_look_counts() {
    // With an approval beside it what checks them is read either way.
    for workload in ["automatic", "approved"] {
        let outcome = run(workload, &[(second_observation, Fault::World(Happening::Denied))]);
        assert!(times(&outcome, request).is_empty());
    }
}

#[test]
fn a_suspension_during_the_observation_stops_the_upgrade() {
    let outcome = run("automatic", &[(second_observation, Fault::World(Happening::Suspended))]);
    assert!(times(&outcome, request).is_empty());
}

#[test]
fn an_approve_that_is_taken_back_does_not_count() {
    for at in [start as At, second_observation] {
        let outcome = run("approved", &[(at, Fault::World(Happening::TakenBack))]);
        assert!(times(&outcome, request).is_empty());
    }
}

#[test]
fn a_retry_that_is_taken_back_does_not_count() {
    for at in [start as At, second_observation] {
        let outcome = run("retry", &[(at, Fault::World(Happening::TakenBack))]);
        assert!(times(&outcome, request).is_empty());
    }
}

#[test]
fn a_deny_that_is_being_deleted_holds_until_it_is_gone() {
    let outcome = run("denied", &[(start, Fault::World(Happening::TakenBack))]);
    assert_eq!((times(&outcome, request).len(), outcome.end.verdict.as_str()), (0, "UpgradeDenied"));
}

#[test]
fn a_billing_provider_that_is_being_deleted_allows_nothing() {
    for at in [start as At, second_observation] {
        let outcome = run("automatic", &[(at, Fault::World(Happening::ProviderEnds))]);
        assert!(times(&outcome, request).is_empty());
    }
}

#[test]
fn nothing_is_upgraded_in_a_namespace_that_is_being_deleted() {
    for at in [start as At, second_observation] {
        let outcome = run("automatic", &[(at, Fault::World(Happening::NamespaceEnds(Gone(&[]))))]);
        assert_eq!((times(&outcome, request).len(), outcome.end.verdict.as_str()), (0, "Suspended"));
    }
}

/// Somebody says no during the observation and deletes the namespace, which takes the Deny first: right before the last observation of what
/// people said.
#[test]
fn a_deny_that_went_with_its_namespace_is_not_missed() {
    let ends = Fault::World(Happening::NamespaceEnds(Gone(&["UpgradeApproval"])));
    let outcome = run("automatic", &[(second_observation, Fault::World(Happening::Denied)), (read_approvals, ends)]);
    assert!(times(&outcome, request).is_empty());
}

#[test]
fn an_approval_counts_only_while_its_policies_are_in_force() {
    let outcome = run("approved", &[(second_observation, Fault::World(Happening::Untrusted))]);
    assert_eq!((times(&outcome, request).len(), outcome.end.verdict.as_str()), (0, "ApprovalPolicyMissing"));
}

#[test]
fn a_subscription_that_takes_the_name_of_another_is_looked_at_twice_itself() {
    let outcome = upgraded("automatic", &[(observation, Fault::World(Happening::Recreated))]);
    let waited = times(&outcome, request)[0] - times(&outcome, observation)[0];
    assert!(waited >= 60.0, "{waited:?}");
}

/// A record that nobody has seen is looked after all the same.
#[test]
fn an_entry_that_comes_late_is_seen() {
    let outcome = run("automatic", &[(open, Fault::Late(15)), (read_subscription, Fault::World(Happening::Suspended))]);
    assert_eq!((times(&outcome, request).len(), outcome.end.record.as_str()), (0, "Unresolved"));
}

/// The answer is from the moment between the deletion of the one and the creation of the other.
#[test]
fn a_subscription_that_one_answer_does_not_show_is_not_forgotten() {
    let recreated = (start as At, Fault::World(Happening::Recreated));
    let outcome = upgraded("automatic", &[recreated, (read_subscription, Fault::Stale)]);
    assert_eq!(times(&outcome, request).len(), 1);
}

#[test]
fn a_deny_holds() {
    let outcome = run("automatic", &[(start, Fault::World(Happening::Denied))]);
    assert!(times(&outcome, request).is_empty());
}

#[test]
fn nothing_is_asked_again_for_what_is_suspended() {
    let outcome = run("automatic", &[(request, Fault::Lost), (write, Fault::World(Happening::Suspended))]);
    assert_eq!((times(&outcome, request).len(), outcome.end.record.as_str()), (1, "Unresolved"));
}

#[test]
fn benefits_are_seen_to_be_used_up_twice() {
    let outcome = upgraded("fresh", &[]);
    let sent = times(&outcome, request)[0];
    let looks: Vec<_> = times(&outcome, observation).into_iter().filter(|at| *at <= sent).collect();
    assert!(looks.len() >= 2 && sent - looks[0] >= 5.0, "{looks:?}, then {sent}");
}

/// Somebody else claims the account, which has it observed again right after the first observation.
#[test]
fn two_looks_at_once_are_one() {
    let (campaign, plan) = plan("fresh", &[(observation, Fault::World(Happening::SecondClaimant))]);
    let outcome = campaign.run(&plan);
    let (looks, sent) = (times(&outcome, observation), times(&outcome, request));
    assert!(looks.iter().filter(|at| **at - looks[0] < 5.0).count() > 1, "it comes to it: {looks:?}");
    assert!(sent[0] - looks[0] >= 5.0, "{looks:?}, then {sent:?}");
    assert_eq!(outcome.violations, Vec::<String>::new());
}

#[test]
fn a_request_without_an_answer_may_have_been_taken() {
    upgraded("automatic", &[(request, Fault::Lost)]);
}

#[test]
fn a_request_that_breaks_off_is_not_sent_again_at_once() {
    upgraded("automatic", &[(request, Fault::Cut)]);
}

#[test]
fn a_request_that_may_still_arrive_is_waited_for() {
    upgraded("automatic", &[(request, Fault::Late(100))]);
}

#[test]
fn a_conflict_at_the_provider_proves_nothing() {
    upgraded("automatic", &[(request, Fault::Status(409))]);
}

#[test]
fn a_failure_of_the_provider_proves_nothing() {
    upgraded("automatic", &[(request, Fault::Status(503))]);
}

#[test]
fn a_redirect_proves_nothing() {
    upgraded("automatic", &[(request, Fault::Redirect)]);
}

#[test]
fn half_an_answer_proves_nothing() {
    upgraded("automatic", &[(request, Fault::Garbled)]);
}

/// And its entry is not settled by the next one that is refused.
#[test]
fn a_refusal_proves_nothing_of_the_request_before_it() {
    let outcome = run("automatic", &[(request, Fault::Lost), (request, Fault::Status(400))]);
    let sent = times(&outcome, request);
    assert_eq!((sent.len(), outcome.end.all), (3, 1));
    assert!(sent[2] - sent[1] < 300.0, "{:?}", sent[2] - sent[1]);
}

#[test]
fn three_requests_without_an_answer_are_left_to_a_person() {
    let outcome = run("automatic", &[(request, Fault::Cut), (request, Fault::Cut), (request, Fault::Cut)]);
    assert_eq!((times(&outcome, request).len(), outcome.end.record.as_str()), (3, "Unresolved"));
}

#[test]
fn a_process_that_stood_still_does_not_send_what_it_wrote_before() {
    let outcome = upgraded("automatic", &[(open, Fault::Pause(45))]);
    let waited = times(&outcome, request)[0] - times(&outcome, open)[0];
    assert!(waited > 45.0 + 30.0, "{waited:?}");
}

#[test]
fn an_approval_is_acted_upon_at_once() {
    let outcome = upgraded("approved", &[]);
    assert!(times(&outcome, request)[0] < 10.0, "{:?}", times(&outcome, request));
}

#[test]
fn the_second_subscription_of_an_account_only_watches() {
    let outcome = upgraded("two-claimants", &[]);
    assert_eq!((outcome.end.verdict.as_str(), outcome.end.other.as_str()), ("OfferInPlace", "AccountConflict"));
}

/// The operator dies right before somebody else's Subscription goes, so it never hears of that.
#[test]
fn the_second_subscription_takes_over_after_a_restart() {
    let gone = (status as At, Fault::World(Happening::Deleted));
    let outcome = upgraded("two-claimants", &[gone, (write, Fault::CrashBefore)]);
    assert_eq!((outcome.end.other.as_str(), outcome.end.ours), ("OfferInPlace", 1));
}

/// `Retry-After: 5`.
#[test]
fn a_request_to_slow_down_is_obeyed() {
    let outcome = upgraded("automatic", &[(observation, Fault::Status(429))]);
    let told = times(&outcome, observation)[0];
    let any: At = |effect| effect.side == Side::CloudRead && effect.what.contains(AZURE);
    let next = times(&outcome, any).into_iter().find(|at| *at > told).unwrap();
    assert!(next - told >= 5.0, "{:?}", next - told);
}

#[test]
fn a_request_to_aws_without_an_answer_may_have_been_taken() {
    upgraded("aws", &[(request, Fault::Lost)]);
}

/// The last notice of a workload: the next planned observation is a day away.
fn last_notice(effect: &Effect) -> bool {
    effect.side == Side::Notice && effect.what.starts_with("NOTICE Converted/")
}

#[test]
fn a_notice_that_a_crash_interrupts_is_sent_after_the_restart() {
    for fault in [Fault::CrashBefore, Fault::CrashAfter] {
        let outcome = upgraded("notified", &[(last_notice, fault)]);
        assert_eq!(times(&outcome, last_notice).len(), 2);
    }
}

#[test]
fn a_notice_is_sent_again_until_the_receiver_has_it() {
    let outcome = upgraded("notified", &[(last_notice, Fault::Unsent), (last_notice, Fault::Lost)]);
    assert_eq!(times(&outcome, last_notice).len(), 3);
}
