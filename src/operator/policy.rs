//! Whether approvals can be trusted: admission policies make sure that an approver is who it says and may approve, and that
//! the record of what was approved stays. Without them, or with others, anybody could forge an approval.

use std::fmt::Debug;
use std::sync::LazyLock;

use futures::future::try_join_all;
use jiff::Timestamp;
use k8s_openapi::api::admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding};
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, ObjectMeta};
use kube::core::ClusterResourceScope;
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::Value;

use payg_core::approval::{Flaw, PolicyCheck};

/// The admission policies as they are shipped.
pub const SHIPPED: &str = include_str!("../../deploy/kustomize/base/admission.yaml");
/// The policies without which nothing is approved, each with a binding of its name. The file has one more, which only warns.
const POLICIES: [&str; 6] = [APPROVALS, RECORDS, CLOUDS, AUTOMATIC, AUTOMATIC_PROVIDER, SECOND_PERSON];
const APPROVALS: &str = "upgradeapprovals.payg-operator.io";
const RECORDS: &str = "upgraderecords.payg-operator.io";
const CLOUDS: &str = "provider-cloud.payg-operator.io";
const AUTOMATIC: &str = "automatic.payg-operator.io";
const AUTOMATIC_PROVIDER: &str = "automatic-provider.payg-operator.io";
const SECOND_PERSON: &str = "second-person.payg-operator.io";
/// The labels by which a namespace asks for [`AUTOMATIC`] and [`AUTOMATIC_PROVIDER`], and for [`SECOND_PERSON`].
const NEEDS_APPROVE: (&str, &str) = ("payg-operator.io/automatic", "needs-approve");
const REQUIRED: (&str, &str) = ("payg-operator.io/second-person", "required");

/// What a namespace asks for by its labels, and whether it goes on.
pub struct Demands {
    /// Whether the namespace is being deleted, or gone: then what forbade something in it may be gone as well.
    pub being_deleted: bool,
    /// The verb `approve` of whoever writes `approval: Automatic`.
    pub automatic_needs_approve: bool,
    /// Those of the labels that were set after the namespace was created.
    labels: Vec<Changed>,
}

/// Something that admission depends on.
struct Changed {
    /// What it is, for people.
    object: String,
    /// When it was created or changed for the last time, by the API server (wall clock); `None` if that is unknown.
    at: Option<Timestamp>,
}

/// What `namespace` asks for.
pub async fn demands(client: &Client, namespace: &str) -> kube::Result<Demands> {
    let namespace = Api::<Namespace>::all(client.clone()).get_metadata_opt(namespace).await?;
    let being_deleted = namespace.as_ref().is_none_or(|namespace| namespace.metadata.deletion_timestamp.is_some());
    let asks = |(key, value): &(&str, &str)| {
        namespace.as_ref().and_then(|namespace| namespace.labels().get(*key)).is_some_and(|label| label == value)
    };
    let changed = |(key, _): (&str, &str)| Changed {
        object: format!("the label {key} of this namespace"),
        at: namespace
            .as_ref()
            .and_then(|namespace| last_change(namespace.meta(), &["f:metadata", "f:labels", &format!("f:{key}")])),
    };
    // A label that the namespace was created with is in force from the first moment on: nothing in it is older.
    let created = namespace.as_ref().and_then(ResourceExt::creation_timestamp).map(|time| time.0);
    let is_later = |label: &Changed| label.at.is_none() || label.at != created;
    let labels = [NEEDS_APPROVE, REQUIRED].into_iter().filter(asks).map(changed).filter(is_later).collect();
    Ok(Demands { being_deleted, automatic_needs_approve: asks(&NEEDS_APPROVE), labels })
}

/// When whatever is at `path` in the managed fields of an object was created or changed for the last time, at the latest. The
/// API server notes the time of a change with the fields of whoever made it. It does so for a field that is added or gets another
/// value, and not for one that is taken away: so the shipped policies set every field by which they could be loosened, and what
/// takes one away has to put it back.
fn last_change(metadata: &ObjectMeta, path: &[&str]) -> Option<Timestamp> {
    let owns = |entry: &&ManagedFieldsEntry| {
        let fields = entry.fields_v1.as_ref().map(|fields| &fields.0);
        let owned = fields.and_then(|fields| path.iter().try_fold(fields, |fields, step| fields.get(step)));
        // A status is not what was asked for.
        owned.is_some() && entry.subresource.as_deref().unwrap_or_default().is_empty()
    };
    let changes = metadata.managed_fields.iter().flatten().filter(owns);
    let changes: Option<Vec<_>> = changes.map(|entry| entry.time.as_ref().map(|time| time.0)).collect();
    let created = metadata.creation_timestamp.as_ref()?.0;
    Some(changes?.into_iter().max()?.max(created))
}

