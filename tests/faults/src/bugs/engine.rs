//! What is beneath an operator: queue, workers, the end of the process.

use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::run::{end, enter, in_virtual_time, start_until};
use crate::workload::{NAME, TEAM};

/// ACK, <https://github.com/aws-controllers-k8s/community/issues/2497>: told to stop while a create was under way, the
/// controller cancelled what it needed to write the status. The role was there, and nobody knew its name.
///
/// Here: the process is told to stop while the answer to the request is outstanding. The reconcile goes on to its end, what came
/// of the request is written, and only then the process ends.
#[test]
fn ack_2497_told_to_stop_while_the_call_is_under_way() {
    let scenario = Scenario::of("automatic").then(Fault::DoneSilent, upgrade);
    in_virtual_time(scenario.snapshot.at, async {
        let (world, _signals) = enter(scenario.snapshot, &scenario.plan);
        let stop = CancellationToken::new();
        let replica = start_until(&world, 0, stop.clone());
        while !world.state().trace.iter().any(upgrade) {
            sleep(Duration::from_millis(50)).await;
        }
        sleep(Duration::from_secs(5)).await;
        assert_eq!(attempts(&world.api), Vec::<String>::new(), "it is still under way");
        let told = Instant::now();
        stop.cancel();
        replica.await.unwrap();
        assert!((10..30).contains(&told.elapsed().as_secs()), "it ended {:?} after it was told to", told.elapsed());
        assert_eq!(attempts(&world.api), ["Unknown"]);

        let next = start_until(&world, 0, CancellationToken::new());
        sleep(SOON).await;
        next.abort();
        let end = end(&world).await;
        assert_eq!((end.record.as_str(), end.verdict.as_str(), end.all), ("Confirmed", "OfferInPlace", 1));
        assert_eq!(world.state().witness.attempts.len(), 1);
        assert_eq!(world.state().witness.violations, Vec::<String>::new());
    });
}

/// kube-rs, <https://github.com/kube-rs/kube/issues/1322>: with a bound on how many reconciles run at once, changes that came
/// while all were busy were forgotten now and then.
///
/// Here: many Subscriptions change, again and again, while every worker hangs at an API server that does not answer. In the
/// end each was observed as it is.
#[test]
fn kube_rs_1322_changes_while_all_workers_are_busy() {
    const FLEET: u32 = 40;
    const HANGING: std::ops::Range<usize> = 20..60;
    let snapshot = prepared("fresh");
    let plan: Plan = HANGING.map(|number| (number, Fault::Lost)).collect();
    in_virtual_time(snapshot.at, async {
        let (world, _signals) = enter(snapshot, &plan);
        world.api.delete("Subscription", TEAM, NAME).unwrap();
        let name = |number: u32| format!("sandbox-{number}");
        let declare = |number: u32, when: &str| {
            let mut object = snapshot.workload.subscription(TEAM);
            object["metadata"]["name"] = name(number).into();
            object["spec"]["account"]["azure"]["subscriptionId"] =
                format!("6f1a3c1e-0000-4a00-9000-{number:012x}").into();
            object["spec"]["upgrade"] = json!({"when": when, "approval": "Automatic"});
            object["spec"]["suspend"] = true.into();
            world.api.apply(&object).unwrap();
        };
        (0..FLEET).for_each(|number| declare(number, "BenefitsExhausted"));
        let replica = start_until(&world, 0, CancellationToken::new());
        for round in 0..6 {
            sleep(Duration::from_secs(3)).await;
            let when = if round % 2 == 0 { "Never" } else { "Immediately" };
            (0..FLEET).filter(|number| number % 3 == round % 3).for_each(|number| declare(number, when));
        }
        let busy = world.state().trace.len();
        assert!(busy > HANGING.start, "the workers hang: {busy}");
        sleep(Duration::from_mins(2)).await;
        replica.abort();
        assert!(world.state().trace.len() > HANGING.end, "all faults were met");
        for number in 0..FLEET {
            let object = world.api.get("Subscription", TEAM, &name(number)).unwrap();
            assert_eq!(object["metadata"]["generation"], 3, "it was changed twice");
            assert_eq!(object["status"]["observedGeneration"], 3, "{object}");
        }
    });
}
