//! What the API server refuses in `metadata`, whatever the kind:
//! <https://github.com/kubernetes/apimachinery/blob/v0.36.3/pkg/api/validation/objectmeta.go>.

use jiff::Timestamp;
use serde_json::Value;

use super::check::at;

/// All annotations together may have so many bytes, keys included.
const LARGEST_ANNOTATIONS: usize = 256 << 10;
const NAME: &str = "must be of small letters, digits, `-` and `.`, begin and end with a letter or a digit, and have 253 characters at most";
const NAMESPACE: &str =
    "must be of small letters, digits and `-`, begin and end with a letter or a digit, and have 63 characters at most";
const KEY: &str = "is no key: it must be of letters, digits, `-`, `_` and `.`, begin and end with a letter or a digit, and have 63 characters at most; before it there may be a domain and `/`";
const LABEL: &str = "must be of letters, digits, `-`, `_` and `.`, begin and end with a letter or a digit, and have 63 characters at most";
const TEXT: &str = "must be a string: put it in quotes";

/// What is wrong with `metadata`, at the field that it is wrong with.
pub fn problems(metadata: &Value) -> Vec<String> {
    let Some(fields) = metadata.as_object() else {
        let problem = if metadata.is_null() { "`metadata.name` is missing" } else { "`metadata` must be a map" };
        return vec![problem.to_owned()];
    };
    let mut problems = Vec::new();
    if fields.get("name").is_none_or(|name| name.is_null() || name == "") {
        problems.push("`metadata.name` is missing".to_owned());
    }
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
        let path = format!("metadata/{name}");
        match name.as_str() {
            "name" => text(&path, value, |name| name.is_empty() || is_subdomain(name), NAME, &mut problems),
            "namespace" => text(&path, value, is_label, NAMESPACE, &mut problems),
            "generateName" | "uid" | "resourceVersion" | "selfLink" => {
                text(&path, value, |_| true, TEXT, &mut problems);
            }
            "creationTimestamp" | "deletionTimestamp" => {
                let is_time = |text: &str| text.parse::<Timestamp>().is_ok();
                text(&path, value, is_time, "must be a time such as 2026-11-30T09:00:00Z", &mut problems);
            }
            "generation" | "deletionGracePeriodSeconds" if value.is_i64() => {}
            "generation" | "deletionGracePeriodSeconds" => problems.push(at(&path, "must be a whole number")),
            "labels" => pairs(&path, value, is_key, is_label_value, LABEL, &mut problems),
            "annotations" => {
                pairs(&path, value, |key| is_key(&key.to_lowercase()), |_| true, TEXT, &mut problems);
                let sizes = value
                    .as_object()
                    .into_iter()
                    .flatten()
                    .map(|(key, text)| key.len() + text.as_str().map_or(0, str::len));
                if sizes.sum::<usize>() > LARGEST_ANNOTATIONS {
                    problems.push(at(&path, "are more than 256 KiB together"));
                }
            }
            "finalizers" => {
                each(&path, value, &mut problems, |path, item, problems| text(path, item, is_key, KEY, problems));
            }
            "ownerReferences" => {
                each(&path, value, &mut problems, owner);
                let owners = value.as_array().into_iter().flatten();
                if owners.filter(|owner| owner["controller"] == true).count() > 1 {
                    problems.push(at(&path, "only one owner can be the controller"));
                }
            }
            "managedFields" => each(&path, value, &mut problems, |path, item, problems| {
                if !item.is_object() {
                    problems.push(at(path, "must be a map"));
                }
            }),
            _ => problems.push(at(&path, "there is no such field")),
        }
    }
    problems
}

/// `value` must be a text for which `holds` is true.
fn text(path: &str, value: &Value, holds: impl Fn(&str) -> bool, rule: &str, problems: &mut Vec<String>) {
    match value.as_str() {
        None => problems.push(at(path, TEXT)),
        Some(text) if !holds(text) => problems.push(at(path, rule)),
        Some(_) => {}
    }
}

/// `value` must be a map from keys to texts for which `holds` is true.
fn pairs(
    path: &str,
    value: &Value,
    is_key: impl Fn(&str) -> bool,
    holds: impl Fn(&str) -> bool,
    rule: &str,
    problems: &mut Vec<String>,
) {
    let Some(fields) = value.as_object() else { return problems.push(at(path, "must be a map")) };
    for (key, value) in fields {
        // In a path of JSON a slash is a step.
        let path = format!("{path}/{}", key.replace('/', "~1"));
        if !is_key(key) {
            problems.push(at(&path, KEY));
        }
        // The API server takes null for the empty text.
        if !value.is_null() {
            text(&path, value, &holds, rule, problems);
        }
    }
}

