//! Manifests: what `kubectl apply --dry-run=server` takes, `payg plan --offline` takes, and what it refuses, that refuses. The
//! reports are in `docs/develop/published-bugs.md`.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::thread;
use std::time::Instant;

use payg_test_kit::ControlPlane;
use serde_json::{Value, json};

use crate::{PAYG, control_plane, stderr};

/// Where the two are to differ, and why: docs/use/command-line.md has the reasons for people.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Expected {
    Same,
    /// kubectl takes it.
    OnlyKubectl(&'static str),
    /// payg takes it.
    OnlyPayg(&'static str),
}
use Expected::{OnlyKubectl, OnlyPayg, Same};

struct Case {
    bytes: Vec<u8>,
    expected: Expected,
}

const SUBSCRIPTION: &str = "apiVersion: payg-operator.io/v1alpha1
kind: Subscription
metadata:
  name: sandbox
spec:
  providerName: aws
  account: {aws: {accountId: \"123456789012\"}}
  offer: PayAsYouGo
  upgrade:
    when: BeforeExhaustion
    approval: Automatic
    beforeExhaustion: {timeLeftSeconds: 604800}
";
const PROVIDER: &str = "apiVersion: payg-operator.io/v1alpha1
kind: BillingProvider
metadata: {name: aws}
spec: {aws: {credentials: {secret: {name: aws-credentials}}}}
---
";

fn same(text: impl Into<Vec<u8>>) -> Case {
    Case { bytes: text.into(), expected: Same }
}

fn differs(text: String, expected: Expected) -> Case {
    Case { expected, ..same(text) }
}

/// The Subscription with `from` replaced by each of `values`.
fn each<'a>(from: &'a str, values: &'a [&'a str]) -> impl Iterator<Item = Case> + 'a {
    assert!(SUBSCRIPTION.contains(from), "{from}");
    values.iter().map(move |value| same(SUBSCRIPTION.replacen(from, value, 1)))
}

/// Whole numbers, as people and templates write them (helm#1707, helm#6431, helm#13254), and what is none.
fn numbers() -> Vec<Case> {
    let block = SUBSCRIPTION.replace("{timeLeftSeconds: 604800}\n", "\n      timeLeftSeconds: 604800\n");
    let of = |number: &str| same(block.replace("604800\n", &format!("{number}\n")));
    let mut cases: Vec<_> = NUMBERS.split(" | ").map(of).collect();
    // What is no number of JSON is a fault of the whole file to both.
    cases.extend(each("604800", &[".nan", "-.inf", "604800e"]));
    cases
}

/// What may stand where a whole number belongs.
const NUMBERS: &str = "2.592e+06 | 604800.0 | 6048e2 | 6048E2 | 6.048e5 | 0604800 | 0100000 | 0o2234200 | 0x93A80 | 0X93A80 | \
     0b11111111111111 | 604_800 | +604800 | -604800 | -0 | 0 | 1.5 | 604800.5 | '604800' | \"604800\" | yes | true | \
     null | ~ |  | [] | {} | [604800] | 1e30 | 1e-3 | 1e999 | 9223372036854775807 | 9223372036854775808 | \
     18446744073709551616 | !!int 604800 | !!int '604800' | !!float 604800 | !!str 604800 | !x 604800 | !!int x | \
     &a 604800 | 604800 # a week | 1:30 | 2026-11-30 | 7d | 604800s | .5 | 1. | 1_0.5 | 0x | 0b2 | -0x10 | 1e | e5 | \
     ++1 | --1 | |\n      604800 | >-\n      604800 | !!binary NjA0ODAw | *a | 08 | 09.0 | 007";

/// Values of labels and annotations.
const TEXTS: &str = "1234 | '1234' | true | yes | y | null |  | '' | jane@example.com | a b | -a | a- | a.b_c-D | ä | 1.5 | \
     2026-11-30 | {} | [] | [a] | 0x1F | . | _ | a/b | '*'";

