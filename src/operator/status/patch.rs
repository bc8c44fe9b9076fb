//! Merge patches (RFC 7386) of a status: what differs, and only if the object is still as it was read.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;
use serde_json::{Map, Value, json};

/// The patch that makes `after` of `before` in the status of the object with `metadata`; `None` where they are the same.
pub fn status<S: Serialize>(metadata: &ObjectMeta, before: &S, after: &S) -> kube::Result<Option<Value>> {
    let to_value = |status| serde_json::to_value(status).map_err(kube::Error::SerdeError);
    let difference = difference(&to_value(before)?, &to_value(after)?);
    Ok(difference.map(|status| json!({"metadata": {"resourceVersion": metadata.resource_version}, "status": status})))
}

fn difference(before: &Value, after: &Value) -> Option<Value> {
    let (Value::Object(old), Value::Object(new)) = (before, after) else {
        return (before != after).then(|| after.clone());
    };
    let removed = old.keys().filter(|name| !new.contains_key(*name)).map(|name| (name.clone(), Value::Null));
    let changed = new
        .iter()
        .filter_map(|(name, value)| Some((name.clone(), difference(old.get(name).unwrap_or(&Value::Null), value)?)));
    let patch: Map<_, _> = removed.chain(changed).collect();
    (!patch.is_empty()).then_some(Value::Object(patch))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_holds_what_differs_and_removes_what_is_gone() {
        let before = json!({"offer": {"class": "FreeTrial", "native": "a"}, "transition": {"hash": "1"}, "same": [1]});
        let after = json!({"offer": {"class": "PayAsYouGo", "native": "a"}, "same": [1], "new": {"x": 1}});
        let patch = json!({"offer": {"class": "PayAsYouGo"}, "transition": null, "new": {"x": 1}});
        assert_eq!(difference(&before, &after), Some(patch));
        assert_eq!(difference(&before, &before), None);
    }
}
