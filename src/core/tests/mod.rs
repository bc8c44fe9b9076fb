//! The decision, tested from outside: a table with a case for each row, and properties over arbitrary inputs.

mod claims;
mod contradictions;
mod forecasts;
pub(crate) mod given;
mod less;
mod messages;
mod operations;
pub(crate) mod properties;
mod remembered;
mod requesters;
mod table;
mod terms;
