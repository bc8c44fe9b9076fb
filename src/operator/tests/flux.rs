//! Flux's rules for conditions, FAIL0001 to FAIL0011 of `fluxcd/pkg/runtime/conditions/check`, in a form that runs millions of
//! times. Flux's own run over the files of `deploy/argocd` in `tests/gitops/`.

use serde_json::Value;

/// The rules that a Subscription or BillingProvider breaks, just after the operator has written its status.
///
/// Flux has two sets: for the end of a reconciliation, and for while it goes on. A status whose Ready is Unknown is of the
/// second kind: the account could not be seen, and that is tried again.
pub(crate) fn broken(object: &Value) -> Vec<&'static str> {
    let conditions = object["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let find = |type_: &str| conditions.iter().find(|condition| condition["type"] == type_);
    let status = |type_: &str| find(type_).map(|condition| condition["status"].as_str().unwrap_or_default());
    let (ready, reconciling, stalled) = (status("Ready"), status("Reconciling"), status("Stalled"));
    let generation = object["metadata"]["generation"].as_i64().unwrap_or_default();
    let observed = object["status"]["observedGeneration"].as_i64().unwrap_or_default();
    let of = |condition: &Value| condition["observedGeneration"].as_i64().unwrap_or_default();
    let is_ready = ready == Some("True");
    let always = [
        ("FAIL0002", ready.is_none()),
        ("FAIL0004", stalled == Some("True") && ready != Some("False")),
        ("FAIL0005", reconciling.is_some() && stalled.is_some()),
        ("FAIL0006", observed > generation),
    ];
    let going_on = [("FAIL0011", reconciling != Some("True"))];
    let at_the_end = [
        ("FAIL0001", is_ready && (reconciling == Some("True") || stalled == Some("True"))),
        ("FAIL0003", reconciling == Some("True") && ready != Some("False")),
        ("FAIL0007", is_ready && observed < generation),
        ("FAIL0008", is_ready && conditions.iter().any(|condition| of(condition) < generation)),
        ("FAIL0009", is_ready && conditions.iter().any(|condition| of(condition) != observed)),
    ];
    let more = if ready == Some("Unknown") { &going_on[..] } else { &at_the_end[..] };
    always.iter().chain(more).filter(|(_, broken)| *broken).map(|(rule, _)| *rule).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::broken;

    /// Flux itself says the same of the same file, in `tests/gitops/statuses.rs`.
    #[test]
    fn each_rule_finds_what_breaks_it() {
        let cases: Vec<Value> = serde_saphyr::from_str(include_str!("../../../tests/gitops/broken.yaml")).unwrap();
        for case in cases {
            let (found, breaks) = (broken(&case["object"]), case["breaks"].as_str().unwrap());
            assert_eq!(found.is_empty(), breaks.is_empty(), "{case:#} {found:?}");
            assert!(breaks.is_empty() || found.contains(&breaks), "{case:#} {found:?}");
        }
    }
}
