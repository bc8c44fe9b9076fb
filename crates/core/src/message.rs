//! What a verdict says to a tired operator at night: what happened, to what, and what the reader can do.

use std::fmt;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::approval::{Unguarded, Word};
use super::desired::{Lapse, Suspension};
use super::observation::Unread;
use super::provider::Operation;
use super::trigger::{Contradiction, Missing, NotYet};
use super::verdict::{Held, NotEligible, Standing, Unobserved, Verdict};

/// A time as people read it, to the minute.
pub(super) fn minute(time: Timestamp) -> impl fmt::Display {
    time.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// A point in time that somebody waits for.
fn second(time: Timestamp) -> impl fmt::Display {
    time.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// What somebody else says, without the full stop that it may end with: ours follows.
pub fn unended(text: &impl fmt::Display) -> String {
    text.to_string().trim_end_matches(['.', ' ']).to_owned()
}

impl fmt::Display for Verdict {
    #[expect(clippy::too_many_lines, reason = "a table: what each verdict says")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Suspended(why) => write!(f, "{why}: the account is neither looked at nor upgraded."),
            Self::ProviderNotReady { problem, .. } => write!(f, "{}.", capitalised(&unended(problem))),
            Self::WrongAccount { found } => write!(
                f,
                "The provider answered about another account than the one in `spec.account`: {}. Nothing is done; correct the BillingProvider, or make a new Subscription for the right account.",
                unended(found)
            ),
            Self::AccountConflict(holder) => write!(
                f,
                "Subscription {}/{} already has this account, and is older. Delete one of the two; deleting a Subscription never touches the cloud. This one takes over once the older one no longer claims the account.",
                holder.namespace, holder.name
            ),
            Self::Unobserved { error, since } => write!(
                f,
                "{}: {}. Nothing is decided until a look succeeds; the next one follows by itself.",
                match since {
                    Unobserved::Always => "The account has not been seen yet",
                    Unobserved::Lately => "The last look at the account failed",
                    Unobserved::TooLong => "The account has not been seen for too long to believe this status",
                },
                unended(error)
            ),
            Self::AccountClosed => f.write_str(
                "The account is deleted or closed for good; it cannot be upgraded any more. Delete this Subscription.",
            ),
            Self::OfferInPlace(offer) => write!(f, "The account is on {} ({}).", offer.class, offer.native),
            Self::UpgradeAccepted { end } => {
                f.write_str("The provider has accepted the upgrade; what is left of the benefits stays usable")?;
                match end {
                    Some(end) => write!(f, " until {} at the latest, then the offer changes.", minute(*end)),
                    None => f.write_str(", then the offer changes."),
                }
            }
            Self::ConversionOverdue { since } => write!(
                f,
                "The upgrade has been accepted since {} and the offer has still not changed, though the benefits should have ended. Ask the provider's billing support; no second request is made.",
                minute(*since)
            ),
            Self::VerifyingUpgrade { record, settled_at, accepted, operation } => {
                let taken = if *accepted { "was requested and accepted" } else { "may have been requested" };
                write!(f, "An upgrade {taken} (UpgradeRecord {record}); ")?;
                match operation {
                    Some(Operation::Running(_)) => f.write_str("the broker is still at it. ")?,
                    Some(Operation::Succeeded) => f.write_str("the broker says that it is done. ")?,
                    Some(Operation::Failed { detail }) => write!(f, "the broker says that it failed: {detail}. ")?,
                    Some(Operation::Unknown { detail, .. }) => {
                        write!(f, "how far it has come could not be asked of the broker: {detail}. ")?;
                    }
                    None => {}
                }
                let minute = minute(*settled_at);
                write!(f, "The account is read until it shows it. Until {minute} nothing else is done.")
            }
            Self::UpgradeUnresolved { record, attempt, why, hash } => {
                write!(f, "Whether UpgradeRecord {record} upgraded the account cannot be told")?;
                if let Some(why) = why {
                    write!(f, ", because {}", unended(why))?;
                }
                f.write_str(
                    ". Look at the account in the provider's portal; if it is upgraded there, this resolves itself.",
                )?;
                match hash {
                    Some(hash) => write!(
                        f,
                        " To have it asked for again, with the same key and under all other conditions, create an UpgradeApproval with `decision: Retry`, `recordAttempt: {attempt}` and `transitionHash: {hash}`."
                    ),
                    None => Ok(()),
                }
            }
            Self::RetryHeld { record, by } => {
                write!(
                    f,
                    "There is a Retry for UpgradeRecord {record}, and something else keeps the upgrade back: {by}"
                )
            }
            Self::UpgradeContradicted { record } => write!(
                f,
                "UpgradeRecord {record} says that the account was upgraded, yet the account is a trial. Nothing is done until a person has found out why: was the record restored from a backup?"
            ),
            Self::Observing => f.write_str("`when: Never`: the account is observed and never upgraded."),
            // Before the developers are asked, a permission may tell.
            Self::NotEligible { why: NotEligible::UnknownOffer(native), unread } if !unread.is_empty() => {
                write!(
                    f,
                    "The account is on the offer `{native}`; what that is cannot be told, so it is never upgraded."
                )?;
                tell_unread(f, unread)
            }
            Self::NotEligible { why, unread } => {
                write!(f, "{why}")?;
                tell_unread(f, unread)
            }
            Self::UpgradeDenied(deny) => write!(
                f,
                "{} has denied the upgrade (UpgradeApproval {}). It stays denied until that object is deleted.",
                deny.approver, deny.name
            ),
            Self::BenefitsUnknown { missing, unread } => {
                f.write_str("When the benefits end is not known: ")?;
                for (index, missing) in missing.iter().enumerate() {
                    write!(f, "{}{missing}", if index == 0 { "" } else { " " })?;
                }
                tell_unread(f, unread)
            }
            Self::WaitingForExhaustion { not_yet, expected, closes } => {
                waiting(f, *not_yet, *expected)?;
                f.write_str(if *closes { CLOSES } else { "" })
            }
            Self::AwaitingApproval { hash, former } => {
                write!(
                    f,
                    "The upgrade is due and waits for an UpgradeApproval with `transitionHash: {hash}` and `decision: Approve`."
                )?;
                former.iter().try_for_each(|former| write!(
                    f,
                    " UpgradeApproval {former} does not count: its hash is of an older version of this operator and leaves out terms of the upgrade. Look at the terms, and approve again with `payg approve`."
                ))
            }
            Self::ApprovalPolicyMissing(why) => write!(f, "{why}"),
            Self::AwaitingPortalUpgrade { url, needs, restricted } => {
                if *restricted {
                    f.write_str("The account is restricted until it is upgraded. ")?;
                }
                write!(f, "Azure offers no interface for this upgrade; a person must do it at {url}. Needed: {needs}.")
            }
            Self::UpgradeRejected { message, next: Some(next) } => write!(
                f,
                "The upgrade was not taken: {}. Put that right; the next attempt is due at {}.",
                unended(message),
                minute(*next)
            ),
            Self::UpgradeRejected { message, next: None } => write!(
                f,
                "The upgrade was not taken: {}. This namespace has tried so often in vain that it tries no more; upgrade the account in the provider's portal, or delete this Subscription.",
                unended(message)
            ),
            Self::UpgradeHeld(Held::DryRun) => {
                f.write_str("The upgrade is due, and the operator runs with --dry-run: nothing is requested.")
            }
            Self::UpgradeHeld(Held::Cap { per_hour, until }) => {
                f.write_str("The upgrade is due, and waits")?;
                tell_until(f, *until)?;
                write!(
                    f,
                    " because {per_hour} upgrades were requested within the last hour, which is the most for all namespaces together (--max-upgrades-per-hour)."
                )
            }
            Self::UpgradeHeld(Held::Share { share, per_hour, until }) => {
                f.write_str("The upgrade is due, and waits")?;
                tell_until(f, *until)?;
                write!(
                    f,
                    " because one namespace may request half of what the others leave of {per_hour} upgrades an hour (--max-upgrades-per-hour), and this one has requested {share} within the last hour."
                )
            }
            Self::Upgrading => f.write_str("The upgrade is being requested."),
            Self::LedgerUnavailable { detail } => write!(
                f,
                "The upgrade is due, and is not requested because its record cannot be written first: {}. Check the CustomResourceDefinition and the operator's ClusterRole; it is tried again.",
                unended(detail)
            ),
        }
    }
}

