//! Mail, by SMTP. Each recipient gets a mail of its own: one that a server refuses, or puts off, holds back no other, and
//! nobody sees who else got one.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use tokio::time::timeout;

use crate::contact::{Contact, MailAddress};
use crate::dispatcher::SendError;
use crate::endpoint::{TIMEOUT, is_local, read_file, read_secret, temporary};
use crate::fields::{ConfigError, Fields};
use crate::mail;
use crate::notice::Notice;
use crate::receivers::Receiver;

/// So many notices whose mails were sent in part are remembered.
const MOST_PARTIAL: usize = 1000;
/// How much of a server's answer is repeated, in characters.
const LONGEST_EXCERPT: usize = 200;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    host: String,
    port: u16,
    tls: Encryption,
    /// A user's name, and the file with the password.
    login: Option<(String, PathBuf)>,
    /// Certificates to trust beside the system's.
    ca: Option<PathBuf>,
    from: MailAddress,
    /// Who gets every mail.
    to: Vec<MailAddress>,
    /// The domains whose addresses among a Subscription's contacts get mail; none without `contacts: true`.
    contact_domains: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, strum::EnumString)]
enum Encryption {
    /// The connection begins without TLS, and nothing is said before it has it.
    #[default]
    StartTls,
    /// TLS from the start.
    Implicit,
    /// None at all.
    None,
}

impl Encryption {
    fn port(self) -> u16 {
        match self {
            Self::StartTls => 587,
            Self::Implicit => 465,
            Self::None => 25,
        }
    }
}

impl Settings {
    pub(crate) fn read(fields: &mut Fields, domains: &[String]) -> Result<Self, ConfigError> {
        let (host, port) = (fields.parsed("host", "a host's name or address", host)?, fields.number("port", u16::MAX)?);
        let tls = fields.parsed("tls", "StartTls, Implicit or None", |text| text.parse::<Encryption>().ok())?;
        let tls = tls.unwrap_or_default();
        let insecure = fields.flag("insecure")?;
        let (user, password) = (fields.text("username")?, fields.path("passwordFile")?);
        let ca = fields.path("caFile")?;
        let from = fields.parsed("from", "a mail address", MailAddress::parse)?;
        let to = fields.list("to", "mail addresses", |value| MailAddress::parse(value.as_str()?))?;
        let contacts = fields.flag("contacts")?;
        let host = fields.required("host", host)?;
        let from = fields.required("from", from)?;
        if tls == Encryption::None && !insecure && !is_local(&host) {
            let problem =
                "must not be None, except for this machine, or with `insecure: true` if the network is to be trusted";
            return Err(fields.error("tls", problem));
        }
        let login = match (user, password) {
            (Some(user), Some(password)) => Some((user, password)),
            (None, None) => None,
            (Some(_), None) => return Err(fields.error("passwordFile", "is missing beside `username`")),
            (None, Some(_)) => return Err(fields.error("username", "is missing beside `passwordFile`")),
        };
        if contacts && domains.is_empty() {
            return Err(fields.error("contacts", "needs the domains that may get mail, in `mailDomains` of the file"));
        }
        if to.is_empty() && !contacts {
            return Err(fields.error("to", "is missing, and so is `contacts: true`"));
        }
        let contact_domains = if contacts { domains.to_vec() } else { Vec::new() };
        Ok(Self { host, port: port.unwrap_or(tls.port()), tls, login, ca, from, to, contact_domains })
    }

    /// Who gets mail of `notice`, each once.
    pub(crate) fn recipients(&self, notice: &Notice) -> Vec<MailAddress> {
        let contacts = notice.contacts.iter().filter_map(|contact| match contact {
            Contact::Mail(address) if self.contact_domains.iter().any(|domain| domain == address.domain()) => {
                Some(address)
            }
            Contact::Mail(_) | Contact::Word(_) => None,
        });
        let mut seen = HashSet::new();
        self.to.iter().chain(contacts).filter(|address| seen.insert(*address)).cloned().collect()
    }

