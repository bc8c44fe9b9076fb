use payg_notify::{Contact, Notice, SendError};
use serde_json::Value;

use crate::programs::Server;
use crate::{config, notice, send};

/// A certificate for localhost with its key, and a password, as files.
struct Files {
    dir: tempfile::TempDir,
}

impl Files {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let identity = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(dir.path().join("certificate.pem"), identity.cert.pem()).unwrap();
        std::fs::write(dir.path().join("key.pem"), identity.signing_key.serialize_pem()).unwrap();
        std::fs::write(dir.path().join("password"), "s3cr3t\n").unwrap();
        Self { dir }
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }

    async fn server(&self, more: &[&str]) -> Server {
        let (certificate, key) = (self.path("certificate.pem"), self.path("key.pem"));
        Server::start("smtp.py", &[&["--certificate", &certificate, "--key", &key], more].concat()).await
    }
}

fn headers(mail: &Value, name: &str) -> String {
    mail["headers"][name].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_mail_arrives_over_tls_with_a_login() {
    let files = Files::new();
    for (tls, implicit) in [("StartTls", &[][..]), ("Implicit", &["--implicit"][..])] {
        let login = ["--user", "payg", "--password", "s3cr3t"];
        let mut server = files.server(&[implicit, &login].concat()).await;
        let fields = format!(
            "smtp: {{host: localhost, port: {}, tls: {tls}, caFile: {}, username: payg, passwordFile: {}, from: payg@example.com, to: [ops@example.com], contacts: true}}",
            server.port,
            files.path("certificate.pem"),
            files.path("password"),
        );
        send(&config(&fields), &notice()).await.unwrap();
        let (first, second) = (server.taken().await, server.taken().await);
        assert_eq!((&first["to"][0], &second["to"][0]), (&"ops@example.com".into(), &"jane@example.com".into()));
        assert_eq!(first["user"], "payg");
        assert_eq!(first["tls"], tls == "StartTls", "the server notes TLS that began in its session");
        assert_eq!(headers(&first, "subject"), "The trial of “Zoë’s <b>lab</b>” ends in 7 days");
        assert_eq!(headers(&first, "from"), "payg-operator <payg@example.com>");
        assert_eq!(headers(&first, "to"), "ops@example.com", "nobody sees who else got it");
        assert_eq!(headers(&first, "auto-submitted"), "auto-generated");
        assert_eq!(headers(&first, "message-id"), headers(&second, "message-id"));
        let (plain, html) = (
            first["parts"]["text/plain"].as_str().unwrap().replace("\r\n", "\n"),
            first["parts"]["text/html"].as_str().unwrap(),
        );
        assert!(
            plain.contains("Credit left: 12.40 USD\n") && plain.contains("    payg approve sandbox -n team-a\n"),
            "{plain}"
        );
        assert!(html.contains("<a href=\"https://portal.azure.com/#x?a=1&amp;b=2\">"), "{html}");
        assert!(!html.contains("<b>") && !html.contains("evil.example"), "{html}");

        std::fs::write(files.path("password"), "an0ther").unwrap();
        let refused = send(&config(&fields), &notice()).await.unwrap_err();
        assert!(matches!(&refused, SendError::Refused(why) if !why.contains("an0ther")), "{refused}");
        std::fs::write(files.path("password"), "s3cr3t").unwrap();
    }
}

#[tokio::test]
async fn nothing_is_said_to_a_server_that_is_not_trusted_or_has_no_tls() {
    let files = Files::new();
    let server = files.server(&[]).await;
    let to = |port: u16| {
        config(&format!("smtp: {{host: localhost, port: {port}, from: payg@example.com, to: [ops@example.com]}}"))
    };
    let untrusted = send(&to(server.port), &notice()).await.unwrap_err();
    assert!(matches!(untrusted, SendError::Temporary { .. }), "{untrusted}");
    let bare = Server::start("smtp.py", &[]).await;
    let without = send(&to(bare.port), &notice()).await.unwrap_err();
    assert!(matches!(without, SendError::Temporary { .. } | SendError::Refused(_)), "{without}");
}

#[tokio::test]
async fn a_recipient_that_is_refused_or_put_off_holds_back_no_other() {
    let mut server = Server::start("smtp.py", &[]).await;
    let fields = format!(
        "smtp: {{host: 127.0.0.1, port: {}, tls: None, from: payg@example.com, to: [a@later.example, b@refused.example, ops@example.com]}}",
        server.port
    );
    let config = config(&fields);
    let (dispatcher, mut outcomes) = payg_notify::Dispatcher::start(config.clone(), payg_clock::Clock::real());
    let name = config.receivers()[0];
    dispatcher.offer(&notice(), name);
    assert_eq!(outcomes.recv().await.unwrap().result, Ok(()));
    let recipients = [server.taken().await["to"][0].clone(), server.taken().await["to"][0].clone()];
    assert_eq!(recipients, ["ops@example.com", "a@later.example"], "each gets it once");
    assert_eq!(dispatcher.counts()[0].1.failed, 1);

    let nobody = Notice { contacts: Contact::parse_list("x@elsewhere.example").unwrap(), ..notice() };
    dispatcher.offer(&Notice { id: "next".to_owned(), ..nobody }, name);
    assert_eq!(outcomes.recv().await.unwrap().result, Ok(()));
    assert_eq!(server.taken().await["to"][0], "a@later.example", "and the next notice goes to all again");
}

#[tokio::test]
async fn a_mail_server_that_hangs_is_given_up() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let fields =
        format!("smtp: {{host: 127.0.0.1, port: {port}, tls: None, from: payg@example.com, to: [ops@example.com]}}");
    let config = config(&fields);
    let notice = notice();
    let (given_up, _held) = tokio::join!(send(&config, &notice), listener.accept());
    assert!(
        matches!(&given_up, Err(SendError::Temporary { detail, .. }) if detail.contains("did not answer")),
        "{given_up:?}"
    );
}
