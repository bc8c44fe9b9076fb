//! Writes past the API server.

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{Error, kubeconfig::base64};

/// One request to etcd's JSON gateway, which listens on plain HTTP: not worth an HTTP client.
pub(crate) async fn put(address: &str, key: &str, value: &[u8]) -> Result<(), Error> {
    let body = json!({"key": base64(key.as_bytes()), "value": base64(value)}).to_string();
    let request = format!(
        "POST /v3/kv/put HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let answer = exchange(address, &request).await.map_err(|source| Error::io("cannot reach etcd", source))?;
    if answer.starts_with("HTTP/1.1 200 ") { Ok(()) } else { Err(Error::Etcd { key: key.to_owned(), answer }) }
}

async fn exchange(address: &str, request: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}
