//! Which files a plan reads: those that are named, and those in directories that are named, as `kubectl apply -R` has it.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::super::Error;

/// A file of manifests.
pub struct Place {
    /// How it is shown.
    pub shown: String,
    /// Where it is; none is standard input.
    pub file: Option<PathBuf>,
    /// Whether it was named itself. One in a directory may be of somebody else.
    pub named: bool,
}

/// The places that `paths` name, in their order: a file itself, and those in a directory, at any depth.
pub fn places(paths: &[PathBuf]) -> Result<Vec<Place>, Error> {
    let resolved = paths.iter().filter(|path| path.is_dir()).map(fs::canonicalize);
    let mut walk = Walk { roots: resolved.filter_map(Result::ok).collect(), ..Walk::default() };
    for path in paths {
        if path == Path::new("-") {
            walk.found.push(Place { shown: "standard input".to_owned(), file: None, named: true });
        } else if path.is_dir() {
            walk.directory(path, &resolve(path, path)?)?;
        } else {
            walk.found.push(Place { shown: path.display().to_string(), file: Some(path.clone()), named: true });
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
    /// Goes through the directory that is called `shown`, and without links `real`. Links to directories are not followed.
    fn directory(&mut self, shown: &Path, real: &Path) -> Result<(), Error> {
        if !self.seen.insert(real.to_owned()) {
            return Ok(());
        }
        let fail = |error: io::Error| format!("{} cannot be read: {error}", shown.display());
        let mut entries = fs::read_dir(real).and_then(Iterator::collect::<io::Result<Vec<_>>>).map_err(fail)?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let (name, path) = (entry.file_name(), entry.path());
            let shown = shown.join(&name);
            if path.is_dir() {
                let hidden = name.to_string_lossy().starts_with('.');
                if !hidden && !path.is_symlink() {
                    self.directory(&shown, &path)?;
                }
                continue;
            }
            if !path.extension().is_some_and(|end| ["yaml", "yml", "json"].map(Some).contains(&end.to_str())) {
                continue;
            }
            let real = if path.is_symlink() { self.inside(&shown, &path)? } else { path };
            if self.seen.insert(real.clone()) {
                self.found.push(Place { shown: shown.display().to_string(), file: Some(real), named: false });
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
        Err(format!(
            "{shown} is a link to {real}, outside the given paths, and is not followed; delete it, or add -f {real}"
        )
        .into())
    }
}

/// The path without links of what is shown as `shown`.
fn resolve(shown: &Path, path: &Path) -> Result<PathBuf, Error> {
    Ok(fs::canonicalize(path).map_err(|error| format!("{} cannot be read: {error}", shown.display()))?)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn tree() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("repo/deep/er")).unwrap();
        for file in ["repo/a.yaml", "repo/deep/er/b.json", "outside.yaml"] {
            fs::write(dir.path().join(file), "kind: A\n").unwrap();
        }
        dir
    }

    fn found(dir: &Path) -> Result<Vec<String>, String> {
        let places = places(&[dir.to_owned()]).map_err(|error| error.to_string())?;
        Ok(places.into_iter().map(|one| one.shown.strip_prefix(dir.to_str().unwrap()).unwrap().to_owned()).collect())
    }

    #[test]
    fn links_to_files_inside_are_followed_and_each_is_read_once() {
        let dir = tree();
        let repo = dir.path().join("repo");
        // What is mounted of a ConfigMap is such a link.
        fs::create_dir(repo.join("..data")).unwrap();
        fs::write(repo.join("..data/c.yaml"), "kind: C\n").unwrap();
        symlink("..data/c.yaml", repo.join("c.yaml")).unwrap();
        symlink("a.yaml", repo.join("again.yaml")).unwrap();
        assert_eq!(found(&repo).unwrap(), ["/a.yaml", "/c.yaml", "/deep/er/b.json"]);
    }

    #[test]
    fn links_to_directories_are_not_followed() {
        let dir = tree();
        let repo = dir.path().join("repo");
        for (name, target) in
            [("x", "deep"), ("x.yaml", "deep"), ("out", ".."), ("root", "/"), ("self", "."), ("deep/er/loop", "..")]
        {
            symlink(target, repo.join(name)).unwrap();
        }
        assert_eq!(found(&repo).unwrap(), ["/a.yaml", "/deep/er/b.json"]);
        symlink("repo", dir.path().join("named")).unwrap();
        assert_eq!(found(&dir.path().join("named")).unwrap().len(), 2, "what was named is gone through");
    }

    #[test]
    fn no_link_leads_out() {
        for (name, target) in
            [("x.yaml", "../outside.yaml"), ("x.yml", "/dev/zero"), ("deep/x.json", "../../outside.yaml")]
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
}
