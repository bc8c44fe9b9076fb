//! What people get to see of a reconcile: status, events. Written only when it changes.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{DynamicObject, Patch, PatchParams, ValidationDirective};
use kube::core::ApiResource;
use kube::{Api, Resource};
use serde_json::{Value, json};
use tracing::{debug, info};

use payg_api as api;
use payg_api::conditions::{self, Statement, Status};
use payg_clock::Clock;
use payg_core::decide::Decision;
use payg_core::reason::{ConditionType, Reason};
use payg_core::record::Record;
use payg_core::schedule;
use payg_core::verdict::{Facts, Progress, Ready, Standing};
use payg_runtime::ObjectKey;
use payg_runtime::events::{Note, Severity};
use payg_runtime::queue::Requeue;

use crate::operator::parse;
use crate::operator::status::patch;
use crate::operator::status::render::{self, Context};
use crate::operator::watches;
use crate::operator::{FIELD_MANAGER, Operator};

/// Writes what was decided on `subscription` into its status, publishes an Event for a change of verdict, and returns when the next reconcile is due.
pub async fn subscription(
    operator: &Operator,
    subscription: &api::Subscription,
    decision: &Decision,
    record: Option<&Record>,
) -> kube::Result<Requeue> {
    let clock = operator.settings.clock;
    let wall = operator.wall();
    let before = subscription.status.clone().unwrap_or_default();
    let reconcile_request = parse::reconcile_request(subscription);
    let notices = operator.notices.as_deref();
    let dues = notices.map(|notices| notices.due(subscription, decision, record, clock.billing()));
    let remembered = notices.zip(dues.as_ref()).map(|(notices, dues)| notices.status(subscription, dues));
    let context = Context {
        before: &before,
        notices: remembered.as_ref(),
        uid: subscription.metadata.uid.as_deref().unwrap_or_default(),
        reconcile_request: reconcile_request.as_ref(),
        generation: subscription.metadata.generation.unwrap_or_default(),
        record,
        next_check: next_check(decision.next, wall, clock),
        billing: clock.billing(),
        wall,
    };
    let after = render::status(decision, context);
    let api: Api<api::Subscription> = operator.namespaced(&ObjectKey::of(&subscription.metadata));
    write(&api, &subscription.metadata, &before, &after).await?;
    tell(operator, subscription, &before, &after, decision).await;
    tell_of_claims(operator, subscription, &before, &after, decision).await;
    if let Some((notices, dues)) = notices.zip(dues) {
        notices.offer(subscription, &after, decision, &dues, clock);
    }
    Ok(next(decision.next, clock))
}

/// When the engine is to come back.
pub fn next(next: schedule::Requeue, clock: Clock) -> Requeue {
    match next {
        schedule::Requeue::At(time) => Requeue::After(clock.wall_until(time)),
        schedule::Requeue::After(pause) => Requeue::After(pause),
        schedule::Requeue::Backoff(at_least) => Requeue::Retry { at_least: at_least.unwrap_or_default() },
        schedule::Requeue::OnChange => Requeue::OnChange,
    }
}

/// When the next observation is due, where one is (billing clock).
pub fn next_check(next: schedule::Requeue, wall: Timestamp, clock: Clock) -> Option<Timestamp> {
    match next {
        schedule::Requeue::At(time) => Some(time),
        schedule::Requeue::After(pause) => wall.checked_add(pause).ok().map(|at| clock.at(at)),
        schedule::Requeue::Backoff(_) | schedule::Requeue::OnChange => None,
    }
}

/// An Event for a change of verdict; none for a verdict that stays.
async fn tell(
    operator: &Operator,
    subscription: &api::Subscription,
    before: &api::SubscriptionStatus,
    after: &api::SubscriptionStatus,
    decision: &Decision,
) {
    let Facts { reason, ready, progress, .. } = decision.facts();
    let type_ = if ready == Ready::Unchanged { ConditionType::Observed } else { ConditionType::Ready };
    let of = |status: &api::SubscriptionStatus| {
        let said = conditions::find(&status.conditions, type_).map(|said| (said.status.clone(), said.reason.clone()));
        (said, conditions::find(&status.conditions, ConditionType::Stalled).is_some())
    };
    if of(before) == of(after) {
        return;
    }
    let key = ObjectKey::of(&subscription.metadata);
    let message = decision.message();
    info!(subscription = %key, verdict = reason.name(), %message, "the verdict has changed");
    operator.metrics.verdict(reason);
    let bad = progress == Progress::Stalled || matches!(ready, Ready::Unknown | Ready::Unchanged);
    let bad = bad && before.last_observed_time.is_some();
    let severity = if bad || progress == Progress::Stalled || decision.outage.is_some() {
        Severity::Warning
    } else {
        Severity::Normal
    };
    let note = Note { severity, reason: reason.name(), action: "Decide", text: &message };
    operator.events.publish(&reference(subscription), note).await;
}

