//! Each row of the decision table, in its order, with what a user would see of it.

use std::time::Duration;

use jiff::SignedDuration;

use payg_core::approval::{Decision as Said, PolicyCheck, SETTLED};
use payg_core::decide::{Effect, Note, decide, orphan};
use payg_core::desired::{ApprovalMode, Claimant, Limits, Sight, Suspension, When};
use payg_core::inputs::Inputs;
use payg_core::money::Money;
use payg_core::observation::{Acceptance, Lifecycle, PastObservation, Unread};
use payg_core::offer::{BenefitState, Offer, OfferClass};
use payg_core::provider::{Capabilities, Method, Outcome, ProviderError};
use payg_core::record::{NoMore, Record, RecordState};
use payg_core::schedule::Requeue;
use payg_core::verdict::{Progress, Ready};
use payg_fixtures::given::*;

/// The reason, Ready and progress of the decision on what `change` makes of a due upgrade, and its effect.
fn ruled(change: impl FnOnce(&mut Inputs)) -> (&'static str, Ready, Progress, Option<Effect>) {
    let mut inputs = due();
    change(&mut inputs);
    let decision = decide(&inputs);
    let text = decision.verdict.to_string();
    assert!(text.ends_with(['.', '?']) && text.len() < 1024, "not a message: {text}");
    (
        decision.verdict.facts().reason.name(),
        decision.verdict.facts().ready,
        decision.verdict.facts().progress,
        decision.effect,
    )
}

/// Like [`ruled`], where nothing may be done.
fn idle(change: impl FnOnce(&mut Inputs)) -> (&'static str, Ready, Progress) {
    let (reason, ready, progress, effect) = ruled(change);
    assert_eq!(effect, None, "{reason}");
    (reason, ready, progress)
}

const FAILED: (Ready, Progress) = (Ready::False, Progress::Stalled);
const CURRENT: (Ready, Progress) = (Ready::True, Progress::Settled);
const BUSY: (Ready, Progress) = (Ready::False, Progress::Reconciling);

fn row(reason: &'static str, state: (Ready, Progress)) -> (&'static str, Ready, Progress) {
    (reason, state.0, state.1)
}

fn refused() -> ProviderError {
    ProviderError::Unauthenticated { detail: "AADSTS7000215".to_owned() }
}

fn down() -> ProviderError {
    ProviderError::Transient { detail: "connection refused".to_owned() }
}

fn open(state: RecordState, hours: i64) -> Record {
    record(state, Outcome::Unknown, hours)
}

fn older() -> Claimant {
    Claimant { uid: "uid-a".to_owned(), name: "first".to_owned(), ..due().subject }
}

#[test]
fn row_01_suspended() {
    assert_eq!(idle(|on| on.desired.suspend = Some(Suspension::Manifest)), row("Suspended", CURRENT));
    let open_while_suspended = |on: &mut Inputs| {
        on.desired.suspend = Some(Suspension::Manifest);
        on.record = Some(open(RecordState::Intended, 0));
    };
    assert_eq!(idle(open_while_suspended), row("VerifyingUpgrade", BUSY), "a call on its way is still watched");
}

#[test]
fn row_02_provider_not_ready() {
    let long_ago = Some(ago(1));
    assert_eq!(idle(|on| on.provider = Err(refused())), row("ProviderNotReady", BUSY));
    assert_eq!(idle(|on| on.observation = Some(Err(refused()))), row("ProviderNotReady", BUSY));
    let stalled = |on: &mut Inputs| {
        on.provider = Err(refused());
        on.previous.not_ready_since = long_ago;
    };
    assert_eq!(idle(stalled), row("ProviderNotReady", FAILED));
}

#[test]
fn row_03_wrong_account() {
    let wrong =
        |on: &mut Inputs| on.observation = Some(Err(ProviderError::WrongAccount { found: "another".to_owned() }));
    assert_eq!(idle(wrong), row("WrongAccount", FAILED));
}

#[test]
fn row_04_account_conflict() {
    assert_eq!(idle(|on| on.claimants = vec![older()]), row("AccountConflict", FAILED));
    let squatter = Claimant { sight: Sight::Never, ..older() };
    assert_eq!(ruled(|on| on.claimants = vec![squatter]).0, "Upgrading", "who cannot see the account has no claim");
    let younger = Claimant { uid: "uid-c".to_owned(), ..older() };
    assert_eq!(ruled(|on| on.claimants = vec![younger]).0, "Upgrading");
}

