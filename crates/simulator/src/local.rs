//! A simulator without a network, for tests in virtual time: requests go in, answers come out.

#![allow(clippy::unwrap_used, clippy::panic, clippy::missing_panics_doc, reason = "this is for tests")]

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use serde_json::{Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};
use tower::ServiceExt;

use super::clock::VirtualClock;
use super::state;
use super::tls::Peer;
use super::world::{Shared, World};
use payg_clock::Clock;
use payg_virtual_time::unskewed;

/// A simulator; what it has put off is not carried out when this is dropped.
pub struct Local {
    service: Router,
    shared: Arc<Shared>,
    _stop: DropGuard,
}

impl Local {
    /// One that takes `url` for its own.
    pub fn new(url: &str, clock: Clock, seed: u64) -> Self {
        let stop = CancellationToken::new();
        let world = World::new(url.to_owned(), VirtualClock::new(clock), seed);
        let shared = Arc::new(Shared::new(world, stop.clone()));
        Self { service: super::service(&shared), shared, _stop: stop.drop_guard() }
    }

    /// Whether an upgrade of `account` was applied.
    pub fn is_upgraded(&self, account: &str) -> bool {
        self.shared.world().ground.ledger.iter().any(|applied| applied.account == account)
    }

    pub fn save(&self) -> String {
        state::save(&self.shared)
    }

    /// Goes on from a state.
    pub fn restore(&self, state: &str) {
        state::restore(&self.shared, state).unwrap();
    }

    /// What is answered to `request`; `None` if the connection is cut.
    pub async fn answer(&self, request: http::Request<Vec<u8>>) -> Option<http::Response<Vec<u8>>> {
        let peer = Peer::default();
        let mut request = request.map(Body::from);
        request.extensions_mut().insert(ConnectInfo(peer.clone()));
        let (parts, body) = unskewed(self.service.clone().oneshot(request)).await.unwrap().into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        (!peer.is_cut()).then(|| http::Response::from_parts(parts, body.to_vec()))
    }

    /// A control call that must succeed.
    pub async fn control(&self, method: &str, path: &str, body: Value) -> Value {
        self.try_control(method, path, body).await.unwrap_or_else(|refusal| panic!("{path}: {refusal}"))
    }

    /// A control call, or what it is refused with.
    pub async fn try_control(&self, method: &str, path: &str, body: Value) -> Result<Value, String> {
        let request = http::Request::builder().method(method).uri(format!("/_sim{path}"));
        let (kind, body) =
            if body.is_null() { ("text/plain", Vec::new()) } else { ("application/json", body.to_string().into()) };
        let request = request.header("content-type", kind).body(body).unwrap();
        let answer = self.answer(request).await.unwrap();
        let text = String::from_utf8_lossy(answer.body());
        if !answer.status().is_success() {
            return Err(format!("{} {text}", answer.status()));
        }
        Ok(serde_json::from_str(&text).unwrap_or(json!(null)))
    }
}
