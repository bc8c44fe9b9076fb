//! The upgrade by a broker. Azure has no interface for it; this protocol is our own, in the manner of Azure Resource Manager.
//! All of it is in `docs/reference/broker.md` and `docs/reference/broker.openapi.yaml`. In short:
//!
//! ```text
//! POST {broker}/subscriptions/{id}/providers/PaygOperator.Broker/upgrade?api-version=2026-11-01
//! Authorization: Bearer {a token of Microsoft Entra for the broker's scope}
//! Idempotency-Key: {the same UUID for every attempt at the upgrade of this subscription, for ever}
//!
//! {"properties": {"targetOffer": "PayAsYouGo", "acceptCharges": true}}
//! ```
//!
//! - [`request`]: sends it, and returns what the answer proves.
//! - [`operation`]: asks how far an upgrade has come that the broker took.

pub(super) mod operation;
pub(super) mod request;
