//! Bodies as the world sends them, on the whole operator: byte order marks, refusals that are not in Azure's words, pauses with a
//! fraction.

use std::time::Duration;

use payg_test_kit::world::{World, automatic, benefit, condition, message};
use serde_json::json;
use tokio::time::sleep;

use crate::aws::Account;

#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_upgraded_though_each_answer_about_them_has_a_byte_order_mark() {
    let world = World::new().await;
    let azure = world.account(json!({"credit": {"amount": "200", "currency": "USD"}, "graceDays": 1000})).await;
    world.fault("*", &azure, None, json!("byteOrderMark")).await;
    world.subscribe("azure", &azure, automatic("Immediately"));
    let aws = Account::new(&world, "aws", json!({}), &["*"]).await;
    world.fault("*", &aws.id, None, json!("byteOrderMark")).await;
    aws.subscribe(json!({"when": "Immediately", "approval": "Automatic"}));
    for (name, account) in [("azure", &azure), ("aws", &aws.id)] {
        let paid = world.until(name, "OfferInPlace").await;
        assert_eq!(world.ledger(account).await.len(), 1, "{:#}", paid["status"]);
    }
}

/// <https://github.com/Azure/azure-powershell/issues/10020>
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_of_billing_in_other_words_leaves_less_to_be_known() {
    let world = World::new().await;
    for (name, status, kind, body) in [
        ("text", 401, "application/json", r#""User is not authorized to access this resource.""#),
        ("nothing", 403, "text/plain", ""),
        ("page", 403, "text/html", "<html>Forbidden</html>"),
    ] {
        let account = world.account(json!({"agreement": "MOSP", "periodDays": 3000})).await;
        let refusal = json!({"answer": {"status": status, "headers": {"content-type": kind}, "body": body}});
        world.fault("billingProperty", &account, None, refusal).await;
        let limits = json!({"timeLeftSeconds": 86_400});
        world.subscribe(
            name,
            &account,
            json!({"when": "BeforeExhaustion", "approval": "Manual", "beforeExhaustion": limits}),
        );
        let unknown = world.until(name, "BenefitsUnknown").await;
        assert_eq!(benefit(&unknown, "Credit")["source"], "subscription", "{:#}", unknown["status"]);
        let said = message(&unknown);
        assert!(said.contains("lack permission to read the billing property"), "{said}");
    }
}

/// <https://github.com/microsoftgraph/microsoft-graph-docs-contrib/issues/17442>
#[tokio::test(flavor = "multi_thread")]
async fn a_pause_with_a_fraction_is_a_pause() {
    let world = World::new().await;
    let account = world.account(json!({"periodDays": 3000})).await;
    let slow_down = json!({"answer": {"status": 429, "headers": {"Retry-After": "120.5"}}});
    world.fault("subscription", &account, None, slow_down).await;
    world.subscribe("sandbox", &account, automatic("BenefitsExhausted"));
    let throttled =
        async || (condition(&world.subscription("sandbox"), "Observed")["reason"] == "Throttled").then_some(());
    world.eventually(60, throttled).await.expect("a look that is throttled");
    let before = world.requests(&account).await.len();
    sleep(Duration::from_secs(12)).await;
    assert_eq!(world.requests(&account).await.len(), before, "it is asked again before the pause is over");
}
