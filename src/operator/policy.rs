//! Whether approvals can be trusted: an admission policy makes sure that an approver is who it says. Without it, or with
//! one that was changed, anybody could forge an approval.

use k8s_openapi::api::admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding};
use kube::{Api, Client};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tracing::warn;

/// The admission policies as they are shipped.
const SHIPPED: &str = include_str!("../../deploy/kustomize/base/admission.yaml");
/// The name of the policy on approvals, and of its binding.
const NAME: &str = "upgradeapprovals.payg-operator.io";

/// Whether the policy on approvals and its binding are in the cluster as shipped. What cannot be read is not there.
pub async fn is_in_force(client: &Client) -> bool {
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(client.clone());
    let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(client.clone());
    let (policy, binding) = tokio::join!(policies.get_opt(NAME), bindings.get_opt(NAME));
    match (policy, binding) {
        (Ok(Some(policy)), Ok(Some(binding))) => {
            shipped::<ValidatingAdmissionPolicy>("ValidatingAdmissionPolicy")
                .is_some_and(|shipped| shipped.spec == policy.spec)
                && shipped::<ValidatingAdmissionPolicyBinding>("ValidatingAdmissionPolicyBinding")
                    .is_some_and(|shipped| shipped.spec == binding.spec)
        }
        (Err(error), _) | (_, Err(error)) => {
            warn!(%error, "whether the admission policy {NAME} is in force cannot be read: no approval is honoured");
            false
        }
        _ => false,
    }
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
