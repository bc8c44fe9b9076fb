//! One reconcile of a record that no Subscription looks after: it is gone, or does not see the account. The account is
//! observed and the record closed; nothing is ever sent for it.

use std::time::Duration;

use futures::{FutureExt, StreamExt, stream};
use kube::api::ListParams;
use kube::core::DeserializeGuard;
use kube::{Api, Resource};
use payg_api as api;
use payg_api::conditions;
use payg_core::account::AccountId;
use payg_core::decide::{Note, orphan, wants_progress};
use payg_core::inputs::Now;
use payg_core::observation::Observation;
use payg_core::provider::Operation;
use payg_core::reason::{ConditionType, Reason};
use payg_core::record::Record;
use payg_runtime::ObjectKey;
use payg_runtime::queue::Requeue;
use tokio::time::timeout;
use tracing::info;

use crate::operator::clouds::Provider;
use crate::operator::parse;
use crate::operator::reads;
use crate::operator::status::report;
use crate::operator::{OBSERVE_DEADLINE, Operator, Work};

/// The pause when one answer did not show the record.
const SOON: Duration = Duration::from_secs(5);
/// The pause while nobody can look, or nobody needs to.
const LATER: Duration = Duration::from_mins(5);
/// Through how many BillingProviders the account is observed at once.
const OBSERVATIONS_AT_ONCE: usize = 8;
/// How long all observations of one account may take together, so that the reconcile has time to ask about the operation and to report.
const OBSERVATIONS_DEADLINE: Duration = Duration::from_secs(45);

/// A reconcile of the record called `name`.
pub async fn reconcile(operator: &Operator, name: &str) -> kube::Result<Requeue> {
    let Some(stored) = operator.ledger.get(name).await? else {
        operator.metrics.unwatched(name, false);
        // The watch will tell of its end, too. Until it does, this answer may be one from before the record was made.
        return Ok(if operator.index().has_record(name) { Requeue::After(SOON) } else { Requeue::OnChange });
    };
    let record = parse::record(&stored);
    let account = AccountId::parse(&stored.spec.account.cloud, &stored.spec.account.id);
    if !(record.is_open() || record.is_unresolved()) {
        operator.metrics.unwatched(name, false);
        return Ok(Requeue::OnChange);
    }
    let coverage = match &account {
        Some(account) => coverage(operator, account).await?,
        None => Coverage::None,
    };
    if coverage == Coverage::Sees {
        operator.metrics.unwatched(name, false);
        return Ok(Requeue::After(LATER));
    }
    let seen = match &account {
        Some(account) => observation(operator, &stored, &record, account).await?,
        None => None,
    };
    let Some((seen, operation)) = seen else {
        operator.metrics.unwatched(name, true);
        report::warning(operator, &stored, Reason::RecordUnwatched, UNWATCHED).await;
        return Ok(Requeue::After(LATER));
    };
    operator.metrics.unwatched(name, false);
    let is_claimed = coverage == Coverage::Exists;
    let clock = operator.settings.clock;
    let now = Now { billing: clock.billing(), wall: operator.wall() };
    let note = orphan::note(&record, &seen, operation.as_ref(), is_claimed, now.wall);
    if let Some(note) = &note {
        info!(record = name, ?note, "a record that no Subscription looks after was settled by observation");
        operator.ledger.note(&stored, note).await?;
    }
    if let Some(Note::Unresolved(why)) = &note {
        let text = format!("{UNRESOLVED}, because {}.", why.because());
        report::warning(operator, &stored, Reason::UpgradeUnresolved, &text).await;
    }
    Ok(report::next(orphan::next(&record, note.as_ref(), operation.as_ref(), now), clock))
}

const UNWATCHED: &str = "An upgrade may have been requested, no Subscription sees the account any more, and no \
    BillingProvider of the namespace that asked for it does. Look at the account in the provider's portal, or bring the \
    Subscription and its BillingProvider back.";

const UNRESOLVED: &str = "No Subscription manages this upgrade any more. Check the account in the provider's portal: \
    it is not known whether it was upgraded";

/// What the Subscriptions of an account do for its record.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Coverage {
    /// One sees the account, and so looks after the record.
    Sees,
    /// There is one, and none sees the account for now.
    Exists,
    /// There is none.
    None,
}

async fn coverage(operator: &Operator, account: &AccountId) -> kube::Result<Coverage> {
    let mut coverage = Coverage::None;
    let claimants = operator.index().of_account(account);
    for key in claimants {
        let api: Api<DeserializeGuard<api::Subscription>> = operator.namespaced(&key);
        let Some(DeserializeGuard(claimant)) = api.get_opt(&key.name).await? else { continue };
        coverage = Coverage::Exists;
        let Ok(claimant) = claimant else { continue };
        let conditions = claimant.status.map(|status| status.conditions).unwrap_or_default();
        let holds = |type_| conditions::find(&conditions, type_).is_some_and(|said| said.status == "True");
        let ready = conditions::find(&conditions, ConditionType::Ready).and_then(|ready| ready.reason.parse().ok());
        if ready.is_some_and(orphan::may_have_missed) {
            // The reconcile that said so did not see the record, which may have come to be later.
            operator.queue.add(Work::Subscription(key));
        }
        if orphan::looks_after(holds(ConditionType::Observed), ready) {
            return Ok(Coverage::Sees);
        }
    }
    Ok(coverage)
}

/// An observation of the account through any BillingProvider of the namespace that asked for the upgrade, and how far the upgrade
/// has come.
async fn observation(
    operator: &Operator,
    stored: &api::UpgradeRecord,
    record: &Record,
    account: &AccountId,
) -> kube::Result<Option<(Observation, Option<Operation>)>> {
    let namespace = &stored.spec.requester.namespace;
    let api: Api<DeserializeGuard<api::BillingProvider>> = Api::namespaced(operator.client.clone(), namespace);
    let name = |provider: DeserializeGuard<api::BillingProvider>| Some(ObjectKey::of(provider.meta()));
    let providers = reads::list(&api, ListParams::default(), name).await?;
    let looks = providers.into_iter().map(|key| look_through(operator, key, account).boxed());
    // Several at once, so that one that hangs keeps nobody from the others.
    let mut looks = stream::iter(looks).buffer_unordered(OBSERVATIONS_AT_ONCE);
    let mut unread = None;
    let first = async {
        while let Some(observation) = looks.next().await {
            match observation {
                Ok(Some(found)) => return Some(found),
                Ok(None) => {}
                Err(error) => unread = Some(error),
            }
        }
        None
    };
    let Some((provider, seen)) = timeout(OBSERVATIONS_DEADLINE, first).await.unwrap_or_default() else {
        return unread.map_or(Ok(None), Err);
    };
    let operation = match wants_progress(Some(record), &seen) {
        Some(operation) => Some(provider.client.progress(account, operation, OBSERVE_DEADLINE).await),
        None => None,
    };
    Ok(Some((seen, operation)))
}

/// An observation of the account through the BillingProvider at `key`, if that sees it: one of another cloud does not.
async fn look_through(
    operator: &Operator,
    key: ObjectKey,
    account: &AccountId,
) -> kube::Result<Option<(Provider, Observation)>> {
    let Ok(provider) = operator.providers.get(&key).await? else { return Ok(None) };
    provider.rate_limit().await;
    let clock = operator.settings.clock;
    let seen = provider.client.observe(account, &|| clock.billing(), OBSERVE_DEADLINE).await;
    Ok(seen.ok().map(|seen| (provider, seen)))
}
