//! One engine at one kind of work: made ready once, then sampled round by round.

use crate::compare::clock::Stopwatch;
use crate::compare::engine::Handle;
use crate::compare::engine::Own;
use crate::compare::engine::Owned;
use crate::compare::engine::Share;
use crate::compare::engine::Shared;
use crate::compare::pair::Drawn;
use crate::compare::pair::Pair;
use crate::compare::threads::Sample;
use crate::compare::threads::sample_alone;
use crate::compare::threads::sample_threads;
use crate::compare::workload::Worker;
use crate::compare::workload::Workload;
use std::sync::Arc;
use std::time::Duration;

/// What one engine is asked to do.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The kind of work.
    pub workload: Workload,
    /// How many entries it is about.
    pub size: usize,
    /// What the engine is told to hold.
    pub capacity: usize,
    /// How many threads work.
    pub threads: usize,
    /// How long an engine may take to be made ready.
    pub ready_within: Duration,
}

/// An engine that is made ready and sampled.
pub trait Contestant {
    /// Fills the engine and runs it until its content has settled. False: it takes too long.
    fn make_ready(&mut self) -> bool;

    /// Has each thread do `count` operations, after some that aren't timed.
    fn sample(&mut self, count: u64) -> Sample;

    /// How many entries the engine holds, if it can tell.
    fn entries(&self) -> Option<usize>;

    /// The same by asking for every key that it may hold, which changes its order.
    fn count(&mut self) -> usize;
}

/// How many operations pass between two looks at the clock while an engine is made ready.
const STRIDE: u64 = 1 << 12;

/// The keys of a read-through, for each entry of the capacity.
pub const KEYS_PER_ENTRY: u64 = 10;

/// How many times its capacity an engine reads through before its content counts as settled.
const LAPS_OF_READ_THROUGH: u64 = 4;

/// Fills an engine and warms it up.
fn ready<P: Pair, H: Handle<P::Key, P::Value>>(
    setting: &Setting,
    resident: &[P::Item],
    worker: &mut Worker<P>,
    handle: &mut H,
) -> bool {
    let watch = Stopwatch::start();
    let size = setting.size as u64;
    for (at, item) in resident.iter().enumerate() {
        handle.insert(P::key(item).clone(), P::value(item));
        if at % STRIDE as usize == 0 && watch.elapsed() > setting.ready_within {
            return false;
        }
    }
    let mut left = match setting.workload {
        Workload::Zipf => LAPS_OF_READ_THROUGH * size,
        Workload::Flight | Workload::Bytes => 0,
        _ => 2 * size,
    };
    while left > 0 {
        let count = left.min(STRIDE);
        worker.run(handle, count);
        left -= count;
        if watch.elapsed() > setting.ready_within {
            return false;
        }
    }
    true
}

/// An engine with one owner, made for a setting.
pub fn owned<P: Pair, E: Owned<P::Key, P::Value>>(
    setting: &Setting,
    drawn: Drawn<P>,
) -> Box<dyn Contestant> {
    let worker = Worker::<P>::new(setting.workload, &drawn, 0, 1);
    let filler = Worker::filler(setting.workload, &drawn, 1);
    let (engine, resident) = (E::new(setting.capacity), drawn.resident);
    Box::new(Alone { setting: *setting, engine, worker, filler, resident })
}

struct Alone<P: Pair, E> {
    setting: Setting,
    engine: E,
    worker: Worker<P>,
    filler: Worker<P>,
    resident: Arc<[P::Item]>,
}

impl<P: Pair, E: Owned<P::Key, P::Value>> Contestant for Alone<P, E> {
    fn make_ready(&mut self) -> bool {
        let engine = &mut self.engine;
        if self.setting.workload == Workload::Bytes {
            fill::<P, _>(Own(engine), self.setting.size);
            return true;
        }
        ready(&self.setting, &self.resident, &mut self.filler, &mut Own(engine))
    }

    fn sample(&mut self, count: u64) -> Sample {
        let (engine, worker) = (&mut self.engine, &mut self.worker);
        sample_alone(count, |count| worker.run(&mut Own(&mut *engine), count))
    }

    fn entries(&self) -> Option<usize> {
        Some(self.engine.entries())
    }

    fn count(&mut self) -> usize {
        self.engine.entries()
    }
}

fn fill<P: Pair, H: Handle<P::Key, P::Value>>(mut handle: H, size: usize) {
    for number in 0..size as u64 {
        let item = P::item(number);
        handle.insert(P::key(&item).clone(), P::value(&item));
    }
}

/// An engine for many threads, made for a setting.
pub fn shared<P: Pair, E: Shared<P::Key, P::Value>>(
    setting: &Setting,
    drawn: Drawn<P>,
) -> Box<dyn Contestant> {
    let threads = setting.threads;
    let worker = |thread| Worker::new(setting.workload, &drawn, thread, threads);
    let workers = (0..threads).map(worker).collect();
    let filler = Worker::filler(setting.workload, &drawn, threads);
    let (engine, resident) = (E::new(setting.capacity), Arc::clone(&drawn.resident));
    Box::new(Together::<P, E> { setting: *setting, engine, workers, filler, resident, cold: 0 })
}

struct Together<P: Pair, E> {
    setting: Setting,
    engine: E,
    workers: Vec<Worker<P>>,
    filler: Worker<P>,
    resident: Arc<[P::Item]>,
    /// Keys asked for by flights.
    cold: u64,
}

/// Numbers that no other work uses.
const COLD_FROM: u64 = 1 << 60;

impl<P: Pair, E: Shared<P::Key, P::Value>> Contestant for Together<P, E> {
    fn make_ready(&mut self) -> bool {
        let engine = &self.engine;
        let done = if self.setting.workload == Workload::Bytes {
            fill::<P, _>(Share(engine), self.setting.size);
            true
        } else {
            ready(&self.setting, &self.resident, &mut self.filler, &mut Share(engine))
        };
        self.engine.settle();
        done
    }

    fn sample(&mut self, count: u64) -> Sample {
        let engine = &self.engine;
        if self.setting.workload == Workload::Flight {
            self.cold += 1;
            let item = P::item(COLD_FROM + self.cold);
            return Sample::of_flight::<P, E>(engine, &item, self.setting.threads);
        }
        match &mut self.workers[..] {
            [worker] => sample_alone(count, |count| worker.run(&mut Share(engine), count)),
            workers => sample_threads(
                workers,
                |worker, count| worker.run(&mut Share(engine), count),
                count,
            ),
        }
    }

    fn entries(&self) -> Option<usize> {
        self.engine.entries()
    }

    fn count(&mut self) -> usize {
        let found = |number: &u64| self.engine.get(P::key(&P::item(*number))).is_some();
        let fresh = self.workers.iter().chain([&self.filler]).flat_map(Worker::inserted);
        let cold = COLD_FROM + 1..=COLD_FROM + self.cold;
        let drawn_from = KEYS_PER_ENTRY * self.setting.size as u64;
        (0..drawn_from).chain(fresh).chain(cold).filter(found).count()
    }
}
