//! Dead letters in the embedded database, by id, and the ways to find them: by origin, by the order
//! that they name, and those that the topic of dead letters doesn't have.

use crate::clock::Clock;
use crate::crash;
use crate::crash::Point;
use crate::embedded::Embedded;
use crate::embedded::letter_row::Key;
use crate::embedded::letter_row::Row;
use crate::embedded::letter_row::key;
use crate::embedded::letter_row::payload;
use crate::embedded::letter_row::restored;
use crate::embedded::letter_row::row;
use crate::embedded::letter_row::time;
use crate::embedded::store::EmbeddedStore;
use crate::embedded::store::SaveError;
use crate::embedded::store::save_content;
use crate::order::decode::Part;
use crate::order::decode::named_uid;
use crate::store::Batch;
use crate::store::DeadLetter;
use crate::store::Origin;
use crate::store::Outcome;
use crate::store::StoreError;
use crate::store::StoredOrder;
use crate::store::letters::Filter;
use crate::store::letters::Force;
use crate::store::letters::Letter;
use crate::store::letters::Letters;
use crate::store::letters::Place;
use crate::store::letters::REASON_CHARS_MAX;
use crate::store::letters::Refusal;
use crate::store::letters::Replayed;
use crate::store::letters::State;
use bytes::Bytes;
use jiff::Timestamp;
use redb::ReadTransaction;
use redb::ReadableTable;
use redb::ReadableTableMetadata;
use redb::TableDefinition;
use redb::WriteTransaction;

/// Every letter by id.
const LETTERS: TableDefinition<'_, i64, Row> = TableDefinition::new("letters");

/// Ids by topic, partition, offset and element.
const ORIGINS: TableDefinition<'_, Key, i64> = TableDefinition::new("letter_origins");

/// The open letters that name an order, by its id and theirs.
const NAMED: TableDefinition<'_, (&str, i64), ()> = TableDefinition::new("letter_orders");

/// The ids of those that the topic of dead letters doesn't have.
const UNPUBLISHED: TableDefinition<'_, i64, ()> = TableDefinition::new("letters_unpublished");

/// Code, reason and payload by topic, partition, offset and element, as the first version had it.
const FIRST_VERSION: TableDefinition<'_, Key, (&str, &str, &[u8])> =
    TableDefinition::new("dead_letters");

pub(super) fn create_tables(transaction: &WriteTransaction) -> Result<(), redb::Error> {
    transaction.open_table(LETTERS)?;
    transaction.open_table(ORIGINS)?;
    transaction.open_table(NAMED)?;
    transaction.open_table(UNPUBLISHED)?;
    Ok(())
}

/// Brings the letters of the first version over, as if they came this moment.
pub(super) fn upgrade(transaction: &WriteTransaction) -> Result<(), redb::Error> {
    create_tables(transaction)?;
    for entry in transaction.open_table(FIRST_VERSION)?.iter()? {
        let (key, row) = entry?;
        let (topic, partition, offset, element) = key.value();
        let (code, reason, payload) = row.value();
        let letter = DeadLetter {
            origin: Origin { partition, offset, element },
            code: code.to_owned(),
            reason: reason.to_owned(),
            part: Part::Element,
            payload: Bytes::copy_from_slice(payload),
        };
        insert_one(transaction, topic, &letter)?;
    }
    transaction.delete_table(FIRST_VERSION)?;
    Ok(())
}

/// Writes the letters of a batch; those that are there already stay as they are.
pub(super) fn insert(transaction: &WriteTransaction, batch: &Batch) -> Result<(), redb::Error> {
    for letter in &batch.dead_letters {
        crash::point(Point::InDeadLettering);
        insert_one(transaction, &batch.topic, letter)?;
    }
    Ok(())
}

fn insert_one(
    transaction: &WriteTransaction,
    topic: &str,
    dead: &DeadLetter,
) -> Result<(), redb::Error> {
    let mut origins = transaction.open_table(ORIGINS)?;
    let place = Place { topic: topic.to_owned(), origin: dead.origin };
    if origins.get(key(&place))?.is_some() {
        return Ok(());
    }
    let mut letters = transaction.open_table(LETTERS)?;
    let id = letters.last()?.map_or(1, |(id, _)| id.value() + 1);
    origins.insert(key(&place), id)?;
    let letter = Letter {
        id,
        place,
        part: dead.part,
        code: dead.code.clone(),
        reason: dead.reason.clone(),
        order_uid: named_uid(&dead.payload),
        payload_bytes: dead.payload.len() as u64,
        received_at: now(),
        state: State::Open,
        settled_at: None,
        overtaken_by: None,
    };
    if let Some(uid) = &letter.order_uid {
        transaction.open_table(NAMED)?.insert((uid.as_str(), id), ())?;
    }
    transaction.open_table(UNPUBLISHED)?.insert(id, ())?;
    letters.insert(id, row(&letter, &dead.payload))?;
    Ok(())
}

