//! How the operator signs in: by a ServiceAccount's own token, which the simulated Microsoft Entra checks with the real
//! cluster's real keys; by the identity of its machine; by a certificate. A namespace can use its own credentials only.

use std::sync::LazyLock;

use payg_test_kit::world::{AMBIENT, TENANT, World, automatic, condition, message};
use payg_test_kit::{REPOSITORY, RsaCertificate};
use serde_json::{Value, json};

const AUDIENCE: &str = "api://AzureADTokenExchange";
/// The name that the operator's ClusterRole has.
const SERVICE_ACCOUNT: &str = "payg-billing";

fn service_account(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}})
}

/// The objects in a sample.
fn sample(name: &str) -> Vec<Value> {
    let path = format!("{REPOSITORY}/deploy/samples/azure/identity/{name}.yaml");
    serde_saphyr::from_multiple(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The BillingProvider of a sample, which signs in as `client`.
fn provider(name: &str, client: &str) -> Value {
    let mut provider = sample(name).pop().unwrap();
    let azure = &mut provider["spec"]["azure"];
    azure["tenantId"] = json!(TENANT);
    azure["credentials"].as_object_mut().unwrap().values_mut().for_each(|one| one["clientId"] = json!(client));
    provider
}

fn workload_identity(name: &str, client: &str) -> Value {
    let mut provider = provider("workload-identity", client);
    provider["spec"]["azure"]["credentials"]["workloadIdentity"]["serviceAccountName"] = json!(name);
    provider
}

/// The id of an application of this test's own.
fn application(world: &World) -> String {
    format!("{:08x}-0000-4a00-9000-0000000a9911", world.number)
}

/// An application that trusts the ServiceAccount `subject` of this cluster.
async fn trusting(world: &World, client: &str, subject: &str) {
    let read =
        |path: &str| serde_json::from_str::<Value>(&world.stack.kubectl(&["get", "--raw", path]).unwrap()).unwrap();
    let issuer = read("/.well-known/openid-configuration")["issuer"].clone();
    let federated =
        json!({"issuer": issuer, "subject": subject, "audience": AUDIENCE, "jwks": read("/openid/v1/jwks")});
    let client = json!({"tenantId": TENANT, "clientId": client, "subscriptions": "*", "federated": [federated]});
    world.stack.simulator.post("clients", &client).await.unwrap();
}

fn subject(world: &World, name: &str) -> String {
    format!("system:serviceaccount:{}:{name}", world.namespace)
}

/// Waits until the BillingProvider says `says` for this reason, and returns it.
async fn until(world: &World, reason: &str, says: &str) -> Value {
    let mut last = Value::Null;
    let told = world
        .eventually(100, async || {
            last = world.get("billingproviders.payg-operator.io", "azure");
            (condition(&last, "Ready")["reason"] == reason && message(&last).contains(says)).then(|| last.clone())
        })
        .await;
    told.unwrap_or_else(|| panic!("the BillingProvider is never {reason} with {says:?}: {:#}", last["status"]))
}

/// That nothing in the namespace, in Events or in the operator's log shows a token or a key.
fn assert_nothing_leaks(world: &World, secrets: &[&str]) {
    let mut texts = vec![World::operator_log()];
    for kind in ["billingproviders.payg-operator.io", "subscriptions.payg-operator.io", "events.events.k8s.io"] {
        texts.push(world.kubectl(&["get", kind, "-o", "json"]).unwrap());
    }
    for text in texts {
        assert!(!text.contains("eyJ"), "a token: {text}");
        let leaked = secrets.iter().find(|secret| text.contains(*secret));
        assert!(leaked.is_none(), "{leaked:?}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_account_signs_in_by_its_own_token() {
    let world = World::new().await;
    let (client, account) = (application(&world), world.account(json!({"periodDays": 3000})).await);
    trusting(&world, &client, &subject(&world, SERVICE_ACCOUNT)).await;
    world.apply(&workload_identity(SERVICE_ACCOUNT, &client));
    until(&world, "InvalidConfiguration", "there is no ServiceAccount `payg-billing`").await;
    world.apply(&sample("workload-identity")[0]);
    world.touch("azure");
    world.subscribe("sandbox", &account, automatic("BenefitsExhausted"));
    world.until("sandbox", "WaitingForExhaustion").await;
    let works = until(&world, "CredentialsAccepted", "through the ServiceAccount `payg-billing`").await;
    assert!(message(&works).contains(&client), "{}", message(&works));
    assert_nothing_leaks(&world, &[]);

    // One that is gone takes its tokens along, whatever was kept of them.
    world.kubectl(&["delete", "serviceaccount", SERVICE_ACCOUNT]).unwrap();
    let gone = world.until_within(100, "sandbox", "ProviderNotReady").await;
    assert!(message(&gone).contains("no ServiceAccount `payg-billing`"), "{}", message(&gone));
    world.apply(&service_account(SERVICE_ACCOUNT));
    world.until_within(100, "sandbox", "WaitingForExhaustion").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_cannot_borrow_the_identity_of_another() {
    let (owner, borrower) = (World::new().await, World::new().await);
    let client = application(&owner);
    trusting(&owner, &client, &subject(&owner, SERVICE_ACCOUNT)).await;
    for world in [&owner, &borrower] {
        world.apply(&service_account(SERVICE_ACCOUNT));
        world.apply(&workload_identity(SERVICE_ACCOUNT, &client));
    }
    until(&owner, "CredentialsAccepted", &client).await;
    let refused = until(&borrower, "Unauthenticated", "AADSTS700213").await;
    for part in [format!("subject `{}`", subject(&borrower, SERVICE_ACCOUNT)), format!("audience `{AUDIENCE}`")] {
        assert!(message(&refused).contains(&part), "{}", message(&refused));
    }
    assert_nothing_leaks(&borrower, &[]);
    // Its own application is another matter.
    let own = application(&borrower);
    trusting(&borrower, &own, &subject(&borrower, SERVICE_ACCOUNT)).await;
    borrower.apply(&workload_identity(SERVICE_ACCOUNT, &own));
    until(&borrower, "CredentialsAccepted", &own).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_account_of_another_name_is_asked_for() {
    let world = World::new().await;
    let client = application(&world);
    trusting(&world, &client, &subject(&world, "billing-reader")).await;
    world.apply(&service_account("billing-reader"));
    world.apply(&workload_identity("billing-reader", &client));
    let closed = until(&world, "Forbidden", "`create` on its `serviceaccounts/token`").await;
    for part in ["the ServiceAccount `billing-reader`", "called `payg-billing`", "add a Role"] {
        assert!(message(&closed).contains(part), "{}", message(&closed));
    }
    let (mut role, binding) = (sample("service-account-tokens").remove(0), sample("service-account-tokens").remove(1));
    let create = role["rules"].as_array_mut().unwrap().pop().unwrap();
    world.apply(&role);
    world.apply(&binding);
    until(&world, "Forbidden", "`create` on its `serviceaccounts/token`").await;
    role["rules"].as_array_mut().unwrap().push(create);
    world.apply(&role);
    world.touch("azure");
    until(&world, "CredentialsAccepted", "through the ServiceAccount `billing-reader`").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_identity_of_the_machine_is_for_the_namespaces_that_are_named() {
    let (allowed, other) = (World::named(AMBIENT).await, World::new().await);
    let client = application(&allowed);
    let identity = provider("managed-identity", &client);
    allowed.apply(&identity);
    until(&allowed, "Unauthenticated", "assign it to the machine").await;
    let machine =
        json!({"tenantId": TENANT, "clientId": client, "subscriptions": "*", "managedIdentity": "userAssigned"});
    allowed.stack.simulator.post("clients", &machine).await.unwrap();
    allowed.touch("azure");
    until(&allowed, "CredentialsAccepted", &format!("the identity {client} of the operator's machine")).await;
    let account = allowed.account(json!({})).await;
    allowed.subscribe("sandbox", &account, automatic("BenefitsExhausted"));
    allowed.until("sandbox", "WaitingForExhaustion").await;
    assert_nothing_leaks(&allowed, &[]);

    other.apply(&identity);
    let refused = until(&other, "InvalidConfiguration", "--ambient-identity-namespaces").await;
    assert!(message(&refused).contains(&other.namespace), "{}", message(&refused));
}

static PAIR: LazyLock<RsaCertificate> = LazyLock::new(|| RsaCertificate::new(2020..2100));

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_signs_in_and_is_rotated() {
    let world = World::new().await;
    let client = application(&world);
    let registered = async |certificates: &[&str]| {
        let client =
            json!({"tenantId": TENANT, "clientId": client, "subscriptions": "*", "certificates": certificates});
        world.stack.simulator.post("clients", &client).await.unwrap();
    };
    // The Secret that the namespace lets the operator read, with the type and the entries that cert-manager writes.
    world.kubectl(&["delete", "secret", "azure-credentials"]).unwrap();
    let store = |pair: &RsaCertificate| {
        world.apply(&json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "azure-credentials"}, "type": "kubernetes.io/tls",
            "stringData": {"tls.crt": pair.certificate_pem, "tls.key": pair.pkcs1_pem}}));
    };
    let first = &*PAIR;
    registered(&[&first.certificate_pem]).await;
    store(first);
    world.apply(&provider("certificate", &client));
    until(&world, "CredentialsAccepted", "with the certificate in the Secret `azure-credentials`").await;

    // Renewed, and not yet registered; then registered.
    let second = first.renewed(2021..2100);
    store(&second);
    world.touch("azure");
    until(&world, "Unauthenticated", "AADSTS700027").await;
    registered(&[&first.certificate_pem, &second.certificate_pem]).await;
    world.touch("azure");
    until(&world, "CredentialsAccepted", &client).await;

    store(&first.renewed(2020..2021));
    world.touch("azure");
    until(&world, "InvalidConfiguration", "has expired at 2021-01-01").await;
    let key: Vec<&str> = first.pkcs1_pem.lines().filter(|line| !line.starts_with('-')).collect();
    assert_nothing_leaks(&world, &key);
}
