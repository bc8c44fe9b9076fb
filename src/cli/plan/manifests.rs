//! The manifests that a plan is made from.

use std::io;
use std::path::PathBuf;

use serde_json::Value;

use payg_yaml::{Document, Fault};

use super::super::{Error, files};
use super::walk::{self, Place};

/// An object and where it stands.
pub struct Manifest {
    /// The file, the number of the document in it, and that of the item if the document is a list.
    pub place: String,
    pub object: Value,
}

impl Manifest {
    pub fn kind(&self) -> &str {
        self.object["kind"].as_str().unwrap_or_default()
    }

    pub fn name(&self) -> &str {
        self.object["metadata"]["name"].as_str().unwrap_or_default()
    }

    pub fn namespace(&self) -> &str {
        self.object["metadata"]["namespace"].as_str().unwrap_or_default()
    }

    /// Whether it is of one of our kinds.
    pub fn is_ours(&self) -> bool {
        self.object["apiVersion"].as_str().is_some_and(|version| version.starts_with("payg-operator.io/"))
    }
}

#[derive(Default)]
pub struct Manifests {
    pub all: Vec<Manifest>,
    /// What could not be read and is not somebody else's, with its place.
    pub problems: Vec<String>,
    /// What was left alone, and looks as if it should not have been.
    pub warnings: Vec<String>,
}

/// A file of manifests may have so many bytes.
const LARGEST: u64 = 8 << 20;
/// All of them together may have so many.
const LARGEST_PLAN: u64 = 64 << 20;

/// All objects in the files and directories that `paths` name; `-` is standard input. One that names no namespace is in
/// `namespace`.
pub fn read(paths: &[PathBuf], namespace: &str) -> Result<Manifests, Error> {
    let mut texts = Vec::new();
    let mut left = LARGEST_PLAN;
    for place in walk::places(paths)? {
        let bytes = match &place.file {
            None => files::bytes(io::stdin(), LARGEST, &place.shown)?,
            Some(file) => files::read(file, LARGEST, &place.shown)?,
        };
        left = left.checked_sub(bytes.len() as u64).ok_or_else(|| {
            let (shown, limit) = (&place.shown, LARGEST_PLAN >> 20);
            format!("with {shown} there are more than {limit} MiB of manifests; plan fewer at a time")
        })?;
        texts.push((place, payg_yaml::decode(&bytes)));
    }
    let mut manifests = Manifests::default();
    for (place, text) in texts {
        manifests.text(&place, &text);
    }
    for (number, manifest) in manifests.all.iter_mut().enumerate() {
        let metadata = &mut manifest.object["metadata"];
        let absent = |field: &Value| field.is_null() || field == "";
        if metadata.is_object() && absent(&metadata["namespace"]) {
            // An empty option is none, as to kubectl.
            metadata["namespace"] = if namespace.is_empty() { "default" } else { namespace }.into();
        }
        // As the API server gives names.
        if let Some(begin) = metadata["generateName"].as_str().filter(|_| absent(&metadata["name"])) {
            metadata["name"] = format!("{begin}{number:05}").into();
        }
    }
    Ok(manifests)
}

impl Manifests {
    /// Takes what is in a file.
    fn text(&mut self, place: &Place, text: &str) {
        for (number, document) in (1..).zip(payg_yaml::documents(text)) {
            let at = format!("{} (document {number})", place.shown);
            match document.value {
                Ok(Value::Null) => {}
                Ok(object @ Value::Object(_)) => self.object(at, object, place.named),
                Ok(_) if place.named => self.problems.push(format!("{at} is not an object")),
                // Somebody else's, such as values of a template.
                Ok(_) => {}
                Err(ref fault) => self.unreadable(place, &document, fault),
            }
        }
    }

    /// An object, or those in a list: to kubectl, whatever has `items` is one.
    fn object(&mut self, place: String, mut object: Value, named: bool) {
        let items = object.get_mut("items").filter(|items| items.is_array()).map(Value::take);
        let Some(Value::Array(items)) = items else {
            self.warnings.extend(stranger(&object).map(|why| format!("{place}: {why}")));
            self.all.push(Manifest { place, object });
            return;
        };
        for (number, mut item) in (1..).zip(items) {
            if item["apiVersion"].is_null() && item["kind"].is_null() && item.is_object() {
                item["apiVersion"] = object["apiVersion"].clone();
                item["kind"] = object["kind"].as_str().unwrap_or_default().trim_end_matches("List").into();
            }
            let place = format!("{place}, item {number}");
            if item.is_object() {
                self.object(place, item, named);
            } else if named {
                self.problems.push(format!("{place} is not an object"));
            }
        }
    }

    /// A document that is not YAML. It is somebody else's unless it was named or names us.
    fn unreadable(&mut self, place: &Place, document: &Document<'_>, fault: &Fault) {
        let at = format!("{}, line {}, column {}", place.shown, fault.line, fault.column);
        let mentions = |text: &str| document.text.contains(text);
        let ours = mentions("payg-operator.io/");
        if ours && mentions("{{") && !place.named {
            self.warnings.push(format!(
                "{at}: looks like a template and is ignored; render it (helm template) and plan the result"
            ));
        } else if ours || place.named {
            self.problems.push(format!("{at}: {}", fault.problem));
        } else if mentions("kind: Secret") {
            self.warnings.push(format!("{at}: {}; a Secret in it counts as absent", fault.problem));
        }
    }
}