#[test]
fn row_05_unobserved() {
    let first = |on: &mut Inputs| {
        on.observation = Some(Err(down()));
        on.previous.observation = None;
    };
    assert_eq!(idle(first), ("Pending", Ready::Unknown, Progress::Reconciling));
    assert_eq!(
        idle(|on| on.observation = Some(Err(down()))),
        ("ObservationStale", Ready::Unchanged, Progress::Unchanged)
    );
    let long = |on: &mut Inputs| {
        on.observation = Some(Err(down()));
        on.previous.unobserved_since = Some(ago(2));
    };
    assert_eq!(idle(long), ("ObservationStale", Ready::Unknown, Progress::Reconciling));
    let mut throttled = due();
    let wait = Duration::from_secs(17);
    throttled.observation = Some(Err(ProviderError::Throttled { retry_after: Some(wait) }));
    assert_eq!(decide(&throttled).next, Requeue::Backoff(Some(wait)));
}

#[test]
fn row_06_account_closed() {
    assert_eq!(idle(|on| on.seen().lifecycle = Lifecycle::Closed), row("AccountClosed", FAILED));
    let in_place = |on: &mut Inputs| {
        on.seen().lifecycle = Lifecycle::Closed;
        on.seen().offer = pay_as_you_go();
        on.record = Some(open(RecordState::Unknown, 9));
    };
    assert_eq!(ruled(in_place).3, Some(Effect::Note(Note::Confirmed)));
}

#[test]
fn row_07_offer_in_place() {
    assert_eq!(idle(|on| on.seen().offer = pay_as_you_go()), row("OfferInPlace", CURRENT));
    for state in [RecordState::Intended, RecordState::Unknown, RecordState::Rejected, RecordState::Unresolved] {
        let closes = |on: &mut Inputs| {
            on.seen().offer = pay_as_you_go();
            on.record = Some(open(state, 0));
        };
        assert_eq!(ruled(closes).3, Some(Effect::Note(Note::Confirmed)));
    }
    let confirmed = |on: &mut Inputs| {
        on.seen().offer = pay_as_you_go();
        on.record = Some(open(RecordState::Confirmed, 0));
    };
    assert_eq!(idle(confirmed), row("OfferInPlace", CURRENT));
}

#[test]
fn declarations_end_with_the_trial() {
    let mut inputs = due();
    inputs.desired.trial.end = Some(ago(24));
    inputs.seen().offer = pay_as_you_go();
    inputs.seen().benefits.clear();
    let decision = decide(&inputs);
    assert_eq!(decision.seen.map(|seen| seen.benefits), Some(Vec::new()));
    assert_eq!(decision.forecast, None);
}

#[test]
fn row_08_accepted() {
    assert_eq!(idle(|on| on.seen().acceptance = Acceptance::Accepted), row("UpgradeAccepted", CURRENT));
    let lost_answer = |on: &mut Inputs| {
        on.seen().acceptance = Acceptance::Accepted;
        on.record = Some(open(RecordState::Unknown, 9));
    };
    assert_eq!(ruled(lost_answer).3, Some(Effect::Note(Note::Accepted)), "so that a stale look never asks again");
    let by_a_person = |on: &mut Inputs| {
        on.seen().acceptance = Acceptance::Accepted;
        on.record = Some(record(RecordState::Rejected, Outcome::Rejected, 9));
    };
    assert_eq!(ruled(by_a_person).3, Some(Effect::Note(Note::Accepted)), "nor asks for what a person has done");
    let overdue = |on: &mut Inputs| {
        on.seen().acceptance = Acceptance::Accepted;
        on.seen().benefits = vec![period(ago(100))];
        on.previous.accepted_since = Some(ago(300));
    };
    assert_eq!(idle(overdue), row("ConversionOverdue", FAILED));
    // A disabled account comes back within 24 hours, which is nothing to call a person for.
    let comes_back = |hours| {
        move |on: &mut Inputs| {
            on.seen().lifecycle = Lifecycle::Restricted;
            on.seen().acceptance = Acceptance::Accepted;
            on.seen().benefits = vec![period(ago(hours))];
            on.previous.accepted_since = Some(ago(hours));
        }
    };
    assert_eq!(idle(comes_back(24)), row("UpgradeAccepted", CURRENT));
    assert_eq!(idle(comes_back(72)), row("UpgradeAccepted", CURRENT));
    assert_eq!(idle(comes_back(73)), row("ConversionOverdue", FAILED));
}

