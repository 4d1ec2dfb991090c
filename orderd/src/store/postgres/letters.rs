//! Dead letters in PostgreSQL: written with the batch that they are in, found and settled later.
//!
//! Whoever locks several letters locks them by id, so that no two can deadlock.

use crate::crash;
use crate::crash::Point;
use crate::order::OrderUid;
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
use crate::store::postgres::Connection;
use crate::store::postgres::Prepared;
use crate::store::postgres::notify::Instance;
use crate::store::postgres::read::Fields;
use crate::store::postgres::rows;
use crate::store::postgres::save::Failure;
use crate::store::postgres::save::commit;
use crate::store::postgres::save::save_content;
use bytes::Bytes;
use jiff::Timestamp;
use postgres::Row;
use postgres::Transaction;
use std::collections::HashMap;
use std::collections::HashSet;
use std::time::SystemTime;

/// How many dead letters one statement writes at most; each may be as large as a message.
const DEAD_LETTERS_MAX: usize = 100;

const INSERT: &str = "insert into dead_letters (topic, partition, \"offset\", element, code, \
     reason, payload, whole, order_uid) select $1, * from unnest($2::int[], $3::bigint[], \
     $4::bigint[], $5::text[], $6::text[], $7::bytea[], $8::boolean[], $9::text[]) \
     on conflict do nothing";

const OVERTAKE: &str = "with held as (select l.id, n.partition, n.\"offset\", n.element \
     from unnest($2::text[], $3::int[], $4::bigint[], $5::bigint[]) \
     as n (order_uid, partition, \"offset\", element) join dead_letters l \
     on l.order_uid = n.order_uid and l.state = 'open' and (l.topic <> $1 \
     or l.partition <> n.partition or (l.\"offset\", l.element) < (n.\"offset\", n.element)) \
     order by l.id for update of l) \
     update dead_letters l set overtaken_topic = $1, overtaken_partition = held.partition, \
     overtaken_offset = held.\"offset\", overtaken_element = held.element \
     from held where l.id = held.id";

macro_rules! columns {
    ($reason:literal) => {
        concat!(
            "id, topic, partition, \"offset\", element, whole, code, ",
            $reason,
            ", order_uid, octet_length(payload)::bigint, received_at, state, settled_at, \
             overtaken_topic, overtaken_partition, overtaken_offset, overtaken_element "
        )
    };
}

macro_rules! filtered {
    ($select:expr, $tail:literal) => {
        concat!(
            "select ",
            $select,
            "from dead_letters where ($1::text is null or state = $1) \
             and ($2::text is null or code = $2) \
             and ($3::text is null or position($3 in reason) > 0) ",
            $tail
        )
    };
}

const LIST: &str =
    filtered!(columns!("left(reason, $6) as reason"), "and id < $4 order by id desc limit $5");

const IDS: &str = filtered!("id ", "and id > $4 order by id limit $5");

const COUNT: &str = filtered!("count(*) ", "");

const FIND: &str =
    concat!("select ", columns!("reason"), ", payload from dead_letters where id = $1");

/// Comparing and setting in one: of two replays of one letter the later one finds it settled.
const SETTLE: &str = "update dead_letters set state = 'replayed', settled_at = now() \
     where id = $1 and (state = 'open' or ($2 and state = 'dropped')) \
     and ($2 or overtaken_partition is null) returning order_uid";

const STATE: &str = "select state, overtaken_topic, overtaken_partition, overtaken_offset, \
     overtaken_element from dead_letters where id = $1";

const DISCARD: &str = "with held as (select id from dead_letters \
     where id = any($1::bigint[]) and state = 'open' order by id for update) \
     update dead_letters l set state = 'dropped', settled_at = now() \
     from held where l.id = held.id returning l.id";

/// Half a minute is longer than any sink waits for its broker.
const CLAIM: &str = "with due as (select id from dead_letters \
     where publish_after is not null and publish_after <= now() \
     order by id limit $1 for update skip locked), \
     claimed as (update dead_letters l set publish_after = now() + interval '30 seconds' \
     from due where l.id = due.id returning l.id) select id from claimed order by id";

const PUBLISHED: &str = "with held as (select id from dead_letters \
     where id = any($1::bigint[]) order by id for update) \
     update dead_letters l set publish_after = null from held where l.id = held.id";

