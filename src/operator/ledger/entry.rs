//! How each step of an upgrade changes its UpgradeRecord. Pure: the ledger writes it. It is public because the model in
//! `tests/model` runs it as it is.

use jiff::Timestamp;

use payg_api as api;
use payg_core::account::AccountId;
use payg_core::decide::{Note, UpgradeOrder};
use payg_core::provider::{Outcome, ProviderError};
use payg_core::reason::Reason;
use payg_core::record::{Attempt, NoMore, Record, RecordState, Requester, SEND_WINDOW};
use payg_providers::Accepted;

use crate::operator::parse;

/// The intent called `id` to carry out `order`. It lasts no longer than the approval. Its preconditions were `read` after that moment
/// (wall clock): its window begins there, so that a process that was suspended since does not send upon what somebody has
/// changed meanwhile.
pub fn intent(order: &UpgradeOrder, id: String, read: Timestamp) -> api::Intent {
    let window = read.saturating_add(SEND_WINDOW).unwrap_or(Timestamp::MAX);
    let not_after = order.approval.as_ref().and_then(|approval| approval.expires).map_or(window, |end| end.min(window));
    api::Intent {
        id,
        not_after_time: not_after.into(),
        approval: order.approval.as_ref().map(|approval| api::RecordApproval {
            name: approval.name.clone(),
            uid: approval.uid.clone(),
            approver: approval.approver.clone(),
            reason: Some(approval.reason.as_str().into()),
            create_time: Some(approval.created.into()),
            expire_time: approval.expires.map(Into::into),
        }),
        evidence: api::Evidence {
            observed_time: order.evidence.observed.into(),
            summary: order.evidence.summary.as_str().into(),
        },
    }
}

/// The record that is created for the first attempt.
pub fn opened(account: &AccountId, order: &UpgradeOrder, intent: api::Intent) -> api::UpgradeRecord {
    let key = account.upgrade_key();
    let spec = api::UpgradeRecordSpec {
        key: key.as_str().to_owned(),
        account: api::RecordAccount { cloud: account.cloud().name().to_owned(), id: account.id() },
        from: api::Offer {
            class: order.transition.from.class.name().into(),
            native: Some(order.transition.from.native.as_str().into()),
        },
        to: api::Offer { class: order.transition.to.name().into(), native: None },
        requester: requester(&order.requester),
        intent,
        endpoint: Some(order.endpoint.clone()),
    };
    api::UpgradeRecord::new(&key.record_name(), spec)
}

fn requester(by: &Requester) -> api::Requester {
    api::Requester { namespace: by.namespace.clone(), name: by.name.clone(), uid: by.uid.clone() }
}

fn provider(by: &Requester) -> Option<api::AttemptProvider> {
    by.provider
        .as_ref()
        .map(|version| api::AttemptProvider { uid: version.uid.clone(), generation: version.generation })
}

/// The status of `before` with one more attempt.
pub fn opened_again(
    before: &api::UpgradeRecord,
    number: i32,
    order: &UpgradeOrder,
    intent: api::Intent,
    now: Timestamp,
) -> api::UpgradeRecordStatus {
    let mut status = before.status.clone().unwrap_or_default();
    with_first_attempt(&mut status);
    let endpoint = Some(order.endpoint.clone());
    let (by, through) = (Some(requester(&order.requester)), provider(&order.requester));
    status.attempts.push(api::Attempt {
        number,
        intent: Some(intent),
        endpoint,
        requester: by,
        provider: through,
        ..api::Attempt::default()
    });
    // From here on it may be on its way.
    status.state = RecordState::Unknown.name().map(Into::into);
    status.outcome = None;
    log(&mut status, now, "AttemptOpened", &format!("attempt {number}: {}", order.evidence.summary));
    status
}

/// Takes out of `status` who makes attempt `number`, which CRDs of older versions do not know.
pub fn without_requester(status: &mut api::UpgradeRecordStatus, number: i32) {
    for attempt in status.attempts.iter_mut().filter(|attempt| attempt.number == number) {
        (attempt.requester, attempt.provider) = (None, None);
    }
}

