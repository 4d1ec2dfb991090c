//! Saving a batch: one transaction that begins with the positions.
//!
//! Moving the positions first takes their row locks, so that a second owner of a partition waits
//! here and then finds that its position is gone, before it has written anything.
//!
//! An order that the database refuses must not hold up the others: the chunk it is in is halved
//! until it stands alone, and it becomes a dead letter of the same transaction.

use crate::crash;
use crate::crash::Point;
use crate::order::OrderUid;
use crate::order::decode::Part;
use crate::store::Batch;
use crate::store::DeadLetter;
use crate::store::Outcome;
use crate::store::Saved;
use crate::store::StoreError;
use crate::store::StoredOrder;
use crate::store::Versions;
use crate::store::postgres::Connection;
use crate::store::postgres::Prepared;
use crate::store::postgres::failure;
use crate::store::postgres::letters;
use crate::store::postgres::notify::Instance;
use crate::store::postgres::notify::notify;
use crate::store::postgres::rows;
use crate::store::postgres::write::CHUNK_MAX;
use crate::store::postgres::write::Candidate;
use crate::store::postgres::write::Upserted;
use crate::store::postgres::write::upsert;
use postgres::Transaction;
use postgres::error::DbError;
use postgres::error::Severity;
use std::collections::HashMap;

const ASSIGN: &str = "insert into positions (consumer_group, topic, partition, next_offset) \
     select $1, $2, * from unnest($3::int[], $4::bigint[]) on conflict do nothing";

const ASSIGNED: &str = "select partition, next_offset from positions \
     where consumer_group = $1 and topic = $2 and partition = any($3::int[])";

/// Rows are locked in the order of their partitions, and the condition is checked again on the
/// locked rows: so two writers can't deadlock, and the second one sees what the first has moved.
#[cfg(not(drill_without_fence))]
const MOVE: &str = "with held as (select p.partition, n.target from positions p \
     join unnest($3::int[], $4::bigint[], $5::bigint[]) as n (partition, source, target) \
     on n.partition = p.partition and n.source = p.next_offset \
     where p.consumer_group = $1 and p.topic = $2 order by p.partition for update of p) \
     update positions p set next_offset = held.target from held \
     where p.consumer_group = $1 and p.topic = $2 and p.partition = held.partition \
     returning p.partition";

/// The same without the comparison, for a drill that has to fail.
#[cfg(drill_without_fence)]
const MOVE: &str = "update positions p set next_offset = n.target \
     from unnest($3::int[], $4::bigint[], $5::bigint[]) as n (partition, source, target) \
     where p.consumer_group = $1 and p.topic = $2 and p.partition = n.partition \
     returning p.partition";

const DRAW: &str = "select nextval('orders_arrival') from generate_series(1, $1::bigint)";

/// Why a batch wasn't saved.
pub(super) enum Failure {
    Statement(postgres::Error),
    /// The COMMIT failed, and nobody knows how far it came.
    Commit(postgres::Error),
    Moved {
        partition: i32,
    },
    /// The database took this order and doesn't have it.
    Swallowed(OrderUid),
}

impl From<postgres::Error> for Failure {
    fn from(error: postgres::Error) -> Self {
        Self::Statement(error)
    }
}

impl Connection {
    pub(super) fn assign_positions(
        &mut self,
        group: &str,
        topic: &str,
        starts: &[(i32, i64)],
    ) -> Result<Vec<(i32, i64)>, postgres::Error> {
        let (partitions, offsets): (Vec<i32>, Vec<i64>) = starts.iter().copied().unzip();
        let insert = self.prepared.statement(&mut self.client, ASSIGN)?;
        self.client.execute(&insert, &[&group, &topic, &partitions, &offsets])?;
        let select = self.prepared.statement(&mut self.client, ASSIGNED)?;
        let found = self.client.query(&select, &[&group, &topic, &partitions])?;
        let stored: HashMap<i32, i64> = found
            .iter()
            .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
            .collect::<Result<_, postgres::Error>>()?;
        let position = |&(partition, start): &(i32, i64)| {
            (partition, stored.get(&partition).copied().unwrap_or(start))
        };
        Ok(starts.iter().map(position).collect())
    }

    pub(super) fn save_batch(&mut self, batch: &Batch) -> Result<Saved, StoreError> {
        try_save(&mut self.client, &mut self.prepared, self.instance, batch)
            .map_err(|failure| self.save_error(failure))
    }

