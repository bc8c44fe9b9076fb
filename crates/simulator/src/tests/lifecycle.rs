//! The state machine of an account, without a server: what is seen on which day.

use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{SUB, TENANT};
use crate::azure::account::{Account, Refusal, State};
use crate::azure::settings::{Rejection, Settings};
use crate::ground::By;

enum Act {
    Spend(i64),
    Upgrade,
    Cancel,
}
use Act::{Cancel, Spend, Upgrade};

fn day(days: i64) -> Timestamp {
    "2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_hours(24 * days)
}

fn account(mut settings: Value) -> Account {
    settings["subscriptionId"] = json!(SUB);
    settings["tenantId"] = json!(TENANT);
    Account::new(Settings::new(&settings, day(0)).unwrap())
}

fn seen(account: &Account, days: i64) -> String {
    let now = account.at(day(days));
    let quota = now.quota_id().split('_').next().unwrap().to_owned();
    let limit = if now.limited() { "On" } else { "Off" };
    format!("{} {:?} {quota} {limit}", now.stage(), now.state)
}

/// Does what is to be done on its day, and looks on the other days.
fn check(name: &str, settings: Value, acts: &[(i64, Act)], expected: &[(i64, &str)]) {
    let mut account = account(settings);
    let mut acts = acts.iter().peekable();
    for (days, expected) in expected {
        while let Some((when, act)) = acts.next_if(|(when, _)| when <= days) {
            match act {
                Spend(amount) => account.spend(Decimal::from(*amount), day(*when)),
                Cancel => account.cancel(day(*when)),
                Upgrade => {
                    let by = By::Person(true);
                    assert_eq!(account.can_upgrade(&by, day(*when)), Ok(()), "{name}, day {when}");
                    account.upgrade(by, day(*when));
                }
            }
        }
        assert_eq!(seen(&account, *days), *expected, "{name}, day {days}");
    }
    assert!(acts.next().is_none(), "{name}: all was done");
}

const TRIAL: &str = "TrialActive Enabled FreeTrial On";
const DISABLED: &str = "Disabled Disabled FreeTrial On";
const PENDING: &str = "UpgradePending Enabled FreeTrial Off";
const CONVERTED: &str = "Converted Enabled PayAsYouGo Off";

#[test]
fn a_trial_that_nobody_upgrades() {
    let ends = [(0, TRIAL), (29, TRIAL), (30, DISABLED), (119, DISABLED)];
    check("period over", json!({}), &[], &ends);
    check("deleted", json!({}), &[], &[(120, "Deleted Deleted FreeTrial On"), (121, "Gone Gone FreeTrial On")]);
    check("credit burnt", json!({"burnPerDay": "20"}), &[], &[(9, TRIAL), (10, DISABLED)]);
    check("credit spent at once", json!({}), &[(3, Spend(200))], &[(2, TRIAL), (3, DISABLED)]);
    let acts = [(2, Spend(100)), (4, Spend(20))];
    check("both", json!({"burnPerDay": 10}), &acts, &[(7, TRIAL), (8, DISABLED)]);
    check("no credit", json!({"credit": null}), &[], &[(29, TRIAL), (30, DISABLED)]);
    let warned = [(28, TRIAL), (29, "TrialActive Warned FreeTrial On"), (30, DISABLED)];
    check("warned", json!({"warned": true}), &[], &warned);
}

#[test]
fn an_upgrade_with_benefits_left() {
    let period = [(4, TRIAL), (5, PENDING), (29, PENDING), (30, CONVERTED), (500, CONVERTED)];
    check("until the period is over", json!({}), &[(5, Upgrade)], &period);
    let acts = [(5, Upgrade), (7, Spend(200))];
    check("until the credit is spent", json!({}), &acts, &[(6, PENDING), (7, CONVERTED)]);
    let warned = [(29, PENDING), (30, CONVERTED)];
    check("no warning", json!({"warned": true}), &[(5, Upgrade)], &warned);
}

#[test]
fn an_upgrade_of_a_disabled_account() {
    check("at once", json!({}), &[(40, Upgrade)], &[(39, DISABLED), (40, CONVERTED), (500, CONVERTED)]);
    let late = json!({"reactivationDelaySeconds": 86_400});
    let seen = [(39, DISABLED), (40, "Reactivating Disabled FreeTrial Off"), (41, CONVERTED)];
    check("after a day", late, &[(40, Upgrade)], &seen);
}