/// Whether the intent called `id` is in the record.
pub fn names(record: &api::UpgradeRecord, id: &str) -> bool {
    let attempts = record.status.iter().flat_map(|status| &status.attempts);
    let intents = attempts.filter_map(|attempt| attempt.intent.as_ref()).chain([&record.spec.intent]);
    intents.into_iter().any(|intent| intent.id == id)
}

#[derive(Clone, Debug)]
pub struct End {
    /// The outcome that the answer alone proves.
    pub proves: Outcome,
    pub sent: Timestamp,
    /// What the provider said.
    pub message: String,
    /// The address at which the provider reports the progress of the upgrade.
    pub operation: Option<String>,
    /// Its requester, unless the record cannot hold that.
    pub of: Option<Of>,
}

/// The requester of an attempt, and what prevented it.
#[derive(Clone, Debug)]
pub struct Of {
    pub requester: Requester,
    /// The reason of the error, where there was one.
    pub reason: Option<Reason>,
}

impl End {
    /// The end of an attempt of `requester` that was `sent` then, and got this `answer`.
    pub fn new(sent: Timestamp, answer: &Result<Accepted, ProviderError>, requester: Requester) -> Self {
        let of = Some(Of { requester, reason: answer.as_ref().err().map(ProviderError::reason) });
        match answer {
            Ok(Accepted { message, operation, .. }) => {
                Self { proves: Outcome::Accepted, sent, message: message.clone(), operation: operation.clone(), of }
            }
            Err(error) => Self { proves: error.outcome(), sent, message: error.to_string(), operation: None, of },
        }
    }
}

/// The outcome of the attempt of this number, and the status of `record` with it. The record is as it is now: others may
/// have gone on with it while the answer took its time.
pub fn closed(
    record: &api::UpgradeRecord,
    number: i32,
    end: &End,
    now: Timestamp,
) -> (Outcome, api::UpgradeRecordStatus) {
    let understood = parse::record(record);
    let (outcome, state) = outcome(&understood, number, end.proves);
    let mut status = record.status.clone().unwrap_or_default();
    with_first_attempt(&mut status);
    for attempt in status.attempts.iter_mut().filter(|attempt| attempt.number == number) {
        attempt.send_time = attempt.send_time.or(Some(end.sent.into()));
        attempt.outcome = Some(outcome.name().into());
        attempt.message = Some(end.message.as_str().into());
        attempt.operation.clone_from(&end.operation);
        if let Some(of) = &end.of {
            attempt.reason = of.reason.map(|reason| reason.name().into());
            attempt.requester = Some(requester(&of.requester));
            attempt.provider = provider(&of.requester);
        }
    }
    let says_less = match understood.state {
        RecordState::Accepted | RecordState::Confirmed => true,
        // A person has to decide, and this answer decides nothing.
        RecordState::Unresolved => state == RecordState::Unknown,
        _ => false,
    };
    if !says_less {
        if state == RecordState::Unresolved {
            status.outcome = Some(NoMore::RefusedSince(end.message.clone()).because().as_str().into());
        }
        status.state = state.name().map(Into::into);
    }
    log(&mut status, now, outcome.name(), &end.message);
    (outcome, status)
}

/// The status of `record` with what the account shows, or that a person must decide.
pub fn noted(record: &api::UpgradeRecord, note: &Note, now: Timestamp) -> api::UpgradeRecordStatus {
    let mut status = record.status.clone().unwrap_or_default();
    with_first_attempt(&mut status);
    let (state, event, text) = match note {
        Note::Accepted => (RecordState::Accepted, "SeenAccepted", "the account shows an accepted upgrade".to_owned()),
        Note::Confirmed => (RecordState::Confirmed, "Confirmed", confirmation(&parse::record(record))),
        Note::Unresolved(why) => (RecordState::Unresolved, "Unresolved", why.because()),
    };
    status.state = state.name().map(Into::into);
    status.outcome = Some(text.as_str().into());
    log(&mut status, now, event, &text);
    status
}

