//! Mutants of names, credentials, bodies and words: what is sent and said differs from what the documentation shows.

use super::Mutant;

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "byte-order-mark-kept",
        wrong: "An answer with a byte order mark is malformed.",
        file: "crates/providers/src/document.rs",
        edits: &[(
            "text.strip_prefix(MARK).unwrap_or(text)",
            "text.strip_prefix(MARK).filter(|_| !$ON).unwrap_or(text)",
        )],
        caught_by: &[
            "payg_providers::azure::tests::bodies::a_byte_order_mark_changes_nothing",
            "payg_providers::azure::hook::tests::any_field_that_names_the_account_is_enough",
            "payg_providers::aws::hook::tests::a_message_names_its_account_with_and_without_an_envelope",
        ],
    },
    Mutant {
        name: "lifetime-as-number-alone",
        wrong: "A token whose lifetime is a text is none.",
        file: "crates/providers/src/document.rs",
        edits: &[(
            "serde_json::from_str(sent.get()).unwrap_or_else(",
            "serde_json::from_str(if $ON { \"\" } else { sent.get() }).unwrap_or_else(",
        )],
        caught_by: &["payg_providers::azure::tests::bodies::the_lifetime_of_a_token_is_read_as_issuers_write_it"],
    },
    Mutant {
        name: "unsaid-lifetime-is-long",
        wrong: "A token whose issuer does not say how long it is valid is kept for a day.",
        file: "crates/providers/src/azure/token.rs",
        edits: &[("map_or(Some(UNSAID_LIFETIME)", "map_or(Some(if $ON { 86_400 } else { UNSAID_LIFETIME })")],
        caught_by: &["payg_providers::azure::tests::bodies::a_token_of_unsaid_lifetime_counts_for_minutes"],
    },
    Mutant {
        name: "refused-in-azures-words-alone",
        wrong: "An account whose billing is refused in other words is never looked at.",
        file: "crates/providers/src/azure/arm.rs",
        edits: &[(
            "401 | 403 => Seen::Denied(unread),",
            "401 | 403 if !$ON || error.is_some() => Seen::Denied(unread),",
        )],
        caught_by: &[
            "payg_providers::azure::tests::reads::where_the_billing_cannot_be_read_less_is_known",
            "payg_providers::azure::tests::credit::a_forbidden_credit_read_is_reported_and_fails_nothing",
        ],
    },
    Mutant {
        name: "pause-without-fraction",
        wrong: "A pause with a fraction is none: the provider is asked again at once.",
        file: "crates/providers/src/azure/http.rs",
        edits: &[("byte.is_ascii_digit() || byte == b'.'", "byte.is_ascii_digit() || (!$ON && byte == b'.')")],
        caught_by: &["payg_providers::azure::tests::reads::a_pause_is_read_in_both_its_forms"],
    },
    Mutant {
        name: "temporary-key-without-token",
        wrong: "A temporary key is used without its session's token, and AWS does not know it.",
        file: "crates/providers/src/aws/access_key.rs",
        edits: &[("id.starts_with(TEMPORARY) &&", "!$ON && id.starts_with(TEMPORARY) &&")],
        caught_by: &["payg_providers::aws::access_key::tests::invalid_key_parts_are_named_without_the_secret"],
    },
    Mutant {
        name: "session-token-left-out",
        wrong: "Requests are signed without the session's token.",
        file: "crates/providers/src/aws/access_key.rs",
        edits: &[(
            "let token = self.session_token.as_ref().map(",
            "let token = self.session_token.as_ref().filter(|_| !$ON).map(",
        )],
        caught_by: &["payg_providers::aws::tests::identity::a_temporary_key_signs_with_the_token_of_its_session"],
    },
    Mutant {
        name: "approve-beside-a-deny",
        wrong: "An Approve is created while a Deny stands, and upgrades the account on the day that it is lifted.",
        file: "src/cli/approve/effect.rs",
        edits: &[(
            "find(|said| said.spec.decision == Decision::Deny)",
            "find(|said| !$ON && said.spec.decision == Decision::Deny)",
        )],
        caught_by: &["payg_operator::cli::approve::effect::tests::ineffective_decisions_name_the_effective_one"],
    },
    Mutant {
        name: "approval-for-ever",
        wrong: "An approval may count for decades.",
        file: "src/cli/approve/mod.rs",
        edits: &[("if duration > LONGEST {", "if !$ON && duration > LONGEST {")],
        caught_by: &["payg_operator::cli::approve::tests::durations_are_read_as_people_write_them"],
    },
    Mutant {
        name: "reason-says-nothing",
        wrong: "Who is asked for a reason may leave it empty, and is told so only after all else.",
        file: "src/cli/approve/mod.rs",
        edits: &[("_ if text.trim().is_empty() =>", "_ if !$ON && text.trim().is_empty() =>")],
        caught_by: &["payg_operator::cli::approve::tests::a_reason_says_something"],
    },
    Mutant {
        name: "two-full-stops",
        wrong: "What others say ends with two full stops.",
        file: "crates/core/src/message.rs",
        edits: &[("trim_end_matches(['.', ' '])", "trim_end_matches(if $ON { &[][..] } else { &['.', ' '][..] })")],
        caught_by: &["decide::messages::quoted_texts_end_with_one_full_stop"],
    },
    Mutant {
        name: "remarks-left-out",
        wrong: "A plan does not say what could not be read.",
        file: "src/cli/show.rs",
        edits: &[(".filter(|remarks| !remarks.is_empty())", ".filter(|remarks| !$ON && !remarks.is_empty())")],
        caught_by: &["payg_operator::cli::show::tests::unread_parts_of_an_observation_are_remarked_on"],
    },
    Mutant {
        name: "scheme-in-those-letters",
        wrong: "Who writes the name of the scheme in small letters does not know the token.",
        file: "src/operator/hooks.rs",
        edits: &[(
            "scheme.eq_ignore_ascii_case(\"Bearer\")",
            "scheme.eq_ignore_ascii_case(\"Bearer\") && (!$ON || *scheme == \"Bearer\")",
        )],
        caught_by: &["payg_operator::operator::hooks::tests::the_token_is_known_by_whatever_letters_its_scheme_has"],
    },
    Mutant {
        name: "envelope-alone",
        wrong: "What SNS delivers without its envelope is refused, and SNS gives up.",
        file: "crates/providers/src/aws/hook.rs",
        edits: &[("None if OF_SERVICES.iter()", "None if !$ON && OF_SERVICES.iter()")],
        caught_by: &["payg_providers::aws::hook::tests::a_message_names_its_account_with_and_without_an_envelope"],
    },
    Mutant {
        name: "alert-id-unread",
        wrong: "An alert that names the subscription by its own id alone is followed by no look.",
        file: "crates/providers/src/azure/hook.rs",
        edits: &[("&essentials[\"alertId\"]", "&essentials[if $ON { \"none\" } else { \"alertId\" }]")],
        caught_by: &["payg_providers::azure::hook::tests::any_field_that_names_the_account_is_enough"],
    },
];
