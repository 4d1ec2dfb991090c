//! Positions for an operator, in PostgreSQL.

use crate::store::StoreError;
use crate::store::positions::Position;
use crate::store::positions::Positions;
use crate::store::postgres::Postgres;
use crate::store::postgres::failure;

const LIST: &str = "select consumer_group, topic, partition, next_offset from positions \
     order by consumer_group, topic, partition";

/// The former position is read under the lock that the update takes, so that a daemon which moves
/// it at the same time does so before or after.
const FORMER: &str = "select next_offset from positions \
     where consumer_group = $1 and topic = $2 and partition = $3 for update";

const SET: &str = "insert into positions (consumer_group, topic, partition, next_offset) \
     values ($1, $2, $3, $4) on conflict (consumer_group, topic, partition) \
     do update set next_offset = excluded.next_offset";

impl Positions for Postgres {
    fn positions(&self) -> Result<Vec<Position>, StoreError> {
        let rows = self.client()?.query(LIST, &[]).map_err(|error| failure(&self.name, error))?;
        let position = |row: &postgres::Row| {
            Ok(Position {
                group: row.try_get(0)?,
                topic: row.try_get(1)?,
                partition: row.try_get(2)?,
                next_offset: row.try_get(3)?,
            })
        };
        let read: Result<_, postgres::Error> = rows.iter().map(position).collect();
        read.map_err(|error| failure(&self.name, error))
    }

    fn set_position(&self, position: &Position) -> Result<Option<i64>, StoreError> {
        let Position { group, topic, partition, next_offset } = position;
        let mut client = self.client()?;
        let mut set = || {
            let mut transaction = client.transaction()?;
            let former = transaction.query_opt(FORMER, &[group, topic, partition])?;
            let former = former.map(|row| row.try_get(0)).transpose()?;
            transaction.execute(SET, &[group, topic, partition, next_offset])?;
            transaction.commit()?;
            Ok(former)
        };
        set().map_err(|error| failure(&self.name, error))
    }
}
