//! From what was decided to the status that people and tools read. Pure: the same decision on the same status gives the
//! same status.

use jiff::Timestamp;

use payg_api as api;
use payg_api::Time;
use payg_api::conditions::{self, Statement, Status};
use payg_core::decide::Decision;
use payg_core::forecast::Forecast;
use payg_core::money::Money;
use payg_core::observation::Observation;
use payg_core::offer::{Benefit, BenefitKind};
use payg_core::reason::{ConditionType, Reason};
use payg_core::record::Record;
use payg_core::verdict::{Facts, Progress, Ready, Standing, Verdict};

/// What a status is made from, beside the decision.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The status as it is.
    pub before: &'a api::SubscriptionStatus,
    /// The uid of the Subscription.
    pub uid: &'a str,
    /// The generation that was decided on.
    pub generation: i64,
    /// The ledger's entry as it is after this reconcile.
    pub record: Option<&'a Record>,
    /// The notices that are due and were delivered, if there are receivers.
    pub notices: Option<&'a api::Notices>,
    /// The value of the annotation that asks for an observation, as it was when the reconcile began.
    pub reconcile_request: Option<&'a api::Text<128>>,
    /// When the next observation is due, where one is (billing clock).
    pub next_check: Option<Timestamp>,
    /// The billing time.
    pub billing: Timestamp,
    /// The wall time.
    pub wall: Timestamp,
}

/// The status after `decision`.
pub fn status(decision: &Decision, context: Context<'_>) -> api::SubscriptionStatus {
    let mut status = context.before.clone();
    if let Some(seen) = &decision.seen {
        let since = decision.outage.as_ref().map(|outage| outage.since);
        observed(&mut status, seen, since);
        status.transition = decision.transition.as_ref().map(|transition| api::Transition {
            hash: transition.hash.clone(),
            from: offer(transition.from.class.name(), Some(&transition.from.native)),
            to: offer(transition.to.name(), None),
            reversible: Some(false),
            // Published for credit alone: <https://learn.microsoft.com/azure/cost-management-billing/manage/upgrade-azure-subscription>.
            credit_after: seen.benefit(BenefitKind::Credit).map(|_| "Kept".into()),
            cost_note: Some(format!("{COST_NOTE} {}", estimate(decision.forecast.as_ref())).as_str().into()),
            deadline_time: seen.deadline.map(Time::whole_second),
        });
        status.forecast = decision.forecast.map(|forecast| api::Forecast {
            exhaustion_time: forecast.exhaustion.map(Time::whole_second),
            burn_per_day: forecast.burn_per_day.map(Into::into),
            cost_per_day: forecast.cost_per_day.map(money),
            cost_per_month: forecast.cost_per_month().map(money),
            due_time: forecast.due.map(Time::whole_second),
        });
    } else if status.observed_generation != Some(context.generation) {
        // They are of another spec, and nobody must approve for this one what they say.
        status.transition = None;
        if let Some(forecast) = &mut status.forecast {
            forecast.due_time = None;
        }
    }
    // Who has not seen the account learns nothing of its record.
    let context = Context { record: context.record.filter(|_| decision.seen.is_some()), ..context };
    status.upgrade = progress(&decision.verdict, &status, &context);
    status.next_check_time = context.next_check.map(Time::whole_second);
    if let Some(notices) = context.notices {
        status.notices = Some(notices.clone());
    }
    if let Some(reconcile_request) = context.reconcile_request {
        status.last_handled_reconcile_at = Some(reconcile_request.clone());
    }
    state(&mut status, decision, &context);
    status
}

/// What an upgrade costs: <https://azure.microsoft.com/pricing/purchase-options/pay-as-you-go>.
const COST_NOTE: &str = "The upgrade itself costs nothing. What is used beyond the benefits that are left and beyond free \
                         amounts is charged at pay-as-you-go prices from then on. It cannot be undone.";

/// What the account costs after the upgrade, as far as that can be said.
fn estimate(forecast: Option<&Forecast>) -> String {
    let costs = forecast.and_then(|forecast| Some((forecast.cost_per_day?, forecast.cost_per_month()?)));
    costs.map_or_else(
        || {
            "How much that will be is not known, because the provider has not shown how fast the credit is used up."
                .to_owned()
        },
        |(day, month)| {
            format!("At the current rate of use, that is about {day} a day and {month} in 30 days without credit.")
        },
    )
}

