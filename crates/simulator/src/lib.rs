#![doc = include_str!("../README.md")]

mod aws;
mod azure;
mod clock;
mod control;
mod credit;
mod faults;
mod ground;
mod jwt;
pub mod local;
mod message;
mod operation;
mod past;
mod patch;
mod protocol;
mod state;
mod tls;
mod world;

#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use payg_clock::Clock;

/// How long requests in progress may take when the simulator stops.
const DRAIN_LIMIT: Duration = Duration::from_secs(2);

/// What a simulator is started with.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Where it listens; port 0 takes a free one. Its certificate is for 127.0.0.1 and localhost.
    pub listen: SocketAddr,
    /// Its billing clock, until the control API changes it.
    pub clock: Clock,
    /// What its random ids and tokens are made from: the same requests get the same ids.
    pub seed: u64,
}

/// Why a simulator does not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot listen on {address}: {source}; choose another address with --listen")]
    Listen { address: SocketAddr, source: io::Error },
    #[error("cannot make a certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    #[error("cannot set up TLS: {0}")]
    Tls(#[from] tokio_rustls::rustls::Error),
    /// A saved state cannot be gone on with.
    #[error("{0}")]
    State(String),
}

/// A simulator that runs; it stops when this is dropped.
#[derive(Debug)]
pub struct Running {
    url: String,
    ca_pem: String,
    shared: Arc<world::Shared>,
    server: JoinHandle<io::Result<()>>,
    stop: DropGuard,
}

impl Running {
    /// Its base URL, without a slash at the end: `https://127.0.0.1:34567`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The certificate authority that its clients must trust, in PEM.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// Goes on from what [`Self::stop`] answered.
    pub fn restore(&self, state: &str) -> Result<(), Error> {
        state::restore(&self.shared, state).map_err(|error| Error::State(error.to_string()))
    }

    /// Stops it: takes no more requests, and gives those in progress two seconds. The answer is its whole state as JSON,
    /// secrets included.
    pub async fn stop(mut self) -> String {
        drop(self.stop);
        if tokio::time::timeout(DRAIN_LIMIT, &mut self.server).await.is_err() {
            self.server.abort();
        }
        state::save(&self.shared)
    }
}

fn service(shared: &Arc<world::Shared>) -> Router {
    let control = control::router().merge(state::router());
    Router::new().nest("/_sim", control).fallback(protocol::serve).with_state(Arc::clone(shared))
}

/// Starts a simulator, which listens when this returns.
pub async fn start(config: Config) -> Result<Running, Error> {
    let listen_error = |source| Error::Listen { address: config.listen, source };
    let tcp = TcpListener::bind(config.listen).await.map_err(listen_error)?;
    let address = tcp.local_addr().map_err(listen_error)?;
    let (tls, ca_pem) = tls::identity()?;
    let url = format!("https://{address}");
    let stop = CancellationToken::new();
    let world = world::World::new(url.clone(), clock::VirtualClock::new(config.clock), config.seed);
    let shared = Arc::new(world::Shared::new(world, stop.clone()));
    let service = service(&shared).into_make_service_with_connect_info::<tls::Peer>();
    let listener = tls::TlsListener::new(tcp, address, tls, stop.clone());
    let server = axum::serve(listener, service).with_graceful_shutdown(stop.clone().cancelled_owned());
    Ok(Running { url, ca_pem, shared, server: tokio::spawn(server.into_future()), stop: stop.drop_guard() })
}
