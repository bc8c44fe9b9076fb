//! The operator as a process sends notices: in time, once each, to every receiver by itself, and again after it was killed.
//! A day takes five seconds.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use axum::http::StatusCode;
use payg_test_kit::world::{World, automatic};
use payg_test_kit::{Process, Stack, eventually, payg_dev};
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard, OnceCell, oneshot};
use tokio::time::sleep;

use crate::receiver::{Does, Receiver};

static STACK: OnceCell<Stack> = OnceCell::const_new();
/// There is one lease, so one test at a time.
static ALONE: Mutex<()> = Mutex::const_new(());

async fn alone() -> (MutexGuard<'static, ()>, &'static Stack) {
    let guard = ALONE.lock().await;
    let start = async || Stack::start(payg_dev(), 17_280).await.unwrap();
    (guard, STACK.get_or_init(start).await)
}

/// The administrator's file for these receivers, each of which gets everything.
fn file(stack: &Stack, name: &str, receivers: &[(&str, &Receiver)]) -> PathBuf {
    let receivers: Vec<Value> = receivers
        .iter()
        .map(|(name, receiver)| json!({"name": name, "cloudEvents": {"url": receiver.url, "source": "/tests"}}))
        .collect();
    let names: Vec<_> = receivers.iter().map(|receiver| receiver["name"].clone()).collect();
    let path = stack.control_plane.dir().join(format!("{name}.yaml"));
    let config = json!({"receivers": receivers, "routes": [{"receivers": names}]});
    fs::write(&path, config.to_string()).unwrap();
    path
}

/// An operator that begins at once: nobody holds the lease.
async fn operator(stack: &Stack, name: &str, file: &Path) -> Process {
    let _ = stack.kubectl(&["delete", "lease", "payg-operator", "-n", "payg-operator", "--ignore-not-found"]);
    stack.operator(name, &["--notify-config", file.to_str().unwrap()]).await.unwrap()
}

async fn stop(mut operator: Process) {
    let status = operator.stop(Duration::from_secs(35)).await.unwrap();
    assert!(status.success(), "{status}: {}", operator.log_tail(20));
}

