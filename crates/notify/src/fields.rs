//! Reads the fields of the file one by one. An error names the place, and never quotes a value: it may be a secret that was
//! put where it does not belong.

use std::path::PathBuf;

use serde_json::{Map, Value};
use thiserror::Error;

/// What is wrong with the file: where, and what. Never a value from it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{at}: {problem}")]
pub struct ConfigError {
    at: String,
    problem: String,
}

impl ConfigError {
    pub(crate) fn new(at: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { at: at.into(), problem: problem.into() }
    }
}

/// A map of the file, from which each field is taken once.
#[derive(Debug)]
pub(crate) struct Fields {
    /// What it belongs to, such as "receiver `mail`"; empty for the file itself.
    owner: String,
    /// Where in that it is, such as `smtp.`.
    prefix: String,
    left: Map<String, Value>,
    asked: Vec<&'static str>,
}

impl Fields {
    /// The fields of `value`, which belongs to `owner`.
    pub(crate) fn of(owner: &str, value: Value) -> Result<Self, ConfigError> {
        match value {
            Value::Object(left) => Ok(Self { owner: owner.to_owned(), prefix: String::new(), left, asked: Vec::new() }),
            _ if owner.is_empty() => Err(ConfigError::new("the file", "must be a map of fields")),
            _ => Err(ConfigError::new(owner, "must be a map of fields")),
        }
    }

    /// From here on they belong to `owner`.
    pub(crate) fn owned_by(self, owner: String) -> Self {
        Self { owner, ..self }
    }

    /// An error about the field `name`.
    pub(crate) fn error(&self, name: &str, problem: &str) -> ConfigError {
        let comma = if self.owner.is_empty() { "" } else { ", " };
        let name = payg_text::excerpt(name, 60);
        ConfigError::new(format!("{}{comma}field `{}{name}`", self.owner, self.prefix), problem)
    }

    fn take(&mut self, name: &'static str) -> Result<Option<Value>, ConfigError> {
        self.asked.push(name);
        match self.left.remove(name) {
            // It could mean anything: all, none, or that something was forgotten.
            Some(Value::Null) => Err(self.error(name, "is empty: give it a value, or leave it out")),
            value => Ok(value),
        }
    }

    /// The field `name`, a text that `parse` reads; `expected` says what it must be.
    pub(crate) fn parsed<T>(
        &mut self,
        name: &'static str,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, ConfigError> {
        let Some(value) = self.take(name)? else { return Ok(None) };
        let parsed = value.as_str().and_then(parse);
        parsed.map(Some).ok_or_else(|| self.error(name, &format!("must be {expected}")))
    }

    /// The field `name`, a text that is not empty.
    pub(crate) fn text(&mut self, name: &'static str) -> Result<Option<String>, ConfigError> {
        let expected = "a text, in quotes if it looks like something else";
        self.parsed(name, expected, |text| (!text.is_empty()).then(|| text.to_owned()))
    }

    /// The field `name`, the absolute path of a file.
    pub(crate) fn path(&mut self, name: &'static str) -> Result<Option<PathBuf>, ConfigError> {
        self.parsed(name, "the absolute path of a file", |text| text.starts_with('/').then(|| PathBuf::from(text)))
    }

    /// The field `name`, true or false; absent is false.
    pub(crate) fn flag(&mut self, name: &'static str) -> Result<bool, ConfigError> {
        match self.take(name)? {
            None => Ok(false),
            Some(Value::Bool(value)) => Ok(value),
            Some(_) => Err(self.error(name, "must be true or false")),
        }
    }

    /// The field `name`, a number from 1 to `most`.
    pub(crate) fn number(&mut self, name: &'static str, most: u16) -> Result<Option<u16>, ConfigError> {
        let Some(value) = self.take(name)? else { return Ok(None) };
        let number = number(&value, most);
        number.map(Some).ok_or_else(|| self.error(name, &format!("must be a number from 1 to {most}")))
    }

    /// The field `name`, a list that is not empty, each of whose items `parse` reads; absent is empty.
    pub(crate) fn list<T>(
        &mut self,
        name: &'static str,
        expected: &str,
        parse: impl Fn(&Value) -> Option<T>,
    ) -> Result<Vec<T>, ConfigError> {
        let Some(value) = self.take(name)? else { return Ok(Vec::new()) };
        let items = value.as_array().filter(|items| !items.is_empty());
        let parsed = items.and_then(|items| items.iter().map(parse).collect());
        parsed.ok_or_else(|| self.error(name, &format!("must be a list of {expected}, and not empty")))
    }

    /// The field `name`, a map of fields.
    pub(crate) fn map(&mut self, name: &'static str) -> Result<Option<Self>, ConfigError> {
        match self.take(name)? {
            None => Ok(None),
            Some(Value::Object(left)) => {
                let prefix = format!("{}{name}.", self.prefix);
                Ok(Some(Self { owner: self.owner.clone(), prefix, left, asked: Vec::new() }))
            }
            Some(_) => Err(self.error(name, "must be a map of fields")),
        }
    }

    /// The field `name`, a map of texts that is not empty.
    pub(crate) fn texts(&mut self, name: &'static str) -> Result<Vec<(String, String)>, ConfigError> {
        let Some(map) = self.map(name)? else { return Ok(Vec::new()) };
        let text = |(key, value): (String, Value)| Some((key, value.as_str()?.to_owned()));
        let texts: Option<Vec<_>> = map.left.into_iter().map(text).collect();
        let texts = texts.filter(|texts| !texts.is_empty());
        texts.ok_or_else(|| self.error(name, "must be a map of texts, in quotes if they look like something else"))
    }

    /// `value`, or that the field `name` is missing.
    pub(crate) fn required<T>(&self, name: &str, value: Option<T>) -> Result<T, ConfigError> {
        value.ok_or_else(|| self.error(name, "is missing"))
    }

    /// Nothing else may be there.
    pub(crate) fn end(self) -> Result<(), ConfigError> {
        match self.left.keys().next() {
            None => Ok(()),
            Some(name) => Err(self.error(name, &format!("is unknown; known are {}", self.asked.join(", ")))),
        }
    }
}

/// A number from 1 to `most`.
pub(crate) fn number(value: &Value, most: u16) -> Option<u16> {
    let number = u16::try_from(value.as_u64()?).ok()?;
    (1..=most).contains(&number).then_some(number)
}
