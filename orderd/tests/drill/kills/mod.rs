//! Issue: the kill drill. Two daemons on one database and topic while orders are produced without a
//! pause, and everything around them is killed, stopped and cut. Afterwards nothing is lost,
//! nothing is there twice, and at no moment a position was ahead of its data or behind it.
//!
//! Once with each Kafka client: `kafka`, where each daemon has a fixed share of the partitions, and
//! `rdkafka`, where they form a consumer group.
//!
//! A build without the compare-and-set (`make unfenced`) runs the same with more daemons that come
//! back to life after another has taken their place, and must be found out.

mod chaos;
mod judge;
mod observer;
mod producer;
mod scene;

use crate::Form;
use crate::daemon::now;
use crate::kills::chaos::Chaos;
use crate::kills::chaos::Kill;
use crate::kills::judge::Findings;
use crate::kills::observer::Observer;
use crate::kills::observer::Snapshot;
use crate::kills::producer::Producer;
use crate::kills::scene::PARTITIONS;
use crate::kills::scene::Scene;
use crate::print_table;
use orderd::supervise::StopToken;
use orderd::topic::kafka::Client;
use std::collections::BTreeMap;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Whether this is the build that loses orders on purpose.
const UNFENCED: bool = cfg!(drill_without_fence);

/// How much of what.
struct Plan {
    /// How many messages are acknowledged before it ends; the kills are spread over them.
    messages: usize,
    /// How many messages are sent a second, at most.
    rate: usize,
    /// How many daemons that are started after a kill end at a named crash point, all points in
    /// turn.
    crashes: usize,
    /// Without the crashes. As many of `Kill::Daemon` as crashes.
    kills: Vec<(Kill, usize)>,
    /// The longest that something is stopped.
    stopped_max: Duration,
    /// How often the database is looked at.
    observed_every: Duration,
}

impl Plan {
    fn of(form: Form, client: Client) -> Self {
        let number = |short: usize, long: usize| match form {
            Form::Short if UNFENCED => 0,
            Form::Short => short,
            Form::Long => long,
        };
        // A group keeps the partitions of a daemon that is gone for 10 s, each time.
        let is_group = client == Client::Rdkafka;
        let daemons = if is_group { 1 } else { 2 };
        let take_overs = match form {
            Form::Short if UNFENCED => 6,
            Form::Short => usize::from(!is_group),
            Form::Long => 8,
        };
        Self {
            messages: form.of(5_000, 210_000),
            rate: form.of(1_000, 400),
            crashes: number(daemons, 60),
            kills: vec![
                (Kill::Daemon, number(daemons, 60)),
                (Kill::Backend, number(1, 22)),
                (Kill::Postgres, number(1, 10)),
                (Kill::Broker, number(1, 10)),
                (Kill::StopDaemon, number(1, 6)),
                (Kill::StopPostgres, number(0, 5)),
                (Kill::StopBroker, number(0, 5)),
                (Kill::CutPostgres, number(1, 8)),
                (Kill::CutKafka, number(1, 6)),
                (Kill::TakeOver, take_overs),
            ],
            stopped_max: Duration::from_secs(form.of(1, 4)),
            observed_every: Duration::from_millis(form.of(100, 500)),
        }
    }
}

/// How long anything may take to come to pass. A group alone waits 10 s for a member that is gone,
/// and each kill may come upon the recovery from the one before.
const PATIENCE: Duration = Duration::from_secs(240);

/// Asks again and again until `condition` holds, and fails when patience ends.
fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let started = now();
    while !condition() {
        assert!(started.elapsed() < PATIENCE, "it never came to pass that {what}");
        StopToken::new().wait(Duration::from_millis(20));
    }
}

/// The seed that `ORDERD_DRILL_SEED` asks for, or a drawn one.
#[expect(clippy::disallowed_methods, reason = "the variable is how a failed drill is run again")]
fn seed() -> u64 {
    let asked = std::env::var("ORDERD_DRILL_SEED").ok().map(|text| text.parse().unwrap());
    asked.unwrap_or_else(rand::random)
}

/// Issue, kill drill, with the crate `kafka` and fixed shares.
#[test]
fn nothing_is_lost_with_kafka() {
    drill(Client::Kafka);
}

/// Issue, kill drill, with librdkafka and a consumer group.
#[cfg(feature = "rdkafka")]
#[test]
fn nothing_is_lost_with_rdkafka() {
    drill(Client::Rdkafka);
}

