//! Helm, kustomize and the linters, which `tests/tools/build.sh` builds.
#![allow(clippy::unwrap_used, clippy::panic, clippy::missing_panics_doc, reason = "only tests use this")]

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

use serde_json::Value;

use crate::{REPOSITORY, payg_dev};

/// An image that does not exist: there is no kubelet to pull it.
pub const IMAGE: &str = "image.repository=registry.example/payg-operator";

/// Where they are. Waits until they are built.
static DIR: LazyLock<PathBuf> = LazyLock::new(|| {
    let dir = run(Command::new(file("tests/tools/build.sh")).stderr(Stdio::inherit())).unwrap();
    PathBuf::from(dir.trim_end())
});

/// A file of this repository.
pub fn file(path: &str) -> String {
    format!("{REPOSITORY}/{path}")
}

/// The definition of the Prometheus operator's ServiceMonitor.
pub fn service_monitor() -> String {
    DIR.join("servicemonitor.yaml").to_str().unwrap().to_owned()
}

/// One of the programs, with nothing of the user's configuration.
pub fn tool(name: &str) -> Command {
    let mut command = Command::new(DIR.join(name));
    let home = payg_dev().with_file_name("helm");
    for (variable, dir) in
        [("HELM_CACHE_HOME", "cache"), ("HELM_CONFIG_HOME", "config"), ("HELM_DATA_HOME", "data"), ("HOME", "home")]
    {
        command.env(variable, home.join(dir));
    }
    command
}

/// What a command prints, or complains about.
pub fn run(command: &mut Command) -> Result<String, String> {
    let Output { status, stdout, stderr } = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    if status.success() { Ok(text(&stdout)) } else { Err(text(&stdout) + &text(&stderr)) }
}

/// What `helm template` makes of the chart with these values (`--set` each).
pub fn template(values: &[&str]) -> Result<String, String> {
    let mut helm = tool("helm");
    helm.args(["template", "payg-operator", &file("deploy/chart"), "--namespace", "payg-operator"]);
    for value in values {
        helm.args(["--set", value]);
    }
    run(&mut helm)
}

/// The objects in a stream of YAML.
pub fn objects(yaml: &str) -> Vec<Value> {
    let objects: Vec<Value> = serde_saphyr::from_multiple(yaml).unwrap();
    objects.into_iter().filter(|object| !object.is_null()).collect()
}

/// The one object of this kind.
pub fn only<'a>(objects: &'a [Value], kind: &str) -> &'a Value {
    let mut found = objects.iter().filter(|object| object["kind"] == kind);
    let (one, another) = (found.next(), found.next());
    assert!(another.is_none(), "there is more than one {kind}");
    one.unwrap_or_else(|| panic!("there is no {kind}"))
}
