//! How much of the trial's credit is left. Pure. Azure reports the balance of all credits of a billing profile together, and
//! an estimate at that, so it counts only where the trial's is the only one. What does not fit is unknown, and said.

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::credit::Credit;
use super::wire::{Amount, Balance, Lot, LotProperties, lot_date, money};
use payg_core::money::Money;

/// What the balance and the credits behind it say of the trial's.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Remaining {
    /// What is left; negative where Azure says so.
    pub(super) left: Option<Money>,
    /// The amount at the start, by the list of credits.
    pub(super) granted: Option<Money>,
    /// When the credit ends, by the list of credits.
    pub(super) end: Option<Timestamp>,
    /// Why what is left is not known, though there is a balance.
    pub(super) remark: Option<String>,
}

/// What `credit` says of a trial's credit of which `granted` was granted.
pub(super) fn remaining(credit: &Credit, granted: Option<Money>) -> Remaining {
    // Credits that were not read may be any: also others than the trial's, of which the balance is.
    let lots = credit.lots.as_deref().ok_or("the credits behind the balance could not be read");
    let lot = match lots.and_then(|lots| trial_lot(lots, granted)) {
        Ok(lot) => lot,
        Err(why) => return Remaining { remark: remark(credit, why), ..Remaining::default() },
    };
    let of_lot = lot.and_then(amount_of_lot);
    // A credit that is only presumed to be the trial's does not end it.
    let end = lot.filter(|_| granted.is_some()).and_then(end_of_lot);
    let (left, remark) = match credit.balance.as_ref().map(|balance| left(&balance.properties, lot, granted.or(of_lot)))
    {
        None => (None, None),
        Some(Ok(left)) => (Some(left), None),
        Some(Err(why)) => (None, remark(credit, why)),
    };
    Remaining { left, granted: of_lot, end, remark }
}

fn remark(credit: &Credit, why: &str) -> Option<String> {
    // What could not be read is said already.
    credit
        .balance
        .as_ref()
        .filter(|_| credit.remarks.is_empty())
        .map(|_| format!("The remaining credit is not known: {why}."))
}

fn left(balance: &Balance, lot: Option<&LotProperties>, granted: Option<Money>) -> Result<Money, &'static str> {
    let estimated = balance.summary.as_ref().and_then(|summary| summary.estimated_balance.as_ref());
    let left = estimated.and_then(amount).ok_or("the balance has no amount in a currency that is understood")?;
    if balance.credit_currency.as_deref().is_some_and(|currency| currency != left.currency.to_string()) {
        return Err("the balance is in two currencies");
    }
    let granted = granted.ok_or("neither the initial amount nor the credits behind the balance are reported")?;
    if granted.currency != left.currency {
        return Err("the balance is in another currency than the initial credit");
    }
    if left.amount > granted.amount {
        return Err("the balance is larger than the initial credit, so it must include another one");
    }
    match lot {
        Some(lot) if !is_live(lot) && left.amount > Decimal::ZERO => {
            Err("the balance belongs to a credit that has ended")
        }
        // It may be the balance of no credit at all: whether a trial's is among them is not documented.
        None if left.amount.is_zero() => Err("the balance is zero, and the list does not contain the trial's credit"),
        _ => Ok(left),
    }
}

/// The trial's credit, if it is the only one that lives, or there is no other.
fn trial_lot(lots: &[Lot], granted: Option<Money>) -> Result<Option<&LotProperties>, &'static str> {
    let all: Vec<_> = lots.iter().map(|lot| &lot.properties).collect();
    let live: Vec<_> = all.iter().copied().filter(|lot| is_live(lot)).collect();
    match if live.is_empty() { &all } else { &live }[..] {
        [] => Ok(None),
        [lot] if !is_promotional(lot) => Err("the billing profile's credit is not a trial's"),
        [lot] if amount_of_lot(lot).is_none_or(|amount| granted.is_some_and(|granted| granted != amount)) => {
            Err("the billing profile's credit is not the trial's own")
        }
        [lot] => Ok(Some(lot)),
        _ => Err("the billing profile has several credits"),
    }
}

/// Whether it may be a part of the balance. A status that is not known may be.
fn is_live(lot: &LotProperties) -> bool {
    !matches!(lot.status.as_deref(), Some("Inactive" | "Expired" | "Complete" | "Canceled"))
}

/// The second spelling is that of older versions.
fn is_promotional(lot: &LotProperties) -> bool {
    matches!(lot.source.as_deref(), Some("PromotionalCredit" | "Azure Promotional Credit"))
}

fn amount_of_lot(lot: &LotProperties) -> Option<Money> {
    lot.original_amount.as_ref().and_then(amount).filter(|money| money.amount > Decimal::ZERO)
}

fn end_of_lot(lot: &LotProperties) -> Option<Timestamp> {
    let end = lot_date(lot.expiration_date.as_deref())?;
    lot_date(lot.start_date.as_deref()).is_none_or(|start| start < end).then_some(end)
}

fn amount(amount: &Amount) -> Option<Money> {
    money(amount.value.as_deref(), amount.currency.as_deref())
}
