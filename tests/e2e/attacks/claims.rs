//! Who holds an account, and for how long.

use std::time::Duration;

use payg_test_kit::world::{World, automatic, condition, message, subscription};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::people::{EDITOR, stdout, user};

const SUBSCRIPTIONS: &str = "subscriptions.payg-operator.io";

/// Two teams, each with an editor: `ed` has the account, `mallory` was there before.
struct Teams {
    owner: World,
    squatter: World,
}

impl Teams {
    async fn new() -> Self {
        let (squatter, owner) = (World::new().await, World::new().await);
        user(&squatter, "mallory", &[EDITOR]).await;
        user(&owner, "ed", &[EDITOR]).await;
        Self { owner, squatter }
    }

    /// Mallory's Subscription `squats`, which has seen `account`, and then that of ed, `owns`, which yields to it.
    async fn squatting(&self, account: &str, when: &str) {
        self.squatter.create_as("mallory", &subscription("squats", account, automatic("BenefitsExhausted"))).unwrap();
        self.squatter.until("squats", "WaitingForExhaustion").await;
        sleep(Duration::from_secs(2)).await; // creation times have whole seconds
        self.owner.create_as("ed", &subscription("owns", account, automatic(when))).unwrap();
        let conflict = self.owner.until("owns", "AccountConflict").await;
        assert!(message(&conflict).contains(&format!("{}/squats", self.squatter.namespace)), "{}", message(&conflict));
    }

    fn mallory(&self, patch: &Value) {
        let patch = patch.to_string();
        self.squatter.kubectl_as("mallory", &["patch", SUBSCRIPTIONS, "squats", "--type=merge", "-p", &patch]).unwrap();
    }

    /// That ed's Subscription upgrades `account` within `seconds`, once, and that the ledger names ed's.
    async fn taken_over(&self, account: &str, seconds: u64) {
        let begun = Instant::now();
        let applied = async || (!self.owner.ledger(account).await.is_empty()).then_some(());
        let applied = self.owner.eventually(seconds, applied).await;
        applied.unwrap_or_else(|| panic!("not taken over: {:#}", self.owner.subscription("owns")["status"]));
        println!("taken over and upgraded after {:.1} s", begun.elapsed().as_secs_f64());
        let records = self.owner.records(account);
        assert_eq!((self.owner.ledger(account).await.len(), records.len()), (1, 1));
        assert_eq!(records[0]["spec"]["requester"]["namespace"], json!(self.owner.namespace));
        // The other one's status reports it, without a name.
        let told = self.squatter.eventually(60, async || {
            let told = self.squatter.subscription("squats");
            (condition(&told, "Claimed")["reason"] == "ClaimLapsed").then_some(told)
        });
        let told = told.await.expect("whose claim has lapsed is told");
        assert!(!told["status"]["conditions"].to_string().contains(&self.owner.namespace), "{told:#}");
        let events = self.squatter.events("squats");
        assert!(events.iter().any(|event| event.starts_with("ClaimLapsed: ")), "{events:?}");
        let events = self.owner.events("owns");
        assert!(events.iter().any(|event| event.starts_with("ClaimTakenOver: ")), "{events:?}");
    }
}

