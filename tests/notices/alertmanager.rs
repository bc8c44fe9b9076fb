use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use jiff::Timestamp;
use payg_notify::{Notice, Severity};
use serde_json::Value;
use tokio::process::Child;
use tokio::time::sleep;

use crate::programs::{DIRECTORY, Server, spawn};
use crate::{config, notice, send};

/// The real one, and its amtool.
struct Alertmanager {
    _process: Child,
    _dir: tempfile::TempDir,
    url: String,
}

impl Alertmanager {
    /// Starts one that forwards alerts to `webhook` at once.
    async fn start(webhook: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("alertmanager.yml");
        let routes = "{receiver: nobody, routes: [{receiver: team-a, matchers: ['contacts=~\".*,team-a,.*\"'], \
                      group_by: ['...'], group_wait: 1s, group_interval: 1s}]}";
        let receivers = format!(
            "[{{name: nobody}}, {{name: team-a, webhook_configs: [{{url: \"{webhook}\", send_resolved: true}}]}}]"
        );
        std::fs::write(&file, format!("route: {routes}\nreceivers: {receivers}\n")).unwrap();
        // Free for a moment; nobody else takes it before Alertmanager does.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let flag = |name: &str, value: &str| format!("--{name}={value}");
        let storage = dir.path().join("data");
        let arguments = [
            flag("config.file", file.to_str().unwrap()),
            flag("storage.path", storage.to_str().unwrap()),
            flag("web.listen-address", &format!("127.0.0.1:{port}")),
            flag("cluster.listen-address", ""),
            flag("log.level", "error"),
        ];
        let process = spawn(&DIRECTORY.join("alertmanager"), &arguments.each_ref().map(String::as_str));
        let started = Self { _process: process, _dir: dir, url: format!("http://127.0.0.1:{port}") };
        for _ in 0..300 {
            if started.try_amtool(&["alert", "query"]).is_ok() {
                return started;
            }
            sleep(Duration::from_millis(100)).await;
        }
        panic!("Alertmanager does not answer");
    }

    fn try_amtool(&self, arguments: &[&str]) -> Result<Value, String> {
        let mut amtool = Command::new(DIRECTORY.join("amtool"));
        let output =
            amtool.args(["--alertmanager.url", &self.url, "--output", "json"]).args(arguments).output().unwrap();
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        Ok(serde_json::from_slice(&output.stdout).unwrap())
    }

    /// The alerts that fire and match.
    fn firing(&self, matchers: &[&str]) -> Vec<Value> {
        let alerts = self.try_amtool(&[&["alert", "query"], matchers].concat()).unwrap();
        alerts.as_array().unwrap().clone()
    }

    fn config(&self) -> payg_notify::Config {
        config(&format!("alertmanager: {{url: \"{}\"}}", self.url))
    }
}

#[tokio::test]
async fn alertmanager_shows_what_holds_routes_it_to_the_team_and_resolves_it() {
    let mut webhook = Server::start("webhook.py", &[]).await;
    let alertmanager = Alertmanager::start(&format!("http://127.0.0.1:{}", webhook.port)).await;
    let config = alertmanager.config();
    let begun = notice();
    for _ in 0..2 {
        send(&config, &begun).await.unwrap(); // the second time it is the same alert
    }
    let firing = alertmanager.firing(&[
        "alertname=PaygEndAhead",
        "namespace=team-a",
        "subscription=sandbox",
        "severity=warning",
    ]);
    assert_eq!(firing.len(), 1, "{firing:?}");
    assert_eq!(firing[0]["labels"]["notice"], "0d3c/EndAhead/7");
    assert_eq!(firing[0]["generatorURL"], "https://payg.example/team-a/sandbox");
    let annotations = &firing[0]["annotations"];
    assert_eq!(annotations["command"], "payg approve sandbox -n team-a");
    assert!(!annotations.to_string().contains(['<', '@']), "{annotations}");
    let until: Timestamp = firing[0]["endsAt"].as_str().unwrap().parse().unwrap();
    assert!(until.duration_since(Timestamp::now()).as_hours() >= 25, "it holds until it is sent again, once a day");

    let paged = webhook.taken().await;
    assert_eq!((&paged["status"], &paged["receiver"]), (&"firing".into(), &"team-a".into()));

    send(&config, &Notice { ends: Some(Timestamp::now()), ..begun }).await.unwrap();
    let resolved = webhook.taken().await;
    assert_eq!(resolved["status"], "resolved");
    assert_eq!(alertmanager.firing(&[]).len(), 0);
}

#[tokio::test]
async fn alertmanager_tells_notices_apart() {
    let alertmanager = Alertmanager::start("http://127.0.0.1:1").await;
    let config = alertmanager.config();
    let other = Notice { id: "0d3c/EndAhead/3".to_owned(), severity: Severity::Critical, ..notice() };
    for notice in [notice(), other] {
        send(&config, &notice).await.unwrap();
    }
    assert_eq!((alertmanager.firing(&[]).len(), alertmanager.firing(&["severity=critical"]).len()), (2, 1));
}
