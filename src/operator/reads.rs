//! How reconciles read lists: only a few objects are in memory at once, however many there are
//! and however large they are.

use std::fmt::Debug;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::ListParams;
use kube::{Api, Resource};
use serde::de::DeserializeOwned;

use crate::operator::notices::CONTACTS;
use crate::operator::parse::RECONCILE_REQUEST;

/// The number of objects in one answer. The API server stores none larger than 1.5 MiB.
const PAGE: u32 = 10;
/// The most objects that one reconcile reads.
const MOST: usize = 1000;

/// What `keep` keeps of the objects that `api` lists for `params`. It is an error if there are more than a reconcile can go through.
pub async fn list<K, T>(api: &Api<K>, params: ListParams, mut keep: impl FnMut(K) -> Option<T>) -> kube::Result<Vec<T>>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    let (mut seen, mut kept) = (0, Vec::new());
    let mut params = params.limit(PAGE);
    loop {
        let page = api.list(&params).await?;
        seen += page.items.len();
        kept.extend(page.items.into_iter().filter_map(&mut keep));
        if seen > MOST {
            let plural = K::plural(&());
            let told = format!("there are more than {MOST} {plural} to read; delete those that are not needed");
            return Err(kube::Error::Service(told.into()));
        }
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return Ok(kept),
        }
    }
}

/// Drops the metadata that no reconcile uses, which may be nearly all of the object. Of the labels it keeps those that
/// `uses_label` chooses.
pub fn slim(metadata: &mut ObjectMeta, uses_label: impl Fn(&str) -> bool) {
    metadata.managed_fields = None;
    if let Some(labels) = &mut metadata.labels {
        labels.retain(|name, _| uses_label(name));
    }
    metadata.owner_references = None;
    metadata.finalizers = None;
    if let Some(annotations) = &mut metadata.annotations {
        annotations.retain(|name, _| name == RECONCILE_REQUEST || name == CONTACTS);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use axum::extract::Query;
    use axum::routing::get;
    use axum::{Json, Router};
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::{Client, ResourceExt};
    use serde_json::{Value, json};

    use super::*;

    /// An API server with so many `ConfigMaps`, and the limits of the lists that it was asked for.
    fn server(count: usize) -> (Api<ConfigMap>, Arc<Mutex<Vec<usize>>>) {
        let limits: Arc<Mutex<Vec<usize>>> = Arc::default();
        let seen = limits.clone();
        let list = async move |Query(query): Query<Vec<(String, String)>>| {
            let number =
                |name| query.iter().find(|(key, _)| key == name).map_or(0, |(_, value)| value.parse().unwrap());
            let (limit, from): (usize, usize) = (number("limit"), number("continue"));
            seen.lock().unwrap().push(limit);
            let to = if limit == 0 { count } else { count.min(from + limit) };
            let items: Vec<Value> =
                (from..to).map(|number| json!({"metadata": {"name": number.to_string()}})).collect();
            let rest = if to < count { to.to_string() } else { String::new() };
            Json(json!({"metadata": {"resourceVersion": "1", "continue": rest}, "items": items}))
        };
        let client = Client::new(Router::new().route("/api/v1/configmaps", get(list)), "default");
        (Api::all(client), limits)
    }

    #[tokio::test]
    async fn a_list_is_read_in_pages() {
        let (api, limits) = server(35);
        let names = list(&api, ListParams::default(), |object| Some(object.name_any())).await.unwrap();
        assert_eq!(names, (0..35).map(|number| number.to_string()).collect::<Vec<_>>());
        assert_eq!(*limits.lock().unwrap(), [PAGE as usize; 4]);
    }

    #[tokio::test]
    async fn a_list_that_is_too_long_is_no_list() {
        let (api, limits) = server(5_000);
        let told = list(&api, ListParams::default(), Some).await.unwrap_err().to_string();
        assert!(told.contains("more than 1000 configmaps"), "{told}");
        assert!(limits.lock().unwrap().len() <= 1 + MOST / PAGE as usize, "it is not read to its end");
    }

    #[test]
    fn metadata_is_cut_down_to_what_is_looked_at() {
        let all = json!({"name": "sandbox", "namespace": "team-a", "uid": "uid", "generation": 7, "resourceVersion": "9",
            "creationTimestamp": "2026-03-01T12:00:00Z", "deletionTimestamp": "2026-03-01T12:00:00Z",
            "labels": {"a": "b", "team": "c"}, "annotations": {"a": "b", RECONCILE_REQUEST: "now", CONTACTS: "d"}, "finalizers": ["example.com/a"],
            "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "a", "uid": "b"}],
            "managedFields": [{"manager": "a"}]});
        let mut metadata: ObjectMeta = serde_json::from_value(all).unwrap();
        slim(&mut metadata, |label| label == "team");
        let left = json!({"name": "sandbox", "namespace": "team-a", "uid": "uid", "generation": 7, "resourceVersion": "9",
            "creationTimestamp": "2026-03-01T12:00:00Z", "deletionTimestamp": "2026-03-01T12:00:00Z",
            "labels": {"team": "c"}, "annotations": {RECONCILE_REQUEST: "now", CONTACTS: "d"}});
        assert_eq!(serde_json::to_value(metadata).unwrap(), left);
    }
}