/// Names of objects.
const NAMES: &str = "1234 | '1234' | true | Sandbox | a_b | -a | a- | a..b | null | '' | [a] | a b | ä | 1.5";

/// Keys of labels and annotations.
const KEYS: &str =
    "a | A | 1 | a/b | a.b/c | A.b/c | a_b/c | a/b/c | /a | a/ | -a | ä | 'a b' | true | null | payg-operator.io/x";

/// Fields of metadata.
const FIELDS: &str = "labels: [] | labels: x | labels: null | labels: {} | annotations: [] | annotations: null | namespace: default | \
     namespace: '' | namespace: null | namespace: Team_A | namespace: 123 | namespace: true | namespace: a.b | \
     finalizers: [] | finalizers: [example.com/x] | finalizers: [x] | finalizers: ['a b'] | finalizers: [1] | \
     finalizers: x | finalizers: null | ownerReferences: [] | ownerReferences: {} | ownerReferences: [x] | \
     ownerReferences: [{}] | unknown: x | Labels: {a: b} | creationTimestamp: null | \
     creationTimestamp: 2026-11-30T09:00:00Z | creationTimestamp: x | generation: 1 | generation: x | \
     generation: 1.0 | generation: 1.5 | uid: 6f1a | uid: 1 | selfLink: /x | selfLink: 1 | \
     deletionGracePeriodSeconds: 1 | deletionGracePeriodSeconds: x | managedFields: [] | managedFields: x | \
     managedFields: [x] | generateName: x- | generateName: 1 | clusterName: x | initializers: null | \
     deletionTimestamp: x | deletionTimestamp: null";

/// Owners, right and wrong.
fn owners() -> impl Iterator<Item = String> {
    let owner = "apiVersion: v1, kind: ConfigMap, name: x, uid: 6f1a";
    let controller = format!("{{{owner}, controller: true}}");
    let two = format!("{controller}, {}", controller.replace("6f1a", "7f1a"));
    let changes = [
        ("uid: 6f1a", "uid: 1"),
        (", uid: 6f1a", ""),
        ("name: x,", ""),
        ("kind: ConfigMap,", ""),
        ("apiVersion: v1,", ""),
        ("v1", "a/b/c"),
        ("v1", "apps/v1"),
        ("v1", "''"),
        ("uid: 6f1a", "uid: 6f1a, controller: true"),
        ("uid: 6f1a", "uid: 6f1a, controller: x"),
        ("uid: 6f1a", "uid: 6f1a, unknown: x"),
        ("name: x", "name: A_b"),
        ("kind: ConfigMap", "kind: 1"),
        ("uid: 6f1a", "uid: ''"),
        ("uid: 6f1a", "uid: 6f1a, blockOwnerDeletion: true"),
        ("6f1a", "7f1a"),
    ];
    let single = changes.into_iter().map(move |(from, to)| format!("{{{}}}", owner.replacen(from, to, 1)));
    single.chain([two])
}

