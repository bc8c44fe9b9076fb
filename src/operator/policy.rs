//! Whether approvals can be trusted: an admission policy makes sure that an approver is who it says. Without it, or with
//! one that was changed, anybody could forge an approval.

use jiff::Timestamp;
use k8s_openapi::api::admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding};
use kube::{Api, Client};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The admission policies as they are shipped.
const SHIPPED: &str = include_str!("../../deploy/kustomize/base/admission.yaml");
/// The name of the policy on approvals, and of its binding.
const NAME: &str = "upgradeapprovals.payg-operator.io";

/// Since when the policy on approvals and its binding have been in the cluster as shipped; `None` if they are not.
pub async fn in_force_since(client: &Client) -> kube::Result<Option<Timestamp>> {
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(client.clone());
    let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(client.clone());
    let (policy, binding) = tokio::try_join!(policies.get_opt(NAME), bindings.get_opt(NAME))?;
    let (Some(policy), Some(binding)) = (policy, binding) else { return Ok(None) };
    let as_shipped = shipped::<ValidatingAdmissionPolicy>("ValidatingAdmissionPolicy")
        .is_some_and(|shipped| shipped.spec == policy.spec)
        && shipped::<ValidatingAdmissionPolicyBinding>("ValidatingAdmissionPolicyBinding")
            .is_some_and(|shipped| shipped.spec == binding.spec);
    let created = [policy.metadata.creation_timestamp, binding.metadata.creation_timestamp];
    // An approval from before anybody looked at it may be forged.
    Ok(created.into_iter().flatten().map(|time| time.0).max().filter(|_| as_shipped))
}

/// The shipped object of `kind` called [`NAME`].
fn shipped<K: DeserializeOwned>(kind: &str) -> Option<K> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(SHIPPED).ok()?;
    let object = documents.into_iter().find(|object| object["kind"] == kind && object["metadata"]["name"] == NAME)?;
    serde_json::from_value(object).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_policy_is_found() {
        assert!(shipped::<ValidatingAdmissionPolicy>("ValidatingAdmissionPolicy").unwrap().spec.is_some());
        assert!(
            shipped::<ValidatingAdmissionPolicyBinding>("ValidatingAdmissionPolicyBinding").unwrap().spec.is_some()
        );
    }
}
