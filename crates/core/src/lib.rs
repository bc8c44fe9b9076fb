//! What is true and what to do about it. Pure and total: no I/O, no clock, no panics. Everything outside text is a type
//! that cannot be wrong; providers and `api` parse into these types, [`decide::decide`] decides on them.

pub mod account;
pub mod allowance;
pub mod approval;
pub mod decide;
pub mod desired;
pub mod forecast;
pub mod inputs;
pub mod message;
pub mod money;
pub mod notice;
pub mod observation;
pub mod offer;
pub mod outage;
pub mod provider;
pub mod reason;
pub mod record;
pub mod schedule;
pub mod source;
pub mod transition;
pub mod trigger;
pub mod verdict;
mod visibility;
