//! The rules of BillingProviders.

use serde_json::{Value, json};

use crate::{
    cluster::{Cluster, merged, object},
    rules::{
        Changes, Creations,
        Expected::{Accepted, Refused},
        check_changes, check_creations,
    },
};

/// Every id of the valid BillingProvider.
pub(crate) const GUID: &str = "6f1a3c1e-0000-4a00-9000-00000000f7ee";
const ROLE: &str = "arn:aws:iam::123456789012:role/team/payg+operator";
const CLOUD: &str = "must have exactly one of `azure` and `aws`";
const TENANT_ID: &str = "must be the tenant id, a GUID in lower case";
const CLIENT_ID: &str = "must be the client id, a GUID in lower case";
const SERVICE_ACCOUNT: &str =
    "must be the name of a ServiceAccount in this namespace: lower case letters, digits, hyphens and dots";
const SECRET: &str = "must be the name of a Secret in this namespace: lower case letters, digits, hyphens and dots";
const ONE_OF_AZURE: &str = "must have exactly one of `workloadIdentity`, `managedIdentity`, `certificate` and `secret`";
const ONE_OF_AWS: &str = "must have exactly one of `workloadIdentity`, `podIdentity` and `secret`";
const ROLE_NAME: &str = "must be the name of an IAM role, such as payg-operator or billing/payg-operator";
const ROLE_ARN: &str = "must be the ARN of an IAM role, such as arn:aws:iam::123456789012:role/payg-operator";

/// A valid one.
pub(crate) fn provider() -> Value {
    let credentials = json!({"workloadIdentity": {"serviceAccountName": "payg-operator", "clientId": GUID}});
    let azure =
        json!({"cloud": "Public", "tenantId": GUID, "upgradeMethod": "PortalHandoff", "credentials": credentials});
    object("BillingProvider", "cloud", json!({"azure": azure}))
}

/// A role by its name, in each account.
fn role_names() -> Creations {
    let aws = |aws| json!({"spec": {"azure": null, "aws": aws}});
    let aws_name = |name: &str| aws(json!({"roleName": name, "credentials": {"podIdentity": {}}}));
    vec![
        (aws_name("payg-operator"), Accepted),
        (aws_name("billing/trials/payg-operator"), Accepted),
        (aws_name("/billing/payg-operator"), Refused("spec.aws.roleName", ROLE_NAME)),
        (aws_name("payg-operator/"), Refused("spec.aws.roleName", ROLE_NAME)),
        (aws_name(ROLE), Refused("spec.aws.roleName", ROLE_NAME)),
        (aws_name(&"a".repeat(65)), Refused("spec.aws.roleName", ROLE_NAME)),
        (aws_name(""), Refused("spec.aws.roleName", "should be at least 1 chars long")),
        (aws(json!({"roleName": "payg", "credentials": {"workloadIdentity": {"serviceAccountName": "a"}}})), Accepted),
        (
            aws(json!({"roleName": "payg", "externalId": "team-a", "credentials": {"secret": {"name": "key"}}})),
            Accepted,
        ),
        (
            aws(json!({"roleArn": ROLE, "roleName": "payg-operator", "credentials": {"podIdentity": {}}})),
            Refused("spec.aws", "must have at most one of `roleArn` and `roleName`"),
        ),
    ]
}

