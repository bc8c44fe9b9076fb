//! Whether a manifest would be admitted, by the CustomResourceDefinitions of this version: their structure, fields that they
//! do not have, and their rules, evaluated here.

use std::collections::HashMap;

use cel::{Context, Program};
use jiff::Timestamp;
use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{JsonType, ValidationError, Validator};
use serde_json::{Map, Value, json};

use payg_api as api;

use super::super::Error;
use super::metadata;

/// The kinds that manifests can be of, by name.
pub struct Kinds(HashMap<String, Kind>);

struct Kind {
    version: String,
    schema: Value,
    validator: Validator,
}

impl Kinds {
    /// Those of this version.
    pub fn new() -> Result<Self, Error> {
        let mut kinds = HashMap::new();
        for (_, yaml) in api::crd_files() {
            let crd: Value = serde_saphyr::from_str(&yaml)?;
            let (spec, version) = (&crd["spec"], &crd["spec"]["versions"][0]);
            let mut schema = version["schema"]["openAPIV3Schema"].clone();
            for field in ["apiVersion", "kind", "metadata"] {
                let type_ = if field == "metadata" { "object" } else { "string" };
                schema["properties"][field] = json!({"type": type_});
            }
            close(&mut schema);
            // A date must be one of the calendar.
            let validator = jsonschema::options().should_validate_formats(true).build(&schema);
            let validator = validator.map_err(|error| error.to_string())?;
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let version = format!("{}/{}", text(&spec["group"]), text(&version["name"]));
            kinds.insert(text(&spec["names"]["kind"]), Kind { version, schema, validator });
        }
        Ok(Self(kinds))
    }

    /// What the API server would refuse in `object` when it is created; nothing if it would take it.
    pub fn problems(&self, object: &Value) -> Vec<String> {
        let kind = object["kind"].as_str().unwrap_or_default();
        let Some(kind) = self.0.get(kind) else {
            return vec![format!("there is no kind `{kind}` in payg-operator.io")];
        };
        if object["apiVersion"] != kind.version {
            return vec![format!("`apiVersion` must be {}", kind.version)];
        }
        let problems = metadata::problems(&object["metadata"]);
        if !problems.is_empty() {
            return problems;
        }
        let mut object = without_nulls(object);
        // A create drops status, and refuses what it does not know in it.
        let counts = |error: &ValidationError<'_>| {
            matches!(error.kind(), ValidationErrorKind::AdditionalProperties { .. })
                || !format!("{}/", error.instance_path()).starts_with("/status/")
        };
        let errors = kind.validator.iter_errors(&object).filter(counts);
        let problems: Vec<_> = errors.map(|error| structural(&error)).collect();
        object.as_object_mut().map(|fields| fields.remove("status"));
        if !problems.is_empty() {
            // The API server evaluates the rules only if the structure is right.
            return problems;
        }
        let mut problems = Vec::new();
        rules(&kind.schema, &object, "", &mut problems);
        problems
    }
}

/// The problems of the structure, each with its field.
fn structural(error: &ValidationError<'_>) -> String {
    let path = error.instance_path().to_string();
    match error.kind() {
        ValidationErrorKind::Required { property } => {
            at(&format!("{path}/{}", property.as_str().unwrap_or_default()), "it is missing")
        }
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            at(&format!("{path}/{}", unexpected.join(", ")), "there is no such field")
        }
        ValidationErrorKind::Type { kind: TypeKind::Single(JsonType::String) } => {
            at(&path, "must be of type string: put it in quotes")
        }
        ValidationErrorKind::Enum { options } => {
            let options = options.as_array().into_iter().flatten().filter_map(Value::as_str);
            let options: Vec<_> = options.map(|option| format!("`{option}`")).collect();
            at(&path, &format!("must be one of {}", options.join(", ")))
        }
        // The value may be a secret in the wrong place.
        _ => at(&path, &error.masked().to_string()),
    }
}

/// A problem, and the field that has it, by its JSON Pointer.
pub fn at(path: &str, problem: &str) -> String {
    let field = path.trim_start_matches('/').replace('/', ".").replace("~1", "/");
    if field.is_empty() { problem.to_owned() } else { format!("`{field}`: {problem}") }
}

/// Lets `schema` refuse fields that it does not name, as kubectl has the API server do.
fn close(schema: &mut Value) {
    if let Some(fields) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        fields.values_mut().for_each(close);
        let open = schema["x-kubernetes-preserve-unknown-fields"] == true;
        // The metadata is left to the API server.
        if !open && schema.get("additionalProperties").is_none() {
            schema["additionalProperties"] = json!(false);
        }
    }
    for inner in ["items", "additionalProperties"] {
        if let Some(inner) = schema.get_mut(inner).filter(|inner| inner.is_object()) {
            close(inner);
        }
    }
}

