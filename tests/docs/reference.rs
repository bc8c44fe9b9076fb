//! `docs/reference/fields.md`, which is generated from the kinds: `make reference`.

use std::fmt::Write;
use std::fs;

use serde_json::Value;

use crate::root;

const HEAD: &str = "# Every field\n\nGenerated from the definitions of the kinds by `make reference`; `kubectl explain` shows the same.\n\
    A field in **bold** is required. All kinds are of `payg-operator.io/v1alpha1`.\n";

/// `text` in one cell of a table.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

fn text<'a>(schema: &'a Value, name: &str) -> &'a str {
    schema[name].as_str().unwrap_or_default()
}

/// What a value must be: its type, and the bounds that are not a rule.
fn kind(schema: &Value) -> String {
    let mut kind = match (text(schema, "type"), text(schema, "format")) {
        ("array", _) => format!("list of {}", kind(&schema["items"])),
        ("object", _) if schema["additionalProperties"].is_object() => "map".to_owned(),
        ("string", "date-time") => "time".to_owned(),
        ("", _) => "any".to_owned(),
        (name, _) => name.to_owned(),
    };
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<_> = words.iter().filter_map(Value::as_str).map(|word| format!("`{word}`")).collect();
        kind = words.join(", ");
    }
    for (least, most, what) in
        [("minimum", "maximum", ""), ("minLength", "maxLength", " characters"), ("minItems", "maxItems", " items")]
    {
        match (schema[least].as_number(), schema[most].as_number()) {
            (Some(least), Some(most)) => write!(kind, ", {least} to {most}{what}").unwrap(),
            (Some(least), None) => write!(kind, ", at least {least}{what}").unwrap(),
            (None, Some(most)) => write!(kind, ", at most {most}{what}").unwrap(),
            (None, None) => {}
        }
    }
    kind
}

/// A row for each field beneath `path`, and the rules about all of them.
fn rows(path: &str, schema: &Value, rows: &mut String, rules: &mut Vec<(String, String)>) {
    for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
        let message = text(rule, "message");
        assert!(!message.is_empty(), "{path} has a rule without a message: {rule}");
        rules.push((path.to_owned(), cell(message)));
    }
    let required = |name: &str| schema["required"].as_array().is_some_and(|names| names.iter().any(|one| one == name));
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let below = format!("{path}.{name}");
        let shown = if required(name) { format!("**`{below}`**") } else { format!("`{below}`") };
        let description = text(field, "description");
        assert!(!description.is_empty(), "{below} has no description");
        writeln!(rows, "| {shown} | {} | {} |", kind(field), cell(description)).unwrap();
        self::rows(&below, field, rows, rules);
        if field["items"]["type"] == "object" {
            self::rows(&format!("{below}[]"), &field["items"], rows, rules);
        }
    }
}

fn reference() -> String {
    let definitions: Vec<Value> = serde_saphyr::from_multiple(&payg_api::crds_yaml()).unwrap();
    let mut page = HEAD.to_owned();
    for definition in definitions {
        let (names, version) = (&definition["spec"]["names"], &definition["spec"]["versions"][0]);
        let schema = &version["schema"]["openAPIV3Schema"];
        let scope =
            if definition["spec"]["scope"] == "Namespaced" { "In a namespace" } else { "For the whole cluster" };
        let (kind, plural) = (text(names, "kind"), text(names, "plural"));
        write!(
            page,
            "\n## {kind}\n\n{}\n\n{scope}; `kubectl get {plural}.payg-operator.io`",
            cell(text(schema, "description"))
        )
        .unwrap();
        for short in names["shortNames"].as_array().into_iter().flatten() {
            write!(page, " or `{}`", short.as_str().unwrap()).unwrap();
        }
        page += ".\n";
        for part in ["spec", "status"].into_iter().filter(|part| schema["properties"][part].is_object()) {
            let (mut fields, mut rules) = (String::new(), Vec::new());
            rows(part, &schema["properties"][part], &mut fields, &mut rules);
            write!(page, "\n### {kind} {part}\n\n| Field | What it is | Meaning |\n| --- | --- | --- |\n{fields}")
                .unwrap();
            if !rules.is_empty() {
                page += "\nThe API server refuses what breaks one of these rules:\n\n| Field | Rule |\n| --- | --- |\n";
            }
            for (path, rule) in rules {
                writeln!(page, "| `{path}` | {rule} |").unwrap();
            }
        }
    }
    page
}

#[test]
fn the_reference_is_what_the_kinds_say() {
    let file = root().join("docs/reference/fields.md");
    if std::env::var_os("BLESS").is_some() {
        fs::write(&file, reference()).unwrap();
    }
    let stored = fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(stored, reference(), "docs/reference/fields.md is not up to date: run `make reference`");
}
