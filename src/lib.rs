//! payg-operator: moves cloud accounts from a free trial to pay-as-you-go once the trial's benefits are exhausted.

pub mod clock;
#[cfg(feature = "simulator")]
pub mod simulator;
