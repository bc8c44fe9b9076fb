//! Connections: whoever can reach a port of the operator opens many, says little on them or reads nothing. The operator has
//! 1024 files, as container runtimes give it, and its memory is counted.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use payg_test_kit::world::{RATE, World, automatic};
use payg_test_kit::{Process, Stack, eventually, payg_dev};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{Mutex, MutexGuard, OnceCell};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

/// How many connections an attack has open at once on a port: more than the operator may have files.
const CONNECTIONS: usize = 1100;
/// A probe has failed after so long: the default of a pod's `timeoutSeconds`.
const PROBE: Duration = Duration::from_secs(1);
/// How much memory an attack may take of the operator, in KiB. The chart's limit for everything is 256 MiB.
const MEMORY: u64 = 64 << 10;
/// The beginning of a request.
const HALF: &str = "GET /metrics HTTP/1.1\r\nhost: payg-operator\r\nx: ";

/// An operator with few files, and where it listens.
struct Target {
    stack: Stack,
    operator: Process,
    metrics: SocketAddr,
    hooks: SocketAddr,
    probes: SocketAddr,
}

static TARGET: OnceCell<Target> = OnceCell::const_new();
/// One attack at a time, so that each has its figures.
static ALONE: Mutex<()> = Mutex::const_new(());

async fn target() -> (MutexGuard<'static, ()>, &'static Target) {
    let guard = ALONE.lock().await;
    (guard, TARGET.get_or_init(start).await)
}

async fn start() -> Target {
    let stack = Stack::start(payg_dev(), RATE).await.unwrap();
    let token = stack.control_plane.dir().join("hooks-token");
    std::fs::write(&token, "a-token-that-nobody-guesses\n").unwrap();
    let [metrics, hooks, probes] = [0; 3].map(|_| TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let flags = [("--listen", metrics), ("--hooks-listen", hooks), ("--probes-listen", probes)];
    let flags = flags.map(|(flag, address)| [flag.to_owned(), address.to_string()]);
    let token = ["--hooks-token-file".to_owned(), token.display().to_string()];
    let arguments: Vec<_> = flags.iter().chain([&token]).flatten().map(String::as_str).collect();
    let operator = stack.operator("target", &arguments).await.unwrap();
    let process = operator.id().to_string();
    let limited = Command::new("prlimit").args(["--pid", &process, "--nofile=1024:1024"]).status().unwrap();
    assert!(limited.success());
    eventually("readiness", async || {
        ask(probes, "readyz", 1).await.is_some_and(|answer| answer.contains(" 200 ")).then_some(())
    })
    .await;
    Target { stack, operator, metrics, hooks, probes }
}

/// A connection from 127.0.0.`peer`.
async fn connect(server: SocketAddr, peer: u8) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((Ipv4Addr::new(127, 0, 0, peer), 0).into())?;
    socket.connect(server).await
}

/// The answer, if there is one in time for a probe.
async fn ask(server: SocketAddr, path: &str, peer: u8) -> Option<String> {
    let asked = async {
        let mut stream = connect(server, peer).await.ok()?;
        stream.write_all(format!("GET /{path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await.ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.ok()?;
        Some(String::from_utf8(answer).unwrap()).filter(|answer| !answer.is_empty())
    };
    timeout(PROBE, asked).await.ok()?
}

/// Opens connections and says `words` on each, again and again, until it is dropped. They come from ten addresses, as from
/// ten pods.
struct Attack {
    goes_on: Arc<AtomicBool>,
    waves: Vec<JoinHandle<()>>,
}

impl Attack {
    fn on(ports: &[SocketAddr], connections: usize, words: &str) -> Self {
        let goes_on = Arc::new(AtomicBool::new(true));
        let wave = |port: SocketAddr| {
            let (goes_on, words) = (Arc::clone(&goes_on), words.to_owned());
            tokio::spawn(async move {
                while goes_on.load(Ordering::Relaxed) {
                    let mut held = Vec::new();
                    for number in 0..connections {
                        let peer = 10 + u8::try_from(number % 10).unwrap();
                        let Ok(mut stream) = connect(port, peer).await else { continue };
                        let _ = timeout(Duration::from_millis(50), stream.write_all(words.as_bytes())).await;
                        held.push(stream);
                    }
                    sleep(Duration::from_secs(3)).await;
                }
            })
        };
        let waves = ports.iter().map(|port| wave(*port)).collect();
        Self { goes_on, waves }
    }

    async fn end(self) {
        self.goes_on.store(false, Ordering::Relaxed);
        for wave in self.waves {
            wave.await.unwrap();
        }
    }
}

/// A figure of the operator's process in KiB, such as `VmHWM`, the most memory that it ever had.
fn memory(target: &Target, what: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", target.operator.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with(what)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn files(target: &Target) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", target.operator.id())).unwrap().count()
}

