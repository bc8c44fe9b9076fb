use super::*;
use crate::fixtures::notice;
use crate::notice::{Occasion, Severity};

const FILE: &str = "
thresholdDays: [7, 30, 7]
mailDomains: [Example.com]
receivers:
- name: alertmanager
  alertmanager: {url: http://alertmanager.monitoring:9093}
- name: events
  cloudEvents: {url: https://broker.example/team-a, mode: Binary, source: /clusters/prod, tokenFile: /secrets/token}
- name: flux
  flux: {url: http://notification-controller.flux-system, involvedObject: {kind: Kustomization, namespace: flux-system, name: accounts}}
- name: slack
  slack: {urlFile: /secrets/slack}
- name: teams
  teams: {urlFile: /secrets/teams, caFile: /etc/ca.pem}
- name: mail
  smtp: {host: smtp.example.com, username: payg, passwordFile: /secrets/smtp, from: payg@example.com, contacts: true}
routes:
- receivers: [alertmanager]
- receivers: [slack, mail]
  namespaces: [team-a, team-b]
  labels: {cost-center: \"42\"}
  severity: warning
  occasions: [EndAhead, Restricted]
- receivers: [slack]
  namespaces: [team-a]
";

fn problem(text: &str) -> String {
    Config::parse(text).unwrap_err().to_string()
}

fn routes(config: &Config, notice: &Notice) -> Vec<String> {
    config.routes(notice).into_iter().map(ToString::to_string).collect()
}

#[test]
fn thresholds_are_in_order_and_have_a_default() {
    let config = Config::parse(FILE).unwrap();
    assert_eq!(config.thresholds(), [30, 7]);
    let config = Config::parse(&FILE.replace("thresholdDays: [7, 30, 7]", "")).unwrap();
    assert_eq!(config.thresholds(), [30, 14, 7, 3, 1]);
}

#[test]
fn a_notice_goes_to_each_receiver_of_every_route_that_matches_once() {
    let config = Config::parse(FILE).unwrap();
    assert_eq!(routes(&config, &notice()), ["alertmanager", "slack", "mail"]);
    for other in [
        Notice { labels: [("cost-center".to_owned(), "43".to_owned())].into(), ..notice() },
        Notice { labels: [].into(), ..notice() },
        Notice { severity: Severity::Info, ..notice() },
        Notice { occasion: Occasion::Converted, ..notice() },
        Notice { contacts: Vec::new(), ..notice() },
    ] {
        assert_eq!(routes(&config, &other), ["alertmanager", "slack"], "{other:?}");
    }
    assert_eq!(routes(&config, &Notice { namespace: "team-c".to_owned(), ..notice() }), ["alertmanager"]);
    assert_eq!(
        routes(&config, &Notice { severity: Severity::Critical, ..notice() }),
        ["alertmanager", "slack", "mail"]
    );
}

#[test]
fn mail_goes_to_contacts_in_allowed_domains_only() {
    let config = Config::parse(FILE).unwrap();
    for (contacts, told) in [
        ("jane@example.com", true),
        ("jane@EXAMPLE.COM", true),
        ("jane@sub.example.com", false),
        ("x@evil.example", false),
        ("example.com", false),
    ] {
        let contacts = crate::Contact::parse_list(contacts).unwrap();
        let mailed = routes(&config, &Notice { contacts: contacts.clone(), ..notice() }).contains(&"mail".to_owned());
        assert_eq!(mailed, told, "{contacts:?}");
    }
}

#[test]
fn each_receiver_says_how_it_wants_to_be_told() {
    let config = Config::parse(FILE).unwrap();
    let of = |name: &str| config.delivery(&ReceiverName::parse(name).unwrap());
    assert_eq!(of("alertmanager"), Some(Delivery::State));
    assert_eq!(of("events"), Some(Delivery::Event));
    assert!(["flux", "slack", "teams", "mail"].into_iter().all(|name| of(name) == Some(Delivery::Message)));
    assert_eq!((of("nobody"), config.receivers().len()), (None, 6));
}

/// What is changed in the file, into what, and what the error begins with.
const WRONG: &[(&str, &str, &str)] = &[
    (
        "{urlFile: /secrets/slack}",
        "{urlFile: /secrets/slack, chanel: x}",
        "receiver `slack`, field `slack.chanel`: is unknown; known are urlFile, tokenFile, caFile, insecure",
    ),
    (
        "{urlFile: /secrets/slack}",
        "{url: \"https://hooks.slack.com/T0/s3cr3t\"}",
        "receiver `slack`, field `slack.urlFile`: is missing",
    ),
    (
        "{urlFile: /secrets/slack}",
        "{urlFile: \"https://hooks.slack.com/T0/s3cr3t\"}",
        "receiver `slack`, field `slack.urlFile`: must be the absolute path of a file",
    ),
    (
        "url: http://alertmanager.monitoring:9093",
        "url: \"http://u:s3cr3t@host\"",
        "receiver `alertmanager`, field `alertmanager.url`: must be http",
    ),
    (
        "url: http://alertmanager.monitoring:9093",
        "url: \"http://host/?token=s3cr3t\"",
        "receiver `alertmanager`, field `alertmanager.url`: must be http",
    ),
    (
        "url: http://alertmanager.monitoring:9093",
        "url: ftp://host",
        "receiver `alertmanager`, field `alertmanager.url`: must be http",
    ),
    (
        "url: http://alertmanager.monitoring:9093",
        "url: http://host, tokenFile: /t",
        "receiver `alertmanager`, field `alertmanager.tokenFile`: would be sent without TLS",
    ),
    (
        "url: http://alertmanager.monitoring:9093",
        "url: http://host, urlFile: /t",
        "receiver `alertmanager`, field `alertmanager.url`: must not be there beside `urlFile`",
    ),
    ("mode: Binary", "mode: batched", "receiver `events`, field `cloudEvents.mode`: must be Structured or Binary"),
    ("source: /clusters/prod, ", "", "receiver `events`, field `cloudEvents.source`: is missing"),
    (
        "kind: Kustomization",
        "kind: Subscription",
        "receiver `flux`, field `flux.involvedObject.kind`: must be Kustomization or HelmRelease",
    ),
    ("name: accounts", "title: accounts", "receiver `flux`, field `flux.involvedObject.name`: is missing"),
    (
        "host: smtp.example.com",
        "host: smtp.example.com, password: s3cr3t",
        "receiver `mail`, field `smtp.password`: is unknown",
    ),
    (
        "host: smtp.example.com",
        "host: smtp.example.com, port: s3cr3t",
        "receiver `mail`, field `smtp.port`: must be a number from 1 to 65535",
    ),
    (
        "host: smtp.example.com",
        "host: smtp.example.com, tls: None",
        "receiver `mail`, field `smtp.tls`: must not be None",
    ),
    ("passwordFile: /secrets/smtp, ", "", "receiver `mail`, field `smtp.passwordFile`: is missing beside `username`"),
    ("username: payg, ", "", "receiver `mail`, field `smtp.username`: is missing beside `passwordFile`"),
    (
        "from: payg@example.com",
        "from: \"payg <payg@example.com>\"",
        "receiver `mail`, field `smtp.from`: must be a mail address",
    ),
    (", contacts: true", "", "receiver `mail`, field `smtp.to`: is missing, and so is `contacts: true`"),
    ("mailDomains: [Example.com]", "", "receiver `mail`, field `smtp.contacts`: needs the domains"),
    (
        "mailDomains: [Example.com]",
        "mailDomains: [\"*.example.com\"]",
        "field `mailDomains`: must be a list of domains",
    ),
    (
        "thresholdDays: [7, 30, 7]",
        "thresholdDays: [0]",
        "field `thresholdDays`: must be a list of numbers from 1 to 365",
    ),
    (
        "thresholdDays: [7, 30, 7]",
        "thresholdDays: [1,2,3,4,5,6,7,8,9,10,11]",
        "field `thresholdDays`: has more than 10 numbers",
    ),
    ("thresholdDays: [7, 30, 7]", "threshold: 7", "field `threshold`: is unknown"),
    ("name: teams", "name: slack", "receiver `slack`: is there twice"),
    ("name: teams", "name: Teams!", "receiver 5, field `name`: must be 1 to 63"),
    (
        "- name: teams\n  teams:",
        "- name: teams\n  pager:",
        "receiver `teams`, field `name`: must have exactly one of alertmanager",
    ),
    (
        "slack: {urlFile: /secrets/slack}",
        "slack: {urlFile: /secrets/slack}\n  teams: {urlFile: /x}",
        "receiver `slack`, field `name`: must have exactly one of",
    ),
    (
        "receivers: [slack]",
        "receivers: [pager]",
        "route 3, field `receivers`: there is no receiver `pager` in the file",
    ),
    ("receivers: [slack]\n", "receivers: []\n", "route 3, field `receivers`: must be a list"),
    ("- receivers: [alertmanager]", "- severity: info", "route 1, field `receivers`: is missing"),
    ("severity: warning", "severity: high", "route 2, field `severity`: must be info, warning or critical"),
    (
        "[EndAhead, Restricted]",
        "[EndAhead, Ended]",
        "route 2, field `occasions`: must be a list of some of EndAhead, EndSooner",
    ),
    (
        "namespaces: [team-a, team-b]",
        "namespaces:",
        "route 2, field `namespaces`: is empty: give it a value, or leave it out",
    ),
    ("\"42\"", "42", "route 2, field `labels`: must be a map of texts"),
    ("routes:", "routes: x\nroutes:", "line 18, column 1: is a key that is there twice"),
];

#[test]
fn an_error_names_the_receiver_and_the_field() {
    for (from, to, says) in WRONG {
        assert!(FILE.contains(from), "{from}");
        let problem = problem(&FILE.replacen(from, to, 1));
        assert!(problem.starts_with(says), "{problem}\nand not {says}");
        assert!(!problem.contains("s3cr3t"), "{problem}");
    }
}

#[test]
fn a_file_without_receivers_or_routes_is_refused() {
    assert_eq!(problem(""), "the file: is empty");
    assert_eq!(problem("[]"), "the file: must be a map of fields");
    assert_eq!(problem("a: {}\n---\nb: {}"), "the file: has more than one document: remove the `---`");
    assert!(problem("{}").starts_with("field `receivers`: is missing"));
    assert!(problem(FILE.split("routes:").next().unwrap()).starts_with("field `routes`: is missing"));
}

#[test]
fn mail_without_tls_is_for_this_machine_or_a_network_that_is_trusted() {
    let tls = |host: &str, more: &str| {
        let to = format!("host: {host}, tls: None{more}");
        Config::parse(&FILE.replace("host: smtp.example.com", &to)).is_ok()
    };
    assert!(tls("127.0.0.1", "") && tls("\"::1\"", "") && tls("localhost", "") && tls("mail", ", insecure: true"));
    assert!(!tls("10.0.0.1", "") && !tls("localhost.evil.example", ""));
}
