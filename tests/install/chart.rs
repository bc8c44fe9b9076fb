//! The chart by itself: its values, and what comes of them.

use std::collections::BTreeSet;
use std::process::Command;

use payg_test_kit::tools::{IMAGE, file, objects, only, run, template, tool};
use serde_json::{Value, json};

/// Every value of `operator`, and what it must become.
const FLAGS: [(&str, &str); 12] = [
    ("operator.listen=[::]:9090", "--listen=[::]:9090"),
    ("operator.probesListen=[::]:9092", "--probes-listen=[::]:9092"),
    ("operator.workers=1000", "--workers=1000"),
    ("operator.dryRun=true", "--dry-run"),
    ("operator.maxUpgradesPerHour=4294967295", "--max-upgrades-per-hour=4294967295"),
    ("operator.ambientIdentityNamespaces={platform,payments}", "--ambient-identity-namespaces=platform,payments"),
    ("operator.azureBrokerUrl=https://broker.example", "--azure-broker-url=https://broker.example"),
    ("operator.azureBrokerScope=api://broker/.default", "--azure-broker-scope=api://broker/.default"),
    ("operator.azureArmEndpoint=https://arm.example", "--azure-arm-endpoint=https://arm.example"),
    ("operator.azureAuthorityHost=https://login.example", "--azure-authority-host=https://login.example"),
    ("operator.azureImdsEndpoint=https://imds.example", "--azure-imds-endpoint=https://imds.example"),
    ("operator.awsEndpoint=https://aws.example", "--aws-endpoint=https://aws.example"),
];
/// By values elsewhere.
const LOG: (&str, &str) = ("operator.logFormat=text", "--log-format=text");
const ANCHOR: (&str, &str) = ("trustAnchor.configMapName=anchors", "--trust-anchor=/etc/payg-operator/trust/ca.crt");
const HOOKS: [(&str, &str); 2] = [
    ("hooks.listen=[::]:9091", "--hooks-listen=[::]:9091"),
    ("hooks.secretName=hooks", "--hooks-token-file=/etc/payg-operator/hooks/token"),
];
/// What no argument sets: the pod has no kubeconfig, its namespace and name come from Kubernetes, and the receivers of notices
/// from a variable, which `/payg notify test` in the pod has, too.
const ELSEWHERE: [&str; 4] = ["--kubeconfig", "--namespace", "--notify-config", "--pod-name"];

fn container(values: &[&str]) -> Value {
    let rendered = objects(&template(&[&[IMAGE], values].concat()).unwrap());
    only(&rendered, "Deployment")["spec"]["template"]["spec"]["containers"][0].clone()
}

