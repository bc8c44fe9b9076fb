//! What an upgrade would do, and the terms on which it would be made.

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::account::hex;
use super::desired::{DeclaredTrial, Desired, When};
use super::money::Money;
use super::offer::{Offer, OfferClass};
use super::provider::{Capabilities, ProviderObject};

/// From which offer to which, for which account, how and when: what an approval is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The offer in force.
    pub from: Offer,
    /// The offer that the account would be on.
    pub to: OfferClass,
    /// Identifies the terms. 32 hexadecimal digits over everything that can bring the upgrade about or change what it does,
    /// and nothing that moves by itself, so that an approval neither goes stale nor survives a change of terms.
    pub hash: String,
}

/// The terms that the hash covers, each by the field that it comes from. The admission policies guard the same fields of
/// Subscriptions and BillingProviders, and `docs/reference/decisions.md` lists them; tests compare the three.
pub const TERMS: [&str; 16] = [
    "spec.account",
    "spec.offer",
    "spec.providerName",
    "spec.suspend",
    "spec.trial.credit",
    "spec.trial.endTime",
    "spec.trial.startTime",
    "spec.upgrade.approval",
    "spec.upgrade.beforeExhaustion.creditBelow",
    "spec.upgrade.beforeExhaustion.timeLeftSeconds",
    "spec.upgrade.when",
    "the spec of the BillingProvider",
    "the class of the offer in force",
    "the provider's name of the offer in force",
    "the way of upgrading",
    "the endpoint of the upgrade",
];

impl Transition {
    /// The transition of the desired account from the offer `from` to pay-as-you-go, through the `provider` with its
    /// `capabilities`.
    pub fn new(desired: &Desired, from: &Offer, capabilities: &Capabilities, provider: &ProviderObject) -> Self {
        let to = OfferClass::PayAsYouGo;
        let hash = hash("transition/2", &terms(desired, from, to, capabilities, provider));
        Self { from: from.clone(), to, hash }
    }
}

/// The terms, in the order of [`TERMS`]. Both arguments that users write are taken apart whole, so that a field that is
/// added to one of them does not compile until it has its place here.
fn terms(
    desired: &Desired,
    from: &Offer,
    to: OfferClass,
    capabilities: &Capabilities,
    provider: &ProviderObject,
) -> [String; TERMS.len()] {
    let Desired { account, provider_name, when, approval, trial, suspend } = desired;
    let DeclaredTrial { start, end, credit } = trial;
    let Capabilities { method, endpoint } = capabilities;
    let (credit_below, time_left) = limits(when);
    [
        format!("{} {}", account.cloud().name(), account.id()),
        to.name().to_owned(),
        provider_name.clone(),
        suspend.is_some().to_string(),
        credit.map_or_else(String::new, amount),
        end.as_ref().map_or_else(String::new, Timestamp::to_string),
        start.as_ref().map_or_else(String::new, Timestamp::to_string),
        <&str>::from(approval).to_owned(),
        credit_below,
        time_left,
        when.name().to_owned(),
        provider.spec.clone(),
        from.class.name().to_owned(),
        from.native.clone(),
        method.name().to_owned(),
        endpoint.clone(),
    ]
}

fn hash(format: &str, fields: &[impl AsRef<str>]) -> String {
    // The lengths keep one field's end from being read as the next one's beginning.
    let text = fields.iter().map(AsRef::as_ref).fold(format.to_owned(), |text, field: &str| {
        let length = field.len();
        text + &format!("\n{length}:{field}")
    });
    hex(&Sha256::digest(text)[..16])
}

/// The hash in format 1, which left out what the user declares of the trial and what stands behind the provider's name. An
/// approval of it does not count; it serves only to say so.
pub fn former_hash(desired: &Desired, from: &Offer, capabilities: &Capabilities) -> String {
    let Desired { account, when, .. } = desired;
    let limits = match when {
        When::BeforeExhaustion(_) => {
            let (credit_below, time_left) = limits(when);
            format!("{credit_below}/{time_left}")
        }
        _ => String::new(),
    };
    let fields = [
        account.cloud().name(),
        &account.id(),
        from.class.name(),
        &from.native,
        OfferClass::PayAsYouGo.name(),
        capabilities.method.name(),
        when.name(),
        &limits,
    ];
    hash("transition/1", &fields)
}

/// The limits of `BeforeExhaustion` as text: who approved one amount has not approved another.
fn limits(when: &When) -> (String, String) {
    let When::BeforeExhaustion(limits) = when else { return Default::default() };
    let time_left = limits.time_left.map_or_else(String::new, |time| time.as_secs().to_string());
    (limits.credit_below.map_or_else(String::new, amount), time_left)
}

/// Money as text, without the zeros that mean nothing.
fn amount(money: Money) -> String {
    format!("{} {}", money.amount.normalize(), money.currency)
}
