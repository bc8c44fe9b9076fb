//! Mutants of the engine: what keeps tenants out of each other's way, and the operator within its memory.

use super::Mutant;

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "no-turns",
        wrong: "Who asks for a thousand passes is served before who asks for one.",
        file: "crates/runtime/src/schedule.rs",
        edits: &[(
            "min_by_key(|group| self.groups.get(*group).map(|group| group.turn))",
            "min_by_key(|group| if $ON { None } else { self.groups.get(*group).map(|group| group.turn) })",
        )],
        caught_by: &[
            "payg_runtime::schedule::tests::a_group_waits_for_no_more_than_one_key_of_another",
            "payg_runtime::schedule::tests::keeps_its_promises",
        ],
    },
    Mutant {
        name: "a-group-without-a-bound",
        wrong: "One namespace whose providers hang holds every worker.",
        file: "crates/runtime/src/schedule.rs",
        edits: &[(
            "first.filter(|_| group.running < bounds.group.max(1))",
            "first.filter(|_| $ON || group.running < bounds.group.max(1))",
        )],
        caught_by: &[
            "payg_runtime::schedule::tests::a_group_holds_no_more_than_its_bound",
            "payg_runtime::schedule::tests::keeps_its_promises",
        ],
    },
    Mutant {
        name: "a-lane-without-a-bound",
        wrong: "One provider that hangs holds all that its namespace has.",
        file: "crates/runtime/src/schedule.rs",
        edits: &[("(self.running < bounds.lane.max(1)).then", "($ON || self.running < bounds.lane.max(1)).then")],
        caught_by: &[
            "payg_runtime::schedule::tests::a_lane_holds_no_more_than_its_bound_and_leaves_the_rest_to_others_of_its_group",
            "payg_runtime::schedule::tests::keeps_its_promises",
        ],
    },
    Mutant {
        name: "no-pace",
        wrong: "A provider is asked as often as there is something to ask, until the cloud throttles its tenant.",
        file: "crates/runtime/src/schedule.rs",
        edits: &[(
            "self.full_at.map_or(first_due, |full_at| bounds.rate_limit.next(full_at))",
            "self.full_at.filter(|_| !$ON).map_or(first_due, |full_at| bounds.rate_limit.next(full_at))",
        )],
        caught_by: &[
            "payg_runtime::schedule::tests::a_rate_limited_lane_delays_no_other",
            "payg_runtime::schedule::tests::keeps_its_promises",
        ],
    },
    Mutant {
        name: "one-group-for-all",
        wrong: "The queue is not told whose a Subscription is, so all tenants wait in one line.",
        file: "src/operator/watches.rs",
        edits: &[(
            "            operator.queue.assign(&Work::Subscription(key.clone()), &place);",
            "            if !$ON { operator.queue.assign(&Work::Subscription(key.clone()), &place); }",
        )],
        caught_by: &["payg_operator::operator::watches::tests::every_pass_waits_in_the_turn_of_its_namespace"],
    },
    Mutant {
        name: "pages-without-a-bound",
        wrong: "A list comes at once, and what is stored may be more than fits into memory.",
        file: "crates/runtime/src/watch.rs",
        edits: &[("page_size(PAGE)", "page_size(if $ON { 500 } else { PAGE })")],
        caught_by: &["payg_runtime::watch::tests::a_long_list_comes_in_small_pages"],
    },
    Mutant {
        name: "lists-of-a-pass-at-once",
        wrong: "A pass reads all approvals of a Subscription at once, however large they are.",
        file: "src/operator/reads.rs",
        edits: &[("params.limit(PAGE)", "params.limit(if $ON { 500 } else { PAGE })")],
        caught_by: &["payg_operator::operator::reads::tests::a_list_is_read_in_pages"],
    },
    Mutant {
        name: "lists-of-a-pass-without-an-end",
        wrong: "A pass goes through any number of approvals, and keeps them all.",
        file: "src/operator/reads.rs",
        edits: &[("if seen > MOST {", "if !$ON && seen > MOST {")],
        caught_by: &["payg_operator::operator::reads::tests::a_list_that_is_too_long_is_no_list"],
    },
    Mutant {
        name: "metadata-kept",
        wrong: "Each pass holds labels, owners and managed fields that nobody looks at.",
        file: "src/operator/reads.rs",
        edits: &[("    metadata.managed_fields = None;", "    if $ON { return }\n    metadata.managed_fields = None;")],
        caught_by: &["payg_operator::operator::reads::tests::metadata_is_cut_down_to_what_is_looked_at"],
    },
];