/// Writes the letters of a batch; those that are there already stay as they are.
pub(super) fn insert(
    transaction: &mut Transaction<'_>,
    prepared: &mut Prepared,
    topic: &str,
    letters: &[DeadLetter],
) -> Result<(), postgres::Error> {
    for letters in letters.chunks(DEAD_LETTERS_MAX) {
        crash::point(Point::InDeadLettering);
        let statement = prepared.statement(transaction, INSERT)?;
        let uids: Vec<_> = letters.iter().map(|letter| named_uid(&letter.payload)).collect();
        transaction.execute(
            &statement,
            &[
                &topic,
                &letters.iter().map(|letter| letter.origin.partition).collect::<Vec<_>>(),
                &letters.iter().map(|letter| letter.origin.offset).collect::<Vec<_>>(),
                &letters.iter().map(|letter| i64::from(letter.origin.element)).collect::<Vec<_>>(),
                &letters.iter().map(|letter| text(&letter.code)).collect::<Vec<_>>(),
                &letters.iter().map(|letter| text(&letter.reason)).collect::<Vec<_>>(),
                &letters.iter().map(|letter| &letter.payload[..]).collect::<Vec<_>>(),
                &letters.iter().map(|letter| letter.part == Part::Message).collect::<Vec<_>>(),
                &uids.iter().map(|uid| uid.as_ref().map(OrderUid::as_str)).collect::<Vec<_>>(),
            ],
        )?;
    }
    Ok(())
}

