//! How the process ends: by a signal, or because a task ended that never should.

use std::collections::HashMap;
use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::workers::panic_text;

/// The process could not register for a signal.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen for the signal {name}: {source}; without it the process could not stop in order")]
pub struct SignalError {
    pub name: &'static str,
    pub source: io::Error,
}

/// A token that is cancelled by the first SIGTERM or SIGINT.
pub fn on_signal() -> Result<CancellationToken, SignalError> {
    let listen = |kind, name| signal(kind).map_err(|source| SignalError { name, source });
    let mut terminate = listen(SignalKind::terminate(), "SIGTERM")?;
    let mut interrupt = listen(SignalKind::interrupt(), "SIGINT")?;
    let shutdown = CancellationToken::new();
    let token = shutdown.clone();
    tokio::spawn(async move {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        info!("{name}: shutting down");
        token.cancel();
    });
    Ok(shutdown)
}

/// The long tasks of the process. They end together: when one has ended the process should, too, because nothing
/// does the ended one's work any more. Dropping this drops them all.
#[derive(Debug)]
pub struct Tasks<T> {
    set: JoinSet<T>,
    names: HashMap<Id, &'static str>,
}

#[derive(Debug)]
pub struct Ended<T> {
    pub name: &'static str,
    pub result: Result<T, Panicked>,
}

/// A task panicked, which is a bug.
#[derive(Debug, thiserror::Error)]
#[error("the task \"{name}\" panicked, which is a bug in this program; please report it: {message}")]
pub struct Panicked {
    pub name: &'static str,
    pub message: String,
}

impl<T: Send + 'static> Tasks<T> {
    pub fn new() -> Self {
        Self { set: JoinSet::new(), names: HashMap::new() }
    }

    pub fn spawn(&mut self, name: &'static str, task: impl Future<Output = T> + Send + 'static) {
        let id = self.set.spawn(task).id();
        self.names.insert(id, name);
    }

    /// Waits until a task ends; none if there is no task. Dropping the future loses nothing.
    pub async fn next_ended(&mut self) -> Option<Ended<T>> {
        let ended = self.set.join_next_with_id().await?;
        let id = ended.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        let name = self.names.remove(&id).unwrap_or("unnamed");
        let result = ended.map(|(_, output)| output).map_err(|error| Panicked { name, message: panic_text(error) });
        Some(Ended { name, result })
    }
}

impl<T: Send + 'static> Default for Tasks<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_task_that_ends_is_named() {
        let mut tasks = Tasks::new();
        tasks.spawn("watch", std::future::pending::<u8>());
        tasks.spawn("http", async { 7 });
        let ended = tasks.next_ended().await.unwrap();
        assert_eq!((ended.name, ended.result.unwrap()), ("http", 7));
    }

    #[tokio::test]
    async fn a_panic_is_told_with_its_message() {
        let mut tasks = Tasks::<()>::new();
        tasks.spawn("watch", async { panic!("index {} is wrong", 3) });
        let error = tasks.next_ended().await.unwrap().result.unwrap_err().to_string();
        assert!(error.contains("\"watch\" panicked") && error.contains("index 3 is wrong"), "{error}");
        assert!(tasks.next_ended().await.is_none());
    }

    #[tokio::test]
    async fn a_signal_cancels_the_token() {
        let shutdown = on_signal().unwrap();
        let own = std::process::id().to_string();
        let kill = tokio::process::Command::new("sh").args(["-c", "kill -TERM $0", &own]).status().await.unwrap();
        assert!(kill.success());
        shutdown.cancelled().await;
    }
}
