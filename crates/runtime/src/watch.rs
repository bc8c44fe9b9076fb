//! Watches: one task each, which nothing ends. A watch that fails waits for itself only, and says once what is wrong.

use std::fmt::Debug;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::{Stream, StreamExt};
use kube::core::{DeserializeGuard, Status};
use kube::runtime::watcher::{self, watcher};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};
use tracing::{error, info, warn};

use super::backoff::Backoff;
use super::client::HEADER_TIMEOUT;
use super::diff::Diff;
pub use super::diff::Event;
use super::metrics::{ByWatch, Metrics};

/// How long the API server keeps a watch open. To resume one is cheap, and a connection that died in silence goes
/// unnoticed for not much longer than this.
pub const WATCH_TIMEOUT: Duration = Duration::from_mins(1);

/// How many objects a list has in one answer. The API server stores none that is larger than 1.5 MiB, and a list of each kind
/// may be read at once, so this bounds the memory that it takes to begin, whatever is stored. A page of a few is a matter of
/// milliseconds.
const PAGE: u32 = 10;

const BACKOFF: Backoff = Backoff { first: Duration::from_millis(500), cap: Duration::from_secs(10) };

/// The watcher does not report that it resumed a watch. It reports every failure though, and each attempt fails within the
/// client's bound: a watch that is silent for longer than that works.
const SILENCE: Duration = HEADER_TIMEOUT.saturating_add(Duration::from_secs(5));

/// The watches of this process and how they are. Copies share their state.
#[derive(Clone, Debug)]
pub struct Watches {
    metrics: Metrics,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    watches: Mutex<Vec<Health>>,
    changed: Notify,
}

#[derive(Clone, Copy, Debug)]
struct Health {
    name: &'static str,
    synced: bool,
    /// When it last worked, or else when it began.
    good: Instant,
}

impl Watches {
    pub fn new(metrics: &Metrics) -> Self {
        Self { metrics: metrics.clone(), state: Arc::default() }
    }

    /// Begins to count on a watch of the objects of `api`, and returns the watch: it runs while it is polled and never
    /// ends. It calls `on_event` with each change; `on_event` must not block. `name` is for people: the log, the metrics,
    /// and what is missing for readiness.
    pub fn watch<K>(
        &self,
        name: &'static str,
        api: Api<DeserializeGuard<K>>,
        on_event: impl FnMut(Event<K>) + Send + 'static,
    ) -> impl Future<Output = ()> + Send + 'static
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    {
        // A rate needs the zero before the first one.
        self.metrics.watch_errors.get_or_create(&ByWatch { watch: name }).inc_by(0);
        let slot = {
            let mut watches = self.state.lock();
            watches.push(Health { name, synced: false, good: Instant::now() });
            watches.len() - 1
        };
        Watch { name, slot, watches: self.clone(), diff: Diff::default(), trouble: None, on_event }.run(api)
    }

    /// The names of the watches that have not seen a first full list.
    pub fn unsynced(&self) -> Vec<&'static str> {
        self.state.lock().iter().filter(|watch| !watch.synced).map(|watch| watch.name).collect()
    }

    /// Waits until each watch has seen its first full list. What was not watched by then does not count.
    pub async fn synced(&self) {
        loop {
            let mut changed = std::pin::pin!(self.state.changed.notified());
            changed.as_mut().enable(); // from here on no change is missed
            if self.unsynced().is_empty() {
                return;
            }
            changed.await;
        }
    }

    /// Each watch with the time since it was last known to work. A watch that works is never older than about 20 s.
    pub fn ages(&self) -> Vec<(&'static str, Duration)> {
        self.state.lock().iter().map(|watch| (watch.name, watch.good.elapsed())).collect()
    }
}

impl State {
    fn lock(&self) -> MutexGuard<'_, Vec<Health>> {
        self.watches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Events<K> = Pin<Box<dyn Stream<Item = watcher::Result<watcher::Event<DeserializeGuard<K>>>> + Send>>;

struct Watch<F> {
    name: &'static str,
    slot: usize,
    watches: Watches,
    diff: Diff,
    trouble: Option<Trouble>,
    on_event: F,
}

/// Failures in a row.
struct Trouble {
    failures: u32,
    since: Instant,
    /// What was logged last.
    told: String,
}

impl<F> Watch<F> {
    async fn run<K>(mut self, api: Api<DeserializeGuard<K>>)
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
        F: FnMut(Event<K>) + Send + 'static,
    {
        let mut events = begin(&api);
        loop {
            match timeout(SILENCE, events.next()).await {
                Ok(Some(Ok(event))) => self.take(event),
                Ok(Some(Err(error))) => {
                    if from_scratch(&error) {
                        events = begin(&api);
                    }
                    sleep(self.fail::<K>(&error)).await;
                }
                Ok(None) => events = begin(&api), // the watcher never ends; if it did, begin again
                Err(_silence) if self.diff.listing() => {} // a list that takes its time
                Err(_silence) => self.works(),
            }
        }
    }

