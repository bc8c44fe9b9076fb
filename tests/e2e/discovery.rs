//! Accounts that credentials see and nobody has declared: they are counted, listed and imported.

use std::process::Command;

use payg_test_kit::payg_dev;
use payg_test_kit::world::{World, automatic, provider};
use serde_json::{Value, json};

use crate::people::{VIEWER, stderr, stdout, user};

/// Waits until the BillingProvider sees so many accounts that no Subscription names, and returns what it sees.
async fn until_undeclared(world: &World, count: u64) -> Value {
    let seen = async || {
        world.touch("azure"); // or it would be minutes
        let seen = world.get("billingproviders.payg-operator.io", "azure")["status"]["accounts"].clone();
        (seen["undeclared"] == count).then_some(seen)
    };
    world.eventually(60, seen).await.expect("the list of accounts")
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_that_nobody_declared_are_listed_and_imported() {
    let world = World::new().await;
    let mut accounts = Vec::new();
    for _ in 0..3 {
        accounts.push(world.account(json!({"periodDays": 3000})).await);
    }
    world.subscribe("declared", &accounts[0], automatic("BenefitsExhausted"));
    world.apply(&world.application(json!({"subscriptions": accounts})).await);
    let seen = until_undeclared(&world, 2).await;
    assert_eq!((&seen["seen"], &seen["declared"]), (&json!(3), &json!(1)));
    assert_eq!(seen["undeclaredIds"], json!(accounts[1..]));

    let viewer = user(&world, "viewer", &[VIEWER]).await;
    let dir = world.stack.control_plane.dir().join(format!("{}-import", world.namespace));
    let shown = dir.display().to_string();
    let told = viewer.payg(&["import", "--provider", "azure", "-o", &shown]);
    assert_eq!(stdout(&told), format!("2 manifests written to {shown}\n"), "{}", stderr(&told));
    world.kubectl(&["apply", "-k", &shown]).unwrap();
    for account in &accounts[1..] {
        world.until(&format!("azure-{account}"), "Observing").await;
        assert!(world.requests(account).await.iter().all(|request| request["method"] == "GET"));
        assert_eq!(world.ledger(account).await, Vec::<Value>::new());
    }
    until_undeclared(&world, 0).await;
    let told = viewer.payg(&["import", "--provider", "azure"]);
    assert_eq!(stdout(&told), "", "nothing is left");
    assert!(stderr(&told).contains("has a Subscription"), "{}", stderr(&told));
    let missing = viewer.payg(&["import", "--provider", "other"]);
    assert!(stderr(&missing).contains("there is no BillingProvider `other`"), "{}", stderr(&missing));
}

/// As [`accounts_that_nobody_declared_are_listed_and_imported`], from a repository and the credentials in the environment.
#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_imported_without_a_cluster() {
    let world = World::new().await;
    let (one, other) = (world.account(json!({})).await, world.account(json!({})).await);
    let provider_of_both = world.application(json!({"subscriptions": [one, other]})).await;
    assert_eq!(provider_of_both["metadata"]["name"], provider("azure", "Broker")["metadata"]["name"]);
    let dir = world.stack.control_plane.dir().join(format!("{}-repository", world.namespace));
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("provider.yaml"), provider_of_both.to_string()).unwrap();
    let declared = payg_test_kit::world::subscription("one", &one, automatic("BenefitsExhausted"));
    std::fs::write(dir.join("one.yaml"), declared.to_string()).unwrap();
    let mut import = Command::new(payg_dev());
    import.args(["import", "--provider", "azure", "-n", "team-a", "--when", "benefits-exhausted", "-f"]).arg(&dir);
    import.args(world.stack.cloud_arguments()).env_clear().env("AZURE_CLIENT_SECRET", "s3cr3t-value");
    let told = import.output().unwrap();
    let manifest: Value = serde_saphyr::from_str(&stdout(&told)).unwrap_or_else(|_| panic!("{}", stderr(&told)));
    assert_eq!(manifest["spec"]["account"]["azure"]["subscriptionId"], other);
    assert_eq!(manifest["metadata"]["namespace"], "team-a");
    assert_eq!(manifest["spec"]["upgrade"], json!({"when": "BenefitsExhausted", "approval": "Manual"}));
}
