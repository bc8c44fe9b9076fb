//! The simulator as its clients see it, over TLS. Here is the kit.

mod assertions;
mod aws;
mod billing;
mod broker;
mod control;
mod described;
mod fault;
mod identity;
mod life;
mod lifecycle;
mod management;
mod protocol;
mod sdk;
mod state;
mod subscriptions;
mod versions;

use std::net::Ipv4Addr;

use jiff::Timestamp;
use reqwest::{Certificate, Client, Method, RequestBuilder, Response, redirect};
use serde_json::{Value, json};

use super::{Config, Running, start};
use payg_clock::Clock;

const SUB: &str = "6f1a3c1e-0000-4a00-9000-00000000f7ee";
const TENANT: &str = "72f988bf-0000-4a00-9000-0000000000aa";
const CLIENT: &str = "11111111-0000-4a00-9000-000000000001";
const SECRET: &str = "a secret";
const KEY: &str = "0b1f9c6e-0000-5a00-9000-000000000001";
const ARM: &str = "https://management.azure.com/.default";
const BROKER: &str = "api://payg-broker/.default";
const DAY: u32 = 86_400;

/// A simulator with a client that may read everything in `TENANT` and use the broker, and its tokens.
struct Sim {
    running: Running,
    http: Client,
    arm: String,
    broker: String,
}

impl Sim {
    async fn start() -> Self {
        let start_time = "2026-01-01T00:00:00Z".parse().unwrap();
        let clock = Clock::scaled(start_time, Timestamp::now(), 1);
        let running = start(Config { listen: (Ipv4Addr::LOCALHOST, 0).into(), clock, seed: 1 }).await.unwrap();
        let http = trusting(&running);
        let mut sim = Self { running, http, arm: String::new(), broker: String::new() };
        sim.client(json!({"subscriptions": "*", "broker": true})).await;
        sim.arm = sim.token(ARM).await;
        sim.broker = sim.token(BROKER).await;
        sim
    }

    /// Starts one with a free trial that differs from the default by `account`.
    async fn with_account(account: Value) -> Self {
        let sim = Self::start().await;
        sim.account(account).await;
        sim
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.running.url()))
    }

    /// A control call that must succeed.
    async fn control(&self, method: Method, path: &str, body: Value) -> Value {
        let response = self.control_raw(method, path, body).await;
        let status = response.status();
        let text = response.text().await.unwrap();
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    async fn control_raw(&self, method: Method, path: &str, body: Value) -> Response {
        let request = self.request(method, &format!("/_sim{path}"));
        if body.is_null() { request } else { request.json(&body) }.send().await.unwrap()
    }

    async fn account(&self, mut account: Value) -> Value {
        let ids = json!({"subscriptionId": SUB, "tenantId": TENANT});
        for (name, id) in ids.as_object().unwrap() {
            account.as_object_mut().unwrap().entry(name).or_insert(id.clone());
        }
        self.control(Method::POST, "/accounts", account).await
    }

    async fn client(&self, mut client: Value) {
        let ids = json!({"tenantId": TENANT, "clientId": CLIENT, "clientSecret": SECRET});
        for (name, id) in ids.as_object().unwrap() {
            client.as_object_mut().unwrap().entry(name).or_insert(id.clone());
        }
        self.control(Method::POST, "/clients", client).await;
    }

    async fn fault(&self, fault: Value) {
        self.control(Method::POST, "/faults", fault).await;
    }

    async fn advance(&self, seconds: u32) {
        self.control(Method::POST, "/clock", json!({"advanceSeconds": seconds})).await;
    }

    async fn ledger(&self) -> Vec<Value> {
        self.control(Method::GET, "/ledger", Value::Null).await.as_array().unwrap().clone()
    }

    async fn token(&self, scope: &str) -> String {
        let response = self.ask_token(TENANT, &[("scope", scope)]).await;
        assert_eq!(response.status(), 200);
        let body: Value = response.json().await.unwrap();
        assert_eq!((body["token_type"].as_str(), body["expires_in"].as_u64()), (Some("Bearer"), Some(3599)));
        body["access_token"].as_str().unwrap().to_owned()
    }

    /// Asks for a token with a correct form but for these fields.
    async fn ask_token(&self, tenant: &str, fields: &[(&str, &str)]) -> Response {
        let mut form = std::collections::BTreeMap::from([
            ("grant_type", "client_credentials"),
            ("client_id", CLIENT),
            ("client_secret", SECRET),
            ("scope", ARM),
        ]);
        form.extend(fields.iter().copied());
        form.retain(|_, value| !value.is_empty());
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = self.request(Method::POST, &format!("/{tenant}/oauth2/v2.0/token"));
        let form = "application/x-www-form-urlencoded";
        request.header("content-type", form).body(body).send().await.unwrap()
    }

    fn read(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path).bearer_auth(&self.arm)
    }

    /// Reads the subscription.
    async fn subscription(&self) -> Value {
        self.read(&subscription_path(SUB)).send().await.unwrap().json().await.unwrap()
    }

    /// Reads the properties of the billing property.
    async fn billing(&self) -> Value {
        let body: Value = self.read(&billing_path(SUB)).send().await.unwrap().json().await.unwrap();
        body["properties"].clone()
    }

    fn upgrade(&self, key: &str) -> RequestBuilder {
        let body = json!({"properties": {"targetOffer": "PayAsYouGo", "acceptCharges": true}});
        let request = self.request(Method::POST, &upgrade_path(SUB)).bearer_auth(&self.broker);
        request.header("Idempotency-Key", key).json(&body)
    }
}

/// What is right, but for these members.
fn with(mut right: Value, members: &Value) -> Value {
    right.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    right
}

/// A client that trusts the simulator and nobody else, and follows no redirects.
fn trusting(running: &Running) -> Client {
    // Fails when another test has installed it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let ca = Certificate::from_pem(running.ca_pem().as_bytes()).unwrap();
    Client::builder().tls_certs_only([ca]).redirect(redirect::Policy::none()).build().unwrap()
}

fn subscription_path(id: &str) -> String {
    format!("/subscriptions/{id}?api-version=2022-12-01")
}

fn billing_path(id: &str) -> String {
    format!("/subscriptions/{id}/providers/Microsoft.Billing/billingProperty/default?api-version=2024-04-01")
}

fn upgrade_path(id: &str) -> String {
    format!("/broker/subscriptions/{id}/providers/PaygOperator.Broker/upgrade?api-version=2026-11-01")
}

/// The status and the error code of an answer in the envelope of Resource Manager.
async fn refusal(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    let body: Value = response.json().await.unwrap();
    assert!(body["error"]["message"].is_string(), "{body}");
    (status, body["error"]["code"].as_str().unwrap().to_owned())
}
