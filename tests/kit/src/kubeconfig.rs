//! Kubeconfig files, and clients made of them.

use std::path::Path;

use k8s_openapi::ByteString;
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::{Value, json};

use crate::{Error, certs::Pair};

/// A client for whoever the kubeconfig file is for. It lives as long as the tokio runtime it was made in.
pub async fn client(kubeconfig: &Path) -> Result<Client, Error> {
    to_client(config(kubeconfig).await?)
}

pub(crate) async fn config(kubeconfig: &Path) -> Result<Config, Error> {
    let broken = |source| Error::Kubeconfig { path: kubeconfig.to_owned(), source: Box::new(source) };
    let file = Kubeconfig::read_from(kubeconfig).map_err(broken)?;
    let mut config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.map_err(broken)?;
    config.proxy_url = None; // it is on this machine, whatever proxy the environment has
    Ok(config)
}

pub(crate) fn to_client(config: Config) -> Result<Client, Error> {
    Client::try_from(config).map_err(|source| Error::kube("make a client", source))
}

pub(crate) fn base64(bytes: &[u8]) -> Value {
    json!(ByteString(bytes.to_vec()))
}

/// Credentials that are a client certificate.
pub(crate) fn certificate(pair: &Pair) -> Value {
    json!({
        "client-certificate-data": base64(pair.cert_pem.as_bytes()),
        "client-key-data": base64(pair.key_pem.as_bytes()),
    })
}

/// Credentials that are a bearer token.
pub(crate) fn token(token: &str) -> Value {
    json!({"token": token})
}

/// A whole kubeconfig. JSON is YAML too.
pub(crate) fn render(server: &str, ca_pem: &str, namespace: &str, credentials: &Value) -> String {
    let name = "payg";
    let cluster = json!({"server": server, "certificate-authority-data": base64(ca_pem.as_bytes())});
    let kubeconfig = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": name, "user": credentials}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name, "namespace": namespace}}],
        "current-context": name,
    });
    format!("{kubeconfig:#}")
}
