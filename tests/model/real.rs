//! From the small world of the model to the types of the product and back, and the product's own functions between.
//!
//! Each of them is pure, so what it says is kept: it is asked once for each input that differs, and not once for each of
//! the millions of states. What is kept is kept by thread.

use std::cell::RefCell;
use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use payg_operator::api;
use payg_operator::core::account::AccountId;
use payg_operator::core::approval::{Approval, Decision as Decided, Guard};
use payg_operator::core::decide::{self, Effect, Note, Plan, decide, orphan};
use payg_operator::core::desired::{self, ApprovalMode, Claimant, Desired};
use payg_operator::core::inputs::{Allowance, Inputs, Now, Previous};
use payg_operator::core::money::Money;
use payg_operator::core::observation::{Acceptance, DeclaredTrial, Handoff, Lifecycle, Observation};
use payg_operator::core::offer::{Benefit, BenefitKind, BenefitState, Offer, OfferClass, Source};
use payg_operator::core::provider::{Capabilities, Method, ProviderError};
use payg_operator::core::record::{self, Record, RecordState, SEND_WINDOW};
use payg_operator::core::transition::Transition;
use payg_operator::core::trigger::{Cause, Evidence, NotYet, PastLook};
use payg_operator::core::verdict::Verdict;
use payg_operator::operator::entry::{self, End};
use payg_operator::operator::parse;
use payg_operator::providers::Accepted;

use crate::actions::Provider;
use crate::state::*;

/// How the clocks go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Clock {
    /// A tick, in seconds.
    pub tick: i64,
    /// By how many ticks the clock of replica 1 is ahead of the true time.
    pub ahead: i8,
}

impl Clock {
    /// The age in ticks from which on an attempt has settled.
    pub const fn settled(self) -> i8 {
        // 30 s to send, 20 s for the call, 60 s for clocks that differ.
        (110 + self.tick - 1).div_euclid(self.tick) as i8
    }

    fn age(self, age: i8) -> SignedDuration {
        match age {
            LONG_AGO => SignedDuration::from_hours(49) + SignedDuration::from_secs(120),
            ticks => SignedDuration::from_secs(i64::from(ticks) * self.tick),
        }
    }

    /// What the clock of the replica shows.
    fn wall(self, replica: usize) -> Timestamp {
        let ahead = if replica == 1 { i64::from(self.ahead) * self.tick } else { 0 };
        now() + SignedDuration::from_secs(ahead)
    }
}

/// The true time.
fn now() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn ago(hours: i64) -> Timestamp {
    now() - SignedDuration::from_hours(hours)
}

fn account() -> AccountId {
    AccountId::Azure(uuid::Uuid::from_u128(1))
}

fn endpoint(number: u8) -> String {
    format!("https://broker-{number}.example")
}

fn trial() -> Offer {
    Offer { class: OfferClass::FreeTrial, native: "FreeTrial_2014-09-01".to_owned() }
}

fn source() -> Source {
    Source::Provider("subscription".to_owned())
}

fn benefits(spent: bool, as_of: Timestamp) -> Vec<Benefit> {
    let money = |amount| Money::parse(amount, "USD");
    vec![Benefit {
        state: if spent { BenefitState::Exhausted } else { BenefitState::Active },
        granted: money("200"),
        remaining: money(if spent { "0" } else { "50" }),
        ..Benefit::unknown(BenefitKind::Credit, as_of, source())
    }]
}

/// What a look shows of an account in this stage.
fn observation(spent: bool, stage: Stage) -> Observation {
    let upgraded = stage == Stage::Converted;
    Observation {
        lifecycle: if spent && !upgraded { Lifecycle::Restricted } else { Lifecycle::Active },
        offer: if upgraded {
            Offer { class: OfferClass::PayAsYouGo, native: "PayAsYouGo".to_owned() }
        } else {
            trial()
        },
        eligible: !upgraded,
        acceptance: if stage == Stage::Accepted { Acceptance::Accepted } else { Acceptance::NotAccepted },
        benefits: if upgraded { Vec::new() } else { benefits(spent, now()) },
        trial_length: None,
        source: source(),
        owner: None,
        observed: now(),
        provider_time: Some(now()),
        unread: Vec::new(),
        remarks: Vec::new(),
        lapsed: false,
        handoff: Some(Handoff { url: "https://portal.example".to_owned(), needs: "a card".to_owned() }),
        closes: false,
        deadline: None,
    }
}

