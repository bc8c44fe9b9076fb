//! Texts from outside: what users and clouds write ends in statuses, Events, logs and terminals, and may say something else
//! there than it is.

use std::process::{Command, Output};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::people::{APPROVER, EDITOR, PAYG, User, VIEWER, stderr, stdout, user};
use payg_test_kit::payg_dev;
use payg_test_kit::world::{World, automatic, condition, message, provider, subscription};

/// Moves the cursor, ends the line and forges one, hides, turns around, and says the same by tags that nobody sees.
const FORGED: &str = "x\u{1b}[2J\u{9b}1A\r\n2026-01-01T00:00:00.000000Z  INFO forged\u{202e}\u{61c}\u{2028}\u{ad}\u{feff}\u{200b}\u{e0041}";

/// Whether a line of `text` has something in it that nobody sees.
fn hides(text: &str) -> bool {
    text.lines().any(|line| {
        line.chars().any(|c| {
            c.is_control()
                || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
                    | '\u{feff}' | '\u{e0000}'..='\u{e0fff}')
        })
    })
}

/// Every text in `value`.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(fields) => fields.values().flat_map(texts).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

fn assert_told_as_it_is(world: &World, name: &str) -> Value {
    let subscription = world.subscription(name);
    let status = &subscription["status"];
    assert!(texts(status).into_iter().all(|text| !text.contains('\n') && !hides(text)), "{status:#}");
    let size = status.to_string().len();
    assert!(size < 32 << 10, "the status has {size} bytes");
    for event in world.events(name) {
        assert!(!event.contains('\n') && !hides(&event) && event.len() < 1200, "{event:?}");
    }
    let log = World::operator_log();
    assert!(log.lines().all(|line| !line.starts_with("2026-01-01")), "a line is forged");
    assert!(!hides(&log), "something is hidden in the log");
    subscription
}

fn approval(subscription: &str, hash: &Value, approver: &str, reason: &str) -> Value {
    json!({"apiVersion": "payg-operator.io/v1alpha1", "kind": "UpgradeApproval", "metadata": {"name": "word"},
        "spec": {"subscriptionName": subscription, "transitionHash": hash, "decision": "Deny", "approver": approver, "reason": reason}})
}

/// Class: a user's name forges a line of the log. Source: CWE-117; CVE-2025-58160 (tracing-subscriber).
#[tokio::test(flavor = "multi_thread")]
async fn a_name_of_two_lines_forges_none_in_the_log() {
    let world = World::new().await;
    let name = "jane\n2026-01-01T00:00:00.000000Z  INFO forged: the upgrade was approved by the board";
    world.apply(
        &json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "odd"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "payg-approver"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": name}]}),
    );
    let account = world.account(json!({"periodDays": 3000})).await;
    world.subscribe("sandbox", &account, json!({"when": "Immediately", "approval": "Manual"}));
    let asked = world.until("sandbox", "AwaitingApproval").await;
    let denial = approval("sandbox", &asked["status"]["transition"]["hash"], name, "no\u{1b}[2J");
    world.eventually(30, async || world.create_as(name, &denial).ok()).await.expect("the Deny is created");
    world.until("sandbox", "UpgradeDenied").await;
    let denied = assert_told_as_it_is(&world, "sandbox");
    assert!(message(&denied).contains(r"jane\n2026-01-01"), "{}", message(&denied));
    assert!(World::operator_log().contains(r"jane\n2026-01-01"));
    assert_eq!(world.ledger(&account).await, Vec::<Value>::new());
}

