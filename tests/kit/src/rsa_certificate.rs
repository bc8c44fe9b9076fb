//! Client certificates with RSA keys.

use std::ops::Range;

use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};
use rsa::{
    Generate, PrivateKey,
    pkcs1::EncodeRsaPrivateKey,
    pkcs8::{EncodePrivateKey, LineEnding},
};

/// A certificate that its own RSA key has signed. Making the key takes a few seconds.
pub struct RsaCertificate {
    /// The certificate, PEM.
    pub certificate_pem: String,
    /// The key, PEM of PKCS#8.
    pub key_pem: String,
    /// The same key, PEM of PKCS#1, as cert-manager writes it.
    pub pkcs1_pem: String,
}

impl RsaCertificate {
    /// One that is valid from the first day of one year to the first day of another.
    ///
    /// # Panics
    ///
    /// If the operating system has no random numbers.
    #[allow(clippy::expect_used, reason = "for tests")]
    pub fn new(years: Range<i32>) -> Self {
        let key = PrivateKey::generate();
        let pkcs8 = key.to_pkcs8_der().expect("a key can be written");
        let pair = KeyPair::try_from(pkcs8.as_bytes()).expect("an RSA key");
        let pkcs1_pem = key.to_pkcs1_pem(LineEnding::LF).expect("a key can be written").to_string();
        Self { certificate_pem: self_signed(&pair, years), key_pem: pair.serialize_pem(), pkcs1_pem }
    }

    /// Another certificate of the same key.
    ///
    /// # Panics
    ///
    /// Never: the key is one that was made here.
    #[allow(clippy::expect_used, reason = "for tests")]
    #[must_use]
    pub fn renewed(&self, years: Range<i32>) -> Self {
        let pair = KeyPair::from_pem(&self.key_pem).expect("a key");
        let (key_pem, pkcs1_pem) = (self.key_pem.clone(), self.pkcs1_pem.clone());
        Self { certificate_pem: self_signed(&pair, years), key_pem, pkcs1_pem }
    }
}

#[allow(clippy::expect_used, reason = "for tests")]
fn self_signed(pair: &KeyPair, years: Range<i32>) -> String {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "payg-operator test client");
    (params.not_before, params.not_after) = (date_time_ymd(years.start, 1, 1), date_time_ymd(years.end, 1, 1));
    params.self_signed(pair).expect("a certificate").pem()
}
