//! What is written before the call: made twice, half made, claimed by two, named the same.

use std::collections::HashSet;
use std::time::Duration;

use super::*;
use crate::fault::Happening;
use payg_core::account::{AccountId, UpgradeKey};

/// cert-manager, <https://github.com/cert-manager/cert-manager/issues/4956>: the API server was slow, the create of a
/// CertificateRequest was given up and repeated under another name, and both were there: two orders.
///
/// Here: the record's name follows from the account. Whether the answer to the create is lost or the create itself comes
/// late, there is one record and one upgrade.
#[test]
fn cert_manager_4956_the_create_is_slow() {
    let lost = Scenario::of("automatic").then(Fault::DoneSilent, create_record);
    lost.assert_upgraded(1, SOON);
    assert!(
        lost.outcome.trace.iter().filter(|effect| upgrade(effect)).all(|effect| effect.at > lost.struck().unwrap())
    );

    let late = Scenario::of("automatic").then(Fault::Late(15), create_record);
    late.assert_upgraded(1, SETTLED);
}

/// cert-manager, <https://github.com/cert-manager/cert-manager/issues/6837>: while the API server failed, a create was
/// given up that had succeeded; the later one did not fit to it, and nothing went on until people deleted objects.
///
/// Here: the create succeeds, its answer is lost, and so is each read back for half a minute. The reconcile cannot know whether
/// the record is its own, so nobody sends on it; and when its time has passed, there is another attempt by itself.
#[test]
fn cert_manager_6837_nobody_knows_of_the_create() {
    let scenario = Scenario::of("automatic").then(Fault::DoneCut, create_record).during(
        Duration::from_secs(30),
        Fault::Status(500),
        read_record,
    );
    scenario.assert_upgraded(1, SETTLED);
    assert_eq!(scenario.attempts(), ["", "Accepted"], "{scenario}");
    assert_eq!(scenario.count(create_record), 1, "{scenario}");
}

/// cert-manager, <https://github.com/cert-manager/cert-manager/issues/6342>: names of CertificateRequests were cut after
/// 52 characters, so that two Certificates which differ at the end alone had the same one, and one of them got nothing.
///
/// Here: a record's name is a hash over the whole key. Accounts that differ in one digit, or in the cloud alone, have
/// different names and idempotency keys, and all are names that Kubernetes takes.
#[test]
fn cert_manager_6342_names_that_differ_at_the_end_alone() {
    let azure = (0..20_000_u64).map(|last| ("azure", format!("6f1a3c1e-0000-4a00-9000-{last:012x}")));
    let aws = (0..20_000_u64).map(|last| ("aws", format!("{last:012}")));
    let keys: Vec<_> =
        azure.chain(aws).map(|(cloud, id)| AccountId::parse(cloud, &id).unwrap().upgrade_key()).collect();
    let names: HashSet<String> = keys.iter().map(UpgradeKey::record_name).collect();
    let idempotency: HashSet<_> = keys.iter().map(UpgradeKey::idempotency_key).collect();
    assert_eq!((names.len(), idempotency.len()), (keys.len(), keys.len()));
    let is_name =
        |name: &String| name.len() <= 63 && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    assert!(names.iter().all(is_name));
}

/// cert-manager, <https://github.com/cert-manager/cert-manager/issues/5675>: two Certificates named one Secret, and each
/// wrote over the other's without end.
///
/// Here: of two Subscriptions of one account one acts, the other one says that there is a conflict, and once both have said
/// so nothing is written. Also when the process is started anew, or dies in between.
#[test]
fn cert_manager_5675_two_owners_of_one_thing() {
    let alone = Scenario::of("two-claimants");
    let restarted = Scenario::of("two-claimants").then(Fault::CrashAfter, write_status);
    for scenario in [alone, restarted] {
        scenario.assert_end("OfferInPlace", "Confirmed", 1);
        assert_eq!(scenario.outcome.end.other, "AccountConflict", "{scenario}");
        assert_eq!(scenario.outcome.attempts, 1, "{scenario}");
        assert_eq!(scenario.late_writes(), 0, "{scenario}");
    }
}

/// ACK, <https://github.com/aws-controllers-k8s/community/issues/2545>: an object was moved from one shard to another, and
/// the controllers of both went on to work on it.
///
/// Here: two replicas take themselves for the leader, from the begin or from right before the record is created. One of them
/// requests the upgrade, and neither reverts the other's writes.
#[test]
fn ack_2545_two_controllers_work_on_one_object() {
    let from_the_begin = Scenario::of("two-leaders");
    let right_before = Scenario::of("automatic").then(Fault::World(Happening::SecondLeader), create_record);
    for scenario in [from_the_begin, right_before] {
        scenario.assert_upgraded(1, SOON + SOON);
        for replica in [0, 1] {
            let looks = scenario.count(|effect| effect.replica == replica && observation(effect));
            assert!(looks > 0, "replica {replica} was at work: {scenario}");
        }
        assert_eq!(scenario.late_writes(), 0, "{scenario}");
    }
}

/// etcd, by Jepsen, <https://jepsen.io/analyses/etcd-3.4.3>: a lock says who may work and cannot stop one who believes that he
/// still has it; and a client that had waited for a lock did not check whether its lease was still good.
///
/// Here: of two replicas that both take themselves for the leader, the one with the right to send stands still right before
/// it does. The other one does not take over what may still be sent, so that there is one request, late as it is.
#[test]
fn jepsen_etcd_3_4_3_a_lock_is_no_fence() {
    let scenario = Scenario::of("two-leaders").then(Fault::Pause(45), upgrade);
    scenario.assert_upgraded(1, SOON);
    let (paused, began) = (&scenario.outcome.trace[scenario.plan[0].0], scenario.struck().unwrap());
    let meanwhile = |effect: &Effect| {
        effect.replica != paused.replica && effect.at > began && effect.at < began + Duration::from_secs(45)
    };
    assert!(
        scenario.count(|effect| observation(effect) && meanwhile(effect)) > 0,
        "the other one was at work: {scenario}"
    );
    assert!(scenario.late_writes() <= 1, "the other one's own next look, and no more: {scenario}");
}

/// The RabbitMQ operator, <https://github.com/rabbitmq/cluster-operator/issues/782>: it died between two steps of a resize,
/// and after its restart the first step looked like the whole, so that the second one was never done.
///
/// Here: a first request is lost, the next attempt is written into the record, and the process dies before it sends that one.
/// An attempt that is written is not taken for one that was made.
#[test]
fn rabbitmq_782_killed_between_two_steps() {
    let scenario =
        Scenario::of("automatic").then(Fault::Lost, upgrade).past(write_record).then(Fault::CrashAfter, write_record);
    scenario.assert_upgraded(2, SETTLED);
    assert_eq!(scenario.attempts(), ["Unknown", "", "Accepted"], "{scenario}");
}
