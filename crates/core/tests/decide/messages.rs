//! What messages must say.

use payg_core::decide::decide;
use payg_core::observation::Unread;
use payg_core::provider::{Outcome, ProviderError};
use payg_core::record::{Record, RecordState};
use payg_core::verdict::{Unobserved, Verdict};
use payg_fixtures::given::*;

#[test]
fn why_a_record_is_unresolved_is_said_for_as_long_as_it_is() {
    let inputs = &mut due();
    inputs.record =
        Some(Record { outcome: Some("of this".to_owned()), ..record(RecordState::Unresolved, Outcome::Unknown, 9) });
    let message = decide(inputs).verdict.to_string();
    assert!(message.contains("upgraded the account, because of this."), "{message}");
}

#[test]
fn missing_permissions_are_named_beside_unknown_benefits() {
    let inputs = &mut due();
    inputs.seen().benefits.clear();
    inputs.seen().unread = vec![Unread { what: "the diary".to_owned(), permission: "the key".to_owned() }];
    let message = decide(inputs).verdict.to_string();
    assert!(message.ends_with("lack permission to read the diary; the key would reveal more."), "{message}");
}

#[test]
fn quoted_texts_end_with_one_full_stop() {
    let detail = || "Azure said: no access.".to_owned();
    let error = || ProviderError::Config { detail: detail() };
    for verdict in [
        Verdict::ProviderNotReady { problem: error(), stalled: false },
        Verdict::WrongAccount { found: detail() },
        Verdict::Unobserved { error: error(), since: Unobserved::Always },
        Verdict::UpgradeUnresolved { record: "up-1".to_owned(), attempt: 1, why: Some(detail()), hash: None },
        Verdict::UpgradeRejected { message: detail(), next: None },
        Verdict::UpgradeRejected { message: detail(), next: Some(jiff::Timestamp::UNIX_EPOCH) },
        Verdict::LedgerUnavailable { detail: detail() },
    ] {
        let said = verdict.to_string();
        assert!(said.contains("no access. ") || said.ends_with("no access."), "{said}");
        assert!(!said.contains(".."), "{said}");
    }
}