/// What holds while `attack` goes on: an upgrade that falls due happens, every probe is answered in time, the metrics can be
/// read, memory and files are bounded, and the lease is kept. The figures are printed.
async fn nothing_stops(target: &'static Target, attack: impl FnOnce() -> Attack) {
    let world = World::on(&target.stack).await;
    let account = world.account(json!({"periodDays": 12})).await;
    world.subscribe("sandbox", &account, automatic("BenefitsExhausted"));
    world.until("sandbox", "WaitingForExhaustion").await;
    let (before, mut slowest, mut most_files) = (memory(target, "VmRSS"), Duration::ZERO, 0);
    let attack = attack();
    let (mut probes, mut late, end) = (0, Vec::new(), Instant::now() + Duration::from_secs(25));
    while Instant::now() < end {
        for path in ["healthz", "readyz"] {
            let began = Instant::now();
            let answer = ask(target.probes, path, 1).await;
            assert!(answer.as_ref().is_none_or(|answer| answer.contains(" 200 ")), "{answer:?}");
            match answer {
                Some(_) => slowest = slowest.max(began.elapsed()),
                None => late.push(probes),
            }
            probes += 1;
        }
        most_files = most_files.max(files(target));
        sleep(Duration::from_millis(100)).await;
    }
    // A machine on which all tests run at once may be late itself, and the kubelet asks three times. What is stopped is late
    // again and again.
    assert!(
        late.len() < 4 && late.windows(2).all(|pair| pair[1] - pair[0] > 2),
        "late are {late:?} of {probes} probes"
    );
    let upgraded = async || (world.ledger(&account).await.len() == 1).then_some(());
    world.eventually(30, upgraded).await.expect("the upgrade that fell due meanwhile");
    let metrics = ask(target.metrics, "metrics", 1).await.expect("the metrics");
    attack.end().await;
    let grown = memory(target, "VmRSS").saturating_sub(before);
    println!(
        "{probes} probes, {} late, the slowest of the others {slowest:?}; {grown} KiB more memory; at most {most_files} files",
        late.len()
    );
    assert!(metrics.contains("payg_operator_leader 1"), "{metrics}");
    assert!(grown < MEMORY && memory(target, "VmHWM") - before < 2 * MEMORY, "{before} KiB and {grown} more");
    // Two hundred of each listener at most, a hundred of which are being closed.
    assert!(most_files < 700, "{most_files} files");
    let log = target.operator.log_tail(10_000);
    assert!(!log.contains("lease is lost") && !log.contains("Too many open files"), "{log}");
}

/// Class: slow requests use up connections and files (slowloris). Source: CVE-2007-6750; tokio-rs/axum#2741.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a machine for itself: make attacks"]
async fn half_sent_requests_stop_nothing() {
    let (_alone, target) = target().await;
    nothing_stops(target, || Attack::on(&[target.metrics, target.hooks, target.probes], CONNECTIONS, HALF)).await;
}

/// Class: idle connections use up files. Source: CWE-770; containerd/containerd#8924 (the soft limit of 1024 files).
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a machine for itself: make attacks"]
async fn idle_connections_stop_nothing() {
    let (_alone, target) = target().await;
    nothing_stops(target, || Attack::on(&[target.metrics, target.hooks, target.probes], CONNECTIONS, "")).await;
}

