//! What tests send, and to whom.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::contact::Contact;
use crate::notice::{Notice, Occasion, Severity};

/// A notice with everything in it.
pub(crate) fn notice() -> Notice {
    Notice {
        id: "0d3c/EndAhead/7".to_owned(),
        occasion: Occasion::EndAhead,
        severity: Severity::Warning,
        starts: "2026-12-01T10:00:00Z".parse().unwrap(),
        ends: None,
        moot_after: None,
        namespace: "team-a".to_owned(),
        name: "sandbox".to_owned(),
        uid: "0d3c".to_owned(),
        labels: BTreeMap::from([("cost-center".to_owned(), "42".to_owned())]),
        contacts: Contact::parse_list("jane@example.com, team-a").unwrap(),
        account: "123456789012".to_owned(),
        title: "The trial of sandbox ends in 7 days".to_owned(),
        text: "The trial ends on 8 December. Approve the upgrade, or what runs in the account stops.".to_owned(),
        facts: vec![("Credit left", "12.40 USD".to_owned()), ("Ends", "2026-12-08".to_owned())],
        command: Some("payg approve sandbox -n team-a".to_owned()),
        link: Some("https://portal.azure.com/#x?a=1&b=2".parse().unwrap()),
        page: Some("https://payg.example/team-a/sandbox".parse().unwrap()),
    }
}

pub(crate) fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Each field of a notice that can hold foreign text holds `text`.
pub(crate) fn foreign(text: &str) -> Notice {
    Notice {
        account: text.to_owned(),
        title: text.to_owned(),
        text: text.to_owned(),
        facts: vec![("Offer", text.to_owned())],
        command: None,
        link: None,
        page: None,
        ..notice()
    }
}

/// What a client sent.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// The method and the target, such as `POST /api`.
    pub(crate) line: String,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let headers = self.head.lines().filter_map(|line| line.split_once(": "));
        headers.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// What the server does with a request.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// It writes this, and closes the connection.
    Bytes(String),
    /// It never answers.
    Nothing,
}

/// An answer with this status, these further headers, and this body.
pub(crate) fn reply(status: u16, headers: &str, body: &str) -> Reply {
    Reply::Bytes(format!("HTTP/1.1 {status} Said\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len()))
}

/// A server that answers the requests of one test: one per connection, and any bytes for an answer.
pub(crate) struct Server {
    port: u16,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// A server that lets `handle` answer the requests; it gets the number of earlier ones.
    pub(crate) async fn start(handle: impl Fn(usize) -> Reply + Send + Sync + 'static) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default(); // or another test has
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (requests, handle) = (Arc::new(Mutex::new(Vec::new())), Arc::new(handle));
        let seen = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (handle, seen) = (Arc::clone(&handle), Arc::clone(&seen));
                tokio::spawn(async move {
                    let _ = serve(stream, &*handle, &seen).await; // a client may go away
                });
            }
        });
        Self { port, requests }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

async fn serve(
    mut stream: TcpStream,
    handle: &(dyn Fn(usize) -> Reply + Send + Sync),
    seen: &Mutex<Vec<Request>>,
) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    let request = loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
        if let Some(request) = whole(&bytes) {
            break request;
        }
    };
    let before = {
        let mut seen = seen.lock().unwrap();
        seen.push(request);
        seen.len() - 1
    };
    match handle(before) {
        Reply::Bytes(answer) => {
            stream.write_all(answer.as_bytes()).await?;
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
