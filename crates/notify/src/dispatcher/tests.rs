use std::path::Path;

use super::*;
use crate::fixtures::{Reply, Server, notice, reply};
use crate::notice::Severity;

/// The receiver of this name listens at that address, and gets everything.
fn config(receivers: &[(&str, &str)]) -> Config {
    let receivers: Vec<_> = receivers
        .iter()
        .map(|(name, url)| format!("- {{name: {name}, cloudEvents: {{url: \"{url}\", source: /test}}}}"))
        .collect();
    let first = receivers[0].split([' ', ',']).nth(2).unwrap().to_owned();
    Config::parse(&format!("receivers:\n{}\nroutes:\n- receivers: [{first}]\n", receivers.join("\n"))).unwrap()
}

fn name(text: &str) -> ReceiverName {
    ReceiverName::parse(text).unwrap()
}

fn numbered(id: usize) -> Notice {
    Notice { id: format!("n{id}"), ..notice() }
}

/// Until so many requests have come.
async fn until(server: &Server, requests: usize) {
    let came = async {
        while server.requests().len() < requests {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(20), came).await.unwrap();
}

async fn outcome(outcomes: &mut UnboundedReceiver<Outcome>) -> Outcome {
    timeout(Duration::from_secs(20), outcomes.recv()).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_failure_is_tried_again_until_the_receiver_has_it() {
    let server = Server::start(|before| match before {
        0 => reply(500, "", ""),
        1 => Reply::Bytes("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\ncut".to_owned()),
        _ => reply(200, "", ""),
    })
    .await;
    let (dispatcher, mut outcomes) = Dispatcher::start(config(&[("one", &server.url())]), Clock::real());
    dispatcher.offer(&notice(), &name("one"));
    let told = outcome(&mut outcomes).await;
    assert_eq!((told.notice.id.as_str(), told.receiver, told.result), ("0d3c/EndAhead/7", name("one"), Ok(())));
    assert_eq!(server.requests().len(), 3);
    let counts = Counts { sent: 1, failed: 2, dropped: 0, queued: 0 };
    assert_eq!(dispatcher.counts(), [(name("one"), counts)]);
}

#[tokio::test]
async fn a_refused_notice_is_not_tried_again_and_the_next_one_is() {
    let server = Server::start(|before| if before == 0 { reply(400, "", "bad") } else { reply(200, "", "") }).await;
    let (dispatcher, mut outcomes) = Dispatcher::start(config(&[("one", &server.url())]), Clock::real());
    dispatcher.offer(&numbered(1), &name("one"));
    dispatcher.offer(&numbered(2), &name("one"));
    let first = outcome(&mut outcomes).await;
    assert_eq!(first.result, Err(NotDelivered::Refused("answered 400: bad".to_owned())));
    assert_eq!(outcome(&mut outcomes).await.result, Ok(()));
    assert_eq!(dispatcher.counts()[0].1, Counts { sent: 1, failed: 1, dropped: 1, queued: 0 });
}

#[tokio::test]
async fn a_receiver_that_hangs_delays_no_other() {
    let (hanging, fine) = (Server::start(|_| Reply::Nothing).await, Server::start(|_| reply(200, "", "")).await);
    let config = config(&[("hanging", &hanging.url()), ("fine", &fine.url())]);
    let (dispatcher, mut outcomes) = Dispatcher::start(config, Clock::real());
    for id in 0..5 {
        dispatcher.offer(&numbered(id), &name("hanging"));
        dispatcher.offer(&numbered(id), &name("fine"));
    }
    for id in 0..5 {
        let told = outcome(&mut outcomes).await;
        assert_eq!((told.receiver, told.notice.id.clone()), (name("fine"), format!("n{id}")));
    }
    let queued: Vec<_> = dispatcher.counts().iter().map(|(_, counts)| counts.queued).collect();
    assert_eq!(queued, [0, 5]);
}

#[tokio::test]
async fn the_same_notice_is_queued_once() {
    let server = Server::start(|_| Reply::Nothing).await;
    let (dispatcher, _outcomes) = Dispatcher::start(config(&[("one", &server.url())]), Clock::real());
    for _ in 0..3 {
        dispatcher.offer(&notice(), &name("one"));
        until(&server, 1).await;
    }
    dispatcher.offer(&notice(), &name("nobody"));
    assert_eq!(dispatcher.counts()[0].1.queued, 1);
}

#[tokio::test]
async fn retry_after_is_honoured() {
    let server = Server::start(|before| match before {
        0 => reply(429, "retry-after: 2\r\n", ""),
        _ => reply(200, "", ""),
    })
    .await;
    let (dispatcher, mut outcomes) = Dispatcher::start(config(&[("one", &server.url())]), Clock::real());
    let begin = std::time::Instant::now();
    dispatcher.offer(&notice(), &name("one"));
    assert_eq!(outcome(&mut outcomes).await.result, Ok(()));
    assert!(begin.elapsed() >= Duration::from_secs(2));
}

#[test]
fn pauses_double_up_to_the_longest() {
    for (failures, nominal) in [(1, 1), (2, 2), (5, 16), (9, 256), (10, 300), (u32::MAX, 300)] {
        for _ in 0..50 {
            let pause = pause(failures, None).as_secs_f64();
            assert!(pause >= f64::from(nominal) / 2.0 && pause <= f64::from(nominal), "{pause} after {failures}");
        }
    }
    assert_eq!(pause(1, Some(Duration::from_mins(10))), Duration::from_mins(10));
    assert_eq!(pause(1, Some(Duration::MAX)), LONGEST_RETRY_AFTER);
}

#[tokio::test]
async fn an_end_is_told_to_programs_and_only_withdraws_a_message() {
    let server = Server::start(|_| reply(200, "", "")).await;
    let url = tempfile::NamedTempFile::new().unwrap().into_temp_path();
    std::fs::write(&url, server.url()).unwrap();
    let text = format!(
        "receivers: [{{name: slack, slack: {{urlFile: {}}}}}, {{name: events, cloudEvents: {{url: \"{}\", source: /t}}}}]\nroutes: [{{receivers: [slack]}}]",
        Path::new(&url).display(),
        server.url()
    );
    let (dispatcher, mut outcomes) = Dispatcher::start(Config::parse(&text).unwrap(), Clock::real());
    let ended = Notice { ends: Some(notice().starts), ..notice() };
    dispatcher.offer(&ended, &name("slack"));
    dispatcher.offer(&ended, &name("events"));
    let told = outcome(&mut outcomes).await;
    assert_eq!((told.receiver, told.result, told.notice.ends), (name("events"), Ok(()), ended.ends));
    assert_eq!(server.requests().len(), 1);

    // The worker has not run yet, so the beginning is still there.
    dispatcher.offer(&notice(), &name("slack"));
    dispatcher.offer(&ended, &name("slack"));
    assert_eq!(outcome(&mut outcomes).await.result, Err(NotDelivered::Moot));
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_full_queue_drops_the_least_urgent() {
    let server = Server::start(|_| Reply::Nothing).await;
    let (dispatcher, mut outcomes) = Dispatcher::start(config(&[("one", &server.url())]), Clock::real());
    for id in 0..MOST_QUEUED {
        dispatcher.offer(&numbered(id), &name("one"));
    }
    let critical = Notice { severity: Severity::Critical, ..numbered(MOST_QUEUED) };
    dispatcher.offer(&critical, &name("one"));
    let dropped = outcome(&mut outcomes).await;
    assert_eq!(dropped.result, Err(NotDelivered::QueueFull));
    assert_eq!(dropped.notice.id, format!("n{}", MOST_QUEUED - 1));
    let counts = dispatcher.counts()[0].1;
    assert_eq!((counts.queued, counts.dropped), (MOST_QUEUED, 1));
}

#[tokio::test]
async fn what_waits_goes_to_the_receiver_of_a_new_file() {
    let (old, new) = (Server::start(|_| Reply::Nothing).await, Server::start(|_| reply(200, "", "")).await);
    let before = config(&[("moved", &old.url()), ("gone", &old.url())]);
    let (dispatcher, mut outcomes) = Dispatcher::start(before, Clock::real());
    dispatcher.offer(&notice(), &name("moved"));
    dispatcher.offer(&notice(), &name("gone"));
    until(&old, 2).await;
    dispatcher.reload(config(&[("moved", &new.url())]));
    let mut told = [outcome(&mut outcomes).await, outcome(&mut outcomes).await];
    told.sort_by(|one, other| one.receiver.cmp(&other.receiver));
    assert_eq!((&told[0].receiver, &told[0].result), (&name("gone"), &Err(NotDelivered::ReceiverGone)));
    assert_eq!((&told[1].receiver, &told[1].result), (&name("moved"), &Ok(())));
    assert_eq!(dispatcher.counts().len(), 1);
}

#[tokio::test]
async fn a_reload_of_the_same_file_changes_nothing() {
    let server = Server::start(|_| Reply::Nothing).await;
    let config = config(&[("one", &server.url())]);
    let (dispatcher, _outcomes) = Dispatcher::start(config.clone(), Clock::real());
    dispatcher.offer(&notice(), &name("one"));
    until(&server, 1).await;
    dispatcher.reload(config);
    sleep(Duration::from_millis(200)).await;
    assert_eq!(server.requests().len(), 1);
}
