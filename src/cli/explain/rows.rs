//! The rows of the decision table (docs/reference/decisions.md): what holds where a decision goes past one, and what is known of it.

use crate::operator::parse;
use payg_api::{BillingProviderSpec, Decision, UpgradeRecord, conditions};
use payg_core::record::Record;

use super::super::show;
use super::Known;

/// A row.
pub struct Row {
    /// What must hold for the decision to go on.
    pub holds: &'static str,
    /// What is known of it, in lines.
    pub evidence: fn(&Known) -> Vec<String>,
}

/// The row that a reason of Ready is of.
pub fn of(reason: &str) -> Option<usize> {
    Some(match reason {
        "Suspended" => 1,
        "ProviderNotReady" => 2,
        "WrongAccount" => 3,
        "AccountConflict" => 4,
        "Pending" | "ObservationStale" => 5,
        "AccountClosed" => 6,
        "OfferInPlace" => 7,
        "UpgradeAccepted" | "ConversionOverdue" => 8,
        "VerifyingUpgrade" => 9,
        "UpgradeUnresolved" => 10,
        "UpgradeContradicted" => 11,
        "Observing" => 12,
        "NotEligible" => 13,
        "UpgradeDenied" => 14,
        "BenefitsUnknown" => 15,
        "WaitingForExhaustion" => 16,
        "AwaitingApproval" | "ApprovalPolicyMissing" => 17,
        "AwaitingPortalUpgrade" => 18,
        "UpgradeRejected" => 19,
        "UpgradeHeld" => 20,
        "Upgrading" | "LedgerUnavailable" => 21,
        _ => return None,
    })
}

/// The rows in their order.
pub const ALL: [Row; 21] = [
    Row { holds: "Neither is it suspended, nor it or its namespace being deleted", evidence: suspended },
    Row { holds: "Nothing is missing or wrong with its BillingProvider", evidence: provider },
    Row { holds: "The credentials are for this account", evidence: owner },
    Row { holds: "No older Subscription has the account", evidence: claimed },
    Row { holds: "The account can be read", evidence: observed },
    Row { holds: "The account is not closed", evidence: lifecycle },
    Row { holds: "The account is not on pay-as-you-go yet", evidence: offer },
    Row { holds: "No upgrade has been accepted yet", evidence: accepted },
    Row { holds: "No request is on its way", evidence: record },
    Row { holds: "No request has an outcome that nobody knows", evidence: unresolved },
    Row { holds: "No record says that the account was upgraded", evidence: nothing },
    Row { holds: "An upgrade is wanted", evidence: wanted },
    Row { holds: "There is an upgrade from this offer", evidence: transition },
    Row { holds: "Nobody has denied it", evidence: denied },
    Row { holds: "What the trigger needs is known", evidence: nothing },
    Row { holds: "It is time: the trigger is met, beyond doubt", evidence: benefits },
    Row { holds: "Whoever must approve has approved", evidence: approved },
    Row { holds: "The operator can request the upgrade itself", evidence: method },
    Row { holds: "No pause after a refusal is on", evidence: refused },
    Row { holds: "The operator is neither dry nor at its cap", evidence: nothing },
    Row { holds: "All clear", evidence: nothing },
];

/// Whether row `number` holds, which the decision has gone past. It goes past some that do not hold, to look after what may
/// have been requested, or to tell what another attempt waits for. `None` if this user may not read what would tell.
pub fn holds(number: usize, known: &Known) -> Option<bool> {
    match number {
        1 => Some(suspended(known).is_empty()),
        9 => no_record(known, Record::is_open),
        10 => no_record(known, Record::is_unresolved),
        _ => Some(true),
    }
}

/// Whether there is no record that `is` so. Of one that cannot be read, the status tells whether it leaves something in doubt.
fn no_record(known: &Known, is: fn(&Record) -> bool) -> Option<bool> {
    let is_in_doubt = || show::condition(&known.subscription, "Upgraded").is_some_and(|said| said.status == "Unknown");
    match &known.record {
        Ok(record) => Some(!record.as_ref().map(parse::record).is_some_and(|record| is(&record))),
        Err(_) => (!is_in_doubt()).then_some(true),
    }
}

