//! `payg approve`, `payg deny` and `payg retry` as users run them, each with a certificate of their own.

use std::process::Output;

use payg_test_kit::world::{World, automatic, condition, message, provider};
use serde_json::{Value, json};

use crate::people::{APPROVER, EDITOR, VIEWER, stderr, stdout, user};

/// The message of a refused command.
fn refused(output: &Output) -> String {
    assert_eq!((output.status.code(), stdout(output)), (Some(1), String::new()), "{}", stderr(output));
    stderr(output)
}

/// The name of the object that a command has created.
fn created(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{}", stderr(output));
    let told = stdout(output);
    let name = told.strip_prefix("upgradeapproval.payg-operator.io/").and_then(|told| told.strip_suffix(" created\n"));
    name.unwrap_or_else(|| panic!("{told}")).to_owned()
}

fn approvals(world: &World) -> usize {
    let list = world.kubectl(&["get", "upgradeapprovals.payg-operator.io", "-o", "json"]).unwrap();
    serde_json::from_str::<Value>(&list).unwrap()["items"].as_array().unwrap().len()
}

fn hash(subscription: &Value) -> &str {
    subscription["status"]["transition"]["hash"].as_str().unwrap()
}

/// A Subscription called `asks` whose upgrade is due and waits for an approval.
async fn asking(world: &World) -> (String, Value) {
    let account = world.account(json!({"graceDays": 1000})).await; // it waits for people
    world.subscribe("asks", &account, json!({"when": "Immediately", "approval": "Manual"}));
    let asking = world.until("asks", "AwaitingApproval").await;
    (account, asking)
}

const APPROVE: [&str; 4] = ["approve", "asks", "--reason", "the-project-goes-on"];

