//! What `status.notices` remembers: what is due, which receivers are to get it, and which have it. Pure.

use jiff::{SignedDuration, Timestamp};
use payg_api as api;
use payg_api::{Delivery as Remembered, MOST_DELIVERIES, MOST_DUE, Time};
use payg_core::notice::Due;
use payg_notify::{Delivery, Notice};

use super::Dues;

/// How old a delivery may be before it is repeated, where the receiver shows a state: an alert ends 26 hours after its last
/// delivery, and an account is read at least once a day.
const STATE_LASTS: SignedDuration = SignedDuration::from_hours(12);
/// How much is remembered of what is over.
const MOST_OVER: usize = MOST_DELIVERIES / 2;

/// The notices in the status after a reconcile that found `dues`. `routes` has the receivers of what is due, and `delivery`
/// how the receiver with this name is notified, if there still is one.
pub fn status<'a>(
    before: Option<&api::Notices>,
    dues: &Dues,
    routes: impl Fn(&Due) -> Vec<(&'a str, Delivery)>,
    delivery: impl Fn(&str) -> Option<Delivery>,
) -> api::Notices {
    let mut after = before.cloned().unwrap_or_default();
    let mut due: Vec<String> = dues.due.iter().map(|due| due.id.clone()).collect();
    if !dues.others_end {
        due.extend(after.due.iter().filter(|id| !dues.due.iter().any(|due| due.id == **id)).cloned());
    }
    due.truncate(MOST_DUE);
    after.due = due;
    after.armed_time = dues.armed.map(Time::whole_second);
    for due in &dues.due {
        for (receiver, delivery) in routes(due) {
            expect(&mut after.deliveries, due, receiver, delivery);
        }
    }
    let is_past = |one: &Remembered, due: &Due| due.is_of(&one.id) && one.id != due.id && one.id != due.id_of_day();
    after.deliveries.retain(|one| one.accept_time.is_some() || !dues.due.iter().any(|due| is_past(one, due)));
    end_others(&mut after, delivery);
    bounded(after)
}

/// `receiver` is to get what is `due`.
fn expect(deliveries: &mut Vec<Remembered>, due: &Due, receiver: &str, delivery: Delivery) {
    let is_state = delivery == Delivery::State;
    let id = if is_state { due.id.clone() } else { due.id_of_day() };
    let known = deliveries.iter_mut().find(|one| one.id == id && one.receiver == receiver);
    match known {
        // It holds again.
        Some(known) if is_state && known.ended.is_some() => (known.accept_time, known.ended) = (None, None),
        Some(_) => {}
        None => deliveries.push(Remembered {
            id,
            occasion: <&str>::from(due.occasion).into(),
            severity: <&str>::from(due.severity).into(),
            receiver: receiver.to_owned(),
            accept_time: None,
            ended: None,
        }),
    }
}

/// What is not due any more is not sent any more, and who has it learns that it is over.
fn end_others(notices: &mut api::Notices, delivery: impl Fn(&str) -> Option<Delivery>) {
    let api::Notices { due, deliveries, .. } = notices;
    deliveries.retain(|one| one.accept_time.is_some() || is_one_of(due, &one.id));
    for one in deliveries.iter_mut().filter(|one| one.ended != Some(true) && !is_one_of(due, &one.id)) {
        let is_news = one.occasion.parse().is_ok_and(payg_core::notice::Occasion::is_news);
        let learns = match delivery(&one.receiver) {
            Some(Delivery::State) => true,
            Some(Delivery::Event) => !is_news,
            Some(Delivery::Message) | None => false,
        };
        one.ended = learns.then_some(false);
    }
}

/// Keeps what is due and the newest of what is over.
fn bounded(mut notices: api::Notices) -> api::Notices {
    let api::Notices { due, deliveries, .. } = &mut notices;
    let over = deliveries.iter().filter(|one| !is_one_of(due, &one.id)).count();
    let mut surplus = over.saturating_sub(MOST_OVER);
    deliveries.retain(|one| {
        let goes = surplus > 0 && !is_one_of(due, &one.id);
        surplus -= usize::from(goes);
        !goes
    });
    let surplus = deliveries.len().saturating_sub(MOST_DELIVERIES);
    deliveries.drain(..surplus);
    notices
}

fn is_one_of(due: &[String], id: &str) -> bool {
    due.iter().any(|due| id.strip_prefix(due.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with("/day")))
}

