use axum::body::to_bytes;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

use super::*;
use crate::metrics::{Metrics, register_queue, register_watches};
use crate::queue::Queue;
use crate::watch::Event;

fn empty() -> (Arc<Registry>, Probes) {
    let mut registry = Registry::with_prefix("test");
    let metrics = Metrics::register(&mut registry);
    let queue = Arc::new(Queue::new(crate::queue::tests::UNBOUNDED));
    queue.add("a");
    register_queue(&mut registry, &queue);
    let watches = Watches::new(&metrics);
    register_watches(&mut registry, &watches);
    (Arc::new(registry), Probes { watches, pulse: Pulse::default() })
}

async fn ask(router: Router, path: &str) -> (u16, String) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let response = router.oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn is_ready_when_nothing_is_missing() {
    let (_, probes) = empty();
    let router = || super::probes(probes.clone());
    assert_eq!(ask(router(), "/readyz").await, (200, "ok\n".to_owned()));
    let api = Api::all(Client::new(Router::new(), "default"));
    drop(probes.watches.watch("configmaps", api, |_: Event<ConfigMap>| ()));
    let (status, text) = ask(router(), "/readyz").await;
    assert!(status == 503 && text.contains("configmaps"), "{text}");
    assert_eq!(ask(router(), "/healthz").await, (200, "ok\n".to_owned()), "not ready is not dead");
}

#[tokio::test(start_paused = true)]
async fn the_metrics_are_open_metrics() {
    let (registry, probes) = empty();
    let api = Api::all(Client::new(Router::new(), "default"));
    drop(probes.watches.watch("configmaps", api, |_: Event<ConfigMap>| ()));
    tokio::time::advance(Duration::from_secs(3)).await;
    let (status, text) = ask(metrics(registry), "/metrics").await;
    assert_eq!(status, 200);
    for line in [
        "test_queue_due 1.0",
        "test_queue_oldest_wait_seconds 3.0",
        "test_watch_age_seconds{watch=\"configmaps\"} 3.0",
        "test_leader 0",
        "test_reconcile_seconds_count 0",
        "# EOF",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
    }
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let error = bind(address).unwrap_err().to_string();
    assert!(error.contains(&address.to_string()), "{error}");
}

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";

/// A server that answers `answer`, after `delay`.
fn server(delay: Duration, answer: String) -> SocketAddr {
    let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().fallback(async move || {
        sleep(delay).await;
        answer
    });
    tokio::spawn(serve(listener, router));
    address
}

/// A connection from 127.0.0.`peer`.
async fn connect(server: SocketAddr, peer: u8) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::new(127, 0, 0, peer), 0).into()).unwrap();
    socket.connect(server).await.unwrap()
}

/// All that comes on the connection until it is closed.
async fn rest(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    let _ = stream.read_to_end(&mut all).await; // a reset is an end, too
    String::from_utf8(all).unwrap()
}

async fn asked(server: SocketAddr, peer: u8) -> String {
    let mut stream = connect(server, peer).await;
    stream.write_all(REQUEST).await.unwrap();
    rest(&mut stream).await
}

/// How many of the connections are not closed.
async fn open(streams: &mut [TcpStream]) -> usize {
    sleep(Duration::from_millis(300)).await;
    let mut open = 0;
    for stream in streams {
        open += usize::from(timeout(Duration::from_millis(1), rest(stream)).await.is_err());
    }
    open
}

#[tokio::test]
async fn idle_groups_delay_no_other_group() {
    let server = server(Duration::ZERO, "ok".to_owned());
    let (mut silent, mut half) = (connect(server, 1).await, connect(server, 1).await);
    half.write_all(&REQUEST[..20]).await.unwrap();
    let began = Instant::now();
    tokio::join!(rest(&mut silent), rest(&mut half));
    let waited = began.elapsed();
    assert!(waited > HEADER_TIMEOUT / 2 && waited < HEADER_TIMEOUT + Duration::from_secs(3), "{waited:?}");
}

#[tokio::test]
async fn a_header_has_an_end() {
    let server = server(Duration::ZERO, "ok".to_owned());
    let header = |bytes: usize| format!("GET / HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "y".repeat(bytes));
    for (bytes, status) in [(LARGEST_HEADER / 2, "HTTP/1.1 200"), (LARGEST_HEADER * 2, "HTTP/1.1 431")] {
        let mut stream = connect(server, 1).await;
        let _ = stream.write_all(header(bytes).as_bytes()).await;
        let mut begin = [0; 12];
        stream.read_exact(&mut begin).await.unwrap();
        assert_eq!(begin, status.as_bytes());
    }
}

#[tokio::test]
async fn a_connection_is_for_one_request() {
    let server = server(Duration::ZERO, "ok".to_owned());
    assert!(asked(server, 1).await.ends_with("\r\n\r\nok"));
}

#[tokio::test]
async fn an_answer_that_is_not_read_is_given_up() {
    let server = server(Duration::ZERO, "x".repeat(64 << 20));
    let mut stream = connect(server, 1).await;
    stream.write_all(REQUEST).await.unwrap();
    stream.readable().await.unwrap();
    tokio::time::pause(); // from here on nothing but the timeout can happen
    sleep(LONGEST_CONNECTION + Duration::from_secs(1)).await;
    tokio::time::resume();
    assert!(rest(&mut stream).await.len() < 64 << 20);
}

#[tokio::test]
async fn one_peer_has_its_share_and_no_more() {
    let server = server(Duration::ZERO, "ok".to_owned());
    let mut idle = Vec::new();
    for _ in 0..3 * MOST_OF_A_PEER {
        idle.push(connect(server, 1).await);
    }
    assert_eq!(open(&mut idle).await, MOST_OF_A_PEER);
    assert!(asked(server, 2).await.ends_with("ok"));
    sleep(PATIENCE).await;
    assert!(asked(server, 1).await.ends_with("ok"), "the oldest one has had its time");
}

#[tokio::test]
async fn many_peers_leave_room_for_another() {
    let server = server(Duration::ZERO, "ok".to_owned());
    let mut idle = Vec::new();
    for number in 0..2 * MOST_CONNECTIONS {
        let peer = u8::try_from(1 + number / (MOST_OF_A_PEER - 5)).unwrap();
        idle.push(connect(server, peer).await);
    }
    assert_eq!(open(&mut idle).await, MOST_CONNECTIONS);
    assert!(asked(server, 200).await.ends_with("ok"));
}

#[tokio::test]
async fn requests_are_acknowledged_in_status() {
    let server = server(3 * PATIENCE, "ok".to_owned());
    let mut asking = Vec::new();
    for _ in 0..MOST_OF_A_PEER {
        let mut stream = connect(server, 1).await;
        stream.write_all(REQUEST).await.unwrap();
        asking.push(stream);
    }
    sleep(PATIENCE + PATIENCE / 5).await;
    assert_eq!(rest(&mut connect(server, 1).await).await, "", "there is no room for one more of them");
    for stream in &mut asking {
        assert!(rest(stream).await.ends_with("ok"));
    }
}