/// The API server drops fields that are null.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let there = fields.iter().filter(|(_, value)| !value.is_null());
            Value::Object(there.map(|(name, value)| (name.clone(), without_nulls(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(without_nulls).collect()),
        other => other.clone(),
    }
}

/// Evaluates the rules of `schema` and of all that is in it on `value`.
fn rules(schema: &Value, value: &Value, path: &str, problems: &mut Vec<String>) {
    for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
        let text = rule["rule"].as_str().unwrap_or_default();
        // Rules about changes do not apply to something new.
        if !text.contains("oldSelf") && !holds(text, schema, value) {
            problems.push(at(path, rule["message"].as_str().unwrap_or(text)));
        }
    }
    let none = Map::new();
    for (name, field) in value.as_object().unwrap_or(&none) {
        let inner = match &schema["properties"][name] {
            Value::Null => &schema["additionalProperties"],
            known => known,
        };
        rules(inner, field, &format!("{path}/{name}"), problems);
    }
    for (number, item) in value.as_array().into_iter().flatten().enumerate() {
        rules(&schema["items"], item, &format!("{path}/{number}"), problems);
    }
}

/// Whether the rule holds for `value`. One that cannot be evaluated does not.
fn holds(rule: &str, schema: &Value, value: &Value) -> bool {
    // The API server's regular expressions know ASCII alone there: <https://github.com/google/re2/wiki/Syntax>.
    let Ok(program) = Program::compile(&rule.replace(r"\\w", "0-9A-Za-z_")) else { return false };
    let mut context = Context::default();
    context.add_variable_from_value("self", to_cel(schema, value));
    matches!(program.execute(&context), Ok(cel::Value::Bool(true)))
}

/// A value as rules see it. A time is a number, as rules only compare it.
fn to_cel(schema: &Value, value: &Value) -> cel::Value {
    match value {
        Value::Object(fields) => {
            let field = |(name, field): (&String, &Value)| (name.clone(), to_cel(&schema["properties"][name], field));
            fields.iter().map(field).collect::<HashMap<String, cel::Value>>().into()
        }
        Value::Array(items) => items.iter().map(|item| to_cel(&schema["items"], item)).collect::<Vec<_>>().into(),
        Value::String(text) if schema["format"] == "date-time" => {
            text.parse::<Timestamp>().map_or(cel::Value::Null, |time| time.as_microsecond().into())
        }
        Value::String(text) => text.clone().into(),
        Value::Bool(bool) => (*bool).into(),
        Value::Number(number) => number.as_i64().map_or(cel::Value::Null, Into::into),
        Value::Null => cel::Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_is_told_and_all_that_could_be_meant_is_named() {
        let kinds = Kinds::new().unwrap();
        let object = |kind: &str, spec: Value| json!({"apiVersion": "payg-operator.io/v1alpha1", "kind": kind, "metadata": {"name": "x"}, "spec": spec});
        let misplaced = json!({"aws": {"credentials": {"secret": "s3cr3t-value"}}});
        let problems = kinds.problems(&object("BillingProvider", misplaced));
        assert!(problems.iter().any(|problem| problem.starts_with("`spec.aws.credentials.secret`")), "{problems:?}");
        assert!(!problems.concat().contains("s3cr3t"), "{problems:?}");
        let upgrade = json!({"upgrade": {"when": "Immediatly", "approval": "Manual"}});
        let problems = kinds.problems(&object("Subscription", upgrade)).join("\n");
        let all = "`BenefitsExhausted`, `BeforeExhaustion`, `Immediately`, `Never`";
        assert!(all.split(", ").all(|one| problems.contains(one)), "{problems}");
    }

    #[test]
    fn a_status_is_dropped_but_for_what_nobody_knows_in_it() {
        let kinds = Kinds::new().unwrap();
        let of = |status: Value| {
            let problems = kinds.problems(&json!({"apiVersion": "payg-operator.io/v1alpha1", "kind": "BillingProvider",
                "metadata": {"name": "x"}, "spec": {"aws": {"credentials": {"secret": {"name": "y"}}}}, "status": status}));
            problems.join("\n")
        };
        assert_eq!(of(json!({"conditions": 1})), "");
        assert_eq!(of(json!({"unknown": 1})), "`status.unknown`: there is no such field");
    }
}
