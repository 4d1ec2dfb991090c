//! Calls of client libraries that don't end by themselves: ended, or left behind and counted.

use crate::daemon::now;
use crate::daemon::wait_until;
use crate::own_servers::Kind;
use crate::own_servers::OwnServer;
use crate::proxy::Proxy;
use crate::servers;
use orderd::store::Connect;
use orderd::store::StoreError;
use orderd::store::postgres::Postgres;
use orderd::supervise::Crew;
use orderd::supervise::StopToken;
use orderd::topic::Bounds;
use orderd::topic::Message;
use orderd::topic::OpenSource;
use orderd::topic::Source;
use orderd::topic::Standing;
use orderd::topic::TopicError;
use orderd::topic::detached::Detached;
use orderd::topic::detached::HUNG_MAX;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Design, deadlines: a stopped backend holds a call for six seconds and not for ever, and the
/// session is dropped without waiting for it again.
#[test]
fn a_stopped_backend_is_given_up() {
    let server = OwnServer::start(Kind::Postgres);
    let postgres = Postgres::new(&server.address).unwrap();
    postgres.migrate().unwrap();
    let mut store = postgres.connect().unwrap();
    store.newest(1).unwrap();
    server.freeze();
    let started = now();
    let error = store.newest(1).unwrap_err();
    assert!(matches!(error, StoreError::Outage { .. }), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(9), "{:?}", started.elapsed());
    let dropped = now();
    drop(store);
    assert!(dropped.elapsed() < Duration::from_secs(1), "{:?}", dropped.elapsed());
    let connecting = now();
    assert!(matches!(postgres.connect(), Err(StoreError::Outage { .. })));
    assert!(connecting.elapsed() < Duration::from_secs(4), "{:?}", connecting.elapsed());
    server.thaw();
    postgres.connect().unwrap().newest(1).unwrap();
}

/// Design, deadlines: a session that nobody used for longer than it may be silent is as good as
/// before, and so is one whose statements take long and answer.
#[test]
fn an_idle_session_is_not_given_up() {
    let database = servers::database();
    let postgres = Postgres::new(database.url()).unwrap();
    postgres.migrate().unwrap();
    let mut store = postgres.connect().unwrap();
    store.newest(1).unwrap();
    // The idle time is what is tested.
    StopToken::new().wait(Duration::from_millis(6500));
    store.newest(1).unwrap();
}

/// Row 20: what waits for a silent database at the end of a stop is cut, and ends at once.
#[test]
fn a_cut_ends_what_waits() {
    let database = servers::database();
    Postgres::new(database.url()).unwrap().migrate().unwrap();
    let (proxy, url) = Proxy::to_url(database.url());
    let cut = StopToken::new();
    let postgres = Postgres::new(&url).unwrap().cut_by(cut.clone());
    let mut store = postgres.connect().unwrap();
    store.newest(1).unwrap();
    proxy.freeze();
    let started = now();
    std::thread::scope(|scope| {
        let reading = scope.spawn(move || store.newest(1).map(drop));
        let connecting = scope.spawn(|| postgres.connect().map(drop));
        cut.stop();
        for thread in [reading, connecting] {
            assert!(matches!(thread.join().unwrap(), Err(StoreError::Outage { .. })));
        }
    });
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
}

/// Sources whose `fetch` hangs until it is released.
#[derive(Default)]
struct Hanging {
    release: StopToken,
    opened: AtomicUsize,
}

struct HangingSource(StopToken);

impl OpenSource for Hanging {
    fn open(&self) -> Result<Box<dyn Source>, TopicError> {
        self.opened.fetch_add(1, Ordering::SeqCst);
        Ok(Box::new(HangingSource(self.release.clone())))
    }

    fn name(&self) -> String {
        "hanging".to_owned()
    }
}

impl Source for HangingSource {
    fn bounds(&mut self) -> Result<Vec<Bounds>, TopicError> {
        Ok(vec![Bounds { partition: 0, earliest: 1, end: 2 }])
    }

    fn seek(&mut self, _positions: &[(i32, i64)]) {}

    fn fetch(&mut self, _wait_max: Duration) -> Result<Vec<Message>, TopicError> {
        while !self.0.wait(Duration::from_secs(1)) {}
        Ok(Vec::new())
    }

    fn standing(&mut self) -> Result<Standing, TopicError> {
        Ok(Standing::default())
    }

    fn saved(&mut self, _positions: &[(i32, i64)]) {}
}

const CALL_WAIT_MAX: Duration = Duration::from_millis(300);

fn detached(crew: &Arc<Crew>, sources: &Arc<Hanging>, cut: &StopToken) -> Detached<dyn OpenSource> {
    let sources: Arc<dyn OpenSource> = Arc::clone(sources) as _;
    Detached::new(sources, crew, "hanging", CALL_WAIT_MAX, cut.clone())
}

fn fetch(source: &mut dyn Source) -> TopicError {
    let started = now();
    let error = source.fetch(Duration::ZERO).unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    error
}

/// Design, deadlines: a thread stuck in a call is abandoned, counted and replaced, a few at most;
/// then the topic is not there, and says why. A call that returns makes room again.
#[test]
fn calls_that_hang_are_left_behind_counted_and_bounded() {
    let crew = Arc::new(Crew::new(StopToken::new()));
    let (sources, cut) = (Arc::new(Hanging::default()), StopToken::new());
    let topic = detached(&crew, &sources, &cut);
    for hung in 1..=HUNG_MAX {
        let mut source = topic.open().unwrap();
        assert_eq!(source.bounds().unwrap()[0].end, 2);
        let error = fetch(&mut *source);
        assert!(error.to_string().contains("longer than"), "{error}");
        assert_eq!(topic.hung(), hung);
    }
    let refused = topic.open().err().unwrap();
    assert!(refused.to_string().contains("4 calls to it hang already"), "{refused}");
    assert_eq!(sources.opened.load(Ordering::SeqCst), HUNG_MAX);
    assert_eq!(crew.running(), ["hanging"; HUNG_MAX]);

    sources.release.stop();
    wait_until("the calls have returned", || topic.hung() == 0);
    wait_until("their threads have ended", || crew.running().is_empty());
    let mut source = topic.open().unwrap();
    assert_eq!(source.fetch(Duration::ZERO).unwrap(), []);
    drop(source);
    assert_eq!(crew.stop_and_join(Duration::from_secs(20)), Vec::<String>::new());
}

/// Row 20: a stop doesn't wait for a call that hangs: its thread is named, and joined when it ends.
#[test]
fn a_stop_names_what_hangs() {
    let crew = Arc::new(Crew::new(StopToken::new()));
    let (sources, cut) = (Arc::new(Hanging::default()), StopToken::new());
    let sources: Arc<Hanging> = sources;
    let opener: Arc<dyn OpenSource> = Arc::clone(&sources) as _;
    let topic: Detached<dyn OpenSource> =
        Detached::new(opener, &crew, "hanging", Duration::from_secs(60), cut.clone());
    let mut source = topic.open().unwrap();
    std::thread::scope(|scope| {
        let fetching = scope.spawn(move || fetch(&mut *source));
        cut.stop();
        assert!(fetching.join().unwrap().to_string().contains("stopping"));
    });
    assert_eq!(crew.stop_and_join(Duration::from_millis(50)), ["hanging"]);
    sources.release.stop();
    assert_eq!(crew.stop_and_join(Duration::from_secs(20)), Vec::<String>::new());
}
