use jiff::Timestamp;
use payg_notify::Notice;

use crate::programs::Server;
use crate::{config, notice, send};

#[tokio::test]
async fn cloudevents_own_sdk_reads_both_modes() {
    let mut server = Server::start("events.py", &[]).await;
    for mode in ["Structured", "Binary"] {
        let fields =
            format!("cloudEvents: {{url: \"http://127.0.0.1:{}\", source: /clusters/prod, mode: {mode}}}", server.port);
        let notice = Notice { id: "ü “1” %".to_owned(), ..notice() };
        send(&config(&fields), &notice).await.unwrap();
        let event = server.taken().await;
        for (name, value) in [
            ("id", "ü “1” %"),
            ("source", "/clusters/prod"),
            ("specversion", "1.0"),
            ("type", "io.payg-operator.notice.EndAhead"),
            ("subject", "team-a/sandbox"),
            ("severity", "warning"),
        ] {
            assert_eq!(event["attributes"][name], value, "{name} in {mode}");
        }
        assert_eq!(event["data"]["title"], notice.title, "{mode}");
        assert_eq!(event["data"]["facts"][0]["value"], "12.40 USD", "{mode}");

        send(&config(&fields), &Notice { ends: Some(Timestamp::now()), ..notice }).await.unwrap();
        let ended = server.taken().await;
        assert_eq!(ended["attributes"]["id"], "ü “1” %/ended", "{mode}");
        assert!(ended["data"]["ends"].is_string(), "{mode}");
    }
}
