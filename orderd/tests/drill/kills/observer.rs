//! Looks at the database from the side all the time: one snapshot of the positions, and of what is
//! stored, which are compared with the topic's log when it is complete.

use crate::daemon::now;
use crate::kills::scene::Scene;
use orderd::supervise::StopToken;
use postgres::Client;
use postgres::IsolationLevel;
use postgres::NoTls;
use std::collections::BTreeMap;
use std::time::Duration;

const POSITIONS: &str = "select partition, next_offset from positions where topic = $1";
const ORDERS: &str = "select count(*), coalesce(sum(sm_id), 0)::bigint from orders";
const LETTERS: &str = "select partition, count(*) from dead_letters group by 1";

/// What the database says at one moment.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) at: Duration,
    pub(crate) positions: BTreeMap<i32, i64>,
    pub(crate) orders: i64,
    /// The sum of the numbers of the orders' contents.
    pub(crate) numbers: i64,
    pub(crate) letters: BTreeMap<i32, i64>,
}

/// Who looks.
pub(crate) struct Observer {
    url: String,
    topic: String,
}

impl Observer {
    pub(crate) fn of(scene: &Scene) -> Self {
        Self { url: scene.postgres.address.clone(), topic: scene.topic.clone() }
    }

    /// Takes a snapshot `every` so often until `stop`; none while the database is away.
    pub(crate) fn observe(&self, every: Duration, stop: &StopToken) -> Vec<Snapshot> {
        let (started, mut client, mut snapshots) = (now(), None, Vec::new());
        while !stop.is_stopped() {
            match self.snapshot(&mut client) {
                Ok((positions, orders, numbers, letters)) => {
                    let at = started.elapsed();
                    snapshots.push(Snapshot { at, positions, orders, numbers, letters });
                }
                Err(_) => client = None,
            }
            stop.wait(every);
        }
        snapshots
    }

    #[expect(clippy::type_complexity, reason = "the fields of a snapshot")]
    fn snapshot(
        &self,
        client: &mut Option<Client>,
    ) -> Result<(BTreeMap<i32, i64>, i64, i64, BTreeMap<i32, i64>), postgres::Error> {
        let client = match client {
            Some(client) => client,
            None => client.insert(Client::connect(&self.url, NoTls)?),
        };
        let isolation = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead);
        let mut transaction = isolation.read_only(true).start()?;
        let positions = transaction.query(POSITIONS, &[&self.topic])?;
        let orders = transaction.query_one(ORDERS, &[])?;
        let letters = transaction.query(LETTERS, &[])?;
        transaction.commit()?;
        Ok((
            positions.iter().map(|row| (row.get(0), row.get(1))).collect(),
            orders.get(0),
            orders.get(1),
            letters.iter().map(|row| (row.get(0), row.get(1))).collect(),
        ))
    }
}
