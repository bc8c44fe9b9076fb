//! The ledger's entry of an upgrade, as decisions see it.

use std::time::Duration;

use jiff::Timestamp;

use super::message::minute;
use super::provider::{Operation, Outcome};

/// How long an intent may be sent after its preconditions were last read.
pub const SEND_WINDOW: Duration = Duration::from_secs(30);
/// How long an upgrade call may take, from the first byte to the last.
pub const CALL_DEADLINE: Duration = Duration::from_secs(20);
/// By how much the clocks of two replicas, or of a replica and the provider, may differ.
const CLOCK_SKEW: Duration = Duration::from_mins(1);
/// How long the account may take to show a call that was answered with success. Azure brings a disabled account back within 24
/// hours: <https://learn.microsoft.com/azure/cost-management-billing/manage/subscription-disabled>
const ACCEPTED_BOUND: Duration = Duration::from_hours(48);
/// How long an upgrade may take while the provider says that it is in progress, or its progress cannot be read.
/// A person may be working on it.
const OPERATION_BOUND: Duration = Duration::from_hours(7 * 24);
/// How many attempts may end without a known outcome before a person must decide.
const MOST_UNKNOWN: usize = 3;
/// How many attempts that concern everybody a record may hold, and how many that concern one namespace alone.
const MOST_ATTEMPTS: usize = 32;
/// How many attempts a record may hold in all: twice as many, so that no namespace fills it for the others.
const MOST_ATTEMPTS_OF_ALL: usize = 64;

/// Where an upgrade stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordState {
    /// Created; its call may have been made.
    Intended,
    /// The provider took the request, or the account shows that it did.
    Accepted,
    /// The call ended without a known outcome.
    Unknown,
    /// The last attempt was refused, definitely, or could not be sent.
    Rejected,
    /// The outcome is unknown, and a person decides.
    Unresolved,
    /// The account is on the offer.
    Confirmed,
    /// A state of another version, verbatim. Never acted on.
    Other(String),
}

impl RecordState {
    /// The name in the record; [`Self::Intended`] has none, for a create cannot write a status.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Intended => None,
            Self::Accepted => Some("Accepted"),
            Self::Unknown => Some("Unknown"),
            Self::Rejected => Some("Rejected"),
            Self::Unresolved => Some("Unresolved"),
            Self::Confirmed => Some("Confirmed"),
            Self::Other(name) => Some(name),
        }
    }

    /// The state that a record calls `name`.
    pub fn parse(name: Option<&str>) -> Self {
        let Some(name) = name else { return Self::Intended };
        [Self::Accepted, Self::Unknown, Self::Rejected, Self::Unresolved, Self::Confirmed]
            .into_iter()
            .find(|state| state.name() == Some(name))
            .unwrap_or_else(|| Self::Other(name.to_owned()))
    }
}

impl Outcome {
    /// The state of the record that this outcome leads to.
    pub const fn state(self) -> RecordState {
        match self {
            Self::Accepted => RecordState::Accepted,
            Self::Rejected | Self::NotSent => RecordState::Rejected,
            Self::Unknown => RecordState::Unknown,
        }
    }
}

/// One version of a BillingProvider. A changed or recreated one is another version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderVersion {
    pub uid: String,
    /// The generation of its spec.
    pub generation: i64,
}

/// Who makes an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requester {
    /// The namespace of the Subscription.
    pub namespace: String,
    pub name: String,
    pub uid: String,
    /// The BillingProvider that it was made through; `None` where that was not written.
    pub provider: Option<ProviderVersion>,
}

/// One attempt at an upgrade. All times are of the wall clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// 1, 2, 3 …
    pub number: u32,
    /// The last moment at which it may have been sent.
    pub not_after: Timestamp,
    /// Where it was sent.
    pub endpoint: Option<String>,
    /// How it ended.
    pub outcome: Outcome,
    /// When it was sent, where that was written.
    pub sent: Option<Timestamp>,
    /// The uid of the approval that it used.
    pub approval_uid: Option<String>,
    /// What the provider said.
    pub message: String,
    /// The address at which the provider reports the progress, if it took the request and named one.
    pub operation: Option<String>,
    /// Who made it; `None` where that was not written.
    pub requester: Option<Requester>,
    /// Whether it was refused because of the requester's rights, and not because of the account.
    pub lacked_rights: bool,
}

impl Attempt {
    /// Whether its end concerns its requester alone: it was refused for missing rights, or was never sent.
    const fn concerns_its_requester(&self) -> bool {
        match self.outcome {
            Outcome::NotSent => true,
            Outcome::Rejected => self.lacked_rights,
            Outcome::Accepted | Outcome::Unknown => false,
        }
    }

    /// Whether its end holds `by` back; anybody, if that is `None`. What concerns its requester binds the namespace, so that
    /// a Subscription that is deleted and made again does not begin anew.
    fn binds(&self, by: Option<&Requester>) -> bool {
        let is_others = |made: &Requester| by.is_some_and(|by| by.namespace != made.namespace);
        !(self.concerns_its_requester() && self.requester.as_ref().is_some_and(is_others))
    }

