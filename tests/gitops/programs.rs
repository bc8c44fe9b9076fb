//! The programs that `tests/gitops/programs/build.sh` builds.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use serde_json::Value;

/// Where they are, and the kinds of Flux. Waits while they are being built.
pub(crate) static DIRECTORY: LazyLock<PathBuf> = LazyLock::new(|| {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/gitops/programs/build.sh");
    let output = Command::new(script).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{script}: see above");
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim_end())
});

/// What the program called `name` makes of `input`, or what it complains of.
pub(crate) fn run(
    name: &str,
    arguments: &[&str],
    environment: &[(&str, &str)],
    input: &Value,
) -> Result<Value, String> {
    let mut command = Command::new(DIRECTORY.join(name));
    command.args(arguments).envs(environment.iter().copied());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (mut stdin, text) = (child.stdin.take().unwrap(), input.to_string());
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let output = child.wait_with_output().unwrap();
    // One that needs no input may end before it has read any.
    let _ = writer.join().unwrap();
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    Ok(serde_json::from_slice(&output.stdout).unwrap())
}
