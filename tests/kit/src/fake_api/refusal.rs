//! Refusals, in the shape of `metav1.Status`.

use http::StatusCode;
use serde_json::{Value, json};

use super::kind::Kind;
use super::schema::Cause;

/// Why a request is refused.
#[derive(Debug)]
pub(super) enum Refusal {
    /// There is no such path.
    NoPath,
    /// All else.
    Status(Box<Status>),
}

/// The members of a `metav1.Status`.
#[derive(Debug)]
pub(super) struct Status {
    code: StatusCode,
    reason: &'static str,
    message: String,
    details: Option<Value>,
}

impl Refusal {
    fn new(code: StatusCode, reason: &'static str, message: String, details: Option<Value>) -> Self {
        Self::Status(Box::new(Status { code, reason, message, details }))
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BadRequest", message.into(), None)
    }

    pub(super) fn not_found(kind: &Kind, name: &str) -> Self {
        let message = format!("{} \"{name}\" not found", kind.qualified());
        Self::new(StatusCode::NOT_FOUND, "NotFound", message, Some(details(kind, &kind.plural, name)))
    }

    pub(super) fn already_exists(kind: &Kind, name: &str, is_ending: bool) -> Self {
        let ending = if is_ending { "object is being deleted: " } else { "" };
        let message = format!("{ending}{} \"{name}\" already exists", kind.qualified());
        Self::new(StatusCode::CONFLICT, "AlreadyExists", message, Some(details(kind, &kind.plural, name)))
    }

    /// A create in a namespace that is being deleted.
    pub(super) fn terminating(kind: &Kind, name: &str, namespace: &str) -> Self {
        let why = format!("unable to create new content in namespace {namespace} because it is being terminated");
        let cause = format!("namespace {namespace} is being terminated");
        let mut details = details(kind, &kind.plural, name);
        details["causes"] =
            json!([{"reason": "NamespaceTerminating", "message": cause, "field": "metadata.namespace"}]);
        let message = format!("{} \"{name}\" is forbidden: {why}", kind.qualified());
        Self::new(StatusCode::FORBIDDEN, "Forbidden", message, Some(details))
    }

    pub(super) fn conflict(kind: &Kind, name: &str, why: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on {} \"{name}\": {why}", kind.qualified());
        Self::new(StatusCode::CONFLICT, "Conflict", message, Some(details(kind, &kind.plural, name)))
    }

    /// A delete of another object, or of another version, than was expected.
    pub(super) fn other_than_expected(kind: &Kind, name: &str, why: &str) -> Self {
        let group = if kind.group.is_empty() { String::new() } else { format!(".{}", kind.group) };
        let message = format!("Operation cannot be fulfilled on {}{group} \"{name}\": {why}", kind.name);
        Self::new(StatusCode::CONFLICT, "Conflict", message, Some(details(kind, &kind.name, name)))
    }

    pub(super) fn modified(kind: &Kind, name: &str) -> Self {
        let why = "the object has been modified; please apply your changes to the latest version and try again";
        Self::conflict(kind, name, why)
    }

    pub(super) fn invalid(kind: &Kind, name: &str, causes: &[Cause]) -> Self {
        let texts: Vec<_> = causes.iter().map(|cause| cause.message.as_str()).collect();
        let text = if let [one] = texts[..] { one.to_owned() } else { format!("[{}]", texts.join(", ")) };
        let group = if kind.group.is_empty() { String::new() } else { format!(".{}", kind.group) };
        let message = format!("{}{group} \"{name}\" is invalid: {text}", kind.name);
        let causes: Vec<_> = causes
            .iter()
            .map(|cause| json!({"reason": cause.reason, "message": cause.message, "field": cause.field}))
            .collect();
        let mut details = details(kind, &kind.name, name);
        details["causes"] = causes.into();
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", message, Some(details))
    }

    pub(super) fn invalid_field(kind: &Kind, name: &str, field: &str, why: &str) -> Self {
        let message = format!("{field}: Invalid value: {why}");
        Self::invalid(kind, name, &[Cause { reason: "FieldValueInvalid", field: field.to_owned(), message }])
    }

    /// A patch that makes an object with unknown fields.
    pub(super) fn invalid_patch(why: &str) -> Self {
        let message = format!("Invalid value: \"\": {why}");
        let details = json!({"causes": [{"reason": "FieldValueInvalid", "message": message, "field": "patch"}]});
        let message = format!(" \"\" is invalid: patch: {message}");
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", message, Some(details))
    }

    /// A write that does not say which resourceVersion it is about.
    pub(super) fn blind(kind: &Kind, name: &str) -> Self {
        let (field, why) = ("metadata.resourceVersion", "Invalid value: 0: must be specified for an update");
        let mut details = details(kind, &kind.plural, name);
        details["causes"] = json!([{"reason": "FieldValueInvalid", "message": why, "field": field}]);
        let message = format!("{} \"{name}\" is invalid: {field}: {why}", kind.qualified());
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", message, Some(details))
    }

    /// A custom resource of a kind that is not the one of its path.
    pub(super) fn other_kind(kind: &Kind, given: &str, name: &str) -> Self {
        let message = format!("Invalid value: {given:?}: must be {}", kind.name);
        let mut details = details(kind, given, name);
        details["causes"] = json!([{"reason": "FieldValueInvalid", "message": message, "field": "kind"}]);
        let message = format!("{given}.{} \"{name}\" is invalid: kind: {message}", kind.group);
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", message, Some(details))
    }

    pub(super) fn method_not_allowed(kind: &Kind) -> Self {
        let message = format!("this method is not supported on resources of kind \"{}\"", kind.qualified());
        let details = details(kind, &kind.plural, "");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message, Some(details))
    }

    pub(super) fn unsupported_media_type(message: String) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", message, None)
    }

    pub(super) fn expired(message: String) -> Self {
        Self::new(StatusCode::GONE, "Expired", message, None)
    }

    pub(super) fn code(&self) -> StatusCode {
        match self {
            Self::NoPath => StatusCode::NOT_FOUND,
            Self::Status(status) => status.code,
        }
    }

    /// What is sent.
    pub(super) fn body(&self) -> String {
        match self {
            Self::NoPath => "404 page not found\n".to_owned(),
            Self::Status(status) => status.json().to_string(),
        }
    }
}

impl Status {
    fn json(&self) -> Value {
        let mut json = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "reason": self.reason, "code": self.code.as_u16(),
        });
        if let Some(details) = &self.details {
            json["details"] = details.clone();
        }
        json
    }
}

/// What a Status is about: an object of `kind`, which some call by its resource and some by its name.
pub(super) fn details(kind: &Kind, called: &str, name: &str) -> Value {
    let mut details = json!({"kind": called});
    if !name.is_empty() {
        details["name"] = name.into();
    }
    // Where a kind is called by its name, Events are those of the core group.
    if !kind.group.is_empty() && called != "Event" {
        details["group"] = kind.group.as_str().into();
    }
    details
}
