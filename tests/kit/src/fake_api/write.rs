//! Creates, puts, patches and deletes.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    kind::{self, Kind},
    refusal::{Refusal, details},
    request::{Query, Target},
    schema::Cause,
    store::{Store, Version, Write},
};

/// Members of `metadata` that only the API server writes.
const OURS: [&str; 7] = [
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "selfLink",
    "uid",
];
/// Members of `metadata` that are left out when they are empty.
const OMITTED_IF_EMPTY: [&str; 5] = ["annotations", "finalizers", "generateName", "labels", "ownerReferences"];
/// What the API server makes names of.
const NAME_LETTERS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// What is made of an object.
pub(super) enum Done {
    Created(Arc<Version>),
    Written(Arc<Version>),
    /// Gone by its last finalizer, with what was made of it and is not stored.
    Ended(Map<String, Value>),
    /// Deleted, with the object's last version.
    Deleted(Arc<Version>),
}

/// A write: who writes what, when.
pub(super) struct Writer<'a> {
    pub(super) store: &'a mut Store,
    pub(super) target: &'a Target,
    pub(super) query: &'a Query,
    pub(super) now: Timestamp,
}

impl Writer<'_> {
    fn kind(&self) -> Arc<Kind> {
        Arc::clone(&self.target.kind)
    }

    fn namespace(&self) -> &str {
        self.target.namespace.as_deref().unwrap_or_default()
    }

    fn name(&self) -> &str {
        self.target.name.as_deref().unwrap_or_default()
    }

    /// The object of the target.
    pub(super) fn current(&self) -> Result<Arc<Version>, Refusal> {
        let key = self.target.kind.key(self.namespace(), self.name());
        let found = self.store.get(&self.target.kind, &key);
        found.cloned().ok_or_else(|| Refusal::not_found(&self.target.kind, self.name()))
    }

    pub(super) fn create(&mut self, object: Map<String, Value>) -> Result<Done, Refusal> {
        let kind = self.kind();
        let mut object = self.decode(object, "", Refusal::bad_request)?;
        let metadata = member(&mut object, "metadata")?;
        if metadata.get("resourceVersion").is_some_and(|version| !version.as_str().unwrap_or_default().is_empty()) {
            return Err(Refusal::bad_request("resourceVersion should not be set on objects to be created"));
        }
        metadata.retain(|name, _| !OURS.contains(&name.as_str()));
        let name = self.name_of_new(metadata)?;
        let metadata = member(&mut object, "metadata")?;
        self.check_namespace(metadata)?;
        metadata.insert("name".to_owned(), name.as_str().into());
        metadata.insert("creationTimestamp".to_owned(), time(self.now).into());
        metadata.insert("uid".to_owned(), self.store.draw_uid().into());
        if kind.counts_generations {
            metadata.insert("generation".to_owned(), 1.into());
        }
        if kind.has_status {
            object.remove("status");
        }
        kind::fill_in(&kind, &mut object);
        let (mut object, is_filled_in) = check(&kind, &name, object, Vec::new())?;
        note_change(&mut object, self.now);
        let namespace = self.namespace().to_owned();
        if let Some(there) = self.store.get(&kind, &kind.key(&namespace, &name)) {
            let is_ending = there.object["metadata"].get("deletionTimestamp").is_some();
            return Err(Refusal::already_exists(&kind, &name, is_ending));
        }
        Ok(Done::Created(self.store.write(Write { kind, namespace, name, object, is_filled_in })))
    }

    /// The name in `metadata`, or one that is made from its generateName.
    fn name_of_new(&mut self, metadata: &Map<String, Value>) -> Result<String, Refusal> {
        let text = |name| metadata.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let name = match (text("name"), text("generateName")) {
            (Some(name), _) => name.to_owned(),
            (None, Some(base)) => {
                let mut number = self.store.draw();
                let mut name = base.to_owned();
                for _ in 0..5 {
                    let letters = NAME_LETTERS.len() as u64;
                    name.push(char::from(NAME_LETTERS[usize::try_from(number % letters).unwrap_or_default()]));
                    number /= letters;
                }
                name
            }
            (None, None) => {
                let field = "metadata.name".to_owned();
                let message = format!("{field}: Required value: name or generateName is required");
                let cause = Cause { reason: "FieldValueRequired", field, message };
                return Err(Refusal::invalid(&self.target.kind, "", &[cause]));
            }
        };
        if is_name(&name) {
            Ok(name)
        } else {
            Err(Refusal::invalid_field(&self.target.kind, &name, "metadata.name", "not a DNS subdomain"))
        }
    }

    /// The namespace in `metadata` must be that of the path, and be there.
    fn check_namespace(&mut self, metadata: &mut Map<String, Value>) -> Result<(), Refusal> {
        let Some(namespace) = self.target.namespace.as_deref() else {
            metadata.remove("namespace");
            return Ok(());
        };
        if metadata
            .get("namespace")
            .and_then(Value::as_str)
            .is_some_and(|given| !given.is_empty() && given != namespace)
        {
            return Err(Refusal::bad_request(
                "the namespace of the provided object does not match the namespace sent on the request",
            ));
        }
        metadata.insert("namespace".to_owned(), namespace.into());
        let namespaces = self.store.kind(|kind| kind.name == "Namespace" && kind.group.is_empty());
        let Some(namespaces) = namespaces else { return Ok(()) };
        match self.store.get(&namespaces, namespace) {
            None => Err(Refusal::not_found(&namespaces, namespace)),
            Some(found) if found.object["metadata"].get("deletionTimestamp").is_some() => {
                let name = metadata.get("name").and_then(Value::as_str).unwrap_or_default();
                Err(Refusal::terminating(&self.target.kind, name, namespace))
            }
            Some(_) => Ok(()),
        }
    }

    pub(super) fn put(&mut self, object: Map<String, Value>) -> Result<Done, Refusal> {
        let mut object = self.decode(object, self.name(), Refusal::bad_request)?;
        let current = match self.current() {
            Err(_) if self.target.kind.put_creates && self.target.subresource.is_none() => {
                let uid = object.get("metadata").and_then(|metadata| metadata["uid"].as_str()).unwrap_or_default();
                if !uid.is_empty() {
                    let why = format!("Precondition failed: UID in precondition: {uid}, UID in object meta: ");
                    return Err(Refusal::conflict(&self.target.kind, self.name(), &why));
                }
                member(&mut object, "metadata")?.remove("resourceVersion");
                return self.create(object);
            }
            other => other?,
        };
        self.update(&current, object, true)
    }

    /// Applies a merge patch (RFC 7386).
    pub(super) fn patch(&mut self, patch: &[u8]) -> Result<Done, Refusal> {
        let current = self.current()?;
        let mut object = current.object.clone();
        merge(&mut object, &super::object(patch)?);
        let object = self.decode(object, self.name(), |message| Refusal::invalid_patch(&message))?;
        self.update(&current, object, false)
    }

    /// Takes an object apart from what is not of its kind. `strict` makes a refusal of unknown fields.
    fn decode(
        &self,
        mut object: Map<String, Value>,
        name: &str,
        strict: impl Fn(String) -> Refusal,
    ) -> Result<Map<String, Value>, Refusal> {
        let kind = &self.target.kind;
        let given_name =
            object.get("metadata").and_then(|metadata| metadata["name"].as_str()).unwrap_or_default().to_owned();
        for (member, expected) in [("apiVersion", kind.api_version()), ("kind", kind.name.clone())] {
            match object.get(member).and_then(Value::as_str) {
                Some(given) if given == expected => {}
                None if kind.schema.is_none() => drop(object.insert(member.to_owned(), expected.into())),
                Some(given) if kind.schema.is_some() && member == "kind" => {
                    return Err(Refusal::other_kind(kind, given, &given_name));
                }
                given => {
                    let given = given.unwrap_or_default();
                    return Err(Refusal::bad_request(format!(
                        "the {member} in the data ({given}) does not match ({expected})"
                    )));
                }
            }
        }
        let metadata = member(&mut object, "metadata")?;
        let given = metadata.get("name").and_then(Value::as_str).unwrap_or_default();
        if !name.is_empty() && given != name {
            let message = format!("the name of the object ({given}) does not match the name on the URL ({name})");
            return Err(Refusal::bad_request(message));
        }
        if let Some(schema) = &kind.schema {
            let unknown = schema.prune_object(&mut object);
            if self.query.strict && !unknown.is_empty() {
                let fields: Vec<_> = unknown.iter().map(|field| format!("unknown field \"{field}\"")).collect();
                let (name, version) = (&kind.name, &kind.version);
                let errors = fields.join(", ");
                return Err(strict(format!(
                    "{name} in version \"{version}\" cannot be handled as a {name}: strict decoding error: {errors}"
                )));
            }
        }
        let metadata = member(&mut object, "metadata")?;
        metadata.retain(|name, value| !(OMITTED_IF_EMPTY.contains(&name.as_str()) && is_empty(value)));
        if let Some(Value::Object(secret)) = object.remove("stringData").filter(|_| kind.name == "Secret") {
            let data = member(&mut object, "data")?;
            data.extend(secret.into_iter().map(|(name, text)| {
                let text = text.as_str().unwrap_or_default();
                (name, base64(text.as_bytes()))
            }));
        }
        Ok(object)
    }

    fn update(
        &mut self,
        current: &Arc<Version>,
        mut object: Map<String, Value>,
        is_put: bool,
    ) -> Result<Done, Refusal> {
        let kind = self.kind();
        let name = current.name.as_str();
        let old = &current.object["metadata"];
        let metadata = member(&mut object, "metadata")?;
        let given = |name: &str| metadata.get(name).and_then(Value::as_str).unwrap_or_default();
        let uid = given("uid");
        let is_another = !uid.is_empty() && old["uid"] != uid;
        if is_another && is_put {
            let why = format!("Precondition failed: UID in precondition: {uid}, UID in object meta: {}", old["uid"]);
            return Err(Refusal::conflict(&kind, name, &why));
        }
        let mut causes = Vec::new();
        if is_another && self.target.subresource.is_none() {
            let message = format!("metadata.uid: Invalid value: {uid:?}: field is immutable");
            causes.push(Cause { reason: "FieldValueInvalid", field: "metadata.uid".to_owned(), message });
        }
        let version = given("resourceVersion");
        if version.is_empty() {
            if !kind.writes_blindly {
                return Err(Refusal::blind(&kind, name));
            }
        } else if old["resourceVersion"] != version {
            return Err(Refusal::modified(&kind, name));
        }
        for ours in OURS.into_iter().chain(["resourceVersion", "namespace", "generateName"]) {
            match old.get(ours) {
                Some(value) => drop(metadata.insert(ours.to_owned(), value.clone())),
                None => drop(metadata.remove(ours)),
            }
        }
        let object = self.separate(current, object);
        let (mut object, _) = check(&kind, name, object, causes)?;
        if object == current.object && !current.is_filled_in {
            return Ok(Done::Written(Arc::clone(current)));
        }
        let is_counted = |name: &str| name != "metadata" && !(kind.has_status && name == "status");
        let counted = |object: &Map<String, Value>| {
            object.iter().filter(|(name, _)| is_counted(name)).map(|(n, v)| (n.clone(), v.clone())).collect::<Vec<_>>()
        };
        if kind.counts_generations && counted(&object) != counted(&current.object) {
            raise_generation(&mut object);
        }
        if object.get("spec") != current.object.get("spec") || object["metadata"].get("labels") != old.get("labels") {
            note_change(&mut object, self.now);
        }
        let is_ended = old.get("deletionTimestamp").is_some() && object["metadata"].get("finalizers").is_none();
        if is_ended {
            self.store.remove(current);
            return Ok(Done::Ended(object));
        }
        let (namespace, name) = (current.namespace.clone(), current.name.clone());
        Ok(Done::Written(self.store.write(Write { kind, namespace, name, object, is_filled_in: false })))
    }

    /// A write of the status writes nothing else, and no other write the status.
    fn separate(&self, current: &Version, mut object: Map<String, Value>) -> Map<String, Value> {
        let (mut kept, status) = match self.target.subresource {
            Some(_) => (current.object.clone(), object.remove("status")),
            None if self.target.kind.has_status => (object, current.object.get("status").cloned()),
            None => return object,
        };
        match status {
            Some(status) => drop(kept.insert("status".to_owned(), status)),
            None => drop(kept.remove("status")),
        }
        kept
    }

    pub(super) fn delete(&mut self, options: &Map<String, Value>) -> Result<Done, Refusal> {
        let current = self.current()?;
        let metadata = &current.object["metadata"];
        for (what, label) in [("uid", "UID"), ("resourceVersion", "ResourceVersion")] {
            let expected = options.get("preconditions").and_then(|conditions| conditions.get(what));
            if let Some(expected) = expected.and_then(Value::as_str).filter(|expected| metadata[what] != *expected) {
                let is = metadata[what].as_str().unwrap_or_default();
                let why =
                    format!("the {label} in the precondition ({expected}) does not match the {label} in record ({is})");
                return Err(Refusal::other_than_expected(&current.kind, &current.name, &why));
            }
        }
        if metadata.get("finalizers").is_some() {
            return Ok(Done::Written(self.begin_to_end(&current)));
        }
        if current.kind.name == "Namespace" {
            self.empty(&current.name);
        }
        Ok(Done::Deleted(self.store.remove(&current)))
    }

    /// An object with finalizers stays until they are gone.
    fn begin_to_end(&mut self, current: &Arc<Version>) -> Arc<Version> {
        if current.object["metadata"].get("deletionTimestamp").is_some() {
            return Arc::clone(current);
        }
        let mut object = current.object.clone();
        object["metadata"]["deletionTimestamp"] = time(self.now).into();
        object["metadata"]["deletionGracePeriodSeconds"] = 0.into();
        if current.kind.counts_generations {
            raise_generation(&mut object);
        }
        let (namespace, name) = (current.namespace.clone(), current.name.clone());
        self.store.write(Write { kind: Arc::clone(&current.kind), namespace, name, object, is_filled_in: false })
    }

    /// Removes all that is in a namespace.
    fn empty(&mut self, namespace: &str) {
        for kind in self.store.kinds().filter(|kind| kind.is_namespaced).collect::<Vec<_>>() {
            let all: Vec<_> = self.store.list(&kind, Some(namespace), "", self.store.revision).cloned().collect();
            for version in all {
                self.store.remove(&version);
            }
        }
    }
}

