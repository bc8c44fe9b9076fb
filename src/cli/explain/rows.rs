//! What is known of each row of the decision table.

use crate::operator::parse;
use payg_api::{BillingProviderSpec, Decision, UpgradeRecord, conditions};
use payg_core::decide::ROWS;
use payg_core::reason::ConditionType;
use payg_core::record::Record;

use super::super::show;
use super::Known;

/// What is known of each row, in lines, in the order of the table.
pub const EVIDENCE: [fn(&Known) -> Vec<String>; ROWS.len()] = [
    suspended, provider, owner, claimed, observed, lifecycle, offer, accepted, record, unresolved, nothing, wanted,
    transition, denied, nothing, benefits, approved, method, refused, nothing, nothing,
];

/// Whether row `number` holds, which the decision has passed. It passes some that do not hold, to follow what may
/// have been requested, or to say what another attempt waits for. `None` if this user may not read what would show it.
pub fn holds(number: u8, known: &Known) -> Option<bool> {
    match number {
        1 => Some(suspended(known).is_empty()),
        9 => no_record(known, Record::is_open),
        10 => no_record(known, Record::is_unresolved),
        _ => Some(true),
    }
}

/// Whether there is no record that `is` so. If the record cannot be read, the status shows whether it leaves something in doubt.
fn no_record(known: &Known, is: fn(&Record) -> bool) -> Option<bool> {
    let is_in_doubt =
        || show::condition(&known.subscription, ConditionType::Upgraded).is_some_and(|said| said.status == "Unknown");
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
    suspend.into_iter().chain(deleted.map(|time| format!("being deleted since {}", time.0))).collect()
}

fn provider(known: &Known) -> Vec<String> {
    let name = &known.subscription.spec.provider_name;
    vec![match &known.provider {
        Err(why) => format!("BillingProvider {name}: {why}"),
        Ok(None) => format!("there is no BillingProvider {name}"),
        Ok(Some(provider)) => {
            let conditions = provider.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
            let said = conditions::find(conditions, ConditionType::Ready);
            let said = said
                .map_or_else(|| "not checked yet".to_owned(), |ready| format!("{}: {}", ready.reason, ready.message));
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
    show::condition(&known.subscription, ConditionType::Claimed).map(|said| said.message.clone()).into_iter().collect()
}

fn observed(known: &Known) -> Vec<String> {
    let status = known.subscription.status.clone().unwrap_or_default();
    let said = show::condition(&known.subscription, ConditionType::Observed).map(|said| said.message.clone());
    let last = status.last_observed_time.map(|time| format!("last read: {time}"));
    let next = status.next_check_time.map(|time| format!("next read: {time}"));
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
    time.map(|time| format!("the account has shown the upgrade as accepted since {time}")).into_iter().collect()
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
    let state = status.state.as_deref().unwrap_or("possibly sent, no outcome yet").to_owned();
    let outcome = status.outcome.as_deref().map_or_else(String::new, |outcome| format!(": {outcome}"));
    format!("UpgradeRecord {name}, {attempts}: {state}{outcome}")
}

/// The last message of the provider or the operator, if a person must decide.
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

/// The approvals whose decision is `wanted`.
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
    let forecast = show::exhaustion(&status).map(|(end, is_over)| {
        if is_over {
            format!("used up since {end}")
        } else {
            format!("expected exhaustion: {end} (a forecast alone never triggers an upgrade)")
        }
    });
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
    method.into_iter().chain(url.map(|url| format!("a person upgrades the account at {url}"))).collect()
}

fn refused(known: &Known) -> Vec<String> {
    let upgrade = known.subscription.status.as_ref().and_then(|status| status.upgrade.as_ref());
    let message = upgrade.and_then(|upgrade| upgrade.message.as_ref());
    message.map(|message| format!("the last attempt: {message}")).into_iter().collect()
}
