//! Rows 9 to 11: what the ledger settles.

use jiff::{SignedDuration, Timestamp};

use crate::approval::{Decision as Said, Untrusted};
use crate::offer::OfferClass;
use crate::provider::Operation;
use crate::record::{NoMore, Record, RecordState};
use crate::trigger::NotYet;
use crate::verdict::Verdict;

use super::case::{Case, Ruling, Seen};
use super::rows::rule;
use super::{Effect, Note, UpgradeOrder};

/// How old the data in an observation may be.
const STALE: SignedDuration = SignedDuration::from_hours(1);

/// Row 9.
pub(super) fn open(case: &Case<'_>) -> Option<Ruling> {
    let record = case.record.filter(|record| record.is_open())?;
    let seen = case.seen?;
    if let Some(Operation::Failed { detail }) = &case.inputs.operation {
        return Some(give_up(case, seen, record, NoMore::OperationFailed(detail.clone())));
    }
    let settled_at = settled_at(case, record);
    let accepted = record.state == RecordState::Accepted;
    let operation = case.inputs.operation.clone();
    let verifying = Verdict::VerifyingUpgrade { record: record.name.clone(), settled_at, accepted, operation };
    if case.inputs.now.wall < settled_at {
        return Some((verifying, None));
    }
    let why = match record.allows_another_attempt(case.endpoint(), &case.inputs.requester()) {
        Err(_) if accepted => not_shown(case.inputs.operation.as_ref()),
        Err(why) => why,
        Ok(()) => match rule(&case.without_record(None)) {
            Some((_, (verdict, Some(Effect::Upgrade(order))))) => return Some((verdict, Some(again(record, order)))),
            // Wait for a temporary obstacle; report one that somebody must remove.
            Some((_, (held @ (Verdict::UpgradeHeld(_) | Verdict::ApprovalPolicyMissing(Untrusted::Flaws(_))), _))) => {
                return Some((held, None));
            }
            Some((_, (differ @ Verdict::WaitingForExhaustion { not_yet: NotYet::ClocksDiffer, .. }, _))) => {
                return Some((differ, None));
            }
            Some((_, (Verdict::WaitingForExhaustion { not_yet, .. }, _))) if not_yet != NotYet::Left => {
                return Some((verifying, None));
            }
            _ => NoMore::NoLongerWanted,
        },
    };
    Some(give_up(case, seen, record, why))
}

/// The time after which nothing sent for the open `record` can still be on its way (wall clock).
fn settled_at(case: &Case<'_>, record: &Record) -> Timestamp {
    let operation = case.inputs.operation.as_ref();
    let settled = record.settled_at(Some(&case.inputs.requester()));
    if record.state != RecordState::Accepted {
        return settled;
    }
    // It was accepted, and a single observation that does not show it may be stale.
    let since = case.inputs.previous.verifying_since.unwrap_or(case.inputs.now.wall);
    match case.inputs.previous.accepted_since {
        Some(_) => Record::shown_by(since, operation),
        // It has never shown. An occasional failed observation must not restart the wait.
        None => Record::shown_by(settled, operation).max(since.saturating_add(STALE).unwrap_or(since)),
    }
}

/// Row 10.
pub(super) fn unresolved(case: &Case<'_>) -> Option<Ruling> {
    let (record, seen) = (case.record?, case.seen?);
    if record.is_unresolved() {
        return Some(retry(case, seen, record));
    }
    if record.state != RecordState::Rejected {
        return None;
    }
    match record.allows_another_attempt(case.endpoint(), &case.inputs.requester()) {
        // No Approve would help; only a Retry does.
        Err(why @ NoMore::RefusedSince(_)) => Some(give_up(case, seen, record, why)),
        Err(_) | Ok(()) => None,
    }
}

/// An unresolved record stays as it is, unless a person has said Retry.
fn retry(case: &Case<'_>, seen: &Seen, record: &Record) -> Ruling {
    let stays = (for_a_person(case, seen, record, None), None);
    if record.state != RecordState::Unresolved || record.is_full() {
        return stays;
    }
    let (Some(last), Some(transition)) = (record.last(), &seen.transition) else { return stays };
    let retries = case
        .inputs
        .approvals
        .iter()
        .filter(|said| said.decision == Said::Retry(last.number))
        .filter(|said| said.covers(&transition.hash, case.inputs.now.wall) && !record.has_used_up(&said.uid));
    let retry = match case.inputs.policy_check.trusted(retries) {
        Ok(Some(retry)) => retry,
        Ok(None) => return stays,
        Err(untrusted) => return (Verdict::ApprovalPolicyMissing(untrusted), None),
    };
    match rule(&case.without_record(Some(retry))) {
        Some((_, (verdict, Some(Effect::Upgrade(order))))) => (verdict, Some(again(record, order))),
        Some((_, (held, _))) => (Verdict::RetryHeld { record: record.name.clone(), by: Box::new(held) }, None),
        None => stays,
    }
}

/// Row 11.
pub(super) fn contradicted(case: &Case<'_>) -> Option<Ruling> {
    let record = case.record.filter(|record| record.state == RecordState::Confirmed)?;
    let is_trial = case.seen?.account.offer.class == OfferClass::FreeTrial;
    is_trial.then(|| (Verdict::UpgradeContradicted { record: record.name.clone() }, None))
}

/// The record becomes unresolved: a person decides.
pub(super) fn give_up(case: &Case<'_>, seen: &Seen, record: &Record, why: NoMore) -> Ruling {
    (for_a_person(case, seen, record, Some(&why)), Some(Effect::Note(Note::Unresolved(why))))
}

fn for_a_person(case: &Case<'_>, seen: &Seen, record: &Record, why: Option<&NoMore>) -> Verdict {
    // A Retry helps only where another attempt could be made.
    let is_own = record.last().is_some_and(|attempt| attempt.is_of(&case.inputs.subject.uid));
    let can_retry = !matches!(record.state, RecordState::Other(_)) && !record.is_full();
    Verdict::UpgradeUnresolved {
        record: record.name.clone(),
        attempt: record.last().map_or(1, |attempt| attempt.number),
        why: if is_own {
            why.map(NoMore::because).or_else(|| record.outcome.clone())
        } else {
            why.map(NoMore::because_to_others)
        },
        hash: seen.transition.as_ref().filter(|_| can_retry).map(|transition| transition.hash.clone()),
    }
}

/// The next attempt of `record`.
pub(super) fn again(record: &Record, order: UpgradeOrder) -> Effect {
    Effect::Again { number: record.last().map_or(0, |attempt| attempt.number).saturating_add(1), order }
}

/// Why the wait for an accepted upgrade is over.
pub(super) fn not_shown(operation: Option<&Operation>) -> NoMore {
    match operation {
        Some(Operation::Running(_) | Operation::Unknown { .. }) => NoMore::OperationUnfinished,
        None | Some(Operation::Succeeded | Operation::Failed { .. }) => NoMore::AnsweredWithSuccess,
    }
}

/// Whether an accepted upgrade would be news to the record.
pub(super) fn may_still_be_accepted(record: &Record) -> bool {
    !matches!(record.state, RecordState::Accepted | RecordState::Confirmed | RecordState::Other(_))
}
