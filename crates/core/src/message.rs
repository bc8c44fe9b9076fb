//! What a verdict says to a tired operator at night: what happened, to what, and what the reader can do.

use std::fmt;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::approval::{Untrusted, Word};
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

/// Somebody else's text without its final full stop, because ours follows.
pub fn unended(text: &impl fmt::Display) -> String {
    text.to_string().trim_end_matches(['.', ' ']).to_owned()
}

impl fmt::Display for Verdict {
    #[expect(clippy::too_many_lines, reason = "a table: what each verdict says")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Suspended(why) => write!(f, "{why}: the account is neither read nor upgraded."),
            Self::ProviderNotReady { problem, .. } => write!(f, "{}.", capitalised(&unended(problem))),
            Self::WrongAccount { found } => write!(
                f,
                "The provider returned another account than the one in `spec.account`: {}. The operator takes no action. Correct the BillingProvider, or create a new Subscription for the right account.",
                unended(found)
            ),
            Self::AccountConflict(holder) => write!(
                f,
                "The older Subscription {}/{} already claims this account. Delete one of the two; deleting a Subscription never touches the cloud. This one takes over once the older one no longer claims the account.",
                holder.namespace, holder.name
            ),
            Self::Unobserved { error, since } => write!(
                f,
                "{}: {}. The operator decides nothing until a read succeeds, and retries automatically.",
                match since {
                    Unobserved::Always => "The account has not been read yet",
                    Unobserved::Lately => "The last read of the account failed",
                    Unobserved::TooLong => "The last successful read of the account is too old to trust this status",
                },
                unended(error)
            ),
            Self::AccountClosed => f.write_str(
                "The account is deleted or permanently closed and can no longer be upgraded. Delete this Subscription.",
            ),
            Self::OfferInPlace(offer) => write!(f, "The account is on {} ({}).", offer.class, offer.native),
            Self::UpgradeAccepted { end } => {
                f.write_str("The provider has accepted the upgrade. The remaining benefits stay usable")?;
                match end {
                    Some(end) => write!(f, " until {} at the latest, then the offer changes.", minute(*end)),
                    None => f.write_str(", then the offer changes."),
                }
            }
            Self::ConversionOverdue { since } => write!(
                f,
                "The upgrade has been accepted since {}, but the offer has still not changed, although the benefits should have ended. Contact the provider's billing support; the operator makes no second request.",
                minute(*since)
            ),
            Self::VerifyingUpgrade { record, settled_at, accepted, operation } => {
                let taken = if *accepted { "was requested and accepted" } else { "may have been requested" };
                write!(f, "An upgrade {taken} (UpgradeRecord {record}). ")?;
                match operation {
                    Some(Operation::Running(_)) => f.write_str("The broker is still working on it. ")?,
                    Some(Operation::Succeeded) => f.write_str("The broker reports that it is done. ")?,
                    Some(Operation::Failed { detail }) => {
                        write!(f, "The broker reports that it failed: {}. ", unended(detail))?;
                    }
                    Some(Operation::Unknown { detail, .. }) => {
                        write!(f, "The broker's progress could not be read: {}. ", unended(detail))?;
                    }
                    None => {}
                }
                let minute = minute(*settled_at);
                write!(
                    f,
                    "The operator reads the account until it shows the upgrade, and does nothing else until {minute}."
                )
            }
            Self::UpgradeUnresolved { record, attempt, why, hash } => {
                write!(f, "It is not known whether UpgradeRecord {record} upgraded the account")?;
                if let Some(why) = why {
                    write!(f, ", because {}", unended(why))?;
                }
                f.write_str(
                    ". Check the account in the provider's portal; if it is upgraded there, this resolves itself.",
                )?;
                match hash {
                    Some(hash) => write!(
                        f,
                        " To request it again, with the same key and under all other conditions, run `payg retry NAME -n NAMESPACE --reason TEXT`, or create an UpgradeApproval with `decision: Retry`, `recordAttempt: {attempt}` and `transitionHash: {hash}`."
                    ),
                    None => Ok(()),
                }
            }
            Self::RetryHeld { record, by } => {
                write!(
                    f,
                    "There is a Retry for UpgradeRecord {record}, but something else holds the upgrade back: {by}"
                )
            }
            Self::UpgradeContradicted { record } => write!(
                f,
                "UpgradeRecord {record} says that the account was upgraded, but the account is a trial. The operator takes no action until a person has found out why. Was the record restored from a backup?"
            ),
            Self::Observing => f.write_str("`when: Never`: the account is observed and never upgraded."),
            // A permission may reveal the offer; only without one missing should users ask the developers.
            Self::NotEligible { why: NotEligible::UnknownOffer(native), unread } if !unread.is_empty() => {
                write!(
                    f,
                    "The account is on the offer `{native}`. The operator cannot tell what that offer is, so it never upgrades the account."
                )?;
                tell_unread(f, unread)
            }
            Self::NotEligible { why, unread } => {
                write!(f, "{why}")?;
                tell_unread(f, unread)
            }
            Self::UpgradeDenied(deny) => write!(
                f,
                "{} denied the upgrade (UpgradeApproval {}). It stays denied until that object is deleted.",
                deny.approver, deny.name
            ),
            Self::BenefitsUnknown { missing, unread } => {
                f.write_str("The operator does not know when the benefits end: ")?;
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
                    "The upgrade is due and waits for approval. Run `payg approve NAME -n NAMESPACE --reason TEXT`, or create an UpgradeApproval with `transitionHash: {hash}` and `decision: Approve`."
                )?;
                former.iter().try_for_each(|former| write!(
                    f,
                    " UpgradeApproval {former} does not count: an older version of this operator computed its hash, which leaves out terms of the upgrade. Check the terms, and approve again with `payg approve`."
                ))
            }
            Self::ApprovalPolicyMissing(why) => write!(f, "{why}"),
            Self::AwaitingPortalUpgrade { url, needs } => write!(
                f,
                "Azure has no API for this upgrade; a person must upgrade the account at {url}. Required: {needs}."
            ),
            Self::UpgradeRejected { message, next: Some(next) } => write!(
                f,
                "The upgrade was not accepted: {}. Fix the cause; the next attempt is due at {}.",
                unended(message),
                minute(*next)
            ),
            Self::UpgradeRejected { message, next: None } => write!(
                f,
                "The upgrade was not accepted: {}. Too many attempts of this namespace have failed, so no further attempt follows; upgrade the account in the provider's portal, or delete this Subscription.",
                unended(message)
            ),
            Self::UpgradeHeld(Held::DryRun) => {
                f.write_str("The upgrade is due, but the operator runs with --dry-run and requests nothing.")
            }
            Self::UpgradeHeld(Held::Cap { per_hour, until }) => {
                f.write_str("The upgrade is due but waits")?;
                tell_until(f, *until)?;
                write!(
                    f,
                    " because {per_hour} upgrades were requested within the last hour, the maximum for all namespaces together (--max-upgrades-per-hour)."
                )
            }
            Self::UpgradeHeld(Held::Share { share, per_hour, until }) => {
                f.write_str("The upgrade is due but waits")?;
                tell_until(f, *until)?;
                write!(
                    f,
                    " because one namespace may request half of what the other namespaces leave of {per_hour} upgrades per hour (--max-upgrades-per-hour), and this one has requested {share} within the last hour."
                )
            }
            Self::Upgrading => f.write_str("The upgrade is being requested."),
            Self::LedgerUnavailable { detail } => write!(
                f,
                "The upgrade is due but not requested, because its record cannot be written first: {}. Check the CustomResourceDefinition and the operator's ClusterRole; the operator tries again.",
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
            Self::Observes => "it has `when: Never`",
            Self::NeverSeen => "it has never read the account",
            Self::ObservationsFail => "its reads of the account have failed for an hour",
            Self::NotObserved => "its status has recorded no read of the account for a week",
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
                "Subscription {}/{} is older but does not claim the account, because {lapse}. This one has the account until the older one claims it again.",
                older.namespace, older.name
            ),
            Self::Lapsed(lapse) => write!(
                f,
                "This Subscription does not claim its account, because {lapse}. Another Subscription has the account until that is fixed."
            ),
        }
    }
}

