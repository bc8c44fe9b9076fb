//! A request of a simulated protocol, and an answer to one.

use axum::body::{Bytes, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde_json::Value;

use super::faults;

/// What Azure sends, and whoever says nothing else.
pub(crate) const JSON: &str = "application/json; charset=utf-8";
/// The largest request body that is read, in bytes.
const REQUEST_LIMIT: usize = 1 << 20;

/// A request, read to its end.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) path: String,
    query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Call {
    pub(crate) async fn read(request: Request) -> Result<Self, axum::Error> {
        let (parts, body) = request.into_parts();
        Ok(Self {
            method: parts.method,
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            headers: parts.headers,
            body: to_bytes(body, REQUEST_LIMIT).await?,
        })
    }

    /// A query parameter; names are case-insensitive, as Azure's are.
    pub(crate) fn query(&self, name: &str) -> Option<String> {
        self.query_pairs().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.into_owned())
    }

    pub(crate) fn query_pairs(&self) -> url::form_urlencoded::Parse<'_> {
        url::form_urlencoded::parse(self.query.as_bytes())
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// An answer of a simulated service.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) content_type: &'static str,
    headers: Vec<(&'static str, String)>,
    /// `Null`: no body, or a text.
    pub(crate) body: Value,
    /// A body that is no JSON.
    text: Option<String>,
}

impl Reply {
    pub(crate) fn new(status: StatusCode, body: Value) -> Self {
        Self { status, content_type: JSON, headers: Vec::new(), body, text: None }
    }

    /// JSON under another name.
    pub(crate) fn json_of(status: u16, content_type: &'static str, body: Value) -> Self {
        Self { content_type, ..Self::new(known(status), body) }
    }

    pub(crate) fn xml(status: u16, text: String) -> Self {
        Self { content_type: "text/xml", text: Some(text), ..Self::new(known(status), Value::Null) }
    }

    pub(crate) fn text(status: u16, text: &str) -> Self {
        let text = Some(text.to_owned());
        Self { content_type: "text/plain; charset=utf-8", text, ..Self::new(known(status), Value::Null) }
    }

    /// What is sent; `None`: no body.
    pub(crate) fn content(&self) -> Option<String> {
        self.text.clone().or_else(|| (!self.body.is_null()).then(|| self.body.to_string()))
    }

    /// The reply with a byte order mark before its body.
    pub(crate) fn marked(mut self) -> Self {
        self.text = self.content().map(|text| format!("\u{feff}{text}"));
        self
    }

    /// The reply in whose body members are there again.
    pub(crate) fn repeated(mut self) -> Self {
        self.text = self.content().map(|text| faults::repeated(&text));
        self
    }

    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.set(name, value);
        self
    }

    pub(crate) fn set(&mut self, name: &'static str, value: &str) {
        self.headers.push((name, value.to_owned()));
    }

    /// The headers to send. A value that no header can hold (an echo of garbage) is left out.
    pub(crate) fn headers(&self) -> HeaderMap {
        let pair = |(name, value): &(&'static str, String)| {
            Some((HeaderName::from_static(name), HeaderValue::from_str(value).ok()?))
        };
        self.headers.iter().filter_map(pair).collect()
    }
}

pub(crate) fn known(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
