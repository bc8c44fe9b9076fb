//! Receivers over HTTP: where they listen, the secrets in files, and one POST.

use std::error::Error;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Certificate, Client, Response, StatusCode};
use url::{Host, Url};

use crate::dispatcher::SendError;
use crate::fields::{ConfigError, Fields};

/// How long a connection may take to be made, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the whole may take.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(15);
/// The largest answer that is read, in bytes. Receivers say little.
const LARGEST_BODY: usize = 64 << 10;
/// The largest file with a secret or with certificates, in bytes.
const LARGEST_FILE: u64 = 1 << 20;
/// How much of an answer is repeated, in characters.
const LONGEST_EXCERPT: usize = 200;

/// Where a receiver listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    address: Address,
    /// A bearer token.
    token: Option<PathBuf>,
    /// Certificates to trust beside the system's.
    ca: Option<PathBuf>,
    /// Secrets may go there without TLS.
    insecure: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Address {
    /// An address with nothing secret in it.
    Known(Url),
    /// The file that it is in.
    Secret(PathBuf),
}

impl Endpoint {
    /// Reads the fields of an endpoint.
    pub(crate) fn read(fields: &mut Fields) -> Result<Self, ConfigError> {
        let expected = "http:// or https:// and a host, without user, password, query or fragment: an address that holds a \
                        secret belongs in a file, which `urlFile` names";
        let url = fields.parsed("url", expected, known)?;
        let file = fields.path("urlFile")?;
        let address = match (url, file) {
            (Some(url), None) => Address::Known(url),
            (None, Some(file)) => Address::Secret(file),
            (None, None) => return Err(fields.error("url", "is missing, and so is `urlFile`")),
            (Some(_), Some(_)) => return Err(fields.error("url", "must not be there beside `urlFile`")),
        };
        Self::with(address, fields)
    }

    /// The same where every address is a secret.
    pub(crate) fn read_secret(fields: &mut Fields) -> Result<Self, ConfigError> {
        let file = fields.path("urlFile")?;
        Self::with(Address::Secret(fields.required("urlFile", file)?), fields)
    }

    fn with(address: Address, fields: &mut Fields) -> Result<Self, ConfigError> {
        let (token, ca) = (fields.path("tokenFile")?, fields.path("caFile")?);
        let insecure = fields.flag("insecure")?;
        let is_plain = matches!(&address, Address::Known(url) if !is_private(url));
        if token.is_some() && is_plain && !insecure {
            let problem =
                "would be sent without TLS: use https://, or say `insecure: true` if the network is to be trusted";
            return Err(fields.error("tokenFile", problem));
        }
        Ok(Self { address, token, ca, insecure })
    }