    /// Whether the Subscription with `uid` made it.
    pub fn is_of(&self, uid: &str) -> bool {
        self.requester.as_ref().is_some_and(|made| made.uid == uid)
    }

    /// The provider's message, as far as the Subscription with `uid` may read it. It may name the requester, so only they see it.
    pub fn told_to(&self, uid: &str) -> String {
        if self.is_of(uid) {
            return self.message.clone();
        }
        let ended = match self.outcome {
            Outcome::Accepted => "was accepted",
            Outcome::Rejected => "was rejected",
            Outcome::NotSent => "could not be sent",
            Outcome::Unknown => "has no known outcome",
        };
        format!("the attempt of another Subscription at {} {ended}", minute(self.sent.unwrap_or(self.not_after)))
    }
}

/// An `UpgradeRecord`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub name: String,
    /// Where the upgrade stands.
    pub state: RecordState,
    /// Every attempt, the first one included, in order.
    pub attempts: Vec<Attempt>,
    /// Why the record is in its state, for people.
    pub outcome: Option<String>,
}

impl Record {
    /// Whether its call may have been made and its outcome is still unknown.
    pub const fn is_open(&self) -> bool {
        matches!(self.state, RecordState::Intended | RecordState::Accepted | RecordState::Unknown)
    }

    /// Whether a person must decide.
    pub const fn is_unresolved(&self) -> bool {
        matches!(self.state, RecordState::Unresolved | RecordState::Other(_))
    }

    /// The latest attempt.
    pub fn last(&self) -> Option<&Attempt> {
        self.attempts.iter().max_by_key(|attempt| attempt.number)
    }

    /// When nothing that was sent can still be on its way, and `by` may request again (wall clock).
    pub fn settled_at(&self, by: Option<&Requester>) -> Timestamp {
        let Some(last) = self.attempts.iter().map(|attempt| attempt.not_after).max() else { return Timestamp::MAX };
        let settled = saturating_add(last, CALL_DEADLINE + CLOCK_SKEW);
        match self.last() {
            Some(last) if last.outcome == Outcome::NotSent && !self.has_tried_enough(by) => {
                settled.max(self.next_after_refusal(by))
            }
            _ => settled,
        }
    }

    /// Until when an accepted upgrade that does not show is waited for, if it has not shown since `since` (wall clock) and
    /// the provider says `operation` of it.
    pub fn shown_by(since: Timestamp, operation: Option<&Operation>) -> Timestamp {
        let bound = match operation {
            None | Some(Operation::Succeeded | Operation::Failed { .. }) => ACCEPTED_BOUND,
            Some(Operation::Running(_) | Operation::Unknown { .. }) => OPERATION_BOUND,
        };
        saturating_add(since, bound)
    }

    /// Whether no further attempt fits into it, whoever makes it. What concerns one namespace alone takes nobody else's place.
    pub fn is_full(&self) -> bool {
        let of_all = self.attempts.iter().filter(|attempt| !attempt.concerns_its_requester()).count();
        of_all >= MOST_ATTEMPTS || self.attempts.len() >= MOST_ATTEMPTS_OF_ALL
    }

    /// Whether another attempt is possible without a person, to the endpoint at `endpoint`.
    pub fn allows_another_attempt(&self, endpoint: &str, by: &Requester) -> Result<(), NoMore> {
        let unknown = || self.attempts.iter().filter(|attempt| attempt.outcome == Outcome::Unknown);
        let accepted = self.attempts.iter().any(|attempt| attempt.outcome == Outcome::Accepted);
        if let Some(last) = self.last().filter(|_| accepted && self.state == RecordState::Rejected) {
            Err(NoMore::RefusedSince(last.message.clone()))
        } else if accepted || self.state == RecordState::Accepted {
            Err(NoMore::AnsweredWithSuccess)
        } else if unknown().any(|attempt| attempt.endpoint.as_deref() != Some(endpoint)) {
            Err(NoMore::OtherEndpoint)
        } else if unknown().count() >= MOST_UNKNOWN
            || self.is_full()
            || self.is_open() && self.has_tried_enough(Some(by))
        {
            Err(NoMore::TooManyAttempts)
        } else {
            Ok(())
        }
    }

    /// Whether the namespace of `by` has failed too often to make another attempt.
    fn has_tried_enough(&self, by: Option<&Requester>) -> bool {
        let in_vain = self.attempts.iter().filter(|attempt| attempt.binds(by) && attempt.concerns_its_requester());
        in_vain.count() >= MOST_ATTEMPTS
    }

    /// The latest attempt whose end holds `by` back, or anybody.
    pub fn last_binding(&self, by: Option<&Requester>) -> Option<&Attempt> {
        self.attempts.iter().filter(|attempt| attempt.binds(by)).max_by_key(|attempt| attempt.number)
    }

