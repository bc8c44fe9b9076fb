//! The services of AWS.

/// What the Free Tier and Billing APIs send.
pub(super) const JSON_1_0: &str = "application/x-amz-json-1.0";

/// The services, each with its protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    FreeTier,
    Billing,
    Account,
    Sts,
    PodIdentity,
}

impl Service {
    /// What signatures are made for.
    pub(super) const fn signing_name(self) -> &'static str {
        match self {
            Self::FreeTier => "freetier",
            Self::Billing => "billing",
            Self::Account => "account",
            Self::Sts => "sts",
            Self::PodIdentity => "",
        }
    }
}