    fn take<K: Resource>(&mut self, event: watcher::Event<DeserializeGuard<K>>)
    where
        F: FnMut(Event<K>),
    {
        if !matches!(event, watcher::Event::Init) {
            self.works(); // Init comes before the API server is even asked
        }
        let name = self.name;
        let mut synced = false;
        self.diff.take(event, |event| {
            match &event {
                Event::Invalid { key, error } => error!(
                    watch = name,
                    "the object {key} cannot be read and is left out until it is changed or deleted: {error}"
                ),
                Event::Synced => synced = true,
                Event::Applied(_) | Event::Deleted(_) => {}
            }
            (self.on_event)(event);
        });
        let invalid = i64::from(self.diff.invalid());
        self.watches.metrics.invalid_objects.get_or_create(&ByWatch { watch: name }).set(invalid);
        if synced {
            self.watches.state.lock()[self.slot].synced = true;
            self.watches.state.changed.notify_waiters();
        }
    }

    /// Notes that the watch works.
    fn works(&mut self) {
        self.watches.state.lock()[self.slot].good = Instant::now();
        if let Some(trouble) = self.trouble.take() {
            let seconds = trouble.since.elapsed().as_secs();
            info!(watch = self.name, "the watch works again, after {} failures in {seconds} s", trouble.failures);
        }
    }

    /// Notes a failure, logs it if it differs from the last, and returns how long to wait.
    fn fail<K: Resource<DynamicType = ()>>(&mut self, error: &watcher::Error) -> Duration {
        self.watches.metrics.watch_errors.get_or_create(&ByWatch { watch: self.name }).inc();
        let trouble =
            self.trouble.get_or_insert_with(|| Trouble { failures: 0, since: Instant::now(), told: String::new() });
        trouble.failures = trouble.failures.saturating_add(1);
        let text = explain::<K>(error);
        if trouble.told != text {
            warn!(watch = self.name, "{text}; trying again");
            trouble.told = text;
        }
        BACKOFF.delay(trouble.failures)
    }
}

fn begin<K>(api: &Api<DeserializeGuard<K>>) -> Events<K>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let seconds = u32::try_from(WATCH_TIMEOUT.as_secs()).unwrap_or(u32::MAX);
    Box::pin(watcher(api.clone(), watcher::Config::default().timeout(seconds).page_size(PAGE)))
}

/// Whether only a new list helps. The watcher by itself would for ever try to resume where it left off.
fn from_scratch(error: &watcher::Error) -> bool {
    let refused = matches!(error, watcher::Error::WatchStartFailed(_));
    refused && status(error).is_some_and(|status| matches!(status.code, 404 | 410))
}

fn status(error: &watcher::Error) -> Option<&Status> {
    use watcher::Error::{InitialListFailed, NoResourceVersion, WatchError, WatchFailed, WatchStartFailed};
    match error {
        InitialListFailed(kube::Error::Api(status))
        | WatchStartFailed(kube::Error::Api(status))
        | WatchFailed(kube::Error::Api(status))
        | WatchError(status) => Some(status),
        InitialListFailed(_) | WatchStartFailed(_) | WatchFailed(_) | NoResourceVersion => None,
    }
}

