//! `BillingProvider`: how to read, and where possible upgrade, the accounts of one cloud.
//!
//! It contains no URL, no host and no certificate to trust: whoever may write one must not be able to send the operator's
//! credentials elsewhere.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema::{NAME, one_member, rule};
use super::{conditions, lenient};

const SERVICE_ACCOUNT: &str =
    "must be the name of a ServiceAccount in this namespace: lower case letters, digits, hyphens and dots";
const SECRET: &str = "must be the name of a Secret in this namespace: lower case letters, digits, hyphens and dots";
const GUID: &str = "self.matches('^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$')";

/// The key that is read in the Secret of an [`AzureSecret`] that names none.
pub const AZURE_SECRET_KEY: &str = "clientSecret";

/// How to reach the billing of a cloud. One variant per cloud.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(
    transform = one_member,
    transform = rule("has(self.azure) == has(oldSelf.azure)", "the cloud is immutable: make a new BillingProvider")
)]
#[kube(
    group = "payg-operator.io",
    version = "v1alpha1",
    kind = "BillingProvider",
    namespaced,
    status = "BillingProviderStatus",
    category = "payg",
    shortname = "pprov",
    derive = "PartialEq",
    doc = "The credentials that the operator uses to read, and where the cloud allows it upgrade, the accounts of \
        Subscriptions in this namespace.",
    printcolumn(
        name = "Azure-Tenant",
        type_ = "string",
        json_path = ".spec.azure.tenantId",
        description = "The Microsoft Entra tenant, with Azure."
    ),
    printcolumn(
        name = "AWS-Role",
        type_ = "string",
        json_path = ".spec.aws.roleArn",
        description = "The IAM role, with AWS."
    ),
    printcolumn(
        name = "AWS-Role-Name",
        type_ = "string",
        json_path = ".spec.aws.roleName",
        description = "The name of the IAM role of each account, with AWS.",
        priority = 1
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#,
        description = "Whether the credentials work."
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].reason"#,
        description = "Why it is ready or not."
    ),
    printcolumn(
        name = "Undeclared",
        type_ = "integer",
        json_path = ".status.accounts.undeclared",
        description = "How many accounts the credentials see that no Subscription names",
        priority = 1
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp",
        description = "Time since the BillingProvider was created."
    )
)]
pub enum BillingProviderSpec {
    /// Microsoft Azure.
    Azure(AzureProvider),
    /// Amazon Web Services.
    Aws(AwsProvider),
}

/// How to reach Azure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AzureProvider {
    /// The Azure cloud: Public (the usual one), USGovernment or China.
    pub cloud: AzureCloud,
    /// The Microsoft Entra tenant that the accounts and the credentials belong to, a GUID in lower case.
    #[schemars(length(max = 36), transform = rule(GUID, "must be the tenant id, a GUID in lower case"))]
    pub tenant_id: String,
    /// How accounts are upgraded, because Azure has no public API for it. PortalHandoff: the operator says when the upgrade
    /// is due, and a person upgrades the account in the Azure portal. Broker: the operator requests the upgrade from the
    /// endpoint that its administrator has configured.
    pub upgrade_method: UpgradeMethod,
    /// How the operator signs in to Azure: exactly one of workloadIdentity, managedIdentity, certificate and secret.
    pub credentials: AzureCredentials,
}

/// One of the separate Azure clouds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AzureCloud {
    /// The worldwide one.
    Public,
    /// Azure Government, for the United States.
    #[serde(rename = "USGovernment")]
    UsGovernment,
    /// Azure in China, operated by 21Vianet.
    China,
}

/// How an account on Azure is upgraded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum UpgradeMethod {
    /// A person upgrades it in the portal.
    PortalHandoff,
    /// An endpoint that the operator's administrator has configured upgrades it.
    Broker,
}

/// How the operator signs in to Azure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = one_member)]
pub enum AzureCredentials {
    /// Workload identity: a ServiceAccount in this namespace that the application in Microsoft Entra trusts. No secret
    /// is stored. Recommended.
    WorkloadIdentity(AzureWorkloadIdentity),
    /// The managed identity of the machine that the operator runs on. Works only in namespaces for which the operator's
    /// administrator allows it.
    ManagedIdentity(AzureManagedIdentity),
    /// A client certificate in a Secret in this namespace, of type kubernetes.io/tls, as cert-manager creates them.
    Certificate(AzureCertificate),
    /// A client secret in a Secret in this namespace.
    Secret(AzureSecret),
}

/// A ServiceAccount that an application in Microsoft Entra trusts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AzureWorkloadIdentity {
    /// The name of the ServiceAccount, in this namespace. The operator must be allowed to request tokens for it.
    #[schemars(length(min = 1, max = 253), transform = rule(NAME, SERVICE_ACCOUNT))]
    pub service_account_name: String,
    /// The id of the application (client) or of the user-assigned managed identity that trusts the ServiceAccount, a
    /// GUID in lower case.
    #[schemars(length(max = 36), transform = rule(GUID, "must be the client id, a GUID in lower case"))]
    pub client_id: String,
}

/// The managed identity of a machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AzureManagedIdentity {
    /// The client id of a user-assigned identity, a GUID in lower case. Leave it out for the system-assigned identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 36), transform = rule(GUID, "must be the client id, a GUID in lower case"))]
    pub client_id: Option<String>,
}

