//! What messages must say.

use super::given::*;
use crate::core::decide::decide;
use crate::core::observation::Unread;
use crate::core::record::{Outcome, Record, RecordState};

#[test]
fn why_a_record_is_unresolved_is_said_for_as_long_as_it_is() {
    let inputs = &mut due();
    inputs.record =
        Some(Record { outcome: Some("of this".to_owned()), ..record(RecordState::Unresolved, Outcome::Unknown, 9) });
    let message = decide(inputs).verdict.to_string();
    assert!(message.contains("cannot be told, because of this."), "{message}");
}

#[test]
fn what_the_credentials_may_not_read_is_said_where_it_is_missing() {
    let inputs = &mut due();
    inputs.seen().benefits.clear();
    inputs.seen().unread = vec![Unread { what: "the diary".to_owned(), permission: "the key".to_owned() }];
    let message = decide(inputs).verdict.to_string();
    assert!(message.ends_with("may not read the diary; more would be known with the key."), "{message}");
}
