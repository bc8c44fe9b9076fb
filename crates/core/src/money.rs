//! Money: a decimal amount and its currency, never floating point.

use std::fmt;

use rust_decimal::{Decimal, dec};

/// An ISO 4217 currency code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Currency([u8; 3]);

impl Currency {
    /// The currency, if `text` is three capital letters.
    pub fn parse(text: &str) -> Option<Self> {
        let code: [u8; 3] = text.as_bytes().try_into().ok()?;
        code.iter().all(u8::is_ascii_uppercase).then_some(Self(code))
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|letter| write!(f, "{}", char::from(*letter)))
    }
}

/// An amount in a currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Money {
    /// How much; negative where a provider says so.
    pub amount: Decimal,
    /// Of what.
    pub currency: Currency,
}

/// The largest amount that is taken for a real one; the custom resources hold no larger one either.
const LARGEST: Decimal = dec!(999_999_999_999);

impl Money {
    /// The money, exactly: what is left must never read as nothing. `None` when the amount is beyond ±999,999,999,999, which no trial has.
    pub fn new(amount: Decimal, currency: Currency) -> Option<Self> {
        (amount.abs() <= LARGEST).then_some(Self { amount, currency })
    }

    /// The money that `amount` (a decimal number without exponent) and `currency` spell.
    pub fn parse(amount: &str, currency: &str) -> Option<Self> {
        Self::new(Decimal::from_str_exact(amount).ok()?, Currency::parse(currency)?)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} {}", self.amount, self.currency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_amounts_are_refused() {
        for amount in ["", "NaN", "inf", "1e3", "1,5", "1000000000000", "--1", "0x10"] {
            assert_eq!(Money::parse(amount, "USD"), None, "{amount}");
        }
        for currency in ["", "usd", "US", "USDT", "U$D"] {
            assert_eq!(Money::parse("1.00", currency), None, "{currency}");
        }
        assert_eq!(Money::parse("57.31", "USD").unwrap().to_string(), "57.31 USD");
        assert!(Money::parse("999999999999", "USD").is_some());
    }
}
