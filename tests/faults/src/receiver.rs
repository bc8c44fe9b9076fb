//! The receiver of notices, and what becomes of each.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use payg_notify::{Config, Notice, Outcome, Receiver, SendError};
use payg_operator::operator::Notices;
use serde_json::Value;
use tokio::sync::mpsc::UnboundedReceiver;

use super::effect::Side;
use super::fault::Fault;
use super::run::CLOCK;
use super::workload::{NAME, TEAM};
use super::world::{Life, World};

/// Its stand-in decides what becomes of a notice, so nothing listens there.
const FILE: &str = "{receivers: [{name: one, cloudEvents: {url: http://receiver.example, source: /campaign}}], \
                    routes: [{receivers: [one]}]}";

/// The notices of `life`.
pub(super) fn notices(world: &Arc<World>, life: Life) -> (Notices, UnboundedReceiver<Outcome>) {
    let world = Arc::clone(world);
    let stand_in = move |_: &_| Box::new(StandIn { world: Arc::clone(&world), life }) as Box<dyn Receiver>;
    Notices::start_with(Config::parse(FILE).unwrap(), CLOCK, Some(Box::new(stand_in)))
}

struct StandIn {
    world: Arc<World>,
    life: Life,
}

#[async_trait]
impl Receiver for StandIn {
    async fn send(&self, notice: &Notice) -> Result<(), SendError> {
        let (world, life) = (&self.world, self.life);
        let (_, id) = notice.id.split_once('/').unwrap();
        let ended = if notice.ends.is_some() { "/ended" } else { "" };
        let fault = world.meet(life, Side::Notice, format!("NOTICE {id}{ended}")).await;
        let arrives = || world.state().witness.notified(format!("{}{ended}", notice.id));
        let broken = Err(SendError::Temporary { detail: "connection reset".to_owned(), after: None });
        let answer = match fault {
            Some(Fault::Unsent | Fault::Status(_)) => broken,
            Some(Fault::Lost) => pending().await,
            Some(Fault::CrashAfter) => {
                arrives();
                world.crash(life);
                pending().await
            }
            Some(Fault::DoneSilent) => {
                arrives();
                pending().await
            }
            Some(Fault::DoneCut) => {
                arrives();
                broken
            }
            _ => {
                arrives();
                Ok(())
            }
        };
        world.check_alive(life).await;
        answer
    }
}

/// What the status of the first Subscription remembers: its uid, the ids of what is due, and when the receiver accepted what.
fn remembered(world: &World) -> Option<(String, Vec<String>, BTreeMap<String, Timestamp>)> {
    let subscription = world.api.get("Subscription", TEAM, NAME)?;
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let notices = &subscription["status"]["notices"];
    let due = list(&notices["due"]).iter().map(text).collect();
    let accepted = |one: &Value| Some((text(&one["id"]), one["acceptTime"].as_str()?.parse().unwrap()));
    let accepted = list(&notices["deliveries"]).iter().filter_map(accepted).collect();
    Some((text(&subscription["metadata"]["uid"]), due, accepted))
}

/// Whether the receiver has accepted all that is due.
pub(super) fn is_done(world: &World) -> bool {
    let Some((_, due, accepted)) = remembered(world) else { return true };
    due.iter().all(|due| accepted.keys().any(|id| id.starts_with(due.as_str())))
}

/// What is wrong with what the receiver got, after so many faults: never nothing, and no more than one repetition for each.
pub(super) fn judge(world: &World, arrived: &BTreeMap<String, usize>, faults: usize) -> Vec<String> {
    let Some((uid, due, accepted)) = remembered(world) else { return Vec::new() };
    // Before the run, nobody counted.
    let is_older = |due: &String| accepted.iter().any(|(id, time)| id.starts_with(due) && *time < world.began_at);
    let is_there = |due: &String| arrived.keys().any(|id| id.starts_with(&format!("{uid}/{due}")));
    let missing = due.iter().filter(|due| !is_there(due) && !is_older(due));
    let often = arrived.values().filter(|count| **count > 1 + faults);
    let missing = missing.map(|due| format!("{due} never arrived"));
    missing.chain(often.map(|count| format!("a notice arrived {count} times"))).collect()
}
