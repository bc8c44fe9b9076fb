//! The kubeconfig as kubectl finds and reads it:
//! <https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/>. kube's own reader fails on files
//! that are missing from `$KUBECONFIG`, and quotes what it cannot read, which may be a token.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::io::ErrorKind;
use std::path::{self, Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::Uri;
use kube::Config;
use kube::config::{AuthInfo, Cluster, ExecAuthCluster};
use serde_json::{Map, Value};
use x509_parser::pem::Pem;

use super::proxy;

/// Why a kubeconfig cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the kubeconfig {place}: {problem}")]
pub struct KubeconfigError {
    /// The file, or the files.
    place: String,
    /// What is wrong, without anything of its text that may be secret.
    problem: String,
}

/// What is named in one file, or in several. What comes first wins.
#[derive(Default)]
struct Kubeconfig {
    current_context: String,
    /// By name. The paths in them are absolute, and what was empty is not there.
    clusters: BTreeMap<String, Map<String, Value>>,
    contexts: BTreeMap<String, Map<String, Value>>,
    users: BTreeMap<String, Map<String, Value>>,
}

/// What to connect to, by the context called `context`, or else the current one, of the file `path`, or else of those that
/// kubectl finds. `None` if nothing was named and they are missing or empty.
pub fn load(path: Option<&Path>, context: Option<&str>) -> Result<Option<Config>, KubeconfigError> {
    let files = path.map_or_else(found, |path| vec![path.to_owned()]);
    let place = files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", ");
    let mut merged = Kubeconfig::default();
    for file in &files {
        let fail = |problem: String| KubeconfigError { place: file.display().to_string(), problem };
        match fs::read(file) {
            Ok(bytes) => merged.add(parse(&bytes, &directory(file)).map_err(fail)?),
            Err(error) if error.kind() == ErrorKind::NotFound && path.is_none() => {}
            Err(error) => return Err(fail(format!("it cannot be read: {error}"))),
        }
    }
    let context = context.filter(|context| !context.is_empty());
    if path.is_none() && context.is_none() && merged.is_empty() {
        return Ok(None);
    }
    merged.config(context).map(Some).map_err(|problem| KubeconfigError { place, problem })
}

/// The files of `$KUBECONFIG`, or else the one at home.
pub fn found() -> Vec<PathBuf> {
    let named = env::var_os("KUBECONFIG").filter(|named| !named.is_empty());
    let Some(named) = named else { return env::home_dir().map(|home| home.join(".kube/config")).into_iter().collect() };
    let mut seen = BTreeSet::new();
    env::split_paths(&named).filter(|file| !file.as_os_str().is_empty() && seen.insert(file.clone())).collect()
}

/// What the relative paths in a file begin at.
fn directory(file: &Path) -> PathBuf {
    let file = path::absolute(file).unwrap_or_else(|_| file.to_owned());
    file.parent().unwrap_or(Path::new("/")).to_owned()
}

fn parse(bytes: &[u8], directory: &Path) -> Result<Kubeconfig, String> {
    let text = payg_yaml::decode(bytes);
    let value = match payg_yaml::documents(&text).into_iter().next().map(|document| document.value) {
        None | Some(Ok(Value::Null)) => return Ok(Kubeconfig::default()),
        Some(Ok(value)) => value,
        Some(Err(fault)) => return Err(format!("line {}, column {}: {}", fault.line, fault.column, fault.problem)),
    };
    if !value.is_object() || value["kind"].as_str().is_some_and(|kind| kind != "Config") {
        return Err("it is not of the kind Config".to_owned());
    }
    let mut kubeconfig = Kubeconfig {
        current_context: text_of(&value["current-context"], "current-context")?,
        clusters: named(&value["clusters"], "clusters", "cluster")?,
        contexts: named(&value["contexts"], "contexts", "context")?,
        users: named(&value["users"], "users", "user")?,
    };
    for cluster in kubeconfig.clusters.values_mut() {
        absolute(Some(cluster), "certificate-authority", directory);
    }
    for user in kubeconfig.users.values_mut() {
        for field in ["client-certificate", "client-key", "tokenFile"] {
            absolute(Some(user), field, directory);
        }
        let exec = user.get_mut("exec").and_then(Value::as_object_mut);
        // Without a slash it is looked for on the PATH.
        let has_path = |exec: &&mut Map<String, Value>| {
            exec.get("command").and_then(Value::as_str).is_some_and(|path| path.contains('/'))
        };
        absolute(exec.filter(has_path), "command", directory);
    }
    Ok(kubeconfig)
}

