//! The decision table: one pure function from all that is known to a verdict, at most one effect and the next look.
//! The first row that matches wins; the numbers are those of `docs/reference/decisions.md`.

use jiff::{SignedDuration, Timestamp};

use super::approval::{Approval, Decision as Said, Unguarded};
use super::desired::{ApprovalMode, Claimant, Desired, Lapse, When};
use super::forecast::{Forecast, forecast};
use super::inputs::{Inputs, Previous};
use super::less::knows_less;
use super::observation::{Acceptance, Handoff, Lifecycle, Observation};
use super::offer::OfferClass;
use super::provider::{Capabilities, Method, Operation, ProviderError};
use super::record::{NoMore, Record, RecordState, Requester};
use super::schedule::{Next, next};
use super::transition::{Transition, former_hash};
use super::trigger::{Evidence, NotYet, Shown, shown};
use super::verdict::{NotEligible, Standing, Unobserved, Verdict};

/// How long a provider object or its credentials may be missing before nobody is expected to bring them: one commit
/// may bring a Subscription and its BillingProvider in either order.
const PROVIDER_MAY_COME: SignedDuration = SignedDuration::from_mins(5);
/// For how long a status may be believed while no look succeeds.
const STATUS_BELIEVED: SignedDuration = SignedDuration::from_hours(1);
/// For how long a look may be behind.
const STALE: SignedDuration = SignedDuration::from_hours(1);
/// How long after the end of the benefits an accepted upgrade may take to convert.
const CONVERSION_SLACK: SignedDuration = SignedDuration::from_hours(3 * 24);
/// How long an accepted upgrade may take to convert where neither the end of the benefits nor their usual length is known.
const CONVERSION_BOUND: SignedDuration = SignedDuration::from_hours(400 * 24);

/// What was decided.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// The row that matched.
    pub verdict: Verdict,
    /// What was seen in this pass, completed by what the user declared.
    pub seen: Option<Observation>,
    /// What to do, if anything.
    pub effect: Option<Effect>,
    /// What an upgrade would do, as soon as that is known.
    pub transition: Option<Transition>,
    /// When the benefits are expected to be used up, and the trigger to be met.
    pub forecast: Option<Forecast>,
    /// Who has the account, where several Subscriptions name it.
    pub standing: Standing,
    /// When to look again.
    pub next: Next,
}

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Create the record, then ask the provider.
    Upgrade(Plan),
    /// Write attempt `number` into the record, then ask the provider, with the same key.
    Again {
        /// The attempt's number.
        number: u32,
        /// What is asked for.
        plan: Plan,
    },
    /// Write into the record what the account shows, or that a person must decide.
    Note(Note),
}

/// What an upgrade is asked for on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// From which offer to which.
    pub transition: Transition,
    /// Why.
    pub evidence: Evidence,
    /// Who said yes, where somebody had to.
    pub approval: Option<Approval>,
    /// Where it is asked for.
    pub endpoint: String,
    /// For whom.
    pub requester: Requester,
}

/// What to write into a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// The account shows that an upgrade was accepted.
    Accepted,
    /// The account is on the offer.
    Confirmed,
    /// Nobody knows; a person decides.
    Unresolved(NoMore),
}

/// What to write into a record that no Subscription looks after, by what the account shows at `wall` (wall clock) and the
/// provider says of the `operation`. It is closed by observation; nothing is ever asked for on its behalf. While it
/// `is_claimed`, there is a Subscription of the account that does not see it for now: that may still want the upgrade.
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

/// Why an accepted upgrade is no longer waited for.
fn not_shown(operation: Option<&Operation>) -> NoMore {
    match operation {
        Some(Operation::Running(_) | Operation::Unknown { .. }) => NoMore::OperationUnfinished,
        _ => NoMore::AnsweredWithSuccess,
    }
}

/// Whether an accepted upgrade would be news to the record.
fn may_still_be_accepted(record: &Record) -> bool {
    !matches!(record.state, RecordState::Accepted | RecordState::Confirmed | RecordState::Other(_))
}

type Ruling = (Verdict, Option<Effect>);

