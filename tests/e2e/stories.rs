//! The stories that the operator is for.

use serde_json::json;

use crate::world::{World, automatic, condition};

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_whose_credit_runs_out_is_upgraded_once() {
    let world = World::new().await;
    let account = world.account(json!({"credit": {"amount": "200.00", "currency": "USD"}, "burnPerDay": "50"})).await;
    world.subscribe("sandbox", &account, automatic("BenefitsExhausted"));
    world.until("sandbox", "WaitingForExhaustion").await;
    let upgraded = world.until("sandbox", "OfferInPlace").await;
    assert_eq!(upgraded["status"]["offer"]["class"], "PayAsYouGo");
    assert_eq!(condition(&upgraded, "Upgraded")["status"], "True");
    let ledger = world.ledger(&account).await;
    assert_eq!(ledger.len(), 1, "{ledger:?}");
    let records = world.records(&account);
    assert_eq!(records.len(), 1);
    assert_eq!(records[0]["status"]["state"], "Confirmed", "{:#}", records[0]);
}
