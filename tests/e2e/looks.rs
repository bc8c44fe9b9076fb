//! `payg get` and `payg explain`, and both as a plugin of kubectl.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use payg_test_kit::world::{World, automatic};
use serde_json::{Value, json};

use crate::people::{PAYG, User, VIEWER, stderr, stdout, user};

/// One that waits for its credit to be spent, and one that a person must approve.
async fn two(world: &World) -> (String, String) {
    let waiting = json!({"agreement": "MCA", "credit": {"amount": "200", "currency": "USD"}, "periodDays": 3000});
    let (waiting, asking) = (world.account(waiting).await, world.account(json!({})).await);
    world.subscribe("waits", &waiting, automatic("BenefitsExhausted"));
    world.subscribe("asks", &asking, json!({"when": "Immediately", "approval": "Manual"}));
    world.until("waits", "WaitingForExhaustion").await;
    world.until("asks", "AwaitingApproval").await;
    (waiting, asking)
}

fn told(user: &User, arguments: &[&str]) -> String {
    let output = user.payg(arguments);
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), String::new()), "{}", stdout(&output));
    stdout(&output)
}

/// The line about the Subscription called `name`.
fn line<'a>(table: &'a str, name: &str) -> &'a str {
    table.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name} is not in {table}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn subscriptions_are_listed_as_the_portal_lists_accounts() {
    let world = World::new().await;
    let (_, asking) = two(&world).await;
    let victor = user(&world, "victor", &[VIEWER]).await;

    let table = told(&victor, &["get"]);
    for part in ["FreeTrial", "WaitingForExhaustion", "200 USD"] {
        assert!(line(&table, "waits").contains(part), "{table}");
    }
    assert!(line(&table, "asks").ends_with("Upgrade now"), "{table}");
    assert!(!line(&table, "waits").contains("Upgrade now"), "{table}");
    assert!(!table.contains('\u{1b}'), "no colours where there is no terminal: {table}");
    let wide = told(&victor, &["get", "asks", "-o", "wide"]);
    assert!(line(&wide, "asks").contains(&asking) && wide.lines().count() == 2, "{wide}");
    assert_eq!(told(&victor, &["get", "-o", "name"]).lines().count(), 2);

    let list: Value = serde_json::from_str(&told(&victor, &["get", "-o", "json"])).unwrap();
    assert_eq!((&list["kind"], list["items"].as_array().unwrap().len()), (&json!("List"), 2));
    assert!(told(&victor, &["get", "-o", "yaml"]).contains("kind: Subscription"));

    let absent = victor.payg(&["get", "nobody"]);
    assert!(stderr(&absent).contains("there is no Subscription `nobody`"), "{}", stderr(&absent));
    let admin = world.stack.control_plane.admin_kubeconfig();
    let everywhere = Command::new(PAYG).args(["get", "-A"]).env("KUBECONFIG", admin).output().unwrap();
    let table = stdout(&everywhere);
    assert!(table.starts_with("NAMESPACE"), "{table}");
    let is_ours = |line: &str| line.split_whitespace().take(2).eq([world.namespace.as_str(), "waits"]);
    assert!(table.lines().any(is_ours), "{table}");
    let everywhere = Command::new(PAYG).args(["get", "-A"]).env("KUBECONFIG", &victor.kubeconfig).output().unwrap();
    assert_eq!(everywhere.status.code(), Some(1));
    assert!(stderr(&everywhere).contains("ClusterRole payg-viewer"), "{}", stderr(&everywhere));
}

#[tokio::test(flavor = "multi_thread")]
async fn get_watch_prints_changes() {
    let world = World::new().await;
    let account = world.account(json!({"periodDays": 3000})).await;
    let victor = user(&world, "victor", &[VIEWER]).await;
    let mut command = Command::new(PAYG);
    command.args(["get", "--watch", "--namespace", &world.namespace]).env("KUBECONFIG", &victor.kubeconfig);
    let mut watching = command.stdout(Stdio::piped()).spawn().unwrap();
    world.subscribe("sandbox", &account, automatic("Never"));
    let mut lines = BufReader::new(watching.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.next().unwrap().starts_with("NAME"));
    let seen = lines.find(|line| line.contains("Observing"));
    watching.kill().unwrap();
    watching.wait().unwrap();
    assert!(seen.unwrap().starts_with("sandbox"));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_explained_why_an_account_is_not_upgraded() {
    let world = World::new().await;
    let (waiting, _) = two(&world).await;
    let victor = user(&world, "victor", &[VIEWER]).await;

    let text = told(&victor, &["explain", "waits"]);
    assert!(
        text.starts_with(&format!("Subscription waits in namespace {}: azure {waiting}\n", world.namespace)),
        "{text}"
    );
    for part in [
        "WaitingForExhaustion: ",
        " 2 ✓ BillingProvider is ready\n       BillingProvider azure: CredentialsAccepted",
        "16 ✗ Trigger is met\n       when: BenefitsExhausted",
        "Credit: Active, 200",
        "17 · Approved\n",
        // Records are of the whole cluster, and not for this user.
        "its UpgradeRecord: you may not read it",
    ] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
    let absent = victor.payg(&["explain", "nobody"]);
    assert_eq!((absent.status.code(), stdout(&absent)), (Some(1), String::new()));
    assert!(stderr(&absent).contains("there is no Subscription `nobody`"), "{}", stderr(&absent));
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_runs_and_completes_it() {
    let world = World::new().await;
    two(&world).await;
    let dir = world.stack.control_plane.dir().join(format!("{}-plugin", world.namespace));
    std::fs::create_dir_all(&dir).unwrap();
    std::os::unix::fs::symlink(PAYG, dir.join("kubectl-payg")).unwrap();
    let completer = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/kubectl/kubectl_complete-payg");
    std::os::unix::fs::symlink(completer, dir.join("kubectl_complete-payg")).unwrap();
    let path = format!("{}:{}", dir.display(), std::env::var("PATH").unwrap());
    let kubectl = |arguments: &[&str]| {
        let mut command = Command::new(world.stack.control_plane.kubectl());
        command.args(arguments).env("PATH", &path).env("KUBECONFIG", world.stack.control_plane.admin_kubeconfig());
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        stdout(&output)
    };
    let table = kubectl(&["payg", "get", "-n", &world.namespace]);
    assert!(line(&table, "waits").contains("WaitingForExhaustion"), "{table}");
    let offered = kubectl(&["__complete", "payg", "ex"]);
    assert!(offered.starts_with("explain\t"), "{offered}");
}