pub(crate) fn creations() -> Creations {
    let azure = |azure| json!({"spec": {"azure": azure}});
    let azure_identity = |name: &str, id: &str| {
        azure(json!({"credentials": {"workloadIdentity": {"serviceAccountName": name, "clientId": id}}}))
    };
    let azure_by = |credentials| azure(json!({"credentials": merged(json!({"workloadIdentity": null}), &credentials)}));
    let aws = |aws| json!({"spec": {"azure": null, "aws": aws}});
    let aws_role = |role: &str| aws(json!({"roleArn": role, "credentials": {"podIdentity": {}}}));
    let aws_external = |id: &str| aws(json!({"roleArn": ROLE, "externalId": id, "credentials": {"podIdentity": {}}}));
    let aws_identity =
        |name: &str| aws(json!({"roleArn": ROLE, "credentials": {"workloadIdentity": {"serviceAccountName": name}}}));
    let mut creations = vec![
        (json!({}), Accepted),
        (json!({"spec": {"azure": null}}), Refused("spec", CLOUD)),
        (json!({"spec": {"aws": {"credentials": {"secret": {"name": "key"}}}}}), Refused("spec", CLOUD)),
        (azure(json!({"cloud": "USGovernment", "upgradeMethod": "Broker"})), Accepted),
        (
            azure(json!({"cloud": "Private"})),
            Refused("spec.azure.cloud", "supported values: \"Public\", \"USGovernment\", \"China\""),
        ),
        (
            azure(json!({"upgradeMethod": "Magic"})),
            Refused("spec.azure.upgradeMethod", "supported values: \"PortalHandoff\", \"Broker\""),
        ),
        (azure(json!({"upgradeMethod": null})), Refused("spec.azure.upgradeMethod", "Required value")),
        (azure(json!({"tenantId": "contoso.onmicrosoft.com"})), Refused("spec.azure.tenantId", TENANT_ID)),
        (azure_identity("a", GUID), Accepted),
        (
            azure_identity("../secrets", GUID),
            Refused("spec.azure.credentials.workloadIdentity.serviceAccountName", SERVICE_ACCOUNT),
        ),
        (
            azure_identity("", GUID),
            Refused("spec.azure.credentials.workloadIdentity.serviceAccountName", "should be at least 1 chars long"),
        ),
        (azure_identity("a", "client"), Refused("spec.azure.credentials.workloadIdentity.clientId", CLIENT_ID)),
        (azure_by(json!({"managedIdentity": {}})), Accepted),
        (azure_by(json!({"managedIdentity": {"clientId": GUID}})), Accepted),
        (
            azure_by(json!({"managedIdentity": {"clientId": "client"}})),
            Refused("spec.azure.credentials.managedIdentity.clientId", CLIENT_ID),
        ),
        (azure_by(json!({"secret": {"name": "client", "key": "password", "clientId": GUID}})), Accepted),
        (
            azure_by(json!({"secret": {"name": "../client", "clientId": GUID}})),
            Refused("spec.azure.credentials.secret.name", SECRET),
        ),
        (
            azure_by(json!({"secret": {"name": "client", "clientId": "client"}})),
            Refused("spec.azure.credentials.secret.clientId", CLIENT_ID),
        ),
        (azure_by(json!({"certificate": {"name": "client-tls", "clientId": GUID}})), Accepted),
        (
            azure_by(json!({"certificate": {"name": "../client-tls", "clientId": GUID}})),
            Refused("spec.azure.credentials.certificate.name", SECRET),
        ),
        (
            azure_by(json!({"certificate": {"name": "client-tls", "clientId": "client"}})),
            Refused("spec.azure.credentials.certificate.clientId", CLIENT_ID),
        ),
        (
            azure_by(json!({
                "certificate": {"name": "client-tls", "clientId": GUID}, "secret": {"name": "client", "clientId": GUID},
            })),
            Refused("spec.azure.credentials", ONE_OF_AZURE),
        ),
        (azure_by(json!({})), Refused("spec.azure.credentials", ONE_OF_AZURE)),
        (azure(json!({"credentials": {"managedIdentity": {}}})), Refused("spec.azure.credentials", ONE_OF_AZURE)),
        (aws(json!({"credentials": {"podIdentity": {}}})), Accepted),
        (aws(json!({"credentials": {"secret": {"name": "key"}}})), Accepted),
        (aws(json!({"credentials": {"secret": {"name": "a/b"}}})), Refused("spec.aws.credentials.secret.name", SECRET)),
        (aws(json!({"credentials": {}})), Refused("spec.aws.credentials", ONE_OF_AWS)),
        (
            aws(json!({"credentials": {"podIdentity": {}, "secret": {"name": "key"}}})),
            Refused("spec.aws.credentials", ONE_OF_AWS),
        ),
        (aws_identity("payg-operator"), Accepted),
        (aws_identity("a/b"), Refused("spec.aws.credentials.workloadIdentity.serviceAccountName", SERVICE_ACCOUNT)),
        (
            aws(json!({"credentials": {"workloadIdentity": {"serviceAccountName": "a"}}})),
            Refused("spec.aws", "`roleArn` or `roleName` must be given with `credentials.workloadIdentity`"),
        ),
        (aws_role(ROLE), Accepted),
        (aws_role("arn:aws:iam::123456789012:user/somebody"), Refused("spec.aws.roleArn", ROLE_ARN)),
        (aws_external("team-a:1"), Accepted),
        (aws_external("team a"), Refused("spec.aws.externalId", "must be letters, digits and any of _+=,.@:/- only")),
        (
            aws(json!({"externalId": "team-a", "credentials": {"podIdentity": {}}})),
            Refused("spec.aws", "`externalId` must be given with `roleArn` or `roleName`"),
        ),
    ];
    creations.extend(role_names());
    creations
}

pub(crate) fn changes() -> Changes {
    vec![
        (json!({}), json!({"spec": {"azure": {"upgradeMethod": "Broker"}}}), Accepted),
        (
            json!({}),
            json!({"spec": {"azure": null, "aws": {"credentials": {"podIdentity": {}}}}}),
            Refused("spec", "the cloud is immutable: make a new BillingProvider"),
        ),
    ]
}

#[tokio::test]
async fn billing_providers_follow_the_rules() {
    let cluster = Cluster::new().await;
    check_creations(&cluster, &provider(), creations()).await;
    check_changes(&cluster, &provider(), changes()).await;
}
