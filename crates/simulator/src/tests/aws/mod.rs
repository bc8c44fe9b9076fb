//! AWS as its clients see it. Here is the kit: a simulator with an account and a user, and a signer of requests that
//! shares nothing with the simulator's own reading of the protocol.

mod credits;
mod faults;
mod information;
mod life;
mod lifecycle;
mod pods;
mod roles;
mod signatures;
mod state;
mod web_identity;

use std::fmt::Write;

use reqwest::header::HeaderMap;
use ring::hmac;
use sha2::{Digest, Sha256};

use super::*;

const ID: &str = "123456789012";
const OTHER: &str = "210987654321";
const USER: &str = "arn:aws:iam::123456789012:user/payg";
const ROLE: &str = "arn:aws:iam::123456789012:role/payg-operator";
const KEY_ID: &str = "AKIAIOSFODNN7EXAMPLE";

/// What requests are signed with.
#[derive(Clone, Debug)]
struct Keys {
    id: String,
    secret: String,
    token: Option<String>,
}

fn user() -> Keys {
    Keys { id: KEY_ID.into(), secret: SECRET.into(), token: None }
}

/// A request of AWS before it is signed.
#[derive(Clone, Debug)]
struct Ask {
    service: &'static str,
    region: &'static str,
    path: &'static str,
    headers: Vec<(&'static str, String)>,
    body: String,
    time: Timestamp,
}

impl Ask {
    fn json(service: &'static str, target: &str, body: &Value) -> Self {
        let content_type = ("content-type", "application/x-amz-json-1.0".to_owned());
        let headers = vec![content_type, ("x-amz-target", target.to_owned())];
        let (region, path, time) = ("us-east-1", "/", Timestamp::now());
        Self { service, region, path, headers, body: body.to_string(), time }
    }

    fn plan_state() -> Self {
        Self::json("freetier", "AWSFreeTierService.GetAccountPlanState", &json!({}))
    }

    fn upgrade() -> Self {
        Self::json("freetier", "AWSFreeTierService.UpgradeAccountPlan", &json!({"accountPlanType": "PAID"}))
    }

    fn credits(fields: &Value) -> Self {
        Self::json("billing", "AWSBilling.GetCredits", fields)
    }

    fn information() -> Self {
        let mut ask = Self::json("account", "", &json!({}));
        ask.headers = vec![("content-type", "application/json".to_owned())];
        Self { path: "/getAccountInformation", ..ask }
    }

    fn sts(fields: &[(&str, &str)]) -> Self {
        let mut ask = Self::json("sts", "", &json!({}));
        ask.headers = vec![("content-type", "application/x-www-form-urlencoded; charset=utf-8".to_owned())];
        ask.body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("Version", "2011-06-15")])
            .extend_pairs(fields)
            .finish();
        ask
    }

    fn identity() -> Self {
        Self::sts(&[("Action", "GetCallerIdentity")])
    }

    fn assume(role: &str, fields: &[(&str, &str)]) -> Self {
        let fixed = [("Action", "AssumeRole"), ("RoleArn", role), ("RoleSessionName", "test")];
        Self::sts(&[&fixed, fields].concat())
    }
}

/// An answer, read to its end.
#[derive(Debug)]
struct Answer {
    status: u16,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    async fn of(response: Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self { status, headers, text: response.text().await.unwrap() }
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    fn good(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        self.json()
    }

    /// The text of an XML element that occurs once.
    fn xml(&self, name: &str) -> String {
        let (_, rest) = self.text.split_once(&format!("<{name}>")).unwrap_or_else(|| panic!("{name}: {}", self.text));
        rest.split_once(&format!("</{name}>")).unwrap().0.to_owned()
    }

    /// The keys of a session that STS returns.
    fn keys(&self) -> Keys {
        assert_eq!(self.status, 200, "{}", self.text);
        let token = Some(self.xml("SessionToken"));
        Keys { id: self.xml("AccessKeyId"), secret: self.xml("SecretAccessKey"), token }
    }

    /// The status, the code and the message of an error, in whichever protocol.
    fn error(&self) -> (u16, String, String) {
        assert!(self.headers.contains_key("x-amzn-requestid"), "{self:?}");
        if self.text.starts_with('<') {
            return (self.status, self.xml("Code"), self.xml("Message"));
        }
        let body = self.json();
        let header = self.headers.get("x-amzn-errortype").map(|value| value.to_str().unwrap().to_owned());
        let of_body = || body["__type"].as_str().unwrap().rsplit_once('#').unwrap().1.to_owned();
        (self.status, header.unwrap_or_else(of_body), body["message"].as_str().unwrap().to_owned())
    }

    fn assert_error(&self, status: u16, code: &str, says: &str) {
        let (found, name, message) = self.error();
        assert_eq!((found, name.as_str()), (status, code), "{message}");
        assert!(message.contains(says), "{message}");
    }
}

impl Sim {
    /// One with an account that differs from the default by `account`, and a user who may do everything.
    async fn aws(account: Value) -> Self {
        let sim = Self::start().await;
        sim.aws_account(account).await;
        sim.user(json!({"allow": ["*"]})).await;
        sim
    }

