//! What a drill does to the daemons and their servers, and how often it did.

use crate::daemon::Daemon;
use crate::daemon::now;
use crate::kills::scene::INSTANCES;
use crate::kills::scene::Scene;
use crate::kills::wait_until;
use orderd::crash::Point;
use orderd::supervise::StopToken;
use postgres::Client;
use postgres::NoTls;
use rand::RngExt as _;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::seq::SliceRandom as _;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;
use std::time::Duration;

const SIGABRT: i32 = 6;

/// A crash point is armed for one of its first times, since each batch comes to it.
const TIMES_MAX: u64 = 8;

/// How long the others may take to read what a stopped daemon read. A group waits 10 s before it
/// takes a member's partitions away.
const TAKE_OVER_MAX: Duration = Duration::from_secs(30);

/// How much of the processor a daemon gets that comes back, in hundredths of a second, and how long
/// it may wait for that: enough to save what it had in hand, and less than it takes to catch up.
const TICKS: std::ops::RangeInclusive<u64> = 2..=20;
const RETURNED_MAX: Duration = Duration::from_secs(10);

const BACKENDS: &str = "select pid from pg_stat_activity where backend_type = 'client backend' \
     and pid <> pg_backend_pid()";

/// One thing that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kill {
    /// SIGKILL of a daemon.
    Daemon,
    /// SIGKILL of one process of PostgreSQL, which then restarts all of them.
    Backend,
    /// An immediate end of the whole PostgreSQL, and its start.
    Postgres,
    /// SIGKILL of the broker, and its start.
    Broker,
    /// SIGSTOP of a daemon for a while.
    StopDaemon,
    /// The same for PostgreSQL.
    StopPostgres,
    /// The same for the broker.
    StopBroker,
    /// The end of all connections from one daemon to PostgreSQL.
    CutPostgres,
    /// The end of all connections to the broker.
    CutKafka,
    /// SIGSTOP of a daemon until another one has gone on with its work, and its return from the
    /// dead.
    TakeOver,
}

impl Kill {
    fn name(self) -> &'static str {
        match self {
            Self::Daemon => "SIGKILL of a daemon",
            Self::Backend => "SIGKILL of a backend of PostgreSQL",
            Self::Postgres => "crash of PostgreSQL",
            Self::Broker => "SIGKILL of the broker",
            Self::StopDaemon => "SIGSTOP of a daemon",
            Self::StopPostgres => "SIGSTOP of PostgreSQL",
            Self::StopBroker => "SIGSTOP of the broker",
            Self::CutPostgres => "cut of a daemon's connections to PostgreSQL",
            Self::CutKafka => "cut of all connections to the broker",
            Self::TakeOver => "SIGSTOP of a daemon beyond its replacement's start",
        }
    }
}

/// Does it.
pub(crate) struct Chaos<'a> {
    scene: &'a mut Scene,
    random: StdRng,
    stopped_max: Duration,
    /// The crash points that are still to be reached.
    crashes: Vec<Point>,
    /// Which of them each daemon is to end at.
    armed: [Option<Point>; INSTANCES],
    counts: BTreeMap<String, usize>,
}