#[test]
fn row_09_open_record() {
    for state in [RecordState::Intended, RecordState::Unknown] {
        assert_eq!(idle(|on| on.record = Some(open(state.clone(), 0))), row("VerifyingUpgrade", BUSY));
        let (reason, _, _, effect) = ruled(|on| on.record = Some(open(state.clone(), 1)));
        assert_eq!(reason, "Upgrading");
        assert!(matches!(effect, Some(Effect::Again { number: 2, .. })), "{effect:?}");
    }
    let accepted = |hours| {
        move |on: &mut Inputs| {
            on.record = Some(record(RecordState::Accepted, Outcome::Accepted, hours));
            on.previous.verifying_since = Some(ago(hours));
        }
    };
    assert_eq!(idle(accepted(47)), row("VerifyingUpgrade", BUSY), "the provider may take a day to bring it back");
    assert_eq!(ruled(accepted(49)).3, Some(Effect::Note(Note::Unresolved(NoMore::AnsweredWithSuccess))));
}

#[test]
fn row_09_a_stale_look_never_asks_again_for_what_was_accepted() {
    // The answer was lost, the account showed the upgrade later, and now one observation does not.
    let forgot = |on: &mut Inputs| {
        on.record = Some(record(RecordState::Accepted, Outcome::Unknown, 999));
        on.desired.when = When::Immediately;
    };
    assert_eq!(idle(forgot), row("VerifyingUpgrade", BUSY));
    let for_days = |on: &mut Inputs| {
        forgot(on);
        on.previous.verifying_since = Some(ago(49));
    };
    assert_eq!(ruled(for_days).3, Some(Effect::Note(Note::Unresolved(NoMore::AnsweredWithSuccess))));
}

#[test]
fn row_09_what_keeps_an_open_record_from_a_second_request() {
    let gives_up = |change: fn(&mut Inputs)| {
        ruled(|on| {
            on.record = Some(open(RecordState::Unknown, 1));
            change(on);
        })
        .3
    };
    let person = |why| Some(Effect::Note(Note::Unresolved(why)));
    assert_eq!(gives_up(|on| on.desired.suspend = Some(Suspension::Manifest)), person(NoMore::NoLongerWanted));
    assert_eq!(gives_up(|on| on.desired.when = When::Never), person(NoMore::NoLongerWanted));
    assert_eq!(gives_up(|on| on.approvals = vec![said(on, Said::Deny)]), person(NoMore::NoLongerWanted));
    assert_eq!(gives_up(|on| on.seen().benefits = vec![credit("50")]), person(NoMore::NoLongerWanted));
    assert_eq!(gives_up(|on| on.record.as_mut().unwrap().attempts[0].endpoint = None), person(NoMore::OtherEndpoint));
    let thrice = |on: &mut Inputs| {
        let record = on.record.as_mut().unwrap();
        record.attempts = vec![record.attempts[0].clone(); 3];
    };
    assert_eq!(gives_up(thrice), person(NoMore::TooManyAttempts));
    assert_eq!(gives_up(|on| on.allowance.requested = requested(10, false)), None, "the cap passes by itself");
    let dry = |on: &mut Inputs| {
        on.record = Some(open(RecordState::Unknown, 1));
        on.allowance.dry_run = true;
    };
    assert_eq!(idle(dry), row("UpgradeHeld", CURRENT), "and what does not is said");
    assert_eq!(gives_up(|on| on.previous.observation = None), None, "so does a wiped status");
    let unguarded = |on: &mut Inputs| {
        on.record = Some(open(RecordState::Unknown, 1));
        on.desired.approval = ApprovalMode::Manual;
        on.approvals = vec![said(on, Said::Approve)];
        on.policy_check = broken();
    };
    assert_eq!(idle(unguarded), row("ApprovalPolicyMissing", FAILED), "somebody puts the policies back");
}

