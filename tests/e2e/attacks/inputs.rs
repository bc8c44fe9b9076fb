//! What users and clouds send: redirects, odd amounts, dates, bombs.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use payg_test_kit::world::{World, automatic, condition, message, provider, subscription};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{APPROVALS, Asking, HOUR, SUBSCRIPTIONS, assert_refused, assert_untouched, still_is};
use crate::approvals::word;
use crate::aws::{Account, OBSERVE};
use crate::hooks::{TOKEN, hooked};
use crate::people::{APPROVER, EDITOR, user};

const UPGRADE: &str = "freetier:UpgradeAccountPlan";

/// Somebody else's server, to which nobody should come.
struct Elsewhere(TcpListener);

impl Elsewhere {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    fn url(&self) -> String {
        format!("https://{}/", self.0.local_addr().unwrap())
    }

    fn assert_nobody_came(&self) {
        assert!(self.0.accept().is_err(), "somebody came to {}", self.url());
    }
}

/// Class: server-side request forgery. Source: CWE-918 and CVE-2022-27774 (credentials sent along with a redirect),
/// <https://curl.se/docs/CVE-2022-27774.html>.
#[tokio::test(flavor = "multi_thread")]
async fn a_look_is_not_led_elsewhere() {
    let (world, elsewhere) = (World::new().await, Elsewhere::new());
    let account = world.account(json!({})).await;
    world.fault("subscription", &account, None, json!({"redirect": {"to": elsewhere.url()}})).await;
    world.subscribe("sandbox", &account, automatic("Immediately"));
    world.until("sandbox", "Pending").await;
    sleep(Duration::from_secs(3)).await;
    elsewhere.assert_nobody_came();
    assert_untouched(&world, &account).await;
}

/// Class: theft of a token by redirect. Source: CWE-601 and CVE-2022-27774, <https://curl.se/docs/CVE-2022-27774.html>.
#[tokio::test(flavor = "multi_thread")]
async fn the_request_for_the_upgrade_is_not_led_elsewhere() {
    let (world, elsewhere) = (World::new().await, Elsewhere::new());
    let account = world.account(json!({})).await;
    world.fault("upgrade", &account, None, json!({"redirect": {"to": elsewhere.url()}})).await;
    world.subscribe("sandbox", &account, automatic("Immediately"));
    world.until("sandbox", "VerifyingUpgrade").await;
    sleep(Duration::from_secs(3)).await;
    elsewhere.assert_nobody_came();
    assert_eq!(world.ledger(&account).await, Vec::<Value>::new());
    assert_eq!(world.records(&account)[0]["status"]["attempts"][0]["outcome"], "Unknown");
}

/// Class: server-side request forgery by a page's link. Source: CWE-918, <https://cwe.mitre.org/data/definitions/918.html>.
#[tokio::test(flavor = "multi_thread")]
async fn the_next_page_of_a_list_is_not_elsewhere() {
    let (world, elsewhere) = (World::new().await, Elsewhere::new());
    let account = world.account(json!({"periodDays": 3000})).await;
    let leads = json!({"replaceField": {"path": "nextLink", "value": elsewhere.url()}});
    for operation in ["subscriptionList", "billingAccountList", "lots"] {
        let fault = json!({"operation": operation, "account": null, "count": 3, "kind": leads});
        world.stack.simulator.post("faults", &fault).await.unwrap();
    }
    world.subscribe("sandbox", &account, automatic("BenefitsExhausted"));
    world.touch("azure");
    sleep(Duration::from_secs(8)).await;
    elsewhere.assert_nobody_came();
    assert_untouched(&world, &account).await;
}

/// An account on AWS with credit left, of which the plan says something odd in `field`.
async fn odd_on_aws(world: &World, name: &'static str, field: &str, value: Value) -> String {
    let all = [&OBSERVE[..], &[UPGRADE]].concat();
    let account = Account::new(world, name, json!({"credit": {"amount": "100", "currency": "USD"}}), &all).await;
    let kind = json!({"replaceField": {"path": field, "value": value}});
    world.fault("getAccountPlanState", &account.id, None, kind).await;
    account.subscribe(json!({"when": "BeforeExhaustion", "approval": "Automatic",
        "beforeExhaustion": {"creditBelow": {"amount": "5.00", "currency": "USD"}, "timeLeftSeconds": 86_400}}));
    account.id.clone()
}

