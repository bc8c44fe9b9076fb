use std::collections::BTreeSet;

use jiff::ToSpan;
use proptest::prelude::*;

use super::*;
use crate::fixtures::notice;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn of(id: &str, severity: Severity) -> Arc<Notice> {
    Arc::new(Notice { id: id.to_owned(), severity, ..notice() })
}

fn ended(notice: &Notice) -> Arc<Notice> {
    Arc::new(Notice { ends: Some(NOW), ..notice.clone() })
}

fn next(queue: &mut Queue) -> Option<Arc<Notice>> {
    let (next, moot) = queue.take(NOW);
    assert_eq!(moot, []);
    next
}

#[test]
fn the_most_urgent_is_first_and_of_those_the_oldest() {
    let mut queue = Queue::new(10);
    for (id, severity) in
        [("a", Severity::Info), ("b", Severity::Critical), ("c", Severity::Warning), ("d", Severity::Critical)]
    {
        assert_eq!(queue.offer(of(id, severity)), None);
    }
    let mut order = String::new();
    while let Some(notice) = next(&mut queue) {
        order.push_str(&notice.id);
        queue.done(&notice.id);
    }
    assert_eq!(order, "bdca");
}

#[test]
fn a_notice_that_always_fails_holds_back_no_other() {
    let mut queue = Queue::new(10);
    queue.offer(of("poison", Severity::Critical));
    queue.offer(of("other", Severity::Info));
    assert_eq!(next(&mut queue).unwrap().id, "poison");
    assert_eq!(queue.failed(), None);
    assert_eq!(next(&mut queue).unwrap().id, "other");
    queue.done("other");
    assert_eq!(next(&mut queue).unwrap().id, "poison");
}

#[test]
fn a_full_queue_drops_the_least_urgent_and_of_those_the_newest() {
    let mut queue = Queue::new(2);
    queue.offer(of("a", Severity::Warning));
    queue.offer(of("b", Severity::Warning));
    let dropped = queue.offer(of("c", Severity::Warning)).unwrap();
    assert_eq!((dropped.0.id.as_str(), dropped.1), ("c", NotDelivered::QueueFull));
    assert_eq!(queue.offer(of("d", Severity::Critical)).unwrap().0.id, "b");
    assert_eq!(queue.offer(of("e", Severity::Info)).unwrap().0.id, "e");
    assert_eq!(queue.offer(of("a", Severity::Warning)), None, "it is there already");
}

#[test]
fn what_is_tried_is_not_dropped_for_another() {
    let mut queue = Queue::new(1);
    queue.offer(of("a", Severity::Info));
    assert_eq!(next(&mut queue).unwrap().id, "a");
    assert_eq!(queue.offer(of("b", Severity::Critical)).unwrap().0.id, "b");
    queue.done("a");
    assert_eq!(queue.len(), 0);
}

#[test]
fn the_newest_form_of_a_notice_is_sent() {
    let mut queue = Queue::new(10);
    let begun = of("a", Severity::Info);
    queue.offer(Arc::clone(&begun));
    queue.offer(ended(&begun));
    assert_eq!((queue.len(), next(&mut queue).unwrap().ends), (1, Some(NOW)));
}

#[test]
fn an_end_that_comes_while_the_beginning_is_sent_is_sent_after_it() {
    for succeeds in [true, false] {
        let mut queue = Queue::new(10);
        let begun = of("a", Severity::Info);
        queue.offer(Arc::clone(&begun));
        assert_eq!(next(&mut queue), Some(Arc::clone(&begun)));
        queue.offer(Arc::clone(&begun)); // the same again is nothing new
        queue.offer(ended(&begun));
        if succeeds {
            queue.done("a");
        } else {
            queue.failed();
        }
        assert_eq!(next(&mut queue).unwrap().ends, Some(NOW), "after success: {succeeds}");
        queue.done("a");
        assert_eq!(queue.len(), 0);
    }
}

#[test]
fn an_end_that_was_taken_back_while_the_beginning_is_sent_is_not_sent() {
    let mut queue = Queue::new(10);
    let begun = of("a", Severity::Info);
    queue.offer(Arc::clone(&begun));
    next(&mut queue);
    queue.offer(ended(&begun));
    queue.offer(begun);
    queue.done("a");
    assert_eq!(queue.len(), 0);
}

#[test]
fn a_moot_notice_is_not_sent_late() {
    let mut queue = Queue::new(10);
    queue.offer(Arc::new(Notice { moot_after: Some(NOW), ..notice() }));
    let later = NOW + 1.second();
    let (next, moot) = queue.take(later);
    assert_eq!((next, moot[0].1.clone(), queue.len()), (None, NotDelivered::Moot, 0));
    queue.offer(Arc::new(Notice { moot_after: Some(later), ..notice() }));
    assert!(queue.take(later).0.is_some());
}

#[test]
fn a_withdrawn_notice_is_not_tried_again() {
    let mut queue = Queue::new(10);
    queue.offer(of("a", Severity::Info));
    assert_eq!(queue.withdraw("a").unwrap().1, NotDelivered::Moot);
    queue.offer(of("a", Severity::Info));
    next(&mut queue);
    assert_eq!(queue.withdraw("a"), None, "the worker has it");
    assert_eq!(queue.failed().unwrap().1, NotDelivered::Moot);
    assert_eq!((queue.len(), queue.withdraw("a")), (0, None));
}

#[derive(Clone, Debug)]
enum Step {
    Offer(u8, u8),
    Take,
    Done,
    Failed,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0_u8..12, 0_u8..3).prop_map(|(id, severity)| Step::Offer(id, severity)),
        2 => Just(Step::Take),
        1 => Just(Step::Done),
        1 => Just(Step::Failed),
    ]
}

proptest! {
    /// Whatever happens, a notice that was offered is queued, was delivered, or was reported as dropped; and the queue is bounded.
    #[test]
    fn no_notice_is_lost(steps in prop::collection::vec(step(), 0..80)) {
        let mut queue = Queue::new(5);
        let mut owed: BTreeSet<String> = BTreeSet::new();
        let mut tried: Option<Arc<Notice>> = None;
        for step in steps {
            match step {
                Step::Offer(id, severity) => {
                    let severity = [Severity::Info, Severity::Warning, Severity::Critical][usize::from(severity)];
                    owed.insert(id.to_string());
                    if let Some((dropped, _)) = queue.offer(of(&id.to_string(), severity)) {
                        prop_assert!(tried.as_ref().is_none_or(|tried| tried.id != dropped.id));
                        owed.remove(&dropped.id);
                    }
                }
                Step::Take if tried.is_none() => {
                    tried = next(&mut queue);
                    prop_assert_eq!(tried.is_some(), !owed.is_empty());
                }
                Step::Done => if let Some(notice) = tried.take() {
                    queue.done(&notice.id);
                    if !queue.entries.iter().any(|entry| entry.notice.id == notice.id) {
                        owed.remove(&notice.id);
                    }
                },
                Step::Failed if tried.take().is_some() => prop_assert_eq!(queue.failed(), None),
                Step::Take | Step::Failed => {}
            }
            let queued: Vec<_> = queue.entries.iter().map(|entry| entry.notice.id.clone()).collect();
            prop_assert!(queued.len() <= 6);
            prop_assert!(owed.iter().all(|id| queued.contains(id)) && owed.len() == queued.len(), "{owed:?} {queued:?}");
        }
    }
}
