//! What an upgrade would do.

use sha2::{Digest, Sha256};

use super::account::{AccountId, hex};
use super::desired::When;
use super::offer::{Offer, OfferClass};
use super::provider::Method;

/// From which offer to which, for which account, how and when: what an approval is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The offer in force.
    pub from: Offer,
    /// The offer that the account would be on.
    pub to: OfferClass,
    /// Identifies the transition. 32 hexadecimal digits over all that a person approves and nothing that moves by
    /// itself, so that an approval neither goes stale nor survives a change of terms.
    pub hash: String,
}

impl Transition {
    /// The transition of `account` from `from` to pay-as-you-go.
    pub fn new(account: &AccountId, from: &Offer, method: Method, when: &When) -> Self {
        let to = OfferClass::PayAsYouGo;
        let fields = [
            account.cloud().name(),
            &account.id(),
            from.class.name(),
            &from.native,
            to.name(),
            method.name(),
            when.name(),
            &limits(when),
        ];
        // The lengths keep one field's end from being read as the next one's beginning.
        let text =
            fields.iter().fold(String::from("transition/1"), |text, field| format!("{text}\n{}:{field}", field.len()));
        Self { from: from.clone(), to, hash: hex(&Sha256::digest(text)[..16]) }
    }
}

/// The limits of `BeforeExhaustion` as text: who approved one amount has not approved another.
fn limits(when: &When) -> String {
    let When::BeforeExhaustion(limits) = when else { return String::new() };
    let credit = limits
        .credit_below
        .map_or_else(String::new, |money| format!("{} {}", money.amount.normalize(), money.currency));
    let seconds = limits.time_left.map_or_else(String::new, |time| time.as_secs().to_string());
    format!("{credit}/{seconds}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::desired::Limits;
    use crate::core::money::Money;

    #[test]
    fn every_term_is_in_the_hash() {
        let account = |last: u8| AccountId::Azure(uuid::Uuid::from_u128(u128::from(last)));
        let offer = |native: &str| Offer { class: OfferClass::FreeTrial, native: native.to_owned() };
        let before =
            |amount| When::BeforeExhaustion(Limits { credit_below: Money::parse(amount, "USD"), time_left: None });
        let hashes = [
            Transition::new(&account(1), &offer("a"), Method::Broker, &When::Immediately),
            Transition::new(&account(2), &offer("a"), Method::Broker, &When::Immediately),
            Transition::new(&account(1), &offer("b"), Method::Broker, &When::Immediately),
            Transition::new(&account(1), &offer("a"), Method::Portal, &When::Immediately),
            Transition::new(&account(1), &offer("a"), Method::Broker, &When::BenefitsExhausted),
            Transition::new(&account(1), &offer("a"), Method::Broker, &before("5.00")),
            Transition::new(&account(1), &offer("a"), Method::Broker, &before("500")),
        ]
        .map(|transition| transition.hash);
        for (index, hash) in hashes.iter().enumerate() {
            assert_eq!(hash.len(), 32);
            assert!(!hashes[index + 1..].contains(hash), "{hashes:?}");
        }
    }
}
