//! The certificate authority of one control plane, and what it signs.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};

use crate::Error;

/// The attribute type that stands for a group, twice: rcgen keeps one value for each type, and takes these for two.
fn group_types() -> [DnType; 2] {
    [DnType::OrganizationName, DnType::CustomDnType(vec![2, 5, 4, 10])]
}

/// A certificate and its private key.
pub(crate) struct Pair {
    pub(crate) cert_pem: String,
    pub(crate) key_pem: String,
}

pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Result<Self, Error> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "payg-operator test control plane");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        Ok(Self(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?))
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// The certificate of the API server; 10.0.0.1 is the first address of the service range.
    pub(crate) fn server(&self) -> Result<Pair, Error> {
        let names = ["127.0.0.1", "10.0.0.1", "localhost", "kubernetes.default.svc"].map(str::to_owned);
        self.sign(CertificateParams::new(names)?, "kube-apiserver", &[], ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// A certificate that the API server takes for `user` in `groups`.
    pub(crate) fn client(&self, user: &str, groups: &[&str]) -> Result<Pair, Error> {
        self.sign(CertificateParams::default(), user, groups, ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn sign(
        &self,
        mut params: CertificateParams,
        common_name: &str,
        groups: &[&str],
        usage: ExtendedKeyUsagePurpose,
    ) -> Result<Pair, Error> {
        if groups.len() > group_types().len() {
            return Err(Error::TooManyGroups(groups.len()));
        }
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, common_name);
        for (kind, group) in group_types().into_iter().zip(groups) {
            params.distinguished_name.push(kind, *group);
        }
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate()?;
        let cert = params.signed_by(&key, &self.0)?;
        Ok(Pair { cert_pem: cert.pem(), key_pem: key.serialize_pem() })
    }
}