/// What the failure means and what can be done about it.
fn explain<K: Resource<DynamicType = ()>>(error: &watcher::Error) -> String {
    let (plural, group, version) = (K::plural(&()), K::group(&()), K::version(&()));
    let resource = if group.is_empty() { plural.to_string() } else { format!("{plural}.{group}") };
    match status(error) {
        Some(status) if status.code == 404 && group.contains('.') => format!(
            "the cluster does not serve {resource} in version {version}: install or update the \
             CustomResourceDefinition \"{resource}\""
        ),
        Some(status) if status.code == 403 => format!(
            "not allowed to list and watch {resource}: grant both verbs to this program's ServiceAccount ({})",
            status.message
        ),
        Some(status) => format!("cannot watch {resource}: {} ({} {})", status.message, status.code, status.reason),
        None => format!("cannot watch {resource}: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::io;
    use std::sync::atomic::Ordering::SeqCst;
    use std::sync::atomic::{AtomicU16, AtomicUsize};

    use axum::body::Body;
    use axum::extract::Query;
    use axum::http::StatusCode;
    use axum::response::{IntoResponse, Response};
    use axum::routing::get;
    use axum::{Json, Router};
    use futures::stream;
    use k8s_openapi::api::coordination::v1::Lease;
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::{Client, ResourceExt};
    use prometheus_client::registry::Registry;
    use serde_json::{Value, json};
    use tokio::sync::{broadcast, mpsc};

    use super::*;

    /// An API server with some `ConfigMaps` and Leases: the same list for both.
    #[derive(Clone)]
    struct Server {
        list: Arc<Mutex<Vec<Value>>>,
        /// The status of every answer.
        status: Arc<AtomicU16>,
        lists: Arc<AtomicUsize>,
        /// What to send to every open watch; null ends it.
        watches: broadcast::Sender<Value>,
    }

    fn object(name: &str, version: u32) -> Value {
        json!({"metadata": {"namespace": "team-a", "name": name, "resourceVersion": version.to_string()}})
    }

    impl Server {
        fn new(list: Vec<Value>) -> Self {
            let (lists, status) = (Arc::default(), Arc::new(AtomicU16::new(200)));
            Self { list: Arc::new(Mutex::new(list)), status, lists, watches: broadcast::channel(16).0 }
        }

        fn client(&self) -> Client {
            let server = self.clone();
            let handler = get(async move |Query(query): Query<Vec<(String, String)>>| {
                let is_there = |name| query.iter().any(|(key, _)| key == name);
                let number =
                    |name| query.iter().find(|(key, _)| key == name).map_or(0, |(_, value)| value.parse().unwrap());
                server.answer(is_there("watch"), number("continue"), number("limit"))
            });
            let leases = "/apis/coordination.k8s.io/v1/leases";
            Client::new(Router::new().route("/api/v1/configmaps", handler.clone()).route(leases, handler), "default")
        }

        fn answer(&self, watch: bool, from: usize, limit: usize) -> Response {
            let status = StatusCode::from_u16(self.status.load(SeqCst)).unwrap();
            if status != StatusCode::OK {
                let body = json!({"kind": "Status", "status": "Failure", "code": status.as_u16(), "message": "no"});
                return (status, Json(body)).into_response();
            }
            if !watch {
                self.lists.fetch_add(1, SeqCst);
                let list = self.list.lock().unwrap();
                let to = list.len().min(from + limit);
                let rest = if to < list.len() { to.to_string() } else { String::new() };
                let metadata = json!({"resourceVersion": "100", "continue": rest});
                return Json(json!({"metadata": metadata, "items": list[from..to]})).into_response();
            }
            let lines = stream::unfold(self.watches.subscribe(), async |mut events| {
                let event = events.recv().await.unwrap();
                (!event.is_null()).then(|| (Ok::<_, io::Error>(format!("{event}\n")), events))
            });
            Body::from_stream(lines).into_response()
        }

        /// Watches the kind; returns what is reported, in short.
        fn watch<K>(&self) -> (Watches, mpsc::UnboundedReceiver<String>)
        where
            K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
        {
            let watches = Watches::new(&Metrics::register(&mut Registry::default()));
            let (tell, told) = mpsc::unbounded_channel();
            let on_event = move |event: Event<K>| {
                let text = match event {
                    Event::Applied(object) => format!("{} {}", object.name_any(), object.resource_version().unwrap()),
                    Event::Deleted(key) => format!("-{key}"),
                    Event::Invalid { key, .. } => format!("!{key}"),
                    Event::Synced => "synced".to_owned(),
                };
                tell.send(text).unwrap();
            };
            tokio::spawn(watches.watch("things", Api::all(self.client()), on_event));
            (watches, told)
        }
    }

    async fn next(told: &mut mpsc::UnboundedReceiver<String>) -> String {
        timeout(Duration::from_mins(1), told.recv()).await.expect("nothing was told").unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn tells_what_is_there_and_then_what_changes() {
        let broken = json!({"metadata": object("b", 2)["metadata"], "data": 7});
        let server = Server::new(vec![object("a", 1), broken]);
        let (watches, mut told) = server.watch::<ConfigMap>();
        assert_eq!(watches.unsynced(), ["things"]);
        watches.synced().await;
        assert_eq!(
            [next(&mut told).await, next(&mut told).await, next(&mut told).await],
            ["a 1", "!team-a/b", "synced"]
        );
        let invalid = watches.metrics.invalid_objects.get_or_create(&ByWatch { watch: "things" }).get();
        assert_eq!((watches.unsynced().len(), invalid), (0, 1));

        sleep(Duration::from_secs(1)).await;
        server.watches.send(json!({"type": "MODIFIED", "object": object("a", 101)})).unwrap();
        server.watches.send(json!({"type": "DELETED", "object": object("b", 102)})).unwrap();
        assert_eq!([next(&mut told).await, next(&mut told).await], ["a 101", "-team-a/b"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_list_comes_in_small_pages() {
        let server = Server::new((1..=35).map(|number| object(&format!("object-{number}"), number)).collect());
        let (watches, mut told) = server.watch::<ConfigMap>();
        watches.synced().await;
        assert_eq!(server.lists.load(SeqCst), 4, "no answer is large, whatever the objects are");
        for number in 1..=35 {
            assert_eq!(next(&mut told).await, format!("object-{number} {number}"));
        }
        assert_eq!(next(&mut told).await, "synced");
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_history_is_made_up_for_by_a_list() {
        let server = Server::new(vec![object("a", 1), object("b", 2)]);
        let (watches, mut told) = server.watch::<ConfigMap>();
        watches.synced().await;
        sleep(Duration::from_secs(1)).await;
        *server.list.lock().unwrap() = vec![object("b", 2), object("c", 103)];
        let gone = json!({"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"});
        server.watches.send(json!({"type": "ERROR", "object": gone})).unwrap();
        let mut all = Vec::new();
        while all.len() < 6 {
            all.push(next(&mut told).await);
        }
        assert_eq!(all, ["a 1", "b 2", "synced", "c 103", "-team-a/a", "synced"]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_is_visible_and_over_soon_after_its_end() {
        let server = Server::new(vec![object("a", 1)]);
        let (watches, _told) = server.watch::<ConfigMap>();
        watches.synced().await;
        sleep(Duration::from_mins(10)).await;
        let age = || watches.ages()[0].1;
        assert!(age() <= Duration::from_secs(20), "a quiet watch works, its age is {:?}", age());

        server.status.store(503, SeqCst);
        server.watches.send(Value::Null).unwrap();
        sleep(Duration::from_mins(10)).await;
        assert!(age() >= Duration::from_mins(10), "{:?}", age());
        let errors = watches.metrics.watch_errors.get_or_create(&ByWatch { watch: "things" }).get();
        assert!((60..=130).contains(&errors), "{errors} attempts in 10 minutes");

        server.status.store(200, SeqCst);
        sleep(BACKOFF.cap + SILENCE).await;
        assert!(age() <= Duration::from_secs(20), "{:?}", age());
        assert_eq!(server.lists.load(SeqCst), 1, "nothing was lost, so nothing needs to be listed again");
    }

    thread_local! {
        static LOG: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }

    /// Keeps what this thread logs. A test has a thread of its own.
    struct Log;

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            LOG.with_borrow_mut(|log| log.write(bytes))
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_missing_crd_is_named_once_and_waited_for() {
        // For the whole process: a subscriber of one thread misses what another thread's lack of one has switched off.
        tracing_subscriber::fmt().with_ansi(false).with_writer(|| Log).init();
        let server = Server::new(vec![object("a", 1)]);
        server.status.store(404, SeqCst);
        let (watches, mut told) = server.watch::<Lease>();
        sleep(Duration::from_mins(5)).await;
        assert_eq!(watches.unsynced(), ["things"]);

        server.status.store(200, SeqCst);
        assert_eq!(next(&mut told).await, "a 1");
        server.status.store(404, SeqCst); // and it is deleted again
        server.watches.send(Value::Null).unwrap();
        sleep(Duration::from_mins(1)).await;
        *server.list.lock().unwrap() = vec![];
        server.status.store(200, SeqCst);
        assert_eq!(
            [next(&mut told).await, next(&mut told).await, next(&mut told).await],
            ["synced", "-team-a/a", "synced"]
        );

        let log = String::from_utf8(LOG.take()).unwrap();
        let named = "CustomResourceDefinition \"leases.coordination.k8s.io\"";
        assert_eq!(log.matches(named).count(), 2, "once per outage: {log}");
        assert_eq!(log.matches("the watch works again").count(), 2, "{log}");
    }

    #[test]
    fn a_missing_right_is_named() {
        let status = Status::failure("forbidden to everybody", "Forbidden").with_code(403);
        let error = watcher::Error::InitialListFailed(kube::Error::Api(status.boxed()));
        let text = explain::<Lease>(&error);
        assert!(
            text.contains("list and watch leases.coordination.k8s.io") && text.contains("ServiceAccount"),
            "{text}"
        );
    }
}
