//! payg-operator: moves cloud accounts from a free trial to pay-as-you-go once the trial's benefits are exhausted.
//!
//! `ARCHITECTURE.md` is the map. The product is here: `operator` reconciles, and `cli` is the command line. What they stand
//! on are the crates in `crates/`.

pub mod cli;
pub mod operator;
