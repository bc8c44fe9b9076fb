//! One reconcile of one Subscription: read → observe → decide → act → report.

use std::time::Duration;

use jiff::Timestamp;
use kube::api::ListParams;
use kube::core::DeserializeGuard;
use kube::{Api, ResourceExt};
use payg_api as api;
use payg_core::account::AccountId;
use payg_core::allowance::Allowance;
use payg_core::approval::{Approval, Decision as Said, PolicyCheck};
use payg_core::decide::{self, Acted, Decision, Effect, UpgradeOrder, decide};
use payg_core::desired::{ApprovalMode, Claimant, Desired, Lapse, Suspension};
use payg_core::inputs::{Inputs, Now};
use payg_core::observation::Observation;
use payg_core::provider::{Operation, ProviderError};
use payg_core::reason::Reason;
use payg_core::record::{CALL_DEADLINE, Record, RecordState};
use payg_providers::{BillingProvider, UpgradeRequest};
use payg_runtime::ObjectKey;
use payg_runtime::queue::Requeue;
use tracing::{info, warn};

use crate::operator::clouds::Provider;
use crate::operator::index::Request;
use crate::operator::ledger::Claim;
use crate::operator::parse;
use crate::operator::policy::{self, Demands};
use crate::operator::reads;
use crate::operator::status::report;
use crate::operator::{OBSERVE_DEADLINE, Operator, Work};

/// When a Subscription is read again that is gone by one answer, and there by the watch.
const GONE: Duration = Duration::from_secs(15);

/// What was read for a reconcile, live.
struct Read {
    subscription: api::Subscription,
    desired: Desired,
    subject: Claimant,
    provider: Result<Provider, ProviderError>,
    claimants: Vec<Claimant>,
    record: Option<StoredRecord>,
    approvals: Vec<Approval>,
    policy_check: PolicyCheck,
}

/// The ledger's entry, as it is stored and as decisions see it.
struct StoredRecord {
    /// `None` if it cannot be read; then nothing is ever written to it.
    stored: Option<api::UpgradeRecord>,
    understood: Record,
}

/// A reconcile of the Subscription at `key`.
pub async fn reconcile(operator: &Operator, key: &ObjectKey) -> kube::Result<Requeue> {
    let subscriptions: Api<DeserializeGuard<api::Subscription>> = operator.namespaced(key);
    let subscription = match subscriptions.get_opt(&key.name).await? {
        // The watch will tell of the end, too. Until it does, this answer may be one from before the object was made.
        None if operator.index().contains(key) => return Ok(Requeue::After(GONE)),
        None => return Ok(Requeue::OnChange),
        Some(DeserializeGuard(Ok(mut subscription))) => {
            let routes = |label: &str| operator.notices.as_ref().is_some_and(|notices| notices.routes_by_label(label));
            reads::slim(&mut subscription.metadata, routes);
            subscription
        }
        Some(DeserializeGuard(Err(invalid))) => {
            report::invalid(operator, key, &invalid.metadata, &invalid.error).await?;
            return Ok(Requeue::OnChange);
        }
    };
    let desired = match parse::desired(&subscription) {
        Ok(desired) => desired,
        Err(invalid) => {
            report::invalid(operator, key, &subscription.metadata, &invalid.to_string()).await?;
            return Ok(Requeue::OnChange);
        }
    };
    let read = match read(operator, subscription.clone(), desired).await {
        Ok(read) => read,
        Err(error) => {
            let detail = format!("the operator cannot read what it needs from the cluster: {error}");
            let error = ProviderError::Transient { detail };
            let decision = decide::unobserved(&parse::previous(&subscription), operator.wall(), error);
            return report::subscription(operator, &subscription, &decision, None).await;
        }
    };
    let observation = observe(operator, key, &read).await;
    let operation = follow(&read, observation.as_ref()).await;
    let inputs = inputs(operator, &read, observation, operation);
    let decision = decide(&inputs);
    match act(operator, &read, &decision).await? {
        // What was decided does not hold any more.
        Done::Overtaken => Ok(Requeue::After(Duration::from_secs(1))),
        Done::As(acted, record) => {
            let record = record.as_ref().or(inputs.record.as_ref());
            report::subscription(operator, &read.subscription, &decision.after(acted), record).await
        }
    }
}

