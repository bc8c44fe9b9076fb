//! The decision after its effect was attempted.

use std::time::Duration;

use crate::schedule::{Requeue, poll};
use crate::verdict::Verdict;

use super::Decision;

/// The result of a decision's effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Acted {
    /// It was done, or there was none.
    AsDecided,
    /// Nothing could be written, because the existing record cannot be read.
    UnreadableRecord,
    /// The upgrade was requested. The provider may name a pause before its progress is read.
    Requested(Option<Duration>),
    /// Nothing was requested, because the ledger could not be written.
    LedgerRefused {
        /// What the API server said.
        detail: String,
    },
}

impl Decision {
    /// This decision, changed by the result of its effect.
    #[must_use]
    pub fn after(self, acted: Acted) -> Self {
        match acted {
            Acted::AsDecided | Acted::Requested(None) => self,
            Acted::UnreadableRecord => Self { next: Requeue::Backoff(None), ..self },
            Acted::Requested(Some(pause)) => Self { next: Requeue::After(poll(pause)), ..self },
            Acted::LedgerRefused { detail } => {
                Self { verdict: Verdict::LedgerUnavailable { detail }, next: Requeue::Backoff(None), ..self }
            }
        }
    }
}
