//! The commercial terms of an account, as a status or a record names them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::Text;

/// The commercial terms of an account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Offer {
    /// The kind of terms: FreeTrial, PayAsYouGo, Commitment, Other or Unknown.
    pub class: Text<32>,
    /// The provider's own name for the offer: the quota id on Azure, such as FreeTrial_2014-09-01, and the plan type on
    /// AWS, FREE or PAID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub native: Option<Text<128>>,
}
