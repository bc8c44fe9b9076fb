//! What waits for one receiver. Pure: the worker asks what is next, and says what became of it.

use std::cmp::Reverse;
use std::sync::Arc;

use jiff::Timestamp;

use crate::dispatcher::NotDelivered;
use crate::notice::{Notice, Severity};

/// Notices in the order in which they are tried: the least tried first, so that one which always fails holds back no other;
/// of those the most urgent; of those the oldest.
#[derive(Debug)]
pub(crate) struct Queue {
    most: usize,
    next: u64,
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    notice: Arc<Notice>,
    order: u64,
    tries: u32,
    /// The worker has it now.
    is_tried_now: bool,
    /// What to tell once the worker is back.
    newer: Option<Arc<Notice>>,
    /// Not to be tried again.
    is_withdrawn: bool,
}

impl Entry {
    fn new(notice: Arc<Notice>, order: u64) -> Self {
        Self { notice, order, tries: 0, is_tried_now: false, newer: None, is_withdrawn: false }
    }

    /// How soon it is tried; the smallest first.
    fn turn(&self) -> (u32, Reverse<Severity>, u64) {
        (self.tries, Reverse(self.notice.severity), self.order)
    }
}

/// A notice that is given up, and why.
pub(crate) type Dropped = (Arc<Notice>, NotDelivered);

impl Queue {
    /// A queue of at most so many notices, without the one that is tried.
    pub(crate) fn new(most: usize) -> Self {
        Self { most, next: 0, entries: Vec::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Queues `notice` instead of an older one with the same id. What is dropped for it is returned.
    pub(crate) fn offer(&mut self, notice: Arc<Notice>) -> Option<Dropped> {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.notice.id == notice.id) {
            entry.is_withdrawn = false;
            if entry.is_tried_now {
                entry.newer = (entry.notice != notice).then_some(notice);
            } else {
                entry.notice = notice;
            }
            return None;
        }
        self.next += 1;
        self.entries.push(Entry::new(notice, self.next));
        if self.entries.len() <= self.most {
            return None;
        }
        let waiting = self.entries.iter().enumerate().filter(|(_, entry)| !entry.is_tried_now);
        let least = waiting.min_by_key(|(_, entry)| (entry.notice.severity, Reverse(entry.order)))?.0;
        Some((self.entries.swap_remove(least).notice, NotDelivered::QueueFull))
    }

    /// The notice with this id is not needed any more: it leaves the queue, or is not tried again.
    pub(crate) fn withdraw(&mut self, id: &str) -> Option<Dropped> {
        let index = self.entries.iter().position(|entry| entry.notice.id == id)?;
        if self.entries[index].is_tried_now {
            self.entries[index].is_withdrawn = true;
            return None;
        }
        Some((self.entries.swap_remove(index).notice, NotDelivered::Moot))
    }

    /// What to try next, and what has become moot before that.
    pub(crate) fn take(&mut self, now: Timestamp) -> (Option<Arc<Notice>>, Vec<Dropped>) {
        let is_moot = |entry: &mut Entry| entry.notice.moot_after.is_some_and(|moot| now > moot);
        let moot = self.entries.extract_if(.., is_moot).map(|entry| (entry.notice, NotDelivered::Moot)).collect();
        let next = self.entries.iter_mut().min_by_key(|entry| entry.turn());
        let next = next.map(|entry| {
            entry.is_tried_now = true;
            Arc::clone(&entry.notice)
        });
        (next, moot)
    }

    /// The worker is done with the notice of this id: the receiver took it, or never will.
    pub(crate) fn done(&mut self, id: &str) {
        let Some(index) = self.entries.iter().position(|entry| entry.notice.id == id && entry.is_tried_now) else {
            return;
        };
        let done = self.entries.swap_remove(index);
        if let Some(notice) = done.newer {
            self.next += 1;
            self.entries.push(Entry::new(notice, self.next));
        }
    }

    /// The worker did not succeed with what it had: it waits again, in its newest form, unless it was withdrawn.
    pub(crate) fn failed(&mut self) -> Option<Dropped> {
        let index = self.entries.iter().position(|entry| entry.is_tried_now)?;
        let entry = &mut self.entries[index];
        if entry.is_withdrawn {
            return Some((self.entries.swap_remove(index).notice, NotDelivered::Moot));
        }
        entry.is_tried_now = false;
        entry.tries = entry.tries.saturating_add(1);
        if let Some(newer) = entry.newer.take() {
            entry.notice = newer;
        }
        None
    }

    /// Empties the queue, because the receiver is gone.
    pub(crate) fn clear(&mut self) -> Vec<Dropped> {
        self.entries.drain(..).map(|entry| (entry.notice, NotDelivered::ReceiverGone)).collect()
    }
}

#[cfg(test)]
mod tests;
