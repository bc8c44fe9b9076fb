//! The whole operator under every fault at every effect, in virtual time.
#![cfg(test)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "these are tests")]

mod api;
mod asked;
mod bugs;
mod campaign;
mod cloud;
mod effect;
mod fault;
mod proofs;
mod receiver;
mod run;
mod witness;
mod workload;
mod world;

use std::time::{Duration, Instant};

use self::campaign::{Campaign, Tally, on_all};
use self::fault::Fault;
use self::workload::Workload;
use self::world::Plan;

/// The workloads that `WORKLOAD` names, or all.
fn chosen() -> impl Iterator<Item = Workload> {
    let only = std::env::var("WORKLOAD").ok();
    workload::ALL.into_iter().filter(move |workload| only.as_deref().is_none_or(|only| only == workload.name))
}

/// A number from the environment.
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

/// A share of all singles and of the pairs that follow from them, the same every time.
#[test]
fn a_share_of_all_singles_and_pairs() {
    for workload in workload::ALL {
        let (campaign, tally) = (Campaign::new(workload), Tally::default());
        let singles: Vec<_> = campaign.singles().into_iter().step_by(23).collect();
        on_all(&singles, |plan| {
            let pairs = campaign.try_out(plan, &tally);
            for pair in pairs.iter().skip(plan[0].0).step_by(499) {
                campaign.try_out(pair, &tally);
            }
        });
        println!("{}: {}", campaign.name(), tally);
        tally.check();
    }
}

/// The same plan must come to the same end by the same effects, or nothing that is found could be found again.
#[test]
fn a_run_can_be_repeated() {
    let campaign = Campaign::new(workload::ALL[1]);
    for plan in campaign.singles().into_iter().step_by(97) {
        let (one, other) = (campaign.run(&plan), campaign.run(&plan));
        assert_eq!((one.trace, one.end), (other.trace, other.end), "{plan:?}");
    }
}

/// Everything: each fault alone, each ordered pair, and random plans of more. `WORKLOAD`, `SHARE`, `SEED` and `RANDOM` in the
/// environment choose less or other ones.
#[test]
#[ignore = "takes hours: make faults"]
fn all() {
    let (share, seed) = (number("SHARE").unwrap_or(1), number("SEED").unwrap_or(1));
    let random = number("RANDOM").unwrap_or(10_000);
    println!("seed {seed}; one pair of {share}; {random} random plans per workload");
    let everything = Tally::default();
    for workload in chosen() {
        let (campaign, began) = (Campaign::new(workload), Instant::now());
        let singles = campaign.singles();
        let pairs = std::sync::Mutex::new(Vec::new());
        on_all(&singles, |plan| {
            let following = campaign.try_out(plan, &everything);
            let mine =
                following.into_iter().enumerate().filter(|(number, _)| (*number as u64 + seed).is_multiple_of(share));
            pairs.lock().unwrap().extend(mine.map(|(_, pair)| pair));
        });
        let pairs = pairs.into_inner().unwrap();
        on_all(&pairs, |plan| {
            campaign.try_out(plan, &everything);
        });
        let seeds: Vec<u64> = (0..random).map(|number| seed * 1_000_000 + number).collect();
        on_all(&seeds, |seed| {
            campaign.try_at_random(*seed, &everything);
        });
        println!(
            "{:<16} {:>3} effects {:>6} singles {:>8} pairs {:>6} random   {:?}",
            campaign.name(),
            campaign.points().len(),
            singles.len(),
            pairs.len(),
            seeds.len(),
            Duration::from_secs(began.elapsed().as_secs())
        );
    }
    println!("{everything}");
    everything.check();
}

/// One run in full, to look at what was found: `WORKLOAD=automatic PLAN='23=Status(400)'`.
#[test]
#[ignore = "prints one run"]
fn one() {
    let of = |text: &str| {
        let (number, fault) = text.split_once('=').unwrap();
        let fault = Fault::all().find(|one| one.to_string() == fault).unwrap();
        (number.parse().unwrap(), fault)
    };
    let plan: Plan = std::env::var("PLAN").unwrap_or_default().split_whitespace().map(of).collect();
    let outcome = Campaign::new(chosen().next().unwrap()).run(&plan);
    for (number, effect) in outcome.trace.iter().enumerate() {
        println!("{number:4} {effect}");
    }
    println!("{} after {:?}; {:?}", outcome.end, outcome.took, outcome.violations);
}
