//! Gets and lists.

use bytes::Bytes;
use http::{Request, header::ACCEPT};
use serde_json::{Map, Value, json};

use super::{
    refusal::Refusal,
    request::{Query, Target},
    store::{Store, Version},
};

/// How much of an object is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Whole,
    /// Only its metadata, as `PartialObjectMetadata`.
    Metadata,
}

impl Form {
    pub(super) fn of<B>(request: &Request<B>) -> Self {
        let accepts = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if accepts.contains("as=PartialObjectMetadata") { Self::Metadata } else { Self::Whole }
    }

    pub(super) fn of_version(self, version: &Version) -> Bytes {
        match self {
            Self::Whole => version.json.clone(),
            Self::Metadata => self.of_object(&version.object).into(),
        }
    }

    pub(super) fn of_object(self, object: &Map<String, Value>) -> Vec<u8> {
        let partial = (self == Self::Metadata).then(|| {
            let (api_version, kind) = ("meta.k8s.io/v1".into(), "PartialObjectMetadata".into());
            let metadata = object.get("metadata").cloned().unwrap_or_default();
            let members = [("apiVersion", api_version), ("kind", kind), ("metadata", metadata)];
            members.map(|(name, value)| (name.to_owned(), value)).into_iter().collect::<Map<_, _>>()
        });
        serde_json::to_vec(partial.as_ref().unwrap_or(object)).expect("JSON of a map")
    }
}

/// A resourceVersion as a number.
pub(super) fn revision(text: &str) -> Result<u64, Refusal> {
    text.parse().map_err(|_| Refusal::bad_request(format!("resourceVersion: Invalid value: {text:?}: not a number")))
}

/// The object, as it was at `revision`.
pub(super) fn get(store: &Store, target: &Target, form: Form, revision: u64) -> Result<Bytes, Refusal> {
    let name = target.name.as_deref().unwrap_or_default();
    let key = target.kind.key(target.namespace.as_deref().unwrap_or_default(), name);
    let found = store.get_at(&target.kind, &key, revision);
    found.map(|version| form.of_version(version)).ok_or_else(|| Refusal::not_found(&target.kind, name))
}

/// The objects, as they were at `revision`; pages that follow are as of the same revision as the first.
pub(super) fn list(store: &Store, target: &Target, query: &Query, form: Form, revision: u64) -> Result<Bytes, Refusal> {
    let (revision, start) = match query.start.as_deref() {
        Some(token) => parse_continue(store, token)?,
        None => (revision, ""),
    };
    let namespace = target.namespace.as_deref();
    let mut found = store.list(&target.kind, namespace, start, revision);
    let (mut items, mut count) = (Vec::new(), 0);
    let mut next = None;
    for version in found.by_ref() {
        if query.limit == Some(count) {
            next = Some(version); // whether it is selected or not, as the real one does it
            break;
        }
        if query.selector.takes(&version.object) {
            if count > 0 {
                items.push(b',');
            }
            items.extend_from_slice(&item(form, version));
            count += 1;
        }
    }
    let mut metadata = json!({"resourceVersion": revision.to_string()});
    if let Some(next) = next {
        metadata["continue"] = format!("{revision}.{}", target.kind.key(&next.namespace, &next.name)).into();
        if query.selector.is_empty() {
            metadata["remainingItemCount"] = (found.count() + 1).into();
        }
    } else if target.kind.schema.is_some() {
        metadata["continue"] = "".into();
    }
    let (api_version, kind) = match form {
        Form::Whole => (target.kind.api_version(), format!("{}List", target.kind.name)),
        Form::Metadata => ("meta.k8s.io/v1".to_owned(), "PartialObjectMetadataList".to_owned()),
    };
    let mut body = format!("{{\"apiVersion\":\"{api_version}\",\"items\":").into_bytes();
    if count == 0 && form == Form::Metadata {
        body.extend_from_slice(b"null"); // the real one does that
    } else {
        body.push(b'[');
        body.extend_from_slice(&items);
        body.push(b']');
    }
    body.extend_from_slice(format!(",\"kind\":\"{kind}\",\"metadata\":{metadata}}}").as_bytes());
    Ok(body.into())
}

/// Items of built-in kinds do not state their kind.
fn item(form: Form, version: &Version) -> Bytes {
    if form == Form::Whole && version.kind.schema.is_none() {
        let mut object = version.object.clone();
        object.remove("apiVersion");
        object.remove("kind");
        return form.of_object(&object).into();
    }
    form.of_version(version)
}

fn parse_continue<'a>(store: &Store, token: &'a str) -> Result<(u64, &'a str), Refusal> {
    let (revision, start) = token.split_once('.').unwrap_or_default();
    let revision = self::revision(revision)?;
    if revision < store.compacted {
        return Err(Refusal::expired("The provided continue parameter is too old".to_owned()));
    }
    Ok((revision, start))
}