/// Why an object that is not ours looks as if it was meant to be.
fn stranger(object: &Value) -> Option<String> {
    let kind = object["kind"].as_str().unwrap_or_default();
    let version = object["apiVersion"].as_str().unwrap_or_default();
    let is_kind = ["Subscription", "BillingProvider", "UpgradeApproval", "UpgradeRecord"].contains(&kind);
    let (group, ours) = (version.split('/').next().unwrap_or_default(), "payg-operator.io/v1alpha1");
    if is_kind && !version.contains('/') {
        return Some(format!(
            "a {kind} without a group in `apiVersion` is ignored; payg-operator uses apiVersion: {ours}"
        ));
    }
    let alike =
        group.to_lowercase().contains("payg") && group != "payg-operator.io" && !group.ends_with(".payg-operator.io");
    (alike && is_kind).then(|| format!("a {kind} of `{group}` is ignored; payg-operator uses apiVersion: {ours}"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn parsed(text: &str, named: bool) -> Manifests {
        let mut manifests = Manifests::default();
        manifests.text(&Place { shown: "a.yaml".to_owned(), file: None, named }, text);
        manifests
    }

    fn problem(text: &str) -> String {
        parsed(text, true).problems.remove(0)
    }

    #[test]
    fn all_manifests_together_have_an_end() {
        let dir = tempfile::tempdir().unwrap();
        let comment = format!("# {}\n", "x".repeat(usize::try_from(LARGEST).unwrap() - 100));
        for number in 0..=LARGEST_PLAN / LARGEST {
            fs::write(dir.path().join(format!("{number}.yaml")), &comment).unwrap();
        }
        let refusal = read(&[dir.path().to_owned()], "default").err().unwrap().to_string();
        assert!(refusal.contains("8.yaml") && refusal.contains("64 MiB"), "{refusal}");
    }

    #[test]
    fn missing_names_and_namespaces_get_defaults() {
        let dir = tempfile::tempdir().unwrap();
        let text = "metadata: {name: a, namespace: team-a}\n---\nmetadata: {name: b, namespace: ''}\n---\nmetadata: {generateName: c-}\n";
        fs::write(dir.path().join("a.yaml"), text).unwrap();
        for (option, namespace) in [("", "default"), ("team-b", "team-b")] {
            let found = read(&[dir.path().to_owned()], option).unwrap().all;
            let named: Vec<_> = found.iter().map(|one| (one.namespace(), one.name())).collect();
            assert_eq!(named, [("team-a", "a"), (namespace, "b"), (namespace, "c-00002")]);
        }
    }

    #[test]
    fn invalid_yaml_is_located_without_showing_it() {
        for text in [
            "stringData:\n  clientSecret: \"s3cr3t-value\n  other: y\n",
            "metadata: {name: x\nstringData:\n  clientSecret: s3cr3t-value: x\n",
            "stringData:\n  clientSecret: *s3cr3t-value\n",
            "s3cr3t-value: 1\ns3cr3t-value: 2\n",
            "stringData:\n  clientSecret: !s3cr3t-value {\n",
            "{\"stringData\": {\"clientSecret\": \"s3cr3t-value\", \"clientSecret\": \"s3cr3t-value\"}}",
        ] {
            let problem = problem(text);
            assert!(problem.starts_with("a.yaml, line "), "{problem}");
            assert!(!problem.contains("s3cr3t-value"), "{problem}");
        }
        assert!(problem("a: 1\nb: \"\n").contains("line 2, column 4: is not YAML"), "{}", problem("a: 1\nb: \"\n"));
    }

    #[test]
    fn lists_and_empty_documents_are_taken_apart() {
        let text = "---\n---\nkind: List\nitems: [{kind: A}, {kind: List, items: [{kind: B}]}]\n---\nkind: C\n---\n
apiVersion: payg-operator.io/v1alpha1\nkind: SubscriptionList\nitems: [{metadata: {name: x}}]\n";
        let manifests = parsed(text, true);
        assert_eq!(manifests.all.iter().map(Manifest::kind).collect::<Vec<_>>(), ["A", "B", "C", "Subscription"]);
        assert!(manifests.all[3].is_ours() && manifests.all[3].place == "a.yaml (document 3), item 1");
        assert!(problem("- 1\n").contains("is not an object"));
    }

    #[test]
    fn foreign_manifests_are_ignored() {
        let template = "apiVersion: payg-operator.io/v1alpha1\nkind: {{ .Values.kind }}\n";
        for (text, problems, warnings) in [
            ("kind: {{ .Values.kind }}\n", 0, 0),
            ("- a\n- b\n", 0, 0),
            ("items: [a, b]\n", 0, 0),
            ("kind: Secret\nstringData: {a: \"}\n", 0, 1),
            (template, 0, 1),
            ("apiVersion: payg-operator.io/v1alpha1\nkind: \"Subscription\n", 1, 0),
            ("apiVersion: payg-operator.com/v1alpha1\nkind: Subscription\n", 0, 1),
            ("kind: Subscription\n", 0, 1),
            ("apiVersion: operators.coreos.com/v1alpha1\nkind: Subscription\n", 0, 0),
        ] {
            let found = parsed(text, false);
            assert_eq!((found.problems.len(), found.warnings.len()), (problems, warnings), "{text}");
        }
        assert_eq!(parsed(template, true).problems.len(), 1, "what was named is to be planned");
    }
}