/// The first attempt's intent is in the spec; its outcome goes beside the others in status.
fn with_first_attempt(status: &mut api::UpgradeRecordStatus) {
    if !status.attempts.iter().any(|attempt| attempt.number == 1) {
        status.attempts.insert(0, api::Attempt { number: 1, ..api::Attempt::default() });
    }
}

/// How the attempt of this number ended if its answer `proves` that, and what that makes of the record. Only a refusal
/// beside refusals alone is definite: while another attempt has no known outcome, be it an earlier one or one that was
/// made meanwhile, "no" may be the answer to an upgrade that has happened.
fn outcome(record: &Record, number: i32, proves: Outcome) -> (Outcome, RecordState) {
    let others = record.attempts.iter().filter(|attempt| i64::from(attempt.number) != i64::from(number));
    let in_doubt = others.clone().any(|attempt| attempt.outcome == Outcome::Unknown);
    let was_taken = others.into_iter().any(|attempt| attempt.outcome == Outcome::Accepted);
    match proves {
        Outcome::Rejected if in_doubt => (Outcome::Unknown, RecordState::Unknown),
        Outcome::NotSent if in_doubt => (Outcome::NotSent, RecordState::Unknown),
        // The account may be upgraded all the same, and nothing watches a rejected record.
        Outcome::Rejected | Outcome::NotSent if was_taken => (proves, RecordState::Unresolved),
        proves => (proves, proves.state()),
    }
}

fn confirmation(record: &Record) -> String {
    let not_ours = |attempt: &Attempt| matches!(attempt.outcome, Outcome::Rejected | Outcome::NotSent);
    let nobody_of_us = record.attempts.iter().all(not_ours);
    let by =
        if nobody_of_us { "; none of the operator's requests was accepted, so someone else upgraded it" } else { "" };
    format!("the account is on the offer{by}")
}

/// The most entries that a timeline holds.
const TIMELINE_MAX: usize = 64;

fn log(status: &mut api::UpgradeRecordStatus, now: Timestamp, event: &str, message: &str) {
    if status.timeline.len() >= TIMELINE_MAX {
        // The beginning says more than the middle.
        status.timeline.remove(TIMELINE_MAX / 2);
    }
    let message = Some(message).filter(|text| !text.is_empty()).map(Into::into);
    status.timeline.push(api::TimelineEntry { time: now.into(), event: event.into(), message });
}

#[cfg(test)]
mod tests {
    use super::*;
    use payg_core::trigger::{Cause, Evidence};
    use payg_fixtures::given::{Given, due};

    const BEFORE: Timestamp = Timestamp::UNIX_EPOCH;

    /// A record with attempts that ended so.
    fn record(state: &RecordState, outcomes: &[Outcome]) -> api::UpgradeRecord {
        let intent = api::Intent {
            id: "an-id".to_owned(),
            not_after_time: BEFORE.into(),
            approval: None,
            evidence: api::Evidence { observed_time: BEFORE.into(), summary: "spent".into() },
        };
        let offer = api::Offer { class: "FreeTrial".into(), native: None };
        let spec = api::UpgradeRecordSpec {
            key: String::new(),
            account: api::RecordAccount::default(),
            from: offer.clone(),
            to: offer,
            requester: api::Requester::default(),
            intent,
            endpoint: None,
        };
        let attempt = |(number, outcome): (i32, &Outcome)| api::Attempt {
            number,
            outcome: Some(outcome.name().into()),
            ..api::Attempt::default()
        };
        let mut record = api::UpgradeRecord::new("up-1", spec);
        record.status = Some(api::UpgradeRecordStatus {
            state: state.name().map(Into::into),
            attempts: (1..).zip(outcomes).map(attempt).collect(),
            ..api::UpgradeRecordStatus::default()
        });
        record
    }

