//! Mutants: the real code with one rule taken out. Each must be caught by the tests that it names, or those prove nothing.
//! `docs/develop/mutants.md` says how to read this.
#![allow(clippy::unwrap_used, clippy::panic, reason = "this is a test")]

mod bodies;
mod claims;
mod deletion;
mod edges;
mod engine;
mod ledger;
mod manifests;
mod notices;
mod numbers;
mod provider;
mod rules;
mod run;
mod sdk;
mod terms;
mod tree;

use std::collections::HashSet;
use std::path::Path;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// What stands in a replacement for "this mutant is asked for".
const IS_ON: &str = "$ON";

/// The programs of tests that catch mutants, as cargo calls them, and where their sources are.
const PROGRAMS: [(&str, &str); 11] = [
    ("decide", "crates/core/tests/decide"),
    ("payg_api", "crates/api/src"),
    ("payg_core", "crates/core/src"),
    ("payg_clock", "crates/clock/src"),
    ("payg_faults", "tests/faults/src"),
    ("payg_operator", "src"),
    ("payg_providers", "crates/providers/src"),
    ("payg_runtime", "crates/runtime/src"),
    ("payg_simulator", "crates/simulator/src"),
    ("payg_text", "crates/text/src"),
    ("payg_yaml", "crates/yaml/src"),
];

/// One rule taken out of the code.
struct Mutant {
    /// Its name, here and in the environment of the process that runs it.
    name: &'static str,
    /// What goes wrong with it.
    wrong: &'static str,
    /// The source file, from the root.
    file: &'static str,
    /// Texts that occur in the file once, and what replaces each. Where it says `$ON`, the mutant is asked for or not; the code
    /// is as it was if it is not.
    edits: &'static [(&'static str, &'static str)],
    /// The tests that must fail, every one: the program in [`PROGRAMS`], then the test's path in it.
    caught_by: &'static [&'static str],
}

fn mutants() -> impl Iterator<Item = &'static Mutant> {
    let parts = [
        ledger::MUTANTS,
        rules::MUTANTS,
        terms::MUTANTS,
        provider::MUTANTS,
        edges::MUTANTS,
        deletion::MUTANTS,
        numbers::MUTANTS,
        claims::MUTANTS,
        engine::MUTANTS,
        sdk::MUTANTS,
        manifests::MUTANTS,
        notices::MUTANTS,
        bodies::MUTANTS,
    ];
    parts.into_iter().flatten()
}

#[test]
fn every_mutant_fits_the_code_as_it_is() {
    let mut names = HashSet::new();
    for mutant in mutants() {
        assert!(names.insert(mutant.name), "{} is there twice", mutant.name);
        assert!(mutant.edits.iter().any(|(_, to)| to.contains(IS_ON)), "{} is never on", mutant.name);
    }
    assert!(names.len() >= 25, "only {}", names.len());
    tree::mutated(Path::new(ROOT));
}

#[test]
fn every_mutant_names_tests_that_exist() {
    for mutant in mutants() {
        assert!(!mutant.caught_by.is_empty(), "{}", mutant.name);
        for test in mutant.caught_by {
            let (program, path) = test.split_once("::").unwrap();
            let (module, name) = path.rsplit_once("::").unwrap();
            let (_, sources) = PROGRAMS.iter().find(|(known, _)| *known == program).unwrap();
            let modules = [module, module.strip_suffix("tests").unwrap_or(module).trim_end_matches(':')];
            let files = modules.iter().flat_map(|module| {
                let file = format!("{sources}/{}", module.replace("::", "/"));
                [format!("{file}.rs"), format!("{file}/mod.rs"), format!("{file}/lib.rs")]
            });
            let text: String =
                files.filter_map(|file| std::fs::read_to_string(Path::new(ROOT).join(file)).ok()).collect();
            assert!(text.contains(&format!("fn {name}(")), "{} names {test}, which is not there", mutant.name);
        }
    }
}

/// The table of the documentation.
fn table() -> String {
    let row = |mutant: &Mutant| {
        let tests: Vec<_> = mutant.caught_by.iter().map(|test| format!("`{test}`")).collect();
        format!("| {} | {} | `{}` | {} |\n", mutant.name, mutant.wrong, mutant.file, tests.join(", "))
    };
    "| Mutant | What goes wrong | In | Caught by |\n| --- | --- | --- | --- |\n".to_owned()
        + &mutants().map(row).collect::<String>()
}

#[test]
fn the_documentation_has_the_table() {
    let text = std::fs::read_to_string(Path::new(ROOT).join("docs/develop/mutants.md")).unwrap();
    assert!(text.ends_with(&table()), "docs/develop/mutants.md is to end with:\n{}", table());
}

#[test]
#[ignore = "builds the operator anew: make mutants"]
fn every_mutant_is_caught_by_the_tests_that_it_names() {
    run::all();
}
