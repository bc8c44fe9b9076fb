//! Who may use whom. The arrows point one way, so that each part can be read, tested and changed by itself.
#![allow(clippy::unwrap_used, clippy::panic, reason = "these are tests")]

use std::fs;
use std::path::{Path, PathBuf};

/// Each module with those that it may use, beside itself.
const MAY_USE: [(&str, &[&str]); 10] = [
    ("clock", &[]),
    ("text", &[]),
    ("yaml", &[]),
    ("api", &["text"]),
    ("providers", &["clock", "text"]),
    ("runtime", &["text", "yaml"]),
    ("simulator", &["clock"]),
    ("operator", &["api", "clock", "providers", "runtime", "text"]),
    ("faults", &["api", "clock", "operator", "providers", "runtime", "simulator"]),
    ("cli", &["api", "clock", "operator", "providers", "runtime", "simulator", "text", "yaml"]),
];

fn sources(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = entries.flat_map(|entry| sources(&entry)).collect();
    found.retain(|file| file.extension().is_some_and(|extension| extension == "rs"));
    found
}

/// The modules of the crate that a source names: by `crate::x`, and by `crate::{x, y}`.
fn used(text: &str) -> Vec<String> {
    let mut modules = Vec::new();
    for (_, rest) in text.match_indices("crate::").map(|(at, found)| text.split_at(at + found.len())) {
        let named = match rest.strip_prefix('{') {
            Some(list) => list.split('}').next().unwrap_or_default().split(',').collect(),
            None => vec![rest],
        };
        let name =
            |text: &str| text.trim().split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().map(str::to_owned);
        modules.extend(named.into_iter().filter_map(name));
    }
    modules
}

#[test]
fn every_module_uses_only_those_below_it() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut checked = 0;
    for (module, allowed) in MAY_USE {
        let (file, folder) = (src.join(format!("{module}.rs")), src.join(module));
        for source in sources(if file.exists() { &file } else { &folder }) {
            let text = fs::read_to_string(&source).unwrap();
            for name in used(&text) {
                let known = MAY_USE.iter().any(|(other, _)| *other == name);
                let may = name == module || allowed.contains(&name.as_str());
                assert!(!known || may, "{} uses `crate::{name}`, and `{module}` must not", source.display());
                checked += usize::from(known);
            }
        }
    }
    assert!(checked > 50, "only {checked} uses were found: does the test still see the code?");
}

#[test]
fn every_module_is_in_the_table() {
    let lib = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let declared = lib.lines().filter_map(|line| line.strip_prefix("pub mod ")).map(|name| name.trim_end_matches(';'));
    for name in declared {
        assert!(MAY_USE.iter().any(|(module, _)| *module == name), "add `{name}` to the table");
    }
}
