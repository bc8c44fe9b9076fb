//! Attacks: what real users, and whoever answers the operator, could try to bring an upgrade about that nobody entitled asked
//! for, to stop the operator, or to make one tenant wait for another. Each test names its class and a published source, and is
//! judged from the upgrades that the simulator applied, or from a measured number. `docs/operate/threat-model.md` lists them.

mod claims;
mod connections;
mod deletion;
mod files;
mod forgery;
mod identities;
mod inputs;
mod ledger;
mod numbers;
mod objects;
mod policies;
mod terms;
mod texts;
mod workers;

use std::time::Duration;

use payg_test_kit::world::{World, condition};
use serde_json::{Value, json};

use crate::approvals::word;

const SUBSCRIPTIONS: &str = "subscriptions.payg-operator.io";
const APPROVALS: &str = "upgradeapprovals.payg-operator.io";
const HOUR: Duration = Duration::from_hours(1);

/// A namespace in which the upgrade of a Subscription called `asks` is due, and waits for an approval.
struct Asking {
    world: World,
    account: String,
    hash: Value,
}

impl Asking {
    async fn new() -> Self {
        let world = World::new().await;
        let account = world.account(json!({})).await;
        world.subscribe("asks", &account, json!({"when": "Immediately", "approval": "Manual"}));
        let asking = world.until("asks", "AwaitingApproval").await;
        let hash = asking["status"]["transition"]["hash"].clone();
        Self { world, account, hash }
    }

    /// The word of `approver` on the upgrade.
    fn word(&self, name: &str, decision: &str, approver: &str) -> Value {
        let mut word = word(name, decision, "asks", &self.hash, HOUR);
        word["spec"]["approver"] = json!(approver);
        word
    }

    /// Two more observations find the upgrade waiting for an approval, and nothing was ever requested.
    async fn assert_still_asks(&self) {
        still_is(&self.world, "asks", "AwaitingApproval").await;
        assert_untouched(&self.world, &self.account).await;
    }
}

/// Two more observations of the Subscription called `name` come to the same verdict.
async fn still_is(world: &World, name: &str, reason: &str) {
    for _ in 0..2 {
        let before = world.subscription(name)["status"]["lastObservedTime"].clone();
        let mut last = Value::Null;
        let later = async || {
            last = world.subscription(name);
            (last["status"]["lastObservedTime"] != before).then_some(())
        };
        assert!(world.eventually(60, later).await.is_some(), "no more looks: {:#}", last["status"]);
        assert_eq!(condition(&last, "Ready")["reason"], reason, "{:#}", last["status"]);
    }
}

/// Nothing was ever requested for `account`, nor done to it.
async fn assert_untouched(world: &World, account: &str) {
    assert_eq!((world.ledger(account).await, world.records(account)), (vec![], vec![]));
}

/// That it was refused because of `why`.
fn assert_refused<T: std::fmt::Debug>(outcome: Result<T, String>, why: &str) {
    let refusal = outcome.expect_err(why);
    assert!(refusal.contains(why), "not because of {why:?}: {refusal}");
}