fn tell_until(f: &mut fmt::Formatter<'_>, until: Option<Timestamp>) -> fmt::Result {
    until.map_or(Ok(()), |until| write!(f, " until {}", minute(until)))
}

impl fmt::Display for Lapse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Suspended(Suspension::Manifest) => "it is suspended",
            Self::Suspended(Suspension::Deletion) => "it is being deleted",
            Self::Suspended(Suspension::NamespaceDeletion) => "its namespace is being deleted",
            Self::Observes => "it says `when: Never`",
            Self::NeverSeen => "it has never seen the account",
            Self::LooksFail => "its looks at the account have failed for an hour",
            Self::NotLookedAt => "no look of it at the account has been written down for a week",
        })
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsaid | Self::Unchanged => Ok(()),
            Self::Second(holder) => write!(f, "{}", Verdict::AccountConflict(holder.clone())),
            Self::InPlaceOf(older, lapse) => write!(
                f,
                "Subscription {}/{} is older and does not claim the account, because {lapse}. This one has the account until the older one claims it again.",
                older.namespace, older.name
            ),
            Self::Lapsed(lapse) => write!(
                f,
                "This Subscription does not claim its account, because {lapse}. Another Subscription has the account until that is put right."
            ),
        }
    }
}

const CLOSES: &str = " When the benefits end, the provider closes the account, and what runs in it stops before it is upgraded: `when: BeforeExhaustion` upgrades it in time.";

