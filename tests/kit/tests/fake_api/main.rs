//! Compares the fake API server with a real one: the same random operations go to both, and the answers must be the same
//! except for random values, times, and words that nobody reads.
//!
//! `FAKE_API_SEED` repeats a run.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

mod alone;
mod answers;
mod clients;
mod operations;
mod server;

use std::time::Instant;

use payg_test_kit::{ControlPlane, REPOSITORY, fake_api::FakeApi};

use crate::{
    answers::Masks,
    operations::{Operation, Operations, Watching},
    server::{Fake, Real},
};

/// How many rounds there are, how many operations are in each, and how many watches are compared after it.
const ROUNDS: usize = 5;
const OPERATIONS: usize = 600;
const WATCHES: usize = 24;

/// The kinds, as they are shipped.
pub(crate) fn crds() -> Vec<String> {
    let names = ["billingproviders", "subscriptions", "upgradeapprovals", "upgraderecords"];
    names.map(|name| std::fs::read_to_string(format!("{REPOSITORY}/crds/{name}.payg-operator.io.yaml")).unwrap()).into()
}

/// A fake API server with the kinds.
pub(crate) fn fake_api() -> FakeApi {
    let api = FakeApi::new(|| "2026-11-25T12:00:00Z".parse().unwrap());
    for yaml in crds() {
        api.install_crds(&yaml);
    }
    api
}

#[tokio::test]
async fn a_real_api_server_gives_the_same_answers() {
    let seed = std::env::var("FAKE_API_SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    println!("FAKE_API_SEED={seed}");
    let control_plane = ControlPlane::start().await.unwrap_or_else(|error| panic!("{error}"));
    let (mut fake, mut real) = (Fake::new(fake_api()), Real::new(control_plane.admin_client().unwrap()).await);
    let (mut masks_of_fake, mut masks_of_real) = (Masks::default(), Masks::default());
    let began = Instant::now();
    let mut operations = Operations::new(seed);
    let mut compared = 0;
    for operation in Operations::beginning() {
        compare(&operation, (&mut fake, &mut masks_of_fake), (&mut real, &mut masks_of_real)).await;
    }
    let mut refused = 0;
    let mut events = 0;
    for _ in 0..ROUNDS {
        for _ in 0..OPERATIONS {
            let operation = operations.next_one();
            let code = compare(&operation, (&mut fake, &mut masks_of_fake), (&mut real, &mut masks_of_real)).await;
            refused += usize::from(code >= 400);
            compared += 1;
        }
        let watches: Vec<Watching> = (0..WATCHES).map(|_| operations.watch()).collect();
        let told = futures::future::join_all(watches.iter().map(|watch| real.watch(watch))).await;
        for (watch, told) in watches.iter().zip(told) {
            let expected: Vec<_> = fake.watch(watch).iter().map(|event| masks_of_fake.event(event)).collect();
            let told: Vec<_> = told.iter().map(|event| masks_of_real.event(event)).collect();
            events += told.len();
            let first = expected.iter().zip(&told).find(|(expected, told)| expected != told);
            assert!(
                expected == told,
                "{watch:?}\nthe fake one told {} events and the real one {}; the first that differ: {first:#?}",
                expected.len(),
                told.len(),
            );
        }
        operations.next_round();
    }
    println!(
        "{compared} operations were compared ({refused} of them refused by both), and {events} events of {} watches, in {:?}",
        ROUNDS * WATCHES,
        began.elapsed()
    );
    assert!(refused > compared / 10 && refused < compared * 2 / 3, "{refused} of {compared} were refused");
    assert!(events > ROUNDS * WATCHES, "{events} events say little");
}

/// Has both do the operation; returns the code of the answers, which must be the same.
async fn compare(
    operation: &Operation,
    (fake, masks_of_fake): (&mut Fake, &mut Masks),
    (real, masks_of_real): (&mut Real, &mut Masks),
) -> u16 {
    let (code_of_fake, answer_of_fake) = fake.send(operation);
    let (code_of_real, answer_of_real) = real.send(operation).await;
    let fake = (code_of_fake, masks_of_fake.answer(&answer_of_fake));
    let real = (code_of_real, masks_of_real.answer(&answer_of_real));
    assert!(
        fake == real,
        "{operation:#?}\nthe fake one says {}: {:#}\nthe real one says {}: {:#}\nunmasked: {}",
        fake.0,
        fake.1,
        real.0,
        real.1,
        String::from_utf8_lossy(&answer_of_real),
    );
    code_of_real
}
