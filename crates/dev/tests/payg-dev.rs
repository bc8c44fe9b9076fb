//! `payg-dev` as its users start it.
#![allow(clippy::unwrap_used, reason = "these are tests")]

use std::process::Command;

fn help(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).arg("--help").output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn it_has_every_command_of_payg_and_its_own() {
    let all = help(env!("CARGO_BIN_EXE_payg-dev"), &[]);
    for command in ["demo", "simulator", "operator", "plan", "get", "explain", "approve", "deny", "retry"] {
        assert!(all.lines().any(|line| line.trim_start().starts_with(command)), "{command}: {all}");
    }
    assert!(help(env!("CARGO_BIN_EXE_payg-dev"), &["operator"]).contains("--billing-rate"));
}
