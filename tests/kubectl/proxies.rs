//! Proxies: of the kubeconfig (kimspect#110, kube#2013) and of the environment (kubernetes.core#1172). The API server is at a
//! name that only the proxy knows.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::kubeconfigs::{Home, told};
use crate::{PAYG, stderr};

/// A proxy by `CONNECT` and by SOCKS5, which leads to the API server whatever it is asked for. It ends with the process.
struct Proxy {
    address: SocketAddr,
    /// How often it was used.
    used: Arc<AtomicUsize>,
}

impl Proxy {
    fn start(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let used = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&used);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let counted = Arc::clone(&counted);
                thread::spawn(move || serve(client, port, &counted));
            }
        });
        Self { address, used }
    }

    fn used(&self) -> bool {
        self.used.swap(0, Ordering::Relaxed) > 0
    }
}

fn serve(mut client: TcpStream, port: u16, used: &AtomicUsize) -> Option<()> {
    let mut first = [0];
    client.read_exact(&mut first).ok()?;
    let greeting: &[u8] = if first == [5] {
        let mut methods = [0];
        client.read_exact(&mut methods).ok()?;
        client.read_exact(&mut vec![0; methods[0].into()]).ok()?;
        client.write_all(&[5, 0]).ok()?;
        let mut head = [0; 4];
        client.read_exact(&mut head).ok()?;
        let mut length = [4];
        if head[3] == 3 {
            client.read_exact(&mut length).ok()?;
        }
        client.read_exact(&mut vec![0; usize::from(length[0]) + 2]).ok()?;
        &[5, 0, 0, 1, 127, 0, 0, 1, 0, 80]
    } else {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            client.read_exact(&mut byte).ok()?;
            head.push(byte[0]);
        }
        b"HTTP/1.1 200 OK\r\n\r\n"
    };
    used.fetch_add(1, Ordering::Relaxed);
    client.write_all(greeting).ok()?;
    let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    let (mut back, mut forth) = (server.try_clone().ok()?, client.try_clone().ok()?);
    thread::spawn(move || {
        let _ = std::io::copy(&mut back, &mut forth);
        forth.shutdown(std::net::Shutdown::Both)
    });
    let _ = std::io::copy(&mut client, &mut server);
    server.shutdown(std::net::Shutdown::Both).ok()
}

/// The port of the API server.
fn port(home: &Home) -> u16 {
    let kubeconfig: serde_json::Value = serde_json::from_str(&home.kubeconfig(|_| {})).unwrap();
    let server = kubeconfig["clusters"][0]["cluster"]["server"].as_str().unwrap();
    server.rsplit(':').next().unwrap().parse().unwrap()
}

