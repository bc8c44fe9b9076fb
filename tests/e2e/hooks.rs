//! Webhooks: what the clouds send by themselves brings the next observation of an account forward, and nothing else comes of it. By a
//! clock that runs like everybody's, so that no observation comes by itself for minutes.

use std::net::TcpListener;
use std::time::Duration;

use payg_test_kit::world::{World, automatic};
use payg_test_kit::{Process, Stack, payg_dev};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use tokio::time::sleep;

use crate::aws::{Account, OBSERVE};

pub(crate) const TOKEN: &str = "a-token-that-nobody-guesses";

/// Two operators, of which the first one works, and where each takes deliveries.
pub(crate) struct Hooked {
    pub(crate) stack: Stack,
    _operators: [Process; 2],
    addresses: [String; 2],
}

impl Hooked {
    /// Where the operator that works takes deliveries.
    pub(crate) fn address(&self) -> &str {
        &self.addresses[0]
    }
}

static HOOKED: OnceCell<Hooked> = OnceCell::const_new();

pub(crate) async fn hooked() -> &'static Hooked {
    HOOKED.get_or_init(start).await
}

async fn start() -> Hooked {
    let stack = Stack::start(payg_dev(), 1).await.unwrap();
    let token = stack.control_plane.dir().join("hooks-token");
    std::fs::write(&token, format!("{TOKEN}\n")).unwrap();
    let operator = async |name: &str, answer: StatusCode| {
        let listen = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let arguments = ["--hooks-listen", &listen, "--hooks-token-file", token.to_str().unwrap()];
        let operator = stack.operator(name, &arguments).await.unwrap();
        let address = format!("http://{listen}/hooks");
        let answers = async || {
            let told = try_deliver(&address, "azure", TOKEN, &budget_alert("")).await;
            told.is_ok_and(|told| told == answer).then_some(())
        };
        payg_test_kit::eventually("the operator's webhooks", answers).await;
        (operator, address)
    };
    let (first, at_first) = operator("first", StatusCode::ACCEPTED).await;
    let (second, at_second) = operator("second", StatusCode::SERVICE_UNAVAILABLE).await;
    Hooked { stack, _operators: [first, second], addresses: [at_first, at_second] }
}

fn budget_alert(account: &str) -> Value {
    let data = json!({"SubscriptionName": "Free Trial", "SubscriptionId": account, "SpendingAmount": "180.50",
        "Budget": "200", "Unit": "USD", "BudgetName": "trial-credit", "NotificationThresholdAmount": "180"});
    json!({"schemaId": "AIP Budget Notification", "data": data})
}

async fn deliver(address: &str, cloud: &str, token: &str, body: &Value) -> StatusCode {
    try_deliver(address, cloud, token, body).await.unwrap()
}

async fn try_deliver(address: &str, cloud: &str, token: &str, body: &Value) -> reqwest::Result<StatusCode> {
    let url = format!("{address}/{cloud}?token={token}");
    Ok(Client::new().post(url).body(body.to_string()).send().await?.status())
}

/// A Subscription called `sandbox` of a new account, at which nobody will look for minutes, and how many requests about it
/// there have been.
async fn quiet(world: &World) -> (String, usize) {
    let account = world.account(json!({"credit": {"amount": "200", "currency": "USD"}, "periodDays": 30})).await;
    world.subscribe("sandbox", &account, automatic("BenefitsExhausted"));
    world.until("sandbox", "WaitingForExhaustion").await;
    let before = settled(world, &account).await;
    (account, before)
}

/// The same on AWS.
async fn quiet_on_aws(world: &World) -> (Account<'_>, usize) {
    let account = Account::new(world, "sandbox", json!({}), &OBSERVE).await;
    account.subscribe(json!({"when": "Never", "approval": "Manual"}));
    account.until("Observing").await;
    let before = settled(world, &account.id).await;
    (account, before)
}