fn money(money: Money) -> api::Money {
    api::Money { amount: money.amount.into(), currency: money.currency.to_string() }
}

fn offer(class: &str, native: Option<&str>) -> api::Offer {
    api::Offer { class: class.into(), native: native.map(Into::into) }
}

fn observed(status: &mut api::SubscriptionStatus, seen: &Observation, restricted_since: Option<Timestamp>) {
    status.account = Some(api::AccountStatus {
        lifecycle: Some(seen.lifecycle.name().into()),
        owner_tenant_id: seen.owner.as_deref().map(Into::into),
        source: Some(seen.source.name().into()),
        as_of_time: Some(Time::whole_second(seen.observed)),
        restricted_time: restricted_since.map(Time::whole_second),
    });
    status.offer = Some(api::OfferInForce {
        offer: offer(seen.offer.class.name(), Some(&seen.offer.native)),
        source: Some(seen.source.name().into()),
        as_of_time: Some(Time::whole_second(seen.observed)),
    });
    let mut benefits: Vec<_> = seen.benefits.iter().map(benefit).collect();
    benefits.sort_by(|one, other| one.kind.cmp(&other.kind));
    status.benefits = benefits;
    status.last_observed_time = Some(Time::whole_second(seen.observed));
}

fn benefit(seen: &Benefit) -> api::Benefit {
    let money = seen.remaining.or(seen.granted);
    api::Benefit {
        kind: seen.kind.name().into(),
        state: seen.state.name().into(),
        granted: seen.granted.map(|money| money.amount.into()),
        remaining: seen.remaining.map(|money| money.amount.into()),
        currency: money.map(|money| money.currency.to_string()),
        end_time: seen.end.map(Time::whole_second),
        as_of_time: Some(Time::whole_second(seen.as_of)),
        source: seen.source.name().into(),
    }
}

/// How the upgrade goes on. What happened stays; what a person should do goes when it is done.
fn progress(
    verdict: &Verdict,
    status: &api::SubscriptionStatus,
    context: &Context<'_>,
) -> Option<api::UpgradeProgress> {
    let mut progress = status.upgrade.clone().unwrap_or_default();
    progress.action_url = None;
    if let Some(record) = context.record {
        progress.record_name = Some(record.name.clone());
        let said = record.last().map(|last| last.told_to(context.uid));
        progress.message = said.filter(|text| !text.is_empty()).map(|text| text.as_str().into());
    }
    match verdict {
        Verdict::Upgrading => progress.request_time = Some(Time::whole_second(context.billing)),
        Verdict::UpgradeAccepted { .. } | Verdict::ConversionOverdue { .. } => {
            progress.accept_time = progress.accept_time.or(Some(Time::whole_second(context.billing)));
        }
        // An account that was on the offer before anybody asked has no such time.
        Verdict::OfferInPlace(_) if progress.accept_time.is_some() || context.record.is_some() => {
            progress.convert_time = progress.convert_time.or(Some(Time::whole_second(context.billing)));
        }
        Verdict::AwaitingPortalUpgrade { url, .. } => progress.action_url = Some(url.clone()),
        _ => {}
    }
    (progress != api::UpgradeProgress::default()).then_some(progress)
}

/// What the condition `Observed` says of an observation that succeeded, before what it could not read or found odd.
pub const OBSERVED: &str = "The last read of the account succeeded.";

/// What a decision means for `Ready` after `status`. What was said of another spec is no answer for this one, so it does not
/// stay.
fn standing(decision: &Decision, status: &api::SubscriptionStatus, generation: i64) -> (Ready, Progress) {
    let is_told = conditions::find(&status.conditions, ConditionType::Ready).is_some();
    let is_current = status.observed_generation == Some(generation);
    match decision.facts() {
        Facts { ready: Ready::Unchanged, .. } if !is_told || !is_current => (Ready::Unknown, Progress::Reconciling),
        Facts { ready, progress, .. } => (ready, progress),
    }
}

/// Whether nobody knows what an attempt did, whatever the verdict is about. The account itself may have shown it.
fn leaves_in_doubt(verdict: &Verdict, record: Option<&Record>) -> bool {
    let has_told = matches!(
        verdict,
        Verdict::OfferInPlace(_) | Verdict::UpgradeAccepted { .. } | Verdict::ConversionOverdue { .. }
    );
    !has_told && record.is_some_and(|record| record.is_open() || record.is_unresolved())
}

