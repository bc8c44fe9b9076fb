//! The entry in the ledger as an object in etcd, and back.

use jiff::{SignedDuration, Timestamp};
use payg_api as api;
use payg_core::approval::Approval;
use payg_core::decide::UpgradeOrder;
use payg_core::provider;
use payg_core::record::{Record, RecordState, SEND_WINDOW};
use payg_core::trigger::{Cause, Evidence};
use payg_operator::operator::ledger::entry;
use payg_operator::operator::parse;

use crate::actions::Provider;
use crate::given::{Clock, account, endpoint, now, provider_version, requester, transition};
use crate::state::*;

pub(crate) fn state_name(state: EntryState) -> RecordState {
    match state {
        EntryState::Intended => RecordState::Intended,
        EntryState::Accepted => RecordState::Accepted,
        EntryState::Unknown => RecordState::Unknown,
        EntryState::Rejected => RecordState::Rejected,
        EntryState::Unresolved => RecordState::Unresolved,
        EntryState::Confirmed => RecordState::Confirmed,
    }
}

pub(crate) fn outcome_name(outcome: Outcome) -> provider::Outcome {
    match outcome {
        Outcome::Accepted => provider::Outcome::Accepted,
        Outcome::Rejected => provider::Outcome::Rejected,
        Outcome::NotSent => provider::Outcome::NotSent,
        Outcome::Unknown => provider::Outcome::Unknown,
    }
}

/// When the attempt was opened, by the clock of who opened it.
pub(crate) fn opened(clock: Clock, intent: &Intent) -> Timestamp {
    now() - clock.age(intent.age)
}

pub(crate) fn not_after(clock: Clock, intent: &Intent) -> Timestamp {
    let window = if intent.cut { SignedDuration::from_secs(5) } else { SEND_WINDOW.try_into().unwrap() };
    opened(clock, intent) + window
}

pub(crate) fn stored_intent(clock: Clock, intent: &Intent) -> api::Intent {
    api::Intent {
        id: intent.id.to_string(),
        not_after_time: not_after(clock, intent).into(),
        approval: intent.approval.map(|uid| api::RecordApproval {
            name: if intent.retry { "retry" } else { "approve" }.to_owned(),
            uid: uid.to_string(),
            approver: "somebody".to_owned(),
            reason: None,
            create_time: None,
            expire_time: None,
        }),
        evidence: api::Evidence { observed_time: now().into(), summary: "spent".into() },
    }
}

/// The record as an object.
pub(crate) fn stored(clock: Clock, record: &Entry) -> api::UpgradeRecord {
    let first = record.attempts[0].as_ref().expect("a record has an attempt");
    let mut object = entry::opened(
        &account(),
        &order(Provider::Broker, first.endpoint, None, record.requester),
        stored_intent(clock, &first.intent),
    );
    if record.state == EntryState::Intended {
        return object;
    }
    let attempt = |(index, attempt): (usize, &Attempt)| api::Attempt {
        number: i32::try_from(index + 1).unwrap(),
        intent: (index > 0).then(|| stored_intent(clock, &attempt.intent)),
        endpoint: (index > 0).then(|| endpoint(attempt.endpoint)),
        send_time: attempt.sent.then(|| opened(clock, &attempt.intent).into()),
        outcome: (attempt.outcome != Outcome::Unknown).then(|| outcome_name(attempt.outcome).name().into()),
        reason: attempt.lacked_rights.then(|| "Forbidden".into()),
        requester: Some(requester(attempt.by)).map(|by| api::Requester {
            namespace: by.namespace,
            name: by.name,
            uid: by.uid,
        }),
        provider: Some(provider_version())
            .map(|version| api::AttemptProvider { uid: version.uid, generation: version.generation }),
        ..api::Attempt::default()
    };
    object.status = Some(api::UpgradeRecordStatus {
        state: state_name(record.state).name().map(Into::into),
        attempts: record.attempts().enumerate().map(attempt).collect(),
        ..api::UpgradeRecordStatus::default()
    });
    object
}

/// The object in the model's words. `before` are the attempts that were there, `new` the intent that was added.
pub(crate) fn entry_of(
    object: &api::UpgradeRecord,
    before: Option<&Entry>,
    new: Option<Intent>,
    requester: u8,
) -> Entry {
    let understood = parse::record(object);
    let mut attempts = [None; ATTEMPTS];
    for (place, attempt) in understood.attempts.iter().enumerate() {
        let known = before.and_then(|before| before.attempts[place]).map(|known| known.intent);
        attempts[place] = Some(Attempt {
            intent: known.or(new).expect("an attempt has an intent"),
            outcome: match attempt.outcome {
                provider::Outcome::Accepted => Outcome::Accepted,
                provider::Outcome::Rejected => Outcome::Rejected,
                provider::Outcome::NotSent => Outcome::NotSent,
                provider::Outcome::Unknown => Outcome::Unknown,
            },
            sent: attempt.sent.is_some(),
            endpoint: u8::from(attempt.endpoint.as_deref() == Some(&*endpoint(1))),
            by: u8::from(attempt.requester.as_ref().is_some_and(|by| by.namespace == "team-b")),
            lacked_rights: attempt.lacked_rights,
        });
    }
    let state = match understood.state {
        RecordState::Intended => EntryState::Intended,
        RecordState::Accepted => EntryState::Accepted,
        RecordState::Unknown => EntryState::Unknown,
        RecordState::Rejected => EntryState::Rejected,
        RecordState::Unresolved => EntryState::Unresolved,
        RecordState::Confirmed => EntryState::Confirmed,
        RecordState::Other(other) => panic!("nobody writes the state {other}"),
    };
    Entry { state, requester, attempts }
}

pub(crate) fn understood(clock: Clock, record: &Entry) -> Record {
    parse::record(&stored(clock, record))
}

pub(crate) fn order(provider: Provider, at: u8, approval: Option<Approval>, by: u8) -> UpgradeOrder {
    UpgradeOrder {
        transition: transition(provider, 0, When::Exhausted, at),
        evidence: Evidence { cause: Cause::CreditSpent, observed: now(), summary: "spent".to_owned() },
        approval,
        endpoint: endpoint(at),
        requester: requester(by),
    }
}

// ---- The product's functions ----