/// An Event for a claim that has lapsed or was taken over; and whom a change of claims concerns is to look.
async fn tell_of_claims(
    operator: &Operator,
    subscription: &api::Subscription,
    before: &api::SubscriptionStatus,
    after: &api::SubscriptionStatus,
    decision: &Decision,
) {
    let said = |status: &api::SubscriptionStatus, type_| {
        conditions::find(&status.conditions, type_).map(|said| (said.status.clone(), said.reason.clone()))
    };
    let sees = |status: &api::SubscriptionStatus| {
        conditions::find(&status.conditions, ConditionType::Observed).map(|observed| observed.status.clone())
    };
    let is_news = said(before, ConditionType::Claimed) != said(after, ConditionType::Claimed);
    if (is_news || sees(before) != sees(after))
        && let Ok(account) = parse::account(&subscription.spec.account)
    {
        watches::bring_others_forward(operator, &ObjectKey::of(&subscription.metadata), &account);
    }
    let text = decision.standing.to_string();
    let (severity, reason) = match &decision.standing {
        Standing::Lapsed(_) => (Severity::Warning, Reason::ClaimLapsed),
        Standing::InPlaceOf(..) => (Severity::Normal, Reason::ClaimTakenOver),
        // The verdict is an Event of its own.
        Standing::Second(_) | Standing::Unsaid | Standing::Unchanged => return,
    };
    if is_news {
        let note = Note { severity, reason: reason.name(), action: "Decide", text: &text };
        operator.events.publish(&reference(subscription), note).await;
    }
}

/// A warning Event on `object`.
pub async fn warning<K: Resource<DynamicType = ()>>(operator: &Operator, object: &K, reason: Reason, text: &str) {
    let note = Note { severity: Severity::Warning, reason: reason.name(), action: "Reconcile", text };
    operator.events.publish(&reference(object), note).await;
}

fn reference<K: Resource<DynamicType = ()>>(object: &K) -> ObjectReference {
    object.object_ref(&())
}

/// Says on an object that cannot be understood why it is left alone, so far as its schema lets anything be written to it.
pub async fn invalid(operator: &Operator, key: &ObjectKey, metadata: &ObjectMeta, problem: &str) -> kube::Result<()> {
    let message = invalid_message(problem);
    info!(subscription = %key, problem, "a Subscription cannot be read");
    let resource = ApiResource::erase::<api::Subscription>(&());
    let api: Api<DynamicObject> =
        Api::namespaced_with(operator.client.clone(), key.namespace.as_deref().unwrap_or_default(), &resource);
    let reference = ObjectReference {
        api_version: Some(resource.api_version.clone()),
        kind: Some(resource.kind.clone()),
        namespace: metadata.namespace.clone(),
        name: metadata.name.clone(),
        uid: metadata.uid.clone(),
        ..ObjectReference::default()
    };
    let note =
        Note { severity: Severity::Warning, reason: Reason::InvalidSpec.name(), action: "Reconcile", text: &message };
    operator.events.publish(&reference, note).await;
    let Some(object) = api.get_opt(&key.name).await? else { return Ok(()) };
    let generation = metadata.generation.unwrap_or_default();
    let is_said = |condition: &Value| {
        condition["type"] == ConditionType::Stalled.name()
            && condition["message"] == message.as_str()
            && condition["observedGeneration"] == generation
    };
    if object.data["status"]["conditions"].as_array().is_some_and(|there| there.iter().any(is_said)) {
        return Ok(());
    }
    let mut patch = json!({"status": status_of_invalid(&message, generation, operator.wall())});
    // They are of a spec that could be read.
    patch["status"]["transition"] = Value::Null;
    if object.data["status"]["forecast"].is_object() {
        patch["status"]["forecast"] = json!({"dueTime": null});
    }
    match api.patch_status(&key.name, &params(), &Patch::Merge(patch)).await {
        // The API server may refuse any write to an object that breaks its schema; the Event has reported it.
        Err(kube::Error::Api(status)) if status.is_invalid() || status.is_forbidden() => {
            debug!(subscription = %key, %status, "the status of an invalid object could not be written");
            Ok(())
        }
        other => other.map(|_| ()),
    }
}

/// How much is repeated of what is wrong with an object, in characters. It quotes the object.
const LONGEST_PROBLEM: usize = 512;

/// What is said of an object that cannot be understood.
pub fn invalid_message(problem: &str) -> String {
    let problem = payg_text::excerpt(problem, LONGEST_PROBLEM);
    format!("This Subscription cannot be read and is ignored: {problem}. Correct or delete it.")
}

/// What can be written to the status of an object that cannot be understood.
pub fn status_of_invalid(message: &str, generation: i64, now: Timestamp) -> Value {
    let mut said = Vec::new();
    for (type_, status) in [(ConditionType::Ready, Status::False), (ConditionType::Stalled, Status::True)] {
        let statement = Statement { type_, status, reason: Reason::InvalidSpec, message };
        conditions::set(&mut said, statement, generation, now);
    }
    json!({"observedGeneration": generation, "conditions": said})
}

/// Writes the difference between two statuses, unless there is none, if the object is still as it was read. Fields that the
/// cluster's CRD does not know are refused: what is lost in silence would be missing in later decisions.
pub async fn write<K, S>(api: &Api<K>, metadata: &ObjectMeta, before: &S, after: &S) -> kube::Result<()>
where
    K: Resource + Clone + serde::de::DeserializeOwned + std::fmt::Debug,
    S: serde::Serialize,
{
    let Some(patch) = patch::status(metadata, before, after)? else { return Ok(()) };
    let name = metadata.name.as_deref().unwrap_or_default();
    let strict = PatchParams { field_validation: Some(ValidationDirective::Strict), ..params() };
    api.patch_status(name, &strict, &Patch::Merge(patch)).await.map(|_| ())
}

fn params() -> PatchParams {
    PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() }
}