/// Class: headers without an end use up memory. Source: CVE-2023-45288 (headers are read for ever); CWE-770.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a machine for itself: make attacks"]
async fn headers_without_an_end_take_no_memory() {
    let (_alone, target) = target().await;
    let words = format!("{HALF}{}", "x".repeat(377 << 10));
    nothing_stops(target, || Attack::on(&[target.metrics, target.hooks], 600, &words)).await;
}

/// Class: answers that nobody reads hold connections (slow read). Source: S. Shekyan, "Are you ready for slow reading?",
/// Qualys, 2012.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a machine for itself: make attacks"]
async fn answers_that_nobody_reads_stop_nothing() {
    let (_alone, target) = target().await;
    let words = "GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n".repeat(50);
    nothing_stops(target, || Attack::on(&[target.metrics], CONNECTIONS, &words)).await;
}

/// Class: a slow request is waited for. Source: OWASP, "Testing for HTTP slow request" (CWE-400); hyperium/hyper#2457.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a machine for itself: make attacks"]
async fn a_silent_connection_is_closed_after_five_seconds() {
    let (_alone, target) = target().await;
    for (port, words) in [(target.metrics, ""), (target.hooks, HALF), (target.probes, HALF)] {
        let mut stream = connect(port, 1).await.unwrap();
        stream.write_all(words.as_bytes()).await.unwrap();
        let began = Instant::now();
        let mut rest = Vec::new();
        let _ = timeout(Duration::from_secs(10), stream.read_to_end(&mut rest)).await.expect("it is closed");
        let waited = began.elapsed().as_secs_f64();
        assert!((4.0..8.0).contains(&waited), "{waited} s");
    }
}

/// Class: the probes go through a port that others may use up. Source: kubernetes/kubernetes#89898 (probes fail under load);
/// <https://kubernetes.io/docs/concepts/services-networking/network-policies/> (a node reaches its pods).
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a machine for itself: make attacks"]
async fn metrics_readers_cannot_block_probes() {
    let (_alone, target) = target().await;
    for (port, path) in [(target.metrics, "healthz"), (target.hooks, "healthz"), (target.probes, "metrics")] {
        let answer = ask(port, path, 1).await.unwrap();
        assert!(answer.contains(" 404 ") || answer.contains(" 401 "), "{path} at {port}: {answer}");
    }
    let metrics = ask(target.metrics, "metrics", 1).await.unwrap();
    for label in metrics.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split(['{', '}']).nth(1))
    {
        for private in ["namespace", "account", "name=", "team-"] {
            assert!(!label.contains(private), "{label} says whose it is");
        }
    }
}

/// Class: every pod may connect, and the operator to the credentials of its machine. Source: Kubernetes, "Restricting cloud
/// metadata API access", <https://kubernetes.io/docs/tasks/administer-cluster/securing-a-cluster/>; NSA and CISA, Kubernetes
/// Hardening Guide.
#[test]
fn the_network_policy_admits_clients_and_blocks_metadata_services() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/kustomize/default/network.yaml");
    let objects: Vec<Value> = serde_saphyr::from_multiple(&std::fs::read_to_string(file).unwrap()).unwrap();
    let policy = objects.iter().find(|object| object["kind"] == "NetworkPolicy").unwrap();
    let rules = policy["spec"]["ingress"].as_array().unwrap();
    let from = |port: &str| rules.iter().find(|rule| rule["ports"][0]["port"] == port).map(|rule| &rule["from"]);
    let monitoring = json!([{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]);
    assert_eq!(from("http"), Some(&monitoring));
    assert_eq!(from("probes"), Some(&Value::Null), "the kubelet, which no rule tells from others everywhere");
    assert_eq!(rules.len(), 2, "{rules:#?}");
    assert!(!policy["spec"]["egress"].to_string().contains("169.254"), "{policy:#}");
    let service = objects.iter().find(|object| object["kind"] == "Service").unwrap();
    let ports: Vec<_> = service["spec"]["ports"].as_array().unwrap().iter().map(|port| &port["name"]).collect();
    assert_eq!(ports, ["http"], "no Service leads to the probes");
}
