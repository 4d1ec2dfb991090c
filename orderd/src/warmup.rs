//! Filling the cache with the hot set and the newest orders after a start, while the daemon serves
//! already.
//!
//! 1. Take the ids of the hot set, most recently used first, and then those of the newest orders.
//! 2. Cut them into chunks of [`CHUNK`] ids.
//! 3. A bounded pool of threads takes tickets for a chunk and has the database threads read it.
//! 4. The chunks are entered in this order, whatever order they come back in: each order at the
//!    least recent end. So what was used last is so again; and without a hot set the newest order
//!    ends as the most recently used.
//!
//! The pool has no connections of its own. Fifty of them would take 52 ms to open and two instances
//! would exhaust a default server (2026-11-20); the pool shares those of the database threads.
//!
//! Warm-up never displaces or overwrites anything, waits out every outage, and stops early when the
//! cache is full.

use crate::backoff::Backoff;
use crate::catalog::Catalog;
use crate::catalog::ReadError;
use crate::catalog::Room;
use crate::catalog::StoredOrder;
use crate::catalog::Warming;
use crate::hotset::HotSet;
use crate::order::OrderUid;
use crate::supervise::Crew;
use crate::supervise::StopToken;
use crossbeam_channel::Receiver;
use crossbeam_channel::Sender;
use crossbeam_channel::bounded;
use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Arc;

/// How many ids one statement reads.
pub const CHUNK: usize = 20;

/// What is warmed, and by how many threads.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many of the newest orders.
    pub orders: usize,
    /// How many threads at most.
    pub threads: usize,
    /// What is warmed before these; told when warming has ended.
    pub hot: HotSet,
}

/// A chunk that was read.
struct Read {
    number: usize,
    warming: Warming,
    orders: Vec<StoredOrder>,
}

/// Starts warming up, on threads of `crew`.
///
/// # Errors
/// If the system has no thread left.
pub fn start(crew: &Arc<Crew>, catalog: &Arc<Catalog>, options: Options) -> std::io::Result<()> {
    if options.threads == 0 {
        options.hot.warmed();
        return Ok(());
    }
    let (pool, catalog) = (Arc::clone(crew), Arc::clone(catalog));
    crew.spawn("warm-up", move |stop| match run(&pool, &catalog, &options, stop) {
        Ok(()) if !stop.is_stopped() => options.hot.warmed(),
        Ok(()) => {}
        Err(error) => tracing::error!(%error, "warm-up found no thread left to work with"),
    })
}

fn run(
    crew: &Crew,
    catalog: &Arc<Catalog>,
    options: &Options,
    stop: &StopToken,
) -> std::io::Result<()> {
    let Some(uids) = uids(catalog, options, stop) else { return Ok(()) };
    let count = uids.len().div_ceil(CHUNK);
    let (todo, chunks) = bounded(count);
    for chunk in uids.chunks(CHUNK).map(<[OrderUid]>::to_vec).enumerate() {
        todo.send(chunk).expect("the receiver is alive in this scope");
    }
    drop(todo);
    let (read, results) = bounded(count);
    for number in 1..=options.threads.min(count) {
        let (catalog, chunks, read) = (Arc::clone(catalog), chunks.clone(), read.clone());
        crew.spawn(format!("warm-up-{number}"), move |stop| {
            read_chunks(&catalog, &chunks, &read, stop);
        })?;
    }
    drop((chunks, read));
    enter_in_order(&results);
    tracing::info!(orders = uids.len(), cached = catalog.len(), "warmed up");
    Ok(())
}

/// The ids to warm, each once; `None` when stopped.
fn uids(catalog: &Catalog, options: &Options, stop: &StopToken) -> Option<Vec<OrderUid>> {
    let hot = options.hot.read();
    let limit = options.orders;
    let database = catalog.database();
    let newest = || database.read_in_background(stop, move |store| store.newest(limit));
    let newest = if limit == 0 { Vec::new() } else { until_read(stop, newest)? };
    let mut known = HashSet::new();
    let all = hot.into_iter().chain(newest);
    Some(all.filter(|uid| known.insert(uid.clone())).collect())
}

fn read_chunks(
    catalog: &Arc<Catalog>,
    chunks: &Receiver<(usize, Vec<OrderUid>)>,
    read: &Sender<Read>,
    stop: &StopToken,
) {
    while let Ok((number, uids)) = chunks.try_recv() {
        let loaded = until_read(stop, || {
            let warming = catalog.begin_warming(&uids);
            let orders = load(catalog, &uids, stop)?;
            Ok((warming, orders))
        });
        let Some((warming, orders)) = loaded else { return };
        let orders = in_order_of(&uids, orders);
        if read.send(Read { number, warming, orders }).is_err() {
            // The cache is full, and nobody waits for more.
            return;
        }
    }
}

/// The orders with these ids. One that can't be read doesn't keep the others out.
fn load(
    catalog: &Catalog,
    uids: &[OrderUid],
    stop: &StopToken,
) -> Result<Vec<StoredOrder>, ReadError> {
    match catalog.database().load_in_background(stop, uids.to_vec()) {
        // The database thread has logged which one.
        Err(ReadError::Corrupt) if uids.len() <= 1 => Ok(Vec::new()),
        Err(ReadError::Corrupt) => {
            let (left, right) = uids.split_at(uids.len() / 2);
            let mut orders = load(catalog, left, stop)?;
            orders.extend(load(catalog, right, stop)?);
            Ok(orders)
        }
        result => result,
    }
}

/// Enters chunks as soon as all newer ones are entered. What waits here meanwhile is bounded by the
/// number of orders to warm.
fn enter_in_order(results: &Receiver<Read>) {
    let mut waiting = BTreeMap::new();
    let mut next = 0;
    for read in results {
        waiting.insert(read.number, read);
        while let Some(read) = waiting.remove(&next) {
            next += 1;
            if read.warming.finish(read.orders) == Room::None {
                return;
            }
        }
    }
}

/// The orders in the order of `uids`, since a store answers in any.
fn in_order_of(uids: &[OrderUid], orders: Vec<StoredOrder>) -> Vec<StoredOrder> {
    let mut found: HashMap<_, _> =
        orders.into_iter().map(|order| (order.uid.clone(), order)).collect();
    uids.iter().filter_map(|uid| found.remove(uid)).collect()
}

/// Tries `read` until it succeeds; `None` when stopped.
fn until_read<T>(stop: &StopToken, mut read: impl FnMut() -> Result<T, ReadError>) -> Option<T> {
    let mut backoff = Backoff::default();
    while !stop.is_stopped() {
        match read() {
            Ok(result) => return Some(result),
            Err(error) => {
                let pause = backoff.next_pause();
                tracing::warn!(%error, pause_ms = pause.as_millis(), "warm-up waits");
                stop.wait(pause);
            }
        }
    }
    None
}