fn state(status: &mut api::SubscriptionStatus, decision: &Decision, context: &Context<'_>) {
    let verdict = &decision.verdict;
    let facts = decision.facts();
    let reason = facts.reason;
    let message = decision.message();
    let (ready, progress) = standing(decision, status, context.generation);
    // A reconcile that learnt nothing must not vouch for a generation that it could not judge.
    let generation = match (facts.ready, status.observed_generation) {
        (Ready::Unchanged, Some(before)) if before >= 0 => before,
        _ => context.generation,
    };
    let mut say = |type_, status_, reason: Reason, message: &str| {
        // A wait is measured from when its reason began to hold.
        let began = conditions::find(&status.conditions, type_).is_some_and(|before| before.reason == reason);
        if matches!(type_, ConditionType::Reconciling | ConditionType::Stalled) && !began {
            conditions::remove(&mut status.conditions, type_);
        }
        let statement = Statement { type_, status: status_, reason, message };
        conditions::set(&mut status.conditions, statement, generation, context.wall);
    };
    match verdict {
        Verdict::Unobserved { error: problem, .. } | Verdict::ProviderNotReady { problem, .. } => {
            say(ConditionType::Observed, Status::False, problem.reason(), &message);
        }
        Verdict::WrongAccount { .. } => say(ConditionType::Observed, Status::False, reason, &message),
        // Only who has seen the account learns of the other one.
        Verdict::AccountConflict(_) => say(ConditionType::Observed, Status::True, Reason::Observed, OBSERVED),
        _ => {
            if let Some(seen) = &decision.seen {
                let unread = seen.unread.iter().map(|unread| format!(" {unread}"));
                let remarks = seen.remarks.iter().map(|remark| format!(" {remark}"));
                let looked = std::iter::once(OBSERVED.to_owned()).chain(unread).chain(remarks).collect::<String>();
                say(ConditionType::Observed, Status::True, Reason::Observed, &looked);
            }
        }
    }
    match ready {
        Ready::True => say(ConditionType::Ready, Status::True, reason, &message),
        Ready::False => say(ConditionType::Ready, Status::False, reason, &message),
        Ready::Unknown => say(ConditionType::Ready, Status::Unknown, reason, &message),
        Ready::Unchanged => {}
    }
    // Who has not looked does not take back what was seen.
    if decision.seen.is_some() {
        say(ConditionType::UpgradeAvailable, facts.upgrade_available.into(), reason, &message);
        let upgraded = facts.upgraded.filter(|_| !leaves_in_doubt(verdict, context.record));
        say(ConditionType::Upgraded, upgraded.map_or(Status::Unknown, Into::into), reason, &message);
    }
    let standing = decision.standing.to_string();
    match &decision.standing {
        Standing::Second(_) => say(ConditionType::Claimed, Status::False, Reason::AccountConflict, &standing),
        Standing::Lapsed(_) => say(ConditionType::Claimed, Status::False, Reason::ClaimLapsed, &standing),
        Standing::InPlaceOf(..) => say(ConditionType::Claimed, Status::True, Reason::ClaimTakenOver, &standing),
        Standing::Unsaid | Standing::Unchanged => {}
    }
    let (holds, not) = match progress {
        Progress::Settled => (None, &[ConditionType::Reconciling, ConditionType::Stalled][..]),
        Progress::Reconciling => (Some(ConditionType::Reconciling), &[ConditionType::Stalled][..]),
        Progress::Stalled => (Some(ConditionType::Stalled), &[ConditionType::Reconciling][..]),
        Progress::Unchanged => (None, &[][..]),
    };
    if let Some(type_) = holds {
        say(type_, Status::True, reason, &message);
    }
    for type_ in not {
        conditions::remove(&mut status.conditions, *type_);
    }
    if decision.standing == Standing::Unsaid {
        conditions::remove(&mut status.conditions, ConditionType::Claimed);
    }
    status.observed_generation = Some(generation);
}

#[cfg(test)]
mod tests {
    use super::*;
    use payg_core::desired::Suspension;
    use payg_core::offer::{Offer, OfferClass};
    use payg_core::provider::ProviderError;
    use payg_core::schedule::Requeue;
    use payg_core::source::Source;
    use payg_core::trigger::NotYet;
    use payg_core::verdict::{NotEligible, Unobserved};
    use payg_fixtures::given::active_trial;

