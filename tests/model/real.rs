//! The product's own functions, asked in the model's words.
//!
//! Each of them is pure, so what it says is kept: it is asked once for each input that differs, and not once for each of
//! the millions of states. What is kept is kept by thread.

use std::cell::RefCell;
use std::collections::HashMap;

use jiff::SignedDuration;
use payg_core::allowance::Allowance;
use payg_core::approval::{Decision as Decided, PolicyCheck};
use payg_core::decide::{self, Effect, Note, UpgradeOrder, decide, orphan};
use payg_core::desired::{self, ApprovalMode};
use payg_core::inputs::{Inputs, Now};
use payg_core::offer::{BenefitState, OfferClass};
use payg_core::provider::ProviderError;
use payg_core::record::{self, SEND_WINDOW};
use payg_core::trigger::NotYet;
use payg_core::verdict::Verdict;
use payg_operator::operator::ledger::entry::{self, End};
use payg_providers::Accepted;

use crate::actions::Provider;
use crate::entry_object::{entry_of, not_after, order, stored, understood};
use crate::given::{
    Clock, account, ago, approval, approvals, capabilities, claimant, desired as wanted, endpoint, now, observation,
    previous, provider_object, provider_version, requester,
};
use crate::state::*;

/// The inputs of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Facts {
    pub clock: Clock,
    pub provider: Provider,
    pub replica: u8,
    pub read: Read,
    pub spent: bool,
    pub stage: Stage,
    /// Knock-outs that cannot be had but by other inputs.
    pub tampered: Tampered,
}

/// How the inputs of a decision are changed to take a part of the protocol out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Tampered {
    /// The clock of an open record's decision is an hour ahead: what was sent counts as settled at once.
    pub settled: bool,
    /// An open record is decided on as if the manifest asked for an upgrade at once and nobody had said anything.
    pub no_other_rows: bool,
    /// Attempts before the last one are not counted.
    pub uncounted: bool,
    /// The recorded endpoints count as the one of the flags.
    pub any_endpoint: bool,
    /// A claim of the other Subscription never lapses.
    pub endless_claims: bool,
    /// A refusal is everybody's.
    pub everybodys_refusals: bool,
}

/// What was decided, in the model's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ruled {
    pub does: Does,
    /// What status says after the reconcile.
    pub status: Status,
    pub says: Verdicts,
    /// It waits for the end of a pause after a refusal.
    pub pauses: bool,
}

/// An effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Does {
    Nothing,
    Note(Noted),
    /// Attempt `number`, with the approval that it uses.
    Request {
        number: u8,
        approval: Option<u8>,
    },
}

/// `core::decide::Note`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Noted {
    Accepted,
    Confirmed,
    Unresolved,
}

/// What a verdict means to the person who sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdicts {
    /// The account is upgraded, or the provider is at it.
    Done,
    /// The status says that a person must do or decide something.
    Told,
    /// Nothing is wanted, or there is something left to use.
    Settled,
    /// It is said that something goes on by itself.
    GoesOn,
}

fn meaning(verdict: &Verdict) -> Verdicts {
    match verdict {
        Verdict::OfferInPlace(_) | Verdict::UpgradeAccepted { .. } => Verdicts::Done,
        Verdict::AwaitingApproval { .. } | Verdict::AwaitingPortalUpgrade { .. } => Verdicts::Told,
        Verdict::WaitingForExhaustion { not_yet: NotYet::Left, .. }
        | Verdict::Suspended(_)
        | Verdict::Observing
        | Verdict::UpgradeDenied(_) => Verdicts::Settled,
        // It is reported, but the operator tries again by itself: this is no end.
        Verdict::UpgradeRejected { .. } | Verdict::WaitingForExhaustion { .. } => Verdicts::GoesOn,
        other if other.facts().progress == payg_core::verdict::Progress::Stalled => Verdicts::Told,
        _ => Verdicts::GoesOn,
    }
}

fn noted(note: &Note) -> Noted {
    match note {
        Note::Accepted => Noted::Accepted,
        Note::Confirmed => Noted::Confirmed,
        Note::Unresolved(_) => Noted::Unresolved,
    }
}