#[test]
fn a_record_whose_subscription_is_gone_is_closed_by_observation_alone() {
    let settled = |state: RecordState, hours: i64| record(state, Outcome::Unknown, hours);
    let mut seen = spent();
    assert_eq!(orphan::note(&settled(RecordState::Intended, 0), &seen, None, false, now()), None);
    let gives_up = Some(Note::Unresolved(NoMore::NoLongerWanted));
    assert_eq!(orphan::note(&settled(RecordState::Unknown, 1), &seen, None, false, now()), gives_up);
    assert_eq!(orphan::note(&settled(RecordState::Unresolved, 1), &seen, None, false, now()), None);
    assert_eq!(
        orphan::note(&settled(RecordState::Unknown, 1), &seen, None, true, now()),
        None,
        "its wish is still there"
    );
    seen.acceptance = Acceptance::Accepted;
    assert_eq!(orphan::note(&settled(RecordState::Unknown, 1), &seen, None, false, now()), Some(Note::Accepted));
    assert_eq!(orphan::note(&settled(RecordState::Accepted, 99), &seen, None, false, now()), None, "it is on its way");
    seen.offer = pay_as_you_go();
    assert_eq!(orphan::note(&settled(RecordState::Unresolved, 1), &seen, None, false, now()), Some(Note::Confirmed));
}

#[test]
fn row_10_unresolved_record() {
    assert_eq!(idle(|on| on.record = Some(open(RecordState::Unresolved, 9))), row("UpgradeUnresolved", FAILED));
    let newer = RecordState::Other("Paused".to_owned());
    assert_eq!(idle(|on| on.record = Some(open(newer, 9))), row("UpgradeUnresolved", FAILED));
    let retry = |attempt, trusted| {
        move |on: &mut Inputs| {
            on.record = Some(open(RecordState::Unresolved, 9));
            on.approvals = vec![said(on, Said::Retry(attempt))];
            on.policy_check = if trusted { in_force() } else { broken() };
        }
    };
    assert!(matches!(ruled(retry(1, true)).3, Some(Effect::Again { number: 2, .. })));
    assert_eq!(idle(retry(2, true)), row("UpgradeUnresolved", FAILED), "it is about another attempt");
    assert_eq!(idle(retry(1, false)), row("ApprovalPolicyMissing", FAILED), "it may be forged");
    let capped = |on: &mut Inputs| {
        retry(1, true)(on);
        on.allowance.requested = requested(10, false);
    };
    assert_eq!(idle(capped), row("UpgradeUnresolved", FAILED), "what holds a Retry back is said");
    let next = |change: &dyn Fn(&mut Inputs)| {
        let mut inputs = due();
        retry(1, true)(&mut inputs);
        change(&mut inputs);
        decide(&inputs).next
    };
    let first_observation = |on: &mut Inputs| on.previous.observation = None;
    assert_eq!(next(&first_observation), Requeue::At(now() + SignedDuration::from_mins(1)));
    let suspended = |on: &mut Inputs| on.desired.suspend = Some(Suspension::Manifest);
    assert_eq!(
        next(&suspended),
        Requeue::At(now() + SignedDuration::from_hours(1)),
        "nothing comes of looking more often"
    );
    let used = |on: &mut Inputs| {
        retry(1, true)(on);
        on.record.as_mut().unwrap().attempts[0].approval_uid = Some("uid-Retry(1)".to_owned());
    };
    assert_eq!(idle(used), row("UpgradeUnresolved", FAILED));
}

#[test]
fn row_11_contradicted() {
    assert_eq!(idle(|on| on.record = Some(open(RecordState::Confirmed, 9))), row("UpgradeContradicted", FAILED));
}

#[test]
fn row_12_observing() {
    assert_eq!(idle(|on| on.desired.when = When::Never), row("Observing", CURRENT));
}

#[test]
fn row_13_not_eligible() {
    let offer = |class| move |on: &mut Inputs| on.seen().offer = Offer { class, native: "Foo_2031-01-01".to_owned() };
    for class in [OfferClass::Unknown, OfferClass::Commitment, OfferClass::Other] {
        assert_eq!(idle(offer(class)), row("NotEligible", FAILED));
    }
    assert_eq!(idle(|on| on.seen().eligible = false), row("NotEligible", FAILED));
    assert_eq!(idle(|on| on.seen().lifecycle = Lifecycle::Unknown("Odd".to_owned())), row("NotEligible", FAILED));
    let period_off = Acceptance::Unclear("CurrentPeriodOff".to_owned());
    assert_eq!(idle(|on| on.seen().acceptance = period_off), row("NotEligible", FAILED));
}

