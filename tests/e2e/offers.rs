//! What Azure reports for each agreement and offer, and what the operator concludes from it.

use jiff::SignedDuration;
use payg_test_kit::world::{World, automatic, benefit, condition, message, provider, subscription};
use serde_json::{Value, json};

fn before(credit_below: &str) -> Value {
    let limits = json!({"creditBelow": {"amount": credit_below, "currency": "USD"}});
    json!({"when": "BeforeExhaustion", "approval": "Automatic", "beforeExhaustion": limits})
}

/// The time of the one upgrade of `account`, and what justified it.
async fn upgraded(world: &World, account: &str) -> (String, String) {
    let (ledger, records) = (world.ledger(account).await, world.records(account));
    assert_eq!((ledger.len(), records.len()), (1, 1), "{ledger:#?} {records:#?}");
    let evidence = records[0]["spec"]["intent"]["evidence"]["summary"].as_str().unwrap();
    (ledger[0]["billingTime"].as_str().unwrap().to_owned(), evidence.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_classic_account_tells_neither_credit_nor_end_until_azure_itself_stops_it() {
    let world = World::new().await;
    let spent = world.account(json!({"agreement": "MOSP", "burnPerDay": "12.5"})).await;
    let over = world.account(json!({"agreement": "MOSP", "periodDays": 16})).await;
    for (name, account) in [("spent", &spent), ("over", &over)] {
        world.subscribe(name, account, automatic("BenefitsExhausted"));
    }
    for name in ["spent", "over"] {
        let unknown = world.until(name, "BenefitsUnknown").await;
        assert!(message(&unknown).contains("spec.trial.startTime"), "{}", message(&unknown));
        for kind in ["Credit", "Period"] {
            let told = benefit(&unknown, kind);
            let (remaining, end) = (told["remaining"].as_str(), told["endTime"].as_str());
            assert_eq!((told["state"].as_str(), remaining, end), (Some("Unknown"), None, None), "{name}: {told}");
        }
    }
    world.until("spent", "OfferInPlace").await;
    let (_, evidence) = upgraded(&world, &spent).await;
    assert!(evidence.starts_with("the credit is spent"), "{evidence}");
    // `Expired` may as well be Microsoft's word for a cancellation, so without an end it proves nothing.
    let off = async || {
        let seen = world.subscription("over");
        (seen["status"]["account"]["lifecycle"] == "Restricted").then_some(seen)
    };
    let seen = world.eventually(60, off).await.expect("the end of its period is seen");
    assert_eq!(condition(&seen, "Ready")["reason"], "BenefitsUnknown", "{:#}", seen["status"]);
    assert_eq!(world.ledger(&over).await, Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_classic_account_with_a_declared_start_ends_after_thirty_days() {
    let world = World::new().await;
    let start = world.stack.clock.now() - SignedDuration::from_hours(18 * 24);
    let account = world.account(json!({"agreement": "MOSP", "startTime": start.to_string()})).await;
    let mut classic = subscription("classic", &account, automatic("BenefitsExhausted"));
    classic["spec"]["trial"] = json!({"startTime": start.to_string()});
    world.apply(&classic);
    let waiting = world.until("classic", "WaitingForExhaustion").await;
    let period = benefit(&waiting, "Period");
    assert_eq!((period["source"].as_str(), period["state"].as_str()), (Some("spec.trial"), Some("Active")), "{period}");
    world.until("classic", "OfferInPlace").await;
    let (when, _) = upgraded(&world, &account).await;
    assert!(when >= (start + SignedDuration::from_hours(30 * 24)).to_string(), "{when}");
}

/// With no more than Reader, `Disabled` is all that a classic account shows, and it may have been cancelled.
#[tokio::test(flavor = "multi_thread")]
async fn with_reader_alone_a_disabled_classic_account_waits_for_its_declared_end() {
    let world = World::new().await;
    let credentials = world.application(json!({"billingProperty": false})).await;
    world.apply(&credentials);
    let account = world.account(json!({"agreement": "MOSP", "burnPerDay": "200"})).await;
    let end = world.stack.clock.now() + SignedDuration::from_hours(15 * 24);
    let mut classic = subscription("classic", &account, automatic("BenefitsExhausted"));
    classic["spec"]["trial"] = json!({"endTime": end.to_string()});
    world.apply(&classic);
    let disabled = async || {
        let seen = world.subscription("classic");
        (seen["status"]["account"]["lifecycle"] == "Restricted").then_some(seen)
    };
    let seen = world.eventually(30, disabled).await.expect("the credit is spent after a day");
    assert_eq!(condition(&seen, "Ready")["reason"], "WaitingForExhaustion", "{:#}", seen["status"]);
    let said = condition(&seen, "Observed")["message"].as_str().unwrap();
    assert!(said.contains("Microsoft.Billing/billingProperty/read"), "{said}");
    world.until("classic", "OfferInPlace").await;
    let (when, evidence) = upgraded(&world, &account).await;
    assert!(when >= end.to_string() && evidence.starts_with("the trial's period is over"), "{when} {evidence}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_agreement_tells_the_credit_that_is_left() {
    let world = World::new().await;
    let account = world.account(json!({"burnPerDay": "5"})).await;
    world.subscribe("modern", &account, before("120.00"));
    let waiting = world.until("modern", "WaitingForExhaustion").await;
    let (credit, period) = (benefit(&waiting, "Credit"), benefit(&waiting, "Period"));
    assert_eq!(
        (credit["granted"].as_str(), credit["source"].as_str()),
        (Some("200"), Some("balanceSummary")),
        "{credit}"
    );
    assert!(credit["remaining"].is_string() && credit["asOfTime"].is_string(), "{credit}");
    assert!(period["endTime"].is_string(), "{period}");
    world.until("modern", "OfferInPlace").await;
    let (when, evidence) = upgraded(&world, &account).await;
    assert!(evidence.starts_with("less credit is left than `creditBelow`"), "{evidence}");
    let end = world.account_now(&account).await["periodEnd"].clone();
    assert!(Some(when.as_str()) < end.as_str(), "{when} is not before {end}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credit_that_is_not_listed_is_unknown_and_not_spent() {
    let world = World::new().await;
    let account = world.account(json!({"lotsListed": false})).await;
    world.subscribe("unlisted", &account, before("5.00"));
    let unknown = world.until("unlisted", "BenefitsUnknown").await;
    assert!(message(&unknown).contains("creditBelow"), "{}", message(&unknown));
    let looked = condition(&unknown, "Observed")["message"].as_str().unwrap();
    assert!(!looked.contains("lack permission to read"), "{looked}");
    let requests = world.requests(&account).await;
    let no_content = |request: &Value| request["operation"] == "balanceSummary" && request["status"] == 204;
    assert!(requests.iter().any(no_content), "{requests:#?}");
    assert_eq!(world.ledger(&account).await, Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_free_account_on_the_azure_plan_is_a_trial_and_converts_by_its_billing_type() {
    let world = World::new().await;
    let account = world.account(json!({"periodDays": 12, "quotaId": "EnterpriseAgreement_2014-09-01"})).await;
    world.subscribe("plan", &account, automatic("BenefitsExhausted"));
    let waiting = world.until("plan", "WaitingForExhaustion").await;
    let offer = &waiting["status"]["offer"];
    assert_eq!((&offer["class"], &offer["native"]), (&json!("FreeTrial"), &json!("EnterpriseAgreement_2014-09-01")));
    let converted = world.until("plan", "OfferInPlace").await;
    assert_eq!(converted["status"]["offer"]["class"], "PayAsYouGo");
    upgraded(&world, &account).await;
}

/// Without its billing an account on the Azure plan may be anything: free, paid, or under an enterprise agreement.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_on_the_azure_plan_whose_billing_may_not_be_read_is_unknown() {
    let world = World::new().await;
    let credentials = world.application(json!({"billingProperty": false})).await;
    world.apply(&credentials);
    let account = world.account(json!({"periodDays": 1, "quotaId": "EnterpriseAgreement_2014-09-01"})).await;
    world.subscribe("plan", &account, automatic("Immediately"));
    let told = world.until("plan", "NotEligible").await;
    assert!(message(&told).contains("Microsoft.Billing/billingProperty/read"), "{}", message(&told));
    assert_eq!(told["status"]["offer"]["class"], "Unknown");
    assert_eq!(world.ledger(&account).await, Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn azure_for_students_lasts_until_its_credit_is_spent_or_its_year_is_over() {
    let world = World::new().await;
    let spent = world.account(json!({"offer": "AzureForStudents", "burnPerDay": "8"})).await;
    let over = world.account(json!({"offer": "AzureForStudents", "periodDays": 12})).await;
    let students = [("spender", &spent, "the credit is spent"), ("saver", &over, "the trial's period is over")];
    for (name, account, _) in students {
        world.subscribe(name, account, automatic("BenefitsExhausted"));
    }
    for (name, _, _) in students {
        let waiting = world.until(name, "WaitingForExhaustion").await;
        assert_eq!(benefit(&waiting, "Credit")["granted"], "100", "{name}");
    }
    for (name, account, why) in students {
        world.until(name, "OfferInPlace").await;
        let (_, evidence) = upgraded(&world, account).await;
        assert!(evidence.starts_with(why), "{name}: {evidence}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn students_and_starter_have_a_way_of_their_own_in_the_portal() {
    let world = World::new().await;
    world.apply(&provider("azure", "PortalHandoff"));
    let (student, starter, free) = (
        world.account(json!({"offer": "AzureForStudents"})).await,
        world.account(json!({"offer": "Imagine", "agreement": "MOSP"})).await,
        world.account(json!({})).await,
    );
    let mut said = Vec::new();
    for (name, account) in [("student", &student), ("starter", &starter), ("free", &free)] {
        world.subscribe(name, account, automatic("Immediately"));
        let asking = world.until(name, "AwaitingPortalUpgrade").await;
        assert!(asking["status"]["upgrade"]["actionUrl"].as_str().unwrap().starts_with("https://"), "{asking:#}");
        said.push(message(&asking));
    }
    assert!(
        said[0].contains("where that page offers no upgrade") && said[1].contains("request to Azure support"),
        "{said:#?}"
    );
    assert!(said[2].contains("payment card") && !said[2].contains("support"), "{said:#?}");
}
