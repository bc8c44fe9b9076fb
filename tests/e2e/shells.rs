//! Completions and manual pages.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::people::{PAYG, stderr, stdout};

fn told(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    stdout(&output)
}

#[test]
fn bash_completes_it() {
    let dir = tempfile::tempdir().unwrap();
    let script = dir.path().join("payg");
    fs::write(&script, told(PAYG, &["completions", "bash"])).unwrap();
    let complete = |words: &str| {
        let last = words.split(' ').next_back().unwrap();
        let count = words.split(' ').count() - 1;
        let ask = format!(
            "source {}; COMP_WORDS=({words}); COMP_CWORD={count}; _payg payg '{last}' ''; echo ${{COMPREPLY[@]}}",
            script.display()
        );
        told("bash", &["--norc", "-c", &ask]).trim().to_owned()
    };
    assert_eq!(complete("payg exp"), "explain");
    assert_eq!(complete("payg get --out"), "--output");
    assert_eq!(complete("payg approve team.sandbox --reas"), "--reason");
}

#[test]
fn there_are_completions_for_each_shell_and_a_page_for_each_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = told(PAYG, &["completions", shell]);
        assert!(script.contains("explain") && script.contains("all-namespaces"), "{shell}: {script}");
    }
    let dir = tempfile::tempdir().unwrap();
    told(PAYG, &["man", "--dir", dir.path().to_str().unwrap()]);
    for (page, part) in [("payg.1", "approve"), ("payg-plan.1", "detailed"), ("payg-approve.1", "confirm")] {
        let text = fs::read_to_string(Path::new(dir.path()).join(page)).unwrap();
        assert!(text.starts_with(".ie") && text.contains(".TH") && text.contains(part), "{page}: {text}");
    }
    assert!(told(PAYG, &["man"]).contains(".TH payg 1"));
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let script = format!("{PAYG} crds | true; echo ${{PIPESTATUS[0]}}");
    let output = Command::new("bash").args(["--norc", "-c", &script]).output().unwrap();
    assert_eq!((stdout(&output).trim(), stderr(&output)), ("0", String::new()));
}
