//! Microsoft's own SDK as a client.

use std::sync::Arc;

use azure_core::cloud::{CloudConfiguration, CustomConfiguration};
use azure_core::credentials::{Secret, TokenCredential};
use azure_core::http::{ClientOptions, Transport};
use azure_identity::{ClientSecretCredential, ClientSecretCredentialOptions};

use super::*;

#[tokio::test]
async fn azure_identity_gets_a_token() {
    let sim = Sim::with_account(json!({})).await;
    let credential = |secret: &str| {
        let mut cloud = CustomConfiguration::default();
        cloud.authority_host = sim.running.url().to_owned();
        let client_options = ClientOptions {
            transport: Some(Transport::new(Arc::new(sim.http.clone()))),
            cloud: Some(Arc::new(CloudConfiguration::from(cloud))),
            ..Default::default()
        };
        let options = ClientSecretCredentialOptions { client_options };
        ClientSecretCredential::new(TENANT, CLIENT.into(), Secret::from(secret.to_owned()), Some(options)).unwrap()
    };
    let token = credential(SECRET).get_token(&[ARM], None).await.unwrap();
    let request = sim.request(Method::GET, &subscription_path(SUB)).bearer_auth(token.token.secret());
    assert_eq!(request.send().await.unwrap().status(), 200);
    let error = credential("wrong").get_token(&[ARM], None).await.unwrap_err();
    assert!(format!("{error:?}").contains("AADSTS7000215"), "{error:?}");
}

#[tokio::test]
async fn it_stops() {
    let sim = Sim::start().await;
    let url = sim.running.url().to_owned();
    sim.running.stop().await;
    assert!(sim.http.get(url).send().await.unwrap_err().is_connect());
}