fn drill(client: Client) {
    let (seed, plan) = (seed(), Plan::of(Form::asked(), client));
    eprintln!("the kill drill with {client:?} has the seed {seed}");
    let started = now();
    let mut scene = Scene::start(client);
    let mut producer = Producer::new(seed, scene.topic(client));
    let (stop, sent) = (StopToken::new(), AtomicUsize::new(0));
    let (counts, snapshots) = std::thread::scope(|scope| {
        // A failure in here must end the other threads too.
        let stopped = StopOnDrop(&stop);
        let (observer, every, until) = (Observer::of(&scene), plan.observed_every, stop.clone());
        let snapshots = scope.spawn(move || observer.observe(every, &until));
        scope.spawn(|| producer.run(plan.rate, &sent, &stop));
        let moved = || scene.positions().iter().filter(|(_, at)| **at > 0).count();
        wait_until("every partition is read", || moved() == PARTITIONS as usize);
        let counts = kill(&mut scene, &plan, seed, &sent);
        drop(stopped);
        (counts, snapshots.join().unwrap())
    });
    let killed_for = started.elapsed();
    let mut findings = Findings::default();
    let log = judge::read_log(&scene, &producer);
    let caught_up = judge::wait_caught_up(&scene, &log, &mut findings);
    judge::check_snapshots(&snapshots, &log, &mut findings);
    judge::check_orders(&scene, &producer, &log, &mut findings);
    judge::check_letters(&scene, &producer, &log, &mut findings);
    judge::check_served(&scene, &log, &mut findings);
    findings.extend(scene.stop());
    let mut rows = rows(&counts, &producer, &log, &snapshots);
    rows.push(vec!["time under kills, s".to_owned(), killed_for.as_secs().to_string()]);
    rows.push(vec!["until all was saved, s".to_owned(), caught_up.as_secs().to_string()]);
    rows.push(vec!["**losses, repeats and wrong positions**".to_owned(), findings.counted()]);
    let build = if UNFENCED { "WITHOUT the compare-and-set" } else { "as released" };
    let title = format!("Kill drill, client {client:?}, build {build}, seed {seed}");
    print_table(&title, &["figure", "value"], &rows);
    eprintln!("{findings}");
    if UNFENCED {
        assert!(!findings.is_empty(), "nobody noticed that the compare-and-set is missing");
    } else {
        assert!(findings.is_empty(), "the drill with the seed {seed} has findings, see above");
    }
}

/// Lets everything happen, spread over the messages. Returns how often what happened.
fn kill(scene: &mut Scene, plan: &Plan, seed: u64, sent: &AtomicUsize) -> BTreeMap<String, usize> {
    let mut chaos = Chaos::new(scene, seed, plan.crashes, plan.stopped_max);
    let kills = chaos.shuffled(&plan.kills);
    let count = kills.len() + 1;
    for (number, kill) in kills.into_iter().enumerate() {
        let due = plan.messages * (number + 1) / count;
        wait_until("production goes on", || {
            chaos.reap();
            sent.load(Ordering::Relaxed) >= due
        });
        chaos.suffer(kill);
    }
    chaos.settle_all();
    wait_until("production ends", || {
        chaos.reap();
        sent.load(Ordering::Relaxed) >= plan.messages
    });
    chaos.ended()
}

fn rows(
    counts: &BTreeMap<String, usize>,
    producer: &Producer,
    log: &judge::Log,
    snapshots: &[Snapshot],
) -> Vec<Vec<String>> {
    let row = |name: &str, value: usize| vec![name.to_owned(), value.to_string()];
    let is_kill = |name: &&String| !name.starts_with('(');
    let kills = counts.keys().filter(is_kill).map(|name| counts[name]).sum();
    let mut rows: Vec<_> = counts.iter().map(|(name, count)| row(name, *count)).collect();
    rows.push(row("**kills in all**", kills));
    rows.push(row("messages acknowledged", producer.acknowledged()));
    rows.push(row("orders, each there once", log.latest.len()));
    rows.push(row("of these replaced by later content", producer.replaced()));
    rows.push(row("messages damaged on purpose", producer.damaged()));
    rows.push(row("messages in the topic twice, saved once", log.repeated));
    rows.push(row("moments at which data and positions were compared", snapshots.len()));
    rows
}

struct StopOnDrop<'a>(&'a StopToken);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}
