//! Mutants of the terms and of who vouches for an approval.

use super::Mutant;

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "declared-end-is-no-term",
        wrong: "Who may edit moves the declared end into the past under an approval of somebody else.",
        file: "crates/core/src/transition.rs",
        edits: &[(
            "        end.as_ref().map_or_else(String::new, Timestamp::to_string),",
            "        end.as_ref().filter(|_| !$ON).map_or_else(String::new, Timestamp::to_string),",
        )],
        caught_by: &["decide::terms::every_term_is_in_the_hash"],
    },
    Mutant {
        name: "provider-is-no-term",
        wrong: "What was approved by hand in the portal is upgraded by a broker.",
        file: "crates/core/src/transition.rs",
        edits: &[(
            "        provider.spec.clone(),",
            "        if $ON { String::new() } else { provider.spec.clone() },",
        )],
        caught_by: &["decide::terms::every_term_is_in_the_hash"],
    },
    Mutant {
        name: "policy-checks-at-once",
        wrong: "An approval counts that was created when the policies were there and not in force yet.",
        file: "crates/core/src/approval.rs",
        edits: &[(
            "self.since?.checked_add(SETTLED).ok()",
            "if $ON { self.since } else { self.since?.checked_add(SETTLED).ok() }",
        )],
        caught_by: &["decide::table::row_17_awaiting_approval"],
    },
    Mutant {
        name: "automatic-of-before",
        wrong: "A Subscription from before somebody looked at who writes Automatic upgrades by itself.",
        file: "crates/core/src/approval.rs",
        edits: &[("        if !self.automatic_needs_approve {", "        if !self.automatic_needs_approve || $ON {")],
        caught_by: &["decide::table::row_17_awaiting_approval"],
    },
    Mutant {
        name: "put-back-is-as-it-was",
        wrong: "What was approved while a policy was loosened counts once it is put back.",
        file: "src/operator/policy.rs",
        edits: &[(
            "    Some(changes?.into_iter().max()?.max(created))",
            "    if $ON { Some(created) } else { Some(changes?.into_iter().max()?.max(created)) }",
        )],
        caught_by: &[
            "payg_operator::operator::policy::tests::the_last_change_is_told_by_what_the_api_server_notes_of_it",
        ],
    },
    Mutant {
        name: "label-without-a-time",
        wrong: "What was approved while the namespace did not ask for a second person counts once it does.",
        file: "src/operator/policy.rs",
        edits: &[(".chain(&demands.labels)", ".chain(demands.labels.iter().filter(|_| !$ON))")],
        caught_by: &["payg_operator::operator::policy::tests::everything_that_checks_counts_and_the_youngest_is_named"],
    },
    Mutant {
        name: "second-person-not-compared",
        wrong: "Somebody weakens the policy on the second person, and who may edit approves.",
        file: "src/operator/policy.rs",
        edits: &[("    let as_shipped = ", "    let as_shipped = ($ON && name == SECOND_PERSON) || ")],
        caught_by: &["payg_operator::operator::policy::tests::every_policy_that_is_altered_or_missing_is_named"],
    },
];
