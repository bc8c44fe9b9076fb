//! Microsoft's own SDK as a client, and the simulator as a process.

use std::sync::Arc;
use std::time::Duration;

use azure_core::cloud::{CloudConfiguration, CustomConfiguration};
use azure_core::credentials::{Secret, TokenCredential};
use azure_core::http::{ClientOptions, Transport};
use azure_identity::{ClientSecretCredential, ClientSecretCredentialOptions};
use clap::Parser;

use super::*;
use crate::simulator::command::{self, Args};

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

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    args: Args,
}

#[tokio::test]
async fn the_command_writes_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let (ca, url) = (folder.path().join("ca.pem"), folder.path().join("url"));
    let (ca_text, url_text) = (ca.to_str().unwrap(), url.to_str().unwrap());
    let billing = ["--billing-start", "2026-01-01T00:00:00Z", "--billing-origin", "2026-01-01T00:00:00Z"];
    let arguments = ["simulator", "--ca-file", ca_text, "--url-file", url_text];
    assert!(Command::try_parse_from(arguments.iter().chain(&billing)).is_err(), "the rate is missing");
    let arguments = arguments.iter().chain(&billing).chain(&["--billing-rate", "60"]);
    let process = tokio::spawn(command::run(Command::parse_from(arguments).args));
    let url = tokio::time::timeout(Duration::from_secs(30), async {
        loop {
            if let Ok(url) = tokio::fs::read_to_string(&url).await {
                return url;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let url = url.await.unwrap();
    let ca = Certificate::from_pem(&tokio::fs::read(&ca).await.unwrap()).unwrap();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = Client::builder().tls_certs_only([ca]).build().unwrap();
    let clock: Value = http.get(format!("{url}/_sim/clock")).send().await.unwrap().json().await.unwrap();
    assert_eq!(clock["rate"], 60);
    process.abort();
}

#[tokio::test]
async fn it_stops() {
    let sim = Sim::start().await;
    let url = sim.running.url().to_owned();
    sim.running.stop().await;
    assert!(sim.http.get(url).send().await.unwrap_err().is_connect());
}
