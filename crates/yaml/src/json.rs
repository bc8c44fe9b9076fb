//! Objects of JSON, one after the other.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::{Document, Fault, scalar};

/// The objects that a text begins with.
pub struct Objects<'a> {
    pub found: Vec<Document<'a>>,
    /// Where the rest of the text begins: behind the last object and the line that it ends on, if nothing else is on it.
    pub end: usize,
    /// What is wrong with the rest, if it is no object.
    pub fault: Option<Fault>,
}

/// Reads as many as there are.
pub fn objects(text: &str) -> Objects<'_> {
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<Unique>();
    let (mut found, mut begin) = (Vec::new(), 0);
    let fault = loop {
        match stream.next() {
            None => break None,
            Some(Ok(Unique(value))) => {
                let end = stream.byte_offset();
                found.push(Document { text: &text[begin..end], value: Ok(value) });
                begin = end;
            }
            Some(Err(error)) => {
                let twice = error.is_data();
                let problem = if twice { TWICE } else { "is not JSON: look at quotes, brackets and commas" };
                let fault = Fault { line: error.line(), column: error.column(), problem };
                if twice {
                    // It is JSON, so it is not read as YAML.
                    found.push(Document { text: &text[begin..], value: Err(fault) });
                    begin = text.len();
                    break None;
                }
                break Some(fault);
            }
        }
    };
    let rest = &text[begin..];
    let blank = rest.len() - rest.trim_start().len();
    let end = begin + rest[..blank].find('\n').map_or(blank, |line| line + 1);
    Objects { found, end, fault }
}

const TWICE: &str = "has a key that is there twice";

/// A value in which no key is there twice, and whole numbers are integers.
struct Unique(Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any).map(Self)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, bool: bool) -> Result<Value, E> {
        Ok(bool.into())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(scalar::unsigned(number).unwrap_or_default())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(scalar::number(number).unwrap_or_default())
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut found = Vec::new();
        while let Some(Unique(item)) = items.next_element()? {
            found.push(item);
        }
        Ok(Value::Array(found))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut found = Map::new();
        while let Some((name, Unique(value))) = fields.next_entry::<String, Unique>()? {
            if found.insert(name, value).is_some() {
                return Err(de::Error::custom(TWICE));
            }
        }
        Ok(Value::Object(found))
    }
}
