//! What the status of a `Subscription` says about notices: what is due, and what each receiver has accepted.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::lenient;
use super::text::Text;
use super::time::Time;

/// The most deliveries that a status remembers.
pub const MOST_DELIVERIES: usize = 64;
/// The most notices about one Subscription that can be due at once.
pub const MOST_DUE: usize = 8;
/// The greatest length of an id.
const LONGEST_ID: usize = 253;

/// The notices about an account, if the operator has receivers for them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Notices {
    /// Since when each threshold before the end is announced once: since the first observation, or since the last one that
    /// showed more credit or a later end.
    #[serde(default, deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub armed_time: Option<Time>,
    /// The ids of the notices that are due.
    #[serde(default, deserialize_with = "lenient::items", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MOST_DUE), extend("x-kubernetes-list-type" = "atomic"), inner(length(max = LONGEST_ID)))]
    pub due: Vec<String>,
    /// Who is to get what, and who has it; the newest at the end. A notice is sent again until the receiver has accepted it.
    #[serde(default, deserialize_with = "lenient::items", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MOST_DELIVERIES), extend("x-kubernetes-list-type" = "atomic"))]
    pub deliveries: Vec<Delivery>,
}

/// A notice for a receiver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// The id of the notice.
    #[schemars(length(max = LONGEST_ID))]
    pub id: String,
    /// Why there is a notice, such as EndAhead or ApprovalNeeded.
    pub occasion: Text<32>,
    /// How urgent it is: info, warning or critical.
    pub severity: Text<16>,
    /// The name of the receiver in the administrator's file.
    #[schemars(length(max = 63))]
    pub receiver: String,
    /// When the receiver last accepted it; absent while it has not.
    #[serde(default, deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub accept_time: Option<Time>,
    /// Present if the notice is over and the receiver is of a kind that learns this: whether it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<bool>,
}
