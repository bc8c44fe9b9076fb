//! What the providers share: one exchange over HTTP, with what every answer is held to (it has an end, and it is not too large),
//! and the clients that make it.

use std::error::Error;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use reqwest::header::{DATE, HeaderMap};
use reqwest::{IntoUrl, Request, RequestBuilder, Response, StatusCode};
use tower::ServiceExt;
use tower::util::BoxCloneSyncService;
use url::Url;

use super::document::unmarked;
use payg_core::provider::ProviderError;

/// The largest body that is read, in bytes. What is read has some thousand.
pub(super) const LARGEST_BODY: usize = 1 << 20;
/// How much of a foreign text is repeated, in characters.
const LONGEST_EXCERPT: usize = 300;
/// How long a connection may take to be made, TLS included.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// An answer, read to its end.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// Without a byte order mark.
    pub(super) body: Vec<u8>,
}

impl Answer {
    fn new(status: StatusCode, headers: HeaderMap, mut body: Vec<u8>) -> Self {
        body.drain(..body.len() - unmarked(&body).len());
        Self { status, headers, body }
    }

    /// The time by the server's clock, to the second.
    pub(super) fn date(&self) -> Option<Timestamp> {
        http_date(self.headers.get(DATE)?.to_str().ok()?)
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub enum NoAnswer {
    /// There was no connection, so nothing was sent.
    NotConnected(String),
    /// It broke off somewhere after that.
    Broken(String),
    /// It is larger than this, in bytes.
    TooLarge(usize),
}

impl NoAnswer {
    pub(super) fn detail(self) -> String {
        match self {
            Self::NotConnected(detail) | Self::Broken(detail) => detail,
            Self::TooLarge(largest) => format!("the answer is larger than {largest} bytes"),
        }
    }

    /// The error of a read of `what`.
    pub(super) fn of_read(self, what: &str) -> ProviderError {
        let too_large = matches!(self, Self::TooLarge(_));
        let detail = format!("{what}: {}", self.detail());
        if too_large { ProviderError::Protocol { detail } } else { ProviderError::Transient { detail } }
    }
}

/// Sends a request, once, and begins to read what comes back. In production it is reqwest's client.
pub type Transport = BoxCloneSyncService<Request, Response, NoAnswer>;

#[derive(Clone, Debug)]
pub(super) struct Client {
    requests: reqwest::Client,
    transport: Transport,
}

impl Client {
    /// The same client, which sends its requests through `transport`.
    pub(super) fn over(self, transport: &Transport) -> Self {
        Self { transport: transport.clone(), ..self }
    }

    pub(super) fn get(&self, url: impl IntoUrl) -> RequestBuilder {
        self.requests.get(url)
    }

    pub(super) fn post(&self, url: impl IntoUrl) -> RequestBuilder {
        self.requests.post(url)
    }

    /// Sends `request`, once, and reads the answer.
    pub(super) async fn exchange(&self, request: RequestBuilder) -> Result<Answer, NoAnswer> {
        self.exchange_up_to(LARGEST_BODY, request).await
    }

    /// Sends `request`, once, and reads the answer, which may have `largest` bytes.
    pub(super) async fn exchange_up_to(&self, largest: usize, request: RequestBuilder) -> Result<Answer, NoAnswer> {
        self.send(largest, request.build().map_err(no_answer)?).await
    }

    /// Sends `request`, once, and reads the answer, which may have `largest` bytes.
    pub(super) async fn send(&self, largest: usize, request: Request) -> Result<Answer, NoAnswer> {
        let mut response = self.transport.clone().oneshot(request).await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| NoAnswer::Broken(chain(error)))? {
            if body.len() + chunk.len() > largest {
                return Err(NoAnswer::TooLarge(largest));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer::new(status, headers, body))
    }
}

fn no_answer(error: reqwest::Error) -> NoAnswer {
    // The connection failed in the connector: name, TCP or TLS. The request was not handed to it.
    if error.is_connect() { NoAnswer::NotConnected(chain(error)) } else { NoAnswer::Broken(chain(error)) }
}

/// An error and its causes. Not the URL, which the callers name in their own words.
fn chain(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    excerpt(&text)
}

/// The two forms of a date that HTTP no longer writes and still reads: RFC 9110, section 5.6.7.
const OBSOLETE_DATES: [&str; 2] = ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];

/// A date in one of the three forms of HTTP. The preferred one is a part of RFC 5322's.
pub(super) fn http_date(text: &str) -> Option<Timestamp> {
    let obsolete = |form| DateTime::strptime(form, text).ok()?.to_zoned(TimeZone::UTC).ok();
    let date = jiff::fmt::rfc2822::parse(text).ok().or_else(|| OBSOLETE_DATES.into_iter().find_map(obsolete));
    date.map(|date| date.timestamp())
}

/// A foreign text on one line of bounded length.
pub(super) fn excerpt(text: &str) -> String {
    payg_text::excerpt(text, LONGEST_EXCERPT)
}

/// What every client of ours is made from.
pub(super) fn builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .user_agent(concat!("payg-operator/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none()) // what signs a request must not follow a redirect to somebody else
        .no_proxy() // nor an environment variable
        .connect_timeout(CONNECT_TIMEOUT)
}

/// The same, over TLS alone and trusting `anchors` (PEM) beside the system's.
pub(super) fn https(anchors: Option<&[u8]>) -> Result<reqwest::ClientBuilder, ProviderError> {
    Ok(builder().https_only(true).tls_certs_merge(parse_anchors(anchors)?))
}

/// The same, for one request that must not be sent twice. A request on a connection that was kept open may be lost, or be
/// sent again by the pool when the server closes it: every one has a connection of its own, and nothing below us sends it
/// twice.
pub(super) fn https_once(anchors: Option<&[u8]>) -> Result<reqwest::ClientBuilder, ProviderError> {
    Ok(https(anchors)?.pool_max_idle_per_host(0).retry(reqwest::retry::never()))
}

pub(super) fn built(builder: reqwest::ClientBuilder) -> Result<Client, ProviderError> {
    let requests = builder.build().map_err(|error| refused(&error))?;
    let transport = BoxCloneSyncService::new(requests.clone().map_err(no_answer));
    Ok(Client { requests, transport })
}

/// The certificates in `anchors` (PEM).
pub(super) fn parse_anchors(anchors: Option<&[u8]>) -> Result<Vec<reqwest::Certificate>, ProviderError> {
    let Some(pem) = anchors else { return Ok(Vec::new()) };
    let anchors = reqwest::Certificate::from_pem_bundle(pem).map_err(|error| refused(&error))?;
    if anchors.is_empty() {
        let detail = "the trust anchor that is configured holds no certificate: it must be PEM".to_owned();
        return Err(ProviderError::Config { detail });
    }
    Ok(anchors)
}

fn refused(error: &reqwest::Error) -> ProviderError {
    let detail = format!("no HTTPS client can be made with the trust anchor that is configured: {error}");
    ProviderError::Config { detail }
}

/// Whether `url` may be asked: only a host over TLS, and nothing secret in the address.
pub(super) fn check(what: &str, url: &Url) -> Result<(), ProviderError> {
    let plain =
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    if url.scheme() == "https" && url.has_host() && plain {
        return Ok(());
    }
    // The address is not repeated: a password may be in it.
    let detail =
        format!("the address of {what} must be https:// and a host, without user, password, query or fragment");
    Err(ProviderError::Config { detail })
}

/// The address without a slash at its end, so that paths can be put after it.
pub(super) fn address(configured: Option<&Url>, built_in: &str) -> String {
    configured.map_or(built_in, Url::as_str).trim_end_matches('/').to_owned()
}
