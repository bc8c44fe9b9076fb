//! The HTTP client beneath Amazon's SDK. It is ours, as Azure's is: the SDK's own reads bodies of any size, takes a connection
//! out of a pool for an upgrade, and does not tell a request that was never written from one whose answer was lost.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use jiff::Timestamp;
use payg_clock::Clock;

use crate::http::{Answer, CONNECT_TIMEOUT, Client, LARGEST_BODY, NoAnswer, excerpt};

/// What was answered last, as it was sent. All that decides is read from there: the SDK makes values up where required ones are
/// missing, and takes the last of two.
#[derive(Clone, Default)]
pub(super) struct Heard(Arc<Mutex<Last>>);

#[derive(Default)]
struct Last {
    document: Vec<u8>,
    /// AWS's clock, by the last `Date` header that there was.
    date: Option<Timestamp>,
}

impl Heard {
    /// The last answer's body. It may hold credentials, so it is not kept.
    pub(super) fn document(&self) -> Vec<u8> {
        std::mem::take(&mut self.last().document)
    }

    /// AWS's clock.
    pub(super) fn date(&self) -> Option<Timestamp> {
        self.last().date
    }

    fn note(&self, answer: &Answer) {
        let mut last = self.last();
        last.document.clone_from(&answer.body);
        last.date = answer.date().or(last.date);
    }

    fn last(&self) -> MutexGuard<'_, Last> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Heard")
    }
}

/// Why there is no answer, as the SDK passes it on.
#[derive(Debug)]
pub(super) enum Lost {
    /// Nothing was written.
    NotSent(String),
    /// It may have been written.
    Broken(String),
    /// There was an answer, and no end to it.
    TooLarge(String),
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::NotSent(detail) | Self::Broken(detail) | Self::TooLarge(detail)) = self;
        f.write_str(detail)
    }
}

impl std::error::Error for Lost {}

#[derive(Debug)]
struct Connector {
    client: Client,
    heard: Heard,
    latest: Option<Latest>,
}

/// Nothing is written after `not_after` (wall clock).
#[derive(Clone, Copy, Debug)]
pub(super) struct Latest {
    pub(super) not_after: Timestamp,
    pub(super) clock: Clock,
}

impl Latest {
    fn is_over(self) -> bool {
        // The first byte is written when there is a connection, which takes no longer than this.
        let begin = self.not_after.saturating_sub(CONNECT_TIMEOUT).unwrap_or(Timestamp::MIN);
        self.clock.wall() > begin
    }
}

/// The SDK's client over `client`; the answers are `heard`.
pub(super) fn over(client: &Client, heard: &Heard, latest: Option<Latest>) -> SharedHttpClient {
    let (client, heard) = (client.clone(), heard.clone());
    let connector = SharedHttpConnector::new(Connector { client, heard, latest });
    http_client_fn(move |_, _| connector.clone())
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (client, heard, latest) = (self.client.clone(), self.heard.clone(), self.latest);
        HttpConnectorFuture::new(async move {
            let request = reqwest_request(request).map_err(|odd| ConnectorError::user(Lost::NotSent(odd).into()))?;
            if latest.is_some_and(Latest::is_over) {
                let late = "too little time was left".to_owned();
                return Err(ConnectorError::user(Lost::NotSent(late).into()));
            }
            let answer = client.send(LARGEST_BODY, request).await.map_err(lost)?;
            heard.note(&answer);
            response(answer).map_err(|odd| ConnectorError::other(Lost::Broken(odd).into(), None))
        })
    }
}

fn reqwest_request(request: HttpRequest) -> Result<reqwest::Request, String> {
    let (parts, body) = request.try_into_http1x().map_err(|error| error.to_string())?.into_parts();
    let body = body.bytes().ok_or("the body of a request is a stream")?.to_vec();
    http::Request::from_parts(parts, body).try_into().map_err(|error: reqwest::Error| error.to_string())
}

fn response(answer: Answer) -> Result<HttpResponse, String> {
    let mut response = http::Response::new(SdkBody::from(answer.body));
    (*response.status_mut(), *response.headers_mut()) = (answer.status, answer.headers);
    // An answer with a header that is no text.
    HttpResponse::try_from(response).map_err(|error| excerpt(&error.to_string()))
}

fn lost(error: NoAnswer) -> ConnectorError {
    let why = match error {
        NoAnswer::NotConnected(detail) => Lost::NotSent(detail),
        NoAnswer::Broken(detail) => Lost::Broken(detail),
        large @ NoAnswer::TooLarge(_) => Lost::TooLarge(large.detail()),
    };
    ConnectorError::other(why.into(), None)
}
