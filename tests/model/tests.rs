//! What is explored.

use std::collections::BTreeSet;
use std::time::Instant;

use stateright::{Checker, Expectation, HasDiscoveries, Model, Path};

use crate::actions::{Action, Protocol};
use crate::knockouts;
use crate::state::State;
use crate::worlds::{self, World};

/// Explores all of it, and says how much that was.
fn exhaust(world: &World) -> usize {
    let begun = Instant::now();
    let are_alike = world.model.clock.ahead == 0;
    let mut checker = world.model.clone().checker().threads(2);
    if are_alike {
        checker = checker.symmetry_fn(alike);
    }
    let checker = checker.spawn_dfs().join();
    println!(
        "{}: {} states, {} steps, depth {}, {:.0?}",
        world.name,
        checker.unique_state_count(),
        checker.state_count(),
        checker.max_depth(),
        begun.elapsed()
    );
    let found = checker.discoveries();
    for property in checker.model().properties() {
        let name = property.name;
        match (property.expectation, found.get(name)) {
            (Expectation::Always, Some(path)) => {
                tell(path);
                panic!("it does not hold that {name}");
            }
            (Expectation::Sometimes, None) => {
                assert!(!world.shows.contains(&name), "in `{}` nothing is ever {name}", world.name);
            }
            _ => {}
        }
    }
    checker.unique_state_count()
}

/// The state that stands for those in which the replicas are exchanged.
fn alike(state: &State) -> State {
    let mut state = *state;
    state.replicas.sort_unstable();
    state
}

/// The steps of a path, for people.
fn tell(path: &Path<State, Action>) {
    for (number, action) in path.clone().into_actions().into_iter().enumerate() {
        println!("  {:>2}. {action:?}", number + 1);
    }
    println!("  and then {:?}", path.last_state().record);
}

#[test]
fn nothing_is_broken_in_small_worlds() {
    let states: usize = worlds::small().iter().map(exhaust).sum();
    println!("in all: {states} states");
    assert!(states >= 1_000_000, "only {states} states were explored");
}

#[test]
#[ignore = "takes long: `make model` runs it"]
fn nothing_is_broken_in_large_worlds() {
    let states: usize = worlds::large().iter().map(exhaust).sum();
    println!("in all: {states} states");
}

/// The shortest counterexample to `property`.
fn counterexample(model: &Protocol, property: &'static str) -> Option<Path<State, Action>> {
    let mut found: Option<Path<State, Action>> = None;
    loop {
        let only = HasDiscoveries::AllOf(BTreeSet::from([property]));
        let mut checker = model.clone().checker().finish_when(only);
        if let Some(longer) = &found {
            // The checker goes on for a while after it has found one, and keeps the last.
            checker = checker.target_max_depth(longer.clone().into_states().len());
        }
        match checker.spawn_bfs().join().discovery(property) {
            Some(shorter) => found = Some(shorter),
            None => return found,
        }
    }
}

#[test]
fn each_part_is_needed() {
    for (model, property) in knockouts::all() {
        let begun = Instant::now();
        let without = model.without.unwrap();
        let path = counterexample(&model, property)
            .unwrap_or_else(|| panic!("without {without:?} it still holds that {property}"));
        let (steps, took) = (path.clone().into_actions().len(), begun.elapsed());
        println!("without {without:?} it does not hold that {property}; {steps} steps, {took:.1?}:");
        tell(&path);
    }
}
