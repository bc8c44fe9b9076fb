//! However the process that started a control plane ends, its processes and files go.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// A process that starts a control plane with all its files in `tmp`.
fn owner(tmp: &TempDir) -> Child {
    Command::new(env!("CARGO_BIN_EXE_control-plane"))
        .env("TMPDIR", tmp.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn wait_until_ready(owner: &mut Child) {
    let mut line = String::new();
    BufReader::new(owner.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("export KUBECONFIG="), "{line}");
}

/// The command lines that name a file in `tmp`: all the processes of a control plane, and its reaper.
fn processes(tmp: &Path) -> Vec<String> {
    let name = tmp.to_str().unwrap();
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let command_lines = entries.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    let command_lines = command_lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
    command_lines.filter(|line| line.contains(name)).collect()
}

fn assert_nothing_is_left(tmp: &TempDir) {
    let files = || fs::read_dir(tmp.path()).unwrap().flatten().map(|entry| entry.path()).collect::<Vec<_>>();
    for _ in 0..100 {
        if processes(tmp.path()).is_empty() && files().is_empty() {
            return;
        }
        sleep(Duration::from_millis(50));
    }
    panic!("left after 5 s: {:#?} {:#?}", processes(tmp.path()), files());
}

#[test]
fn after_sigkill() {
    let tmp = tempfile::tempdir().unwrap();
    let mut owner = owner(&tmp);
    wait_until_ready(&mut owner);
    assert!(processes(tmp.path()).len() >= 3, "{:#?}", processes(tmp.path()));
    owner.kill().unwrap();
    owner.wait().unwrap();
    assert_nothing_is_left(&tmp);
}

#[test]
fn after_sigkill_in_the_middle_of_the_start() {
    let tmp = tempfile::tempdir().unwrap();
    let mut owner = owner(&tmp);
    while processes(tmp.path()).len() < 2 {
        assert_eq!(owner.try_wait().unwrap(), None, "it could not start");
        sleep(Duration::from_millis(1));
    }
    owner.kill().unwrap();
    owner.wait().unwrap();
    assert_nothing_is_left(&tmp);
}

#[test]
fn after_ctrl_c() {
    let tmp = tempfile::tempdir().unwrap();
    let mut owner = owner(&tmp);
    wait_until_ready(&mut owner);
    kill_process(Pid::from_child(&owner), Signal::INT).unwrap();
    assert!(owner.wait().unwrap().success());
    assert_nothing_is_left(&tmp);
}
