//! Attacks: what real users, and whoever answers the operator, could try to bring an upgrade about that nobody entitled asked
//! for, to stop the operator, or to make one tenant wait for another. Each test names its class and a published source, and is
//! judged by what the simulator really applied, or by a figure. `docs/threat-model.md` lists them.

mod claims;
mod connections;
mod deletion;
mod files;
mod forgery;
mod identities;
mod inputs;
mod ledger;
mod numbers;
mod objects;
mod policies;
mod terms;
mod texts;
mod workers;
