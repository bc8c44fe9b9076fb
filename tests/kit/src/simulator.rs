//! The billing simulator as a process, and a client of its control API.

use std::{fs, path::Path, process::Command, time::Duration};

use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::{Clock, Error, Process};

/// The simulator, running.
#[derive(Debug)]
pub struct Simulator {
    url: String,
    ca_file: std::path::PathBuf,
    client: reqwest::Client,
    _process: Process,
}

impl Simulator {
    /// Starts `payg-dev simulator` with its files in `dir`.
    pub async fn start(payg: &Path, dir: &Path, clock: &Clock) -> Result<Self, Error> {
        let (ca_file, url_file) = (dir.join("simulator-ca.crt"), dir.join("simulator-url"));
        let mut command = Command::new(payg);
        command
            .arg("simulator")
            .arg("--ca-file")
            .arg(&ca_file)
            .arg("--url-file")
            .arg(&url_file)
            .args(clock.arguments());
        let mut process = Process::spawn("simulator", &command, &dir.join("logs/simulator.log"))?;
        let deadline = Instant::now() + Duration::from_secs(30);
        while !url_file.exists() {
            if process.try_wait()?.is_some() || Instant::now() > deadline {
                return Err(Error::Simulator(format!("it did not start: {}", process.log_tail(20))));
            }
            sleep(Duration::from_millis(20)).await;
        }
        let read = |path: &Path| {
            fs::read_to_string(path).map_err(|source| Error::io("cannot read the simulator's files", source))
        };
        let anchor = reqwest::Certificate::from_pem(read(&ca_file)?.as_bytes()).map_err(Error::simulator)?;
        // Not the environment's proxy: the simulator is on this machine. No connection is used again: each test has a
        // runtime of its own, and a connection ends with the runtime that it was made in.
        let client = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).tls_certs_only([anchor]);
        let client = client.build().map_err(Error::simulator)?;
        Ok(Self { url: read(&url_file)?.trim().to_owned(), ca_file, client, _process: process })
    }

    /// Where it listens: `https://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The file with the certificate authority that its clients must trust.
    pub fn ca_file(&self) -> &Path {
        &self.ca_file
    }

    /// What `GET /_sim/PATH` answers.
    pub async fn get(&self, path: &str) -> Result<Value, Error> {
        self.call(self.client.get(self.address(path))).await
    }

    /// What `POST /_sim/PATH` answers.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, Error> {
        self.call(self.client.post(self.address(path)).json(body)).await
    }

    /// What `PATCH /_sim/PATH` answers.
    pub async fn patch(&self, path: &str, body: &Value) -> Result<Value, Error> {
        self.call(self.client.patch(self.address(path)).json(body)).await
    }

    /// What `DELETE /_sim/PATH` answers.
    pub async fn delete(&self, path: &str) -> Result<Value, Error> {
        self.call(self.client.delete(self.address(path))).await
    }

    fn address(&self, path: &str) -> String {
        format!("{}/_sim/{path}", self.url)
    }

    async fn call(&self, request: reqwest::RequestBuilder) -> Result<Value, Error> {
        let answer = request.send().await.map_err(Error::simulator)?;
        let status = answer.status();
        let text = answer.text().await.map_err(Error::simulator)?;
        if !status.is_success() {
            return Err(Error::Simulator(format!("{status}: {text}")));
        }
        Ok(serde_json::from_str(&text).unwrap_or(Value::Null)) // some calls answer nothing
    }
}
