//! What a Subscription would come to.

use std::collections::BTreeSet;
use std::fmt::{self, Write};

use serde::Serialize;

use payg_api::{Benefit, Forecast, Subscription, Time};
use payg_core::reason::{ConditionType, Reason};

use super::super::show;

/// What would be done about an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Action {
    /// The upgrade would be requested within minutes.
    Upgrade,
    /// It would be requested when the trigger is met.
    UpgradeLater,
    /// It would be requested once somebody has approved.
    UpgradeAfterApproval,
    /// A person would be asked to make it.
    AskPerson,
    /// Nothing: it is as it is wanted, or is left alone.
    Nothing,
    /// Nothing, as something is wrong or not known.
    Blocked,
}

impl Action {
    const ALL: [Self; 6] =
        [Self::Upgrade, Self::UpgradeLater, Self::UpgradeAfterApproval, Self::AskPerson, Self::Nothing, Self::Blocked];

    fn of(subscription: &Subscription) -> Self {
        let Some(ready) = show::condition(subscription, ConditionType::Ready) else { return Self::Blocked };
        match ready.reason.parse() {
            Ok(Reason::Upgrading) => Self::Upgrade,
            Ok(Reason::WaitingForExhaustion) => Self::UpgradeLater,
            Ok(Reason::AwaitingApproval) => Self::UpgradeAfterApproval,
            Ok(Reason::AwaitingPortalUpgrade) => Self::AskPerson,
            Ok(
                Reason::OfferInPlace
                | Reason::UpgradeAccepted
                | Reason::Observing
                | Reason::Suspended
                | Reason::UpgradeDenied,
            ) => Self::Nothing,
            _ => Self::Blocked,
        }
    }

    /// Whether it leads to charges, by itself or through people.
    pub const fn is_change(self) -> bool {
        matches!(self, Self::Upgrade | Self::UpgradeLater | Self::UpgradeAfterApproval | Self::AskPerson)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Upgrade => "upgrade now",
            Self::UpgradeLater => "upgrade later",
            Self::UpgradeAfterApproval => "upgrade after approval",
            Self::AskPerson => "ask a person to upgrade",
            Self::Nothing => "leave as it is",
            Self::Blocked => "blocked",
        })
    }
}

/// What a Subscription would come to, as machines read it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    pub namespace: String,
    pub name: String,
    /// Where its manifest is.
    pub place: String,
    pub account: String,
    pub action: Action,
    /// The reason and the message of the Ready condition that the operator would write.
    pub reason: String,
    pub message: String,
    /// What the observation of the account could not read, or found odd, where it succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remarks: Option<String>,
    /// The offer in force, where the account was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offer: Option<String>,
    pub wanted_offer: &'static str,
    /// When, and with which approval.
    pub upgrade: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub benefits: Vec<Benefit>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forecast: Option<Forecast>,
    /// What is charged from the upgrade on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<String>,
    /// From when on it is too late.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline_time: Option<Time>,
    /// What an UpgradeApproval names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transition_hash: Option<String>,
}

impl Outcome {
    pub fn of(place: &str, subscription: &Subscription) -> Self {
        let status = subscription.status.clone().unwrap_or_default();
        let ready = show::condition(subscription, ConditionType::Ready);
        let metadata = &subscription.metadata;
        Self {
            namespace: metadata.namespace.clone().unwrap_or_default(),
            name: metadata.name.clone().unwrap_or_default(),
            place: place.to_owned(),
            account: show::account(subscription),
            action: Action::of(subscription),
            reason: ready.map_or_else(|| "Unknown".to_owned(), |ready| ready.reason.clone()),
            message: ready.map_or_else(String::new, |ready| ready.message.clone()),
            remarks: show::remarks(subscription).map(str::to_owned),
            offer: status.offer.as_ref().map(|seen| show::offer(&seen.offer)),
            wanted_offer: show::wanted(subscription),
            upgrade: show::wish(subscription),
            benefits: status.benefits,
            forecast: status.forecast,
            cost: status.transition.as_ref().and_then(|transition| transition.cost_note.as_deref().map(str::to_owned)),
            deadline_time: status.transition.as_ref().and_then(|transition| transition.deadline_time),
            transition_hash: status.transition.map(|transition| transition.hash),
        }
    }

    /// When the upgrade would be requested, as far as that is known.
    fn when(&self) -> String {
        let due = self.forecast.as_ref().and_then(|forecast| forecast.due_time);
        match (self.action, due) {
            (Action::Upgrade, _) => "now".to_owned(),
            (Action::UpgradeLater, Some(due)) => format!("{due}, by the forecast"),
            (Action::UpgradeLater, None) => "not known".to_owned(),
            (Action::UpgradeAfterApproval | Action::AskPerson, _) => "once a person has acted".to_owned(),
            (Action::Nothing | Action::Blocked, _) => String::new(),
        }
    }
}

/// All of it in a sentence.
pub fn sentence(outcomes: &[Outcome]) -> String {
    let count = |action: &Action| outcomes.iter().filter(|outcome| outcome.action == *action).count();
    let parts = Action::ALL.iter().map(|action| (action, count(action))).filter(|(_, count)| *count > 0);
    let parts: Vec<_> = parts.map(|(action, count)| format!("{count} {action}")).collect();
    if parts.is_empty() {
        "Plan: there are no Subscriptions.".to_owned()
    } else {
        format!("Plan: {}.", parts.join(", "))
    }
}

/// Text in which Markdown sees no cell, tag, link, picture or code.
fn plain(text: &str) -> String {
    let marks = |letter| matches!(letter, '&' | '<' | '>' | '|' | '[' | ']' | '`' | '\\');
    text.chars().fold(String::new(), |mut plain, letter| {
        if marks(letter) {
            let _ = write!(plain, "&#{};", u32::from(letter)); // a String takes all that is written to it
        } else {
            plain.push(letter);
        }
        plain
    })
}

/// As a step's summary in Markdown.
pub fn markdown(outcomes: &[Outcome]) -> String {
    let cell = |text: &str| plain(&show::printable(text));
    let mut text = format!("### {}\n\n", sentence(outcomes));
    text += "| Subscription | Account | Offer now | Offer wanted | What would happen | When | Why | Benefits | Hash to approve |\n";
    text += "| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n";
    for outcome in outcomes {
        let benefits: Vec<_> = outcome.benefits.iter().map(show::benefit).collect();
        let cells = [
            format!("{}/{}", outcome.namespace, outcome.name),
            outcome.account.clone(),
            outcome.offer.clone().unwrap_or_else(|| "not seen".to_owned()),
            outcome.wanted_offer.to_owned(),
            format!("**{}**", outcome.action),
            outcome.when(),
            [&format!("{}: {}", outcome.reason, outcome.message), outcome.remarks.as_deref().unwrap_or_default()]
                .join(" "),
            benefits.join("; "),
            outcome.transition_hash.clone().unwrap_or_default(),
        ];
        let _ = writeln!(text, "| {} |", cells.map(|text| cell(&text)).join(" | "));
    }
    let costs: BTreeSet<_> =
        outcomes.iter().filter(|outcome| outcome.action.is_change()).filter_map(|one| one.cost.as_deref()).collect();
    for cost in costs {
        let _ = writeln!(text, "\n{}", cell(cost));
    }
    text + "\n"
}
