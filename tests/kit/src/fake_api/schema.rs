//! The structural schema of a CustomResourceDefinition: what is pruned, filled in and refused. Rules in CEL are not
//! evaluated.

use std::{collections::BTreeMap, fmt::Write};

use regex::Regex;
use serde_json::{Map, Value};

/// A schema, ready to be used.
#[derive(Debug, Default)]
pub(super) struct Schema {
    type_: Option<String>,
    properties: BTreeMap<String, Schema>,
    items: Option<Box<Schema>>,
    required: Vec<String>,
    allowed: Option<Vec<Value>>,
    pattern: Option<Regex>,
    default: Option<Value>,
    map_keys: Vec<String>,
    minimum: Option<f64>,
    maximum: Option<f64>,
    length: (Option<usize>, Option<usize>),
    items_count: (Option<usize>, Option<usize>),
    properties_count: (Option<usize>, Option<usize>),
}

/// What is wrong with a field.
#[derive(Debug)]
pub(super) struct Cause {
    pub(super) reason: &'static str,
    pub(super) field: String,
    pub(super) message: String,
}

/// What the API server keeps of `metadata`.
const METADATA: [&str; 15] = [
    "annotations",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "labels",
    "managedFields",
    "name",
    "namespace",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
];

impl Schema {
    /// Reads a schema.
    ///
    /// # Panics
    ///
    /// If it holds a keyword that is not known here: it must not be passed over in silence.
    pub(super) fn parse(value: &Value) -> Self {
        let mut schema = Self::default();
        let object = value.as_object().expect("a schema is an object");
        for (keyword, value) in object {
            schema.take(keyword, value);
        }
        schema
    }

    fn take(&mut self, keyword: &str, value: &Value) {
        let texts = || serde_json::from_value(value.clone()).expect("a list of texts");
        let count = || value.as_u64().and_then(|count| usize::try_from(count).ok());
        match keyword {
            "type" => self.type_ = value.as_str().map(str::to_owned),
            "properties" => {
                let properties = value.as_object().into_iter().flatten();
                self.properties = properties.map(|(name, schema)| (name.clone(), Self::parse(schema))).collect();
            }
            "items" => self.items = Some(Box::new(Self::parse(value))),
            "required" => self.required = texts(),
            "enum" => self.allowed = value.as_array().cloned(),
            "pattern" => {
                let pattern = Regex::new(value.as_str().unwrap_or_default());
                self.pattern = Some(pattern.expect("a pattern of a schema"));
            }
            "default" => self.default = Some(value.clone()),
            "x-kubernetes-list-map-keys" => self.map_keys = texts(),
            "minimum" => self.minimum = value.as_f64(),
            "maximum" => self.maximum = value.as_f64(),
            "minLength" => self.length.0 = count(),
            "maxLength" => self.length.1 = count(),
            "minItems" => self.items_count.0 = count(),
            "maxItems" => self.items_count.1 = count(),
            "minProperties" => self.properties_count.0 = count(),
            "maxProperties" => self.properties_count.1 = count(),
            "description" | "format" | "x-kubernetes-list-type" | "x-kubernetes-validations" => {}
            other => unimplemented!("the keyword {other} of a schema"),
        }
    }

    /// Removes the fields of a whole object that the schema does not know, and returns their paths.
    pub(super) fn prune_object(&self, object: &mut Map<String, Value>) -> Vec<String> {
        let mut unknown = Vec::new();
        if let Some(Value::Object(metadata)) = object.get_mut("metadata") {
            retain(metadata, "metadata", &mut unknown, |name| METADATA.contains(&name));
        }
        retain(object, "", &mut unknown, |name| {
            matches!(name, "apiVersion" | "kind" | "metadata") || self.properties.contains_key(name)
        });
        for (name, schema) in &self.properties {
            if let Some(value) = object.get_mut(name) {
                schema.prune(value, name, &mut unknown);
            }
        }
        unknown.sort();
        unknown
    }

    fn prune(&self, value: &mut Value, path: &str, unknown: &mut Vec<String>) {
        match value {
            Value::Object(object) => {
                retain(object, path, unknown, |name| self.properties.contains_key(name));
                for (name, value) in object {
                    if let Some(schema) = self.properties.get(name)
                        && matches!(value, Value::Object(_) | Value::Array(_))
                    {
                        schema.prune(value, &format!("{path}.{name}"), unknown);
                    }
                }
            }
            Value::Array(items) => {
                let Some(schema) = &self.items else { return };
                for (index, item) in items.iter_mut().enumerate() {
                    if matches!(item, Value::Object(_) | Value::Array(_)) {
                        schema.prune(item, &format!("{path}[{index}]"), unknown);
                    }
                }
            }
            _ => {}
        }
    }

    /// Removes nulls, which no field of these schemas may be, and fills in what has a default.
    /// Returns whether it filled in anything.
    pub(super) fn fill_in(&self, value: &mut Value) -> bool {
        let mut is_filled_in = false;
        match value {
            Value::Object(object) => {
                object.retain(|name, value| !value.is_null() || !self.properties.contains_key(name));
                for (name, schema) in &self.properties {
                    if let Some(value) = object.get_mut(name) {
                        is_filled_in |= schema.fill_in(value);
                    } else if let Some(default) = &schema.default {
                        object.insert(name.clone(), default.clone());
                        is_filled_in = true;
                    }
                }
            }
            Value::Array(items) => {
                for item in items {
                    is_filled_in |= self.items.as_ref().is_some_and(|schema| schema.fill_in(item));
                }
            }
            _ => {}
        }
        is_filled_in
    }

