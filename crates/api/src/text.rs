//! Text of a bounded length.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// Text of at most `MAX` characters. Longer text is cut, with an ellipsis: a provider's long answer must not make the API
/// server refuse the whole status. Invisible characters are written out. Not for identifiers, which must be complete or absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String")]
pub struct Text<const MAX: usize>(String);

impl<const MAX: usize> From<String> for Text<MAX> {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl<const MAX: usize> From<&str> for Text<MAX> {
    fn from(text: &str) -> Self {
        Self(payg_text::excerpt(text, MAX))
    }
}

impl<const MAX: usize> Deref for Text<MAX> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> PartialEq<str> for Text<MAX> {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl<const MAX: usize> fmt::Display for Text<MAX> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

impl<const MAX: usize> JsonSchema for Text<MAX> {
    fn schema_name() -> Cow<'static, str> {
        format!("Text{MAX}").into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "maxLength": MAX})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(&*Text::<4>::from("ärger"), "ärg…");
        assert_eq!(&*Text::<5>::from("ärger"), "ärger");
    }

    #[test]
    fn nothing_is_hidden_in_a_text() {
        assert_eq!(&*Text::<20>::from("yes\u{1b}[2K\u{202e}"), "yes\\u{1b}[2K\\u{202e}");
    }
}
