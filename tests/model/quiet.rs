//! Checks where each state ends if nothing more goes wrong and nobody touches anything.
//!
//! From every state the checker runs on by itself: the replicas restart with nothing in memory, whatever is late never
//! arrives, and reconciles follow each other, two days apart, until nothing changes. What the replicas had in hand, or what
//! would still have arrived, needs no care here: those are steps of the model, and the states after them are run on, too.
//!
//! The end is good if every Subscription shows a verdict that says so or calls for a person, and the ledger does not hide an
//! upgrade: what is open in it stays so only while nobody may read the account. This is liveness with a bound, and it covers every reachable state and not only those in which nothing can
//! happen. It does not say how long it takes.

use std::cell::RefCell;
use std::collections::HashMap;

use stateright::Model;

use crate::actions::{Action, Protocol, SendFate, WriteFate};
use crate::knockouts::KnockOut;
use crate::real::Verdicts;
use crate::state::*;

/// More rounds than any end has taken.
const ROUNDS: usize = 24;

/// A state without what is forgotten, and the parts of the model that the end depends on.
type Key = (Option<KnockOut>, State);

thread_local! {
    static ENDS: RefCell<HashMap<Key, bool>> = RefCell::default();
}

/// Whether the end of `state` is good.
pub fn ends_well(model: &Protocol, state: &State) -> bool {
    let mut quiet = *state;
    quiet.replicas = [Phase::Idle; REPLICAS];
    quiet.late_write = None;
    quiet.late_requests = [None; 2];
    quiet.budget =
        Budget { crashes: 0, writes: 0, calls: 0, refusals: 0, stale: 0, changes: 0, pauses: 0, endpoints: 0 };
    quiet.stale = quiet.stale.map(|_| quiet.subscriptions);
    quiet.ghost = Ghost { taken: state.ghost.taken, uids: 0, ..Ghost::default() };
    let key = (model.without, quiet);
    if let Some(known) = ENDS.with_borrow(|known| known.get(&key).copied()) {
        return known;
    }
    let well = run_on(model, quiet).is_some_and(|end| is_good(model, &end));
    ENDS.with_borrow_mut(|known| known.insert(key, well));
    well
}

/// The state in which nothing changes any more.
pub fn run_on(model: &Protocol, mut state: State) -> Option<State> {
    for _ in 0..ROUNDS {
        let before = state;
        for subscription in 0..2 {
            pass(model, &mut state, subscription);
        }
        if !model.is_without(KnockOut::WorkOfTheirOwn) {
            step(model, &mut state, |now| Action::Record { replica: 0, shows: now.account.stage, unknown: false });
        }
        if state.account.stage == Stage::Accepted {
            step(model, &mut state, |_| Action::Convert);
        }
        step(model, &mut state, |_| Action::TwoDays);
        state.ghost.sent = 0;
        if state == before {
            return Some(state);
        }
    }
    None
}

fn step(model: &Protocol, state: &mut State, action: impl Fn(&State) -> Action) {
    if let Some(next) = model.next_state(state, action(state)) {
        *state = next;
    }
}

/// A reconcile in which nothing goes wrong.
fn pass(model: &Protocol, state: &mut State, subscription: u8) {
    let replica = 0;
    if state.subscriptions[usize::from(subscription)].is_none() {
        return;
    }
    step(model, state, |_| Action::Read { replica, subscription, unknown: false, cached: false });
    while state.replicas[0] != Phase::Idle {
        let before = *state;
        step(model, state, |now| match now.replicas[0] {
            Phase::Idle | Phase::Read(_) => Action::Decide { replica, shows: now.account.stage, reported: true },
            Phase::Decided(..) => Action::Write { replica, fate: WriteFate::Answered },
            Phase::Unanswered(..) => Action::ReadBack { replica },
            Phase::Claimed(..) => Action::Send { replica, fate: SendFate::Answered },
            Phase::Answered(..) => Action::Close { replica, written: true, reported: true },
        });
        if *state == before {
            state.replicas[0] = Phase::Idle;
        }
    }
}

/// Whether nobody who should know something is left without a word.
fn is_good(model: &Protocol, end: &State) -> bool {
    let subscriptions = || (0_u8..).zip(&end.subscriptions).filter_map(|(index, found)| Some((index, (*found)?)));
    let other = |index: u8| end.subscriptions[usize::from(1 - index)].map(|other| Other::new(&other));
    let says = |index: u8, subscription: Subscription| {
        let other = other(index);
        let says = end.says[usize::from(index)];
        let (record, endpoint) = (end.record, end.account.endpoint);
        let read = Read { index, subscription, says, record, other, endpoint };
        model.ruled(0, &read, end.account.spent, end.account.stage).says
    };
    let is_upgraded = end.account.stage == Stage::Converted;
    let all_say = subscriptions().all(|(index, subscription)| match says(index, subscription) {
        Verdicts::Done => is_upgraded,
        // A Subscription that reports that another one has the account reports the truth.
        Verdicts::Told => !subscription.status.conflict || other(index).is_some_and(Other::claims),
        Verdicts::GoesOn => false,
        // Suspended, Denied, Never, or something is left.
        Verdicts::Settled => {
            let is_stopped = subscription.suspend || end.says[usize::from(index)].deny;
            is_stopped || subscription.when == When::Never || !end.account.spent
        }
    });
    // Where nobody may read the account any more, which each Subscription reports, the record waits for somebody who may.
    let is_blind = subscriptions().next().is_some() && subscriptions().all(|(_, subscription)| !subscription.sees);
    // An upgrade that was asked for is in the ledger as what it is, or the ledger says that nobody knows.
    let ledger = end.record.is_none_or(|record| match record.state {
        EntryState::Intended | EntryState::Unknown | EntryState::Accepted => is_blind,
        EntryState::Unresolved | EntryState::Confirmed => true,
        EntryState::Rejected => end.ghost.taken == 0,
    });
    all_say && ledger
}
