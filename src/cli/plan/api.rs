//! The API server that a plan is made on: it serves the manifests, keeps the statuses that the operator's pass writes, and
//! knows of no upgrade that was ever requested.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::{Method, Request, Response, StatusCode};
use jiff::Timestamp;
use kube::Client;
use kube::client::Body;
use payg_runtime::client::over;
use serde_json::{Value, json};
use tower::BoxError;

use crate::operator::SHIPPED_POLICIES;
use payg_api::AZURE_SECRET_KEY;

use super::manifests::Manifest;
use super::secrets;

/// Where the environment of a pipeline has what a Secret holds in the cluster: variable and key.
const SECRETS: [(&str, &str); 4] = [
    ("AZURE_CLIENT_SECRET", AZURE_SECRET_KEY),
    ("AWS_ACCESS_KEY_ID", "accessKeyId"),
    ("AWS_SECRET_ACCESS_KEY", "secretAccessKey"),
    ("AWS_SESSION_TOKEN", "sessionToken"),
];
/// Where it may have credentials that a plan does not take, as the operator has none of their kind: profiles of files, certificates
/// in files, the identity of a machine, passwords of people.
const UNTAKEN: [&str; 7] = [
    "AWS_PROFILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AZURE_CLIENT_CERTIFICATE_PATH",
    "AZURE_PASSWORD",
    "IDENTITY_ENDPOINT",
];
/// Where it has a token that a ServiceAccount gets in the cluster, in a file: <https://azure.github.io/azure-workload-identity/>,
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-assume-role-credentials.html>.
const TOKENS: [&str; 2] = ["AZURE_FEDERATED_TOKEN_FILE", "AWS_WEB_IDENTITY_TOKEN_FILE"];

/// Objects by path.
#[derive(Clone, Default)]
pub struct Manifests(Arc<Mutex<BTreeMap<String, Value>>>);

impl Manifests {
    /// A server of `manifests`, which were all created at `now`.
    pub fn new(manifests: &[Manifest], now: Timestamp) -> Self {
        let mut objects = BTreeMap::new();
        for (number, manifest) in manifests.iter().enumerate() {
            let Some(path) = path(manifest) else { continue };
            let mut object = manifest.object.clone();
            object["metadata"]["uid"] = json!(format!("{number:08}"));
            object["metadata"]["generation"] = json!(1);
            object["metadata"]["resourceVersion"] = json!("1");
            object["metadata"]["creationTimestamp"] = json!(now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
            object.as_object_mut().map(|fields| fields.remove("status"));
            match manifest.kind() {
                "Secret" => encode(&mut object),
                // Whatever else they have, it is not observed.
                "ServiceAccount" | "Namespace" => keep_head(&mut object),
                _ => {}
            }
            objects.insert(path, object);
        }
        for policy in shipped_policies() {
            let (kind, name) = (policy["kind"].as_str().unwrap_or_default(), &policy["metadata"]["name"]);
            let plural = if kind.ends_with("Binding") {
                "validatingadmissionpolicybindings"
            } else {
                "validatingadmissionpolicies"
            };
            let path = format!("/apis/admissionregistration.k8s.io/v1/{plural}/{}", name.as_str().unwrap_or_default());
            objects.insert(path, policy);
        }
        Self(Arc::new(Mutex::new(objects)))
    }

    pub fn client(&self) -> Client {
        let objects = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let objects = objects.clone();
            async move { Ok::<_, BoxError>(objects.answer(request).await) }
        });
        over(service)
    }
}

impl Manifests {
    /// The object of this kind as it is now.
    pub fn get(&self, plural: &str, namespace: &str, name: &str) -> Option<Value> {
        self.objects().get(&format!("{GROUP}/namespaces/{namespace}/{plural}/{name}")).cloned()
    }

