//! Why an API server cannot be reached, for people: kube's own words are `client error (Connect)`.

use std::error::Error;
use std::io::{self, ErrorKind};

use rustls::{CertificateError, Error as TlsError};

/// Whether there was no connection to the other side.
pub fn is_connect(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref().is_some_and(hyper_util::client::legacy::Error::is_connect)
}

/// What is beneath `error`, in words that say what to look at.
pub fn cause(error: &(dyn Error + 'static)) -> String {
    let mut last = error;
    for error in std::iter::successors(Some(error), |error| beneath(*error)) {
        if let Some(said) = said(error) {
            return said;
        }
        last = error;
    }
    last.to_string()
}

/// The error that `error` was made of. One of I/O skips over what it was made of.
fn beneath<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    inner.map(|inner| inner as &(dyn Error + 'static)).or_else(|| error.source())
}

fn said(error: &(dyn Error + 'static)) -> Option<String> {
    if let Some(error) = error.downcast_ref::<TlsError>() {
        return Some(match error {
            TlsError::InvalidCertificate(CertificateError::UnknownIssuer) => {
                "its certificate is signed by an unknown authority; check the certificate authority of the kubeconfig"
                    .to_owned()
            }
            error => format!("TLS: {error}"),
        });
    }
    match error.downcast_ref::<io::Error>()?.kind() {
        ErrorKind::ConnectionRefused => Some("nobody listens there (connection refused)".to_owned()),
        _ if error.to_string().contains("failed to lookup address") => Some("there is no such host".to_owned()),
        _ => None,
    }
}
