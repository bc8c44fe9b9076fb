//! What is reported of a decision: the status, written as a patch of what differs, and an Event if the verdict has changed.

pub mod patch;
pub mod render;
pub mod report;
