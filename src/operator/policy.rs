//! Whether approvals can be trusted: admission policies make sure that an approver is who it says and may approve, and that
//! the record stays that tells what was approved. Without them, or with others, anybody could forge an approval.

use std::fmt::Debug;
use std::sync::LazyLock;

use futures::future::try_join_all;
use jiff::Timestamp;
use k8s_openapi::api::admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding};
use k8s_openapi::api::core::v1::Namespace;
use kube::core::ClusterResourceScope;
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::core::approval::{Flaw, Guard};

/// The admission policies as they are shipped.
pub const SHIPPED: &str = include_str!("../../deploy/kustomize/base/admission.yaml");
/// The policies without which nothing is approved, each with a binding of its name. The file has one more, which only warns.
const POLICIES: [&str; 5] = [APPROVALS, RECORDS, CLOUDS, AUTOMATIC, SECOND_PERSON];
const APPROVALS: &str = "upgradeapprovals.payg-operator.io";
const RECORDS: &str = "upgraderecords.payg-operator.io";
const CLOUDS: &str = "provider-cloud.payg-operator.io";
const AUTOMATIC: &str = "automatic.payg-operator.io";
const SECOND_PERSON: &str = "second-person.payg-operator.io";
/// The labels by which a namespace asks for [`AUTOMATIC`] and [`SECOND_PERSON`].
const NEEDS_APPROVE: (&str, &str) = ("payg-operator.io/automatic", "needs-approve");
const REQUIRED: (&str, &str) = ("payg-operator.io/second-person", "required");

/// What a namespace asks for by its labels, and whether it goes on.
pub struct Demands {
    /// Whether the namespace is being deleted, or gone: then what forbade something in it may be gone as well.
    pub being_deleted: bool,
    /// The verb `approve` of whoever writes `approval: Automatic`.
    pub automatic_needs_approve: bool,
    needs_second_person: bool,
}

/// What `namespace` asks for.
pub async fn demands(client: &Client, namespace: &str) -> kube::Result<Demands> {
    let namespace = Api::<Namespace>::all(client.clone()).get_metadata_opt(namespace).await?;
    let being_deleted = namespace.as_ref().is_none_or(|namespace| namespace.metadata.deletion_timestamp.is_some());
    let asks = |(key, value): (&str, &str)| {
        namespace.as_ref().and_then(|namespace| namespace.labels().get(key)).is_some_and(|label| label == value)
    };
    Ok(Demands { being_deleted, automatic_needs_approve: asks(NEEDS_APPROVE), needs_second_person: asks(REQUIRED) })
}

/// What admission makes sure of in a namespace that asks for `demands`.
pub async fn guard(client: &Client, demands: &Demands) -> kube::Result<Guard> {
    let found = try_join_all(POLICIES.map(async |name| {
        tokio::try_join!(
            find(client, name, |policy: &ValidatingAdmissionPolicy| policy.spec.clone()),
            find(client, name, |binding: &ValidatingAdmissionPolicyBinding| binding.spec.clone()),
        )
    }));
    let found: Vec<_> = found.await?.into_iter().flat_map(|(policy, binding)| [policy, binding]).collect();
    let automatic_needs_approve = demands.automatic_needs_approve;
    Ok(Guard { automatic_needs_approve, ..judge(found, demands.needs_second_person) })
}

/// A policy or a binding of the cluster, beside the shipped one of its name.
struct Found {
    object: String,
    name: &'static str,
    /// When it was created (wall clock); `None` if it is missing.
    created: Option<Timestamp>,
    as_shipped: bool,
}

async fn find<K, S>(client: &Client, name: &'static str, spec: fn(&K) -> Option<S>) -> kube::Result<Found>
where
    K: Resource<Scope = ClusterResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned,
    S: PartialEq,
{
    let found: Option<K> = Api::all(client.clone()).get_opt(name).await?;
    let created = found.as_ref().and_then(ResourceExt::creation_timestamp).map(|time| time.0);
    let wanted = shipped::<K>(name).and_then(|shipped| spec(&shipped));
    let as_shipped = wanted.is_some() && wanted == found.as_ref().and_then(spec);
    Ok(Found { object: format!("{}/{name}", K::kind(&())), name, created, as_shipped })
}

fn judge(found: Vec<Found>, needs_second_person: bool) -> Guard {
    // An approval from before somebody looked at who makes it may be forged; one from before records were kept may have
    // been used up by one that is gone.
    let matters = |found: &&Found| {
        [APPROVALS, RECORDS].contains(&found.name) || (found.name == SECOND_PERSON && needs_second_person)
    };
    let youngest = found.iter().filter(matters).max_by_key(|found| found.created);
    let (since, youngest) =
        youngest.map_or((None, String::new()), |youngest| (youngest.created, youngest.object.clone()));
    let flawed = found.into_iter().filter(|found| !found.as_shipped);
    let flaws = flawed.map(|found| Flaw { object: found.object, is_missing: found.created.is_none() }).collect();
    Guard { flaws, since: since.unwrap_or(Timestamp::MAX), youngest, ..Guard::UNREAD }
}

/// The shipped object of this kind called `name`.
fn shipped<K: Resource<DynamicType = ()> + DeserializeOwned>(name: &str) -> Option<K> {
    static OBJECTS: LazyLock<Vec<Value>> = LazyLock::new(|| serde_saphyr::from_multiple(SHIPPED).unwrap_or_default());
    let is_it = |object: &&Value| object["kind"] == *K::kind(&()) && object["metadata"]["name"] == name;
    serde_json::from_value(OBJECTS.iter().find(is_it)?.clone()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

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
        for (name, (key, value)) in [(AUTOMATIC, NEEDS_APPROVE), (SECOND_PERSON, REQUIRED)] {
            let binding = shipped::<ValidatingAdmissionPolicyBinding>(name).and_then(|binding| binding.spec).unwrap();
            let labels = binding.match_resources.unwrap().namespace_selector.unwrap().match_labels.unwrap();
            assert_eq!(labels, [(key.to_owned(), value.to_owned())].into());
        }
    }

    #[test]
    fn what_matters_of_the_age_depends_on_the_policy() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let found = |young: &'static str| {
            let created = |name: &str| Some(at(if name == young { 2 } else { 1 }));
            POLICIES
                .map(|name| Found { object: format!("X/{name}"), name, created: created(name), as_shipped: true })
                .into()
        };
        let since = |young, needs_second_person| judge(found(young), needs_second_person).since;
        assert_eq!((since(APPROVALS, false), since(RECORDS, false)), (at(2), at(2)));
        assert_eq!((since(AUTOMATIC, true), since(CLOUDS, true)), (at(1), at(1)), "neither is about approvals");
        assert_eq!((since(SECOND_PERSON, false), since(SECOND_PERSON, true)), (at(1), at(2)));
        assert_eq!(judge(found(RECORDS), false).youngest, format!("X/{RECORDS}"));
    }
}
