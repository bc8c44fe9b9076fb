//! payg-operator: moves cloud accounts from a free trial to pay-as-you-go once the trial's benefits are exhausted.

pub mod clock;
/// The engine: what any operator needs and nothing of billing. Watches that never stop, one queue, bounded workers, the
/// lease, Events, metrics, probes, and an orderly end.
pub mod runtime;