#[test]
fn row_14_denied() {
    assert_eq!(idle(|on| on.approvals = vec![said(on, Said::Deny)]), row("UpgradeDenied", CURRENT));
    let other_hash = |on: &mut Inputs| {
        let deny = said(on, Said::Deny);
        on.approvals = vec![said(on, Said::Approve), deny];
        on.desired.when = When::Immediately;
        on.policy_check = broken();
    };
    assert_eq!(idle(other_hash), row("UpgradeDenied", CURRENT), "a Deny holds whatever the transition, trusted or not");
}

#[test]
fn row_15_benefits_unknown() {
    let contradictory = |on: &mut Inputs| {
        on.seen().benefits = vec![credit("7")];
        on.seen().benefits[0].state = BenefitState::Exhausted;
    };
    assert_eq!(idle(contradictory), row("BenefitsUnknown", FAILED));
    let silent = |on: &mut Inputs| {
        for benefit in &mut on.seen().benefits {
            (benefit.state, benefit.end, benefit.remaining) = (BenefitState::Unknown, None, None);
        }
    };
    assert_eq!(idle(silent), row("BenefitsUnknown", FAILED));
    assert_eq!(idle(|on| on.seen().benefits.clear()), row("BenefitsUnknown", FAILED));
    let mut no_permission = due();
    silent(&mut no_permission);
    no_permission.seen().lifecycle = Lifecycle::Active;
    assert_eq!(decide(&no_permission).next, Requeue::At(ago(-6)));
    no_permission.seen().unread = vec![Unread { what: "the credit".to_owned(), permission: "a role".to_owned() }];
    assert_eq!(decide(&no_permission).next, Requeue::At(now() + SignedDuration::from_mins(15)), "it may be granted");
    assert_eq!(idle(|on| on.seen().benefits = vec![credit("-0.01")]), row("BenefitsUnknown", FAILED));
    let declared = |on: &mut Inputs| {
        silent(on);
        on.desired.trial.end = Some(ago(-24));
    };
    assert_eq!(idle(declared), row("WaitingForExhaustion", CURRENT), "a declaration makes up for silence");
    let limit = |credit_below: Option<Money>, time_left| When::BeforeExhaustion(Limits { credit_below, time_left });
    let no_credit = |on: &mut Inputs| {
        on.desired.when = limit(Some(money("5")), None);
        on.seen().benefits = vec![period(ago(-24))];
    };
    assert_eq!(idle(no_credit), row("BenefitsUnknown", FAILED));
    let euros = |on: &mut Inputs| {
        on.desired.when = limit(Money::parse("5", "EUR"), None);
        on.seen().benefits = vec![credit("3")];
    };
    assert_eq!(idle(euros), row("BenefitsUnknown", FAILED));
    let no_end = |on: &mut Inputs| {
        on.desired.when = limit(None, Some(SignedDuration::from_hours(1)));
        on.seen().benefits = vec![credit("3")];
    };
    assert_eq!(idle(no_end), row("BenefitsUnknown", FAILED));
}

#[test]
fn row_16_waiting() {
    assert_eq!(
        idle(|on| on.seen().benefits = vec![credit("0.01"), period(ago(-1))]),
        row("WaitingForExhaustion", CURRENT)
    );
    assert_eq!(
        idle(|on| on.previous.observation = None),
        row("WaitingForExhaustion", CURRENT),
        "one look is not enough"
    );
    let topped_up = |on: &mut Inputs| on.previous.observation.as_mut().unwrap().benefits = vec![credit("50")];
    assert_eq!(idle(topped_up), row("WaitingForExhaustion", CURRENT));
    let stale = |on: &mut Inputs| on.seen().benefits[0].as_of = ago(2);
    assert_eq!(idle(stale), row("WaitingForExhaustion", CURRENT), "an answer older than the last one proves nothing");
    let disabled = |on: &mut Inputs| on.seen().benefits = vec![period(ago(-24))];
    assert_eq!(idle(disabled), row("WaitingForExhaustion", CURRENT), "a disabled account may have been cancelled");
}

