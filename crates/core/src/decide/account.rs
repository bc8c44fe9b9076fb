//! Rows 6 to 8: what the account itself settles.

use jiff::SignedDuration;

use crate::inputs::Inputs;
use crate::observation::{Acceptance, Lifecycle, Observation};
use crate::offer::OfferClass;
use crate::record::{Record, RecordState};
use crate::verdict::Verdict;

use super::case::{Case, Ruling};
use super::ledger::may_still_be_accepted;
use super::{Effect, Note};

/// How long after the end of the benefits an accepted upgrade may take to convert.
const CONVERSION_SLACK: SignedDuration = SignedDuration::from_hours(3 * 24);
/// How long an accepted upgrade may take to convert where neither the end of the benefits nor their usual length is known.
const CONVERSION_BOUND: SignedDuration = SignedDuration::from_hours(400 * 24);

/// Row 6.
pub(super) fn closed(case: &Case<'_>) -> Option<Ruling> {
    let seen = &case.seen?.account;
    let effect = confirm(case.record).filter(|_| seen.offer.class == OfferClass::PayAsYouGo);
    (seen.lifecycle == Lifecycle::Closed).then_some((Verdict::AccountClosed, effect))
}

/// Row 7.
pub(super) fn in_place(case: &Case<'_>) -> Option<Ruling> {
    let seen = &case.seen?.account;
    let in_place = seen.offer.class == OfferClass::PayAsYouGo;
    in_place.then(|| (Verdict::OfferInPlace(seen.offer.clone()), confirm(case.record)))
}

/// The record of an account that is on the offer is confirmed, whatever it said.
fn confirm(record: Option<&Record>) -> Option<Effect> {
    record.filter(|record| record.state != RecordState::Confirmed).map(|_| Effect::Note(Note::Confirmed))
}

/// Row 8.
pub(super) fn accepted(case: &Case<'_>) -> Option<Ruling> {
    let seen = &case.seen?.account;
    if seen.acceptance != Acceptance::Accepted {
        return None;
    }
    // Remembered in the record, so that a stale observation cannot make a second request of it.
    let effect = case.record.filter(|record| may_still_be_accepted(record)).map(|_| Effect::Note(Note::Accepted));
    Some((conversion(case.inputs, seen), effect))
}

/// Whether an accepted upgrade converts in time.
fn conversion(inputs: &Inputs, seen: &Observation) -> Verdict {
    let since = inputs.previous.accepted_since.unwrap_or(inputs.now.billing);
    let end = seen.period_end();
    let bound = match (end, seen.trial_length) {
        (Some(end), _) => end.max(since).saturating_add(CONVERSION_SLACK),
        (None, Some(length)) => since.saturating_add(length + CONVERSION_SLACK),
        (None, None) => since.saturating_add(CONVERSION_BOUND),
    };
    match bound {
        Ok(bound) if bound < inputs.now.billing => Verdict::ConversionOverdue { since },
        _ => Verdict::UpgradeAccepted { end },
    }
}
