//! The connection to the API server: kube's client with the bounds that it leaves out.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use crate::text;
use http::header::{HeaderValue, InvalidHeaderValue, USER_AGENT};
use kube::{
    Client, Config,
    client::{AuthError, ClientBuilder},
    config::{InClusterError, KubeConfigOptions, Kubeconfig, KubeconfigError},
};
use tower::{BoxError, timeout::TimeoutLayer, timeout::error::Elapsed, util::MapErrLayer};

/// TCP and TLS to the API server must be up within this time.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The header of a response must be there within this time, connecting included. It bounds every call, watches too,
/// without cutting the body of a watch.
pub const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection on which nothing was read for so long is dead. It must be longer than the longest silence of a healthy
/// watch, which the API server ends after [`WATCH_TIMEOUT`](super::watch::WATCH_TIMEOUT). Without it, a list whose body
/// stops halfway would be waited for for ever.
const READ_TIMEOUT: Duration = Duration::from_secs(75);

/// How much is repeated of what a command complained of, in characters.
const LONGEST_COMPLAINT: usize = 300;

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kubeconfig file cannot be used.
    #[error("cannot use the kubeconfig file {}: {source}; check the path, its current context and that context's credentials", path.display())]
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: KubeconfigError,
    },
    /// There is no kubeconfig file to use.
    #[error("cannot use a kubeconfig file: {0}; name one, or check $KUBECONFIG and the context")]
    NoKubeconfig(KubeconfigError),
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
        /// What is wrong.
        source: kube::Error,
    },
}

/// A client for the cluster of a kubeconfig file's current context, or else for the cluster that this pod runs in. It
/// names itself `user_agent`, gives up where a call hangs, and repeats nothing by itself: kube would repeat a create.
/// Nothing is sent yet. A process-wide rustls provider must be installed before.
pub async fn connect(kubeconfig: Option<&Path>, user_agent: &str) -> Result<Client, Error> {
    let config = match kubeconfig {
        Some(path) => from_file(path, &KubeConfigOptions::default()).await?,
        None => Config::incluster()?,
    };
    client(config, user_agent)
}

/// The same for a person who runs a command: the kubeconfig is found as kubectl finds it unless it is named, and so is its
/// context.
pub async fn connect_user(kubeconfig: Option<&Path>, context: Option<&str>, user_agent: &str) -> Result<Client, Error> {
    let options = KubeConfigOptions { context: context.map(str::to_owned), ..KubeConfigOptions::default() };
    let config = match kubeconfig {
        Some(path) => from_file(path, &options).await?,
        None => match (Config::from_kubeconfig(&options).await, context) {
            (Ok(config), _) => config,
            (Err(source), Some(_)) => return Err(Error::NoKubeconfig(source)),
            (Err(source), None) => Config::incluster().map_err(|_| Error::NoKubeconfig(source))?,
        },
    };
    client(config, user_agent)
}

fn client(mut config: Config, user_agent: &str) -> Result<Client, Error> {
    let header = HeaderValue::from_str(user_agent)
        .map_err(|source| Error::UserAgent { user_agent: user_agent.to_owned(), source })?;
    config.headers.push((USER_AGENT, header));
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.read_timeout = Some(READ_TIMEOUT);
    config.reset_reader_on_write = true; // else the time that a pooled connection was idle counts against the next call
    config.default_retry = false;

    let url = config.cluster_url.to_string();
    let builder = ClientBuilder::try_from(config).map_err(|source| match source {
        kube::Error::Auth(error) => Error::Credentials { url, detail: without_secrets(&error) },
        source => Error::Setup { url, source },
    })?;
    Ok(builder.with_layer(&TimeoutLayer::new(HEADER_TIMEOUT)).with_layer(&MapErrLayer::new(explain)).build())
}

/// A client over `service` instead of the network, with the same bound on calls.
#[cfg(test)]
pub(crate) fn over<S>(service: S) -> Client
where
    S: tower::Service<
            http::Request<kube::client::Body>,
            Response = http::Response<payg_test_support::fake_api::Body>,
            Error = BoxError,
            Future: Send,
        > + Send
        + 'static,
{
    use tower::ServiceExt;
    Client::new(tower::timeout::Timeout::new(service, HEADER_TIMEOUT).map_err(explain), "default")
}

async fn from_file(path: &Path, options: &KubeConfigOptions) -> Result<Config, Error> {
    let fail = |source| Error::Kubeconfig { path: path.to_owned(), source };
    let kubeconfig = Kubeconfig::read_from(path).map_err(fail)?;
    Config::from_custom_kubeconfig(kubeconfig, options).await.map_err(fail)
}

