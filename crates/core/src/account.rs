//! The identity of an account.

use std::fmt;

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// A cloud whose accounts can be observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, strum::IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum Cloud {
    /// Microsoft Azure: the account is a subscription.
    Azure,
    /// Amazon Web Services.
    Aws,
}

impl Cloud {
    /// The name that records and hashes use; never changes.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// An account, in the one spelling that identifies it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AccountId {
    /// An Azure subscription id.
    Azure(Uuid),
    /// The 12 digits of an AWS account id.
    Aws(AwsAccountId),
}

/// Twelve digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AwsAccountId(String);

impl AwsAccountId {
    /// The id, if `text` is 12 ASCII digits.
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| Self(text.to_owned()))
    }
}

impl fmt::Display for AwsAccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AccountId {
    /// The account that `cloud` and `id` of an upgrade record name.
    pub fn parse(cloud: &str, id: &str) -> Option<Self> {
        match cloud {
            "azure" => Uuid::parse_str(id).ok().map(Self::Azure),
            "aws" => AwsAccountId::parse(id).map(Self::Aws),
            _ => None,
        }
    }

    /// The cloud that the account is in.
    pub const fn cloud(&self) -> Cloud {
        match self {
            Self::Azure(_) => Cloud::Azure,
            Self::Aws(_) => Cloud::Aws,
        }
    }

    /// The id in canonical lower case, without the cloud.
    pub fn id(&self) -> String {
        match self {
            Self::Azure(id) => id.hyphenated().to_string(),
            Self::Aws(AwsAccountId(id)) => id.clone(),
        }
    }

    /// The key of this account's upgrade to pay-as-you-go: what the record is named after and what the idempotency key
    /// is derived from. Depends on the account and the target alone, so that no rename, restore or second object makes
    /// another one. 40 hexadecimal digits.
    pub fn upgrade_key(&self) -> UpgradeKey {
        let digest = Sha256::digest(format!("payg-operator.io/v1\n{}\n{}\nPayAsYouGo", self.cloud().name(), self.id()));
        UpgradeKey(hex(&digest[..20]))
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Azure(_) => write!(f, "Azure subscription {}", self.id()),
            Self::Aws(_) => write!(f, "AWS account {}", self.id()),
        }
    }
}

/// Identifies one upgrade of one account for ever.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UpgradeKey(String);

/// The namespace of our idempotency keys (a random UUID, chosen once).
const NAMESPACE: Uuid = Uuid::from_u128(0x8d0c_52f1_6a5f_4a54_9f5e_0e6d_34b1_c7a2);

impl UpgradeKey {
    /// The key as 40 hexadecimal digits: `spec.key` of the record.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of the upgrade record.
    pub fn record_name(&self) -> String {
        format!("up-{}", self.0)
    }

    /// The idempotency key that the provider gets, the same at every attempt.
    pub fn idempotency_key(&self) -> Uuid {
        Uuid::new_v5(&NAMESPACE, self.0.as_bytes())
    }
}

/// `bytes` as lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_account_has_one_key_however_it_is_written() {
        let lower = AccountId::parse("azure", "6f1a3c1e-0000-4a00-9000-00000000f7ee").unwrap();
        let upper = AccountId::parse("azure", "6F1A3C1E-0000-4A00-9000-00000000F7EE").unwrap();
        assert_eq!(lower.upgrade_key(), upper.upgrade_key());
        assert_eq!(lower.id(), "6f1a3c1e-0000-4a00-9000-00000000f7ee");
    }

    /// The record's name and the idempotency key are a promise to every cluster that already has records.
    #[test]
    fn keys_never_change() {
        let key = AccountId::parse("azure", "6f1a3c1e-0000-4a00-9000-00000000f7ee").unwrap().upgrade_key();
        assert_eq!(key.record_name(), "up-f3beb82340cfef3421aa5ce925f1b51422a17b89");
        assert_eq!(key.idempotency_key().to_string(), "96c17993-7ae1-5bf6-8da0-3dd3b83c459c");
        let key = AccountId::parse("aws", "123456789012").unwrap().upgrade_key();
        assert_eq!(key.record_name(), "up-219460e9649d09b9e488cf6c59397980860edf1e");
    }

    #[test]
    fn invalid_account_ids_are_refused() {
        for id in ["", "12345678901", "1234567890123", "12345678901a", "１２３４５６７８９０１２"] {
            assert_eq!(AccountId::parse("aws", id), None, "{id}");
        }
        assert_eq!(AccountId::parse("azure", "not-a-guid"), None);
        assert_eq!(AccountId::parse("gcp", "123456789012"), None);
    }
}