/// That none of `accounts` is upgraded while there is time for several observations.
async fn assert_none_is_upgraded(world: &World, accounts: &[String]) {
    for account in accounts {
        let looked = async || (world.requests(account).await.len() >= 4).then_some(());
        world.eventually(60, looked).await.expect("looks");
    }
    sleep(Duration::from_secs(8)).await;
    for account in accounts {
        assert_untouched(world, account).await;
    }
}

/// Class: numbers out of range. Source: CWE-1284 (improper validation of a quantity), and RFC 8259 section 6 on what JSON's numbers
/// are to different readers, <https://www.rfc-editor.org/rfc/rfc8259#section-6>.
#[tokio::test(flavor = "multi_thread")]
async fn an_amount_that_is_none_is_not_little() {
    let world = World::new().await;
    let mut accounts = Vec::new();
    for (name, value) in [
        ("text", json!("NaN")),
        ("infinite", json!("Infinity")),
        ("huge", json!(1e300)),
        ("negative", json!(-5)),
        ("object", json!({"value": 0})),
        ("list", json!([0])),
        ("truth", json!(false)),
        ("long", json!("0".repeat(400))),
    ] {
        accounts.push(odd_on_aws(&world, name, "accountPlanRemainingCredits.amount", value).await);
    }
    assert_none_is_upgraded(&world, &accounts).await;
}

/// Class: dates out of range. Source: CWE-190 (integer overflow), <https://cwe.mitre.org/data/definitions/190.html>.
#[tokio::test(flavor = "multi_thread")]
async fn a_date_that_is_none_has_not_passed() {
    let world = World::new().await;
    let mut accounts = Vec::new();
    for (name, value) in [
        ("year-0", json!(-62_167_219_201_i64)),
        ("year-10000", json!(253_402_300_800_i64)),
        ("overflow", json!(1e300)),
        ("text", json!("yesterday")),
        ("february", json!("2026-02-30T00:00:00Z")),
        ("object", json!({"seconds": 1})),
    ] {
        accounts.push(odd_on_aws(&world, name, "accountPlanExpirationDate", value).await);
    }
    assert_none_is_upgraded(&world, &accounts).await;
}

/// Class: dates out of range. Source: CWE-20, and RFC 3339, which knows leap seconds and no year 10000,
/// <https://www.rfc-editor.org/rfc/rfc3339>.
#[tokio::test(flavor = "multi_thread")]
async fn an_approve_has_an_end_that_can_be_told() {
    let asking = Asking::new().await;
    let jane = user(&asking.world, "jane", &[APPROVER]).await;
    for end in
        ["-0001-01-01T00:00:00Z", "10000-01-01T00:00:00Z", "2026-02-31T00:00:00Z", "never", "", "2026-13-01T00:00:00Z"]
    {
        let mut odd = asking.word("odd", "Approve", "jane");
        odd["spec"]["expireTime"] = json!(end);
        assert_refused(jane.create(&odd), "expireTime");
    }
    let mut endless = asking.word("endless", "Approve", "jane");
    endless["spec"].as_object_mut().unwrap().remove("expireTime");
    assert_refused(jane.create(&endless), "`expireTime` must be given");
    let mut over = asking.word("over", "Approve", "jane");
    over["spec"]["expireTime"] = json!("2020-01-01T00:00:00Z");
    jane.create(&over).unwrap();
    asking.assert_still_asks().await;
}

/// Class: a text that stops a controller. Source: CVE-2026-40886 (a tenant's object that keeps a controller from working),
/// <https://nvd.nist.gov/vuln/detail/CVE-2026-40886>.
#[tokio::test(flavor = "multi_thread")]
async fn an_odd_request_for_a_look_is_cut_and_hurts_nobody() {
    let world = World::new().await;
    let ed = user(&world, "ed", &[EDITOR]).await;
    let account = world.account(json!({"periodDays": 3000})).await;
    ed.create(&subscription("sandbox", &account, automatic("BenefitsExhausted"))).unwrap();
    world.until("sandbox", "WaitingForExhaustion").await;
    for reconcile_request in
        [String::new(), "\u{1b}[31mred\u{7}".to_owned(), "\u{1f4b8}".repeat(2000), "x".repeat(32_000)]
    {
        let annotated = json!({"metadata": {"annotations": {"payg-operator.io/requested-at": reconcile_request}}});
        // Too long for a command line.
        let file = world.stack.control_plane.dir().join(format!("{}-patch.json", world.namespace));
        std::fs::write(&file, annotated.to_string()).unwrap();
        let file = format!("--patch-file={}", file.display());
        ed.kubectl(&["patch", SUBSCRIPTIONS, "sandbox", "--type=merge", &file]).unwrap();
        still_is(&world, "sandbox", "WaitingForExhaustion").await;
        let handled = world.subscription("sandbox")["status"]["lastHandledReconcileAt"].clone();
        assert!(handled.as_str().unwrap_or_default().chars().count() <= 128, "{handled}");
    }
    assert!(!World::operator_log().contains("panicked"));
    assert_untouched(&world, &account).await;
}