/// What admission makes sure of in a namespace that asks for `demands`.
pub async fn policy_check(client: &Client, demands: &Demands) -> kube::Result<PolicyCheck> {
    let found = try_join_all(POLICIES.map(async |name| {
        tokio::try_join!(
            find(client, name, |policy: &ValidatingAdmissionPolicy| policy.spec.clone()),
            find(client, name, |binding: &ValidatingAdmissionPolicyBinding| binding.spec.clone()),
        )
    }));
    let found: Vec<_> = found.await?.into_iter().flat_map(|(policy, binding)| [policy, binding]).collect();
    Ok(judge(found, demands))
}

/// A policy or a binding of the cluster, beside the shipped one of its name.
struct Found {
    changed: Changed,
    is_missing: bool,
    as_shipped: bool,
}

async fn find<K, S>(client: &Client, name: &'static str, spec: fn(&K) -> Option<S>) -> kube::Result<Found>
where
    K: Resource<Scope = ClusterResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned,
    S: PartialEq,
{
    let found: Option<K> = Api::all(client.clone()).get_opt(name).await?;
    let at = found.as_ref().and_then(|found| last_change(found.meta(), &["f:spec"]));
    let wanted = shipped::<K>(name).and_then(|shipped| spec(&shipped));
    let as_shipped = wanted.is_some() && wanted == found.as_ref().and_then(spec);
    let changed = Changed { object: format!("{}/{name}", K::kind(&())), at };
    Ok(Found { changed, is_missing: found.is_none(), as_shipped })
}

fn judge(found: Vec<Found>, demands: &Demands) -> PolicyCheck {
    // What was created while one of them was away, altered or not asked for may be forged, or be used up by a record that is
    // gone. What cannot be dated counts as the youngest.
    let changes = found.iter().map(|found| &found.changed).chain(&demands.labels);
    let youngest = changes.max_by_key(|changed| (changed.at.is_none(), changed.at));
    let (youngest, since) = youngest.map_or((String::new(), None), |changed| (changed.object.clone(), changed.at));
    let flawed = found.into_iter().filter(|found| !found.as_shipped);
    let flaws = flawed.map(|found| Flaw { object: found.changed.object, is_missing: found.is_missing }).collect();
    PolicyCheck { flaws, youngest, since, automatic_needs_approve: demands.automatic_needs_approve }
}

/// The shipped object of this kind called `name`.
fn shipped<K: Resource<DynamicType = ()> + DeserializeOwned>(name: &str) -> Option<K> {
    static OBJECTS: LazyLock<Vec<Value>> = LazyLock::new(|| serde_saphyr::from_multiple(SHIPPED).unwrap_or_default());
    let is_it = |object: &&Value| object["kind"] == *K::kind(&()) && object["metadata"]["name"] == name;
    serde_json::from_value(OBJECTS.iter().find(is_it)?.clone()).ok()
}

#[cfg(test)]
mod tests {
    use payg_test_kit::fake_api::FakeApi;

    use super::*;
    use payg_runtime::client::over;

    const ROLES: &str = include_str!("../../deploy/kustomize/base/operator.yaml");

    #[test]
    fn every_policy_is_shipped_and_refuses_and_may_be_read() {
        for name in POLICIES {
            let policy = shipped::<ValidatingAdmissionPolicy>(name).and_then(|policy| policy.spec).unwrap();
            assert_eq!(policy.failure_policy.as_deref(), Some("Fail"), "{name}");
            let binding = shipped::<ValidatingAdmissionPolicyBinding>(name).and_then(|binding| binding.spec).unwrap();
            assert_eq!(
                (binding.policy_name.as_deref(), binding.validation_actions),
                (Some(name), Some(vec!["Deny".to_owned()]))
            );
            assert!(ROLES.contains(&format!("  - {name}\n")), "the operator may not read {name}");
        }
        let refusing = SHIPPED.matches("validationActions: [Deny]").count();
        assert_eq!(refusing, POLICIES.len(), "a policy that refuses something is not looked at");
    }

    #[test]
    fn the_labels_are_those_of_the_bindings() {
        let bound = [(AUTOMATIC, NEEDS_APPROVE), (AUTOMATIC_PROVIDER, NEEDS_APPROVE), (SECOND_PERSON, REQUIRED)];
        for (name, (key, value)) in bound {
            let binding = shipped::<ValidatingAdmissionPolicyBinding>(name).and_then(|binding| binding.spec).unwrap();
            let labels = binding.match_resources.unwrap().namespace_selector.unwrap().match_labels.unwrap();
            assert_eq!(labels, [(key.to_owned(), value.to_owned())].into());
        }
    }

    #[tokio::test]
    async fn every_policy_that_is_altered_or_missing_is_named() {
        let api = FakeApi::new(jiff::Timestamp::now);
        let client = over(api.service());
        let demands = Demands { being_deleted: false, automatic_needs_approve: false, labels: Vec::new() };
        let flaws = async || {
            let flaws = policy_check(&client, &demands).await.unwrap().flaws;
            flaws.into_iter().map(|flaw| (flaw.object, flaw.is_missing)).collect::<Vec<_>>()
        };
        assert_eq!(flaws().await.len(), 2 * POLICIES.len(), "there are none");
        let objects: Vec<Value> = serde_saphyr::from_multiple(SHIPPED).unwrap();
        let ours: Vec<_> =
            objects.iter().filter(|object| POLICIES.iter().any(|name| object["metadata"]["name"] == *name)).collect();
        for object in &ours {
            api.apply(object).unwrap();
        }
        assert_eq!(flaws().await, []);
        for object in ours {
            let mut altered = object.clone();
            altered["spec"]["failurePolicy"] = "Ignore".into();
            altered["spec"]["validationActions"] = serde_json::json!(["Warn"]);
            api.apply(&altered).unwrap();
            let named =
                format!("{}/{}", object["kind"].as_str().unwrap(), object["metadata"]["name"].as_str().unwrap());
            assert_eq!(flaws().await, [(named, false)]);
            api.apply(object).unwrap();
        }
    }

    /// An entry of managed fields that owns `fields`, noted at `second`.
    fn entry(fields: &Value, subresource: Option<&str>, second: Option<i64>) -> Value {
        let time = second.map(|second| Timestamp::from_second(second).unwrap().to_string());
        serde_json::json!({"manager": "m", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1",
            "fieldsV1": fields, "subresource": subresource, "time": time})
    }

    #[test]
    fn the_last_change_is_told_by_what_the_api_server_notes_of_it() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let changed = |entries: &[Value]| {
            let created = at(10).to_string();
            let metadata = serde_json::json!({"creationTimestamp": created, "managedFields": entries});
            last_change(&serde_json::from_value(metadata).unwrap(), &["f:spec"])
        };
        let spec = || serde_json::json!({"f:spec": {"f:failurePolicy": {}}});
        let label = || serde_json::json!({"f:metadata": {"f:labels": {".": {}}}});
        assert_eq!(changed(&[entry(&spec(), None, Some(10))]), Some(at(10)), "it is as it was created");
        let twice = [entry(&spec(), None, Some(30)), entry(&spec(), None, Some(20))];
        assert_eq!(changed(&twice), Some(at(30)), "whoever was the last");
        assert_eq!(changed(&[entry(&spec(), None, Some(5))]), Some(at(10)), "it is not older than itself");
        let beside =
            [entry(&spec(), None, Some(10)), entry(&spec(), Some("status"), Some(40)), entry(&label(), None, Some(50))];
        assert_eq!(changed(&beside), Some(at(10)), "neither a status nor a label is what was asked for");
        for untold in [vec![], vec![entry(&label(), None, Some(20))], vec![entry(&spec(), None, None)]] {
            assert_eq!(changed(&untold), None, "{untold:?}");
        }
    }

    #[test]
    fn everything_that_checks_counts_and_the_youngest_is_named() {
        let at = |second| Some(Timestamp::from_second(second).unwrap());
        let changed = |object: &str, at| Changed { object: object.to_owned(), at };
        let judged = |policies: [Option<Timestamp>; 2], label| {
            let found = |at| Found { changed: changed("policy", at), is_missing: false, as_shipped: true };
            let demands =
                Demands { being_deleted: false, automatic_needs_approve: true, labels: vec![changed("label", label)] };
            let policy_check = judge(policies.map(found).into(), &demands);
            (policy_check.youngest, policy_check.since)
        };
        assert_eq!(judged([at(1), at(2)], at(1)), ("policy".to_owned(), at(2)));
        assert_eq!(judged([at(2), at(1)], at(3)), ("label".to_owned(), at(3)));
        assert_eq!(
            judged([at(1), None], at(3)),
            ("policy".to_owned(), None),
            "what cannot be dated may be the youngest"
        );
    }
}
