//! A fleet from a list: the chart of accounts as Helm renders it, applied by Flux's kustomize-controller.

use std::fs;
use std::time::Duration;

use payg_test_kit::tools::{file, run, tool};
use payg_test_kit::world::World;
use serde_json::{Value, json};

use crate::repository::Repository;

const MANY: usize = 200;

/// What `helm template` makes of the chart of accounts with these values.
fn render(namespace: &str, values: &Value) -> Result<String, String> {
    let path = tempfile::NamedTempFile::new().unwrap();
    fs::write(&path, values.to_string()).unwrap();
    let mut helm = tool("helm");
    helm.args(["template", "accounts", &file("deploy/accounts"), "--namespace", namespace, "--values"])
        .arg(path.path());
    run(&mut helm)
}

fn documents(path: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(&fs::read_to_string(file(path)).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_accounts_from_a_list_are_applied_and_observed() {
    let world = World::new().await;
    let mut accounts = Vec::new();
    for number in 0..MANY {
        let account = world.account(json!({"periodDays": 3000})).await;
        accounts.push(json!({"name": format!("sandbox-{number}"), "azure": account, "contacts": "team-a"}));
    }
    let upgrade = json!({"when": "BenefitsExhausted", "approval": "Automatic"});
    let values = json!({"provider": "azure", "upgrade": upgrade, "labels": {"fleet": "yes"}, "accounts": accounts});
    let mut repository = Repository::new(&world, &[]).await;
    repository.files.insert("team-a/accounts.yaml".to_owned(), render(&world.namespace, &values).unwrap());
    let kustomization = "resources: [billing-provider.yaml, accounts.yaml]\n";
    repository.files.insert("team-a/kustomization.yaml".to_owned(), kustomization.to_owned());
    repository.push();
    let observed = async || {
        let selected = ["get", "subscriptions.payg-operator.io", "-l", "fleet=yes", "-o", "json"];
        let list: Value = serde_json::from_str(&world.kubectl(&selected).unwrap()).unwrap();
        let items = list["items"].as_array().unwrap();
        let seen = items.iter().filter(|item| item["status"]["lastObservedTime"].is_string()).count();
        tokio::time::sleep(Duration::from_secs(1)).await;
        (seen == MANY).then_some(())
    };
    world.eventually(180, observed).await.expect("all are observed");
    let told = world.subscription("sandbox-199");
    assert_eq!(told["metadata"]["annotations"]["payg-operator.io/contacts"], "team-a");
    assert_eq!(told["spec"]["upgrade"], upgrade);
}

#[test]
fn a_wrong_list_is_refused() {
    let id = "6f1a3c1e-0000-4a00-9000-000000000001";
    for (accounts, complaint) in [
        (json!([{"name": "one"}]), "missing property 'azure'"),
        (json!([{"name": "one", "azure": id, "aws": "123456789012"}]), "oneOf"),
        (json!([{"name": "one", "aws": 123_456_789_012_i64}]), "want string"),
        (json!([{"name": "one", "azure": id}, {"name": "one", "azure": id}]), "two accounts are called one"),
        (json!([{"name": "One", "azure": id}]), "does not match pattern"),
        (
            json!([{"name": "one", "azure": id, "upgrade": {"when": "Sometimes", "approval": "Manual"}}]),
            "must be one of",
        ),
    ] {
        let told = render("team-a", &json!({"provider": "azure", "accounts": accounts})).unwrap_err();
        assert!(told.contains(complaint), "{accounts}: {told}");
    }
    let told = render("team-a", &json!({"accounts": [{"name": "one", "azure": id}]})).unwrap_err();
    assert!(told.contains("account one: set provider"), "{told}");
}

/// The lists in the examples make Subscriptions, and without an `upgrade` of their own they upgrade nothing.
#[test]
fn the_examples_have_lists_that_the_chart_takes() {
    let release = documents("deploy/flux/accounts.yaml").into_iter().find(|one| one["kind"] == "HelmRelease").unwrap();
    assert_eq!(release["spec"]["chart"]["spec"]["chart"], "./deploy/accounts");
    let rendered = render("team-a", &release["spec"]["values"]).unwrap();
    let made: Vec<payg_api::Subscription> = serde_saphyr::from_multiple(&rendered).unwrap();
    assert_eq!(made.len(), 2);
    let set = documents("deploy/argocd/accounts.yaml").remove(0);
    assert_eq!(set["spec"]["template"]["spec"]["sources"][0]["path"], "deploy/accounts");
    let id = "6f1a3c1e-0000-4a00-9000-000000000001";
    let rendered = render("team-a", &json!({"provider": "azure", "accounts": [{"name": "one", "azure": id}]})).unwrap();
    let made: Vec<payg_api::Subscription> = serde_saphyr::from_multiple(&rendered).unwrap();
    assert_eq!(made[0].spec.upgrade.when, payg_api::When::Never);
}
