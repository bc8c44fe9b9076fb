//! What becomes of an Azure account: a pure function of what was declared, what was done to it, and the time. Nothing
//! ticks: an account is observed, and is then what it has become.
//!
//! After <https://learn.microsoft.com/azure/cost-management-billing/manage/upgrade-azure-subscription>,
//! <https://learn.microsoft.com/azure/cost-management-billing/manage/subscription-states> and, for Imagine, the page of 2017
//! "Upgrade your Free Trial or Microsoft Imagine Azure subscription to Pay-As-You-Go". What Microsoft does not publish is
//! a setting.

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::offer::Offer;
use super::settings::{Rejection, Settings};
use crate::credit::{Meter, Terms, days_later, seconds_later};
use crate::ground::By;

/// How long a deleted account is still shown as `Deleted` before it is not found.
const DELETED_SHOWN_DAYS: u32 = 1;

/// An account and what was done to it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Account {
    pub(crate) settings: Settings,
    pub(crate) upgrade: Option<Upgrade>,
    cancelled_at: Option<Timestamp>,
    /// Since when an invoice is overdue.
    unpaid_since: Option<Timestamp>,
    meter: Meter,
}

/// An upgrade that was accepted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Upgrade {
    pub(crate) at: Timestamp,
    pub(crate) by: By,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    CreditSpent,
    PeriodOver,
    Cancelled,
    /// An invoice was not paid.
    PastDue,
}

impl Cause {
    /// Whether an upgrade lifts it.
    const fn is_end_of_benefits(self) -> bool {
        matches!(self, Self::CreditSpent | Self::PeriodOver)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stop {
    pub(crate) at: Timestamp,
    pub(crate) cause: Cause,
}

/// The state that Azure Resource Manager shows. `Gone` accounts are not found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Enabled,
    PastDue,
    Warned,
    Disabled,
    Deleted,
    Gone,
}

impl State {
    /// Whether the account's resources work.
    pub(crate) const fn is_running(self) -> bool {
        matches!(self, Self::Enabled | Self::PastDue | Self::Warned)
    }
}

/// Why an upgrade is not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It is pay-as-you-go, or will be: nothing to do.
    AlreadyUpgraded,
    Deleted,
    Rejected(Rejection),
}

/// An account at one time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Snapshot<'a> {
    pub(crate) account: &'a Account,
    pub(crate) time: Timestamp,
    pub(crate) state: State,
    /// The upgrade was accepted: no spending limit any more.
    pub(crate) accepted: bool,
    /// The offer is pay-as-you-go because of an upgrade.
    pub(crate) converted: bool,
    pub(crate) stopped: Option<Stop>,
}

impl Account {
    pub(crate) fn new(settings: Settings) -> Self {
        Self { meter: Meter::new(settings.start_time), settings, upgrade: None, cancelled_at: None, unpaid_since: None }
    }

    /// The end of the period in which the benefits can be used; `None` when the offer has none.
    pub(crate) fn period_end(&self) -> Option<Timestamp> {
        self.settings.period_days.map(|days| days_later(self.settings.start_time, days))
    }

    /// When the benefits are used up if charges go on as they do; `None` when the offer has none.
    pub(crate) fn benefits_end(&self) -> Option<Stop> {
        let credit = self.meter.end(self.terms()).map(|at| Stop { at, cause: Cause::CreditSpent });
        let period = self.period_end().map(|at| Stop { at, cause: Cause::PeriodOver });
        [credit, period].into_iter().flatten().min_by_key(|stop| stop.at)
    }

