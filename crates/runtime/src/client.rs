//! The connection to the API server: kube's client with the bounds that it leaves out.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::header::{HeaderValue, InvalidHeaderValue, USER_AGENT};
use http::{Request, Response};
use hyper::body::Bytes;
use kube::client::{AuthError, Body, ClientBuilder};
use kube::config::{ExecConfig, InClusterError};
use kube::{Client, Config};
use tower::timeout::error::Elapsed;
use tower::timeout::{Timeout, TimeoutLayer};
use tower::util::{MapErrLayer, MapRequestLayer, option_layer};
use tower::{BoxError, Service, ServiceExt};

use super::kubeconfig::{self, KubeconfigError};
use super::token_file::TokenFile;
use super::{proxy, unreachable};

/// TCP and TLS to the API server must be up within this time.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The header of a response must be there within this time, connecting included. It bounds every call, watches too,
/// without cutting the body of a watch.
pub const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection on which nothing was read for so long is dead. It must be longer than the longest silence of a healthy
/// watch, which the API server ends after [`WATCH_TIMEOUT`](super::watch::WATCH_TIMEOUT). Without it, a list whose body
/// stops halfway would be waited for endlessly.
const READ_TIMEOUT: Duration = Duration::from_secs(75);

/// How much is repeated of what a command complained of, in characters.
const LONGEST_COMPLAINT: usize = 300;

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A kubeconfig cannot be used.
    #[error(transparent)]
    Kubeconfig(#[from] KubeconfigError),
    /// There is neither a kubeconfig nor a service account.
    #[error(
        "there is no kubeconfig: none of {0} is there or has anything in it; name one with --kubeconfig, or set $KUBECONFIG"
    )]
    NoKubeconfig(String),
    /// The proxy of the environment cannot be used.
    #[error(
        "cannot reach the API server by the proxy of the environment: {0}; set HTTPS_PROXY right, or the API server's address in NO_PROXY"
    )]
    Proxy(String),
    /// There is no service account to use.
    #[error("this process does not seem to run in a Kubernetes pod ({0}); to run it elsewhere, name a kubeconfig file")]
    InCluster(#[from] InClusterError),
    /// The user agent cannot be sent.
    #[error("the user agent {user_agent:?} cannot be sent as an HTTP header ({source}); use visible ASCII characters")]
    UserAgent {
        /// What was to be sent.
        user_agent: String,
        /// What is wrong with it.
        source: InvalidHeaderValue,
    },
    /// What the kubeconfig has run to get credentials failed.
    #[error("there are no credentials for the API server at {url}: {detail}")]
    Credentials {
        /// Where the API server is.
        url: String,
        /// What is wrong, without what the command printed.
        detail: String,
    },
    /// The client refuses what the configuration holds: certificates, keys, a proxy.
    #[error("cannot set up a client for the API server at {url}: {source}")]
    Setup {
        /// Where the API server is.
        url: String,
        source: kube::Error,
    },
}

/// A client for the cluster of a kubeconfig file's current context, or else for the cluster that this pod runs in. It
/// names itself `user_agent`, gives up where a call hangs, and repeats nothing by itself: kube would repeat a create.
/// Nothing is sent yet. A process-wide rustls provider must be installed before.
pub fn connect(kubeconfig: Option<&Path>, user_agent: &str) -> Result<Client, Error> {
    match kubeconfig {
        Some(path) => client(kubeconfig::load(Some(path), None)?, user_agent),
        None => client(Some(in_cluster()?), user_agent),
    }
}

/// The same for a person who runs a command: the kubeconfig is found as kubectl finds it unless it is named, and so is its
/// context.
pub fn connect_user(kubeconfig: Option<&Path>, context: Option<&str>, user_agent: &str) -> Result<Client, Error> {
    client(kubeconfig::load(kubeconfig, context)?, user_agent)
}

/// The cluster that this pod runs in, through the proxy that its environment names for it.
fn in_cluster() -> Result<Config, Error> {
    let mut config = Config::incluster()?;
    let environment = proxy::Environment::read();
    config.proxy_url = proxy::choose(None, &environment, &config.cluster_url).map_err(Error::Proxy)?;
    Ok(config)
}

