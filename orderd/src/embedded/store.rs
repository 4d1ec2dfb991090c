//! The store in the embedded database: orders by id and by arrival, and positions.
//!
//! An order is kept as its canonical bytes with their digest, so reading one is one lookup and
//! nothing is put together again.

use crate::crash;
use crate::crash::Point;
use crate::embedded::Embedded;
use crate::embedded::letters;
use crate::order::Digest;
use crate::order::OrderUid;
use crate::store::Batch;
use crate::store::Connect;
use crate::store::Counts;
use crate::store::DeadLetter;
use crate::store::Outcome;
use crate::store::Saved;
use crate::store::Store;
use crate::store::StoreError;
use crate::store::StoredOrder;
use crate::store::letters::Letters;
use crate::store::positions::Position;
use crate::store::positions::Positions;
use bytes::Bytes;
use redb::ReadableTable;
use redb::ReadableTableMetadata;
use redb::Table;
use redb::TableDefinition;
use redb::WriteTransaction;

/// Arrival, digest and canonical bytes by id.
const ORDERS: TableDefinition<'_, &str, OrderRow> = TableDefinition::new("orders");

/// Ids by arrival. Orders are never deleted, so the highest arrival is the last one given.
const ARRIVALS: TableDefinition<'_, i64, &str> = TableDefinition::new("arrivals");

/// The next offset by group, topic and partition.
const POSITIONS: TableDefinition<'_, (&str, &str, i32), i64> = TableDefinition::new("positions");

type OrderRow = (i64, &'static [u8; 32], &'static [u8]);

pub(super) fn create_tables(transaction: &WriteTransaction) -> Result<(), redb::Error> {
    transaction.open_table(ORDERS)?;
    transaction.open_table(ARRIVALS)?;
    transaction.open_table(POSITIONS)?;
    letters::create_tables(transaction)
}

impl Connect for Embedded {
    fn connect(&self) -> Result<Box<dyn Store>, StoreError> {
        self.revive().map_err(|error| self.store_error(error))?;
        Ok(Box::new(EmbeddedStore(self.clone())))
    }

    /// The tables were made when the file was opened.
    fn migrate(&self) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }

    fn name(&self) -> String {
        Self::name(self)
    }
}

impl Positions for Embedded {
    fn positions(&self) -> Result<Vec<Position>, StoreError> {
        self.try_positions().map_err(|error| self.store_error(error))
    }

    fn set_position(&self, position: &Position) -> Result<Option<i64>, StoreError> {
        self.try_set_position(position).map_err(|error| self.store_error(error))
    }
}

impl Embedded {
    fn try_positions(&self) -> Result<Vec<Position>, redb::Error> {
        let mut found = Vec::new();
        for row in self.begin_read()?.open_table(POSITIONS)?.iter()? {
            let (key, next_offset) = row?;
            let (group, topic, partition) = key.value();
            found.push(Position {
                group: group.to_owned(),
                topic: topic.to_owned(),
                partition,
                next_offset: next_offset.value(),
            });
        }
        Ok(found)
    }

    fn try_set_position(&self, position: &Position) -> Result<Option<i64>, redb::Error> {
        let Position { group, topic, partition, next_offset } = position;
        let transaction = self.begin_write()?;
        let former = {
            let mut positions = transaction.open_table(POSITIONS)?;
            let former = positions.insert((&**group, &**topic, *partition), next_offset)?;
            former.map(|offset| offset.value())
        };
        transaction.commit()?;
        Ok(former)
    }

    fn store_error(&self, error: redb::Error) -> StoreError {
        self.note(&error);
        let what = self.name();
        match error {
            redb::Error::Corrupted(detail) => StoreError::Corrupt { what, detail },
            other => StoreError::Outage { what, source: Box::new(other) },
        }
    }
}

pub(super) struct EmbeddedStore(pub(super) Embedded);

/// Why a batch wasn't saved.
pub(super) enum SaveError {
    Database(redb::Error),
    Commit(redb::Error),
    Moved { partition: i32 },
    Uid(String),
}

impl<E: Into<redb::Error>> From<E> for SaveError {
    fn from(error: E) -> Self {
        Self::Database(error.into())
    }
}