const CLOSES: &str = " When the benefits end, the provider closes the account, and everything running in it stops before the upgrade. To upgrade in time, use `when: BeforeExhaustion`.";

fn waiting(f: &mut fmt::Formatter<'_>, not_yet: NotYet, expected: Option<Timestamp>) -> fmt::Result {
    match not_yet {
        NotYet::Left => match expected {
            Some(expected) => write!(f, "Not due yet; expected by {}.", minute(expected)),
            None => f.write_str("The upgrade is not due yet."),
        },
        NotYet::Unconfirmed(cause) => write!(f, "The account shows for the first time that {cause}; a second read must confirm it."),
        NotYet::TooSoon(cause) => {
            write!(f, "The account shows that {cause}; a read some time later must confirm it.")
        }
        NotYet::WentBack => {
            f.write_str("The provider's answer is older than the previous one, or the clock went back; a newer read must confirm it.")
        }
        NotYet::ClocksDiffer => f.write_str(
            "The upgrade is due by the clock of the operator's node, but not by the provider's, which is more than an hour behind. Correct the clock that is wrong.",
        ),
        NotYet::PastItsEnd => f.write_str(
            "The end of the trial has passed, but the provider does not report the trial as over; the operator waits until it does. If the end is declared in `spec.trial`, correct it.",
        ),
    }
}