fn absolute(fields: Option<&mut Map<String, Value>>, field: &str, directory: &Path) {
    let path = fields.and_then(|fields| fields.get_mut(field));
    if let Some(Value::String(path)) = path {
        *path = directory.join(&path).display().to_string();
    }
}

/// A text that may be left out.
fn text_of(value: &Value, field: &str) -> Result<String, String> {
    match value {
        Value::Null => Ok(String::new()),
        Value::String(text) => Ok(text.clone()),
        _ => Err(format!("`{field}` must be a string: put it in quotes")),
    }
}

/// The entries of a list by name, without what is empty in them.
fn named(list: &Value, field: &str, inner: &str) -> Result<BTreeMap<String, Map<String, Value>>, String> {
    let entries = match list {
        Value::Null => return Ok(BTreeMap::new()),
        Value::Array(entries) => entries,
        _ => return Err(format!("`{field}` must be a list")),
    };
    let mut found = BTreeMap::new();
    for (number, entry) in entries.iter().enumerate() {
        let name = text_of(&entry["name"], &format!("{field}.{number}.name"))?;
        let mut fields = match &entry[inner] {
            Value::Null => Map::new(),
            Value::Object(fields) => fields.clone(),
            _ => return Err(format!("`{field}.{number}.{inner}` must be a map")),
        };
        fields.retain(|_, value| !value.is_null() && value != "");
        if found.insert(name.clone(), fields).is_some() {
            return Err(format!("`{field}` has `{name}` twice"));
        }
    }
    Ok(found)
}

impl Kubeconfig {
    fn is_empty(&self) -> bool {
        self.current_context.is_empty() && self.clusters.is_empty() && self.contexts.is_empty() && self.users.is_empty()
    }

    /// Adds what is not there yet.
    fn add(&mut self, next: Self) {
        if self.current_context.is_empty() {
            self.current_context = next.current_context;
        }
        let maps =
            [(&mut self.clusters, next.clusters), (&mut self.contexts, next.contexts), (&mut self.users, next.users)];
        for (there, more) in maps {
            for (name, fields) in more {
                there.entry(name).or_insert(fields);
            }
        }
    }

    fn config(&self, context: Option<&str>) -> Result<Config, String> {
        let name = context.unwrap_or(&self.current_context);
        if name.is_empty() {
            return Err("it has no current context; choose one: kubectl config use-context NAME".to_owned());
        }
        let context = self.contexts.get(name).ok_or_else(|| {
            let names: Vec<_> = self.contexts.keys().map(|name| format!("`{name}`")).collect();
            format!("there is no context `{name}`; there are: {}", names.join(", "))
        })?;
        let field =
            |field: &str| text_of(context.get(field).unwrap_or(&Value::Null), &format!("context {name}: {field}"));
        let (cluster_name, user_name, namespace) = (field("cluster")?, field("user")?, field("namespace")?);
        let cluster = self.clusters.get(&cluster_name);
        let cluster = cluster.ok_or_else(|| format!("context `{name}`: there is no cluster `{cluster_name}`"))?;
        let user = self.users.get(&user_name).cloned().unwrap_or_default();
        if let Some(problem) = contradiction(cluster, &user) {
            return Err(format!("context `{name}`: {problem}"));
        }
        if !user_name.is_empty() && !self.users.contains_key(&user_name) {
            return Err(format!("context `{name}`: there is no user `{user_name}`"));
        }
        // No more of the error than where it is: it quotes the text.
        let misshapen = |kind: &str, name: &str| {
            format!("{kind} `{name}`: a field is not as kubectl has it, such as a number without quotes")
        };
        let cluster: Cluster =
            serde_json::from_value(Value::Object(cluster.clone())).map_err(|_| misshapen("cluster", &cluster_name))?;
        let user: AuthInfo = serde_json::from_value(Value::Object(user)).map_err(|_| misshapen("user", &user_name))?;
        let mut config =
            connection(&cluster, user).map_err(|problem| format!("cluster `{cluster_name}`: {problem}"))?;
        if !namespace.is_empty() {
            config.default_namespace = namespace;
        }
        Ok(config)
    }
}

