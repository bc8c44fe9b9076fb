//! What a real API server cannot be made to do at will.

use std::time::Duration;

use http::{Method, Request};
use payg_test_kit::fake_api::FakeApi;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::fake_api;

const RECORDS: &str = "/apis/payg-operator.io/v1alpha1/upgraderecords";
const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/team-a/leases";

fn request(method: Method, path: &str) -> Request<Vec<u8>> {
    Request::builder().method(method).uri(path).body(Vec::new()).unwrap()
}

fn get(path: &str) -> Request<Vec<u8>> {
    request(Method::GET, path)
}

fn namespace(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
}

fn lease(holder: &str) -> Value {
    json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": "a", "namespace": "team-a"}, "spec": {"holderIdentity": holder},
    })
}

/// An API server with a lease that was held by b, then c, and then deleted; and the revisions of these.
fn with_history() -> (FakeApi, [u64; 3]) {
    let api = fake_api();
    api.apply(&namespace("team-a")).unwrap();
    let mut revisions = [0; 3];
    for (revision, holder) in revisions.iter_mut().zip(["b", "c"]) {
        api.apply(&lease(holder)).unwrap();
        *revision = api.revision();
    }
    api.delete("Lease", "team-a", "a").unwrap();
    revisions[2] = api.revision();
    (api, revisions)
}

fn body(api: &FakeApi, revision: u64, path: &str) -> (u16, Value) {
    let response = api.handle_at(revision, &get(path));
    let code = response.status().as_u16();
    (code, serde_json::from_slice(response.into_body().whole().unwrap()).unwrap())
}

#[test]
fn a_stale_read_tells_what_was() {
    let (api, [b, c, deleted]) = with_history();
    let one = format!("{LEASES}/a");
    for (revision, holder) in [(b, "b"), (c, "c")] {
        let (code, lease) = body(&api, revision, &one);
        assert_eq!((code, &lease["spec"]["holderIdentity"]), (200, &json!(holder)));
        let (_, list) = body(&api, revision, LEASES);
        assert_eq!(list["metadata"]["resourceVersion"], revision.to_string());
        assert_eq!(list["items"][0]["spec"]["holderIdentity"], holder);
    }
    for revision in [b - 1, deleted] {
        assert_eq!(body(&api, revision, &one).0, 404);
        assert_eq!(body(&api, revision, LEASES).1["items"], json!([]));
    }
    let history = api.history("Lease", "team-a", "a");
    assert_eq!(history.iter().map(|(revision, _)| *revision).collect::<Vec<_>>(), [b, c, deleted]);
    assert!(history[1].1.is_some() && history[2].1.is_none());
}

#[test]
fn a_write_is_never_stale() {
    let (api, [b, ..]) = with_history();
    let delete = request(Method::DELETE, &format!("{LEASES}/a"));
    assert_eq!(api.handle_at(b, &delete).status(), 404);
}

#[test]
fn compacted_revisions_are_gone() {
    let (api, [b, c, _]) = with_history();
    let watch = |from: u64| {
        let path = format!("{LEASES}?watch=true&resourceVersion={from}");
        api.handle(&get(&path)).into_body().into_watch().unwrap()
    };
    let mut early = watch(b);
    api.compact(c);
    for mut watch in [watch(b), std::mem::replace(&mut early, watch(c))] {
        let event = watch.try_next().unwrap();
        let status: Value = serde_json::from_slice(&event.object).unwrap();
        assert_eq!((event.type_, &status["code"], &status["reason"]), ("ERROR", &json!(410), &json!("Expired")));
        assert!(watch.try_next().is_none());
    }
    assert_eq!(early.try_next().unwrap().type_, "DELETED");
    // What there was at the compaction is still there.
    assert_eq!(body(&api, c, &format!("{LEASES}/a")).0, 200);
}

#[test]
fn pages_are_of_one_revision_until_it_is_compacted() {
    let api = fake_api();
    for name in ["a", "b", "c"] {
        api.apply(&namespace(name)).unwrap();
    }
    let path = "/api/v1/namespaces?limit=2";
    let (_, first) = body(&api, api.revision(), path);
    assert_eq!(first["metadata"]["remainingItemCount"], 1);
    api.apply(&namespace("d")).unwrap();
    let next = format!("{path}&continue={}", first["metadata"]["continue"].as_str().unwrap());
    let (_, second) = body(&api, api.revision(), &next);
    assert_eq!(second["items"].as_array().unwrap().len(), 1, "{second}");
    api.compact(api.revision());
    assert_eq!(body(&api, api.revision(), &next).0, 410);
}

#[test]
fn a_fork_goes_its_own_way_and_the_same_requests_make_the_same_objects() {
    let (api, _) = with_history();
    let clock = || "2026-11-25T12:00:00Z".parse().unwrap();
    let (one, other) = (api.fork(clock), api.fork(clock));
    let made = [&one, &other].map(|api| api.apply(&lease("d")).unwrap());
    assert_eq!(made[0], made[1]);
    assert!(api.get("Lease", "team-a", "a").is_none());
    let another = api.fork(clock);
    another.seed(7);
    let uid = &another.apply(&lease("d")).unwrap()["metadata"]["uid"];
    assert_ne!(uid, &made[0]["metadata"]["uid"]);
    assert_eq!(uuid_shape(uid.as_str().unwrap()), "8-4-4-4-12");
}

fn uuid_shape(uid: &str) -> String {
    uid.split('-').map(|part| part.len().to_string()).collect::<Vec<_>>().join("-")
}

#[test]
fn a_namespace_takes_along_what_is_in_it() {
    let api = fake_api();
    api.apply(&namespace("team-a")).unwrap();
    api.apply(&lease("b")).unwrap();
    api.delete("Namespace", "", "team-a").unwrap();
    assert!(api.list("Lease").is_empty() && api.list("Namespace").is_empty());
    assert!(api.apply(&lease("b")).unwrap_err().contains("namespaces \\\"team-a\\\" not found"));
}

#[test]
fn unsupported_requests_are_refused() {
    let api = fake_api();
    for path in
        [format!("{RECORDS}?dryRun=All"), format!("{RECORDS}?labelSelector=a+in+(b)"), format!("{RECORDS}?new=1")]
    {
        assert_eq!(api.handle(&get(&path)).status(), 400, "{path}");
    }
    assert_eq!(api.handle(&request(Method::DELETE, RECORDS)).status(), 405);
}

#[tokio::test(start_paused = true)]
async fn a_watch_wakes_by_a_change_and_ends_by_its_time() {
    let api = fake_api();
    api.apply(&namespace("team-a")).unwrap();
    let path =
        format!("{LEASES}?watch=true&resourceVersion={}&timeoutSeconds=60&allowWatchBookmarks=true", api.revision());
    let mut watch = api.handle(&get(&path)).into_body().into_watch().unwrap();
    let began = Instant::now();
    let change = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        api.apply(&namespace("team-b")).unwrap(); // another kind
        api.apply(&lease("b")).unwrap();
    };
    let (event, ()) = tokio::join!(watch.next(), change);
    assert_eq!((event.unwrap().type_, began.elapsed().as_secs()), ("ADDED", 5));
    let bookmark = watch.next().await.unwrap();
    assert_eq!((bookmark.type_, bookmark.revision, began.elapsed().as_secs()), ("BOOKMARK", api.revision(), 58));
    assert!(watch.next().await.is_none());
    assert_eq!(began.elapsed().as_secs(), 60);
}
