//! Mutants of claims and of whose a refusal is: what keeps one tenant from stopping another.

use super::Mutant;

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "claim-without-sight",
        wrong: "Who saw an account once holds it for ever, with credentials that were taken away.",
        file: "crates/core/src/desired.rs",
        edits: &[(
            "self.yields.or(is_over(since, CLAIM_WITHOUT_SIGHT, now.wall).then_some",
            "self.yields.or((!$ON && is_over(since, CLAIM_WITHOUT_SIGHT, now.wall)).then_some",
        )],
        caught_by: &["decide::claims::a_claim_holds_while_it_is_alive"],
    },
    Mutant {
        name: "claim-without-looks",
        wrong: "A Subscription whose status cannot be written any more holds its account for ever.",
        file: "crates/core/src/desired.rs",
        edits: &[(
            "is_over(last, CLAIM_WITHOUT_OBSERVATIONS, now.billing)",
            "(!$ON && is_over(last, CLAIM_WITHOUT_OBSERVATIONS, now.billing))",
        )],
        caught_by: &["decide::claims::a_claim_holds_while_it_is_alive"],
    },
    Mutant {
        name: "claim-that-is-not-wanted",
        wrong: "Who is suspended, only observes or is being deleted keeps the account from others.",
        file: "src/operator/parse.rs",
        edits: &[("        yields: yields(subscription),", "        yields: yields(subscription).filter(|_| !$ON),")],
        caught_by: &["payg_operator::operator::parse::tests::subscriptions_without_a_wish_claim_no_account"],
    },
    Mutant {
        name: "name-before-sight",
        wrong: "Who cannot see an account learns who has it.",
        file: "crates/core/src/decide/sight.rs",
        edits: &[("filter(|_| case.seen.is_some())", "filter(|_| $ON || case.seen.is_some())")],
        caught_by: &["decide::claims::a_conflict_hides_the_holder_until_the_account_is_observed"],
    },
    Mutant {
        name: "refusal-of-everybody",
        wrong: "A tenant without rights holds back the owner of the account.",
        file: "crates/core/src/record.rs",
        edits: &[(
            "        !(self.concerns_its_requester() && self.requester",
            "        $ON || !(self.concerns_its_requester() && self.requester",
        )],
        caught_by: &["decide::requesters::a_refusal_for_want_of_rights_is_its_requesters"],
    },
    Mutant {
        name: "pause-ends-with-any-change",
        wrong: "Who changes a BillingProvider again and again asks the provider as often.",
        file: "crates/core/src/record.rs",
        edits: &[(
            "_ if is_changed => minutes / 2,",
            "_ if is_changed => if $ON { Duration::ZERO } else { minutes / 2 },",
        )],
        caught_by: &["decide::requesters::a_changed_provider_may_try_at_once_and_not_again_and_again"],
    },
    Mutant {
        name: "record-filled-by-one",
        wrong: "A tenant fills the record of an account with refusals, and nobody can upgrade it any more.",
        file: "crates/core/src/record.rs",
        edits: &[(
            "self.attempts.iter().filter(|attempt| !attempt.concerns_its_requester()).count();",
            "self.attempts.iter().filter(|attempt| $ON || !attempt.concerns_its_requester()).count();",
        )],
        caught_by: &["decide::requesters::one_namespace_does_not_fill_the_record_for_another"],
    },
    Mutant {
        name: "words-for-another",
        wrong: "A tenant reads whose credentials another one uses.",
        file: "crates/core/src/record.rs",
        edits: &[("        if self.is_of(uid) {", "        if $ON || self.is_of(uid) {")],
        caught_by: &["decide::requesters::provider_messages_stay_in_their_namespace"],
    },
    Mutant {
        name: "requester-not-written",
        wrong: "The record does not say who made an attempt, so every refusal is everybody's.",
        file: "src/operator/ledger/entry.rs",
        edits: &[(
            "        if let Some(of) = &end.of {",
            "        if let Some(of) = end.of.as_ref().filter(|_| !$ON) {",
        )],
        caught_by: &["payg_operator::operator::ledger::tests::attempts_record_their_requester"],
    },
    Mutant {
        name: "older-crds-refuse-an-attempt",
        wrong: "Beside CRDs of an older version no further attempt is ever made.",
        file: "src/operator/ledger/mod.rs",
        edits: &[("if written.as_ref().is_err_and(is_invalid)", "if !$ON && written.as_ref().is_err_and(is_invalid)")],
        caught_by: &[
            "payg_operator::operator::ledger::tests::crds_of_an_older_version_lose_whose_an_attempt_was_and_nothing_else",
        ],
    },
    Mutant {
        name: "cap-of-what-was-not-taken",
        wrong: "Requests that nobody received use up the cap of all.",
        file: "src/operator/watches.rs",
        edits: &[(
            "matches!(made.outcome, Outcome::Accepted | Outcome::Unknown)",
            "$ON || matches!(made.outcome, Outcome::Accepted | Outcome::Unknown)",
        )],
        caught_by: &["payg_operator::operator::watches::tests::requests_that_no_provider_accepted_do_not_count"],
    },
    Mutant {
        name: "share-ignored",
        wrong: "One namespace uses up the cap of all.",
        file: "crates/core/src/allowance.rs",
        edits: &[("(!self.alone && own >= share)", "(!$ON && !self.alone && own >= share)")],
        caught_by: &["decide::requesters::a_namespace_may_use_half_of_what_the_others_leave"],
    },
    Mutant {
        name: "watch-forgets-a-request",
        wrong: "A watch that is behind takes a request out of the count, and the cap is exceeded.",
        file: "src/operator/index.rs",
        edits: &[(
            "        self.requests.entry(name.to_owned()).or_default().extend(requests);",
            "        let known = self.requests.entry(name.to_owned()).or_default();
            if $ON {
                known.clear();
            }
            known.extend(requests);",
        )],
        caught_by: &["payg_operator::operator::index::tests::possibly_accepted_requests_count_for_their_namespace"],
    },
];