/// Mallory saw the account once; then her application lost its rights.
///
/// Class: squatting on a shared resource after access was revoked. Source: CWE-613 (insufficient expiration).
#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_without_permissions_holds_no_account() {
    let teams = Teams::new().await;
    let account = teams.owner.account(json!({"graceDays": 1000, "periodDays": 3000})).await;
    let provider = teams.squatter.application(json!({})).await;
    teams.squatter.apply(&provider);
    teams.squatting(&account, "Immediately").await;
    teams.squatter.application(json!({"subscriptions": []})).await;
    teams.squatter.touch("azure");
    teams.squatter.until("squats", "ProviderNotReady").await;
    sleep(Duration::from_secs(2)).await;
    let held = teams.owner.subscription("owns");
    assert_eq!(condition(&held, "Ready")["reason"], "AccountConflict", "one look that fails ends no claim");
    // An hour passes: nobody can wait for it here.
    set_back(&teams.squatter, "squats", "Observed");
    teams
        .owner
        .kubectl_as("ed", &["patch", SUBSCRIPTIONS, "owns", "--type=merge", "-p", r#"{"spec":{"suspend":false}}"#])
        .unwrap();
    teams.taken_over(&account, 60).await;
}

/// Lets the condition of this type have held for two hours.
fn set_back(world: &World, name: &str, type_: &str) {
    let object = world.subscription(name);
    let conditions = object["status"]["conditions"].as_array().unwrap();
    let index = conditions.iter().position(|condition| condition["type"] == type_).unwrap();
    let since = (jiff::Timestamp::now() - Duration::from_hours(2)).strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let patch = json!([
        {"op": "test", "path": format!("/status/conditions/{index}/type"), "value": type_},
        {"op": "replace", "path": format!("/status/conditions/{index}/lastTransitionTime"), "value": since},
    ]);
    let patch = patch.to_string();
    world.kubectl(&["patch", SUBSCRIPTIONS, name, "--subresource=status", "--type=json", "-p", &patch]).unwrap();
}

/// What mallory says herself: hands off, only looking, or that it is to go.
///
/// Class: a claim that is kept without use. Source: CWE-410; https://github.com/kubernetes/kubernetes/issues/82515 (whoever names a
/// host first has it).
#[tokio::test(flavor = "multi_thread")]
async fn subscriptions_without_a_wish_hold_no_account() {
    let teams = Teams::new().await;
    for what in ["suspended", "observing", "deleted"] {
        let account = teams.owner.account(json!({"graceDays": 1000, "periodDays": 3000})).await;
        teams.squatting(&account, "Immediately").await;
        match what {
            "suspended" => teams.mallory(&json!({"spec": {"suspend": true}})),
            "observing" => teams.mallory(&json!({"spec": {"upgrade": {"when": "Never"}}})),
            _ => {
                teams.mallory(&json!({"metadata": {"finalizers": ["example.com/stays"]}}));
                teams.squatter.kubectl_as("mallory", &["delete", SUBSCRIPTIONS, "squats", "--wait=false"]).unwrap();
            }
        }
        teams.taken_over(&account, 60).await;
        if what == "deleted" {
            teams.mallory(&json!({"metadata": {"finalizers": null}}));
        } else {
            teams.squatter.kubectl(&["delete", SUBSCRIPTIONS, "squats"]).unwrap();
        }
        teams.owner.kubectl(&["delete", SUBSCRIPTIONS, "owns"]).unwrap();
    }
}

/// A claim that comes back goes first again, and two that are alive do not take turns.
///
/// Class: flapping ownership. Source: https://github.com/kubernetes-sigs/external-dns/issues/2791 (two owners of one record change
/// it in turns).
#[tokio::test(flavor = "multi_thread")]
async fn two_live_claims_do_not_take_turns() {
    let teams = Teams::new().await;
    let account = teams.owner.account(json!({"periodDays": 3000})).await;
    teams.squatting(&account, "BenefitsExhausted").await;
    teams.mallory(&json!({"spec": {"suspend": true}}));
    let holder = teams.owner.until("owns", "WaitingForExhaustion").await;
    assert_eq!(condition(&holder, "Claimed")["reason"], "ClaimTakenOver", "{:#}", holder["status"]);
    assert!(condition(&holder, "Claimed")["message"].to_string().contains("it is suspended"), "{:#}", holder["status"]);
    teams.mallory(&json!({"spec": {"suspend": false}}));
    teams.squatter.until("squats", "WaitingForExhaustion").await;
    teams.owner.until("owns", "AccountConflict").await;
    let reasons = || {
        let [squats, owns] = [teams.squatter.subscription("squats"), teams.owner.subscription("owns")];
        [squats, owns].map(|told| condition(&told, "Ready")["reason"].as_str().unwrap_or_default().to_owned())
    };
    // Days of observations by both.
    for _ in 0..20 {
        sleep(Duration::from_millis(250)).await;
        assert_eq!(reasons(), ["WaitingForExhaustion", "AccountConflict"]);
    }
    assert!(condition(&teams.squatter.subscription("squats"), "Claimed").is_null(), "it goes first anyway");
    assert_eq!(teams.owner.ledger(&account).await, Vec::<Value>::new());
}

/// Mallory comes back while the owner's request is on its way: the record is the lock.
///
/// Class: race for a lock (time of check, time of use). Source: CWE-367; https://github.com/kubernetes/kubernetes/issues/44887 (a
/// lease fences nothing).
#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_comes_back_during_a_request_makes_no_second_one() {
    let teams = Teams::new().await;
    let account = teams.owner.account(json!({"graceDays": 1000, "periodDays": 3000})).await;
    teams.squatting(&account, "Immediately").await;
    teams.owner.fault("upgrade", &account, Some(1), json!({"latency": {"millis": 8000}})).await;
    teams.mallory(&json!({"spec": {"suspend": true}}));
    let asked = async || {
        teams.owner.requests(&account).await.iter().filter(|request| request["operation"] == "upgrade").count()
    };
    teams.owner.eventually(60, async || (asked().await == 1).then_some(())).await.expect("the owner's request");
    teams.mallory(&json!({"spec": {"suspend": false, "upgrade": {"when": "Immediately"}}}));
    teams.squatter.until("squats", "UpgradeAccepted").await;
    assert_eq!((teams.owner.ledger(&account).await.len(), asked().await), (1, 1));
    assert_eq!(teams.owner.records(&account)[0]["spec"]["requester"]["namespace"], json!(teams.owner.namespace));
}

