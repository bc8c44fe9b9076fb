//! How an answer in JSON is read: as it was sent. A member that is there twice, or in other letters than the ones it is asked
//! for by, may be any of what it says, so the document is malformed (RFC 8259, section 4: what is made of such an object is
//! unpredictable). A list is no object, whatever its order. What is not asked for is not observed.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{DeserializeOwned, Deserializer, Error as _, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, forward_to_deserialize_any};
use serde_json::Error;
use serde_json::value::RawValue;

/// What some servers put before JSON in UTF-8. Who reads JSON may leave it out (RFC 8259, section 8.1).
const MARK: &[u8] = b"\xef\xbb\xbf";

/// `text` without a byte order mark.
pub(super) fn unmarked(text: &[u8]) -> &[u8] {
    text.strip_prefix(MARK).unwrap_or(text)
}

/// What `text` holds, a document in JSON whose structures all derive `Deserialize`.
pub(super) fn read<T: DeserializeOwned>(text: &[u8]) -> Result<T, Error> {
    part(serde_json::from_slice(text)?)
}

/// What a part of a document holds that was kept as it was sent.
pub(super) fn part<T: DeserializeOwned>(part: &RawValue) -> Result<T, Error> {
    T::deserialize(Sent(part))
}

/// The number that was sent, to its last digit. Nothing if it is no number, or one that no decimal holds: something never reads
/// as nothing.
pub(super) fn decimal(number: &RawValue) -> Option<Decimal> {
    exactly(number.get())
}

/// The whole number of seconds that a token issuer sent, as a number or as a text: some write `"3599"` or `3599.0`. Rounded
/// down, so that nothing is thought to be valid for longer than it is.
pub(super) fn seconds(sent: &RawValue) -> Option<u32> {
    let text = serde_json::from_str(sent.get()).unwrap_or_else(|_| sent.get().to_owned());
    exactly(&text)?.trunc().to_u32()
}

fn exactly(digits: &str) -> Option<Decimal> {
    let exact = Decimal::from_str_exact(digits).or_else(|_| Decimal::from_scientific(digits)).ok()?;
    let is_nothing = digits.split(['e', 'E']).next()?.bytes().all(|digit| !(b'1'..=b'9').contains(&digit));
    (!exact.is_zero() || is_nothing).then_some(exact)
}

/// A value as it was sent.
struct Sent<'de>(&'de RawValue);

impl<'de> Sent<'de> {
    /// The members of the object.
    fn members(&self) -> Result<Vec<(Cow<'de, str>, Sent<'de>)>, Error> {
        let Members(members) = serde_json::from_str(self.0.get())?;
        let mut names = HashSet::new();
        match members.iter().find(|(name, _)| !names.insert(name.to_ascii_lowercase())) {
            Some((name, _)) => Err(Error::custom(format_args!("the member {name:?} is there twice"))),
            None => Ok(members.into_iter().map(|(name, value)| (name, Sent(value))).collect()),
        }
    }
}

impl<'de> Deserializer<'de> for Sent<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        serde_json::Deserializer::from_str(self.0.get()).deserialize_any(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.0.get() == "null" { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let members = self.members()?;
        let misspelt = |name: &str| fields.iter().find(|field| **field != name && field.eq_ignore_ascii_case(name));
        if let Some(field) = members.iter().find_map(|(name, _)| misspelt(name)) {
            return Err(Error::custom(format_args!("the member {field:?} is spelt in other letters")));
        }
        visitor.visit_map(MapDeserializer::new(members.into_iter()))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_map(MapDeserializer::new(self.members()?.into_iter()))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let entries: Vec<&'de RawValue> = serde_json::from_str(self.0.get())?;
        visitor.visit_seq(SeqDeserializer::new(entries.into_iter().map(Sent)))
    }

    /// Also what is kept as it was sent.
    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Error> {
        serde_json::Deserializer::from_str(self.0.get()).deserialize_newtype_struct(name, visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct tuple
        tuple_struct enum identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de, Error> for Sent<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// The members of an object, in their order, each as often as it is there.
struct Members<'de>(Vec<(Cow<'de, str>, &'de RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfObject;
        impl<'de> Visitor<'de> for OfObject {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(OfObject)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Plan {
        account_id: String,
        credit: Option<Credit>,
        #[serde(default)]
        codes: Vec<u32>,
    }

    #[derive(Debug, Default, Deserialize)]
    struct Credit {
        amount: Option<Box<RawValue>>,
    }

    impl PartialEq for Credit {
        fn eq(&self, other: &Self) -> bool {
            let digits = |credit: &Self| credit.amount.as_ref().map(|amount| amount.get().to_owned());
            digits(self) == digits(other)
        }
    }

    fn account(text: &str) -> Result<Plan, String> {
        read(text.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn amounts_are_read_to_the_last_digit() {
        let read = account(
            r#" {"new":{"a":1,"a":2},"\u0061ccountId":"1","credit":{"amount":57.310000000000000000001},"codes":[7]} "#,
        )
        .unwrap();
        assert_eq!((read.account_id.as_str(), read.codes), ("1", vec![7]));
        assert_eq!(read.credit.unwrap().amount.unwrap().get(), "57.310000000000000000001");
        for text in [r#"{"accountId":"1"}"#, r#"{"accountId":"1","credit":null}"#] {
            assert_eq!(account(text).unwrap().credit, None, "{text}");
        }
        assert_eq!(account(r#"{"accountId":"1","credit":{"amount":null}}"#).unwrap().credit, Some(Credit::default()));
    }

    #[test]
    fn duplicate_or_differently_cased_members_are_malformed() {
        for (text, what) in [
            (r#"{"accountId":"1","accountId":"1"}"#, "twice"),
            (r#"{"accountId":"1","\u0061ccountId":"2"}"#, "twice"),
            (r#"{"accountId":"1","AccountId":"2"}"#, "twice"),
            (r#"{"accountId":"1","new":1,"NEW":2}"#, "twice"),
            (r#"{"AccountId":"1"}"#, "other letters"),
            (r#"{"accountId":"1","Credit":null}"#, "other letters"),
            (r#"{"accountId":"1","credit":{"Amount":0}}"#, "other letters"),
            (r#"{"accountId":"1","credit":{"amount":1,"amount":0}}"#, "twice"),
        ] {
            assert!(account(text).unwrap_err().contains(what), "{text}: {:?}", account(text));
        }
    }

    #[test]
    fn nothing_is_taken_for_another_type() {
        for text in [
            r#"["1"]"#,
            r#"{"accountId":1}"#,
            r#"{"accountId":null}"#,
            r#"{"accountId":["1"]}"#,
            r#"{"accountId":"1","credit":[0]}"#,
            r#"{"accountId":"1","credit":0}"#,
            r#"{"accountId":"1","credit":""}"#,
            r#"{"accountId":"1","codes":{"0":1}}"#,
            r#"{"accountId":"1","codes":["1"]}"#,
            r#"{"accountId":"1","codes":null}"#,
            r#"{"accountId":"1"} {}"#,
            r#"{"accountId":"1""#,
            "",
        ] {
            assert!(account(text).is_err(), "{text}: {:?}", account(text));
        }
    }
}
