//! What each step does to the world.

use crate::actions::{Action, Protocol, Provider, SendFate, WriteFate};
use crate::given;
use crate::knockouts::KnockOut;
use crate::properties::{self, Broken};
use crate::real::{self, Does, Facts, Noted, Opening, Orphaned, Step, Tampered};
use crate::state::*;

impl Protocol {
    pub fn apply(&self, state: &mut State, action: Action) -> Option<()> {
        match action {
            Action::Read { replica, subscription, unknown, cached } => {
                self.read(state, replica, subscription, unknown, cached)?;
            }
            Action::Decide { replica, shows, reported } => self.decide(state, replica, shows, reported)?,
            Action::Write { replica, fate } => self.write(state, replica, fate)?,
            Action::ReadBack { replica } => self.read_back(state, replica)?,
            Action::Send { replica, fate } => self.send(state, replica, fate)?,
            Action::Close { replica, written, reported } => self.close(state, replica, written, reported)?,
            Action::Record { replica, shows, unknown } => self.record(state, replica, shows, unknown)?,
            Action::Crash { replica } => {
                state.replicas[usize::from(replica)] = Phase::Idle;
                state.budget.crashes -= 1;
            }
            Action::LateWrite => {
                let late = state.late_write.take()?;
                // A create fails if there is a record, an update if it has changed.
                if state.record == late.before {
                    state.record = Some(late.after);
                }
            }
            Action::LateRequest { place } => {
                let request = state.late_requests[usize::from(place)].take()?;
                state.late_requests.sort_by_key(|late| late.map_or(u8::MAX, |late| late.number));
                self.arrive(state, request);
            }
            Action::Tick => self.age(state, 1),
            Action::TwoDays => self.age(state, LONG_AGO),
            Action::Exhaust => state.account.spent = true,
            Action::Convert => state.account.stage = Stage::Converted,
            Action::Endpoint => {
                state.account.endpoint = 1 - state.account.endpoint;
                state.budget.endpoints -= 1;
            }
            Action::Person { subscription, change } => self.change(state, subscription, change)?,
        }
        Some(())
    }

    /// Time reconciles for all that counts it.
    fn age(&self, state: &mut State, ticks: i8) {
        let before = *state;
        let most = self.clock.settled();
        let older = |age: i8| match (age, ticks) {
            (LONG_AGO, _) | (_, LONG_AGO) => LONG_AGO,
            _ => (age + ticks).min(most),
        };
        let entry = |record: &mut Entry| {
            for attempt in record.attempts.iter_mut().flatten() {
                attempt.intent.age = older(attempt.intent.age);
            }
        };
        let said = |said: &mut Said| {
            if said.expiry == Expiry::Soon {
                said.expiry = Expiry::Over;
            }
        };
        let says = |says: &mut Says| {
            says.approve.iter_mut().chain(says.retry.iter_mut().map(|(_, said)| said)).for_each(said);
        };
        let status = |status: &mut Status| {
            for since in [&mut status.verifying, &mut status.failing] {
                if *since == Since::Lately && ticks == LONG_AGO {
                    *since = Since::LongAgo;
                }
            }
        };
        let demanded = |demand: &mut Demand| {
            status(&mut demand.status);
            demand.approval.iter_mut().for_each(said);
        };
        state.record.iter_mut().for_each(entry);
        state.says.iter_mut().for_each(says);
        state.subscriptions.iter_mut().flatten().for_each(|subscription| status(&mut subscription.status));
        if let Some(late) = &mut state.late_write {
            late.before.iter_mut().for_each(entry);
            entry(&mut late.after);
        }
        for phase in &mut state.replicas {
            match phase {
                Phase::Idle => {}
                Phase::Read(read) => {
                    read.record.iter_mut().for_each(entry);
                    says(&mut read.says);
                    status(&mut read.subscription.status);
                    if let Some(other) =
                        read.other.as_mut().filter(|other| other.failing == Since::Lately && ticks == LONG_AGO)
                    {
                        other.failing = Since::LongAgo;
                    }
                }
                Phase::Decided(read, demand) => {
                    read.record.iter_mut().for_each(entry);
                    says(&mut read.says);
                    status(&mut read.subscription.status);
                    demanded(demand);
                }
                Phase::Unanswered(pass, demand, intent) => {
                    status(&mut pass.subscription.status);
                    demanded(demand);
                    intent.age = older(intent.age);
                }
                Phase::Claimed(pass, demand, claim) => {
                    status(&mut pass.subscription.status);
                    demanded(demand);
                    claim.intent.age = older(claim.intent.age);
                }
                Phase::Answered(pass, after, claim, _) => {
                    status(&mut pass.subscription.status);
                    status(after);
                    claim.intent.age = older(claim.intent.age);
                }
            }
        }
        if *state != before && state.replicas != [Phase::Idle; REPLICAS] {
            state.budget.pauses -= 1;
        }
    }

