//! Rows 12 to 21: whether the account may be upgraded now.

use crate::approval::Decision as Said;
use crate::desired::When;
use crate::observation::{Handoff, Observation};
use crate::provider::{Capabilities, Method};
use crate::record::{Record, RecordState, Requester};
use crate::trigger::TriggerState;
use crate::verdict::{NotEligible, Verdict};

use super::case::{Case, Ruling, not_a_trial, why_not_eligible};
use super::ledger::{again, give_up};
use super::{Effect, UpgradeOrder};

/// Row 12.
pub(super) fn observing(case: &Case<'_>) -> Option<Ruling> {
    (case.inputs.desired.when == When::Never).then_some((Verdict::Observing, None))
}

/// Row 13.
pub(super) fn not_eligible(case: &Case<'_>) -> Option<Ruling> {
    let seen = &case.seen?.account;
    Some(ineligible(why_not_eligible(seen)?, seen))
}

fn ineligible(why: NotEligible, seen: &Observation) -> Ruling {
    (Verdict::NotEligible { why, unread: seen.unread.clone() }, None)
}

/// Row 14.
pub(super) fn denied(case: &Case<'_>) -> Option<Ruling> {
    let deny = case.inputs.approvals.iter().filter(|said| said.decision == Said::Deny).min()?;
    Some((Verdict::UpgradeDenied(deny.clone()), None))
}

/// Row 15.
pub(super) fn benefits_unknown(case: &Case<'_>) -> Option<Ruling> {
    let seen = case.seen?;
    let TriggerState::Unknown(missing) = &seen.trigger else { return None };
    Some((Verdict::BenefitsUnknown { missing: missing.clone(), unread: seen.account.unread.clone() }, None))
}

/// Row 16.
pub(super) fn waiting(case: &Case<'_>) -> Option<Ruling> {
    let seen = case.seen?;
    let TriggerState::NotYet(not_yet) = seen.trigger else { return None };
    let closes = seen.account.closes && case.inputs.desired.when == When::BenefitsExhausted;
    Some((Verdict::WaitingForExhaustion { not_yet, expected: None, closes }, None))
}

/// Row 17.
pub(super) fn awaiting_approval(case: &Case<'_>) -> Option<Ruling> {
    let seen = case.seen?;
    match &seen.transition {
        Some(transition) => case.approval(transition).err().map(|verdict| (verdict, None)),
        None => Some(ineligible(not_a_trial(&seen.account), &seen.account)), // 13
    }
}

/// Row 18.
pub(super) fn awaiting_portal(case: &Case<'_>) -> Option<Ruling> {
    let Ok(Capabilities { method: Method::Portal, .. }) = &case.inputs.provider else { return None };
    let seen = &case.seen?.account;
    let Some(Handoff { url, needs }) = &seen.handoff else {
        return Some(ineligible(not_a_trial(seen), seen)); // 13
    };
    Some((Verdict::AwaitingPortalUpgrade { url: url.clone(), needs: needs.clone() }, None))
}

/// Row 19.
pub(super) fn rejected(case: &Case<'_>) -> Option<Ruling> {
    let (record, seen) = (rejected_record(case)?, case.seen?);
    let requester = case.inputs.requester();
    if let Err(why) = record.allows_another_attempt(case.endpoint(), &requester) {
        return Some(give_up(case, seen, record, why));
    }
    (case.inputs.now.wall < record.next_after_refusal(Some(&requester))).then(|| (rejection(record, &requester), None))
}

fn rejected_record<'a>(case: &Case<'a>) -> Option<&'a Record> {
    case.record.filter(|record| record.state == RecordState::Rejected)
}

fn rejection(record: &Record, by: &Requester) -> Verdict {
    let message = record.last_binding(Some(by)).map(|attempt| attempt.told_to(&by.uid)).unwrap_or_default();
    let next = Some(record.next_after_refusal(Some(by))).filter(|next| *next < jiff::Timestamp::MAX);
    Verdict::UpgradeRejected { message, next }
}

/// Row 20.
pub(super) fn held(case: &Case<'_>) -> Option<Ruling> {
    let held = case.inputs.allowance.holds(case.inputs.now.wall)?;
    Some((Verdict::UpgradeHeld(held), None))
}

/// Row 21. It checks again what the rows before it have checked.
pub(super) fn all_clear(case: &Case<'_>) -> Option<Ruling> {
    let seen = case.seen?;
    let (TriggerState::Yes(evidence), Some(transition)) = (&seen.trigger, &seen.transition) else { return None };
    let order = UpgradeOrder {
        transition: transition.clone(),
        evidence: evidence.clone(),
        approval: case.approval(transition).ok()?,
        endpoint: case.endpoint().to_owned(),
        requester: case.inputs.requester(),
    };
    let effect = match rejected_record(case) {
        Some(record) => again(record, order),
        None => Effect::Upgrade(order),
    };
    Some((Verdict::Upgrading, Some(effect)))
}
