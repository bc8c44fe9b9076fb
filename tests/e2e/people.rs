//! Users with certificates of their own, and `payg` as they run it.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use payg_test_kit::world::World;
use serde_json::{Value, json};

pub(crate) const PAYG: &str = env!("CARGO_BIN_EXE_payg");

/// Somebody with roles in the namespace.
pub(crate) struct User<'a> {
    world: &'a World,
    pub(crate) kubeconfig: PathBuf,
}

/// A role that users are given, and something that only it allows.
pub(crate) type Role = (&'static str, &'static [&'static str]);
pub(crate) const APPROVER: Role = ("payg-approver", &["create", "upgradeapprovals.payg-operator.io"]);
pub(crate) const EDITOR: Role = ("payg-editor", &["create", "subscriptions.payg-operator.io"]);
/// Kubernetes' own roles, into which the shipped ones are aggregated.
pub(crate) const EDIT: Role = ("edit", &["create", "subscriptions.payg-operator.io"]);
pub(crate) const ADMIN: Role = ("admin", &["create", "rolebindings"]);
pub(crate) const VIEWER: Role = ("payg-viewer", &["list", "upgradeapprovals.payg-operator.io"]);

/// Somebody called `name` with `roles`, which the API server has taken note of.
pub(crate) async fn user<'a>(world: &'a World, name: &str, roles: &[Role]) -> User<'a> {
    let kubeconfig = world.stack.control_plane.user_kubeconfig(name, &[]).unwrap();
    let as_user = format!("--kubeconfig={}", kubeconfig.display());
    for (role, allows) in roles {
        let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": {"name": format!("{name}-{role}")},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": name}]});
        world.apply(&binding);
        // The API server's authorizer sees a binding a moment after it is stored.
        let can_i = [&[as_user.as_str(), "auth", "can-i"], *allows].concat();
        let allowed = async || world.kubectl(&can_i).ok();
        world.eventually(30, allowed).await.unwrap_or_else(|| panic!("{role} is not given to {name}"));
    }
    User { world, kubeconfig }
}

/// Somebody called `name` who may do what they like with approvals, and approve only the Subscription called `subscription`.
pub(crate) async fn limited<'a>(world: &'a World, name: &str, subscription: &str) -> User<'a> {
    let rules = json!([
        {"apiGroups": ["payg-operator.io"], "resources": ["subscriptions"], "resourceNames": [subscription], "verbs": ["approve"]},
        {"apiGroups": ["payg-operator.io"], "resources": ["upgradeapprovals"], "verbs": ["*"]},
    ]);
    world.apply(&json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": name}, "rules": rules}));
    world.kubectl(&["create", "rolebinding", name, &format!("--role={name}"), &format!("--user={name}")]).unwrap();
    let user = user(world, name, &[]).await;
    let can_i = ["auth", "can-i", "deletecollection", "upgradeapprovals.payg-operator.io"];
    let allowed = async || user.kubectl(&can_i).ok();
    world.eventually(30, allowed).await.expect("the role");
    user
}

impl User<'_> {
    /// What kubectl prints for them in this namespace.
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> Result<String, String> {
        let kubeconfig = format!("--kubeconfig={}", self.kubeconfig.display());
        self.world.kubectl(&[&[kubeconfig.as_str()], arguments].concat())
    }

    /// Creates `object`, or says why not. The API server alone judges it; an approval from when on approvals count.
    pub(crate) fn create(&self, object: &Value) -> Result<String, String> {
        if object["kind"] == "UpgradeApproval" {
            self.world.wait_until_approvals_count();
        }
        self.kubectl(&["create", "--validate=false", "-f", &self.world.file(object)])
    }

    /// Runs payg without a terminal, from when on what it creates counts.
    pub(crate) fn payg(&self, arguments: &[&str]) -> Output {
        self.world.wait_until_approvals_count();
        let command = [arguments, &["--namespace", &self.world.namespace]].concat();
        Command::new(PAYG)
            .args(command)
            .env("KUBECONFIG", &self.kubeconfig)
            .stdin(Stdio::null())
            .output()
            .expect("payg can be run")
    }

    /// Runs payg at a terminal, at which `typed` is typed.
    pub(crate) fn payg_at_a_terminal(&self, arguments: &[&str], typed: &str) -> Output {
        self.world.wait_until_approvals_count();
        let arguments = arguments.join(" ");
        let line = format!("{PAYG} {arguments} --kubeconfig {} -n {}", self.kubeconfig.display(), self.world.namespace);
        let mut script = Command::new("script");
        script.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
        let mut running = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("script of bsdutils");
        running.stdin.take().unwrap().write_all(format!("{typed}\n").as_bytes()).unwrap();
        running.wait_with_output().unwrap()
    }
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
