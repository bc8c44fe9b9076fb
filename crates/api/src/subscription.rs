//! `Subscription`: a cloud account, the offer that it should be on, and when and with whose approval it is upgraded.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::money::Money;
use super::schema::{NAME, immutable, one_member, rule};
use super::subscription_status::SubscriptionStatus;
use super::time::Time;

/// What a user declares about an account.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[kube(
    group = "payg-operator.io",
    version = "v1alpha1",
    kind = "Subscription",
    namespaced,
    status = "SubscriptionStatus",
    category = "payg",
    shortname = "psub",
    derive = "PartialEq",
    doc = "A cloud account and the offer that it should be on. The operator waits until the benefits of the account's \
        trial are used up, then gets the account upgraded to pay-as-you-go, once. Deleting a Subscription never touches \
        the account.",
    validation = Rule::new("size(self.metadata.name) <= 63").message("metadata.name must be at most 63 characters"),
    selectable = ".spec.providerName",
    printcolumn(
        name = "Offer",
        type_ = "string",
        json_path = ".status.offer.class",
        description = "The offer in force."
    ),
    printcolumn(
        name = "Credit",
        type_ = "string",
        json_path = r#".status.benefits[?(@.kind=="Credit")].remaining"#,
        description = "Credit left."
    ),
    printcolumn(
        name = "Ends",
        type_ = "string",
        json_path = ".status.forecast.exhaustionTime",
        description = "When the benefits were exhausted, or when they end or are expected to be used up, whichever comes first."
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#,
        description = "Whether all is as it should be. True while the trial's benefits last."
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].reason"#,
        description = "Why it is ready or not."
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp",
        description = "Time since the Subscription was created."
    ),
    printcolumn(
        name = "Account",
        type_ = "string",
        json_path = ".spec.account.*.*",
        description = "The id of the account.",
        priority = 1
    ),
    printcolumn(
        name = "Currency",
        type_ = "string",
        json_path = r#".status.benefits[?(@.kind=="Credit")].currency"#,
        description = "The currency of the credit.",
        priority = 1
    ),
    printcolumn(
        name = "When",
        type_ = "string",
        json_path = ".spec.upgrade.when",
        description = "When the account should be upgraded.",
        priority = 1
    ),
    printcolumn(
        name = "Approval",
        type_ = "string",
        json_path = ".spec.upgrade.approval",
        description = "Whether somebody must approve the upgrade.",
        priority = 1
    ),
    printcolumn(
        name = "Suspended",
        type_ = "boolean",
        json_path = ".spec.suspend",
        description = "Whether the operator leaves the account alone.",
        priority = 1
    ),
    printcolumn(
        name = "Transition",
        type_ = "string",
        json_path = ".status.transition.hash",
        description = "The hash that an UpgradeApproval must name.",
        priority = 1
    ),
    printcolumn(
        name = "Observed",
        type_ = "date",
        json_path = ".status.lastObservedTime",
        description = "Time since the account was last observed.",
        priority = 1
    ),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].message"#,
        description = "Why it is ready or not, in a sentence.",
        priority = 1
    )
)]
pub struct SubscriptionSpec {
    /// The name of the BillingProvider, in this namespace, that the operator uses to read and upgrade the account.
    #[schemars(
        length(min = 1, max = 253),
        transform = rule(
            NAME,
            "must be the name of a BillingProvider in this namespace: lower case letters, digits, hyphens and dots"
        )
    )]
    pub provider_name: String,
    /// The account: exactly one of azure and aws. It cannot be changed.
    pub account: Account,
    /// The offer that the account should be on. PayAsYouGo is the only one.
    pub offer: DesiredOffer,
    /// When the account should be upgraded, and who approves it. An upgrade cannot be undone, and usage is charged from
    /// then on.
    pub upgrade: Upgrade,
    /// Facts about the trial, for accounts whose provider does not report them. What the provider reports overrides what
    /// is declared here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trial: Option<Trial>,
    /// If true, the operator neither reads the account nor upgrades it. It still follows an upgrade that has already been
    /// requested to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,
}

/// Which account. One variant per cloud.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(
    transform = one_member,
    transform = immutable(
        "is immutable: make a new Subscription for another account (deleting one never touches the cloud)"
    )
)]
pub enum Account {
    /// An account on Microsoft Azure.
    Azure(AzureAccount),
    /// An account on Amazon Web Services.
    Aws(AwsAccount),
}

