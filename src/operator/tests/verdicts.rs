//! A situation for each verdict, and for each kind of one that tools read differently.

use payg_core::approval::Untrusted;
use payg_core::approval::{Decision as Said, PolicyCheck};
use payg_core::decide::{Decision, decide};
use payg_core::desired::{ApprovalMode, Claimant, Suspension, When};
use payg_core::inputs::Inputs;
use payg_core::observation::{Acceptance, Lifecycle};
use payg_core::offer::{Offer, OfferClass};
use payg_core::provider::{Capabilities, Method, Outcome, ProviderError};
use payg_core::record::{Attempt, RecordState};
use payg_core::trigger::NotYet;
use payg_core::verdict::{Held, NotEligible, Ready, Unobserved, Verdict};
use payg_fixtures::given::*;

/// Names what of verdicts differs for tools. The compiler asks for a line for each new variant, and `NAMES` for a situation.
macro_rules! names {
    ($($pattern:pat => $name:literal,)+) => {
        const NAMES: &[&str] = &[$($name),+];

        fn name_of(verdict: &Verdict) -> &'static str {
            match verdict { $($pattern => $name,)+ }
        }
    };
}

names! {
    Verdict::Suspended(_) => "suspended",
    Verdict::ProviderNotReady { stalled: false, .. } => "provider-not-ready",
    Verdict::ProviderNotReady { stalled: true, .. } => "provider-not-ready-for-long",
    Verdict::WrongAccount { .. } => "wrong-account",
    Verdict::AccountConflict(_) => "account-conflict",
    Verdict::Unobserved { since: Unobserved::Always, .. } => "pending",
    Verdict::Unobserved { since: Unobserved::Lately, .. } => "not-observed-lately",
    Verdict::Unobserved { since: Unobserved::TooLong, .. } => "observation-stale",
    Verdict::AccountClosed => "account-closed",
    Verdict::OfferInPlace(_) => "offer-in-place",
    Verdict::UpgradeAccepted { .. } => "upgrade-accepted",
    Verdict::ConversionOverdue { .. } => "conversion-overdue",
    Verdict::VerifyingUpgrade { .. } => "verifying-upgrade",
    Verdict::UpgradeUnresolved { .. } => "upgrade-unresolved",
    Verdict::RetryHeld { .. } => "retry-held",
    Verdict::UpgradeContradicted { .. } => "upgrade-contradicted",
    Verdict::Observing => "observing",
    Verdict::NotEligible { why: NotEligible::UnknownOffer(_), .. } => "unknown-offer",
    Verdict::NotEligible { why: NotEligible::Offer(_), .. } => "offer-not-eligible",
    Verdict::NotEligible { why: NotEligible::UnknownState(_), .. } => "unknown-state",
    Verdict::NotEligible { why: NotEligible::UnclearAcceptance(_), .. } => "unclear-acceptance",
    Verdict::UpgradeDenied(_) => "upgrade-denied",
    Verdict::BenefitsUnknown { .. } => "benefits-unknown",
    Verdict::WaitingForExhaustion { not_yet: NotYet::Left | NotYet::PastItsEnd, .. } => "waiting-for-exhaustion",
    Verdict::WaitingForExhaustion { not_yet: NotYet::Unconfirmed(_) | NotYet::TooSoon(_), .. } => "waiting-for-second-look",
    Verdict::WaitingForExhaustion { not_yet: NotYet::WentBack | NotYet::ClocksDiffer, .. } => "waiting-for-clocks",
    Verdict::AwaitingApproval { .. } => "awaiting-approval",
    Verdict::ApprovalPolicyMissing(Untrusted::Flaws(_)) => "approval-policy-missing",
    Verdict::ApprovalPolicyMissing(Untrusted::Unchecked { .. }) => "approval-older-than-policy",
    Verdict::AwaitingPortalUpgrade { .. } => "awaiting-portal-upgrade",
    Verdict::UpgradeRejected { next: Some(_), .. } => "upgrade-rejected",
    Verdict::UpgradeRejected { next: None, .. } => "upgrade-rejected-for-good",
    Verdict::UpgradeHeld(Held::DryRun) => "upgrade-held-dry-run",
    Verdict::UpgradeHeld(Held::Cap { .. }) => "upgrade-held-cap",
    Verdict::UpgradeHeld(Held::Share { .. }) => "upgrade-held-share",
    Verdict::Upgrading => "upgrading",
    Verdict::LedgerUnavailable { .. } => "ledger-unavailable",
}

/// What a verdict is called that would be ready if the account were not restricted.
const RESTRICTED: &str = "-restricted";

/// The names of all verdicts, those of restricted accounts included.
pub(super) fn names() -> Vec<String> {
    let is_ready = |name: &&&str| situation(name).1.verdict.facts().ready == Ready::True;
    let restricted = NAMES.iter().filter(is_ready).map(|name| format!("{name}{RESTRICTED}"));
    NAMES.iter().map(|name| (*name).to_owned()).chain(restricted).collect()
}

pub(super) fn name(decision: &Decision) -> String {
    let restricted = if decision.facts() == decision.verdict.facts() { "" } else { RESTRICTED };
    format!("{}{restricted}", name_of(&decision.verdict))
}

