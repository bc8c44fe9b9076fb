//! How the operator signs in to AWS: by a ServiceAccount's own token, which the simulated STS checks with the real cluster's
//! real keys; by its pod's identity; by a key. What is left in its environment is never used.

use payg_test_kit::REPOSITORY;
use payg_test_kit::world::{AMBIENT_ON_AWS, POD_TOKEN, World, condition, message};
use serde_json::{Value, json};

use crate::aws::OBSERVE;

fn role_arn(account: &str) -> String {
    format!("arn:aws:iam::{account}:role/payg-operator")
}

async fn role(world: &World, account: &str, trust: Value) {
    let role = json!({"accountId": account, "roleArn": role_arn(account), "allow": OBSERVE, "trust": trust});
    world.stack.simulator.post("clients", &role).await.unwrap();
}

/// The BillingProvider of a sample, for the role of `account`.
fn sample(name: &str, account: &str) -> Value {
    let path = format!("{REPOSITORY}/deploy/samples/aws/identity/{name}.yaml");
    let objects: Vec<Value> = serde_saphyr::from_multiple(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut provider = objects.into_iter().find(|object| object["kind"] == "BillingProvider").unwrap();
    provider["spec"]["aws"]["roleArn"] = json!(role_arn(account));
    provider
}

fn subscription(account: &str) -> Value {
    json!({"apiVersion": "payg-operator.io/v1alpha1", "kind": "Subscription", "metadata": {"name": "sandbox"},
        "spec": {"providerName": "aws", "account": {"aws": {"accountId": account}}, "offer": "PayAsYouGo",
            "upgrade": {"when": "Never", "approval": "Manual"}}})
}

async fn until(world: &World, reason: &str, says: &str) -> Value {
    let mut last = Value::Null;
    let told = world
        .eventually(100, async || {
            last = world.get("billingproviders.payg-operator.io", "aws");
            (condition(&last, "Ready")["reason"] == reason && message(&last).contains(says)).then(|| last.clone())
        })
        .await;
    told.unwrap_or_else(|| panic!("the BillingProvider is never {reason} with {says:?}: {:#}", last["status"]))
}

fn assert_nothing_leaks(world: &World) {
    let mut texts = vec![World::operator_log()];
    for kind in ["billingproviders.payg-operator.io", "subscriptions.payg-operator.io", "events.events.k8s.io"] {
        texts.push(world.kubectl(&["get", kind, "-o", "json"]).unwrap());
    }
    for text in texts {
        for secret in ["eyJ", POD_TOKEN, "s3cr3t-value", "leftover"] {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
    }
}

/// That somebody signed as the ServiceAccount called payg-billing of the namespace of `world`.
fn federated(world: &World) -> Value {
    let read =
        |path: &str| serde_json::from_str::<Value>(&world.stack.kubectl(&["get", "--raw", path]).unwrap()).unwrap();
    let issuer = read("/.well-known/openid-configuration")["issuer"].clone();
    json!([{"issuer": issuer, "subject": format!("system:serviceaccount:{}:payg-billing", world.namespace),
        "audience": "sts.amazonaws.com", "jwks": read("/openid/v1/jwks")}])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_account_becomes_an_aws_role_and_no_other_namespaces_does() {
    let (owner, borrower) = (World::new().await, World::new().await);
    let account = owner.aws_account(json!({})).await;
    role(&owner, &account, json!({"federated": federated(&owner)})).await;
    for world in [&owner, &borrower] {
        world.apply(&json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "payg-billing"}}));
        world.apply(&sample("web-identity", &account));
    }
    let works = until(&owner, "CredentialsAccepted", "through the ServiceAccount `payg-billing`").await;
    assert!(message(&works).contains(&format!("AWS account {account}")), "{}", message(&works));
    owner.apply(&subscription(&account));
    owner.until("sandbox", "Observing").await;
    let refused = until(&borrower, "Forbidden", "trust policy").await;
    let subject = format!("system:serviceaccount:{}:payg-billing", borrower.namespace);
    assert!(message(&refused).contains(&subject), "{}", message(&refused));
    assert_nothing_leaks(&owner);
    assert_nothing_leaks(&borrower);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_provider_serves_every_account_that_has_a_role_of_its_name() {
    let world = World::new().await;
    let named = |account: &str| format!("aws-{account}");
    let mut accounts = Vec::new();
    for trusts in [true, true, false] {
        let account = world.aws_account(json!({})).await;
        if trusts {
            role(&world, &account, json!({"federated": federated(&world)})).await;
        }
        accounts.push(account);
    }
    world.apply(&json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "payg-billing"}}));
    let mut provider = sample("web-identity", &accounts[0]);
    provider["spec"]["aws"].as_object_mut().unwrap().remove("roleArn");
    provider["spec"]["aws"]["roleName"] = json!("payg-operator");
    world.apply(&provider);
    let works = until(&world, "CredentialsAccepted", "each Subscription reports").await;
    assert_eq!(works["status"]["accounts"], Value::Null, "there is no list");
    for account in &accounts {
        let mut subscription = subscription(account);
        subscription["metadata"]["name"] = json!(named(account));
        world.apply(&subscription);
    }
    for account in &accounts[..2] {
        let seen = world.until(&named(account), "Observing").await;
        assert_eq!(seen["status"]["offer"]["class"], "FreeTrial");
    }
    let refused = async || {
        let subscription = world.subscription(&named(&accounts[2]));
        (condition(&subscription, "Observed")["reason"] == "Forbidden").then_some(())
    };
    world.eventually(60, refused).await.expect("the third account trusts nobody");
    assert_nothing_leaks(&world);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pods_identity_assumes_a_role_for_a_namespace_that_is_named() {
    const HUB: &str = "999999999999";
    let (allowed, other) = (World::named(AMBIENT_ON_AWS).await, World::new().await);
    let account = allowed.aws_account(json!({})).await;
    let pod = format!("arn:aws:iam::{HUB}:role/payg-operator-pod");
    allowed.stack.simulator.post("accounts", &json!({"accountId": HUB})).await.unwrap();
    let hub = json!({"accountId": HUB, "roleArn": pod, "allow": ["sts:AssumeRole"]});
    allowed.stack.simulator.post("clients", &hub).await.unwrap();
    let agent = json!({"podIdentity": {"token": POD_TOKEN, "roleArn": pod}});
    allowed.stack.simulator.post("clients", &agent).await.unwrap();
    // The external id is of another namespace: as if another team tried to have the role assumed.
    role(&allowed, &account, json!({"principals": [pod], "externalId": "payg-operator:elsewhere"})).await;
    let provider = sample("pod-identity", &account);
    allowed.apply(&provider);
    until(&allowed, "Forbidden", "sts:AssumeRole on").await;
    let external_id = format!("payg-operator:{AMBIENT_ON_AWS}");
    role(&allowed, &account, json!({"principals": [pod], "externalId": external_id})).await;
    let works = until(&allowed, "CredentialsAccepted", "through the operator's pod").await;
    assert!(message(&works).contains(&format!("external id `{external_id}`")), "{}", message(&works));
    allowed.apply(&subscription(&account));
    allowed.until("sandbox", "Observing").await;
    assert_nothing_leaks(&allowed);

    other.apply(&provider);
    let refused = until(&other, "InvalidConfiguration", "--ambient-identity-namespaces").await;
    assert!(message(&refused).contains(&other.namespace), "{}", message(&refused));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_assumes_a_role_with_the_external_id_of_the_manifest() {
    let world = World::new().await;
    let account = world.aws_account(json!({})).await;
    let key = format!("AKIA{account}");
    let user = json!({"accountId": account, "accessKeyId": key, "secretAccessKey": "s3cr3t-value", "allow": ["sts:AssumeRole"]});
    world.stack.simulator.post("clients", &user).await.unwrap();
    role(&world, &account, json!({"principals": [account], "externalId": "agreed"})).await;
    world.lend_secret("aws-credentials", json!({"accessKeyId": key, "secretAccessKey": "s3cr3t-value"}));
    let mut provider = sample("access-key", &account);
    provider["spec"]["aws"]["externalId"] = json!("not-agreed");
    world.apply(&provider);
    until(&world, "Forbidden", "sts:AssumeRole on").await;
    provider["spec"]["aws"]["externalId"] = json!("agreed");
    world.apply(&provider);
    until(&world, "CredentialsAccepted", "through the access key in the Secret `aws-credentials`").await;
    world.apply(&subscription(&account));
    world.until("sandbox", "Observing").await;
    assert_nothing_leaks(&world);

    // A key that is taken away is noticed, and a new one is taken up.
    world.lend_secret("aws-credentials", json!({"accessKeyId": "AKIAUNKNOWN", "secretAccessKey": "s3cr3t-value"}));
    let gone = world.until_within(100, "sandbox", "ProviderNotReady").await;
    assert!(message(&gone).contains("AWS does not know the access key"), "{}", message(&gone));
    world.lend_secret("aws-credentials", json!({"accessKeyId": key, "secretAccessKey": "s3cr3t-value"}));
    world.until_within(100, "sandbox", "Observing").await;
}

/// An account on AWS, and a temporary key of it that may do everything: id, secret and token of the session.
pub(crate) async fn temporary_key(world: &World) -> (String, [String; 3]) {
    let account = world.aws_account(json!({})).await;
    let settings = json!({"accountId": account, "roleArn": role_arn(&account), "allow": ["*"]});
    world.stack.simulator.post("clients", &settings).await.unwrap();
    let (arn, shown) = (role_arn(&account), format!("a-pod-of-{account}"));
    let agent = json!({"podIdentity": {"token": shown, "roleArn": arn}});
    world.stack.simulator.post("clients", &agent).await.unwrap();
    let anchor = std::fs::read(world.stack.simulator.ca_file()).unwrap();
    let anchor = reqwest::Certificate::from_pem(&anchor).unwrap();
    let client = reqwest::Client::builder().tls_certs_only([anchor]).build().unwrap();
    let ask = client.get(format!("{}/v1/credentials", world.stack.simulator.url())).header("authorization", shown);
    let given: Value = ask.send().await.unwrap().json().await.unwrap();
    let part = |name: &str| given[name].as_str().unwrap_or_else(|| panic!("{name}: {given}")).to_owned();
    (account, [part("AccessKeyId"), part("SecretAccessKey"), part("Token")])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_temporary_key_is_taken_with_the_token_of_its_session_and_told_of_without() {
    let world = World::new().await;
    let (account, [key, secret, token]) = temporary_key(&world).await;
    let keys = json!({"accessKeyId": key, "secretAccessKey": secret});
    world.lend_secret("aws-credentials", keys.clone());
    world.apply(
        &json!({"apiVersion": "payg-operator.io/v1alpha1", "kind": "BillingProvider", "metadata": {"name": "aws"},
        "spec": {"aws": {"credentials": {"secret": {"name": "aws-credentials"}}}}}),
    );
    let told = until(&world, "InvalidConfiguration", "is a temporary one").await;
    assert!(message(&told).contains(&key) && message(&told).contains("`sessionToken`"), "{}", message(&told));
    let mut whole = keys;
    whole["sessionToken"] = json!(format!("{token}\n"));
    world.lend_secret("aws-credentials", whole);
    until(&world, "CredentialsAccepted", "(the access key in the Secret `aws-credentials`) work").await;
    let mut wish = subscription(&account);
    wish["spec"]["upgrade"] = json!({"when": "Immediately", "approval": "Automatic"});
    world.apply(&wish);
    world.until("sandbox", "OfferInPlace").await;
    assert_eq!(world.ledger(&account).await.len(), 1);
    for text in [World::operator_log(), world.kubectl(&["get", "events.events.k8s.io", "-o", "json"]).unwrap()] {
        assert!(!text.contains(&secret) && !text.contains(&token), "a secret is told");
    }
    assert_nothing_leaks(&world);
}
