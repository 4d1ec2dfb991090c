//! The stale read drill: three instances, updates of the same orders through all of them at full
//! speed, readers at each, and listening connections that are cut, stopped and silent.
//!
//! A read is judged by the database itself: a trigger that runs at the end of each transaction
//! notes which version replaced which, and when. A read is stale by the time between that note and
//! the moment at which the reader asked. The note is made before the COMMIT, so a read is rather
//! called staler than it is.
//!
//! `make drill` runs it for minutes and holds every unmarked read to what is promised. `make test`
//! runs the same for seconds beside all other tests, where a thread may wait for its turn longer
//! than a quarter of a second: there every read is held to the promise across an outage, which
//! rests on clocks and not on speed.

use crate::daemon::Daemon;
use crate::daemon::now;
use crate::daemon::wait_until;
use crate::instances::Instance;
use crate::instances::LISTENING;
use crate::own_servers::Kind;
use crate::own_servers::OwnServer;
use crate::stores;
use orderd::supervise::StopToken;
use postgres::Client;
use postgres::NoTls;
use rand::RngExt as _;
use std::collections::HashMap;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::SystemTime;

/// Issue: no unmarked read is older than this.
const STALE_MAX: Duration = Duration::from_millis(250);

/// Issue: the same across a cut, stopped or silent listening connection.
const STALE_ACROSS_MAX: Duration = Duration::from_millis(1500);

/// The orders that everybody reads and writes.
const ORDERS: usize = 100;

const INSTANCES: usize = 3;
const READERS_EACH: usize = 2;

/// How many orders one request writes.
const WRITTEN_AT_ONCE: usize = 20;

/// How long the daemon or its backend is stopped.
const STOPPED_FOR: Duration = Duration::from_secs(3);

const HISTORY: &str = "create table history (number bigserial, order_uid text, version bigint, \
     at timestamptz); \
     create function note() returns trigger language plpgsql as $$ begin \
     insert into history (order_uid, version, at) \
     values (new.order_uid, new.amount, clock_timestamp()); return null; end $$; \
     create constraint trigger note after insert or update on payments \
     deferrable initially deferred for each row execute function note()";

/// What happens to the way on which an instance hears of the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Fault {
    /// The connection is closed.
    Cut,
    /// The connection stays open and brings nothing any more.
    Silent,
    /// The server's process behind it is stopped.
    BackendStopped,
    /// The daemon itself is stopped.
    DaemonStopped,
}

/// An answer to a reader.
struct Seen {
    asked_at: SystemTime,
    instance: usize,
    order: usize,
    version: i64,
    x_cache: String,
}

/// A stretch of time in which an instance couldn't hear.
struct Deaf {
    instance: usize,
    fault: Fault,
    from: SystemTime,
    to: SystemTime,
}

/// How long and what.
struct Plan {
    quiet: Duration,
    faults: Vec<Fault>,
    stale_max: Duration,
}