/// Whether the notice with this id is due.
pub fn is_due(notices: &api::Notices, id: &str) -> bool {
    is_one_of(&notices.due, id)
}

/// Whether something waits for a receiver.
pub fn is_waiting(notices: &api::Notices) -> bool {
    notices.deliveries.iter().any(|one| one.accept_time.is_none() || one.ended == Some(false))
}

/// The deliveries of what is `due` that are to be made now: what waits, and what a receiver would forget.
pub fn to_make<'a>(
    notices: &'a api::Notices,
    due: &'a Due,
    delivery: impl Fn(&str) -> Option<Delivery> + 'a,
    wall: Timestamp,
) -> impl Iterator<Item = &'a Remembered> {
    let is_old = move |one: &Remembered| {
        let accepted = one.accept_time.map(Timestamp::from);
        accepted.is_none_or(|time| wall.duration_since(time) >= STATE_LASTS && !due.occasion.is_news())
    };
    // Of what is due every day, only this day's.
    let ids = (due.id.clone(), due.id_of_day());
    notices.deliveries.iter().filter(move |one| match delivery(&one.receiver) {
        Some(Delivery::State) => one.id == ids.0 && is_old(one),
        Some(Delivery::Event | Delivery::Message) => one.id == ids.1 && one.accept_time.is_none(),
        None => false,
    })
}

/// The deliveries whose receivers are to learn that it is over.
pub fn to_end(notices: &api::Notices) -> impl Iterator<Item = &Remembered> {
    notices.deliveries.iter().filter(|one| one.ended == Some(false))
}

/// The status after `receiver` has accepted `notice`.
pub fn accepted(
    before: &api::SubscriptionStatus,
    notice: &Notice,
    receiver: &str,
    wall: Timestamp,
) -> api::SubscriptionStatus {
    let mut after = before.clone();
    let notices = after.notices.get_or_insert_default();
    let id = notice.id.strip_prefix(&notice.uid).and_then(|id| id.strip_prefix('/')).unwrap_or(&notice.id);
    let accept_time = Some(Time::whole_second(wall));
    let known = notices.deliveries.iter_mut().find(|one| one.id == id && one.receiver == receiver);
    match (known, notice.ends) {
        (Some(known), Some(_)) => known.ended = Some(true),
        (Some(known), None) => known.accept_time = accept_time,
        (None, ends) => notices.deliveries.push(Remembered {
            id: id.to_owned(),
            occasion: <&str>::from(notice.occasion).into(),
            severity: <&str>::from(notice.severity).into(),
            receiver: receiver.to_owned(),
            accept_time,
            ended: ends.is_some().then_some(true),
        }),
    }
    *notices = bounded(std::mem::take(notices));
    after
}

#[cfg(test)]
mod tests {
    use payg_core::notice::{Occasion, Severity};

    use super::*;

    fn start() -> Timestamp {
        "2026-03-01T12:00:00Z".parse().unwrap()
    }

    fn due(id: &str) -> Due {
        Due { occasion: Occasion::EndAhead, id: id.to_owned(), day: None, severity: Severity::Info, until: None }
    }

    /// The names of receivers say how they are notified.
    fn kind(receiver: &str) -> Option<Delivery> {
        match receiver {
            "alerts" => Some(Delivery::State),
            "events" => Some(Delivery::Event),
            "chat" => Some(Delivery::Message),
            _ => None,
        }
    }

    const ALL: [(&str, Delivery); 3] =
        [("alerts", Delivery::State), ("events", Delivery::Event), ("chat", Delivery::Message)];

    fn after(before: Option<&api::Notices>, dues: Vec<Due>, others_end: bool) -> api::Notices {
        status(before, &Dues { armed: None, due: dues, others_end }, |_| ALL.to_vec(), kind)
    }

    /// All that waits is accepted.
    fn all_accepted(mut notices: api::Notices) -> api::Notices {
        for one in &mut notices.deliveries {
            one.accept_time.get_or_insert(Time::whole_second(start()));
        }
        notices
    }

    #[test]
    fn what_is_due_waits_until_each_receiver_has_it() {
        let mut notices = after(None, vec![due("End/7d/1")], true);
        assert_eq!(notices.deliveries.len(), 3);
        let left = |notices: &api::Notices| to_make(notices, &due("End/7d/1"), kind, start()).count();
        assert_eq!(left(&notices), 3);
        notices.deliveries[1].accept_time = Some(Time::whole_second(start()));
        assert_eq!(left(&notices), 2);
        assert!(is_waiting(&notices));
        assert!(!is_waiting(&all_accepted(notices)));
    }

