//! How much Azure lets one client ask for: it waits when told to, and slows down before that.
//! <https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling>

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use super::http::Answer;
use payg_core::provider::ProviderError;

/// What Azure counts by itself. It throttles one of them and not the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Scope {
    /// What is read of the tenant.
    Tenant,
    /// What Azure Resource Manager itself reports about this subscription.
    Subscription(Uuid),
    /// The billing property of this subscription, from Microsoft.Billing.
    BillingProperty(Uuid),
    Billing,
    Consumption,
}

/// As many reads come back in a second: with fewer left than these, requests wait until some have come back.
const FEW: u32 = 25;
/// The longest pause before a request because few are left.
const SPREAD: Duration = Duration::from_secs(1);

/// What the answers so far say of the limits.
#[derive(Debug, Default)]
pub(super) struct Limits(Mutex<HashMap<Scope, Pause>>);

#[derive(Clone, Copy, Debug, Default)]
struct Pause {
    /// Until when nothing is asked.
    closed: Option<Instant>,
    /// Until when a request waits because few are left.
    slow: Option<Instant>,
}

impl Limits {
    /// Waits a moment if few reads are left. Fails if Azure has asked to wait, and the time is not over.
    pub(super) async fn pass(&self, scope: Scope) -> Result<(), ProviderError> {
        self.check(scope)?;
        let slow = self.of(scope).slow.filter(|slow| *slow > Instant::now());
        if let Some(slow) = slow {
            sleep_until(slow).await;
            self.check(scope)?;
        }
        Ok(())
    }

    /// Takes in what `answer` says.
    pub(super) fn learn(&self, scope: Scope, answer: &Answer) {
        let now = Instant::now();
        let pause = (answer.status.as_u16() == 429).then(|| answer.retry_after()).flatten();
        let few = answer.reads_left().filter(|left| *left < FEW);
        if pause.is_none() && few.is_none() {
            return;
        }
        tracing::debug!(?scope, ?pause, reads_left = few, "Azure is rate limiting requests");
        let mut pauses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pauses.retain(|_, pause| pause.closed.max(pause.slow).is_some_and(|until| until > now));
        let known = pauses.entry(scope).or_default();
        known.closed = known.closed.max(pause.map(|pause| now + pause));
        known.slow = known.slow.max(few.map(|left| now + SPREAD * (FEW - left) / FEW));
    }

    fn check(&self, scope: Scope) -> Result<(), ProviderError> {
        let closed = self.of(scope).closed;
        let left = closed.map(|until| until.saturating_duration_since(Instant::now())).filter(|left| !left.is_zero());
        left.map_or(Ok(()), |left| Err(ProviderError::Throttled { retry_after: Some(left) }))
    }

    fn of(&self, scope: Scope) -> Pause {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&scope).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;
    use reqwest::header::{HeaderMap, HeaderName};

    use super::*;

    const ONE: Scope = Scope::Subscription(Uuid::from_u128(1));
    const OTHERS: [Scope; 5] = [
        Scope::Tenant,
        Scope::Subscription(Uuid::from_u128(2)),
        Scope::BillingProperty(Uuid::from_u128(1)),
        Scope::Billing,
        Scope::Consumption,
    ];

    fn answer(status: u16, headers: &[(&str, &str)]) -> Answer {
        let header = |(name, value): &(&str, &str)| (HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        let headers: HeaderMap = headers.iter().map(header).collect();
        Answer { status: StatusCode::from_u16(status).unwrap(), headers, body: Vec::new() }
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_asked_in_a_scope_until_its_pause_is_over() {
        let limits = Limits::default();
        limits.learn(ONE, &answer(429, &[("retry-after", "17")]));
        limits.learn(ONE, &answer(429, &[("retry-after", "5")]));
        let refused = limits.pass(ONE).await.unwrap_err();
        assert_eq!(refused, ProviderError::Throttled { retry_after: Some(Duration::from_secs(17)) });
        for scope in OTHERS {
            limits.pass(scope).await.unwrap();
        }
        tokio::time::advance(Duration::from_secs(16)).await;
        assert!(limits.pass(ONE).await.is_err());
        tokio::time::advance(Duration::from_secs(1)).await;
        limits.pass(ONE).await.unwrap();
        // Without a pause, or with another status, there is nothing to wait for.
        limits.learn(ONE, &answer(429, &[]));
        limits.learn(ONE, &answer(503, &[("retry-after", "17")]));
        limits.pass(ONE).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn expired_pauses_are_forgotten() {
        let limits = Limits::default();
        for id in 0..9 {
            limits.learn(Scope::Subscription(Uuid::from_u128(id)), &answer(429, &[("retry-after", "5")]));
            tokio::time::advance(Duration::from_secs(3)).await;
        }
        assert_eq!(limits.0.lock().unwrap().len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn the_fewer_reads_are_left_the_longer_a_request_waits() {
        let left = |name, value| answer(200, &[(name, value)]);
        for (said, milliseconds) in [
            (left("x-ms-ratelimit-remaining-subscription-reads", "249"), 0),
            (left("x-ms-ratelimit-remaining-subscription-reads", "25"), 0),
            (left("x-ms-ratelimit-remaining-subscription-reads", "20"), 200),
            (left("x-ms-ratelimit-remaining-tenant-reads", "0"), 1000),
            (left("x-ms-ratelimit-remaining-subscription-global-reads", "24"), 40),
            (left("x-ms-ratelimit-remaining-subscription-reads", "-1"), 0),
            (left("x-ms-ratelimit-remaining-subscription-reads", "few"), 0),
        ] {
            let limits = Limits::default();
            limits.learn(ONE, &said);
            let began = Instant::now();
            for scope in OTHERS {
                limits.pass(scope).await.unwrap();
            }
            assert!(began.elapsed().is_zero(), "each is counted by itself");
            limits.pass(ONE).await.unwrap();
            assert_eq!(began.elapsed().as_millis(), milliseconds, "{said:?}");
        }
    }
}
