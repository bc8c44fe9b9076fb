//! Points in time, as RFC 3339 text.

use std::borrow::Cow;
use std::fmt;

use jiff::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de};

/// What the API server accepts. Its own `format: date-time` admits offsets, years and fractions of a second that
/// [`jiff`] cannot hold.
pub(super) const PATTERN: &str = "^20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]([.][0-9]{1,9})?\
    (Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])$";

const FIRST: Timestamp = Timestamp::constant(946_684_800, 0);
const LAST: Timestamp = Timestamp::constant(4_102_444_799, 999_999_999);

/// A point in time of the years 2000 to 2099, written as RFC 3339 text such as `2026-11-23T12:00:00Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Time(Timestamp);

impl Time {
    /// The whole second in which `timestamp` is: what a status has.
    pub fn whole_second(timestamp: Timestamp) -> Self {
        payg_core::observation::whole_second(timestamp).into()
    }

    /// The same point in time for calculations.
    pub fn timestamp(self) -> Timestamp {
        self.0
    }
}

impl From<Timestamp> for Time {
    /// Times before 2000 and after 2099 become the nearest that can be written: providers write 9999 for never, and an API
    /// server that refuses the status would hide the rest of it.
    fn from(timestamp: Timestamp) -> Self {
        Self(timestamp.clamp(FIRST, LAST))
    }
}

impl From<Time> for Timestamp {
    fn from(time: Time) -> Self {
        time.0
    }
}

impl fmt::Display for Time {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let timestamp = Timestamp::deserialize(deserializer)?;
        if (FIRST..=LAST).contains(&timestamp) {
            Ok(Self(timestamp))
        } else {
            Err(de::Error::custom(format_args!("{timestamp} is not within the years 2000 to 2099")))
        }
    }
}

impl JsonSchema for Time {
    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "date-time", "maxLength": 35, "pattern": PATTERN})
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json, to_value};

    use super::*;

    #[test]
    fn reads_rfc_3339_with_any_offset_and_writes_utc() {
        let time: Time = from_value(json!("2026-11-23T12:00:00.5+02:00")).unwrap();
        assert_eq!(to_value(time).unwrap(), json!("2026-11-23T10:00:00.5Z"));
    }

    #[test]
    fn refuses_what_is_no_time_of_this_century() {
        for text in ["2026-11-23", "9999-12-31T00:00:00Z", "1999-12-31T23:59:59Z", "2026-02-30T00:00:00Z", "soon"] {
            assert!(from_value::<Time>(json!(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn never_is_written_as_the_last_moment_that_can_be() {
        assert_eq!(Time::from(Timestamp::MAX).to_string(), "2099-12-31T23:59:59.999999999Z");
        assert_eq!(Time::from(Timestamp::MIN).to_string(), "2000-01-01T00:00:00Z");
    }
}
