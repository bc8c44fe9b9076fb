//! A campaign: kills, pauses, restarts of the API server and faults, by chance from one seed, while accounts come and go;
//! then a time without, in which all must settle.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fastrand::Rng;
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout};

use crate::account::{Account, Life};
use crate::faults;
use crate::replicas::{Ended, Replicas};
use crate::report::{Done, Report};
use crate::requests::Requests;
use crate::seen::{Seen, understood};
use crate::verdict::{History, Request};
use crate::workload::{ESTATE, Estate, World};

/// Until when all must be settled after the last kill: two settle times and some more.
const DRAIN: Duration = Duration::from_mins(5);
/// How long it may take until somebody holds a lease that was left to expire.
const ELECTION: Duration = Duration::from_secs(20);
/// The number of accounts at once. An operator observes all of them at each start, and has little time.
const MOST_ACCOUNTS: usize = 60;
/// How long an aimed kill waits for an attempt: a process that has just begun must get some time, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(4);
const PROGRESS: Duration = Duration::from_secs(30);

/// Something that can cut an attempt short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    Kill,
    Other,
}

/// A campaign in progress.
pub(crate) struct Campaign<'a> {
    world: &'a Arc<World>,
    replicas: Replicas<'a>,
    seen: Arc<Seen>,
    attempts: watch::Receiver<usize>,
    requests: Arc<Requests>,
    random: Rng,
    lives: JoinSet<Life>,
    settled: Vec<Life>,
    over: Arc<AtomicBool>,
    accounts: u32,
    estate: Arc<Estate>,
    api_server: Option<JoinHandle<()>>,
    done: Done,
    cuts: Vec<(Timestamp, Cut)>,
}

/// Runs a campaign of `kills` kills.
pub(crate) async fn run(world: &Arc<World>, kills: usize, seed: u64) -> (Report, BTreeMap<String, String>) {
    let began = Instant::now();
    let watched = Seen::watch(&world.admin);
    let mut campaign = Campaign {
        world,
        replicas: Replicas::start(&world.stack, world.admin.clone()).await,
        attempts: watched.attempts(),
        seen: watched,
        requests: Requests::collect(world),
        random: Rng::with_seed(seed),
        lives: JoinSet::new(),
        settled: Vec::new(),
        over: Arc::default(),
        accounts: 0,
        estate: Arc::new(Estate::new(0)),
        api_server: None,
        done: Done::default(),
        cuts: Vec::new(),
    };
    let mut told = Instant::now();
    while campaign.done.kills < kills {
        campaign.step().await;
        if told.elapsed() > PROGRESS {
            told = Instant::now();
            campaign.tell(kills, began.elapsed());
        }
    }
    campaign.drain().await;
    campaign.report(seed, began.elapsed().as_secs()).await
}

