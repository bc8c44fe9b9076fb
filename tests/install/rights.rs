//! What the operator may do is what it does. The API server's audit log is the witness: each request of the operator's
//! ServiceAccount, and the role that allowed it.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use jiff::Timestamp;
use payg_test_kit::tools::{IMAGE, file, run};
use payg_test_kit::world::{RATE, TENANT, World, automatic, condition};
use payg_test_kit::{Process, REPOSITORY, Stack, payg_dev};
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard, OnceCell};

use crate::cluster::helm;

const USER: &str = "system:serviceaccount:payg-operator:payg-operator";
/// The roles that are shipped for the operator, and where.
const ROLES: [(&str, &str); 2] = [("clusterrole", "payg-operator"), ("role", "payg-operator-lease")];

static STACK: OnceCell<Stack> = OnceCell::const_new();
/// There is one lease, so one test at a time.
static ALONE: Mutex<()> = Mutex::const_new(());

/// A stack in which Helm has installed the operator. (Its pods do not run: there is no kubelet.)
async fn alone() -> (MutexGuard<'static, ()>, &'static Stack) {
    let guard = ALONE.lock().await;
    let start = async || {
        let stack = Stack::launch(payg_dev(), RATE).await.unwrap();
        let install = ["install", "payg-operator", &file("deploy/chart"), "--namespace=payg-operator"];
        let values = ["--create-namespace", "--set", IMAGE];
        helm(stack.control_plane.admin_kubeconfig(), &[install.as_slice(), &values].concat()).unwrap();
        stack.wait_until_in_force().await.unwrap();
        stack
    };
    (guard, STACK.get_or_init(start).await)
}

async fn stop(mut operator: Process) {
    let status = operator.stop(Duration::from_secs(35)).await.unwrap();
    assert!(status.success(), "{status}: {}", operator.log_tail(20));
}

fn get(stack: &Stack, kind: &str, name: &str) -> Value {
    let text = stack.kubectl(&["get", kind, name, "-n", "payg-operator", "-o", "json"]).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// One thing that may be done: a verb on a resource, of one name if the role says so.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Right {
    role: &'static str,
    group: String,
    /// With its subresource: `serviceaccounts/token`.
    resource: String,
    name: Option<String>,
    verb: String,
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().map_or(Vec::new(), |items| items.iter().map(|item| item.as_str().unwrap().to_owned()).collect())
}

/// All that the rules of a role grant.
fn rights(role: &'static str, rules: &Value) -> BTreeSet<Right> {
    let mut rights = BTreeSet::new();
    for rule in rules.as_array().unwrap() {
        let names = texts(&rule["resourceNames"]);
        let names = if names.is_empty() { vec![None] } else { names.into_iter().map(Some).collect() };
        for group in texts(&rule["apiGroups"]) {
            for resource in texts(&rule["resources"]) {
                for name in &names {
                    for verb in texts(&rule["verbs"]) {
                        let (group, resource, name) = (group.clone(), resource.clone(), name.clone());
                        rights.insert(Right { role, group, resource, name, verb });
                    }
                }
            }
        }
    }
    rights
}

fn granted(stack: &Stack) -> BTreeSet<Right> {
    ROLES.into_iter().flat_map(|(kind, role)| rights(role, &get(stack, kind, role)["rules"])).collect()
}

/// What the operator asked for, and the decision on it.
struct Request {
    group: String,
    resource: String,
    name: Option<String>,
    verb: String,
    allowed: bool,
    reason: String,
}

impl Request {
    fn of(event: &Value) -> Option<Self> {
        let (object, annotations) = (&event["objectRef"], &event["annotations"]);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let subresource = object["subresource"].as_str().map(|name| format!("/{name}")).unwrap_or_default();
        (event["user"]["username"] == USER).then(|| Self {
            group: text(&object["apiGroup"]),
            resource: text(&object["resource"]) + &subresource,
            name: object["name"].as_str().map(str::to_owned),
            verb: text(&event["verb"]),
            allowed: annotations["authorization.k8s.io/decision"] == "allow",
            reason: text(&annotations["authorization.k8s.io/reason"]),
        })
    }

