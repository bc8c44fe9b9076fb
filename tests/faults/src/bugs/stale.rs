//! What is read is old: an API server that lags behind, a cache, a watch that missed something. Most of these were found by
//! Sieve, <https://github.com/sieve-project/sieve/blob/main/docs/bugs.md>.

use std::time::Duration;

use super::*;
use crate::fault::Happening;
use crate::workload::{NAME, TEAM};

/// For longer than until the next observation that the Subscription's status plans.
const PAST_THE_NEXT_OBSERVATION: Duration = Duration::from_secs(70);

impl Scenario {
    /// The process that starts next is connected to an API server that has seen nothing since the run began.
    fn starts_in_the_past(self) -> Self {
        self.then(Fault::Old, watch_subscriptions).then(Fault::Old, watch_approvals).then(Fault::Old, watch_records)
    }

    /// What was shown to it in the past has led to a reconcile, before it could see better.
    fn assert_misled(&self) {
        let begin = self.plan.iter().rev().find(|(_, fault)| *fault == Fault::Old).unwrap().0;
        let end = self.plan.last().unwrap().0;
        assert!(self.outcome.trace[begin..end].iter().any(read_subscription), "{self}");
    }
}

/// ACK, <https://github.com/aws-controllers-k8s/community/issues/894>, found to be a read from a cache that did not know yet
/// what had just been written (<https://github.com/aws-controllers-k8s/runtime/pull/49>): one API became two.
///
/// Here: the answer to the request is lost, and the next reconcile is shown neither the record nor what the request did. All it
/// can do is to create the record, and the name is taken.
#[test]
fn ack_894_a_pass_does_not_see_what_the_last_one_wrote() {
    let scenario = Scenario::of("automatic").then(Fault::DoneSilent, upgrade).then(Fault::Old, read_record).during(
        Duration::from_secs(1),
        Fault::Stale,
        observation,
    );
    assert_eq!(scenario.count(create_record), 2, "the second pass was misled: {scenario}");
    scenario.assert_upgraded(1, SETTLED);
    assert_eq!(scenario.attempts(), ["Unknown"], "{scenario}");
}

/// KubeRay, <https://github.com/ray-project/kuberay/issues/715>: a reconcile counted pods in a cache that had not seen those of
/// the reconcile before, and created them again.
///
/// Here: the reconcile after a write is shown the Subscription as it was before that. What it writes is refused, as it is about
/// another version, and nothing is done twice.
#[test]
fn kuberay_715_a_pass_works_on_what_was_before_the_last_write() {
    let scenario = Scenario::of("automatic")
        .past(write_status)
        .then(Fault::Old, read_subscription)
        .then(Fault::Old, read_subscription);
    assert!(scenario.count(write_status) > Scenario::of("automatic").count(write_status), "{scenario}");
    scenario.assert_upgraded(1, SOON);
    let said = scenario.outcome.api.history("Subscription", TEAM, NAME);
    let verdicts: Vec<String> = said.iter().filter_map(|(_, object)| ready(object.as_ref()?)).collect();
    let after = verdicts.iter().skip_while(|verdict| *verdict != "OfferInPlace");
    assert!(after.into_iter().all(|verdict| verdict == "OfferInPlace"), "{verdicts:?}");
}

/// ECK, <https://github.com/elastic/cloud-on-k8s/issues/4956>: after a restart, the first lists may come from an API server
/// that lags behind, so that a cache goes back in time.
///
/// Here: the process dies after the request, and the next one reads that there is no record. It requests nothing.
#[test]
fn eck_4956_a_restart_goes_back_in_time() {
    let scenario = Scenario::of("automatic").then(Fault::CrashAfter, upgrade).starts_in_the_past().during(
        Duration::from_secs(30),
        Fault::Lost,
        watch_records,
    );
    scenario.assert_misled();
    scenario.assert_upgraded(1, SOON);
}

/// ECK, <https://github.com/elastic/cloud-on-k8s/issues/5274>: a cluster had been scaled down and up again; the operator was
/// restarted, saw the spec of the time in between, and removed a node.
///
/// Here: `when` was set to `Never`, and the process that starts is shown the spec from before. The account stays as it is.
#[test]
fn eck_5274_a_spec_from_before_it_was_changed() {
    let scenario = Scenario::of("automatic")
        .then(Fault::World(Happening::Never), watch_approvals)
        .then(Fault::CrashAfter, write_status)
        .starts_in_the_past()
        .during(PAST_THE_NEXT_OBSERVATION, Fault::Lost, watch_subscriptions);
    scenario.assert_end("Observing", "none", 0);
    assert_eq!(scenario.outcome.attempts, 0, "{scenario}");
    scenario.assert_misled();
}

/// CassKop, <https://github.com/Orange-OpenSource/casskop/issues/321>: a user had allowed more disruption; the operator was
/// restarted, saw the older, stricter spec, and put it into force again.
///
/// Here it is the other way round, and worse: a person has denied the upgrade, and the process that starts does not see
/// that. It asks before it acts.
#[test]
fn casskop_321_a_decision_that_is_not_seen_after_a_restart() {
    let scenario = Scenario::of("automatic")
        .then(Fault::World(Happening::Denied), watch_approvals)
        .then(Fault::CrashAfter, write_status)
        .starts_in_the_past()
        .during(PAST_THE_NEXT_OBSERVATION, Fault::Lost, watch_approvals);
    scenario.assert_misled();
    scenario.assert_end("UpgradeDenied", "none", 0);
    assert_eq!(scenario.outcome.attempts, 0, "{scenario}");
}

