//! What users write and read: the four kinds of the group `payg-operator.io`, and their `CustomResourceDefinitions`.
//!
//! The doc comments of fields are what `kubectl explain` shows, so they are written for users of the cluster.
#![warn(missing_docs)]
#![allow(clippy::duplicated_attributes, reason = "several printer columns are of one type")]

mod billing_provider;
pub mod conditions;
mod lenient;
mod money;
mod notices;
mod offer;
mod schema;
mod subscription;
mod subscription_status;
mod text;
mod time;
mod upgrade_approval;
mod upgrade_record;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use serde_json::{Value, json};

pub use self::billing_provider::*;
pub use self::money::*;
pub use self::notices::*;
pub use self::offer::*;
pub use self::subscription::*;
pub use self::subscription_status::*;
pub use self::text::*;
pub use self::time::*;
pub use self::upgrade_approval::*;
pub use self::upgrade_record::*;

/// The API group of all kinds.
pub const GROUP: &str = "payg-operator.io";
/// The version of all kinds.
pub const VERSION: &str = "v1alpha1";

/// The definitions of all kinds, as they are in `crds/`.
pub fn crds() -> Vec<CustomResourceDefinition> {
    definitions().into_iter().map(typed).collect()
}

/// The files of `crds/`: name and YAML text of each.
pub fn crd_files() -> Vec<(String, String)> {
    let name = |definition: &Value| format!("{}.yaml", definition["metadata"]["name"].as_str().unwrap_or_default());
    definitions().iter().map(|definition| (name(definition), yaml(definition))).collect()
}

/// The definitions of all kinds in one YAML stream, for `kubectl apply -f -`.
pub fn crds_yaml() -> String {
    let files: Vec<_> = crd_files().into_iter().map(|(_, yaml)| yaml).collect();
    files.join("---\n")
}

fn definitions() -> [Value; 4] {
    [Subscription::crd(), BillingProvider::crd(), UpgradeApproval::crd(), UpgradeRecord::crd()].map(|definition| {
        let mut definition = serde_json::to_value(definition).expect("a definition has only JSON in it");
        // All objects of a kind go with its definition, and the ledger is one: an uninstallation by Helm must leave it.
        definition["metadata"]["annotations"] = json!({"helm.sh/resource-policy": "keep"});
        tidy(&mut definition);
        definition
    })
}

fn typed(definition: Value) -> CustomResourceDefinition {
    serde_json::from_value(definition).expect("it was a CustomResourceDefinition before it was tidied")
}

fn yaml(definition: &Value) -> String {
    serde_saphyr::to_string(definition).expect("whatever is JSON can be written as YAML")
}

/// Leaves out `nullable`, which the derive adds to all that is optional (nothing here is ever written as null), and
/// `title`, which only names the Rust type. Joins the lines of doc comments. Writes numbers without a fraction as
/// integers, as the API server gives them back.
fn tidy(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|name, member| {
                !(name == "nullable" && member.is_boolean() || name == "title" && member.is_string())
            });
            if let Some(Value::String(description)) = members.get_mut("description") {
                *description = description.replace('\n', " ");
            }
            members.values_mut().for_each(tidy);
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        Value::Number(number) => {
            if let Some(whole) = number.as_f64().filter(|number| number.fract() == 0.0) {
                #[expect(clippy::cast_possible_truncation, reason = "no bound in the schemas comes near 2^53")]
                let whole = whole as i64;
                *number = whole.into();
            }
        }
        _ => {}
    }
}
