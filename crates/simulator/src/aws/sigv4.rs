//! Signature Version 4 from the side of the service: what was signed is computed anew from the request, and compared.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>; the texts of the errors are
//! those of <https://docs.aws.amazon.com/IAM/latest/UserGuide/signature-v4-troubleshooting.html>, and of users' reports.

use std::fmt::Write;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use ring::{digest, hmac};

use crate::message::Call;

/// The only region here.
pub(crate) const REGION: &str = "us-east-1";
const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const TERMINATOR: &str = "aws4_request";
/// By how much the clock of a client may differ.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(15);
const BASIC_TIME: &str = "%Y%m%dT%H%M%SZ";

/// Why a signature is not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    Missing,
    /// The header cannot be understood.
    Incomplete(String),
    Wrong(String),
}

/// An `Authorization` header, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Authorization<'a> {
    pub(crate) key_id: &'a str,
    date: &'a str,
    region: &'a str,
    service: &'a str,
    terminator: &'a str,
    /// As the signer listed them.
    signed_headers: &'a str,
    signature: &'a str,
}

impl<'a> Authorization<'a> {
    pub(crate) fn of(call: &'a Call) -> Result<Self, Problem> {
        let header = call.header("authorization").ok_or(Problem::Missing)?;
        let Some(fields) = header.strip_prefix(ALGORITHM) else {
            return Err(Problem::Incomplete(format!("Unsupported AWS 'algorithm': it must be '{ALGORITHM}'.")));
        };
        let field = |name: &str| {
            let found = fields.split(',').find_map(|field| field.trim().strip_prefix(name)?.strip_prefix('='));
            found
                .filter(|value| !value.is_empty())
                .ok_or_else(|| Problem::Incomplete(format!("Authorization header requires '{name}' parameter.")))
        };
        let credential = field("Credential")?;
        let parts: Vec<&str> = credential.split('/').collect();
        let [key_id, date, region, service, terminator] = parts[..] else {
            return Err(Problem::Incomplete(
                "Credential must have exactly 5 slash-delimited elements, e.g. \
                 keyid/date/region/service/term."
                    .into(),
            ));
        };
        let (signed_headers, signature) = (field("SignedHeaders")?, field("Signature")?);
        Ok(Self { key_id, date, region, service, terminator, signed_headers, signature })
    }

    /// Whether the signature is for this service, here.
    pub(crate) fn check_scope(&self, service: &str) -> Result<(), Problem> {
        let wrong = |text: String| Err(Problem::Wrong(text));
        if self.terminator != TERMINATOR {
            return wrong(format!("Credential should be scoped with a valid terminator: '{TERMINATOR}'."));
        }
        if self.region != REGION {
            return wrong(format!("Credential should be scoped to a valid region, not '{}'. ", self.region));
        }
        if self.service != service {
            return wrong(format!("Credential should be scoped to correct service: '{service}'. "));
        }
        Ok(())
    }

