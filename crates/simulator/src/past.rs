//! What something was, from when on: reads can be behind.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Something that changes, with all that it was before. Never empty.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Vec<(Timestamp, T)>", into = "Vec<(Timestamp, T)>", bound(serialize = "T: Clone + Serialize"))]
pub(crate) struct Past<T> {
    first: (Timestamp, T),
    later: Vec<(Timestamp, T)>,
}

impl<T> Past<T> {
    pub(crate) fn new(since: Timestamp, first: T) -> Self {
        Self { first: (since, first), later: Vec::new() }
    }

    pub(crate) fn now(&self) -> &T {
        let (_, last) = self.later.last().unwrap_or(&self.first);
        last
    }

    /// What it was at `time`; before there was anything, what there was first.
    pub(crate) fn at(&self, time: Timestamp) -> &T {
        let (_, then) = self.later.iter().rev().find(|(since, _)| *since <= time).unwrap_or(&self.first);
        then
    }

    /// Everything that it ever was.
    pub(crate) fn all(&self) -> impl Iterator<Item = &T> {
        std::iter::once(&self.first).chain(&self.later).map(|(_, then)| then)
    }

    pub(crate) fn change(&mut self, since: Timestamp, to: T) {
        self.later.push((since, to));
    }
}

impl<T> TryFrom<Vec<(Timestamp, T)>> for Past<T> {
    type Error = &'static str;

    fn try_from(all: Vec<(Timestamp, T)>) -> Result<Self, Self::Error> {
        let mut all = all.into_iter();
        let first = all.next().ok_or("the past of something is empty")?;
        Ok(Self { first, later: all.collect() })
    }
}

impl<T> From<Past<T>> for Vec<(Timestamp, T)> {
    fn from(past: Past<T>) -> Self {
        std::iter::once(past.first).chain(past.later).collect()
    }
}
