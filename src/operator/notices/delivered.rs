//! What `status.notices` remembers. Pure.

use jiff::{SignedDuration, Timestamp};
use payg_api as api;
use payg_api::{Delivered, MOST_DELIVERIES, MOST_DUE, Time};
use payg_core::notice::Due;
use payg_notify::Notice;

use super::Dues;

/// How old the last delivery of what holds may be at a receiver that forgets what nobody repeats. Alerts end 26 hours after
/// it, and an account is read every day at least.
const STATE_LASTS: SignedDuration = SignedDuration::from_hours(12);
/// How much is remembered of what is over.
const MOST_OVER: usize = MOST_DELIVERIES / 2;

/// The notices in the status after a reconcile that found `dues`.
pub fn status(before: Option<&api::Notices>, dues: &Dues) -> api::Notices {
    let before = before.cloned().unwrap_or_default();
    let mut due: Vec<String> = dues.due.iter().map(|due| due.id.clone()).collect();
    if !dues.others_end {
        due.extend(before.due.into_iter().filter(|id| !dues.due.iter().any(|due| due.id == *id)));
    }
    due.truncate(MOST_DUE);
    bounded(api::Notices { armed_time: dues.armed.map(Time::whole_second), due, ..before })
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
    notices.delivered.retain(|other| other.id != id || other.receiver != receiver);
    notices.delivered.push(Delivered {
        id: id.to_owned(),
        occasion: <&str>::from(notice.occasion).into(),
        severity: <&str>::from(notice.severity).into(),
        receiver: receiver.to_owned(),
        time: Time::whole_second(wall),
        ended: notice.ends.is_some().then_some(true),
    });
    *notices = bounded(std::mem::take(notices));
    after
}

/// Keeps what is due and the newest of what is over.
fn bounded(mut notices: api::Notices) -> api::Notices {
    let over = over_or_told(&notices).count();
    let mut surplus = over.saturating_sub(MOST_OVER);
    let due = notices.due.clone();
    notices.delivered.retain(|one| {
        let goes = surplus > 0 && !is_one_of(&due, &one.id);
        surplus -= usize::from(goes);
        !goes
    });
    let surplus = notices.delivered.len().saturating_sub(MOST_DELIVERIES);
    notices.delivered.drain(..surplus);
    notices
}

fn is_one_of(due: &[String], id: &str) -> bool {
    due.iter().any(|due| id.strip_prefix(due.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with("/day")))
}

fn over_or_told(notices: &api::Notices) -> impl Iterator<Item = &Delivered> {
    notices.delivered.iter().filter(|one| !is_one_of(&notices.due, &one.id))
}

/// Whether the notice with this id is due.
pub fn is_current(notices: &api::Notices, id: &str) -> bool {
    is_one_of(&notices.due, id)
}

/// What receivers have accepted and is over, if they may not know it.
pub fn over(notices: &api::Notices) -> impl Iterator<Item = &Delivered> {
    over_or_told(notices).filter(|one| one.ended != Some(true))
}

/// The delivery of the notice with this id to `receiver`.
pub fn find<'a>(notices: &'a api::Notices, id: &str, receiver: &str) -> Option<&'a Delivered> {
    notices.delivered.iter().find(|one| one.id == id && one.receiver == receiver)
}

/// Whether what was accepted must be sent again: only to a receiver that shows the `state`, if it shows it no more or soon
/// won't.
pub fn is_stale(accepted: &Delivered, state: bool, due: &Due, wall: Timestamp) -> bool {
    let is_old = wall.duration_since(accepted.time.into()) >= STATE_LASTS && !due.occasion.is_news();
    state && (accepted.ended == Some(true) || is_old)
}

#[cfg(test)]
mod tests {
    use payg_core::notice::{Occasion, Severity};

    use super::*;

    fn dues(ids: &[&str], others_end: bool) -> Dues {
        let due = |id: &&str| Due {
            occasion: Occasion::EndAhead,
            id: (*id).to_owned(),
            day: None,
            severity: Severity::Info,
            until: None,
        };
        Dues { armed: None, due: ids.iter().map(due).collect(), others_end }
    }

    fn start() -> Timestamp {
        "2026-03-01T12:00:00Z".parse().unwrap()
    }

    fn delivered(id: &str, receiver: &str) -> Delivered {
        Delivered {
            id: id.to_owned(),
            occasion: "EndAhead".into(),
            severity: "info".into(),
            receiver: receiver.to_owned(),
            time: Time::whole_second(start()),
            ended: None,
        }
    }

    #[test]
    fn what_is_not_due_stays_while_nobody_knows() {
        let before = status(None, &dues(&["End/7d/1", "ApprovalNeeded/x/since1"], true));
        assert_eq!(status(Some(&before), &dues(&["CredentialsFailing/y/since2"], false)).due.len(), 3);
        assert_eq!(status(Some(&before), &dues(&["End/3d/1"], true)).due, ["End/3d/1"]);
    }

    #[test]
    fn what_is_due_is_never_forgotten() {
        let mut notices = api::Notices { due: vec!["End/7d/1".to_owned()], ..Default::default() };
        notices.delivered = std::iter::once(delivered("End/7d/1", "chat"))
            .chain((0..MOST_DELIVERIES).map(|number| delivered(&format!("End/30d/{number}"), "chat")))
            .collect();
        let kept = bounded(notices).delivered;
        assert_eq!(kept.len(), MOST_OVER + 1);
        assert_eq!((kept[0].id.as_str(), kept[1].id.as_str()), ("End/7d/1", "End/30d/32"), "the oldest go first");
    }

    #[test]
    fn a_day_is_of_its_notice_and_of_no_other() {
        let notices = api::Notices { due: vec!["Restricted/17".to_owned()], ..Default::default() };
        assert!(is_current(&notices, "Restricted/17/day3") && is_current(&notices, "Restricted/17"));
        assert!(!is_current(&notices, "Restricted/170") && !is_current(&notices, "Restricted/1"));
    }

    #[test]
    fn only_what_holds_is_repeated_and_only_where_it_would_be_forgotten() {
        let wall = start() + SignedDuration::from_hours(12);
        let (mut accepted, due) = (delivered("End/7d/1", "alerts"), dues(&["End/7d/1"], true).due.remove(0));
        assert!(is_stale(&accepted, true, &due, wall));
        assert!(!is_stale(&accepted, true, &due, wall - SignedDuration::from_secs(1)));
        assert!(!is_stale(&accepted, false, &due, wall), "people get a message once");
        assert!(!is_stale(&accepted, true, &Due { occasion: Occasion::Requested, ..due.clone() }, wall));
        accepted.ended = Some(true);
        assert!(is_stale(&accepted, true, &due, start()), "it holds again");
    }
}
