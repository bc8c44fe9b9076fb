//! The applications that get tokens, and what they got.

use std::collections::HashSet;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;
use ring::digest;
use serde::{Deserialize, Deserializer, Serialize};
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use uuid::Uuid;

use super::settings::Agreement;
use crate::jwt::Federated;

/// An application that can get tokens.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) tenant_id: String,
    pub(crate) id: String,
    pub(crate) secret: Option<String>,
    /// Whose tokens it takes for its own.
    pub(crate) federated: Vec<Federated>,
    /// What it can sign assertions with.
    pub(crate) certificates: Vec<Certificate>,
    /// Whether the machine has it.
    pub(crate) managed_identity: Option<ManagedIdentity>,
    pub(crate) subscriptions: Subscriptions,
    pub(crate) rights: Rights,
    /// Whether it may ask the broker for upgrades.
    pub(crate) broker: bool,
    /// How long its tokens are valid on the wall clock.
    pub(crate) token_lifetime_seconds: u32,
}

/// Which accounts of its tenant a client can read.
#[derive(Clone, Debug)]
pub(crate) enum Subscriptions {
    All,
    Some(HashSet<String>),
}

impl Subscriptions {
    pub(crate) fn contains(&self, id: &str) -> bool {
        match self {
            Self::All => true,
            Self::Some(ids) => ids.contains(id),
        }
    }
}

/// The roles of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Rights {
    /// On each of its subscriptions.
    pub(crate) role: Role,
    /// On the billing accounts of its tenant.
    pub(crate) billing: BillingRole,
    /// Whether its role on the subscriptions contains `Microsoft.Billing/billingProperty/read`.
    pub(crate) billing_property: bool,
}

/// <https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/privileged>
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Role {
    #[default]
    Reader,
    Contributor,
}

/// <https://learn.microsoft.com/azure/cost-management-billing/manage/understand-mca-roles>
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum BillingRole {
    #[default]
    None,
    /// Of billing accounts with a customer agreement: a classic one can have no service principal as reader.
    Reader,
    /// As if it were the person who signed up, and not a service principal: sees classic billing accounts too.
    AccountAdministrator,
}

impl BillingRole {
    pub(crate) const fn sees(self, agreement: Agreement) -> bool {
        match agreement {
            Agreement::Mosp => matches!(self, Self::AccountAdministrator),
            Agreement::Mca => !matches!(self, Self::None),
        }
    }
}

/// What a token was issued for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Token {
    pub(crate) client_id: String,
    pub(super) tenant_id: String,
    pub(super) audience: String,
    /// On the wall clock.
    pub(super) expires: Timestamp,
}

/// How a client is an identity of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum ManagedIdentity {
    SystemAssigned,
    UserAssigned,
}

/// A certificate that is registered with an application.
#[derive(Clone, Debug)]
pub(crate) struct Certificate {
    /// By SHA-256 and by SHA-1.
    pub(super) thumbprints: [String; 2],
    pub(super) public_key: Vec<u8>,
    pub(super) valid: std::ops::RangeInclusive<i64>,
}

impl<'de> Deserialize<'de> for Certificate {
    /// From PEM.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wrong = || serde::de::Error::custom("a certificate must be X.509 in PEM");
        let pem = String::deserialize(deserializer)?;
        let der = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| wrong())?;
        let (_, certificate) = x509_parser::parse_x509_certificate(&der).map_err(|_| wrong())?;
        let thumbprint = |algorithm| BASE64_URL_SAFE_NO_PAD.encode(digest::digest(algorithm, &der));
        let validity = certificate.validity();
        Ok(Self {
            thumbprints: [thumbprint(&digest::SHA256), thumbprint(&digest::SHA1_FOR_LEGACY_USE_ONLY)],
            public_key: certificate.public_key().subject_public_key.data.to_vec(),
            valid: validity.not_before.timestamp()..=validity.not_after.timestamp(),
        })
    }
}

/// The object id of the service principal of a client: made up, but always the same.
pub(crate) fn object_id(client_id: &str) -> String {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, client_id.as_bytes()).to_string()
}