fn connection(cluster: &Cluster, mut user: AuthInfo) -> Result<Config, String> {
    let server = cluster.server.as_deref().ok_or("it has no server")?;
    let scheme = if server.contains("://") { "" } else { "http://" };
    let url: Uri = format!("{scheme}{server}").parse().map_err(|_| "its server is no address")?;
    if url.host().is_none_or(str::is_empty) {
        return Err("its server is no address".to_owned());
    }
    let root_cert = authority(cluster)?;
    if let Some(exec) = user.exec.as_mut().filter(|exec| exec.provide_cluster_info) {
        exec.cluster = Some(ExecAuthCluster::try_from(cluster).map_err(|error| error.to_string())?);
    }
    let mut config = Config::new(url);
    config.accept_invalid_certs = cluster.insecure_skip_tls_verify.unwrap_or(false);
    if config.accept_invalid_certs && root_cert.is_some() {
        return Err("it has an authority and says not to check certificates; take one of them out".to_owned());
    }
    config.root_cert = root_cert;
    config.tls_server_name.clone_from(&cluster.tls_server_name);
    config.proxy_url = proxy::choose(cluster.proxy_url.as_deref(), &proxy::Environment::read(), &config.cluster_url)?;
    // To a server without TLS nobody says who they are.
    config.auth_info = if config.cluster_url.scheme_str() == Some("https") { user } else { AuthInfo::default() };
    Ok(config)
}

/// What kubectl refuses in a cluster and a user that are both readable.
fn contradiction(cluster: &Map<String, Value>, user: &Map<String, Value>) -> Option<&'static str> {
    let has = |field: &str| user.contains_key(field);
    let exec = user.get("exec");
    let exec_has = |field: &str| exec.is_some_and(|exec| exec[field].as_str().is_some_and(|text| !text.is_empty()));
    let of_v1 = exec.is_some_and(|exec| exec["apiVersion"] == "client.authentication.k8s.io/v1");
    let has_certificate = has("client-certificate") || has("client-certificate-data");
    let rules = [
        (
            cluster.contains_key("certificate-authority") && cluster.contains_key("certificate-authority-data"),
            "its cluster has both certificate-authority and certificate-authority-data",
        ),
        (
            has("client-certificate") && has("client-certificate-data"),
            "its user has both client-certificate and client-certificate-data",
        ),
        (
            has_certificate && has("client-key") && has("client-key-data"),
            "its user has both client-key and client-key-data",
        ),
        (
            has_certificate && !has("client-key") && !has("client-key-data"),
            "its user has a client certificate without a key",
        ),
        (has("token") && (has("username") || has("password")), "its user has both a token and a password"),
        (exec.is_some() && !exec_has("apiVersion"), "its user has an exec without apiVersion"),
        (exec.is_some() && !exec_has("command"), "its user has an exec without command"),
        (of_v1 && !exec_has("interactiveMode"), "its user has an exec without interactiveMode; set it to IfAvailable"),
    ];
    rules.into_iter().find(|(broken, _)| *broken).map(|(_, problem)| problem)
}

