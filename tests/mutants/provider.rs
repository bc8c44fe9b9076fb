//! Mutants of the providers and of the engine: what an answer proves, and how often something is asked.

use super::Mutant;

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "time-out-is-a-failure",
        wrong: "A request without an answer counts as not sent, and is sent again while it may still arrive.",
        file: "crates/providers/src/azure/broker/request.rs",
        edits: &[(
            "            Err(_) => Err(self.unknown(&format!(\"no answer in",
            "            Err(_) if $ON => Err(self.not_sent(\"no answer\")),
            Err(_) => Err(self.unknown(&format!(\"no answer in",
        )],
        caught_by: &[
            "payg_faults::proofs::a_request_without_an_answer_may_have_been_taken",
            "payg_providers::azure::tests::upgrades::a_broker_that_never_answers_is_left_at_the_deadline",
        ],
    },
    Mutant {
        name: "broken-off-is-a-failure",
        wrong: "A request whose connection breaks off counts as not sent.",
        file: "crates/providers/src/azure/broker/request.rs",
        edits: &[(
            "            Ok(Err(lost)) =>",
            "            Ok(Err(lost)) if $ON => Err(self.not_sent(&lost.detail())),
            Ok(Err(lost)) =>",
        )],
        caught_by: &["payg_faults::proofs::a_request_that_breaks_off_is_not_sent_again_at_once"],
    },
    Mutant {
        name: "retry-in-the-provider",
        wrong: "The provider sends a request again by itself when the connection breaks off.",
        file: "crates/providers/src/azure/broker/request.rs",
        edits: &[(
            "        match tokio::time::timeout(left, client.exchange(post)).await {",
            "        let again = post.try_clone().filter(|_| $ON);
            let mut answered = tokio::time::timeout(left, client.exchange(post)).await;
            if let (Ok(Err(NoAnswer::Broken(_))), Some(again)) = (&answered, again) {
                answered = tokio::time::timeout(left, client.exchange(again)).await;
            }
            match answered {",
        )],
        caught_by: &["payg_faults::proofs::a_request_that_breaks_off_is_not_sent_again_at_once"],
    },
    Mutant {
        name: "conflict-is-success",
        wrong: "409 of the provider is taken for \"it is done already\".",
        file: "crates/providers/src/azure/broker/request.rs",
        edits: &[(
            "            202 if answer.is_declared_empty() =>",
            "            409 if $ON => Ok(self.accepted(answer, &Map::new())),
            202 if answer.is_declared_empty() =>",
        )],
        caught_by: &["payg_faults::proofs::a_conflict_at_the_provider_proves_nothing"],
    },
    Mutant {
        name: "conflict-is-a-refusal",
        wrong: "409 of the provider is taken for a refusal, although an earlier request may be what it conflicts with.",
        file: "crates/providers/src/azure/broker/request.rs",
        edits: &[(
            "                Some(error) => self.unknown(",
            "                Some(error) if $ON && code == 409 => self.rejected(status, error),
                Some(error) => self.unknown(",
        )],
        caught_by: &["payg_faults::proofs::a_conflict_at_the_provider_proves_nothing"],
    },
    Mutant {
        name: "server-error-is-a-refusal",
        wrong: "A failure of the provider is taken for a refusal, although the request may have been taken before it.",
        file: "crates/providers/src/azure/broker/request.rs",
        edits: &[(
            "            code => Err(match answer.error() {\n",
            "            code => Err(match answer.error() {
                Some(error) if $ON && code >= 500 => self.rejected(status, error),\n",
        )],
        caught_by: &["payg_faults::proofs::a_failure_of_the_provider_proves_nothing"],
    },
    Mutant {
        name: "redirect-is-success",
        wrong: "An answer that only leads elsewhere is taken for a yes.",
        file: "crates/providers/src/azure/broker/request.rs",
        edits: &[(
            "            200..=202 => match",
            "            300..=399 if $ON => Ok(self.accepted(answer, &Map::new())),
            200..=202 => match",
        )],
        caught_by: &["payg_faults::proofs::a_redirect_proves_nothing"],
    },
    Mutant {
        name: "garbled-answer-is-success",
        wrong: "An answer that is no JSON, as of a proxy on the way, is taken for a yes.",
        file: "crates/providers/src/azure/broker/request.rs",
        edits: &[(
            "                Err(odd) => Err(self.unknown(",
            "                Err(_) if $ON => Ok(self.accepted(answer, &Map::new())),
                Err(odd) => Err(self.unknown(",
        )],
        caught_by: &[
            "payg_providers::azure::tests::upgrades::an_answer_that_proves_nothing_leaves_the_outcome_unknown",
        ],
    },
    Mutant {
        name: "too-late-is-sent",
        wrong: "A process that stood still sends when others take the attempt for settled.",
        file: "crates/providers/src/azure/broker/request.rs",
        edits: &[("        if !in_time.is_ok_and(", "        if !$ON && !in_time.is_ok_and(")],
        caught_by: &[
            "payg_faults::proofs::a_process_that_stood_still_does_not_send_what_it_wrote_before",
            "payg_providers::azure::tests::upgrades::nothing_is_sent_when_it_is_too_late",
        ],
    },
    Mutant {
        name: "retry-after-ignored",
        wrong: "`Retry-After` is not read: the provider is asked again at once.",
        file: "crates/providers/src/azure/http.rs",
        edits: &[("precise.or_else(seconds)", "precise.or_else(seconds).filter(|_| !$ON)")],
        caught_by: &[
            "payg_faults::proofs::a_request_to_slow_down_is_obeyed",
            "payg_providers::azure::tests::reads::a_pause_is_read_in_both_its_forms",
        ],
    },
    Mutant {
        name: "another-azure-account",
        wrong: "An answer about another subscription decides about this one.",
        file: "crates/providers/src/azure/arm.rs",
        edits: &[("Ok(found) if found == id =>", "Ok(found) if $ON || found == id =>")],
        caught_by: &["payg_providers::azure::tests::reads::every_answer_that_is_not_an_account_is_told_apart"],
    },
    Mutant {
        name: "secret-in-a-message",
        wrong: "What a token issuer repeats of the request gets into a status.",
        file: "crates/providers/src/azure/token.rs",
        edits: &[("let name = if word {", "let name = if $ON || word {")],
        caught_by: &[
            "payg_providers::azure::tests::tokens::refused_credentials_are_explained_without_a_word_of_the_answer",
        ],
    },
    Mutant {
        name: "another-aws-account",
        wrong: "An answer about another account decides about this one.",
        file: "crates/providers/src/aws/plan.rs",
        edits: &[("Some(found) if found == *account =>", "Some(found) if $ON || found == *account =>")],
        caught_by: &["payg_providers::aws::tests::reads::an_answer_about_another_account_is_no_answer"],
    },
    Mutant {
        name: "nan-credit",
        wrong: "A credit that is no number is read as nothing left.",
        file: "crates/providers/src/aws/plan.rs",
        edits: &[(
            "decimal(&amount).or_else(|| residue(amount.get()));",
            "decimal(&amount).or_else(|| residue(amount.get())).or($ON.then_some(Decimal::ZERO));",
        )],
        caught_by: &["payg_providers::aws::tests::reads::unknown_values_are_never_acted_on"],
    },
    Mutant {
        name: "lost-is-a-failure-at-aws",
        wrong: "An upgrade whose answer is lost counts as not sent.",
        file: "crates/providers/src/aws/failure.rs",
        edits: &[(
            "            Self::Lost(why) | Self::Odd(why) => ProviderError::OutcomeUnknown",
            "            Self::Lost(why) if $ON => ProviderError::Transient { detail: why },
            Self::Lost(why) | Self::Odd(why) => ProviderError::OutcomeUnknown",
        )],
        caught_by: &[
            "payg_faults::proofs::a_request_to_aws_without_an_answer_may_have_been_taken",
            "payg_providers::aws::failure::tests::only_a_documented_refusal_proves_that_nothing_was_upgraded",
        ],
    },
    Mutant {
        name: "lost-wake-up",
        wrong: "What changes during a pass is not looked at after it.",
        file: "crates/runtime/src/schedule.rs",
        edits: &[("            entry.woken = true;", "            entry.woken = !$ON;")],
        caught_by: &["payg_runtime::schedule::tests::requests_during_a_reconcile_run_after_it"],
    },
    Mutant {
        name: "no-backoff",
        wrong: "What fails is tried again without a pause.",
        file: "crates/runtime/src/schedule.rs",
        edits: &[(
            "let delay = BACKOFF.delay(entry.failures).max(",
            "let delay = if $ON { Duration::ZERO } else { BACKOFF.delay(entry.failures) }.max(",
        )],
        caught_by: &["payg_runtime::schedule::tests::a_backoff_yields_to_a_change_only"],
    },
];