fn waiting(f: &mut fmt::Formatter<'_>, not_yet: NotYet, expected: Option<Timestamp>) -> fmt::Result {
    match not_yet {
        NotYet::Left => match expected {
            Some(expected) => write!(f, "The upgrade is expected to be due by {}.", minute(expected)),
            None => f.write_str("The upgrade is not due yet."),
        },
        NotYet::SecondLook(cause) => write!(f, "It shows for the first time that {cause}; a second look must confirm it."),
        NotYet::TooSoon(cause) => {
            write!(f, "It shows that {cause}; a look that does not follow at once must confirm it.")
        }
        NotYet::WentBack => {
            f.write_str("The provider's answer is older than the one before it, or the clock went back; a newer look must confirm it.")
        }
        NotYet::ClocksDiffer => f.write_str(
            "It is time by the clock of the operator's node, and not by the provider's, which is more than an hour behind. Set the clock that is wrong.",
        ),
        NotYet::PastItsEnd => f.write_str(
            "The end of the trial has passed, and the provider does not say that it is over: that is waited for. If the end is declared in `spec.trial`, correct it.",
        ),
    }
}

fn tell_unread(f: &mut fmt::Formatter<'_>, unread: &[Unread]) -> fmt::Result {
    unread.iter().try_for_each(|unread| write!(f, " {unread}"))
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "The credentials may not read {}; more would be known with {}.", self.what, self.permission)
    }
}

