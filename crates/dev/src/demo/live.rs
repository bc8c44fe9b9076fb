//! The stories as they go on: each Subscription in the API server, shown as it changes, and the people who
//! have to do something.

use std::pin::pin;
use std::time::Duration;

use futures::StreamExt;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, ResourceExt};
use tokio::time::{Instant, interval};

use super::people;
use super::screen::Screen;
use super::stage::{NAMESPACE, Stage};
use super::stories::{STORIES, Story};
use super::table;
use payg_api as api;
use payg_core::account::AccountId;
use payg_operator::cli::Error;
use payg_operator::cli::columns::{Style, cut};

const FRAME: Duration = Duration::from_millis(200);
/// How long people take to do what they are asked for.
const HESITATION: Duration = Duration::from_secs(3);
/// By when every story must have ended.
const LIMIT: Duration = Duration::from_secs(150);

/// A message that must be cut shorter than this is left out.
const SHORTEST_MESSAGE: usize = 30;
/// The longest line where there is no terminal.
const LINE: usize = 160;

/// How far a story has come.
pub struct Progress {
    pub story: &'static Story,
    pub account: AccountId,
    /// The Subscription as it was last seen.
    pub subscription: Option<api::Subscription>,
    /// The reasons of its Ready condition, in order.
    pub reasons: Vec<String>,
    /// Since when it has had the last of them.
    since: Instant,
    person_has_acted: bool,
}

impl Progress {
    pub fn new(story: &'static Story, account: AccountId) -> Self {
        let (reasons, since) = (Vec::new(), Instant::now());
        Self { story, account, subscription: None, reasons, since, person_has_acted: false }
    }

    pub fn reason(&self) -> &str {
        self.reasons.last().map_or("-", String::as_str)
    }

    /// The class of the offer in force.
    pub fn offer(&self) -> &str {
        self.subscription.as_ref().map_or("-", table::offer)
    }

    pub fn has_ended(&self) -> bool {
        self.story.path.last() == Some(&self.reason())
    }

    fn message(&self) -> &str {
        self.subscription.as_ref().and_then(table::ready).map_or("", |ready| &ready.message)
    }

    /// Takes notice of the Subscription, and says whether there is something to tell.
    fn see(&mut self, subscription: api::Subscription) -> bool {
        let before = (self.offer().to_owned(), self.reasons.len());
        if let Some(ready) = table::ready(&subscription)
            && ready.reason != self.reason()
        {
            self.reasons.push(ready.reason.clone());
            self.since = Instant::now();
        }
        self.subscription = Some(subscription);
        !self.reasons.is_empty() && before != (self.offer().to_owned(), self.reasons.len())
    }
}

/// Shows the stories until every one has ended.
pub async fn play(stage: &mut Stage, screen: &mut Screen) -> Result<Vec<Progress>, Error> {
    let mut stories: Vec<_> =
        STORIES.iter().zip(&stage.accounts).map(|(story, account)| Progress::new(story, account.clone())).collect();
    let subscriptions: Api<api::Subscription> = Api::namespaced(stage.stack.control_plane.admin_client()?, NAMESPACE);
    let mut changes = pin!(watcher(subscriptions, watcher::Config::default()).default_backoff().applied_objects());
    let mut frames = interval(FRAME);
    let deadline = Instant::now() + LIMIT;
    while !stories.iter().all(Progress::has_ended) {
        tokio::select! {
            change = changes.next() => match change {
                Some(Ok(subscription)) => take(stage, screen, &mut stories, subscription)?,
                // The watch is taken up again by itself; if it cannot be, the deadline passes.
                Some(Err(error)) => tracing::debug!(%error, "the watch was interrupted"),
                None => return Err("the watch of Subscriptions has ended".into()),
            },
            _ = frames.tick() => {
                screen.draw(frame(stage, screen, &stories))?;
                stage.check_operator()?;
                let due = |one: &&mut Progress| one.since.elapsed() >= HESITATION && !one.person_has_acted;
                for one in stories.iter_mut().filter(due) {
                    one.person_has_acted = people::act(stage, screen, one).await?;
                }
            }
        }
        if Instant::now() > deadline {
            return Err(overdue(&stories).into());
        }
    }
    screen.draw(frame(stage, screen, &stories))?;
    screen.settle();
    Ok(stories)
}

fn take(
    stage: &Stage,
    screen: &mut Screen,
    stories: &mut [Progress],
    subscription: api::Subscription,
) -> Result<(), Error> {
    let name = subscription.name_any();
    let Some(one) = stories.iter_mut().find(|one| one.story.name == name) else { return Ok(()) };
    if one.see(subscription) && !screen.is_live() {
        let (day, offer, reason, message) = (day(stage), one.offer(), one.reason(), one.message());
        let line = format!("day {day:>2}  {name:<12}  {offer:<10}  {reason:<21}  {message}");
        screen.line(&cut(&line, LINE))?;
    }
    Ok(())
}

/// The days since the accounts were made.
pub fn day(stage: &Stage) -> i64 {
    stage.stack.clock.now().duration_since(stage.start).as_hours() / 24
}

fn frame(stage: &Stage, screen: &Screen, stories: &[Progress]) -> Vec<String> {
    let rows = stories.iter().map(|one| table::row(one.story.name, one.subscription.as_ref()));
    let mut rows: Vec<_> = std::iter::once(table::headings()).chain(rows).collect();
    if screen.width() < table::width_without_message() + SHORTEST_MESSAGE {
        for row in &mut rows {
            row.pop();
        }
    }
    let mut lines = vec![String::new(), header(stage, screen), String::new()];
    lines.extend(screen.columns(&rows));
    lines
}

fn header(stage: &Stage, screen: &Screen) -> String {
    let now: Timestamp = stage.stack.clock.now();
    let date = now.to_zoned(TimeZone::UTC).strftime("%A, %b %d %Y").to_string();
    let day = format!("day {} of the trials; a day passes in a second", day(stage));
    format!("{}  {}", screen.paint(Style::Bold, &date), screen.paint(Style::Dim, &day))
}

fn overdue(stories: &[Progress]) -> String {
    let late = stories.iter().filter(|one| !one.has_ended());
    let late = late.map(|one| format!("{} is {} ({})", one.story.name, one.reason(), cut(one.message(), 300)));
    let late: Vec<_> = late.collect();
    format!("after {} s some stories have not ended: {}", LIMIT.as_secs(), late.join("; "))
}