/// Names, labels and annotations (cdk8s-core#1233, kubernetes#85143, kubernetes#57509).
fn metadata() -> Vec<Case> {
    let name = |name: String| same(SUBSCRIPTION.replace("name: sandbox", &format!("name: {name}")));
    let with = |more: String| same(SUBSCRIPTION.replace("  name: sandbox\n", &format!("  name: sandbox\n  {more}\n")));
    let long = |length: usize| "x".repeat(length);
    let mut cases: Vec<_> = NAMES.split(" | ").map(|text| name(text.to_owned())).collect();
    cases.extend([63, 64, 253, 254].map(|length| name(long(length))));
    cases.extend(TEXTS.split(" | ").map(|text| with(format!("labels: {{owner: {text}}}"))));
    cases.extend(TEXTS.split(" | ").map(|text| with(format!("annotations: {{owner: {text}}}"))));
    cases.extend([63, 64].map(|length| with(format!("labels: {{owner: {}}}", long(length)))));
    cases.extend(KEYS.split(" | ").map(|key| with(format!("labels: {{{key}: x}}"))));
    cases.extend(KEYS.split(" | ").map(|key| with(format!("annotations: {{{key}: x}}"))));
    cases.extend([63, 64].map(|length| with(format!("labels: {{{}: x}}", long(length)))));
    cases.extend([253, 254].map(|length| with(format!("labels: {{{}/a: x}}", long(length)))));
    cases.extend(FIELDS.split(" | ").map(|line| with(line.to_owned())));
    cases.extend(owners().map(|owners| with(format!("ownerReferences: [{owners}]"))));
    let large = |size: usize| with(format!("annotations: {{a: {}}}", long(size)));
    // kubectl keeps a copy of all in an annotation of its own, so half of it is too large for kubectl.
    cases.extend([large(100 << 10), large(256 << 10)]);
    cases.push(with("resourceVersion: '1'".to_owned()));
    cases.push(with("resourceVersion: 1".to_owned()));
    cases.push(same(SUBSCRIPTION.replace("metadata:\n  name: sandbox\n", "")));
    cases.push(same(SUBSCRIPTION.replace("metadata:\n  name: sandbox\n", "metadata: x\n")));
    let generated = SUBSCRIPTION.replace("name: sandbox", "generateName: sandbox-");
    cases.push(differs(generated, OnlyPayg("`kubectl create` takes it, `kubectl apply` does not")));
    cases
}

/// Each field of each kind, as something else, gone, or with another one beside it.
fn fields() -> Vec<Case> {
    let read = |text: &str| payg_yaml::documents(text).remove(0).value.unwrap();
    let approval = json!({"apiVersion": "payg-operator.io/v1alpha1", "kind": "UpgradeApproval", "metadata": {"name": "word"},
        "spec": {"subscriptionName": "sandbox", "transitionHash": "0b6e5a4c8f0d3a1e9c7b2d4f6a8e0c1b", "decision": "Approve",
            "approver": "jane", "reason": "why not", "expireTime": "2099-01-01T00:00:00Z"}});
    let azure = json!({"apiVersion": "payg-operator.io/v1alpha1", "kind": "BillingProvider", "metadata": {"name": "azure"},
        "spec": {"azure": {"cloud": "Public", "tenantId": "72f988bf-0000-4a00-9000-0000000000aa", "upgradeMethod": "Broker",
            "credentials": {"secret": {"name": "x", "clientId": "0e5f1c1e-0000-4a00-9000-0000000000cc"}}}}});
    let mut trial = read(SUBSCRIPTION);
    trial["spec"]["trial"] =
        json!({"startTime": "2026-11-01T00:00:00Z", "credit": {"amount": "200.00", "currency": "USD"}});
    let mut cases = vec![same(approval.to_string()), same(azure.to_string()), same(trial.to_string())];
    let values = json!([null, 1, 1.5, "x", "", true, [], {}, ["x"], {"x": 1}]);
    for object in [&approval, &azure, &trial] {
        for path in paths(&object["spec"], "/spec") {
            for value in values.as_array().unwrap() {
                let mut changed = object.clone();
                *changed.pointer_mut(&path).unwrap() = value.clone();
                let is_list_for_time = path.ends_with("/startTime") && value.is_array();
                cases.push(if is_list_for_time {
                    differs(changed.to_string(), OnlyKubectl("the API server takes a list where a time belongs"))
                } else {
                    same(changed.to_string())
                });
            }
            let (parent, name) = path.rsplit_once('/').unwrap();
            let mut without = object.clone();
            without.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name);
            cases.push(same(without.to_string()));
            let mut more = object.clone();
            more.pointer_mut(parent).unwrap()[format!("{name}s")] = json!("x");
            cases.push(same(more.to_string()));
        }
    }
    cases
}