/// Whether the account is to be looked at in this pass: not while suspended, unless a call may be on its way.
pub fn wants_look(desired: &Desired, record: Option<&Record>) -> bool {
    desired.suspend.is_none() || record.is_some_and(|record| record.is_open() || record.is_unresolved())
}

/// Where to ask how far an upgrade has come, if the account does not show it and the provider said where.
pub fn wants_progress<'a>(record: Option<&'a Record>, look: &Observation) -> Option<&'a str> {
    let shows = look.offer.class == OfferClass::PayAsYouGo || look.acceptance == Acceptance::Accepted;
    let record = record.filter(|record| record.is_open() && !shows)?;
    record.last()?.operation.as_deref()
}

/// The decision on `inputs`.
pub fn decide(inputs: &Inputs) -> Decision {
    let (verdict, effect, seen) = match look(inputs) {
        Err(verdict) => (verdict, None, None),
        Ok(seen) => {
            let (verdict, effect) = rule(inputs, &seen);
            (verdict, effect, Some(seen))
        }
    };
    let transition = seen.as_ref().and_then(|seen| transition(inputs, seen));
    let waits = matches!(
        verdict,
        Verdict::WaitingForExhaustion { not_yet: NotYet::Left, .. } | Verdict::BenefitsUnknown { .. }
    );
    let waits_for = waits.then_some(&inputs.desired.when);
    let forecast = seen.as_ref().and_then(|seen| forecast(&inputs.previous, seen, waits_for));
    let verdict = with_expectation(verdict, forecast.as_ref(), inputs.now.billing);
    let next = next(&verdict, inputs, seen.as_ref(), forecast.as_ref());
    let standing = standing(inputs, &verdict);
    Decision { verdict, seen, effect, transition, forecast, standing, next }
}

/// Rows 1 to 5: what keeps the account from being seen.
fn look(inputs: &Inputs) -> Result<Observation, Verdict> {
    if let Some(why) = inputs.desired.suspend
        && !wants_look(&inputs.desired, inputs.record.as_ref())
    {
        return Err(Verdict::Suspended(why)); // 1
    }
    if let Err(problem) = &inputs.provider {
        return Err(not_ready(inputs, problem)); // 2
    }
    let look = match &inputs.look {
        Some(look) => look.clone(),
        None => Err(ProviderError::Transient { detail: "no look was made in this pass".to_owned() }),
    };
    match &look {
        Err(
            problem @ (ProviderError::Unauthenticated { .. }
            | ProviderError::Forbidden { .. }
            | ProviderError::Unsupported { .. }
            | ProviderError::Config { .. }),
        ) => return Err(not_ready(inputs, problem)), // 2
        Err(ProviderError::WrongAccount { found }) => return Err(Verdict::WrongAccount { found: found.clone() }), // 3
        _ => {}
    }
    // Nobody learns who has an account before they have seen it with credentials of their own.
    if look.is_ok()
        && let Some(holder) = first(inputs, |other| other.lapse(inputs.now).is_none())
    {
        return Err(Verdict::AccountConflict(holder.clone())); // 4
    }
    if let Some(problem) = look.as_ref().ok().and_then(|seen| knows_less(&inputs.previous, seen)) {
        return Err(not_ready(inputs, &problem)); // 2
    }
    match look {
        Ok(observation) => {
            let completed = observation.completed_by(&inputs.desired.trial);
            Ok(inputs.previous.look.iter().fold(completed, Observation::remembering))
        }
        Err(error) => Err(Verdict::Unobserved { since: since(&inputs.previous, inputs.now.wall), error }), // 5
    }
}

/// The first of the Subscriptions of the account that are older than this one and `are` so.
fn first(inputs: &Inputs, are: impl Fn(&Claimant) -> bool) -> Option<&Claimant> {
    let older = inputs.claimants.iter().filter(|other| other.precedes(&inputs.subject) && are(other));
    older.min_by_key(|other| (other.created, &other.uid))
}