impl Plan {
    fn of(length: Length) -> Self {
        use Fault::BackendStopped;
        use Fault::Cut;
        use Fault::DaemonStopped;
        use Fault::Silent;
        match length {
            Length::Short => Self {
                quiet: Duration::from_secs(2),
                faults: vec![Cut, Silent],
                stale_max: STALE_ACROSS_MAX,
            },
            Length::Long => Self {
                quiet: Duration::from_secs(30),
                faults: [Cut, Silent, BackendStopped, DaemonStopped].repeat(6),
                stale_max: STALE_MAX,
            },
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Length {
    Short,
    Long,
}

fn length() -> Length {
    std::env::var_os("ORDERD_DRILL").map_or(Length::Short, |_| Length::Long)
}

#[expect(clippy::disallowed_methods, reason = "compared with the clock of the database")]
fn wall() -> SystemTime {
    SystemTime::now()
}

fn uid(order: usize) -> String {
    format!("order{order:014}")
}

/// Replaces random orders through one instance until `stop`.
fn write(daemon: &Daemon, versions: &AtomicI64, stop: &StopToken) {
    let mut random = rand::rng();
    while !stop.is_stopped() {
        let bodies = (0..WRITTEN_AT_ONCE).map(|_| {
            let version = versions.fetch_add(1, Ordering::Relaxed);
            let order = stores::order(&uid(random.random_range(0..ORDERS)), version);
            String::from_utf8(order.body().to_vec()).unwrap()
        });
        let body = format!("[{}]", bodies.collect::<Vec<_>>().join(","));
        // A daemon that is stopped takes nothing for a while.
        let _ = daemon.post(body.as_bytes());
    }
}

/// Reads random orders from one instance until `stop`.
fn read(daemon: &Daemon, instance: usize, seen: &Mutex<Vec<Seen>>, stop: &StopToken) {
    let mut random = rand::rng();
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(20)))
        .build()
        .into();
    while !stop.is_stopped() {
        let order = random.random_range(0..ORDERS);
        let asked_at = wall();
        let url = format!("{}/orders/{}", daemon.base(), uid(order));
        let Ok(mut answer) = agent.get(&url).call() else { continue };
        if answer.status().as_u16() != 200 {
            continue;
        }
        let x_cache = answer.headers()["x-cache"].to_str().unwrap().to_owned();
        let Ok(body) = answer.body_mut().read_to_string() else { continue };
        let document: serde_json::Value = serde_json::from_str(&body).unwrap();
        let version = document["payment"]["amount"].as_i64().unwrap();
        seen.lock().unwrap().push(Seen { asked_at, instance, order, version, x_cache });
    }
}

/// Lets a fault happen, waits until the instance hears again, and says from when to when it didn't.
fn suffer(fault: Fault, number: usize, instance: &Instance, operator: &mut Client) -> Deaf {
    let wait = |time| StopToken::new().wait(time);
    let from = wall();
    match fault {
        Fault::Cut => assert_eq!(instance.proxy.cut_those_that_said(LISTENING), 1),
        Fault::Silent => {
            assert_eq!(instance.proxy.freeze_those_that_said(LISTENING), 1);
            wait_until("its silence is noticed", || instance.coherence() != "ok");
        }
        Fault::BackendStopped => {
            let ports = instance.proxy.ports_of_those_that_said(LISTENING);
            let pid = "select pid from pg_stat_activity where client_port = $1";
            let pid: i32 = operator.query_one(pid, &[&i32::from(ports[0])]).unwrap().get(0);
            signal(pid, "STOP");
            wait_until("its silence is noticed", || instance.coherence() != "ok");
            wait(STOPPED_FOR);
            signal(pid, "CONT");
        }
        Fault::DaemonStopped => {
            instance.daemon.signal("STOP");
            wait(STOPPED_FOR);
            instance.daemon.signal("CONT");
        }
    }
    wait_until("it hears again", || instance.coherence() == "ok");
    instance.proxy.thaw();
    // What was asked before it heard again, and answered after.
    let to = wall() + Duration::from_millis(100);
    Deaf { instance: number, fault, from, to }
}

fn signal(process: i32, name: &str) {
    let status = Command::new("kill").args(["-s", name, &process.to_string()]).status().unwrap();
    assert!(status.success());
}

/// When each version was replaced.
fn replaced(operator: &mut Client) -> HashMap<(String, i64), SystemTime> {
    let history = "select order_uid, version, \
             lead(at) over (partition by order_uid order by number) from history";
    let rows = operator.query(history, &[]).unwrap();
    let ended = rows.iter().filter_map(|row| {
        let at: Option<SystemTime> = row.get(2);
        Some(((row.get::<_, String>(0), row.get::<_, i64>(1)), at?))
    });
    ended.collect()
}

/// The figures of one kind of reads.
#[derive(Clone, Debug, Default)]
struct Row {
    reads: usize,
    hits: usize,
    misses: usize,
    marked: usize,
    /// How stale the unmarked ones were that were stale.
    stale: Vec<Duration>,
}

impl Row {
    fn add(&mut self, seen: &Seen, stale: Option<Duration>) {
        self.reads += 1;
        match &*seen.x_cache {
            "HIT" => self.hits += 1,
            "MISS" => self.misses += 1,
            _ => {
                self.marked += 1;
                return;
            }
        }
        self.stale.extend(stale);
    }

