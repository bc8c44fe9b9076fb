//! A request goes out, and its outcome is lost, late, or reported wrongly.

use std::time::Duration;

use super::*;
use crate::fault::Happening;

/// ACK, <https://github.com/aws-controllers-k8s/community/issues/2062>: a controller that was killed between the call that
/// created a VPC and the note of its id in the status created another one after its restart.
///
/// Here: the record is older than the call, so the next process only looks, and sees what the request did.
#[test]
fn ack_2062_killed_between_the_call_and_the_note_of_it() {
    let scenario = Scenario::of("automatic").then(Fault::CrashAfter, upgrade);
    scenario.assert_upgraded(1, SOON);
    assert_eq!(scenario.attempts(), [""], "nobody was left to note how it ended: {scenario}");
}

/// ACK, <https://github.com/aws-controllers-k8s/community/issues/2267>: somebody else wrote the object at the same moment,
/// the note of the new id was refused as a conflict and never made up for, and the resource was created again.
///
/// Here: the note is made again on what is there by then. If it never succeeds, the account itself shows the outcome.
#[test]
fn ack_2267_the_note_of_the_outcome_is_refused() {
    for (refusals, noted) in [(1, "Accepted"), (2, "Accepted"), (3, "")] {
        let mut scenario = Scenario::of("automatic").past(upgrade);
        for _ in 0..refusals {
            scenario = scenario.then(Fault::Status(409), write_record);
        }
        scenario.assert_upgraded(1, SOON);
        assert_eq!(scenario.attempts(), [noted], "after {refusals} refusals: {scenario}");
    }
}

/// Crossplane, <https://github.com/crossplane/crossplane/issues/3037>: a provider that stopped between its mark "about to
/// create" and the call left the mark, and nothing went on until a person removed it.
///
/// Here: the record is such a mark. When its request cannot be under way any more and the account shows nothing, there is
/// another attempt, without a person.
#[test]
fn crossplane_3037_killed_between_the_mark_and_the_call() {
    let scenario = Scenario::of("automatic").then(Fault::CrashBefore, upgrade);
    // The witness counts what leaves a process that lives.
    scenario.assert_upgraded(1, SETTLED);
    assert_eq!(scenario.attempts(), ["", "Accepted"], "{scenario}");
    assert!(scenario.outcome.took > Duration::from_mins(1), "it waited until nothing could be under way: {scenario}");
    assert_eq!(scenario.outcome.api.list("UpgradeApproval").len(), 0, "nobody had to say anything");
}

/// crossplane-runtime, <https://github.com/crossplane/crossplane-runtime/issues/277>: what was created could not be noted,
/// because the update failed; the next reconcile found no name, and created another one.
///
/// Here: the API server takes no note for a minute, and there is no second request.
#[test]
fn crossplane_runtime_277_nothing_can_be_noted_after_the_call() {
    let minute = Duration::from_mins(1);
    let scenario =
        Scenario::of("automatic").then(Fault::DoneCut, upgrade).during(minute, Fault::Status(500), write_record);
    scenario.assert_upgraded(1, SETTLED);
}

/// crossplane-runtime, <https://github.com/crossplane/crossplane-runtime/pull/283>: an API of a cloud that is eventually
/// consistent said "not found" for a while after the create, so there was a second create.
///
/// Here: the answer is lost and the account looks as before for a minute and a half. Nothing is asked for again, as the first
/// request may still be under way for longer than that.
#[test]
fn crossplane_runtime_283_the_cloud_does_not_show_it_yet() {
    let a_while = Duration::from_secs(90);
    let scenario =
        Scenario::of("automatic").then(Fault::DoneSilent, upgrade).during(a_while, Fault::Stale, observation);
    scenario.assert_upgraded(1, SETTLED);
    assert_eq!(scenario.attempts(), ["Unknown"], "{scenario}");
}

/// upjet, <https://github.com/crossplane/upjet/issues/561>: what was known of an asynchronous create was on the pod's disk; a
/// restart lost it, and there was a second create.
///
/// Here: where the operation can be asked is in the record. The process dies with the note of it, the account does not show
/// the upgrade yet, and the next process asks the operation instead of for another upgrade. As it says yes, nobody hurries.
#[test]
fn upjet_561_restarted_during_an_operation() {
    fn ask(effect: &Effect) -> bool {
        is(effect, Side::CloudRead, "GET", "Broker")
    }
    let a_while = Duration::from_mins(1);
    let scenario = Scenario::of("automatic").past(upgrade).then(Fault::CrashAfter, write_record);
    let asked = scenario.count(ask);
    let scenario = scenario.during(a_while, Fault::Stale, observation);
    scenario.assert_upgraded(1, Duration::from_mins(6));
    assert!(scenario.count(ask) > asked, "the operation was asked: {scenario}");
}

