//! The conditions of an object, in the form that `kubectl wait`, Flux and Argo CD read.

use jiff::Timestamp;
pub use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use payg_core::reason::{ConditionType, Reason};
use schemars::{Schema, SchemaGenerator, json_schema};

use super::time::PATTERN;

/// What the schema allows, as Kubernetes' own type does.
const MESSAGE_MAX: usize = 32_768;
/// What the operator writes, in characters. Several conditions repeat a message, and an object has a megabyte for everything.
const LONGEST_MESSAGE: usize = 4096;

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// It is not known whether it holds.
    Unknown,
}

impl Status {
    /// As it is written in the condition.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

impl From<bool> for Status {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

/// What a condition should say.
#[derive(Clone, Copy, Debug)]
pub struct Statement<'a> {
    /// The condition's type, such as `Ready`.
    pub type_: ConditionType,
    /// Whether it holds.
    pub status: Status,
    /// Why, in one word for programs.
    pub reason: Reason,
    /// Why, in a sentence for people. The condition keeps an excerpt of 4096 characters.
    pub message: &'a str,
}

/// Adds or changes a condition. Its transition time changes only with its status, as in Kubernetes' own
/// `SetStatusCondition`. `generation`, that of the reported spec, is stamped on *every* condition: whoever writes one has
/// checked all, and `kubectl wait` ignores those that look stale.
pub fn set(conditions: &mut Vec<Condition>, statement: Statement<'_>, generation: i64, now: Timestamp) {
    let Statement { type_, status, reason, message } = statement;
    let status = status.as_str();
    let last_transition_time = match find(conditions, type_) {
        Some(old) if old.status == status => old.last_transition_time.clone(),
        _ => Time(now),
    };
    let condition = Condition {
        type_: type_.name().to_owned(),
        status: status.to_owned(),
        reason: reason.name().to_owned(),
        message: payg_text::excerpt(message, LONGEST_MESSAGE),
        last_transition_time,
        observed_generation: None,
    };
    match conditions.iter_mut().find(|old| old.type_ == type_.name()) {
        Some(old) => *old = condition,
        None => conditions.push(condition),
    }
    for condition in conditions {
        condition.observed_generation = Some(generation);
    }
}

/// Removes a condition, if it is present.
pub fn remove(conditions: &mut Vec<Condition>, type_: ConditionType) {
    conditions.retain(|condition| condition.type_ != type_.name());
}

/// The condition of this type, if there is one.
pub fn find(conditions: &[Condition], type_: ConditionType) -> Option<&Condition> {
    conditions.iter().find(|condition| condition.type_ == type_.name())
}

/// The schema of a list of conditions, with the bounds that Kubernetes' own type leaves out.
pub(super) fn schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 16,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "type": "object",
            "required": ["type", "status", "lastTransitionTime", "reason", "message"],
            "properties": {
                "type": {
                    "description": "What the condition is about, such as Ready.",
                    "type": "string",
                    "maxLength": 316,
                    "pattern": "^[A-Z][A-Za-z0-9]*$",
                },
                "status": {
                    "description": "Whether the condition holds: True, False or Unknown.",
                    "type": "string",
                    "enum": ["True", "False", "Unknown"],
                },
                "observedGeneration": {
                    "description": "The metadata.generation that the condition is about. If metadata.generation is \
                        larger, the condition is out of date.",
                    "type": "integer",
                    "format": "int64",
                    "minimum": 0,
                },
                "lastTransitionTime": {
                    "description": "When the status last changed from one value to another.",
                    "type": "string",
                    "format": "date-time",
                    "maxLength": 35,
                    "pattern": PATTERN,
                },
                "reason": {
                    "description": "Why the status is as it is, in one word for programs.",
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 1024,
                    "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
                },
                "message": {
                    "description": "Why the status is as it is, and what to do about it, for people.",
                    "type": "string",
                    "maxLength": MESSAGE_MAX,
                },
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(type_: ConditionType, status: Status, reason: Reason) -> Statement<'static> {
        Statement { type_, status, reason, message: "" }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_transition_time_changes_only_with_the_status() {
        let mut conditions = Vec::new();
        set(&mut conditions, say(ConditionType::Ready, Status::Unknown, Reason::Pending), 1, at(10));
        set(&mut conditions, say(ConditionType::Ready, Status::Unknown, Reason::ObservationStale), 1, at(20));
        assert_eq!((conditions[0].last_transition_time.0, &*conditions[0].reason), (at(10), "ObservationStale"));
        set(&mut conditions, say(ConditionType::Ready, Status::True, Reason::WaitingForExhaustion), 1, at(30));
        assert_eq!((conditions.len(), conditions[0].last_transition_time.0), (1, at(30)));
    }

    #[test]
    fn every_condition_is_stamped_at_every_write() {
        let mut conditions = Vec::new();
        set(&mut conditions, say(ConditionType::Observed, Status::True, Reason::Observed), 1, at(10));
        set(&mut conditions, say(ConditionType::Ready, Status::True, Reason::Observing), 2, at(20));
        assert!(conditions.iter().all(|condition| condition.observed_generation == Some(2)));
    }

    #[test]
    fn a_message_is_short_and_hides_nothing() {
        let mut conditions = Vec::new();
        let message = format!("The account is `x\u{1b}[2J\n{}`.", "y".repeat(MESSAGE_MAX));
        let statement = Statement { message: &message, ..say(ConditionType::Ready, Status::True, Reason::Observing) };
        set(&mut conditions, statement, 1, at(10));
        let said = &conditions[0].message;
        assert!(said.starts_with("The account is `x\\u{1b}[2J\\nyyy"), "{said}");
        assert_eq!(said.chars().count(), LONGEST_MESSAGE);
    }

    #[test]
    fn obsolete_conditions_are_removed() {
        let mut conditions = Vec::new();
        set(&mut conditions, say(ConditionType::Stalled, Status::True, Reason::WrongAccount), 1, at(10));
        remove(&mut conditions, ConditionType::Stalled);
        assert_eq!(find(&conditions, ConditionType::Stalled), None);
    }
}