impl EmbeddedStore {
    pub(super) fn fail(&self, error: impl Into<redb::Error>) -> StoreError {
        self.0.store_error(error.into())
    }

    fn corrupt_uid(&self, uid: &str) -> StoreError {
        StoreError::Corrupt { what: self.0.name(), detail: format!("{uid:?} is no order id") }
    }

    pub(super) fn save_error(&self, error: SaveError) -> StoreError {
        match error {
            SaveError::Database(error) => self.fail(error),
            SaveError::Commit(error) => {
                self.0.note(&error);
                StoreError::CommitUnknown { what: self.0.name(), source: Box::new(error) }
            }
            SaveError::Moved { partition } => StoreError::PositionMoved { partition },
            SaveError::Uid(uid) => self.corrupt_uid(&uid),
        }
    }

    fn try_assign(
        &self,
        group: &str,
        topic: &str,
        starts: &[(i32, i64)],
    ) -> Result<Vec<(i32, i64)>, redb::Error> {
        let transaction = self.0.begin_write()?;
        let mut assigned = Vec::with_capacity(starts.len());
        let mut inserted = false;
        {
            let mut positions = transaction.open_table(POSITIONS)?;
            for &(partition, start) in starts {
                let key = (group, topic, partition);
                let stored = positions.get(key)?.map(|offset| offset.value());
                if stored.is_none() {
                    positions.insert(key, start)?;
                    inserted = true;
                }
                assigned.push((partition, stored.unwrap_or(start)));
            }
        }
        if inserted {
            transaction.commit()?;
        } else {
            transaction.abort()?;
        }
        Ok(assigned)
    }

    fn try_save(&self, batch: &Batch) -> Result<Saved, SaveError> {
        let transaction = self.0.begin_write()?;
        crash::point(Point::BeforeCompareAndSet);
        move_positions(&transaction, batch)?;
        crash::point(Point::BetweenStatements);
        let orders = save_content(&transaction, batch)?;
        crash::point(Point::BeforeCommit);
        transaction.commit().map_err(|error| SaveError::Commit(error.into()))?;
        Ok(Saved { orders, refused: Vec::new() })
    }

    fn try_page(&self, before: Option<i64>, limit: usize) -> Result<Vec<StoredOrder>, SaveError> {
        let transaction = self.0.begin_read()?;
        let arrivals = transaction.open_table(ARRIVALS)?;
        let orders = transaction.open_table(ORDERS)?;
        let mut page = Vec::new();
        let end = before.unwrap_or(i64::MAX);
        for entry in arrivals.range(..end)?.rev().take(limit) {
            let (_, uid) = entry?;
            let uid = uid.value();
            if let Some(row) = orders.get(uid)? {
                page.push(stored(parse(uid)?, row.value()));
            }
        }
        Ok(page)
    }

    fn try_newest(&self, limit: usize) -> Result<Vec<OrderUid>, SaveError> {
        let arrivals = self.0.begin_read()?.open_table(ARRIVALS)?;
        let mut newest = Vec::new();
        for entry in arrivals.iter()?.rev().take(limit) {
            newest.push(parse(entry?.1.value())?);
        }
        Ok(newest)
    }

    fn try_load(&self, uids: &[OrderUid]) -> Result<Vec<StoredOrder>, redb::Error> {
        let orders = self.0.begin_read()?.open_table(ORDERS)?;
        let mut found = Vec::with_capacity(uids.len());
        for uid in uids {
            if let Some(row) = orders.get(uid.as_str())? {
                found.push(stored(uid.clone(), row.value()));
            }
        }
        Ok(found)
    }

    fn try_counts(&self) -> Result<Counts, redb::Error> {
        let transaction = self.0.begin_read()?;
        Ok(Counts {
            orders: transaction.open_table(ORDERS)?.len()?,
            dead_letters: letters::count_all(&transaction)?,
        })
    }
}

fn move_positions(transaction: &WriteTransaction, batch: &Batch) -> Result<(), SaveError> {
    let mut positions = transaction.open_table(POSITIONS)?;
    for advance in &batch.advances {
        let key = (batch.group.as_str(), batch.topic.as_str(), advance.partition);
        let stored = positions.get(key)?.map(|offset| offset.value());
        if stored != Some(advance.from) && cfg!(not(drill_without_fence)) {
            // Dropping the transaction undoes the moves before this one.
            return Err(SaveError::Moved { partition: advance.partition });
        }
        positions.insert(key, advance.to)?;
    }
    Ok(())
}