    /// What the account is at `time`.
    pub(crate) fn at(&self, time: Timestamp) -> Snapshot<'_> {
        let upgrade = self.upgrade.as_ref().filter(|upgrade| upgrade.at <= time);
        let cancelled = self.cancelled_at.filter(|at| *at <= time).map(|at| Stop { at, cause: Cause::Cancelled });
        // A cancelled account changes no more.
        let last_change = cancelled.map_or(time, |stop| stop.at);
        let converted = upgrade.is_some_and(|upgrade| self.conversion(upgrade) <= last_change);
        // An upgrade that comes before the end of the benefits prevents the stop, a later one lifts it.
        let ended = self
            .benefits_end()
            .filter(|end| end.at <= last_change && !converted && upgrade.is_none_or(|upgrade| end.at <= upgrade.at));
        let unpaid = self.unpaid_since.filter(|since| *since <= time && cancelled.is_none());
        let unpaid = unpaid.map(|since| self.reminders(since));
        let stopped = ended.or(cancelled).or(unpaid.map(|(_, stop)| stop).filter(|stop| stop.at <= time));
        let state = match stopped {
            Some(stop) => self.after_stop(stop, upgrade.is_some(), time),
            None if let Some((warned, _)) = unpaid => {
                if warned <= time {
                    State::Warned
                } else {
                    State::PastDue
                }
            }
            None if self.settings.warned && upgrade.is_none() && self.ends_within_a_day(time) => State::Warned,
            None => State::Enabled,
        };
        Snapshot { account: self, time, state, accepted: upgrade.is_some(), converted, stopped }
    }

    /// The credit that is left at `time`, to the hundredth of a cent; `None` when the offer has none.
    pub(crate) fn credit_left(&self, time: Timestamp) -> Option<Decimal> {
        let mut account = self.clone();
        account.settle(time);
        account.meter.left(account.terms())
    }

    /// Changes what is declared. Charges up to `now` stay as they were; benefits that were exhausted can come back.
    pub(crate) fn patch(&mut self, settings: Settings, now: Timestamp) {
        self.settle(now);
        self.settings = settings;
        self.meter.revise(self.terms());
    }

    /// Charges the credit with `amount` at once.
    pub(crate) fn spend(&mut self, amount: Decimal, now: Timestamp) {
        self.settle(now);
        self.meter.charge(self.terms(), amount, now);
    }

    /// The owner cancels the account.
    pub(crate) fn cancel(&mut self, now: Timestamp) {
        self.settle(now);
        self.cancelled_at = Some(now);
    }

    /// The owner turns a cancelled account on again, which is for pay-as-you-go accounts only:
    /// <https://learn.microsoft.com/azure/cost-management-billing/manage/cancel-azure-subscription>. False: not possible.
    pub(crate) fn enable(&mut self, now: Timestamp) -> bool {
        let snapshot = self.at(now);
        let possible = snapshot.state == State::Disabled && snapshot.is_paid() && self.cancelled_at.is_some();
        if possible {
            self.settle(now);
            self.cancelled_at = None;
        }
        possible
    }

    /// An invoice becomes overdue, which is for pay-as-you-go accounts that work only. False: not possible.
    pub(crate) fn leave_unpaid(&mut self, now: Timestamp) -> bool {
        let snapshot = self.at(now);
        let possible = snapshot.state == State::Enabled && snapshot.is_paid();
        if possible {
            self.unpaid_since = Some(now);
        }
        possible
    }

    /// The overdue invoice is paid. False: there is none, or the account is deleted.
    pub(crate) fn pay(&mut self, now: Timestamp) -> bool {
        let deleted = matches!(self.at(now).state, State::Deleted | State::Gone);
        !deleted && self.unpaid_since.take().is_some()
    }

    /// Whether the upgrade can be made at `now`, by a caller of the broker or by a person.
    pub(crate) fn can_upgrade(&self, by: &By, now: Timestamp) -> Result<(), Refusal> {
        let snapshot = self.at(now);
        if matches!(snapshot.state, State::Deleted | State::Gone) {
            return Err(Refusal::Deleted);
        }
        if self.upgrade.is_some() || self.settings.offer == Offer::PayAsYouGo {
            return Err(Refusal::AlreadyUpgraded);
        }
        if let (By::Key(_), Some(rejection)) = (by, self.settings.reject_upgrade) {
            return Err(Refusal::Rejected(rejection));
        }
        if !snapshot.has_benefits() || self.cancelled_at.is_some() {
            return Err(Refusal::Rejected(Rejection::OfferNotEligible));
        }
        Ok(())
    }

    /// Accepts an upgrade that [`Self::can_upgrade`] allowed.
    pub(crate) fn upgrade(&mut self, by: By, now: Timestamp) {
        self.upgrade = Some(Upgrade { at: now, by });
    }

    /// When the offer changes: once the benefits are used up, for a stopped account once it is reactivated, and for
    /// Imagine, which has no credit to use up, at once.
    fn conversion(&self, upgrade: &Upgrade) -> Timestamp {
        match (self.reactivation(upgrade), self.benefits_end()) {
            (Some(at), _) => at,
            _ if self.settings.offer == Offer::Imagine => upgrade.at,
            (None, Some(end)) => end.at,
            (None, None) => Timestamp::MAX,
        }
    }

    /// When the account works again after this upgrade; `None` if it had not stopped.
    pub(crate) fn reactivation(&self, upgrade: &Upgrade) -> Option<Timestamp> {
        let stopped = self.benefits_end().is_some_and(|end| end.at <= upgrade.at);
        stopped.then(|| seconds_later(upgrade.at, self.settings.reactivation_delay_seconds.into()))
    }

    /// When the owner of an unpaid account is warned, and when the account stops.
    fn reminders(&self, since: Timestamp) -> (Timestamp, Stop) {
        let warned = days_later(since, self.settings.past_due_days);
        (warned, Stop { at: days_later(warned, self.settings.unpaid_warned_days), cause: Cause::PastDue })
    }

    fn after_stop(&self, stop: Stop, upgraded: bool, time: Timestamp) -> State {
        let deletion = days_later(stop.at, self.settings.grace_days);
        if time < deletion || (upgraded && stop.cause.is_end_of_benefits()) {
            State::Disabled
        } else if time < days_later(deletion, DELETED_SHOWN_DAYS) {
            State::Deleted
        } else {
            State::Gone
        }
    }

    fn ends_within_a_day(&self, time: Timestamp) -> bool {
        self.benefits_end().is_some_and(|end| end.at <= days_later(time, 1))
    }

    fn terms(&self) -> Terms {
        let granted = self.settings.credit.as_ref().map(|credit| credit.amount);
        Terms { granted, burn_per_day: self.settings.burn_per_day }
    }

    /// Brings the charges up to `now`. Nothing is charged outside the period or after a cancellation.
    fn settle(&mut self, now: Timestamp) {
        let ends = [Some(now), self.period_end(), self.cancelled_at];
        let until = ends.into_iter().flatten().min().unwrap_or(now);
        self.meter.settle(self.terms(), until, now);
    }
}

