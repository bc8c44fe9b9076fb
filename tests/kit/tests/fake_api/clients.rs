//! kube's client and its watcher over the fake API server, as the operator has them.

use std::sync::{Arc, Mutex};

use futures::{StreamExt, pin_mut};
use k8s_openapi::api::{
    authentication::v1::{TokenRequest, TokenRequestSpec},
    coordination::v1::Lease,
    core::v1::{Secret, ServiceAccount},
    events::v1::Event,
};
use kube::{
    Api, Client,
    api::{ListParams, Patch, PatchParams, PostParams},
    core::PartialObjectMeta,
};
use payg_test_kit::fake_api::FakeApi;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::fake_api;

fn object<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn beginning() -> (FakeApi, Client) {
    let api = fake_api();
    api.apply(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team-a"}})).unwrap();
    let client = api.client();
    (api, client)
}

#[tokio::test]
async fn a_lease_is_taken_once() {
    let (_, client) = beginning();
    let leases: Api<Lease> = Api::namespaced(client, "team-a");
    assert!(leases.get_opt("a").await.unwrap().is_none());
    let mut lease: Lease = object(json!({"metadata": {"name": "a"}, "spec": {"holderIdentity": "b"}}));
    let made = leases.create(&PostParams::default(), &lease).await.unwrap();
    let Err(kube::Error::Api(status)) = leases.create(&PostParams::default(), &lease).await else { panic!() };
    assert!(status.is_already_exists());
    lease.metadata = made.metadata;
    lease.spec.as_mut().unwrap().holder_identity = Some("c".into());
    leases.replace("a", &PostParams::default(), &lease).await.unwrap();
    let Err(kube::Error::Api(status)) = leases.replace("a", &PostParams::default(), &lease).await else { panic!() };
    assert!(status.is_conflict());
}

#[tokio::test]
async fn an_event_is_counted_on() {
    let (api, client) = beginning();
    let events: Api<Event> = Api::namespaced(client, "team-a");
    let event: Event = object(json!({"metadata": {"name": "a"}, "eventTime": "2026-11-25T12:00:00.000000Z"}));
    let made = events.create(&PostParams::default(), &event).await.unwrap();
    let patch = json!({
        "metadata": {"resourceVersion": made.metadata.resource_version},
        "series": {"count": 2, "lastObservedTime": "2026-11-25T12:00:00.000000Z"},
    });
    events.patch("a", &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap();
    assert_eq!(api.get("Event", "team-a", "a").unwrap()["series"]["count"], 2);
    let Err(kube::Error::Api(status)) = events.patch("a", &PatchParams::default(), &Patch::Merge(patch)).await else {
        panic!()
    };
    assert!(status.is_conflict());
}

#[tokio::test]
async fn secrets_tokens_and_metadata_are_read() {
    let (api, client) = beginning();
    let at = |kind: &str| json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": "a", "namespace": "team-a"}});
    let mut secret = at("Secret");
    secret["stringData"] = json!({"key": "value"});
    api.apply(&secret).unwrap();
    let uid = api.apply(&at("ServiceAccount")).unwrap()["metadata"]["uid"].clone();
    let found = Api::<Secret>::namespaced(client.clone(), "team-a").get("a").await.unwrap();
    assert_eq!(found.data.unwrap()["key"].0, b"value");

    let asked = Arc::new(Mutex::new(None));
    let told = Arc::clone(&asked);
    api.issue_tokens_by(move |subject| {
        *told.lock().unwrap() = Some(subject.clone());
        "a.token".to_owned()
    });
    let spec =
        TokenRequestSpec { audiences: vec!["sts".into()], expiration_seconds: Some(600), bound_object_ref: None };
    let request = TokenRequest { spec, ..TokenRequest::default() };
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), "team-a");
    let status = accounts.create_token_request("a", &PostParams::default(), &request).await.unwrap().status.unwrap();
    let asked = asked.lock().unwrap().take().unwrap();
    assert_eq!((status.token.as_str(), status.expiration_timestamp.0), ("a.token", asked.end));
    assert_eq!((asked.uid, asked.audiences), (uid.as_str().unwrap().to_owned(), vec!["sts".to_owned()]));

    let partial: Api<PartialObjectMeta<Secret>> = Api::namespaced(client, "team-a");
    assert_eq!(partial.list_metadata(&ListParams::default()).await.unwrap().items.len(), 1);
    let none = partial.list_metadata(&ListParams::default().labels("a=b")).await.unwrap();
    assert!(none.items.is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_watcher_is_told_of_everything_through_its_time_outs_and_a_compaction() {
    use kube::runtime::watcher::{self, watcher};
    let (api, client) = beginning();
    let lease = |holder: u32| {
        json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {"name": "a", "namespace": "team-a"}, "spec": {"leaseTransitions": holder},
        })
    };
    let events = watcher(Api::<Lease>::all(client), watcher::Config::default().timeout(60));
    pin_mut!(events);
    let mut lists = 0;
    for number in 0..20 {
        api.apply(&lease(number)).unwrap();
        if number == 10 {
            api.compact(api.revision());
        }
        loop {
            match events.next().await.unwrap() {
                Ok(watcher::Event::InitDone) => lists += 1,
                Ok(watcher::Event::Apply(lease) | watcher::Event::InitApply(lease))
                    if lease.spec.as_ref().unwrap().lease_transitions == i32::try_from(number).ok() =>
                {
                    break;
                }
                _ => {}
            }
        }
        tokio::time::sleep(std::time::Duration::from_secs(25)).await;
    }
    assert_eq!(lists, 2, "it lists at first and after the compaction");
}