/// upjet, <https://github.com/crossplane/upjet/issues/561>, the other half: a restored backup brought the object back
/// without what had been noted, and there was a second create.
///
/// Here: the status is lost while the outcome of the request is unknown and the account shows nothing. The record does not
/// depend on it.
#[test]
fn upjet_561_restored_without_the_status() {
    let a_while = Duration::from_secs(30);
    let scenario = Scenario::of("automatic")
        .then(Fault::DoneSilent, upgrade)
        .then(Fault::World(Happening::StatusWiped), write_record)
        .during(a_while, Fault::Stale, observation);
    scenario.assert_upgraded(1, SETTLED);
}

/// upjet, <https://github.com/crossplane/upjet/issues/722>: one wrong "not found" for a resource that was long there
/// started a second create.
///
/// Here: the upgrade is confirmed, then the account looks like a trial once more to a Subscription that is new. That is a
/// contradiction to show and not one to act on, and it goes away with the next true answer.
#[test]
fn upjet_722_what_is_confirmed_looks_undone() {
    let scenario = Scenario::of("automatic")
        .past(upgrade)
        .past(write_record)
        .past(write_record)
        .then(Fault::World(Happening::Recreated), write_status)
        .during(Duration::from_secs(30), Fault::Stale, observation);
    scenario.assert_upgraded(1, Duration::from_hours(1) + SOON);
    let said = scenario.outcome.api.history("Subscription", workload::TEAM, workload::NAME);
    let contradicted = |object: &Value| object.to_string().contains("\"UpgradeContradicted\"");
    assert!(said.iter().any(|(_, object)| object.as_ref().is_some_and(contradicted)), "{scenario}");
}

/// cass-operator, <https://github.com/k8ssandra/cass-operator/issues/973>: errors of a read were ignored, so that "cannot
/// be read" became "is not there", and a node's data were deleted too early.
///
/// Here: the answer to the request is lost, and the account cannot be read for longer than a request may be under way. "Not
/// read" is not "not upgraded": nothing is asked for again.
#[test]
fn cass_operator_973_a_failed_read_says_nothing() {
    let long = Duration::from_mins(5);
    let scenario =
        Scenario::of("automatic").then(Fault::DoneSilent, upgrade).during(long, Fault::Status(503), observation);
    scenario.assert_upgraded(1, Duration::from_mins(10));
}

/// cert-manager, <https://github.com/cert-manager/cert-manager/issues/8380>: an issuer answered with certificates that did
/// not fit, and for each of them the next request followed at once: millions of objects, and the end of the control plane.
///
/// Here: a broker that answers only errors is asked three times, minutes apart, all in one record. Then a person decides, and
/// nothing is written any more.
#[test]
fn cert_manager_8380_answers_that_are_never_right() {
    let mut scenario = Scenario::of("automatic");
    while scenario.next(upgrade).is_some() {
        scenario = scenario.then(Fault::Status(500), upgrade);
    }
    scenario.assert_end("UpgradeUnresolved", "Unresolved", 0);
    assert_eq!(scenario.attempts(), ["Unknown", "Unknown", "Unknown"]);
    let times: Vec<_> = scenario.plan.iter().map(|(number, _)| scenario.outcome.trace[*number].at).collect();
    assert!(times.windows(2).all(|two| two[1].saturating_sub(two[0]) > Duration::from_secs(90)), "{times:?}");
    assert_eq!(scenario.late_writes(), 0, "{scenario}");
}

/// Crossplane, <https://github.com/crossplane/crossplane/issues/6878>: an object was deleted while its cloud could not be
/// reached; it was gone from the cluster, and what it stood for stayed in the cloud, unknown to anybody.
///
/// Here: the Subscription is deleted while nobody knows what came of the request and the cloud cannot be reached. The record
/// stays, and is closed with the truth once that can be read.
#[test]
fn crossplane_6878_deleted_while_the_cloud_cannot_be_reached() {
    fn any_read(effect: &Effect) -> bool {
        effect.side == Side::CloudRead
    }
    let scenario = Scenario::of("automatic")
        .then(Fault::DoneSilent, upgrade)
        .then(Fault::World(Happening::Deleted), write_record)
        .during(Duration::from_mins(3), Fault::Unsent, any_read);
    scenario.assert_end("gone", "Confirmed", 1);
    assert_eq!(scenario.outcome.attempts, 1);
    scenario.assert_within(Duration::from_mins(6));
}
