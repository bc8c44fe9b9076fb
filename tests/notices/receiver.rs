//! A receiver of CloudEvents in this process, which behaves as a test wants it to.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::sleep;

/// What it does with an event.
#[derive(Debug)]
pub(crate) enum Does {
    Accepts,
    /// Answers with this.
    Answers(StatusCode),
    /// Says that it has one, and answers never.
    HoldsBack(Option<oneshot::Sender<()>>),
}

pub(crate) struct Receiver {
    pub(crate) url: String,
    does: Arc<Mutex<Does>>,
    taken: Arc<Mutex<Vec<Value>>>,
}

type Shared = (Arc<Mutex<Does>>, Arc<Mutex<Vec<Value>>>);

impl Receiver {
    pub(crate) async fn start() -> Self {
        let shared: Shared = (Arc::new(Mutex::new(Does::Accepts)), Arc::default());
        let router = Router::new().route("/", post(take)).with_state(shared.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, does: shared.0, taken: shared.1 }
    }

    pub(crate) fn now(&self, does: Does) {
        *self.does.lock().unwrap() = does;
    }

    /// All events that it has seen, whatever it answered, about the Subscription called `name`.
    pub(crate) fn seen(&self, name: &str) -> Vec<Value> {
        let taken = self.taken.lock().unwrap();
        taken.iter().filter(|event| event["data"]["name"] == name).cloned().collect()
    }

    /// The ids of those, without the Subscription's.
    pub(crate) fn ids(&self, name: &str) -> Vec<String> {
        let id = |event: &Value| event["id"].as_str().unwrap().split_once('/').unwrap().1.to_owned();
        self.seen(name).iter().map(id).collect()
    }
}

async fn take(State((does, taken)): State<Shared>, body: String) -> StatusCode {
    let event: Value = serde_json::from_str(&body).unwrap();
    let hold = {
        taken.lock().unwrap().push(event);
        match &mut *does.lock().unwrap() {
            Does::Accepts => return StatusCode::ACCEPTED,
            Does::Answers(status) => return *status,
            Does::HoldsBack(told) => told.take(),
        }
    };
    if let Some(hold) = hold {
        let _ = hold.send(());
    }
    sleep(Duration::from_hours(1)).await;
    StatusCode::ACCEPTED
}