fn when(when: When) -> desired::When {
    match when {
        When::Exhausted => desired::When::BenefitsExhausted,
        When::Immediately => desired::When::Immediately,
        When::Never => desired::When::Never,
    }
}

fn method(provider: Provider) -> Method {
    match provider {
        Provider::Broker => Method::Broker,
        Provider::Api => Method::Api,
        Provider::Portal => Method::Portal,
    }
}

fn transition(provider: Provider, waits: When) -> Transition {
    Transition::new(&account(), &trial(), method(provider), &when(waits))
}

fn expires(expiry: Expiry) -> Timestamp {
    match expiry {
        Expiry::Far => now() + SignedDuration::from_hours(10_000),
        Expiry::Soon => now() + SignedDuration::from_secs(5),
        Expiry::Over => ago(1),
    }
}

fn approval(provider: Provider, said: Said, decision: Decided) -> Approval {
    Approval {
        expires: Some(expires(said.expiry)),
        created: ago(2),
        uid: said.uid.to_string(),
        name: format!("said-{}", said.uid),
        approver: "somebody".to_owned(),
        reason: "a test".to_owned(),
        transition_hash: transition(provider, said.when).hash,
        decision,
    }
}

fn approvals(provider: Provider, says: &Says) -> Vec<Approval> {
    let deny = says.deny.then(|| Approval {
        expires: None,
        created: ago(2),
        uid: "deny".to_owned(),
        name: "deny".to_owned(),
        approver: "somebody".to_owned(),
        reason: "a test".to_owned(),
        transition_hash: String::new(),
        decision: Decided::Deny,
    });
    let approve = says.approve.map(|said| approval(provider, said, Decided::Approve));
    let retry = says.retry.map(|(number, said)| approval(provider, said, Decided::Retry(number.into())));
    [deny, approve, retry].into_iter().flatten().collect()
}

fn claimant(index: u8, incarnation: u8, has_observed: bool) -> Claimant {
    Claimant {
        namespace: if index == 0 { "team-a" } else { "team-b" }.to_owned(),
        name: "sandbox".to_owned(),
        uid: format!("uid-{index}-{incarnation}"),
        // One that is applied anew is younger than all others.
        created: ago(if incarnation == 0 { 1000 - i64::from(index) } else { 500 }),
        has_observed,
    }
}

/// Subscription 0 asks nobody, Subscription 1 asks a person.
pub const fn is_manual(index: u8) -> bool {
    index == 1
}

fn previous(status: &Status, wall: Timestamp) -> Previous {
    let seen = |spent, eligible| {
        Some(PastLook {
            benefits: if eligible { benefits(spent, ago(1)) } else { Vec::new() },
            observed: ago(1),
            eligible,
            closed: false,
            source: Some(source()),
        })
    };
    Previous {
        look: match status.look {
            Look::None => None,
            Look::Left => seen(false, true),
            Look::Spent => seen(true, true),
            Look::Upgraded => seen(false, false),
        },
        burn_per_day: None,
        accepted_since: status.accepted.then(now),
        not_ready_since: None,
        unobserved_since: None,
        verifying_since: match status.verifying {
            Since::Never => None,
            Since::Lately => Some(wall),
            Since::LongAgo => Some(wall - SignedDuration::from_hours(49)),
        },
    }
}

// ---- The record, as it is in etcd ----

fn state_name(state: EntryState) -> RecordState {
    match state {
        EntryState::Intended => RecordState::Intended,
        EntryState::Accepted => RecordState::Accepted,
        EntryState::Unknown => RecordState::Unknown,
        EntryState::Rejected => RecordState::Rejected,
        EntryState::Unresolved => RecordState::Unresolved,
        EntryState::Confirmed => RecordState::Confirmed,
    }
}