fn inputs(facts: &Facts) -> Inputs {
    let Facts { clock, provider, read, tampered, .. } = facts;
    let Read { subscription, index, .. } = read;
    let mut wall = clock.wall(facts.replica.into());
    let is_open = read.record.is_some_and(|record| record.is_open());
    if is_open && tampered.settled {
        wall += SignedDuration::from_hours(1);
    }
    let mut record = read.record.map(|record| understood(*clock, &record));
    if let Some(record) = record.as_mut().filter(|_| tampered.uncounted) {
        let last = record.attempts.len() - 1;
        for attempt in &mut record.attempts[..last] {
            attempt.outcome = payg_core::provider::Outcome::NotSent;
        }
    }
    if let Some(record) = record.as_mut().filter(|_| tampered.any_endpoint) {
        for attempt in &mut record.attempts {
            attempt.endpoint = Some(endpoint(read.endpoint));
        }
    }
    let mut desired = wanted(*index, subscription.when, subscription.suspend);
    let mut said = approvals(*provider, *index, &read.says);
    if is_open && tampered.no_other_rows {
        (desired.when, desired.approval, desired.suspend) = (desired::When::Immediately, ApprovalMode::Automatic, None);
        said = Vec::new();
    }
    if let Some(record) = record.as_mut().filter(|_| tampered.everybodys_refusals) {
        record.attempts.iter_mut().for_each(|attempt| attempt.requester = None);
    }
    let endless = |other: Other| Other { yields: false, failing: Since::Never, ..other };
    let other = if tampered.endless_claims { read.other.map(endless) } else { read.other };
    let wants_observation = decide::wants_observation(&desired, record.as_ref());
    Inputs {
        subject: claimant(*index, subscription.incarnation, Some(Other::new(subscription))),
        provider: if wants_observation {
            Ok(capabilities(*provider, read.endpoint))
        } else {
            Err(ProviderError::Config { detail: "not needed".to_owned() })
        },
        provider_object: Some(provider_object()),
        provider_version: Some(provider_version()),
        observation: wants_observation
            .then(|| if subscription.sees { Ok(observation(facts.spent, facts.stage)) } else { Err(forbidden()) }),
        operation: None,
        claimants: other.map(|other| claimant(1 - index, 0, Some(other))).into_iter().collect(),
        previous: previous(&subscription.status, wall),
        record,
        approvals: said,
        policy_check: PolicyCheck { since: Some(ago(1000)), ..PolicyCheck::UNREAD },
        allowance: Allowance { dry_run: false, per_hour: 100, requested: Vec::new(), alone: false },
        now: Now { billing: now(), wall },
        desired,
    }
}

fn rule(facts: &Facts) -> Ruled {
    let decision = decide(&inputs(facts));
    let before = facts.read.subscription.status;
    let request = |number: u32, order: &UpgradeOrder| Does::Request {
        number: number.try_into().unwrap(),
        approval: order.approval.as_ref().map(|approval| approval.uid.parse().unwrap()),
    };
    let verdict = &decision.verdict;
    let is_accepted = matches!(verdict, Verdict::UpgradeAccepted { .. } | Verdict::ConversionOverdue { .. });
    Ruled {
        does: match &decision.effect {
            None => Does::Nothing,
            Some(Effect::Note(note)) => Does::Note(noted(note)),
            Some(Effect::Upgrade(order)) => request(1, order),
            Some(Effect::Again { number, order }) => request(*number, order),
        },
        // `operator::render::status` and `operator::parse::previous`, so far as decisions use them.
        status: Status {
            observation: match &decision.seen {
                None => before.observation,
                Some(seen) if seen.offer.class == OfferClass::PayAsYouGo => Look::Upgraded,
                Some(seen) if seen.benefits.iter().any(|benefit| benefit.state == BenefitState::Exhausted) => {
                    Look::Spent
                }
                Some(_) => Look::Left,
            },
            accepted: before.accepted || is_accepted,
            verifying: match verdict {
                Verdict::VerifyingUpgrade { .. } if before.verifying == Since::Never => Since::Lately,
                Verdict::VerifyingUpgrade { .. } => before.verifying,
                _ => Since::Never,
            },
            conflict: matches!(verdict, Verdict::AccountConflict(_)),
            failing: match verdict {
                Verdict::ProviderNotReady { .. } if before.failing == Since::Never => Since::Lately,
                Verdict::ProviderNotReady { .. } | Verdict::Suspended(_) => before.failing,
                _ => Since::Never,
            },
        },
        says: meaning(verdict),
        pauses: matches!(verdict, Verdict::UpgradeRejected { .. }),
    }
}

/// What a step makes of the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// `entry::closed` of the attempt with this number.
    Close { number: u8, answer: Answer },
    /// `entry::noted`.
    Note(Noted),
}

fn forbidden() -> ProviderError {
    ProviderError::Forbidden { permission: "to upgrade".to_owned(), detail: String::new() }
}

fn answer(answer: Answer) -> Result<Accepted, ProviderError> {
    match answer {
        Answer::Success => Ok(Accepted::default()),
        Answer::Refused => {
            Err(ProviderError::Precondition { code: "PaymentMethodRequired".to_owned(), detail: String::new() })
        }
        Answer::Forbidden => Err(forbidden()),
        Answer::NotSent => Err(ProviderError::Transient { detail: "too late".to_owned() }),
        Answer::Lost => Err(ProviderError::OutcomeUnknown { detail: "reset".to_owned() }),
    }
}