fn args(container: &Value) -> Vec<String> {
    container["args"].as_array().unwrap().iter().map(|arg| arg.as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_flag_is_a_value_and_the_program_takes_it() {
    let (values, flags): (Vec<_>, Vec<_>) = FLAGS.into_iter().chain([LOG, ANCHOR]).chain(HOOKS).unzip();
    let container = container(&values);
    let rendered = args(&container);
    let wanted: BTreeSet<_> = flags.into_iter().chain(["operator"]).map(str::to_owned).collect();
    assert_eq!(rendered.iter().cloned().collect::<BTreeSet<_>>(), wanted);
    let ports: Vec<_> = container["ports"].as_array().unwrap().iter().map(|port| &port["containerPort"]).collect();
    assert_eq!(ports, [9090, 9092, 9091]);

    // All that `--help` lists, but for what is set elsewhere.
    let payg = env!("CARGO_BIN_EXE_payg");
    let help = Command::new(payg).args(["operator", "--help"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let listed = help.lines().filter_map(|line| line.trim().trim_start_matches("-h, ").split([' ', '=']).next());
    let listed: BTreeSet<_> = listed.filter(|word| word.starts_with("--") && *word != "--help").collect();
    let name = |flag: &str| flag.split('=').next().unwrap().to_owned();
    let known: BTreeSet<_> = rendered[1..].iter().map(|flag| name(flag)).chain(ELSEWHERE.map(str::to_owned)).collect();
    assert_eq!(listed.into_iter().map(str::to_owned).collect::<BTreeSet<_>>(), known);

    // The program fails over the kubeconfig or the certificate, and not (2) over its command line.
    let run = Command::new(payg).args(&rendered).args(["--namespace=here", "--kubeconfig=/nowhere"]).output().unwrap();
    assert_eq!(run.status.code(), Some(1), "{}", String::from_utf8_lossy(&run.stderr));
}

#[test]
fn without_values_the_operator_has_its_own_defaults() {
    let container = container(&[]);
    assert_eq!(args(&container), ["operator", "--log-format=json"]);
    assert_eq!(container["image"], concat!("registry.example/payg-operator:", env!("CARGO_PKG_VERSION")));
    let chart: Value =
        serde_saphyr::from_str(&std::fs::read_to_string(file("deploy/chart/Chart.yaml")).unwrap()).unwrap();
    assert_eq!(
        (&chart["version"], &chart["appVersion"]),
        (&json!(env!("CARGO_PKG_VERSION")), &json!(env!("CARGO_PKG_VERSION")))
    );
}

/// The values of docs/operate/notices.md.
const NOTIFY: &str = r#"{"secretName": "payg-notify", "config": {"thresholdDays": [7, 1], "mailDomains": ["example.com"],
    "receivers": [{"name": "slack", "slack": {"urlFile": "/etc/payg-operator/notify-secrets/slack-url"}},
        {"name": "alerts", "alertmanager": {"url": "http://alertmanager.monitoring:9093"}}],
    "routes": [{"receivers": ["slack"], "occasions": ["EndAhead", "Restricted"], "labels": {"cost-center": "42"}},
        {"receivers": ["alerts"]}]}}"#;

#[test]
fn the_receivers_of_notices_reach_the_program() {
    let mut helm = tool("helm");
    let chart = file("deploy/chart");
    let notify = format!("notify={NOTIFY}");
    helm.args(["template", "payg-operator", &chart, "--set", IMAGE, "--set-json", &notify]);
    let rendered = objects(&run(&mut helm).unwrap());
    let pod = &only(&rendered, "Deployment")["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    let named = |list: &Value, name: &str| list.as_array().unwrap().iter().find(|one| one["name"] == name).cloned();
    let path = named(&container["env"], "NOTIFY_CONFIG").unwrap()["value"].as_str().unwrap().to_owned();
    let mounted = named(&container["volumeMounts"], "notify").unwrap();
    let volume = named(&pod["volumes"], "notify").unwrap();
    let content = only(&rendered, "ConfigMap");
    assert_eq!(volume["configMap"]["name"], content["metadata"]["name"]);
    assert_eq!(path, format!("{}/notify.yaml", mounted["mountPath"].as_str().unwrap()));
    assert_eq!(
        named(&container["volumeMounts"], "notify-secrets").unwrap()["mountPath"],
        "/etc/payg-operator/notify-secrets"
    );
    assert_eq!(named(&pod["volumes"], "notify-secrets").unwrap()["secret"]["secretName"], "payg-notify");

    let dir = tempfile::tempdir().unwrap();
    let there = dir.path().join("notify.yaml");
    std::fs::write(&there, content["data"]["notify.yaml"].as_str().unwrap()).unwrap();
    let payg = env!("CARGO_BIN_EXE_payg");
    let test = ["notify", "test", "--receiver", "nobody"];
    let told = Command::new(payg).args(test).env("NOTIFY_CONFIG", &there).output().unwrap();
    let told = String::from_utf8(told.stderr).unwrap();
    assert!(told.contains("the file has no receiver `nobody`; it has slack, alerts"), "{told}");
}

#[test]
fn on_openshift_the_pod_names_no_user() {
    let user = |values: &[&str]| {
        let rendered = objects(&template(&[&[IMAGE], values].concat()).unwrap());
        let pod = only(&rendered, "Deployment")["spec"]["template"]["spec"]["securityContext"].clone();
        (pod["runAsNonRoot"].clone(), pod["runAsUser"].clone(), pod["runAsGroup"].clone())
    };
    assert_eq!(user(&[]), (json!(true), json!(65532), json!(65532)));
    assert_eq!(user(&["runAsUser=null"]), (json!(true), json!(null), json!(null)));
    // Numbers in a file of values are not what they are on the command line.
    let mut helm = tool("helm");
    helm.args([
        "template",
        "payg-operator",
        &file("deploy/chart"),
        "--set",
        IMAGE,
        "--set-json",
        "runAsUser=1000680000",
    ]);
    assert!(run(&mut helm).unwrap().contains("runAsUser: 1000680000\n"));
}

#[test]
fn a_digest_goes_before_the_tag() {
    let digest = format!("sha256:{}", "0".repeat(64));
    let image = container(&["image.tag=1.2.3", &format!("image.digest={digest}")])["image"].clone();
    assert_eq!(image, format!("registry.example/payg-operator@{digest}"));
}

#[test]
fn false_is_no_flag_and_nought_is_one() {
    assert_eq!(args(&container(&["operator.dryRun=false"])), ["operator", "--log-format=json"]);
    let held = args(&container(&["operator.maxUpgradesPerHour=0"]));
    assert_eq!(held, ["operator", "--log-format=json", "--max-upgrades-per-hour=0"]);
}

#[test]
fn bad_values_are_refused() {
    for (value, complaint) in [
        ("oprator.dryRun=true", "'oprator' not allowed"),
        ("operator.dryrun=true", "'dryrun' not allowed"),
        ("operator.dryRun=yes", "got string, want boolean"),
        ("operator.workers=0", "minimum: got 0, want 1"),
        ("operator.maxUpgradesPerHour=-1", "minimum: got -1, want 0"),
        ("operator.maxUpgradesPerHour=many", "got string, want integer"),
        ("operator.logFormat=xml", "must be one of"),
        ("operator.listen=8080", "want string"),
        ("operator.probesListen=8082", "want string"),
        ("operator.ambientIdentityNamespaces={Team_A}", "does not match pattern"),
        ("operator.azureArmEndpoint=http://arm.example", "does not match pattern"),
        ("operator.azureBrokerUrl=https://broker.example", "azureBrokerScope"),
        ("operator.azureBrokerScope=api://broker/.default", "azureBrokerUrl"),
        ("image.digest=sha256:abc", "does not match pattern"),
        ("image.pullPolicy=Sometimes", "must be one of"),
        ("replicas=two", "got string, want integer"),
        ("notify.config.thresholdDays={7}", "receivers"),
        ("notify.config.recievers={}", "'recievers' not allowed"),
        ("crds.keep=false", "'keep' not allowed"),
        ("podLabels.app\\.kubernetes\\.io/name=other", "podLabels"),
        ("networkPolicy.ports={70000}", "maximum: got 70,000"),
        ("networkPolicy.enabled=1", "want boolean"),
        ("serviceMonitor.interval=often", "does not match pattern"),
        ("trustAnchor.key=../ca.crt", "does not match pattern"),
        ("hooks.token=s3cr3t", "'token' not allowed"),
        ("hooks.listen=8081", "want string"),
    ] {
        let refusal = template(&[IMAGE, value]).expect_err(value);
        assert!(refusal.contains("don't meet the specifications of the schema"), "{value}: {refusal}");
        assert!(refusal.contains(complaint), "{value}: {refusal}");
    }
    let refusal = template(&[]).unwrap_err();
    assert!(refusal.contains("image.repository is required"), "{refusal}");
}

#[test]
fn every_object_and_array_of_the_schema_is_closed() {
    fn open(path: &str, schema: &Value, found: &mut Vec<String>) {
        if schema["type"] == "object" && schema["properties"].is_object() && schema["additionalProperties"] != false {
            found.push(path.to_owned());
        }
        for (name, member) in schema["properties"].as_object().into_iter().flatten() {
            open(&format!("{path}.{name}"), member, found);
        }
        if schema["items"].is_object() {
            open(&format!("{path}[]"), &schema["items"], found);
        }
    }
    let text = std::fs::read_to_string(file("deploy/chart/values.schema.json")).unwrap();
    let mut found = Vec::new();
    open("", &serde_json::from_str(&text).unwrap(), &mut found);
    assert_eq!(found, Vec::<String>::new());
}

/// The definitions go with the release, and stay when it goes.
#[test]
fn the_definitions_are_those_of_the_kinds_and_are_kept() {
    let rendered = objects(&template(&[IMAGE]).unwrap());
    let definitions: Vec<_> =
        rendered.iter().filter(|object| object["kind"] == "CustomResourceDefinition").cloned().collect();
    let mut generated = objects(&payg_api::crds_yaml());
    generated.sort_by_key(|crd| crd["metadata"]["name"].to_string());
    assert_eq!(definitions, generated);
    for definition in definitions {
        assert_eq!(definition["metadata"]["annotations"], json!({"helm.sh/resource-policy": "keep"}));
    }
    let without = objects(&template(&[IMAGE, "crds.install=false"]).unwrap());
    assert!(without.iter().all(|object| object["kind"] != "CustomResourceDefinition"));
    assert_eq!(without.len() + generated.len(), rendered.len());
}

/// Without the Secret nothing is taken, and nothing leads there.
#[test]
fn webhooks_are_open_only_where_there_is_a_token() {
    let rendered = |values: &[&str]| objects(&template(&[&[IMAGE], values].concat()).unwrap());
    let closed = rendered(&["networkPolicy.hooksFrom[0].podSelector.matchLabels.app=ingress"]);
    assert!(!serde_json::to_string(&closed).unwrap().contains("hooks"), "{closed:#?}");

    let open = rendered(&["hooks.secretName=hooks", "networkPolicy.hooksFrom[0].podSelector.matchLabels.app=ingress"]);
    let pod = &only(&open, "Deployment")["spec"]["template"]["spec"];
    assert_eq!(pod["volumes"][0]["secret"]["secretName"], "hooks");
    assert_eq!(pod["containers"][0]["volumeMounts"][0]["readOnly"], true);
    assert_eq!(only(&open, "Service")["spec"]["ports"][1]["targetPort"], "hooks");
    let ingress = &only(&open, "NetworkPolicy")["spec"]["ingress"];
    assert_eq!(let_in(ingress, "hooks").unwrap()[0]["podSelector"]["matchLabels"]["app"], "ingress");
    assert_ne!(let_in(ingress, "http"), let_in(ingress, "hooks"));
}

/// Who is let in to the port: none if nobody is, null if everybody.
fn let_in<'a>(ingress: &'a Value, port: &str) -> Option<&'a Value> {
    ingress.as_array().unwrap().iter().find(|rule| rule["ports"][0]["port"] == port).map(|rule| &rule["from"])
}

/// Who must is let in and nobody else, unless somebody says so.
#[test]
fn only_monitoring_and_the_ingress_controller_are_let_in() {
    let ingress = |values: &[&str]| {
        let values = [&[IMAGE, "hooks.secretName=hooks"], values].concat();
        only(&objects(&template(&values).unwrap()), "NetworkPolicy")["spec"]["ingress"].clone()
    };
    let namespace = |name: &str| json!([{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}]);
    let shipped = ingress(&[]);
    assert_eq!(let_in(&shipped, "http"), Some(&namespace("monitoring")));
    assert_eq!(let_in(&shipped, "hooks"), Some(&namespace("ingress-nginx")));
    // No rule distinguishes the kubelet from others everywhere.
    assert_eq!(let_in(&shipped, "probes"), Some(&Value::Null));
    let closed = ingress(&["networkPolicy.from=null", "networkPolicy.hooksFrom=null"]);
    assert_eq!((let_in(&closed, "http"), let_in(&closed, "hooks")), (None, None), "nobody, and not everybody");
    let nodes = ingress(&["networkPolicy.probesFrom[0].ipBlock.cidr=10.0.0.0/16"]);
    assert_eq!(let_in(&nodes, "probes").unwrap()[0]["ipBlock"]["cidr"], "10.0.0.0/16");
    let rendered = std::fs::read_to_string(file("deploy/kustomize/default/network.yaml")).unwrap();
    let rendered = objects(&rendered);
    let rendered = only(&rendered, "NetworkPolicy");
    assert_eq!(let_in(&rendered["spec"]["ingress"], "http"), Some(&namespace("monitoring")));
    assert!(!rendered.to_string().contains("169.254"), "nobody uses the machine's identity there");
}

/// Where nobody may use the machine's identity, the network does not lead to it.
#[test]
fn the_metadata_services_are_reached_where_the_machines_identity_may_be_used() {
    let reaches = |values: &[&str]| {
        let rendered = objects(&template(&[&[IMAGE], values].concat()).unwrap());
        only(&rendered, "NetworkPolicy")["spec"]["egress"].to_string().contains("169.254.169.254/32")
    };
    assert!(!reaches(&[]));
    assert!(reaches(&["operator.ambientIdentityNamespaces={platform}"]));
    assert!(reaches(&["networkPolicy.metadataServices=true"]));
}
