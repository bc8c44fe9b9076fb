//! Random operations on few objects, so that they meet. All objects are valid by the rules in CEL, which the fake API
//! server does not evaluate.

use fastrand::Rng;
use serde_json::{Value, json};

const GUID: &str = "6f1a3c1e-0000-4a00-9000-00000000f7ee";
const GROUP: &str = "/apis/payg-operator.io/v1alpha1";
const NAMESPACES: [&str; 2] = ["team-a", "team-b"];
const MERGE_PATCH: &str = "application/merge-patch+json";

/// What is sent.
#[derive(Debug)]
pub(crate) enum Change {
    None,
    Text(String),
    /// This, with the server's own values where it says `$version`, `$old-version` or `$uid` in its metadata.
    Send(Value),
    /// The object as it was last seen, with this change.
    Put(Value),
}

/// A request.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) method: &'static str,
    /// With the query. `$next` is how the last list goes on.
    pub(crate) path: String,
    pub(crate) content_type: &'static str,
    pub(crate) is_metadata_only: bool,
    pub(crate) body: Change,
    /// The number of the list, if it is one.
    pub(crate) list: Option<usize>,
    /// The path of the object that it is about.
    object: String,
}

impl Operation {
    fn new(method: &'static str, path: String, body: Change) -> Self {
        let object = path.split('?').next().unwrap_or_default().trim_end_matches("/status").to_owned();
        Self { method, path, content_type: "application/json", is_metadata_only: false, body, list: None, object }
    }

    fn patch(path: String, body: Value) -> Self {
        Self { content_type: MERGE_PATCH, ..Self::new("PATCH", path, Change::Send(body)) }
    }

    pub(crate) fn object_path(&self) -> &str {
        &self.object
    }

    pub(crate) fn is_of_object(&self) -> bool {
        self.list.is_none()
    }
}

/// A watch.
#[derive(Debug)]
pub(crate) struct Watching {
    /// With a query.
    pub(crate) path: String,
    /// The number of the list after which it begins; `None` to begin with what is there.
    pub(crate) from: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Subscription,
    Provider,
    Approval,
    Record,
    Lease,
    Secret,
    Event,
    Account,
}

/// Makes operations.
pub(crate) struct Operations {
    rng: Rng,
    /// The lists of this round by their numbers, and those of all.
    lists: Vec<usize>,
    listed: usize,
    /// The last list, if it was limited, with the path that it had.
    unfinished: Option<String>,
}

impl Operations {
    pub(crate) fn new(seed: u64) -> Self {
        Self { rng: Rng::with_seed(seed), lists: Vec::new(), listed: 0, unfinished: None }
    }

    /// What the others need.
    pub(crate) fn beginning() -> Vec<Operation> {
        let namespace = |name: &&str| {
            let body = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
            Operation::new("POST", "/api/v1/namespaces".to_owned(), Change::Send(body))
        };
        NAMESPACES.iter().map(namespace).collect()
    }

    pub(crate) fn next_round(&mut self) {
        self.lists.clear();
        self.unfinished = None;
    }

    pub(crate) fn next_one(&mut self) -> Operation {
        if self.lists.is_empty() {
            return self.list();
        }
        if let Some(path) = self.unfinished.take() {
            let path = format!("{path}&continue=$next");
            return Operation { list: Some(self.number()), ..Operation::new("GET", path, Change::None) };
        }
        match self.rng.u8(..100) {
            0..27 => self.create(),
            27..37 => self.get(),
            37..46 => self.list(),
            46..64 => self.patch_status(),
            64..80 => self.patch(),
            80..88 => self.put(),
            88..97 => self.delete(),
            _ => self.odd(),
        }
    }

    /// A watch of what happened in this round, or of what is there.
    pub(crate) fn watch(&mut self) -> Watching {
        let kind = self.custom_or_lease();
        let path = self.collection(kind, true);
        let selector = self.selector(kind);
        let from = self.rng.u8(..4) > 0;
        let from = from.then(|| self.lists[self.rng.usize(..self.lists.len())]);
        Watching { path: format!("{path}?{selector}"), from }
    }

