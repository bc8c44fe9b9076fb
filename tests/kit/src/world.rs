//! One control plane, simulator and operator for all tests of a process, and a namespace and accounts for each test.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::missing_panics_doc,
    clippy::needless_pass_by_value,
    reason = "only tests use this"
)]

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep};

use crate::{Process, Stack, payg_dev};

/// A day reconciles in a second.
pub const RATE: u32 = 86_400;
/// The tenant of the accounts in Azure.
pub const TENANT: &str = "72f988bf-0000-4a00-9000-0000000000aa";
const CLIENT: &str = "0e5f1c1e-0000-4a00-9000-0000000000cc";

static STACK: OnceCell<(Stack, Process)> = OnceCell::const_new();
static TESTS: AtomicU32 = AtomicU32::new(1);

/// A namespace with a BillingProvider called `azure`.
pub struct World {
    /// The control plane, the simulator and the operator.
    pub stack: &'static Stack,
    /// The namespace's name.
    pub namespace: String,
    /// Differs from test to test.
    pub number: u32,
    accounts: AtomicU32,
}

impl World {
    /// A new namespace of the shared stack, on which an operator works.
    pub async fn new() -> Self {
        let (stack, _) = STACK.get_or_init(start).await;
        Self::on(stack).await
    }

    /// The namespace called `namespace` of the shared stack.
    pub async fn named(namespace: &str) -> Self {
        let (stack, _) = STACK.get_or_init(start).await;
        Self::called(stack, TESTS.fetch_add(1, Ordering::Relaxed), namespace.to_owned()).await
    }

    /// A new namespace of `stack`.
    pub async fn on(stack: &'static Stack) -> Self {
        let number = TESTS.fetch_add(1, Ordering::Relaxed);
        Self::called(stack, number, format!("team-{number}")).await
    }

    async fn called(stack: &'static Stack, number: u32, namespace: String) -> Self {
        let world = Self { stack, namespace, number, accounts: AtomicU32::new(1) };
        world.namespace().await;
        world
    }

    /// What the operator of the shared stack has logged.
    pub fn operator_log() -> String {
        let (_, operator) = STACK.get().unwrap();
        std::fs::read_to_string(operator.log_path()).unwrap()
    }

    /// Changes the spec of the BillingProvider called `name` there and back, so that it is observed now and not in minutes.
    pub fn touch(&self, name: &str) {
        for method in ["Broker", "PortalHandoff"] {
            let patch = json!({"spec": {"azure": {"upgradeMethod": method}}}).to_string();
            let patched = ["patch", "billingproviders.payg-operator.io", name, "--type=merge", "-p", &patch];
            self.kubectl(&patched).unwrap();
        }
    }

    async fn namespace(&self) {
        let client = json!({"tenantId": TENANT, "clientId": CLIENT, "clientSecret": "s3cr3t-value", "subscriptions": "*", "billing": "Reader", "broker": true});
        self.stack.simulator.post("clients", &client).await.unwrap();
        self.stack.kubectl(&["create", "namespace", &self.namespace]).unwrap();
        self.lend_secret("azure-credentials", json!({"clientSecret": "s3cr3t-value"}));
        self.apply(&provider("azure", "Broker"));
    }

    /// Makes an account in the simulator and returns its id. Days pass in seconds, so its broker is asked every second.
    pub async fn account(&self, settings: Value) -> String {
        let id = format!("{:08x}-0000-4a00-9000-{:012x}", self.number, self.accounts.fetch_add(1, Ordering::Relaxed));
        let mut account = json!({"subscriptionId": id, "tenantId": TENANT, "offer": "FreeTrial", "agreement": "MCA",
            "broker": {"retryAfterSeconds": 1}});
        account.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
        self.stack.simulator.post("accounts", &account).await.unwrap();
        id
    }

    /// Makes an account of AWS in the simulator and returns its id.
    pub async fn aws_account(&self, settings: Value) -> String {
        let id = format!("{:06}{:06}", self.number, self.accounts.fetch_add(1, Ordering::Relaxed));
        let mut account = json!({"accountId": id});
        account.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
        self.stack.simulator.post("accounts", &account).await.unwrap();
        id
    }