    const GENERATION: i64 = 3;

    fn decided(verdict: Verdict) -> Decision {
        let unseen =
            matches!(verdict, Verdict::Suspended(_) | Verdict::Unobserved { .. } | Verdict::ProviderNotReady { .. });
        let seen = (!unseen).then(|| Observation { observed: Timestamp::now(), ..active_trial() });
        let (standing, next) = (Standing::Unsaid, Requeue::OnChange);
        Decision { verdict, seen, effect: None, transition: None, forecast: None, outage: None, standing, next }
    }

    fn after(before: &api::SubscriptionStatus, verdict: Verdict) -> api::SubscriptionStatus {
        after_decision(before, &decided(verdict))
    }

    fn after_decision(before: &api::SubscriptionStatus, decision: &Decision) -> api::SubscriptionStatus {
        let (billing, wall) = (Timestamp::now(), Timestamp::now());
        let context = Context {
            before,
            uid: "",
            generation: GENERATION,
            record: None,
            notices: None,
            reconcile_request: None,
            next_check: None,
            billing,
            wall,
        };
        status(decision, context)
    }

    /// What kstatus makes of a status, by its published rules for kinds that it does not know:
    /// <https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/README.md>.
    fn kstatus(status: &api::SubscriptionStatus) -> &'static str {
        let is = |type_, status_: &str| {
            conditions::find(&status.conditions, type_).is_some_and(|condition| condition.status == status_)
        };
        if status.observed_generation != Some(GENERATION) || is(ConditionType::Reconciling, "True") {
            "InProgress"
        } else if is(ConditionType::Stalled, "True") {
            "Failed"
        } else if is(ConditionType::Ready, "True") {
            "Current"
        } else {
            "InProgress"
        }
    }

    fn waiting() -> Verdict {
        Verdict::WaitingForExhaustion { not_yet: NotYet::Left, expected: None, closes: false }
    }

    fn down() -> ProviderError {
        ProviderError::Transient { detail: "connection refused".to_owned() }
    }

    #[test]
    fn waits_and_pipelines_read_each_verdict_as_they_should() {
        let fresh = api::SubscriptionStatus { observed_generation: Some(-1), ..Default::default() };
        let not_ready = |stalled| Verdict::ProviderNotReady { problem: down(), stalled };
        let not_seen = |since| Verdict::Unobserved { error: down(), since };
        let verifying = Verdict::VerifyingUpgrade {
            record: "up-1".to_owned(),
            settled_at: Timestamp::now(),
            accepted: false,
            operation: None,
        };
        assert_eq!(kstatus(&fresh), "InProgress");
        for (verdict, expected) in [
            (Verdict::Suspended(Suspension::Manifest), "Current"),
            (waiting(), "Current"),
            (Verdict::AwaitingApproval { hash: "0".repeat(32), former: None }, "Current"),
            (Verdict::UpgradeAccepted { end: None }, "Current"),
            (not_ready(false), "InProgress"),
            (not_ready(true), "Failed"),
            (not_seen(Unobserved::Always), "InProgress"),
            (not_seen(Unobserved::TooLong), "InProgress"),
            (verifying, "InProgress"),
            (Verdict::Upgrading, "InProgress"),
            (Verdict::LedgerUnavailable { detail: "403".to_owned() }, "InProgress"),
            (Verdict::NotEligible { why: NotEligible::UnknownOffer("x".to_owned()), unread: Vec::new() }, "Failed"),
            (Verdict::AccountClosed, "Failed"),
        ] {
            // Whatever was said before, nothing of it is left to contradict what holds now.
            for before in [waiting(), not_ready(true), Verdict::Upgrading] {
                let status = after(&after(&fresh, before), verdict.clone());
                assert_eq!(kstatus(&status), expected, "{verdict:?}");
                let stamped = |condition: &conditions::Condition| condition.observed_generation == Some(GENERATION);
                assert!(status.conditions.iter().all(stamped), "{:?}", status.conditions);
            }
        }
    }

    #[test]
    fn a_pass_that_learns_nothing_changes_nothing_but_says_so() {
        let before = after(&api::SubscriptionStatus::default(), waiting());
        let status = after(&before, Verdict::Unobserved { error: down(), since: Unobserved::Lately });
        assert_eq!(kstatus(&status), "Current");
        let reason = |type_| conditions::find(&status.conditions, type_).map(|condition| condition.reason.as_str());
        assert_eq!(
            (reason(ConditionType::Ready), reason(ConditionType::Observed)),
            (Some("WaitingForExhaustion"), Some("ProviderUnreachable"))
        );
        // A spec that nobody could judge yet is not vouched for.
        let old = api::SubscriptionStatus { observed_generation: Some(GENERATION - 1), ..before };
        let status = after(&old, Verdict::Unobserved { error: down(), since: Unobserved::Lately });
        assert_eq!(kstatus(&status), "InProgress");
    }

    #[test]
    fn an_account_that_cannot_be_seen_any_more_stays_as_it_was_seen_last() {
        let not_eligible =
            Verdict::NotEligible { why: NotEligible::UnknownState("Disabled".to_owned()), unread: vec![] };
        for last in [Verdict::AccountClosed, not_eligible] {
            let before = after(&api::SubscriptionStatus::default(), last);
            assert!(before.account.is_some() && before.offer.is_some());
            let permission = "Microsoft.Resources/subscriptions/read".to_owned();
            let problem = ProviderError::Forbidden { permission, detail: "not visible".to_owned() };
            let status = after(&before, Verdict::ProviderNotReady { problem, stalled: false });
            assert_eq!((&status.account, &status.offer), (&before.account, &before.offer));
            assert_eq!(status.last_observed_time, before.last_observed_time);
            let observed = conditions::find(&status.conditions, ConditionType::Observed).unwrap();
            assert_eq!((observed.status.as_str(), observed.reason.as_str()), ("False", "Forbidden"));
        }
    }

    #[test]
    fn unread_parts_are_reported_in_observed() {
        let mut decision = decided(waiting());
        let seen = decision.seen.as_mut().unwrap();
        seen.remarks = vec!["The remaining credit is not known: why.".to_owned()];
        let status = after_decision(&api::SubscriptionStatus::default(), &decision);
        let observed = conditions::find(&status.conditions, ConditionType::Observed).unwrap();
        assert_eq!(observed.message, format!("{OBSERVED} The remaining credit is not known: why."));
    }

    #[test]
    fn a_source_longer_than_64_characters_is_remembered_whole() {
        let all = "subscription, billingProperty, billingProfile, spendingLimits, balanceSummary, lots";
        let mut decision = decided(waiting());
        decision.seen.as_mut().unwrap().source = Source::parse(all);
        let status = after_decision(&api::SubscriptionStatus::default(), &decision);
        let remembered = Source::parse(status.offer.unwrap().source.as_deref().unwrap());
        assert_eq!(remembered.name(), all);
        let lost = Source::parse(all.strip_suffix(", lots").unwrap());
        assert!(remembered.goes_beyond(&lost), "a part that is lost at its end is noticed");
    }

    #[test]
    fn upgraded_is_unknown_while_outcome_unknown() {
        let upgraded = |verdict| {
            let status = after(&api::SubscriptionStatus::default(), verdict);
            conditions::find(&status.conditions, ConditionType::Upgraded).unwrap().status.clone()
        };
        let record = || "up-1".to_owned();
        let verifying = Verdict::VerifyingUpgrade {
            record: record(),
            settled_at: Timestamp::now(),
            accepted: false,
            operation: None,
        };
        let unresolved = Verdict::UpgradeUnresolved { record: record(), attempt: 1, why: None, hash: None };
        for verdict in [Verdict::Upgrading, verifying, unresolved, Verdict::UpgradeContradicted { record: record() }] {
            assert_eq!(upgraded(verdict.clone()), "Unknown", "{verdict:?}");
        }
        assert_eq!(upgraded(waiting()), "False");
        assert_eq!(upgraded(Verdict::UpgradeAccepted { end: None }), "False", "taken, and not converted");
    }

    #[test]
    fn an_unobserved_reconcile_withdraws_nothing() {
        let offer = Offer { class: OfferClass::PayAsYouGo, native: "PayAsYouGo_2014-09-01".to_owned() };
        let before = after(&api::SubscriptionStatus::default(), Verdict::OfferInPlace(offer));
        let status = after(&before, Verdict::Suspended(Suspension::Manifest));
        assert_eq!(conditions::find(&status.conditions, ConditionType::Upgraded).unwrap().status, "True");
    }
}
