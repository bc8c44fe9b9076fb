//! One pass over a record that no Subscription looks after: it is gone, or does not see the account. The account is
//! observed and the record closed; nothing is ever sent for it.

use std::time::Duration;

use jiff::Timestamp;
use kube::core::DeserializeGuard;
use kube::{Api, ResourceExt};
use tracing::info;

use crate::api;
use crate::api::conditions;
use crate::core::account::AccountId;
use crate::core::decide::orphan;
use crate::core::observation::Observation;
use crate::core::record::RecordState;
use crate::core::schedule::while_verifying;
use crate::runtime::ObjectKey;
use crate::runtime::queue::Next;

use super::{LOOK_DEADLINE, Operator, parse, report};

/// The pause after something was written into a record.
const SOON: Duration = Duration::from_secs(5);
/// The pause while nobody can look, or nobody needs to.
const LATER: Duration = Duration::from_mins(5);

/// A pass over the record called `name`.
pub async fn pass(operator: &Operator, name: &str) -> kube::Result<Next> {
    let Some(stored) = operator.ledger.get(name).await? else {
        operator.metrics.unwatched(name, false);
        return Ok(Next::OnChange);
    };
    let record = parse::record(&stored);
    let account = AccountId::parse(&stored.spec.account.cloud, &stored.spec.account.id);
    if !(record.is_open() || record.is_unresolved()) {
        operator.metrics.unwatched(name, false);
        return Ok(Next::OnChange);
    }
    if let Some(account) = &account
        && is_looked_after(operator, account).await?
    {
        operator.metrics.unwatched(name, false);
        return Ok(Next::After(LATER));
    }
    let seen = match &account {
        Some(account) => look(operator, &stored, account).await?,
        None => None,
    };
    let Some(seen) = seen else {
        operator.metrics.unwatched(name, true);
        report::warning(operator, &stored, "RecordUnwatched", UNWATCHED).await;
        return Ok(Next::After(LATER));
    };
    operator.metrics.unwatched(name, false);
    if let Some(note) = orphan(&record, &seen, Timestamp::now()) {
        info!(record = name, ?note, "a record whose Subscription is gone was settled by observation");
        operator.ledger.note(&stored, note).await?;
        return Ok(Next::After(SOON));
    }
    let clock = operator.settings.clock;
    Ok(Next::After(match record.state {
        RecordState::Intended | RecordState::Unknown => while_verifying(record.settled_at(), Timestamp::now()),
        // The provider takes its time, by the calendar of billing.
        _ => clock.wall_until(clock.now().saturating_add(LATER).unwrap_or(Timestamp::MAX)),
    }))
}

const UNWATCHED: &str = "An upgrade may have been requested, no Subscription sees the account any more, and no \
    BillingProvider of the namespace that asked for it does. Look at the account in the provider's portal, or bring the \
    Subscription and its BillingProvider back.";

/// Whether a Subscription of the account sees it, and so looks after its record.
async fn is_looked_after(operator: &Operator, account: &AccountId) -> kube::Result<bool> {
    let claimants = operator.index().of_account(account);
    for key in claimants {
        let api: Api<DeserializeGuard<api::Subscription>> = operator.namespaced(&key);
        let Some(DeserializeGuard(Ok(claimant))) = api.get_opt(&key.name).await? else { continue };
        let conditions = claimant.status.map(|status| status.conditions).unwrap_or_default();
        let sees = conditions::find(&conditions, "Observed").is_some_and(|observed| observed.status == "True");
        let conflict = conditions::find(&conditions, "Ready").is_some_and(|ready| ready.reason == "AccountConflict");
        if sees && !conflict {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A look at the account through any BillingProvider of the namespace that asked for the upgrade.
async fn look(
    operator: &Operator,
    stored: &api::UpgradeRecord,
    account: &AccountId,
) -> kube::Result<Option<Observation>> {
    let namespace = &stored.spec.requester.namespace;
    let api: Api<kube::core::PartialObjectMeta<api::BillingProvider>> =
        Api::namespaced(operator.client.clone(), namespace);
    for provider in api.list_metadata(&kube::api::ListParams::default()).await?.items {
        let key = ObjectKey::namespaced(namespace, &provider.name_any());
        let Ok(provider) = operator.providers.get(&key).await? else { continue };
        if provider.client.capabilities(account).is_err() {
            continue; // of another cloud
        }
        provider.pace().await;
        let clock = operator.settings.clock;
        if let Ok(seen) = provider.client.observe(account, &|| clock.now(), LOOK_DEADLINE).await {
            return Ok(Some(seen));
        }
    }
    Ok(None)
}