fn outcome_name(outcome: Outcome) -> record::Outcome {
    match outcome {
        Outcome::Accepted => record::Outcome::Accepted,
        Outcome::Rejected => record::Outcome::Rejected,
        Outcome::NotSent => record::Outcome::NotSent,
        Outcome::Unknown => record::Outcome::Unknown,
    }
}

/// When the attempt was opened, by the clock of who opened it.
fn opened(clock: Clock, intent: &Intent) -> Timestamp {
    now() - clock.age(intent.age)
}

fn not_after(clock: Clock, intent: &Intent) -> Timestamp {
    let window = if intent.cut { SignedDuration::from_secs(5) } else { SEND_WINDOW.try_into().unwrap() };
    opened(clock, intent) + window
}

fn stored_intent(clock: Clock, intent: &Intent) -> api::Intent {
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
fn stored(clock: Clock, record: &Entry) -> api::UpgradeRecord {
    let first = record.attempts[0].as_ref().expect("a record has an attempt");
    let requester = claimant(record.requester, 0, true);
    let mut object = entry::opened(
        &account(),
        &requester,
        &plan(Provider::Broker, first.endpoint, None),
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
fn entry_of(object: &api::UpgradeRecord, before: Option<&Entry>, new: Option<Intent>, requester: u8) -> Entry {
    let understood = parse::record(object);
    let mut attempts = [None; ATTEMPTS];
    for (place, attempt) in understood.attempts.iter().enumerate() {
        let known = before.and_then(|before| before.attempts[place]).map(|known| known.intent);
        attempts[place] = Some(Attempt {
            intent: known.or(new).expect("an attempt has an intent"),
            outcome: match attempt.outcome {
                record::Outcome::Accepted => Outcome::Accepted,
                record::Outcome::Rejected => Outcome::Rejected,
                record::Outcome::NotSent => Outcome::NotSent,
                record::Outcome::Unknown => Outcome::Unknown,
            },
            sent: attempt.sent.is_some(),
            endpoint: u8::from(attempt.endpoint.as_deref() == Some(&*endpoint(1))),
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

fn understood(clock: Clock, record: &Entry) -> Record {
    parse::record(&stored(clock, record))
}

fn plan(provider: Provider, at: u8, approval: Option<Approval>) -> Plan {
    Plan {
        transition: transition(provider, When::Exhausted),
        evidence: Evidence { cause: Cause::CreditSpent, observed: now(), summary: "spent".to_owned() },
        approval,
        endpoint: endpoint(at),
    }
}

// ---- The product's functions ----

/// What a decision is made of.
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
}

/// What was decided, in the model's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ruled {
    pub does: Does,
    /// What status says after the pass.
    pub status: Status,
    pub says: Verdicts,
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

/// What a verdict means to whom it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdicts {
    /// The account is upgraded, or the provider is at it.
    Done,
    /// A person is told that they must do or decide something.
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
        | Verdict::Suspended
        | Verdict::Observing
        | Verdict::UpgradeDenied(_) => Verdicts::Settled,
        // Told, and yet it is tried again by itself: it is no end.
        Verdict::UpgradeRejected { .. } | Verdict::WaitingForExhaustion { .. } => Verdicts::GoesOn,
        other if other.progress() == payg_operator::core::verdict::Progress::Stalled => Verdicts::Told,
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
            attempt.outcome = record::Outcome::NotSent;
        }
    }
    if let Some(record) = record.as_mut().filter(|_| tampered.any_endpoint) {
        for attempt in &mut record.attempts {
            attempt.endpoint = Some(endpoint(read.endpoint));
        }
    }
    let mut desired = Desired {
        account: account(),
        when: when(subscription.when),
        approval: if is_manual(*index) { ApprovalMode::Manual } else { ApprovalMode::Automatic },
        trial: DeclaredTrial::default(),
        suspend: subscription.suspend,
    };
    let mut said = approvals(*provider, &read.says);
    if is_open && tampered.no_other_rows {
        (desired.when, desired.approval, desired.suspend) =
            (desired::When::Immediately, ApprovalMode::Automatic, false);
        said = Vec::new();
    }
    let wants_look = decide::wants_look(&desired, record.as_ref());
    Inputs {
        subject: claimant(*index, subscription.incarnation, subscription.status.look != Look::None),
        provider: if wants_look {
            Ok(Capabilities { method: method(*provider), endpoint: endpoint(read.endpoint) })
        } else {
            Err(ProviderError::Config { detail: "not needed".to_owned() })
        },
        look: wants_look.then(|| Ok(observation(facts.spent, facts.stage))),
        operation: None,
        claimants: read.other.map(|has_observed| claimant(1 - index, 0, has_observed)).into_iter().collect(),
        previous: previous(&subscription.status, wall),
        record,
        approvals: said,
        guard: Guard { since: ago(1000), ..Guard::UNREAD },
        allowance: Allowance { dry_run: false, per_hour: 100, last_hour: 0 },
        now: Now { billing: now(), wall },
        desired,
    }
}

fn rule(facts: &Facts) -> Ruled {
    let decision = decide(&inputs(facts));
    let before = facts.read.subscription.status;
    let request = |number: u32, plan: &Plan| Does::Request {
        number: number.try_into().unwrap(),
        approval: plan.approval.as_ref().map(|approval| approval.uid.parse().unwrap()),
    };
    let verdict = &decision.verdict;
    let is_accepted = matches!(verdict, Verdict::UpgradeAccepted { .. } | Verdict::ConversionOverdue { .. });
    Ruled {
        does: match &decision.effect {
            None => Does::Nothing,
            Some(Effect::Note(note)) => Does::Note(noted(note)),
            Some(Effect::Upgrade(plan)) => request(1, plan),
            Some(Effect::Again { number, plan }) => request(*number, plan),
        },
        // `operator::render::status` and `operator::parse::previous`, so far as decisions use them.
        status: Status {
            look: match &decision.seen {
                None => before.look,
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
        },
        says: meaning(verdict),
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

fn answer(answer: Answer) -> Result<Accepted, ProviderError> {
    match answer {
        Answer::Success => Ok(Accepted::default()),
        Answer::Refused => {
            Err(ProviderError::Precondition { code: "PaymentMethodRequired".to_owned(), detail: String::new() })
        }
        Answer::NotSent => Err(ProviderError::Transient { detail: "too late".to_owned() }),
        Answer::Lost => Err(ProviderError::OutcomeUnknown { detail: "reset".to_owned() }),
    }
}

fn step(clock: Clock, record: &Entry, step: Step) -> Entry {
    let mut object = stored(clock, record);
    object.status = Some(match step {
        Step::Close { number, answer: said } => {
            entry::closed(&object, number.into(), &End::new(now(), &answer(said)), now()).1
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
    let approval = opening.approval.map(|said| approval(Provider::Broker, said, kind));
    let plan = plan(Provider::Broker, opening.endpoint, approval);
    let made = entry::intent(&plan, opening.id.to_string(), wall);
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
        None => entry::opened(&account(), &claimant(opening.requester, 0, true), &plan, made),
        Some(before) => {
            let mut object = stored(clock, before);
            object.status = Some(entry::opened_again(&object, opening.number.into(), &plan, made, wall));
            object
        }
    };
    let requester = before.map_or(opening.requester, |before| before.requester);
    (intent, entry_of(&object, before, Some(intent), requester))
}

/// What a pass over the record by itself notes.
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

/// `core::decide::orphan`.
pub fn orphaned(facts: &Orphaned) -> Option<Noted> {
    if let Some(known) = ORPHANED.with_borrow(|known| known.get(facts).copied()) {
        return known;
    }
    let record = understood(facts.clock, &facts.record);
    let seen = observation(facts.spent, facts.stage);
    let note = orphan(&record, &seen, None, facts.is_claimed, facts.clock.wall(facts.replica.into()));
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
