//! Kubeconfigs: whom kubectl reaches, `payg` reaches, as the same user and in the same namespace. The reports are in
//! `docs/develop/published-bugs.md`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use payg_test_kit::ControlPlane;
use serde_json::{Value, json};

use crate::{PAYG, admin, control_plane, stderr};

/// A place with kubeconfigs, and what is in one that works.
pub(crate) struct Home {
    pub(crate) control_plane: &'static ControlPlane,
    dir: tempfile::TempDir,
    /// Discovery is asked for once.
    cache: PathBuf,
}

/// What a command came to.
#[derive(Debug, PartialEq)]
pub(crate) struct Told {
    /// What it printed, if it succeeded.
    names: Option<String>,
    /// Whom the API server took the user for, if it refused.
    user: Option<String>,
}

impl Home {
    pub(crate) async fn new() -> Self {
        let control_plane = control_plane().await;
        let dir = tempfile::tempdir().unwrap();
        let cache = control_plane.dir().join("kubectl-cache");
        Self { control_plane, dir, cache }
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.at(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// The administrator's kubeconfig, with `change` made.
    pub(crate) fn kubeconfig(&self, change: impl FnOnce(&mut Value)) -> String {
        changed(self.control_plane.admin_kubeconfig(), change)
    }

    /// What kubectl comes to with `environment` and `arguments`, in which `@` is this place.
    pub(crate) fn kubectl(&self, environment: &[(&str, &str)], arguments: &[&str]) -> Output {
        let mut kubectl = Command::new(self.control_plane.kubectl());
        kubectl
            .args(["get", "subscriptions.payg-operator.io", "--request-timeout=20s", "--cache-dir"])
            .arg(&self.cache);
        self.run(kubectl, environment, arguments)
    }

    /// What `payg` comes to with the same.
    pub(crate) fn payg(&self, environment: &[(&str, &str)], arguments: &[&str]) -> Output {
        let mut payg = Command::new(PAYG);
        payg.arg("get");
        self.run(payg, environment, arguments)
    }

    fn run(&self, mut command: Command, environment: &[(&str, &str)], arguments: &[&str]) -> Output {
        let here = |text: &str| text.replace('@', &format!("{}/", self.dir.path().display()));
        command.args(["-o", "name"]).args(arguments.iter().map(|one| here(one)));
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", self.dir.path());
        command.envs(
            environment
                .iter()
                .map(|(name, value)| (*name, if *name == "KUBECONFIG" { here(value) } else { (*value).to_owned() })),
        );
        command.current_dir(self.dir.path()).output().unwrap()
    }
}

fn changed(kubeconfig: &Path, change: impl FnOnce(&mut Value)) -> String {
    let mut value: Value = serde_json::from_slice(&fs::read(kubeconfig).unwrap()).unwrap();
    change(&mut value);
    value.to_string()
}

pub(crate) fn told(output: &Output) -> Told {
    let complaint = stderr(output);
    let user = complaint.split("User \"").nth(1).and_then(|rest| rest.split('"').next());
    let names = String::from_utf8_lossy(&output.stdout).into_owned();
    Told { names: output.status.success().then_some(names), user: user.map(str::to_owned) }
}

fn cluster(value: &mut Value) -> &mut Value {
    &mut value["clusters"][0]["cluster"]
}

fn context(value: &mut Value) -> &mut Value {
    &mut value["contexts"][0]["context"]
}

fn without_key(user: &mut Value) {
    user.as_object_mut().unwrap().remove("client-key-data");
}

fn user(value: &mut Value) -> &mut Value {
    &mut value["users"][0]["user"]
}

/// A kubeconfig that runs `command` for a token.
fn exec(value: &mut Value, command: &str, arguments: &[&str]) {
    *user(value) = json!({"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": command, "args": arguments,
        "interactiveMode": "Never", "installHint": "Get it at https://example.com/helper"}});
}

/// The files that the cases are made of.
fn files(home: &Home) {
    let jane = home.control_plane.user_kubeconfig("jane", &[]).unwrap();
    let write = |name: &str, change: &dyn Fn(&mut Value)| home.write(name, home.kubeconfig(change));
    write("plain", &|_| {});
    home.write(".kube/config", home.kubeconfig(|value| context(value)["namespace"] = json!("team-a")));
    home.write("jane", changed(&jane, |_| {}));
    home.write("empty", "");
    home.write("comment", "# nothing\n");
    home.write("broken", "apiVersion: v1\nkind: \"Config\n");
    home.write("list", "- a\n");
    home.write("pod", "apiVersion: v1\nkind: Pod\n");
    home.write("bom", format!("\u{feff}{}", home.kubeconfig(|_| {})));
    home.write(
        "crlf",
        serde_json::to_string_pretty(&serde_json::from_str::<Value>(&home.kubeconfig(|_| {})).unwrap())
            .unwrap()
            .replace('\n', "\r\n"),
    );
    write("no-current", &|value| drop(value.as_object_mut().unwrap().remove("current-context")));
    write("empty-current", &|value| value["current-context"] = json!(""));
    write("gone-current", &|value| value["current-context"] = json!("gone"));
    write("nulls", &|value| value["current-context"] = json!(null));
    home.write(
        "only-current",
        json!({"kind": "Config", "apiVersion": "v1", "current-context": "payg", "clusters": null}).to_string(),
    );
    write("without-clusters", &|value| value["clusters"] = json!([]));
    write("without-users", &|value| value["users"] = json!([]));
    write("twice", &|value| {
        let first = value["contexts"][0].clone();
        value["contexts"].as_array_mut().unwrap().push(first);
    });
    write("broken-other", &|value| {
        value["contexts"].as_array_mut().unwrap().push(json!({"name": "broken", "context": {}}));
    });
    for (name, namespace) in [
        ("namespace-empty", json!("")),
        ("namespace-null", json!(null)),
        ("namespace-team-a", json!("team-a")),
        ("namespace-number", json!(1)),
    ] {
        write(name, &|value| context(value)["namespace"] = namespace.clone());
    }
    write("context-empty", &|value| *context(value) = json!({}));
    write("user-empty", &|value| context(value)["user"] = json!(""));
    write("user-missing", &|value| context(value)["user"] = json!("joe"));
    write("cluster-missing", &|value| context(value)["cluster"] = json!("joe"));
    clusters(home);
    users(home);
}

/// Those that differ in the cluster.
fn clusters(home: &Home) {
    let write = |name: &str, change: &dyn Fn(&mut Value)| home.write(name, home.kubeconfig(change));
    let pem = |value: &Value| {
        let text: k8s_openapi::ByteString = serde_json::from_value(value.clone()).unwrap();
        text.0
    };
    home.write(
        "ca.crt",
        pem(&cluster(&mut serde_json::from_str(&home.kubeconfig(|_| {})).unwrap())["certificate-authority-data"]),
    );
    write("server-empty", &|value| cluster(value)["server"] = json!(""));
    write("server-slash", &|value| {
        cluster(value)["server"] = json!(format!("{}/", cluster(value)["server"].as_str().unwrap()));
    });
    write("server-bare", &|value| {
        cluster(value)["server"] = json!(cluster(value)["server"].as_str().unwrap().replace("https://", ""));
    });
    write("server-localhost", &|value| {
        cluster(value)["server"] = json!(cluster(value)["server"].as_str().unwrap().replace("127.0.0.1", "localhost"));
    });
    write("no-ca", &|value| drop(cluster(value).as_object_mut().unwrap().remove("certificate-authority-data")));
    for (name, file) in [("ca-relative", "ca.crt"), ("ca-missing", "gone.crt"), ("ca-broken", "broken")] {
        write(name, &|value| {
            cluster(value).as_object_mut().unwrap().remove("certificate-authority-data");
            cluster(value)["certificate-authority"] = json!(file);
        });
    }
    write("ca-both", &|value| cluster(value)["certificate-authority"] = json!("gone.crt"));
    write("insecure", &|value| {
        cluster(value).as_object_mut().unwrap().remove("certificate-authority-data");
        cluster(value)["insecure-skip-tls-verify"] = json!(true);
    });
    write("insecure-and-ca", &|value| cluster(value)["insecure-skip-tls-verify"] = json!(true));
    write("server-name", &|value| cluster(value)["tls-server-name"] = json!("localhost"));
    write("server-name-wrong", &|value| cluster(value)["tls-server-name"] = json!("wrong.example"));
}

/// Those that differ in the user.
fn users(home: &Home) {
    let write = |name: &str, change: &dyn Fn(&mut Value)| home.write(name, home.kubeconfig(change));
    let token = admin(home.control_plane, &["create", "token", "robot"]).trim().to_owned();
    write("as", &|value| user(value)["as"] = json!("joe"));
    write("anonymous", &|value| *user(value) = json!({}));
    write("token", &|value| *user(value) = json!({"token": token}));
    write("token-number", &|value| *user(value) = json!({"token": 1234}));
    write("token-wrong", &|value| *user(value) = json!({"token": "wrong"}));
    home.write("tokens/plain", &token);
    home.write("tokens/lf", format!("{token}\n"));
    home.write("tokens/crlf", format!("{token}\r\n"));
    home.write("tokens/spaces", format!("  {token} \n\n"));
    home.write("tokens/empty", "");
    for name in ["plain", "lf", "crlf", "spaces", "empty", "gone"] {
        write(&format!("token-file-{name}"), &|value| *user(value) = json!({"tokenFile": format!("tokens/{name}")}));
    }
    write("token-and-file", &|value| *user(value) = json!({"token": "wrong", "tokenFile": "tokens/lf"}));
    write("token-empty", &|value| *user(value) = json!({"token": "", "tokenFile": "tokens/lf"}));
    let credential =
        json!({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": token}});
    home.write("credential", credential.to_string());
    home.write("bin/helper", format!("#!/bin/sh\necho '{credential}'\n"));
    fs::set_permissions(home.at("bin/helper"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let cat = home.at("credential").display().to_string();
    write("exec", &|value| exec(value, "cat", &[&cat]));
    write("exec-relative", &|value| exec(value, "./bin/helper", &[]));
    write("exec-gone", &|value| exec(value, "no-such-helper", &[]));
    write("exec-fails", &|value| exec(value, "false", &[]));
    let without = |value: &mut Value, field: &str| drop(user(value)["exec"].as_object_mut().unwrap().remove(field));
    write("exec-v1-without-mode", &|value| {
        exec(value, "cat", &[&cat]);
        without(value, "interactiveMode");
    });
    write("exec-v1beta1-without-mode", &|value| {
        exec(value, "sh", &["-c", &format!("sed s,/v1,/v1beta1, {cat}")]);
        user(value)["exec"]["apiVersion"] = json!("client.authentication.k8s.io/v1beta1");
        without(value, "interactiveMode");
    });
    write("exec-without-version", &|value| {
        exec(value, "cat", &[&cat]);
        without(value, "apiVersion");
    });
    write("exec-provides", &|value| {
        exec(value, "cat", &[&cat]);
        user(value)["exec"]["provideClusterInfo"] = json!(true);
    });
    write("certificate-twice", &|value| user(value)["client-certificate"] = json!("ca.crt"));
    write("certificate-alone", &|value| without_key(user(value)));
    write("token-and-certificate", &|value| user(value)["token"] = json!(token));
    write("token-and-password", &|value| *user(value) = json!({"token": token, "username": "joe", "password": "x"}));
    write("exec-garbage", &|value| exec(value, "echo", &["x"]));
}

/// `$KUBECONFIG`, where `@` is the directory, and arguments.
const CASES: &[(&str, &[&str])] = &[
    // kubernetes-client/python#2180, kubectx#489, kubernetes#38053
    ("@plain", &[]),
    ("/nonexistent/config:@plain", &[]),
    ("@plain:/nonexistent/config", &[]),
    ("/nonexistent/config", &[]),
    (":@plain:", &[]),
    (":", &[]),
    ("", &[]),
    ("plain", &[]),
    ("@empty:@plain", &[]),
    ("@comment:@plain", &[]),
    ("@no-current:@plain", &[]),
    ("@empty-current:@plain", &[]),
    ("@nulls:@plain", &[]),
    ("@only-current:@no-current", &[]),
    ("@plain:@broken", &[]),
    ("@broken", &[]),
    ("@list", &[]),
    ("@pod", &[]),
    ("@empty", &[]),
    ("@no-current", &[]),
    ("@gone-current", &[]),
    ("@jane:@plain", &[]),
    ("@plain:@jane", &[]),
    ("@without-users:@jane", &[]),
    ("@without-clusters:@plain", &[]),
    ("@without-clusters", &[]),
    ("@without-users", &[]),
    ("@twice", &[]),
    ("@broken-other", &[]),
    ("@bom", &[]),
    ("@crlf", &[]),
    ("/nonexistent/config", &["--kubeconfig=@plain"]),
    ("@plain", &["--kubeconfig=/nonexistent/config"]),
    ("@plain", &["--kubeconfig=@empty"]),
    // incubator-kie-issues#1299
    ("@namespace-empty", &[]),
    ("@namespace-null", &[]),
    ("@namespace-team-a", &[]),
    ("@namespace-number", &[]),
    ("@namespace-team-a", &["--namespace="]),
    ("@plain", &["--namespace="]),
    ("@plain", &["-n", "team-a"]),
    ("@plain", &["-n", "nobody"]),
    ("@plain", &["--context=payg"]),
    ("@plain", &["--context="]),
    ("@plain", &["--context=gone"]),
    ("@no-current", &["--context=payg"]),
    ("@context-empty", &[]),
    ("@user-missing", &[]),
    ("@cluster-missing", &[]),
    ("@server-empty", &[]),
    ("@server-slash", &[]),
    ("@server-bare", &[]),
    ("@server-localhost", &[]),
    ("@no-ca", &[]),
    ("@ca-relative", &[]),
    ("@ca-missing", &[]),
    ("@ca-broken", &[]),
    ("@ca-both", &[]),
    ("@insecure", &[]),
    ("@insecure-and-ca", &[]),
    ("@server-name", &[]),
    ("@server-name-wrong", &[]),
    ("@as", &[]),
    ("@certificate-twice", &[]),
    ("@certificate-alone", &[]),
    ("@token-and-certificate", &[]),
    ("@token-and-password", &[]),
    // kubernetes#52919
    ("@token", &[]),
    ("@token-number", &[]),
    ("@token-wrong", &[]),
    ("@token-file-plain", &[]),
    ("@token-file-lf", &[]),
    ("@token-file-crlf", &[]),
    ("@token-file-spaces", &[]),
    ("@token-file-empty", &[]),
    ("@token-file-gone", &[]),
    ("@token-and-file", &[]),
    ("@token-empty", &[]),
    ("@exec", &[]),
    ("@exec-relative", &[]),
    ("@exec-gone", &[]),
    ("@exec-fails", &[]),
    ("@exec-garbage", &[]),
    ("@exec-v1-without-mode", &[]),
    ("@exec-v1beta1-without-mode", &[]),
    ("@exec-without-version", &[]),
    ("@exec-provides", &[]),
];

/// Where the two differ, and why.
const DIFFER: &[(&str, &str)] = &[
    ("@user-empty", "kubectl asks at the terminal for a user name and a password, which API servers take no more"),
    ("@anonymous", "the same"),
];

#[tokio::test(flavor = "multi_thread")]
async fn payg_reaches_whom_kubectl_reaches() {
    let home = Home::new().await;
    files(&home);
    let mut differ = Vec::new();
    let mut reached = 0;
    for (kubeconfig, arguments) in CASES {
        let environment = [("KUBECONFIG", *kubeconfig)];
        let (kubectl, payg) = (home.kubectl(&environment, arguments), home.payg(&environment, arguments));
        let both = (told(&kubectl), told(&payg));
        reached += usize::from(both.0.names.is_some() || both.0.user.is_some());
        if both.0 != both.1 {
            differ.push(format!("{kubeconfig} {arguments:?}: {both:#?}\n{}\n{}", stderr(&kubectl), stderr(&payg)));
        }
        assert!(!stderr(&payg).contains("1234"), "a token is told: {}", stderr(&payg));
    }
    for (kubeconfig, why) in DIFFER {
        let environment = [("KUBECONFIG", *kubeconfig)];
        let (kubectl, payg) = (home.kubectl(&environment, &[]), home.payg(&environment, &[]));
        assert_ne!(told(&kubectl), told(&payg), "{kubeconfig} is no exception any more: {why}");
    }
    assert!(differ.is_empty(), "{} differ:\n{}", differ.len(), differ.join("\n"));
    assert!(reached > 30, "only {reached} were reached");
}

/// Reports mirrord#2821 and others: an error names the address and the cause.
#[tokio::test(flavor = "multi_thread")]
async fn why_a_cluster_is_not_reached_is_said() {
    let home = Home::new().await;
    files(&home);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    home.write("nobody", home.kubeconfig(|value| cluster(value)["server"] = json!(format!("https://{free}"))));
    home.write("no-host", home.kubeconfig(|value| cluster(value)["server"] = json!("https://nowhere.invalid:6443")));
    let refused = |kubeconfig: &str| {
        let payg = home.payg(&[("KUBECONFIG", kubeconfig)], &[]);
        assert_eq!(payg.status.code(), Some(1));
        stderr(&payg)
    };
    for (kubeconfig, parts) in [
        ("@nobody", ["https://127.0.0.1:", "nobody listens there"]),
        ("@no-host", ["https://nowhere.invalid:6443/", "there is no such host"]),
        ("@no-ca", ["https://127.0.0.1:", "signed by an unknown authority"]),
        ("@exec-gone", ["the command `no-such-helper`", "Get it at https://example.com/helper"]),
        ("@exec-fails", ["the command that the kubeconfig names failed", "run it by itself"]),
        ("/nonexistent/config", ["there is no kubeconfig: none of /nonexistent/config", "--kubeconfig"]),
        ("@gone-current", ["there is no context `gone`", "there are: `payg`"]),
        ("@token-number", ["user `payg`", "without quotes"]),
        ("@broken", ["broken: line 2", "is not YAML"]),
    ] {
        let told = refused(kubeconfig);
        assert!(parts.iter().all(|part| told.contains(part)), "{kubeconfig}: {told}");
        assert_eq!(told.lines().count(), 1, "{told}");
    }
    let payg = home.payg(&[], &["--kubeconfig=/nonexistent/x"]);
    assert!(stderr(&payg).contains("cannot use the kubeconfig /nonexistent/x: it cannot be read"), "{}", stderr(&payg));
}

/// A cluster without our kinds: each command says what to do.
#[tokio::test(flavor = "multi_thread")]
async fn kinds_that_are_not_installed_are_said() {
    let bare = ControlPlane::start().await.unwrap();
    for arguments in [&["get"][..], &["explain", "sandbox"], &["approve", "sandbox", "--reason=x"], &["get", "-A"]] {
        let mut command = Command::new(PAYG);
        let output = command.args(arguments).arg("--kubeconfig").arg(bare.admin_kubeconfig()).output().unwrap();
        let told = stderr(&output);
        assert!(told.contains("payg crds | kubectl apply --server-side -f -"), "{arguments:?}: {told}");
    }
}