/// What is told of the claims to the account.
fn standing(inputs: &Inputs, verdict: &Verdict) -> Standing {
    if let Verdict::AccountConflict(holder) = verdict {
        return Standing::Second(holder.clone());
    }
    let has_looked = matches!(inputs.look, Some(Ok(_)));
    let lapsed = if has_looked { inputs.subject.yields } else { inputs.subject.lapse(inputs.now) };
    match lapsed.filter(|lapse| *lapse != Lapse::NeverSeen) {
        Some(lapse) if inputs.claimants.iter().any(Claimant::is_able) => return Standing::Lapsed(lapse),
        Some(_) => return Standing::Unsaid,
        None if !has_looked && !inputs.claimants.is_empty() => return Standing::Unchanged,
        None => {}
    }
    let lapsed = |other: &Claimant| other.lapse(inputs.now).filter(|lapse| *lapse != Lapse::NeverSeen);
    first(inputs, |other| lapsed(other).is_some())
        .and_then(|older| Some(Standing::InPlaceOf(older.clone(), lapsed(older)?)))
        .unwrap_or(Standing::Unsaid)
}

fn not_ready(inputs: &Inputs, problem: &ProviderError) -> Verdict {
    let since = inputs.previous.not_ready_since.unwrap_or(inputs.now.wall);
    let stalled = inputs.now.wall.duration_since(since) >= PROVIDER_MAY_COME;
    Verdict::ProviderNotReady { problem: problem.clone(), stalled }
}

fn since(previous: &Previous, wall: Timestamp) -> Unobserved {
    let since = previous.unobserved_since.unwrap_or(wall);
    match previous.look {
        None => Unobserved::Always,
        Some(_) if wall.duration_since(since) >= STATUS_BELIEVED => Unobserved::TooLong,
        Some(_) => Unobserved::Lately,
    }
}

/// Row 5, for a pass that could not even read what to decide on.
pub fn unobserved(previous: &Previous, wall: Timestamp, error: ProviderError) -> Decision {
    let verdict = Verdict::Unobserved { since: since(previous, wall), error };
    let (standing, next) = (Standing::Unchanged, Next::Backoff(None));
    Decision { verdict, seen: None, effect: None, transition: None, forecast: None, standing, next }
}

/// Rows 6 to 21, on what was seen.
fn rule(inputs: &Inputs, seen: &Observation) -> Ruling {
    on_the_account(inputs, seen)
        .or_else(|| on_the_record(inputs, seen))
        .unwrap_or_else(|| on_the_upgrade(inputs, seen, inputs.record.as_ref(), None))
}

/// Rows 6 to 8: what the account itself settles.
fn on_the_account(inputs: &Inputs, seen: &Observation) -> Option<Ruling> {
    let in_place = seen.offer.class == OfferClass::PayAsYouGo;
    let record = inputs.record.as_ref();
    let confirm = record
        .filter(|record| in_place && record.state != RecordState::Confirmed)
        .map(|_| Effect::Note(Note::Confirmed));
    if seen.lifecycle == Lifecycle::Closed {
        return Some((Verdict::AccountClosed, confirm)); // 6
    }
    if in_place {
        return Some((Verdict::OfferInPlace(seen.offer.clone()), confirm)); // 7
    }
    if seen.acceptance != Acceptance::Accepted {
        return None;
    }
    // Remembered in the record, so that a stale look cannot make a second request of it.
    let effect = record.filter(|record| may_still_be_accepted(record)).map(|_| Effect::Note(Note::Accepted));
    Some((accepted(inputs, seen), effect)) // 8
}

