//! The statuses in `statuses/`: one for each verdict, as the operator writes it.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

/// What a file must be to kstatus.
pub(crate) type Expected = BTreeMap<String, BTreeMap<String, String>>;

pub(crate) fn expected() -> Expected {
    serde_saphyr::from_str(include_str!("expected.yaml")).unwrap()
}

/// The examples by kind and name.
pub(crate) fn examples() -> BTreeMap<(String, String), Value> {
    let mut examples = BTreeMap::new();
    for kind in expected().into_keys() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gitops/statuses").join(&kind);
        for file in std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
            let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
            let example = serde_saphyr::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
            examples.insert((kind.clone(), name), example);
        }
    }
    examples
}