    fn read(&self, state: &mut State, replica: u8, index: u8, unknown: bool, cached: bool) -> Option<()> {
        let from = if cached { state.stale? } else { state.subscriptions };
        let other = state.subscriptions[usize::from(1 - index)];
        if unknown {
            state.budget.stale -= 1;
        }
        state.replicas[usize::from(replica)] = Phase::Read(Read {
            index,
            subscription: from[usize::from(index)]?,
            says: state.says[usize::from(index)],
            record: state.record,
            other: other.filter(|_| !unknown).map(|other| Other::new(&other)),
            endpoint: state.account.endpoint,
        });
        Some(())
    }

    /// What is decided on what was read, if the account shows itself in this stage.
    pub fn ruled(&self, replica: u8, read: &Read, spent: bool, stage: Stage) -> real::Ruled {
        let tampered = Tampered {
            settled: self.is_without(KnockOut::SettleTime),
            no_other_rows: self.is_without(KnockOut::EveryOtherRow),
            uncounted: self.is_without(KnockOut::ThreeAttempts),
            any_endpoint: self.is_without(KnockOut::RecordedEndpoint),
            endless_claims: self.is_without(KnockOut::ClaimsLapse),
            everybodys_refusals: self.is_without(KnockOut::RequestersRefusals),
        };
        let (clock, provider) = (self.clock, self.provider);
        // A replica's clock matters only while something is young.
        real::ruled(&Facts { clock, provider, replica, read: *read, spent, stage, tampered })
    }

    fn decide(&self, state: &mut State, replica: u8, shows: Stage, reported: bool) -> Option<()> {
        let Phase::Read(read) = state.replicas[usize::from(replica)] else { return None };
        let ruled = self.ruled(replica, &read, state.account.spent, shows);
        self.claims_hold(state, &read, &ruled);
        if shows != state.account.stage {
            state.budget.stale -= 1;
        }
        if !reported {
            state.budget.writes -= 1;
        }
        match ruled.does {
            Does::Request { number, approval } => {
                if usize::from(number) > ATTEMPTS {
                    return None;
                }
                let said = [read.says.approve, read.says.retry.map(|(_, said)| said)];
                let said = said.into_iter().flatten().find(|said| Some(said.uid) == approval);
                let retry = read.says.retry.is_some_and(|(_, said)| Some(said.uid) == approval);
                let demand = Demand { number, approval: said, retry, status: ruled.status, allowed: false };
                // What it is no longer needed for.
                let read = Read { other: None, ..read };
                state.replicas[usize::from(replica)] = Phase::Decided(read, demand);
                return reported.then_some(());
            }
            Does::Note(noted) => {
                if !self.note(state, read.record?, noted) {
                    // A conflict: the reconcile fails, and reports nothing.
                    state.replicas[usize::from(replica)] = Phase::Idle;
                    return Some(());
                }
            }
            Does::Nothing => {}
        }
        if reported {
            report(state, read.index, &read.subscription, ruled.status);
        }
        state.replicas[usize::from(replica)] = Phase::Idle;
        Some(())
    }

    /// What a decision must not be, by the claims and the refusals that it was made on.
    fn claims_hold(&self, state: &mut State, read: &Read, ruled: &real::Ruled) {
        // Subscription 0 is the older one, unless it was made anew.
        let is_second = read.index == 1 && state.subscriptions[0].is_some_and(|first| first.incarnation == 0);
        if matches!(ruled.does, Does::Request { .. }) && is_second && read.other.is_some_and(Other::claims) {
            Broken::OverAClaim.mark(&mut state.ghost);
        }
        let is_others =
            |made: &Attempt| made.by != read.index && (made.lacked_rights || made.outcome == Outcome::NotSent);
        if ruled.pauses && read.record.is_some_and(|record| record.attempts().all(is_others)) {
            Broken::HeldBack.mark(&mut state.ghost);
        }
    }

