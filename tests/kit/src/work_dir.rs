//! The directory of one control plane, which is removed however this process ends.

use std::{
    fs::{self, File},
    io,
    os::unix::process::CommandExt,
    panic,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Mutex, MutexGuard, Once, PoisonError},
};

use crate::Error;

/// Waits until the process that started it is gone or closes the pipe, then removes the directory, without the logs
/// if these are to be kept. Processes that die at the same moment may still write for a while, hence the repetition.
const REAPER: &str = r#"
trap '' INT TERM HUP
read -r _
victim=$1
[ -e "$1/state/keep-logs" ] && victim=$1/state
n=0
until rm -rf "$victim" 2>/dev/null || [ $n -ge 100 ]; do n=$((n + 1)); sleep 0.1; done
"#;

/// All the directories of this process, for the panic hook.
static LIVE: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// `logs/` holds what the processes write, `state/` everything else.
pub(crate) struct WorkDir {
    path: PathBuf,
    reaper: Child,
}

impl WorkDir {
    pub(crate) fn create() -> Result<Self, Error> {
        let failed = |source| Error::io("cannot make a temporary directory", source);
        let path = tempfile::Builder::new().prefix("payg-control-plane-").tempdir().map_err(failed)?.keep();
        let reaper = start_reaper(&path).map_err(|source| Error::io("cannot start sh", source))?;
        let dir = Self { path, reaper };
        fs::create_dir(dir.logs()).and_then(|()| fs::create_dir(dir.state())).map_err(failed)?;
        keep_logs_on_panic();
        live().push(dir.path.clone());
        Ok(dir)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn logs(&self) -> PathBuf {
        self.path.join("logs")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.path.join("state")
    }

    pub(crate) fn write(&self, name: &str, content: &str) -> Result<PathBuf, Error> {
        let path = self.state().join(name);
        fs::write(&path, content).map_err(|source| Error::io(format!("cannot write {}", path.display()), source))?;
        Ok(path)
    }

    pub(crate) fn keep_logs(&self) {
        keep_logs(&self.path);
    }
}

impl Drop for WorkDir {
    fn drop(&mut self) {
        live().retain(|path| path != &self.path);
        drop(self.reaper.stdin.take());
        // It cannot fail in a way that we could mend, and a drop has nobody to tell.
        let _ = self.reaper.wait();
    }
}

/// In a process group of its own, so that neither Ctrl-C nor a kill of our group ends it before us.
fn start_reaper(path: &Path) -> io::Result<Child> {
    Command::new("sh")
        .args(["-c", REAPER, "reaper"])
        .arg(path)
        .current_dir("/")
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}

fn live() -> MutexGuard<'static, Vec<PathBuf>> {
    LIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Marks the logs as worth keeping, once.
fn keep_logs(path: &Path) {
    if File::create_new(path.join("state/keep-logs")).is_ok() {
        eprintln!("The logs of the control plane are kept in {}", path.join("logs").display());
    }
}

/// A panic is a failed test. By a hook and not on drop: what a `static` holds is never dropped.
fn keep_logs_on_panic() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            previous(info);
            live().iter().for_each(|path| keep_logs(path));
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_removed_on_drop() {
        let dir = WorkDir::create().unwrap();
        let path = dir.path().to_owned();
        dir.write("secret", "x").unwrap();
        drop(dir);
        assert!(!path.exists());
    }

    #[test]
    fn only_logs_are_kept() {
        let dir = WorkDir::create().unwrap();
        let (path, log) = (dir.path().to_owned(), dir.logs().join("etcd.log"));
        fs::write(&log, "x").unwrap();
        dir.write("secret", "x").unwrap();
        dir.keep_logs();
        drop(dir);
        assert!(log.exists());
        assert!(!path.join("state").exists());
        fs::remove_dir_all(path).unwrap();
    }
}
