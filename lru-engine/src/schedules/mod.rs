//! Schedules: everything that a cache can do, by several threads that are interleaved at random
//! (shuttle). Where a model tries all orders of a few steps, these are some of the orders of many.
//!
//! They run with `--cfg shuttle` alone, and print their seeds. Numbers that only the test sees are
//! the standard library's, so that keeping them is no step of the schedule. A thread that waits for
//! ever fails its schedule.
//!
//! Each key has a version in a register, which stands for the database that values come from. What
//! is held against every schedule:
//!
//! 1. No stale read: once a write or an invalidation has returned, no read that begins later has an
//!    older version. In the end the cache has the last version of a key, or nothing.
//! 2. Single flight: a second load of a key begins while the first runs only if something voided
//!    the first.
//! 3. Neither bound is exceeded, and the invariants hold.
//! 4. Each value is dropped once, and the listener is told of each that left, once.

mod world;

use std::array;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io;
use std::io::Write;
use std::panic;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use shuttle::Config;
use shuttle::MaxSteps;
use shuttle::Runner;
use shuttle::rand::Rng;
use shuttle::rand::thread_rng;
use shuttle::scheduler::PctScheduler;
use shuttle::scheduler::RandomScheduler;
use shuttle::scheduler::Scheduler;
use shuttle::thread;

use crate::LoadError;
use crate::Lookup;
use crate::Ticket;
use crate::WriteTicket;
use crate::schedules::world::KEYS;
use crate::schedules::world::World;

const THREADS: usize = 3;
const STEPS: usize = 8;
/// Of several threads that write a key below this the one that is last is known by its
/// [`WriteTicket`]; those of the other keys write under a lock.
const TICKETED: usize = 2;
/// Many times as many as a schedule has that comes to an end.
const STEPS_MAX: usize = 50_000;
const SCHEDULES: usize = 100_000;

/// How a load ends.
#[derive(Clone, Copy)]
enum End {
    Value,
    Error,
    Panic,
}

impl End {
    fn drawn() -> Self {
        match thread_rng().gen_range(0..6) {
            0 => Self::Error,
            1 => Self::Panic,
            _ => Self::Value,
        }
    }
}

const WAIT_MAX: Duration = Duration::from_secs(1);

/// A read through the cache, with a load that may fail or panic, and a wait that may end early.
fn read_through(world: &World, key: usize) {
    let (cache, settled, end) = (&world.cache, world.settled(key), End::drawn());
    let voids = world.registers[key].voids_ended.load(SeqCst);
    let load = || {
        let value = world.load(key, voids, || world.read(key));
        match end {
            End::Value => Ok(value),
            End::Error => Err(key),
            // Past the panic hook, which is the scheduler's.
            End::Panic => panic::resume_unwind(Box::new(key)),
        }
    };
    let ask = || match thread_rng().gen_bool(0.5) {
        true => cache.try_get_or_insert_with(key, load),
        false => cache.try_get_or_insert_with_timeout(key, WAIT_MAX, load),
    };
    match panic::catch_unwind(AssertUnwindSafe(ask)) {
        Ok(Ok(value)) => world.check(key, settled, &value),
        Ok(Err(LoadError::Failed(of))) => assert_eq!(*of, key),
        Ok(Err(LoadError::Panicked | LoadError::TimedOut)) => {}
        Ok(Err(error)) => panic!("{error}"),
        Err(payload) => {
            let ordered = payload.downcast_ref() == Some(&key) && matches!(end, End::Panic);
            assert!(ordered, "a panic that was not ordered");
        }
    }
}

/// A lookup whose load may land on another thread, or nowhere.
fn look_up(world: &Arc<World>, key: usize) {
    let settled = world.settled(key);
    let voids = world.registers[key].voids_ended.load(SeqCst);
    let (pending, loading) = match Lookup::of(Arc::clone(&world.cache), key) {
        Lookup::Hit(value) => return world.check(key, settled, &value),
        Lookup::Pending(pending) => (pending, None),
        Lookup::Load(load) => {
            let (pending, end, own) = (load.pending(), End::drawn(), Arc::clone(world));
            let loading = thread::spawn(move || {
                let value = own.load(key, voids, || own.read(key));
                match end {
                    End::Value => drop(load.land(Ok::<_, usize>(value))),
                    End::Error => drop(load.land(Err(key))),
                    End::Panic => drop(load),
                }
            });
            (pending, Some(loading))
        }
    };
    match pending.wait::<usize>(WAIT_MAX) {
        Ok(value) => world.check(key, settled, &value),
        Err(LoadError::Failed(of)) => assert_eq!(*of, key),
        Err(LoadError::Panicked | LoadError::Abandoned | LoadError::TimedOut) => {}
        Err(error) => panic!("{error}"),
    }
    if let Some(loading) = loading {
        loading.join().expect("a load does not panic here");
    }
}

fn get(world: &World, key: usize) {
    let (cache, settled) = (&world.cache, world.settled(key));
    let found = match thread_rng().gen_bool(0.5) {
        true => cache.get(&key),
        false => cache.peek(&key),
    };
    if let Some(value) = found {
        world.check(key, settled, &value);
    }
}

