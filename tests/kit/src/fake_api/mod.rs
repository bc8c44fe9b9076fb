//! A Kubernetes API server in this process: deterministic, without I/O, and with no clock but the one that it is given.
//! It is for tests that run in virtual time. What it answers is checked against a real API server, by the same random
//! operations on both.
//!
//! It serves the kinds of Kubernetes that the operator uses and those of CustomResourceDefinitions that are installed:
//! create, get, list, put, merge patch, delete, watch and the status subresource; resourceVersions, uids, generations,
//! conflicts, finalizers; pruning, defaults and validation by the structural schema; field and label selectors; pages.
//!
//! What it does not do:
//! - CEL rules and admission policies are **not evaluated**. Everybody may do everything.
//! - Objects of built-in kinds are kept as they are sent: they are not validated, pruned or filled in beyond what shows.
//! - managedFields tell of one manager, who owns the spec and the labels. There is no garbage collection. A namespace that is
//!   deleted is gone at once, with all that is in it, whatever its `spec.finalizers`; one with `metadata.finalizers` stays,
//!   being deleted, with all that is in it.
//! - No other patches than merge patches, no server-side apply, no dry run, no deletion of collections. Each of them is
//!   refused, and so is every parameter of a request that is not known here.

mod body;
mod kind;
mod read;
mod refusal;
mod request;
mod schema;
mod selector;
mod store;
mod token;
mod watch;
mod write;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header::CONTENT_TYPE};
use jiff::Timestamp;
use serde_json::{Map, Value};

pub use self::{
    body::Body,
    token::TokenSubject,
    watch::{Event, Watch},
};
use self::{
    read::Form,
    refusal::Refusal,
    request::{Query, Target},
    store::{Store, Version},
    token::Issuer,
    write::{Done, Writer},
};

/// A fake API server. Copies share their state; [`FakeApi::fork`] makes one of its own.
#[derive(Clone, Debug)]
pub struct FakeApi {
    shared: Arc<Shared>,
}

struct Shared {
    store: Mutex<Store>,
    clock: Box<dyn Fn() -> Timestamp + Send + Sync>,
    issuer: Mutex<Arc<Issuer>>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn issuer(&self) -> MutexGuard<'_, Arc<Issuer>> {
        self.issuer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Shared").field("store", &self.store).finish_non_exhaustive()
    }
}

impl FakeApi {
    /// An empty API server: no namespace, no CustomResourceDefinition. `clock` gives the times that are written into
    /// objects; watches end by tokio's time.
    pub fn new(clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        let issuer: Arc<Issuer> = Arc::new(|subject: &TokenSubject| {
            format!("token.{}.{}.{}", subject.namespace, subject.name, subject.audiences.join("+"))
        });
        let (store, clock) = (Mutex::new(Store::new()), Box::new(clock));
        Self { shared: Arc::new(Shared { store, clock, issuer: Mutex::new(issuer) }) }
    }

    /// Another API server with the same objects and their history, without the watches. It is cheap, while to install
    /// CustomResourceDefinitions is not: for many runs from one beginning.
    #[must_use]
    pub fn fork(&self, clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        let (store, issuer) = (self.shared.lock().fork(), Arc::clone(&self.shared.issuer()));
        let (store, clock) = (Mutex::new(store), Box::new(clock));
        Self { shared: Arc::new(Shared { store, clock, issuer: Mutex::new(issuer) }) }
    }

    /// Chooses the uids and generated names from here on. They are the same for the same seed and requests.
    pub fn seed(&self, seed: u64) {
        self.shared.lock().seed = seed;
    }

    /// Has tokens of ServiceAccounts made by `issuer`. It must not use this API server.
    pub fn issue_tokens_by(&self, issuer: impl Fn(&TokenSubject) -> String + Send + Sync + 'static) {
        *self.shared.issuer() = Arc::new(issuer);
    }

    /// Serves the kinds of the CustomResourceDefinitions in `yaml`.
    ///
    /// # Panics
    ///
    /// If there is anything else in it, or something in a schema that is not known here.
    pub fn install_crds(&self, yaml: &str) {
        for definition in parse_yaml(yaml) {
            assert_eq!(definition["kind"], "CustomResourceDefinition");
            for kind in kind::custom(&definition) {
                self.shared.lock().add_kind(kind);
            }
        }
    }

    /// Answers one request. A watch is answered with a body that goes on; see [`Body`].
    pub fn handle<B: AsRef<[u8]>>(&self, request: &Request<B>) -> Response<Body> {
        self.answer(None, request)
    }

    /// Answers a get or a list as of an older `revision`, as a replica that lags behind would, so far as that history is
    /// kept. All other requests are answered as by [`FakeApi::handle`].
    pub fn handle_at<B: AsRef<[u8]>>(&self, revision: u64, request: &Request<B>) -> Response<Body> {
        self.answer(Some(revision), request)
    }

