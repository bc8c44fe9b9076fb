//! What a provider says about an upgrade that it took and does not finish at once: row 9 of the decision table.

use std::time::Duration;

use jiff::SignedDuration;

use payg_core::approval::Decision as Said;
use payg_core::decide::{Decision, Effect, Note, decide, orphan, wants_progress};
use payg_core::inputs::Inputs;
use payg_core::observation::Acceptance;
use payg_core::provider::{Operation, Outcome};
use payg_core::record::{Attempt, NoMore, RecordState};
use payg_core::schedule::{Requeue, ask_again};
use payg_fixtures::given::*;

/// The decision on an upgrade that was taken just now, of which the provider says `operation`.
fn told(operation: Operation, change: impl FnOnce(&mut Inputs)) -> Decision {
    let mut inputs = due();
    inputs.record = Some(record(RecordState::Accepted, Outcome::Accepted, 0));
    inputs.operation = Some(operation);
    change(&mut inputs);
    decide(&inputs)
}

fn failed() -> Operation {
    Operation::Failed { detail: "PaymentMethodRequired: add a card".to_owned() }
}

fn unreadable() -> Operation {
    Operation::Unknown { detail: "no answer in 30 s".to_owned(), retry_after: None }
}

/// What is written into the record after `hours` of the provider saying `operation`.
fn noted_after(hours: i64, operation: Operation) -> Option<Effect> {
    let change = |on: &mut Inputs| {
        on.record = Some(record(RecordState::Accepted, Outcome::Accepted, hours));
        on.previous.verifying_since = Some(ago(hours));
    };
    told(operation, change).effect
}

#[test]
fn one_that_failed_is_left_to_a_person() {
    let decision = told(failed(), |_| ());
    let why = NoMore::OperationFailed("PaymentMethodRequired: add a card".to_owned());
    assert_eq!(decision.effect, Some(Effect::Note(Note::Unresolved(why))));
    let message = decision.verdict.to_string();
    assert!(message.contains("PaymentMethodRequired: add a card") && message.contains("Retry"), "{message}");
    assert!(message.contains("the broker") && message.contains("fix that first"), "{message}");
}

#[test]
fn the_account_is_believed_and_not_the_operation() {
    let decision = told(failed(), |on| on.seen().acceptance = Acceptance::Accepted);
    assert_eq!((decision.verdict.facts().reason.name(), decision.effect), ("UpgradeAccepted", None));
    for operation in [Operation::Running(None), Operation::Succeeded, unreadable()] {
        let decision = told(operation, |_| ());
        assert_eq!(
            (decision.verdict.facts().reason.name(), decision.effect),
            ("VerifyingUpgrade", None),
            "it proves nothing"
        );
    }
}

#[test]
fn it_is_asked_about_only_while_the_account_does_not_show_the_upgrade() {
    let mut taken = record(RecordState::Accepted, Outcome::Accepted, 0);
    assert_eq!(wants_progress(Some(&taken), &spent()), None, "the provider did not say where");
    taken.attempts[0].operation = Some("https://broker.example/1".to_owned());
    assert_eq!(wants_progress(Some(&taken), &spent()), Some("https://broker.example/1"));
    let mut evaluate = spent();
    evaluate.acceptance = Acceptance::Accepted;
    assert_eq!(wants_progress(Some(&taken), &evaluate), None);
    taken.state = RecordState::Unresolved;
    assert_eq!(wants_progress(Some(&taken), &spent()), None, "a person decides");
}

#[test]
fn one_that_goes_on_is_waited_for_longer_than_one_that_is_done() {
    let unresolved = |why| Some(Effect::Note(Note::Unresolved(why)));
    assert_eq!(noted_after(47, Operation::Succeeded), None);
    assert_eq!(
        noted_after(49, Operation::Succeeded),
        unresolved(NoMore::AnsweredWithSuccess),
        "the account should show"
    );
    // One answer that is missing must not give up what the answer before it said.
    for goes_on in [Operation::Running(None), unreadable()] {
        assert_eq!(noted_after(7 * 24 - 1, goes_on.clone()), None, "there may be a person at work");
        assert_eq!(noted_after(7 * 24 + 1, goes_on), unresolved(NoMore::OperationUnfinished));
    }
}

