//! One pass over one Subscription: read → observe → decide → act → report.

use jiff::Timestamp;
use kube::api::ListParams;
use kube::core::DeserializeGuard;
use kube::{Api, ResourceExt};
use tracing::{info, warn};

use crate::api;
use crate::core::account::AccountId;
use crate::core::approval::{Approval, Decision as Said};
use crate::core::decide::{self, Allowance, Decision, Effect, Inputs, Now, Plan, decide};
use crate::core::desired::{Claimant, Desired};
use crate::core::observation::Observation;
use crate::core::provider::ProviderError;
use crate::core::record::{CALL_DEADLINE, Record, RecordState};
use crate::providers::{BillingProvider, UpgradeRequest};
use crate::runtime::ObjectKey;
use crate::runtime::queue::Next;

use super::ledger::Claim;
use super::providers::Provider;
use super::{LOOK_DEADLINE, Operator, parse, policy, report};

/// What was read for a pass, live.
struct Read {
    subscription: api::Subscription,
    desired: Desired,
    subject: Claimant,
    provider: Result<Provider, ProviderError>,
    claimants: Vec<Claimant>,
    record: Option<StoredRecord>,
    approvals: Vec<Approval>,
    approvals_trusted: bool,
}

/// The ledger's entry, as it is stored and as decisions see it.
struct StoredRecord {
    /// `None` if it cannot be read; then nothing is ever written to it.
    stored: Option<api::UpgradeRecord>,
    understood: Record,
}

/// A pass over the Subscription at `key`.
pub async fn pass(operator: &Operator, key: &ObjectKey) -> kube::Result<Next> {
    let subscriptions: Api<DeserializeGuard<api::Subscription>> = operator.namespaced(key);
    let subscription = match subscriptions.get_opt(&key.name).await? {
        None => return Ok(Next::OnChange),
        Some(DeserializeGuard(Ok(subscription))) => subscription,
        Some(DeserializeGuard(Err(invalid))) => {
            report::invalid(operator, key, &invalid.metadata, &invalid.error.to_string()).await?;
            return Ok(Next::OnChange);
        }
    };
    let desired = match parse::desired(&subscription.spec) {
        Ok(desired) => desired,
        Err(invalid) => {
            report::invalid(operator, key, &subscription.metadata, &invalid.to_string()).await?;
            return Ok(Next::OnChange);
        }
    };
    let read = read(operator, subscription, desired).await?;
    let look = observe(operator, &read).await;
    let inputs = inputs(operator, &read, look);
    let decision = decide(&inputs);
    let record = act(operator, &read, &decision).await?;
    let record = record.or(inputs.record);
    report::subscription(operator, &read.subscription, &decision, record.as_ref()).await
}

async fn read(operator: &Operator, subscription: api::Subscription, desired: Desired) -> kube::Result<Read> {
    let subject = parse::claimant(&subscription);
    let provider_key = ObjectKey::namespaced(&subject.namespace, &subscription.spec.provider_name);
    let (record, claimants, approvals) = tokio::try_join!(
        read_record(operator, &desired.account),
        read_claimants(operator, &desired.account, &subject),
        read_approvals(operator, &subject),
    )?;
    // Nothing is asked of a provider on behalf of a Subscription that is suspended.
    let provider = if decide::wants_look(&desired, record.as_ref().map(|record| &record.understood)) {
        operator.providers.get(&provider_key).await?
    } else {
        Err(ProviderError::Config { detail: "not needed".to_owned() })
    };
    let approvals_trusted = approvals.is_empty() || policy::is_in_force(&operator.client).await;
    Ok(Read { subscription, desired, subject, provider, claimants, record, approvals, approvals_trusted })
}

async fn read_record(operator: &Operator, account: &AccountId) -> kube::Result<Option<StoredRecord>> {
    match operator.ledger.read(account).await {
        Ok(stored) => {
            Ok(stored.map(|stored| StoredRecord { understood: parse::record(&stored), stored: Some(stored) }))
        }
        // What is there and cannot be read may be anything: nothing is asked for on it.
        Err(kube::Error::SerdeError(error)) => {
            warn!(%account, %error, "the upgrade record cannot be read");
            let understood = Record {
                name: account.upgrade_key().record_name(),
                state: RecordState::Other("unreadable".to_owned()),
                requester_uid: String::new(),
                endpoint: None,
                attempts: Vec::new(),
            };
            Ok(Some(StoredRecord { stored: None, understood }))
        }
        Err(error) => Err(error),
    }
}

/// The other Subscriptions of the account: found in memory, read live.
async fn read_claimants(operator: &Operator, account: &AccountId, subject: &Claimant) -> kube::Result<Vec<Claimant>> {
    let mut claimants = Vec::new();
    let keys = operator.index().of_account(account);
    for key in keys {
        let api: Api<DeserializeGuard<api::Subscription>> = operator.namespaced(&key);
        let Some(DeserializeGuard(Ok(other))) = api.get_opt(&key.name).await? else { continue };
        let same_account = parse::account(&other.spec.account).is_ok_and(|theirs| &theirs == account);
        if same_account && other.uid().as_deref() != Some(&subject.uid) {
            claimants.push(parse::claimant(&other));
        }
    }
    Ok(claimants)
}

