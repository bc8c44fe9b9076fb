//! Selectors of fields and labels. Equality only: the operator needs nothing else.

use serde_json::{Map, Value};

use super::{kind::Kind, refusal::Refusal};

/// Requirements. All of them must hold.
#[derive(Clone, Debug, Default)]
pub(super) struct Selector {
    requirements: Vec<Requirement>,
}

#[derive(Clone, Debug)]
struct Requirement {
    path: Vec<String>,
    value: String,
    is_equal: bool,
}

impl Selector {
    /// Adds a field selector.
    pub(super) fn fields(&mut self, kind: &Kind, text: &str) -> Result<(), Refusal> {
        for (name, value, is_equal) in terms(text)? {
            let path: Vec<String> = name.split('.').map(str::to_owned).collect();
            let is_known = match name {
                "metadata.name" => true,
                "metadata.namespace" => kind.is_namespaced,
                _ => kind.selectable.contains(&path),
            };
            if !is_known {
                return Err(Refusal::bad_request(format!("field label not supported: {name}")));
            }
            self.requirements.push(Requirement { path, value: value.to_owned(), is_equal });
        }
        Ok(())
    }

    /// Adds a label selector.
    pub(super) fn labels(&mut self, text: &str) -> Result<(), Refusal> {
        for (name, value, is_equal) in terms(text)? {
            let path = vec!["metadata".to_owned(), "labels".to_owned(), name.to_owned()];
            self.requirements.push(Requirement { path, value: value.to_owned(), is_equal });
        }
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }

    pub(super) fn takes(&self, object: &Map<String, Value>) -> bool {
        self.requirements.iter().all(|requirement| requirement.holds(object))
    }
}

impl Requirement {
    fn holds(&self, object: &Map<String, Value>) -> bool {
        let mut parts = self.path.iter();
        let first = parts.next().and_then(|name| object.get(name));
        let found = parts.fold(first, |value, name| value?.get(name)).and_then(Value::as_str);
        let is_label = self.path.get(1).is_some_and(|name| name == "labels");
        // A field that is not there is an empty one; a label that is not there equals nothing.
        let is_same = if is_label { found == Some(&*self.value) } else { found.unwrap_or_default() == self.value };
        is_same == self.is_equal
    }
}

fn terms(text: &str) -> Result<Vec<(&str, &str, bool)>, Refusal> {
    let terms = text.split(',').filter(|term| !term.is_empty());
    terms
        .map(|term| {
            let (name, value, is_equal) = match (term.split_once("!="), term.split_once('=')) {
                (Some((name, value)), _) => (name, value, false),
                (None, Some((name, value))) => (name, value.strip_prefix('=').unwrap_or(value), true),
                (None, None) => {
                    return Err(Refusal::bad_request(format!("the fake API server does not know the selector {term}")));
                }
            };
            Ok((name.trim(), value.trim(), is_equal))
        })
        .collect()
}
