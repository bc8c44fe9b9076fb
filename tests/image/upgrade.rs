//! The container does what it is for.

use std::net::TcpListener;

use payg_test_kit::world::{World, automatic};
use payg_test_kit::{Stack, payg_dev};
use serde_json::json;
use tokio::sync::OnceCell;

use crate::pod::Pod;

static STACK: OnceCell<Stack> = OnceCell::const_new();

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the image: make image-test"]
async fn it_upgrades_an_account_as_the_chart_runs_it() {
    // The image knows no clock but the real one.
    let start = async || Stack::start(payg_dev(), 1).await.unwrap();
    let stack = STACK.get_or_init(start).await;
    let world = World::on(stack).await;
    let account = world.account(json!({"credit": {"amount": "200", "currency": "USD"}, "periodDays": 30})).await;
    let [listen, probes] = [0, 1].map(|_| TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let simulator = stack.simulator.url();
    let values = [
        "image.repository=localhost/payg-operator".to_owned(),
        format!("operator.listen={listen}"),
        format!("operator.probesListen={probes}"),
        format!("operator.azureArmEndpoint={simulator}"),
        format!("operator.azureAuthorityHost={simulator}"),
        format!("operator.azureBrokerUrl={simulator}/broker"),
        "operator.azureBrokerScope=api://payg-broker/.default".to_owned(),
    ];
    let pod = Pod::run(stack, &values.each_ref().map(String::as_str)).await;
    let ready = async || {
        let answer = reqwest::get(format!("http://{probes}/readyz")).await.ok()?;
        answer.status().is_success().then_some(())
    };
    world.eventually(60, ready).await.unwrap_or_else(|| panic!("it is never ready: {}", pod.log()));

    world.subscribe("sandbox", &account, automatic("Immediately"));
    world.until("sandbox", "UpgradeAccepted").await;
    assert_eq!(world.ledger(&account).await.len(), 1);
    assert_eq!(world.records(&account)[0]["status"]["state"], "Accepted");
    let log = pod.log();
    assert!(log.contains("UpgradeAccepted") && !log.contains("s3cr3t-value"), "{log}");
    pod.stop().await;
}
