//! The billing clock on the command line.

use clap::Args;

use payg_clock::Clock;

/// Where the billing clock starts and how fast it runs; the wall clock if absent.
#[derive(Clone, Copy, Debug, Default, Args)]
#[allow(clippy::struct_field_names, reason = "they are the options' names")]
pub struct ClockArgs {
    /// What the billing clock shows at --billing-origin (RFC 3339)
    #[arg(long, global = true, requires = "billing_origin", requires = "billing_rate")]
    billing_start: Option<jiff::Timestamp>,
    /// The wall time at which the billing clock shows --billing-start (RFC 3339)
    #[arg(long, global = true, requires = "billing_start")]
    billing_origin: Option<jiff::Timestamp>,
    /// How many times as fast as the wall clock the billing clock runs; 86400 makes a day pass in a second
    #[arg(long, global = true, requires = "billing_start", value_parser = clap::value_parser!(u32).range(1..))]
    billing_rate: Option<u32>,
}

impl ClockArgs {
    pub fn clock(self) -> Clock {
        if let (Some(start), Some(origin), Some(rate)) = (self.billing_start, self.billing_origin, self.billing_rate) {
            return Clock::scaled(start, origin, rate);
        }
        Clock::real()
    }
}