/// A client by `config`, or that of this pod if there is none.
fn client(config: Option<Config>, user_agent: &str) -> Result<Client, Error> {
    let mut config = match config {
        Some(config) => config,
        None => in_cluster().map_err(|error| match error {
            Error::InCluster(_) => {
                let files: Vec<_> = kubeconfig::found().iter().map(|file| file.display().to_string()).collect();
                Error::NoKubeconfig(files.join(", "))
            }
            error => error,
        })?,
    };
    let header = HeaderValue::from_str(user_agent)
        .map_err(|source| Error::UserAgent { user_agent: user_agent.to_owned(), source })?;
    config.headers.push((USER_AGENT, header));
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.read_timeout = Some(READ_TIMEOUT);
    config.reset_reader_on_write = true; // else the time that a pooled connection was idle counts against the next call
    config.default_retry = false;

    let other = Arc::new(OtherSide {
        server: config.cluster_url.to_string(),
        proxy: config.proxy_url.as_ref().map(proxy::shown),
        exec: config.auth_info.exec.clone(),
    });
    let token = config.auth_info.token_file.take().map(|path| TokenFile::new(path.into()));
    let token = token.transpose().map_err(|detail| other.no_credentials(detail))?;
    if token.is_some() {
        // The file goes before it, as in client-go.
        config.auth_info.token = None;
    }
    let builder = ClientBuilder::try_from(config).map_err(|source| match source {
        kube::Error::Auth(error) => other.no_credentials(other.without_secrets(&error)),
        source => Error::Setup { url: other.server.clone(), source },
    })?;
    let sign = token.map(|token| MapRequestLayer::new(move |request| token.sign(request)));
    let explain = MapErrLayer::new(move |error| other.explain(error));
    Ok(builder
        .with_layer(&option_layer(sign))
        .with_layer(&TimeoutLayer::new(HEADER_TIMEOUT))
        .with_layer(&explain)
        .build())
}

/// A client over `service` instead of the network, with the same bound on calls: of an API server in this process.
pub fn over<S, B>(service: S) -> Client
where
    S: Service<Request<Body>, Response = Response<B>, Error = BoxError, Future: Send> + Send + 'static,
    B: hyper::body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let service = Timeout::new(service, HEADER_TIMEOUT).map_err(|error| OtherSide::default().explain(error));
    Client::new(service, "default")
}

/// Whom a client talks to, for what is said when that fails.
#[derive(Default)]
struct OtherSide {
    server: String,
    proxy: Option<String>,
    /// What the kubeconfig has run to get credentials.
    exec: Option<ExecConfig>,
}

impl OtherSide {
    fn no_credentials(&self, detail: String) -> Error {
        Error::Credentials { url: self.server.clone(), detail }
    }

    /// What is wrong with credentials, without what a command printed of them, and without its arguments and its environment:
    /// kube's own words repeat all of these.
    fn without_secrets(&self, error: &AuthError) -> String {
        match error {
            AuthError::AuthExecRun { out, .. } => {
                let said = payg_text::excerpt(String::from_utf8_lossy(&out.stderr).trim(), LONGEST_COMPLAINT);
                format!("the command that the kubeconfig names failed ({}): {said:?}; run it by itself", out.status)
            }
            AuthError::AuthExecStart(error) => self.not_started(error),
            AuthError::AuthExecParse(_) | AuthError::ParseTokenKey(_) | AuthError::AuthExec(_) => {
                "what the command printed that the kubeconfig names is no ExecCredential, and is not shown here; run it by itself"
                    .to_owned()
            }
            other => other.to_string(),
        }
    }

    fn not_started(&self, error: &std::io::Error) -> String {
        let exec = self.exec.as_ref();
        let command = exec.and_then(|exec| exec.command.as_deref()).unwrap_or_default();
        let hint = exec.and_then(|exec| exec.install_hint.as_deref()).map(str::trim).unwrap_or_default();
        let hint = if hint.is_empty() {
            "install it, or check the PATH".to_owned()
        } else {
            payg_text::excerpt(hint, LONGEST_COMPLAINT)
        };
        let command = payg_text::excerpt(command, LONGEST_COMPLAINT);
        format!("the command `{command}`, which the kubeconfig names, cannot be run ({error}): {hint}")
    }

    /// The timeout's own words do not say what timed out, those about a connection not why there is none, and those about
    /// credentials say too much.
    fn explain(&self, error: BoxError) -> BoxError {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error.as_ref());
        while let Some(error) = cause {
            if let Some(error) = error.downcast_ref::<AuthError>() {
                return self.without_secrets(error).into();
            }
            cause = error.source();
        }
        if error.is::<Elapsed>() {
            return format!("the API server did not begin to answer within {} s", HEADER_TIMEOUT.as_secs()).into();
        }
        if unreachable::is_connect(error.as_ref()) {
            let through = self.proxy.as_ref().map_or_else(String::new, |proxy| format!(" through the proxy {proxy}"));
            let cause = unreachable::cause(error.as_ref());
            return format!("the API server at {} cannot be reached{through}: {cause}", self.server).into();
        }
        error
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    const KUBECONFIG: &str = r"
apiVersion: v1
kind: Config
current-context: test
contexts: [{name: test, context: {cluster: test, user: test}}]
clusters: [{name: test, cluster: {server: 'http://127.0.0.1:ADDRESS'}}]
users: [{name: test, user: {token: secret}}]
";

