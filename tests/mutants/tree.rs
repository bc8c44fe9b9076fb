//! The tree with all mutants in it, inactive, so that one build serves them all. The environment selects the active one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{IS_ON, ROOT, mutants};

/// What is added to each crate that has mutants.
const SWITCH: &str = "
/// Whether the environment asks for this mutant.
pub(crate) fn is_mutant(name: &str) -> bool {
    static ON: std::sync::LazyLock<Option<String>> = std::sync::LazyLock::new(|| std::env::var(\"MUTANT\").ok());
    ON.as_deref() == Some(name)
}
";

/// The files below `root` that mutants change, with all of them in.
pub(super) fn mutated(root: &Path) -> BTreeMap<String, String> {
    let mut edits: BTreeMap<&str, Vec<(Range<usize>, String)>> = BTreeMap::new();
    let texts: BTreeMap<_, _> = mutants().map(|mutant| (mutant.file, read(root, mutant.file))).collect();
    for mutant in mutants() {
        for (from, to) in mutant.edits {
            let places: Vec<_> = texts[mutant.file].match_indices(from).map(|(at, _)| at).collect();
            let [at] = places[..] else {
                panic!("{}: `{from}` is {} times in {}, not once", mutant.name, places.len(), mutant.file);
            };
            assert_ne!(from, to, "{}", mutant.name);
            let to = to.replace(IS_ON, &format!("crate::is_mutant({:?})", mutant.name));
            edits.entry(mutant.file).or_default().push((at..at + from.len(), to));
        }
    }
    let mut mutated: BTreeMap<String, String> = BTreeMap::new();
    for (file, mut edits) in edits {
        edits.sort_by_key(|(place, _)| place.start);
        for pair in edits.windows(2) {
            assert!(pair[0].0.end <= pair[1].0.start, "two mutants change the same text in {file}: {pair:?}");
        }
        let mut text = texts[file].clone();
        for (place, to) in edits.into_iter().rev() {
            text.replace_range(place, &to);
        }
        mutated.insert(file.to_owned(), text);
    }
    let of_crate = |file: &String| format!("{}src/lib.rs", file.split_once("src/").unwrap().0);
    let libs: BTreeSet<_> = mutated.keys().map(of_crate).collect();
    for lib in libs {
        *mutated.entry(lib.clone()).or_insert_with(|| read(root, &lib)) += SWITCH;
    }
    mutated
}

fn read(root: &Path, file: &str) -> String {
    fs::read_to_string(root.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Makes the tree in `dir` that of [`ROOT`] with the mutants in it. What is there already as it should be is left alone, so that
/// it is not built again.
pub(super) fn make(dir: &Path) {
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(ROOT)
        .output()
        .unwrap();
    assert!(listed.status.success(), "git ls-files: {}", String::from_utf8_lossy(&listed.stderr));
    let listed = String::from_utf8(listed.stdout).unwrap();
    let mutated = mutated(Path::new(ROOT));
    let mut kept = BTreeSet::new();
    for file in listed.split_terminator('\0') {
        let (from, to) = (Path::new(ROOT).join(file), dir.join(file));
        let wanted = match mutated.get(file) {
            Some(text) => text.clone().into_bytes(),
            // One that is deleted and not committed.
            None if !from.exists() => continue,
            None => fs::read(&from).unwrap(),
        };
        if fs::read(&to).ok().as_ref() != Some(&wanted) {
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::write(&to, wanted).unwrap();
        }
        kept.insert(to);
    }
    for file in files(dir).into_iter().filter(|file| !kept.contains(file)) {
        fs::remove_file(file).unwrap();
    }
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}
