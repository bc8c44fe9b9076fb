//! What a server is for Azure: tokens are asked for there too.

pub(super) use crate::test_server::{Reply, Request, Server, json, reply};

use super::GRANTED;

impl Request {
    pub(super) fn is_for_a_token(&self) -> bool {
        self.line.ends_with("/oauth2/v2.0/token")
    }
}

/// An error of Azure Resource Manager.
pub(super) fn error(status: u16, code: &str) -> Reply {
    json(status, &format!(r#"{{"error":{{"code":"{code}","message":"it said why"}}}}"#))
}

impl Server {
    /// A server that grants every token and lets `handle` answer the other requests.
    pub(super) async fn granting(handle: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::start(move |request| if request.is_for_a_token() { json(200, GRANTED) } else { handle(request) }).await
    }

    /// All requests but those for tokens.
    pub(super) fn requests(&self) -> Vec<Request> {
        self.all_requests().into_iter().filter(|request| !request.is_for_a_token()).collect()
    }
}
