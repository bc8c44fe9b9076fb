//! `docs/azure-protocol.md` names the tests of each thing that is relied on: they must exist.
#![allow(clippy::unwrap_used, clippy::panic, reason = "this is a test")]

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// The names of all tests in Rust and Python.
fn tests() -> HashSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = HashSet::new();
    for path in ["src", "tests"].into_iter().flat_map(|dir| files(&root.join(dir))) {
        let (keyword, is_python) = match path.extension().and_then(|extension| extension.to_str()) {
            Some("rs") => ("fn ", false),
            Some("py") => ("def ", true),
            _ => continue,
        };
        let mut is_marked = false;
        for line in fs::read_to_string(&path).unwrap().lines() {
            is_marked |= line.trim().starts_with("#[test]") || line.trim().starts_with("#[tokio::test");
            let Some((name, _)) = line.split_once(keyword).and_then(|(_, rest)| rest.split_once('(')) else { continue };
            let is_test = if is_python { name.starts_with("test_") } else { std::mem::take(&mut is_marked) };
            if is_test {
                found.insert(name.to_owned());
            }
        }
    }
    found
}

#[test]
fn every_test_that_the_table_names_exists() {
    let tests = tests();
    let table = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/azure-protocol.md")).unwrap();
    let rows = table
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| ---") && !line.starts_with("| What |"));
    let mut count = 0;
    for row in rows {
        let last = row.trim_end_matches('|').rsplit('|').next().unwrap();
        let names: Vec<_> = last.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "no test is named: {row}");
        for name in names {
            assert!(tests.contains(name), "there is no test `{name}`: {row}");
            count += 1;
        }
    }
    assert!(count > 50, "the table was not read: {count}");
}