async fn read_approvals(operator: &Operator, subject: &Claimant) -> kube::Result<Vec<Approval>> {
    let api: Api<DeserializeGuard<api::UpgradeApproval>> = Api::namespaced(operator.client.clone(), &subject.namespace);
    let params = ListParams::default().fields(&format!("spec.subscriptionName={}", subject.name));
    Ok(api.list(&params).await?.items.into_iter().map(understood).collect())
}

/// An approval that cannot be read may be a Deny, so it is taken for one.
fn understood(approval: DeserializeGuard<api::UpgradeApproval>) -> Approval {
    approval.0.map_or_else(
        |invalid| Approval {
            expires: None,
            uid: invalid.metadata.uid.unwrap_or_default(),
            name: invalid.metadata.name.unwrap_or_default(),
            approver: "Somebody, in an object that cannot be read,".to_owned(),
            transition_hash: String::new(),
            decision: Said::Deny,
        },
        |approval| parse::approval(&approval),
    )
}

async fn observe(operator: &Operator, read: &Read) -> Option<Result<Observation, ProviderError>> {
    let provider = read.provider.as_ref().ok()?;
    provider.pace().await;
    let clock = operator.settings.clock;
    let look = provider.client.observe(&read.desired.account, &|| clock.now(), LOOK_DEADLINE).await;
    operator.metrics.read(look.as_ref().map_or_else(ProviderError::reason, |_| "Observed"));
    Some(look)
}

fn inputs(operator: &Operator, read: &Read, look: Option<Result<Observation, ProviderError>>) -> Inputs {
    let now = Now { billing: operator.settings.clock.now(), wall: Timestamp::now() };
    Inputs {
        desired: read.desired.clone(),
        subject: read.subject.clone(),
        provider: match &read.provider {
            Ok(provider) => provider.client.capabilities(&read.desired.account),
            Err(error) => Err(error.clone()),
        },
        look,
        claimants: read.claimants.clone(),
        previous: read.subscription.status.as_ref().map(parse::previous).unwrap_or_default(),
        record: read.record.as_ref().map(|record| record.understood.clone()),
        approvals: read.approvals.clone(),
        approvals_trusted: read.approvals_trusted,
        allowance: Allowance {
            dry_run: operator.settings.dry_run,
            per_hour: operator.settings.upgrades_per_hour,
            last_hour: operator.index().requests_within_an_hour(now.wall),
        },
        now,
    }
}

/// Does what was decided, and returns the record where it has changed.
async fn act(operator: &Operator, read: &Read, decision: &Decision) -> kube::Result<Option<Record>> {
    let (Some(effect), Ok(provider)) = (&decision.effect, &read.provider) else { return Ok(None) };
    let stored = read.record.as_ref().and_then(|record| record.stored.as_ref());
    let (claim, plan) = match (effect, stored) {
        (Effect::Note(note), Some(stored)) => {
            operator.ledger.note(stored, *note).await?;
            return Ok(None);
        }
        (Effect::Upgrade(plan), None) => (claim(operator, read, None, plan).await, plan),
        (Effect::Again { number, plan }, Some(stored)) => {
            (claim(operator, read, Some((stored, *number)), plan).await, plan)
        }
        // A record that cannot be read is never written to.
        _ => return Ok(None),
    };
    match claim {
        Ok(Some(claim)) => {
            Ok(Some(send(operator, &read.desired.account, provider.client.as_ref(), &claim, plan).await))
        }
        Ok(None) => Ok(None),
        Err(error) => {
            let text = format!("The upgrade was not requested, as its record could not be written: {error}");
            report::warning(operator, &read.subscription, "LedgerUnavailable", &text).await;
            Err(error)
        }
    }
}

/// Takes the right to send one attempt. One at a time, so that the cap per hour is exact.
async fn claim(
    operator: &Operator,
    read: &Read,
    again: Option<(&api::UpgradeRecord, u32)>,
    plan: &Plan,
) -> kube::Result<Option<Claim>> {
    let _one_at_a_time = operator.claiming.lock().await;
    if operator.index().requests_within_an_hour(Timestamp::now()) >= operator.settings.upgrades_per_hour {
        return Ok(None);
    }
    let claim = match again {
        None => operator.ledger.open(&read.desired.account, &read.subject, plan).await?,
        Some((stored, number)) => operator.ledger.open_again(stored, number, plan).await?,
    };
    if let Some(claim) = &claim {
        operator.index().add_request(&claim.record.name_any(), claim.not_after);
    }
    Ok(claim)
}

/// Sends the attempt that `claim` is the right to, and writes how it ended.
async fn send(
    operator: &Operator,
    account: &AccountId,
    client: &dyn BillingProvider,
    claim: &Claim,
    plan: &Plan,
) -> Record {
    let sent = Timestamp::now();
    let key = account.upgrade_key().idempotency_key();
    info!(%account, record = claim.record.name_any(), attempt = claim.number, "requesting the upgrade");
    let request =
        UpgradeRequest { transition: &plan.transition, key, not_after: claim.not_after, deadline: CALL_DEADLINE };
    let answer = client.upgrade(account, request).await;
    let outcome = operator.ledger.close(claim, sent, &answer).await;
    operator.metrics.attempt(outcome.name());
    info!(%account, record = claim.record.name_any(), outcome = outcome.name(), "the upgrade was requested");
    parse::record(&claim.record)
}