/// What a batch holds, without its positions: the one way in which orders come into the database.
pub(super) fn save_content(
    transaction: &WriteTransaction,
    batch: &Batch,
) -> Result<Vec<(StoredOrder, Outcome)>, SaveError> {
    let saved = save_orders(transaction, batch)?;
    letters::insert(transaction, batch)?;
    letters::overtake(transaction, batch)?;
    Ok(saved)
}

fn save_orders(
    transaction: &WriteTransaction,
    batch: &Batch,
) -> Result<Vec<(StoredOrder, Outcome)>, SaveError> {
    let mut orders = transaction.open_table(ORDERS)?;
    let mut arrivals = transaction.open_table(ARRIVALS)?;
    let mut arrival_next = arrivals.last()?.map_or(1, |(arrival, _)| arrival.value() + 1);
    let mut saved = Vec::new();
    for versions in batch.versions() {
        let order = &versions.latest.order;
        let before = orders.get(order.uid().as_str())?.map(|row| {
            let (arrival, digest, _) = row.value();
            (arrival, Digest(*digest))
        });
        let (arrival, outcome) = match before {
            Some((arrival, digest)) if digest == order.digest() => (arrival, Outcome::Duplicate),
            Some((arrival, _)) => (arrival, Outcome::Replaced),
            None => (arrival_next, Outcome::Inserted),
        };
        let stored = StoredOrder {
            uid: order.uid().clone(),
            arrival,
            body: order.body().clone(),
            digest: order.digest(),
        };
        if outcome != Outcome::Duplicate {
            write(&mut orders, &stored)?;
        }
        if outcome == Outcome::Inserted {
            arrivals.insert(arrival, stored.uid.as_str())?;
            arrival_next += 1;
        }
        saved.push((stored, outcome));
    }
    Ok(saved)
}

fn write(
    orders: &mut Table<'_, &'static str, OrderRow>,
    order: &StoredOrder,
) -> Result<(), redb::StorageError> {
    orders.insert(order.uid.as_str(), (order.arrival, &order.digest.0, &order.body[..]))?;
    Ok(())
}

fn parse(uid: &str) -> Result<OrderUid, SaveError> {
    OrderUid::parse(uid).map_err(|_| SaveError::Uid(uid.to_owned()))
}

fn stored(uid: OrderUid, (arrival, digest, body): (i64, &[u8; 32], &[u8])) -> StoredOrder {
    StoredOrder { uid, arrival, body: Bytes::copy_from_slice(body), digest: Digest(*digest) }
}

impl Store for EmbeddedStore {
    fn assign(
        &mut self,
        group: &str,
        topic: &str,
        starts: &[(i32, i64)],
    ) -> Result<Vec<(i32, i64)>, StoreError> {
        self.try_assign(group, topic, starts).map_err(|error| self.fail(error))
    }

    fn save(&mut self, batch: &Batch) -> Result<Saved, StoreError> {
        self.try_save(batch).map_err(|error| self.save_error(error))
    }

    fn load(&mut self, uids: &[OrderUid]) -> Result<Vec<StoredOrder>, StoreError> {
        self.try_load(uids).map_err(|error| self.fail(error))
    }

    fn page(&mut self, before: Option<i64>, limit: usize) -> Result<Vec<StoredOrder>, StoreError> {
        self.try_page(before, limit).map_err(|error| self.save_error(error))
    }

    fn newest(&mut self, limit: usize) -> Result<Vec<OrderUid>, StoreError> {
        self.try_newest(limit).map_err(|error| self.save_error(error))
    }

    fn counts(&mut self) -> Result<Counts, StoreError> {
        self.try_counts().map_err(|error| self.fail(error))
    }

    fn dead_letters(&mut self, topic: &str, limit: usize) -> Result<Vec<DeadLetter>, StoreError> {
        letters::of_topic(&self.0, topic, limit).map_err(|error| self.fail(error))
    }
    fn letters(&mut self) -> &mut dyn Letters {
        self
    }
}
