//! The Secrets among the manifests that a BillingProvider names. Nothing of their values is ever shown.

use std::collections::HashSet;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use super::check::at;
use super::manifests::Manifest;
use super::metadata;

/// Where a BillingProvider names what is not ours, by kind.
const NAMED: [(&str, &str); 5] = [
    ("Secret", "/spec/azure/credentials/secret/name"),
    ("Secret", "/spec/azure/credentials/certificate/name"),
    ("Secret", "/spec/aws/credentials/secret/name"),
    ("ServiceAccount", "/spec/azure/credentials/workloadIdentity/serviceAccountName"),
    ("ServiceAccount", "/spec/aws/credentials/workloadIdentity/serviceAccountName"),
];

/// Kind, namespace and name of each object that a BillingProvider among `manifests` names.
pub fn named(manifests: &[Manifest]) -> HashSet<(&str, &str, &str)> {
    let providers = manifests.iter().filter(|manifest| manifest.is_ours() && manifest.kind() == "BillingProvider");
    let named = providers
        .flat_map(|one| NAMED.map(|(kind, path)| Some((kind, one.namespace(), one.object.pointer(path)?.as_str()?))));
    named.flatten().collect()
}

/// What a Secret is encrypted by as it lies in a repository. It is decrypted before it is applied, by Flux or a plugin.
pub fn encrypted(manifest: &Manifest) -> Option<&'static str> {
    let object = &manifest.object;
    let of = |group: &str| object["apiVersion"].as_str().is_some_and(|version| version.starts_with(group));
    if of("bitnami.com/") && manifest.kind() == "SealedSecret" {
        return Some("as a SealedSecret");
    }
    let values = ["data", "stringData"].map(|field| object[field].as_object()).into_iter().flatten().flatten();
    let mut texts = values.filter_map(|(_, value)| value.as_str());
    let by_sops = object["sops"].is_object() || texts.any(|text| text.starts_with("ENC[AES256_GCM,"));
    (manifest.kind() == "Secret" && of("v1") && by_sops).then_some("by SOPS")
}

/// What the API server would refuse in a Secret.
pub fn problems(secret: &Value) -> Vec<String> {
    let mut problems = metadata::problems(&secret["metadata"]);
    for (name, value) in secret.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()) {
        match name.as_str() {
            "apiVersion" | "kind" | "metadata" => {}
            "type" if value.is_string() => {}
            "type" => problems.push(at("type", "must be a string: put it in quotes")),
            "immutable" if value.is_boolean() => {}
            "immutable" => problems.push(at("immutable", "must be true or false")),
            "data" | "stringData" => values(name, value, &mut problems),
            _ => problems.push(at(name, "there is no such field")),
        }
    }
    problems
}

fn values(field: &str, values: &Value, problems: &mut Vec<String>) {
    let Some(values) = values.as_object() else { return problems.push(at(field, "must be a map")) };
    for (key, value) in values {
        let path = format!("{field}/{key}");
        let is_key = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if key.len() > 253 || key.is_empty() || key == "." || key.starts_with("..") || !key.bytes().all(is_key) {
            problems.push(at(&path, "is not a valid key: use letters, digits, `-`, `_` and `.`"));
        }
        match value {
            Value::String(text) if field == "data" => {
                if decoded(text).is_none() {
                    problems.push(at(&path, "must be in base64; plain text belongs under stringData"));
                }
            }
            Value::Null | Value::String(_) => {}
            Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                problems.push(at(&path, "must be a string: put it in quotes"));
            }
        }
    }
}

/// A value of `data`, in which Go's base64 takes line ends.
pub fn decoded(text: &str) -> Option<Vec<u8>> {
    BASE64_STANDARD.decode(text.replace(['\r', '\n'], "")).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn secret(field: &str, value: &Value) -> Value {
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}, field: value})
    }

    #[test]
    fn values_are_texts_and_never_told() {
        for value in [json!(4711), json!(true), json!(["4711"]), json!({"4711": 4711})] {
            for field in ["data", "stringData"] {
                let problems = problems(&secret(field, &json!({"key": value})));
                assert_eq!(problems, [format!("`{field}.key`: must be a string: put it in quotes")]);
            }
        }
        let problems = problems(&secret("data", &json!({"key": "4711!"})));
        assert_eq!(problems, ["`data.key`: must be in base64; plain text belongs under stringData"]);
    }

    #[test]
    fn an_encrypted_secret_is_known_by_its_mark_or_by_its_values() {
        let how = |object: Value| encrypted(&Manifest { place: String::new(), object });
        let mut marked = secret("data", &json!(null));
        marked["sops"] = json!({"version": "3.9.0"});
        assert_eq!(how(marked), Some("by SOPS"));
        assert_eq!(how(secret("stringData", &json!({"key": "ENC[AES256_GCM,data:x]"}))), Some("by SOPS"));
        assert_eq!(how(secret("stringData", &json!({"key": "ENC"}))), None);
        assert_eq!(
            how(json!({"apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret"})),
            Some("as a SealedSecret")
        );
        assert_eq!(how(json!({"apiVersion": "example.com/v1", "kind": "Secret", "sops": {}})), None);
    }
}
