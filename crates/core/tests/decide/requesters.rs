//! Whose a refusal is, and how much of the cap one namespace may use.

use jiff::SignedDuration;
use proptest::collection::vec;
use proptest::prelude::*;

use payg_core::allowance::Allowance;
use payg_core::decide::{Effect, Note, decide};
use payg_core::inputs::Inputs;
use payg_core::provider::Outcome;
use payg_core::record::{Attempt, NoMore, ProviderVersion, Record, RecordState, Requester};
use payg_core::verdict::{Held, Verdict};
use payg_fixtures::given::*;

const ARN: &str = "arn:aws:iam::111122223333:user/mallory";

fn mallory() -> Requester {
    Requester { namespace: "team-b".to_owned(), uid: "uid-m".to_owned(), ..due().requester() }
}

/// A record with attempts of these requesters, in order, the last one `minutes` ago and the others before it.
fn refused(by: &[Requester], outcome: Outcome, lacked_rights: bool, minutes: i64) -> Record {
    let template = record(RecordState::Rejected, outcome, 0);
    let sent = now() - SignedDuration::from_mins(minutes);
    let attempts = by.iter().zip(1..).map(|(by, number)| Attempt {
        number,
        requester: Some(by.clone()),
        lacked_rights,
        sent: Some(sent),
        message: format!("{ARN} is not authorized"),
        ..template.attempts[0].clone()
    });
    Record { attempts: attempts.collect(), ..template }
}

fn decided(record: Record, change: impl FnOnce(&mut Inputs)) -> (Verdict, Option<Effect>) {
    let mut inputs = Inputs { record: Some(record), ..due() };
    change(&mut inputs);
    let decision = decide(&inputs);
    (decision.verdict, decision.effect)
}

fn asks(record: Record, change: impl FnOnce(&mut Inputs)) -> bool {
    matches!(decided(record, change).1, Some(Effect::Again { .. }))
}

#[test]
fn a_refusal_for_want_of_rights_is_its_requesters() {
    let me = due().requester();
    for (outcome, lacked_rights) in [(Outcome::Rejected, true), (Outcome::NotSent, false)] {
        let theirs = refused(&[mallory(), mallory(), mallory()], outcome, lacked_rights, 0);
        assert!(asks(theirs, |_| {}), "{outcome:?}: another namespace may try at once");
        assert!(!asks(refused(std::slice::from_ref(&me), outcome, lacked_rights, 0), |_| {}), "{outcome:?}");
        let made_again = Requester { uid: "uid-before".to_owned(), ..me.clone() };
        assert!(
            !asks(refused(&[made_again], outcome, lacked_rights, 0), |_| {}),
            "{outcome:?}: deleted and made again"
        );
    }
    // What the provider says of the account binds everybody, and so does what an older version wrote.
    assert!(!asks(refused(&[mallory()], Outcome::Rejected, false, 59), |_| {}));
    assert!(asks(refused(&[mallory()], Outcome::Rejected, false, 60), |_| {}));
    let mut unsigned = refused(&[mallory()], Outcome::Rejected, true, 59);
    unsigned.attempts[0].requester = None;
    assert!(!asks(unsigned, |_| {}));
}

#[test]
fn a_changed_provider_may_try_at_once_and_not_again_and_again() {
    let me = due().requester();
    let times = |count, minutes| refused(&vec![me.clone(); count], Outcome::Rejected, true, minutes);
    let changed = |on: &mut Inputs| on.provider_version.as_mut().unwrap().generation = 2;
    assert!(asks(times(1, 0), changed));
    assert!(!asks(times(2, 0), changed) && asks(times(2, 1), changed));
    assert!(!asks(times(4, 3), changed) && asks(times(4, 4), changed));
    assert!(!asks(times(20, 3 * 60 - 1), changed) && asks(times(20, 3 * 60), changed), "hours in the end");
    let another =
        |on: &mut Inputs| on.provider_version = Some(ProviderVersion { uid: "uid-q".to_owned(), generation: 1 });
    assert!(asks(times(1, 0), another));
    assert!(!asks(times(1, 59), |on| on.provider_version = None), "what is not known is not a change");
    assert!(
        !asks(refused(std::slice::from_ref(&me), Outcome::Rejected, false, 59), changed),
        "it was about the account"
    );
}

