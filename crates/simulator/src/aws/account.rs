//! What becomes of an AWS account: a pure function of what was declared, what was done to it, and the time. Nothing
//! ticks: an account is observed, and is then what it has become.
//!
//! After <https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/free-tier-plans.html> and
//! <https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-closing.html>. What AWS does not publish is a
//! setting, or a guess that the documentation of the simulator lists.

use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::settings::{Plan, Rejection, Settings};
use crate::credit::{Meter, Terms, days_later, seconds_later};
use crate::ground::By;

/// How long an account that its owner has closed can be opened again: the post-closure period.
const POST_CLOSURE_DAYS: u32 = 90;
/// How long the credit of a new account lasts from its creation: <https://aws.amazon.com/free/free-tier-faqs/>
const CREDIT_MONTHS: u32 = 12;

/// An account and what was done to it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Account {
    pub(crate) settings: Settings,
    /// When it was made: perhaps before its plan starts.
    pub(crate) created: Timestamp,
    pub(crate) upgrade: Option<Upgrade>,
    closed_at: Option<Timestamp>,
    /// All that was ever granted.
    granted: Decimal,
    meter: Meter,
}

/// An upgrade that was applied.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Upgrade {
    pub(crate) at: Timestamp,
    pub(crate) by: By,
    /// Whether the free plan had ended before.
    late: bool,
}

/// `AccountPlanType`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PlanType {
    Free,
    Paid,
}

impl PlanType {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Free => "FREE",
            Self::Paid => "PAID",
        }
    }
}

/// `AccountPlanStatus`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PlanStatus {
    NotStarted,
    Active,
    Expired,
}

impl PlanStatus {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::NotStarted => "NOT_STARTED",
            Self::Active => "ACTIVE",
            Self::Expired => "EXPIRED",
        }
    }
}

/// `AccountState`, as far as accounts here have it. `Gone` accounts are no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Active,
    Closed,
    Gone,
}

impl State {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Closed | Self::Gone => "CLOSED",
        }
    }
}

/// Why an upgrade is not made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It is on the paid plan, or will be: nothing to do.
    AlreadyPaid,
    /// There is no record of a plan.
    NoRecord,
    /// Its owner has closed it.
    Closed,
    Gone,
    Rejected(Rejection),
}

/// An account at one time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Snapshot {
    /// `None`: there is no record.
    pub(crate) plan: Option<(PlanType, PlanStatus)>,
    pub(crate) state: State,
    pub(crate) stage: &'static str,
}

impl Account {
    pub(crate) fn new(settings: Settings, now: Timestamp) -> Self {
        Self {
            created: settings.start_time.min(now),
            upgrade: None,
            closed_at: None,
            granted: settings.credit.as_ref().map_or(Decimal::ZERO, |credit| credit.amount),
            meter: Meter::new(settings.start_time),
            settings,
        }
    }

    /// When the free plan is over at the latest; `None` when the account did not start with it.
    pub(crate) fn plan_end(&self) -> Option<Timestamp> {
        (self.settings.plan == Plan::Free).then(|| months_later(self.settings.start_time, self.settings.plan_months))
    }

    /// When the benefits are used up if charges go on as they do; `None`: never.
    pub(crate) fn benefits_end(&self) -> Option<Timestamp> {
        match self.plan_end() {
            Some(end) if self.upgrade.is_none() => Some(self.credit_end().map_or(end, |spent| spent.min(end))),
            _ => self.credit_end(),
        }
    }

    /// The first and the last moment of the credit.
    pub(crate) fn credit_period(&self) -> (Timestamp, Timestamp) {
        (self.created, months_later(self.created, CREDIT_MONTHS))
    }

    /// What the account is at `time`.
    pub(crate) fn at(&self, time: Timestamp) -> Snapshot {
        let upgrade = self.upgrade.as_ref().filter(|upgrade| upgrade.at <= time);
        let closed = self.closed_at.filter(|at| *at <= time);
        // A closed account changes no more.
        let last_change = closed.unwrap_or(time);
        let shown = upgrade
            .is_some_and(|upgrade| seconds_later(upgrade.at, self.settings.upgrade_seconds.into()) <= last_change);
        let ended = match upgrade {
            Some(upgrade) => upgrade.late && !shown,
            None => self.free_plan_ended(last_change).is_some(),
        };
        let plan_type = match self.settings.plan {
            Plan::None => None,
            Plan::Free if !shown => Some(PlanType::Free),
            Plan::Free | Plan::Paid => Some(PlanType::Paid),
        };
        let status = match plan_type {
            _ if ended => PlanStatus::Expired,
            _ if !shown && last_change < self.settings.start_time => PlanStatus::NotStarted,
            _ => PlanStatus::Active,
        };
        let gone_at = match (closed, upgrade) {
            (Some(closed), _) => Some(days_later(closed, POST_CLOSURE_DAYS)),
            (None, Some(_)) => None,
            (None, None) => self.free_plan_ended(time).map(|end| days_later(end, self.settings.grace_days)),
        };
        let account_state = if gone_at.is_some_and(|at| at <= time) {
            State::Gone
        } else if closed.is_some() || (ended && self.settings.closes_at_once) {
            State::Closed
        } else {
            State::Active
        };
        let stage = match (account_state, plan_type, status) {
            (State::Gone, ..) => "Gone",
            _ if closed.is_some() => "Closed",
            (_, None, _) => "NoRecord",
            _ if shown => "Converted",
            _ if upgrade.is_some() => "UpgradePending",
            (.., PlanStatus::NotStarted) => "NotStarted",
            (.., PlanStatus::Expired) => "Expired",
            (_, Some(PlanType::Paid), _) => "Active",
            (_, Some(PlanType::Free), _) => "TrialActive",
        };
        Snapshot { plan: plan_type.map(|plan| (plan, status)), state: account_state, stage }
    }