    /// The address, read anew if it is in a file.
    async fn url(&self) -> Result<Url, SendError> {
        let file = match &self.address {
            Address::Known(url) => return Ok(url.clone()),
            Address::Secret(file) => file,
        };
        let shown = file.display();
        let text = read_secret(file).await?;
        let url = Url::parse(&text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let url = url.ok_or_else(|| temporary(format!("there is no http:// or https:// address in {shown}")))?;
        if !is_private(&url) && !self.insecure {
            return Err(temporary(format!(
                "the address in {shown} must be https://, or the receiver `insecure: true`"
            )));
        }
        Ok(url)
    }
}

fn known(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let is_plain =
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    (matches!(url.scheme(), "http" | "https") && url.has_host() && is_plain).then_some(url)
}

/// Whether nobody on the network reads what is sent to `url`.
fn is_private(url: &Url) -> bool {
    let is_local = match url.host() {
        Some(Host::Ipv4(ip)) => is_loopback(IpAddr::V4(ip)),
        Some(Host::Ipv6(ip)) => is_loopback(IpAddr::V6(ip)),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    url.scheme() == "https" || is_local
}

fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

/// Whether `host` is this machine.
pub(crate) fn is_local(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(is_loopback)
}

/// What cannot be done now, and perhaps later.
pub(crate) fn temporary(detail: String) -> SendError {
    SendError::Temporary { detail, after: None }
}

/// The bytes of a file.
pub(crate) async fn read_file(path: &Path) -> Result<Vec<u8>, SendError> {
    let unreadable = |error: std::io::Error| temporary(format!("{} cannot be read: {error}", path.display()));
    let length = tokio::fs::metadata(path).await.map_err(unreadable)?.len();
    if length > LARGEST_FILE {
        return Err(temporary(format!("{} is too large", path.display())));
    }
    tokio::fs::read(path).await.map_err(unreadable)
}

/// The secret in a file, without white space around it.
pub(crate) async fn read_secret(path: &Path) -> Result<String, SendError> {
    let text = String::from_utf8(read_file(path).await?).unwrap_or_default();
    match text.trim() {
        "" => Err(temporary(format!("{} is empty, or no text", path.display()))),
        secret => Ok(secret.to_owned()),
    }
}

/// Sends to an endpoint.
pub(crate) struct Poster {
    endpoint: Endpoint,
    /// The last client, and the certificates that it trusts.
    client: Mutex<Option<(Vec<u8>, Client)>>,
}

impl Poster {
    pub(crate) fn new(endpoint: Endpoint) -> Self {
        Self { endpoint, client: Mutex::new(None) }
    }

    /// Sends `body` with `headers` to `path` beneath the address, once, and reads the answer to its end.
    pub(crate) async fn post(&self, path: &[&str], headers: HeaderMap, body: String) -> Result<(), SendError> {
        let mut url = self.endpoint.url().await?;
        if !path.is_empty() {
            let segments = url.path_segments_mut();
            segments.map_err(|()| temporary("the address has no path".to_owned()))?.pop_if_empty().extend(path);
        }
        let mut request = self.client().await?.post(url).headers(headers).body(body);
        if let Some(file) = &self.endpoint.token {
            let token = HeaderValue::try_from(format!("Bearer {}", read_secret(file).await?));
            let mut token = token.map_err(|_| temporary(format!("{} has more in it than a token", file.display())))?;
            token.set_sensitive(true);
            request = request.header(AUTHORIZATION, token);
        }
        let response = request.send().await.map_err(|error| temporary(chain(error)))?;
        self.judge(response).await
    }

    async fn client(&self) -> Result<Client, SendError> {
        let trusted = match &self.endpoint.ca {
            Some(file) => read_file(file).await?,
            None => Vec::new(),
        };
        let mut last = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, client)) = last.as_ref().filter(|(used, _)| *used == trusted) {
            return Ok(client.clone());
        }
        let client = self.build(&trusted).map_err(|error| temporary(format!("no client can be made: {error}")))?;
        *last = Some((trusted, client.clone()));
        Ok(client)
    }

    fn build(&self, trusted: &[u8]) -> Result<Client, String> {
        let anchors = Certificate::from_pem_bundle(trusted).map_err(|error| error.to_string())?;
        if let (true, Some(file)) = (anchors.is_empty(), &self.endpoint.ca) {
            return Err(format!("there is no certificate in {}: it must be PEM", file.display()));
        }
        let builder = Client::builder()
            .user_agent(concat!("payg-operator/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none()) // a notice goes to the address in the file and nowhere else
            .no_proxy() // nor where an environment variable says
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .tls_certs_merge(anchors);
        builder.build().map_err(|error| error.to_string())
    }

    /// What an answer means. One that breaks off means nothing.
    async fn judge(&self, mut response: Response) -> Result<(), SendError> {
        let status = response.status();
        let after = response.headers().get(RETRY_AFTER).and_then(retry_after);
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| temporary(chain(error)))? {
            if body.len() + chunk.len() > LARGEST_BODY {
                let most = LARGEST_BODY >> 10;
                return Err(SendError::Refused(format!("answered {} with more than {most} KiB", status.as_u16())));
            }
            body.extend_from_slice(&chunk);
        }
        if status.is_success() {
            return Ok(());
        }
        let detail = format!("answered {}{}", status.as_u16(), self.said(&String::from_utf8_lossy(&body)));
        let can_pass = matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
        if can_pass || status.is_server_error() {
            return Err(SendError::Temporary { detail, after });
        }
        if status.is_redirection() {
            let problem = "redirects are not followed, so the file must have the final address";
            return Err(SendError::Refused(format!("{detail}; {problem}")));
        }
        Err(SendError::Refused(detail))
    }

    /// What of an answer is repeated. It may quote a secret that was sent; a single word, as Slack answers, does not.
    fn said(&self, body: &str) -> String {
        let body = body.trim();
        let knows_secrets = matches!(self.endpoint.address, Address::Secret(_)) || self.endpoint.token.is_some();
        let is_word = body.len() <= 40 && body.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_');
        if body.is_empty() || (knows_secrets && !is_word) {
            return String::new();
        }
        format!(": {}", payg_text::excerpt(body, LONGEST_EXCERPT))
    }
}

/// How long a receiver asks to be left alone: seconds, or a date of HTTP.
fn retry_after(value: &HeaderValue) -> Option<Duration> {
    let text = value.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    Duration::try_from(date.duration_since(Timestamp::now())).ok()
}

/// An error and its causes. Not the address, which may be a secret.
fn chain(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    payg_text::excerpt(&text, LONGEST_EXCERPT)
}

#[cfg(test)]
mod tests;
