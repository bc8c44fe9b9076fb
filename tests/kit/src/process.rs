//! Child processes that die with us.

use std::{
    fs::{self, File},
    io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{LazyLock, mpsc},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{Instant, sleep};

use crate::Error;

const POLL: Duration = Duration::from_millis(10);

/// The kernel kills the program when its parent dies; in case the parent died before that was asked for, `sh` looks
/// once whether the parent is still there.
const LEASH: [&str; 6] = ["--pdeathsig", "KILL", "--", "sh", "-c", r#"[ "$PPID" = "$0" ] && exec "$@""#];

type Job = (Command, mpsc::Sender<io::Result<Child>>);

/// The thread that starts all the children. The kernel takes the death of the thread that started a child for the
/// death of its parent, so this one lives as long as the process.
static SPAWNER: LazyLock<mpsc::Sender<Job>> = LazyLock::new(|| {
    let (jobs, queue) = mpsc::channel::<Job>();
    thread::spawn(move || {
        for (mut command, answer) in queue {
            // Nobody waits for the answer any more only if the asking thread panicked.
            let _ = answer.send(command.spawn());
        }
    });
    jobs
});

/// A child process that writes to a log file, and that does not outlive this process: it is killed when the value is
/// dropped, and by the kernel when this process ends in whatever way, even by SIGKILL.
///
/// It has a process group of its own, so that Ctrl-C in a terminal reaches only this process.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command` with its output appended to the file `log`.
    ///
    /// Taken over from `command` are its program, arguments, working directory and what was set or removed in its
    /// environment; standard input is empty.
    pub fn spawn(name: &str, command: &Command, log: &Path) -> Result<Self, Error> {
        let failed = |source| Error::io(format!("cannot start {name} (with setpriv of util-linux)"), source);
        let file = File::options().create(true).append(true).open(log);
        let file = file.map_err(|source| Error::io(format!("cannot write {}", log.display()), source))?;
        let mut leashed = leash(command);
        leashed.stdin(Stdio::null()).stdout(file.try_clone().map_err(failed)?).stderr(file).process_group(0);
        let child = spawn_from_the_thread(leashed).map_err(failed)?;
        Ok(Self { name: name.to_owned(), child, log: log.to_owned() })
    }

    /// The name it was started with.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The process id of the program itself.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The file with everything it wrote.
    pub fn log_path(&self) -> &Path {
        &self.log
    }

    /// The last `lines` lines of what it wrote.
    pub fn log_tail(&self, lines: usize) -> String {
        let log = fs::read(&self.log).unwrap_or_else(|error| format!("(unreadable: {error})").into_bytes());
        let log = String::from_utf8_lossy(&log);
        let skipped = log.lines().count().saturating_sub(lines);
        log.lines().skip(skipped).collect::<Vec<_>>().join("\n")
    }

    /// How it ended, if it has.
    pub fn try_wait(&mut self) -> Result<Option<ExitStatus>, Error> {
        self.child.try_wait().map_err(|source| Error::io(format!("cannot wait for {}", self.name), source))
    }

    /// Asks it to end (SIGTERM), and kills it if it has not after `timeout`; the status shows which (signal 9).
    pub async fn stop(&mut self, timeout: Duration) -> Result<ExitStatus, Error> {
        if let Some(status) = self.try_wait()? {
            return Ok(status);
        }
        self.signal(Signal::TERM, "stop")?;
        let deadline = Instant::now() + timeout;
        while Instant::now() < deadline {
            if let Some(status) = self.try_wait()? {
                return Ok(status);
            }
            sleep(POLL).await;
        }
        self.kill()
    }

    /// Has it stand still (SIGSTOP), as a machine without time for it does, until [`Self::resume`]. It can be killed meanwhile.
    pub fn pause(&self) -> Result<(), Error> {
        self.signal(Signal::STOP, "pause")
    }

    /// Has it go on (SIGCONT).
    pub fn resume(&self) -> Result<(), Error> {
        self.signal(Signal::CONT, "resume")
    }

    /// Kills it (SIGKILL) and waits until it is gone.
    pub fn kill(&mut self) -> Result<ExitStatus, Error> {
        let status = self.child.kill().and_then(|()| self.child.wait());
        status.map_err(|source| Error::io(format!("cannot kill {}", self.name), source))
    }

    fn signal(&self, signal: Signal, what: &str) -> Result<(), Error> {
        kill_process(Pid::from_child(&self.child), signal)
            .map_err(|source| Error::io(format!("cannot {what} {}", self.name), source.into()))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails only if it is gone already.
        let _ = self.kill();
    }
}

fn leash(command: &Command) -> Command {
    let mut leashed = Command::new("setpriv");
    leashed.args(LEASH).arg(std::process::id().to_string()).arg(command.get_program()).args(command.get_args());
    if let Some(dir) = command.get_current_dir() {
        leashed.current_dir(dir);
    }
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => leashed.env(name, value),
            None => leashed.env_remove(name),
        };
    }
    leashed
}

fn spawn_from_the_thread(command: Command) -> io::Result<Child> {
    let gone = || io::Error::other("the thread that starts processes is gone");
    let (answer, answered) = mpsc::channel();
    SPAWNER.send((command, answer)).map_err(|_| gone())?;
    answered.recv().map_err(|_| gone())?
}