    pub(super) fn save_error(&self, error: Failure) -> StoreError {
        let what = &self.what;
        match error {
            Failure::Moved { partition } => StoreError::PositionMoved { partition },
            Failure::Statement(error) => failure(what, error),
            Failure::Swallowed(uid) => StoreError::Corrupt {
                what: what.to_string(),
                detail: format!("it took the order {uid} and didn't keep it; is there a trigger?"),
            },
            Failure::Commit(error) => {
                StoreError::CommitUnknown { what: what.to_string(), source: Box::new(error) }
            }
        }
    }
}

/// Leaving early drops the transaction, which rolls it back.
fn try_save(
    client: &mut postgres::Client,
    prepared: &mut Prepared,
    saver: Instance,
    batch: &Batch,
) -> Result<Saved, Failure> {
    let mut transaction = client.transaction()?;
    crash::point(Point::BeforeCompareAndSet);
    move_positions(&mut transaction, prepared, batch)?;
    crash::point(Point::BetweenStatements);
    let saved = save_content(&mut transaction, prepared, saver, batch)?;
    crash::point(Point::BeforeCommit);
    commit(transaction)?;
    Ok(saved)
}

/// What a batch holds, without its positions: the one way in which orders come into the database.
/// When the transaction commits, every instance is told which orders it replaced.
pub(super) fn save_content(
    transaction: &mut Transaction<'_>,
    prepared: &mut Prepared,
    saver: Instance,
    batch: &Batch,
) -> Result<Saved, Failure> {
    let saved = save_orders(transaction, prepared, batch)?;
    letters::insert(transaction, prepared, &batch.topic, &batch.dead_letters)?;
    letters::insert(transaction, prepared, &batch.topic, &saved.refused)?;
    letters::overtake(transaction, prepared, batch, &saved.refused)?;
    let replaced = saved.orders.iter().filter(|(_, outcome)| *outcome == Outcome::Replaced);
    notify(transaction, prepared, saver, replaced.map(|(order, _)| &order.uid))?;
    Ok(saved)
}

pub(super) fn commit(transaction: Transaction<'_>) -> Result<(), Failure> {
    transaction.commit().map_err(|error| {
        if error.as_db_error().is_some_and(is_rejection) {
            Failure::Statement(error)
        } else {
            Failure::Commit(error)
        }
    })
}

/// Whether an answer to COMMIT says clearly that nothing was committed. A server that is shutting
/// down also answers, but with a severity that ends the session, and maybe after it has committed.
fn is_rejection(error: &DbError) -> bool {
    error.parsed_severity() == Some(Severity::Error) && !error.code().code().starts_with("08")
}

fn move_positions(
    transaction: &mut Transaction<'_>,
    prepared: &mut Prepared,
    batch: &Batch,
) -> Result<(), Failure> {
    if batch.advances.is_empty() {
        return Ok(());
    }
    let partitions: Vec<i32> = batch.advances.iter().map(|advance| advance.partition).collect();
    let sources: Vec<i64> = batch.advances.iter().map(|advance| advance.from).collect();
    let targets: Vec<i64> = batch.advances.iter().map(|advance| advance.to).collect();
    let statement = prepared.statement(transaction, MOVE)?;
    let moved = transaction
        .query(&statement, &[&batch.group, &batch.topic, &partitions, &sources, &targets])?;
    let moved: Vec<i32> = moved.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    match partitions.into_iter().find(|partition| !moved.contains(partition)) {
        Some(partition) => Err(Failure::Moved { partition }),
        None => Ok(()),
    }
}

/// One id of the batch on its way, with its place among the ids.
struct Pending<'a> {
    place: usize,
    versions: Versions<'a>,
    arrival: i64,
}

impl<'a> Pending<'a> {
    fn candidate(&self) -> Candidate<'a> {
        Candidate { incoming: self.versions.latest, arrival: self.arrival }
    }
}

/// What became of the ids so far.
#[derive(Default)]
struct Progress {
    stored: Vec<(usize, (StoredOrder, Outcome))>,
    refused: Vec<DeadLetter>,
    swallowed: Option<OrderUid>,
}

impl Progress {
    fn note(&mut self, pending: &Pending<'_>, stored: Option<(StoredOrder, Outcome)>) {
        match stored {
            Some(stored) => self.stored.push((pending.place, stored)),
            None => self.swallowed = Some(pending.versions.latest.order.uid().clone()),
        }
    }
}