/// Class: flood of Events and reads. Source: CWE-770 (allocation without limits) and Kubernetes' `EventRateLimit`,
/// <https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#eventratelimit>.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_changes_is_no_flood_of_events() {
    let world = World::new().await;
    let ed = user(&world, "ed", &[EDITOR]).await;
    let account = world.account(json!({"periodDays": 3000})).await;
    ed.create(&subscription("sandbox", &account, automatic("BenefitsExhausted"))).unwrap();
    world.until("sandbox", "WaitingForExhaustion").await;
    for number in 0..80 {
        let change = format!(r#"{{"metadata":{{"annotations":{{"payg-operator.io/requested-at":"{number}"}}}}}}"#);
        ed.kubectl(&["patch", SUBSCRIPTIONS, "sandbox", "--type=merge", "-p", &change]).unwrap();
    }
    sleep(Duration::from_secs(2)).await;
    let events = world.events("sandbox");
    assert!(events.len() <= 3, "{events:#?}");
    assert_untouched(&world, &account).await;
}

/// Class: credentials of another namespace. Source: CVE-2022-24877 (Flux: a tenant's path leads out of what is its own), <https://github.com/fluxcd/flux2/security/advisories/GHSA-j77r-2fxf-5jrw>.
#[tokio::test(flavor = "multi_thread")]
async fn a_billing_provider_names_nothing_outside_its_namespace() {
    let (owner, world) = (World::new().await, World::new().await);
    let mallory = user(&world, "mallory", &[EDITOR]).await;
    let there = &owner.namespace;
    let with = |change: &dyn Fn(&mut Value)| {
        let mut provider = provider("reaches", "Broker");
        change(&mut provider["spec"]["azure"]);
        provider
    };
    for name in [
        format!("{there}/azure-credentials"),
        format!("../{there}/azure-credentials"),
        format!("{there}%2fazure-credentials"),
    ] {
        let reaches = with(&|azure| azure["credentials"]["secret"]["name"] = json!(name));
        assert_refused(mallory.create(&reaches), "spec.azure.credentials.secret.name");
    }
    for tenant in ["common/../72f988bf", "72f988bf-0000-4a00-9000-0000000000aa/oauth2", "https://elsewhere.example"] {
        let reaches = with(&|azure| azure["tenantId"] = json!(tenant));
        assert_refused(mallory.create(&reaches), "spec.azure.tenantId");
    }
    let both = with(&|azure| azure["credentials"]["managedIdentity"] = json!({}));
    assert_refused(mallory.create(&both), "exactly one");
    let strict = world.file(&with(&|azure| azure["credentials"]["secret"]["namespace"] = json!(there)));
    assert_refused(mallory.kubectl(&["create", "--validate=strict", "-f", &strict]), "unknown field");
    let strict = world.file(&with(&|azure| azure["endpoint"] = json!("https://elsewhere.example")));
    assert_refused(mallory.kubectl(&["create", "--validate=strict", "-f", &strict]), "unknown field");
}

/// Class: an oracle for other people's Secrets. Source: CWE-203 (observable discrepancy),
/// <https://cwe.mitre.org/data/definitions/203.html>.
#[tokio::test(flavor = "multi_thread")]
async fn whether_a_secret_is_there_is_told_to_nobody_who_may_not_lend_it() {
    let world = World::new().await;
    let ed = user(&world, "ed", &[EDITOR]).await;
    let there = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hidden"}, "stringData": {"clientSecret": "x"}});
    world.apply(&there);
    let mut told = Vec::new();
    for name in ["hidden", "absent"] {
        let account = world.account(json!({})).await;
        let mut reconcile_request = provider(name, "Broker");
        reconcile_request["spec"]["azure"]["credentials"]["secret"]["name"] = json!(name);
        ed.create(&reconcile_request).unwrap();
        let mut subscription = subscription(name, &account, automatic("Immediately"));
        subscription["spec"]["providerName"] = json!(name);
        ed.create(&subscription).unwrap();
        told.push(message(&world.until(name, "ProviderNotReady").await).replace(name, "NAME"));
        assert_untouched(&world, &account).await;
    }
    assert_eq!(told[0], told[1]);
}