/// The certificates that a cluster's own one is checked by.
fn authority(cluster: &Cluster) -> Result<Option<Vec<Vec<u8>>>, String> {
    let pem = match (&cluster.certificate_authority_data, &cluster.certificate_authority) {
        (Some(data), _) => {
            let data = data.split_ascii_whitespace().collect::<String>();
            BASE64_STANDARD.decode(data).map_err(|_| "its certificate-authority-data is not in base64")?
        }
        (None, Some(file)) => fs::read(file).map_err(|error| format!("{file} cannot be read: {error}"))?,
        (None, None) => return Ok(None),
    };
    let blocks = Pem::iter_from_buffer(&pem).collect::<Result<Vec<_>, _>>();
    let blocks = blocks.map_err(|_| "its certificate authority is not PEM")?;
    let certificates = blocks.into_iter().filter(|block| block.label == "CERTIFICATE").map(|block| block.contents);
    Ok(Some(certificates.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "
current-context: here
contexts:
- {name: here, context: {cluster: one, user: jane, namespace: ''}}
- {name: broken}
clusters: [{name: one, cluster: {server: 'https://one.example:6443'}}]
users: [{name: jane, user: {token: '', tokenFile: ../token, exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: bin/helper}}}]
";

    fn parsed(text: &str) -> Result<Kubeconfig, String> {
        parse(text.as_bytes(), Path::new("/home/jane/.kube"))
    }

    #[test]
    fn the_first_nonempty_kubeconfig_value_wins() {
        let mut merged = parsed("current-context: ''\nclusters: null\n").unwrap();
        merged.add(parsed(ONE).unwrap());
        merged.add(parsed(&ONE.replace("here", "there").replace("one.example", "two.example")).unwrap());
        let config = merged.config(None).unwrap();
        assert_eq!(config.cluster_url, "https://one.example:6443/");
        assert_eq!(config.default_namespace, "default");
        assert!(config.auth_info.token.is_none());
        assert_eq!(config.auth_info.token_file.as_deref(), Some("/home/jane/.kube/../token"));
        let exec = config.auth_info.exec.unwrap();
        assert_eq!(exec.command.as_deref(), Some("/home/jane/.kube/bin/helper"));
        assert_eq!(merged.config(Some("there")).unwrap().cluster_url, "https://one.example:6443/");
    }

    #[test]
    fn faults_are_named_and_no_text_is_quoted() {
        for (change, told) in [
            (("cluster: one,", "cluster: two,"), "there is no cluster `two`"),
            (("user: jane,", "user: joe,"), "there is no user `joe`"),
            (("current-context: here", "current-context: ''"), "no current context"),
            (("current-context: here", "current-context: gone"), "there are: `broken`, `here`"),
            (("token: ''", "token: 4711"), "user `jane`: a field"),
            (("token: ''", "token: \"4711"), "line 7, column"),
            (("name: broken", "name: here"), "`contexts` has `here` twice"),
            (("/v1beta1", "/v1"), "interactiveMode"),
            (("token: ''", "token: x, username: joe"), "both a token and a password"),
            (("'https://one.example:6443'", "''"), "it has no server"),
            (
                ("server:", "insecure-skip-tls-verify: true, certificate-authority-data: Cg==, server:"),
                "take one of them out",
            ),
        ] {
            let text = ONE.replace(change.0, change.1);
            assert_ne!(text, ONE, "{change:?}");
            let problem = parsed(&text).and_then(|one| one.config(None)).err().unwrap();
            assert!(problem.contains(told) && !problem.contains("4711"), "{problem}");
        }
    }

    #[test]
    fn a_server_without_tls_is_told_nobody() {
        let text = ONE.replace("'https://one.example:6443'", "'one.example:6443'");
        let config = parsed(&text).unwrap().config(None).unwrap();
        assert_eq!(config.cluster_url, "http://one.example:6443/");
        assert!(config.auth_info.exec.is_none() && config.auth_info.token_file.is_none());
    }
}