fn nothing(_: &Known) -> Vec<String> {
    Vec::new()
}

fn suspended(known: &Known) -> Vec<String> {
    let subscription = &known.subscription;
    let suspend = subscription.spec.suspend.unwrap_or(false).then(|| "spec.suspend: true".to_owned());
    let deleted = subscription.metadata.deletion_timestamp.as_ref();
    suspend.into_iter().chain(deleted.map(|time| format!("it is being deleted since {}", time.0))).collect()
}

fn provider(known: &Known) -> Vec<String> {
    let name = &known.subscription.spec.provider_name;
    vec![match &known.provider {
        Err(why) => format!("BillingProvider {name}: {why}"),
        Ok(None) => format!("there is no BillingProvider {name}"),
        Ok(Some(provider)) => {
            let conditions = provider.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
            let said = conditions::find(conditions, "Ready");
            let said = said
                .map_or_else(|| "not looked at yet".to_owned(), |ready| format!("{}: {}", ready.reason, ready.message));
            format!("BillingProvider {name}: {said}")
        }
    }]
}

fn owner(known: &Known) -> Vec<String> {
    let account = known.subscription.status.as_ref().and_then(|status| status.account.as_ref());
    let owner = account.and_then(|account| account.owner_tenant_id.as_deref());
    owner.map(|owner| format!("the account belongs to tenant {owner}")).into_iter().collect()
}

/// Who has the account, where several Subscriptions name it.
fn claimed(known: &Known) -> Vec<String> {
    show::condition(&known.subscription, "Claimed").map(|said| said.message.clone()).into_iter().collect()
}

fn observed(known: &Known) -> Vec<String> {
    let status = known.subscription.status.clone().unwrap_or_default();
    let said = show::condition(&known.subscription, "Observed").map(|said| said.message.clone());
    let last = status.last_observed_time.map(|time| format!("looked at: {time}"));
    let next = status.next_check_time.map(|time| format!("next look: {time}"));
    said.into_iter().chain(last).chain(next).collect()
}

fn lifecycle(known: &Known) -> Vec<String> {
    let account = known.subscription.status.as_ref().and_then(|status| status.account.as_ref());
    let lifecycle = account.and_then(|account| account.lifecycle.as_deref());
    lifecycle.map(|lifecycle| format!("it is {lifecycle}")).into_iter().collect()
}

fn offer(known: &Known) -> Vec<String> {
    let offer = known.subscription.status.as_ref().and_then(|status| status.offer.as_ref());
    let said = offer.map(|seen| {
        let source = seen.source.as_deref().map_or_else(String::new, |source| format!(", by {source}"));
        let time = seen.as_of_time.map_or_else(String::new, |time| format!(", as of {time}"));
        format!("it is on {}{source}{time}", show::offer(&seen.offer))
    });
    said.into_iter().collect()
}

fn accepted(known: &Known) -> Vec<String> {
    let upgrade = known.subscription.status.as_ref().and_then(|status| status.upgrade.as_ref());
    let time = upgrade.and_then(|upgrade| upgrade.accept_time);
    time.map(|time| format!("it has shown as accepted since {time}")).into_iter().collect()
}

fn record(known: &Known) -> Vec<String> {
    match &known.record {
        Err(why) => vec![format!("its UpgradeRecord: {why}")],
        Ok(None) => vec!["there is no UpgradeRecord: nothing was ever requested".to_owned()],
        Ok(Some(record)) => vec![of_record(record)],
    }
}

fn of_record(record: &UpgradeRecord) -> String {
    let name = record.metadata.name.as_deref().unwrap_or_default();
    let status = record.status.clone().unwrap_or_default();
    let attempts = match status.attempts.len() {
        0 | 1 => "one attempt".to_owned(),
        several => format!("{several} attempts"),
    };
    let state = status.state.as_deref().unwrap_or("perhaps sent, without an outcome").to_owned();
    let outcome = status.outcome.as_deref().map_or_else(String::new, |outcome| format!(": {outcome}"));
    format!("UpgradeRecord {name}, {attempts}: {state}{outcome}")
}

