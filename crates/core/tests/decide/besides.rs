//! What is decided beside the table: on a BillingProvider, on a record without a Subscription, and after an effect.

use std::time::Duration;

use jiff::SignedDuration;
use payg_core::decide::billing_provider::{Failing, Wait, next_check, wait};
use payg_core::decide::{Acted, Note, decide, orphan};
use payg_core::inputs::Now;
use payg_core::provider::{Operation, Outcome, ProviderError};
use payg_core::reason::Reason;
use payg_core::record::{NoMore, RecordState};
use payg_core::schedule::Requeue;
use payg_fixtures::given::*;
use strum::IntoEnumIterator;

#[test]
fn missing_credentials_are_given_up_after_five_minutes_and_an_outage_never() {
    let missing = ProviderError::Config { detail: "there is no Secret".to_owned() };
    let down = ProviderError::Transient { detail: "connection refused".to_owned() };
    let slow = ProviderError::Throttled { retry_after: None };
    let since = |seconds| Failing::Since(now() - SignedDuration::from_secs(seconds));
    for (error, failing, expected) in [
        (&missing, Failing::Newly, Wait::Begins),
        (&missing, since(299), Wait::GoesOn),
        (&missing, since(300), Wait::IsOver),
        (&missing, Failing::Stalled, Wait::IsOver),
        (&down, Failing::Newly, Wait::Begins),
        (&down, since(3_000), Wait::GoesOn),
        (&down, Failing::Stalled, Wait::Begins),
        (&slow, since(3_000), Wait::GoesOn),
        (&slow, Failing::Stalled, Wait::Begins),
    ] {
        assert_eq!(wait(error, failing, now()), expected, "{error:?} {failing:?}");
    }
}

#[test]
fn working_credentials_are_checked_by_the_billing_clock_and_others_by_the_wall_clock() {
    assert_eq!(next_check(true, now()), Requeue::At(now() + SignedDuration::from_mins(5)));
    assert_eq!(next_check(false, now()), Requeue::After(Duration::from_mins(1)));
}

#[test]
fn an_effect_that_fails_changes_the_decision_and_one_that_succeeds_only_when_to_look() {
    let decided = decide(&due());
    assert_eq!(decided.clone().after(Acted::AsDecided), decided);
    assert_eq!(decided.clone().after(Acted::Requested(None)), decided);

    let asked = decided.clone().after(Acted::Requested(Some(Duration::from_hours(1))));
    assert_eq!((&asked.verdict, asked.next), (&decided.verdict, Requeue::After(Duration::from_mins(10))), "bounded");

    let unreadable = decided.clone().after(Acted::UnreadableRecord);
    assert_eq!((&unreadable.verdict, unreadable.next), (&decided.verdict, Requeue::Backoff(None)));

    let refused = decided.after(Acted::LedgerRefused { detail: "403".to_owned() });
    assert_eq!((refused.verdict.facts().reason, refused.next), (Reason::LedgerUnavailable, Requeue::Backoff(None)));
}

#[test]
fn a_subscription_in_conflict_or_without_sight_looks_after_no_record() {
    assert!(orphan::looks_after(true, Some(Reason::WaitingForExhaustion)));
    assert!(orphan::looks_after(true, None), "a reason of another version");
    assert!(!orphan::looks_after(true, Some(Reason::AccountConflict)));
    assert!(!orphan::looks_after(false, Some(Reason::WaitingForExhaustion)));
}

#[test]
fn these_verdicts_may_have_missed_an_open_record() {
    let may: Vec<_> = Reason::iter().filter(|reason| orphan::may_have_missed(*reason)).map(Reason::name).collect();
    assert_eq!(
        may,
        [
            "Suspended",
            "OfferInPlace",
            "Observing",
            "NotEligible",
            "UpgradeDenied",
            "BenefitsUnknown",
            "WaitingForExhaustion",
            "AwaitingApproval",
            "AwaitingPortalUpgrade"
        ]
    );
}

#[test]
fn an_orphaned_record_is_looked_at_again_by_what_is_waited_for() {
    let now = Now { billing: now(), wall: now() };
    let next = |hours, note: Option<Note>, operation: Option<Operation>| {
        orphan::next(&record(RecordState::Unknown, Outcome::Unknown, hours), note.as_ref(), operation.as_ref(), now)
    };
    let note = Note::Unresolved(NoMore::NoLongerWanted);
    assert_eq!(next(1, Some(note), None), Requeue::After(Duration::from_secs(5)));
    let running = Operation::Running(Some(Duration::from_secs(20)));
    assert_eq!(next(0, None, Some(running)), Requeue::After(Duration::from_secs(20)));
    assert_eq!(
        next(0, None, None),
        Requeue::After(Duration::from_secs(5)),
        "a twentieth of 80 seconds, and 5 at least"
    );
    assert_eq!(next(1, None, None), Requeue::At(now.billing + SignedDuration::from_mins(5)));
    let accepted = record(RecordState::Accepted, Outcome::Accepted, 0);
    assert_eq!(orphan::next(&accepted, None, None, now), Requeue::At(now.billing + SignedDuration::from_mins(5)));
}