fn paths(value: &Value, path: &str) -> Vec<String> {
    let fields = value.as_object().into_iter().flatten();
    fields
        .flat_map(|(name, inner)| {
            let path = format!("{path}/{name}");
            [vec![path.clone()], paths(inner, &path)].concat()
        })
        .collect()
}

/// Documents: separators, streams (kustomize and jq), lists (kpt#1392, k0s#1370, istio#1394, kubernetes#5840) and encodings
/// (kubernetes#39007, flux2#1126).
fn documents() -> Vec<Case> {
    let wrong = SUBSCRIPTION.replace("PayAsYouGo", "Paid");
    let object = |text: &str| payg_yaml::documents(text).remove(0).value.unwrap();
    let (right_json, wrong_json) = (object(SUBSCRIPTION).to_string(), object(&wrong).to_string());
    let another = |number: u32| right_json.replace("sandbox", &format!("another-{number}"));
    let list =
        |kind: &str, items: &str| format!("{{\"apiVersion\": \"v1\", \"kind\": \"{kind}\", \"items\": [{items}]}}");
    let typed = |items: &str| list("SubscriptionList", items).replace("\"v1\"", "\"payg-operator.io/v1alpha1\"");
    let bare = right_json
        .replace("\"apiVersion\":\"payg-operator.io/v1alpha1\",", "")
        .replace("\"kind\":\"Subscription\",", "");
    let pretty = serde_json::to_string_pretty(&object(SUBSCRIPTION)).unwrap();
    let utf16 = |mark: u16, unit: fn(u16) -> [u8; 2], text: &str| -> Vec<u8> {
        std::iter::once(mark).chain(text.encode_utf16()).flat_map(unit).collect()
    };
    let config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n";
    let mut cases = Vec::new();
    for (right, text) in [(true, SUBSCRIPTION), (false, wrong.as_str())] {
        let json = if right { &right_json } else { &wrong_json };
        for text in [
            text.to_owned(),
            text.replace('\n', "\r\n"),
            format!("\u{feff}{text}"),
            format!("---\n{text}"),
            format!("{text}---\n"),
            format!("{text}...\n"),
            format!("# a comment\n---\n# another\n{text}"),
            format!("{config}---\n{text}"),
            format!("{config}--- # then\n{text}"),
            format!("{config}---   \n{text}"),
            format!("---\n---\n\n---\n{text}---\n---\n"),
            format!("{text}\n\n\n"),
            json.clone(),
            pretty.replace("PayAsYouGo", if right { "PayAsYouGo" } else { "Paid" }),
            format!("{}{json}", another(1)),
            format!("{}\n{json}\n", another(1)),
            format!("{}\n{}\n{json}\n", another(1), another(2)),
            format!("{}\n---\n{json}\n", another(1)),
            format!("{}\n---\n{text}", another(1)),
            format!("{text}---\n{}\n", another(1)),
            format!(" \n\t{json}"),
            list("List", json),
            list("List", &format!("{}, {json}", another(1))),
            typed(json),
            typed(&if right { bare.clone() } else { bare.replace("PayAsYouGo", "Paid") }),
            typed(&format!("{json}, {}", another(1))),
        ] {
            cases.push(same(text));
        }
        cases.push(same(utf16(0xFEFF, u16::to_le_bytes, text)));
        cases.push(same(utf16(0xFEFF, u16::to_be_bytes, text)));
        cases.push(same(utf16(0xFEFF, u16::to_le_bytes, json)));
    }
    cases.push(same([b"# f\xFCr alle\n".as_slice(), SUBSCRIPTION.as_bytes()].concat()));
    let nested = list("List", &list("List", &right_json));
    cases.push(differs(nested, OnlyPayg("kubectl does not look into a list in a list")));
    cases.extend([list("List", "1"), list("List", "")].map(same));
    cases.extend(texts());
    cases.extend(odd());
    cases
}