    fn one_of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.rng.usize(..choices.len())].clone()
    }

    fn number(&mut self) -> usize {
        self.listed += 1;
        self.listed
    }

    fn kind(&mut self) -> Kind {
        use Kind::{Account, Approval, Event, Lease, Provider, Record, Secret, Subscription};
        let kinds = [
            Subscription,
            Subscription,
            Subscription,
            Record,
            Record,
            Provider,
            Approval,
            Lease,
            Secret,
            Event,
            Account,
        ];
        self.one_of(&kinds)
    }

    fn custom(&mut self) -> Kind {
        self.one_of(&[Kind::Subscription, Kind::Subscription, Kind::Record, Kind::Provider, Kind::Approval])
    }

    fn custom_or_lease(&mut self) -> Kind {
        if self.rng.u8(..8) == 0 { Kind::Lease } else { self.custom() }
    }

    fn with_status(&mut self) -> Kind {
        self.one_of(&[Kind::Subscription, Kind::Subscription, Kind::Record, Kind::Provider])
    }

    fn collection(&mut self, kind: Kind, may_be_all: bool) -> String {
        let (group, plural) = match kind {
            Kind::Subscription => (GROUP, "subscriptions"),
            Kind::Provider => (GROUP, "billingproviders"),
            Kind::Approval => (GROUP, "upgradeapprovals"),
            Kind::Record => (GROUP, "upgraderecords"),
            Kind::Lease => ("/apis/coordination.k8s.io/v1", "leases"),
            Kind::Secret => ("/api/v1", "secrets"),
            Kind::Event => ("/apis/events.k8s.io/v1", "events"),
            Kind::Account => ("/api/v1", "serviceaccounts"),
        };
        // Others write leases in other namespaces.
        if kind == Kind::Record || may_be_all && kind != Kind::Lease && self.rng.bool() {
            return format!("{group}/{plural}");
        }
        format!("{group}/namespaces/{}/{plural}", self.one_of(&NAMESPACES))
    }

    fn name(&mut self, kind: Kind) -> String {
        let number = self.rng.u8(..3);
        match kind {
            Kind::Record => format!("up-{number:040x}"),
            Kind::Subscription => ["sandbox", "prod-1", "prod"][usize::from(number)].to_owned(),
            _ => format!("thing.{number}"),
        }
    }

    fn object_path(&mut self, kind: Kind) -> String {
        let collection = self.collection(kind, false);
        format!("{collection}/{}", self.name(kind))
    }

    fn query(&mut self) -> &'static str {
        self.one_of(&[
            "",
            "?fieldValidation=Strict",
            "?fieldManager=test&fieldValidation=Strict",
            "?fieldValidation=Ignore",
        ])
    }

    fn selector(&mut self, kind: Kind) -> String {
        match self.rng.u8(..6) {
            0 => format!("&fieldSelector=metadata.name%3D{}", self.name(kind)),
            1 if kind == Kind::Subscription => "&fieldSelector=spec.providerName%3Dazure".to_owned(),
            2 if kind == Kind::Approval => "&fieldSelector=spec.subscriptionName=prod".to_owned(),
            3 => "&labelSelector=team%3Da".to_owned(),
            4 if kind != Kind::Record => "&fieldSelector=metadata.namespace%3Dteam-b".to_owned(),
            _ => String::new(),
        }
    }

    fn get(&mut self) -> Operation {
        let kind = self.kind();
        let is_metadata_only = self.rng.u8(..5) == 0;
        Operation { is_metadata_only, ..Operation::new("GET", self.object_path(kind), Change::None) }
    }

    fn list(&mut self) -> Operation {
        let kind = self.custom_or_lease();
        let path = self.collection(kind, true);
        let mut path = format!("{path}?{}", self.selector(kind));
        let number = self.number();
        // The real one loses items of later pages where it is asked for the name or namespace, too.
        if !path.contains("metadata.") && self.rng.u8(..3) == 0 {
            path += "&limit=2";
            self.unfinished = Some(path.clone());
        } else {
            self.lists.push(number);
        }
        let is_metadata_only = self.unfinished.is_none() && self.rng.u8(..4) == 0;
        Operation { list: Some(number), is_metadata_only, ..Operation::new("GET", path, Change::None) }
    }

    fn create(&mut self) -> Operation {
        let kind = self.kind();
        let collection = self.collection(kind, false);
        let name = self.name(kind);
        let mut object = self.object(kind, &name);
        if kind == Kind::Event {
            let namespace = NAMESPACES.iter().find(|namespace| collection.contains(*namespace));
            object["regarding"]["namespace"] = (*namespace.unwrap()).into();
        }
        let query = self.query();
        match self.rng.u8(..12) {
            0 if kind != Kind::Record && self.rng.u8(..3) == 0 => {
                // Each begins differently, so that their order does not depend on what is random.
                let base = format!("{name}-{}-", self.number());
                object["metadata"] = json!({"generateName": base});
            }
            1 => object["metadata"]["namespace"] = "elsewhere".into(),
            2 => object["metadata"]["name"] = self.one_of(&["", "Upper", "a_b", "-a"]).into(),
            3 => self.spoil(kind, &mut object),
            4 => object["kind"] = "Other".into(),
            5 if is_custom(kind) => {
                object["metadata"]["uid"] = "mine".into();
                object["metadata"]["generation"] = 7.into();
                object["metadata"]["labels"] = json!({});
            }
            6 if is_custom(kind) => object["status"] = json!({"observedGeneration": 3, "state": "Accepted"}),
            7 if is_custom(kind) => object["metadata"]["finalizers"] = json!(["example.io/wait"]),
            _ => {}
        }
        let path = format!("{collection}{query}");
        let mut operation = Operation::new("POST", path, Change::Send(object));
        operation.object = format!("{collection}/{name}");
        operation
    }

    /// Makes the object one that its schema refuses or prunes.
    fn spoil(&mut self, kind: Kind, object: &mut Value) {
        match (kind, self.rng.u8(..4)) {
            (_, 0) if is_custom(kind) => object["spec"]["surprise"] = json!({"a": 1}),
            (Kind::Subscription, 1) => object["spec"]["offer"] = "Free".into(),
            (Kind::Subscription, 2) => drop(object["spec"].as_object_mut().unwrap().remove("upgrade")),
            (Kind::Subscription, _) => object["spec"]["providerName"] = self.one_of(&[json!(7), json!(""), json!({})]),
            (Kind::Record, 1) => object["spec"]["endpoint"] = "x".repeat(5000).into(),
            (Kind::Record, 2) => object["spec"]["intent"]["notAfterTime"] = "soon".into(),
            (Kind::Record, _) => object["spec"]["intent"]["evidence"]["more"] = true.into(),
            (Kind::Approval, 1) => object["spec"]["decision"] = "Perhaps".into(),
            (Kind::Approval, _) => object["metadata"]["surprise"] = "x".into(),
            _ => {}
        }
    }

    fn object(&mut self, kind: Kind, name: &str) -> Value {
        let text = self.one_of(&["a", "b", "c"]);
        let mut object = match kind {
            Kind::Subscription => json!({
                "apiVersion": "payg-operator.io/v1alpha1", "kind": "Subscription",
                "spec": {
                    "providerName": self.one_of(&["azure", "aws"]), "account": {"azure": {"subscriptionId": GUID}},
                    "offer": "PayAsYouGo", "upgrade": {"when": "BenefitsExhausted", "approval": "Manual"},
                },
            }),
            Kind::Provider => json!({
                "apiVersion": "payg-operator.io/v1alpha1", "kind": "BillingProvider",
                "spec": {"azure": {
                    "cloud": "Public", "tenantId": GUID, "upgradeMethod": self.one_of(&["PortalHandoff", "Broker"]),
                    "credentials": {"workloadIdentity": {"serviceAccountName": "payg-billing", "clientId": GUID}},
                }},
            }),
            Kind::Approval => json!({
                "apiVersion": "payg-operator.io/v1alpha1", "kind": "UpgradeApproval",
                "spec": {
                    "subscriptionName": self.one_of(&["prod", "sandbox"]), "transitionHash": "0123456789abcdef",
                    "decision": "Approve", "approver": "admin", "reason": text, "expireTime": "2026-12-01T00:00:00Z",
                },
            }),
            Kind::Record => json!({
                "apiVersion": "payg-operator.io/v1alpha1", "kind": "UpgradeRecord",
                "spec": {
                    "key": name.trim_start_matches("up-"), "account": {"cloud": "aws", "id": "123456789012"},
                    "from": {"class": "FreeTrial", "native": "FREE"}, "to": {"class": "PayAsYouGo", "native": null},
                    "requester": {"namespace": "team-a", "name": "sandbox", "uid": "5e1ab5b9"},
                    "intent": {
                        "id": text, "notAfterTime": "2026-11-23T12:00:30Z",
                        "evidence": {"observedTime": "2026-11-23T12:00:00Z", "summary": "The credit is used up."},
                    },
                },
            }),
            Kind::Lease => json!({
                "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
                "spec": {"holderIdentity": text, "leaseDurationSeconds": 15, "renewTime": "2026-11-23T12:00:00.000000Z"},
            }),
            Kind::Secret => json!({"apiVersion": "v1", "kind": "Secret", "stringData": {"key": text}}),
            Kind::Event => json!({
                "apiVersion": "events.k8s.io/v1", "kind": "Event", "eventTime": "2026-11-23T12:00:00.000000Z",
                "reportingController": "example.io/operator", "reportingInstance": "operator-0", "action": "Look",
                "reason": "Looked", "type": "Normal", "note": text,
                "regarding": {"kind": "ConfigMap", "name": "x", "uid": "5e1ab5b9"},
            }),
            Kind::Account => json!({"apiVersion": "v1", "kind": "ServiceAccount"}),
        };
        object["metadata"] = json!({"name": name});
        if self.rng.u8(..3) == 0 {
            object["metadata"]["labels"] = json!({"team": self.one_of(&["a", "b"])});
        }
        object
    }

    fn patch_status(&mut self) -> Operation {
        let kind = self.with_status();
        let text = self.one_of(&["a", "b", "c"]);
        let time = "2026-11-23T12:00:00Z";
        let mut status = match (kind, self.rng.u8(..6)) {
            (Kind::Record, 0) => json!({"attempts": [{"number": 1, "outcome": "Unknown", "message": text}]}),
            (Kind::Record, 1) => json!({"timeline": [{"time": time, "event": text}], "outcome": null}),
            (Kind::Record, _) => json!({"state": self.one_of(&["Unknown", "Accepted"]), "outcome": text}),
            (_, 0) => json!({"observedGeneration": self.one_of(&[-1, 1, 2])}),
            (_, 1) => json!({"conditions": null}),
            (Kind::Subscription, 2) => json!({"transition": null, "offer": {"class": text, "native": null}}),
            (Kind::Subscription, 3) => json!({"benefits": [{"kind": "Credit", "state": text}], "nextCheckTime": time}),
            _ => json!({"conditions": [condition("Ready", text), condition("Stalled", "x")]}),
        };
        match self.rng.u8(..14) {
            0 => status["surprise"] = text.into(),
            1 => status = json!({"conditions": [condition("Ready", text), condition("Ready", "x")]}),
            2 => status = json!({"observedGeneration": "one"}),
            3 if kind != Kind::Record => status = Value::Null,
            4 if kind == Kind::Subscription => status = json!({"nextCheckTime": "tomorrow"}),
            _ => {}
        }
        let mut patch = json!({"status": status});
        self.meet(&mut patch);
        match self.rng.u8(..10) {
            0 => patch["spec"] = json!({"suspend": true}),
            1 => patch["metadata"]["labels"] = json!({"team": "a"}),
            _ => {}
        }
        let at = format!("{}/status{}", self.object_path(kind), self.query());
        Operation::patch(at, patch)
    }

    /// Adds what must be met for the patch to be taken.
    fn meet(&mut self, patch: &mut Value) {
        match self.rng.u8(..10) {
            0..4 => patch["metadata"] = json!({"resourceVersion": "$version"}),
            4..6 => patch["metadata"] = json!({"resourceVersion": "$old-version"}),
            6 => patch["metadata"] = json!({"uid": self.one_of(&["$uid", "another"])}),
            7 => patch["metadata"] = json!({"resourceVersion": null}),
            _ => {}
        }
    }

    fn patch(&mut self) -> Operation {
        let kind = self.kind();
        let text = self.one_of(&["a", "b"]);
        let mut patch = match (kind, self.rng.u8(..4)) {
            (Kind::Subscription, 0) => json!({"spec": {"providerName": self.one_of(&["azure", "aws"])}}),
            (Kind::Subscription, 1) => {
                json!({"spec": {"suspend": self.one_of(&[json!(true), json!(false), Value::Null])}})
            }
            (Kind::Subscription, 2) => {
                json!({"spec": {"upgrade": {"when": self.one_of(&["Never", "Immediately", "Sometimes"])}}})
            }
            (Kind::Provider, 0 | 1) => {
                json!({"spec": {"azure": {"upgradeMethod": self.one_of(&["PortalHandoff", "Broker"])}}})
            }
            (Kind::Event, _) => {
                json!({"series": {"count": self.rng.u8(2..5), "lastObservedTime": "2026-11-23T12:00:00.000000Z"}})
            }
            (Kind::Lease, 0 | 1) => json!({"spec": {"holderIdentity": text}}),
            (Kind::Secret, 0 | 1) => {
                json!({"data": {"more": self.one_of(&[json!("YQ=="), json!("Yg=="), Value::Null])}})
            }
            _ => json!({}),
        };
        self.meet(&mut patch);
        match self.rng.u8(..12) {
            0 | 1 => patch["metadata"]["labels"] = json!({"team": self.one_of(&[json!("a"), json!("b"), Value::Null])}),
            2 => patch["metadata"]["annotations"] = json!({"reconcile.fluxcd.io/requestedAt": text}),
            3 if is_custom(kind) => patch["status"] = json!({"observedGeneration": 1}),
            4 => patch["metadata"]["finalizers"] = self.one_of(&[json!(["example.io/wait"]), Value::Null]),
            5 => patch["metadata"]["finalizers"] = Value::Null,
            6 => patch["metadata"]["name"] = "another".into(),
            7 if is_custom(kind) => patch["spec"]["surprise"] = text.into(),
            8 => patch["metadata"]["generation"] = 77.into(),
            _ => {}
        }
        if !is_custom(kind) {
            // Their ends are another story.
            patch["metadata"].as_object_mut().map(|metadata| metadata.remove("finalizers"));
        }
        let at = format!("{}{}", self.object_path(kind), self.query());
        Operation::patch(at, patch)
    }

    fn put(&mut self) -> Operation {
        let kind = self.one_of(&[Kind::Lease, Kind::Lease, Kind::Subscription, Kind::Provider, Kind::Secret]);
        let path = self.object_path(kind);
        let name = path.rsplit('/').next().unwrap_or_default().to_owned();
        let mut change = self.object(kind, &name);
        match self.rng.u8(..8) {
            0 => change["metadata"]["resourceVersion"] = "$old-version".into(),
            1 => change["metadata"]["resourceVersion"] = Value::Null,
            2 => change["metadata"]["uid"] = "another".into(),
            3 => change = json!({"metadata": {"name": name}}),
            4 if is_custom(kind) => change["status"] = json!({"observedGeneration": 9}),
            _ => {}
        }
        Operation::new("PUT", path, Change::Put(change))
    }

    fn delete(&mut self) -> Operation {
        let kind = self.kind();
        let body = match self.rng.u8(..8) {
            0 => json!({"preconditions": {"uid": "$uid"}}),
            1 => json!({"preconditions": {"uid": "another"}}),
            2 => json!({"preconditions": {"resourceVersion": "$old-version"}}),
            3 => json!({"preconditions": {"resourceVersion": "$version"}}),
            _ => json!({}),
        };
        Operation::new("DELETE", self.object_path(kind), Change::Send(body))
    }

    fn odd(&mut self) -> Operation {
        let kind = self.custom();
        let path = self.object_path(kind);
        match self.rng.u8(..10) {
            0 => {
                let object = self.object(kind, "sandbox");
                Operation::new("PUT", self.collection(kind, false), Change::Send(object))
            }
            1 => Operation::new("GET", "/apis/payg-operator.io/v1/subscriptions".to_owned(), Change::None),
            2 => Operation::new("GET", "/apis/payg-operator.io/v1alpha1/others".to_owned(), Change::None),
            8 => Operation::new(
                "POST",
                format!("{}/status", self.object_path(Kind::Subscription)),
                Change::Send(json!({})),
            ),
            3 => Operation { content_type: MERGE_PATCH, ..Operation::new("PATCH", path, Change::Text("{".to_owned())) },
            4 => Operation::new("PATCH", path, Change::Send(json!({"spec": {}}))),
            5 => {
                let body = self.object(Kind::Subscription, "sandbox");
                let path = "/apis/payg-operator.io/v1alpha1/namespaces/none/subscriptions".to_owned();
                Operation::new("POST", path, Change::Send(body))
            }
            6 => {
                let path = format!("{GROUP}/subscriptions?fieldSelector=spec.offer%3Dx");
                Operation { list: Some(self.number()), ..Operation::new("GET", path, Change::None) }
            }
            7 => Operation::new("GET", format!("{}/status", self.object_path(Kind::Subscription)), Change::None),
            _ => {
                let body = json!({
                    "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
                    "spec": {"audiences": ["api://AzureADTokenExchange"], "expirationSeconds": 3600},
                });
                let path = format!("{}/token", self.object_path(Kind::Account));
                let mut operation = Operation::new("POST", path, Change::Send(body));
                operation.object = String::new();
                operation
            }
        }
    }
}

fn is_custom(kind: Kind) -> bool {
    matches!(kind, Kind::Subscription | Kind::Provider | Kind::Approval | Kind::Record)
}

fn condition(type_: &str, message: &str) -> Value {
    json!({
        "type": type_, "status": "True", "reason": "Looked", "message": message, "observedGeneration": 1,
        "lastTransitionTime": "2026-11-23T12:00:00Z",
    })
}
