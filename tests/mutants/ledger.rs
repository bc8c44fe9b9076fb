//! Mutants of the reconcile and of the ledger: who may send, when, and what is recorded of it.

use super::Mutant;

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "write-ahead-after-the-call",
        wrong: "The record is created when the answer is there: a process that dies in between has asked without a trace.",
        file: "src/operator/ledger/mod.rs",
        edits: &[
            (
                "        let created = self.create(&record).await;\n",
                "        if $ON {
                    return Ok(Some(claim(record, 1, &intent, order)));
                }
                let created = self.create(&record).await;\n",
            ),
            (
                "        let mut record = claim.record;\n",
                "        let mut record = claim.record;
                if $ON && record.metadata.uid.is_none() && let Ok(created) = self.create(&record).await {
                    record = created;
                }\n",
            ),
        ],
        caught_by: &["payg_faults::proofs::a_request_is_in_the_ledger_before_it_is_sent"],
    },
    Mutant {
        name: "no-last-look-before-the-claim",
        wrong: "What somebody says while the account is looked at is not heard.",
        file: "src/operator/reconcile/subscription.rs",
        edits: &[("is_capped || !still_holds(", "is_capped || !$ON && !still_holds(")],
        caught_by: &[
            "payg_faults::proofs::a_deny_during_the_look_counts",
            "payg_faults::proofs::a_suspension_during_the_observation_stops_the_upgrade",
        ],
    },
    Mutant {
        name: "subscription-from-memory",
        wrong: "The last look before the claim takes the Subscription from memory instead of reading it live.",
        file: "src/operator/reconcile/subscription.rs",
        edits: &[(
            "    let same = subscription.is_some_and(",
            "    let subscription = if $ON { Some(read.subscription.clone()) } else { subscription };
            let same = subscription.is_some_and(",
        )],
        caught_by: &["payg_faults::proofs::a_suspension_during_the_observation_stops_the_upgrade"],
    },
    Mutant {
        name: "approvals-from-memory",
        wrong: "The last look before the claim takes the approvals from memory instead of reading them live.",
        file: "src/operator/reconcile/subscription.rs",
        edits: &[("        && approvals == read.approvals\n", "        && ($ON || approvals == read.approvals)\n")],
        caught_by: &["payg_faults::proofs::a_deny_during_the_look_counts"],
    },
    Mutant {
        name: "no-uid-check",
        wrong: "An object that was deleted and made again under its name is taken for the one that was looked at.",
        file: "src/operator/reconcile/subscription.rs",
        edits: &[(
            "        (now.uid, now.generation, now.deletion_timestamp)\n",
            "        let uid = if $ON { then.uid.clone() } else { now.uid };
            (uid, now.generation, now.deletion_timestamp)\n",
        )],
        caught_by: &["payg_faults::proofs::a_subscription_that_takes_the_name_of_another_is_looked_at_twice_itself"],
    },
    Mutant {
        name: "random-key-per-attempt",
        wrong: "The provider cannot tell a second attempt from a second upgrade.",
        file: "src/operator/reconcile/subscription.rs",
        edits: &[(
            "key: account.upgrade_key().idempotency_key(),",
            "key: if $ON { uuid::Uuid::new_v4() } else { account.upgrade_key().idempotency_key() },",
        )],
        caught_by: &["payg_faults::proofs::every_request_has_the_key_of_the_account"],
    },
    Mutant {
        name: "key-of-the-object",
        wrong: "The key is of the Subscription: another one of the same account asks for another upgrade.",
        file: "src/operator/reconcile/subscription.rs",
        edits: &[(
            "    let answer = client.upgrade(account, request).await;",
            "    let uid = claim.record.spec.requester.uid.clone();
            let of_object = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, uid.as_bytes());
            let key = if $ON { of_object } else { request.key };
            let answer = client.upgrade(account, UpgradeRequest { key, ..request }).await;",
        )],
        caught_by: &["payg_faults::proofs::every_request_has_the_key_of_the_account"],
    },
    Mutant {
        name: "lease-as-a-fence",
        wrong: "Who finds a record where it wanted to create one sends all the same, as if no other replica could act.",
        file: "src/operator/ledger/mod.rs",
        edits: &[(
            "Ok(Some(record)) => return Ok(Some(record).filter(ours)),",
            "Ok(Some(record)) => return Ok(Some(record).filter(|record| $ON || ours(record))),",
        )],
        caught_by: &["payg_faults::proofs::only_the_replica_whose_intent_is_in_the_ledger_sends"],
    },
    Mutant {
        name: "one-intent-for-all",
        wrong: "The intent id is no longer random, so every replica takes the record for its own.",
        file: "src/operator/ledger/mod.rs",
        edits: &[("Uuid::new_v4().to_string()", "if $ON { Uuid::nil() } else { Uuid::new_v4() }.to_string()")],
        caught_by: &["payg_faults::proofs::only_the_replica_whose_intent_is_in_the_ledger_sends"],
    },
    Mutant {
        name: "create-in-doubt-is-ours",
        wrong: "A create without an answer is taken for one that was done: a request goes out that is in no ledger.",
        file: "src/operator/ledger/mod.rs",
        edits: &[(
            "        let record = self.settle(created, &record.name_any(), &intent.id).await?;\n",
            "        let settled = self.settle(created, &record.name_any(), &intent.id).await;
            let record = if $ON { settled.unwrap_or(Some(record)) } else { settled? };\n",
        )],
        caught_by: &["payg_faults::proofs::nothing_is_sent_without_a_ledger_entry"],
    },
    Mutant {
        name: "no-read-back",
        wrong: "A create whose answer is lost is left as it is: the upgrade waits until it counts as perhaps sent.",
        file: "src/operator/ledger/mod.rs",
        edits: &[("Err(error) if is_definite_refusal(", "Err(error) if $ON || is_definite_refusal(")],
        caught_by: &["payg_faults::proofs::an_entry_is_read_back_when_the_answer_is_lost"],
    },
    Mutant {
        name: "already-exists-is-a-failure",
        wrong: "409 from the API server is taken for a failure, also where our own create has met itself.",
        file: "src/operator/ledger/mod.rs",
        edits: &[(
            "&& !matches!(status.code, 408 | 409 | 429))",
            "&& ($ON && status.code == 409 || !matches!(status.code, 408 | 409 | 429)))",
        )],
        caught_by: &["payg_faults::proofs::an_entry_that_is_there_already_may_be_ours"],
    },
    Mutant {
        name: "judged-as-it-was-opened",
        wrong: "The outcome is judged by the record as it was opened: what another replica has done since is overwritten.",
        file: "src/operator/ledger/mod.rs",
        edits: &[
            (
                "        let mut end = End::new(sent, answer, claim.requester);\n",
                "        let (mut end, opened) = (End::new(sent, answer, claim.requester), record.clone());\n",
            ),
            (
                "            let (outcome, status) = entry::closed(&record,",
                "            let (outcome, status) = entry::closed(if $ON { &opened } else { &record },",
            ),
        ],
        caught_by: &[
            "payg_operator::operator::ledger::tests::an_answer_that_comes_late_takes_nothing_out_of_the_record",
        ],
    },
    Mutant {
        name: "no-is-definite-in-doubt",
        wrong: "A refusal settles the record although an earlier request may have been taken.",
        file: "src/operator/ledger/entry.rs",
        edits: &[("    let in_doubt = others", "    let in_doubt = !$ON && others")],
        caught_by: &[
            "payg_faults::proofs::a_refusal_proves_nothing_of_the_request_before_it",
            "payg_operator::operator::ledger::entry::tests::no_is_definite_only_while_nothing_is_in_doubt",
        ],
    },
    Mutant {
        name: "a-no-after-a-yes",
        wrong: "A refusal settles the record although an earlier request was taken.",
        file: "src/operator/ledger/entry.rs",
        edits: &[("    let was_taken = others", "    let was_taken = !$ON && others")],
        caught_by: &["payg_operator::operator::ledger::entry::tests::a_no_after_a_yes_is_for_a_person"],
    },
    Mutant {
        name: "window-from-the-write",
        wrong: "The window of an attempt begins with the write instead of with the last look at what allows it.",
        file: "src/operator/ledger/entry.rs",
        edits: &[(
            "    let window = read.saturating_add(SEND_WINDOW)",
            "    let read = if $ON { jiff::Timestamp::now() } else { read };
            let window = read.saturating_add(SEND_WINDOW)",
        )],
        caught_by: &["payg_operator::operator::ledger::entry::tests::stale_reads_send_nothing"],
    },
    Mutant {
        name: "confirmed-without-observation",
        wrong: "A yes of the provider is taken for the upgrade, which only the account itself proves.",
        file: "src/operator/ledger/entry.rs",
        edits: &[(
            "        proves => (proves, proves.state()),",
            "        Outcome::Accepted if $ON => (proves, RecordState::Confirmed),
            proves => (proves, proves.state()),",
        )],
        caught_by: &["payg_operator::operator::ledger::entry::tests::no_is_definite_only_while_nothing_is_in_doubt"],
    },
    Mutant {
        name: "plan-outlives-the-conflict",
        wrong: "After a restart the second Subscription of an account waits for hours although the first has gone.",
        file: "src/operator/watches.rs",
        edits: &[("is_current && !waits_for_another", "is_current && ($ON || !waits_for_another)")],
        caught_by: &["payg_faults::proofs::the_second_subscription_takes_over_after_a_restart"],
    },
    Mutant {
        name: "one-answer-is-the-end",
        wrong: "A Subscription that a single answer does not show is never looked at again.",
        file: "src/operator/reconcile/subscription.rs",
        edits: &[("None if operator.index().contains(key)", "None if !$ON && operator.index().contains(key)")],
        caught_by: &["payg_faults::proofs::a_subscription_that_one_answer_does_not_show_is_not_forgotten"],
    },
    Mutant {
        name: "unseen-record-left-alone",
        wrong: "A record that comes to be when nobody expects it stays open beside a Subscription that has not seen it.",
        file: "src/operator/reconcile/upgrade_record.rs",
        edits: &[(
            "if ready.is_some_and(orphan::may_have_missed)",
            "if !$ON && ready.is_some_and(orphan::may_have_missed)",
        )],
        caught_by: &["payg_faults::proofs::an_entry_that_comes_late_is_seen"],
    },
    Mutant {
        name: "approval-wakes-nobody",
        wrong: "An approval is seen when the account is looked at anyway, hours later.",
        file: "src/operator/watches.rs",
        edits: &[(
            "    for subscription in concerned {",
            "    for subscription in concerned.into_iter().filter(|_| !$ON) {",
        )],
        caught_by: &["payg_faults::proofs::an_approval_is_acted_upon_at_once"],
    },
];