/// Class: credentials of the machine. Source: "Instance metadata" in OWASP's list of targets,
/// <https://cheatsheetseries.owasp.org/cheatsheets/Server_Side_Request_Forgery_Prevention_Cheat_Sheet.html>.
#[tokio::test(flavor = "multi_thread")]
async fn the_machine_identity_is_refused_to_other_namespaces() {
    let world = World::new().await;
    let mallory = user(&world, "mallory", &[EDITOR]).await;
    let account = world.account(json!({})).await;
    let mut azure = provider("machine", "Broker");
    azure["spec"]["azure"]["credentials"] = json!({"managedIdentity": {}});
    mallory.create(&azure).unwrap();
    let aws = json!({"apiVersion": "payg-operator.io/v1alpha1", "kind": "BillingProvider", "metadata": {"name": "pod"},
        "spec": {"aws": {"roleArn": "arn:aws:iam::123456789012:role/payg-operator", "credentials": {"podIdentity": {}}}}});
    mallory.create(&aws).unwrap();
    let mut wish = subscription("sandbox", &account, automatic("Immediately"));
    wish["spec"]["providerName"] = json!("machine");
    mallory.create(&wish).unwrap();
    let told = world.until("sandbox", "ProviderNotReady").await;
    assert!(message(&told).contains("--ambient-identity-namespaces"), "{}", message(&told));
    let pod = async || {
        let pod = world.get("billingproviders.payg-operator.io", "pod");
        message(&pod).contains("--ambient-identity-namespaces").then_some(())
    };
    world.eventually(60, pod).await.expect("the pod's identity is refused");
    assert_untouched(&world, &account).await;
}

/// A delivery by an account's owner, with this query and these tokens in the header.
async fn delivered(query: &str, bearers: &[&str], body: &str) -> StatusCode {
    let url = format!("{}/azure{query}", hooked().await.address());
    let mut request = Client::new().request(Method::POST, url).body(body.to_owned());
    for bearer in bearers {
        request = request.header("Authorization", format!("Bearer {bearer}"));
    }
    request.send().await.unwrap().status()
}

/// Class: authentication bypass. Source: CWE-287, and CWE-235 (a parameter that is there twice),
/// <https://cwe.mitre.org/data/definitions/235.html>.
#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_takes_one_right_token_and_nothing_else() {
    let body = "{}";
    for (query, bearers) in [
        ("", &[][..]),
        ("?token=", &[]),
        ("?token=wrong", &[]),
        ("", &[""][..]),
        ("", &["wrong"]),
        ("?token=wrong", &["wrong"]),
        ("?token=a-token-that-nobody-guesse", &[]),
        ("?token=a-token-that-nobody-guesses%00", &[]),
        ("?Token=a-token-that-nobody-guesses", &[]),
        ("?token=a-token-that-nobody-guesses", &["wrong"]),
    ] {
        assert_eq!(delivered(query, bearers, body).await, StatusCode::UNAUTHORIZED, "{query} {bearers:?}");
    }
    // With it, what is sent is observed.
    assert_eq!(delivered(&format!("?token={TOKEN}"), &[], body).await, StatusCode::BAD_REQUEST);
}

/// Class: a bomb of JSON. Source: RUSTSEC-2024-0012 (recursion without end in a parser of JSON),
/// <https://rustsec.org/advisories/RUSTSEC-2024-0012.html>.
#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_digests_no_bomb() {
    let query = format!("?token={TOKEN}");
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    let objects = r#"{"a":"#.repeat(20_000) + "1" + &"}".repeat(20_000);
    for (body, status) in [
        (deep, StatusCode::BAD_REQUEST),
        (objects, StatusCode::BAD_REQUEST),
        ("x".repeat(257 << 10), StatusCode::PAYLOAD_TOO_LARGE),
        ("\0".to_owned(), StatusCode::BAD_REQUEST),
        ("{\"a\":1e999999}".to_owned(), StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(delivered(&query, &[], &body).await, status, "{body:.40}");
    }
    assert_eq!(delivered(&query, &[], "{}").await, StatusCode::BAD_REQUEST, "it goes on");
}

