//! Names with dots and names at the limits: whatever the API server takes can be upgraded, approved, denied and shown.
//! (crossplane/upjet#143, rancher#25955, kubernetes-sigs/cluster-api#3049: names with dots could be given and not be used.)

use std::time::Duration;

use payg_test_kit::world::{World, automatic, provider, subscription};
use serde_json::{Value, json};

use crate::approvals::word;
use crate::people::{APPROVER, VIEWER, stderr, stdout, user};

/// A name of `length` characters with a dot in it, which begins with `start`.
fn name(start: &str, length: usize) -> String {
    format!("{start}.{}", "n".repeat(length - start.len() - 1))
}

/// Writes `object` to a file, whose name its own may be too long for.
fn file(world: &World, object: &Value) -> String {
    let mut named = object.clone();
    named["metadata"]["name"] = json!("named");
    let path = world.file(&named);
    std::fs::write(&path, object.to_string()).unwrap();
    path
}

fn apply(world: &World, object: &Value) {
    world.kubectl(&["apply", "-f", &file(world, object)]).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn names_with_dots_and_at_the_limits_are_approved_and_upgraded() {
    let world = World::new().await;
    let jane = user(&world, "jane", &[APPROVER, VIEWER]).await;
    for (provided, named) in [
        ("azure.prod".to_owned(), "team.sandbox".to_owned()),
        (name("azure", 253), name("sandbox", 63)),
        ("0".to_owned(), "0.1e3".to_owned()),
    ] {
        let account = world.account(json!({"graceDays": 1000})).await;
        apply(&world, &provider(&provided, "Broker"));
        let mut reconcile_request =
            subscription(&named, &account, json!({"when": "Immediately", "approval": "Manual"}));
        reconcile_request["spec"]["providerName"] = json!(provided);
        apply(&world, &reconcile_request);
        let asking = world.until(&named, "AwaitingApproval").await;
        let hash = asking["status"]["transition"]["hash"].as_str().unwrap();
        let approved = jane.payg(&["approve", &named, "--reason", "it goes on", "--confirm", hash]);
        assert!(stdout(&approved).ends_with(" created\n"), "{named}: {}", stderr(&approved));
        world.until(&named, "OfferInPlace").await;
        let records = world.records(&account);
        assert_eq!(world.ledger(&account).await.len(), 1, "{named}");
        assert_eq!(records[0]["spec"]["requester"]["name"], *named, "{records:#?}");
        let told = async || world.events(&named).iter().any(|event| event.starts_with("OfferInPlace: ")).then_some(());
        world.eventually(30, told).await.unwrap_or_else(|| panic!("{named}: {:?}", world.events(&named)));
        let listed = jane.payg(&["get"]);
        assert!(stdout(&listed).contains(&named), "{}{}", stdout(&listed), stderr(&listed));
        let explained = jane.payg(&["explain", &named]);
        for part in [&named, &provided] {
            assert!(stdout(&explained).contains(part), "{}{}", stdout(&explained), stderr(&explained));
        }
    }
}

/// The record keeps the name of the approval, which outlives it.
#[tokio::test(flavor = "multi_thread")]
async fn an_approval_of_the_longest_name_counts_and_is_recorded() {
    let world = World::new().await;
    let jane = user(&world, "jane", &[APPROVER]).await;
    let account = world.account(json!({"graceDays": 1000})).await;
    world.subscribe("team.sandbox", &account, json!({"when": "Immediately", "approval": "Manual"}));
    let asking = world.until("team.sandbox", "AwaitingApproval").await;
    let hash = &asking["status"]["transition"]["hash"];
    let given = word(&name("approval", 253), "Approve", "team.sandbox", hash, Duration::from_hours(1));
    let path = file(&world, &given);
    world.wait_until_approvals_count();
    jane.kubectl(&["create", "-f", &path]).unwrap();
    world.until("team.sandbox", "OfferInPlace").await;
    let approval = &world.records(&account)[0]["spec"]["intent"]["approval"];
    assert_eq!(approval["name"], given["metadata"]["name"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_with_dots_and_at_the_limits_are_denied() {
    let world = World::new().await;
    let jane = user(&world, "jane", &[APPROVER]).await;
    for named in ["team.sandbox".to_owned(), name("sandbox", 63)] {
        let account = world.account(json!({"periodDays": 3000})).await;
        world.subscribe(&named, &account, automatic("BenefitsExhausted"));
        let waiting = world.until(&named, "WaitingForExhaustion").await;
        let hash = waiting["status"]["transition"]["hash"].as_str().unwrap();
        let denied = jane.payg(&["deny", &named, "--reason", "we leave", "--confirm", hash]);
        world.until(&named, "UpgradeDenied").await;
        let told = stderr(&denied);
        let lift =
            told.lines().find_map(|line| line.trim().strip_prefix("kubectl ")).unwrap_or_else(|| panic!("{told}"));
        jane.kubectl(&lift.split(' ').collect::<Vec<_>>()).unwrap();
        world.until(&named, "WaitingForExhaustion").await;
    }
}