/// Other texts, most of them about one thing.
fn texts() -> Vec<Case> {
    let config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n";
    let account = |id: &str| SUBSCRIPTION.replace("\"123456789012\"", id);
    let provider = |line: &str| SUBSCRIPTION.replace("providerName: aws", line);
    let beside =
        |line: &str| SUBSCRIPTION.replace("  offer: PayAsYouGo\n", &format!("  offer: PayAsYouGo\n  {line}\n"));
    let approval = |lines: &str| SUBSCRIPTION.replace("    approval: Automatic\n", lines);
    let texts = [
        String::new(),
        "\n\n".to_owned(),
        "# nothing\n".to_owned(),
        "---\n".to_owned(),
        config.to_owned(),
        format!("{SUBSCRIPTION}---\n\"a\n"),
        format!("{SUBSCRIPTION}--- {{a: b}}\n"),
        format!("----\n{SUBSCRIPTION}"),
        format!("%YAML 1.2\n---\n{SUBSCRIPTION}"),
        SUBSCRIPTION.replace("spec:", "spec: &spec"),
        SUBSCRIPTION.replace("spec:", "spec: &spec\n  x: *spec"),
        SUBSCRIPTION.replace("  upgrade:", "\tupgrade:"),
        SUBSCRIPTION.replace("  providerName: aws", "  providerName: aws: x"),
        provider("providerName: @aws"),
        provider("providerName: `aws`"),
        provider("providerName: 'aws'"),
        provider("\"providerName\": \"aws\""),
        provider("providerName: \"a\\x77s\""),
        provider("providerName: \"a\\qs\""),
        provider("? providerName\n  : aws"),
        provider("providerName: >-\n    aws"),
        provider("providerName: |\n    aws"),
        provider("providerName:\n    aws"),
        provider("providerName:aws"),
        account("123456789012"),
        account("\"012345678901\""),
        account("012345678901"),
        SUBSCRIPTION.replace("{aws: {accountId: \"123456789012\"}}", "{aws: {\"accountId\":\"123456789012\"}}"),
        account("\"123456789012\","),
        beside("suspend: no"),
        beside("suspend: off"),
        beside("suspend: 'no'"),
        beside("suspend: 0"),
        beside("on: true"),
        SUBSCRIPTION.replace("spec:", "status: {}\nspec:"),
        SUBSCRIPTION.replace("spec:", "status: {unknown: x}\nspec:"),
        SUBSCRIPTION.replace("spec:", "data: x\nspec:"),
        SUBSCRIPTION.replace("kind: Subscription", "kind: Subscriptions"),
        SUBSCRIPTION.replace("kind: Subscription", "kind: subscription"),
        SUBSCRIPTION.replace("kind: Subscription\n", ""),
        SUBSCRIPTION.replace("v1alpha1", "v1"),
        SUBSCRIPTION.replace("payg-operator.io/v1alpha1", "payg-operator.io/"),
        format!("common: &common {{approval: Automatic}}\n{SUBSCRIPTION}"),
        approval("    <<: {approval: Automatic}\n"),
        approval("    <<: [{approval: Automatic}, {approval: Sometimes}]\n"),
        approval("    <<: {approval: Sometimes}\n    approval: Automatic\n"),
        approval("    approval: Automatic\n    <<: {approval: Sometimes}\n"),
        approval("    <<: x\n"),
        "- a\n- b\n".to_owned(),
        "just text\n".to_owned(),
        "\"text\"\n".to_owned(),
        "apiVersion: {{ .Values.version }}\n".to_owned(),
    ];
    texts.map(same).into()
}

