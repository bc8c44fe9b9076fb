//! Runs linters on all that is installed. Findings that we do not follow are listed here, with the reason.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use payg_test_kit::eventually;
use payg_test_kit::tools::{IMAGE, file, run, service_monitor, template, tool};

use crate::cluster::Cluster;
use crate::schemas;

/// With every part of the chart in it.
const ALL: [&str; 6] = [
    IMAGE,
    "operator.ambientIdentityNamespaces={platform}",
    "trustAnchor.configMapName=anchors",
    "hooks.secretName=payg-hooks",
    "serviceAccount.annotations.team=billing",
    "serviceMonitor.enabled=true",
];

/// The checks of kube-score that are not followed, and why.
const SCORE_EXCEPTIONS: [(&str, &str); 4] = [
    (
        "--ignore-test=container-image-pull-policy",
        "an image is named by its version or digest, which never mean another one later",
    ),
    (
        "--ignore-test=container-ephemeral-storage-request-and-limit",
        "nothing is written but the log, which must not get the pod evicted",
    ),
    ("--ignore-container-cpu-limit", "a limit of CPU would make passes late, which have deadlines; memory is limited"),
    (
        "--ignore-test=deployment-has-host-podantiaffinity",
        "topologySpreadConstraints do it, and let both run where there is one node",
    ),
];

/// kubeconform, with the schemas of `cluster`, strict.
fn conforms(schemas: &Path, manifests: &str, dir: &Path) -> Result<String, String> {
    let manifest = dir.join("manifest.yaml");
    fs::write(&manifest, manifests).unwrap();
    let location = schemas::location(schemas);
    run(tool("kubeconform").args(["-strict", "-summary", "-schema-location", &location]).arg(manifest))
}

/// The schemas of all kinds of a control plane in which the chart's are, in a directory below `dir`.
async fn schemas_of_a_cluster(dir: &Path) -> PathBuf {
    let cluster = Cluster::start().await;
    let definitions = ["apply", "--server-side", "-k", &file("crds")];
    cluster.kubectl(&definitions).unwrap();
    cluster.kubectl(&["apply", "--server-side", "-f", &service_monitor()]).unwrap();
    let openapi = eventually("our kinds in the API server's OpenAPI", async || {
        let openapi: Value = serde_json::from_str(&cluster.kubectl(&["get", "--raw", "/openapi/v2"]).unwrap()).unwrap();
        let ours = ["Subscription", "BillingProvider", "UpgradeApproval", "UpgradeRecord"];
        let ours = ours.map(|kind| format!("io.payg-operator.v1alpha1.{kind}"));
        let all = ours.iter().map(String::as_str).chain(["com.coreos.monitoring.v1.ServiceMonitor"]);
        all.into_iter().all(|name| openapi["definitions"].get(name).is_some()).then_some(openapi)
    })
    .await;
    let schemas = dir.join("schemas");
    fs::create_dir(&schemas).unwrap();
    schemas::write(&openapi, &schemas);
    schemas
}

#[tokio::test(flavor = "multi_thread")]
async fn kubeconform_finds_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let schemas = schemas_of_a_cluster(dir.path()).await;
    let chart = template(&ALL).unwrap();
    let kustomize = run(tool("kustomize").args(["build", &file("deploy/kustomize/default")])).unwrap();
    for manifests in [&chart, &kustomize] {
        let summary = conforms(&schemas, manifests, dir.path()).unwrap();
        assert!(summary.contains("Invalid: 0, Errors: 0, Skipped: 0"), "{summary}");
    }
    for sample in samples() {
        let mut text = fs::read_to_string(&sample).unwrap();
        for date in ["START-OF-TRIAL", "END-OF-TRIAL", "EXPIRE-TIME"] {
            text = text.replace(date, "2026-12-01T00:00:00Z");
        }
        let summary = conforms(&schemas, &text, dir.path());
        assert!(summary.is_ok(), "{}: {summary:?}", sample.display());
    }

    // It would find something.
    for (is, wrong, complaint) in [
        ("readOnlyRootFilesystem: true", "readOnlyRootFileSystem: true", "'readOnlyRootFileSystem' not allowed"),
        ("maxUnavailable: 1", "maxUnavailable: [1]", "got array, want integer or string"),
        ("whenUnsatisfiable: ScheduleAnyway", "when: ScheduleAnyway", "'when' not allowed"),
    ] {
        assert!(chart.contains(is), "{is}");
        let refusal = conforms(&schemas, &chart.replace(is, wrong), dir.path()).unwrap_err();
        assert!(refusal.contains(complaint), "{refusal}");
    }
}

