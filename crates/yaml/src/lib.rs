//! YAML and JSON as kubectl reads them: what the API server is sent is what kubectl made of a file.
//!
//! A file becomes documents as by apimachinery's `YAMLOrJSONDecoder`, and a document becomes a JSON value as by
//! sigs.k8s.io/yaml, which reads YAML 1.1. On purpose stricter: a key that is there twice is a fault, as is what stands
//! after a document's end. No fault quotes the text, which may be that of a Secret.

mod json;
mod scalar;

use std::collections::{HashMap, HashSet};

use granit_parser::{Event, Options, Parser, ScalarStyle, ScanError, Span, StrInput};
use serde_json::{Map, Value};

/// A document may have so many values, those that aliases repeat included.
const MOST_VALUES: usize = 250_000;
/// How deep they may be in one another.
const DEEPEST: usize = 100;

/// What is wrong with a document, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The line in the whole text, from 1.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
    /// What is wrong, without anything of the text.
    pub problem: &'static str,
}

/// A document of a text.
#[derive(Debug)]
pub struct Document<'a> {
    /// The part of the text that it was read from.
    pub text: &'a str,
    /// What it is; null for one that is empty.
    pub value: Result<Value, Fault>,
}

/// The text of a file: UTF-8 with or without a mark, or UTF-16 with one. What is neither has U+FFFD for each byte that cannot
/// be read, as kubectl has it.
pub fn decode(bytes: &[u8]) -> String {
    let utf16 = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let (pairs, rest) = bytes.as_chunks::<2>();
        let units = pairs.iter().map(|pair| unit(*pair));
        let text = char::decode_utf16(units).map(|letter| letter.unwrap_or(char::REPLACEMENT_CHARACTER));
        text.chain((!rest.is_empty()).then_some(char::REPLACEMENT_CHARACTER)).collect()
    };
    match bytes {
        [0xFF, 0xFE, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [0xEF, 0xBB, 0xBF, rest @ ..] | rest => String::from_utf8_lossy(rest).into_owned(),
    }
}

/// The documents of `text`. A fault in one of YAML says nothing about the others.
pub fn documents(text: &str) -> Vec<Document<'_>> {
    let mut found = Vec::new();
    let mut begin = 0;
    if text.trim_start().starts_with('{') {
        let objects = json::objects(text);
        begin = objects.end;
        found.extend(objects.found);
        // One object may be the beginning of YAML; after two it is a stream of JSON.
        if let Some(fault) = objects.fault.filter(|_| found.len() > 1) {
            found.push(Document { text: &text[begin..], value: Err(fault) });
            return found;
        }
    }
    let mut first = (begin, 1 + text[..begin].matches('\n').count());
    for (line, part) in (first.1..).zip(text[begin..].split_inclusive('\n')) {
        if let Some(rest) = part.strip_prefix("---") {
            found.extend(document(&text[first.0..begin], first.1));
            if !matches!(rest.trim().chars().next(), None | Some('#')) {
                let problem = "there is something after `---`; put it on a line of its own";
                found.push(Document { text: part, value: Err(Fault { line, column: 4, problem }) });
            }
            first = (begin + part.len(), line + 1);
        }
        begin += part.len();
    }
    found.extend(document(&text[first.0..], first.1));
    found
}

/// The document that `text` is, whose first line is `line`; `None` for no text at all.
fn document(text: &str, line: usize) -> Option<Document<'_>> {
    let at = |fault: Fault| Fault { line: fault.line + line - 1, ..fault };
    (!text.trim().is_empty()).then(|| Document { text, value: compose(text).map_err(at) })
}

fn compose(text: &str) -> Result<Value, Fault> {
    let mut options = Options::default();
    options.set_emit_comments(false);
    let parser = Parser::new_from_str_with_options(text, options);
    let mut composer = Composer { parser, anchors: HashMap::new(), left: MOST_VALUES };
    composer.whole()
}