fn save_orders(
    transaction: &mut Transaction<'_>,
    prepared: &mut Prepared,
    batch: &Batch,
) -> Result<Saved, Failure> {
    let versions = batch.versions();
    // In message order, before anything is sorted: the arrival is what "newest" means.
    let arrivals = draw_arrivals(transaction, prepared, versions.len())?;
    let pending = versions.into_iter().zip(arrivals).enumerate();
    let mut pending: Vec<Pending<'_>> =
        pending.map(|(place, (versions, arrival))| Pending { place, versions, arrival }).collect();
    pending
        .sort_unstable_by(|a, b| a.versions.latest.order.uid().cmp(b.versions.latest.order.uid()));

    let mut progress = Progress::default();
    for chunk in pending.chunks(CHUNK_MAX) {
        save_chunk(transaction, prepared, chunk, &mut progress)?;
    }
    if let Some(uid) = progress.swallowed {
        return Err(Failure::Swallowed(uid));
    }
    progress.stored.sort_unstable_by_key(|(place, _)| *place);
    let orders = progress.stored.into_iter().map(|(_, stored)| stored).collect();
    Ok(Saved { orders, refused: progress.refused })
}

fn draw_arrivals(
    transaction: &mut Transaction<'_>,
    prepared: &mut Prepared,
    count: usize,
) -> Result<Vec<i64>, postgres::Error> {
    if count == 0 {
        return Ok(Vec::new());
    }
    let statement = prepared.statement(transaction, DRAW)?;
    let drawn = transaction.query(&statement, &[&rows(count)])?;
    drawn.iter().map(|row| row.try_get(0)).collect()
}

/// Saves a chunk, halving it around what the database refuses.
fn save_chunk(
    transaction: &mut Transaction<'_>,
    prepared: &mut Prepared,
    chunk: &[Pending<'_>],
    progress: &mut Progress,
) -> Result<(), postgres::Error> {
    let candidates: Vec<Candidate<'_>> = chunk.iter().map(Pending::candidate).collect();
    match try_upsert(transaction, prepared, &candidates)? {
        Ok(stored) => {
            for (pending, stored) in chunk.iter().zip(stored) {
                progress.note(pending, stored);
            }
        }
        Err(refusal) => match chunk {
            [pending] => save_earlier(transaction, prepared, pending, refusal, progress)?,
            _ => {
                let (left, right) = chunk.split_at(chunk.len() / 2);
                save_chunk(transaction, prepared, left, progress)?;
                save_chunk(transaction, prepared, right, progress)?;
            }
        },
    }
    Ok(())
}

/// The last version of an order was refused: so the one before it in the batch is the last valid
/// one, and so on.
fn save_earlier(
    transaction: &mut Transaction<'_>,
    prepared: &mut Prepared,
    pending: &Pending<'_>,
    mut refusal: postgres::Error,
    progress: &mut Progress,
) -> Result<(), postgres::Error> {
    let mut candidate = pending.candidate();
    let mut earlier = pending.versions.earlier.iter().rev();
    loop {
        progress.refused.push(dead_letter(&candidate, &refusal));
        let Some(incoming) = earlier.next() else { return Ok(()) };
        candidate.incoming = incoming;
        match try_upsert(transaction, prepared, &[candidate])? {
            Ok(stored) => {
                for stored in stored {
                    progress.note(pending, stored);
                }
                return Ok(());
            }
            Err(error) => refusal = error,
        }
    }
}

/// The outer error ends the transaction; the inner one is an order's own fault, and whatever its
/// chunk had written is undone.
fn try_upsert(
    transaction: &mut Transaction<'_>,
    prepared: &mut Prepared,
    candidates: &[Candidate<'_>],
) -> Result<Result<Upserted, postgres::Error>, postgres::Error> {
    let mut savepoint = transaction.transaction()?;
    match upsert(&mut savepoint, prepared, candidates) {
        Ok(stored) => {
            savepoint.commit()?;
            Ok(Ok(stored))
        }
        Err(error) if error.as_db_error().is_some_and(is_poison) => {
            savepoint.rollback()?;
            Ok(Err(error))
        }
        Err(error) => Err(error),
    }
}

/// Whether the content of a row was refused: a value outside its type, or a broken constraint. A
/// repeated arrival is no order's fault: the sequence is behind its table, and every order would be
/// refused for it.
fn is_poison(error: &DbError) -> bool {
    let code = error.code().code();
    let of_content = code.starts_with("22") || code.starts_with("23");
    of_content && error.constraint() != Some("orders_arrival_desc")
}

fn dead_letter(candidate: &Candidate<'_>, error: &postgres::Error) -> DeadLetter {
    let (state, told) = match error.as_db_error() {
        Some(error) => (error.code().code(), error.message()),
        None => ("", ""),
    };
    DeadLetter {
        origin: candidate.incoming.origin,
        code: "database".to_owned(),
        reason: format!("the database refuses the order: {told} (SQLSTATE {state})"),
        // What was taken for an order is one by itself, whatever it was part of.
        part: Part::Element,
        payload: candidate.incoming.payload.clone(),
    }
}
