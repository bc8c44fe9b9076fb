//! What can happen. Each step names the function of the product that it stands for.

use stateright::{Model, Property};

use crate::given::{self, Clock};
use crate::knockouts::KnockOut;
use crate::properties;
use crate::real;
use crate::state::*;

/// What kind of provider upgrades the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Provider {
    /// Honours the key: one key is one upgrade for ever, and it answers a repeated request as the first one. The account
    /// shows the acceptance first and is converted later.
    Broker,
    /// Takes no key, and declares a desired state: a request for what is there changes nothing, and may be refused.
    Api,
    /// Has no call at all: a person does it.
    Portal,
}

/// The model: a world, what may go wrong in it, and what is taken out of the protocol.
#[derive(Clone, Debug)]
pub struct Protocol {
    pub provider: Provider,
    pub clock: Clock,
    pub budget: Budget,
    /// Only this Subscription is there.
    pub only: Option<u8>,
    /// An Approve that ends soon is among what people do.
    pub short_approvals: bool,
    /// People change only what claims depend on, rights to look included, and a request may be refused for want of rights.
    pub claims: bool,
    pub without: Option<KnockOut>,
}

/// Something that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// `operator::subscription::read`. With `unknown`, the index does not know the other Subscription yet.
    /// With `cached`, a cache is read instead (a knock-out).
    Read { replica: u8, subscription: u8, unknown: bool, cached: bool },
    /// `observe`, `decide`, and unless an upgrade is to be requested also `Ledger::note` and `report::subscription`.
    Decide { replica: u8, shows: Stage, reported: bool },
    /// `claim`: `still_holds`, then `Ledger::open` or `open_again` up to the answer.
    Write { replica: u8, fate: WriteFate },
    /// `Ledger::settle`, after a write without a clear answer.
    ReadBack { replica: u8 },
    /// `BillingProvider::upgrade`.
    Send { replica: u8, fate: SendFate },
    /// `Ledger::close` and `report::subscription`.
    Close { replica: u8, written: bool, reported: bool },
    /// `operator::record::pass`, a record by itself. `unknown`: the index does not know the Subscriptions.
    Record { replica: u8, shows: Stage, unknown: bool },
    /// The process dies and is started anew.
    Crash { replica: u8 },
    /// A write arrives that its sender has given up.
    LateWrite,
    /// A request arrives that its sender has given up.
    LateRequest { place: u8 },
    /// A tick of the clocks.
    Tick,
    /// Two days pass.
    TwoDays,
    /// The benefits are used up.
    Exhaust,
    /// An accepted upgrade takes effect.
    Convert,
    /// The operator is started with another endpoint.
    Endpoint,
    /// A person changes something.
    Person { subscription: u8, change: Change },
}

/// What becomes of a write to the API server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteFate {
    /// It is done, or refused with a 409, and the answer arrives.
    Answered,
    /// It is done, or refused, and the answer is lost or is the 409 of a repetition on the way.
    AnswerLost,
    /// It never arrives.
    Lost,
    /// It arrives after its sender has given it up.
    Late,
}

/// What becomes of an upgrade call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendFate {
    Answered,
    AnswerLost,
    Lost,
    /// It arrives later, after its sender has given it up.
    Late,
    /// It is delivered twice, the second time later.
    Doubled,
    /// The provider says no, for a reason that a person can put right.
    Refused,
    /// The provider says that the requester may not do this.
    Forbidden,
    /// It could not be sent: no connection, or throttled.
    NotSent,
    /// `notAfterTime` has passed.
    TooLate,
}

/// What a person does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Suspend(bool),
    When(When),
    Delete,
    ApplyAnew,
    Deny(bool),
    Approve(Expiry),
    Retry,
    /// Rights to look are given, or taken away.
    Sees(bool),
}

impl Model for Protocol {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let subscription = Subscription {
            incarnation: 0,
            generation: 0,
            when: When::Exhausted,
            suspend: false,
            sees: true,
            status: Status::default(),
        };
        let subscriptions = [0, 1].map(|index| self.has(index).then_some(subscription));
        // Who may take over has been approved already.
        let approved = self.claims.then_some(Said { uid: 1, when: When::Exhausted, expiry: Expiry::Far, endpoint: 0 });
        vec![State {
            account: Account { spent: false, stage: Stage::Trial, upgrades: 0, keys: 0, endpoint: 0 },
            subscriptions,
            says: [Says::default(), Says { approve: approved, ..Says::default() }],
            record: None,
            replicas: [Phase::Idle; REPLICAS],
            late_write: None,
            late_requests: [None; 2],
            budget: self.budget,
            ghost: Ghost { uids: u8::from(self.claims), ..Ghost::default() },
            stale: (self.without == Some(KnockOut::LiveRead)).then_some(subscriptions),
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        // States that follow a violation do not matter.
        if state.ghost.broken != 0 {
            return;
        }
        for (replica, phase) in (0..).zip(&state.replicas) {
            self.actions_of(state, replica, phase, actions);
        }
        if state.late_write.is_some() {
            actions.push(Action::LateWrite);
        }
        actions.extend(
            (0..).zip(&state.late_requests).filter_map(|(place, late)| late.map(|_| Action::LateRequest { place })),
        );
        if state.replicas == [Phase::Idle; REPLICAS] || state.budget.pauses > 0 {
            actions.extend([Action::Tick, Action::TwoDays]);
        }
        if !state.account.spent {
            actions.push(Action::Exhaust);
        }
        if state.account.stage == Stage::Accepted {
            actions.push(Action::Convert);
        }
        if state.budget.endpoints > 0 {
            actions.push(Action::Endpoint);
        }
        if state.budget.changes > 0 {
            self.changes(state, actions);
        }
    }

    fn next_state(&self, before: &State, action: Action) -> Option<State> {
        let mut state = *before;
        self.apply(&mut state, action)?;
        (state != *before).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all(self)
    }
}

impl Protocol {
    fn has(&self, subscription: u8) -> bool {
        self.only.is_none_or(|only| only == subscription)
    }