#[test]
fn row_16_a_clock_that_jumped_ends_no_trial() {
    let jumped = |on: &mut Inputs| {
        on.seen().benefits = vec![period(ago(1))];
        on.previous.observation.as_mut().unwrap().benefits = vec![period(ago(1))];
        on.previous.observation.as_mut().unwrap().observed = ago(0);
        on.seen().provider_time = Some(ago(48));
    };
    assert_eq!(idle(jumped), row("WaitingForExhaustion", CURRENT));
    let mut inputs = due();
    jumped(&mut inputs);
    assert!(decide(&inputs).verdict.to_string().contains("clock"), "somebody must be told");
    let went_back = |on: &mut Inputs| on.previous.observation.as_mut().unwrap().observed = ago(-1);
    assert_eq!(idle(went_back), row("WaitingForExhaustion", CURRENT));
}

#[test]
fn row_17_awaiting_approval() {
    let manual = |on: &mut Inputs| on.desired.approval = ApprovalMode::Manual;
    assert_eq!(idle(manual), row("AwaitingApproval", CURRENT));
    let approved = |on: &mut Inputs| {
        manual(on);
        on.approvals = vec![said(on, Said::Approve)];
    };
    let Some(Effect::Upgrade(order)) = ruled(approved).3 else { panic!("not upgraded") };
    assert_eq!(order.approval.unwrap().approver, "jane");
    let with = |change: fn(&mut Inputs)| {
        idle(|on| {
            approved(on);
            change(on);
        })
    };
    assert_eq!(with(|on| on.approvals[0].expires = Some(now())), row("AwaitingApproval", CURRENT));
    assert_eq!(with(|on| on.approvals[0].expires = None), row("AwaitingApproval", CURRENT));
    assert_eq!(
        with(|on| on.desired.when = When::Immediately),
        row("AwaitingApproval", CURRENT),
        "it was for other terms"
    );
    assert_eq!(with(|on| on.policy_check = broken()), row("ApprovalPolicyMissing", FAILED));
    let gap = |on: &mut Inputs| on.policy_check.since = Some(now());
    assert_eq!(with(gap), row("ApprovalPolicyMissing", FAILED), "it is from before the policy was there");
    let at_once = |on: &mut Inputs| on.policy_check.since = Some(on.approvals[0].created - SETTLED);
    assert_eq!(with(at_once), row("ApprovalPolicyMissing", FAILED), "the policy may not have been enforced yet");
    let untold = |on: &mut Inputs| on.policy_check.since = None;
    assert_eq!(with(untold), row("ApprovalPolicyMissing", FAILED), "nobody knows since when");
    let long_after = |on: &mut Inputs| {
        approved(on);
        on.policy_check.since = Some(on.approvals[0].created - SETTLED - SignedDuration::from_secs(1));
    };
    assert!(ruled(long_after).3.is_some(), "it was surely enforced by then");
    let by_manifest = |needs_approve| {
        move |on: &mut Inputs| on.policy_check = PolicyCheck { automatic_needs_approve: needs_approve, ..broken() }
    };
    assert_eq!(idle(by_manifest(true)), row("ApprovalPolicyMissing", FAILED), "nobody looks at who writes Automatic");
    assert!(ruled(by_manifest(false)).3.is_some(), "the namespace does not demand it");
    let created_hours_ago = |subscription: i64, provider: i64| {
        move |on: &mut Inputs| {
            on.policy_check = PolicyCheck { automatic_needs_approve: true, since: Some(ago(500)), ..in_force() };
            on.subject.created = ago(subscription);
            on.provider_object.as_mut().unwrap().created = ago(provider);
        }
    };
    assert_eq!(
        idle(created_hours_ago(501, 100)),
        row("ApprovalPolicyMissing", FAILED),
        "nobody looked at who wrote it"
    );
    assert_eq!(
        idle(created_hours_ago(100, 501)),
        row("ApprovalPolicyMissing", FAILED),
        "nor at who wrote what it upgrades through"
    );
    assert!(ruled(created_hours_ago(499, 499)).3.is_some());
    let said_by_a_person = |on: &mut Inputs| {
        created_hours_ago(501, 501)(on);
        on.approvals = vec![said(on, Said::Approve)];
    };
    let Some(Effect::Upgrade(order)) = ruled(said_by_a_person).3 else { panic!("not upgraded") };
    assert_eq!(order.approval.unwrap().approver, "jane", "a person can still say yes");
    let refused = |on: &mut Inputs| {
        on.record = Some(record(RecordState::Rejected, Outcome::Rejected, 0));
        on.record.as_mut().unwrap().attempts[0].approval_uid = Some("uid-Approve".to_owned());
    };
    assert_eq!(with(refused), row("UpgradeRejected", FAILED), "a refusal does not use it up");
    let mut settled = record(RecordState::Unresolved, Outcome::Unknown, 9);
    settled.attempts[0].approval_uid = Some("uid-Approve".to_owned());
    assert!(settled.has_used_up("uid-Approve"), "what may have happened does");
}

