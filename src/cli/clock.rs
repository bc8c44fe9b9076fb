//! The billing clock on the command line. Only a build with the simulator has these options.

use clap::Args;

use crate::clock::BillingClock;

/// Where the billing clock starts and how fast it runs; the wall clock if absent.
#[derive(Clone, Copy, Debug, Default, Args)]
#[allow(clippy::struct_field_names, reason = "they are the options' names")]
pub struct ClockArgs {
    /// What the billing clock shows at --billing-origin (RFC 3339)
    #[cfg(feature = "simulator")]
    #[arg(long, requires = "billing_origin", requires = "billing_rate")]
    billing_start: Option<jiff::Timestamp>,
    /// The wall time at which the billing clock shows --billing-start (RFC 3339)
    #[cfg(feature = "simulator")]
    #[arg(long, requires = "billing_start")]
    billing_origin: Option<jiff::Timestamp>,
    /// How many times as fast as the wall clock the billing clock runs; 86400 makes a day pass in a second
    #[cfg(feature = "simulator")]
    #[arg(long, requires = "billing_start", value_parser = clap::value_parser!(u32).range(1..))]
    billing_rate: Option<u32>,
}

impl ClockArgs {
    /// The clock.
    #[cfg_attr(not(feature = "simulator"), allow(clippy::unused_self, reason = "there is nothing to choose"))]
    pub fn clock(self) -> BillingClock {
        #[cfg(feature = "simulator")]
        if let (Some(start), Some(origin), Some(rate)) = (self.billing_start, self.billing_origin, self.billing_rate) {
            return BillingClock::scaled(start, origin, rate);
        }
        BillingClock::real()
    }
}