/// The status line that the operator's webhooks answer `request` with; empty if they close the connection.
fn raw(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = [0; 4096];
    let length = stream.read(&mut answer).unwrap_or_default();
    String::from_utf8_lossy(&answer[..length]).lines().next().unwrap_or_default().to_owned()
}

/// Class: request smuggling. Source: CVE-2021-32714 and CVE-2021-32715 (lengths that hyper took), and RFC 9112 section 11.2,
/// <https://rustsec.org/advisories/RUSTSEC-2021-0078.html>.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_of_two_lengths_is_no_request() {
    let address = hooked().await.address().trim_start_matches("http://").trim_end_matches("/hooks").to_owned();
    let head = format!("POST /hooks/azure?token={TOKEN} HTTP/1.1\r\nHost: x\r\n");
    for rest in [
        "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        "Content-Length: +2\r\n\r\n{}",
        "Content-Length: 2\r\nTransfer-Encoding: xchunked\r\n\r\n{}",
        "Content-Length : 2\r\n\r\n{}",
        "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n{}\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked, identity\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        "X-Folded: a\r\n b\r\nContent-Length: 2\r\n\r\n{}",
    ] {
        let answer = raw(&address, &(head.clone() + rest));
        let is_refused = answer.is_empty() || answer.contains(" 400 ") || answer.contains(" 408 ");
        assert!(is_refused, "{rest:?}: {answer}");
    }
}

/// Class: more rights than are needed. Source: "Kubernetes Privilege Escalation: Excessive Permissions in Popular Platforms", Palo
/// Alto Networks 2022, and CVE-2024-45041, <https://nvd.nist.gov/vuln/detail/CVE-2024-45041>.
#[tokio::test(flavor = "multi_thread")]
async fn the_operators_token_does_not_grant_the_cluster() {
    let world = World::new().await;
    let operator = world.stack.operator_kubeconfig().await.unwrap();
    let operator = format!("--kubeconfig={}", operator.display());
    let can = |verb: &str, resource: &str| {
        let told = world.kubectl(&[&operator, "auth", "can-i", verb, resource]);
        told.is_ok_and(|told| told.trim() == "yes")
    };
    for (verb, resource) in [
        ("get", "secrets"),
        ("list", "secrets"),
        ("create", "pods"),
        ("create", "pods/exec"),
        ("impersonate", "users"),
        ("impersonate", "serviceaccounts"),
        ("bind", "clusterroles"),
        ("escalate", "clusterroles"),
        ("create", "rolebindings"),
        ("create", "serviceaccounts/token"),
        ("approve", SUBSCRIPTIONS),
        ("patch", SUBSCRIPTIONS),
        ("delete", SUBSCRIPTIONS),
        ("create", APPROVALS),
        ("delete", APPROVALS),
        ("delete", "upgraderecords.payg-operator.io"),
        ("update", "validatingadmissionpolicies"),
        ("patch", "namespaces"),
    ] {
        assert!(!can(verb, resource), "the operator may {verb} {resource}");
    }
    assert!(can("get", SUBSCRIPTIONS), "it is the operator's token");
}

/// Class: a bomb of objects beside a Deny. Source: CWE-400, and the paging of lists in Kubernetes,
/// <https://kubernetes.io/docs/reference/using-api/api-concepts/#retrieving-large-results-sets-in-chunks>.
#[tokio::test(flavor = "multi_thread")]
async fn a_deny_is_found_among_many_words() {
    let world = World::new().await;
    let jane = user(&world, "jane", &[APPROVER]).await;
    let account = world.account(json!({})).await;
    let hash = json!("0".repeat(16));
    let mut many: Vec<_> =
        (0..700).map(|number| word(&format!("go-{number}"), "Approve", "sandbox", &hash, HOUR)).collect();
    many.push(word("zz-stop", "Deny", "sandbox", &hash, HOUR));
    let list = world.file(&json!({"apiVersion": "v1", "kind": "List", "metadata": {"name": "many"}, "items": many}));
    jane.kubectl(&["create", "-f", &list]).unwrap();
    world.subscribe("sandbox", &account, automatic("Immediately"));
    let told = world.until("sandbox", "UpgradeDenied").await;
    let message = condition(&told, "Ready")["message"].as_str().unwrap().to_owned();
    assert!(message.contains("jane denied the upgrade (UpgradeApproval zz-stop)"), "{message}");
    still_is(&world, "sandbox", "UpgradeDenied").await;
    assert_untouched(&world, &account).await;
}
