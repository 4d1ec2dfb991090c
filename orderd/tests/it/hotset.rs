//! Section 2: the snapshot of the cache over a restart: ids, and never bytes.

use crate::daemon::Daemon;
use crate::daemon::wait_until;
use crate::servers;
use crate::stores;
use crate::stores::Fresh;
use crate::stores::order;
use crate::stores::save;
use orderd::catalog::Catalog;
use orderd::catalog::Lookup;
use orderd::clock::Clock;
use orderd::hotset::HotSet;
use orderd::hotset::IDS_MAX;
use orderd::order::Order;
use orderd::store::database::Database;
use orderd::supervise::Crew;
use orderd::supervise::StopToken;
use orderd::warmup;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

const HEADER: &str = "orderd hot set 1\n";

struct Scene {
    fresh: Fresh,
    folder: tempfile::TempDir,
}

/// What one start has.
struct Start {
    catalog: Arc<Catalog>,
    crew: Arc<Crew>,
    last: Crew,
}

impl Scene {
    /// A store with the orders o0 to o99, oldest first.
    fn new(fresh: Fresh) -> Self {
        let orders: Vec<_> = (0..100).map(|n| order(&format!("o{n}"), 1)).collect();
        save(&*fresh.connect, &orders);
        Self { fresh, folder: tempfile::tempdir().unwrap() }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("hot-set")
    }

    fn write(&self, uids: &[&str]) {
        fs::write(self.file(), format!("{HEADER}{}\n", uids.join("\n"))).unwrap();
    }

    fn start(&self, capacity: usize) -> Start {
        let crew = Arc::new(Crew::new(StopToken::new()));
        let clock = Clock::system();
        let database = Database::start(&crew, &self.fresh.connect, &clock, 4).unwrap();
        let catalog = Catalog::new(capacity, database, clock);
        Start { catalog, crew, last: Crew::new(StopToken::new()) }
    }

    fn warm(&self, start: &Start, orders: usize) {
        let hot = HotSet::new(Some(self.file()));
        hot.start(&start.last, &start.catalog).unwrap();
        let options = warmup::Options { orders, threads: 5, hot };
        warmup::start(&start.crew, &start.catalog, options).unwrap();
    }
}

impl Start {
    fn settle(&self) {
        let warming = || self.crew.running().iter().any(|name| name.starts_with("warm-up"));
        wait_until("warming up has ended", || !warming());
    }

    fn cached(&self) -> Vec<String> {
        self.catalog.uids_by_recency().iter().map(ToString::to_string).collect()
    }

    fn stop(&self) {
        for crew in [&*self.crew, &self.last] {
            assert_eq!(crew.stop_and_join(Duration::from_secs(20)), Vec::<String>::new());
        }
    }
}

const BOTH: [fn() -> Fresh; 2] = [stores::embedded, stores::postgres];

/// Section 2: what was used last is so again after a restart, in its order, and the newest orders
/// come after it. What is written at the end is what a start finds.
#[test]
fn the_order_of_recency_outlives_a_restart() {
    for make in BOTH {
        let scene = Scene::new(make());
        scene.write(&["o3", "o50", "o98", "o7"]);
        let first = scene.start(1000);
        scene.warm(&first, 4);
        first.settle();
        let warmed = ["o3", "o50", "o98", "o7", "o99", "o97", "o96"];
        assert_eq!(first.cached(), warmed, "each once, the hot ones first");
        let used = first.catalog.lookup(order("o96", 1).uid()).unwrap();
        assert!(matches!(used, Lookup::Hit(_)));
        first.stop();
        let kept = fs::read_to_string(scene.file()).unwrap();
        assert_eq!(kept, format!("{HEADER}o96\no3\no50\no98\no7\no99\no97\n"), "ids alone");

        let second = scene.start(1000);
        scene.warm(&second, 0);
        second.settle();
        assert_eq!(second.cached(), ["o96", "o3", "o50", "o98", "o7", "o99", "o97"]);
        second.stop();
    }
}

/// Section 2: nothing newer is displaced by what was hot before: not what arrived meanwhile, nor in
/// a cache that is too small for all.
#[test]
fn nothing_newer_is_displaced() {
    for make in BOTH {
        let scene = Scene::new(make());
        scene.write(&["o1", "o2", "o3", "o4", "o5"]);
        let start = scene.start(4);
        let changed = [order("o2", 2), order("late", 2)];
        let writes = start.catalog.begin_writes(changed.iter().map(Order::uid));
        let saved = save(&*scene.fresh.connect, &changed);
        let mut written: Vec<_> = saved.orders.into_iter().map(|(order, _)| order).collect();
        written.sort_by_key(|order| order.arrival);
        writes.publish(written);
        scene.warm(&start, 10);
        start.settle();
        assert_eq!(start.cached(), ["late", "o2", "o1", "o3"]);
        let Lookup::Hit(hit) = start.catalog.lookup(changed[0].uid()).unwrap() else {
            panic!("o2 is cached");
        };
        assert_eq!(&hit.body, changed[0].body());
        start.stop();
    }
}

