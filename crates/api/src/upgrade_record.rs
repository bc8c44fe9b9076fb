//! `UpgradeRecord`: the ledger. One object per account and target offer, created before the provider is called and
//! never deleted. It prevents a second upgrade of an account.
//!
//! Unlike the status of other kinds, this one is read strictly: a record that cannot be read must stop an upgrade, and
//! must not look like one in which nothing has happened yet.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::offer::Offer;
use super::schema::{immutable, map_list, rule};
use super::text::Text;
use super::time::Time;

/// Which account is upgraded, for which Subscription and why.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = immutable("is immutable"))]
#[kube(
    group = "payg-operator.io",
    version = "v1alpha1",
    kind = "UpgradeRecord",
    status = "UpgradeRecordStatus",
    category = "payg",
    shortname = "prec",
    derive = "PartialEq",
    doc = "The operator's record of the upgrade of an account, written before the provider is called. It prevents a \
        second upgrade of the account, so it must not be deleted.",
    validation = Rule::new("self.metadata.name == 'up-' + self.spec.key").message(
        "metadata.name must be `up-` and `spec.key`"
    ),
    validation = Rule::new(
        "!has(oldSelf.status) || !has(oldSelf.status.state) || (has(self.status) && has(self.status.state))"
    )
    .message("status.state must not be removed"),
    printcolumn(
        name = "Cloud",
        type_ = "string",
        json_path = ".spec.account.cloud",
        description = "The account's cloud."
    ),
    printcolumn(
        name = "Account",
        type_ = "string",
        json_path = ".spec.account.id",
        description = "The id of the account."
    ),
    printcolumn(name = "To", type_ = "string", json_path = ".spec.to.class", description = "The offer to upgrade to."),
    printcolumn(
        name = "State",
        type_ = "string",
        json_path = ".status.state",
        description = "The state of the upgrade. While empty, the request may have been sent."
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp",
        description = "Time since the upgrade began."
    ),
    printcolumn(
        name = "For-Namespace",
        type_ = "string",
        json_path = ".spec.requester.namespace",
        description = "The namespace of the Subscription that requested the upgrade.",
        priority = 1
    ),
    printcolumn(
        name = "For",
        type_ = "string",
        json_path = ".spec.requester.name",
        description = "The Subscription that requested the upgrade.",
        priority = 1
    ),
    printcolumn(
        name = "Outcome",
        type_ = "string",
        json_path = ".status.outcome",
        description = "How the upgrade ended, in a sentence.",
        priority = 1
    )
)]
pub struct UpgradeRecordSpec {
    /// A hash of the cloud, the id of the account and the class of the target offer. The record's name contains it.
    #[schemars(length(max = 64), regex(pattern = "^[0-9a-f]{40,64}$"))]
    pub key: String,
    /// The account that is being upgraded.
    pub account: RecordAccount,
    /// The offer before the upgrade.
    pub from: Offer,
    /// The offer after the upgrade.
    pub to: Offer,
    /// The Subscription that requested the upgrade.
    pub requester: Requester,
    /// The basis of the first attempt.
    pub intent: Intent,
    /// The endpoint of the first request. While its outcome is not known, no request goes to another endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub endpoint: Option<String>,
}

/// Which account a record is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct RecordAccount {
    /// The cloud that the account is in, such as azure or aws.
    #[schemars(length(max = 32))]
    pub cloud: String,
    /// The id of the account, in lower case.
    #[schemars(length(max = 64))]
    pub id: String,
}

/// The Subscription that requested an upgrade.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Requester {
    /// The namespace of the Subscription.
    #[schemars(length(max = 63))]
    pub namespace: String,
    /// The name of the Subscription.
    #[schemars(length(max = 253))]
    pub name: String,
    /// The metadata.uid of the Subscription, which distinguishes it from another one of the same name.
    #[schemars(length(max = 36))]
    pub uid: String,
}

/// The basis of an attempt to upgrade.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Intent {
    /// A random id. Only the process that made it, and still knows it, may send the request.
    #[schemars(length(max = 36))]
    pub id: String,
    /// The request is not sent after this time.
    pub not_after_time: Time,
    /// The UpgradeApproval that allowed it, if one was needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval: Option<RecordApproval>,
    /// The evidence that the upgrade was due.
    pub evidence: Evidence,
}