    fn objects(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Value>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path();
        let answer = match parts.method {
            Method::GET if path.ends_with("/upgradeapprovals") => {
                Some(self.approvals(path, parts.uri.query().unwrap_or_default()))
            }
            Method::GET => {
                self.objects().get(path).cloned().or_else(|| from_environment(path)).or_else(|| namespace(path))
            }
            Method::PATCH => match body.collect_bytes().await.map(|bytes| serde_json::from_slice(&bytes)) {
                Ok(Ok(change)) => self.change(path.trim_end_matches("/status"), &change),
                _ => None,
            },
            Method::POST if path.ends_with("/token") => token(),
            // Nothing else reports Events.
            Method::POST if path.ends_with("/events") => Some(json!({})),
            _ => None,
        };
        let (status, answer) = match answer {
            Some(answer) => (StatusCode::OK, answer),
            None => (StatusCode::NOT_FOUND, not_found(path)),
        };
        let mut response = Response::new(Body::from(answer.to_string().into_bytes()));
        *response.status_mut() = status;
        response
    }

    fn approvals(&self, path: &str, query: &str) -> Value {
        let about = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "fieldSelector");
        let about = about.as_ref().and_then(|(_, selector)| selector.strip_prefix("spec.subscriptionName="));
        let objects = self.objects();
        let items = objects.iter().filter(|(at, _)| at.starts_with(&format!("{path}/"))).map(|(_, object)| object);
        let items: Vec<_> = items.filter(|object| object["spec"]["subscriptionName"].as_str() == about).collect();
        json!({"apiVersion": "payg-operator.io/v1alpha1", "kind": "UpgradeApprovalList", "metadata": {}, "items": items})
    }

    fn change(&self, path: &str, change: &Value) -> Option<Value> {
        let mut objects = self.objects();
        let object = objects.get_mut(path)?;
        json_patch::merge(object, change);
        Some(object.clone())
    }
}

const VERSION: &str = "payg-operator.io/v1alpha1";
const GROUP: &str = "/apis/payg-operator.io/v1alpha1";

/// Where a manifest is asked for; `None` for what no reconcile asks for. Others have kinds of the same names.
fn path(manifest: &Manifest) -> Option<String> {
    let metadata = manifest.object["metadata"].as_object()?;
    let namespace = metadata.get("namespace").and_then(Value::as_str).unwrap_or_default();
    let namespaced =
        |group: &str, plural: &str| Some(format!("{group}/namespaces/{namespace}/{plural}/{}", manifest.name()));
    match (manifest.object["apiVersion"].as_str()?, manifest.kind()) {
        (VERSION, "Subscription") => namespaced(GROUP, "subscriptions"),
        (VERSION, "BillingProvider") => namespaced(GROUP, "billingproviders"),
        (VERSION, "UpgradeApproval") => namespaced(GROUP, "upgradeapprovals"),
        ("v1", "Secret") => namespaced("/api/v1", "secrets"),
        ("v1", "ServiceAccount") => namespaced("/api/v1", "serviceaccounts"),
        ("v1", "Namespace") => Some(format!("/api/v1/namespaces/{}", manifest.name())),
        _ => None,
    }
}

fn keep_head(object: &mut Value) {
    let head = ["apiVersion", "kind", "metadata"];
    if let Some(fields) = object.as_object_mut() {
        fields.retain(|name, _| head.contains(&name.as_str()));
    }
}

/// `stringData` of a Secret becomes `data`, as in the API server, and base64 has no line ends.
fn encode(secret: &mut Value) {
    let texts = |field: &Value| field.as_object().cloned().unwrap_or_default();
    let mut data = serde_json::Map::new();
    for (key, value) in texts(&secret["data"]) {
        let bytes = value.as_str().and_then(secrets::decoded).unwrap_or_default();
        data.insert(key, json!(BASE64_STANDARD.encode(bytes)));
    }
    for (key, value) in texts(&secret["stringData"]) {
        data.insert(key, json!(BASE64_STANDARD.encode(value.as_str().unwrap_or_default())));
    }
    secret["data"] = Value::Object(data);
}

