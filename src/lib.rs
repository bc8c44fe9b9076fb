//! payg-operator: moves cloud accounts from a free trial to pay-as-you-go once the trial's benefits are exhausted.

pub mod api;
pub mod clock;
pub mod core;
pub mod providers;
pub mod runtime;
#[cfg(feature = "simulator")]
pub mod simulator;