/// Where the two differ.
fn odd() -> Vec<Case> {
    const AFTER: &str = "what stands after the end of a document is left out by kubectl without a word";
    const TWICE: &str = "a key that is there twice is a mistake, of which kubectl takes the last one";
    const FOREIGN: &str = "what is not of payg-operator.io is left alone";
    let foreign = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {a: 1}\n";
    [
        (
            SUBSCRIPTION.replace("  offer: PayAsYouGo\n", "  offer: PayAsYouGo\n  offer: PayAsYouGo\n"),
            OnlyKubectl(TWICE),
        ),
        (format!("{SUBSCRIPTION}...\nkind: ConfigMap\n"), OnlyKubectl(AFTER)),
        (foreign.to_owned(), OnlyPayg(FOREIGN)),
        ("replicas: 3\n".to_owned(), OnlyPayg(FOREIGN)),
        (SUBSCRIPTION.replace("payg-operator.io/v1alpha1", "payg-operator.com/v1alpha1"), OnlyPayg(FOREIGN)),
        (SUBSCRIPTION.replace("apiVersion: payg-operator.io/v1alpha1\n", ""), OnlyPayg(FOREIGN)),
        (SUBSCRIPTION.replace("apiVersion: payg-operator.io/v1alpha1", "apiVersion: 1"), OnlyPayg(FOREIGN)),
    ]
    .map(|(text, expected)| differs(text, expected))
    .into()
}

/// What a Secret may have.
const SECRETS: &str = "stringData: {accessKeyId: AKIA} | stringData: {accessKeyId: 98765432101234} | \
     stringData: {accessKeyId: '98765432101234'} | stringData: {accessKeyId: true} | \
     stringData: {accessKeyId: null} | stringData: {accessKeyId: [a]} | stringData: [a] | stringData: x | \
     stringData: null | data: {accessKeyId: QUtJQQ==} | data: {accessKeyId: QUtJQQ} | data: {accessKeyId: AKIA!} | \
     data: {accessKeyId: 1234} | data: {accessKeyId: null} | data: {accessKeyId: \"QUtJ\\nQQ==\"} | data: x | \
     data: {'a b': QQ==} | data: {a/b: QQ==} | data: {.a: QQ==} | data: {..a: QQ==} | type: Opaque | type: 1 | \
     immutable: true | immutable: x | unknown: x | metadata2: x | data: {'': QQ==} | stringData: {a: 1.5} | \
     stringData: {a: 2026-11-30} | stringData: {a: 0x1F} | data: {a: ''}";

/// Secrets that a BillingProvider names (postgres-operator#1113, opf/helm-charts#102), and one that SOPS has encrypted
/// (kubeconform#98).
fn secrets() -> Vec<Case> {
    let head = "apiVersion: v1\nkind: Secret\nmetadata: {name: aws-credentials}\n";
    let of = |rest: &str| same(format!("{PROVIDER}{head}{rest}\n"));
    let mut cases: Vec<_> = SECRETS.split(" | ").map(of).collect();
    cases.push(same(format!(
        "{PROVIDER}{}",
        head.replace("name: aws-credentials", "name: aws-credentials, labels: {a: 1}")
    )));
    // A namespace of a manifest of ours.
    let namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: default, labels: {cost: LABEL}}\n---\n";
    cases.extend(["a", "'1'", "1", "a b"].map(|label| same(namespace.replace("LABEL", label) + SUBSCRIPTION)));
    let sops = "stringData: {accessKeyId: \"ENC[AES256_GCM,data:x]\"}\nsops: {version: 3.9.0}";
    cases.push(differs(
        format!("{PROVIDER}{head}{sops}\n"),
        OnlyPayg("an encrypted Secret is decrypted before it is applied"),
    ));
    cases
}

fn apply(control_plane: &ControlPlane, files: &[&PathBuf]) -> Output {
    let mut command = Command::new(control_plane.kubectl());
    command.arg("--kubeconfig").arg(control_plane.admin_kubeconfig()).args(["apply", "--dry-run=server"]);
    command.args(files.iter().map(|file| format!("--filename={}", file.display()))).output().unwrap()
}

