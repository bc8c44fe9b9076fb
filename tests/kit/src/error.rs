//! What can go wrong, and what the reader can do about it.

use std::{io, path::PathBuf, process::ExitStatus};

/// Why the control plane, or a process beside it, could not do what was requested.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The programs are not where they are looked for.
    #[error("the control plane's programs are not there: {0}")]
    NoPrograms(String),

    /// A process of the control plane ended when it should have run.
    #[error("{name} ended during the start ({status}). The end of its log:\n{log_tail}\nAll logs: {}", logs.display())]
    Exited {
        /// The process.
        name: String,
        /// How it ended.
        status: ExitStatus,
        /// The last lines that it wrote.
        log_tail: String,
        /// The directory of all the logs.
        logs: PathBuf,
    },

    /// The control plane did not become ready in time.
    #[error(
        "the control plane is not ready after {seconds} s: {waited_for} is missing. \
         See what the processes wrote in {}", logs.display()
    )]
    NotReady {
        /// What has not happened.
        waited_for: &'static str,
        /// How long it was waited for.
        seconds: u64,
        /// The directory of all the logs.
        logs: PathBuf,
    },

    /// A certificate or key could not be made.
    #[error("cannot make a certificate: {0}")]
    Certificate(#[from] rcgen::Error),

    /// Client certificates carry at most two groups here.
    #[error("a user can have at most two groups here, and {0} were asked for")]
    TooManyGroups(usize),

    /// The API server did not do what was requested.
    #[error("cannot {what}: {source}")]
    Kube {
        /// What was tried.
        what: String,
        /// The client's error.
        source: Box<kube::Error>,
    },

    /// The API server granted a token and left it out of its answer.
    #[error("the API server's answer to a TokenRequest holds no token")]
    NoToken,

    /// A kubeconfig file could not be used.
    #[error("cannot use the kubeconfig {}: {source}", path.display())]
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<kube::config::KubeconfigError>,
    },

    /// etcd refused a write.
    #[error("etcd did not store {key}; it answered: {answer}")]
    Etcd {
        /// The key that was written.
        key: String,
        /// The whole HTTP answer.
        answer: String,
    },

    /// The simulator did not do what was requested.
    #[error("the simulator: {0}")]
    Simulator(String),

    /// kubectl failed.
    #[error("{0}")]
    Kubectl(String),

    /// The operating system refused something.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// The error.
        source: io::Error,
    },
}

impl Error {
    /// An error of the operating system, with what was tried.
    pub fn io(what: impl Into<String>, source: io::Error) -> Self {
        Self::Io { what: what.into(), source }
    }

    #[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` gives")]
    pub(crate) fn simulator(source: reqwest::Error) -> Self {
        Self::Simulator(source.to_string())
    }

    pub(crate) fn kube(what: impl Into<String>, source: kube::Error) -> Self {
        Self::Kube { what: what.into(), source: Box::new(source) }
    }

    /// Whether somebody else took a port between our finding it free and the process listening on it.
    pub(crate) fn is_port_taken(&self) -> bool {
        matches!(self, Self::Exited { log_tail, .. } if log_tail.contains("address already in use"))
    }
}