/// What a namespace holds that is in no manifest, and in the environment of a pipeline instead.
fn from_environment(path: &str) -> Option<Value> {
    let name = path.rsplit('/').next()?;
    let metadata = json!({"name": name, "uid": name, "resourceVersion": "1"});
    if path.contains("/secrets/") {
        let set = SECRETS.iter().filter_map(|(variable, key)| Some(((*key).to_owned(), env::var(variable).ok()?)));
        let data: serde_json::Map<_, _> = set.map(|(key, value)| (key, json!(BASE64_STANDARD.encode(value)))).collect();
        return (!data.is_empty())
            .then(|| json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}));
    }
    if path.contains("/serviceaccounts/") {
        return token_file().map(|_| json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}));
    }
    None
}

/// Which credentials in the environment no plan takes, by name, and which it would take; nothing if there are none.
pub fn untaken() -> Option<String> {
    let set: Vec<_> =
        UNTAKEN.into_iter().filter(|name| env::var_os(name).is_some_and(|value| !value.is_empty())).collect();
    let taken = SECRETS.map(|(name, _)| name).into_iter().chain(TOKENS).collect::<Vec<_>>().join(", ");
    (!set.is_empty()).then(|| format!("A plan takes no credentials from {}. It takes {taken}.", set.join(", ")))
}

/// A namespace that is in no manifest is there all the same, and asks for nothing.
fn namespace(path: &str) -> Option<Value> {
    let name = path.strip_prefix("/api/v1/namespaces/").filter(|name| !name.contains('/'))?;
    Some(
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "uid": name, "resourceVersion": "1"}}),
    )
}

fn token_file() -> Option<String> {
    TOKENS.iter().find_map(|variable| env::var(variable).ok())
}

/// The pipeline's own token, for as long as a plan takes.
fn token() -> Option<Value> {
    let token = fs::read_to_string(token_file()?).ok()?;
    let expires = Timestamp::now() + std::time::Duration::from_mins(10);
    Some(
        json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "metadata": {}, "spec": {"audiences": []},
        "status": {"token": token.trim(), "expirationTimestamp": expires.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()}}),
    )
}

/// The policies as they are shipped: whether the cluster has them is not known here.
fn shipped_policies() -> Vec<Value> {
    let mut policies: Vec<Value> = serde_saphyr::from_multiple(SHIPPED_POLICIES).unwrap_or_default();
    for policy in &mut policies {
        policy["metadata"]["creationTimestamp"] = json!("2000-01-01T00:00:00Z");
        // As the API server notes it: they have been as they are since then.
        policy["metadata"]["managedFields"] = json!([{"manager": "payg", "operation": "Update", "fieldsType": "FieldsV1",
            "time": "2000-01-01T00:00:00Z", "fieldsV1": {"f:spec": {}}}]);
    }
    policies
}

fn not_found(path: &str) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404,
        "message": format!("{path} is in no manifest"), "metadata": {}})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served(object: &Value) -> Vec<String> {
        let manifest = Manifest { place: "a.yaml".to_owned(), object: object.clone() };
        let server = Manifests::new(&[manifest], Timestamp::UNIX_EPOCH);
        let objects = server.objects();
        objects.keys().filter(|path| !path.contains("admissionregistration")).cloned().collect()
    }

    #[test]
    fn only_what_is_asked_for_is_served() {
        let of = |version: &str, kind: &str| json!({"apiVersion": version, "kind": kind, "metadata": {"name": "x", "namespace": "team-a"}});
        let path = format!("{GROUP}/namespaces/team-a/subscriptions/x");
        assert_eq!(served(&of(VERSION, "Subscription")), [path]);
        assert_eq!(served(&of("operators.coreos.com/v1alpha1", "Subscription")), Vec::<String>::new());
        assert_eq!(served(&of("v1", "ConfigMap")), Vec::<String>::new());
    }

    #[test]
    fn odd_secrets_break_nothing() {
        for odd in [
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": "x"}),
            json!({"apiVersion": "v1", "kind": "Secret"}),
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}, "data": "y", "stringData": {"z": 1}}),
            json!({"apiVersion": 1, "kind": "Secret", "metadata": {"name": []}, "stringData": []}),
        ] {
            served(&odd);
        }
    }
}