/// Class: a cloud's answer fills status, Events and log, and forges a line. Source: CWE-117, CWE-770; CVE-2025-58160.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_answer_with_escapes_is_an_excerpt_everywhere() {
    let world = World::new().await;
    for (number, path) in
        ["state", "subscriptionPolicies.quotaId", "subscriptionPolicies.spendingLimit"].into_iter().enumerate()
    {
        let account = world.account(json!({"periodDays": 3000})).await;
        let value = format!("{FORGED}{}", "y".repeat(32 << 10));
        world.fault("subscription", &account, None, json!({"replaceField": {"path": path, "value": value}})).await;
        let name = format!("sandbox-{number}");
        world.subscribe(&name, &account, automatic("Immediately"));
        let told = async || (!condition(&world.subscription(&name), "Ready").is_null()).then_some(());
        world.eventually(60, told).await.expect("it is told");
        let told = assert_told_as_it_is(&world, &name);
        assert!(message(&told).contains(r"x\u{1b}[2J\u{9b}1A\r\n2026"), "{path}: {}", message(&told));
        assert_eq!(world.ledger(&account).await, Vec::<Value>::new(), "{path}");
    }
}

/// The name that the Event of these words had when names could be guessed.
fn guessed(object: &Value, reason: &str, text: &str) -> String {
    let mut hasher = Sha256::new();
    for part in [object["metadata"]["uid"].as_str().unwrap(), "Normal", reason, text] {
        hasher.update(part.len().to_be_bytes());
        hasher.update(part);
    }
    let hash = u64::from_be_bytes(hasher.finalize()[..8].try_into().unwrap());
    format!("{}.{hash:016x}", object["metadata"]["name"].as_str().unwrap())
}

/// Somebody with the built-in role `edit`, who may also write Events.
async fn eve(world: &World) -> User<'_> {
    const EDIT: (&str, &[&str]) = ("edit", &["create", "configmaps"]);
    let eve = user(world, &format!("eve-{}", world.number), &[EDIT, EDITOR]).await;
    world.apply(&json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "events"},
        "rules": [{"apiGroups": ["", "events.k8s.io"], "resources": ["events"], "verbs": ["get", "list", "create", "patch", "delete"]}]}));
    world.apply(&json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "events"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "events"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": format!("eve-{}", world.number)}]}));
    eve
}

fn suspend(world: &World, name: &str, suspended: bool) {
    let patch = json!({"spec": {"suspend": suspended}}).to_string();
    world.kubectl(&["patch", "subscriptions.payg-operator.io", name, "--type=merge", "-p", &patch]).unwrap();
}

/// Class: a name that can be guessed is taken first. Source: CWE-340 and CWE-386, <https://cwe.mitre.org/data/definitions/340.html>.
#[tokio::test(flavor = "multi_thread")]
async fn users_cannot_replace_events() {
    let world = World::new().await;
    let eve = eve(&world).await;
    let account = world.account(json!({"periodDays": 3000})).await;
    world.subscribe("sandbox", &account, automatic("BenefitsExhausted"));
    let object = world.until("sandbox", "WaitingForExhaustion").await;
    let mut other = subscription("other", &account, automatic("BenefitsExhausted"));
    other["spec"]["suspend"] = json!(true);
    world.apply(&other);
    let text = &message(&world.until("other", "Suspended").await);
    let squat = json!({"apiVersion": "events.k8s.io/v1", "kind": "Event",
        "metadata": {"name": guessed(&object, "Suspended", text)}, "eventTime": "2026-11-30T12:00:00.000000Z",
        "reportingController": "payg-operator.io/operator", "reportingInstance": "operator-0", "type": "Normal",
        "reason": "Fine", "action": "Decide", "note": "nothing to see here",
        "regarding": {"apiVersion": "payg-operator.io/v1alpha1", "kind": "Subscription", "name": "sandbox",
            "namespace": world.namespace, "uid": object["metadata"]["uid"]}});
    let kubeconfig = format!("--kubeconfig={}", eve.kubeconfig.display());
    let create = async || world.kubectl(&[&kubeconfig, "create", "-f", &world.file(&squat)]).ok();
    world.eventually(30, create).await.expect("eve may write Events");
    suspend(&world, "sandbox", true);
    world.until("sandbox", "Suspended").await;
    let said = format!("Suspended: {text}");
    let told = async || world.events("sandbox").contains(&said).then_some(());
    world.eventually(30, told).await.unwrap_or_else(|| panic!("{:#?}", world.events("sandbox")));
}