/// An account on Azure, which Azure calls a subscription.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AzureAccount {
    /// The id of the Azure subscription, a GUID in lower case. `az account show --query id` prints it.
    #[schemars(
        length(max = 36),
        transform = rule(
            "self.matches('^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$')",
            "must be the subscription id, a GUID in lower case, such as 6f1a3c1e-0000-4a00-9000-00000000f7ee"
        )
    )]
    pub subscription_id: String,
}

/// An account on AWS.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AwsAccount {
    /// The id of the AWS account: 12 digits, in quotes. `aws sts get-caller-identity --query Account` prints it.
    #[schemars(
        length(max = 12),
        transform = rule(
            "self.matches('^[0-9]{12}$')",
            "must be the 12 digits of the account id, in quotes, such as \"123456789012\""
        )
    )]
    pub account_id: String,
}

/// An offer that can be declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DesiredOffer {
    /// Usage is charged as it occurs, without a commitment.
    PayAsYouGo,
}

/// When an account should be upgraded, and who approves it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = rule(
    "has(self.beforeExhaustion) == (self.when == 'BeforeExhaustion')",
    "`beforeExhaustion` must be given with `when: BeforeExhaustion`, and only with it"
))]
pub struct Upgrade {
    /// BenefitsExhausted: once the trial's benefits are used up or have ended. BeforeExhaustion: a little earlier, as set
    /// in beforeExhaustion; recommended for AWS, which closes an account whose benefits are exhausted. Immediately:
    /// without waiting, which loses the remaining benefits on some offers. Never: only observe the account.
    pub when: When,
    /// Automatic: whoever writes this manifest approves the upgrade by writing it. Manual: the operator waits for an
    /// UpgradeApproval. There is no default, so that reviewers of the manifest see it.
    pub approval: ApprovalMode,
    /// How early to upgrade, with `when: BeforeExhaustion`. If both limits are given, whichever is reached first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before_exhaustion: Option<BeforeExhaustion>,
}

/// What triggers an upgrade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum When {
    /// The benefits are used up or have ended.
    BenefitsExhausted,
    /// The benefits are nearly used up or about to end.
    BeforeExhaustion,
    /// Without waiting.
    Immediately,
    /// The account is only observed.
    Never,
}

/// Who approves an upgrade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ApprovalMode {
    /// The author of the manifest, by writing it.
    Automatic,
    /// A person, with an `UpgradeApproval`.
    Manual,
}

/// How early to upgrade.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("minProperties" = 1))]
pub struct BeforeExhaustion {
    /// Upgrade as soon as less credit than this is left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credit_below: Option<Money>,
    /// Upgrade this many seconds before the benefits end: from 60 (a minute) to 31536000 (365 days).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 60, max = 31_536_000))]
    pub time_left_seconds: Option<i64>,
}

/// What the user declares about the trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(
    extend("minProperties" = 1),
    transform = rule(
        "!has(self.startTime) || !has(self.endTime) || self.startTime < self.endTime",
        "`endTime` must be after `startTime`"
    )
)]
pub struct Trial {
    /// When the trial began, such as 2026-11-01T00:00:00Z. Without endTime, the trial ends after the usual length of its
    /// offer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Time>,
    /// When the trial ends, such as 2026-12-01T00:00:00Z. Once it has passed, the benefits count as exhausted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_time: Option<Time>,
    /// The credit that was granted with the trial.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credit: Option<Money>,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, from_value, json};

    use super::*;

    fn spec(upgrade: &Value) -> Result<SubscriptionSpec, serde_json::Error> {
        let account = json!({"aws": {"accountId": "123456789012"}});
        from_value(json!({"providerName": "aws", "account": account, "offer": "PayAsYouGo", "upgrade": upgrade}))
    }

    #[test]
    fn a_partly_unreadable_subscription_is_not_acted_upon() {
        assert!(spec(&json!({"when": "Never", "approval": "Manual"})).is_ok());
        for upgrade in [
            json!({"when": "Tomorrow", "approval": "Manual"}),
            json!({"when": "Never"}),
            json!({"when": "Never", "approval": "Manual", "atMost": "a field of a newer version"}),
            json!({"when": "BeforeExhaustion", "approval": "Manual", "beforeExhaustion": {
                "creditBelow": {"amount": "five", "currency": "USD"}}}),
        ] {
            assert!(spec(&upgrade).is_err(), "{upgrade}");
        }
    }
}