fn samples() -> Vec<PathBuf> {
    let dirs = ["", "/azure", "/azure/identity", "/aws", "/aws/identity"];
    let read = |dir| fs::read_dir(file(&format!("deploy/samples{dir}"))).unwrap().map(|entry| entry.unwrap().path());
    let samples: Vec<_> =
        dirs.into_iter().flat_map(read).filter(|path| path.extension().is_some_and(|ext| ext == "yaml")).collect();
    assert!(samples.len() > 20, "{samples:?}");
    samples
}

/// What kube-score complains about, without the checks in `except`.
fn score(manifests: &str, except: &[&str]) -> Result<String, String> {
    let dir = tempfile::tempdir().unwrap();
    let manifest = dir.path().join("manifest.yaml");
    fs::write(&manifest, manifests).unwrap();
    let mut score = tool("kube-score");
    score.args(["score", "--output-format=ci", "--exit-one-on-warning", "--kubernetes-version=v1.33"]);
    run(score.args(except).arg(manifest))
}

#[test]
fn kube_score_finds_nothing_but_the_exceptions() {
    let kustomize = run(tool("kustomize").args(["build", &file("deploy/kustomize/default")])).unwrap();
    let checks = SCORE_EXCEPTIONS.map(|(check, _)| check);
    for manifests in [template(&[IMAGE]).unwrap(), template(&ALL).unwrap(), kustomize] {
        assert_eq!(score(&manifests, &checks).err(), None);
        for check in checks {
            let others: Vec<_> = checks.into_iter().filter(|other| *other != check).collect();
            assert!(score(&manifests, &others).is_err(), "nothing is the matter with {check} any more");
        }
    }
}

#[test]
fn helm_finds_nothing() {
    let lint = run(tool("helm").args(["lint", "--strict", "--set", IMAGE, &file("deploy/chart")])).unwrap();
    assert!(lint.contains("0 chart(s) failed"), "{lint}");
}

/// What actionlint complains about in a workflow of GitHub Actions.
fn action_lint(workflow: &Path) -> Result<String, String> {
    run(tool("actionlint").args(["-shellcheck=", "-pyflakes="]).arg(workflow))
}

#[test]
fn actionlint_finds_nothing() {
    for workflow in [
        ".github/workflows/audit.yaml",
        ".github/workflows/ci.yaml",
        ".github/workflows/nightly.yaml",
        ".github/workflows/release.yaml",
        "deploy/pipelines/github.yaml",
    ] {
        assert_eq!(action_lint(file(workflow).as_ref()).err(), None);
    }

    // It would find something.
    let workflow = fs::read_to_string(file(".github/workflows/release.yaml")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    for (is, wrong, complaint) in [
        ("needs: image", "needs: images", "which does not exist in this workflow"),
        ("steps.push.outputs.digest", "steps.pushed.outputs.digest", "property \"pushed\" is not defined"),
        ("${{ matrix.machine }}", "${{ matrix.computer }}", "property \"computer\" is not defined"),
    ] {
        assert!(workflow.contains(is), "{is}");
        let broken = dir.path().join("release.yaml");
        fs::write(&broken, workflow.replace(is, wrong)).unwrap();
        let refusal = action_lint(&broken).unwrap_err();
        assert!(refusal.contains(complaint), "{refusal}");
    }
}