fn accepted(inputs: &Inputs, seen: &Observation) -> Verdict {
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

/// Rows 9 to 11: what the ledger settles.
fn on_the_record(inputs: &Inputs, seen: &Observation) -> Option<Ruling> {
    let record = inputs.record.as_ref()?;
    if record.is_open() {
        return Some(open_record(inputs, seen, record)); // 9
    }
    if record.is_unresolved() {
        return Some(unresolved_record(inputs, seen, record)); // 10
    }
    if record.state == RecordState::Rejected
        && let Err(why @ NoMore::RefusedSince(_)) = record.allows_another_attempt(endpoint(inputs), &inputs.requester())
    {
        // No Approve would help; only a Retry does.
        return Some((unresolved(inputs, seen, record, Some(&why)), Some(Effect::Note(Note::Unresolved(why))))); // 10
    }
    if record.state == RecordState::Confirmed && seen.offer.class == OfferClass::FreeTrial {
        return Some((Verdict::UpgradeContradicted { record: record.name.clone() }, None)); // 11
    }
    None
}

fn open_record(inputs: &Inputs, seen: &Observation, record: &Record) -> Ruling {
    let accepted = record.state == RecordState::Accepted;
    let operation = inputs.operation.as_ref();
    let settled = record.settled_at(Some(&inputs.requester()));
    let settled_at = match record.state {
        // It was taken, and one look without it may be a stale one.
        RecordState::Accepted => {
            let since = inputs.previous.verifying_since.unwrap_or(inputs.now.wall);
            match inputs.previous.accepted_since {
                Some(_) => Record::shown_by(since, operation),
                // It has never shown: a look that fails now and then must not begin the wait anew.
                None => Record::shown_by(settled, operation).max(since.saturating_add(STALE).unwrap_or(since)),
            }
        }
        _ => settled,
    };
    if let Some(Operation::Failed { detail }) = operation {
        let why = NoMore::OperationFailed(detail.clone());
        return (unresolved(inputs, seen, record, Some(&why)), Some(Effect::Note(Note::Unresolved(why))));
    }
    let operation = operation.cloned();
    let verifying = Verdict::VerifyingUpgrade { record: record.name.clone(), settled_at, accepted, operation };
    let verifying = (verifying, None);
    if inputs.now.wall < settled_at {
        return verifying;
    }
    let why = match record.allows_another_attempt(endpoint(inputs), &inputs.requester()) {
        Err(_) if accepted => not_shown(inputs.operation.as_ref()),
        Err(why) => why,
        Ok(()) => match on_the_upgrade(inputs, seen, None, None) {
            (verdict, Some(Effect::Upgrade(plan))) => return (verdict, Some(again(record, plan))),
            // What passes by itself is waited for; what somebody must change is said.
            (held @ (Verdict::UpgradeHeld(_) | Verdict::ApprovalPolicyMissing(Unguarded::Flaws(_))), _) => {
                return (held, None);
            }
            (differ @ Verdict::WaitingForExhaustion { not_yet: NotYet::ClocksDiffer, .. }, _) => return (differ, None),
            (Verdict::WaitingForExhaustion { not_yet, .. }, _) if not_yet != NotYet::Left => return verifying,
            _ => NoMore::NoLongerWanted,
        },
    };
    (unresolved(inputs, seen, record, Some(&why)), Some(Effect::Note(Note::Unresolved(why))))
}

fn unresolved_record(inputs: &Inputs, seen: &Observation, record: &Record) -> Ruling {
    let stays = (unresolved(inputs, seen, record, None), None);
    if record.state != RecordState::Unresolved || record.is_full() {
        return stays;
    }
    let (Some(last), Some(transition)) = (record.last(), transition(inputs, seen)) else { return stays };
    let retries = inputs
        .approvals
        .iter()
        .filter(|said| said.decision == Said::Retry(last.number) && said.covers(&transition.hash, inputs.now.wall))
        .filter(|said| !record.has_used_up(&said.uid));
    let retry = match inputs.guard.vouched(retries) {
        Ok(Some(retry)) => retry,
        Ok(None) => return stays,
        Err(unguarded) => return (Verdict::ApprovalPolicyMissing(unguarded), None),
    };
    match on_the_upgrade(inputs, seen, None, Some(retry)) {
        (verdict, Some(Effect::Upgrade(plan))) => (verdict, Some(again(record, plan))),
        (held, _) => (Verdict::RetryHeld { record: record.name.clone(), by: Box::new(held) }, None),
    }
}

fn unresolved(inputs: &Inputs, seen: &Observation, record: &Record, why: Option<&NoMore>) -> Verdict {
    // A Retry helps only where another attempt could be made.
    let is_own = record.last().is_some_and(|attempt| attempt.is_of(&inputs.subject.uid));
    let can_retry = !matches!(record.state, RecordState::Other(_)) && !record.is_full();
    Verdict::UpgradeUnresolved {
        record: record.name.clone(),
        attempt: record.last().map_or(1, |attempt| attempt.number),
        why: if is_own {
            why.map(NoMore::because).or_else(|| record.outcome.clone())
        } else {
            why.map(NoMore::because_to_others)
        },
        hash: transition(inputs, seen).filter(|_| can_retry).map(|transition| transition.hash),
    }
}

fn again(record: &Record, plan: Plan) -> Effect {
    Effect::Again { number: record.last().map_or(0, |attempt| attempt.number).saturating_add(1), plan }
}

/// Rows 12 to 21, with `record` as the ledger's entry and `retry` as the word of a person who has decided on an
/// unresolved one. Called with no record, it tells whether an upgrade would be made if there were none.
fn on_the_upgrade(inputs: &Inputs, seen: &Observation, record: Option<&Record>, retry: Option<&Approval>) -> Ruling {
    let Inputs { desired, allowance, now, .. } = inputs;
    let requester = inputs.requester();
    if let Some(why) = desired.suspend {
        return (Verdict::Suspended(why), None); // 1
    }
    if desired.when == When::Never {
        return (Verdict::Observing, None); // 12
    }
    if let Some(why) = not_eligible(seen) {
        return (ineligible(why, seen), None); // 13
    }
    if let Some(deny) = inputs.approvals.iter().filter(|said| said.decision == Said::Deny).min() {
        return (Verdict::UpgradeDenied(deny.clone()), None); // 14
    }
    let evidence = match shown(&desired.when, inputs.previous.look.as_ref(), seen) {
        Shown::Unknown(missing) => return (Verdict::BenefitsUnknown { missing, unread: seen.unread.clone() }, None), // 15
        Shown::NotYet(not_yet) => {
            let closes = seen.closes && desired.when == When::BenefitsExhausted;
            return (Verdict::WaitingForExhaustion { not_yet, expected: None, closes }, None); // 16
        }
        Shown::Yes(evidence) => evidence,
    };
    let Some(transition) = transition(inputs, seen) else { return (ineligible(not_a_trial(seen), seen), None) };
    let approval = match approved(inputs, &transition, record, retry) {
        Ok(approval) => approval,
        Err(verdict) => return (verdict, None), // 17
    };
    if let Ok(Capabilities { method: Method::Portal, .. }) = &inputs.provider {
        return match &seen.handoff {
            Some(Handoff { url, needs }) => {
                let restricted = seen.lifecycle == Lifecycle::Restricted;
                (Verdict::AwaitingPortalUpgrade { url: url.clone(), needs: needs.clone(), restricted }, None) // 18
            }
            None => (ineligible(not_a_trial(seen), seen), None), // 13
        };
    }
    let rejected = record.filter(|record| record.state == RecordState::Rejected);
    if let Some(record) = rejected {
        if let Err(why) = record.allows_another_attempt(endpoint(inputs), &inputs.requester()) {
            return (unresolved(inputs, seen, record, Some(&why)), Some(Effect::Note(Note::Unresolved(why)))); // 19
        }
        if now.wall < record.next_after_refusal(Some(&requester)) {
            return (rejection(record, &requester), None); // 19
        }
    }
    if let Some(held) = allowance.holds(now.wall) {
        return (Verdict::UpgradeHeld(held), None); // 20
    }
    let plan = Plan { transition, evidence, approval, endpoint: endpoint(inputs).to_owned(), requester };
    let effect = rejected.map_or_else(|| Effect::Upgrade(plan.clone()), |record| again(record, plan.clone()));
    (Verdict::Upgrading, Some(effect)) // 21
}

fn not_eligible(seen: &Observation) -> Option<NotEligible> {
    if let Lifecycle::Unknown(native) = &seen.lifecycle {
        return Some(NotEligible::UnknownState(native.clone()));
    }
    if let Acceptance::Unclear(native) = &seen.acceptance {
        return Some(NotEligible::UnclearAcceptance(native.clone()));
    }
    (seen.offer.class != OfferClass::FreeTrial || !seen.eligible).then(|| not_a_trial(seen))
}

fn ineligible(why: NotEligible, seen: &Observation) -> Verdict {
    Verdict::NotEligible { why, unread: seen.unread.clone() }
}

fn not_a_trial(seen: &Observation) -> NotEligible {
    match seen.offer.class {
        OfferClass::Unknown => NotEligible::UnknownOffer(seen.offer.native.clone()),
        _ => NotEligible::Offer(seen.offer.clone()),
    }
}

/// Who said yes, where somebody has to.
fn approved(
    inputs: &Inputs,
    transition: &Transition,
    record: Option<&Record>,
    retry: Option<&Approval>,
) -> Result<Option<Approval>, Verdict> {
    if let Some(retry) = retry {
        return Ok(Some(retry.clone()));
    }
    let unchecked = match inputs.desired.approval {
        ApprovalMode::Automatic => match by_the_manifest(inputs) {
            Ok(()) => return Ok(None),
            // Where nobody can tell who wrote the manifest, a person can still say yes.
            Err(unguarded) => Some(Verdict::ApprovalPolicyMissing(unguarded)),
        },
        ApprovalMode::Manual => None,
    };
    let approves = || inputs.approvals.iter().filter(|said| said.decision == Said::Approve);
    let valid = approves()
        .filter(|said| said.covers(&transition.hash, inputs.now.wall))
        .filter(|said| !record.is_some_and(|record| record.has_used_up(&said.uid)));
    match inputs.guard.vouched(valid) {
        Ok(Some(approval)) => Ok(Some(approval.clone())),
        Ok(None) => Err(unchecked.unwrap_or_else(|| {
            let former = former(inputs, transition, approves()).map(|said| said.name.clone());
            Verdict::AwaitingApproval { hash: transition.hash.clone(), former }
        })),
        Err(unguarded) => Err(Verdict::ApprovalPolicyMissing(unguarded)),
    }
}

/// The one that somebody `said` of the same transition by a hash of the former format.
fn former<'a>(
    inputs: &Inputs,
    transition: &Transition,
    mut said: impl Iterator<Item = &'a Approval>,
) -> Option<&'a Approval> {
    let capabilities = inputs.provider.as_ref().ok()?;
    let first = said.next()?;
    let hash = former_hash(&inputs.desired, &transition.from, capabilities);
    std::iter::once(first).chain(said).find(|said| said.covers(&hash, inputs.now.wall))
}

