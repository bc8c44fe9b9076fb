//! The decision, tested from outside: a table with a case for each row, and properties over arbitrary inputs.

mod given;
mod properties;
mod table;
