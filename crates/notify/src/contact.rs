//! The contacts of a Subscription.

use std::fmt;

use thiserror::Error;

/// A Subscription has at most so many.
pub const MOST_CONTACTS: usize = 10;
/// A word is at most so long, in bytes. As a label's value.
const LONGEST_WORD: usize = 63;

/// A contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contact {
    /// An address for mail.
    Mail(MailAddress),
    /// A word that says something to receivers, such as the name of a team.
    Word(String),
}

/// A mail address of plain letters: no quotes, no comments, nothing that means something in a header.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MailAddress {
    local: String,
    /// In small letters.
    domain: String,
}

impl MailAddress {
    /// `None` for what is no address, or not a plain one.
    pub fn parse(text: &str) -> Option<Self> {
        let (local, domain) = text.split_once('@')?;
        let word = |text: &str, more: &str| {
            !text.is_empty() && text.chars().all(|letter| letter.is_ascii_alphanumeric() || more.contains(letter))
        };
        let dotted = |text: &str, more: &str| text.split('.').all(|part| word(part, more));
        let plain = local.len() <= 64 && domain.len() <= 190 && dotted(local, "-_+") && dotted(domain, "-");
        plain.then(|| Self { local: local.to_owned(), domain: domain.to_ascii_lowercase() })
    }

    /// What is after the `@`, in small letters.
    pub fn domain(&self) -> &str {
        &self.domain
    }
}

impl fmt::Display for MailAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}@{}", self.local, self.domain)
    }
}

impl fmt::Display for Contact {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mail(address) => address.fmt(formatter),
            Self::Word(word) => formatter.write_str(word),
        }
    }
}

/// What is wrong with a list of contacts.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ContactError {
    #[error("more than {} contacts", MOST_CONTACTS)]
    TooMany,
    #[error("contact {0} is neither a mail address nor a word of at most {longest} letters, digits, `-`, `_` and `.`", longest = LONGEST_WORD)]
    Neither(usize),
}

impl Contact {
    /// The contacts in the text of an annotation: mail addresses and words, with commas or white space between them.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, ContactError> {
        let words = text.split(|letter: char| letter == ',' || letter.is_whitespace()).filter(|word| !word.is_empty());
        let mut contacts = Vec::new();
        for (index, word) in words.enumerate() {
            if index == MOST_CONTACTS {
                return Err(ContactError::TooMany);
            }
            contacts.push(Self::parse(word).ok_or(ContactError::Neither(index + 1))?);
        }
        Ok(contacts)
    }

    fn parse(word: &str) -> Option<Self> {
        if word.contains('@') {
            return MailAddress::parse(word).map(Self::Mail);
        }
        let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
        (word.len() <= LONGEST_WORD && word.chars().all(plain)).then(|| Self::Word(word.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contacts_are_addresses_and_words() {
        let contacts = Contact::parse_list(" jane@Example.com, team-a\nops+x@mail.example.org ,, PD_7.b ").unwrap();
        let shown: Vec<_> = contacts.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["jane@example.com", "team-a", "ops+x@mail.example.org", "PD_7.b"]);
        assert!(matches!(&contacts[0], Contact::Mail(address) if address.domain() == "example.com"));
        assert!(matches!(&contacts[1], Contact::Word(_)));
        assert_eq!(Contact::parse_list(" ,\n"), Ok(Vec::new()));
    }

    #[test]
    fn what_could_mean_something_elsewhere_is_refused() {
        for wrong in [
            "<!channel>",
            "@here",
            "a@b@c",
            "\"a b\"@example.com",
            "a@",
            "@example.com",
            "a@exa_mple.com",
            "a..b@example.com",
            "a@example..com",
            "a@[127.0.0.1]",
            "x:y",
            "https://evil.example",
            "zoë@example.com",
            "a\u{0}b",
            "a@example.com\u{200b}",
        ] {
            assert_eq!(Contact::parse_list(wrong), Err(ContactError::Neither(1)), "{wrong:?}");
        }
        assert_eq!(Contact::parse_list(&format!("ok {}", "w".repeat(64))), Err(ContactError::Neither(2)));
        assert_eq!(Contact::parse_list(&"w ".repeat(11)), Err(ContactError::TooMany));
        assert!(Contact::parse_list(&"w ".repeat(10)).is_ok());
    }
}