    /// `Ledger::note`: by compare-and-swap.
    fn note(&self, state: &mut State, before: Entry, noted: Noted) -> bool {
        if state.record != Some(before) {
            return false;
        }
        state.record = Some(real::stepped(self.clock, &before, Step::Note(noted)));
        true
    }

    fn write(&self, state: &mut State, replica: u8, fate: WriteFate) -> Option<()> {
        let Phase::Decided(read, mut demand) = state.replicas[usize::from(replica)] else { return None };
        let phase = usize::from(replica);
        let still_holds = state.subscriptions[usize::from(read.index)].is_some_and(|now| {
            let then = &read.subscription;
            (now.incarnation, now.generation) == (then.incarnation, then.generation)
        }) && state.says[usize::from(read.index)] == read.says;
        if !still_holds && !self.is_without(KnockOut::SecondRead) && !self.is_without(KnockOut::LiveRead) {
            state.replicas[phase] = Phase::Idle;
            return (fate == WriteFate::Answered).then_some(());
        }
        if fate != WriteFate::Answered {
            state.budget.writes -= 1;
        }
        demand.allowed = self.is_allowed(state, read.index, &demand, &read.record);
        let (before, intent, after) = self.opening(state, replica, &read, &demand);
        let pass = Pass { index: read.index, subscription: read.subscription, endpoint: read.endpoint };
        let is_free = state.record == before || (before.is_some() && self.is_without(KnockOut::CompareAndSwap));
        let is_first = self.is_without(KnockOut::RecordFirst);
        match fate {
            // It is written with the outcome only.
            _ if is_first && fate != WriteFate::Answered => return None,
            WriteFate::Answered if is_first => state.late_write = Some(LateWrite { before, after }),
            WriteFate::Answered | WriteFate::AnswerLost if is_free => {
                self.opened(state, before.as_ref(), &demand, read.index);
                state.record = Some(after);
            }
            // Only one of them, so that the model stays small.
            WriteFate::Late if state.late_write.is_none() => state.late_write = Some(LateWrite { before, after }),
            WriteFate::Late => return None,
            WriteFate::Answered | WriteFate::AnswerLost | WriteFate::Lost => {}
        }
        let is_claimed = fate == WriteFate::Answered && is_free;
        state.replicas[phase] = if is_claimed || self.is_without(KnockOut::ReadBack) {
            let claim = Claim { number: demand.number, intent, acknowledged: !is_first };
            Phase::Claimed(pass, demand, claim)
        } else {
            Phase::Unanswered(pass, demand, intent)
        };
        Some(())
    }

    /// The record before and after a new attempt, and its intent.
    fn opening(&self, state: &State, replica: u8, read: &Read, demand: &Demand) -> (Option<Entry>, Intent, Entry) {
        let endless = |said: Said| match said.expiry {
            Expiry::Soon if self.is_without(KnockOut::ApprovalsEnd) => Said { expiry: Expiry::Far, ..said },
            _ => said,
        };
        let opening = Opening {
            replica,
            requester: read.index,
            number: demand.number,
            approval: demand.approval.map(endless),
            retry: demand.retry,
            endpoint: read.endpoint,
            id: if self.is_without(KnockOut::RandomIntentId) { 0 } else { free_id(state) },
        };
        let before = read.record.filter(|_| demand.number > 1);
        let (intent, after) = real::opening(self.clock, before.as_ref(), opening);
        (before, intent, after)
    }

    /// What an attempt must not be opened on.
    fn opened(&self, state: &mut State, before: Option<&Entry>, demand: &Demand, by: u8) {
        let Some(before) = before else { return };
        // Nobody changes a BillingProvider here, so whoever was refused waits an hour.
        let last = before.attempts().rfind(|attempt| attempt.by == by);
        if last.is_some_and(|last| last.outcome == Outcome::Rejected && last.intent.age != LONG_AGO) && !demand.retry {
            Broken::Hammered.mark(&mut state.ghost);
        }
        let unknown = || before.attempts().filter(|attempt| attempt.outcome == Outcome::Unknown);
        if unknown().count() >= 3 && !demand.retry {
            Broken::TooManyAttempts.mark(&mut state.ghost);
        }
        // The window and the call together last 50 seconds.
        let young =
            |attempt: &Attempt| attempt.intent.age != LONG_AGO && i64::from(attempt.intent.age) * self.clock.tick < 50;
        if unknown().any(young) {
            Broken::NotSettled.mark(&mut state.ghost);
        }
        if before.state == EntryState::Unresolved && !demand.retry {
            Broken::Reopened.mark(&mut state.ghost);
        }
    }

