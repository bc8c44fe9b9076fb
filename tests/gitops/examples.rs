//! The statuses in `deploy/argocd`: one for each verdict, as the operator writes it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

/// `deploy/argocd`.
pub(crate) fn argocd() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/argocd"))
}

/// What a file must be to kstatus and to Argo CD.
pub(crate) type Expected = BTreeMap<String, BTreeMap<String, [String; 2]>>;

pub(crate) fn expected() -> Expected {
    serde_saphyr::from_str(include_str!("expected.yaml")).unwrap()
}

/// The examples by kind and name.
pub(crate) fn examples() -> BTreeMap<(String, String), Value> {
    let mut examples = BTreeMap::new();
    for kind in expected().into_keys() {
        let dir = argocd().join("resource_customizations/payg-operator.io").join(&kind).join("testdata");
        for file in std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
            let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
            let example = serde_saphyr::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
            examples.insert((kind.clone(), name), example);
        }
    }
    examples
}