#[test]
fn the_provider_says_when_to_ask_again() {
    let next = |operation| told(operation, |_| ()).next;
    let wait = |seconds| Some(Duration::from_secs(seconds));
    for (pause, next_is) in [(None, 60), (wait(0), 1), (wait(15), 15), (wait(3600), 600)] {
        let next_is = Requeue::After(Duration::from_secs(next_is));
        assert_eq!(next(Operation::Running(pause)), next_is);
        assert_eq!(next(Operation::Unknown { detail: String::new(), retry_after: pause }), next_is);
    }
}

#[test]
fn the_longer_it_takes_the_less_often_it_is_asked_about() {
    let wait = |minutes, asked| {
        let mut taken = record(RecordState::Accepted, Outcome::Accepted, 0);
        taken.attempts[0].sent = Some(now() - SignedDuration::from_mins(minutes));
        let pause = ask_again(Some(Duration::from_secs(asked)), Some(&taken), now());
        let on_its_own = told(Operation::Running(Some(Duration::from_secs(asked))), |on| on.record = Some(taken)).next;
        assert_eq!(on_its_own, Requeue::After(pause), "with or without its Subscription");
        pause.as_secs()
    };
    assert_eq!((wait(0, 1), wait(20, 1), wait(24 * 60, 1)), (1, 60, 600));
    assert_eq!((wait(20, 90), wait(-5, 1)), (90, 1), "the provider may ask for more");
}

#[test]
fn after_a_failure_every_further_attempt_takes_a_person() {
    let again = Attempt {
        number: 2,
        outcome: Outcome::Rejected,
        ..record(RecordState::Rejected, Outcome::Rejected, 9).attempts.remove(0)
    };
    let mut inputs = due();
    let mut failed = record(RecordState::Unresolved, Outcome::Accepted, 99);
    inputs.approvals = vec![said(&inputs, Said::Retry(1))];
    inputs.record = Some(failed.clone());
    let Some(Effect::Again { number: 2, .. }) = decide(&inputs).effect else { panic!("a person said so") };
    failed.state = RecordState::Rejected;
    failed.attempts.push(again);
    inputs.record = Some(failed);
    let decision = decide(&inputs);
    assert!(matches!(decision.effect, Some(Effect::Note(Note::Unresolved(NoMore::RefusedSince(_))))), "{decision:?}");
    let message = decision.verdict.to_string();
    assert!(message.contains("PaymentMethodRequired: add a card"), "it tells what was said last: {message}");
    assert!(message.contains("`recordAttempt: 2`"), "{message}");
}

#[test]
fn a_record_whose_subscription_is_gone_is_closed_by_a_failure_too() {
    let taken = |hours| record(RecordState::Accepted, Outcome::Accepted, hours);
    let note = |hours, operation: Operation| orphan::note(&taken(hours), &spent(), Some(&operation), false, now());
    assert!(matches!(note(0, failed()), Some(Note::Unresolved(NoMore::OperationFailed(_)))));
    assert_eq!(note(100, Operation::Running(None)), None);
    assert_eq!(note(200, Operation::Running(None)), Some(Note::Unresolved(NoMore::OperationUnfinished)));
    assert_eq!(note(100, Operation::Succeeded), Some(Note::Unresolved(NoMore::AnsweredWithSuccess)));
    let mut evaluate = spent();
    evaluate.acceptance = Acceptance::Accepted;
    assert_eq!(orphan::note(&taken(0), &evaluate, Some(&failed()), false, now()), None, "the account is believed");
}
