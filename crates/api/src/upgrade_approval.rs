//! `UpgradeApproval`: a person's decision about an upgrade. An admission policy ensures that the approver is the user who
//! creates the object, and that this user may approve.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema::{NAME, immutable, rule};
use super::time::Time;

/// A person's decision about an upgrade.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(
    transform = immutable("is immutable: delete this UpgradeApproval and create another"),
    transform = rule(
        "self.decision == 'Deny' || has(self.expireTime)",
        "`expireTime` must be given, except with `decision: Deny`"
    ),
    transform = rule(
        "(self.decision == 'Retry') == has(self.recordAttempt)",
        "`recordAttempt` must be given with `decision: Retry`, and only with it"
    )
)]
#[kube(
    group = "payg-operator.io",
    version = "v1alpha1",
    kind = "UpgradeApproval",
    namespaced,
    category = "payg",
    shortname = "pappr",
    derive = "PartialEq",
    doc = "A person's decision about the upgrade of a Subscription's account. Creating one takes the verb `approve` on \
        that Subscription. It cannot be changed, only deleted.",
    selectable = ".spec.subscriptionName",
    printcolumn(
        name = "Subscription",
        type_ = "string",
        json_path = ".spec.subscriptionName",
        description = "The Subscription that it is about."
    ),
    printcolumn(
        name = "Decision",
        type_ = "string",
        json_path = ".spec.decision",
        description = "Approve, Deny or Retry."
    ),
    printcolumn(name = "Approver", type_ = "string", json_path = ".spec.approver", description = "Who decided."),
    printcolumn(
        name = "Expires",
        type_ = "string",
        json_path = ".spec.expireTime",
        description = "When it stops counting. A Deny never does."
    ),
    printcolumn(name = "Reason", type_ = "string", json_path = ".spec.reason", description = "Why.", priority = 1),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp",
        description = "Time since the decision."
    )
)]
pub struct UpgradeApprovalSpec {
    /// The name of the Subscription, in this namespace.
    #[schemars(
        length(min = 1, max = 253),
        transform = rule(
            NAME,
            "must be the name of a Subscription in this namespace: lower case letters, digits, hyphens and dots"
        )
    )]
    pub subscription_name: String,
    /// The status.transition.hash of the Subscription: exactly the upgrade that is decided on. Another transition needs
    /// another approval.
    #[schemars(
        length(max = 64),
        transform = rule(
            "self.matches('^[0-9a-f]{16,64}$')",
            "must be the `status.transition.hash` of the Subscription, 16 to 64 hexadecimal digits in lower case"
        )
    )]
    pub transition_hash: String,
    /// Approve: the upgrade may be made. Deny: it must not be made, whatever the Subscription or another approval says,
    /// until this object is deleted. Retry: an upgrade whose outcome could not be determined may be requested once more.
    pub decision: Decision,
    /// The name of the user who decides. It must be your own user name, as `kubectl auth whoami` shows it.
    #[schemars(length(min = 1, max = 512))]
    pub approver: String,
    /// Why, for people who read it later.
    #[schemars(length(min = 1, max = 1024))]
    pub reason: String,
    /// When the decision stops counting, such as 2026-12-01T00:00:00Z. Required, except with `decision: Deny`, which never
    /// expires.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expire_time: Option<Time>,
    /// With `decision: Retry`: the number of the last attempt in the UpgradeRecord, after which another one may follow.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 64))]
    pub record_attempt: Option<i32>,
}

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Decision {
    /// The upgrade may be made.
    Approve,
    /// The upgrade must not be made.
    Deny,
    /// The upgrade may be requested once more, although the last attempt may have had an effect.
    Retry,
}