/// What is known when the verdict called `name` follows, and the decision.
pub(super) fn situation(name: &str) -> (Inputs, Decision) {
    let mut inputs = due();
    let base = name.strip_suffix(RESTRICTED);
    change(&mut inputs, base.unwrap_or(name));
    inputs.previous.restricted_since = base.map(|_| ago(5));
    let mut decision = decide(&inputs);
    if base.is_none() && decision.facts() != decision.verdict.facts() {
        inputs.seen().lifecycle = Lifecycle::Active;
        decision = decide(&inputs);
    }
    if name == "ledger-unavailable" {
        // Found out when the record is to be written: by `subscription::pass`.
        decision.verdict = Verdict::LedgerUnavailable { detail: "upgraderecords is forbidden".to_owned() };
    }
    assert_eq!(self::name(&decision), name, "another verdict: {:?}", decision.verdict);
    (inputs, decision)
}

fn change(on: &mut Inputs, name: &str) {
    match name {
        "suspended" => on.desired.suspend = Some(Suspension::Manifest),
        "wrong-account" => on.observation = Some(Err(ProviderError::WrongAccount { found: "another".to_owned() })),
        "account-conflict" => {
            on.claimants = vec![Claimant { uid: "uid-a".to_owned(), name: "first".to_owned(), ..due().subject }];
        }
        "account-closed" => on.seen().lifecycle = Lifecycle::Closed,
        "offer-in-place" => {
            on.seen().offer = pay_as_you_go();
            on.record = Some(record(RecordState::Accepted, Outcome::Accepted, 1));
        }
        "observing" => on.desired.when = When::Never,
        "unknown-offer" => on.seen().offer = offer(OfferClass::Unknown),
        "offer-not-eligible" => on.seen().offer = offer(OfferClass::Commitment),
        "unknown-state" => on.seen().lifecycle = Lifecycle::Unknown("Odd".to_owned()),
        "unclear-acceptance" => on.seen().acceptance = Acceptance::Unclear("CurrentPeriodOff".to_owned()),
        "upgrade-denied" => on.approvals = vec![said(on, Said::Deny)],
        "benefits-unknown" => on.seen().benefits.clear(),
        "waiting-for-exhaustion" => on.seen().benefits = vec![credit("150"), period(ago(-240))],
        "waiting-for-second-look" => on.previous.observation = None,
        "waiting-for-clocks" => on.seen().benefits[0].as_of = ago(2),
        "awaiting-approval" => on.desired.approval = ApprovalMode::Manual,
        "approval-policy-missing" => on.policy_check = PolicyCheck { automatic_needs_approve: true, ..broken() },
        "approval-older-than-policy" => {
            on.desired.approval = ApprovalMode::Manual;
            on.approvals = vec![said(on, Said::Approve)];
            on.policy_check.since = Some(now());
        }
        "awaiting-portal-upgrade" => {
            on.provider = Ok(Capabilities { method: Method::Portal, endpoint: String::new() });
        }
        "upgrade-held-dry-run" => on.allowance.dry_run = true,
        "upgrade-held-cap" => on.allowance.requested = requested(10, false),
        "upgrade-held-share" => on.allowance.requested = requested(5, true),
        "upgrading" | "ledger-unavailable" => {}
        _ => change_what_was(on, name),
    }
}

/// The same, where what went before makes the difference.
fn change_what_was(on: &mut Inputs, name: &str) {
    let down = || Some(Err(ProviderError::Transient { detail: "connection refused".to_owned() }));
    match name {
        "provider-not-ready" | "provider-not-ready-for-long" => {
            on.observation = None;
            on.provider = Err(ProviderError::Config { detail: "there is no Secret azure-credentials".to_owned() });
            on.previous.not_ready_since = (name == "provider-not-ready-for-long").then(|| ago(1));
        }
        "pending" => (on.observation, on.previous.observation) = (down(), None),
        "not-observed-lately" => on.observation = down(),
        "observation-stale" => (on.observation, on.previous.unobserved_since) = (down(), Some(ago(2))),
        "upgrade-accepted" | "conversion-overdue" => {
            let hours = if name == "upgrade-accepted" { 1 } else { 100 };
            on.seen().acceptance = Acceptance::Accepted;
            on.seen().benefits = vec![period(ago(hours))];
            on.previous.accepted_since = Some(ago(hours));
            on.record = Some(record(RecordState::Accepted, Outcome::Accepted, hours));
        }
        "verifying-upgrade" => on.record = Some(record(RecordState::Unknown, Outcome::Unknown, 0)),
        "upgrade-unresolved" => on.record = Some(record(RecordState::Unresolved, Outcome::Unknown, 9)),
        "retry-held" => {
            on.record = Some(record(RecordState::Unresolved, Outcome::Unknown, 9));
            on.approvals = vec![said(on, Said::Retry(1))];
            on.allowance.requested = requested(10, false);
        }
        "upgrade-contradicted" => on.record = Some(record(RecordState::Confirmed, Outcome::Accepted, 9)),
        "upgrade-rejected-for-good" => {
            on.record = Some(record(RecordState::Rejected, Outcome::Rejected, 99));
            let record = on.record.as_mut().unwrap();
            let made = Attempt { lacked_rights: true, ..record.attempts[0].clone() };
            record.attempts = (1..=32).map(|number| Attempt { number, ..made.clone() }).collect();
        }
        "upgrade-rejected" => on.record = Some(record(RecordState::Rejected, Outcome::Rejected, 0)),
        _ => panic!("no situation is called {name}"),
    }
}

fn offer(class: OfferClass) -> Offer {
    Offer { class, native: "Foo_2031-01-01".to_owned() }
}