/// What is wrong with credentials, without what a command printed of them, and without its arguments and its environment:
/// kube's own words repeat all of these.
fn without_secrets(error: &AuthError) -> String {
    match error {
        AuthError::AuthExecRun { out, .. } => {
            let said = text::excerpt(String::from_utf8_lossy(&out.stderr).trim(), LONGEST_COMPLAINT);
            format!("the command that the kubeconfig names failed ({}): {said:?}; run it by itself", out.status)
        }
        AuthError::AuthExecParse(_) | AuthError::ParseTokenKey(_) | AuthError::AuthExec(_) => {
            "what the command printed that the kubeconfig names is no ExecCredential, and is not shown here; run it by itself"
                .to_owned()
        }
        other => other.to_string(),
    }
}

/// The time-out's own words do not say what timed out, and those about credentials say too much.
fn explain(error: BoxError) -> BoxError {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error.as_ref());
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<AuthError>() {
            return without_secrets(error).into();
        }
        cause = error.source();
    }
    if error.is::<Elapsed>() {
        return format!("the API server did not begin to answer within {} s", HEADER_TIMEOUT.as_secs()).into();
    }
    error
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

        let client = connect(Some(file.path()), "payg-test/1").await.unwrap();
        client.apiserver_version().await.unwrap_err();
        server.abort();
        assert_eq!(calls.recv().await.as_deref(), Some("payg-test/1"));
        assert!(calls.try_recv().is_err(), "the call was repeated");
    }

    #[tokio::test]
    async fn a_header_that_does_not_come_is_an_error_that_says_so() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let file = kubeconfig(listener.local_addr().unwrap().port());
        let client = connect(Some(file.path()), "payg-test/1").await.unwrap();
        let call = tokio::spawn(async move { client.apiserver_version().await });
        let _accepted_and_silent = listener.accept().await.unwrap();
        tokio::time::pause(); // from here on nothing but the time-out can happen
        let error = call.await.unwrap().unwrap_err().to_string();
        assert!(error.contains("did not begin to answer within 10 s"), "{error}");
    }

    #[tokio::test]
    async fn a_body_that_stops_halfway_is_an_error() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let file = kubeconfig(listener.local_addr().unwrap().port());
        let client = connect(Some(file.path()), "payg-test/1").await.unwrap();
        let call = tokio::spawn(async move { client.apiserver_version().await });
        let mut connection = listener.accept().await.unwrap().0;
        connection.readable().await.unwrap();
        connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{").await.unwrap();
        tokio::time::pause(); // from here on nothing but the time-out can happen
        let began = tokio::time::Instant::now();
        let error = call.await.unwrap().unwrap_err().to_string();
        assert!(began.elapsed() >= READ_TIMEOUT / 2, "{error} after {:?}", began.elapsed());
    }

    #[tokio::test]
    async fn what_a_command_prints_of_credentials_is_not_repeated() {
        for (script, told) in [
            ("echo $HIDDEN; echo no luck >&2; exit 3", "no luck"),
            ("echo '{\"status\": s3cr3t-value: {'", "no ExecCredential"),
            ("echo s3cr3t-value", "no ExecCredential"),
        ] {
            let exec = serde_json::json!({"apiVersion": "client.authentication.k8s.io/v1", "command": "sh",
                "args": ["-c", script], "interactiveMode": "Never", "env": [{"name": "HIDDEN", "value": "s3cr3t-value"}]});
            let file = kubeconfig(1);
            std::fs::write(file.path(), KUBECONFIG.replace("token: secret", &format!("exec: {exec}"))).unwrap();
            let error = connect(Some(file.path()), "payg-test/1").await.err().unwrap().to_string();
            assert!(error.contains(told) && !error.contains("s3cr3t-value"), "{error}");
            assert!(error.contains("run it by itself"), "{error}");
        }
        let run = std::process::Command::new("sh").args(["-c", "echo s3cr3t-value; exit 3"]).output().unwrap();
        let later = explain(AuthError::AuthExecRun { cmd: "sh".to_owned(), out: Box::new(run) }.into()).to_string();
        assert!(
            later.contains("failed (exit status: 3)") && !later.contains("s3cr3t"),
            "when they are renewed: {later}"
        );
    }

    #[tokio::test]
    async fn errors_name_the_file_and_the_way_out() {
        let path = Path::new("/nonexistent/kubeconfig");
        let error = connect(Some(path), "payg-test/1").await.err().unwrap().to_string();
        assert!(error.contains("/nonexistent/kubeconfig"), "{error}");

        let error = connect(Some(kubeconfig(1).path()), "payg\n").await.err().unwrap().to_string();
        assert!(error.contains("user agent"), "{error}");
    }
}
