//! What must be true of each account at the end, whatever was killed. Pure: takes what was seen, returns what is wrong.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

/// How long after the end of its window an attempt may still reach the provider, by the protocol: the deadline of the
/// call and the difference between clocks. Only then may another one follow.
const ON_ITS_WAY: SignedDuration = SignedDuration::from_secs(80);
/// How long an attempt may be sent after what allows it was read for the last time.
const WINDOW: SignedDuration = SignedDuration::from_secs(30);
/// When a change is acknowledged, the answer to a read from before it may still be on its way.
const CHANGED_MEANWHILE: SignedDuration = SignedDuration::from_secs(3);
/// The simulator enters a request into its log just after it has applied the upgrade. One more request within this time is
/// one that was sent twice.
const ENTERED: SignedDuration = SignedDuration::from_secs(1);
/// How many attempts without a known outcome hand the account over to a person.
const MOST_UNKNOWN: usize = 3;

/// What was seen of one account.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    pub(crate) account: String,
    /// Since when the upgrade is not wanted any more.
    pub(crate) unwanted_since: Option<Timestamp>,
    /// When upgrades took effect, according to the provider's ledger.
    pub(crate) applied: Vec<Timestamp>,
    /// The upgrade requests that reached the provider, in order.
    pub(crate) requests: Vec<Request>,
    pub(crate) record: Option<Record>,
    /// The reasons of the Ready conditions of its Subscriptions, as last seen.
    pub(crate) reasons: Vec<String>,
}

/// An upgrade request that reached the provider.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) at: Timestamp,
    pub(crate) key: Option<String>,
}

/// An UpgradeRecord.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    pub(crate) state: String,
    pub(crate) attempts: Vec<Attempt>,
}

/// An attempt in an UpgradeRecord.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub(crate) not_after: Timestamp,
    /// `None`: who made it has not written how it ended.
    pub(crate) outcome: Option<String>,
}

impl Attempt {
    /// When it was made.
    pub(crate) fn intended(&self) -> Timestamp {
        self.not_after - WINDOW
    }

    fn is_unknown(&self) -> bool {
        !matches!(self.outcome.as_deref(), Some("Accepted" | "Rejected" | "NotSent"))
    }
}