/// The approval of an attempt. It outlives the UpgradeApproval.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecordApproval {
    /// The name of the UpgradeApproval.
    #[schemars(length(max = 253))]
    pub name: String,
    /// The metadata.uid of the UpgradeApproval, which shows that this one is used up.
    #[schemars(length(max = 36))]
    pub uid: String,
    /// The user who approved.
    #[schemars(length(max = 512))]
    pub approver: String,
    /// Why, in the user's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Text<1024>>,
    /// When the user approved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub create_time: Option<Time>,
    /// When the approval stopped counting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expire_time: Option<Time>,
}

/// The observation that justified an attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// When the account was observed.
    pub observed_time: Time,
    /// What the observation showed, in sentences.
    pub summary: Text<4096>,
}

/// The progress of an upgrade.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(
    transform = rule(
        "!has(oldSelf.attempts) || (has(self.attempts) && \
            oldSelf.attempts.all(o, self.attempts.exists(n, n.number == o.number)))",
        "an attempt must never be removed"
    ),
    transform = rule(
        "!has(oldSelf.state) || oldSelf.state != 'Confirmed' || (has(self.state) && self.state == oldSelf.state)",
        "`state: Confirmed` is final"
    )
)]
pub struct UpgradeRecordStatus {
    /// Accepted: the provider accepted the request. Unknown: it may have. Rejected: it refused, or could not be reached.
    /// Unresolved: a person must find out. Confirmed: the account is on the new offer. While there is no state, the
    /// request may have been sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<Text<32>>,
    /// Each request to the provider, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), transform = map_list("number"))]
    pub attempts: Vec<Attempt>,
    /// How the upgrade ended, in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Text<1024>>,
    /// What happened, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "atomic"))]
    pub timeline: Vec<TimelineEntry>,
}

/// A request to the provider, or the intention to make one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(
    transform = rule(
        "!has(oldSelf.sendTime) || (has(self.sendTime) && self.sendTime == oldSelf.sendTime)",
        "`sendTime` is set once"
    ),
    transform = rule(
        "!has(oldSelf.operation) || (has(self.operation) && self.operation == oldSelf.operation)",
        "`operation` is set once"
    ),
    transform = rule(
        "!has(oldSelf.outcome) || oldSelf.outcome == 'Unknown' || \
            (has(self.outcome) && self.outcome == oldSelf.outcome)",
        "a known `outcome` is final"
    )
)]
pub struct Attempt {
    /// The number of the attempt, from 1.
    #[schemars(range(min = 1, max = 64))]
    pub number: i32,
    /// The basis of the attempt. That of the first attempt is in the spec.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intent: Option<Intent>,
    /// The endpoint of the request. That of the first attempt is in the spec.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub endpoint: Option<String>,
    /// The address where the provider reports the upgrade's progress, if it accepted the request and named one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub operation: Option<String>,
    /// When the request was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub send_time: Option<Time>,
    /// The outcome of the attempt: Accepted, Rejected, NotSent or Unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Text<32>>,
    /// Why it was refused or not sent, in one word, such as Forbidden. A reason about the requester's own credentials, rights
    /// or configuration holds back only the requester's namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Text<64>>,
    /// What the provider answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<Text<1024>>,
    /// The Subscription that requested it. That of the first attempt is also in the spec.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requester: Option<Requester>,
    /// The BillingProvider that was used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<AttemptProvider>,
}

/// The BillingProvider of an attempt, as it was at that time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AttemptProvider {
    /// The metadata.uid of the BillingProvider.
    #[schemars(length(max = 36))]
    pub uid: String,
    /// The metadata.generation of its spec.
    #[schemars(range(min = 0))]
    pub generation: i64,
}

/// Something that happened to an upgrade.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TimelineEntry {
    /// When it happened.
    pub time: Time,
    /// What happened, in one word.
    pub event: Text<64>,
    /// What happened, in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<Text<1024>>,
}