/// How many requests about `account` there were by the time that there are no more.
async fn settled(world: &World, account: &str) -> usize {
    let mut seen = 0;
    let quiet = async || {
        sleep(Duration::from_secs(4)).await;
        let before = std::mem::replace(&mut seen, world.requests(account).await.len());
        (before == seen).then_some(seen)
    };
    world.eventually(60, quiet).await.expect("an end of looking")
}

/// Whether there is an observation of `account` that was not among the `before` requests.
async fn looked(world: &World, account: &str, before: usize) -> bool {
    world.eventually(10, async || (world.requests(account).await.len() > before).then_some(())).await.is_some()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_brings_the_next_look_forward_and_replayed_it_does_no_more() {
    let hooked = hooked().await;
    let world = World::on(&hooked.stack).await;
    let (account, before) = quiet(&world).await;
    assert_eq!(deliver(&hooked.addresses[0], "azure", TOKEN, &budget_alert(&account)).await, StatusCode::ACCEPTED);
    assert!(looked(&world, &account, before).await, "the alert is followed by a look");
    let one_observation = settled(&world, &account).await - before;
    for _ in 0..100 {
        deliver(&hooked.addresses[0], "azure", TOKEN, &budget_alert(&account)).await;
    }
    // What is put off follows after a minute. Were each of the hundred put off, an observation would follow each minute.
    sleep(Duration::from_secs(130)).await;
    let replayed = settled(&world, &account).await - before - one_observation;
    assert!(replayed <= one_observation, "{replayed} requests of a hundred alerts, {one_observation} of one");
    assert!(world.ledger(&account).await.is_empty(), "an alert is no reason to upgrade");
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_huge_and_odd_deliveries_do_nothing() {
    let hooked = hooked().await;
    let world = World::on(&hooked.stack).await;
    let (account, before) = quiet(&world).await;
    let alert = budget_alert(&account);
    let address = &hooked.addresses[0];
    for token in ["", "wrong", "a-token-that-nobody-guesse"] {
        assert_eq!(deliver(address, "azure", token, &alert).await, StatusCode::UNAUTHORIZED);
    }
    let mut huge = alert.clone();
    huge["padding"] = json!("x".repeat(300 << 10));
    assert_eq!(deliver(address, "azure", TOKEN, &huge).await, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(deliver(address, "azure", TOKEN, &json!({"account": account})).await, StatusCode::BAD_REQUEST);
    assert_eq!(deliver(address, "aws", TOKEN, &alert).await, StatusCode::BAD_REQUEST);
    assert_eq!(deliver(address, "google", TOKEN, &alert).await, StatusCode::NOT_FOUND);
    // Nobody learns whether an account is known here.
    let unknown = budget_alert("6f1a0000-0000-4a00-9000-00000000ffff");
    assert_eq!(deliver(address, "azure", TOKEN, &unknown).await, StatusCode::ACCEPTED);
    assert!(!looked(&world, &account, before).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_does_not_work_asks_to_be_sent_it_again() {
    let hooked = hooked().await;
    let alert = budget_alert("6f1a0000-0000-4a00-9000-00000000ffff");
    let request = Client::new().post(format!("{}/azure?token={TOKEN}", hooked.addresses[1]));
    let answer = request.body(alert.to_string()).send().await.unwrap();
    assert_eq!(
        (answer.status(), &answer.headers()["retry-after"]),
        (StatusCode::SERVICE_UNAVAILABLE, &"5".parse().unwrap())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn event_grid_is_told_that_its_events_are_wanted_by_either_replica() {
    let hooked = hooked().await;
    for address in &hooked.addresses {
        let event = json!([{"eventType": "Microsoft.EventGrid.SubscriptionValidationEvent", "subject": "",
            "data": {"validationCode": "512d38b6", "validationUrl": "https://rp-eastus.eventgrid.example/"}}]);
        let request = Client::new().post(format!("{address}/azure")).bearer_auth(TOKEN).body(event.to_string());
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        assert_eq!(answer, json!({"validationResponse": "512d38b6"}));

        let ask = Client::new().request(Method::OPTIONS, format!("{address}/azure?token={TOKEN}"));
        let answer = ask.header("WebHook-Request-Origin", "eventgrid.azure.net").send().await.unwrap();
        assert_eq!(answer.headers()["webhook-allowed-origin"], "eventgrid.azure.net");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_eventbridge_brings_the_next_look_forward() {
    let hooked = hooked().await;
    let world = World::on(&hooked.stack).await;
    let (account, before) = quiet_on_aws(&world).await;
    let event = json!({"version": "0", "detail-type": "Budget", "source": "aws.budgets", "account": account.id});
    assert_eq!(deliver(&hooked.addresses[0], "aws", TOKEN, &event).await, StatusCode::ACCEPTED);
    assert!(looked(&world, &account.id, before).await);
}

/// norrietaylor/distillery#469, hyperium/headers#141: the name of the scheme in small letters. Bodies as SNS delivers them raw, and
/// as action groups send them.
#[tokio::test(flavor = "multi_thread")]
async fn alerts_as_they_are_sent_bring_the_next_look_forward() {
    let hooked = hooked().await;
    let (world, other) = (World::on(&hooked.stack).await, World::on(&hooked.stack).await);
    let (on_azure, before_azure) = quiet(&world).await;
    let (on_aws, before_aws) = quiet_on_aws(&other).await;
    let alert = format!("/subscriptions/{on_azure}/providers/Microsoft.AlertsManagement/alerts/1");
    let common = json!({"schemaId": "azureMonitorCommonAlertSchema", "data": {
        "essentials": {"monitoringService": "CostAlerts", "alertId": alert}, "alertContext": {"AlertData": {}}}});
    let alarm = json!({"AlarmName": "billing", "AWSAccountId": on_aws.id, "NewStateValue": "ALARM"});
    for (cloud, scheme, body) in [("azure", "bearer", common), ("aws", "BEARER ", alarm)] {
        let request = Client::new().post(format!("{}/{cloud}", hooked.addresses[0]));
        let request = request.header("AUTHORIZATION", format!("{scheme} {TOKEN}")).body(format!("\u{feff}{body}"));
        assert_eq!(request.send().await.unwrap().status(), StatusCode::ACCEPTED, "{cloud}");
    }
    assert!(looked(&world, &on_azure, before_azure).await);
    assert!(looked(&other, &on_aws.id, before_aws).await);
    let request =
        Client::new().post(format!("{}/aws", hooked.addresses[0])).header("authorization", format!("Basic {TOKEN}"));
    assert_eq!(request.body("{}").send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_sns_brings_the_next_look_forward() {
    let hooked = hooked().await;
    let world = World::on(&hooked.stack).await;
    let (account, before) = quiet_on_aws(&world).await;
    let named = TcpListener::bind("127.0.0.1:0").unwrap();
    named.set_nonblocking(true).unwrap();
    let message = |kind: &str| {
        let text = format!("AWS Budget Notification\nAWS Account {}\n", account.id);
        json!({"Type": kind, "TopicArn": "arn:aws:sns:us-east-1:111122223333:budgets", "Token": "2336412f",
            "Message": text, "SubscribeURL": format!("https://{}/", named.local_addr().unwrap())})
    };
    // SNS is where AWS is, and that is the simulator, which has none.
    let ask = message("SubscriptionConfirmation");
    assert_eq!(deliver(&hooked.addresses[0], "aws", TOKEN, &ask).await, StatusCode::BAD_GATEWAY);
    assert!(named.accept().is_err(), "what a message names is not visited");
    let told = message("Notification");
    assert_eq!(deliver(&hooked.addresses[0], "aws", TOKEN, &told).await, StatusCode::ACCEPTED);
    assert!(looked(&world, &account.id, before).await);
}