    /// Says what is wrong with `value`.
    pub(super) fn check(&self, value: &Value, path: &mut String, causes: &mut Vec<Cause>) {
        let mut refuse = |reason, message: String| {
            causes.push(Cause { reason, field: path.clone(), message: format!("{path}: {message}") });
        };
        if let Some(type_) = &self.type_
            && !is_of(value, type_)
        {
            let is = name_of(value);
            return refuse(
                "FieldValueTypeInvalid",
                format!("Invalid value: \"{is}\": {path} in body must be of type {type_}: \"{is}\""),
            );
        }
        if self.allowed.as_ref().is_some_and(|allowed| !allowed.contains(value)) {
            refuse("FieldValueNotSupported", format!("Unsupported value: {value}"));
        }
        match value {
            Value::String(text) => {
                if self.pattern.as_ref().is_some_and(|pattern| !pattern.is_match(text)) {
                    let pattern = self.pattern.as_ref().map_or("", Regex::as_str);
                    let message = format!("Invalid value: {value}: {path} in body should match '{pattern}'");
                    refuse("FieldValueInvalid", message);
                }
                if self.length != (None, None) {
                    let length = text.chars().count();
                    if let Some(least) = self.length.0.filter(|least| length < *least) {
                        let message = format!("Invalid value: {value}: should be at least {least} chars long");
                        refuse("FieldValueInvalid", message);
                    }
                    if let Some(most) = self.length.1.filter(|most| length > *most) {
                        refuse("FieldValueTooLong", format!("Too long: may not be more than {most} bytes"));
                    }
                }
            }
            Value::Number(number) => {
                let number = number.as_f64().unwrap_or_default();
                if self.minimum.is_some_and(|least| number < least) || self.maximum.is_some_and(|most| number > most) {
                    refuse("FieldValueInvalid", format!("Invalid value: {value}: is out of bounds"));
                }
            }
            Value::Array(items) => self.check_items(items, path, causes),
            Value::Object(object) => self.check_properties(object, path, causes),
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn check_items(&self, items: &[Value], path: &mut String, causes: &mut Vec<Cause>) {
        let mut refuse = |reason, field: String, message: String| {
            causes.push(Cause { reason, message: format!("{field}: {message}"), field });
        };
        if self.items_count.1.is_some_and(|most| items.len() > most) {
            refuse("FieldValueTooMany", path.clone(), format!("Too many: {}", items.len()));
        }
        if self.items_count.0.is_some_and(|least| items.len() < least) {
            refuse("FieldValueInvalid", path.clone(), format!("Invalid value: {}: has too few items", items.len()));
        }
        if !self.map_keys.is_empty() {
            let key = |item: &Value| -> Vec<Value> { self.map_keys.iter().map(|name| item[name].clone()).collect() };
            let mut seen = Vec::with_capacity(items.len());
            for (index, item) in items.iter().enumerate() {
                let key = key(item);
                if seen.contains(&key) {
                    refuse("FieldValueDuplicate", format!("{path}[{index}]"), format!("Duplicate value: {item}"));
                }
                seen.push(key);
            }
        }
        let Some(schema) = &self.items else { return };
        let length = path.len();
        for (index, item) in items.iter().enumerate() {
            let _ = write!(path, "[{index}]"); // a String takes all that is written to it
            schema.check(item, path, causes);
            path.truncate(length);
        }
    }

    fn check_properties(&self, object: &Map<String, Value>, path: &mut String, causes: &mut Vec<Cause>) {
        let length = path.len();
        let mut within = |name: &str, then: &mut dyn FnMut(&mut String)| {
            if length > 0 {
                path.push('.');
            }
            path.push_str(name);
            then(path);
            path.truncate(length);
        };
        for name in self.required.iter().filter(|name| !object.contains_key(*name)) {
            within(name, &mut |path| {
                causes.push(Cause {
                    reason: "FieldValueRequired",
                    field: path.clone(),
                    message: format!("{path}: Required value"),
                });
            });
        }
        for (name, value) in object {
            if let Some(schema) = self.properties.get(name) {
                within(name, &mut |path| schema.check(value, path, causes));
            }
        }
        let (least, most) = self.properties_count;
        if least.is_some_and(|least| object.len() < least) || most.is_some_and(|most| object.len() > most) {
            causes.push(Cause {
                reason: "FieldValueInvalid",
                field: path.clone(),
                message: format!("{path}: Invalid value: {}: wrong number of properties", object.len()),
            });
        }
    }
}

fn retain(object: &mut Map<String, Value>, path: &str, unknown: &mut Vec<String>, is_known: impl Fn(&str) -> bool) {
    object.retain(|name, _| {
        let keep = is_known(name);
        if !keep {
            unknown.push(if path.is_empty() { name.clone() } else { format!("{path}.{name}") });
        }
        keep
    });
}

fn is_of(value: &Value, type_: &str) -> bool {
    match type_ {
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        other => name_of(value) == other,
    }
}

fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
