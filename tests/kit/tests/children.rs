//! Child processes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use std::{fs, os::unix::process::ExitStatusExt, path::PathBuf, process::Command, time::Duration};

use payg_test_kit::Process;
use tempfile::TempDir;
use tokio::time::sleep;

const LONG: Duration = Duration::from_secs(10);

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

/// A process that has got as far as to write to its log.
async fn started(script: &str) -> (Process, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let process = Process::spawn("script", &shell(script), &dir.path().join("log")).unwrap();
    while process.log_tail(1).is_empty() {
        sleep(Duration::from_millis(5)).await;
    }
    (process, dir)
}

fn is_alive(id: u32) -> bool {
    PathBuf::from(format!("/proc/{id}")).exists()
}

#[tokio::test]
async fn stop_asks_first() {
    let (mut process, _dir) = started("trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done").await;
    assert_eq!(process.try_wait().unwrap(), None);
    assert_eq!(process.stop(LONG).await.unwrap().code(), Some(7));
    assert_eq!(process.stop(LONG).await.unwrap().code(), Some(7), "stopping it again changes nothing");
}

#[tokio::test]
async fn stop_kills_what_does_not_listen() {
    let (mut process, _dir) = started("trap '' TERM; echo ready; while :; do sleep 0.01; done").await;
    assert_eq!(process.stop(Duration::from_millis(50)).await.unwrap().signal(), Some(9));
}

#[tokio::test]
async fn a_paused_process_stops_and_continues() {
    let (mut process, _dir) = started("echo ready; while :; do echo on; sleep 0.01; done").await;
    process.pause().unwrap();
    let state = || fs::read_to_string(format!("/proc/{}/stat", process.id())).unwrap();
    while !state().contains(") T ") {
        sleep(Duration::from_millis(5)).await;
    }
    process.resume().unwrap();
    while state().contains(") T ") {
        sleep(Duration::from_millis(5)).await;
    }
    process.pause().unwrap();
    assert_eq!(process.kill().unwrap().signal(), Some(9));
}

#[tokio::test]
async fn drop_kills() {
    let (process, _dir) = started("echo ready; exec sleep 60").await;
    let id = process.id();
    let name = || fs::read_to_string(format!("/proc/{id}/comm")).unwrap();
    // What is ready is the shell; it becomes the program a moment later.
    tokio::time::timeout(LONG, async {
        while name().trim() != "sleep" {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("the id is the program's own");
    drop(process);
    assert!(!is_alive(id));
}

#[tokio::test]
async fn arguments_environment_and_directory_are_taken_over_and_logs_appended() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    fs::write(&log, "before\n").unwrap();
    let mut command = shell(r#"echo "$0|$1|$ADDED|${HOME-none}|$PWD"; echo error >&2"#);
    command.args(["a b", "$c"]).env("ADDED", "x y").env_remove("HOME").current_dir("/usr");
    let mut process = Process::spawn("script", &command, &log).unwrap();
    while process.try_wait().unwrap().is_none() {
        sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(fs::read_to_string(&log).unwrap(), "before\na b|$c|x y|none|/usr\nerror\n");
    assert_eq!(process.log_tail(2), "a b|$c|x y|none|/usr\nerror");
}