    fn max(&self) -> Duration {
        self.stale.iter().max().copied().unwrap_or_default()
    }

    fn print(&self, name: &str) {
        let mut stale = self.stale.clone();
        stale.sort_unstable();
        let p99 = stale.get(stale.len() * 99 / 100).copied().unwrap_or_default();
        eprintln!(
            "{name:<16} {:>8} {:>8} {:>8} {:>8} {:>8} {:>10.1} {:>10.1}",
            self.reads,
            self.hits,
            self.misses,
            self.marked,
            stale.len(),
            p99.as_secs_f64() * 1e3,
            self.max().as_secs_f64() * 1e3,
        );
    }
}

/// Judges all reads, prints the table, and returns the rows: the undisturbed one first.
fn judge(
    seen: &[Seen],
    deaf: &[Deaf],
    replaced: &HashMap<(String, i64), SystemTime>,
) -> (Row, Row) {
    let (mut quiet, mut across) = (Row::default(), Row::default());
    let mut by_fault: HashMap<Fault, Row> = HashMap::new();
    for seen in seen {
        let replaced_at = replaced.get(&(uid(seen.order), seen.version));
        let stale = replaced_at.and_then(|at| seen.asked_at.duration_since(*at).ok());
        let within = |deaf: &&Deaf| {
            deaf.instance == seen.instance && (deaf.from..deaf.to).contains(&seen.asked_at)
        };
        match deaf.iter().find(within) {
            None => quiet.add(seen, stale),
            Some(deaf) => {
                across.add(seen, stale);
                by_fault.entry(deaf.fault).or_default().add(seen, stale);
            }
        }
    }
    eprintln!(
        "\nstale reads          reads     hits   misses   marked    stale     p99 ms     max ms"
    );
    quiet.print("undisturbed");
    for (fault, row) in &by_fault {
        row.print(&format!("{fault:?}"));
    }
    (quiet, across)
}

/// Issue: the stale read drill.
#[test]
fn stale_read_drill() {
    let plan = Plan::of(length());
    let server = OwnServer::start(Kind::Postgres);
    let start = |number| Instance::start(&server.address, &format!("instance{number}"));
    let instances: Vec<Instance> = (0..INSTANCES).map(start).collect();
    let mut operator = Client::connect(&server.address, NoTls).unwrap();
    operator.batch_execute(HISTORY).unwrap();
    let (versions, seen, stop) = (AtomicI64::new(1), Mutex::new(Vec::new()), StopToken::new());
    let mut deaf = Vec::new();
    let started = now();
    std::thread::scope(|scope| {
        // A failure in here must end the other threads too.
        let _stopped = StopOnDrop(&stop);
        for (number, instance) in instances.iter().enumerate() {
            scope.spawn(|| write(&instance.daemon, &versions, &stop));
            for _ in 0..READERS_EACH {
                let (seen, stop) = (&seen, &stop);
                scope.spawn(move || read(&instance.daemon, number, seen, stop));
            }
        }
        stop.wait(plan.quiet);
        for (turn, fault) in plan.faults.iter().enumerate() {
            let number = turn % INSTANCES;
            deaf.push(suffer(*fault, number, &instances[number], &mut operator));
            stop.wait(plan.quiet / 10);
        }
    });
    let replaced = replaced(&mut operator);
    let seen = seen.into_inner().unwrap();
    let took = started.elapsed().as_secs_f64();
    eprintln!(
        "{} replacements and {} reads in {took:.0} s by {INSTANCES} instances",
        replaced.len(),
        seen.len()
    );
    let (quiet, across) = judge(&seen, &deaf, &replaced);
    assert!(replaced.len() > 100 && quiet.hits > 100 && across.reads > 10, "nothing was tried");
    assert!(quiet.max() <= plan.stale_max, "{:?} undisturbed", quiet.max());
    assert!(across.max() <= STALE_ACROSS_MAX, "{:?} across a fault", across.max());
}

struct StopOnDrop<'a>(&'a StopToken);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}