/// Kubeconfigs by where the server is and by `proxy-url`, whose `PROXY` is the proxy's address.
fn files(home: &Home, proxy: SocketAddr) {
    let port = port(home);
    for (name, host, url) in [
        ("plain", "kubernetes.default.svc", ""),
        ("http", "kubernetes.default.svc", "http://PROXY"),
        ("with-user", "kubernetes.default.svc", "http://jane:s3cr3t@PROXY"),
        ("socks5", "kubernetes.default.svc", "socks5://PROXY"),
        ("local", "127.0.0.1", ""),
        ("localhost", "localhost", ""),
        ("local-http", "127.0.0.1", "http://PROXY"),
        ("address", "10.0.0.1", ""),
        ("ftp", "127.0.0.1", "ftp://PROXY"),
        ("no-address", "127.0.0.1", "://"),
        ("gone", "127.0.0.1", "http://127.0.0.1:1"),
    ] {
        let kubeconfig = home.kubeconfig(|value| {
            let cluster = &mut value["clusters"][0]["cluster"];
            cluster["server"] = json!(format!("https://{host}:{port}"));
            cluster["proxy-url"] = json!(url.replace("PROXY", &proxy.to_string()));
        });
        home.write(name, kubeconfig);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn payg_takes_the_proxy_that_kubectl_takes() {
    let home = Home::new().await;
    let proxy = Proxy::start(port(&home));
    files(&home, proxy.address);
    let address = proxy.address.to_string();
    let with_scheme = format!("http://{address}");
    let socks = format!("socks5://{address}");
    let port = format!("kubernetes.default.svc:{}", port(&home));
    let mut differ = Vec::new();
    let mut used = 0;
    for (kubeconfig, environment) in [
        ("@http", &[][..]),
        ("@with-user", &[]),
        ("@socks5", &[]),
        ("@local-http", &[]),
        ("@ftp", &[]),
        ("@no-address", &[]),
        ("@gone", &[]),
        ("@http", &[("NO_PROXY", "*")]),
        ("@http", &[("HTTPS_PROXY", "http://127.0.0.1:1")]),
        ("@plain", &[]),
        ("@plain", &[("HTTPS_PROXY", with_scheme.as_str())]),
        ("@plain", &[("HTTPS_PROXY", address.as_str())]),
        ("@plain", &[("HTTPS_PROXY", socks.as_str())]),
        ("@plain", &[("https_proxy", with_scheme.as_str())]),
        ("@plain", &[("HTTP_PROXY", with_scheme.as_str())]),
        ("@plain", &[("ALL_PROXY", with_scheme.as_str())]),
        ("@plain", &[("HTTPS_PROXY", ""), ("https_proxy", with_scheme.as_str())]),
        ("@plain", &[("HTTPS_PROXY", with_scheme.as_str()), ("NO_PROXY", "127.0.0.1,localhost,other.example")]),
        ("@plain", &[("HTTPS_PROXY", with_scheme.as_str()), ("NO_PROXY", ".svc")]),
        ("@plain", &[("HTTPS_PROXY", with_scheme.as_str()), ("NO_PROXY", "svc")]),
        ("@plain", &[("HTTPS_PROXY", with_scheme.as_str()), ("NO_PROXY", "*.default.svc")]),
        ("@plain", &[("HTTPS_PROXY", with_scheme.as_str()), ("NO_PROXY", "efault.svc")]),
        ("@plain", &[("HTTPS_PROXY", with_scheme.as_str()), ("NO_PROXY", port.as_str())]),
        ("@plain", &[("HTTPS_PROXY", with_scheme.as_str()), ("NO_PROXY", "kubernetes.default.svc:1")]),
        ("@plain", &[("HTTPS_PROXY", with_scheme.as_str()), ("NO_PROXY", ",, ,no/host,")]),
        ("@plain", &[("HTTPS_PROXY", with_scheme.as_str()), ("no_proxy", "KUBERNETES.default.svc")]),
        ("@address", &[("HTTPS_PROXY", with_scheme.as_str())]),
        ("@address", &[("HTTPS_PROXY", with_scheme.as_str()), ("NO_PROXY", "10.1.0.0/16,10.0.0.2")]),
        ("@address", &[("HTTPS_PROXY", with_scheme.as_str()), ("NO_PROXY", "10.0.0.0/8")]),
        ("@local", &[("HTTPS_PROXY", "http://127.0.0.1:1")]),
        ("@localhost", &[("HTTPS_PROXY", "http://127.0.0.1:1"), ("NO_PROXY", "other.example")]),
        ("@local", &[("HTTPS_PROXY", "http://127.0.0.1:1"), ("NO_PROXY", "127.0.0.1,localhost")]),
    ] {
        let environment = [&[("KUBECONFIG", kubeconfig)], environment].concat();
        // One at a time, as each counts.
        let (kubectl, by_kubectl, payg, by_payg) = {
            let kubectl = home.kubectl(&environment, &[]);
            let by_kubectl = proxy.used();
            let payg = home.payg(&environment, &[]);
            (kubectl, by_kubectl, payg, proxy.used())
        };
        used += usize::from(by_kubectl);
        if (told(&kubectl), by_kubectl) != (told(&payg), by_payg) {
            let said = [stderr(&kubectl), stderr(&payg)];
            differ.push(format!("{environment:?}: by the proxy: {by_kubectl}, {by_payg}; {said:#?}"));
        }
        assert!(!stderr(&payg).contains("s3cr3t"), "{}", stderr(&payg));
    }
    assert!(differ.is_empty(), "{} differ:\n{}", differ.len(), differ.join("\n"));
    assert!(used > 12, "the proxy was used {used} times");
    let gone = stderr(&home.payg(&[("KUBECONFIG", "@plain"), ("HTTPS_PROXY", "http://jane:s3cr3t@127.0.0.1:1")], &[]));
    assert!(gone.contains("through the proxy http://127.0.0.1:1: nobody listens there"), "{gone}");
    assert!(!gone.contains("s3cr3t"), "{gone}");
}

/// An operator into whose environment a proxy is injected starts, and works through it or past it.
#[tokio::test(flavor = "multi_thread")]
async fn an_operator_with_a_proxy_in_its_environment_works() {
    let home = Home::new().await;
    let proxy = Proxy::start(port(&home));
    files(&home, proxy.address);
    let through = format!("http://{}", proxy.address);
    for (kubeconfig, environment, by_proxy) in [
        ("plain", [("HTTPS_PROXY", through.as_str()), ("NO_PROXY", "other.example")], true),
        ("local", [("HTTPS_PROXY", "http://127.0.0.1:1"), ("NO_PROXY", "127.0.0.1,localhost")], false),
    ] {
        let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let (metrics, probes) = (free(), free());
        let mut command = Command::new(PAYG);
        command.args(["operator", "--namespace=default", "--listen", &metrics, "--probes-listen", &probes]);
        command.arg("--kubeconfig").arg(home.at(kubeconfig)).env_clear().envs(environment);
        let mut operator = command.stderr(Stdio::null()).spawn().unwrap();
        // Ready is who has seen all lists.
        let ready = || {
            let mut connection = TcpStream::connect(&probes).ok()?;
            connection.write_all(b"GET /readyz HTTP/1.0\r\n\r\n").ok()?;
            let mut answer = String::new();
            connection.read_to_string(&mut answer).ok()?;
            answer.starts_with("HTTP/1.0 200").then_some(())
        };
        let came = (0..600).any(|_| {
            thread::sleep(Duration::from_millis(100));
            ready().is_some()
        });
        operator.kill().unwrap();
        operator.wait().unwrap();
        assert!(came, "{kubeconfig} with {environment:?}");
        assert_eq!(proxy.used(), by_proxy, "{kubeconfig}");
    }
}
