//! The two API servers: each is sent the same operations, in terms of its own uids, resourceVersions and tokens.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use http::{Request, header};
use http_body_util::BodyExt;
use kube::Client;
use payg_test_kit::fake_api::FakeApi;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::operations::{Change, Operation, Watching};

/// What one API server has said about itself.
#[derive(Default)]
struct Known {
    /// The last answers about objects, by path.
    objects: BTreeMap<String, Value>,
    /// The first resourceVersion of each object.
    old_versions: BTreeMap<String, Value>,
    /// The resourceVersions of lists, in the order of the lists, by the number of the list.
    lists: BTreeMap<usize, String>,
    /// How the last list goes on.
    next: Option<String>,
}

impl Known {
    fn request(&self, operation: &Operation) -> Request<Vec<u8>> {
        let mut path = operation.path.clone();
        if path.contains("$next") {
            path = path.replace("$next", self.next.as_deref().unwrap_or_default());
        }
        let body = match &operation.body {
            Change::None => Vec::new(),
            Change::Text(text) => text.clone().into_bytes(),
            Change::Send(body) => self.fill(operation, body.clone()).to_string().into_bytes(),
            Change::Put(change) => {
                let mut object = self.objects.get(operation.object_path()).cloned().unwrap_or_else(|| json!({}));
                merge(&mut object, change);
                self.fill(operation, object).to_string().into_bytes()
            }
        };
        let mut request = Request::builder().method(operation.method).uri(path);
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, operation.content_type);
        }
        if operation.is_metadata_only {
            let of = if operation.is_of_object() { "PartialObjectMetadata" } else { "PartialObjectMetadataList" };
            let accept = format!("application/json;as={of};g=meta.k8s.io;v=v1");
            request = request.header(header::ACCEPT, accept);
        }
        request.body(body).unwrap()
    }

    /// Puts this server's values where the operation names them.
    fn fill(&self, operation: &Operation, mut value: Value) -> Value {
        let path = operation.object_path();
        let of = |name: &str| self.objects.get(path).map(|object| object["metadata"][name].clone());
        let fill = |value: &mut Value| match value.as_str() {
            Some("$version") => *value = of("resourceVersion").unwrap_or_else(|| "1".into()),
            Some("$old-version") => *value = self.old_versions.get(path).cloned().unwrap_or_else(|| "1".into()),
            Some("$uid") => *value = of("uid").unwrap_or_else(|| "none".into()),
            _ => {}
        };
        for part in ["metadata", "preconditions"] {
            if let Some(Value::Object(members)) = value.get_mut(part) {
                members.values_mut().for_each(fill);
            }
        }
        value
    }

    fn learn(&mut self, operation: &Operation, code: u16, body: &[u8]) {
        let Ok(value) = serde_json::from_slice::<Value>(body) else { return };
        let metadata = &value["metadata"];
        if code >= 300 || !metadata["resourceVersion"].is_string() {
            return;
        }
        if let Some(number) = operation.list {
            self.lists.insert(number, metadata["resourceVersion"].as_str().unwrap().to_owned());
            self.next = metadata["continue"].as_str().map(str::to_owned);
        } else if metadata["generateName"].is_null() && !operation.is_metadata_only {
            let path = operation.object_path().to_owned();
            self.old_versions.entry(path.clone()).or_insert_with(|| metadata["resourceVersion"].clone());
            self.objects.insert(path, value);
        }
    }

    fn watch_path(&self, watch: &Watching) -> String {
        let version = watch.from.map_or_else(String::new, |number| format!("&resourceVersion={}", self.lists[&number]));
        format!("{}{version}&watch=true&timeoutSeconds=1", watch.path)
    }
}

/// The fake one.
pub(crate) struct Fake {
    api: FakeApi,
    known: Known,
}

impl Fake {
    pub(crate) fn new(api: FakeApi) -> Self {
        Self { api, known: Known::default() }
    }

    pub(crate) fn send(&mut self, operation: &Operation) -> (u16, Bytes) {
        let response = self.api.handle(&self.known.request(operation));
        let code = response.status().as_u16();
        let body = response.into_body().whole().unwrap().clone();
        self.known.learn(operation, code, &body);
        (code, body)
    }

    /// All events that the watch sends at once.
    pub(crate) fn watch(&self, watch: &Watching) -> Vec<Value> {
        let request = Request::get(self.known.watch_path(watch)).body([]).unwrap();
        let mut watch = self.api.handle(&request).into_body().into_watch().unwrap();
        std::iter::from_fn(|| watch.try_next()).map(|event| serde_json::from_slice(&event.line()).unwrap()).collect()
    }
}

/// The real one.
pub(crate) struct Real {
    client: Client,
    known: Known,
}

impl Real {
    /// With the kinds.
    pub(crate) async fn new(client: Client) -> Self {
        let real = Self { client, known: Known::default() };
        for yaml in crate::crds() {
            let definition: Value = payg_test_kit::fake_api::parse_yaml(&yaml).remove(0);
            let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
            let request = Request::post(path).header(header::CONTENT_TYPE, "application/json");
            let (code, body) = real.exchange(request.body(definition.to_string().into_bytes()).unwrap()).await;
            assert_eq!(code, 201, "{body:?}");
            let plural = definition["spec"]["names"]["plural"].as_str().unwrap();
            real.wait_for(&format!("/apis/payg-operator.io/v1alpha1/{plural}")).await;
        }
        real
    }

    async fn wait_for(&self, path: &str) {
        for _ in 0..500 {
            if self.exchange(Request::get(path).body(Vec::new()).unwrap()).await.0 == 200 {
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
        panic!("not served after 10 s: {path}");
    }

    async fn exchange(&self, request: Request<Vec<u8>>) -> (u16, Bytes) {
        let response = self.client.send(request.map(kube::client::Body::from)).await.unwrap();
        let code = response.status().as_u16();
        (code, response.into_body().collect_bytes().await.unwrap())
    }

    pub(crate) async fn send(&mut self, operation: &Operation) -> (u16, Bytes) {
        let (code, body) = self.exchange(self.known.request(operation)).await;
        self.known.learn(operation, code, &body);
        (code, body)
    }

    /// All events that the watch sends until it ends.
    pub(crate) async fn watch(&self, watch: &Watching) -> Vec<Value> {
        let request = Request::get(self.known.watch_path(watch)).body(Vec::new()).unwrap();
        let response = self.client.send(request.map(kube::client::Body::from)).await.unwrap();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let lines = serde_json::Deserializer::from_slice(&body).into_iter();
        lines.map(Result::unwrap).collect()
    }
}

/// A merge patch (RFC 7386) of values.
fn merge(value: &mut Value, change: &Value) {
    let Value::Object(change) = change else {
        value.clone_from(change);
        return;
    };
    if !value.is_object() {
        *value = json!({});
    }
    let object = value.as_object_mut().unwrap();
    for (name, change) in change {
        if change.is_null() {
            object.remove(name);
        } else {
            merge(object.entry(name).or_insert(Value::Null), change);
        }
    }
}