fn tell_unread(f: &mut fmt::Formatter<'_>, unread: &[Unread]) -> fmt::Result {
    unread.iter().try_for_each(|unread| write!(f, " {unread}"))
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "The credentials lack permission to read {}; {} would reveal more.", self.what, self.permission)
    }
}

impl fmt::Display for NotEligible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownOffer(native) => write!(
                f,
                "The account is on the offer `{native}`. The operator cannot tell whether that is a trial, so it never upgrades the account. Set `when: Never` to only observe it; if you know it to be a trial, report it to the operator's developers."
            ),
            Self::Offer(offer) => write!(
                f,
                "There is no upgrade to PayAsYouGo from {} ({}). Set `when: Never` to only observe the account.",
                offer.class, offer.native
            ),
            Self::UnknownState(native) => write!(
                f,
                "The account's state is `{native}`; in that state the operator never upgrades it. Check the account in the provider's portal."
            ),
            Self::UnclearAcceptance(native) => write!(
                f,
                "The spending limit is `{native}`, which does not show whether an upgrade has been accepted, so the operator requests none. Check the account in the provider's portal."
            ),
        }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AnyEnd => f.write_str(
                "the provider reports neither the remaining credit nor the end of the trial. Declare the end in `spec.trial.endTime` or, for a free trial, its start in `spec.trial.startTime`.",
            ),
            Self::CreditLeft => f.write_str(
                "`creditBelow` needs the remaining credit, which the provider does not report for this account. Remove `creditBelow` and set `timeLeftSeconds`.",
            ),
            Self::CreditIn(limit) => {
                write!(f, "`creditBelow` is in {}, but the provider uses another currency. Use the provider's.", limit.currency)
            }
            Self::PeriodEnd => f.write_str(
                "`timeLeftSeconds` needs the end of the trial, which the provider does not report. Declare it in `spec.trial.endTime`.",
            ),
            Self::Odd(kind) => {
                write!(f, "the provider reports a negative {}. Check the account in the provider's portal.", kind.name())
            }
            Self::Which(contradiction) => write!(
                f,
                "{contradiction}. These contradict each other, so the operator requests nothing. Check the account in the provider's portal; this resolves itself when the provider no longer contradicts itself. To upgrade the account anyway, use `when: Immediately`."
            ),
        }
    }
}

impl fmt::Display for Contradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SpentWithCreditLeft(left) => {
                write!(f, "the provider reports that the credit is used up, and also that {left} of it is left")
            }
            Self::OverWithCreditLeft(left) => write!(
                f,
                "the provider reports that the trial's period is over, without saying since when, and also that {left} of the credit is left"
            ),
            Self::OverBeforeItsEnd(end) => write!(
                f,
                "the provider reports that the trial's period is over, and also that it ends at {}",
                minute(*end)
            ),
            Self::OverWhileItWorks => f.write_str(
                "the provider reports that the trial's period is over, without saying since when, and also that the account works",
            ),
        }
    }
}

impl fmt::Display for Suspension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Manifest => "Suspended by `spec.suspend`",
            Self::Deletion => "Suspended because this Subscription is being deleted",
            Self::NamespaceDeletion => "Suspended because the namespace is being deleted, and with it every Deny in it",
        })
    }
}

impl fmt::Display for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flaws(flaws) => {
                f.write_str("The upgrade is due, but nothing ensures that the approver is who they claim to be and may approve it: ")?;
                let named = |is_missing| {
                    let flaws = flaws.iter().filter(move |flaw| flaw.is_missing == is_missing);
                    flaws.map(|flaw| flaw.object.as_str()).collect::<Vec<_>>().join(", ")
                };
                let parts = [("missing: ", named(true)), ("not as shipped: ", named(false))];
                let parts = parts.into_iter().filter(|(_, names)| !names.is_empty());
                let parts: Vec<_> = parts.map(|(what, names)| what.to_owned() + &names).collect();
                f.write_str(&parts.join("; "))?;
                f.write_str(
                    ". Restore the admission policies of the operator's own version, and check who has approved since.",
                )
            }
            Self::Unchecked { word, created, youngest, settled: Some(settled) } => write!(
                f,
                "The upgrade is due, but {word} does not count: it dates from {}, and the policy check is reliable only from {} on, a minute after {youngest} last changed. From then on, approve the upgrade with `payg approve`.",
                second(*created),
                second(*settled)
            ),
            Self::Unchecked { word, youngest, settled: None, .. } => write!(
                f,
                "The upgrade is due, but {word} does not count: the API server does not report when {youngest} last changed. Apply that again with `kubectl apply --server-side`, wait a minute, and approve the upgrade with `payg approve`."
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
