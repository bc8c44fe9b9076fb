//! The credit of a trial, as a test declares it.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// The amount of money that an account starts with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Credit {
    pub(crate) amount: Decimal,
    pub(crate) currency: String,
}
