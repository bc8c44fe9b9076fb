//! The world of the workload: a control plane, a simulator, two namespaces, an approver, and tenants for the accounts.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use jiff::Timestamp;
use payg_test_kit::{Stack, client, payg_dev};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::cluster::Cluster;

/// An hour reconciles in a second: who is done is not observed all the time.
const RATE: u32 = 3_600;
pub(crate) const NAMESPACE: &str = "team";
/// Where the second Subscriptions of accounts are that have two.
pub(crate) const TWINS: &str = "twins";
pub(crate) const APPROVER: &str = "jane";
pub(crate) const SECRET: &str = "Secret";
const OPERATOR: &str = "payg-operator";
/// How many accounts an estate has: what its BillingProvider lists at each start of an operator.
pub(crate) const ESTATE: u32 = 50;

/// All that the accounts live in.
pub(crate) struct World {
    pub(crate) stack: Stack,
    pub(crate) admin: Cluster,
    pub(crate) approver: Cluster,
    /// From when on an Approve counts.
    pub(crate) approvals_count_from: Timestamp,
    /// The number of faults of each kind.
    pub(crate) faults: Mutex<BTreeMap<String, usize>>,
}

impl World {
    pub(crate) async fn start() -> Self {
        let stack = Stack::start(payg_dev(), RATE).await.unwrap();
        let admin = Cluster::new(stack.control_plane.admin_client().unwrap());
        let approver = stack.control_plane.user_kubeconfig(APPROVER, &[]).unwrap();
        let approver = Cluster::new(client(&approver).await.unwrap());
        let approvals_count_from = stack.approvals_count_from().unwrap();
        let world = Self { stack, admin, approver, approvals_count_from, faults: Mutex::default() };
        for namespace in [NAMESPACE, TWINS] {
            world.namespace(namespace).await;
        }
        world
    }

    async fn namespace(&self, namespace: &str) {
        let create = async |object| self.admin.create(Some(namespace), &object).await;
        self.admin
            .create(None, &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}))
            .await;
        create(json!({"apiVersion": "v1", "kind": SECRET, "metadata": {"name": "azure"},
            "stringData": {"clientSecret": "s3cr3t-value"}}))
        .await;
        create(json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": OPERATOR},
            "rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]}))
        .await;
        let bindings = [
            (OPERATOR, "Role", json!({"kind": "ServiceAccount", "name": OPERATOR, "namespace": OPERATOR})),
            (
                "payg-approver",
                "ClusterRole",
                json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": APPROVER}),
            ),
        ];
        for (role, kind, subject) in bindings {
            create(json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": role},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role}, "subjects": [subject]}))
            .await;
        }
    }

    /// A fault in the simulator.
    pub(crate) async fn fault(&self, name: &str, fault: &Value) {
        self.stack.simulator.post("faults", fault).await.unwrap();
        *self.faults.lock().unwrap().entry(name.to_owned()).or_default() += 1;
    }

    /// A BillingProvider called `name` for an account of AWS.
    pub(crate) async fn aws_provider(&self, name: &str, account: &str) {
        let key = format!("AKIA{account}");
        let user = json!({"accountId": account, "accessKeyId": key, "secretAccessKey": "s3cr3t-value", "allow": ["*"]});
        self.stack.simulator.post("clients", &user).await.unwrap();
        let secret = json!({"apiVersion": "v1", "kind": SECRET, "metadata": {"name": name},
            "stringData": {"accessKeyId": key, "secretAccessKey": "s3cr3t-value"}});
        self.admin.create(Some(NAMESPACE), &secret).await;
        let provider = json!({"apiVersion": "payg-operator.io/v1alpha1", "kind": "BillingProvider",
            "metadata": {"name": name}, "spec": {"aws": {"credentials": {"secret": {"name": name}}}}});
        self.admin.create(Some(NAMESPACE), &provider).await;
    }
}

/// A tenant of Azure with some accounts, and its BillingProvider.
pub(crate) struct Estate {
    pub(crate) tenant: String,
    pub(crate) provider: String,
    application: String,
    made: OnceCell<()>,
    accounts_left: AtomicU32,
}

impl Estate {
    pub(crate) fn new(number: u32) -> Self {
        Self {
            tenant: format!("{number:08x}-0000-4a00-9000-0000000000aa"),
            provider: format!("azure-{number}"),
            application: format!("{number:08x}-0000-4a00-9000-0000000000cc"),
            made: OnceCell::new(),
            accounts_left: AtomicU32::new(ESTATE),
        }
    }

    /// Makes it, if it is not there yet.
    pub(crate) async fn ready(&self, world: &World) {
        self.made.get_or_init(|| self.make(world)).await;
    }

    async fn make(&self, world: &World) {
        let id = &self.application;
        let application = json!({"tenantId": self.tenant, "clientId": id, "clientSecret": "s3cr3t-value",
            "subscriptions": "*", "billing": "Reader", "broker": true});
        world.stack.simulator.post("clients", &application).await.unwrap();
        let provider = json!({"apiVersion": "payg-operator.io/v1alpha1", "kind": "BillingProvider",
            "metadata": {"name": self.provider},
            "spec": {"azure": {"cloud": "Public", "tenantId": self.tenant, "upgradeMethod": "Broker",
                "credentials": {"secret": {"name": "azure", "clientId": id}}}}});
        for namespace in [NAMESPACE, TWINS] {
            world.admin.create(Some(namespace), &provider).await;
        }
    }

    /// One of its accounts is settled. With the last one it goes.
    pub(crate) async fn leave(&self, world: &World) {
        if self.accounts_left.fetch_sub(1, Ordering::Relaxed) > 1 || !self.made.initialized() {
            return;
        }
        for namespace in [NAMESPACE, TWINS] {
            world.admin.delete("BillingProvider", namespace, &self.provider).await;
        }
    }
}
