//! How many requests Azure Resource Manager takes: a bucket of tokens per client, subscription or tenant, and kind of
//! request, refilled by the wall clock.
//! <https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling>

use std::collections::HashMap;

use axum::http::Method;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::client::{Client, object_id};
use super::errors::error;
use crate::faults::RetryAfter;
use crate::message::Reply;

/// The sizes of the buckets, and how many requests flow in per second. Those of deletes are those of writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(crate) struct Limits {
    read_bucket: u32,
    reads_per_second: u32,
    write_bucket: u32,
    writes_per_second: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { read_bucket: 250, reads_per_second: 25, write_bucket: 200, writes_per_second: 10 }
    }
}

/// What is left in each bucket that was ever used.
#[derive(Debug, Default)]
pub(crate) struct Buckets(HashMap<(String, Scope, Kind), Bucket>);

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    at: Timestamp,
}

/// What is counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Scope {
    Subscription(String),
    Tenant(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Reads,
    Writes,
    Deletes,
}

/// What the bucket of a request is called, for its answer.
pub(crate) struct Counted {
    scope: Scope,
    kind: Kind,
}

impl Counted {
    pub(crate) fn of(subscription: Option<&str>, method: &Method, tenant: &str) -> Self {
        let of_tenant = || Scope::Tenant(tenant.to_owned());
        let scope = subscription.map_or_else(of_tenant, |id| Scope::Subscription(id.to_owned()));
        let kind = match *method {
            Method::GET | Method::HEAD => Kind::Reads,
            Method::DELETE => Kind::Deletes,
            _ => Kind::Writes,
        };
        Self { scope, kind }
    }

    /// The header that says how many requests are left.
    fn header(&self) -> &'static str {
        match (&self.scope, self.kind) {
            (Scope::Subscription(_), Kind::Reads) => "x-ms-ratelimit-remaining-subscription-reads",
            (Scope::Subscription(_), Kind::Writes) => "x-ms-ratelimit-remaining-subscription-writes",
            (Scope::Subscription(_), Kind::Deletes) => "x-ms-ratelimit-remaining-subscription-deletes",
            (Scope::Tenant(_), Kind::Reads) => "x-ms-ratelimit-remaining-tenant-reads",
            (Scope::Tenant(_), Kind::Writes) => "x-ms-ratelimit-remaining-tenant-writes",
            (Scope::Tenant(_), Kind::Deletes) => "x-ms-ratelimit-remaining-tenant-deletes",
        }
    }

    pub(crate) fn mark(&self, reply: &mut Reply, left: u32) {
        reply.set(self.header(), &left.to_string());
    }

    /// The error of a bucket that is empty. What Microsoft calls it for a tenant is a guess.
    pub(crate) fn refusal(&self, actor: &str, retry_after: RetryAfter) -> Reply {
        let (code, scope, id) = match &self.scope {
            Scope::Subscription(id) => ("SubscriptionRequestsThrottled", "subscription", id),
            Scope::Tenant(id) => ("TenantRequestsThrottled", "tenant", id),
        };
        let kind = match self.kind {
            Kind::Reads => "read",
            Kind::Writes => "write",
            Kind::Deletes => "delete",
        };
        let seconds = retry_after.seconds;
        let message = format!(
            "Number of '{kind}' requests for {scope} '{id}' actor '{actor}' exceeded. Please try again after '{seconds}' \
             seconds."
        );
        let mut reply = error(429, code, &message).with("retry-after", &retry_after.to_string());
        self.mark(&mut reply, 0);
        reply
    }
}

impl Buckets {
    /// Takes a token for a request and returns how many are left.
    pub(crate) fn take(&mut self, limits: Limits, client: &Client, counted: &Counted) -> Result<u32, Reply> {
        let (size, per_second) = match counted.kind {
            Kind::Reads => (limits.read_bucket, limits.reads_per_second),
            Kind::Writes | Kind::Deletes => (limits.write_bucket, limits.writes_per_second),
        };
        let now = payg_virtual_time::wall();
        let key = (client.id.clone(), counted.scope.clone(), counted.kind);
        let bucket = self.0.entry(key).or_insert(Bucket { tokens: size.into(), at: now });
        let passed = now.duration_since(bucket.at).max(SignedDuration::ZERO).as_secs_f64();
        bucket.tokens = passed.mul_add(per_second.into(), bucket.tokens).min(size.into());
        bucket.at = now;
        if bucket.tokens >= 1.0 {
            bucket.tokens -= 1.0;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and a u32")]
            return Ok(bucket.tokens as u32);
        }
        let wait = (1.0 - bucket.tokens) / f64::from(per_second.max(1));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 1")]
        let seconds = (wait.ceil() as u32).max(1);
        Err(counted.refusal(&object_id(&client.id), RetryAfter { seconds, date: false }))
    }
}