/// Which of the files kubectl refuses. One run is about all: it goes on after an error, and names the file of each. Those of
/// `alone` are asked for by themselves, as it does not name the file of every error.
fn refused_by_kubectl(control_plane: &ControlPlane, files: &[PathBuf], alone: &[bool]) -> Vec<bool> {
    let together: Vec<_> = files.iter().zip(alone).filter(|(_, alone)| !**alone).map(|(file, _)| file).collect();
    let told = stderr(&apply(control_plane, &together));
    // Where it retrieves or patches, the file is on another line.
    let elsewhere = ["error when retrieving", "error when applying patch"];
    let is_placed = |line: &&str| line.contains("/case-") || elsewhere.iter().any(|beginning| line.contains(beginning));
    let errors = told.lines().filter(|line| line.to_lowercase().starts_with("error"));
    let unplaced: Vec<_> = errors.filter(|line| !is_placed(line)).collect();
    assert!(unplaced.is_empty(), "of which file are these? {unplaced:#?}");
    let refused = |(file, alone): (&PathBuf, &bool)| match alone {
        true => !apply(control_plane, &[file]).status.success(),
        false => told.contains(file.to_str().unwrap()),
    };
    files.iter().zip(alone).map(refused).collect()
}

/// What `payg plan` has against each of the files, some at once. That all have one object is nothing against any.
fn problems(files: &[PathBuf]) -> Vec<String> {
    let mut command = Command::new(PAYG);
    command.args(["plan", "--offline"]).args(files.iter().map(|file| format!("--filename={}", file.display())));
    let told = stderr(&command.env_clear().output().unwrap());
    let counts = |line: &&str| !line.starts_with("warning: ") && !line.contains(" is defined twice; ");
    let lines: Vec<_> = told.lines().filter(counts).collect();
    let about = |file: &PathBuf| {
        let lines: Vec<_> = lines.iter().filter(|line| line.contains(file.to_str().unwrap())).copied().collect();
        lines.join("\n")
    };
    files.iter().map(about).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn payg_takes_what_kubectl_takes() {
    let control_plane = control_plane().await;
    let cases: Vec<_> = [numbers(), metadata(), fields(), documents(), secrets()].into_iter().flatten().collect();
    assert!(cases.len() > 300, "only {}", cases.len());
    let dir = tempfile::tempdir().unwrap();
    let files: Vec<_> = (0..cases.len()).map(|number| dir.path().join(format!("case-{number:04}.yaml"))).collect();
    for (file, case) in files.iter().zip(&cases) {
        fs::write(file, &case.bytes).unwrap();
    }
    let alone: Vec<_> = cases.iter().map(|case| case.expected != Same).collect();
    let began = Instant::now();
    let (refused, problems) = thread::scope(|scope| {
        let kubectl = scope.spawn(|| refused_by_kubectl(control_plane, &files, &alone));
        let problems: Vec<_> = files.chunks(50).flat_map(problems).collect();
        (kubectl.join().unwrap(), problems)
    });
    println!("{} manifests in {:?}", cases.len(), began.elapsed());
    let mut wrong = Vec::new();
    for (((case, refused), problem), file) in cases.iter().zip(&refused).zip(&problems).zip(&files) {
        let right = match case.expected {
            Same => *refused != problem.is_empty(),
            OnlyKubectl(_) => !refused && !problem.is_empty(),
            OnlyPayg(_) => *refused && problem.is_empty(),
        };
        if !right {
            let (input, alone) = (String::from_utf8_lossy(&case.bytes), apply(control_plane, &[file]));
            wrong.push(format!(
                "{input}\n{:?}, refused by kubectl: {refused}; alone: {alone:?}; payg: {problem}",
                case.expected
            ));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n------\n"));
    let count = |is: bool| refused.iter().filter(|refused| **refused == is).count();
    assert!(count(true) > 100 && count(false) > 100, "{} are refused, {} taken", count(true), count(false));
}
