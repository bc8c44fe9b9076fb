//! The life of a release on a real API server: installed, upgraded, uninstalled, installed again, and taken over from kustomize.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use payg_test_kit::eventually;
use payg_test_kit::tools::{IMAGE, file, service_monitor};

use crate::cluster::Cluster;

const NAMESPACE: &str = "billing";
const RECORDS: &str = "upgraderecords.payg-operator.io";
const TRUST: &str = "--trust-anchor=/etc/payg-operator/trust/ca.crt";
const RECORD: &str = "up-0000000000000000000000000000000000000000";

/// As an older version of the chart may have been: without a short name that came later.
fn older_chart(dir: &Path) -> String {
    let chart = dir.join("older");
    copy(Path::new(&file("deploy/chart")), &chart);
    let change = |path: &str, from: &str, to: &str| {
        let path = chart.join(path);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{} has no {from:?}", path.display());
        fs::write(&path, text.replace(from, to)).unwrap();
    };
    change("Chart.yaml", concat!("version: ", env!("CARGO_PKG_VERSION")), "version: 0.0.1");
    change(&format!("files/crds/{RECORDS}.yaml"), "    shortNames:\n    - prec\n", "");
    chart.to_str().unwrap().to_owned()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// An entry of the ledger, as the operator would have made it.
fn record() -> Value {
    json!({"apiVersion": "payg-operator.io/v1alpha1", "kind": "UpgradeRecord", "metadata": {"name": RECORD}, "spec": {
        "key": RECORD.trim_start_matches("up-"),
        "account": {"cloud": "aws", "id": "123456789012"},
        "from": {"class": "FreeTrial", "native": "FREE"},
        "to": {"class": "PayAsYouGo"},
        "requester": {"namespace": "team-a", "name": "sandbox", "uid": "5e1ab5b9-8d0a-4f9e-9be1-8b8f0b9f7a01"},
        "intent": {"id": "0b0b2d2a-41f9-4a2f-8a35-1f5f2a7a9f10", "notAfterTime": "2026-11-23T12:00:30Z",
            "evidence": {"observedTime": "2026-11-23T12:00:00Z", "summary": "The credit is used up."}},
        "endpoint": "https://freetier.us-east-1.api.aws",
    }})
}

impl Cluster {
    fn flags(&self) -> Vec<String> {
        let deployment = self.find("deployment", "payg-operator", NAMESPACE).unwrap();
        serde_json::from_value(deployment["spec"]["template"]["spec"]["containers"][0]["args"].clone()).unwrap()
    }

    fn short_names(&self) -> Value {
        self.find("crd", RECORDS, "").unwrap()["spec"]["names"]["shortNames"].clone()
    }

    /// The six policies and their bindings, each with when it was created.
    fn policies(&self) -> Vec<(Value, Value)> {
        let kinds = "validatingadmissionpolicies,validatingadmissionpolicybindings";
        let list: Value = serde_json::from_str(&self.kubectl(&["get", kinds, "-o", "json"]).unwrap()).unwrap();
        let of = |object: &Value| (object["metadata"]["name"].clone(), object["metadata"]["creationTimestamp"].clone());
        list["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(of)
            .filter(|(name, _)| name != "exhaustion-on-aws.payg-operator.io" && name != "bounds.payg-operator.io")
            .collect()
    }

    /// The record is there as it was, and nobody can delete it.
    fn assert_ledger_is_kept(&self, uid: &Value) {
        assert_eq!(&self.find(RECORDS, RECORD, "").unwrap()["metadata"]["uid"], uid);
        let refusal = self.kubectl(&["delete", RECORDS, RECORD]).unwrap_err();
        assert!(refusal.contains("it must not be deleted"), "{refusal}");
    }

    /// A Pod with this flag is let in under the restricted level, where this control plane makes Pods at all.
    async fn admitted(&self, flag: &str) {
        if !self.control_plane.has_controller_manager() {
            println!("skipped: without a kube-controller-manager no Deployment makes Pods");
            return;
        }
        eventually(&format!("a Pod with {flag}"), async || {
            let pods = self.kubectl(&["get", "pods", "-n", NAMESPACE, "-o", "json"]).unwrap();
            pods.contains(&format!("\"{flag}\"")).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_is_installed_upgraded_uninstalled_and_installed_again() {
    let (cluster, dir) = (Cluster::start().await, tempfile::tempdir().unwrap());
    let (older, chart) = (older_chart(dir.path()), file("deploy/chart"));
    let restricted = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE,
        "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}});
    cluster.apply(&restricted);
    let here = ["--namespace", NAMESPACE, "--set", IMAGE];

    let values = ["--set", "operator.dryRun=true,replicas=1"];
    let notes = cluster.helm(&[&["install", "payg", &older], here.as_slice(), &values].concat()).unwrap();
    assert!(notes.contains("in a dry run: it requests no upgrade"), "{notes}");
    assert_eq!(cluster.flags(), ["operator", "--dry-run", "--log-format=json"]);
    assert_eq!(cluster.short_names(), Value::Null);
    cluster.admitted("--dry-run").await;
    cluster.kubectl(&["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]).unwrap();
    cluster.apply(&record());
    let uid = cluster.find(RECORDS, RECORD, "").unwrap()["metadata"]["uid"].clone();
    let policies = cluster.policies();
    assert_eq!(policies.len(), 12, "{policies:?}");
    // It is in force a little after it is stored.
    let dry = ["delete", RECORDS, RECORD, "--dry-run=server"];
    eventually("the policy on records", async || cluster.kubectl(&dry).is_err().then_some(())).await;

    // The definitions are upgraded too, and what was there is left as it is.
    cluster.kubectl(&["apply", "--server-side", "-f", &service_monitor()]).unwrap();
    cluster.kubectl(&["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]).unwrap();
    let values = [
        "--set",
        "operator.maxUpgradesPerHour=5,trustAnchor.configMapName=anchors,serviceMonitor.enabled=true,hooks.secretName=payg-hooks",
    ];
    let notes = cluster.helm(&[&["upgrade", "payg", &chart], here.as_slice(), &values].concat()).unwrap();
    assert!(!notes.contains("dry run"), "{notes}");
    let hooks = ["--hooks-listen=[::]:8081", "--hooks-token-file=/etc/payg-operator/hooks/token"];
    let flags = ["operator", "--log-format=json", "--max-upgrades-per-hour=5", TRUST];
    assert_eq!(cluster.flags(), [&flags[..], &hooks].concat());
    assert!(cluster.find("servicemonitor", "payg-operator", NAMESPACE).is_some());
    assert_eq!(cluster.short_names(), json!(["prec"]));
    assert_eq!(cluster.policies(), policies, "one that is created anew would void approvals");
    cluster.admitted(TRUST).await;
    cluster.assert_ledger_is_kept(&uid);

    // There is one lease and one set of rights: a second operator is refused.
    let elsewhere = ["install", "other", &chart, "--namespace=other", "--create-namespace", "--set", IMAGE];
    let refusal = cluster.helm(&elsewhere).unwrap_err();
    assert!(refusal.contains("invalid ownership metadata"), "{refusal}");

    let said = cluster.helm(&["uninstall", "payg", "--namespace", NAMESPACE]).unwrap();
    assert!(said.contains(RECORDS), "it tells what it keeps: {said}");
    for (resource, name) in [
        ("deployment", "payg-operator"),
        ("serviceaccount", "payg-operator"),
        ("clusterrole", "payg-operator"),
        ("clusterrolebinding", "payg-operator"),
        ("role", "payg-operator-lease"),
        ("service", "payg-operator"),
        ("networkpolicy", "payg-operator"),
        ("poddisruptionbudget", "payg-operator"),
        ("clusterrole", "payg-editor"),
    ] {
        assert_eq!(cluster.find(resource, name, NAMESPACE), None, "{resource} {name}");
    }
    assert_eq!(cluster.policies(), policies);
    cluster.assert_ledger_is_kept(&uid);

    cluster.helm(&[&["install", "payg", &chart], here.as_slice()].concat()).unwrap();
    assert_eq!(cluster.policies(), policies);
    cluster.assert_ledger_is_kept(&uid);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_takes_over_what_kustomize_applied_and_gives_it_back() {
    let (cluster, chart) = (Cluster::start().await, file("deploy/chart"));
    let default = file("deploy/kustomize/default");
    let kustomize = ["apply", "--server-side", "-k", &default];
    cluster.kubectl(&kustomize).unwrap();
    cluster.kubectl(&["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]).unwrap();
    cluster.apply(&record());
    let policies = cluster.policies();

    let install = ["install", "payg-operator", &chart, "--namespace=payg-operator", "--set", IMAGE];
    let refusal = cluster.helm(&install).unwrap_err();
    assert!(refusal.contains("invalid ownership metadata"), "{refusal}");
    cluster.helm(&[install.as_slice(), &["--take-ownership", "--force-conflicts"]].concat()).unwrap();
    let image = |cluster: &Cluster| {
        let deployment = cluster.find("deployment", "payg-operator", "payg-operator").unwrap();
        deployment["spec"]["template"]["spec"]["containers"][0]["image"].clone()
    };
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(image(&cluster), format!("registry.example/payg-operator:{version}"));
    assert_eq!(cluster.policies(), policies);

    cluster.kubectl(&[kustomize.as_slice(), &["--force-conflicts"]].concat()).unwrap();
    assert_eq!(image(&cluster), format!("payg-operator:{version}"));
    assert_eq!(cluster.policies(), policies);
    let releases = ["delete", "secret", "--namespace=payg-operator", "-l", "owner=helm,name=payg-operator"];
    cluster.kubectl(&releases).unwrap();
    let known = cluster.helm(&["list", "--namespace=payg-operator", "--short"]).unwrap();
    assert_eq!(known, "");
}