/// What is sent after a delete.
pub(super) fn deleted(version: &Version) -> Vec<u8> {
    if version.kind.delete_returns_object {
        return version.json.to_vec();
    }
    let mut details = details(&version.kind, &version.kind.plural, &version.name);
    details["uid"] = version.object["metadata"]["uid"].clone();
    let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details});
    status.to_string().into_bytes()
}

/// A merge patch (RFC 7386).
fn merge(object: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (name, change) in patch {
        match change {
            Value::Null => drop(object.remove(name)),
            Value::Object(change) => {
                let member = object.entry(name.clone()).or_insert_with(|| Value::Object(Map::new()));
                if !member.is_object() {
                    *member = Value::Object(Map::new());
                }
                if let Value::Object(member) = member {
                    merge(member, change);
                }
            }
            other => drop(object.insert(name.clone(), other.clone())),
        }
    }
}

/// Fills in what the schema says and checks the object against it, beside the `causes` there are. Returns whether something was filled in.
fn check(
    kind: &Kind,
    name: &str,
    object: Map<String, Value>,
    mut causes: Vec<Cause>,
) -> Result<(Map<String, Value>, bool), Refusal> {
    let mut value = Value::Object(object);
    let mut is_filled_in = false;
    if let Some(schema) = &kind.schema {
        is_filled_in = schema.fill_in(&mut value);
        schema.check(&value, &mut String::new(), &mut causes);
    }
    match value {
        Value::Object(object) if causes.is_empty() => Ok((object, is_filled_in)),
        _ => Err(Refusal::invalid(kind, name, &causes)),
    }
}