/// Section 2: ids that the store doesn't have any more, or has other content for, do no harm.
#[test]
fn ids_that_are_gone_or_changed_do_no_harm() {
    for make in BOTH {
        let scene = Scene::new(make());
        scene.write(&["gone", "o5", "coming", "o6"]);
        save(&*scene.fresh.connect, &[order("o6", 2)]);
        let start = scene.start(100);
        scene.warm(&start, 0);
        start.settle();
        assert_eq!(start.cached(), ["o5", "o6"]);
        let Lookup::Hit(hit) = start.catalog.lookup(order("o6", 2).uid()).unwrap() else {
            panic!("o6 is cached");
        };
        assert_eq!(&hit.body, order("o6", 2).body());
        // An id that was warmed in vain isn't taken for unknown when its order comes.
        save(&*scene.fresh.connect, &[order("coming", 1)]);
        let Lookup::Pending(coming) = start.catalog.lookup(order("coming", 1).uid()).unwrap()
        else {
            panic!("the store is asked for it");
        };
        assert!(coming.wait(Duration::from_secs(20)).unwrap().is_some());
        start.stop();
    }
}

/// Section 2: a file that is none, or damaged, is left out, and the next stop replaces it.
#[test]
fn a_foreign_file_is_left_out() {
    let scene = Scene::new(stores::embedded());
    let hot = HotSet::new(Some(scene.file()));
    assert_eq!(hot.read(), [], "there is no file");
    let large = format!("{HEADER}{}", format!("{}\n", "x".repeat(64)).repeat(IDS_MAX + 1));
    let no_ids = format!("{HEADER}o1\nnot/an/id\n");
    let foreign: [&[u8]; 6] = [
        b"",
        b"something else\no1\n",
        b"orderd hot set 2\no1\n",
        b"\xff\xfe\x00",
        no_ids.as_bytes(),
        large.as_bytes(),
    ];
    for content in foreign {
        fs::write(scene.file(), content).unwrap();
        assert_eq!(
            hot.read(),
            [],
            "{:?}",
            String::from_utf8_lossy(&content[..content.len().min(40)])
        );
    }
    let start = scene.start(100);
    scene.warm(&start, 2);
    start.settle();
    assert_eq!(start.cached(), ["o99", "o98"]);
    start.stop();
    assert_eq!(fs::read_to_string(scene.file()).unwrap(), format!("{HEADER}o99\no98\n"));
    // A folder in its place can't be read, and stays when it can't be replaced either.
    fs::remove_file(scene.file()).unwrap();
    fs::create_dir_all(scene.file().join("below")).unwrap();
    assert_eq!(hot.read(), []);
    let start = scene.start(100);
    scene.warm(&start, 2);
    start.settle();
    start.stop();
    assert!(scene.file().join("below").is_dir());
}

/// Section 2: the file has room for no more than its bound, the most recently used ids.
#[test]
fn a_hot_set_is_bounded() {
    let file = "a".repeat(64);
    let bytes = HEADER.len() + (file.len() + 1) * IDS_MAX;
    let scene = Scene::new(stores::embedded());
    fs::write(scene.file(), format!("{HEADER}{}", format!("{file}\n").repeat(IDS_MAX))).unwrap();
    assert_eq!(fs::metadata(scene.file()).unwrap().len(), u64::try_from(bytes).unwrap());
    let hot = HotSet::new(Some(scene.file()));
    assert_eq!(hot.read().len(), IDS_MAX, "the largest that is written is read");
}

/// Section 2: a daemon that is stopped before it was warm leaves the former file.
#[test]
fn a_start_that_was_not_warmed_keeps_the_former_file() {
    let scene = Scene::new(stores::embedded());
    scene.write(&["o1", "o2"]);
    let before = fs::read_to_string(scene.file()).unwrap();
    let start = scene.start(100);
    let hot = HotSet::new(Some(scene.file()));
    hot.start(&start.last, &start.catalog).unwrap();
    start.stop();
    assert_eq!(fs::read_to_string(scene.file()).unwrap(), before);
}

/// Section 2, with the real process: what was asked for last is cached after a restart, although it
/// isn't among the newest; on both stores.
#[test]
fn a_restarted_daemon_serves_its_hot_set_from_the_cache() {
    let database = servers::database();
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let file = folders[1].path().join("elsewhere");
    let elsewhere = ["--database-url", database.url(), "--hot-set-file", file.to_str().unwrap()];
    let runs: [(&[&str], &Path); 2] =
        [(&[], &folders[0].path().join("hot-set")), (&elsewhere, &file)];
    for ((arguments, file), folder) in runs.into_iter().zip(&folders) {
        let folder = folder.path().to_str().unwrap();
        let settings = ["--demo", "--demo-interval", "10h", "--warm-orders", "2"];
        let all = [&settings[..], &["--data-dir", folder], arguments].concat();
        let daemon = Daemon::start(&all);
        daemon.wait_ready();
        for uid in ["hot", "b", "c", "d"] {
            assert_eq!(daemon.post(order(uid, 1).body()).unwrap(), 202);
            wait_until("it is served", || daemon.get(&format!("/orders/{uid}")).status == 200);
        }
        assert_eq!(daemon.get("/orders/hot").headers["x-cache"], "HIT");
        assert_eq!(daemon.interrupt().0.code(), Some(0));
        let kept = fs::read_to_string(file).unwrap();
        assert!(kept.starts_with(&format!("{HEADER}hot\nd\nc\nb\n")), "{kept}");

        let daemon = Daemon::start(&all);
        daemon.wait_ready();
        wait_until("warming up has ended", || {
            !daemon.threads().iter().any(|name| name.starts_with("warm-up"))
        });
        assert_eq!(daemon.get("/orders/hot").headers["x-cache"], "HIT");
        assert_eq!(daemon.interrupt().0.code(), Some(0));
    }
}
