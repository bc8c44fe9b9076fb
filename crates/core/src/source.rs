//! Where something is known from: the interfaces of the provider that were read, or the manifest.

use std::collections::BTreeSet;

/// One thing that was read, by its name in status. The order is that of the names in status.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, strum::Display, strum::EnumString)]
#[strum(serialize_all = "camelCase")]
pub enum Origin {
    /// Azure: the subscription.
    Subscription,
    /// Azure: the billing property of the subscription.
    BillingProperty,
    /// Azure: the billing profile that it names.
    BillingProfile,
    /// Azure: the spending limits in the billing property.
    SpendingLimits,
    /// Azure: the summary of the credit's balance.
    BalanceSummary,
    /// Azure: the lots of the credit.
    Lots,
    /// AWS: the plan of the account.
    #[strum(serialize = "GetAccountPlanState")]
    GetAccountPlanState,
    /// AWS: the state of the account.
    #[strum(serialize = "GetAccountInformation")]
    GetAccountInformation,
    /// `spec.trial` of the Subscription.
    #[strum(serialize = "spec.trial")]
    Declared,
    /// A name that another version wrote, verbatim.
    #[strum(default)]
    Other(String),
}

/// The set of all interfaces that a value was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source(BTreeSet<Origin>);

impl<const N: usize> From<[Origin; N]> for Source {
    fn from(origins: [Origin; N]) -> Self {
        Self(origins.into())
    }
}

impl Source {
    /// The separator between two names.
    const BETWEEN: &'static str = ", ";

    /// The names in status.
    pub fn name(&self) -> String {
        let names: Vec<_> = self.0.iter().map(Origin::to_string).collect();
        names.join(Self::BETWEEN)
    }

    /// The source that status calls `name`.
    pub fn parse(name: &str) -> Self {
        let origin = |name: &str| name.parse().unwrap_or_else(|_| Origin::Other(name.to_owned()));
        Self(name.split(Self::BETWEEN).map(origin).collect())
    }

    /// Whether this is `other` and more.
    pub fn goes_beyond(&self, other: &Self) -> bool {
        self.0.is_superset(&other.0) && self != other
    }

    /// Whether it is the manifest alone.
    pub fn is_declared(&self) -> bool {
        *self == Self::from([Origin::Declared])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_as_they_are_written() {
        for name in [
            "subscription",
            "subscription, billingProperty",
            "subscription, billingProperty, billingProfile",
            "subscription, billingProperty, spendingLimits",
            "balanceSummary",
            "lots",
            "GetAccountPlanState",
            "GetAccountPlanState, GetAccountInformation",
            "spec.trial",
            "subscription, anInterfaceOfAnotherVersion",
        ] {
            assert_eq!(Source::parse(name).name(), name);
        }
        assert!(Source::parse("spec.trial").is_declared() && !Source::parse("lots").is_declared());
        assert_eq!(Source::parse("lots"), Source::from([Origin::Lots]));
    }

    #[test]
    fn each_lost_origin_is_noticed_whatever_its_place() {
        let whole = Source::parse("subscription, billingProperty, billingProfile, anInterfaceOfAnotherVersion");
        for lost in &whole.0 {
            let rest = Source(whole.0.iter().filter(|origin| *origin != lost).cloned().collect());
            assert!(whole.goes_beyond(&rest) && !rest.goes_beyond(&whole), "{lost}");
        }
        assert!(!whole.goes_beyond(&whole));
        let (one, other) =
            (Source::parse("subscription, billingProfile"), Source::parse("subscription, spendingLimits"));
        assert!(!one.goes_beyond(&other) && !other.goes_beyond(&one));
        // A name is no part of another one.
        assert!(!Source::parse("lotsOfWords").goes_beyond(&Source::parse("lots")));
    }
}