    /// The revision of the last change.
    pub fn revision(&self) -> u64 {
        self.shared.lock().revision
    }

    /// Forgets the history up to `revision`: watches and pages from before get `410 Gone`.
    pub fn compact(&self, revision: u64) {
        self.shared.lock().compact(revision);
    }

    fn answer<B: AsRef<[u8]>>(&self, revision: Option<u64>, request: &Request<B>) -> Response<Body> {
        let (code, body, is_text) = match self.serve(revision, request) {
            Ok((code, body)) => (code, body, false),
            Err(refusal) => (refusal.code(), Body::Whole(refusal.body().into()), matches!(refusal, Refusal::NoPath)),
        };
        let content_type = if is_text { "text/plain; charset=utf-8" } else { "application/json" };
        let mut response = Response::new(body);
        *response.status_mut() = code;
        response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static(content_type));
        response
    }

    fn serve<B: AsRef<[u8]>>(
        &self,
        revision: Option<u64>,
        request: &Request<B>,
    ) -> Result<(StatusCode, Body), Refusal> {
        let now = (self.shared.clock)();
        let mut store = self.shared.lock();
        let target = Target::parse(&store, request.uri().path())?;
        let query = Query::parse(&target.kind, request)?;
        let form = Form::of(request);
        if request.method() == Method::GET {
            let revision = revision.map_or(store.revision, |revision| revision.clamp(store.compacted, store.revision));
            let bytes = match (&target.name, query.watch) {
                (Some(_), _) => read::get(&store, &target, form, revision)?,
                (None, false) => read::list(&store, &target, &query, form, revision)?,
                (None, true) => {
                    let watch = Watch::open(&self.shared, &mut store, target, query, form)?;
                    return Ok((StatusCode::OK, Body::Watch(Box::new(watch))));
                }
            };
            return Ok((StatusCode::OK, Body::Whole(bytes)));
        }
        let body = request.body().as_ref();
        let mut writer = Writer { store: &mut store, target: &target, query: &query, now };
        let subresource = target.subresource.as_deref();
        let done = match (request.method(), &target.name, subresource) {
            (&Method::POST, Some(_), Some("token")) => {
                let account = writer.current()?;
                let issuer = Arc::clone(&self.shared.issuer());
                let bytes = token::issue(&*issuer, &account, &object(body)?, now);
                return Ok((StatusCode::CREATED, Body::Whole(bytes.into())));
            }
            (&Method::POST, None, None) if target.namespace.is_some() == target.kind.is_namespaced => {
                writer.create(object(body)?)?
            }
            (&Method::PUT, Some(_), None | Some("status")) => writer.put(object(body)?)?,
            (&Method::PATCH, Some(_), None | Some("status")) => {
                check_patch_type(request)?;
                writer.patch(body)?
            }
            (&Method::DELETE, Some(_), None) => {
                writer.delete(&if body.is_empty() { Map::new() } else { object(body)? })?
            }
            (&Method::PUT | &Method::PATCH, None, None) => return Err(Refusal::bad_request("name must be provided")),
            _ => return Err(Refusal::method_not_allowed(&target.kind)),
        };
        Ok(match done {
            Done::Created(version) => (StatusCode::CREATED, Body::Whole(form.of_version(&version))),
            Done::Written(version) => (StatusCode::OK, Body::Whole(form.of_version(&version))),
            Done::Ended(object) => (StatusCode::OK, Body::Whole(form.of_object(&object).into())),
            Done::Deleted(version) => (StatusCode::OK, Body::Whole(write::deleted(&version).into())),
        })
    }
}

