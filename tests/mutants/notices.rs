//! Mutants of notices: each receiver gets what is due, and nothing ends before somebody knows.

use super::Mutant;

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "notice-waits-for-the-plan",
        wrong: "After a restart, a notice that no receiver has waits for the next planned observation, when it is moot.",
        file: "src/operator/watches.rs",
        edits: &[("let is_to_notify = ", "let is_to_notify = !$ON && ")],
        caught_by: &["payg_faults::proofs::a_notice_that_a_crash_interrupts_is_sent_after_the_restart"],
    },
    Mutant {
        name: "notice-sent-once",
        wrong: "A receiver that cannot be reached has had its chance.",
        file: "crates/notify/src/dispatcher.rs",
        edits: &[(
            "            Err(SendError::Temporary { detail, after }) => {",
            "            Err(SendError::Temporary { detail, .. }) if $ON => Err(NotDelivered::Refused(detail)),
            Err(SendError::Temporary { detail, after }) => {",
        )],
        caught_by: &["payg_faults::proofs::a_notice_is_sent_again_until_the_receiver_has_it"],
    },
    Mutant {
        name: "unseen-ends-all",
        wrong: "A reconcile that could not read the account takes every notice for over.",
        file: "crates/core/src/notice.rs",
        edits: &[(
            "    decision.seen.is_some() || matches!(decision.verdict, Verdict::Suspended(_))",
            "    $ON || decision.seen.is_some() || matches!(decision.verdict, Verdict::Suspended(_))",
        )],
        caught_by: &["decide::notices::without_an_observation_nothing_is_over"],
    },
];
