//! What is in the image.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use payg_test_kit::tools::{file, run};
use serde_json::{Value, json};

use crate::{IMAGE, podman};

/// Bytes.
const MOST: u64 = 16_000_000;

/// The architecture that images are of here, as they call it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => panic!("there is no image for {other}"),
    }
}

fn built(name: &str) -> String {
    file(&format!("target/image/{}/{name}", architecture()))
}

fn inspect() -> Value {
    let images: Value = serde_json::from_str(&podman(&["image", "inspect", IMAGE]).unwrap()).unwrap();
    images[0].clone()
}

/// What a command in the image prints, or complains about.
fn payg(arguments: &[&str]) -> Result<String, String> {
    podman(&[&["run", "--rm", "--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024", IMAGE], arguments].concat())
}

#[test]
#[ignore = "needs the image: make image-test"]
fn it_is_one_program_and_the_roots_that_it_trusts_and_runs_as_nobody_in_particular() {
    let image = inspect();
    assert_eq!(image["Architecture"], architecture());
    assert_eq!(image["Config"]["User"], "65532:65532");
    assert_eq!(image["Config"]["Entrypoint"], json!(["/payg"]));
    let size = image["Size"].as_u64().unwrap();
    assert!(size <= MOST, "{size} bytes");
    println!("{size} bytes");

    let container = podman(&["create", IMAGE]).unwrap();
    let archive = file("target/image/files.tar");
    podman(&["export", "--output", &archive, container.trim()]).unwrap();
    podman(&["rm", container.trim()]).unwrap();
    let files = run(Command::new("tar").args(["--list", "--file", &archive])).unwrap();
    let files: Vec<_> = files.lines().filter(|path| !path.ends_with('/')).collect();
    assert_eq!(files, ["etc/ssl/certs/ca-certificates.crt", "payg"]);
}

#[test]
#[ignore = "needs the image: make image-test"]
fn it_has_the_operator_and_not_the_simulator() {
    assert_eq!(payg(&["--version"]).unwrap().trim(), concat!("payg ", env!("CARGO_PKG_VERSION")));
    for absent in ["simulator", "demo"] {
        let complaint = payg(&[absent]).unwrap_err();
        assert!(complaint.contains(&format!("unrecognized subcommand '{absent}'")), "{complaint}");
    }
    let help = payg(&["operator", "--help"]).unwrap();
    assert!(help.contains("--max-upgrades-per-hour") && !help.contains("--billing-rate"), "{help}");
}

/// Name and version of each crate in the program, by the list in it that scanners read.
fn linked() -> BTreeSet<(String, String)> {
    let list = auditable_info::json_from_file(built("payg").as_ref(), auditable_info::Limits::default()).unwrap();
    let list: Value = serde_json::from_str(&list).unwrap();
    let of_the_program = list["packages"].as_array().unwrap().iter().filter(|package| package["kind"] != "build");
    of_the_program.map(name_and_version).collect()
}

fn name_and_version(package: &Value) -> (String, String) {
    let text = |field: &str| package[field].as_str().unwrap().to_owned();
    (text("name"), text("version"))
}

#[test]
#[ignore = "needs the image: make image-test"]
fn the_bill_of_materials_is_that_of_the_program() {
    let bill: Value = serde_json::from_slice(&fs::read(built("sbom.cdx.json")).unwrap()).unwrap();
    assert_eq!((&bill["bomFormat"], &bill["specVersion"]), (&"CycloneDX".into(), &"1.5".into()));
    let program = &bill["metadata"]["component"];
    assert_eq!((&program["name"], &program["version"]), (&"payg-operator".into(), &env!("CARGO_PKG_VERSION").into()));
    let components = bill["components"].as_array().unwrap();
    for component in components {
        let has = |field: &str| component.get(field).is_some_and(|value| !value.is_null());
        assert!(has("purl") && has("licenses"), "{component:#}");
    }
    let listed: BTreeSet<_> = components.iter().map(name_and_version).collect();
    let mut linked = linked();
    assert!(linked.remove(&name_and_version(program)));
    assert!(linked.iter().any(|(name, _)| name == "kube-client"), "{linked:?}");
    assert!(!linked.iter().any(|(name, _)| name == "rcgen" || name == "payg-test-kit"), "{linked:?}");
    let missing: Vec<_> = linked.difference(&listed).collect();
    assert!(missing.is_empty(), "in the program and not in the bill of materials: {missing:?}");
}