    fn kubeconfig(port: u16) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), KUBECONFIG.replace("ADDRESS", &port.to_string())).unwrap();
        file
    }

    #[tokio::test]
    async fn names_itself_and_repeats_nothing() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let file = kubeconfig(listener.local_addr().unwrap().port());
        let (seen, mut calls) = tokio::sync::mpsc::unbounded_channel();
        let app = axum::Router::new().fallback(async move |headers: http::HeaderMap| {
            seen.send(headers[USER_AGENT].to_str().unwrap().to_owned()).unwrap();
            http::StatusCode::SERVICE_UNAVAILABLE
        });
        let server = tokio::spawn(async move { axum::serve(listener, app).await });

        let client = connect(Some(file.path()), "payg-test/1").unwrap();
        client.apiserver_version().await.unwrap_err();
        server.abort();
        assert_eq!(calls.recv().await.as_deref(), Some("payg-test/1"));
        assert!(calls.try_recv().is_err(), "the call was repeated");
    }

    #[tokio::test]
    async fn a_header_that_does_not_come_is_an_error_that_says_so() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let file = kubeconfig(listener.local_addr().unwrap().port());
        let client = connect(Some(file.path()), "payg-test/1").unwrap();
        let call = tokio::spawn(async move { client.apiserver_version().await });
        let _accepted_and_silent = listener.accept().await.unwrap();
        tokio::time::pause(); // from here on nothing but the timeout can happen
        let error = call.await.unwrap().unwrap_err().to_string();
        assert!(error.contains("did not begin to answer within 10 s"), "{error}");
    }

    #[tokio::test]
    async fn a_body_that_stops_halfway_is_an_error() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let file = kubeconfig(listener.local_addr().unwrap().port());
        let client = connect(Some(file.path()), "payg-test/1").unwrap();
        let call = tokio::spawn(async move { client.apiserver_version().await });
        let mut connection = listener.accept().await.unwrap().0;
        connection.readable().await.unwrap();
        connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{").await.unwrap();
        tokio::time::pause(); // from here on nothing but the timeout can happen
        let began = tokio::time::Instant::now();
        let error = call.await.unwrap().unwrap_err().to_string();
        assert!(began.elapsed() >= READ_TIMEOUT / 2, "{error} after {:?}", began.elapsed());
    }

    #[tokio::test]
    async fn credential_command_output_is_not_repeated() {
        for (script, told) in [
            ("echo $HIDDEN; echo no luck >&2; exit 3", "no luck"),
            ("echo '{\"status\": s3cr3t-value: {'", "no ExecCredential"),
            ("echo s3cr3t-value", "no ExecCredential"),
        ] {
            let exec = serde_json::json!({"apiVersion": "client.authentication.k8s.io/v1", "command": "sh",
                "args": ["-c", script], "interactiveMode": "Never", "env": [{"name": "HIDDEN", "value": "s3cr3t-value"}]});
            let file = kubeconfig(1);
            let text = KUBECONFIG.replace("token: secret", &format!("exec: {exec}")).replace("http:", "https:");
            std::fs::write(file.path(), text.replace("ADDRESS", "1")).unwrap();
            let error = connect(Some(file.path()), "payg-test/1").err().unwrap().to_string();
            assert!(error.contains(told) && !error.contains("s3cr3t-value"), "{error}");
            assert!(error.contains("run it by itself"), "{error}");
        }
        let run = std::process::Command::new("sh").args(["-c", "echo s3cr3t-value; exit 3"]).output().unwrap();
        let later = OtherSide::default()
            .explain(AuthError::AuthExecRun { cmd: "sh".to_owned(), out: Box::new(run) }.into())
            .to_string();
        assert!(
            later.contains("failed (exit status: 3)") && !later.contains("s3cr3t"),
            "when they are renewed: {later}"
        );
    }

    #[tokio::test]
    async fn a_command_that_is_missing_is_named_with_what_to_do() {
        let exec = r#"{"apiVersion": "client.authentication.k8s.io/v1", "command": "no-such-helper", "interactiveMode": "Never",
            "installHint": "Get it at https://example.com/helper"}"#;
        let file = kubeconfig(1);
        let text = KUBECONFIG.replace("token: secret", &format!("exec: {exec}")).replace("http:", "https:");
        std::fs::write(file.path(), text.replace("ADDRESS", "1")).unwrap();
        let error = connect(Some(file.path()), "payg-test/1").err().unwrap().to_string();
        assert!(error.contains("the command `no-such-helper`"), "{error}");
        assert!(error.contains("Get it at https://example.com/helper"), "{error}");
    }

    #[tokio::test]
    async fn why_there_is_no_connection_is_said() {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let client = connect(Some(kubeconfig(port).path()), "payg-test/1").unwrap();
        let error = client.apiserver_version().await.unwrap_err().to_string();
        let told = format!("the API server at http://127.0.0.1:{port}/ cannot be reached: nobody listens there");
        assert!(error.contains(&told), "{error}");
    }

    #[tokio::test]
    async fn errors_name_the_file_and_the_way_out() {
        let path = Path::new("/nonexistent/kubeconfig");
        let error = connect(Some(path), "payg-test/1").err().unwrap().to_string();
        assert!(error.contains("/nonexistent/kubeconfig"), "{error}");

        let error = connect(Some(kubeconfig(1).path()), "payg\n").err().unwrap().to_string();
        assert!(error.contains("user agent"), "{error}");
    }
}