    /// Whether people want this upgrade at this moment, given etcd and the account as they are. Written here a second time,
    /// independent of the product.
    fn is_allowed(&self, state: &State, index: u8, demand: &Demand, record: &Option<Entry>) -> bool {
        let says = &state.says[usize::from(index)];
        let Some(now) = state.subscriptions[usize::from(index)] else { return false };
        let is_due = match now.when {
            When::Exhausted => state.account.spent,
            When::Immediately => true,
            When::Never => false,
        };
        let good = |said: &Said| said.when == now.when && said.expiry != Expiry::Over;
        let said_again = says.retry.is_some_and(|(_, said)| good(&said));
        let said = !given::is_manual(index) || says.approve.as_ref().is_some_and(good) || said_again;
        let must_be_said_again = record.is_some_and(|record| record.state == EntryState::Unresolved);
        let said = said && (!must_be_said_again || (demand.retry && said_again));
        is_due && said && !now.suspend && !says.deny
    }

    fn read_back(&self, state: &mut State, replica: u8) -> Option<()> {
        let phase = usize::from(replica);
        let Phase::Unanswered(pass, demand, intent) = state.replicas[phase] else { return None };
        state.replicas[phase] = match &state.record {
            Some(record) if real::names(self.clock, record, intent.id) => {
                Phase::Claimed(pass, demand, Claim { number: demand.number, intent, acknowledged: true })
            }
            // Not there, or another's: nobody has the right to send it.
            _ => Phase::Idle,
        };
        Some(())
    }

    fn send(&self, state: &mut State, replica: u8, fate: SendFate) -> Option<()> {
        let phase = usize::from(replica);
        let Phase::Claimed(pass, demand, claim) = state.replicas[phase] else { return None };
        if !matches!(fate, SendFate::NotSent | SendFate::TooLate) {
            properties::on_send(self, state, phase, &claim, &demand);
        }
        let key = if self.is_without(KnockOut::ConstantKey) { claim.number } else { 0 };
        let request = Request { number: claim.number, key, endpoint: pass.endpoint };
        let answer = match fate {
            SendFate::Answered | SendFate::AnswerLost => {
                self.arrive(state, request);
                if fate == SendFate::Answered { Answer::Success } else { Answer::Lost }
            }
            SendFate::Lost => Answer::Lost,
            SendFate::Late => {
                keep(state, request)?;
                Answer::Lost
            }
            SendFate::Doubled => {
                self.arrive(state, request);
                keep(state, request)?;
                Answer::Success
            }
            SendFate::Refused => Answer::Refused,
            SendFate::Forbidden => Answer::Forbidden,
            SendFate::NotSent | SendFate::TooLate => Answer::NotSent,
        };
        match fate {
            SendFate::AnswerLost | SendFate::Lost | SendFate::Late | SendFate::Doubled => state.budget.calls -= 1,
            SendFate::Refused | SendFate::Forbidden | SendFate::NotSent => {
                state.budget.refusals = state.budget.refusals.saturating_sub(1);
            }
            SendFate::Answered | SendFate::TooLate => {}
        }
        let answer = match answer {
            Answer::Lost if self.is_without(KnockOut::UnknownIsUnknown) => Answer::Refused,
            answer => answer,
        };
        state.replicas[phase] = Phase::Answered(pass, demand.status, claim, answer);
        Some(())
    }

    /// A request is at the provider.
    fn arrive(&self, state: &mut State, request: Request) {
        let account = &mut state.account;
        state.ghost.taken |= 1 << request.number;
        let bit = 1 << (request.key * 2 + request.endpoint);
        let is_new = match self.provider {
            Provider::Broker => account.keys & bit == 0,
            Provider::Api | Provider::Portal => account.stage == Stage::Trial,
        };
        account.keys |= bit;
        if is_new {
            account.upgrades += 1;
            if account.stage == Stage::Trial {
                account.stage = if self.provider == Provider::Broker { Stage::Accepted } else { Stage::Converted };
            }
        }
    }

