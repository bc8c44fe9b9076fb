//! Delivers notices to receivers: Alertmanager, CloudEvents, Slack and its like, Microsoft Teams, mail and Flux.
//!
//! It knows nothing of Kubernetes or of accounts. Its caller decides which notice is due, and when. This crate chooses the
//! receivers, writes the notice in their formats, and delivers it at least once:
//!
//! ```no_run
//! use payg_clock::Clock;
//! use payg_notify::{Config, Delivery, Dispatcher, Notice};
//!
//! # async fn program(text: &str, notice: Notice, was_taken: fn(&str) -> bool) -> Result<(), Box<dyn std::error::Error>> {
//! let config = Config::parse(text)?;
//! let (dispatcher, mut outcomes) = Dispatcher::start(config.clone(), Clock::real());
//!
//! // At each reconcile, and again until the receiver took it. A notice that is queued already is not queued twice.
//! for receiver in config.routes(&notice) {
//!     if !was_taken(receiver.as_str()) || config.delivery(receiver) == Some(Delivery::State) {
//!         dispatcher.offer(&notice, receiver);
//!     }
//! }
//!
//! // Beside the reconciles.
//! while let Some(outcome) = outcomes.recv().await {
//!     match outcome.result {
//!         Ok(()) => println!("{} took {}", outcome.receiver, outcome.notice.id), // write it into the status
//!         Err(why) => println!("{} did not take {}: {why}", outcome.receiver, outcome.notice.id),
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod config;
mod contact;
mod dispatcher;
mod endpoint;
mod fields;
#[cfg(test)]
mod fixtures;
mod foreign;
mod mail;
mod notice;
mod queue;
mod receivers;
mod route;

pub use config::{Config, Delivery, ReceiverName};
pub use contact::{Contact, ContactError, MOST_CONTACTS, MailAddress};
pub use dispatcher::{Counts, Dispatcher, MakeReceiver, NotDelivered, Outcome, SendError, send_once};
pub use fields::ConfigError;
pub use notice::{Notice, Occasion, Severity};
pub use receivers::Receiver;
