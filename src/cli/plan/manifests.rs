//! The manifests that a plan is made from.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::super::{Error, files};

/// An object and where it stands.
pub struct Manifest {
    /// The file, and the number of the document in it.
    pub place: String,
    pub object: Value,
}

impl Manifest {
    pub fn kind(&self) -> &str {
        self.object["kind"].as_str().unwrap_or_default()
    }

    pub fn name(&self) -> &str {
        self.object["metadata"]["name"].as_str().unwrap_or_default()
    }

    /// Whether it is of one of our kinds.
    pub fn is_ours(&self) -> bool {
        self.object["apiVersion"].as_str().is_some_and(|version| version.starts_with("payg-operator.io/"))
    }
}

/// A file of manifests may have so many bytes.
const LARGEST: u64 = 8 << 20;
/// All of them together may have so many.
const LARGEST_PLAN: u64 = 64 << 20;

/// All objects in the files and directories that `paths` name; `-` is standard input. One that names no namespace is in
/// `namespace`.
pub fn read(paths: &[PathBuf], namespace: &str) -> Result<Vec<Manifest>, Error> {
    let mut texts = Vec::new();
    let mut left = LARGEST_PLAN;
    for (place, file) in named(paths)? {
        let text = match &file {
            None => files::text(io::stdin(), LARGEST, &place)?,
            Some(file) => files::read(file, LARGEST, &place)?,
        };
        left = left.checked_sub(text.len() as u64).ok_or_else(|| {
            format!("with {place} there are more than {} MiB of manifests; plan a part of them", LARGEST_PLAN >> 20)
        })?;
        texts.push((place, text));
    }
    let mut manifests = Vec::new();
    for (place, text) in texts {
        parse(&place, &text, &mut manifests)?;
    }
    for manifest in &mut manifests {
        let metadata = &mut manifest.object["metadata"];
        if metadata.is_object() && metadata["namespace"].is_null() {
            metadata["namespace"] = namespace.into();
        }
    }
    Ok(manifests)
}

/// What is shown of where manifests are, and the file; none is standard input.
type Place = (String, Option<PathBuf>);

/// The places that `paths` name, in their order: a file itself, and those in a directory, at any depth.
fn named(paths: &[PathBuf]) -> Result<Vec<Place>, Error> {
    let resolved = paths.iter().filter(|path| path.is_dir()).map(fs::canonicalize);
    let mut walk = Walk { roots: resolved.filter_map(Result::ok).collect(), ..Walk::default() };
    for path in paths {
        if path == Path::new("-") {
            walk.found.push(("standard input".to_owned(), None));
        } else if path.is_dir() {
            walk.directory(path, &resolve(path, path)?)?;
        } else {
            walk.found.push((path.display().to_string(), Some(path.clone())));
        }
    }
    Ok(walk.found)
}

/// A way through directories that somebody else may have filled. It leads to each file once, and never out of them.
#[derive(Default)]
struct Walk {
    /// The directories that were named, without links.
    roots: Vec<PathBuf>,
    /// Where it has been.
    seen: HashSet<PathBuf>,
    found: Vec<Place>,
}

impl Walk {
    /// Goes through the directory that is called `shown`, and without links `real`.
    fn directory(&mut self, shown: &Path, real: &Path) -> Result<(), Error> {
        if !self.seen.insert(real.to_owned()) {
            return Ok(());
        }
        let fail = |error: io::Error| format!("{} cannot be read: {error}", shown.display());
        let mut entries = fs::read_dir(real).and_then(Iterator::collect::<io::Result<Vec<_>>>).map_err(fail)?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let (name, path) = (entry.file_name(), entry.path());
            let hidden = name.to_string_lossy().starts_with('.');
            let is_manifest =
                path.extension().is_some_and(|end| ["yaml", "yml", "json"].map(Some).contains(&end.to_str()));
            let is_directory = path.is_dir() && !hidden;
            if !is_manifest && !is_directory {
                continue;
            }
            let shown = shown.join(&name);
            let real = if path.is_symlink() { self.inside(&shown, &path)? } else { path };
            if is_directory {
                self.directory(&shown, &real)?;
            } else if self.seen.insert(real.clone()) {
                self.found.push((shown.display().to_string(), Some(real)));
            }
        }
        Ok(())
    }

    /// Where the link leads, if that is in a directory that was named.
    fn inside(&self, shown: &Path, link: &Path) -> Result<PathBuf, Error> {
        let real = resolve(shown, link)?;
        if self.roots.iter().any(|root| real.starts_with(root)) {
            return Ok(real);
        }
        let (shown, real) = (shown.display(), real.display());
        Err(format!("{shown} is a link to {real}, outside of what was named, and is not followed: delete it, or name {real} with -f, too").into())
    }
}

/// The path without links of what is shown as `shown`.
fn resolve(shown: &Path, path: &Path) -> Result<PathBuf, Error> {
    Ok(fs::canonicalize(path).map_err(|error| format!("{} cannot be read: {error}", shown.display()))?)
}