/// What the provider or the operator said at last, where a person must decide.
fn unresolved(known: &Known) -> Vec<String> {
    let Ok(Some(record)) = &known.record else { return Vec::new() };
    let last = parse::record(record).is_unresolved().then(|| of_record(record));
    last.into_iter().collect()
}

fn wanted(known: &Known) -> Vec<String> {
    vec![show::wish(&known.subscription)]
}

fn transition(known: &Known) -> Vec<String> {
    let transition = known.subscription.status.as_ref().and_then(|status| status.transition.as_ref());
    let said = transition.map(|transition| {
        let (from, to) = (show::offer(&transition.from), show::offer(&transition.to));
        format!("{from} -> {to}, hash {}", transition.hash)
    });
    said.into_iter().collect()
}

/// What people have said, so far as it is `wanted`.
fn said(known: &Known, wanted: fn(Decision) -> bool) -> Vec<String> {
    match &known.said {
        Err(why) => vec![format!("the approvals: {why}")],
        Ok(said) => said.iter().filter(|one| wanted(one.spec.decision)).map(show::word).collect(),
    }
}

fn denied(known: &Known) -> Vec<String> {
    said(known, |decision| decision == Decision::Deny)
}

fn benefits(known: &Known) -> Vec<String> {
    let status = known.subscription.status.clone().unwrap_or_default();
    let benefits = status.benefits.iter().map(|benefit| {
        let time = benefit.as_of_time.map_or_else(String::new, |time| format!(", as of {time}"));
        format!("{}; by {}{time}", show::benefit(benefit), &*benefit.source)
    });
    let forecast = status.forecast.and_then(|forecast| forecast.exhaustion_time);
    let forecast = forecast.map(|end| format!("used up, by the forecast: {end} (that alone upgrades nothing)"));
    [show::wish(&known.subscription)].into_iter().chain(benefits).chain(forecast).collect()
}

fn approved(known: &Known) -> Vec<String> {
    let hash = known.subscription.status.as_ref().and_then(|status| status.transition.as_ref());
    let hash = hash.map(|transition| format!("the hash to approve is {}", transition.hash));
    hash.into_iter().chain(said(known, |decision| decision != Decision::Deny)).collect()
}

fn method(known: &Known) -> Vec<String> {
    let Ok(Some(provider)) = &known.provider else { return Vec::new() };
    let url = known.subscription.status.as_ref().and_then(|status| status.upgrade.as_ref()?.action_url.clone());
    let method = match &provider.spec {
        BillingProviderSpec::Azure(azure) => Some(format!("upgradeMethod: {:?}", azure.upgrade_method)),
        BillingProviderSpec::Aws(_) => None,
    };
    method.into_iter().chain(url.map(|url| format!("a person does it at {url}"))).collect()
}

fn refused(known: &Known) -> Vec<String> {
    let upgrade = known.subscription.status.as_ref().and_then(|status| status.upgrade.as_ref());
    let message = upgrade.and_then(|upgrade| upgrade.message.as_ref());
    message.map(|message| format!("the last attempt: {message}")).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The reasons in the third column of the table in docs/reference/decisions.md.
    #[test]
    fn the_rows_are_those_of_the_documentation() {
        let table = include_str!("../../../docs/reference/decisions.md");
        let mut checked = std::collections::BTreeSet::new();
        for line in table.lines() {
            let cells: Vec<_> = line.split('|').map(str::trim).collect();
            let [_, number, _, ready, ..] = cells.as_slice() else { continue };
            let Ok(number) = number.parse::<usize>() else { continue };
            for (index, word) in ready.split('`').enumerate() {
                // A reason, and not a condition or a line of a manifest.
                let is_reason = index % 2 == 1 && word.chars().all(char::is_alphanumeric);
                if !is_reason || matches!(word, "Ready" | "Observed") {
                    continue;
                }
                // The second line of row 19 ends where row 10 does.
                let expected = if (number, word) == (19, "UpgradeUnresolved") { 10 } else { number };
                assert_eq!(of(word), Some(expected), "{word}");
                checked.insert(expected);
            }
        }
        assert_eq!(checked, (1..=ALL.len()).collect());
    }
}
