//! A notice. Its texts may contain what others wrote: each receiver shortens them and escapes them for its format.

use std::collections::BTreeMap;

use jiff::Timestamp;
use url::Url;

use crate::contact::Contact;

/// How urgent a notice is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, strum::Display, strum::EnumString, strum::IntoStaticStr,
)]
#[strum(serialize_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Somebody should look at it today.
    Warning,
    /// Something has stopped, or soon will.
    Critical,
}

/// Why there is a notice.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    strum::Display,
    strum::EnumIter,
    strum::EnumString,
    strum::IntoStaticStr,
)]
pub enum Occasion {
    /// The trial's end, or the time at which the trigger is expected to be met, is a threshold away.
    EndAhead,
    /// The rate of use brings the end before the next threshold.
    EndSooner,
    /// An upgrade waits for an approval.
    ApprovalNeeded,
    /// Something else waits for a person, such as the upgrade in the portal.
    PersonNeeded,
    /// The account is switched off, closed or in its grace.
    Restricted,
    /// A deadline, such as the deletion of the account's data, is near.
    DeadlineNear,
    /// An upgrade was requested.
    Requested,
    /// The provider accepted the request.
    Accepted,
    /// The account's offer has changed.
    Converted,
    /// The provider refused the request.
    Refused,
    /// Whether an upgrade was made is unknown, and a person must find out.
    Unresolved,
    /// The credentials for the account do not work any more.
    CredentialsFailing,
    /// Somebody tests a receiver.
    Test,
}

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
