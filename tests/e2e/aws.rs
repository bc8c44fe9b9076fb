//! The main job on AWS, where the operator itself upgrades the account.

use payg_test_kit::world::{World, automatic, benefit, condition, holding, message};
use serde_json::{Value, json};

/// What the policy that is shipped for looking on allows.
pub(crate) const OBSERVE: [&str; 3] =
    ["freetier:GetAccountPlanState", "account:GetAccountInformation", "billing:GetCredits"];
const UPGRADE: &str = "freetier:UpgradeAccountPlan";

fn all() -> Vec<&'static str> {
    [&OBSERVE[..], &[UPGRADE]].concat()
}

/// An account on AWS with a key of its own, and a BillingProvider of the same name that has it.
pub(crate) struct Account<'a> {
    pub(crate) world: &'a World,
    pub(crate) id: String,
    pub(crate) name: &'static str,
}

impl<'a> Account<'a> {
    /// One on the Free plan that differs from the default by `settings`; its key may do what is in `allow`.
    pub(crate) async fn new(world: &'a World, name: &'static str, settings: Value, allow: &[&str]) -> Self {
        let id = world.aws_account(settings).await;
        let account = Self { world, id, name };
        account.allow(allow).await;
        world.lend_secret(name, json!({"accessKeyId": account.key(), "secretAccessKey": "s3cr3t-value"}));
        world.apply(
            &json!({"apiVersion": "payg-operator.io/v1alpha1", "kind": "BillingProvider", "metadata": {"name": name},
            "spec": {"aws": {"credentials": {"secret": {"name": name}}}}}),
        );
        account
    }

    fn key(&self) -> String {
        format!("AKIA{}", self.id)
    }

    async fn allow(&self, allow: &[&str]) {
        let user =
            json!({"accountId": self.id, "accessKeyId": self.key(), "secretAccessKey": "s3cr3t-value", "allow": allow});
        self.world.stack.simulator.post("clients", &user).await.unwrap();
    }

    pub(crate) fn subscribe(&self, upgrade: Value) {
        self.world.apply(&self.subscription(upgrade));
    }

    pub(crate) fn subscription(&self, upgrade: Value) -> Value {
        json!({"apiVersion": "payg-operator.io/v1alpha1", "kind": "Subscription", "metadata": {"name": self.name},
            "spec": {"providerName": self.name, "account": {"aws": {"accountId": self.id}}, "offer": "PayAsYouGo", "upgrade": upgrade}})
    }

    pub(crate) async fn until(&self, reason: &str) -> Value {
        self.world.until(self.name, reason).await
    }

    /// That the account was upgraded once, by the operator; the record.
    async fn assert_upgraded_once(&self) -> Value {
        let (ledger, mut records) = (self.world.ledger(&self.id).await, self.world.records(&self.id));
        assert_eq!((ledger.len(), records.len()), (1, 1), "{ledger:#?} {records:#?}");
        let caller = ledger[0]["by"]["caller"].as_str().unwrap();
        assert!(caller.starts_with(&format!("arn:aws:iam::{}:user/", self.id)), "{caller}");
        assert_eq!(records[0]["status"]["state"], "Confirmed", "{records:#?}");
        records.remove(0)
    }

    async fn assert_not_upgraded(&self) {
        assert_eq!(self.world.ledger(&self.id).await, Vec::<Value>::new());
        let asked = self.asked("upgradeAccountPlan").await;
        assert_eq!((self.world.records(&self.id), asked), (Vec::new(), 0));
    }

    /// How often AWS was asked for `operation` with credentials of the account.
    pub(crate) async fn asked(&self, operation: &str) -> usize {
        let requests = self.world.requests(&self.id).await;
        requests.iter().filter(|request| request["operation"] == operation).count()
    }
}

/// The trigger that AWS accounts should have.
fn before(limits: Value) -> Value {
    json!({"when": "BeforeExhaustion", "approval": "Automatic", "beforeExhaustion": limits})
}

