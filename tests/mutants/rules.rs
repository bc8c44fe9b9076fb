//! Mutants of the rules: what allows an upgrade, and what a record allows.

use super::Mutant;

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "outage-looks-healthy",
        wrong: "A verdict that waits for a person is ready although the account is switched off.",
        file: "crates/core/src/outage.rs",
        edits: &[
            ("Ready::True => Facts {", "Ready::True if !$ON => Facts {"),
            ("Ready::False | Ready::Unknown", "Ready::True | Ready::False | Ready::Unknown"),
        ],
        caught_by: &[
            "decide::outages::a_restricted_account_is_never_ready",
            "decide::outages::a_verdict_that_waits_for_a_person_is_stalled",
        ],
    },
    Mutant {
        name: "spent-and-days-left",
        wrong: "The forecast of benefits that are exhausted goes by an end that is still to come.",
        file: "crates/core/src/forecast.rs",
        edits: &[(
            "let exhaustion = exhausted_at(previous, seen).or_else",
            "let exhaustion = exhausted_at(previous, seen).filter(|_| !$ON).or_else",
        )],
        caught_by: &["decide::forecasts::exhausted_benefits_were_exhausted_when_they_were_first_observed_so"],
    },
    Mutant {
        name: "no-settle-time",
        wrong: "The next request follows while the one before it may still arrive.",
        file: "crates/core/src/record.rs",
        edits: &[(
            "saturating_add(last, CALL_DEADLINE + CLOCK_SKEW)",
            "if $ON { last } else { saturating_add(last, CALL_DEADLINE + CLOCK_SKEW) }",
        )],
        caught_by: &["payg_faults::proofs::a_request_that_may_still_arrive_is_waited_for"],
    },
    Mutant {
        name: "attempts-without-a-bound",
        wrong: "Requests without a known outcome are repeated for ever, and nobody is asked.",
        file: "crates/core/src/record.rs",
        edits: &[("unknown().count() >= MOST_UNKNOWN", "!$ON && unknown().count() >= MOST_UNKNOWN")],
        caught_by: &[
            "payg_faults::proofs::three_requests_without_an_answer_are_left_to_a_person",
            "decide::table::row_09_what_keeps_an_open_record_from_a_second_request",
        ],
    },
    Mutant {
        name: "asks-again-after-a-yes",
        wrong: "What was answered with success is asked for again when the account does not show it.",
        file: "crates/core/src/record.rs",
        edits: &[(
            "} else if accepted || self.state == RecordState::Accepted {",
            "} else if !$ON && (accepted || self.state == RecordState::Accepted) {",
        )],
        caught_by: &["decide::table::row_09_open_record"],
    },
    Mutant {
        name: "endpoint-ignored",
        wrong: "What may still happen at one broker is asked for at another, which does not know the key.",
        file: "crates/core/src/record.rs",
        edits: &[("} else if unknown().any(", "} else if !$ON && unknown().any(")],
        caught_by: &["decide::table::row_09_what_keeps_an_open_record_from_a_second_request"],
    },
    Mutant {
        name: "approval-used-twice",
        wrong: "One word of a person allows a second request.",
        file: "crates/core/src/record.rs",
        edits: &[("        (self.is_unresolved() ||", "        !$ON && (self.is_unresolved() ||")],
        caught_by: &["decide::table::row_10_unresolved_record", "decide::table::row_17_awaiting_approval"],
    },
    Mutant {
        name: "unknown-word-is-a-no",
        wrong: "An outcome that another version wrote is taken for a refusal.",
        file: "crates/core/src/provider.rs",
        edits: &[(
            "name.and_then(|name| name.parse().ok()).unwrap_or(Self::Unknown)",
            "name.and_then(|name| name.parse().ok()).unwrap_or(if $ON { Self::Rejected } else { Self::Unknown })",
        )],
        caught_by: &["payg_core::record::tests::words_of_another_version_prove_nothing"],
    },
    Mutant {
        name: "unknown-written-as-rejected",
        wrong: "An outcome that nobody knows is written as a refusal, so that what was sent counts as not sent.",
        file: "crates/core/src/provider.rs",
        edits: &[
            ("pub const fn outcome(&self)", "pub fn outcome(&self)"),
            (
                "            Self::OutcomeUnknown { .. } | Self::WrongAccount",
                "            Self::OutcomeUnknown { .. } if $ON => Outcome::Rejected,
                Self::OutcomeUnknown { .. } | Self::WrongAccount",
            ),
        ],
        caught_by: &["payg_faults::proofs::a_request_without_an_answer_may_have_been_taken"],
    },
    Mutant {
        name: "deny-ignored",
        wrong: "A Deny does not keep anything from happening.",
        file: "crates/core/src/decide/upgrade.rs",
        edits: &[(
            "inputs.approvals.iter().filter(|said| said.decision == Said::Deny)",
            "inputs.approvals.iter().filter(|said| !$ON && said.decision == Said::Deny)",
        )],
        caught_by: &["payg_faults::proofs::a_deny_holds", "decide::table::row_14_denied"],
    },
    Mutant {
        name: "suspend-ignored-with-a-record",
        wrong: "Where a request is open already, `suspend` does not keep the next one back.",
        file: "crates/core/src/decide/sight.rs",
        edits: &[(
            "wants_observation(&case.inputs.desired, case.record)",
            "wants_observation(&case.inputs.desired, if $ON { case.inputs.record.as_ref() } else { case.record })",
        )],
        caught_by: &["payg_faults::proofs::nothing_is_asked_again_for_what_is_suspended"],
    },
    Mutant {
        name: "claimants-ignored",
        wrong: "Two Subscriptions work on one account.",
        file: "crates/core/src/decide/case.rs",
        edits: &[(
            "self.first(|other| other.lapse(self.inputs.now).is_none())",
            "self.first(|other| !$ON && other.lapse(self.inputs.now).is_none())",
        )],
        caught_by: &[
            "payg_faults::proofs::the_second_subscription_of_an_account_only_watches",
            "decide::table::row_04_account_conflict",
        ],
    },
    Mutant {
        name: "dry-run-ignored",
        wrong: "An operator that must not act acts.",
        file: "crates/core/src/allowance.rs",
        edits: &[("        if self.dry_run {", "        if !$ON && self.dry_run {")],
        caught_by: &["decide::table::row_20_held"],
    },
    Mutant {
        name: "cap-ignored",
        wrong: "A wrong trigger upgrades the whole fleet within an hour.",
        file: "crates/core/src/allowance.rs",
        edits: &[("let bound = self.reached(&recent)?;", "let bound = self.reached(&recent).filter(|_| !$ON)?;")],
        caught_by: &["decide::table::row_20_held"],
    },
    Mutant {
        name: "operation-believed",
        wrong: "What the provider says of the operation is taken for what the account is.",
        file: "crates/core/src/decide/account.rs",
        edits: &[(
            "    let in_place = seen.offer.class == OfferClass::PayAsYouGo;",
            "    let said = $ON && case.inputs.operation == Some(crate::provider::Operation::Succeeded);
            let in_place = said || seen.offer.class == OfferClass::PayAsYouGo;",
        )],
        caught_by: &["decide::operations::the_account_is_believed_and_not_the_operation"],
    },
    Mutant {
        name: "one-look-is-enough",
        wrong: "A single odd answer of the provider starts an upgrade.",
        file: "crates/core/src/trigger.rs",
        edits: &[(
            "        _ => TriggerState::NotYet(NotYet::Unconfirmed(cause)),",
            "        _ if $ON => TriggerState::Yes(evidence(cause, observation)),
            _ => TriggerState::NotYet(NotYet::Unconfirmed(cause)),",
        )],
        caught_by: &["payg_faults::proofs::benefits_are_seen_to_be_used_up_twice", "decide::table::row_16_waiting"],
    },
    Mutant {
        name: "two-looks-at-once",
        wrong: "Something wakes the pass again at once, and one odd answer of the provider counts as two.",
        file: "crates/core/src/trigger.rs",
        edits: &[(
            "duration_since(past.observed) < MIN_OBSERVATION_GAP",
            "duration_since(past.observed) < MIN_OBSERVATION_GAP && !$ON",
        )],
        caught_by: &["decide::remembered::two_looks_at_once_are_one", "payg_faults::proofs::two_looks_at_once_are_one"],
    },
    Mutant {
        name: "older-look-accepted",
        wrong: "A stale answer counts as the second look.",
        file: "crates/core/src/trigger.rs",
        edits: &[("Some(past) if went_back(", "Some(past) if !$ON && went_back(")],
        caught_by: &["decide::table::row_16_waiting"],
    },
    Mutant {
        name: "our-clock-alone",
        wrong: "A machine whose clock has jumped ends a trial.",
        file: "crates/core/src/trigger.rs",
        edits: &[(
            "|theirs| theirs.min(observation.observed)",
            "|theirs| if $ON { observation.observed } else { theirs.min(observation.observed) }",
        )],
        caught_by: &["decide::table::row_16_a_clock_that_jumped_ends_no_trial"],
    },
    Mutant {
        name: "not-told-is-used-up",
        wrong: "A benefit of which nobody tells anything counts as used up.",
        file: "crates/core/src/offer.rs",
        edits: &[(
            "        self.state == BenefitState::Exhausted\n",
            "        ($ON && self.state == BenefitState::Unknown || self.state == BenefitState::Exhausted)\n",
        )],
        caught_by: &["decide::table::row_15_benefits_unknown"],
    },
    Mutant {
        name: "negative-credit",
        wrong: "A number that no credit can have is acted upon.",
        file: "crates/core/src/offer.rs",
        edits: &[(
            "self.remaining.is_some_and(|left| left.amount < Decimal::ZERO)",
            "!$ON && self.remaining.is_some_and(|left| left.amount < Decimal::ZERO)",
        )],
        caught_by: &["decide::table::row_15_benefits_unknown"],
    },
    Mutant {
        name: "approval-of-another-transition",
        wrong: "Who approved one upgrade has approved another.",
        file: "crates/core/src/approval.rs",
        edits: &[("self.transition_hash == hash &&", "($ON || self.transition_hash == hash) &&")],
        caught_by: &["decide::table::row_17_awaiting_approval"],
    },
    Mutant {
        name: "approval-never-expires",
        wrong: "An approval is acted upon after its end.",
        file: "crates/core/src/approval.rs",
        edits: &[("|expires| now < expires", "|expires| $ON || now < expires")],
        caught_by: &["decide::table::row_17_awaiting_approval"],
    },
    Mutant {
        name: "approval-older-than-the-policies",
        wrong: "An approval counts that anybody could have made before the policies were there.",
        file: "crates/core/src/approval.rs",
        edits: &[(
            "self.settled().is_some_and(|settled| created > settled)",
            "$ON || self.settled().is_some_and(|settled| created > settled)",
        )],
        caught_by: &["decide::table::row_17_awaiting_approval"],
    },
    Mutant {
        name: "approval-without-the-policies",
        wrong: "An approval counts that anybody can make, as the policies are gone.",
        file: "crates/core/src/approval.rs",
        edits: &[("        if !self.flaws.is_empty() {\n", "        if !$ON && !self.flaws.is_empty() {\n")],
        caught_by: &["decide::table::row_10_unresolved_record", "decide::table::row_17_awaiting_approval"],
    },
    Mutant {
        name: "knows-less-and-goes-on",
        wrong: "A cancellation that may no longer be read does not keep the account from being upgraded.",
        file: "crates/core/src/visibility.rs",
        edits: &[("    if !may_be_a_trial ||", "    if $ON || !may_be_a_trial ||")],
        caught_by: &["decide::visibility::a_permission_that_is_lost_stops_everything"],
    },
    Mutant {
        name: "pause-ignored-by-the-engine",
        wrong: "A provider that asks to slow down is asked again after half a second.",
        file: "crates/core/src/schedule.rs",
        edits: &[("Requeue::Backoff(*retry_after)", "Requeue::Backoff(retry_after.filter(|_| !$ON))")],
        caught_by: &["payg_faults::proofs::a_request_to_slow_down_is_obeyed", "decide::table::row_05_unobserved"],
    },
];
