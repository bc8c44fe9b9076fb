//! The state machine of an account, without a server: what is seen on which day.

use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{ID, with};
use crate::aws::account::{Account, Refusal};
use crate::aws::settings::{Rejection, Settings};
use crate::ground::By;

enum Act {
    Spend(i64),
    Upgrade,
    Close,
}
use Act::{Close, Spend, Upgrade};

fn day(days: i64) -> Timestamp {
    "2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_hours(24 * days)
}

fn account(settings: &Value) -> Account {
    Account::new(Settings::new(&with(json!({"accountId": ID}), settings), day(0)).unwrap(), day(0))
}

fn seen(account: &Account, days: i64) -> String {
    let now = account.at(day(days));
    let plan = now.plan.map_or_else(|| "none".to_owned(), |(plan, status)| format!("{plan:?} {status:?}"));
    format!("{}: {plan}, {:?}", now.stage, now.state)
}

/// Does what is to be done on its day, and looks on the other days.
#[expect(clippy::needless_pass_by_value, reason = "each call makes one")]
fn check(name: &str, settings: Value, acts: &[(i64, Act)], expected: &[(i64, &str)]) {
    let mut account = account(&settings);
    let mut acts = acts.iter().peekable();
    for (days, expected) in expected {
        while let Some((when, act)) = acts.next_if(|(when, _)| when <= days) {
            match act {
                Spend(amount) => account.spend(Decimal::from(*amount), day(*when)),
                Close => account.close(day(*when)),
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

const TRIAL: &str = "TrialActive: Free Active, Active";
const EXPIRED: &str = "Expired: Free Expired, Closed";
const GONE: &str = "Gone: Free Expired, Gone";
const CONVERTED: &str = "Converted: Paid Active, Active";

#[test]
fn a_free_plan_that_nobody_upgrades() {
    // Six months of the calendar, from January to July, are 181 days.
    let over = [(0, TRIAL), (180, TRIAL), (181, EXPIRED), (270, EXPIRED), (271, GONE)];
    check("six months over", json!({}), &[], &over);
    check("credit burnt", json!({"burnPerDay": "10"}), &[], &[(9, TRIAL), (10, EXPIRED), (99, EXPIRED), (100, GONE)]);
    check("credit spent at once", json!({}), &[(3, Spend(100))], &[(2, TRIAL), (3, EXPIRED)]);
    check("both", json!({"burnPerDay": 10}), &[(2, Spend(50))], &[(4, TRIAL), (5, EXPIRED)]);
    check("no credit", json!({"credit": null}), &[], &[(180, TRIAL), (181, EXPIRED)]);
    check("a month", json!({"planMonths": 1}), &[], &[(30, TRIAL), (31, EXPIRED)]);
    check("little grace", json!({"graceDays": 1}), &[], &[(181, EXPIRED), (182, GONE)]);
    let open = json!({"closesAtOnce": false});
    check("not closed", open, &[], &[(181, "Expired: Free Expired, Active"), (271, GONE)]);
}

#[test]
fn a_plan_that_has_not_started() {
    let later = json!({"startTime": day(5)});
    let seen = [(0, "NotStarted: Free NotStarted, Active"), (5, TRIAL), (185, TRIAL), (186, EXPIRED)];
    check("not started", later.clone(), &[], &seen);
    check("upgraded before", later, &[(2, Upgrade)], &[(1, seen[0].1), (2, CONVERTED), (400, CONVERTED)]);
    let account = account(&json!({"startTime": day(5)}));
    assert_eq!(account.created, day(0));
}

#[test]
fn an_upgrade_is_for_ever() {
    check("at once", json!({}), &[(5, Upgrade)], &[(4, TRIAL), (5, CONVERTED), (999, CONVERTED)]);
    let acts = [(5, Upgrade), (7, Spend(500))];
    check("credit spent afterwards", json!({}), &acts, &[(6, CONVERTED), (7, CONVERTED), (999, CONVERTED)]);
    let late = json!({"upgradeSeconds": 86_400});
    let pending = "UpgradePending: Free Active, Active";
    check("a day later", late.clone(), &[(5, Upgrade)], &[(5, pending), (6, CONVERTED)]);
    let seen = [(180, pending), (181, CONVERTED)];
    check("it prevents the end", late.clone(), &[(180, Upgrade)], &seen);
    let seen = [(200, "UpgradePending: Free Expired, Closed"), (201, CONVERTED), (999, CONVERTED)];
    check("it brings the account back", late, &[(200, Upgrade)], &seen);
}

#[test]
fn other_plans() {
    let paid = "Active: Paid Active, Active";
    check("paid", json!({"plan": "Paid", "burnPerDay": "50"}), &[], &[(0, paid), (999, paid)]);
    let none = "NoRecord: none, Active";
    check("no record", json!({"plan": "None"}), &[], &[(0, none), (999, none)]);
}

#[test]
fn an_owner_closes_an_account() {
    let closed = "Closed: Free Active, Closed";
    let seen = [(4, TRIAL), (5, closed), (94, closed), (95, "Gone: Free Active, Gone")];
    check("on the free plan", json!({"graceDays": 1}), &[(5, Close)], &seen);
    let paid = [(5, "Closed: Paid Active, Closed"), (95, "Gone: Paid Active, Gone")];
    check("on the paid plan", json!({"plan": "Paid"}), &[(5, Close)], &paid);
    let expired = "Closed: Free Expired, Closed";
    check(
        "after the end",
        json!({"closesAtOnce": false}),
        &[(190, Close)],
        &[(189, "Expired: Free Expired, Active"), (190, expired)],
    );
}

#[test]
fn the_credit() {
    let left = |account: &Account, days| account.credit_left(day(days)).map(|left| left.normalize().to_string());
    let some = |text: &str| Some(text.to_owned());
    let mut trial = account(&json!({"burnPerDay": "0.5", "upgradeBonus": "20"}));
    assert_eq!((left(&trial, 0), left(&trial, 10)), (some("100"), some("95")));
    assert_eq!(left(&trial, 300), some("9.5"), "nothing is charged after 181 days");
    trial.upgrade(By::Person(true), day(200));
    assert_eq!(left(&trial, 200), some("29.5"), "the rest is kept, and there is a bonus");
    assert_eq!(left(&trial, 210), some("24.5"), "and is spent again");
    assert_eq!((left(&trial, 258), left(&trial, 259)), (some("0.5"), some("0")));
    assert_eq!(trial.spent_up(day(300)), Some(day(259)));
    let mut kept = account(&json!({}));
    kept.upgrade(By::Person(true), day(1));
    assert_eq!((left(&kept, 364), left(&kept, 365)), (some("100"), some("0")), "it lasts twelve months");
    assert_eq!(left(&account(&json!({"credit": null})), 1), None);
    let mut closed = account(&json!({"burnPerDay": "1"}));
    closed.close(day(10));
    assert_eq!(left(&closed, 50), some("90"), "a closed account is not charged");
}

#[test]
fn a_changed_declaration_takes_effect() {
    let mut trial = account(&json!({"burnPerDay": "10"}));
    let patched = |account: &Account, patch: Value| account.settings.patched(&patch).unwrap();
    assert_eq!(seen(&trial, 10), EXPIRED);
    trial.patch(patched(&trial, json!({"credit": {"amount": "150"}})), day(10));
    assert_eq!((seen(&trial, 10), seen(&trial, 15)), (TRIAL.into(), EXPIRED.into()));
    trial.patch(patched(&trial, json!({"burnPerDay": "0"})), day(12));
    assert_eq!(trial.credit_left(day(100)), Some(Decimal::from(30)));
}

#[test]
fn why_an_upgrade_is_refused() {
    let (caller, person) = (By::Caller("somebody".into()), By::Person(true));
    let refusal = Rejection { code: "ValidationException".into(), message: "no card".into() };
    let rejected = account(&json!({"rejectUpgrade": refusal}));
    assert_eq!(rejected.can_upgrade(&caller, day(0)), Err(Refusal::Rejected(refusal)));
    assert_eq!(rejected.can_upgrade(&person, day(0)), Ok(()), "a person is not");
    assert_eq!(account(&json!({"plan": "Paid"})).can_upgrade(&caller, day(0)), Err(Refusal::AlreadyPaid));
    assert_eq!(account(&json!({"plan": "None"})).can_upgrade(&caller, day(0)), Err(Refusal::NoRecord));
    assert_eq!(account(&json!({})).can_upgrade(&caller, day(300)), Err(Refusal::Gone));
    let mut account = account(&json!({}));
    account.upgrade(caller.clone(), day(1));
    assert_eq!(account.can_upgrade(&caller, day(2)), Err(Refusal::AlreadyPaid));
    account.close(day(3));
    assert_eq!(account.can_upgrade(&caller, day(4)), Err(Refusal::AlreadyPaid));
    let mut account = super::lifecycle::account(&json!({}));
    account.close(day(3));
    assert_eq!(account.can_upgrade(&person, day(4)), Err(Refusal::Closed));
}

#[test]
fn mistakes_are_found() {
    for wrong in [
        json!({"accountId": "12345"}),
        json!({"plan": "Trial"}),
        json!({"burnPerDay": "-1"}),
        json!({"upgradeBonus": "-1"}),
        json!({"credit": {"amount": "-1", "currency": "USD"}}),
        json!({"credit": {"amount": "1", "currency": "Dollars"}}),
        json!({"displayName": ""}),
        json!({"displayName": "<b>"}),
        json!({"rejectUpgrade": {"code": "", "message": ""}}),
        json!({"periodDays": 30}),
    ] {
        assert!(Settings::new(&with(json!({"accountId": ID}), &wrong), day(0)).is_err(), "{wrong}");
    }
}
