use serde_json::json;

use super::*;
use crate::fixtures::{Reply, Server, reply};

fn endpoint(address: Address) -> Endpoint {
    Endpoint { address, token: None, ca: None, insecure: false }
}

fn at(server: &Server) -> Endpoint {
    endpoint(Address::Known(server.url().parse().unwrap()))
}

async fn post(endpoint: Endpoint) -> Result<(), SendError> {
    Poster::new(endpoint).post(&["api"], HeaderMap::new(), "{}".to_owned()).await
}

fn file(text: &str) -> tempfile::TempPath {
    let file = tempfile::NamedTempFile::new().unwrap().into_temp_path();
    std::fs::write(&file, text).unwrap();
    file
}

#[tokio::test]
async fn an_answer_says_whether_to_try_again() {
    let temporary = |detail: &str, after: Option<u64>| {
        Err(SendError::Temporary { detail: detail.to_owned(), after: after.map(Duration::from_secs) })
    };
    let refused = |detail: &str| Err(SendError::Refused(detail.to_owned()));
    for (answer, expected) in [
        (reply(200, "", "ok"), Ok(())),
        (reply(202, "", ""), Ok(())),
        (reply(500, "", "sorry\nagain"), temporary("answered 500: sorry\\nagain", None)),
        (reply(503, "retry-after: 7\r\n", ""), temporary("answered 503", Some(7))),
        (reply(429, "retry-after: 120\r\n", "rate_limited"), temporary("answered 429: rate_limited", Some(120))),
        (reply(429, "retry-after: soon\r\n", ""), temporary("answered 429", None)),
        (reply(429, "retry-after: Sun, 06 Nov 1994 08:49:37 GMT\r\n", ""), temporary("answered 429", None)),
        (reply(408, "", ""), temporary("answered 408", None)),
        (reply(400, "", "bad"), refused("answered 400: bad")),
        (reply(404, "", ""), refused("answered 404")),
        (reply(413, "", ""), refused("answered 413")),
    ] {
        let shown = format!("{answer:?}");
        let server = Server::start(move |_| answer.clone()).await;
        assert_eq!(post(at(&server)).await, expected, "{shown}");
        assert_eq!(server.requests()[0].line, "POST /api");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Server::start(|_| reply(200, "", "")).await;
    let location = format!("location: {}\r\n", elsewhere.url());
    for status in [301, 302, 307, 308] {
        let location = location.clone();
        let server = Server::start(move |_| reply(status, &location, "")).await;
        let problem = post(at(&server)).await.unwrap_err();
        assert!(matches!(&problem, SendError::Refused(why) if why.contains("redirects are not followed")), "{problem}");
    }
    assert_eq!(elsewhere.requests().len(), 0);
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_none() {
    for cut in [
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nok",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nok",
        "HTTP/1.1 20",
        "",
    ] {
        let server = Server::start(move |_| Reply::Bytes(cut.to_owned())).await;
        let problem = post(at(&server)).await.unwrap_err();
        assert!(matches!(problem, SendError::Temporary { .. }), "{problem} for {cut:?}");
    }
}

#[tokio::test]
async fn an_answer_without_end_is_not_read() {
    let server = Server::start(|_| reply(200, "", &"x".repeat(LARGEST_BODY + 1))).await;
    assert_eq!(post(at(&server)).await, Err(SendError::Refused("answered 200 with more than 64 KiB".to_owned())));
}

#[tokio::test]
async fn nobody_there_is_a_failure_for_now() {
    let server = Server::start(|_| Reply::Nothing).await;
    let mut gone = at(&server);
    gone.address = Address::Known("http://127.0.0.1:1".parse().unwrap());
    assert!(matches!(post(gone).await.unwrap_err(), SendError::Temporary { after: None, .. }));
}

#[tokio::test]
async fn secrets_are_read_at_each_send_and_never_repeated() {
    let server = Server::start(|_| reply(400, "", "no s3cr3t here, or t0ken")).await;
    let (url, token) = (file(&format!(" {}/s3cr3t\n", server.url())), file("t0ken\n"));
    let mut secret = endpoint(Address::Secret(url.to_path_buf()));
    secret.token = Some(token.to_path_buf());
    let poster = Poster::new(secret);
    let send = || poster.post(&[], HeaderMap::new(), json!({}).to_string());
    assert_eq!(send().await, Err(SendError::Refused("answered 400".to_owned())));
    std::fs::write(&token, "an0ther").unwrap();
    let _ = send().await;
    let seen: Vec<_> = server
        .requests()
        .iter()
        .map(|request| (request.line.clone(), request.header("authorization").map(str::to_owned)))
        .collect();
    let with = |token: &str| ("POST /s3cr3t".to_owned(), Some(format!("Bearer {token}")));
    assert_eq!(seen, [with("t0ken"), with("an0ther")]);

    for wrong in ["", "s3cr3t", "ftp://s3cr3t", "http://hooks.example/s3cr3t", "http://10.0.0.1/s3cr3t"] {
        std::fs::write(&url, wrong).unwrap();
        let problem = send().await.unwrap_err().to_string();
        assert!(problem.contains(url.to_str().unwrap()) && !problem.contains("s3cr3t"), "{problem}");
    }
    std::fs::write(&url, server.url()).unwrap();
    std::fs::write(&token, "t0ken\nmore").unwrap();
    let problem = send().await.unwrap_err().to_string();
    assert!(problem.contains("more in it than a token") && !problem.contains("t0ken"), "{problem}");
    std::fs::remove_file(&token).unwrap();
    assert!(send().await.unwrap_err().to_string().contains("cannot be read"));
}

#[tokio::test]
async fn a_file_of_certificates_must_hold_some() {
    let server = Server::start(|_| reply(200, "", "")).await;
    let (none, mut trusting) = (file("no certificate"), at(&server));
    trusting.ca = Some(none.to_path_buf());
    let problem = post(trusting).await.unwrap_err().to_string();
    assert!(problem.contains("there is no certificate in /"), "{problem}");
}

#[test]
fn only_this_machine_is_private_without_tls() {
    let private = |url: &str| is_private(&url.parse().unwrap());
    for url in
        ["https://example.com", "http://localhost:1", "http://127.0.0.2", "http://[::1]:9", "http://[::ffff:127.0.0.1]"]
    {
        assert!(private(url), "{url}");
    }
    for url in [
        "http://example.com",
        "http://localhost.example",
        "http://10.0.0.1",
        "http://[fd00::1]",
        "http://127.0.0.1.nip.io",
    ] {
        assert!(!private(url), "{url}");
    }
}
