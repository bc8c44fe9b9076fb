//! What is served over HTTP, and what the kubelet and Prometheus ask: is it alive, is it ready, what are its numbers.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout};
use tower::ServiceExt;
use tracing::debug;

use super::watch::Watches;
use super::workers::Pulse;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A request's header must have come within this time.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);
/// A request's header may have so many bytes.
const LARGEST_HEADER: usize = 16 << 10;
/// A connection may take so long, from the first byte of the request to the last one of the answer.
const LONGEST_CONNECTION: Duration = Duration::from_secs(30);
/// A listener has so many connections at once.
const MOST_CONNECTIONS: usize = 100;
/// Of one address it has so many.
const MOST_OF_A_PEER: usize = 25;
/// So many connections wait to be accepted; what comes beyond them comes again a second later, too late for a probe. It is what
/// Linux allows where nobody says otherwise.
const BACKLOG: u32 = 4096;
/// Who has its share already is let in once more after one of its connections has said nothing for so long.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long nothing is accepted after the system had no file for it.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}; choose another address or port")]
    Bind { address: SocketAddr, source: io::Error },
}

/// What the probes tell.
#[derive(Clone, Debug)]
pub struct Probes {
    /// `/readyz` is ready once each has seen its first full list.
    pub watches: Watches,
    /// `/healthz` is healthy unless this is stuck.
    pub pulse: Pulse,
}

/// Listens on the address, which may have port 0 for any free port. Apart from [`serve`] so that a port that is taken
/// ends the process before it has begun anything.
pub fn bind(address: SocketAddr) -> Result<TcpListener, Error> {
    let listener = match listen(address) {
        // `[::]` is every address of both families, and without IPv6 every one that there is.
        Err(error) if address.ip() == Ipv6Addr::UNSPECIFIED && error.kind() != io::ErrorKind::AddrInUse => {
            listen((Ipv4Addr::UNSPECIFIED, address.port()).into())
        }
        listener => listener,
    };
    listener.map_err(|source| Error::Bind { address, source })
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves what the router has, for ever, a request on each connection. Whoever connects can hold only so much: connections,
/// bytes of a header, time. Who holds less than others is let in all the same, in the place of a connection on which no request
/// has come. To turn somebody away costs next to nothing, so that who comes after is not late.
pub async fn serve(listener: TcpListener, router: Router) -> Infallible {
    let mut connections = Connections::default();
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => connections.take(stream, peer.ip().to_canonical(), &router).await,
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {} // gone while it waited
            Err(error) => {
                debug!(%error, "a connection could not be accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// The connections of a listener.
#[derive(Default)]
struct Connections {
    tasks: JoinSet<()>,
    /// The oldest one first.
    open: VecDeque<Connection>,
}

struct Connection {
    peer: IpAddr,
    since: Instant,
    /// A request has come, and its answer has not begun.
    is_answering: Arc<AtomicBool>,
    task: AbortHandle,
}

impl Connections {
    /// Serves the connection, if there is room or it can be made; else it is closed.
    async fn take(&mut self, stream: TcpStream, peer: IpAddr, router: &Router) {
        self.open.retain(|connection| !connection.task.is_finished());
        if !self.make_room(peer) {
            return;
        }
        while self.tasks.try_join_next().is_some() {}
        // Those that were closed to make room hold their files until they are notified.
        while self.tasks.len() >= 2 * MOST_CONNECTIONS {
            self.tasks.join_next().await;
        }
        let is_answering = Arc::new(AtomicBool::new(false));
        let task = self.tasks.spawn(answer(stream, router.clone(), Arc::clone(&is_answering)));
        self.open.push_back(Connection { peer, since: Instant::now(), is_answering, task });
    }

    /// Whether there is room for one of `peer`, be it that another one was closed: one of its own that had its time, if it has
    /// its share; or one of who has the most, if all are given away.
    fn make_room(&mut self, peer: IpAddr) -> bool {
        let mut held: HashMap<IpAddr, usize> = HashMap::new();
        for connection in &self.open {
            *held.entry(connection.peer).or_default() += 1;
        }
        let own = held.get(&peer).copied().unwrap_or_default();
        let is_silent = |connection: &Connection| !connection.is_answering.load(Ordering::Relaxed);
        let gives_way = if own >= MOST_OF_A_PEER {
            let had_its_time = |one: &Connection| one.peer == peer && is_silent(one) && one.since.elapsed() >= PATIENCE;
            self.open.iter().position(had_its_time)
        } else if self.open.len() >= MOST_CONNECTIONS {
            let most = held.into_iter().max_by_key(|(_, count)| *count).filter(|(_, count)| own < *count);
            most.and_then(|(most, _)| self.open.iter().position(|one| one.peer == most && is_silent(one)))
        } else {
            return true;
        };
        let gone = gives_way.and_then(|at| self.open.remove(at));
        gone.inspect(|connection| connection.task.abort()).is_some()
    }
}

/// Answers the request that comes on the connection.
async fn answer(stream: TcpStream, router: Router, is_answering: Arc<AtomicBool>) {
    let service = service_fn(move |request: Request<Incoming>| {
        is_answering.store(true, Ordering::Relaxed);
        let (router, is_answering) = (router.clone(), Arc::clone(&is_answering));
        async move {
            let answer = router.oneshot(request.map(Body::new)).await;
            is_answering.store(false, Ordering::Relaxed);
            answer
        }
    });
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).max_buf_size(LARGEST_HEADER).keep_alive(false);
    // How a connection ends is nothing that anybody could act on.
    let _ = timeout(LONGEST_CONNECTION, server.serve_connection(TokioIo::new(stream), service)).await;
}

/// `/healthz` and `/readyz`.
pub fn probes(probes: Probes) -> Router {
    Router::new().route("/healthz", get(healthz)).route("/readyz", get(readyz)).with_state(probes)
}

/// `/metrics`: every family of the registry.
pub fn metrics(registry: Arc<Registry>) -> Router {
    Router::new().route("/metrics", get(written_out)).with_state(registry)
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

async fn written_out(State(registry): State<Arc<Registry>>) -> Response {
    let mut text = String::new();
    match encode(&mut text, &registry) {
        Ok(()) => ([(CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(error) => {
            (StatusCode::INTERNAL_SERVER_ERROR, format!("cannot write the metrics: {error}\n")).into_response()
        }
    }
}

#[cfg(test)]
mod tests;
