//! What is compared of an answer. What is random is numbered in the order in which it is first seen.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

/// What was seen of the random things of one API server.
#[derive(Default)]
pub(crate) struct Masks {
    uids: Vec<String>,
    versions: Vec<String>,
    names: Vec<String>,
}

impl Masks {
    /// An answer without what may differ.
    pub(crate) fn answer(&mut self, body: &[u8]) -> Value {
        let Ok(mut value) = serde_json::from_slice::<Value>(body) else {
            return String::from_utf8_lossy(body).into();
        };
        let kind = value["kind"].as_str().unwrap_or_default().to_owned();
        if kind == "Status" {
            status(&mut value);
        }
        if kind.ends_with("List") {
            let metadata = value["metadata"].as_object_mut().unwrap();
            metadata.remove("resourceVersion").unwrap();
            let is_more = metadata.remove("continue").is_some_and(|token| token != "");
            metadata.insert("continue".to_owned(), is_more.into());
        }
        if kind == "TokenRequest" {
            assert!(value["status"]["token"].as_str().is_some_and(|token| !token.is_empty()));
            value["status"] = Value::Null;
        }
        self.mask(&mut value);
        value
    }

    /// An event of a watch.
    pub(crate) fn event(&mut self, event: &Value) -> Value {
        let mut event = event.clone();
        match event["type"].as_str().unwrap() {
            "BOOKMARK" => json!("BOOKMARK"),
            "ERROR" => {
                status(&mut event["object"]);
                event
            }
            _ => {
                self.mask(&mut event);
                event
            }
        }
    }

    fn mask(&mut self, value: &mut Value) {
        match value {
            Value::Object(object) => {
                object.remove("managedFields");
                self.mask_name(object);
                for (name, value) in object.iter_mut() {
                    match (name.as_str(), value) {
                        ("uid", Value::String(uid)) => *uid = format!("uid {}", number(&mut self.uids, uid)),
                        ("resourceVersion", Value::String(version)) => {
                            *version = format!("version {}", number(&mut self.versions, version));
                        }
                        ("creationTimestamp" | "deletionTimestamp", Value::String(time)) => {
                            assert!(time.len() == "2026-11-25T12:00:00Z".len() && time.ends_with('Z'), "{time}");
                            "a time".clone_into(time);
                        }
                        (_, value) => self.mask(value),
                    }
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.mask(item)),
            _ => {}
        }
    }

    fn mask_name(&mut self, object: &mut Map<String, Value>) {
        let Some(base) = object.get("generateName").and_then(Value::as_str).map(str::to_owned) else { return };
        if let Some(Value::String(name)) = object.get_mut("name") {
            assert!(name.starts_with(&base) && name.len() == base.len() + 5, "{name}");
            *name = format!("{base} {}", number(&mut self.names, name));
        }
    }
}

fn number(seen: &mut Vec<String>, text: &str) -> usize {
    seen.iter().rposition(|other| other == text).unwrap_or_else(|| {
        seen.push(text.to_owned());
        seen.len() - 1
    })
}

/// Compares the message where it depends on the request alone, and the fields of the causes: the real one reports some
/// faults twice, and reports those of rules in CEL, or of the object as a whole (`<nil>`), beside those of the schema.
fn status(status: &mut Value) {
    let is_plain = matches!(status["reason"].as_str(), Some("NotFound" | "AlreadyExists"));
    if !is_plain {
        status.as_object_mut().unwrap().remove("message");
    }
    let Some(causes) = status.pointer_mut("/details/causes") else { return };
    let fields = causes.as_array().unwrap().iter().map(|cause| cause["field"].as_str().unwrap().to_owned());
    *causes = fields.filter(|field| field != "<nil>").collect::<BTreeSet<_>>().into_iter().collect();
}