    /// The outcome of the attempt of this number, and the state of the record with it.
    fn close(record: &api::UpgradeRecord, number: i32, proves: Outcome) -> (Outcome, RecordState) {
        let end = End { proves, sent: BEFORE, message: String::new(), operation: None, of: None };
        let (outcome, status) = closed(record, number, &end, BEFORE);
        (outcome, RecordState::parse(status.state.as_deref()))
    }

    #[test]
    fn no_is_definite_only_while_nothing_is_in_doubt() {
        use Outcome::{Accepted, NotSent, Rejected, Unknown};
        for (earlier, proves, outcome, state) in [
            (&[][..], Accepted, Accepted, RecordState::Accepted),
            (&[], Rejected, Rejected, RecordState::Rejected),
            (&[], NotSent, NotSent, RecordState::Rejected),
            (&[], Unknown, Unknown, RecordState::Unknown),
            (&[Rejected, NotSent], Rejected, Rejected, RecordState::Rejected),
            (&[Unknown], Rejected, Unknown, RecordState::Unknown),
            (&[Unknown], NotSent, NotSent, RecordState::Unknown),
            (&[Unknown, NotSent], NotSent, NotSent, RecordState::Unknown),
        ] {
            let outcomes: Vec<_> = earlier.iter().copied().chain([Unknown]).collect();
            let number = i32::try_from(outcomes.len()).unwrap();
            let ended = close(&record(&RecordState::Unknown, &outcomes), number, proves);
            assert_eq!(ended, (outcome, state), "{earlier:?} {proves:?}");
        }
    }

    #[test]
    fn a_late_no_does_not_end_what_was_begun_meanwhile() {
        use Outcome::{NotSent, Rejected, Unknown};
        let second_is_out = record(&RecordState::Unknown, &[Unknown, Unknown]);
        assert_eq!(close(&second_is_out, 1, Rejected), (Unknown, RecordState::Unknown));
        assert_eq!(close(&second_is_out, 1, NotSent), (NotSent, RecordState::Unknown));
    }

    #[test]
    fn a_no_after_a_yes_is_for_a_person() {
        use Outcome::{Accepted, NotSent, Rejected, Unknown};
        let taken = record(&RecordState::Unknown, &[Accepted, Unknown]);
        assert_eq!(close(&taken, 2, Rejected), (Rejected, RecordState::Unresolved));
        assert_eq!(close(&taken, 2, NotSent), (NotSent, RecordState::Unresolved));
    }

    #[test]
    fn unresolved_is_withdrawn_only_by_an_answer() {
        let asked = record(&RecordState::Unresolved, &[Outcome::Unknown]);
        assert_eq!(close(&asked, 1, Outcome::Unknown).1, RecordState::Unresolved);
        assert_eq!(close(&asked, 1, Outcome::NotSent).1, RecordState::Rejected);
        assert_eq!(close(&asked, 1, Outcome::Accepted).1, RecordState::Accepted);
    }

    #[test]
    fn stale_reads_send_nothing() {
        let order = UpgradeOrder {
            transition: due().transition(),
            evidence: Evidence { cause: Cause::Asked, observed: BEFORE, summary: String::new() },
            approval: None,
            endpoint: "https://cloud.example".to_owned(),
            requester: due().requester(),
        };
        let read: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let intent = intent(&order, "an-id".to_owned(), read);
        assert_eq!(Timestamp::from(intent.not_after_time), read + SEND_WINDOW);
    }

    #[test]
    fn a_timeline_keeps_its_beginning_and_its_end() {
        let mut status = api::UpgradeRecordStatus::default();
        for number in 0..100 {
            log(&mut status, Timestamp::now(), &format!("E{number}"), "");
        }
        assert_eq!(status.timeline.len(), TIMELINE_MAX);
        assert_eq!((&*status.timeline[0].event, &*status.timeline[63].event), ("E0", "E99"));
    }
}