/// Instaclustr's Cassandra operator, <https://github.com/instaclustr/cassandra-operator/issues/402>: a data centre was
/// deleted and created again under its name; after a restart the operator saw the end of the first one once more, and
/// deleted the second one's volumes.
///
/// Here: the Subscription is created again, and the process that starts is shown the first one. What is done is done for
/// the second one, by its own two observations, and the record says so.
#[test]
fn instaclustr_402_another_object_of_the_same_name() {
    let scenario = Scenario::of("automatic")
        .then(Fault::World(Happening::Recreated), watch_approvals)
        .then(Fault::CrashAfter, write_status)
        .starts_in_the_past()
        .during(Duration::from_secs(20), Fault::Lost, watch_subscriptions);
    scenario.assert_upgraded(1, SOON + SOON);
    let record = scenario.outcome.api.list("UpgradeRecord").remove(0);
    let first = scenario.outcome.api.history("Subscription", TEAM, NAME)[0].1.clone().unwrap();
    let second = subscription(&scenario.outcome.api).unwrap();
    assert_ne!(first["metadata"]["uid"], second["metadata"]["uid"]);
    assert_eq!(record["spec"]["requester"]["uid"], second["metadata"]["uid"], "{scenario}");
}

/// Instaclustr's Cassandra operator, <https://github.com/instaclustr/cassandra-operator/issues/404>: what belonged to a
/// data centre that had been deleted was made again, as the operator saw it still there after a restart.
///
/// Here: the Subscription is gone, and the process that starts still sees it. It has an observation, and does nothing.
#[test]
fn instaclustr_404_an_object_that_is_gone() {
    let scenario = Scenario::of("automatic")
        .then(Fault::World(Happening::Deleted), watch_approvals)
        .then(Fault::CrashAfter, read_record)
        .starts_in_the_past()
        .during(PAST_THE_NEXT_OBSERVATION, Fault::Lost, watch_subscriptions);
    scenario.assert_misled();
    scenario.assert_end("gone", "none", 0);
    assert_eq!(scenario.outcome.attempts, 0);
    assert_eq!(scenario.count(|effect| effect.side == Side::ApiWrite), 0, "{scenario}");
}

/// Instaclustr's Cassandra operator, <https://github.com/instaclustr/cassandra-operator/issues/398>: a pod was marked as
/// being deleted and gone before the operator looked, so it never saw the mark, and the volume stayed for ever.
///
/// Here: the Subscription is deleted in the moment in which the upgrade is asked for, and the process dies before it can see
/// that or note anything. The next one never knew of a Subscription. The record is work of its own, and is closed.
#[test]
fn instaclustr_398_a_deletion_that_nobody_saw() {
    let scenario = Scenario::of("automatic")
        .then(Fault::World(Happening::Deleted), upgrade)
        .then(Fault::CrashBefore, write_record);
    scenario.assert_end("gone", "Confirmed", 1);
    assert_eq!(scenario.outcome.attempts, 1);
    scenario.assert_within(SOON);
}

/// The RabbitMQ operator, <https://github.com/rabbitmq/cluster-operator/issues/653>: a size that can only grow was compared
/// with an old one after a restart, and what was larger by then was taken down to be made smaller.
///
/// Here: a person has said Retry to an upgrade that was given up, the answer to the new attempt is lost, and the next reconcile is
/// shown the record as it was before that, and the account too. It would make the same attempt once more; the record has
/// gone on, so that is refused. No version of the record has fewer attempts than the one before.
#[test]
fn rabbitmq_653_what_only_grows_is_not_taken_back() {
    let lost = Scenario::of("retry").then(Fault::DoneSilent, upgrade);
    let writes = lost.count(write_record);
    let scenario = lost.then(Fault::Old, read_record).during(Duration::from_secs(1), Fault::Stale, observation);
    assert!(scenario.count(write_record) > writes, "the pass was misled: {scenario}");
    scenario.assert_upgraded(1, SETTLED);
    assert_eq!(scenario.attempts(), ["Unknown"; 4], "{scenario}");
    let record = scenario.outcome.api.list("UpgradeRecord").remove(0);
    let versions = scenario.outcome.api.history("UpgradeRecord", "", record["metadata"]["name"].as_str().unwrap());
    let count = |object: &Option<Value>| object.as_ref()?["status"]["attempts"].as_array().map(Vec::len);
    let counts: Vec<usize> = versions.iter().map(|(_, object)| count(object).unwrap_or_default()).collect();
    assert!(counts.is_sorted(), "{counts:?}");
}

/// Kubernetes, <https://github.com/kubernetes/kubernetes/issues/59848>: when a watch broke off, the list after it could come
/// from an API server that lagged behind, and a running client went back in time
/// (<https://github.com/kubernetes/kubernetes/pull/67998>).
///
/// Here: right after the request both watches that matter expire, and the lists after it show a Subscription that waits, and
/// no record. Nothing is asked for again, and when the watches have caught up nothing is written.
#[test]
fn kubernetes_59848_a_list_after_a_broken_watch_goes_back_in_time() {
    let scenario = Scenario::of("automatic")
        .past(upgrade)
        .then(Fault::Status(410), watch_subscriptions)
        .then(Fault::Status(410), watch_records)
        .then(Fault::Old, watch_subscriptions)
        .then(Fault::Old, watch_records);
    scenario.assert_upgraded(1, SOON);
    assert_eq!(scenario.late_writes(), 0, "{scenario}");
}

/// The reason of the condition Ready.
fn ready(subscription: &Value) -> Option<String> {
    let conditions = subscription["status"]["conditions"].as_array()?;
    let ready = conditions.iter().find(|condition| condition["type"] == "Ready")?;
    ready["reason"].as_str().map(str::to_owned)
}
