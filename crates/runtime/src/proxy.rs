//! Through which proxy the API server is reached, if any: that of the kubeconfig, or else that of the environment as Go's
//! programs read it: <https://pkg.go.dev/golang.org/x/net/http/httpproxy>.

use std::env;
use std::net::IpAddr;

use http::Uri;

/// The proxies of an environment.
#[derive(Debug, Default)]
pub struct Environment {
    /// For servers without TLS: `HTTP_PROXY`.
    http: String,
    /// For all others: `HTTPS_PROXY`.
    https: String,
    /// Whom to reach directly: `NO_PROXY`.
    none: String,
}

impl Environment {
    /// That of this process.
    pub fn read() -> Self {
        let first = |names: [&str; 2]| {
            names.iter().filter_map(|name| env::var(name).ok()).find(|value| !value.is_empty()).unwrap_or_default()
        };
        Self {
            http: first(["HTTP_PROXY", "http_proxy"]),
            https: first(["HTTPS_PROXY", "https_proxy"]),
            none: first(["NO_PROXY", "no_proxy"]),
        }
    }

    /// The proxy to `server`, as it is written.
    fn proxy(&self, server: &Uri) -> Option<&str> {
        let is_plain = server.scheme_str() == Some("http");
        let proxy = if is_plain { &self.http } else { &self.https };
        let host = server.host().unwrap_or_default().trim_matches(['[', ']']).to_lowercase();
        let port = server.port_u16().unwrap_or(if is_plain { 80 } else { 443 });
        let ip = host.parse::<IpAddr>().ok();
        let is_local = host == "localhost" || ip.is_some_and(|ip| ip.is_loopback());
        let excepted = self.none.split(',').any(|one| excepts(&one.trim().to_lowercase(), &host, ip, port));
        (!proxy.is_empty() && !is_local && !excepted).then_some(proxy)
    }
}

/// The proxy to `server`, if there is one: `named` by the kubeconfig, which `NO_PROXY` is not about, or the environment's.
/// Fails with what is wrong with the one of the kubeconfig.
pub fn choose(named: Option<&str>, environment: &Environment, server: &Uri) -> Result<Option<Uri>, String> {
    if let Some(named) = named {
        let uri = named.parse::<Uri>().ok().filter(|uri| uri.host().is_some());
        let uri = uri.ok_or("its proxy-url is no address such as http://proxy.example:3128")?;
        return usable(uri).map(Some);
    }
    let Some(proxy) = environment.proxy(server) else { return Ok(None) };
    let with_scheme =
        |text: &str| text.parse::<Uri>().ok().filter(|uri| uri.scheme().is_some() && uri.host().is_some());
    // Go's programs go without a proxy that they cannot read.
    with_scheme(proxy).or_else(|| with_scheme(&format!("http://{proxy}"))).map(usable).transpose()
}

fn usable(uri: Uri) -> Result<Uri, String> {
    let scheme = uri.scheme_str().unwrap_or_default();
    let has_user = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
    match scheme {
        "socks5" | "socks5h" if has_user => {
            Err("its proxy is a SOCKS5 proxy with a user name, which is not supported; use one by http://".to_owned())
        }
        "http" | "https" | "socks5" => Ok(uri),
        // Names are resolved by the proxy with either.
        "socks5h" => {
            let mut parts = uri.into_parts();
            parts.scheme = "socks5".parse().ok();
            Uri::from_parts(parts).map_err(|error| error.to_string())
        }
        other => Err(format!("its proxy is of the scheme `{other}`, and must be of http, https or socks5")),
    }
}

/// Whether an entry of `NO_PROXY`, in small letters, is about a server.
fn excepts(entry: &str, host: &str, ip: Option<IpAddr>, port: u16) -> bool {
    if entry == "*" {
        return true;
    }
    if let (Some((net, bits)), Some(ip)) = (entry.split_once('/'), ip) {
        return net.parse().is_ok_and(|net| bits.parse().is_ok_and(|bits| contains(net, bits, ip)));
    }
    let (name, own) = host_and_port(entry);
    let same_port = own.is_none_or(|own| own.parse() == Ok(port));
    if let Ok(address) = name.parse::<IpAddr>() {
        return same_port && ip.is_some_and(|ip| ip.to_canonical() == address.to_canonical());
    }
    let name = name.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(name);
    if name.is_empty() || ip.is_some() || !same_port {
        return false;
    }
    match name.strip_prefix('.') {
        Some(_) => host.ends_with(name),
        None => host == name || host.strip_suffix(name).is_some_and(|rest| rest.ends_with('.')),
    }
}

