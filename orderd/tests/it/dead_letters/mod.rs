//! Dead letters from the message to the order, through the real program.

mod commands;
mod desk;
mod topic;

use crate::daemon::Daemon;
use crate::daemon::wait_until;
use crate::servers;
use crate::servers::TestDatabase;
use bytes::Bytes;
use jiff::Timestamp;
use orderd::embedded::Embedded;
use orderd::generate::Generator;
use orderd::generate::Template;
use orderd::generate::damage::Damage;
use orderd::store::Connect;
use orderd::store::letters::Filter;
use orderd::store::postgres::Postgres;
use orderd::topic::OpenSink as _;
use orderd::topic::Record;

/// A store of a test's own, and a folder with the topic that a daemon on it reads.
pub(crate) struct Place {
    folder: tempfile::TempDir,
    database: Option<TestDatabase>,
}

impl Place {
    /// One on each store.
    pub(crate) fn both() -> [Self; 2] {
        let folder = || tempfile::tempdir().unwrap();
        let database = servers::database();
        Postgres::new(database.url()).unwrap().migrate().unwrap();
        let on_embedded = Self { folder: folder(), database: None };
        [on_embedded, Self { folder: folder(), database: Some(database) }]
    }

    fn folder(&self) -> &str {
        self.folder.path().to_str().unwrap()
    }

    /// The arguments of a command that name the store.
    pub(crate) fn arguments(&self) -> Vec<&str> {
        match &self.database {
            Some(database) => vec!["--database-url", database.url()],
            None => vec!["--data-dir", self.folder()],
        }
    }

    /// A daemon on the store and on the topic in the folder.
    pub(crate) fn start(&self, more: &[&str]) -> Daemon {
        let mut arguments = vec!["--data-dir", self.folder()];
        if let Some(database) = &self.database {
            arguments.extend(["--database-url", database.url()]);
        }
        Daemon::start(&[&arguments, more].concat())
    }

    /// Appends messages to the topic. No daemon may be running.
    pub(crate) fn append(&self, messages: &[Bytes]) {
        let embedded = Embedded::open(self.folder.path()).unwrap();
        let mut sink = embedded.topic("orders", 1).open().unwrap();
        let record = |value: &Bytes| Record { key: Bytes::new(), value: value.clone() };
        sink.append(&messages.iter().map(record).collect::<Vec<_>>()).unwrap();
    }

    /// Lets a daemon take in messages, until there are so many letters, and stops it.
    pub(crate) fn take_in(&self, messages: &[Bytes], letters: usize, validation: &str) {
        self.append(messages);
        let daemon = self.start(&["--validation", validation]);
        daemon.wait_ready();
        match &self.database {
            Some(database) => {
                let postgres = Postgres::new(database.url()).unwrap();
                wait_until("the letters are stored", || {
                    let mut store = postgres.connect().unwrap();
                    store.letters().count(&Filter::default()).unwrap() == letters as u64
                });
            }
            // The last message is saved after those before it.
            None => {
                wait_until("the last order is served", || daemon.get("/orders/last").status == 200);
            }
        }
        let (status, _) = daemon.interrupt();
        assert_eq!(status.code(), Some(0));
    }
}

/// One message of each kind of damage, each made of another order.
pub(crate) fn damaged() -> Vec<(Damage, Bytes)> {
    let orders = Generator::new(4, Template::Random, 0.0).starting_at(Timestamp::UNIX_EPOCH);
    let pairs = Damage::ALL.into_iter().zip(orders);
    pairs.map(|(damage, order)| (damage, damage.applied_to(&order.body.unwrap()))).collect()
}

/// An order that is valid by the lenient rules and has no delivery, which the strict ones want.
pub(crate) fn incomplete(uid: &str) -> String {
    format!(
        r#"{{"order_uid":"{uid}","date_created":"2021-11-26T06:22:19Z","items":[{{"name":"x"}}]}}"#
    )
}

/// A message whose order passes every rule.
pub(crate) fn last() -> Bytes {
    let model = include_str!("../../../assets/model.json");
    Bytes::from(model.replace("b563feb7b2b84b6test", "last"))
}