    async fn aws_account(&self, account: Value) -> Value {
        self.control(Method::POST, "/accounts", with(json!({"accountId": ID}), &account)).await
    }

    async fn user(&self, changes: Value) {
        let right = json!({"accountId": ID, "accessKeyId": KEY_ID, "secretAccessKey": SECRET});
        self.control(Method::POST, "/clients", with(right, &changes)).await;
    }

    async fn role(&self, changes: Value) {
        let right = json!({"accountId": ID, "roleArn": ROLE, "allow": ["*"]});
        self.control(Method::POST, "/clients", with(right, &changes)).await;
    }

    async fn truth(&self) -> Value {
        self.control(Method::GET, &format!("/accounts/{ID}"), Value::Null).await
    }

    async fn to_account(&self, action: &str, body: Value) -> Value {
        self.control(Method::POST, &format!("/accounts/{ID}/{action}"), body).await
    }

    /// Sends a request that these keys have signed.
    async fn send(&self, keys: &Keys, ask: &Ask) -> reqwest::Result<Answer> {
        self.send_with(keys, ask, |_| {}).await
    }

    /// Sends a request in which `tamper` has changed the headers after they were signed.
    async fn send_with(&self, keys: &Keys, ask: &Ask, tamper: impl FnOnce(&mut HeaderMap)) -> reqwest::Result<Answer> {
        let host = self.running.url().trim_start_matches("https://");
        let mut headers = signed(keys, ask, host);
        tamper(&mut headers);
        let request = self.request(Method::POST, ask.path).headers(headers).body(ask.body.clone());
        Ok(Answer::of(request.send().await?).await)
    }

    /// As the user who may do everything.
    async fn ask(&self, ask: Ask) -> Answer {
        self.send(&user(), &ask).await.unwrap()
    }

    async fn plan(&self) -> Value {
        self.ask(Ask::plan_state()).await.good()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// The headers of a signed request, in the steps of
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>.
fn signed(keys: &Keys, ask: &Ask, host: &str) -> HeaderMap {
    let stamp = ask.time.strftime("%Y%m%dT%H%M%SZ").to_string();
    let mut headers: std::collections::BTreeMap<&str, String> = ask.headers.iter().cloned().collect();
    headers.insert("host", host.to_owned());
    headers.insert("x-amz-date", stamp.clone());
    headers.extend(keys.token.clone().map(|token| ("x-amz-security-token", token)));
    let names = headers.keys().copied().collect::<Vec<_>>().join(";");
    let mut canonical = format!("POST\n{}\n\n", ask.path);
    for (name, value) in &headers {
        writeln!(canonical, "{name}:{value}").unwrap();
    }
    write!(canonical, "\n{names}\n{}", hex(&Sha256::digest(&ask.body))).unwrap();
    let scope = format!("{}/{}/{}/aws4_request", &stamp[..8], ask.region, ask.service);
    let text = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{}", hex(&Sha256::digest(&canonical)));
    let mac =
        |key: &[u8], text: &str| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec();
    let key = scope.split('/').fold(format!("AWS4{}", keys.secret).into_bytes(), |key, part| mac(&key, part));
    let signature = hex(&mac(&key, &text));
    let authorization =
        format!("AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}", keys.id);
    headers.remove("host"); // the client sets it
    headers.insert("authorization", authorization);
    headers.into_iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
}

/// From AWS's test suite of Signature Version 4, `get-vanilla`, but with the method and the body of here.
#[test]
fn the_kit_signs_as_the_documentation_says() {
    let keys =
        Keys { id: "AKIDEXAMPLE".into(), secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into(), token: None };
    let ask = Ask {
        service: "service",
        region: "us-east-1",
        path: "/",
        headers: Vec::new(),
        body: String::new(),
        time: "2015-08-30T12:36:00Z".parse().unwrap(),
    };
    // `post-vanilla`
    let expected = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
        SignedHeaders=host;x-amz-date, \
        Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b";
    assert_eq!(signed(&keys, &ask, "example.amazonaws.com")["authorization"], expected);
}
