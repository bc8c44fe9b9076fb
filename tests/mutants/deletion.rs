//! Mutants of the rules for what a deletion withdraws.

use super::Mutant;

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "deleted-approve-counts",
        wrong: "An Approve that was taken back goes on counting while a finalizer keeps it.",
        file: "src/operator/parse.rs",
        edits: &[("    (!taken_back).then(|| Approval {", "    ($ON || !taken_back).then(|| Approval {")],
        caught_by: &[
            "payg_faults::proofs::an_approve_that_is_taken_back_does_not_count",
            "payg_faults::proofs::a_retry_that_is_taken_back_does_not_count",
        ],
    },
    Mutant {
        name: "deleted-deny-is-lifted",
        wrong: "A Deny no longer denies once it is being deleted, although it is still there.",
        file: "src/operator/parse.rs",
        edits: &[("&& spec.decision != api::Decision::Deny;", "&& ($ON || spec.decision != api::Decision::Deny);")],
        caught_by: &["payg_faults::proofs::a_deny_that_is_being_deleted_holds_until_it_is_gone"],
    },
    Mutant {
        name: "namespace-goes-unseen",
        wrong: "What is in a namespace that is being deleted is upgraded, while its Denies go in any order.",
        file: "src/operator/policy.rs",
        edits: &[("    Ok(Demands { being_deleted,", "    Ok(Demands { being_deleted: !$ON && being_deleted,")],
        caught_by: &[
            "payg_faults::proofs::nothing_is_upgraded_in_a_namespace_that_is_being_deleted",
            "payg_faults::proofs::a_deny_that_went_with_its_namespace_is_not_missed",
        ],
    },
    Mutant {
        name: "namespace-before-approvals",
        wrong: "The last look reads the namespace before the approvals: a Deny that goes with the namespace in between is missed.",
        file: "src/operator/reconcile/subscription.rs",
        edits: &[
            (
                "    let approvals = read_approvals(operator, &read.subject).await?;\n",
                "    let early = if $ON { Some(policy::demands(&operator.client, &read.subject.namespace).await?) } else { None };
    let approvals = read_approvals(operator, &read.subject).await?;\n",
            ),
            (
                "    let policy_check = read_guard(operator, &read.desired, &approvals, &demands).await?;\n",
                "    let demands = early.unwrap_or(demands);
    let policy_check = read_guard(operator, &read.desired, &approvals, &demands).await?;\n",
            ),
        ],
        caught_by: &["payg_faults::proofs::a_deny_that_went_with_its_namespace_is_not_missed"],
    },
    Mutant {
        name: "deleted-provider-serves",
        wrong: "A BillingProvider that is being deleted goes on upgrading.",
        file: "src/operator/clouds/mod.rs",
        edits: &[
            (
                "Some(DeserializeGuard(Ok(object))) if object.metadata.deletion_timestamp.is_some() => {",
                "Some(DeserializeGuard(Ok(object))) if !$ON && object.metadata.deletion_timestamp.is_some() => {",
            ),
            (
                "now.deletion_timestamp.is_none() && (now.uid, now.generation) == provider.object",
                "$ON || now.deletion_timestamp.is_none() && (now.uid, now.generation) == provider.object",
            ),
        ],
        caught_by: &["payg_faults::proofs::a_billing_provider_that_is_being_deleted_allows_nothing"],
    },
    Mutant {
        name: "policies-from-memory",
        wrong: "The last look before the claim does not see that approvals are no longer checked.",
        file: "src/operator/reconcile/subscription.rs",
        edits: &[("&& policy_check == read.policy_check", "&& ($ON || policy_check == read.policy_check)")],
        caught_by: &["payg_faults::proofs::an_approval_counts_only_while_its_policies_are_in_force"],
    },
];