    /// When the next attempt of `by` is due after the last one was refused, or could not be sent (wall clock); never, if its
    /// namespace has made so many in vain that it makes no more.
    pub fn next_after_refusal(&self, by: Option<&Requester>) -> Timestamp {
        if self.attempts.is_empty() {
            return Timestamp::MAX;
        }
        let mut attempts: Vec<_> = self.attempts.iter().filter(|attempt| attempt.binds(by)).collect();
        attempts.sort_by_key(|attempt| std::cmp::Reverse(attempt.number));
        let Some(last) = attempts.first() else { return Timestamp::MIN };
        if last.concerns_its_requester() && self.has_tried_enough(by) {
            return Timestamp::MAX;
        }
        let in_a_row = attempts.iter().take_while(|attempt| attempt.outcome == last.outcome).count();
        let doubled = 1_u32 << in_a_row.saturating_sub(1).min(10);
        let provider = |made: Option<&Requester>| made.and_then(|made| made.provider.clone());
        let (then, now) = (provider(last.requester.as_ref()), provider(by));
        let is_changed = last.concerns_its_requester() && then.is_some() && now.is_some() && then != now;
        let minutes = (Duration::from_mins(1) * doubled).min(Duration::from_hours(6));
        let pause = match last.outcome {
            // The cause may be fixed: try at once, and then with the pauses of attempts that were not sent.
            _ if is_changed && in_a_row == 1 => Duration::ZERO,
            _ if is_changed => minutes / 2,
            // It cost nothing: minutes, up to 6 hours.
            Outcome::NotSent => minutes,
            // Somebody has to fix something: hours, up to a day.
            _ => (Duration::from_hours(1) * doubled).min(Duration::from_hours(24)),
        };
        saturating_add(last.sent.unwrap_or(last.not_after), pause)
    }

    /// Whether the approval with `uid` is used up: its upgrade has happened, or may have. A refusal uses
    /// up nothing, as the next attempt is still to come.
    pub fn has_used_up(&self, uid: &str) -> bool {
        (self.is_unresolved() || self.state == RecordState::Confirmed)
            && self.attempts.iter().any(|attempt| attempt.approval_uid.as_deref() == Some(uid))
    }
}

/// Why no further attempt is made without a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoMore {
    /// The broker said yes, and the account does not show it.
    AnsweredWithSuccess,
    /// The broker took the request, and said later that it has not upgraded the account.
    OperationFailed(String),
    /// The broker accepted the request, and has taken too long to finish.
    OperationUnfinished,
    /// The broker accepted a request, and refused the next one.
    RefusedSince(String),
    /// The upgrade was requested at another endpoint, where it may still happen.
    OtherEndpoint,
    /// The attempts have ended without a known outcome too often.
    TooManyAttempts,
    /// The manifest, the approvals or the account do not allow an upgrade any more.
    NoLongerWanted,
}

impl NoMore {
    /// Like [`Self::because`], for a Subscription that did not make the last attempt: without the words that its requester got.
    pub fn because_to_others(&self) -> String {
        match self {
            Self::RefusedSince(_) => {
                "the broker accepted an earlier request and did not accept the last one".to_owned()
            }
            _ => self.because(),
        }
    }

    /// The rest of a sentence that begins with "because".
    pub fn because(&self) -> String {
        match self {
            Self::AnsweredWithSuccess => "the broker reported success, but the account does not show it".to_owned(),
            Self::OperationFailed(said) => {
                format!("the broker accepted the request and then reported `{said}`; fix that first")
            }
            Self::OperationUnfinished => "the broker has not reported for a week that it is done".to_owned(),
            Self::RefusedSince(said) => {
                format!("the broker accepted an earlier request and did not accept the last one: {said}")
            }
            Self::OtherEndpoint => {
                "the upgrade was requested at another endpoint, where it may still happen".to_owned()
            }
            Self::TooManyAttempts => "too many attempts have ended without a known outcome".to_owned(),
            Self::NoLongerWanted => "the manifest, the approvals or the account no longer allow an upgrade".to_owned(),
        }
    }
}

fn saturating_add(time: Timestamp, duration: Duration) -> Timestamp {
    time.checked_add(duration).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for outcome in [Outcome::Accepted, Outcome::Rejected, Outcome::NotSent, Outcome::Unknown] {
            assert_eq!(Outcome::parse(Some(outcome.name())), outcome);
            assert_eq!(RecordState::parse(outcome.state().name()), outcome.state());
        }
        for state in [RecordState::Intended, RecordState::Unresolved, RecordState::Confirmed] {
            assert_eq!(RecordState::parse(state.name()), state);
        }
    }

    #[test]
    fn words_of_another_version_prove_nothing() {
        assert_eq!(Outcome::parse(Some("Perhaps")), Outcome::Unknown);
        assert_eq!(Outcome::parse(None), Outcome::Unknown);
        assert_eq!(RecordState::parse(Some("Paused")), RecordState::Other("Paused".to_owned()));
    }
}
