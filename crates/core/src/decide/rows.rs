//! The decision table: the rows in their order. `docs/reference/decisions.md` describes each in detail, and `payg explain`
//! goes through them for one Subscription. Both take the numbers and the names from here.

use super::case::{Case, Ruling};
use super::{account, ledger, sight, upgrade};

/// A row of the decision table.
#[derive(Debug)]
pub struct Row {
    /// Its number in the documentation. It never changes its meaning.
    pub number: u8,
    /// The statement that holds if the decision goes on to the next row.
    pub name: &'static str,
    /// The verdict and the effect, if the decision ends here.
    rule: fn(&Case<'_>) -> Option<Ruling>,
}

/// The last of the rows that decide whether the account can be seen. Their verdicts discard the observation.
pub(super) const LAST_BEFORE_SIGHT: u8 = 5;

const fn row(number: u8, name: &'static str, rule: fn(&Case<'_>) -> Option<Ruling>) -> Row {
    Row { number, name, rule }
}

/// The rows. The first one that applies decides.
pub const ROWS: [Row; 21] = [
    row(1, "Neither suspended nor being deleted", sight::suspended),
    row(2, "BillingProvider is ready", sight::provider_not_ready),
    row(3, "Credentials are for this account", sight::wrong_account),
    row(4, "Has the oldest claim to the account", sight::account_conflict),
    row(5, "Account can be read", sight::unobserved),
    row(6, "Account is open", account::closed),
    row(7, "Upgrade is still needed", account::in_place),
    row(8, "Upgrade is still to be accepted", account::accepted),
    row(9, "No request is on its way", ledger::open),
    row(10, "Every earlier request has a known outcome", ledger::unresolved),
    row(11, "Record and account agree", ledger::contradicted),
    row(12, "Upgrade is wanted", upgrade::observing),
    row(13, "Offer can be upgraded", upgrade::not_eligible),
    row(14, "Not denied", upgrade::denied),
    row(15, "Trigger can be evaluated", upgrade::benefits_unknown),
    row(16, "Trigger is met", upgrade::waiting),
    row(17, "Approved", upgrade::awaiting_approval),
    row(18, "Operator can request the upgrade itself", upgrade::awaiting_portal),
    row(19, "Not paused after a refusal", upgrade::rejected),
    row(20, "Allowed by the operator's own settings", upgrade::held),
    row(21, "All clear", upgrade::all_clear),
];

/// The number of the first row that applies to `case`, and its ruling.
pub(super) fn rule(case: &Case<'_>) -> Option<(u8, Ruling)> {
    ROWS.iter().find_map(|row| Some((row.number, (row.rule)(case)?)))
}