fn step(clock: Clock, record: &Entry, step: Step) -> Entry {
    let mut object = stored(clock, record);
    object.status = Some(match step {
        Step::Close { number, answer: said } => {
            let by = record.attempts[usize::from(number) - 1].map_or(0, |made| made.by);
            entry::closed(&object, number.into(), &End::new(now(), &answer(said), requester(by)), now()).1
        }
        Step::Note(noted) => {
            let note = match noted {
                Noted::Accepted => Note::Accepted,
                Noted::Confirmed => Note::Confirmed,
                Noted::Unresolved => Note::Unresolved(record::NoMore::NoLongerWanted),
            };
            entry::noted(&object, &note, now())
        }
    });
    entry_of(&object, Some(record), None, record.requester)
}

/// A new attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Opening {
    pub replica: u8,
    pub requester: u8,
    pub number: u8,
    pub approval: Option<Said>,
    pub retry: bool,
    pub endpoint: u8,
    pub id: u8,
}

fn open(clock: Clock, before: Option<&Entry>, opening: Opening) -> (Intent, Entry) {
    let wall = clock.wall(opening.replica.into());
    let kind = if opening.retry { Decided::Retry(1) } else { Decided::Approve };
    let approval = opening.approval.map(|said| approval(Provider::Broker, opening.requester, said, kind));
    let order = order(Provider::Broker, opening.endpoint, approval, opening.requester);
    let made = entry::intent(&order, opening.id.to_string(), wall);
    let window = wall + SignedDuration::try_from(SEND_WINDOW).unwrap();
    let ahead = if opening.replica == 1 { clock.ahead } else { 0 };
    let intent = Intent {
        id: opening.id,
        age: -ahead,
        cut: made.not_after_time.timestamp() < window,
        approval: opening.approval.map(|said| said.uid),
        retry: opening.retry,
    };
    let object = match before {
        None => entry::opened(&account(), &order, made),
        Some(before) => {
            let mut object = stored(clock, before);
            object.status = Some(entry::opened_again(&object, opening.number.into(), &order, made, wall));
            object
        }
    };
    let requester = before.map_or(opening.requester, |before| before.requester);
    (intent, entry_of(&object, before, Some(intent), requester))
}

/// What a reconcile of the record by itself notes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Orphaned {
    pub clock: Clock,
    pub replica: u8,
    pub record: Entry,
    pub spent: bool,
    pub stage: Stage,
    pub is_claimed: bool,
}

thread_local! {
    static RULED: RefCell<HashMap<Facts, Ruled>> = RefCell::default();
    static STEPPED: RefCell<HashMap<(Clock, Entry, Step), Entry>> = RefCell::default();
    static OPENED: RefCell<HashMap<(Clock, Option<Entry>, Opening), (Intent, Entry)>> = RefCell::default();
    static ORPHANED: RefCell<HashMap<Orphaned, Option<Noted>>> = RefCell::default();
}

/// `core::decide::decide`.
pub fn ruled(facts: &Facts) -> Ruled {
    if let Some(known) = RULED.with_borrow(|known| known.get(facts).copied()) {
        return known;
    }
    let ruled = rule(facts);
    RULED.with_borrow_mut(|known| known.insert(*facts, ruled));
    ruled
}

/// `operator::entry::closed` and `noted`.
pub fn stepped(clock: Clock, record: &Entry, what: Step) -> Entry {
    let key = (clock, *record, what);
    if let Some(known) = STEPPED.with_borrow(|known| known.get(&key).copied()) {
        return known;
    }
    let after = step(clock, record, what);
    STEPPED.with_borrow_mut(|known| known.insert(key, after));
    after
}

/// `operator::entry::intent` with `opened` or `opened_again`.
pub fn opening(clock: Clock, before: Option<&Entry>, what: Opening) -> (Intent, Entry) {
    let key = (clock, before.copied(), what);
    if let Some(known) = OPENED.with_borrow(|known| known.get(&key).copied()) {
        return known;
    }
    let after = open(clock, before, what);
    OPENED.with_borrow_mut(|known| known.insert(key, after));
    after
}

/// `core::decide::orphan::note`.
pub fn orphaned(facts: &Orphaned) -> Option<Noted> {
    if let Some(known) = ORPHANED.with_borrow(|known| known.get(facts).copied()) {
        return known;
    }
    let record = understood(facts.clock, &facts.record);
    let seen = observation(facts.spent, facts.stage);
    let note = orphan::note(&record, &seen, None, facts.is_claimed, facts.clock.wall(facts.replica.into()));
    let note = note.as_ref().map(noted);
    ORPHANED.with_borrow_mut(|known| known.insert(*facts, note));
    note
}

/// `operator::entry::names`.
pub fn names(clock: Clock, record: &Entry, id: u8) -> bool {
    let found = record.attempts().any(|attempt| attempt.intent.id == id);
    debug_assert_eq!(found, entry::names(&stored(clock, record), &id.to_string()));
    found
}

/// Whether the provider's client still writes: `operator::entry::intent` said until when.
pub fn in_time(clock: Clock, replica: usize, intent: &Intent) -> bool {
    clock.wall(replica) < not_after(clock, intent)
}