async fn read(operator: &Operator, subscription: api::Subscription, mut desired: Desired) -> kube::Result<Read> {
    let mut subject = parse::claimant(&subscription);
    let provider_key = provider_key(&ObjectKey::of(&subscription.metadata), &subscription);
    let (record, claimants, approvals, demands) = tokio::try_join!(
        read_record(operator, &desired.account),
        read_claimants(operator, &desired.account, &subject),
        read_approvals(operator, &subject),
        policy::demands(&operator.client, &subject.namespace),
    )?;
    if demands.being_deleted {
        let why = *desired.suspend.get_or_insert(Suspension::NamespaceDeletion);
        subject.yields = Some(Lapse::Suspended(why));
    }
    // Nothing is asked of a provider on behalf of a Subscription that is suspended.
    let provider = if decide::wants_observation(&desired, record.as_ref().map(|record| &record.understood)) {
        operator.providers.get(&provider_key).await?
    } else {
        Err(ProviderError::Config { detail: "not needed".to_owned() })
    };
    let policy_check = read_guard(operator, &desired, &approvals, &demands).await?;
    Ok(Read { subscription, desired, subject, provider, claimants, record, approvals, policy_check })
}

/// What admission makes sure of, if anything depends on it: an approval, or the manifest where the namespace asks whose it is.
async fn read_guard(
    operator: &Operator,
    desired: &Desired,
    approvals: &[Approval],
    demands: &Demands,
) -> kube::Result<PolicyCheck> {
    let by_manifest = desired.approval == ApprovalMode::Automatic && demands.automatic_needs_approve;
    if by_manifest || !approvals.is_empty() {
        return policy::policy_check(&operator.client, demands).await;
    }
    Ok(PolicyCheck::UNREAD)
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
                attempts: Vec::new(),
                outcome: None,
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
    let itself = ObjectKey::namespaced(&subject.namespace, &subject.name);
    // What had its name before it is gone, whatever an answer shows.
    for key in keys.into_iter().filter(|key| *key != itself) {
        let api: Api<DeserializeGuard<api::Subscription>> = operator.namespaced(&key);
        let Some(DeserializeGuard(Ok(other))) = api.get_opt(&key.name).await? else { continue };
        let same_account = parse::account(&other.spec.account).is_ok_and(|theirs| &theirs == account);
        if same_account {
            let mut claimant = parse::claimant(&other);
            // That of the subject is read with the rest.
            if claimant.namespace != subject.namespace
                && policy::demands(&operator.client, &claimant.namespace).await?.being_deleted
            {
                claimant.yields.get_or_insert(Lapse::Suspended(Suspension::NamespaceDeletion));
            }
            claimants.push(claimant);
        }
    }
    Ok(claimants)
}

async fn read_approvals(operator: &Operator, subject: &Claimant) -> kube::Result<Vec<Approval>> {
    let api: Api<DeserializeGuard<api::UpgradeApproval>> = Api::namespaced(operator.client.clone(), &subject.namespace);
    let params = ListParams::default().fields(&format!("spec.subscriptionName={}", subject.name));
    reads::list(&api, params, understood).await
}

/// An approval that cannot be read may be a Deny, so it is taken for one.
fn understood(approval: DeserializeGuard<api::UpgradeApproval>) -> Option<Approval> {
    approval.0.map_or_else(
        |invalid| {
            Some(Approval {
                expires: None,
                created: Timestamp::MIN,
                uid: invalid.metadata.uid.unwrap_or_default(),
                name: invalid.metadata.name.unwrap_or_default(),
                approver: "Someone, in an object that cannot be read,".to_owned(),
                reason: String::new(),
                transition_hash: String::new(),
                decision: Said::Deny,
            })
        },
        |approval| parse::approval(&approval),
    )
}