/// The member called `name`, which must be an object; an empty one if it is not there.
fn member<'a>(object: &'a mut Map<String, Value>, name: &str) -> Result<&'a mut Map<String, Value>, Refusal> {
    let member = object.entry(name).or_insert_with(|| Value::Object(Map::new()));
    if member.is_null() {
        *member = Value::Object(Map::new());
    }
    member.as_object_mut().ok_or_else(|| Refusal::bad_request(format!("{name} is not an object")))
}

/// Notes in managedFields who has written the spec and the labels, and when for the last time: everybody is one manager.
fn note_change(object: &mut Map<String, Value>, now: Timestamp) {
    let labels = object["metadata"].get("labels").and_then(Value::as_object);
    let labels: Map<_, _> = labels.into_iter().flatten().map(|(key, _)| (format!("f:{key}"), json!({}))).collect();
    let fields = json!({"f:metadata": {"f:labels": labels}, "f:spec": {}});
    object["metadata"]["managedFields"] = json!([{"manager": "anybody", "operation": "Update",
        "apiVersion": object["apiVersion"], "time": time(now), "fieldsType": "FieldsV1", "fieldsV1": fields}]);
}

fn raise_generation(object: &mut Map<String, Value>) {
    let generation = object["metadata"]["generation"].as_i64().unwrap_or_default();
    object["metadata"]["generation"] = (generation + 1).into();
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Whether `name` is a DNS subdomain.
fn is_name(name: &str) -> bool {
    let is_label = |label: &str| {
        let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let ends = label.bytes().next().is_some_and(is_letter) && label.bytes().last().is_some_and(is_letter);
        ends && label.bytes().all(|byte| is_letter(byte) || byte == b'-')
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

/// A time as the API server writes it.
pub(super) fn time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn base64(bytes: &[u8]) -> Value {
    // k8s-openapi's own type knows how.
    serde_json::to_value(k8s_openapi::ByteString(bytes.to_vec())).unwrap_or_default()
}
