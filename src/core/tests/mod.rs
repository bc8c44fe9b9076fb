//! The decision, tested from outside: a table with a case for each row, and properties over arbitrary inputs.

mod contradictions;
mod forecasts;
pub(crate) mod given;
mod less;
mod messages;
mod operations;
pub(crate) mod properties;
mod remembered;
mod table;
mod terms;