/// A client certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AzureCertificate {
    /// The name of the Secret, in this namespace. It has the certificate under tls.crt and its RSA key under tls.key.
    #[schemars(length(min = 1, max = 253), transform = rule(NAME, SECRET))]
    pub name: String,
    /// The id of the application (client) that the certificate is registered with, a GUID in lower case.
    #[schemars(length(max = 36), transform = rule(GUID, "must be the client id, a GUID in lower case"))]
    pub client_id: String,
}

/// A client secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AzureSecret {
    /// The name of the Secret, in this namespace.
    #[schemars(length(min = 1, max = 253), transform = rule(NAME, SECRET))]
    pub name: String,
    /// The key of the client secret in the Secret's data. If left out: clientSecret.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub key: Option<String>,
    /// The id of the application (client) that the secret belongs to, a GUID in lower case.
    #[schemars(length(max = 36), transform = rule(GUID, "must be the client id, a GUID in lower case"))]
    pub client_id: String,
}

/// How to reach AWS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(
    transform = rule(
        "!has(self.credentials.workloadIdentity) || has(self.roleArn) || has(self.roleName)",
        "`roleArn` or `roleName` must be given with `credentials.workloadIdentity`"
    ),
    transform = rule(
        "!has(self.externalId) || has(self.roleArn) || has(self.roleName)",
        "`externalId` must be given with `roleArn` or `roleName`"
    ),
    transform = rule("!has(self.roleArn) || !has(self.roleName)", "must have at most one of `roleArn` and `roleName`")
)]
pub struct AwsProvider {
    /// The ARN of the IAM role to assume in the account, such as arn:aws:iam::123456789012:role/payg-operator.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 2048),
        transform = rule(
            r"self.matches('^arn:aws:iam::[0-9]{12}:role/[\\w+=,.@/-]{1,512}$')",
            "must be the ARN of an IAM role, such as arn:aws:iam::123456789012:role/payg-operator"
        )
    )]
    pub role_arn: Option<String>,
    /// The name of the IAM role to assume in the account of each Subscription, such as payg-operator: one BillingProvider
    /// then serves any number of accounts. A role with a path is written with it and without a slash before it, such as
    /// billing/payg-operator.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 512),
        transform = rule(
            "self.matches('^([A-Za-z0-9_+=,.@-]+/)*[A-Za-z0-9_+=,.@-]{1,64}$')",
            "must be the name of an IAM role, such as payg-operator or billing/payg-operator"
        )
    )]
    pub role_name: Option<String>,
    /// The external id that the role's trust policy requires. It is not used with podIdentity: there the operator sends one
    /// that it derives from the namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 2, max = 1224),
        transform = rule(r"self.matches('^[\\w+=,.@:/-]*$')", "must be letters, digits and any of _+=,.@:/- only")
    )]
    pub external_id: Option<String>,
    /// How the operator signs in to AWS: exactly one of workloadIdentity, podIdentity and secret.
    pub credentials: AwsCredentials,
}

/// How the operator signs in to AWS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = one_member)]
pub enum AwsCredentials {
    /// Workload identity: a ServiceAccount in this namespace that the IAM role trusts. No secret is stored.
    /// Recommended.
    WorkloadIdentity(AwsWorkloadIdentity),
    /// The identity of the operator's own pod, with which it assumes the role. Works only in namespaces for which the
    /// operator's administrator allows it. Write {}.
    PodIdentity(AwsPodIdentity),
    /// An access key in a Secret in this namespace, under the keys accessKeyId and secretAccessKey. A temporary key also
    /// needs sessionToken.
    Secret(AwsSecret),
}

/// A ServiceAccount that an IAM role trusts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AwsWorkloadIdentity {
    /// The name of the ServiceAccount, in this namespace. The operator must be allowed to request tokens for it.
    #[schemars(length(min = 1, max = 253), transform = rule(NAME, SERVICE_ACCOUNT))]
    pub service_account_name: String,
}

/// The identity of the operator's own pod. It has no settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AwsPodIdentity {}

/// An access key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AwsSecret {
    /// The name of the Secret, in this namespace.
    #[schemars(length(min = 1, max = 253), transform = rule(NAME, SECRET))]
    pub name: String,
}

/// What the operator reports about the credentials.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("default" = {"observedGeneration": -1}))]
pub struct BillingProviderStatus {
    /// The metadata.generation that this status is about; -1 until the operator has seen the object.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = -1))]
    pub observed_generation: Option<i64>,
    /// Whether the credentials work, and what they may read. Ready is the summary.
    #[serde(default, deserialize_with = "lenient::items", skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions::schema")]
    pub conditions: Vec<Condition>,
    /// The accounts that the credentials see, by the last list of them. Absent if the provider did not list them.
    #[serde(default, deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub accounts: Option<SeenAccounts>,
}

/// The accounts that the credentials of a BillingProvider see.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SeenAccounts {
    /// How many there are.
    #[schemars(range(min = 0))]
    pub seen: i64,
    /// How many of them a Subscription names, in any namespace.
    #[schemars(range(min = 0))]
    pub declared: i64,
    /// How many of them no Subscription names.
    #[schemars(range(min = 0))]
    pub undeclared: i64,
    /// The ids of those that no Subscription names: the first 100 in their order.
    #[serde(default, deserialize_with = "lenient::items", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MOST_UNDECLARED), extend("x-kubernetes-list-type" = "atomic"), inner(length(max = 36)))]
    pub undeclared_ids: Vec<String>,
}

/// The most ids of accounts that no Subscription names in the status of a BillingProvider.
pub const MOST_UNDECLARED: usize = 100;