#[test]
fn row_18_portal() {
    let portal = |on: &mut Inputs| {
        on.provider = Ok(Capabilities { method: Method::Portal, endpoint: String::new() });
    };
    assert_eq!(idle(portal), row("AwaitingPortalUpgrade", CURRENT));
}

#[test]
fn row_19_rejected() {
    let rejected =
        |hours| move |on: &mut Inputs| on.record = Some(record(RecordState::Rejected, Outcome::Rejected, hours));
    assert_eq!(idle(rejected(0)), row("UpgradeRejected", FAILED));
    assert!(matches!(ruled(rejected(1)).3, Some(Effect::Again { number: 2, .. })));
    let fourth = |on: &mut Inputs| {
        rejected(7)(on);
        let record = on.record.as_mut().unwrap();
        record.attempts = vec![record.attempts[0].clone(); 4];
    };
    assert_eq!(idle(fourth), row("UpgradeRejected", FAILED), "the pause grows");
    let unsent = |minutes| {
        move |on: &mut Inputs| {
            on.record = Some(record(RecordState::Rejected, Outcome::NotSent, 0));
            on.record.as_mut().unwrap().attempts[0].sent = Some(now() - SignedDuration::from_mins(minutes));
        }
    };
    assert_eq!(idle(unsent(0)), row("UpgradeRejected", FAILED));
    assert!(matches!(ruled(unsent(1)).3, Some(Effect::Again { .. })), "what was never sent is soon tried again");
    let full = |on: &mut Inputs| {
        rejected(99)(on);
        let record = on.record.as_mut().unwrap();
        record.attempts = vec![record.attempts[0].clone(); 32];
    };
    assert_eq!(ruled(full).3, Some(Effect::Note(Note::Unresolved(NoMore::TooManyAttempts))));
}

#[test]
fn row_20_held() {
    assert_eq!(idle(|on| on.allowance.dry_run = true), row("UpgradeHeld", CURRENT));
    assert_eq!(idle(|on| on.allowance.requested = requested(10, false)), row("UpgradeHeld", CURRENT));
}

#[test]
fn row_21_upgrade() {
    let (reason, ready, progress, effect) = ruled(|_| {});
    assert_eq!((reason, ready, progress), row("Upgrading", BUSY));
    let Some(Effect::Upgrade(order)) = effect else { panic!("not upgraded") };
    assert_eq!((order.endpoint.as_str(), order.approval), (ENDPOINT, None));
    assert_eq!(
        order.evidence.summary,
        "the credit is spent; the account is Restricted on FreeTrial (FreeTrial_2014-09-01); Credit Exhausted, 0.00 USD \
         left (as of 2026-03-01T12:00:00Z, by billingProperty); Period Active, ends 2026-03-11T12:00:00Z (as of \
         2026-03-01T12:00:00Z, by billingProperty)"
    );
    let at_once = |on: &mut Inputs| {
        on.desired.when = When::Immediately;
        on.previous.observation = None;
        on.seen().benefits.clear();
    };
    assert_eq!(ruled(at_once).0, "Upgrading");
}

#[test]
fn before_exhaustion_whichever_limit_comes_first() {
    let before = |left: &'static str, hours: i64| {
        move |on: &mut Inputs| {
            let limits = Limits { credit_below: Some(money("5")), time_left: Some(SignedDuration::from_hours(24)) };
            on.desired.when = When::BeforeExhaustion(limits);
            on.seen().benefits = vec![credit(left), period(ago(-hours))];
            let benefits = on.seen().benefits.clone();
            on.previous.observation =
                Some(PastObservation { benefits, observed: ago(1), eligible: true, closed: false, source: None });
        }
    };
    assert_eq!(idle(before("5", 48)), row("WaitingForExhaustion", CURRENT));
    assert_eq!(ruled(before("4.99", 48)).0, "Upgrading");
    assert_eq!(ruled(before("50", 23)).0, "Upgrading");
}