/// An entry's host, without the brackets of IPv6, and its port.
fn host_and_port(entry: &str) -> (&str, Option<&str>) {
    if let Some((host, port)) = entry.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return (host, port.strip_prefix(':'));
    }
    match entry.split_once(':') {
        Some((host, port)) if !port.contains(':') => (host, Some(port)),
        _ => (entry, None),
    }
}

/// Whether `ip` is in the network of which the first `bits` are those of `net`.
fn contains(net: IpAddr, bits: u32, ip: IpAddr) -> bool {
    match (net, ip.to_canonical()) {
        (IpAddr::V4(net), IpAddr::V4(ip)) if bits <= 32 => {
            (net.to_bits() ^ ip.to_bits()).checked_shr(32 - bits).unwrap_or(0) == 0
        }
        (IpAddr::V6(net), IpAddr::V6(ip)) if bits <= 128 => {
            (net.to_bits() ^ ip.to_bits()).checked_shr(128 - bits).unwrap_or(0) == 0
        }
        _ => false,
    }
}

/// A proxy as it is shown: without a user name and a password.
pub fn shown(proxy: &Uri) -> String {
    let authority = proxy.authority().map_or("", |authority| authority.as_str());
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{}://{host}", proxy.scheme_str().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn direct(none: &str, server: &str) -> bool {
        let environment =
            Environment { https: "proxy.example:3128".to_owned(), none: none.to_owned(), ..Environment::default() };
        let proxy = choose(None, &environment, &server.parse().unwrap()).unwrap();
        assert!(proxy.as_ref().is_none_or(|proxy| proxy == "http://proxy.example:3128"), "{proxy:?}");
        proxy.is_none()
    }

    /// As `TestUseProxy` of golang.org/x/net has it.
    #[test]
    fn no_proxy_is_read_as_go_reads_it() {
        for (none, server) in [
            ("", "https://localhost:6443"),
            ("", "https://127.0.0.2:6443"),
            ("", "https://[::1]:6443"),
            ("*", "https://10.96.0.1"),
            ("10.96.0.0/12", "https://10.96.0.1"),
            ("fd00::/8", "https://[fd00::1]:6443"),
            ("10.96.0.1", "https://10.96.0.1:443"),
            ("10.96.0.1:443", "https://10.96.0.1"),
            ("[fd00::1]:6443", "https://[fd00::1]:6443"),
            (" example.com ,,x", "https://EXAMPLE.com"),
            ("example.com", "https://api.example.com"),
            (".example.com", "https://api.example.com"),
            ("*.example.com", "https://api.example.com"),
            ("Example.com:6443", "https://api.example.com:6443"),
            ("no/host,a,.svc", "https://kubernetes.default.svc"),
        ] {
            assert!(direct(none, server), "{none} is about {server}");
        }
        for (none, server) in [
            ("", "https://10.96.0.1"),
            ("10.96.0.0/16", "https://10.97.0.1"),
            ("10.96.0.1:6443", "https://10.96.0.1"),
            ("example.com", "https://badexample.com"),
            (".example.com", "https://example.com"),
            ("example.com:443", "https://example.com:6443"),
            ("0.1", "https://10.96.0.1"),
            ("10.96.0.0/40", "https://10.96.0.1"),
            ("/", "https://10.96.0.1"),
        ] {
            assert!(!direct(none, server), "{none} is not about {server}");
        }
    }

    #[test]
    fn the_kubeconfigs_proxy_goes_before_the_environments() {
        let environment =
            Environment { https: "http://other:1".to_owned(), none: "*".to_owned(), ..Environment::default() };
        let server = "https://api.example".parse().unwrap();
        let of = |named: &str| choose(Some(named), &environment, &server).map(|proxy| proxy.unwrap().to_string());
        assert_eq!(of("socks5://proxy:1080").unwrap(), "socks5://proxy:1080/");
        assert_eq!(of("socks5h://proxy:1080").unwrap(), "socks5://proxy:1080/");
        assert!(of("ftp://proxy").unwrap_err().contains("must be of http, https or socks5"));
        assert!(of("proxy").is_err() && of("socks5://jane:s3cr3t@proxy").unwrap_err().contains("user name"));
        assert_eq!(shown(&"http://jane:s3cr3t@proxy:3128".parse().unwrap()), "http://proxy:3128");
    }

    #[test]
    fn a_server_without_tls_has_a_proxy_of_its_own() {
        let environment =
            Environment { https: "http://one:1".to_owned(), http: "two:2".to_owned(), ..Environment::default() };
        let proxy = choose(None, &environment, &"http://api.example".parse().unwrap()).unwrap();
        assert_eq!(proxy.unwrap().to_string(), "http://two:2/");
    }
}
