//! The parts of a request: the resource, the object and the parameters.

use std::{borrow::Cow, sync::Arc};

use http::Request;

use super::{kind::Kind, refusal::Refusal, selector::Selector, store::Store};

/// What the path names.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) kind: Arc<Kind>,
    /// `None` means all namespaces, or no such thing.
    pub(super) namespace: Option<String>,
    pub(super) name: Option<String>,
    pub(super) subresource: Option<String>,
}

/// The query, so far as it is used.
#[derive(Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "independent parameters of a request")]
pub(super) struct Query {
    pub(super) watch: bool,
    pub(super) strict: bool,
    pub(super) resource_version: Option<String>,
    pub(super) bookmarks: bool,
    pub(super) initial_events: bool,
    pub(super) timeout_seconds: Option<u64>,
    pub(super) limit: Option<usize>,
    pub(super) start: Option<String>,
    pub(super) selector: Selector,
}

impl Target {
    pub(super) fn parse(store: &Store, path: &str) -> Result<Self, Refusal> {
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let (group, version, rest) = match parts[..] {
            ["api", version, ref rest @ ..] => ("", version, rest),
            ["apis", group, version, ref rest @ ..] => (group, version, rest),
            _ => return Err(Refusal::NoPath),
        };
        let (namespace, rest) = match *rest {
            ["namespaces", namespace, plural, ref rest @ ..] if plural != "status" => (Some(namespace), (plural, rest)),
            [plural, ref rest @ ..] => (None, (plural, rest)),
            [] => return Err(Refusal::NoPath),
        };
        let (plural, rest) = rest;
        let kind = store
            .kind(|kind| kind.plural == plural && kind.group == group && kind.version == version)
            .ok_or(Refusal::NoPath)?;
        let (name, subresource) = match *rest {
            [] => (None, None),
            [name] => (Some(name), None),
            [name, subresource] => (Some(name), Some(subresource)),
            _ => return Err(Refusal::NoPath),
        };
        if namespace.is_some() != kind.is_namespaced && !(namespace.is_none() && name.is_none()) {
            return Err(Refusal::NoPath);
        }
        let is_served = match subresource {
            None => true,
            Some("status") => kind.has_status,
            Some("token") => kind.name == "ServiceAccount",
            Some(_) => false,
        };
        if !is_served {
            return Err(Refusal::NoPath);
        }
        let own = |text: &str| text.to_owned();
        Ok(Self { kind, namespace: namespace.map(own), name: name.map(own), subresource: subresource.map(own) })
    }
}

impl Query {
    pub(super) fn parse<B>(kind: &Kind, request: &Request<B>) -> Result<Self, Refusal> {
        let mut query = Self::default();
        let text = request.uri().query().unwrap_or_default();
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            query.take(kind, &name, value)?;
        }
        Ok(query)
    }

    fn take(&mut self, kind: &Kind, name: &str, value: Cow<'_, str>) -> Result<(), Refusal> {
        let is_true = || matches!(&*value, "true" | "1");
        let number = || value.parse().map_err(|_| Refusal::bad_request(format!("{name}: not a number: {value}")));
        match name {
            "watch" => self.watch = is_true(),
            "allowWatchBookmarks" => self.bookmarks = is_true(),
            "sendInitialEvents" => self.initial_events = is_true(),
            "resourceVersion" => self.resource_version = Some(value.into_owned()).filter(|text| !text.is_empty()),
            "timeoutSeconds" => self.timeout_seconds = Some(number()?),
            "limit" => self.limit = usize::try_from(number()?).ok().filter(|limit| *limit > 0),
            "continue" => self.start = Some(value.into_owned()).filter(|text| !text.is_empty()),
            "fieldSelector" => self.selector.fields(kind, &value)?,
            "labelSelector" => self.selector.labels(&value)?,
            "fieldValidation" => match &*value {
                "Strict" => self.strict = true,
                "Warn" | "Ignore" => {}
                other => return Err(Refusal::bad_request(format!("fieldValidation: unknown: {other}"))),
            },
            "fieldManager" | "pretty" | "resourceVersionMatch" => {}
            other => {
                return Err(Refusal::bad_request(format!("the fake API server does not know the parameter {other}")));
            }
        }
        Ok(())
    }
}
