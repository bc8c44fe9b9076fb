//! The real receivers as processes, which end with the test.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout};
use tokio::time::timeout;

/// No receiver takes longer for anything.
const PATIENCE: Duration = Duration::from_secs(30);

const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/notices");

/// Where the programs built from Go are. Waits while they are being built.
pub(crate) static DIRECTORY: LazyLock<PathBuf> = LazyLock::new(|| printed("programs/build.sh"));
/// The Python that has the servers' libraries.
static PYTHON: LazyLock<PathBuf> = LazyLock::new(|| printed("python.sh"));

/// What a script prints.
fn printed(script: &str) -> PathBuf {
    let script = format!("{HERE}/{script}");
    let output = Command::new(&script).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{script}: see above");
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim_end())
}

/// A process that is killed with its handle, and if the test is.
pub(crate) fn spawn(program: &PathBuf, arguments: &[&str]) -> Child {
    let mut command = tokio::process::Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]).arg(program).args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap()
}

/// A server in Python that prints its port, and then a line of JSON for each thing that it took.
pub(crate) struct Server {
    _process: Child,
    lines: Lines<BufReader<ChildStdout>>,
    pub(crate) port: u16,
}

impl Server {
    pub(crate) async fn start(script: &str, arguments: &[&str]) -> Self {
        let script = format!("{HERE}/servers/{script}");
        let mut process = spawn(&PYTHON, &[&["-IB", &script], arguments].concat());
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let port = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().expect("a port").parse().unwrap();
        Self { _process: process, lines, port }
    }

    /// The next thing that it took.
    pub(crate) async fn taken(&mut self) -> Value {
        let line = timeout(PATIENCE, self.lines.next_line()).await.unwrap().unwrap().expect("a line");
        serde_json::from_str(&line).unwrap()
    }
}