    #[test]
    fn what_is_over_ends_for_those_who_learn_it() {
        let over = after(Some(&all_accepted(after(None, vec![due("End/7d/1")], true))), Vec::new(), true);
        let told: Vec<_> = to_end(&over).map(|one| one.receiver.as_str()).collect();
        assert_eq!(told, ["alerts", "events"]);
        let moot = after(Some(&after(None, vec![due("End/7d/1")], true)), Vec::new(), true);
        assert_eq!(moot.deliveries, [], "nobody has it, and nobody needs it");
    }

    #[test]
    fn nothing_is_over_while_nobody_knows() {
        let before = all_accepted(after(None, vec![due("End/7d/1")], true));
        let unknown = after(Some(&before), vec![due("CredentialsFailing/x/since2")], false);
        assert_eq!(unknown.due, ["CredentialsFailing/x/since2", "End/7d/1"]);
        assert_eq!(to_end(&unknown).count(), 0);
    }

    #[test]
    fn what_is_due_is_never_forgotten() {
        let number = |number: usize| Remembered {
            id: format!("End/30d/{number}"),
            ..all_accepted(after(None, vec![due("End/30d/1")], true)).deliveries.remove(2)
        };
        let mut notices = all_accepted(after(None, vec![due("End/7d/1")], true));
        notices.deliveries.extend((0..MOST_DELIVERIES).map(number));
        let kept = bounded(notices).deliveries;
        assert_eq!(kept.len(), MOST_OVER + 3);
        assert_eq!((kept[0].id.as_str(), kept[3].id.as_str()), ("End/7d/1", "End/30d/32"), "the oldest go first");
    }

    #[test]
    fn a_day_is_of_its_notice_and_of_no_other() {
        let due = ["Restricted/17".to_owned()];
        assert!(is_one_of(&due, "Restricted/17/day3") && is_one_of(&due, "Restricted/17"));
        assert!(!is_one_of(&due, "Restricted/170") && !is_one_of(&due, "Restricted/1"));
    }

    #[test]
    fn each_day_is_sent_to_people_and_the_alert_stays_the_same() {
        let day = |day| Due { day: Some(day), ..due("Restricted/17") };
        let first = all_accepted(after(None, vec![day(0)], true));
        let second = after(Some(&first), vec![day(1)], true);
        let due = day(1);
        let made: Vec<_> = to_make(&second, &due, kind, start()).map(|one| (&*one.id, &*one.receiver)).collect();
        assert_eq!(made, [("Restricted/17/day1", "events"), ("Restricted/17/day1", "chat")]);
        assert_eq!(to_end(&second).count(), 0, "the outage goes on");
        let third = after(Some(&second), vec![day(2)], true);
        assert!(!third.deliveries.iter().any(|one| one.id.ends_with("/day1")), "nobody needs the news of yesterday");
    }

    #[test]
    fn only_what_holds_is_repeated_and_only_where_it_would_be_forgotten() {
        let notices = all_accepted(after(None, vec![due("End/7d/1")], true));
        let repeated = |due: &Due, wall| -> Vec<String> {
            to_make(&notices, due, kind, wall).map(|one| one.receiver.clone()).collect()
        };
        let later = start() + STATE_LASTS;
        assert_eq!(repeated(&due("End/7d/1"), later), ["alerts"]);
        assert!(repeated(&due("End/7d/1"), later - SignedDuration::from_secs(1)).is_empty());
        assert!(repeated(&Due { occasion: Occasion::Requested, ..due("End/7d/1") }, later).is_empty(), "it is news");
    }

    #[test]
    fn what_holds_again_is_sent_again_to_those_who_show_it() {
        let mut over = after(Some(&all_accepted(after(None, vec![due("End/7d/1")], true))), Vec::new(), true);
        over.deliveries[0].ended = Some(true);
        let due = due("End/7d/1");
        let again = after(Some(&over), vec![due.clone()], true);
        let made: Vec<_> = to_make(&again, &due, kind, start()).map(|one| &*one.receiver).collect();
        assert_eq!(made, ["alerts"], "people hear of a threshold once");
    }
}