/// Marks the open letters about orders that `batch` has saved from a later message.
pub(super) fn overtake(transaction: &WriteTransaction, batch: &Batch) -> Result<(), redb::Error> {
    let named = transaction.open_table(NAMED)?;
    if named.is_empty()? {
        return Ok(());
    }
    for versions in batch.versions() {
        let uid = versions.latest.order.uid().as_str();
        let by = Place { topic: batch.topic.clone(), origin: versions.latest.origin };
        for entry in named.range((uid, i64::MIN)..=(uid, i64::MAX))? {
            let (_, id) = entry?.0.value();
            change(transaction, id, |letter| {
                if is_before(&letter.place, &by) {
                    letter.overtaken_by = Some(by.clone());
                }
            })?;
        }
    }
    Ok(())
}

/// Whether `letter` came before `by`, as far as that can be told.
fn is_before(letter: &Place, by: &Place) -> bool {
    let is_elsewhere = letter.topic != by.topic || letter.origin.partition != by.origin.partition;
    is_elsewhere || letter.origin < by.origin
}

/// Writes what `edit` makes of a letter.
fn change(
    transaction: &WriteTransaction,
    id: i64,
    edit: impl FnOnce(&mut Letter),
) -> Result<(), redb::Error> {
    let mut letters = transaction.open_table(LETTERS)?;
    let found = letters.get(id)?.map(|row| (restored(id, row.value()), payload(row.value())));
    if let Some((mut letter, payload)) = found {
        edit(&mut letter);
        letters.insert(id, row(&letter, &payload))?;
    }
    Ok(())
}

/// The letters of a topic by origin.
pub(super) fn of_topic(
    embedded: &Embedded,
    topic: &str,
    limit: usize,
) -> Result<Vec<DeadLetter>, redb::Error> {
    let transaction = embedded.begin_read()?;
    let (origins, letters) = (transaction.open_table(ORIGINS)?, transaction.open_table(LETTERS)?);
    let (first, last) = ((topic, i32::MIN, i64::MIN, 0), (topic, i32::MAX, i64::MAX, u32::MAX));
    let mut found = Vec::new();
    for entry in origins.range(first..=last)?.take(limit) {
        if let Some(row) = letters.get(entry?.1.value())? {
            let letter = restored(0, row.value());
            found.push(DeadLetter {
                origin: letter.place.origin,
                code: letter.code,
                reason: letter.reason,
                part: letter.part,
                payload: payload(row.value()),
            });
        }
    }
    Ok(found)
}

pub(super) fn count_all(transaction: &ReadTransaction) -> Result<u64, redb::Error> {
    Ok(transaction.open_table(LETTERS)?.len()?)
}