    pub fn is_without(&self, part: KnockOut) -> bool {
        self.without == Some(part)
    }

    fn actions_of(&self, state: &State, replica: u8, phase: &Phase, actions: &mut Vec<Action>) {
        let budget = &state.budget;
        if *phase != Phase::Idle && budget.crashes > 0 {
            actions.push(Action::Crash { replica });
        }
        // An observation may show the account as it was.
        let shown = |stage: Stage| match (stage, budget.stale) {
            (_, 0) | (Stage::Trial, _) => &[][..],
            (Stage::Accepted, _) => &[Stage::Trial],
            (Stage::Converted, _) if self.provider == Provider::Broker => &[Stage::Trial, Stage::Accepted],
            (Stage::Converted, _) => &[Stage::Trial],
        };
        let truth = state.account.stage;
        match phase {
            Phase::Idle => {
                for subscription in 0..2 {
                    if state.subscriptions[usize::from(subscription)].is_none() {
                        continue;
                    }
                    actions.push(Action::Read { replica, subscription, unknown: false, cached: false });
                    if budget.stale > 0 && state.subscriptions[usize::from(1 - subscription)].is_some() {
                        actions.push(Action::Read { replica, subscription, unknown: true, cached: false });
                    }
                    if state.stale.is_some_and(|stale| stale != state.subscriptions) {
                        actions.push(Action::Read { replica, subscription, unknown: false, cached: true });
                    }
                }
                if state.record.is_some() && !self.is_without(KnockOut::WorkOfTheirOwn) {
                    actions.push(Action::Record { replica, shows: truth, unknown: false });
                    let stale = shown(truth).iter().map(|&shows| Action::Record { replica, shows, unknown: false });
                    actions.extend(stale);
                    if budget.stale > 0 && state.subscriptions.iter().any(Option::is_some) {
                        actions.push(Action::Record { replica, shows: truth, unknown: true });
                    }
                }
            }
            Phase::Read(_) => {
                actions.push(Action::Decide { replica, shows: truth, reported: true });
                actions.extend(shown(truth).iter().map(|&shows| Action::Decide { replica, shows, reported: true }));
                if budget.writes > 0 {
                    actions.push(Action::Decide { replica, shows: truth, reported: false });
                }
            }
            Phase::Decided(..) => {
                let fates = [WriteFate::Answered, WriteFate::AnswerLost, WriteFate::Lost, WriteFate::Late];
                let most = if budget.writes > 0 { 4 } else { 1 };
                actions.extend(fates[..most].iter().map(|&fate| Action::Write { replica, fate }));
            }
            Phase::Unanswered(..) => actions.push(Action::ReadBack { replica }),
            Phase::Claimed(_, _, claim) => self.sends(state, replica, claim, actions),
            Phase::Answered(..) => {
                actions.push(Action::Close { replica, written: true, reported: true });
                if budget.writes > 0 {
                    actions.push(Action::Close { replica, written: true, reported: false });
                    actions.push(Action::Close { replica, written: false, reported: false });
                }
            }
        }
    }

    fn sends(&self, state: &State, replica: u8, claim: &Claim, actions: &mut Vec<Action>) {
        let send = |fate| Action::Send { replica, fate };
        let in_time = real::in_time(self.clock, replica.into(), &claim.intent);
        if !in_time && !self.is_without(KnockOut::NotAfterTime) {
            actions.push(send(SendFate::TooLate));
            return;
        }
        actions.push(send(SendFate::Answered));
        if state.budget.calls > 0 {
            actions.extend([SendFate::AnswerLost, SendFate::Lost].map(send));
            if state.late_requests.contains(&None) {
                actions.extend([SendFate::Late, SendFate::Doubled].map(send));
            }
        }
        if state.budget.refusals > 0 {
            actions.extend([SendFate::Refused, SendFate::NotSent].map(send));
            if self.claims {
                actions.push(send(SendFate::Forbidden));
            }
        } else if self.provider == Provider::Api && state.account.stage != Stage::Trial {
            // There is nothing to upgrade any more.
            actions.push(send(SendFate::Refused));
        }
    }

    fn changes(&self, state: &State, actions: &mut Vec<Action>) {
        for subscription in 0..2_u8 {
            let index = usize::from(subscription);
            if !self.has(subscription) {
                continue;
            }
            let mut push = |change| actions.push(Action::Person { subscription, change });
            let says = &state.says[index];
            match &state.subscriptions[index] {
                Some(now) if self.claims => {
                    push(Change::Suspend(!now.suspend));
                    push(Change::Sees(!now.sees));
                    push(Change::When(if now.when == When::Never { When::Exhausted } else { When::Never }));
                    continue;
                }
                Some(now) => {
                    push(Change::Suspend(!now.suspend));
                    push(Change::Delete);
                    let whens = [When::Exhausted, When::Immediately, When::Never];
                    whens.into_iter().filter(|when| *when != now.when).for_each(|when| push(Change::When(when)));
                    if given::is_manual(subscription) && says.approve.is_none() {
                        push(Change::Approve(Expiry::Far));
                        if self.short_approvals {
                            push(Change::Approve(Expiry::Soon));
                        }
                    }
                    let is_unresolved = |record: Entry| record.state == EntryState::Unresolved;
                    if says.retry.is_none() && state.record.is_some_and(is_unresolved) {
                        push(Change::Retry);
                    }
                }
                None => push(Change::ApplyAnew),
            }
            push(Change::Deny(!says.deny));
        }
    }
}
