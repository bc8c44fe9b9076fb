//! What is rendered from the chart for those who use no Helm.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::{fs, io};

use payg_test_kit::tools::{file, objects, run, tool};
use serde_json::Value;

/// All files below `dir`, by their paths in it.
fn files(dir: &Path) -> io::Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_dir() {
            found.extend(files(&entry.path())?.into_iter().map(|(path, text)| (format!("{name}/{path}"), text)));
        } else {
            found.insert(name, fs::read_to_string(entry.path())?);
        }
    }
    Ok(found)
}

/// The objects by kind and name.
fn named(yaml: &str) -> BTreeMap<String, Value> {
    let name = |object: &Value| format!("{} {}", object["kind"], object["metadata"]["name"]);
    objects(yaml).into_iter().map(|object| (name(&object), object)).collect()
}

#[test]
fn deploy_kustomize_is_rendered_from_the_chart() {
    let dir = tempfile::tempdir().unwrap();
    run(Command::new(file("deploy/manifests.sh")).arg(dir.path())).unwrap();
    let rendered = files(dir.path()).unwrap();
    let mut stored = files(Path::new(&file("deploy/kustomize"))).unwrap();
    for (path, text) in &rendered {
        assert_eq!(stored.remove(path).as_ref(), Some(text), "deploy/kustomize/{path}: run `make manifests`");
    }
    let left: Vec<_> = stored.into_keys().collect();
    let by_hand = ["base/kustomization.yaml", "base/namespace.yaml", "default/kustomization.yaml", "values.yaml"];
    assert_eq!(left, by_hand, "what is not rendered has no twin in the chart");
}

#[test]
fn kustomize_builds_what_helm_installs() {
    let built = named(&run(tool("kustomize").args(["build", &file("deploy/kustomize/default")])).unwrap());
    let chart = ["template", "payg-operator", &file("deploy/chart"), "--namespace=payg-operator", "--values"];
    let mut installed = named(&run(tool("helm").args(chart).arg(file("deploy/kustomize/values.yaml"))).unwrap());
    let namespace = fs::read_to_string(file("deploy/kustomize/base/namespace.yaml")).unwrap();
    installed.extend(named(&namespace));
    assert_eq!(built, installed);
}

#[test]
fn the_release_file_is_all_of_it_with_the_image() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("sub/payg-operator.yaml");
    let digest = format!("registry.example:5000/team/payg@sha256:{}", "a".repeat(64));
    for image in ["registry.example/payg-operator:9.9.9", &digest] {
        run(Command::new(file("deploy/release-manifest.sh")).args([image]).arg(&out)).unwrap();
        let written = fs::read_to_string(&out).unwrap();
        let built = run(tool("kustomize").args(["build", &file("deploy/kustomize/default")])).unwrap();
        let stored = concat!("payg-operator:", env!("CARGO_PKG_VERSION"));
        assert_eq!(built.matches(&format!("image: {stored}")).count(), 1);
        assert_eq!(named(&written), named(&built.replace(&format!("image: {stored}"), &format!("image: {image}"))));
    }
    let nameless = run(Command::new(file("deploy/release-manifest.sh")).args(["", "x"]));
    assert!(nameless.unwrap_err().contains("Usage"));
}
