//! A server over TLS: one request per connection, and any bytes for an answer.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use url::Url;

/// What a client asked for.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// The method and the target, such as `GET /subscriptions`.
    pub(crate) line: String,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let headers = self.head.lines().filter_map(|line| line.split_once(": "));
        headers.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }
}

/// What the server does with a request.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// It writes this, and closes the connection.
    Bytes(Vec<u8>),
    /// It never answers.
    Nothing,
}

/// An answer with this status, and this JSON in the body.
pub(crate) fn json(status: u16, body: &str) -> Reply {
    reply(status, "content-type: application/json; charset=utf-8\r\n", body)
}

/// An answer with this status, these further headers, and this body.
pub(crate) fn reply(status: u16, headers: &str, body: &str) -> Reply {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} Said\r\ndate: Sun, 02 Feb 2025 03:04:05 GMT\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    );
    Reply::Bytes(head.into_bytes())
}

/// A server that answers the requests of one test.
pub(crate) struct Server {
    port: u16,
    /// What to trust, PEM.
    pub(crate) certificate: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// A server that lets `handle` answer all requests.
    pub(crate) async fn start(handle: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default(); // or another test has
        let identity = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(identity.signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![identity.cert.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (requests, handle) = (Arc::new(Mutex::new(Vec::new())), Arc::new(handle));
        let seen = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, handle, seen) = (acceptor.clone(), Arc::clone(&handle), Arc::clone(&seen));
                tokio::spawn(async move {
                    // A client that goes away, or does not trust the certificate, is what some tests are about.
                    let _ = serve(&acceptor, stream, &*handle, &seen).await;
                });
            }
        });
        Self { port, certificate: identity.cert.pem(), requests }
    }

    pub(crate) fn url(&self, path: &str) -> Url {
        Url::parse(&format!("https://127.0.0.1:{}{path}", self.port)).unwrap()
    }

    pub(crate) fn all_requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

async fn serve(
    acceptor: &TlsAcceptor,
    stream: TcpStream,
    handle: &(dyn Fn(&Request) -> Reply + Send + Sync),
    seen: &Mutex<Vec<Request>>,
) -> std::io::Result<()> {
    let mut stream = acceptor.accept(stream).await?;
    let mut bytes = Vec::new();
    let request = loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
        if let Some(request) = whole(&bytes) {
            break request;
        }
    };
    seen.lock().unwrap().push(request.clone());
    match handle(&request) {
        Reply::Bytes(answer) => {
            stream.write_all(&answer).await?;
            stream.shutdown().await
        }
        Reply::Nothing => {
            tokio::time::sleep(Duration::from_hours(1)).await;
            Ok(())
        }
    }
}

fn whole(bytes: &[u8]) -> Option<Request> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let (line, head) = head.split_once("\r\n")?;
    let line = line.trim_end_matches(" HTTP/1.1").to_owned();
    let request = Request { line, head: head.to_owned(), body: body.to_owned() };
    let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
    (request.body.len() >= length).then_some(request)
}