/// Class: an Event is made to say something else, and is counted on. Source: CWE-345 (what was stored is not verified).
#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_was_altered_is_said_again() {
    let world = World::new().await;
    let eve = eve(&world).await;
    let account = world.account(json!({"periodDays": 3000})).await;
    let mut suspended = subscription("sandbox", &account, automatic("BenefitsExhausted"));
    suspended["spec"]["suspend"] = json!(true);
    world.apply(&suspended);
    let names = || {
        let found = "jsonpath={range .items[?(@.reason==\"Suspended\")]}{.metadata.name}{\"\\n\"}{end}";
        let names = world.kubectl(&["get", "events.events.k8s.io", "-o", found]).unwrap();
        names.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let first = world.eventually(60, async || names().first().cloned()).await.expect("an Event");
    let kubeconfig = format!("--kubeconfig={}", eve.kubeconfig.display());
    // The older form of the API lets it be changed.
    let alter = ["patch", "events", &first, "--type=merge", "-p", r#"{"message": "nothing to see here"}"#];
    let altered = async || world.kubectl(&[&[kubeconfig.as_str()], alter.as_slice()].concat()).ok();
    world.eventually(30, altered).await.expect("eve may alter Events");
    suspend(&world, "sandbox", false);
    world.until("sandbox", "WaitingForExhaustion").await;
    suspend(&world, "sandbox", true);
    let said =
        async || world.events("sandbox").iter().any(|event| event.starts_with("Suspended: Suspended by")).then_some(());
    world.eventually(60, said).await.unwrap_or_else(|| panic!("{:#?}", world.events("sandbox")));
    assert_eq!(names().len(), 2, "the altered one was not counted on");
}

/// Class: text at a terminal says something else than it shows. Source: CVE-2021-42574 (Trojan Source); CVE-2024-52005 (Git,
/// escape sequences of a server); Unicode tags: UTS #55.
#[tokio::test(flavor = "multi_thread")]
async fn foreign_texts_are_escaped_at_the_terminal() {
    let world = World::new().await;
    let jane = format!("jane-{}", world.number);
    let person = user(&world, &jane, &[APPROVER, VIEWER]).await;
    let account = world.account(json!({"periodDays": 3000})).await;
    world.subscribe("sandbox", &account, json!({"when": "Immediately", "approval": "Manual"}));
    let asked = world.until("sandbox", "AwaitingApproval").await;
    let denial = approval("sandbox", &asked["status"]["transition"]["hash"], &jane, FORGED);
    world.create_as(&jane, &denial).unwrap();
    world.until("sandbox", "UpgradeDenied").await;
    let mut shown = 0;
    for arguments in [
        ["explain", "sandbox"].as_slice(),
        &["get"],
        &["get", "-o", "wide"],
        &["get", "-o", "json"],
        &["get", "-o", "yaml"],
        &["approve", "sandbox", "--reason", "x", "--yes"],
    ] {
        let told = person.payg(arguments);
        let text = stdout(&told) + &stderr(&told);
        assert!(!hides(&text) && !text.contains("\n2026-01-01"), "{arguments:?}: {text:?}");
        shown += usize::from(text.contains(r"\u{202e}\u{61c}\u{2028}\u{ad}\u{feff}\u{200b}\u{e0041}"));
    }
    assert!(shown > 0, "the reason is shown nowhere");
}

/// Class: a text of a cloud becomes a link or a picture in the summary of a pipeline. Source: CWE-116; GitHub,
/// <https://docs.github.com/actions/reference/security/secure-use>.
#[tokio::test(flavor = "multi_thread")]
async fn a_summary_has_no_marks_of_others() {
    let world = World::new().await;
    let account = world.account(json!({"periodDays": 3000})).await;
    let value = "![x](https://evil.example/?) | <img src=//evil.example> [approve](https://evil.example) `x` \\|";
    world.fault("subscription", &account, None, json!({"replaceField": {"path": "state", "value": value}})).await;
    let dir = world.stack.control_plane.dir().join(format!("{}-summary", world.namespace));
    std::fs::create_dir_all(&dir).unwrap();
    let manifests = [provider("azure", "Broker"), subscription("sandbox", &account, automatic("Immediately"))];
    for (number, manifest) in manifests.iter().enumerate() {
        std::fs::write(dir.join(format!("{number}.yaml")), manifest.to_string()).unwrap();
    }
    let mut command = Command::new(payg_dev());
    command.args(["plan", "-n", "team-a"]).args(world.stack.cloud_arguments()).arg("-f").arg(&dir);
    command.arg("--summary").arg(dir.join("summary.md")).env_clear().env("AZURE_CLIENT_SECRET", "s3cr3t-value");
    let output = command.output().unwrap();
    let summary = std::fs::read_to_string(dir.join("summary.md")).unwrap_or_else(|_| panic!("{}", stderr(&output)));
    assert!(summary.contains("evil.example"), "{summary}");
    let row = summary.lines().find(|line| line.starts_with("| team-a/sandbox")).unwrap();
    assert_eq!(row.matches('|').count(), 10, "{row}");
    for mark in ["![", "](", "<img", "[approve]", "`"] {
        assert!(!row.contains(mark), "{mark} is in {row}");
    }
}

fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(PAYG);
    command.args(arguments).env_clear().env("PATH", "/usr/bin:/bin").envs(environment.iter().copied()).output().unwrap()
}

