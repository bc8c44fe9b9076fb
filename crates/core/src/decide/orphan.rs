//! What is written into a record that no Subscription looks after. It is closed by observation; nothing is ever asked for on
//! its behalf.

use jiff::Timestamp;

use crate::observation::{Acceptance, Observation};
use crate::offer::OfferClass;
use crate::provider::Operation;
use crate::record::{NoMore, Record, RecordState};

use super::Note;
use super::ledger::{may_still_be_accepted, not_shown};

/// What to write into a record that no Subscription looks after, by what the account shows at `wall` (wall clock) and the
/// provider says of the `operation`. While it `is_claimed`, there is a Subscription of the account that does not see it for
/// now: that may still want the upgrade.
pub fn orphan(
    record: &Record,
    seen: &Observation,
    operation: Option<&Operation>,
    is_claimed: bool,
    wall: Timestamp,
) -> Option<Note> {
    if seen.offer.class == OfferClass::PayAsYouGo {
        return (record.state != RecordState::Confirmed).then_some(Note::Confirmed);
    }
    if seen.acceptance == Acceptance::Accepted {
        return may_still_be_accepted(record).then_some(Note::Accepted);
    }
    if let Some(Operation::Failed { detail }) = operation {
        return record.is_open().then(|| Note::Unresolved(NoMore::OperationFailed(detail.clone())));
    }
    let (until, why) = match record.state {
        RecordState::Accepted => (Record::shown_by(record.settled_at(None), operation), not_shown(operation)),
        _ if is_claimed => return None,
        _ => (record.settled_at(None), NoMore::NoLongerWanted),
    };
    (record.is_open() && wall >= until).then_some(Note::Unresolved(why))
}