impl EmbeddedStore {
    fn try_list(
        &self,
        filter: &Filter,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<Letter>, redb::Error> {
        let letters = self.0.begin_read()?.open_table(LETTERS)?;
        let mut found = Vec::new();
        for entry in letters.range(..before.unwrap_or(i64::MAX))?.rev() {
            if found.len() == limit {
                break;
            }
            let (id, row) = entry?;
            let mut letter = restored(id.value(), row.value());
            if is_meant(filter, &letter) {
                letter.reason = letter.reason.chars().take(REASON_CHARS_MAX).collect();
                found.push(letter);
            }
        }
        Ok(found)
    }

    fn try_ids(&self, filter: &Filter, after: i64, limit: usize) -> Result<Vec<i64>, redb::Error> {
        let letters = self.0.begin_read()?.open_table(LETTERS)?;
        let mut found = Vec::new();
        for entry in letters.range(after.saturating_add(1)..)? {
            if found.len() == limit {
                break;
            }
            let (id, row) = entry?;
            if is_meant(filter, &restored(id.value(), row.value())) {
                found.push(id.value());
            }
        }
        Ok(found)
    }

    fn try_find(&self, id: i64) -> Result<Option<(Letter, Bytes)>, redb::Error> {
        let letters = self.0.begin_read()?.open_table(LETTERS)?;
        let found = letters.get(id)?;
        Ok(found.map(|row| (restored(id, row.value()), payload(row.value()))))
    }

    fn try_replay(
        &self,
        id: i64,
        batch: &Batch,
        force: Force,
    ) -> Result<Result<Vec<(StoredOrder, Outcome)>, Refusal>, SaveError> {
        let transaction = self.0.begin_write()?;
        let found = transaction.open_table(LETTERS)?.get(id)?.map(|row| restored(id, row.value()));
        // Dropping the transaction undoes everything.
        let Some(letter) = found else { return Ok(Err(Refusal::Unknown)) };
        match letter.state {
            State::Open => {}
            State::Dropped if force == Force::Yes => {}
            settled => return Ok(Err(Refusal::Settled(settled))),
        }
        if letter.overtaken_by.is_some() && force == Force::No {
            return Ok(Err(Refusal::Overtaken(letter.overtaken_by)));
        }
        let orders = save_content(&transaction, batch)?;
        let is_in_doubt = |(order, outcome): &(StoredOrder, Outcome)| {
            *outcome == Outcome::Replaced && letter.order_uid.as_ref() != Some(&order.uid)
        };
        if force == Force::No && orders.iter().any(is_in_doubt) {
            return Ok(Err(Refusal::Overtaken(None)));
        }
        settle(&transaction, &letter, State::Replayed)?;
        transaction.commit().map_err(|error| SaveError::Commit(error.into()))?;
        Ok(Ok(orders))
    }

    fn try_discard(&self, ids: &[i64]) -> Result<Vec<i64>, SaveError> {
        let transaction = self.0.begin_write()?;
        let mut dropped = Vec::new();
        for &id in ids {
            let found = transaction.open_table(LETTERS)?.get(id)?.map(|r| restored(id, r.value()));
            if let Some(letter) = found.filter(|letter| letter.state == State::Open) {
                settle(&transaction, &letter, State::Dropped)?;
                dropped.push(id);
            }
        }
        transaction.commit().map_err(|error| SaveError::Commit(error.into()))?;
        Ok(dropped)
    }

    fn try_claim(&self, limit: usize) -> Result<Vec<(Letter, Bytes)>, redb::Error> {
        let mut ids = Vec::new();
        for entry in self.0.begin_read()?.open_table(UNPUBLISHED)?.iter()?.take(limit) {
            ids.push(entry?.0.value());
        }
        ids.into_iter().filter_map(|id| self.try_find(id).transpose()).collect()
    }

    fn try_published(&self, ids: &[i64]) -> Result<(), SaveError> {
        let transaction = self.0.begin_write()?;
        for id in ids {
            transaction.open_table(UNPUBLISHED)?.remove(id)?;
        }
        transaction.commit().map_err(|error| SaveError::Commit(error.into()))
    }
}

fn settle(
    transaction: &WriteTransaction,
    letter: &Letter,
    state: State,
) -> Result<(), redb::Error> {
    if let Some(uid) = &letter.order_uid {
        transaction.open_table(NAMED)?.remove((uid.as_str(), letter.id))?;
    }
    change(transaction, letter.id, |letter| {
        letter.state = state;
        letter.settled_at = Some(now());
    })
}

impl Letters for EmbeddedStore {
    fn list(
        &mut self,
        filter: &Filter,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<Letter>, StoreError> {
        self.try_list(filter, before, limit).map_err(|error| self.fail(error))
    }

    fn ids(&mut self, filter: &Filter, after: i64, limit: usize) -> Result<Vec<i64>, StoreError> {
        self.try_ids(filter, after, limit).map_err(|error| self.fail(error))
    }

    fn find(&mut self, id: i64) -> Result<Option<(Letter, Bytes)>, StoreError> {
        self.try_find(id).map_err(|error| self.fail(error))
    }

    fn count(&mut self, filter: &Filter) -> Result<u64, StoreError> {
        Ok(self.ids(filter, i64::MIN, usize::MAX)?.len() as u64)
    }

    fn replay(&mut self, id: i64, batch: &Batch, force: Force) -> Result<Replayed, StoreError> {
        let tried = self.try_replay(id, batch, force).map_err(|error| self.save_error(error))?;
        Ok(tried.map_or_else(Replayed::Refused, Replayed::Landed))
    }

    fn discard(&mut self, ids: &[i64]) -> Result<Vec<i64>, StoreError> {
        self.try_discard(ids).map_err(|error| self.save_error(error))
    }

    /// One process has the file, and one thread of it publishes: there is nobody to claim against.
    fn claim_unpublished(&mut self, limit: usize) -> Result<Vec<(Letter, Bytes)>, StoreError> {
        self.try_claim(limit).map_err(|error| self.fail(error))
    }

    fn published(&mut self, ids: &[i64]) -> Result<(), StoreError> {
        self.try_published(ids).map_err(|error| self.save_error(error))
    }
}

fn is_meant(filter: &Filter, letter: &Letter) -> bool {
    filter.state.is_none_or(|state| letter.state == state)
        && filter.code.as_ref().is_none_or(|code| letter.code == *code)
        && filter.reason.as_ref().is_none_or(|text| letter.reason.contains(text))
}

/// To the microsecond, as everything here is kept.
fn now() -> Timestamp {
    time(Clock::system().wall().as_microsecond())
}
