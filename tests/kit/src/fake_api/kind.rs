//! The kinds that are served: those that come with Kubernetes and those of CustomResourceDefinitions.

use serde_json::{Map, Value};

use super::schema::Schema;

/// A kind and how its objects are kept.
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools, reason = "independent facts about a kind, as in a CustomResourceDefinition")]
pub(super) struct Kind {
    pub(super) group: String,
    pub(super) version: String,
    pub(super) plural: String,
    pub(super) name: String,
    pub(super) is_namespaced: bool,
    /// Whether status is written by its own requests only.
    pub(super) has_status: bool,
    /// Whether `metadata.generation` counts the changes.
    pub(super) counts_generations: bool,
    /// Whether a write may leave out the resourceVersion.
    pub(super) writes_blindly: bool,
    /// Whether a put makes an object that is not there.
    pub(super) put_creates: bool,
    /// Whether a delete is answered with the object.
    pub(super) delete_returns_object: bool,
    /// What field selectors may name beside name and namespace.
    pub(super) selectable: Vec<Vec<String>>,
    /// What a custom resource must look like.
    pub(super) schema: Option<Schema>,
}

impl Kind {
    pub(super) fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// The resource as messages name it.
    pub(super) fn qualified(&self) -> String {
        if self.group.is_empty() { self.plural.clone() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// The key of an object. Their order is that of lists.
    pub(super) fn key(&self, namespace: &str, name: &str) -> String {
        if self.is_namespaced { format!("{namespace}/{name}") } else { name.to_owned() }
    }
}

/// The kinds of Kubernetes that the operator uses.
pub(super) fn built_in() -> Vec<Kind> {
    let kind = |group: &str, plural: &str, name: &str| Kind {
        group: group.to_owned(),
        version: "v1".to_owned(),
        plural: plural.to_owned(),
        name: name.to_owned(),
        is_namespaced: true,
        has_status: false,
        counts_generations: false,
        writes_blindly: true,
        put_creates: false,
        delete_returns_object: false,
        selectable: Vec::new(),
        schema: None,
    };
    let admission = |plural, name| Kind {
        is_namespaced: false,
        counts_generations: true,
        writes_blindly: false,
        ..kind("admissionregistration.k8s.io", plural, name)
    };
    vec![
        Kind {
            is_namespaced: false,
            has_status: true,
            delete_returns_object: true,
            ..kind("", "namespaces", "Namespace")
        },
        kind("", "secrets", "Secret"),
        Kind { delete_returns_object: true, ..kind("", "serviceaccounts", "ServiceAccount") },
        Kind { put_creates: true, writes_blindly: false, ..kind("coordination.k8s.io", "leases", "Lease") },
        Kind { put_creates: true, ..kind("events.k8s.io", "events", "Event") },
        Kind { has_status: true, ..admission("validatingadmissionpolicies", "ValidatingAdmissionPolicy") },
        admission("validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding"),
    ]
}

/// The kinds that a CustomResourceDefinition defines, one for each version that is served.
///
/// # Panics
///
/// If it is none.
pub(super) fn custom(definition: &Value) -> Vec<Kind> {
    let spec = &definition["spec"];
    let text = |value: &Value| value.as_str().expect("a text in the CustomResourceDefinition").to_owned();
    let versions = spec["versions"].as_array().expect("versions of the CustomResourceDefinition");
    let served = versions.iter().filter(|version| version["served"] == true);
    served
        .map(|version| Kind {
            group: text(&spec["group"]),
            version: text(&version["name"]),
            plural: text(&spec["names"]["plural"]),
            name: text(&spec["names"]["kind"]),
            is_namespaced: spec["scope"] == "Namespaced",
            has_status: version["subresources"]["status"].is_object(),
            counts_generations: true,
            writes_blindly: false,
            put_creates: false,
            delete_returns_object: false,
            selectable: version["selectableFields"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|f| path(&f["jsonPath"]))
                .collect(),
            schema: Some(Schema::parse(&version["schema"]["openAPIV3Schema"])),
        })
        .collect()
}

fn path(json_path: &Value) -> Vec<String> {
    json_path.as_str().unwrap_or_default().split('.').filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// What the API server fills in by itself in a new object of a built-in kind.
pub(super) fn fill_in(kind: &Kind, object: &mut Map<String, Value>) {
    match kind.name.as_str() {
        "Namespace" => {
            let name = object["metadata"]["name"].clone();
            object["metadata"]["labels"]["kubernetes.io/metadata.name"] = name;
            object.insert("spec".to_owned(), serde_json::json!({"finalizers": ["kubernetes"]}));
            object.insert("status".to_owned(), serde_json::json!({"phase": "Active"}));
        }
        "Secret" => {
            object.entry("type").or_insert_with(|| "Opaque".into());
        }
        "Lease" => {
            object.entry("spec").or_insert_with(|| Value::Object(Map::new()));
        }
        "Event" => {
            for (name, value) in [
                ("deprecatedFirstTimestamp", Value::Null),
                ("deprecatedLastTimestamp", Value::Null),
                ("deprecatedSource", Value::Object(Map::new())),
            ] {
                object.entry(name).or_insert(value);
            }
        }
        "ValidatingAdmissionPolicy" => {
            object.insert("status".to_owned(), Value::Object(Map::new()));
        }
        _ => {}
    }
}
