//! Observations that somebody requests with the annotation `payg-operator.io/requested-at`.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::run::{enter, in_virtual_time, prepare, start_until};
use super::workload::{self, NAME, TEAM};
use super::world::{Plan, World};

const MINUTE: Duration = Duration::from_mins(1);

fn ask(world: &World, value: &str) {
    let metadata = json!({"name": NAME, "namespace": TEAM, "annotations": {"payg-operator.io/requested-at": value}});
    let object = json!({"apiVersion": "payg-operator.io/v1alpha1", "kind": "Subscription", "metadata": metadata});
    world.api.apply(&object).unwrap();
}

fn status(world: &World) -> Value {
    world.api.get("Subscription", TEAM, NAME).unwrap()["status"].clone()
}

fn observed(world: &World) -> Timestamp {
    status(world)["lastObservedTime"].as_str().unwrap().parse().unwrap()
}

/// A world in which nothing is to be done for hours, and an operator that has seen so.
async fn quiet(world: &Arc<World>) -> Timestamp {
    start_until(world, 0, CancellationToken::new());
    sleep(10 * MINUTE).await;
    let seen = observed(world);
    sleep(10 * MINUTE).await;
    assert_eq!(observed(world), seen, "nothing is to be looked at");
    seen
}

fn in_a_quiet_world<F: Future<Output = ()>>(story: impl FnOnce(Arc<World>, Timestamp) -> F) {
    let snapshot = prepare(workload::ALL.into_iter().find(|workload| workload.name == "not-yet").unwrap());
    in_virtual_time(snapshot.at, async {
        let (world, _signals) = enter(&snapshot, &Plan::new());
        let seen = quiet(&world).await;
        story(world, seen).await;
    });
}

#[test]
fn a_look_that_is_asked_for_comes_at_once_and_status_says_so() {
    in_a_quiet_world(async |world, seen| {
        ask(&world, "2026-03-01T13:00:00Z");
        sleep(Duration::from_secs(5)).await;
        assert!(observed(&world) > seen);
        assert_eq!(status(&world)["lastHandledReconcileAt"], "2026-03-01T13:00:00Z");
        let seen = observed(&world);
        sleep(10 * MINUTE).await;
        assert_eq!(observed(&world), seen, "it is looked at once for each time that somebody asks");
    });
}

#[test]
fn a_value_that_status_cannot_hold_is_answered_too() {
    in_a_quiet_world(async |world, _| {
        ask(&world, &"long ".repeat(100));
        sleep(Duration::from_secs(5)).await;
        let handled = status(&world)["lastHandledReconcileAt"].as_str().unwrap().to_owned();
        assert!(handled.starts_with("long long ") && handled.ends_with('…'), "{handled}");
        let seen = observed(&world);
        sleep(10 * MINUTE).await;
        assert_eq!(observed(&world), seen);
    });
}

#[test]
fn frequent_requests_get_one_observation_a_minute() {
    in_a_quiet_world(async |world, mut seen| {
        let mut looks = 0;
        for second in 0..600 {
            ask(&world, &second.to_string());
            sleep(Duration::from_secs(1)).await;
            looks += u32::from(observed(&world) != seen);
            seen = observed(&world);
        }
        assert!((9..=11).contains(&looks), "{looks} looks in ten minutes");
        sleep(2 * MINUTE).await;
        assert_eq!(status(&world)["lastHandledReconcileAt"], "599", "the last one is not forgotten");
    });
}

#[test]
fn requests_made_while_no_operator_runs_are_answered_later() {
    let snapshot = prepare(workload::ALL.into_iter().find(|workload| workload.name == "not-yet").unwrap());
    in_virtual_time(snapshot.at, async {
        let (world, _signals) = enter(&snapshot, &Plan::new());
        let stop = CancellationToken::new();
        let replica = start_until(&world, 0, stop.clone());
        sleep(10 * MINUTE).await;
        stop.cancel();
        let _ = replica.await;
        let seen = observed(&world);
        ask(&world, "meanwhile");
        start_until(&world, 0, CancellationToken::new());
        sleep(Duration::from_secs(10)).await;
        assert!(observed(&world) > seen);
        assert_eq!(status(&world)["lastHandledReconcileAt"], "meanwhile");
    });
}