/// Mallory names the account of somebody else and sees nothing of it, as the provider asks her to slow down.
///
/// Class: information exposure through a conflict (existence oracle). Source: CWE-203;
/// https://github.com/projectcapsule/capsule/pull/684 (a refusal that reveals another tenant).
#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_hides_the_holder_until_the_account_is_observed() {
    let teams = Teams::new().await;
    let mallory = user(&teams.squatter, "mallory", &[EDITOR]).await;
    for (name, kind) in [("throttled", json!({"throttle": {"retryAfterSeconds": 1}})), ("cut", json!("cut"))] {
        let account = teams.owner.account(json!({"periodDays": 3000})).await;
        let owns = format!("owns-{name}");
        teams.owner.create_as("ed", &subscription(&owns, &account, automatic("BenefitsExhausted"))).unwrap();
        teams.owner.until(&owns, "WaitingForExhaustion").await;
        sleep(Duration::from_secs(2)).await; // creation times have whole seconds
        teams.owner.fault("subscription", &account, Some(1000), kind).await;
        teams.squatter.create_as("mallory", &subscription(name, &account, automatic("Immediately"))).unwrap();
        teams.squatter.until(name, "Pending").await;
        sleep(Duration::from_secs(3)).await;
        let told = teams.squatter.kubectl(&["get", SUBSCRIPTIONS, name, "-o", "yaml"]).unwrap();
        let explained = stdout(&mallory.payg(&["explain", name]));
        for text in [told, explained, teams.squatter.events(name).join("\n")] {
            assert!(!text.contains(&teams.owner.namespace) && !text.contains("owns"), "{text}");
        }
        assert_eq!(condition(&teams.squatter.subscription(name), "Ready")["reason"], "Pending");
    }
}

/// Mallory is first, and her credentials never show her the account.
///
/// Class: name squatting without access. Source: CWE-283 (unverified ownership);
/// https://github.com/projectcapsule/capsule/issues/218 (a host that another tenant has taken).
#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_that_never_observed_holds_nothing() {
    let teams = Teams::new().await;
    let account = teams.owner.account(json!({"graceDays": 1000})).await;
    let blind = teams.squatter.application(json!({"subscriptions": []})).await;
    teams.squatter.apply(&blind);
    teams.squatter.create_as("mallory", &subscription("squats", &account, automatic("Immediately"))).unwrap();
    teams.squatter.until("squats", "ProviderNotReady").await;
    sleep(Duration::from_secs(2)).await;
    teams.owner.create_as("ed", &subscription("owns", &account, automatic("Immediately"))).unwrap();
    let upgraded = teams.owner.until("owns", "OfferInPlace").await;
    assert!(condition(&upgraded, "Claimed").is_null(), "nothing was ever claimed: {:#}", upgraded["status"]);
    assert_eq!(teams.owner.ledger(&account).await.len(), 1);
    let told = teams.squatter.subscription("squats").to_string();
    assert!(!told.contains(&teams.owner.namespace), "{told}");
}