fn delivered(world: &World, name: &str) -> Vec<String> {
    let status = world.subscription(name)["status"]["notices"]["deliveries"].clone();
    let list = status.as_array().cloned().unwrap_or_default();
    list.iter().filter(|one| one["acceptTime"].is_string()).map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

fn assert_each_once(ids: &[String]) {
    let different: BTreeSet<_> = ids.iter().collect();
    assert_eq!(different.len(), ids.len(), "{ids:#?}");
}

/// Waits until `receiver` has seen an event about `name` whose id begins so.
async fn until_seen(receiver: &Receiver, name: &str, begins: &str) {
    let is_there = async || receiver.ids(name).iter().any(|id| id.starts_with(begins)).then_some(());
    eventually(&format!("{begins} about {name}"), is_there).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_is_announced_until_its_end_and_after_it() {
    let (_alone, stack) = alone().await;
    let world = World::on(stack).await;
    let receiver = Receiver::start().await;
    let operator = operator(stack, "teller", &file(stack, "story", &[("events", &receiver)])).await;
    let account = world.account(json!({"periodDays": 8, "graceDays": 300})).await;
    world.subscribe("story", &account, json!({"when": "BenefitsExhausted", "approval": "Manual"}));
    for threshold in ["End/7d/", "End/3d/", "End/1d/"] {
        until_seen(&receiver, "story", threshold).await;
    }
    for state in ["ApprovalNeeded/", "Restricted/"] {
        until_seen(&receiver, "story", state).await;
    }
    let restricted = receiver.ids("story").into_iter().find(|id| id.starts_with("Restricted/")).unwrap();
    let (outage, _) = restricted.split_once("/day").unwrap();
    until_seen(&receiver, "story", &format!("{outage}/day2")).await;

    let needed =
        receiver.seen("story").into_iter().find(|event| event["data"]["occasion"] == "ApprovalNeeded").unwrap();
    assert_eq!(needed["data"]["command"], format!("payg approve story -n {} --reason TEXT", world.namespace));
    assert_eq!(needed["data"]["severity"], "warning");
    let hash = world.subscription("story")["status"]["transition"]["hash"].clone();
    let facts = needed["data"]["facts"].as_array().unwrap();
    assert!(facts.iter().any(|fact| fact["value"] == hash), "{facts:?}");

    world.subscribe("story", &account, automatic("BenefitsExhausted"));
    until_seen(&receiver, "story", "Converted/").await;
    until_seen(&receiver, "story", &format!("{outage}/day0/ended")).await;
    let ended = |id: &String| id.starts_with("ApprovalNeeded/") && id.ends_with("/ended");
    eventually("the end of the wait", async || receiver.ids("story").iter().any(ended).then_some(())).await;
    assert_each_once(&receiver.ids("story"));

    let told = delivered(&world, "story");
    assert!(told.iter().any(|id| id.starts_with("Converted/")), "{told:?}");
    let explained = Command::new(env!("CARGO_BIN_EXE_payg"))
        .args(["explain", "story", "-n", &world.namespace, "--kubeconfig"])
        .arg(stack.control_plane.admin_kubeconfig())
        .output()
        .unwrap();
    let explained = String::from_utf8(explained.stdout).unwrap();
    let (_, notices) = explained.split_once("\nNotices:\n").unwrap_or_else(|| panic!("{explained}"));
    assert!(notices.contains("EndAhead to events, and that it is over  (End/3d/"), "{notices}");
    stop(operator).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_down_delays_no_other_and_gets_what_still_holds() {
    let (_alone, stack) = alone().await;
    let world = World::on(stack).await;
    let (sick, well) = (Receiver::start().await, Receiver::start().await);
    sick.now(Does::Answers(StatusCode::SERVICE_UNAVAILABLE));
    let file = file(stack, "sick", &[("sick", &sick), ("well", &well)]);
    let operator = operator(stack, "patient", &file).await;
    let account = world.account(json!({"periodDays": 4, "graceDays": 300})).await;
    world.subscribe("outage", &account, json!({"when": "Never", "approval": "Manual"}));
    for id in ["End/7d/", "End/3d/", "End/1d/", "Restricted/"] {
        until_seen(&well, "outage", id).await;
    }
    assert!(delivered(&world, "outage").iter().all(|id| !id.is_empty()));
    let before = sick.seen("outage").len();
    sick.now(Does::Accepts);
    let outage = async || {
        let after: Vec<_> = sick.ids("outage").split_off(before);
        after.iter().any(|id| id.starts_with("Restricted/")).then_some(after)
    };
    let after = eventually("the outage", outage).await;
    assert!(after.iter().all(|id| id.starts_with("Restricted/")), "the rest is moot: {after:?}");
    assert_each_once(&well.ids("outage"));
    stop(operator).await;
}

/// A kill at each step of a delivery: before the answer, after it, and after it is in the status. Never none, and at most one
/// more for each kill.
#[tokio::test(flavor = "multi_thread")]
async fn a_kill_loses_no_notice_and_repeats_one_at_most() {
    let (_alone, stack) = alone().await;
    let world = World::on(stack).await;
    let receiver = Receiver::start().await;
    let file = file(stack, "kills", &[("events", &receiver)]);
    let mut kills = 0;
    for (step, name) in ["unanswered", "answered", "written"].into_iter().enumerate() {
        let mut first = operator(stack, &format!("killed-{step}"), &file).await;
        let (told, hears) = oneshot::channel();
        if name == "unanswered" {
            receiver.now(Does::HoldsBack(Some(told)));
        }
        let account = world.account(json!({"periodDays": 200})).await;
        // Nothing is left of it in the status if it needs a person from the first observation on.
        world.subscribe(name, &account, json!({"when": "Immediately", "approval": "Manual"}));
        match name {
            "unanswered" => hears.await.unwrap(),
            "answered" => until_seen(&receiver, name, "ApprovalNeeded/").await,
            _ => {
                let written = async || delivered(&world, name).pop();
                eventually("the status", written).await;
            }
        }
        first.kill().unwrap();
        kills += 1;
        receiver.now(Does::Accepts);
        let next = operator(stack, &format!("next-{step}"), &file).await;
        let written = async || delivered(&world, name).into_iter().find(|id| id.starts_with("ApprovalNeeded/"));
        eventually("the status", written).await;
        sleep(Duration::from_secs(2)).await; // what comes once more comes now
        let ids = receiver.ids(name);
        let different: BTreeSet<_> = ids.iter().collect();
        assert_eq!(different.len(), 1, "the id stays: {ids:?}");
        let repeats = usize::from(name != "written");
        assert!(ids.len() <= 1 + repeats, "{name}: {ids:?}");
        stop(next).await;
    }
    assert_eq!(kills, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_file_is_read_again_and_a_wrong_one_changes_nothing() {
    let (_alone, stack) = alone().await;
    let world = World::on(stack).await;
    let (old, new) = (Receiver::start().await, Receiver::start().await);
    let path = file(stack, "reread", &[("old", &old)]);
    let operator = operator(stack, "rereader", &path).await;
    let log = || fs::read_to_string(operator.log_path()).unwrap();
    let subscribe = async |name| {
        let account = world.account(json!({"periodDays": 200})).await;
        world.subscribe(name, &account, json!({"when": "Immediately", "approval": "Manual"}));
    };
    subscribe("first").await;
    until_seen(&old, "first", "ApprovalNeeded/").await;
    fs::write(&path, "receivers: [{name: old, slack: {urlFile: secrets}}]").unwrap();
    eventually("a complaint", async || log().contains("stay as they were").then_some(())).await;
    subscribe("second").await;
    until_seen(&old, "second", "ApprovalNeeded/").await;
    file(stack, "reread", &[("new", &new)]);
    eventually("the new file", async || log().contains("were read again").then_some(())).await;
    subscribe("third").await;
    until_seen(&new, "third", "ApprovalNeeded/").await;
    assert!(old.seen("third").is_empty(), "it is not in the file any more");
    stop(operator).await;
}

#[test]
fn an_operator_that_could_tell_nobody_does_not_start() {
    let dir = tempfile::tempdir().unwrap();
    let wrong = dir.path().join("notify.yaml");
    let receiver = "receivers: [{name: chat, slack: {url: https://hooks.example/SECRET}}]";
    fs::write(&wrong, format!("{receiver}\nroutes: [{{receivers: [chat]}}]\n")).unwrap();
    for (path, complaint) in
        [(wrong, "receiver `chat`, field `slack.urlFile`"), (dir.path().join("none"), "cannot be read")]
    {
        let mut payg = Command::new(env!("CARGO_BIN_EXE_payg"));
        payg.args(["notify", "test", "--notify-config"]).arg(&path);
        let output = payg.output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(told.contains(complaint) && !told.contains("SECRET"), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn receivers_can_be_tried() {
    let (good, bad) = (Receiver::start().await, Receiver::start().await);
    bad.now(Does::Answers(StatusCode::FORBIDDEN));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notify.yaml");
    let receivers: Vec<Value> = [("good", &good), ("bad", &bad)]
        .map(|(name, receiver)| json!({"name": name, "cloudEvents": {"url": receiver.url, "source": "/tests"}}))
        .to_vec();
    let config = json!({"receivers": receivers, "routes": [{"receivers": ["good"], "namespaces": ["team-a"]}]});
    fs::write(&path, config.to_string()).unwrap();
    let test = |arguments: &[&str]| {
        let mut payg = Command::new(env!("CARGO_BIN_EXE_payg"));
        payg.args(["notify", "test"]).args(arguments).env("NOTIFY_CONFIG", &path);
        let output = payg.output().unwrap();
        (output.status.success(), String::from_utf8(output.stdout).unwrap())
    };
    assert_eq!(test(&["--receiver", "good"]), (true, "good: accepted\n".to_owned()));
    let (success, told) = test(&[]);
    assert!(!success && told.starts_with("good: accepted\nbad: not accepted: ") && told.contains("403"), "{told}");
    let seen = good.seen("test");
    assert_eq!(seen[0]["data"]["occasion"], "Test");
    assert_ne!(seen[0]["id"], seen[1]["id"], "no receiver takes a second test for a repetition");
}