impl fmt::Display for NotEligible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownOffer(native) => write!(
                f,
                "The account is on the offer `{native}`, and nothing tells whether that is a trial, so it is never upgraded. Set `when: Never` to only observe it; if you know it to be a trial, report it to the operator's developers."
            ),
            Self::Offer(offer) => write!(
                f,
                "There is no upgrade to PayAsYouGo from {} ({}). Set `when: Never` to only observe the account.",
                offer.class, offer.native
            ),
            Self::UnknownState(native) => write!(
                f,
                "The account is `{native}`; in that state it is never upgraded. Look at it in the provider's portal."
            ),
            Self::UnclearAcceptance(native) => write!(
                f,
                "The spending limit is `{native}`: whether an upgrade has been accepted cannot be told from that, so none is requested. Look at the account in the provider's portal."
            ),
        }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AnyEnd => f.write_str(
                "the provider reports neither the credit left nor the end of the trial. Declare the end in `spec.trial.endTime` or, for a free trial, its beginning in `spec.trial.startTime`.",
            ),
            Self::CreditLeft => f.write_str(
                "`creditBelow` needs the credit left, which the provider does not report for this account. Remove `creditBelow`, and give `timeLeftSeconds`.",
            ),
            Self::CreditIn(limit) => {
                write!(f, "`creditBelow` is in {}, and the provider counts in another currency. Use the provider's.", limit.currency)
            }
            Self::PeriodEnd => f.write_str(
                "`timeLeftSeconds` needs the end of the trial, which the provider does not report. Declare it in `spec.trial.endTime`.",
            ),
            Self::Odd(kind) => {
                write!(f, "the provider reports a negative {}. Look at the account in the provider's portal.", kind.name())
            }
            Self::Which(contradiction) => write!(
                f,
                "{contradiction}. These contradict each other, so nothing is requested. Look at the account in the provider's portal; when the provider no longer contradicts itself, this resolves itself. If the account is to be upgraded all the same, use `when: Immediately`."
            ),
        }
    }
}

impl fmt::Display for Contradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SpentWithCreditLeft(left) => {
                write!(f, "the provider says that the credit is used up, and it reports that {left} of it are left")
            }
            Self::OverWithCreditLeft(left) => write!(
                f,
                "the provider says that the trial's period is over and not since when, and it reports that {left} of the credit are left"
            ),
            Self::OverBeforeItsEnd(end) => write!(
                f,
                "the provider says that the trial's period is over, and it reports that it ends at {}",
                minute(*end)
            ),
            Self::OverWhileItWorks => f.write_str(
                "the provider says that the trial's period is over and not since when, and it reports that the account works",
            ),
        }
    }
}

impl fmt::Display for Suspension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Manifest => "Suspended by `spec.suspend`",
            Self::Deletion => "Suspended, as this Subscription is being deleted",
            Self::NamespaceDeletion => "Suspended, as the namespace is being deleted, and with it every Deny in it",
        })
    }
}

impl fmt::Display for Unguarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flaws(flaws) => {
                f.write_str("The upgrade is due, and nothing makes sure that whoever approved it is who they say and may do so: ")?;
                let named = |is_missing| {
                    let flaws = flaws.iter().filter(move |flaw| flaw.is_missing == is_missing);
                    flaws.map(|flaw| flaw.object.as_str()).collect::<Vec<_>>().join(", ")
                };
                let parts = [("missing: ", named(true)), ("not as shipped: ", named(false))];
                let parts = parts.into_iter().filter(|(_, names)| !names.is_empty());
                let parts: Vec<_> = parts.map(|(what, names)| what.to_owned() + &names).collect();
                f.write_str(&parts.join("; "))?;
                f.write_str(". Put back the admission policies of the operator's own version, and look at who has approved since.")
            }
            Self::Unchecked { word, created, youngest, settled: Some(settled) } => write!(
                f,
                "The upgrade is due, and {word} does not count: it dates from {}, and who may say so is surely checked only from {} on, a minute after {youngest} was last changed. From then on, approve the upgrade with `payg approve`.",
                second(*created),
                second(*settled)
            ),
            Self::Unchecked { word, youngest, settled: None, .. } => write!(
                f,
                "The upgrade is due, and {word} does not count: the API server does not tell since when {youngest} is as it is. Apply that again with `kubectl apply --server-side`, wait a minute, and approve the upgrade with `payg approve`."
            ),
        }
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Approval(name) => write!(f, "UpgradeApproval {name}"),
            Self::Subscription => f.write_str("`approval: Automatic` of this Subscription"),
            Self::BillingProvider => f.write_str("`approval: Automatic` through this BillingProvider"),
        }
    }
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().collect::<String>() + letters.as_str())
}
