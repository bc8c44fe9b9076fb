//! The decision, tested from outside: a table with a case for each row, and properties over arbitrary inputs.
#![allow(clippy::unwrap_used, clippy::panic, reason = "these are tests")]

mod besides;
mod claims;
mod contradictions;
mod document;
mod forecasts;
mod messages;
mod notices;
mod operations;
mod outages;
mod properties;
mod remembered;
mod requesters;
mod table;
mod terms;
mod visibility;
