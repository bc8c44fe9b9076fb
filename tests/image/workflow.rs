//! The release workflow: what of it needs neither GitHub nor a registry is run here, as it is written.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use payg_test_kit::tools::{file, objects, only, run, tool};
use serde_json::Value;

use crate::podman;

const DIGEST: &str = "steps.push.outputs.digest";

/// The commands that are not run here, and why.
const ELSEWHERE: [(&str, &str); 7] = [
    ("Install what builds and runs images", "who runs these tests has done so"),
    ("Compare what is rendered with the chart", "`make test` does so"),
    ("Test the image", "that is these tests"),
    ("Log in", "there is nothing to log in to"),
    ("Sign the image", "by an identity that GitHub vouches for"),
    ("Push the chart", "to a registry"),
    ("Publish the release", "on GitHub"),
];

fn workflow() -> Value {
    serde_saphyr::from_str(&fs::read_to_string(file(".github/workflows/release.yaml")).unwrap()).unwrap()
}

/// The steps of both jobs, in order, and the environment of the job of each.
fn steps(workflow: &Value) -> Vec<(&Value, &Value)> {
    let of = |job: &str| {
        let job = &workflow["jobs"][job];
        job["steps"].as_array().unwrap().iter().map(|step| (step, &job["env"]))
    };
    of("image").chain(of("publish")).collect()
}

/// A machine of GitHub's, as far as it matters.
struct Runner {
    dir: tempfile::TempDir,
    tag: String,
    /// What the expressions in the workflow are here.
    expressions: BTreeMap<String, String>,
}

impl Runner {
    fn new(tag: &str) -> Self {
        let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
        let expressions = BTreeMap::from([("matrix.arch".to_owned(), architecture.to_owned())]);
        Self { dir: tempfile::tempdir().unwrap(), tag: tag.to_owned(), expressions }
    }

    fn evaluated(&self, text: &str) -> String {
        let mut parts = text.split("${{");
        let mut value = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (expression, rest) = part.split_once("}}").unwrap();
            let known = self.expressions.get(expression.trim());
            value += known.unwrap_or_else(|| panic!("{} is not known here", expression.trim()));
            value += rest;
        }
        value
    }

    /// Runs the command of `step` as GitHub would, and learns what it puts out.
    fn run(&mut self, step: &Value, environment: &Value) -> Result<String, String> {
        let output = self.dir.path().join("output");
        fs::write(&output, "").unwrap();
        let script = self.dir.path().join("step.sh");
        fs::write(&script, step["run"].as_str().unwrap()).unwrap();
        let mut command = Command::new("bash");
        command.arg("-e").arg(script).current_dir(file("."));
        for variables in [environment, &step["env"]] {
            for (name, value) in variables.as_object().into_iter().flatten() {
                command.env(name, self.evaluated(value.as_str().unwrap()));
            }
        }
        // A registry is a place on this disk.
        command.env("REGISTRY", format!("oci:{}", self.dir.path().display()));
        command.env("GITHUB_REF_NAME", &self.tag).env("GITHUB_REPOSITORY", "Acme/payg-operator");
        let printed = run(command.env("GITHUB_OUTPUT", &output))?;
        for line in fs::read_to_string(&output).unwrap().lines() {
            let (name, value) = line.split_once('=').unwrap();
            let expression = format!("steps.{}.outputs.{name}", step["id"].as_str().unwrap());
            self.expressions.insert(expression, value.to_owned());
        }
        Ok(printed)
    }
}

#[test]
#[ignore = "needs the image: make image-test"]
fn it_makes_an_image_and_a_chart_and_a_manifest_that_name_it() {
    let workflow = workflow();
    let mut runner = Runner::new(concat!("v", env!("CARGO_PKG_VERSION")));
    let _ = podman(&["manifest", "rm", "payg-operator"]); // of a run that failed
    let _ = fs::remove_dir_all(file("target/release-files"));
    fs::create_dir(runner.dir.path().join("acme")).unwrap();
    let mut elsewhere = Vec::new();
    for (step, environment) in steps(&workflow) {
        let name = step["name"].as_str().unwrap_or_default();
        if step["run"].is_null() {
            let action = step["uses"].as_str().unwrap();
            let revision = action.split_once('@').unwrap().1;
            assert!(revision.len() == 40 && revision.bytes().all(|byte| byte.is_ascii_hexdigit()), "{action}");
        } else if ELSEWHERE.iter().any(|(other, _)| *other == name) {
            elsewhere.push(name);
        } else {
            runner.run(step, environment).unwrap_or_else(|complaint| panic!("{name}: {complaint}"));
        }
    }
    assert_eq!(elsewhere, ELSEWHERE.map(|(name, _)| name));

    let digest = &runner.expressions[DIGEST];
    let pushed = fs::read_to_string(runner.dir.path().join("acme/payg-operator/index.json")).unwrap();
    let pushed: Value = serde_json::from_str(&pushed).unwrap();
    assert_eq!(pushed["manifests"][0]["digest"], **digest, "{pushed:#}");
    let index = runner.dir.path().join("acme/payg-operator/blobs/sha256").join(digest.trim_start_matches("sha256:"));
    let index: Value = serde_json::from_slice(&fs::read(index).unwrap()).unwrap();
    assert_eq!(index["manifests"][0]["platform"]["architecture"], *runner.expressions["matrix.arch"], "{index:#}");

    let image = format!("ghcr.io/acme/payg-operator@{digest}");
    let deployed = |manifests: &str| {
        let deployment = only(&objects(manifests), "Deployment").clone();
        deployment["spec"]["template"]["spec"]["containers"][0]["image"].clone()
    };
    let files = file("target/release-files");
    let files = Path::new(&files);
    assert_eq!(deployed(&fs::read_to_string(files.join("payg-operator.yaml")).unwrap()), *image);
    let chart = files.join(concat!("payg-operator-", env!("CARGO_PKG_VERSION"), ".tgz"));
    assert_eq!(deployed(&run(tool("helm").args(["template", "payg-operator"]).arg(chart)).unwrap()), *image);
    assert!(files.join(format!("sbom-{}.cdx.json", runner.expressions["matrix.arch"])).is_file());
}

#[test]
#[ignore = "needs the image: make image-test"]
fn a_tag_of_another_version_is_refused() {
    let workflow = workflow();
    let step = steps(&workflow).into_iter().find(|(step, _)| step["name"] == "Compare the tag with the version");
    let (step, environment) = step.unwrap();
    let complaint = Runner::new("v9.9.9").run(step, environment).unwrap_err();
    assert!(complaint.contains("The tag is v9.9.9"), "{complaint}");
}