/// Makes a value of the parser's events.
struct Composer<'a> {
    parser: Parser<'a, StrInput<'a>>,
    /// What has a name, by its number.
    anchors: HashMap<usize, Value>,
    /// How many values there may still be.
    left: usize,
}

fn fault(span: Span, problem: &'static str) -> Fault {
    Fault { line: span.start.line().max(1), column: span.start.col() + 1, problem }
}

fn syntax(error: &ScanError) -> Fault {
    let problem = "is not YAML: look at quotes, brackets and indentation";
    Fault { line: error.marker().line().max(1), column: error.marker().col() + 1, problem }
}

impl<'a> Composer<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), Fault> {
        match self.parser.next_event() {
            Some(next) => next.map_err(|error| syntax(&error)),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn whole(&mut self) -> Result<Value, Fault> {
        let mut value = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
                Event::StreamEnd => return Ok(value.unwrap_or_default()),
                _ if value.is_some() => return Err(fault(span, "there is something after the end of the document")),
                event => value = Some(self.node(event, span, 0)?),
            }
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Value, Fault> {
        if depth > DEEPEST {
            return Err(fault(span, "is too deep"));
        }
        let (value, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let value = scalar::resolve(&text, style == ScalarStyle::Plain, tag.as_deref());
                (value.map_err(|problem| fault(span, problem))?, anchor)
            }
            Event::SequenceStart(_, anchor, _) => (self.sequence(depth)?, anchor),
            Event::MappingStart(_, anchor, _) => (self.mapping(depth)?, anchor),
            Event::Alias(anchor) => {
                let value = self.anchors.get(&anchor).cloned();
                (value.ok_or_else(|| fault(span, "is an alias of what it is in"))?, 0)
            }
            _ => return Err(fault(span, "is not YAML: look at quotes, brackets and indentation")),
        };
        let size = if anchor == 0 && matches!(value, Value::Array(_) | Value::Object(_)) { size(&value) } else { 1 };
        self.left = self.left.checked_sub(size).ok_or_else(|| fault(span, "has too many values"))?;
        if anchor != 0 {
            self.anchors.insert(anchor, value.clone());
        }
        Ok(value)
    }

    fn sequence(&mut self, depth: usize) -> Result<Value, Fault> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Value::Array(items)),
                (event, span) => items.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn mapping(&mut self, depth: usize) -> Result<Value, Fault> {
        let mut fields = Map::new();
        let mut seen = HashSet::new();
        loop {
            let (event, span) = match self.next()? {
                (Event::MappingEnd, _) => return Ok(Value::Object(fields)),
                next => next,
            };
            let merges = matches!(&event, Event::Scalar(text, ScalarStyle::Plain, _, _) if text == "<<");
            let key = self.node(event, span, depth + 1)?;
            let (event, at) = self.next()?;
            let value = self.node(event, at, depth + 1)?;
            if merges {
                merge(&mut fields, value).ok_or_else(|| fault(at, "cannot be merged: it is no map"))?;
                continue;
            }
            let key = scalar::key(key).ok_or_else(|| fault(span, "is a key that is no text"))?;
            if !seen.insert(key.clone()) {
                return Err(fault(span, "is a key that is there twice"));
            }
            fields.insert(key, value);
        }
    }
}

/// Puts what `<<` names into `fields`, over what is there: in YAML 1.1 as kubectl has it, what comes later wins. Of a list
/// the first one wins. `None` if it names anything but maps.
fn merge(fields: &mut Map<String, Value>, value: Value) -> Option<()> {
    match value {
        Value::Object(more) => fields.extend(more),
        Value::Array(maps) => {
            for map in maps.into_iter().rev() {
                let Value::Object(more) = map else { return None };
                fields.extend(more);
            }
        }
        _ => return None,
    }
    Some(())
}

/// How many values `value` is.
fn size(value: &Value) -> usize {
    1 + match value {
        Value::Object(fields) => fields.values().map(size).sum(),
        Value::Array(items) => items.iter().map(size).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

#[cfg(test)]
mod tests;