/// Class: a variable hides why the process ends. Source: CWE-223 and CWE-778 (what matters is not logged).
#[test]
fn why_the_process_ends_is_told_whatever_is_logged() {
    for filter in ["", " ", "off", "payg_operator=off", "no filter=at all"] {
        for format in ["text", "json"] {
            let arguments =
                ["operator", "--log-format", format, "--namespace", "x", "--kubeconfig", "/nonexistent/kubeconfig"];
            let ended = run(&arguments, &[("RUST_LOG", filter)]);
            assert_eq!(ended.status.code(), Some(1));
            assert!(stderr(&ended).contains("/nonexistent/kubeconfig"), "RUST_LOG={filter:?}: {:?}", stderr(&ended));
        }
    }
}

/// Class: credentials that a plugin prints are repeated in an error. Source: CVE-2019-11250 (client-go logs credentials);
/// CWE-532.
#[test]
fn credential_plugin_output_is_not_repeated() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("kubeconfig");
    for script in ["echo $HIDDEN; echo no luck >&2; exit 3", "echo \"{status: $HIDDEN: {\"", "echo $HIDDEN"] {
        let exec = json!({"apiVersion": "client.authentication.k8s.io/v1", "command": "sh", "args": ["-c", script],
            "interactiveMode": "Never", "env": [{"name": "HIDDEN", "value": "s3cr3t-value"}]});
        let kubeconfig = json!({"apiVersion": "v1", "kind": "Config", "current-context": "x",
            "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
            "clusters": [{"name": "x", "cluster": {"server": "https://127.0.0.1:1"}}],
            "users": [{"name": "x", "user": {"exec": exec}}]});
        std::fs::write(&path, kubeconfig.to_string()).unwrap();
        let path = path.to_str().unwrap();
        for arguments in
            [["get", "--kubeconfig", path].as_slice(), &["operator", "--namespace", "x", "--kubeconfig", path]]
        {
            let told = run(arguments, &[("RUST_LOG", "trace")]);
            let text = stdout(&told) + &stderr(&told);
            assert!(!told.status.success() && text.contains("the kubeconfig"), "{text}");
            assert!(!text.contains("s3cr3t-value"), "{text}");
        }
    }
}
