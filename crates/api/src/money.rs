//! Amounts of money, as decimal text: floating point would round, and JSON numbers are floating point to many clients.

use std::borrow::Cow;
use std::fmt;

use rust_decimal::{Decimal, RoundingStrategy, dec};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::schema::rule;

/// What an amount in a status may be: with a sign, since what is left of a credit can be less than nothing.
const SIGNED: &str = r"^-?(0|[1-9][0-9]{0,11})(\.[0-9]{1,4})?$";
const UNSIGNED: &str = "self.matches('^(0|[1-9][0-9]{0,11})([.][0-9]{1,4})?$')";
/// The pattern of an ISO 4217 code.
pub(super) const CURRENCY: &str = "^[A-Z]{3}$";

const LARGEST: Decimal = dec!(999_999_999_999.9999);

/// An amount of money in a currency, declared by a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Money {
    /// The amount, a decimal number in quotes such as "5.00", in whole units of the currency (dollars, not cents).
    #[schemars(
        with = "String",
        length(max = 20),
        transform = rule(UNSIGNED, "must be a decimal number in quotes, without sign or exponent, such as \"5.00\"")
    )]
    pub amount: Amount,
    /// The currency, as its ISO 4217 code in capitals, such as USD. It must be the currency that the provider reports.
    #[schemars(
        length(max = 3),
        transform = rule("self.matches('^[A-Z]{3}$')", "must be an ISO 4217 code in capitals, such as USD")
    )]
    pub currency: String,
}

/// A decimal number with at most twelve digits before the point and four after it, in whole units of a currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Amount(Decimal);

impl Amount {
    /// The same number for calculations.
    pub fn decimal(self) -> Decimal {
        self.0
    }
}

impl From<Decimal> for Amount {
    /// Rounded up to four digits after the point, so that a credit of which anything is left never reads as used up.
    fn from(decimal: Decimal) -> Self {
        let rounded = decimal.round_dp_with_strategy(4, RoundingStrategy::ToPositiveInfinity);
        Self(if rounded.is_zero() { rounded.abs() } else { rounded.clamp(-LARGEST, LARGEST) })
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        // What this type would not write, it does not read: `+5`, `05`, `5.`, `5e3`, `1_000`.
        Decimal::from_str_exact(&text)
            .ok()
            .filter(|decimal| Self::from(*decimal).0 == *decimal && decimal.scale() <= 4 && decimal.to_string() == text)
            .map(Self)
            .ok_or_else(|| de::Error::custom(format_args!("`{text}` is not a decimal number such as \"5.00\"")))
    }
}

impl JsonSchema for Amount {
    fn schema_name() -> Cow<'static, str> {
        "Amount".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "maxLength": 20, "pattern": SIGNED})
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json, to_value};

    use super::*;

    #[test]
    fn text_is_kept_as_it_was_written() {
        for text in ["0", "5.00", "-3.5", "999999999999.9999"] {
            let amount: Amount = from_value(json!(text)).unwrap();
            assert_eq!(to_value(amount).unwrap(), json!(text));
        }
    }

    #[test]
    fn refuses_other_notations() {
        for text in ["", "+5", "05", "5.", ".5", "5e3", "1_000", "5,00", "0.00001", "1000000000000"] {
            assert!(from_value::<Amount>(json!(text)).is_err(), "{text}");
        }
        assert!(from_value::<Amount>(json!(5)).is_err());
    }

    #[test]
    fn a_remaining_amount_never_reads_as_zero() {
        assert_eq!(Amount::from(Decimal::new(1, 9)).to_string(), "0.0001");
        assert_eq!(Amount::from(Decimal::new(-1, 9)).to_string(), "0.0000");
        assert_eq!(Amount::from(Decimal::MAX).to_string(), "999999999999.9999");
    }
}