/// For tests.
impl FakeApi {
    /// A service for [`kube::Client::new`].
    pub fn service(
        &self,
    ) -> impl tower::Service<
        Request<kube::client::Body>,
        Response = Response<Body>,
        Error = tower::BoxError,
        Future: Send + 'static,
    > + Clone
    + Send
    + 'static {
        let api = self.clone();
        tower::service_fn(move |request: Request<kube::client::Body>| {
            let api = api.clone();
            async move {
                let (parts, body) = request.into_parts();
                let body: Bytes = body.collect_bytes().await?;
                Ok(api.handle(&Request::from_parts(parts, body)))
            }
        })
    }

    /// A client of this API server. It must be made within a tokio runtime.
    pub fn client(&self) -> kube::Client {
        kube::Client::new(self.service(), "default")
    }

    /// Creates `object`, or changes it into what is given by a merge patch if it is there; its status too, if one is
    /// given. Returns it as it is then, or what the API server says.
    pub fn apply(&self, object: &Value) -> Result<Value, String> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (kind, name) = (text(&object["kind"]), text(&object["metadata"]["name"]));
        let path = self.path(&kind, &text(&object["metadata"]["namespace"]))?;
        let of_object = format!("{path}/{name}");
        let exists = !name.is_empty() && self.send(Method::GET, &of_object, &Value::Null).is_ok();
        let written = if exists {
            self.send(Method::PATCH, &of_object, object)?
        } else {
            self.send(Method::POST, &path, object)?
        };
        let has_status = self.kind(&kind)?.has_status;
        let status = object.get("status").filter(|_| has_status);
        let Some(status) = status else { return Ok(written) };
        let path = format!("{path}/{}/status", text(&written["metadata"]["name"]));
        self.send(Method::PATCH, &path, &serde_json::json!({"status": status}))
    }

    /// Applies all that is in `yaml`; CustomResourceDefinitions are installed.
    pub fn apply_yaml(&self, yaml: &str) -> Result<(), String> {
        for object in parse_yaml(yaml) {
            if object["kind"] == "CustomResourceDefinition" {
                for kind in kind::custom(&object) {
                    self.shared.lock().add_kind(kind);
                }
            } else {
                self.apply(&object)?;
            }
        }
        Ok(())
    }

    /// The object of this kind, if it is there. Objects without a namespace have an empty one.
    pub fn get(&self, kind: &str, namespace: &str, name: &str) -> Option<Value> {
        let kind = self.kind(kind).ok()?;
        let store = self.shared.lock();
        store.get(&kind, &kind.key(namespace, name)).map(|version| Value::Object(version.object.clone()))
    }

    /// Deletes an object, or says why it does not.
    pub fn delete(&self, kind: &str, namespace: &str, name: &str) -> Result<(), String> {
        let path = format!("{}/{name}", self.path(kind, namespace)?);
        self.send(Method::DELETE, &path, &Value::Null).map(drop)
    }

    /// All objects of a kind, by namespace and name.
    pub fn list(&self, kind: &str) -> Vec<Value> {
        let Ok(kind) = self.kind(kind) else { return Vec::new() };
        let store = self.shared.lock();
        store.list(&kind, None, "", store.revision).map(|version| Value::Object(version.object.clone())).collect()
    }

    /// All that is kept of an object, the oldest first; `None` is its deletion. Each with its revision.
    pub fn history(&self, kind: &str, namespace: &str, name: &str) -> Vec<(u64, Option<Value>)> {
        let Ok(kind) = self.kind(kind) else { return Vec::new() };
        let store = self.shared.lock();
        let tell = |version: &Arc<Version>| {
            (version.revision, (!version.is_deleted).then(|| Value::Object(version.object.clone())))
        };
        store.history(&kind, &kind.key(namespace, name)).iter().map(tell).collect()
    }

    fn kind(&self, name: &str) -> Result<Arc<kind::Kind>, String> {
        self.shared.lock().kind(|kind| kind.name == name).ok_or_else(|| format!("there is no kind {name}"))
    }

    fn path(&self, kind: &str, namespace: &str) -> Result<String, String> {
        let kind = self.kind(kind)?;
        let root = if kind.group.is_empty() { "/api" } else { "/apis" };
        let namespace = if kind.is_namespaced { format!("/namespaces/{namespace}") } else { String::new() };
        Ok(format!("{root}/{}{namespace}/{}", kind.api_version(), kind.plural))
    }

    fn send(&self, method: Method, path: &str, body: &Value) -> Result<Value, String> {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let request = Request::builder().method(method).uri(path).header(CONTENT_TYPE, MERGE_PATCH).body(body);
        let response = self.handle(&request.map_err(|error| error.to_string())?);
        let (code, body) = (response.status(), response.into_body());
        let value: Value = body.whole().and_then(|bytes| serde_json::from_slice(bytes).ok()).unwrap_or_default();
        if code.is_success() { Ok(value) } else { Err(format!("{code}: {}", value["message"])) }
    }
}

const MERGE_PATCH: &str = "application/merge-patch+json";

fn check_patch_type<B>(request: &Request<B>) -> Result<(), Refusal> {
    let given = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if given.split(';').next() == Some(MERGE_PATCH) {
        return Ok(());
    }
    Err(Refusal::unsupported_media_type(format!("the fake API server takes only {MERGE_PATCH}, not \"{given}\"")))
}

fn object(body: &[u8]) -> Result<Map<String, Value>, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal::bad_request(format!("not a JSON object: {error}")))
}

/// The documents in `yaml`.
///
/// # Panics
///
/// If it is no YAML.
pub fn parse_yaml(yaml: &str) -> Vec<Value> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(yaml).expect("YAML");
    documents.into_iter().filter(|document| !document.is_null()).collect()
}