async fn observe(operator: &Operator, key: &ObjectKey, read: &Read) -> Option<Result<Observation, ProviderError>> {
    let provider = read.provider.as_ref().ok()?;
    let clock = operator.settings.clock;
    let observation = provider.client.observe(&read.desired.account, &|| clock.billing(), OBSERVE_DEADLINE).await;
    operator.metrics.read(observation.as_ref().map_or_else(ProviderError::reason, |_| Reason::Observed));
    if matches!(observation, Err(ProviderError::Unauthenticated { .. })) {
        // A token that was taken back is not to be used until it expires, and the provider is to say so, too.
        let provider = provider_key(key, &read.subscription);
        if operator.providers.renew(&provider) {
            operator.queue.add(Work::Provider(provider));
        }
    }
    Some(observation)
}

/// How far the open upgrade has come by the provider's word, where the account does not show it.
async fn follow(read: &Read, observation: Option<&Result<Observation, ProviderError>>) -> Option<Operation> {
    let (Ok(provider), Some(Ok(seen))) = (&read.provider, observation) else { return None };
    let record = read.record.as_ref().map(|record| &record.understood);
    let operation = decide::wants_progress(record, seen)?;
    Some(provider.client.progress(&read.desired.account, operation, OBSERVE_DEADLINE).await)
}

fn inputs(
    operator: &Operator,
    read: &Read,
    observation: Option<Result<Observation, ProviderError>>,
    operation: Option<Operation>,
) -> Inputs {
    let now = Now { billing: operator.settings.clock.billing(), wall: operator.wall() };
    Inputs {
        desired: read.desired.clone(),
        subject: read.subject.clone(),
        provider: match &read.provider {
            Ok(provider) => provider.client.capabilities(&read.desired.account),
            Err(error) => Err(error.clone()),
        },
        provider_object: read.provider.as_ref().ok().map(|provider| provider.terms.clone()),
        provider_version: read.provider.as_ref().ok().map(Provider::version),
        observation,
        operation,
        claimants: read.claimants.clone(),
        previous: parse::previous(&read.subscription),
        record: read.record.as_ref().map(|record| record.understood.clone()),
        approvals: read.approvals.clone(),
        policy_check: read.policy_check.clone(),
        allowance: allowance(operator, &read.subject.namespace, now.wall),
        now,
    }
}

/// What the operator's own settings allow to the Subscriptions of `namespace`.
fn allowance(operator: &Operator, namespace: &str, wall: Timestamp) -> Allowance {
    let index = operator.index();
    Allowance {
        dry_run: operator.settings.dry_run,
        per_hour: operator.settings.upgrades_per_hour,
        requested: index.requested(namespace, wall),
        alone: index.is_alone(namespace),
    }
}

fn provider_key(key: &ObjectKey, subscription: &api::Subscription) -> ObjectKey {
    ObjectKey::namespaced(key.namespace.as_deref().unwrap_or_default(), &subscription.spec.provider_name)
}

/// What came of doing what was decided.
enum Done {
    /// This, and the record as it is now if it has changed.
    As(Acted, Option<Record>),
    /// Nothing, as somebody or something has changed what it was decided on.
    Overtaken,
}

async fn act(operator: &Operator, read: &Read, decision: &Decision) -> kube::Result<Done> {
    // A record that cannot be read is never written to.
    if read.record.as_ref().is_some_and(|record| record.stored.is_none()) {
        return Ok(Done::As(Acted::UnreadableRecord, None));
    }
    let done = Done::As(Acted::AsDecided, None);
    let (Some(effect), Ok(provider)) = (&decision.effect, &read.provider) else { return Ok(done) };
    let stored = read.record.as_ref().and_then(|record| record.stored.as_ref());
    let (again, order) = match (effect, stored) {
        (Effect::Note(note), Some(stored)) => {
            operator.ledger.note(stored, note).await?;
            return Ok(done);
        }
        (Effect::Upgrade(order), None) => (None, order),
        (Effect::Again { number, order }, Some(stored)) => (Some((stored, *number)), order),
        // A first attempt where there is a record, and anything else where there is none.
        (Effect::Upgrade(_), Some(_)) | (Effect::Note(_) | Effect::Again { .. }, None) => return Ok(done),
    };
    let claim = match claim(operator, read, again, order).await {
        Ok(Some(claim)) => claim,
        Ok(None) => return Ok(Done::Overtaken),
        Err(error) => return Ok(Done::As(Acted::LedgerRefused { detail: error.to_string() }, None)),
    };
    let (record, pause) = send(operator, &read.desired.account, provider.client.as_ref(), claim, order).await;
    Ok(Done::As(Acted::Requested(pause), Some(record)))
}