    /// Whether this secret made the signature of this request, about `now` of the wall clock.
    pub(crate) fn check(&self, call: &Call, secret: &str, now: Timestamp) -> Result<(), Problem> {
        let time = call.header("x-amz-date").unwrap_or_default();
        self.check_time(time, now)?;
        self.check_signed_headers(call)?;
        let payload = hex(digest::digest(&digest::SHA256, &call.body).as_ref());
        if call.header("x-amz-content-sha256").is_some_and(|declared| declared != payload) {
            let text = "The provided 'x-amz-content-sha256' header does not match what was computed.";
            return Err(Problem::Wrong(text.into()));
        }
        let canonical = self.canonical_request(call, &payload);
        let scope = format!("{}/{}/{}/{TERMINATOR}", self.date, self.region, self.service);
        let hash = hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref());
        let to_sign = format!("{ALGORITHM}\n{time}\n{scope}\n{hash}");
        let key = signing_key(secret, self.date, self.region, self.service);
        let signature = hex(hmac::sign(&key, to_sign.as_bytes()).as_ref());
        if signature == self.signature {
            return Ok(());
        }
        Err(Problem::Wrong(
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access \
             Key and signing method. Consult the service documentation for details."
                .into(),
        ))
    }

    fn check_time(&self, text: &str, now: Timestamp) -> Result<(), Problem> {
        let Some(time) = basic_time(text) else {
            return Err(Problem::Incomplete(format!(
                "Date must be in ISO-8601 'basic format'. Got '{text}'. See http://en.wikipedia.org/wiki/ISO_8601"
            )));
        };
        let shown = |time: Timestamp| time.strftime(BASIC_TIME).to_string();
        let day = text.get(..8).unwrap_or_default();
        if day != self.date {
            return Err(Problem::Wrong(format!(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{}' != \
                 '{day}', from '{text}'.",
                self.date
            )));
        }
        let (earliest, latest) = (now - CLOCK_SKEW, now + CLOCK_SKEW);
        if time < earliest {
            let (earliest, now) = (shown(earliest), shown(now));
            return Err(Problem::Wrong(format!(
                "Signature expired: {text} is now earlier than {earliest} ({now} - 15 min.)"
            )));
        }
        if time > latest {
            let (latest, now) = (shown(latest), shown(now));
            return Err(Problem::Wrong(format!(
                "Signature not yet current: {text} is still later than {latest} ({now} + 15 min.)"
            )));
        }
        Ok(())
    }

    /// The host must be signed, and of the headers that are there all of AWS's own, but for the description of the
    /// client.
    fn check_signed_headers(&self, call: &Call) -> Result<(), Problem> {
        let own = call.headers.keys().map(http_name).filter(|name| name.starts_with("x-amz-"));
        let wanted = std::iter::once("host").chain(own.filter(|name| *name != "x-amz-user-agent"));
        for name in wanted {
            if !self.signed_headers.split(';').any(|signed| signed == name) {
                return Err(Problem::Wrong(format!("'{name}' must be a 'SignedHeader' in the AWS Authorization.")));
            }
        }
        Ok(())
    }

    fn canonical_request(&self, call: &Call, payload: &str) -> String {
        let path: Vec<String> = call.path.split('/').map(encoded).collect();
        let mut pairs: Vec<_> = call.query_pairs().map(|(name, value)| (encoded(&name), encoded(&value))).collect();
        pairs.sort();
        let query: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut text = format!("{}\n{}\n{}\n", call.method, path.join("/"), query.join("&"));
        for name in self.signed_headers.split(';') {
            let values = call.headers.get_all(name).iter().map(|value| {
                let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                value.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
            });
            let _ = writeln!(text, "{name}:{}", values.collect::<Vec<_>>().join(","));
        }
        text + &format!("\n{}\n{payload}", self.signed_headers)
    }
}

fn http_name(name: &axum::http::HeaderName) -> &str {
    name.as_str()
}

/// The key that signs for a day, a region and a service.
fn signing_key(secret: &str, date: &str, region: &str, service: &str) -> hmac::Key {
    let key = |bytes: &[u8]| hmac::Key::new(hmac::HMAC_SHA256, bytes);
    let first = key(format!("AWS4{secret}").as_bytes());
    [date, region, service, TERMINATOR]
        .iter()
        .fold(first, |signer, part| key(hmac::sign(&signer, part.as_bytes()).as_ref()))
}

fn basic_time(text: &str) -> Option<Timestamp> {
    let time = jiff::civil::DateTime::strptime(BASIC_TIME, text).ok()?;
    Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

/// Percent-encoded, all but the unreserved characters of RFC 3986. Paths are encoded once more than they were sent.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(byte.into());
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From AWS's own documentation of the signing key.
    #[test]
    fn the_signing_key_is_that_of_the_documentation() {
        let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
        let key = signing_key(secret, "20150830", "us-east-1", "iam");
        let to_sign = "AWS4-HMAC-SHA256\n20150830T123600Z\n20150830/us-east-1/iam/aws4_request\n\
            f536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59";
        let signature = hex(hmac::sign(&key, to_sign.as_bytes()).as_ref());
        assert_eq!(signature, "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7");
    }
}