fn each(path: &str, value: &Value, problems: &mut Vec<String>, check: impl Fn(&str, &Value, &mut Vec<String>)) {
    let Some(items) = value.as_array() else { return problems.push(at(path, "must be a list")) };
    for (number, item) in items.iter().enumerate() {
        check(&format!("{path}/{number}"), item, problems);
    }
}

fn owner(path: &str, owner: &Value, problems: &mut Vec<String>) {
    let Some(fields) = owner.as_object() else { return problems.push(at(path, "must be a map")) };
    for name in ["apiVersion", "kind", "name", "uid"] {
        if fields.get(name).is_none_or(|value| value.is_null() || value == "") {
            problems.push(at(&format!("{path}/{name}"), "it is missing"));
        }
    }
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
        let path = format!("{path}/{name}");
        match name.as_str() {
            "apiVersion" => text(
                &path,
                value,
                |version| version.matches('/').count() < 2,
                "must be a group and a version",
                problems,
            ),
            "kind" | "name" | "uid" => text(&path, value, |_| true, TEXT, problems),
            "controller" | "blockOwnerDeletion" if value.is_boolean() => {}
            "controller" | "blockOwnerDeletion" => problems.push(at(&path, "must be true or false")),
            _ => problems.push(at(&path, "there is no such field")),
        }
    }
}

/// A label of RFC 1123: <https://kubernetes.io/docs/concepts/overview/working-with-objects/names/>.
fn is_label(text: &str) -> bool {
    text.len() <= 63 && is_part(text, |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit(), b"-")
}

/// A subdomain of RFC 1123, each of whose parts may have as many characters as the whole.
fn is_subdomain(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    text.len() <= 253 && text.split('.').all(|part| is_part(part, letter, b"-"))
}

fn is_label_value(text: &str) -> bool {
    text.is_empty() || text.len() <= 63 && is_part(text, |byte| byte.is_ascii_alphanumeric(), b"-_.")
}

/// A name of up to 63 characters, with a domain before it or without.
fn is_key(text: &str) -> bool {
    let (domain, name) = text.split_once('/').map_or((None, text), |(domain, name)| (Some(domain), name));
    domain.is_none_or(is_subdomain) && !name.is_empty() && is_label_value(name)
}

/// Whether `text` is of letters, has marks only between them, and is not empty.
fn is_part(text: &str, letter: impl Fn(u8) -> bool, marks: &[u8]) -> bool {
    let bytes = text.as_bytes();
    bytes.iter().all(|byte| letter(*byte) || marks.contains(byte))
        && bytes.first().is_some_and(|byte| letter(*byte))
        && bytes.last().is_some_and(|byte| letter(*byte))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn metadata_faults_are_located() {
        for (field, value, told) in [
            (
                "labels",
                json!({"cost-center": 1234}),
                "`metadata.labels.cost-center`: must be a string: put it in quotes",
            ),
            (
                "labels",
                json!({"example.com/owner": "jane@example.com"}),
                "`metadata.labels.example.com/owner`: must be of",
            ),
            ("labels", json!({"a b": "x"}), "`metadata.labels.a b`: is no key"),
            ("annotations", json!({"ticket": 4711}), "`metadata.annotations.ticket`: must be a string"),
            ("namespace", json!("Team_A"), "`metadata.namespace`: must be of"),
            ("name", json!(123), "`metadata.name`: must be a string"),
            ("name", json!(""), "`metadata.name` is missing"),
            (
                "ownerReferences",
                json!([{"apiVersion": "v1", "kind": "A", "name": "x"}]),
                "`metadata.ownerReferences.0.uid`: it is missing",
            ),
            ("finalizers", json!(["a b"]), "`metadata.finalizers.0`: is no key"),
            ("owner", json!("x"), "`metadata.owner`: there is no such field"),
        ] {
            let mut metadata =
                json!({"name": "sandbox", "labels": {"a": ""}, "annotations": {"A.example/b": "anything"}});
            assert_eq!(problems(&metadata), Vec::<String>::new());
            metadata[field] = value;
            let problems = problems(&metadata);
            assert!(problems.len() == 1 && problems[0].starts_with(told), "{problems:?}");
        }
    }
}