impl Campaign<'_> {
    fn chance(&mut self, percent: u32) -> bool {
        self.random.u32(0..100) < percent
    }

    fn millis(&mut self, range: std::ops::Range<u64>) -> Duration {
        Duration::from_millis(self.random.u64(range))
    }

    fn cut(&mut self, cut: Cut) {
        self.cuts.push((Timestamp::now(), cut));
    }

    /// One kill, or something else that is bad.
    async fn step(&mut self) {
        self.look_after().await;
        let more = 1 + usize::from(self.chance(50));
        for _ in self.lives.len()..MOST_ACCOUNTS.min(self.lives.len() + more) {
            self.another_account();
        }
        if self.chance(35) {
            let (name, fault) = faults::of_anything(&mut self.random);
            self.world.fault(name, &fault).await;
        }
        if self.chance(1) && self.api_server.is_none() {
            self.restart_api_server();
        }
        let patience = if self.api_server.is_some() { Duration::from_secs(1) } else { ELECTION };
        let leader = self.replicas.elected(patience).await;
        let is_aimed = self.chance(70);
        let pause = if is_aimed { self.next_intent().await } else { self.millis(20..500) };
        sleep(pause).await;
        let nobody_stands_still = (0..2).all(|index| !self.replicas.is_paused(index));
        match leader {
            Some(leader) if nobody_stands_still && self.chance(8) => self.pause(leader).await,
            Some(leader) if is_aimed => self.kill(leader, true).await,
            _ => {
                let one = self.random.usize(0..2);
                // Who stands still is more interesting alive.
                let victim = if self.replicas.is_paused(one) && !self.chance(10) { 1 - one } else { one };
                self.kill(victim, leader == Some(victim)).await;
            }
        }
    }

    /// Waits until an attempt is made, and returns how much longer to wait: a moment between intent and outcome.
    async fn next_intent(&mut self) -> Duration {
        self.attempts.mark_unchanged();
        let _ = timeout(PATIENCE, self.attempts.changed()).await;
        Duration::from_micros(self.random.u64(0..50_000))
    }

    async fn kill(&mut self, victim: usize, is_leader: bool) {
        self.replicas.kill(victim);
        self.done.kills += 1;
        if !is_leader {
            return;
        }
        self.cut(Cut::Kill);
        self.done.leaders += 1;
        if self.chance(5) {
            self.replicas.kill(1 - victim);
            self.done.kills += 1;
        }
        if self.chance(1) {
            self.done.expired += 1;
        } else {
            self.replicas.free_lease_of_the_killed(victim).await;
        }
    }

    async fn pause(&mut self, leader: usize) {
        let is_long = self.chance(20);
        let time = if is_long { self.millis(31_000..45_000) } else { self.millis(50..4_000) };
        let frees_lease = is_long || self.chance(50);
        self.cut(Cut::Other);
        self.done.pauses += 1;
        self.done.long_pauses += usize::from(is_long);
        self.replicas.pause(leader, time, frees_lease).await;
    }

    fn restart_api_server(&mut self) {
        self.cut(Cut::Other);
        self.done.api_server_restarts += 1;
        let world = Arc::clone(self.world);
        self.api_server =
            Some(tokio::task::spawn_local(
                async move { world.stack.control_plane.restart_api_server().await.unwrap() },
            ));
    }

    /// What is due: who has stood still for long enough goes on, who has ended is started again.
    async fn look_after(&mut self) {
        self.replicas.resume(false);
        for ended in self.replicas.revive() {
            self.cut(Cut::Other);
            match ended {
                Ended::LostTheLease => self.done.lost_the_lease += 1,
                Ended::Crashed(last) => self.done.crashes.push(last),
            }
        }
        if let Some(restart) = self.api_server.take_if(|restart| restart.is_finished()) {
            restart.await.unwrap();
        }
        while let Some(life) = self.lives.try_join_next() {
            self.settled.push(life.unwrap());
        }
    }

    fn another_account(&mut self) {
        self.accounts += 1;
        if self.accounts > ESTATE && self.accounts % ESTATE == 1 {
            self.estate = Arc::new(Estate::new(self.accounts));
        }
        let account = Account::any(self.accounts, Arc::clone(&self.estate), self.random.fork());
        self.lives.spawn_local(account.live(Arc::clone(self.world), Arc::clone(&self.seen), Arc::clone(&self.over)));
    }

    /// No more faults and kills, until all is settled or the time is over.
    async fn drain(&mut self) {
        eprintln!("no more kills; waiting until {} accounts are settled", self.lives.len());
        let deadline = Instant::now() + DRAIN;
        self.world.stack.simulator.delete("faults").await.unwrap();
        self.replicas.resume(true);
        if let Some(restart) = self.api_server.take() {
            restart.await.unwrap();
        }
        while !self.lives.is_empty() && Instant::now() < deadline {
            self.look_after().await;
            sleep(Duration::from_millis(500)).await;
        }
        self.over.store(true, Ordering::Relaxed);
        while let Some(life) = self.lives.join_next().await {
            self.settled.push(life.unwrap());
        }
    }

    fn tell(&self, kills: usize, elapsed: Duration) {
        let (done, seconds) = (&self.done, elapsed.as_secs());
        eprintln!(
            "{seconds} s: {} of {kills} kills, {} of leaders, {} pauses, {} restarts of the API server; {} accounts, {} not settled, {} attempts",
            done.kills,
            done.leaders,
            done.pauses,
            done.api_server_restarts,
            self.accounts,
            self.lives.len(),
            *self.attempts.borrow(),
        );
    }

    /// The result, with all details of each account that went wrong.
    async fn report(mut self, seed: u64, seconds: u64) -> (Report, BTreeMap<String, String>) {
        let records: BTreeMap<String, Value> = self
            .world
            .admin
            .records()
            .await
            .into_iter()
            .map(|record| (record["spec"]["account"]["id"].as_str().unwrap().to_owned(), record))
            .collect();
        let (requests, applied) = (self.requests.all(self.world).await, applied(self.world).await);
        let mut last_seen = BTreeMap::new();
        let mut histories = Vec::new();
        for Life { mut history, last_seen: subscriptions } in std::mem::take(&mut self.settled) {
            history.record = records.get(&history.account).map(understood);
            history.requests = requests.get(&history.account).cloned().unwrap_or_default();
            history.applied = applied.get(&history.account).cloned().unwrap_or_default();
            last_seen.insert(history.account.clone(), subscriptions);
            histories.push(history);
        }
        self.done.faults = self.world.faults.lock().unwrap().clone();
        self.count_windows(&histories);
        let report = Report { seed, seconds, done: self.done.clone(), histories };
        let details = report.violations().into_iter().map(|(history, violations)| {
            let (account, record) = (&history.account, records.get(&history.account));
            let text = format!(
                "{account}: {violations:?}\n{history:#?}\nrecord: {:#}\nSubscriptions: {:#}\nlog:\n{}\n",
                record.unwrap_or(&Value::Null),
                Value::from(last_seen[account].clone()),
                self.replicas.log_about(account)
            );
            (account.clone(), text)
        });
        let details = details.collect();
        (report, details)
    }

    /// Counts the kills that cut an attempt short: whoever made it did not come to write its outcome.
    fn count_windows(&mut self, histories: &[History]) {
        let mut met: BTreeMap<Timestamp, bool> = BTreeMap::new();
        for history in histories {
            let attempts = history.record.iter().flat_map(|record| &record.attempts);
            for attempt in attempts.filter(|attempt| attempt.outcome.is_none()) {
                let intended = attempt.intended();
                let after = self.cuts.partition_point(|(time, _)| *time < intended);
                let Some((time, Cut::Kill)) = self.cuts.get(after).copied() else { continue };
                let arrived = |request: &Request| (intended..=time).contains(&request.at);
                *met.entry(time).or_default() |= history.requests.iter().any(arrived);
            }
        }
        self.done.after_the_request = met.values().filter(|arrived| **arrived).count();
        self.done.before_the_request = met.len() - self.done.after_the_request;
    }
}

/// When upgrades took effect, by account.
async fn applied(world: &World) -> BTreeMap<String, Vec<Timestamp>> {
    let ledger = world.stack.simulator.get("ledger").await.unwrap();
    let mut applied: BTreeMap<String, Vec<Timestamp>> = BTreeMap::new();
    for entry in ledger.as_array().unwrap() {
        let account = entry["account"].as_str().unwrap().to_owned();
        applied.entry(account).or_default().push(entry["wallTime"].as_str().unwrap().parse().unwrap());
    }
    applied
}
