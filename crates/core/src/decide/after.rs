//! What doing something about a decision makes of it.

use std::time::Duration;

use crate::schedule::{Requeue, poll};
use crate::verdict::Verdict;

use super::Decision;

/// What came of the effect of a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Acted {
    /// It was done, or there was none.
    AsDecided,
    /// Nothing could be written, as the record that is there cannot be read.
    UnreadableRecord,
    /// The upgrade was requested. The provider may ask to wait before it is asked how far it has come.
    Requested(Option<Duration>),
    /// Nothing was requested, as the ledger could not be written.
    LedgerRefused {
        /// What the API server said.
        detail: String,
    },
}

impl Decision {
    /// This decision, after what came of its effect.
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