#[test]
fn one_namespace_does_not_fill_the_record_for_another() {
    let full = |by: Requester| refused(&vec![by; 32], Outcome::Rejected, true, 9999);
    assert!(asks(full(mallory()), |_| {}));
    let (verdict, effect) = decided(full(due().requester()), |_| {});
    assert!(matches!(verdict, Verdict::UpgradeRejected { next: None, .. }), "{verdict:?}");
    assert_eq!(effect, None, "the record stays open to others");
    let of_all = refused(&vec![mallory(); 64], Outcome::Rejected, true, 9999);
    assert_eq!(decided(of_all, |_| {}).1, Some(Effect::Note(Note::Unresolved(NoMore::TooManyAttempts))));
    // While something is in doubt, a person is asked and nobody waits for ever.
    let mut in_doubt = refused(&vec![due().requester(); 33], Outcome::NotSent, false, 9999);
    in_doubt.state = RecordState::Unknown;
    in_doubt.attempts[0].outcome = Outcome::Unknown;
    in_doubt.attempts.iter_mut().for_each(|made| made.not_after = ago(200));
    assert_eq!(decided(in_doubt, |_| {}).1, Some(Effect::Note(Note::Unresolved(NoMore::TooManyAttempts))));
}

#[test]
fn provider_messages_stay_in_their_namespace() {
    let text = |record: Record| decided(record, |_| {}).0.to_string();
    let mine = text(refused(&[due().requester()], Outcome::Rejected, true, 0));
    assert!(mine.contains(ARN), "{mine}");
    let theirs = text(refused(&[mallory()], Outcome::Rejected, false, 0));
    assert!(theirs.contains("the attempt of another Subscription at 2026-03-01 12:00 UTC was rejected"), "{theirs}");
    let mut after_a_yes = refused(&[mallory(), mallory()], Outcome::Rejected, true, 0);
    after_a_yes.attempts[0].outcome = Outcome::Accepted;
    let mut unresolved = refused(&[mallory()], Outcome::Unknown, false, 0);
    (unresolved.state, unresolved.outcome) = (RecordState::Unresolved, Some(format!("the broker said {ARN}")));
    for record in [refused(&[mallory()], Outcome::Rejected, false, 0), after_a_yes, unresolved] {
        let told = text(record);
        assert!(!told.contains(ARN) && !told.contains("mallory"), "{told}");
    }
}

fn held(per_hour: u32, own: usize, others: usize, alone: bool) -> Option<Held> {
    let requested = [requested(own, true), requested(others, false)].concat();
    Allowance { dry_run: false, per_hour, requested, alone }.holds(now())
}

#[test]
fn a_namespace_may_use_half_of_what_the_others_leave() {
    let until = Some(ago(-1));
    for (own, others, may) in
        [(9, 0, true), (10, 0, false), (4, 10, true), (5, 10, false), (0, 19, true), (0, 20, false)]
    {
        assert_eq!(held(20, own, others, false).is_none(), may, "{own} of its own and {others} of others");
    }
    assert_eq!(held(20, 10, 0, false), Some(Held::Share { share: 10, per_hour: 20, until }));
    assert_eq!(held(20, 0, 20, false), Some(Held::Cap { per_hour: 20, until }));
    assert_eq!(held(20, 19, 0, true), None, "whoever is alone takes nothing from anybody");
    assert_eq!(held(20, 20, 0, true), Some(Held::Cap { per_hour: 20, until }));
    assert_eq!(held(1, 0, 0, false), None);
    assert_eq!(held(0, 0, 0, true), Some(Held::Cap { per_hour: 0, until: None }), "no time helps");
}

#[test]
fn it_is_said_until_when_it_waits() {
    let mut allowance = Allowance { dry_run: false, per_hour: 4, requested: requested(4, true), alone: false };
    for (minutes, request) in [10, 20, 30, 40].into_iter().zip(&mut allowance.requested) {
        request.at = now() - SignedDuration::from_mins(minutes);
    }
    // Two of four are its share: three have to be over before it may ask again.
    let Some(Held::Cap { until, .. }) = allowance.holds(now()) else { panic!("not held") };
    assert_eq!(until, Some(now() + SignedDuration::from_mins(40)));
    assert_eq!(allowance.holds(until.unwrap()), None);
}

proptest! {
    /// Whatever order several namespaces ask in: the cap is never exceeded, no namespace has more than half of it, and one that
    /// has asked for nothing yet is refused only if four others have used what they may.
    #[test]
    fn the_cap_holds_and_everybody_finds_something(cap in 1_u32..40, asking in vec(0_usize..6, 0..200)) {
        let mut used = [0_usize; 6];
        for namespace in asking {
            let others = used.iter().sum::<usize>() - used[namespace];
            match held(cap, used[namespace], others, false) {
                None => used[namespace] += 1,
                Some(_) if used[namespace] == 0 => {
                    let at_work = used.iter().filter(|used| **used > 0).count();
                    prop_assert!(2_u32.pow(u32::try_from(at_work).unwrap()) > cap, "{used:?} of {cap}");
                }
                Some(_) => {}
            }
        }
        let cap = usize::try_from(cap).unwrap();
        prop_assert!(used.iter().sum::<usize>() <= cap);
        prop_assert!(used.iter().all(|used| *used <= cap.div_ceil(2)));
    }
}