    fn close(&self, state: &mut State, replica: u8, written: bool, reported: bool) -> Option<()> {
        let phase = usize::from(replica);
        let Phase::Answered(pass, status, claim, answer) = state.replicas[phase] else { return None };
        state.budget.writes -= u8::from(!(written && reported));
        if written {
            state.record = Some(self.closed(state, &claim, answer)?);
        }
        if reported {
            report(state, pass.index, &pass.subscription, status);
        }
        state.replicas[phase] = Phase::Idle;
        Some(())
    }

    /// The record with how an attempt ended. `Ledger::close` reads it anew until it is written.
    fn closed(&self, state: &mut State, claim: &Claim, answer: Answer) -> Option<Entry> {
        let before = state.record?;
        let step = Step::Close { number: claim.number, answer };
        let mut after = if self.is_without(KnockOut::InDoubt) {
            let mut sure = before;
            let others = (1..).zip(&mut sure.attempts).filter(|(number, _)| *number != claim.number);
            others.filter_map(|(_, made)| made.as_mut()).for_each(|made| made.outcome = Outcome::NotSent);
            let mut after = real::stepped(self.clock, &sure, step);
            for (number, (after, before)) in (1..).zip(after.attempts.iter_mut().zip(before.attempts)) {
                if number != claim.number {
                    *after = before;
                }
            }
            after
        } else {
            real::stepped(self.clock, &before, step)
        };
        if answer == Answer::Success && self.is_without(KnockOut::Observation) {
            after.state = EntryState::Confirmed;
        }
        if before.state == EntryState::Unresolved && after.state == EntryState::Unknown {
            Broken::Reopened.mark(&mut state.ghost);
        }
        Some(after)
    }

    fn record(&self, state: &mut State, replica: u8, shows: Stage, unknown: bool) -> Option<()> {
        let record = state.record?;
        if unknown || shows != state.account.stage {
            state.budget.stale -= 1;
        }
        let noted = self.orphan(replica, state, &record, shows, unknown)?;
        self.note(state, record, noted);
        Some(())
    }

    /// `operator::record::pass`: what is noted of a record that no Subscription looks after.
    pub fn orphan(&self, replica: u8, state: &State, record: &Entry, shows: Stage, unknown: bool) -> Option<Noted> {
        if !(record.is_open() || record.state == EntryState::Unresolved) {
            return None;
        }
        let claimants = || state.subscriptions.iter().flatten().filter(|_| !unknown);
        // `care`: `Observed` is True.
        let sees = |status: Status| status.observation != Look::None && status.failing == Since::Never;
        if claimants().any(|other| sees(other.status) && !other.status.conflict) {
            return None;
        }
        real::orphaned(&Orphaned {
            clock: self.clock,
            replica,
            record: *record,
            spent: state.account.spent,
            stage: shows,
            is_claimed: claimants().next().is_some(),
        })
    }
}

/// `report::subscription`: with the resourceVersion that was read, so it is lost if the object has changed.
fn report(state: &mut State, index: u8, then: &Subscription, status: Status) {
    let now = &mut state.subscriptions[usize::from(index)];
    if *now == Some(*then) {
        *now = Some(Subscription { status, ..*then });
    }
}

/// Puts a request where it waits.
fn keep(state: &mut State, request: Request) -> Option<()> {
    *state.late_requests.iter_mut().find(|late| late.is_none())? = Some(request);
    state.late_requests.sort_by_key(|late| late.map_or(u8::MAX, |late| late.number));
    Some(())
}

/// The smallest id that nobody remembers: as good as a random one.
fn free_id(state: &State) -> u8 {
    let of = |record: &Option<Entry>| -> u32 {
        record.iter().flat_map(|record| record.attempts.iter().flatten()).map(|made| 1 << made.intent.id).sum()
    };
    let late = state.late_write.map_or(0, |late| of(&late.before) | of(&Some(late.after)));
    let held = state.replicas.iter().map(|phase| match phase {
        Phase::Idle => 0,
        Phase::Read(read) | Phase::Decided(read, _) => of(&read.record),
        Phase::Unanswered(_, _, intent) => 1 << intent.id,
        Phase::Claimed(_, _, claim) | Phase::Answered(_, _, claim, _) => 1 << claim.intent.id,
    });
    let used = held.fold(of(&state.record) | late, |used, held| used | held);
    used.trailing_ones().try_into().unwrap()
}