    /// All that was granted, in the credit's currency; `None` when there is no credit.
    pub(crate) fn granted(&self) -> Option<Decimal> {
        self.settings.credit.as_ref().map(|_| self.granted)
    }

    /// The credit that is left at `time`, to the hundredth of a cent; `None` when there is none.
    pub(crate) fn credit_left(&self, time: Timestamp) -> Option<Decimal> {
        if time >= self.credit_period().1 {
            return self.granted().map(|_| Decimal::ZERO);
        }
        let mut account = self.clone();
        account.settle(time);
        account.meter.left(account.terms())
    }

    /// When the credit was spent, if it is at `time`.
    pub(crate) fn spent_up(&self, time: Timestamp) -> Option<Timestamp> {
        let mut account = self.clone();
        account.settle(time);
        account.meter.spent_up_at()
    }

    /// Changes what is declared. Charges up to `now` stay as they were; benefits that were used up can come back.
    pub(crate) fn patch(&mut self, settings: Settings, now: Timestamp) {
        self.settle(now);
        let amount = |settings: &Settings| settings.credit.as_ref().map_or(Decimal::ZERO, |credit| credit.amount);
        self.granted = (self.granted - amount(&self.settings) + amount(&settings)).max(Decimal::ZERO);
        self.settings = settings;
        self.meter.revise(self.terms());
    }

    /// Charges the credit with `amount` at once.
    pub(crate) fn spend(&mut self, amount: Decimal, now: Timestamp) {
        self.settle(now);
        self.meter.charge(self.terms(), amount, now);
    }

    /// The owner closes the account.
    pub(crate) fn close(&mut self, now: Timestamp) {
        self.settle(now);
        self.closed_at = Some(now);
    }

    /// Whether the upgrade can be made at `now`, by a caller or by a person.
    pub(crate) fn can_upgrade(&self, by: &By, now: Timestamp) -> Result<(), Refusal> {
        if self.at(now).state == State::Gone {
            return Err(Refusal::Gone);
        }
        match self.settings.plan {
            Plan::None => return Err(Refusal::NoRecord),
            Plan::Paid => return Err(Refusal::AlreadyPaid),
            Plan::Free if self.upgrade.is_some() => return Err(Refusal::AlreadyPaid),
            Plan::Free => {}
        }
        if let (By::Caller(_), Some(rejection)) = (by, &self.settings.reject_upgrade) {
            return Err(Refusal::Rejected(rejection.clone()));
        }
        if self.closed_at.is_some() { Err(Refusal::Closed) } else { Ok(()) }
    }

    /// Applies an upgrade that [`Self::can_upgrade`] allowed. What is left of the credit stays.
    pub(crate) fn upgrade(&mut self, by: By, now: Timestamp) {
        let late = self.free_plan_ended(now).is_some();
        self.settle(now);
        if self.settings.credit.is_some() {
            self.granted = self.granted.saturating_add(self.settings.upgrade_bonus);
        }
        self.meter.revise(self.terms());
        self.upgrade = Some(Upgrade { at: now, by, late });
    }

    /// When the free plan ended, if that was by `time` and nobody had upgraded.
    fn free_plan_ended(&self, time: Timestamp) -> Option<Timestamp> {
        let on_it = self.settings.plan == Plan::Free && self.upgrade.is_none();
        let end = self.benefits_end().filter(|_| on_it)?;
        (end <= time && self.closed_at.is_none_or(|closed| end <= closed)).then_some(end)
    }

    fn credit_end(&self) -> Option<Timestamp> {
        self.meter.end(self.terms())
    }

    fn terms(&self) -> Terms {
        Terms { granted: self.granted(), burn_per_day: self.settings.burn_per_day }
    }

    /// Brings the charges up to `now`. Nothing is charged after the end of a free plan, or when the account is closed.
    fn settle(&mut self, now: Timestamp) {
        let plan_end = self.plan_end().filter(|_| self.upgrade.is_none());
        let until = [Some(now), plan_end, self.closed_at].into_iter().flatten().min().unwrap_or(now);
        self.meter.settle(self.terms(), until, now);
    }
}

impl Snapshot {
    pub(crate) fn is_gone(&self) -> bool {
        self.state == State::Gone
    }
}

fn months_later(time: Timestamp, months: u32) -> Timestamp {
    let later = time.to_zoned(TimeZone::UTC).checked_add(Span::new().months(i64::from(months).min(MOST_MONTHS)));
    later.map_or(Timestamp::MAX, |zoned| zoned.timestamp())
}

/// More months than the calendar has, and as many as a span can have.
const MOST_MONTHS: i64 = 200_000;
