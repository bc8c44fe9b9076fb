//! Builds the tree with the mutants, and shows each to the tests that it names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Mutant, mutants, tree};

/// A test that a mutant keeps from ending has not caught it.
const LONGEST: Duration = Duration::from_mins(5);

/// What became of the tests that ran.
struct TriggerState {
    results: BTreeMap<String, String>,
    output: String,
    took: Duration,
}

impl TriggerState {
    fn of(&self, test: &str) -> &str {
        self.results.get(test).map_or("did not end", String::as_str)
    }
}

/// All mutants, or the one that `MUTANT` names.
pub(super) fn all() {
    let only = std::env::var("MUTANT").ok().filter(|only| !only.is_empty());
    let chosen: Vec<_> = mutants().filter(|mutant| only.as_deref().is_none_or(|only| only == mutant.name)).collect();
    assert!(!chosen.is_empty(), "there is no mutant called {only:?}");
    let began = Instant::now();
    let programs = build();
    println!("built in {} s", began.elapsed().as_secs());

    let named: Vec<_> = chosen.iter().flat_map(|mutant| mutant.caught_by).copied().collect();
    let real = show(&programs, None, &named);
    for test in &named {
        assert_eq!(real.of(test), "ok", "{test} fails by itself:\n{}", real.output);
    }
    println!("without a mutant all {} tests pass, in {:.1} s", real.results.len(), real.took.as_secs_f32());

    println!("\n{:<34} {:<32} {:>5}  caught by", "mutant", "file", "s");
    let mut survivors = Vec::new();
    for mutant in &chosen {
        let shown = show(&programs, Some(mutant), mutant.caught_by);
        println!(
            "{:<34} {:<32} {:>5.1}  {}",
            mutant.name,
            mutant.file,
            shown.took.as_secs_f32(),
            caught(mutant, &shown)
        );
        if only.is_some() {
            println!("{}\n{}", mutant.wrong, shown.output);
        }
        let missed = mutant.caught_by.iter().filter(|test| shown.of(test) != "FAILED");
        survivors.extend(missed.map(|test| format!("{}: {test}: {}", mutant.name, shown.of(test))));
    }
    println!(
        "\n{} mutants in {} s; {} not caught as they should be",
        chosen.len(),
        began.elapsed().as_secs(),
        survivors.len()
    );
    assert!(survivors.is_empty(), "not caught:\n{}", survivors.join("\n"));
}

fn caught(mutant: &Mutant, shown: &TriggerState) -> String {
    let told = mutant.caught_by.iter().map(|test| match shown.of(test) {
        "FAILED" => (*test).to_owned(),
        other => format!("NOT by {test} ({other})"),
    });
    told.collect::<Vec<_>>().join(", ")
}

/// Where the copy with the mutants is, and its builds: cargo would take one for a build of the code that it is a copy of.
fn directory() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("mutants")
}

/// The programs of tests by their names, with all mutants in them.
fn build() -> BTreeMap<String, PathBuf> {
    let tree = directory().join("tree");
    std::fs::create_dir_all(&tree).unwrap();
    tree::make(&tree);
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["test", "--locked", "--workspace", "--lib", "--test", "decide", "--no-run"]);
    cargo.arg("--message-format=json-render-diagnostics");
    cargo.current_dir(tree).env("CARGO_TARGET_DIR", directory().join("target")).stderr(Stdio::inherit());
    // What the cargo that runs this test has set is of this package. Build scripts that see it would run anew.
    let of_this = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(of_this)) {
        cargo.env_remove(name);
    }
    let built = cargo.output().unwrap();
    assert!(built.status.success(), "the mutants do not compile, which catches nothing");
    let messages = String::from_utf8(built.stdout).unwrap();
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let tests = messages.filter(|message| message["profile"]["test"] == true);
    let named = |message: Value| Some((text_of(&message["target"]["name"])?, text_of(&message["executable"])?.into()));
    tests.filter_map(named).collect()
}

fn text_of(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// What becomes of `tests` with `mutant`.
fn show(programs: &BTreeMap<String, PathBuf>, mutant: Option<&Mutant>, tests: &[&str]) -> TriggerState {
    let began = Instant::now();
    let mut shown = TriggerState { results: BTreeMap::new(), output: String::new(), took: Duration::ZERO };
    for (name, program) in programs {
        let prefix = format!("{name}::");
        let tests: Vec<_> = tests.iter().filter_map(|test| test.strip_prefix(&prefix)).collect();
        if tests.is_empty() {
            continue;
        }
        let output = run(program, mutant, &tests);
        let result = |line: &str| {
            let (test, result) = line.strip_prefix("test ")?.split_once(" ... ")?;
            Some((prefix.clone() + test, result.to_owned()))
        };
        shown.results.extend(output.lines().filter_map(result));
        shown.output += &output;
    }
    TriggerState { took: began.elapsed(), ..shown }
}

/// What `program` prints of `tests`.
fn run(program: &Path, mutant: Option<&Mutant>, tests: &[&str]) -> String {
    let mut command = tokio::process::Command::new(program);
    command.arg("--exact").args(tests).current_dir(directory().join("tree")).env_remove("MUTANT").kill_on_drop(true);
    if let Some(mutant) = mutant {
        command.env("MUTANT", mutant.name);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let ended = runtime.block_on(async { tokio::time::timeout(LONGEST, command.output()).await });
    ended.map_or_else(|_| String::new(), |ended| text(&ended.unwrap()))
}

fn text(output: &std::process::Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).join("\n")
}
