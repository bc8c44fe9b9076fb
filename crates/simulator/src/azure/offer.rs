//! The commercial terms of accounts, under their different names.

use serde::{Deserialize, Serialize};

/// The commercial terms that an account started with. Any text that names none of these is taken as a quotaId.
/// Ids: <https://learn.microsoft.com/azure/cost-management-billing/costs/understand-cost-mgt-data>.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub(crate) enum Offer {
    /// MS-AZR-0044P
    FreeTrial,
    /// MS-AZR-0170P
    Students,
    /// MS-AZR-0144P
    Imagine,
    /// MS-AZR-0003P
    PayAsYouGo,
    /// Any other, by its quotaId.
    Quota(String),
}

/// The quotaIds of other offers, with the offer id of the most common one and the type of its spending limit.
const OTHERS: [(&str, &str, &str); 10] = [
    ("MSDN_2014-09-01", "MS-AZR-0063P", "MSDN"),
    ("MSDNDevTest_2014-09-01", "MS-AZR-0023P", "Other"),
    ("EnterpriseAgreement_2014-09-01", "MS-AZR-0017P", "Other"),
    ("MPN_2014-09-01", "MS-AZR-0025P", "MpnSponsorship"),
    ("AzurePass_2014-09-01", "MS-AZR-0120P", "AzurePassSponsorship"),
    ("AzureInOpen_2014-09-01", "MS-AZR-0111P", "Other"),
    ("Sponsored_2016-01-01", "MS-AZR-0036P", "Sponsorship"),
    ("LightweightTrial_2016-09-01", "MS-AZR-0150P", "Other"),
    ("CSP_2015-05-01", "MS-AZR-0145P", "Other"),
    ("BizSpark_2014-09-01", "MS-AZR-0064P", "StartupSponsorship"),
];

impl Offer {
    pub(crate) fn quota_id(&self) -> &str {
        match self {
            Self::FreeTrial => "FreeTrial_2014-09-01",
            Self::Students => "AzureForStudents_2018-01-01",
            Self::Imagine => "DreamSpark_2015-02-01",
            Self::PayAsYouGo => "PayAsYouGo_2014-09-01",
            Self::Quota(id) => id,
        }
    }

    /// `None` for a quotaId whose offer is not known.
    pub(crate) fn offer_id(&self) -> Option<&'static str> {
        match self {
            Self::FreeTrial => Some("MS-AZR-0044P"),
            Self::Students => Some("MS-AZR-0170P"),
            Self::Imagine => Some("MS-AZR-0144P"),
            Self::PayAsYouGo => Some("MS-AZR-0003P"),
            Self::Quota(id) => OTHERS.iter().find(|(quota, ..)| quota == id).map(|(_, offer, _)| *offer),
        }
    }

    /// The type of its spending limit:
    /// <https://learn.microsoft.com/rest/api/billing/billing-profiles/get#spendinglimittype>.
    pub(crate) fn limit_type(&self) -> &'static str {
        match self {
            Self::FreeTrial => "FreeAccount",
            Self::Students => "AzureForStudents",
            Self::Imagine => "AzureForStudentsStarter",
            Self::PayAsYouGo => "None",
            Self::Quota(id) => OTHERS.iter().find(|(quota, ..)| quota == id).map_or("Other", |(.., limit)| *limit),
        }
    }
}

impl From<String> for Offer {
    fn from(text: String) -> Self {
        match text.as_str() {
            "FreeTrial" | "MS-AZR-0044P" | "FreeTrial_2014-09-01" => Self::FreeTrial,
            "AzureForStudents" | "MS-AZR-0170P" | "AzureForStudents_2018-01-01" => Self::Students,
            "Imagine" | "MS-AZR-0144P" | "DreamSpark_2015-02-01" => Self::Imagine,
            "PayAsYouGo" | "MS-AZR-0003P" | "PayAsYouGo_2014-09-01" => Self::PayAsYouGo,
            _ => Self::Quota(text),
        }
    }
}

impl From<Offer> for String {
    fn from(offer: Offer) -> Self {
        match offer {
            Offer::FreeTrial => "FreeTrial".into(),
            Offer::Students => "AzureForStudents".into(),
            Offer::Imagine => "Imagine".into(),
            Offer::PayAsYouGo => "PayAsYouGo".into(),
            Offer::Quota(id) => id,
        }
    }
}