    fn is(&self, right: &Right) -> bool {
        (&self.group, &self.resource, &self.verb) == (&right.group, &right.resource, &right.verb)
            && right.name.as_ref().is_none_or(|name| self.name.as_ref() == Some(name))
    }

    /// Whether RBAC says that it allowed it by this role.
    fn by(&self, role: &str) -> bool {
        self.allowed
            && self.reason.contains(&format!("ole \"{role}\" to ServiceAccount \"payg-operator/payg-operator\""))
    }

    fn told(&self) -> String {
        let name = self.name.as_deref().unwrap_or("*");
        format!("{} {}.{} {name}: {}", self.verb, self.resource, self.group, self.reason)
    }
}

fn requests(stack: &Stack) -> Vec<Request> {
    stack.control_plane.audit().unwrap().iter().filter_map(Request::of).collect()
}

/// The operator does once all that it does for its users.
async fn works(stack: &'static Stack) {
    let world = World::on(stack).await;
    // Another test's operator may have made the Lease, and then this one would only take it over.
    stack.kubectl(&["delete", "leases.coordination.k8s.io", "-n", "payg-operator", "--all"]).unwrap();
    let operator = stack.operator("at-work", &[]).await.unwrap();

    // By a Secret, automatically; then the same is said twice about the same Subscription, which is counted on one Event.
    let account = world.account(json!({})).await;
    world.subscribe("automatic", &account, automatic("Immediately"));
    world.until("automatic", "OfferInPlace").await;
    for suspend in [true, false, true] {
        let patch = json!({"spec": {"suspend": suspend}}).to_string();
        world.kubectl(&["patch", "subscriptions.payg-operator.io", "automatic", "--type=merge", "-p", &patch]).unwrap();
        world.until("automatic", if suspend { "Suspended" } else { "OfferInPlace" }).await;
    }

    // By a person's approval.
    world.kubectl(&["create", "rolebinding", "approvers", "--clusterrole=payg-approver", "--user=jane"]).unwrap();
    let account = world.account(json!({})).await;
    world.subscribe("asks", &account, json!({"when": "Immediately", "approval": "Manual"}));
    let asking = world.until("asks", "AwaitingApproval").await;
    let expires = Timestamp::now() + Duration::from_hours(1);
    let approval = json!({"apiVersion": "payg-operator.io/v1alpha1", "kind": "UpgradeApproval", "metadata": {"name": "go"},
        "spec": {"subscriptionName": "asks", "transitionHash": asking["status"]["transition"]["hash"],
            "decision": "Approve", "approver": "jane", "reason": "test", "expireTime": expires.to_string()}});
    world.create_as("jane", &approval).unwrap();
    world.until("asks", "OfferInPlace").await;

    // By the token of a ServiceAccount.
    let path = format!("{REPOSITORY}/deploy/samples/azure/identity/workload-identity.yaml");
    let mut sample: Vec<Value> = serde_saphyr::from_multiple(&std::fs::read_to_string(path).unwrap()).unwrap();
    let read = |path: &str| serde_json::from_str::<Value>(&stack.kubectl(&["get", "--raw", path]).unwrap()).unwrap();
    let issuer = read("/.well-known/openid-configuration")["issuer"].clone();
    let subject = format!("system:serviceaccount:{}:payg-billing", world.namespace);
    let federated = json!({"issuer": issuer, "subject": subject, "audience": "api://AzureADTokenExchange",
        "jwks": read("/openid/v1/jwks")});
    let client = format!("{:08x}-0000-4a00-9000-0000000a9911", world.number);
    let application = json!({"tenantId": TENANT, "clientId": client, "subscriptions": "*", "federated": [federated]});
    stack.simulator.post("clients", &application).await.unwrap();
    let provider = &mut sample[1];
    provider["spec"]["azure"]["tenantId"] = json!(TENANT);
    provider["spec"]["azure"]["credentials"]["workloadIdentity"]["clientId"] = json!(client);
    for object in &sample {
        world.apply(object);
    }
    let accepted = async || {
        let provider = world.get("billingproviders.payg-operator.io", "azure");
        let ready = condition(&provider, "Ready");
        let by_token = ready["message"].as_str().is_some_and(|message| message.contains("payg-billing"));
        (ready["reason"] == "CredentialsAccepted" && by_token).then_some(())
    };
    world.eventually(60, accepted).await.expect("credentials of the ServiceAccount");
    stop(operator).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_right_is_used_and_no_other_is_asked_for() {
    let (_alone, stack) = alone().await;
    let (granted, before) = (granted(stack), requests(stack).len());
    works(stack).await;
    let requests = requests(stack).split_off(before);

    let unused: Vec<_> = granted
        .iter()
        .filter(|right| !requests.iter().any(|request| request.is(right) && request.by(right.role)))
        .collect();
    assert!(unused.is_empty(), "granted and not used: {unused:#?}");

    // The namespace's own Role, which lends one Secret, is what else it works by.
    let by_roles =
        |request: &&Request| ROLES.iter().any(|(_, role)| request.by(role)) || request.by("read-azure-credentials");
    let others: Vec<_> = requests.iter().filter(|request| !by_roles(request)).map(Request::told).collect();
    assert_eq!(others, Vec::<String>::new(), "asked for without a shipped role");
    let of_secrets = requests.iter().filter(|request| request.resource == "secrets");
    let asked: BTreeSet<_> = of_secrets.map(|request| (request.verb.as_str(), request.name.as_deref())).collect();
    assert_eq!(asked, [("get", Some("azure-credentials"))].into());
}

/// Who it is: the ServiceAccount, to which nothing but the shipped roles is bound.
#[tokio::test(flavor = "multi_thread")]
async fn the_tests_run_the_operator_with_exactly_the_shipped_roles() {
    let (_alone, stack) = alone().await;
    let kubeconfig = stack.operator_kubeconfig().await.unwrap();
    let kubeconfig = kubeconfig.to_str().unwrap();
    let as_operator = |arguments: &[&str]| {
        run(Command::new(stack.control_plane.kubectl()).args(["--kubeconfig", kubeconfig]).args(arguments))
    };
    let who: Value = serde_json::from_str(&as_operator(&["auth", "whoami", "-o", "json"]).unwrap()).unwrap();
    let who = &who["status"]["userInfo"];
    assert_eq!(who["username"], USER);
    let groups = texts(&who["groups"]);

    let bindings: Value = serde_json::from_str(
        &stack.kubectl(&["get", "clusterrolebindings,rolebindings", "-n", "payg-operator", "-o", "json"]).unwrap(),
    )
    .unwrap();
    let is_it = |subject: &Value| match subject["kind"].as_str().unwrap() {
        "ServiceAccount" => subject["name"] == "payg-operator" && subject["namespace"] == "payg-operator",
        "User" => subject["name"] == USER,
        "Group" => groups.iter().any(|group| subject["name"] == *group),
        other => panic!("what is a {other}?"),
    };
    let bound: BTreeSet<_> = bindings["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|binding| binding["subjects"].as_array().into_iter().flatten().any(is_it))
        .map(|binding| binding["roleRef"]["name"].as_str().unwrap())
        .collect();
    // Every authenticated user may discover the API and ask for their own permissions.
    let everybody = [
        "system:basic-user",
        "system:discovery",
        "system:public-info-viewer",
        "system:service-account-issuer-discovery",
    ];
    let shipped = ROLES.map(|(_, role)| role);
    assert_eq!(bound, everybody.into_iter().chain(shipped).collect());

    for verb in ["get", "list", "watch", "create", "update", "patch", "delete"] {
        for namespace in [["-n", "payg-operator"].as_slice(), &["-A"]] {
            let answer = as_operator(&[["auth", "can-i", verb, "secrets"].as_slice(), namespace].concat());
            assert_eq!(answer.unwrap_err().lines().last(), Some("no"), "{verb} secrets {namespace:?}");
        }
    }
    let all = granted(stack);
    let wide: Vec<_> =
        all.iter().filter(|right| [&right.group, &right.resource, &right.verb].contains(&&"*".to_owned())).collect();
    assert!(wide.is_empty(), "{wide:#?}");
    let removing: Vec<_> = all.iter().filter(|right| right.verb.starts_with("delete")).collect();
    assert!(removing.is_empty(), "{removing:#?}");
}

/// A right taken away, and put back.
struct TakenAway {
    stack: &'static Stack,
    rules: Value,
}

impl TakenAway {
    fn new(stack: &'static Stack, verb: &str, resource: &str) -> Self {
        let rules = get(stack, "clusterrole", "payg-operator")["rules"].clone();
        let mut without = Vec::new();
        for rule in rules.as_array().unwrap() {
            let (mut others, mut this) = (rule.clone(), rule.clone());
            let is_it = |name: &Value| name == resource;
            others["resources"].as_array_mut().unwrap().retain(|name| !is_it(name));
            this["resources"].as_array_mut().unwrap().retain(is_it);
            this["verbs"].as_array_mut().unwrap().retain(|name| name != verb);
            let grants = |rule: &Value| !texts(&rule["resources"]).is_empty() && !texts(&rule["verbs"]).is_empty();
            without.extend([others, this].into_iter().filter(grants));
        }
        let taken = Self { stack, rules };
        let before = rights("payg-operator", &taken.rules).len();
        assert!(rights("payg-operator", &json!(without)).len() < before, "there is no {verb} {resource} to take away");
        taken.write(&json!(without));
        taken
    }

    fn write(&self, rules: &Value) {
        let patch = json!({"rules": rules}).to_string();
        self.stack.kubectl(&["patch", "clusterrole", "payg-operator", "--type=merge", "-p", &patch]).unwrap();
    }

    fn put_back(self) {
        self.write(&self.rules);
    }
}

/// Without the right a story does not come to its end; with it, it does. Nothing is upgraded on the way, unless what is missing
/// is only the right to tell of it.
#[tokio::test(flavor = "multi_thread")]
async fn effects_wait_for_their_permission() {
    let (_alone, stack) = alone().await;
    for (verb, resource, upgrades) in
        [("get", "namespaces", 0), ("create", "upgraderecords", 0), ("patch", "subscriptions/status", 1)]
    {
        let world = World::on(stack).await;
        let taken = TakenAway::new(stack, verb, resource);
        let before = requests(stack).len();
        let operator = stack.operator("held-back", &[]).await.unwrap();
        let account = world.account(json!({})).await;
        world.subscribe("sandbox", &account, automatic("Immediately"));
        let refused = async || {
            let refused = |request: &Request| !request.allowed && request.verb == verb && request.resource == resource;
            requests(stack).iter().skip(before).any(refused).then_some(())
        };
        world.eventually(60, refused).await.unwrap_or_else(|| panic!("{verb} {resource} is not missed"));
        let ready = condition(&world.subscription("sandbox"), "Ready")["reason"].clone();
        assert_ne!(ready, "OfferInPlace", "without {verb} {resource}");
        let ledger = world.ledger(&account).await;
        assert!(ledger.len() <= upgrades, "without {verb} {resource}: {ledger:#?}");
        taken.put_back();
        world.until("sandbox", "OfferInPlace").await;
        assert_eq!((world.records(&account).len(), world.ledger(&account).await.len()), (1, 1), "{verb} {resource}");
        stop(operator).await;
    }
}
