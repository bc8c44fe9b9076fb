//! One reconcile of each kind of object, as its story: read, observe, decide, act, report.

pub mod billing_provider;
pub mod subscription;
pub mod upgrade_record;