/// Takes the right to send one attempt. One at a time, so that the cap per hour is exact; and only if nobody has changed
/// their mind while the account was observed.
async fn claim(
    operator: &Operator,
    read: &Read,
    again: Option<(&api::UpgradeRecord, u32)>,
    order: &UpgradeOrder,
) -> kube::Result<Option<Claim>> {
    let _one_at_a_time = operator.claiming.lock().await;
    let since = operator.wall();
    let is_capped = allowance(operator, &read.subject.namespace, since).holds(since).is_some();
    if is_capped || !still_holds(operator, read).await? {
        return Ok(None);
    }
    let claim = match again {
        None => operator.ledger.open(&read.desired.account, order, since).await?,
        Some((stored, number)) => operator.ledger.open_again(stored, number, order, since).await?,
    };
    if let Some(claim) = &claim {
        let (name, namespace) = (claim.record.name_any(), read.subject.namespace.clone());
        let request = Request { not_after: claim.not_after, namespace, may_be_taken: true };
        operator.index().put_requests(&name, [(claim.number.unsigned_abs(), request)]);
    }
    Ok(claim)
}

/// Whether all that allows the upgrade is as it was read. The approvals come first, and only then the namespace: it is marked
/// as being deleted before anything is taken out of it, in any order. So a Deny that went with it is seen, or its mark is.
/// <https://kubernetes.io/docs/concepts/overview/working-with-objects/namespaces/#automatic-deletion>
async fn still_holds(operator: &Operator, read: &Read) -> kube::Result<bool> {
    let Ok(provider) = &read.provider else { return Ok(false) };
    let approvals = read_approvals(operator, &read.subject).await?;
    let key = ObjectKey::of(&read.subscription.metadata);
    let provider_key = provider_key(&key, &read.subscription);
    let api: Api<api::Subscription> = operator.namespaced(&key);
    let (demands, subscription, same_provider) = tokio::try_join!(
        policy::demands(&operator.client, &read.subject.namespace),
        api.get_opt(&read.subject.name),
        operator.providers.is_still(&provider_key, provider),
    )?;
    let policy_check = read_guard(operator, &read.desired, &approvals, &demands).await?;
    let same = subscription.is_some_and(|now| {
        let (now, then) = (now.metadata, &read.subscription.metadata);
        (now.uid, now.generation, now.deletion_timestamp)
            == (then.uid.clone(), then.generation, then.deletion_timestamp.clone())
    });
    Ok(same
        && approvals == read.approvals
        && !demands.being_deleted
        && same_provider
        && policy_check == read.policy_check)
}

/// Sends the attempt that `claim` is the right to, and writes how it ended. Returns the record, and how long the provider
/// asks to wait.
async fn send(
    operator: &Operator,
    account: &AccountId,
    client: &dyn BillingProvider,
    claim: Claim,
    order: &UpgradeOrder,
) -> (Record, Option<Duration>) {
    let sent = operator.wall();
    let name = claim.record.name_any();
    info!(%account, record = name, attempt = claim.number, "requesting the upgrade");
    let request = UpgradeRequest {
        transition: &order.transition,
        key: account.upgrade_key().idempotency_key(),
        not_after: claim.not_after,
        deadline: CALL_DEADLINE,
    };
    let answer = client.upgrade(account, request).await;
    let (outcome, record) = operator.ledger.close(claim, sent, &answer).await;
    operator.metrics.attempt(outcome);
    info!(%account, record = name, outcome = outcome.name(), "the upgrade was requested");
    (parse::record(&record), answer.ok().and_then(|accepted| accepted.retry_after))
}