fn parse(place: &str, text: &str, manifests: &mut Vec<Manifest>) -> Result<(), Error> {
    // No more of the error than where it is: it quotes the text, which may be that of a Secret.
    let documents: Vec<Value> = serde_saphyr::from_multiple(text).map_err(|error| {
        let place_in_it =
            error.location().map_or_else(String::new, |at| format!(" at line {}, column {}", at.line(), at.column()));
        format!("{place} is not YAML{place_in_it}: look at quotes, brackets, indentation and keys that are there twice")
    })?;
    for (number, document) in (1..).zip(documents) {
        let place = format!("{place} (document {number})");
        match document {
            Value::Null => {}
            mut list if list["kind"] == "List" => {
                let items = list["items"].take();
                for object in items.as_array().into_iter().flatten() {
                    manifests.push(Manifest { place: place.clone(), object: object.clone() });
                }
            }
            object if object.is_object() => manifests.push(Manifest { place, object }),
            _ => return Err(format!("{place} is not an object").into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn problem(text: &str) -> String {
        parse("a.yaml", text, &mut Vec::new()).unwrap_err().to_string()
    }

    fn tree() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("repo/deep/er")).unwrap();
        for file in ["repo/a.yaml", "repo/deep/er/b.json", "outside.yaml"] {
            fs::write(dir.path().join(file), "kind: A\n").unwrap();
        }
        dir
    }

    fn found(dir: &Path) -> Result<Vec<String>, String> {
        let places = named(&[dir.to_owned()]).map_err(|error| error.to_string())?;
        Ok(places.into_iter().map(|(place, _)| place.strip_prefix(dir.to_str().unwrap()).unwrap().to_owned()).collect())
    }

    #[test]
    fn links_inside_are_followed_and_each_file_is_read_once() {
        let dir = tree();
        let repo = dir.path().join("repo");
        // What is mounted of a ConfigMap is such a link.
        fs::create_dir(repo.join("..data")).unwrap();
        fs::write(repo.join("..data/c.yaml"), "kind: C\n").unwrap();
        symlink("..data/c.yaml", repo.join("c.yaml")).unwrap();
        symlink("a.yaml", repo.join("again.yaml")).unwrap();
        symlink("..", repo.join("deep/er/loop")).unwrap();
        symlink(".", repo.join("self")).unwrap();
        assert_eq!(found(&repo).unwrap(), ["/a.yaml", "/c.yaml", "/deep/er/b.json"]);
    }

    #[test]
    fn no_link_leads_out() {
        for (name, target) in
            [("x.yaml", "../outside.yaml"), ("x", "/"), ("x.yml", "/dev/zero"), ("deep/x", "../../repo/..")]
        {
            let dir = tree();
            let repo = dir.path().join("repo");
            symlink(target, repo.join(name)).unwrap();
            let refusal = found(&repo).unwrap_err();
            assert!(
                refusal.contains(&format!("repo/{name} is a link to ")) && refusal.contains("not followed"),
                "{refusal}"
            );
        }
        let dir = tree();
        symlink("../outside.yaml", dir.path().join("repo/x.yaml")).unwrap();
        assert_eq!(found(dir.path()).unwrap().len(), 3, "what was named holds it");
        symlink("/nonexistent", dir.path().join("repo/README")).unwrap();
        assert_eq!(found(dir.path()).unwrap().len(), 3, "what is no manifest is left alone");
    }

    #[test]
    fn all_manifests_together_have_an_end() {
        let dir = tempfile::tempdir().unwrap();
        let comment = format!("# {}\n", "x".repeat(usize::try_from(LARGEST).unwrap() - 100));
        for number in 0..=LARGEST_PLAN / LARGEST {
            fs::write(dir.path().join(format!("{number}.yaml")), &comment).unwrap();
        }
        let refusal = read(&[dir.path().to_owned()], "default").err().unwrap().to_string();
        assert!(refusal.contains("8.yaml") && refusal.contains("64 MiB"), "{refusal}");
    }

    #[test]
    fn what_is_no_yaml_is_placed_and_not_shown() {
        for text in [
            "stringData:\n  clientSecret: \"s3cr3t-value\n  other: y\n",
            "metadata: {name: x\nstringData:\n  clientSecret: s3cr3t-value: x\n",
            "stringData:\n  clientSecret: *s3cr3t-value\n",
            "s3cr3t-value: 1\ns3cr3t-value: 2\n",
            "stringData:\n  clientSecret: !s3cr3t-value {\n",
        ] {
            let problem = problem(text);
            assert!(problem.starts_with("a.yaml is not YAML"), "{problem}");
            assert!(!problem.contains("s3cr3t-value"), "{problem}");
        }
        assert!(problem("a: 1\nb: \"\n").contains("at line "), "{}", problem("a: 1\nb: \"\n"));
    }

    #[test]
    fn lists_and_empty_documents_are_taken_apart() {
        let mut manifests = Vec::new();
        let text = "---\n---\nkind: List\nitems: [{kind: A}, {kind: B}]\n---\nkind: C\n";
        parse("a.yaml", text, &mut manifests).unwrap();
        assert_eq!(manifests.iter().map(Manifest::kind).collect::<Vec<_>>(), ["A", "B", "C"]);
        assert!(problem("- 1\n").contains("is not an object"));
    }
}
