//! Two operator processes that are killed again and again, on a real API server that is restarted, with a simulator that
//! fails: each account is upgraded once, or left alone, or its state is reported to a person. See `docs/develop/chaos.md`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "these are tests")]

mod account;
mod campaign;
mod cluster;
mod faults;
mod replicas;
mod report;
mod requests;
mod seen;
mod verdict;
mod workload;

use std::env;
use std::sync::Arc;

use tokio::task::LocalSet;
use workload::World;

/// How many kills CI makes: as many as take no longer than the other tests beside them. The nightly run makes ten times as many.
const KILLS: usize = 200;
/// How many of a hundred kills must fall between an intent and its outcome: others prove little.
const FLOOR: usize = 15;

/// What is said in the environment, if anything is.
fn given<T: std::str::FromStr>(name: &str) -> Option<T> {
    let value = env::var(name).ok().filter(|value| !value.is_empty())?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name}={value} is no number")))
}

#[tokio::test(flavor = "multi_thread")]
async fn campaign() {
    let kills = given("KILLS").unwrap_or(KILLS);
    let seed = given("SEED").unwrap_or_else(|| fastrand::u64(0..1_000_000));
    eprintln!("{kills} kills, SEED={seed}");
    let world = Arc::new(World::start().await);
    let (report, details) = LocalSet::new().run_until(campaign::run(&world, kills, seed)).await;
    for text in details.values() {
        eprintln!("{text}");
    }
    eprintln!("{report}");
    assert!(report.done.crashes.is_empty(), "{:#?}", report.done.crashes);
    let wrong: Vec<_> = report.violations().into_iter().map(|(history, wrong)| (&history.account, wrong)).collect();
    assert!(wrong.is_empty(), "SEED={seed}: {wrong:?}");
    let share = report.window_kills() * 100 / kills;
    assert!(share >= FLOOR, "only {share} % of the kills fell between an intent and its outcome");
}