fn credit_below(amount: &str) -> Value {
    before(json!({"creditBelow": {"amount": amount, "currency": "USD"}}))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_aws_account_is_upgraded_once_before_its_credit_is_spent() {
    let world = World::new().await;
    let account = Account::new(&world, "credit", json!({"burnPerDay": "4", "upgradeBonus": "20"}), &all()).await;
    account.subscribe(credit_below("60.00"));
    let waiting = account.until("WaitingForExhaustion").await;
    let (credit, period) = (benefit(&waiting, "Credit"), benefit(&waiting, "Period"));
    assert_eq!((credit["granted"].as_str(), credit["currency"].as_str()), (Some("100.00"), Some("USD")), "{credit}");
    assert!(credit["remaining"].is_string() && period["endTime"].is_string(), "{credit} {period}");
    assert_eq!(waiting["status"]["offer"]["native"], "FREE");
    assert!(!message(&waiting).contains("closes"), "{}", message(&waiting));
    assert!(waiting["status"]["transition"]["deadlineTime"].is_string(), "{}", waiting["status"]["transition"]);
    let paid = account.until("OfferInPlace").await;
    assert_eq!(paid["status"]["offer"]["native"], "PAID");
    assert_eq!(holding(&paid), ["Observed", "Ready", "Upgraded"]);
    let record = account.assert_upgraded_once().await;
    let evidence = record["spec"]["intent"]["evidence"]["summary"].as_str().unwrap();
    assert!(evidence.starts_with("less credit is left than `creditBelow`"), "{evidence}");
    assert_eq!(account.asked("upgradeAccountPlan").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_aws_account_is_upgraded_once_before_its_time_is_over() {
    let world = World::new().await;
    let account = Account::new(&world, "time", json!({"planMonths": 1}), &all()).await;
    account.subscribe(before(json!({"timeLeftSeconds": 604_800})));
    account.until("WaitingForExhaustion").await;
    account.until("OfferInPlace").await;
    let record = account.assert_upgraded_once().await;
    let evidence = record["spec"]["intent"]["evidence"]["summary"].as_str().unwrap();
    assert!(evidence.starts_with("less time is left than `timeLeftSeconds`"), "{evidence}");
    let (truth, ledger) = (world.account_now(&account.id).await, world.ledger(&account.id).await);
    assert!(ledger[0]["billingTime"].as_str() < truth["periodEnd"].as_str(), "{ledger:#?} {truth:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_aws_account_comes_back_and_who_waits_for_that_is_warned() {
    let world = World::new().await;
    let account = Account::new(&world, "expired", json!({"burnPerDay": "9"}), &all()).await;
    let warned = world.stack.try_kubectl(&[
        "--namespace",
        &world.namespace,
        "apply",
        "-f",
        &world.file(&account.subscription(automatic("BenefitsExhausted"))),
    ]);
    let (warned, told) = (warned.unwrap(), "AWS closes an account whose benefits are exhausted");
    let warning = String::from_utf8_lossy(&warned.stderr).into_owned();
    assert!(warned.status.success() && warning.contains("Warning") && warning.contains(told), "{warning}");
    let waiting = account.until("WaitingForExhaustion").await;
    assert!(message(&waiting).contains("To upgrade in time, use `when: BeforeExhaustion`"), "{}", message(&waiting));
    account.until("OfferInPlace").await;
    let record = account.assert_upgraded_once().await;
    let evidence = record["spec"]["intent"]["evidence"]["summary"].as_str().unwrap();
    assert!(evidence.contains("the account is Restricted"), "{evidence}");
    assert_eq!(world.account_now(&account.id).await["accountState"], "ACTIVE");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_aws_account_without_a_plan_record_is_shown_and_never_acted_on() {
    let world = World::new().await;
    let account = Account::new(&world, "older", json!({"plan": "None"}), &all()).await;
    account.subscribe(automatic("Immediately"));
    let told = account.until("NotEligible").await;
    assert!(message(&told).contains("no plan record"), "{}", message(&told));
    let looked = condition(&told, "Observed")["message"].as_str().unwrap();
    assert!(looked.contains("a member of an organization"), "{looked}");
    account.assert_not_upgraded().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_of_another_aws_account_stop_everything() {
    let world = World::new().await;
    let (mine, other) =
        (Account::new(&world, "mine", json!({}), &all()).await, Account::new(&world, "other", json!({}), &all()).await);
    let mut subscription = mine.subscription(automatic("Immediately"));
    subscription["spec"]["providerName"] = json!("other");
    world.apply(&subscription);
    let told = mine.until("WrongAccount").await;
    assert!(message(&told).contains(&other.id), "{}", message(&told));
    assert_eq!(holding(&told), ["Stalled"]);
    mine.assert_not_upgraded().await;
    other.assert_not_upgraded().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_policy_for_looking_alone_a_due_upgrade_names_what_is_missing() {
    let world = World::new().await;
    let account = Account::new(&world, "observed", json!({"burnPerDay": "9"}), &OBSERVE).await;
    account.subscribe(credit_below("50.00"));
    account.until("WaitingForExhaustion").await;
    let told = account.until("UpgradeRejected").await;
    assert!(message(&told).contains(UPGRADE), "{}", message(&told));
    assert_eq!(holding(&told), ["Observed", "Stalled", "UpgradeAvailable"]);
    assert_eq!(world.ledger(&account.id).await, Vec::<Value>::new());
    assert_eq!(world.records(&account.id)[0]["status"]["state"], "Rejected");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_whose_answer_is_lost_is_not_asked_for_again() {
    let world = World::new().await;
    let account = Account::new(&world, "lost", json!({}), &all()).await;
    world.fault("upgradeAccountPlan", &account.id, Some(1), json!("appliedAnswerLost")).await;
    account.subscribe(automatic("Immediately"));
    account.until("OfferInPlace").await;
    let record = account.assert_upgraded_once().await;
    assert_eq!(record["status"]["attempts"][0]["outcome"], "Unknown", "{record:#}");
    assert_eq!(account.asked("upgradeAccountPlan").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_that_is_carried_out_late_is_waited_for() {
    let world = World::new().await;
    let account = Account::new(&world, "late", json!({}), &all()).await;
    world.fault("upgradeAccountPlan", &account.id, Some(1), json!({"appliedLate": {"millis": 4000}})).await;
    account.subscribe(automatic("Immediately"));
    let verifying = account.until("VerifyingUpgrade").await;
    assert_eq!(holding(&verifying), ["Observed", "Reconciling"]);
    account.until("OfferInPlace").await;
    account.assert_upgraded_once().await;
    assert_eq!(account.asked("upgradeAccountPlan").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_shows_late_is_read_until_it_is_paid() {
    let world = World::new().await;
    let account = Account::new(&world, "slow", json!({"upgradeSeconds": 259_200}), &all()).await;
    account.subscribe(automatic("Immediately"));
    account.until("OfferInPlace").await;
    let record = account.assert_upgraded_once().await;
    assert_eq!(record["status"]["attempts"][0]["outcome"], "Accepted", "{record:#}");
    assert_eq!(account.asked("upgradeAccountPlan").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn aws_that_throttles_is_left_alone_for_a_while() {
    let world = World::new().await;
    let account = Account::new(&world, "busy", json!({"burnPerDay": "4"}), &all()).await;
    world.fault("getAccountPlanState", &account.id, Some(3), json!({"throttle": {"retryAfterSeconds": 1}})).await;
    account.subscribe(credit_below("50.00"));
    account.until("OfferInPlace").await;
    account.assert_upgraded_once().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throttled_upgrade_was_not_made_and_is_asked_for_later() {
    let world = World::new().await;
    let account = Account::new(&world, "crowded", json!({}), &all()).await;
    world.fault("upgradeAccountPlan", &account.id, Some(1), json!({"throttle": {"retryAfterSeconds": 1}})).await;
    account.subscribe(automatic("Immediately"));
    let told = account.until("UpgradeRejected").await;
    assert!(message(&told).contains("rate limiting"), "{}", message(&told));
    assert_eq!(world.records(&account.id)[0]["status"]["attempts"][0]["outcome"], "NotSent");
    assert_eq!(world.ledger(&account.id).await, Vec::<Value>::new());
    assert_eq!(account.asked("upgradeAccountPlan").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_aws_account_that_its_owner_closed_is_never_upgraded() {
    let world = World::new().await;
    let account = Account::new(&world, "closed", json!({}), &all()).await;
    world.stack.simulator.post(&format!("accounts/{}/cancel", account.id), &json!({})).await.unwrap();
    account.subscribe(automatic("Immediately"));
    let told = account.until("AccountClosed").await;
    assert_eq!(holding(&told), ["Observed", "Stalled"]);
    account.assert_not_upgraded().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_aws_answer_that_is_odd_is_never_acted_on() {
    let world = World::new().await;
    for (name, fault) in [
        ("currency", json!({"replaceField": {"path": "accountPlanRemainingCredits.unit", "value": "EUR"}})),
        ("plan", json!({"replaceField": {"path": "accountPlanType", "value": "TRIAL"}})),
        ("status", json!({"missingField": {"name": "accountPlanStatus"}})),
        ("id", json!({"replaceField": {"path": "accountId", "value": ""}})),
    ] {
        let account = Account::new(&world, name, json!({}), &all()).await;
        world.fault("getAccountPlanState", &account.id, None, fault).await;
        account.subscribe(automatic("Immediately"));
        let told = account.until("Pending").await;
        assert_eq!(condition(&told, "Observed")["reason"], "UnexpectedAnswer", "{name}: {}", message(&told));
        account.assert_not_upgraded().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_may_upgrade_in_the_console() {
    let world = World::new().await;
    let account = Account::new(&world, "by-hand", json!({}), &OBSERVE).await;
    account.subscribe(credit_below("5.00"));
    account.until("WaitingForExhaustion").await;
    world.stack.simulator.post(&format!("accounts/{}/portal-upgrade", account.id), &json!({})).await.unwrap();
    let paid = account.until("OfferInPlace").await;
    assert!(paid["status"]["upgrade"]["recordName"].is_null(), "{}", paid["status"]["upgrade"]);
    assert_eq!(world.records(&account.id), Vec::<Value>::new());
}