    /// A Secret in this namespace that the operator may read.
    pub fn lend_secret(&self, name: &str, values: Value) {
        self.apply(&json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": values}));
        let role = format!("read-{name}");
        self.apply(&json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": role},
            "rules": [{"apiGroups": [""], "resources": ["secrets"], "resourceNames": [name], "verbs": ["get"]}]}));
        self.apply(
            &json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": role},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role},
            "subjects": [{"kind": "ServiceAccount", "name": "payg-operator", "namespace": "payg-operator"}]}),
        );
    }

    /// Applies `object` in this namespace, as a user would.
    pub fn apply(&self, object: &Value) {
        self.try_apply(object).unwrap();
    }

    /// Applies `object` in this namespace, and returns what kubectl prints or complains about.
    pub fn try_apply(&self, object: &Value) -> Result<String, String> {
        self.kubectl(&["apply", "-f", &self.file(object)])
    }

    /// Waits until approvals count: the policies were installed a moment ago.
    pub fn wait_until_approvals_count(&self) {
        let wait = self.stack.approvals_count_from().unwrap().duration_since(Timestamp::now());
        std::thread::sleep(Duration::try_from(wait).unwrap_or_default());
    }

    /// Creates `object` as somebody else, from when on approvals count.
    pub fn create_as(&self, user: &str, object: &Value) -> Result<String, String> {
        self.wait_until_approvals_count();
        let kubeconfig = self.stack.control_plane.user_kubeconfig(user, &[]).unwrap();
        let kubeconfig = format!("--kubeconfig={}", kubeconfig.display());
        self.kubectl(&[&kubeconfig, "create", "-f", &self.file(object)])
    }

    /// What kubectl prints for `user`, in this namespace.
    pub fn kubectl_as(&self, user: &str, arguments: &[&str]) -> Result<String, String> {
        let kubeconfig = self.stack.control_plane.user_kubeconfig(user, &[]).unwrap();
        self.kubectl(&[&[format!("--kubeconfig={}", kubeconfig.display()).as_str()], arguments].concat())
    }

    /// What kubectl prints for the administrator, in this namespace.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String, String> {
        let arguments = [&["--namespace", &self.namespace], arguments].concat();
        self.stack.kubectl(&arguments).map_err(|error| error.to_string())
    }

    /// The path of a new file with `object` in it.
    pub fn file(&self, object: &Value) -> String {
        let name =
            format!("{}-{}.json", object["kind"].as_str().unwrap(), object["metadata"]["name"].as_str().unwrap());
        let dir = self.stack.control_plane.dir().join(&self.namespace);
        std::fs::create_dir_all(&dir).unwrap();
        let path = dir.join(name);
        std::fs::write(&path, object.to_string()).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// A Subscription of `account` called `name`, applied.
    pub fn subscribe(&self, name: &str, account: &str, upgrade: Value) {
        self.apply(&subscription(name, account, upgrade));
    }

    /// An object of this namespace.
    pub fn get(&self, resource: &str, name: &str) -> Value {
        let text = self.kubectl(&["get", resource, name, "-o", "json"]).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// The Subscription called `name`.
    pub fn subscription(&self, name: &str) -> Value {
        self.get("subscriptions.payg-operator.io", name)
    }

    /// Waits until the Subscription's Ready condition has the reason, and returns the Subscription.
    pub async fn until(&self, name: &str, reason: &str) -> Value {
        self.until_within(100, name, reason).await
    }

    /// [`Self::until`] with a time limit. It watches, so it sees a reason that lasts only a moment, however busy the machine is.
    pub async fn until_within(&self, seconds: u64, name: &str, reason: &str) -> Value {
        let ready = format!(r#"--for=jsonpath={{.status.conditions[?(@.type=="Ready")].reason}}={reason}"#);
        let deadline = Instant::now() + Duration::from_secs(seconds);
        loop {
            let left = deadline.saturating_duration_since(Instant::now()).as_secs().max(1);
            let timeout = format!("--timeout={left}s");
            let wait = ["wait", "subscriptions.payg-operator.io", name, &ready, &timeout, "--output=json"];
            match tokio::task::block_in_place(|| self.kubectl(&wait)) {
                Ok(found) => return serde_json::from_str(&found).unwrap(),
                // The API server may be restarted meanwhile.
                Err(_) if Instant::now() < deadline => sleep(Duration::from_millis(500)).await,
                Err(error) => {
                    panic!("{name} is never {reason}: {error}; its status is {:#}", self.subscription(name)["status"])
                }
            }
        }
    }

    /// Polls for `seconds` until `look` finds something.
    pub async fn eventually<T>(&self, seconds: u64, mut look: impl AsyncFnMut() -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + Duration::from_secs(seconds);
        loop {
            if let Some(found) = look().await {
                return Some(found);
            }
            if Instant::now() > deadline {
                return None;
            }
            sleep(Duration::from_millis(250)).await;
        }
    }

    /// The whole account as the simulator has it, whatever it shows to a reader.
    pub async fn account_now(&self, account: &str) -> Value {
        self.stack.simulator.get(&format!("accounts/{account}")).await.unwrap()
    }

    /// An application of its own with `rights`, for the BillingProvider `azure` to use.
    pub async fn application(&self, rights: Value) -> Value {
        let id = format!("{:08x}-0000-4a00-9000-0000000000cc", self.number);
        let mut client = json!({"tenantId": TENANT, "clientId": id, "clientSecret": "s3cr3t-value", "subscriptions": "*", "billing": "Reader", "broker": true});
        client.as_object_mut().unwrap().extend(rights.as_object().unwrap().clone());
        self.stack.simulator.post("clients", &client).await.unwrap();
        let mut provider = provider("azure", "Broker");
        provider["spec"]["azure"]["credentials"]["secret"]["clientId"] = json!(id);
        provider
    }

    /// The upgrades that the simulator applied to `account`, in order.
    pub async fn ledger(&self, account: &str) -> Vec<Value> {
        let ledger = self.stack.simulator.get("ledger").await.unwrap();
        ledger.as_array().unwrap().iter().filter(|entry| entry["account"] == account).cloned().collect()
    }

    /// The records of `account`.
    pub fn records(&self, account: &str) -> Vec<Value> {
        let list: Value =
            serde_json::from_str(&self.kubectl(&["get", "upgraderecords.payg-operator.io", "-o", "json"]).unwrap())
                .unwrap();
        list["items"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|record| record["spec"]["account"]["id"] == account)
            .cloned()
            .collect()
    }

    /// The requests about `account` that reached the provider.
    pub async fn requests(&self, account: &str) -> Vec<Value> {
        self.stack.simulator.get(&format!("requests?account={account}")).await.unwrap().as_array().unwrap().clone()
    }

    /// Asserts that the operator no longer sends requests about `account`, whose Subscription is gone, and never sent anything
    /// but reads.
    pub async fn assert_left_alone(&self, account: &str) {
        sleep(Duration::from_secs(2)).await; // a read that was under way is over
        let before = self.requests(account).await;
        sleep(Duration::from_secs(5)).await; // some days: there is a read each day as long as there is a Subscription
        let after = self.requests(account).await;
        assert_eq!(before.len(), after.len(), "{after:#?}");
        assert!(!after.is_empty() && after.iter().all(|request| request["method"] == "GET"), "{after:#?}");
        assert_eq!((self.ledger(account).await, self.records(account)), (vec![], vec![]));
        assert_eq!(self.account_now(account).await["state"], "Enabled");
    }

    /// The operator's Events about the object called `name`: reason and note.
    pub fn events(&self, name: &str) -> Vec<String> {
        let list: Value =
            serde_json::from_str(&self.kubectl(&["get", "events.events.k8s.io", "-o", "json"]).unwrap()).unwrap();
        let about = list["items"].as_array().unwrap().iter().filter(|event| event["regarding"]["name"] == name);
        about
            .map(|event| format!("{}: {}", event["reason"].as_str().unwrap(), event["note"].as_str().unwrap()))
            .collect()
    }

    /// Has the simulator answer the next `count` calls of `operation` about `account` with a fault.
    pub async fn fault(&self, operation: &str, account: &str, count: Option<u32>, kind: Value) {
        let fault = json!({"operation": operation, "account": account, "count": count, "kind": kind});
        self.stack.simulator.post("faults", &fault).await.unwrap();
    }
}

/// Deletes the objects of a test that is over. A day lasts a second, so the operator would read each of their accounts every few
/// seconds, and leave less of its own time and of the tenant's rate limit to other tests.
impl Drop for World {
    fn drop(&mut self) {
        let kinds = "subscriptions.payg-operator.io,billingproviders.payg-operator.io";
        // A test may have stopped the API server.
        let _ = self.kubectl(&["delete", kinds, "--all", "--wait=false"]);
    }
}

/// The token that the operator's pod sends to the agent of EKS.
pub const POD_TOKEN: &str = "the-pods-own-token";
/// The namespace whose BillingProviders may use the identity of the operator's machine in Azure.
pub const AMBIENT: &str = "platform";
/// The same on AWS.
pub const AMBIENT_ON_AWS: &str = "platform-aws";

async fn start() -> (Stack, Process) {
    let mut stack = Stack::start(payg_dev(), RATE).await.unwrap();
    // What EKS gives to a pod, beside what somebody may have left in its environment.
    stack.environment = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{}/v1/credentials", stack.simulator.url())),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", POD_TOKEN.to_owned()),
        ("AWS_ACCESS_KEY_ID", "AKIALEFTOVER".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "leftover".to_owned()),
        ("AWS_SESSION_TOKEN", "leftover".to_owned()),
        ("AWS_REGION", "eu-central-1".to_owned()),
        ("AWS_ENDPOINT_URL", "https://127.0.0.1:1".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec();
    let ambient = format!("{AMBIENT},{AMBIENT_ON_AWS}");
    let machine = ["--ambient-identity-namespaces", &ambient, "--azure-imds-endpoint", stack.simulator.url()];
    let arguments = [["--max-upgrades-per-hour", "1000"].as_slice(), &machine].concat();
    let operator = stack.operator("operator-0", &arguments).await.unwrap();
    (stack, operator)
}

/// The condition of this type, or null.
pub fn condition<'a>(object: &'a Value, type_: &str) -> &'a Value {
    let conditions = object["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    conditions.iter().find(|condition| condition["type"] == type_).unwrap_or(&Value::Null)
}

/// A BillingProvider for Azure.
pub fn provider(name: &str, method: &str) -> Value {
    json!({"apiVersion": "payg-operator.io/v1alpha1", "kind": "BillingProvider", "metadata": {"name": name},
        "spec": {"azure": {"cloud": "Public", "tenantId": TENANT, "upgradeMethod": method,
            "credentials": {"secret": {"name": "azure-credentials", "clientId": CLIENT}}}}})
}

/// A Subscription for Azure.
pub fn subscription(name: &str, account: &str, upgrade: Value) -> Value {
    json!({"apiVersion": "payg-operator.io/v1alpha1", "kind": "Subscription", "metadata": {"name": name},
        "spec": {"providerName": "azure", "account": {"azure": {"subscriptionId": account}}, "offer": "PayAsYouGo", "upgrade": upgrade}})
}

/// The benefit of `kind` in the status of a Subscription.
pub fn benefit<'a>(subscription: &'a Value, kind: &str) -> &'a Value {
    let benefits = subscription["status"]["benefits"].as_array().map(Vec::as_slice).unwrap_or_default();
    benefits.iter().find(|benefit| benefit["kind"] == kind).unwrap_or(&Value::Null)
}

/// The message of the Ready condition.
pub fn message(object: &Value) -> String {
    condition(object, "Ready")["message"].as_str().unwrap_or_default().to_owned()
}

/// The types of the conditions that are True, sorted: what kstatus reads.
pub fn holding(object: &Value) -> Vec<String> {
    let conditions = object["status"]["conditions"].as_array().unwrap().iter();
    let mut types: Vec<_> = conditions
        .filter(|condition| condition["status"] == "True")
        .map(|condition| condition["type"].as_str().unwrap().to_owned())
        .collect();
    types.sort();
    types
}

/// `spec.upgrade` with `approval: Automatic`.
pub fn automatic(when: &str) -> Value {
    json!({"when": when, "approval": "Automatic"})
}
