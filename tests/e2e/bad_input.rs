//! What users and clouds get wrong: each ends in a condition that says what to do, with nothing lost and nobody else hurt.

use payg_test_kit::world::{World, automatic, condition, holding, message, provider, subscription};
use serde_json::{Value, json};

/// Another Subscription of the same namespace, which must not be hurt.
async fn bystander(world: &World) -> String {
    let account = world.account(json!({"periodDays": 3000})).await;
    world.subscribe("bystander", &account, automatic("BenefitsExhausted"));
    world.until("bystander", "WaitingForExhaustion").await;
    account
}

/// That the bystander is still observed, and was not touched.
async fn assert_unhurt(world: &World, bystander: &str) {
    let looks = || async { world.requests(bystander).await.len() };
    let before = looks().await;
    world.eventually(60, async || (looks().await > before).then_some(())).await.expect("the bystander is looked at");
    assert_eq!(condition(&world.subscription("bystander"), "Ready")["reason"], "WaitingForExhaustion");
    assert_eq!(world.ledger(bystander).await, Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_provider_is_named_and_may_come_later() {
    let world = World::new().await;
    let account = world.account(json!({})).await;
    let mut early = subscription("early", &account, automatic("BenefitsExhausted"));
    early["spec"]["providerName"] = json!("to-come");
    world.apply(&early);
    let waiting = world.until("early", "ProviderNotReady").await;
    assert!(message(&waiting).contains("There is no BillingProvider `to-come`"), "{}", message(&waiting));
    assert!(holding(&waiting).contains(&"Reconciling".to_owned()), "one commit may bring both");
    world.apply(&provider("to-come", "Broker"));
    world.until("early", "WaitingForExhaustion").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_credentials_are_told_and_never_shown() {
    let world = World::new().await;
    let account = world.account(json!({})).await;
    let secret = |value: &str| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "azure-credentials"}, "stringData": {"clientSecret": value}});
    world.apply(&secret("wr0ng-v4lue"));
    world.subscribe("sandbox", &account, automatic("BenefitsExhausted"));
    let refused = world.until("sandbox", "ProviderNotReady").await;
    assert!(message(&refused).contains("AADSTS7000215"), "{}", message(&refused));
    let provider = || world.get("billingproviders.payg-operator.io", "azure");
    let told = || async { (condition(&provider(), "Ready")["reason"] == "Unauthenticated").then_some(()) };
    world.eventually(90, told).await.expect("the BillingProvider says so too");
    let events = world.kubectl(&["get", "events.events.k8s.io", "-o", "json"]).unwrap();
    for text in [refused.to_string(), provider().to_string(), events] {
        assert!(!text.contains("wr0ng-v4lue"), "{text}");
    }
    world.apply(&secret("s3cr3t-value"));
    world.until("sandbox", "WaitingForExhaustion").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_the_namespace_does_not_open_is_asked_for() {
    let world = World::new().await;
    let account = world.account(json!({})).await;
    world.kubectl(&["delete", "rolebinding", "read-azure-credentials"]).unwrap();
    world.subscribe("sandbox", &account, automatic("BenefitsExhausted"));
    let closed = world.until("sandbox", "ProviderNotReady").await;
    assert!(message(&closed).contains("`get` on the Secret `azure-credentials`"), "{}", message(&closed));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_out_of_sight_is_not_a_deleted_one() {
    let world = World::new().await;
    let unseen = "ffffffff-0000-4a00-9000-00000000dead";
    world.subscribe("unseen", unseen, automatic("Immediately"));
    let told = world.until("unseen", "ProviderNotReady").await;
    assert!(message(&told).contains("Reader"), "{}", message(&told));
    assert_eq!(condition(&told, "Observed")["reason"], "Forbidden");
    assert_eq!(world.records(unseen), Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_subscriptions_for_one_account_are_one_upgrade() {
    let world = World::new().await;
    let account = world.account(json!({"periodDays": 8})).await;
    world.subscribe("first", &account, automatic("BenefitsExhausted"));
    world.until("first", "WaitingForExhaustion").await;
    world.eventually(2, async || None::<()>).await; // creation times have whole seconds
    world.subscribe("second", &account, automatic("Immediately"));
    let conflict = world.until("second", "AccountConflict").await;
    assert!(message(&conflict).contains(&format!("{}/first", world.namespace)), "{}", message(&conflict));
    assert_eq!(holding(&conflict).last().unwrap(), "Stalled");
    world.until("first", "OfferInPlace").await;
    assert_eq!(world.ledger(&account).await.len(), 1);
    world.kubectl(&["delete", "subscriptions.payg-operator.io", "first"]).unwrap();
    world.until("second", "OfferInPlace").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn offers_that_cannot_be_upgraded_or_are_unknown_are_left_alone() {
    let world = World::new().await;
    for (name, offer, says) in [
        ("enterprise", "MonetaryCommitment_2015-05-01", "There is no upgrade to PayAsYouGo"),
        ("visual-studio", "MSDN_2014-09-01", "There is no upgrade to PayAsYouGo"),
        ("azure-pass", "AzurePass_2014-09-01", "There is no upgrade to PayAsYouGo"),
        // Only its billing would tell what it is.
        (
            "plan",
            "EnterpriseAgreement_2014-09-01",
            "`EnterpriseAgreement_2014-09-01`. The operator cannot tell whether that is a trial",
        ),
        (
            "from-the-future",
            "FreeLunch_2031-01-01",
            "`FreeLunch_2031-01-01`. The operator cannot tell whether that is a trial",
        ),
    ] {
        let account = world.account(json!({"offer": offer, "agreement": "MOSP"})).await;
        world.subscribe(name, &account, automatic("Immediately"));
        let told = world.until(name, "NotEligible").await;
        assert!(message(&told).contains(says), "{}", message(&told));
        assert_eq!((world.ledger(&account).await, world.records(&account)), (vec![], vec![]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_break_the_protocol_are_never_acted_on() {
    let world = World::new().await;
    let unhurt = bystander(&world).await;
    let elsewhere = format!("{}/_sim/ledger", world.stack.simulator.url());
    for (name, kind) in [
        ("malformed", json!("malformedJson")),
        ("html", json!({"htmlPage": {"status": 200}})),
        ("huge", json!({"oversizedBody": {"bytes": 50_000_000}})),
        ("redirected", json!({"redirect": {"to": elsewhere}})),
        ("fieldless", json!({"missingField": {"name": "state"}})),
    ] {
        let account = world.account(json!({"periodDays": 1})).await;
        world.fault("subscription", &account, Some(3), kind).await;
        world.subscribe(name, &account, automatic("BenefitsExhausted"));
        let pending = world.until(name, "Pending").await;
        assert_eq!(condition(&pending, "Observed")["reason"], "UnexpectedAnswer", "{name}: {}", message(&pending));
        assert_eq!(holding(&pending), ["Reconciling"], "{name}");
        world.until(name, "OfferInPlace").await;
        assert_eq!(world.ledger(&account).await.len(), 1, "{name}");
    }
    assert_unhurt(&world, &unhurt).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn enum_values_from_the_future_hold_an_upgrade() {
    let world = World::new().await;
    for (name, path, value) in
        [("state", "state", "Hibernating"), ("limit", "subscriptionPolicies.spendingLimit", "CurrentPeriodOff")]
    {
        let account = world.account(json!({})).await;
        world.fault("subscription", &account, None, json!({"replaceField": {"path": path, "value": value}})).await;
        world.subscribe(name, &account, automatic("Immediately"));
        let held = world.until(name, "NotEligible").await;
        assert!(message(&held).contains(value), "{}", message(&held));
        assert_eq!(world.records(&account), Vec::<Value>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_deleted_while_in_use_hurts_its_own_subscriptions_only() {
    let world = World::new().await;
    world.apply(&provider("other", "Broker"));
    let unhurt = bystander(&world).await;
    let account = world.account(json!({"periodDays": 3000})).await;
    let mut orphaned = subscription("orphaned", &account, automatic("BenefitsExhausted"));
    orphaned["spec"]["providerName"] = json!("other");
    world.apply(&orphaned);
    world.until("orphaned", "WaitingForExhaustion").await;
    world.kubectl(&["delete", "billingproviders.payg-operator.io", "other"]).unwrap();
    let told = world.until("orphaned", "ProviderNotReady").await;
    assert_eq!(told["status"]["offer"]["class"], "FreeTrial", "what was known is kept");
    assert_unhurt(&world, &unhurt).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_record_of_a_subscription_deleted_in_mid_upgrade_is_closed() {
    let world = World::new().await;
    // A disabled account comes back half a minute after the broker has accepted.
    let account = world.account(json!({"periodDays": 1, "reactivationDelaySeconds": 20 * 86_400})).await;
    world.subscribe("gone", &account, automatic("BenefitsExhausted"));
    let opened =
        async || world.records(&account).first().filter(|record| record["status"]["state"] == "Accepted").cloned();
    world.eventually(60, opened).await.expect("a record that is accepted");
    world.kubectl(&["delete", "subscriptions.payg-operator.io", "gone"]).unwrap();
    let closed =
        async || world.records(&account).first().filter(|record| record["status"]["state"] == "Confirmed").cloned();
    world.eventually(60, closed).await.expect("a record that is confirmed");
    assert_eq!(world.ledger(&account).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wish_that_is_being_deleted_is_withdrawn() {
    let world = World::new().await;
    let account = world.account(json!({"periodDays": 6})).await;
    let mut kept = subscription("kept", &account, automatic("BenefitsExhausted"));
    kept["metadata"]["finalizers"] = json!(["example.com/somebody-elses"]);
    world.apply(&kept);
    world.until("kept", "WaitingForExhaustion").await;
    world.kubectl(&["delete", "--wait=false", "subscriptions.payg-operator.io", "kept"]).unwrap();
    world.until("kept", "Suspended").await;
    let is_disabled = async || {
        let truth = world.stack.simulator.get(&format!("accounts/{account}")).await.unwrap();
        (truth["state"] == "Disabled").then_some(())
    };
    world.eventually(60, is_disabled).await.expect("the trial's end");
    assert_eq!((world.ledger(&account).await, world.records(&account)), (vec![], vec![]));
    world
        .kubectl(&[
            "patch",
            "subscriptions.payg-operator.io",
            "kept",
            "--type=merge",
            "-p",
            r#"{"metadata":{"finalizers":null}}"#,
        ])
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_never_changed_under_a_subscription() {
    let world = World::new().await;
    let account = world.account(json!({})).await;
    world.subscribe("sandbox", &account, automatic("BenefitsExhausted"));
    let another = subscription("sandbox", "ffffffff-0000-4a00-9000-00000000beef", automatic("BenefitsExhausted"));
    let refusal = world.try_apply(&another).unwrap_err();
    assert!(refusal.contains("make a new Subscription for another account"), "{refusal}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_does_not_decode_is_told_of_and_stops_nobody() {
    let world = World::new().await;
    let unhurt = bystander(&world).await;
    let mut broken = subscription("broken", "not-a-guid", json!({"when": "Sometimes", "approval": "Automatic"}));
    broken["metadata"] = json!({"name": "broken", "namespace": world.namespace, "uid": "11111111-2222-4333-8444-555555555555",
        "creationTimestamp": "2026-01-01T00:00:00Z", "generation": 2});
    broken["status"] = json!({"observedGeneration": 1, "transition": {"hash": "0123456789abcdef0123456789abcdef",
        "from": {"class": "FreeTrial"}, "to": {"class": "PayAsYouGo"}},
        "forecast": {"exhaustionTime": "2026-03-01T00:00:00Z", "dueTime": "2026-02-01T00:00:00Z"}});
    let key = format!("/registry/payg-operator.io/subscriptions/{}/broken", world.namespace);
    world.stack.control_plane.etcd_put(&key, broken.to_string().as_bytes()).await.unwrap();
    let told = world
        .eventually(60, async || world.events("broken").into_iter().find(|event| event.starts_with("InvalidSpec")))
        .await
        .expect("an Event");
    assert!(told.contains("Sometimes"), "{told}");
    let after = world.account(json!({})).await;
    world.subscribe("after", &after, automatic("BenefitsExhausted"));
    world.until("after", "WaitingForExhaustion").await;
    assert_unhurt(&world, &unhurt).await;
    let broken = world.subscription("broken");
    assert_eq!(condition(&broken, "Ready")["reason"], "InvalidSpec", "{:#}", broken["status"]);
    assert!(broken["status"]["transition"].is_null(), "one of a former spec is not there to be approved");
    assert_eq!(broken["status"]["forecast"], json!({"exhaustionTime": "2026-03-01T00:00:00Z"}));
    world.kubectl(&["delete", "subscriptions.payg-operator.io", "broken"]).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_refuses_is_quoted_and_asked_again_later() {
    let world = World::new().await;
    let account = world.account(json!({"periodDays": 1, "rejectUpgrade": "PaymentMethodRequired"})).await;
    world.subscribe("cardless", &account, automatic("BenefitsExhausted"));
    let refused = world.until("cardless", "UpgradeRejected").await;
    assert!(message(&refused).contains("PaymentMethodRequired"), "{}", message(&refused));
    assert_eq!(condition(&refused, "UpgradeAvailable")["status"], "True");
    let records = world.records(&account);
    assert_eq!(records[0]["status"]["state"], "Rejected");
    // A person adds the card and upgrades by hand.
    world.stack.simulator.patch(&format!("accounts/{account}"), &json!({"rejectUpgrade": null})).await.unwrap();
    world.stack.simulator.post(&format!("accounts/{account}/portal-upgrade"), &json!({})).await.unwrap();
    world
        .kubectl(&[
            "patch",
            "subscriptions.payg-operator.io",
            "cardless",
            "--type=merge",
            "-p",
            r#"{"spec":{"upgrade":{"when":"Immediately"}}}"#,
        ])
        .unwrap();
    world.until("cardless", "OfferInPlace").await;
    let outcome = world.records(&account)[0]["status"]["outcome"].as_str().unwrap().to_owned();
    assert!(outcome.contains("someone else upgraded it"), "{outcome}");
}