#[test]
fn other_offers() {
    let imagine = json!({"offer": "Imagine"});
    let active = "TrialActive Enabled DreamSpark On";
    let expired = "Disabled Disabled DreamSpark On";
    check("Imagine", imagine.clone(), &[], &[(0, active), (364, active), (365, expired)]);
    check("Imagine, upgraded", imagine, &[(5, Upgrade)], &[(4, active), (5, CONVERTED)]);
    let payg = json!({"offer": "PayAsYouGo"});
    check("pay-as-you-go", payg, &[], &[(0, "Active Enabled PayAsYouGo Off"), (999, "Active Enabled PayAsYouGo Off")]);
    let unknown = json!({"offer": "Foo_2031-01-01"});
    check("unknown", unknown, &[], &[(0, "Active Enabled Foo Off"), (999, "Active Enabled Foo Off")]);
    let students = json!({"offer": "AzureForStudents"});
    let active = "TrialActive Enabled AzureForStudents On";
    let stopped = "Disabled Disabled AzureForStudents On";
    check("students", students.clone(), &[(5, Spend(100))], &[(4, active), (5, stopped)]);
    check("students, a year later", students, &[], &[(364, active), (365, stopped)]);
    let plan = "EnterpriseAgreement_2014-09-01";
    let azure_plan = json!({"agreement": "MCA", "quotaId": plan, "convertedQuotaId": plan});
    let seen = [(4, "TrialActive Enabled EnterpriseAgreement On"), (30, "Converted Enabled EnterpriseAgreement Off")];
    check("Azure plan", azure_plan, &[(5, Upgrade)], &seen);
    let visual_studio = json!({"offer": "MSDN_2014-09-01", "credit": {"amount": "150", "currency": "USD"}});
    let seen = [(4, "TrialActive Enabled MSDN On"), (5, "Disabled Disabled MSDN On")];
    check("Visual Studio", visual_studio, &[(5, Spend(150))], &seen);
}

#[test]
fn a_cancellation() {
    let cancelled = [(4, TRIAL), (5, DISABLED), (40, DISABLED), (95, "Deleted Deleted FreeTrial On")];
    check("trial", json!({}), &[(5, Cancel)], &cancelled);
    let pending = "Disabled Disabled FreeTrial Off";
    check("between", json!({}), &[(5, Upgrade), (6, Cancel)], &[(5, PENDING), (6, pending), (40, pending)]);
    let converted = [(30, CONVERTED), (50, "Disabled Disabled PayAsYouGo Off")];
    check("converted", json!({}), &[(5, Upgrade), (50, Cancel)], &converted);
    let mut account = account(json!({}));
    account.cancel(day(5));
    let refused = Err(Refusal::Rejected(Rejection::OfferNotEligible));
    assert_eq!(account.can_upgrade(&By::Person(true), day(6)), refused);
}

#[test]
fn who_can_upgrade() {
    let (key, person) = (By::Key("k".into()), By::Person(true));
    let rejecting = account(json!({"rejectUpgrade": "PaymentMethodRequired"}));
    assert_eq!(
        rejecting.can_upgrade(&key, day(1)),
        Err(Refusal::Rejected(Rejection::PaymentMethodRequired)),
        "the broker is told"
    );
    assert_eq!(rejecting.can_upgrade(&person, day(1)), Ok(()));
    assert_eq!(rejecting.can_upgrade(&person, day(120)), Err(Refusal::Deleted));
    assert_eq!(rejecting.can_upgrade(&key, day(500)), Err(Refusal::Deleted));
    let unknown = account(json!({"offer": "Foo_2031-01-01"}));
    assert_eq!(unknown.can_upgrade(&person, day(1)), Err(Refusal::Rejected(Rejection::OfferNotEligible)));
    let payg = account(json!({"offer": "PayAsYouGo"}));
    assert_eq!(payg.can_upgrade(&person, day(1)), Err(Refusal::AlreadyUpgraded));
    let mut upgraded = account(json!({}));
    upgraded.upgrade(key, day(1));
    assert_eq!(upgraded.can_upgrade(&person, day(2)), Err(Refusal::AlreadyUpgraded));
}

#[test]
fn the_credit_that_is_left() {
    let mut account = account(json!({"burnPerDay": "3.5", "startTime": day(-10)}));
    let left = |account: &Account, days| account.credit_left(day(days)).unwrap().normalize().to_string();
    assert_eq!(left(&account, 0), "165");
    account.spend("15.25".parse().unwrap(), day(2));
    assert_eq!(left(&account, 2), "142.75");
    assert_eq!(left(&account, 19), "83.25");
    assert_eq!(left(&account, 20), "79.75");
    assert_eq!(left(&account, 99), "79.75", "nothing is charged when the period is over");
    assert_eq!(account.benefits_end().unwrap().at, day(20));
}

#[test]
fn a_patch_keeps_what_was_charged() {
    let mut account = account(json!({"burnPerDay": "10"}));
    let patched = |account: &Account, patch| account.settings.patched(&patch).unwrap();
    account.patch(patched(&account, json!({"burnPerDay": "100"})), day(10));
    assert_eq!(account.benefits_end().unwrap().at, day(11));
    account.patch(patched(&account, json!({"credit": {"amount": "400.00"}})), day(12));
    assert_eq!(account.at(day(12)).state, State::Enabled, "benefits came back");
    assert_eq!(account.credit_left(day(12)).unwrap(), Decimal::from(200));
    assert!(account.settings.patched(&json!({"burnPerDay": "-1"})).is_err());
    assert!(account.settings.patched(&json!({"offer": "PayAsYouGo"})).is_err(), "it still has benefits");
    assert!(account.settings.patched(&json!({"tenantId": "x"})).is_err());
    assert!(account.settings.patched(&json!({"ofer": "x"})).is_err());
}