    async fn transport(&self) -> Result<AsyncSmtpTransport<Tokio1Executor>, SendError> {
        let tls = match self.tls {
            Encryption::StartTls => Tls::Required(self.trust().await?),
            Encryption::Implicit => Tls::Wrapper(self.trust().await?),
            Encryption::None => Tls::None,
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&self.host)
            .port(self.port)
            .tls(tls)
            .timeout(Some(TIMEOUT));
        if let Some((user, password)) = &self.login {
            builder = builder.credentials(Credentials::new(user.clone(), read_secret(password).await?));
        }
        Ok(builder.build())
    }

    async fn trust(&self) -> Result<TlsParameters, SendError> {
        let mut builder = TlsParameters::builder(self.host.clone());
        if let Some(file) = &self.ca {
            let certificates = Certificate::from_pem(&read_file(file).await?);
            let problem = format!("{} holds no certificate that can be read: it must be PEM", file.display());
            builder = builder.add_root_certificate(certificates.map_err(|_| temporary(problem))?);
        }
        builder.build_rustls().map_err(|error| temporary(format!("TLS cannot be set up: {error}")))
    }
}

fn host(text: &str) -> Option<String> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-.:".contains(letter);
    ((1..=253).contains(&text.len()) && text.chars().all(plain)).then(|| text.to_owned())
}

pub(crate) struct Smtp {
    settings: Settings,
    /// Who has the mail of a notice already, by its id, while others still wait for theirs.
    partial: Mutex<HashMap<String, HashSet<MailAddress>>>,
}

impl Smtp {
    pub(crate) fn new(settings: Settings) -> Self {
        Self { settings, partial: Mutex::default() }
    }

    fn told(&self, id: &str) -> HashSet<MailAddress> {
        self.partial.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned().unwrap_or_default()
    }

    fn remember(&self, id: &str, told: HashSet<MailAddress>) {
        let mut partial = self.partial.lock().unwrap_or_else(PoisonError::into_inner);
        if partial.len() >= MOST_PARTIAL {
            partial.clear(); // somebody may get a second mail; the rest is as before
        }
        partial.insert(id.to_owned(), told);
    }

    fn forget(&self, id: &str) {
        self.partial.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }
}

#[async_trait]
impl Receiver for Smtp {
    async fn send(&self, notice: &Notice) -> Result<(), SendError> {
        let transport = self.settings.transport().await?;
        let mut told = self.told(&notice.id);
        let (mut refused, mut later) = (None, None);
        for recipient in self.settings.recipients(notice) {
            if told.contains(&recipient) {
                continue;
            }
            let mail = mail::message(notice, &self.settings.from, &recipient).map_err(SendError::Refused)?;
            match timeout(TIMEOUT, transport.send(mail)).await.map_err(|_| hangs())? {
                Ok(_) => {
                    told.insert(recipient);
                    self.remember(&notice.id, told.clone());
                }
                Err(error) if error.is_permanent() => {
                    tracing::warn!(%recipient, error = reason(&error), "The mail server refused a recipient of a notice");
                    refused = Some(SendError::Refused(reason(&error)));
                }
                // Nobody else would be reached either.
                Err(error) if error.status().is_none() => return Err(temporary(reason(&error))),
                Err(error) => later = Some(temporary(reason(&error))),
            }
        }
        if let Some(later) = later {
            return Err(later);
        }
        self.forget(&notice.id);
        match refused {
            Some(refused) if told.is_empty() => Err(refused),
            _ => Ok(()),
        }
    }
}

/// lettre bounds how long a connection takes to be made, and not how long an answer does.
fn hangs() -> SendError {
    temporary(format!("the mail server did not answer within {} s", TIMEOUT.as_secs()))
}

/// What went wrong, as the server says it.
fn reason(error: &Error) -> String {
    payg_text::excerpt(&error.to_string(), LONGEST_EXCERPT)
}