impl<'a> Chaos<'a> {
    pub(crate) fn new(
        scene: &'a mut Scene,
        seed: u64,
        crashes: usize,
        stopped_max: Duration,
    ) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let mut crashes: Vec<_> = Point::ALL.into_iter().cycle().take(crashes).collect();
        crashes.shuffle(&mut random);
        let (armed, counts) = ([None; INSTANCES], BTreeMap::new());
        Self { scene, random, stopped_max, crashes, armed, counts }
    }

    /// So many of each, in a random order.
    pub(crate) fn shuffled(&mut self, kills: &[(Kill, usize)]) -> Vec<Kill> {
        let mut all: Vec<_> = kills.iter().flat_map(|(kill, count)| vec![*kill; *count]).collect();
        all.shuffle(&mut self.random);
        all
    }

    /// How often what happened. Names in brackets are no kills.
    pub(crate) fn ended(self) -> BTreeMap<String, usize> {
        assert!(self.crashes.is_empty(), "these crash points weren't tried: {:?}", self.crashes);
        self.counts
    }

    pub(crate) fn suffer(&mut self, kill: Kill) {
        let number = self.random.random_range(0..INSTANCES);
        let pause = self.some_time(self.stopped_max);
        let wait = || StopToken::new().wait(pause);
        eprintln!("{}, instance {number}, {pause:?}", kill.name());
        match kill {
            Kill::Daemon => {
                self.settle(number);
                let point = self.crashes.pop();
                self.replace(number, point);
            }
            Kill::Backend => self.kill_backend(),
            Kill::Postgres => {
                self.scene.postgres.kill();
                self.scene.postgres.start_again();
            }
            Kill::Broker => {
                self.scene.broker.kill();
                self.scene.broker.start_again();
            }
            Kill::StopDaemon => {
                self.scene.daemons[number].signal("STOP");
                wait();
                self.scene.daemons[number].signal("CONT");
            }
            Kill::StopPostgres => {
                self.scene.postgres.freeze();
                wait();
                self.scene.postgres.thaw();
            }
            Kill::StopBroker => {
                self.scene.broker.freeze();
                wait();
                self.scene.broker.thaw();
            }
            Kill::CutPostgres => {
                self.scene.postgres_proxies[number].cut_those_that_said("");
            }
            Kill::CutKafka => {
                self.scene.broker_proxy.cut_those_that_said("");
            }
            Kill::TakeOver => self.take_over(number),
        }
        self.count(kill.name());
    }

    /// Counts the daemons that have ended at their crash point, and starts others.
    pub(crate) fn reap(&mut self) {
        for number in 0..INSTANCES {
            if !has_ended(self.scene.daemons[number].id()) {
                continue;
            }
            let next = self.scene.daemon(number, None);
            let (status, _) = std::mem::replace(&mut self.scene.daemons[number], next).ended();
            let point = self.armed[number].take();
            let point = point.unwrap_or_else(|| panic!("a daemon ended by itself: {status}"));
            assert_eq!(status.signal(), Some(SIGABRT), "instead of ending at {point:?}");
            self.count(&format!("crash point `{}`", point.name()));
        }
    }

    /// Waits until this daemon has come to the crash point that it is armed for.
    fn settle(&mut self, number: usize) {
        wait_until("a daemon comes to its crash point", || {
            self.reap();
            self.armed[number].is_none()
        });
    }

    pub(crate) fn settle_all(&mut self) {
        (0..INSTANCES).for_each(|number| self.settle(number));
    }

    /// Kills a daemon and starts another one in its place.
    fn replace(&mut self, number: usize, point: Option<Point>) {
        let times = self.random.random_range(1..=TIMES_MAX);
        let crash_at = point.map(|point| format!("{}:{times}", point.name()));
        self.scene.daemons[number].signal("KILL");
        let next = self.scene.daemon(number, crash_at.as_deref());
        std::mem::replace(&mut self.scene.daemons[number], next).kill();
        self.armed[number] = point;
    }

    fn kill_backend(&mut self) {
        let mut pids: Vec<i32> = Vec::new();
        let url = &self.scene.postgres.address;
        wait_until("the database has a session", || {
            let rows =
                Client::connect(url, NoTls).and_then(|mut client| client.query(BACKENDS, &[]));
            pids = rows.iter().flatten().map(|row| row.get(0)).collect();
            !pids.is_empty()
        });
        let pid = pids.choose(&mut self.random).unwrap().to_string();
        // It may have ended meanwhile.
        Command::new("kill").args(["-s", "KILL", &pid]).status().unwrap();
    }

    /// A daemon is stopped, another one takes its place and goes on, and the first comes back with
    /// what it had in hand. It is killed before it can have caught up, which would repair what it
    /// has broken.
    fn take_over(&mut self, number: usize) {
        self.settle(number);
        self.scene.daemons[number].signal("STOP");
        let next = self.scene.daemon(number, None);
        let stopped = std::mem::replace(&mut self.scene.daemons[number], next);
        let before = self.scene.positions();
        let started = now();
        let mut has_taken_over = false;
        while !has_taken_over && started.elapsed() < TAKE_OVER_MAX {
            StopToken::new().wait(Duration::from_millis(50));
            let positions = self.scene.positions();
            has_taken_over = positions
                .iter()
                .filter(|(partition, _)| self.scene.may_read(number, **partition))
                .all(|(partition, at)| *at > before.get(partition).copied().unwrap_or(0));
        }
        if has_taken_over {
            self.count("(of these, with all partitions read on meanwhile)");
        }
        let ticks = ticks_of(stopped.id()) + self.random.random_range(TICKS);
        let waited_from = now();
        stopped.signal("CONT");
        while ticks_of(stopped.id()) < ticks && waited_from.elapsed() < RETURNED_MAX {
            StopToken::new().wait(Duration::from_millis(2));
        }
        self.end(stopped);
    }

    fn end(&mut self, daemon: Daemon) {
        assert!(!has_ended(daemon.id()), "a daemon that came back ended by itself");
        daemon.kill();
        self.count("SIGKILL of a daemon");
    }

    fn some_time(&mut self, max: Duration) -> Duration {
        max.mul_f64(self.random.random_range(0.1..1.0))
    }

    fn count(&mut self, name: &str) {
        *self.counts.entry(name.to_owned()).or_default() += 1;
    }
}

/// How much of the processor a process has had, in hundredths of a second.
fn ticks_of(process: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    // The name in brackets may hold anything; the times are the 12th and 13th field after it.
    let fields = stat.rsplit(") ").next().unwrap().split(' ').skip(11).take(2);
    fields.map(|ticks| ticks.parse::<u64>().unwrap()).sum()
}

/// Whether a child has ended and nobody has asked for its status.
fn has_ended(process: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    stat.contains(") Z ")
}
