use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::programs::DIRECTORY;
use crate::{config, notice, send};

/// The body of the one request that comes to a listener, which is answered with 202.
async fn body(listener: TcpListener) -> String {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut text = String::new();
    loop {
        let mut bytes = [0; 4096];
        let read = stream.read(&mut bytes).await.unwrap();
        text.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if body.len() >= length.unwrap() {
            stream.write_all(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n").await.unwrap();
            return body.to_owned();
        }
    }
}

#[tokio::test]
async fn fluxs_own_type_knows_the_event() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let object = "{kind: Kustomization, namespace: flux-system, name: accounts}";
    let fields = format!("flux: {{url: \"http://{}\", involvedObject: {object}}}", listener.local_addr().unwrap());
    let (config, notice) = (config(&fields), notice());
    let (sent, body) = tokio::join!(send(&config, &notice), body(listener));
    sent.unwrap();

    let mut judge = Command::new(DIRECTORY.join("flux-event"));
    let mut judge = judge.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    judge.stdin.take().unwrap().write_all(body.as_bytes()).unwrap();
    let output = judge.wait_with_output().unwrap();
    assert!(output.status.success(), "{body}");
    let event: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(event["involvedObject"]["name"], "accounts");
    assert_eq!((&event["severity"], &event["reason"]), (&"error".into(), &"EndAhead".into()));
    assert_eq!(event["metadata"]["kustomize.toolkit.fluxcd.io/subscription"], "team-a/sandbox");
    assert!(!event["message"].as_str().unwrap().contains(['<', '@']));
}
