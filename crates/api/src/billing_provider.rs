//! `BillingProvider`: how to read, and where it is possible to upgrade, the accounts of one cloud.
//!
//! No URL, host or certificate to trust is in it: whoever may write one must not be able to send the operator's credentials
//! elsewhere.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    conditions, lenient,
    schema::{NAME, one_member, rule},
};

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
    doc = "The credentials by which the operator reads, and where the cloud allows it upgrades, the accounts of \
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
        name = "Ready",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#,
        description = "Whether the credentials work."
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].reason"#,
        description = "Why it is ready, or is not."
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp",
        description = "Time since the BillingProvider was made."
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
    /// Which Azure: Public (almost everybody's), USGovernment or China.
    pub cloud: AzureCloud,
    /// The Microsoft Entra tenant that the accounts and the credentials belong to, a GUID in lower case.
    #[schemars(length(max = 36), transform = rule(GUID, "must be the tenant id, a GUID in lower case"))]
    pub tenant_id: String,
    /// How accounts are upgraded, since Azure has no public API for it. PortalHandoff: the operator says when it is
    /// time, and a person upgrades the account in the Azure portal. Broker: the operator asks the endpoint that its
    /// administrator has configured for it.
    pub upgrade_method: UpgradeMethod,
    /// Who the operator is to Azure: exactly one of workloadIdentity, managedIdentity, certificate and secret.
    pub credentials: AzureCredentials,
}

/// One of the separate Azures.
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
    /// By a person, in the portal.
    PortalHandoff,
    /// By an endpoint that the operator's administrator has configured.
    Broker,
}

/// Who the operator is to Azure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = one_member)]
pub enum AzureCredentials {
    /// Workload identity: a ServiceAccount of this namespace that the application in Microsoft Entra trusts. No secret
    /// is stored. Recommended.
    WorkloadIdentity(AzureWorkloadIdentity),
    /// The managed identity of the machine that the operator runs on. Only in namespaces for which the operator's
    /// administrator allows it.
    ManagedIdentity(AzureManagedIdentity),
    /// A client certificate in a Secret of this namespace, of the type kubernetes.io/tls, as cert-manager makes them.
    Certificate(AzureCertificate),
    /// A client secret in a Secret of this namespace.
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
    /// The name of the Secret, in this namespace. Its data has the certificate under tls.crt, and its RSA key under
    /// tls.key.
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
    /// The key of the client secret in the Secret's data; clientSecret if left out.
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
        "!has(self.credentials.workloadIdentity) || has(self.roleArn)",
        "`roleArn` must be given with `credentials.workloadIdentity`"
    ),
    transform = rule("!has(self.externalId) || has(self.roleArn)", "`externalId` must be given with `roleArn`")
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
    /// The external id that the role's trust policy asks for. With podIdentity it is not used: there the operator
    /// presents one that it derives from the namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 2, max = 1224),
        transform = rule(r"self.matches('^[\\w+=,.@:/-]*$')", "must be letters, digits and any of _+=,.@:/- only")
    )]
    pub external_id: Option<String>,
    /// Who the operator is to AWS: exactly one of workloadIdentity, podIdentity and secret.
    pub credentials: AwsCredentials,
}

/// Who the operator is to AWS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = one_member)]
pub enum AwsCredentials {
    /// Workload identity: a ServiceAccount of this namespace that the IAM role trusts. No secret is stored.
    /// Recommended.
    WorkloadIdentity(AwsWorkloadIdentity),
    /// The identity of the operator's own pod, by which it assumes the role. Only in namespaces for which the
    /// operator's administrator allows it. Write {}.
    PodIdentity(AwsPodIdentity),
    /// An access key in a Secret of this namespace, under the keys accessKeyId and secretAccessKey; of a temporary key also
    /// sessionToken.
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

/// The identity of the operator's own pod. Nothing is to be said about it.
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

/// What the operator says about the credentials.
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
}
