//! What the derive macros leave out of a schema, as schemars transforms: rules in CEL with the message that their users
//! read, enums as plain objects with exactly one member, and map lists.

use schemars::Schema;
use serde_json::{Map, Value, json};

/// The rule for a field that holds the name of another object. It accepts whatever the API server accepts as a name, up to 253
/// characters: every object that can be created can be referred to.
pub(super) const NAME: &str = "self.matches('^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$')";

/// Adds a CEL rule. The API server puts the path of the field before the message, so that it reads as a sentence.
pub(super) fn rule(rule: &str, message: &str) -> impl FnMut(&mut Schema) {
    add_rule(json!({"rule": rule, "message": message}))
}

/// Forbids any change.
pub(super) fn immutable(message: &str) -> impl FnMut(&mut Schema) {
    add_rule(json!({"rule": "self == oldSelf", "message": message, "reason": "FieldValueForbidden"}))
}

/// A list that is merged by the value of `key`, so that several writers may each own some of its items.
pub(super) fn map_list(key: &str) -> impl FnMut(&mut Schema) {
    move |schema| {
        schema.insert("x-kubernetes-list-type".into(), json!("map"));
        schema.insert("x-kubernetes-list-map-keys".into(), json!([key]));
    }
}

/// Rewrites what serde's externally tagged enums are in JSON Schema (`oneOf`, which the API server would answer with a
/// riddle) to an object with one optional property per variant, and a rule that asks for exactly one of them.
pub(super) fn one_member(schema: &mut Schema) {
    let Some(Value::Array(mut variants)) = schema.remove("oneOf") else { return };
    let mut properties = Map::new();
    let mut names = Vec::new();
    for variant in &mut variants {
        let description = variant["description"].take();
        let Some(members) = variant["properties"].as_object_mut() else { continue };
        for (name, property) in members {
            property["description"] = description.clone();
            names.push(name.clone());
            properties.insert(name.clone(), property.take());
        }
    }
    let given: Vec<_> = names.iter().map(|name| format!("has(self.{name})")).collect();
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    let (last, others) = quoted.split_last().map_or(("", [].as_slice()), |(last, others)| (last.as_str(), others));
    schema.insert("type".into(), json!("object"));
    schema.insert("properties".into(), Value::Object(properties));
    rule(
        &format!("[{}].exists_one(m, m)", given.join(", ")),
        &format!("must have exactly one of {} and {last}", others.join(", ")),
    )(schema);
}

fn add_rule(rule: Value) -> impl FnMut(&mut Schema) {
    move |schema| {
        let rules = schema.ensure_object().entry("x-kubernetes-validations").or_insert_with(|| json!([]));
        if let Value::Array(rules) = rules {
            rules.push(rule.clone());
        }
    }
}
