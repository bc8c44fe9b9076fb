//! JSON Schemas of all kinds, for kubeconform, from the API server's own description of them (OpenAPI v2). Those that
//! kubeconform would download are of other versions, and not of our kinds.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};

/// How kubeconform finds the files that [`write`] writes.
pub(crate) fn location(dir: &Path) -> String {
    format!("{}/{{{{.Group}}}}_{{{{.ResourceAPIVersion}}}}_{{{{.ResourceKind}}}}.json", dir.display())
}

/// Writes a file for each kind in `openapi` into `dir`.
pub(crate) fn write(openapi: &Value, dir: &Path) {
    let definitions = openapi["definitions"].as_object().unwrap();
    for (name, definition) in definitions {
        // What is of many kinds at once, such as DeleteOptions, is not an object that anybody applies.
        let Some([kind]) = definition["x-kubernetes-group-version-kind"].as_array().map(Vec::as_slice) else {
            continue;
        };
        let part = |name: &str| kind[name].as_str().unwrap().to_lowercase();
        // kubeconform takes the version of the core group for its name, too.
        let group = if part("group").is_empty() { part("version") } else { part("group") };
        let file = format!("{group}_{}_{}.json", part("version"), part("kind"));
        let schema = resolved(&json!({"$ref": format!("#/definitions/{name}")}), definitions, &mut Vec::new());
        fs::write(dir.join(file), schema.to_string()).unwrap();
    }
}

/// The schema with all that it refers to in it, closed: no field that is not in it. What contains itself is open within.
fn resolved<'a>(schema: &'a Value, definitions: &'a Map<String, Value>, within: &mut Vec<&'a str>) -> Value {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.trim_start_matches("#/definitions/");
        if within.contains(&name) {
            return json!({});
        }
        let definition = definitions.iter().find(|(known, _)| *known == name).unwrap();
        within.push(definition.0);
        let found = resolved(definition.1, definitions, within);
        within.pop();
        return found;
    }
    if schema["format"] == "int-or-string" {
        return json!({"type": ["integer", "string"]});
    }
    let mut closed = schema.clone();
    if let Some(properties) = schema["properties"].as_object() {
        closed["properties"] =
            properties.iter().map(|(name, schema)| (name.clone(), resolved(schema, definitions, within))).collect();
        if schema["x-kubernetes-preserve-unknown-fields"] != true {
            closed["additionalProperties"] = json!(false);
        }
    }
    for of_others in ["items", "additionalProperties"] {
        if schema[of_others].is_object() {
            closed[of_others] = resolved(&schema[of_others], definitions, within);
        }
    }
    closed
}