/// A ticket that is filled with what the database has, or given up.
fn fill(world: &World, key: usize) {
    let ticket = Ticket::take(Arc::clone(&world.cache), key);
    let value = world.read(key);
    match thread_rng().gen_range(0..4) {
        0 => drop(ticket),
        1 => drop(ticket.fill_cold(value)),
        _ => drop(ticket.fill(value)),
    }
}

/// A write that is announced, whose outcome is known or lost, or that does not take place.
fn write(world: &World, key: usize) {
    let ticket = WriteTicket::take(Arc::clone(&world.cache), key);
    let outcome = thread_rng().gen_range(0..5);
    if outcome == 0 {
        return ticket.release();
    }
    let value = world.write(key);
    world.void(key, value.version, || match outcome {
        1 => drop(ticket),
        _ => drop(ticket.write(value.clone())),
    });
}

/// A write of a key that has no tickets.
fn write_locked(world: &World, key: usize) {
    let (cache, register) = (&world.cache, &world.registers[key]);
    let _writing = register.writing.lock();
    match thread_rng().gen_range(0..5) {
        0 => {
            let value = world.read(key);
            world.void(key, 0, || drop(cache.insert_cold(key, value)));
        }
        1 => {
            let version = world.write(key).version;
            let removed = world.void(key, version, || cache.remove(&key));
            assert!(removed.is_none_or(|value| value.key == key && value.version <= version));
        }
        _ => {
            let value = world.write(key);
            let version = value.version;
            let former = world.void(key, version, || cache.insert(key, value));
            assert!(former.is_none_or(|value| value.key == key && value.version <= version));
        }
    }
}

/// Another instance has written, and this one is told.
fn invalidate(world: &World, key: usize) {
    let register = &world.registers[key];
    let writing = (key >= TICKETED).then(|| register.writing.lock());
    let version = world.write(key).version;
    world.void(key, version, || world.cache.invalidate(&key));
    drop(writing);
}

/// Other instances have written all keys that have tickets.
fn invalidate_all(world: &World) {
    let versions: [usize; KEYS] =
        array::from_fn(|key| if key < TICKETED { world.write(key).version } else { 0 });
    let forget = || match thread_rng().gen_bool(0.5) {
        true => world.cache.clear(),
        false => world.cache.invalidate_all(),
    };
    let forget: Box<dyn FnOnce() + '_> = Box::new(forget);
    let nested = (0..KEYS)
        .fold(forget, |inner, key| Box::new(move || world.void(key, versions[key], inner)));
    nested();
}

fn act(world: &Arc<World>) {
    let key = thread_rng().gen_range(0..KEYS);
    match thread_rng().gen_range(0..24) {
        0..3 => get(world, key),
        3..8 => read_through(world, key),
        8..11 => look_up(world, key),
        11..14 => fill(world, key),
        14..18 if key < TICKETED => write(world, key),
        14..18 => write_locked(world, key),
        18..20 => invalidate(world, key),
        20 => invalidate_all(world),
        21 | 22 => {
            if let Some((key, value)) = world.cache.pop_lru() {
                assert_eq!(value.key, key);
            }
        }
        _ => assert!(world.cache.keys_by_recency().iter().all(|key| *key < KEYS)),
    }
    world.check_bounds();
}

fn schedule() {
    let world = Arc::new(World::new());
    let threads: [_; THREADS] = array::from_fn(|_| {
        let world = Arc::clone(&world);
        thread::spawn(move || (0..STEPS).for_each(|_| act(&world)))
    });
    for thread in threads {
        thread.join().expect("no act panics");
    }
    Arc::into_inner(world).expect("all threads have ended").check_end();
}

/// Says the seed, which `SHUTTLE_RANDOM_SEED` sets, and runs the schedules that are drawn from it.
fn run(name: &str, scheduler: impl Fn(u64) -> Box<dyn Scheduler + Send>) {
    let seed = RandomState::new().hash_one(name);
    writeln!(io::stderr(), "{name}: seed {seed}").expect("there is a terminal");
    let mut config = Config::new();
    config.stack_size = 1 << 18;
    config.max_steps = MaxSteps::FailAfter(STEPS_MAX);
    let count = Runner::new(scheduler(seed), config).run(schedule);
    assert_eq!(count, SCHEDULES);
}

/// Issue: random schedules of the whole cache, each step drawn among all threads.
#[test]
fn any_thread_may_go_on_at_any_step() {
    run("random", |seed| Box::new(RandomScheduler::new_from_seed(seed, SCHEDULES)));
}

/// Issue: the same where a thread goes on until it is interrupted, a few times in all. This finds
/// what needs one thread to be held up for long (Burckhardt and others, 2010).
#[test]
fn a_thread_may_be_held_up_for_long() {
    run("held up", |seed| Box::new(PctScheduler::new_from_seed(seed, 4, SCHEDULES)));
}