/// Whether the manifest itself is the word of somebody who may say so.
fn by_the_manifest(inputs: &Inputs) -> Result<(), Unguarded> {
    let provider = inputs.provider_object.as_ref().map_or(Timestamp::MIN, |provider| provider.created);
    inputs.guard.allows_automatic(inputs.subject.created, provider)
}

fn rejection(record: &Record, by: &Requester) -> Verdict {
    let message = record.last_binding(Some(by)).map(|attempt| attempt.told_to(&by.uid)).unwrap_or_default();
    let next = Some(record.next_after_refusal(Some(by))).filter(|next| *next < Timestamp::MAX);
    Verdict::UpgradeRejected { message, next }
}

fn transition(inputs: &Inputs, seen: &Observation) -> Option<Transition> {
    let (Ok(capabilities), Some(provider)) = (&inputs.provider, &inputs.provider_object) else { return None };
    not_eligible(seen).is_none().then(|| Transition::new(&inputs.desired, &seen.offer, capabilities, provider))
}

fn endpoint(inputs: &Inputs) -> &str {
    inputs.provider.as_ref().map_or("", |capabilities| &capabilities.endpoint)
}

/// What was expected for a time that has passed is no longer expected.
fn with_expectation(verdict: Verdict, forecast: Option<&Forecast>, now: Timestamp) -> Verdict {
    match verdict {
        Verdict::WaitingForExhaustion { not_yet, closes, .. } => Verdict::WaitingForExhaustion {
            closes,
            not_yet,
            expected: forecast.and_then(|forecast| forecast.due).filter(|at| *at > now),
        },
        other => other,
    }
}
