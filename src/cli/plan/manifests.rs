//! The manifests that a plan is made from.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::super::Error;

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

/// All objects in the files and directories that `paths` name; `-` is standard input. One that names no namespace is in
/// `namespace`.
pub fn read(paths: &[PathBuf], namespace: &str) -> Result<Vec<Manifest>, Error> {
    let mut manifests = Vec::new();
    for path in paths {
        if path == Path::new("-") {
            let mut text = String::new();
            io::stdin().read_to_string(&mut text).map_err(|error| format!("standard input cannot be read: {error}"))?;
            parse("standard input", &text, &mut manifests)?;
            continue;
        }
        for file in files(path)? {
            let place = file.display().to_string();
            let text = fs::read_to_string(&file).map_err(|error| format!("{place} cannot be read: {error}"))?;
            parse(&place, &text, &mut manifests)?;
        }
    }
    for manifest in &mut manifests {
        let metadata = &mut manifest.object["metadata"];
        if metadata.is_object() && metadata["namespace"].is_null() {
            metadata["namespace"] = namespace.into();
        }
    }
    Ok(manifests)
}

/// The manifests at `path`: itself, or those in the directory, at any depth.
fn files(path: &Path) -> Result<Vec<PathBuf>, Error> {
    let fail = |error: io::Error| format!("{} cannot be read: {error}", path.display());
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut entries = fs::read_dir(path).and_then(Iterator::collect::<io::Result<Vec<_>>>).map_err(fail)?;
    entries.sort_by_key(fs::DirEntry::path);
    let mut found = Vec::new();
    for entry in entries.iter().map(fs::DirEntry::path) {
        let hidden = entry.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        let is_manifest =
            entry.extension().is_some_and(|end| ["yaml", "yml", "json"].map(Some).contains(&end.to_str()));
        if entry.is_dir() && !hidden {
            found.extend(files(&entry)?);
        } else if is_manifest {
            found.push(entry);
        }
    }
    Ok(found)
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
    use super::*;

    fn problem(text: &str) -> String {
        parse("a.yaml", text, &mut Vec::new()).unwrap_err().to_string()
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
