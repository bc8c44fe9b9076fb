//! A notice. Its texts may contain what others wrote: each receiver shortens them and escapes them for its format.

use std::collections::BTreeMap;

use jiff::Timestamp;
pub use payg_core::notice::{Occasion, Severity};
use url::Url;

use crate::contact::Contact;

/// A message about one Subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Its identity, the same over restarts and replicas: of the Subscription's uid, the occasion, and the threshold or
    /// transition. What goes to Alertmanager keeps its severity for as long as it holds: that is a label of the alert.
    pub id: String,
    pub occasion: Occasion,
    pub severity: Severity,
    /// Since when it holds, by the wall clock.
    pub starts: Timestamp,
    /// When it ceased to hold; `None` while it does.
    pub ends: Option<Timestamp>,
    /// It is pointless to begin to deliver it after this time by the wall clock; `None` if it never is.
    pub moot_after: Option<Timestamp>,
    /// The Subscription's namespace, name and uid.
    pub namespace: String,
    pub name: String,
    pub uid: String,
    /// The Subscription's labels, by which routes choose.
    pub labels: BTreeMap<String, String>,
    /// The contacts that the Subscription names.
    pub contacts: Vec<Contact>,
    /// The account, as users know it.
    pub account: String,
    /// What happened, in a few words.
    pub title: String,
    /// What happened and what to do, in one paragraph. Addresses in it do not become links: those have fields of their own.
    pub text: String,
    /// Facts in the order in which they are shown, such as ("Credit left", "12.40 USD").
    pub facts: Vec<(&'static str, String)>,
    /// The command that ends it.
    pub command: Option<String>,
    /// Where at the provider a person ends it.
    pub link: Option<Url>,
    /// The Subscription on the operator's page.
    pub page: Option<Url>,
}
