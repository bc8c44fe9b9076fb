//! What must always hold, and what must be possible.

use stateright::Property;

use crate::actions::{Protocol, Provider};
use crate::quiet;
use crate::real;
use crate::state::*;

/// What a step can break. It stays in the state, so that the checker finds it there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    SentUnrecorded,
    SentTwice,
    SentLate,
    SentUnasked,
    SentWithoutApproval,
    TooManyAttempts,
    NotSettled,
    Reopened,
    OverAClaim,
    HeldBack,
    Hammered,
}

impl Broken {
    pub fn mark(self, ghost: &mut Ghost) {
        ghost.broken |= 1 << self as u16;
    }

    const fn is_in(self, state: &State) -> bool {
        state.ghost.broken & (1 << self as u16) != 0
    }
}

pub const ONCE: &str = "an account is upgraded at most once";
pub const ONE_KEY: &str = "all requests carry the same key";
pub const RECORDED: &str = "no request without an acknowledged intent of its own in the record";
pub const ONE_REQUEST: &str = "one attempt, one request";
pub const IN_TIME: &str = "no request after notAfterTime";
pub const ASKED_FOR: &str = "no request that the last live read does not allow";
pub const APPROVED: &str = "no request on an approval that has ended";
pub const FEW: &str = "no fourth attempt after three without a known outcome, unless a person says Retry";
pub const SETTLED: &str = "no attempt while an earlier one may still be on its way";
pub const ASKED: &str = "an unresolved record is reopened only by a person, or by an answer";
pub const SEEN: &str = "confirmed only when the account is converted";
pub const TRUE_NO: &str = "what the record calls refused or not sent was not taken";
pub const NO_DOUBT: &str = "a rejected record is in no doubt";
pub const NEVER_SENT: &str = "nothing is ever sent where only a person can upgrade";
pub const TOLD: &str = "left alone, it ends as wanted, or a person is told";

pub const CLAIMED: &str = "no request while an older Subscription's claim is alive";
pub const OWN_REFUSALS: &str = "a refusal for want of rights, or what was not sent, holds back nobody else";
pub const PACED: &str = "who was refused asks no sooner than in an hour";

pub const CONFIRMED: &str = "confirmed";
pub const CONFIRMED_LATE: &str = "confirmed after an attempt without a known outcome";
pub const UNRESOLVED: &str = "unresolved";
pub const SECOND: &str = "confirmed after a second attempt was taken";
pub const RETRIED: &str = "an attempt because a person said Retry";
pub const ORPHAN_CONFIRMED: &str = "confirmed with no Subscription left";
pub const ORPHAN_UNRESOLVED: &str = "unresolved with no Subscription left";
pub const CONFLICT: &str = "one Subscription yields to the other";
pub const TAKEN_OVER: &str = "confirmed by the younger Subscription after the older one was refused";

/// All of them.
pub fn all(model: &Protocol) -> Vec<Property<Protocol>> {
    let mut properties = vec![
        Property::always(ONCE, |_, state: &State| state.account.upgrades <= 1),
        Property::always(ONE_KEY, |_, state: &State| {
            let of_endpoint = |endpoint: u8| state.account.keys & (0b0101_0101 << endpoint);
            (0..2).all(|endpoint| of_endpoint(endpoint).count_ones() <= 1)
        }),
        Property::always(RECORDED, |_, state: &State| !Broken::SentUnrecorded.is_in(state)),
        Property::always(ONE_REQUEST, |_, state: &State| !Broken::SentTwice.is_in(state)),
        Property::always(IN_TIME, |_, state: &State| !Broken::SentLate.is_in(state)),
        Property::always(ASKED_FOR, |_, state: &State| !Broken::SentUnasked.is_in(state)),
        Property::always(APPROVED, |_, state: &State| !Broken::SentWithoutApproval.is_in(state)),
        Property::always(FEW, |_, state: &State| !Broken::TooManyAttempts.is_in(state)),
        Property::always(SETTLED, |_, state: &State| !Broken::NotSettled.is_in(state)),
        Property::always(ASKED, |_, state: &State| !Broken::Reopened.is_in(state)),
        Property::always(CLAIMED, |_, state: &State| !Broken::OverAClaim.is_in(state)),
        Property::always(OWN_REFUSALS, |_, state: &State| !Broken::HeldBack.is_in(state)),
        Property::always(PACED, |_, state: &State| !Broken::Hammered.is_in(state)),
        Property::always(SEEN, |_, state: &State| {
            let is_confirmed = state.record.is_some_and(|record| record.state == EntryState::Confirmed);
            !is_confirmed || state.account.stage == Stage::Converted
        }),
        Property::always(TRUE_NO, |_, state: &State| {
            let numbered = |record: Entry| (1_u8..).zip(record.attempts).filter_map(|(n, made)| Some((n, made?)));
            state.record.into_iter().flat_map(numbered).all(|(number, made)| {
                let is_no = matches!(made.outcome, Outcome::Rejected | Outcome::NotSent);
                !is_no || state.ghost.taken & (1 << number) == 0
            })
        }),
        Property::always(NO_DOUBT, |_, state: &State| {
            state.record.is_none_or(|record| {
                let is_in_doubt = record.attempts().any(|attempt| attempt.outcome == Outcome::Unknown);
                record.state != EntryState::Rejected || !is_in_doubt
            })
        }),
        Property::always(NEVER_SENT, |model: &Protocol, state: &State| {
            model.provider != Provider::Portal || state.ghost.sent == 0 && state.record.is_none()
        }),
        Property::always(TOLD, quiet::ends_well),
    ];
    if model.provider != Provider::Portal {
        properties.extend(possible());
    }
    properties
}