#[tokio::test(flavor = "multi_thread")]
async fn without_a_terminal_an_approve_takes_the_hash() {
    let world = World::new().await;
    let (account, asking) = asking(&world).await;
    let jane = user(&world, "jane", &[APPROVER]).await;

    let told = refused(&jane.payg(&APPROVE));
    for part in [&account, "FreeTrial", "-> PayAsYouGo", "IRREVERSIBLE", "Credit: Active", "costs nothing"] {
        assert!(told.contains(part), "{part} is not in {told}");
    }
    assert!(told.contains(&format!("repeat the command with --confirm {}", hash(&asking))), "{told}");
    let wrong = "0".repeat(32);
    let told = refused(&jane.payg(&[&APPROVE[..], &["--confirm", &wrong]].concat()));
    assert!(told.contains(&wrong) && told.contains("nothing was done"), "{told}");
    refused(&jane.payg(&[&APPROVE[..], &["--confirm", &hash(&asking)[..8]]].concat()));
    assert_eq!((approvals(&world), world.ledger(&account).await.len()), (0, 0));

    let given = created(&jane.payg(&[&APPROVE[..], &["--confirm", hash(&asking)]].concat()));
    world.until("asks", "OfferInPlace").await;
    let approval = &world.records(&account)[0]["spec"]["intent"]["approval"];
    assert_eq!((&approval["name"], &approval["approver"]), (&json!(given), &json!("jane")));
    assert_eq!(approval["reason"], "the-project-goes-on");
    let told = refused(&jane.payg(&[&APPROVE[..], &["--confirm", hash(&asking)]].concat()));
    assert!(told.contains("there is no transition: OfferInPlace"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transition_of_a_former_spec_is_not_there_to_be_approved() {
    let world = World::new().await;
    let (account, asking) = asking(&world).await;
    let jane = user(&world, "jane", &[APPROVER]).await;
    let change = json!({"spec": {"suspend": true, "upgrade": {"when": "BenefitsExhausted"}}}).to_string();
    world.kubectl(&["patch", "subscriptions.payg-operator.io", "asks", "--type=merge", "-p", &change]).unwrap();
    let suspended = world.until("asks", "Suspended").await;
    assert_eq!(suspended["status"]["observedGeneration"], suspended["metadata"]["generation"]);
    let told = refused(&jane.payg(&[&APPROVE[..], &["--confirm", hash(&asking)]].concat()));
    assert!(told.contains("there is no transition: Suspended"), "{told}");
    assert_eq!((approvals(&world), world.ledger(&account).await.len()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn at_a_terminal_an_approve_takes_the_beginning_of_the_hash() {
    let world = World::new().await;
    let (account, asking) = asking(&world).await;
    let jane = user(&world, "jane", &[APPROVER]).await;
    let told = jane.payg_at_a_terminal(&APPROVE, "yes");
    assert_eq!(told.status.code(), Some(1), "{}", stdout(&told));
    assert!(stdout(&told).contains("type the first 8 digits"), "{}", stdout(&told));
    assert_eq!(approvals(&world), 0);
    let told = jane.payg_at_a_terminal(&[&APPROVE[..], &["--expires-in", "1h"]].concat(), &hash(&asking)[..8]);
    assert_eq!(told.status.code(), Some(0), "{}", stdout(&told));
    assert!(stdout(&told).contains("created"), "{}", stdout(&told));
    world.until("asks", "OfferInPlace").await;
    assert_eq!(world.ledger(&account).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deny_takes_no_transition_and_says_how_to_lift_it() {
    let world = World::new().await;
    let account = world.account(json!({})).await;
    let mut early = payg_test_kit::world::subscription("early", &account, automatic("Immediately"));
    early["spec"]["providerName"] = json!("later");
    world.apply(&early);
    world.until("early", "ProviderNotReady").await;
    let jane = user(&world, "jane", &[APPROVER]).await;
    let told = jane.payg(&["deny", "early", "--reason", "we leave in March"]);
    let name = created(&told);
    assert!(
        stderr(&told).contains("There is nothing to confirm: ") && !stderr(&told).contains(".."),
        "{}",
        stderr(&told)
    );
    let lift = format!("kubectl delete upgradeapprovals.payg-operator.io {name} --namespace {}", world.namespace);
    assert!(stderr(&told).contains(&lift), "{}", stderr(&told));

    world.apply(&provider("later", "Broker"));
    let denied = world.until("early", "UpgradeDenied").await;
    assert!(message(&denied).starts_with("jane denied the upgrade"), "{}", message(&denied));
    // Who approves beside a Deny is shown it.
    let told = refused(&jane.payg(&["approve", "early", "--reason", "x"]));
    assert!(told.contains(&format!("by jane, until it is deleted ({name}): we leave in March")), "{told}");
    let kubeconfig = format!("--kubeconfig={}", jane.kubeconfig.display());
    world.kubectl(&[&kubeconfig, "delete", "upgradeapprovals.payg-operator.io", &name]).unwrap();
    world.until("early", "OfferInPlace").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn decisions_without_effect_are_refused() {
    let world = World::new().await;
    let (account, asking) = asking(&world).await;
    let jane = user(&world, "jane", &[APPROVER]).await;
    let sure = [&APPROVE[..], &["--confirm", hash(&asking)]].concat();
    let name = created(&jane.payg(&["deny", "asks", "--reason", "not yet", "--confirm", hash(&asking)]));
    world.until("asks", "UpgradeDenied").await;
    let told = refused(&jane.payg(&sure));
    let lift = format!("kubectl delete upgradeapprovals.payg-operator.io {name} --namespace {}", world.namespace);
    assert!(told.contains("jane denied the upgrade") && told.contains(&lift), "{told}");
    assert!(told.ends_with("Nothing was done.\n") && approvals(&world) == 1, "{told}");

    let another = world.account(json!({"periodDays": 3000})).await;
    world.subscribe("by-itself", &another, automatic("BenefitsExhausted"));
    let waiting = world.until("by-itself", "WaitingForExhaustion").await;
    let told = refused(&jane.payg(&["approve", "by-itself", "--reason", "x", "--confirm", hash(&waiting)]));
    assert!(told.contains("an Approve has no effect") && told.contains("`approval: Manual`"), "{told}");
    assert_eq!(approvals(&world), 1);

    jane.kubectl(&["delete", "upgradeapprovals.payg-operator.io", &name]).unwrap();
    world.until("asks", "AwaitingApproval").await;
    created(&jane.payg(&sure));
    world.until("asks", "OfferInPlace").await;
    assert_eq!(world.ledger(&account).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_input_is_refused_before_the_prompt() {
    let world = World::new().await;
    let (_, asking) = asking(&world).await;
    let jane = user(&world, "jane", &[APPROVER]).await;
    let sure = ["approve", "asks", "--confirm", hash(&asking)];
    let long = "x".repeat(1025);
    for (more, says) in [
        (&["--reason", ""][..], "say why"),
        (&["--reason", " "], "say why"),
        (&["--reason", &long], "at most 1024 characters"),
        (&["--reason", "x", "--expires-in", "9999d"], "at most 366d"),
        (&["--reason", "x", "--expires-in=-1d"], "longer than zero"),
    ] {
        let told = jane.payg(&[&sure[..], more].concat());
        assert_eq!((told.status.code(), approvals(&world)), (Some(2), 0), "{more:?}: {}", stderr(&told));
        assert!(stderr(&told).contains(says) && !stderr(&told).contains("you are"), "{more:?}: {}", stderr(&told));
    }
    for word in ["deny", "retry"] {
        let told = jane.payg(&[word, "asks", "--reason", ""]);
        assert_eq!(told.status.code(), Some(2), "{word}: {}", stderr(&told));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_permissions_are_reported_by_the_api_server() {
    let world = World::new().await;
    let (account, asking) = asking(&world).await;
    let sure = [&APPROVE[..], &["--confirm", hash(&asking)]].concat();
    let told = refused(&user(&world, "stranger", &[]).await.payg(&sure));
    assert!(told.contains("cannot get resource \"subscriptions\""), "{told}");
    let told = refused(&user(&world, "eve", &[EDITOR, VIEWER]).await.payg(&sure));
    assert!(told.contains("cannot create resource \"upgradeapprovals\""), "{told}");
    assert!(told.contains("ClusterRole payg-approver"), "what to do: {told}");

    let label = ["label", "namespace", &world.namespace, "payg-operator.io/second-person=required"];
    world.stack.kubectl(&label).unwrap();
    let both = user(&world, "both", &[EDITOR, APPROVER]).await;
    let why = "must be approved by somebody who cannot change the Subscription";
    // A namespace's new label takes effect a little later than it is stored.
    let in_force = async || {
        let probe = json!({"apiVersion": "payg-operator.io/v1alpha1", "kind": "UpgradeApproval", "metadata": {"name": "probe"},
            "spec": {"subscriptionName": "asks", "transitionHash": "0000000000000000", "decision": "Approve",
                "approver": "both", "reason": "probe", "expireTime": "2099-01-01T00:00:00Z"}});
        let kubeconfig = format!("--kubeconfig={}", both.kubeconfig.display());
        let probe = world.kubectl(&[&kubeconfig, "create", "--dry-run=server", "-f", &world.file(&probe)]);
        probe.err().filter(|told| told.contains(why))
    };
    world.eventually(30, in_force).await.expect("the policy on a second person");
    let told = refused(&both.payg(&sure));
    assert!(told.contains(why) && told.contains("Ask someone who may approve"), "{told}");
    assert_eq!((approvals(&world), world.ledger(&account).await.len()), (0, 0));

    let jane = user(&world, "jane", &[APPROVER]).await;
    tokio::time::sleep(std::time::Duration::from_secs(62)).await; // what is said sooner after the label does not count
    created(&jane.payg(&sure));
    world.until("asks", "OfferInPlace").await;
    assert_eq!(world.records(&account)[0]["spec"]["intent"]["approval"]["approver"], "jane");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_names_the_last_attempt() {
    let world = World::new().await;
    let broker = json!({"operationSeconds": 1, "retryAfterSeconds": 1, "fails": {"code": "PaymentMethodDeclined"}});
    let account = world.account(json!({"graceDays": 1000, "broker": broker})).await;
    world.subscribe("fails", &account, json!({"when": "Immediately", "approval": "Manual"}));
    let asking = world.until("fails", "AwaitingApproval").await;
    let sure = |word: &'static str| [word, "fails", "--reason", "put-right", "--confirm", hash(&asking)];
    let jane = user(&world, "jane", &[APPROVER]).await;
    // Records are of the whole cluster: a role in a namespace does not show them.
    let auditor = user(&world, "auditor", &[APPROVER]).await;
    let role = format!("records-{}", world.number);
    let reads = ["create", "clusterrole", &role, "--verb=get", "--resource=upgraderecords.payg-operator.io"];
    world.stack.kubectl(&reads).unwrap();
    let binds = ["create", "clusterrolebinding", &role, &format!("--clusterrole={role}"), "--user=auditor"];
    world.stack.kubectl(&binds).unwrap();

    for (who, attempt) in
        [(&auditor, &[][..]), (&auditor, &["--record-attempt", "1"]), (&jane, &["--record-attempt", "1"])]
    {
        let told = refused(&who.payg(&[&sure("retry")[..], attempt].concat()));
        assert!(told.contains("no upgrade has been requested yet"), "{told}");
    }
    assert_eq!(approvals(&world), 0);
    created(&jane.payg(&sure("approve")));
    world.until("fails", "UpgradeUnresolved").await;
    let told = refused(&jane.payg(&sure("retry")));
    assert!(told.contains("--record-attempt") && told.contains("`recordAttempt: 1`"), "{told}");
    let named = created(&jane.payg(&[&sure("retry")[..], &["--record-attempt", "1"]].concat()));
    let second = async || {
        let told = world.subscription("fails");
        message(&told).contains("`recordAttempt: 2`").then_some(told)
    };
    world.eventually(60, second).await.expect("a second attempt");

    let mended = json!({"broker": {"fails": null}});
    world.stack.simulator.patch(&format!("accounts/{account}"), &mended).await.unwrap();
    let told = refused(&auditor.payg(&[&sure("retry")[..], &["--record-attempt", "1"]].concat()));
    assert!(told.contains("is 2, not 1"), "{told}");
    let told = auditor.payg(&sure("retry"));
    let read = created(&told);
    assert!(stderr(&told).contains("of attempt 2 of UpgradeRecord up-"), "{}", stderr(&told));
    let done = world.until("fails", "OfferInPlace").await;
    assert_eq!(condition(&done, "Upgraded")["status"], "True");
    let attempts = world.records(&account)[0]["status"]["attempts"].clone();
    let by = |index: usize| attempts[index]["intent"]["approval"]["name"].as_str().unwrap().to_owned();
    assert_eq!((by(1), by(2), world.ledger(&account).await.len()), (named, read, 1));
    assert_eq!(attempts[1]["intent"]["approval"]["reason"], "put-right");

    let told = refused(&auditor.payg(&sure("retry")));
    assert!(told.contains("is Confirmed; only an Unresolved one can be retried"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn unreachable_or_missing_targets_are_reported() {
    let world = World::new().await;
    let jane = user(&world, "jane", &[APPROVER]).await;
    let told = refused(&jane.payg(&APPROVE));
    assert!(told.contains(&format!("there is no Subscription `asks` in namespace `{}`", world.namespace)), "{told}");
    let told = refused(&jane.payg(&[&APPROVE[..], &["--context", "another"]].concat()));
    assert!(told.contains("another"), "{told}");
    let told = refused(&jane.payg(&[&APPROVE[..], &["--kubeconfig", "/nonexistent"]].concat()));
    assert!(told.contains("/nonexistent"), "{told}");
}
