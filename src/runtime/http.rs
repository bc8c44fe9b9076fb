//! What is served over HTTP, and what the kubelet and Prometheus ask: is it alive, is it ready, what are its numbers.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use prometheus_client::{encoding::text::encode, registry::Registry};
use tokio::net::TcpListener;

use super::{watch::Watches, workers::Pulse};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}; choose another address or port")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The system's reason.
        source: io::Error,
    },
    /// The server ended.
    #[error("serving HTTP failed: {0}")]
    Serve(io::Error),
}

/// What the probes tell.
#[derive(Clone, Debug)]
pub struct Probes {
    /// Every family of `/metrics`.
    pub registry: Arc<Registry>,
    /// `/readyz` is ready once each has seen its first full list.
    pub watches: Watches,
    /// `/healthz` is healthy unless this is stuck.
    pub pulse: Pulse,
}

/// Listens on the address, which may have port 0 for any free port. Apart from [`serve`] so that a port that is taken
/// ends the process before it has begun anything.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, Error> {
    let listener = match TcpListener::bind(address).await {
        // `[::]` is every address of both families, and without IPv6 every one that there is.
        Err(error) if address.ip() == Ipv6Addr::UNSPECIFIED && error.kind() != io::ErrorKind::AddrInUse => {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, address.port())).await
        }
        listener => listener,
    };
    listener.map_err(|source| Error::Bind { address, source })
}

/// Serves what the router has, for ever.
pub async fn serve(listener: TcpListener, router: Router) -> Result<(), Error> {
    axum::serve(listener, router).await.map_err(Error::Serve)
}

/// `/healthz`, `/readyz` and `/metrics`.
pub fn probes(probes: Probes) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(probes)
}

async fn healthz(State(probes): State<Probes>) -> Response {
    match probes.pulse.stuck() {
        None => "ok\n".into_response(),
        Some(silence) => {
            let text = format!("the workers have been stuck for {} s\n", silence.as_secs());
            (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
        }
    }
}

async fn readyz(State(probes): State<Probes>) -> Response {
    let missing = probes.watches.unsynced();
    if missing.is_empty() {
        return "ok\n".into_response();
    }
    let text = format!("waiting for the first full list of: {}; the log says why\n", missing.join(", "));
    (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
}

async fn metrics(State(probes): State<Probes>) -> Response {
    let mut text = String::new();
    match encode(&mut text, &probes.registry) {
        Ok(()) => ([(CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(error) => {
            (StatusCode::INTERNAL_SERVER_ERROR, format!("cannot write the metrics: {error}\n")).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::body::{Body, to_bytes};
    use http::Request;
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::{Api, Client};
    use tower::ServiceExt;

    use super::*;
    use crate::runtime::{
        metrics::{Metrics, register_queue, register_watches},
        queue::Queue,
        watch::Event,
    };

    fn empty() -> Probes {
        let mut registry = Registry::with_prefix("test");
        let metrics = Metrics::register(&mut registry);
        let queue = Arc::new(Queue::new(Duration::ZERO));
        queue.add("a");
        register_queue(&mut registry, &queue);
        let watches = Watches::new(&metrics);
        register_watches(&mut registry, &watches);
        Probes { registry: Arc::new(registry), watches, pulse: Pulse::default() }
    }

    async fn ask(probes: &Probes, path: &str) -> (u16, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = super::probes(probes.clone()).oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn is_ready_when_nothing_is_missing() {
        let probes = empty();
        assert_eq!(ask(&probes, "/readyz").await, (200, "ok\n".to_owned()));
        let api = Api::all(Client::new(Router::new(), "default"));
        drop(probes.watches.watch("configmaps", api, |_: Event<ConfigMap>| ()));
        let (status, text) = ask(&probes, "/readyz").await;
        assert!(status == 503 && text.contains("configmaps"), "{text}");
        assert_eq!(ask(&probes, "/healthz").await, (200, "ok\n".to_owned()), "not ready is not dead");
    }

    #[tokio::test(start_paused = true)]
    async fn the_metrics_are_open_metrics() {
        let probes = empty();
        let api = Api::all(Client::new(Router::new(), "default"));
        drop(probes.watches.watch("configmaps", api, |_: Event<ConfigMap>| ()));
        tokio::time::advance(Duration::from_secs(3)).await;
        let (status, text) = ask(&probes, "/metrics").await;
        assert_eq!(status, 200);
        for line in [
            "test_queue_due 1.0",
            "test_queue_oldest_wait_seconds 3.0",
            "test_watch_age_seconds{watch=\"configmaps\"} 3.0",
            "test_leader 0",
            "test_pass_seconds_count 0",
            "# EOF",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
        }
    }

    #[tokio::test]
    async fn a_port_that_is_taken_is_named() {
        let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let error = bind(address).await.unwrap_err().to_string();
        assert!(error.contains(&address.to_string()), "{error}");
    }
}