fn possible() -> [Property<Protocol>; 9] {
    [
        Property::sometimes(CONFIRMED, |_, state: &State| is(state, EntryState::Confirmed)),
        Property::sometimes(CONFIRMED_LATE, |_, state: &State| {
            is(state, EntryState::Confirmed) && attempts(state).any(|made| made.outcome == Outcome::Unknown)
        }),
        Property::sometimes(UNRESOLVED, |_, state: &State| is(state, EntryState::Unresolved)),
        Property::sometimes(SECOND, |_, state: &State| {
            is(state, EntryState::Confirmed) && attempts(state).count() > 1 && state.ghost.taken & 0b100 != 0
        }),
        Property::sometimes(RETRIED, |_, state: &State| attempts(state).any(|made| made.intent.retry)),
        Property::sometimes(ORPHAN_CONFIRMED, |_, state: &State| {
            is(state, EntryState::Confirmed) && state.subscriptions == [None; SUBSCRIPTIONS]
        }),
        Property::sometimes(ORPHAN_UNRESOLVED, |_, state: &State| {
            is(state, EntryState::Unresolved) && state.subscriptions == [None; SUBSCRIPTIONS]
        }),
        Property::sometimes(TAKEN_OVER, |_, state: &State| {
            let was_refused = |made: &Attempt| made.by == 0 && made.lacked_rights;
            let last = attempts(state).last();
            is(state, EntryState::Confirmed)
                && attempts(state).any(was_refused)
                && last.is_some_and(|last| last.by == 1)
        }),
        Property::sometimes(CONFLICT, |_, state: &State| {
            state.subscriptions.iter().flatten().any(|subscription| subscription.status.conflict)
        }),
    ]
}

fn is(state: &State, what: EntryState) -> bool {
    state.record.is_some_and(|record| record.state == what)
}

fn attempts(state: &State) -> impl Iterator<Item = &Attempt> {
    state.record.iter().flat_map(Entry::attempts)
}

/// What must hold as a request leaves.
pub fn on_send(model: &Protocol, state: &mut State, replica: usize, claim: &Claim, demand: &Demand) {
    let place = usize::from(claim.number) - 1;
    let recorded = state.record.and_then(|record| record.attempts[place]);
    let ghost = &mut state.ghost;
    let is_recorded = recorded.is_some_and(|attempt| attempt.intent.id == claim.intent.id);
    if !is_recorded || !claim.acknowledged {
        Broken::SentUnrecorded.mark(ghost);
    }
    if ghost.sent & (1 << claim.number) != 0 {
        Broken::SentTwice.mark(ghost);
    }
    ghost.sent |= 1 << claim.number;
    if !real::in_time(model.clock, replica, &claim.intent) {
        Broken::SentLate.mark(ghost);
    }
    if !demand.allowed {
        Broken::SentUnasked.mark(ghost);
    }
    if demand.approval.is_some_and(|said| said.expiry == Expiry::Over) {
        Broken::SentWithoutApproval.mark(ghost);
    }
}