/// What must never be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Violation {
    /// More than one upgrade was applied.
    Duplicate,
    /// A request reached the provider after the upgrade was applied: without a key, a second upgrade.
    AskedAgain,
    /// Requests under more than one key.
    OtherKey,
    /// More than one request for one attempt.
    SentTwice,
    /// A request or an upgrade without an intent from before it.
    Unrecorded,
    /// An attempt while an earlier one could still be on its way.
    TooSoon,
    /// A request after everything that was sent must have arrived.
    TooLate,
    /// An attempt for what is Never, suspended, denied or deleted, or a request after the window of one from before.
    Unallowed,
    /// The record says that the account is upgraded, and it is not.
    FalselyConfirmed,
    /// It should be upgraded and is not, nothing is on its way, and no status reports it.
    Lost,
    /// The record is still open, or the status does not say what is.
    Stuck,
    /// A person is asked although the operator could know.
    NeedlesslyUnresolved,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl History {
    /// Whether a person is asked what became of the upgrade.
    pub(crate) fn is_unresolved(&self) -> bool {
        self.record.as_ref().is_some_and(|record| record.state == "Unresolved")
    }

    /// Whether the account has settled: all is done, or a person has to decide.
    pub(crate) fn is_settled(&self) -> bool {
        let told = |reason: &str| self.reasons.iter().any(|theirs| theirs == reason);
        match (&self.record, self.unwanted_since) {
            (Some(record), _) if record.state == "Confirmed" => self.unwanted_since.is_some() || told("OfferInPlace"),
            (Some(record), Some(_)) => record.state == "Unresolved" && self.applied.is_empty(),
            (Some(record), None) => {
                record.state == "Unresolved" && self.applied.is_empty() && told("UpgradeUnresolved")
            }
            (None, unwanted) => unwanted.is_some(),
        }
    }

    /// All that is wrong.
    pub(crate) fn violations(&self) -> Vec<Violation> {
        let attempts = self.record.as_ref().map_or(&[][..], |record| &record.attempts);
        let mut found = self.of_the_requests(attempts);
        let mut check = |violation, is_there: bool| found.extend(is_there.then_some(violation));
        check(Violation::Duplicate, self.applied.len() > 1);
        let pairs = || attempts.iter().zip(attempts.iter().skip(1));
        check(
            Violation::TooSoon,
            pairs().any(|(one, next)| one.is_unknown() && next.intended() < one.not_after + ON_ITS_WAY),
        );
        let is_unallowed = self.unwanted_since.is_some_and(|since| {
            let intended = attempts.iter().any(|attempt| attempt.intended() > since + CHANGED_MEANWHILE);
            intended || self.requests.iter().any(|request| request.at > since + CHANGED_MEANWHILE + WINDOW)
        });
        check(Violation::Unallowed, is_unallowed);
        check(Violation::FalselyConfirmed, self.is("Confirmed") && self.applied.is_empty());
        let is_open = self.record.as_ref().is_some_and(|record| !matches!(&*record.state, "Confirmed" | "Unresolved"));
        let is_missing = self.unwanted_since.is_none() && self.applied.is_empty() && !is_open && !self.is_settled();
        check(Violation::Lost, is_missing);
        check(Violation::Stuck, !is_missing && !self.is_settled());
        let unknown = attempts.iter().filter(|attempt| attempt.is_unknown()).count();
        check(
            Violation::NeedlesslyUnresolved,
            self.is("Unresolved") && self.unwanted_since.is_none() && unknown < MOST_UNKNOWN,
        );
        found.sort();
        found
    }

    fn of_the_requests(&self, attempts: &[Attempt]) -> Vec<Violation> {
        let mut found = Vec::new();
        let mut used = vec![false; attempts.len()];
        let first_applied = self.applied.iter().min();
        for request in &self.requests {
            match attempts.iter().rposition(|attempt| attempt.intended() <= request.at) {
                None => found.push(Violation::Unrecorded),
                Some(index) => {
                    found.extend(used[index].then_some(Violation::SentTwice));
                    used[index] = true;
                    let is_late = request.at > attempts[index].not_after + ON_ITS_WAY;
                    found.extend(is_late.then_some(Violation::TooLate));
                }
            }
            let is_again = first_applied.is_some_and(|at| *at + ENTERED < request.at);
            found.extend(is_again.then_some(Violation::AskedAgain));
        }
        let first_intent = attempts.iter().map(Attempt::intended).min();
        let is_unforeseen = |at: &Timestamp| first_intent.is_none_or(|intent| intent > *at);
        found.extend(self.applied.iter().any(is_unforeseen).then_some(Violation::Unrecorded));
        let mut keys: Vec<_> = self.requests.iter().filter_map(|request| request.key.as_ref()).collect();
        keys.sort();
        keys.dedup();
        found.extend((keys.len() > 1).then_some(Violation::OtherKey));
        found.dedup();
        found
    }

    fn is(&self, state: &str) -> bool {
        self.record.as_ref().is_some_and(|record| record.state == state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(1_000_000 + second)
    }

    fn request(second: i64) -> Request {
        Request { at: at(second), key: Some("one".to_owned()) }
    }

    /// Made at this second.
    fn attempt(second: i64, outcome: Option<&str>) -> Attempt {
        Attempt { not_after: at(second) + WINDOW, outcome: outcome.map(str::to_owned) }
    }

    fn record(state: &str, attempts: Vec<Attempt>) -> Record {
        Record { state: state.to_owned(), attempts }
    }

    /// An upgrade as it should be: intended at 0, asked for and applied at 1.
    fn good() -> History {
        History {
            applied: vec![at(1)],
            requests: vec![request(1)],
            record: Some(record("Confirmed", vec![attempt(0, Some("Accepted"))])),
            reasons: vec!["OfferInPlace".to_owned()],
            ..History::default()
        }
    }

    /// One that took two attempts, as the first was killed before it had sent anything.
    fn again() -> History {
        let attempts = vec![attempt(0, None), attempt(110, Some("Accepted"))];
        History {
            applied: vec![at(111)],
            requests: vec![request(111)],
            record: Some(record("Confirmed", attempts)),
            ..good()
        }
    }

    /// One that a person must decide on.
    fn unresolved() -> History {
        History {
            applied: vec![],
            requests: vec![],
            record: Some(record(
                "Unresolved",
                vec![attempt(0, None), attempt(110, None), attempt(220, Some("Unknown"))],
            )),
            reasons: vec!["UpgradeUnresolved".to_owned()],
            ..History::default()
        }
    }

    fn unwanted() -> History {
        History { unwanted_since: Some(at(0)), reasons: vec!["Observing".to_owned()], ..History::default() }
    }

    #[test]
    fn correct_accounts_are_not_blamed() {
        let taken_before = History { unwanted_since: Some(at(1)), reasons: vec![], ..good() };
        for right in [good(), again(), unresolved(), unwanted(), taken_before] {
            assert_eq!((right.violations(), right.is_settled()), (vec![], true), "{right:#?}");
        }
    }

    #[test]
    fn each_wrong_is_found() {
        use Violation as V;
        let twice = vec![request(111), request(112)];
        let other = Request { key: Some("two".to_owned()), ..request(1) };
        let known = |outcome| Some(record("Confirmed", vec![attempt(0, outcome), attempt(109, Some("Accepted"))]));
        let wrong = [
            (History { applied: vec![at(1), at(1)], ..good() }, vec![V::Duplicate]),
            (History { applied: vec![at(109)], ..again() }, vec![V::AskedAgain]),
            (History { requests: vec![request(1), request(111)], ..again() }, vec![]),
            (History { requests: vec![request(1), Request { at: at(111), ..other }], ..again() }, vec![V::OtherKey]),
            (History { requests: twice, applied: vec![at(112)], ..again() }, vec![V::SentTwice]),
            (History { record: None, unwanted_since: Some(at(9)), ..good() }, vec![V::Unrecorded]),
            (History { record: Some(record("Confirmed", vec![attempt(2, None)])), ..good() }, vec![V::Unrecorded]),
            (
                History { requests: vec![], record: Some(record("Confirmed", vec![attempt(2, None)])), ..good() },
                vec![V::Unrecorded],
            ),
            (History { record: known(None), ..again() }, vec![V::TooSoon]),
            (History { record: known(Some("Unknown")), ..again() }, vec![V::TooSoon]),
            (History { record: known(Some("NotSent")), ..again() }, vec![]),
            (History { requests: vec![request(111)], applied: vec![at(111)], ..good() }, vec![V::TooLate]),
            (History { unwanted_since: Some(at(-4)), ..good() }, vec![V::Unallowed]),
            (History { unwanted_since: Some(at(100)), ..again() }, vec![V::Unallowed]),
            (
                History { unwanted_since: Some(at(1)), requests: vec![request(35)], applied: vec![at(35)], ..good() },
                vec![V::Unallowed],
            ),
            (History { applied: vec![], ..good() }, vec![V::FalselyConfirmed]),
            (History { applied: vec![], requests: vec![], record: None, ..good() }, vec![V::Lost]),
            (History { reasons: vec![], ..unresolved() }, vec![V::Lost]),
            (History { record: Some(record("Unknown", vec![attempt(0, None)])), ..good() }, vec![V::Stuck]),
            (History { record: Some(record("", vec![attempt(0, None)])), applied: vec![], ..good() }, vec![V::Stuck]),
            (History { reasons: vec!["VerifyingUpgrade".to_owned()], ..good() }, vec![V::Stuck]),
            (History { record: Some(record("", vec![attempt(-1, None)])), ..unwanted() }, vec![V::Stuck]),
            (History { applied: vec![at(300)], ..unresolved() }, vec![V::Stuck]),
            (
                History {
                    record: Some(record("Unresolved", vec![attempt(0, None), attempt(110, None)])),
                    ..unresolved()
                },
                vec![V::NeedlesslyUnresolved],
            ),
        ];
        for (history, expected) in wrong {
            assert_eq!(history.violations(), expected, "{history:#?}");
        }
    }
}