/// Texts of PostgreSQL hold no NUL, and a dead letter must never be refused in its turn.
fn text(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// Marks the open letters about orders that `batch` has saved from a later message. `refused` are
/// those of the batch that weren't saved.
pub(super) fn overtake(
    transaction: &mut Transaction<'_>,
    prepared: &mut Prepared,
    batch: &Batch,
    refused: &[DeadLetter],
) -> Result<(), postgres::Error> {
    let refused: HashSet<Origin> = refused.iter().map(|letter| letter.origin).collect();
    let mut latest: HashMap<&str, Origin> = HashMap::with_capacity(batch.orders.len());
    for incoming in &batch.orders {
        if !refused.contains(&incoming.origin) {
            latest.insert(incoming.order.uid().as_str(), incoming.origin);
        }
    }
    if latest.is_empty() {
        return Ok(());
    }
    let (uids, origins): (Vec<&str>, Vec<Origin>) = latest.into_iter().unzip();
    let statement = prepared.statement(transaction, OVERTAKE)?;
    transaction.execute(
        &statement,
        &[
            &batch.topic,
            &uids,
            &origins.iter().map(|origin| origin.partition).collect::<Vec<_>>(),
            &origins.iter().map(|origin| origin.offset).collect::<Vec<_>>(),
            &origins.iter().map(|origin| i64::from(origin.element)).collect::<Vec<_>>(),
        ],
    )?;
    Ok(())
}

impl Letters for Connection {
    fn list(
        &mut self,
        filter: &Filter,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<Letter>, StoreError> {
        let (state, code, reason) = parameters(filter);
        let before = before.unwrap_or(i64::MAX);
        let cut = i32::try_from(REASON_CHARS_MAX).unwrap_or(i32::MAX);
        self.read(LIST, &[&state, &code, &reason, &before, &rows(limit), &cut], letter)
    }

    fn ids(&mut self, filter: &Filter, after: i64, limit: usize) -> Result<Vec<i64>, StoreError> {
        let (state, code, reason) = parameters(filter);
        self.read(IDS, &[&state, &code, &reason, &after, &rows(limit)], |row| Fields(row, 0).next())
    }

    fn find(&mut self, id: i64) -> Result<Option<(Letter, Bytes)>, StoreError> {
        Ok(self.read(FIND, &[&id], with_payload)?.pop())
    }

    fn count(&mut self, filter: &Filter) -> Result<u64, StoreError> {
        let (state, code, reason) = parameters(filter);
        let counted =
            self.read(COUNT, &[&state, &code, &reason], |row| Fields(row, 0).next::<i64>())?;
        Ok(counted.first().copied().unwrap_or(0).unsigned_abs())
    }

    fn replay(&mut self, id: i64, batch: &Batch, force: Force) -> Result<Replayed, StoreError> {
        let tried =
            try_replay(&mut self.client, &mut self.prepared, self.instance, id, batch, force);
        let refusal = match tried.map_err(|failure| self.save_error(failure))? {
            Ok(orders) => return Ok(Replayed::Landed(orders)),
            Err(Some(refusal)) => refusal,
            Err(None) => self.why_settled(id)?,
        };
        Ok(Replayed::Refused(refusal))
    }

    fn discard(&mut self, ids: &[i64]) -> Result<Vec<i64>, StoreError> {
        self.read(DISCARD, &[&ids], |row| Fields(row, 0).next())
    }

    fn claim_unpublished(&mut self, limit: usize) -> Result<Vec<(Letter, Bytes)>, StoreError> {
        let ids = self.read(CLAIM, &[&rows(limit)], |row| Fields(row, 0).next())?;
        let mut letters = Vec::with_capacity(ids.len());
        for id in ids {
            letters.extend(self.find(id)?);
        }
        Ok(letters)
    }

    fn published(&mut self, ids: &[i64]) -> Result<(), StoreError> {
        self.read(PUBLISHED, &[&ids], |_| Ok(()))?;
        Ok(())
    }
}

impl Connection {
    /// Why a letter couldn't be settled a moment ago.
    fn why_settled(&mut self, id: i64) -> Result<Refusal, StoreError> {
        let found = self.read(STATE, &[&id], |row| {
            let mut fields = Fields(row, 0);
            Ok((state(&mut fields)?, place(&mut fields)?))
        })?;
        Ok(match found.into_iter().next() {
            None => Refusal::Unknown,
            Some((State::Open, overtaken_by)) => Refusal::Overtaken(overtaken_by),
            Some((settled, _)) => Refusal::Settled(settled),
        })
    }
}

/// What was saved, or why nothing was; `None` if only the letter's row tells.
type Tried = Result<Vec<(StoredOrder, Outcome)>, Option<Refusal>>;

/// Leaving early drops the transaction, which rolls it back.
fn try_replay(
    client: &mut postgres::Client,
    prepared: &mut Prepared,
    saver: Instance,
    id: i64,
    batch: &Batch,
    force: Force,
) -> Result<Tried, Failure> {
    let mut transaction = client.transaction()?;
    let saved = save_content(&mut transaction, prepared, saver, batch)?;
    if let Some(letter) = saved.refused.into_iter().next() {
        return Ok(Err(Some(Refusal::Database(letter.reason))));
    }
    let statement = prepared.statement(&mut transaction, SETTLE)?;
    let Some(row) = transaction.query_opt(&statement, &[&id, &(force == Force::Yes)])? else {
        return Ok(Err(None));
    };
    let named: Option<&str> = row.try_get(0)?;
    if force == Force::No && saved.orders.iter().any(|saved| is_in_doubt(named, saved)) {
        return Ok(Err(Some(Refusal::Overtaken(None))));
    }
    commit(transaction)?;
    Ok(Ok(saved.orders))
}

/// Whether an order was replaced that its letter didn't name when it came: no batch could mark the
/// letter as overtaken.
fn is_in_doubt(named: Option<&str>, (order, outcome): &(StoredOrder, Outcome)) -> bool {
    *outcome == Outcome::Replaced && named != Some(order.uid.as_str())
}

fn parameters(filter: &Filter) -> (Option<&'static str>, Option<String>, Option<String>) {
    let texts = |part: &Option<String>| part.as_deref().map(text);
    (filter.state.map(State::as_str), texts(&filter.code), texts(&filter.reason))
}

fn with_payload(row: &Row) -> Result<(Letter, Bytes), String> {
    let letter = letter(row)?;
    let payload = Fields(row, row.len() - 1).next()?;
    Ok((letter, Bytes::copy_from_slice(payload)))
}

fn letter(row: &Row) -> Result<Letter, String> {
    let mut fields = Fields(row, 0);
    Ok(Letter {
        id: fields.next()?,
        place: place(&mut fields)?.ok_or("a dead letter from nowhere")?,
        part: if fields.next()? { Part::Message } else { Part::Element },
        code: fields.next()?,
        reason: fields.next()?,
        order_uid: fields.next::<Option<&str>>()?.and_then(|uid| OrderUid::parse(uid).ok()),
        payload_bytes: fields.next::<i64>()?.unsigned_abs(),
        received_at: time(fields.next()?)?,
        state: state(&mut fields)?,
        settled_at: fields.next::<Option<SystemTime>>()?.map(time).transpose()?,
        overtaken_by: place(&mut fields)?,
    })
}

fn state(fields: &mut Fields<'_>) -> Result<State, String> {
    let name = fields.next()?;
    State::parse(name).ok_or_else(|| format!("{name:?} is no state of a dead letter"))
}

fn place(fields: &mut Fields<'_>) -> Result<Option<Place>, String> {
    let topic: Option<String> = fields.next()?;
    let partition: Option<i32> = fields.next()?;
    let (offset, element): (Option<i64>, Option<i64>) = (fields.next()?, fields.next()?);
    let (Some(topic), Some(partition), Some(offset), Some(element)) =
        (topic, partition, offset, element)
    else {
        return Ok(None);
    };
    let element = u32::try_from(element).map_err(|_| format!("element {element} of a message"))?;
    Ok(Some(Place { topic, origin: Origin { partition, offset, element } }))
}

fn time(time: SystemTime) -> Result<Timestamp, String> {
    Timestamp::try_from(time).map_err(|error| error.to_string())
}