impl Snapshot<'_> {
    pub(crate) fn quota_id(&self) -> &str {
        let settings = &self.account.settings;
        let declared = if self.converted { &settings.converted_quota_id } else { &settings.quota_id };
        declared.as_deref().unwrap_or_else(|| self.offer().quota_id())
    }

    pub(crate) fn offer(&self) -> &Offer {
        if self.converted { &Offer::PayAsYouGo } else { &self.account.settings.offer }
    }

    /// Whether it is pay-as-you-go, by an upgrade or from the start.
    pub(crate) fn is_paid(&self) -> bool {
        *self.offer() == Offer::PayAsYouGo
    }

    /// Whether a spending limit is in force: always for an offer with benefits that was not upgraded.
    pub(crate) fn limited(&self) -> bool {
        self.has_benefits() && !self.accepted
    }

    /// Whether the account started with benefits.
    pub(crate) fn has_benefits(&self) -> bool {
        self.account.settings.credit.is_some() || self.account.settings.period_days.is_some()
    }

    /// Where the account is in its life, in one word.
    pub(crate) fn stage(&self) -> &'static str {
        match self.state {
            State::Gone => "Gone",
            State::Deleted => "Deleted",
            State::Disabled if self.accepted && self.stopped.is_some_and(|stop| stop.cause.is_end_of_benefits()) => {
                "Reactivating"
            }
            State::Disabled => "Disabled",
            _ if self.converted => "Converted",
            _ if self.accepted => "UpgradePending",
            _ if self.has_benefits() => "TrialActive",
            _ => "Active",
        }
    }
}
