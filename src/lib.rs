//! payg-operator: moves cloud accounts from a free trial to pay-as-you-go once the trial's benefits are exhausted.
//!
//! `ARCHITECTURE.md` is the map. A pass over one Subscription goes: read, observe, decide, act, report.
//!
//! - `core` says what is true and what to do about it: one pure function from all that is known to a verdict, at most
//!   one effect and the next look. It has no client, no clock and no I/O.
//! - `api` has the four kinds that users write and read. The CustomResourceDefinitions are generated from them.
//! - `providers` says what a cloud shows and does. Each can read accounts and ask for one upgrade, and nothing else.
//! - `runtime` is the engine: watches, queue, workers, lease, Events, health and metrics. It knows nothing of billing.
//! - `operator` joins these: the passes, and the ledger of upgrades that is written before a provider is asked.
//! - `simulator` serves cloud accounts to test against. It shares no code with `providers`, and is in builds with the
//!   feature of its name only.
//! - `clock` has the billing clock, which tells the dates of trials. In production it is the wall clock.
//! - `text` bounds and shows what somebody else wrote.
//! - `yaml` reads YAML and JSON as kubectl does.
//! - `cli` is the command line: it turns options into settings, and runs one of the above.
//!
//! Who may use whom is in `tests/layers.rs`.

pub mod cli;
pub mod clock;
#[cfg(test)]
mod faults;
pub mod operator;
pub mod providers;
#[cfg(feature = "simulator")]
pub mod simulator;
