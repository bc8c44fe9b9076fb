//! Mutants of reading and comparing numbers: a missing number is not zero, and a contradiction is doubt.

use super::Mutant;

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "missing-amount-is-zero",
        wrong: "The amount of a credit that AWS leaves out is taken for 0, as its SDK takes it.",
        file: "crates/providers/src/aws/plan.rs",
        edits: &[(
            "    let amount = amount.ok_or_else(",
            "    let amount = if $ON { amount.or_else(|| serde_json::from_str(\"0\").ok()) } else { amount };
    let amount = amount.ok_or_else(",
        )],
        caught_by: &[
            "payg_providers::aws::tests::traps::an_amount_that_is_not_there_is_not_zero",
            "payg_providers::aws::tests::properties::no_plan_claims_more_than_its_document_says",
        ],
    },
    Mutant {
        name: "missing-currency-is-dollars",
        wrong: "An amount without a currency is taken for dollars.",
        file: "crates/providers/src/aws/plan.rs",
        edits: &[(
            "        Some(\"USD\") => {}\n",
            "        Some(\"USD\") => {}
        None if $ON => {}\n",
        )],
        caught_by: &["payg_providers::aws::tests::properties::no_plan_claims_more_than_its_document_says"],
    },
    Mutant {
        name: "last-member-wins",
        wrong: "Of two members with one name one is taken, and the other may have been the right one.",
        file: "crates/providers/src/document.rs",
        edits: &[("find(|(name, _)| !names.insert(", "find(|(name, _)| !$ON && !names.insert(")],
        caught_by: &["payg_providers::document::tests::duplicate_or_differently_cased_members_are_malformed"],
    },
    Mutant {
        name: "other-letters-overlooked",
        wrong: "A member in other letters counts as not there, and what it says is not seen.",
        file: "crates/providers/src/document.rs",
        edits: &[("find(|field| **field != name && ", "find(|field| !$ON && **field != name && ")],
        caught_by: &[
            "payg_providers::document::tests::duplicate_or_differently_cased_members_are_malformed",
            "payg_providers::aws::tests::properties::no_plan_claims_more_than_its_document_says",
        ],
    },
    Mutant {
        name: "something-reads-as-nothing",
        wrong: "A number with more digits than a decimal holds is rounded to 0.",
        file: "crates/providers/src/document.rs",
        edits: &[(
            "    let exact = Decimal::from_str_exact(digits)",
            "    if $ON && let Ok(size) = digits.parse::<f64>() {
        return Decimal::try_from(size).ok();
    }
    let exact = Decimal::from_str_exact(digits)",
        )],
        caught_by: &["payg_providers::aws::tests::reads::a_credit_is_read_to_the_last_digit"],
    },
    Mutant {
        name: "last-element-wins",
        wrong: "Of two parts of a session's credentials, or of two accounts that they are of, the last is taken.",
        file: "crates/providers/src/aws/xml.rs",
        edits: &[("        if names.contains(", "        if !$ON && names.contains(")],
        caught_by: &[
            "payg_providers::aws::xml::tests::only_what_is_there_once_is_read",
            "payg_providers::aws::tests::identity::an_identity_needs_an_account_and_a_matching_arn",
        ],
    },
    Mutant {
        name: "credentials-without-a-part",
        wrong: "Credentials of a session that lack a part are used.",
        file: "crates/providers/src/aws/keys.rs",
        edits: &[(
            ".map(|text| text.filter(|text| !text.is_empty()));",
            ".map(|text| if $ON { Some(text.unwrap_or_default()) } else { text.filter(|text| !text.is_empty()) });",
        )],
        caught_by: &["payg_providers::aws::tests::identity::a_session_that_lacks_a_part_is_not_used"],
    },
    Mutant {
        name: "token-of-any-type",
        wrong: "Whatever the token service calls it, it is sent as a token that whoever has it may use.",
        file: "crates/providers/src/azure/token.rs",
        edits: &[("    kind.eq_ignore_ascii_case(\"Bearer\")", "    $ON || kind.eq_ignore_ascii_case(\"Bearer\")")],
        caught_by: &["payg_providers::azure::tests::subsets::no_token_is_taken_but_by_the_whole_answer"],
    },
    Mutant {
        name: "contradiction-believed",
        wrong: "A word that the trial is over counts beside a figure or a date that says that it is not.",
        file: "crates/core/src/trigger.rs",
        edits: &[(
            "    if let Some(contradiction) = contradiction_of(observation) {",
            "    if !$ON && let Some(contradiction) = contradiction_of(observation) {",
        )],
        caught_by: &["decide::contradictions::on_a_contradiction_nothing_is_requested_and_it_is_said"],
    },
    Mutant {
        name: "past-contradiction-confirms",
        wrong: "A look that contradicted itself counts as the first of two.",
        file: "crates/core/src/trigger.rs",
        edits: &[(
            "contradiction(&past.benefits, past.observed).is_none()",
            "($ON || contradiction(&past.benefits, past.observed).is_none())",
        )],
        caught_by: &["decide::contradictions::a_former_look_that_contradicted_itself_confirms_nothing"],
    },
    Mutant {
        name: "past-end-counts-as-near",
        wrong: "An end that has passed while the provider says that the trial goes on meets `timeLeftSeconds`.",
        file: "crates/core/src/offer.rs",
        edits: &[(
            "        self.state != BenefitState::Exhausted && self.end",
            "        !$ON && self.state != BenefitState::Exhausted && self.end",
        )],
        caught_by: &["decide::contradictions::on_a_contradiction_nothing_is_requested_and_it_is_said"],
    },
    Mutant {
        name: "word-against-an-unread-balance",
        wrong: "A period is over by a word without a date, though a balance that cannot be read may say otherwise.",
        file: "crates/providers/src/azure/interpret.rs",
        edits: &[("|| (by_word_alone && is_untold)", "|| (!$ON && by_word_alone && is_untold)")],
        caught_by: &[
            "payg_providers::azure::tests::remaining::a_period_that_is_over_by_a_word_alone_is_over_only_if_no_balance_may_speak_against_it",
        ],
    },
    Mutant {
        name: "other-terms-overlooked",
        wrong: "An account whose quota id and whose billing name different terms is upgraded.",
        file: "crates/providers/src/azure/interpret.rs",
        edits: &[(
            "billing.and_then(|billing| contradiction(quota, billing))",
            "billing.filter(|_| !$ON).and_then(|billing| contradiction(quota, billing))",
        )],
        caught_by: &["payg_providers::azure::tests::interpret::a_contradicting_plan_is_not_eligible"],
    },
    Mutant {
        name: "expired-before-its-date",
        wrong: "An AWS plan that has expired before its date, with no word of its credit, is upgraded.",
        file: "crates/providers/src/aws/interpret.rs",
        edits: &[
            (
                "(PlanStatus::Expired, _) if plan.credit.is_none() && has_time_left(plan, stamp)",
                "(PlanStatus::Expired, _) if !$ON && plan.credit.is_none() && has_time_left(plan, stamp)",
            ),
            (
                "            if has_time_left(plan, stamp) && plan.credit.is_none_or(",
                "            if !$ON && has_time_left(plan, stamp) && plan.credit.is_none_or(",
            ),
        ],
        caught_by: &["payg_providers::aws::tests::interpret::contradicting_observations_are_never_acted_on"],
    },
];
