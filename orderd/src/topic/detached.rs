//! A source or sink on a thread of its own, which can be left behind in a call that doesn't end.
//!
//! The crate `kafka` waits 120 s for a broker that falls silent in the middle of a call, and its
//! sockets can't be reached to end that (measured 2026-11-20). So its calls are made by a thread
//! that nobody has to wait for: a caller that has waited long enough gets an outage, drops its end,
//! and opens another. What the thread may still do is harmless: messages that it reads go nowhere,
//! and records that it appends were told to be in doubt.
//!
//! Invariants:
//! * No call lasts longer than its `wait_max`, nor `STOP_CHECK` longer than the daemon.
//! * A thread that was left behind is counted until its call returns, and then ends. With
//!   [`HUNG_MAX`] of them nothing is opened any more, and one alarm says so.
//! * Seeks and calls happen in the order in which they were made.

use crate::supervise::Crew;
use crate::supervise::StopToken;
use crate::topic::Bounds;
use crate::topic::Message;
use crate::topic::OpenSink;
use crate::topic::OpenSource;
use crate::topic::Record;
use crate::topic::Sink;
use crate::topic::Source;
use crate::topic::Standing;
use crate::topic::TopicError;
use crossbeam_channel::Receiver;
use crossbeam_channel::RecvTimeoutError;
use crossbeam_channel::Sender;
use crossbeam_channel::bounded;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How many threads of one kind may hang before no more are started.
pub const HUNG_MAX: usize = 4;

/// How long one call may take. A fetch brings up to 32 MiB, which a slow line takes its time for,
/// and making a topic waits up to 10 s for its leaders.
pub const CALL_WAIT_MAX: Duration = Duration::from_secs(30);

/// How often a waiting caller looks whether the daemon is stopping.
const STOP_CHECK: Duration = Duration::from_millis(100);

/// How many jobs a thread may have before it: a call, and the seek or two around it.
const JOBS_MAX: usize = 4;

/// Makes the threads of one kind, for sources or for sinks.
#[derive(Debug)]
pub struct Detached<O: ?Sized> {
    opener: Arc<O>,
    hands: Hands,
}

impl<O: ?Sized> Detached<O> {
    /// Opens by `opener`, on threads of `crew` called `thread`. Calls end after `wait_max`, and
    /// when `cut` is given.
    pub fn new(
        opener: Arc<O>,
        crew: &Arc<Crew>,
        thread: &'static str,
        wait_max: Duration,
        cut: StopToken,
    ) -> Self {
        let hung = Arc::new(Hung::default());
        let hands = Hands { crew: Arc::clone(crew), thread, wait_max, cut, hung };
        Self { opener, hands }
    }

    /// How many threads are hanging in calls that nobody waits for.
    pub fn hung(&self) -> usize {
        self.hands.hung.count.load(Ordering::Relaxed)
    }
}

/// What all threads of one kind share.
#[derive(Clone, Debug)]
struct Hands {
    crew: Arc<Crew>,
    thread: &'static str,
    wait_max: Duration,
    cut: StopToken,
    hung: Arc<Hung>,
}

#[derive(Debug, Default)]
struct Hung {
    count: AtomicUsize,
    alarmed: AtomicBool,
}

impl Hung {
    fn returned(&self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
        self.alarmed.store(false, Ordering::Relaxed);
    }
}

type Job<T> = Box<dyn FnOnce(&mut Box<T>) + Send>;

/// The caller's end of a source or sink that lives on a thread of its own.
struct Remote<T: ?Sized> {
    jobs: Sender<Job<T>>,
    hands: Hands,
    topic: String,
    /// A job could not be handed over, so that whatever comes after it would be out of order.
    out_of_step: bool,
}

impl<T: ?Sized + 'static> Remote<T> {
    fn open(
        hands: &Hands,
        topic: String,
        open: impl FnOnce() -> Result<Box<T>, TopicError> + Send + 'static,
    ) -> Result<Self, TopicError> {
        hands.admit(&topic)?;
        let (jobs, queue) = bounded::<Job<T>>(JOBS_MAX);
        let (call, answer) = hands.call();
        hands
            .crew
            .spawn(hands.thread, move |_stop| serve(open, call, &queue))
            .map_err(|error| outage(&topic, format!("no thread for it: {error}")))?;
        hands.wait(&topic, &answer)??;
        Ok(Self { jobs, hands: hands.clone(), topic, out_of_step: false })
    }

    /// Has the thread make one call, and waits for it.
    fn call<R: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Box<T>) -> Result<R, TopicError> + Send + 'static,
    ) -> Result<R, TopicError> {
        let (call, answer) = self.hands.call();
        self.post(move |value| call.end(work(value)));
        if self.out_of_step {
            return Err(outage(&self.topic, "its thread has ended".to_owned()));
        }
        self.hands.wait(&self.topic, &answer)?
    }

    /// Hands a job over and doesn't wait for it. The thread is in no call then, and takes it soon.
    fn post(&mut self, job: impl FnOnce(&mut Box<T>) + Send + 'static) {
        let taken = self.jobs.send_timeout(Box::new(job), self.hands.wait_max);
        self.out_of_step |= taken.is_err();
    }
}

/// The thread: opens, and does jobs until its caller is gone.
fn serve<T: ?Sized>(
    open: impl FnOnce() -> Result<Box<T>, TopicError>,
    opening: Call<()>,
    jobs: &Receiver<Job<T>>,
) {
    match open() {
        Ok(mut value) => {
            opening.end(Ok(()));
            for job in jobs {
                job(&mut value);
            }
        }
        Err(error) => opening.end(Err(error)),
    }
}

/// The thread's end of one call. It may be dropped by a panic; whoever waits learns it from that.
struct Call<R> {
    reply: Sender<Result<R, TopicError>>,
    /// Set by whichever of the two is first to be done with the call.
    settled: Arc<AtomicBool>,
    hung: Arc<Hung>,
}

/// The caller's end of one call.
struct Answer<R> {
    reply: Receiver<Result<R, TopicError>>,
    settled: Arc<AtomicBool>,
}

impl<R> Call<R> {
    fn end(self, result: Result<R, TopicError>) {
        // A caller that gave up has dropped its end.
        let _ = self.reply.send(result);
    }
}

impl<R> Drop for Call<R> {
    fn drop(&mut self) {
        if self.settled.swap(true, Ordering::AcqRel) {
            self.hung.returned();
        }
    }
}

impl Hands {
    fn admit(&self, topic: &str) -> Result<(), TopicError> {
        let count = self.hung.count.load(Ordering::Relaxed);
        if count < HUNG_MAX {
            return Ok(());
        }
        if !self.hung.alarmed.swap(true, Ordering::Relaxed) {
            tracing::error!(
                thread = self.thread,
                count,
                "ALARM: calls to the topic's client hang, and no more are started until one returns"
            );
        }
        Err(outage(topic, format!("{count} calls to it hang already")))
    }

    fn call<R>(&self) -> (Call<R>, Answer<R>) {
        let (reply, answer) = bounded(1);
        let settled = Arc::new(AtomicBool::new(false));
        let call = Call { reply, settled: Arc::clone(&settled), hung: Arc::clone(&self.hung) };
        (call, Answer { reply: answer, settled })
    }

    /// The outer error is that nobody answered, the inner one an answer.
    fn wait<R>(
        &self,
        topic: &str,
        answer: &Answer<R>,
    ) -> Result<Result<R, TopicError>, TopicError> {
        let mut left = self.wait_max;
        loop {
            let step = left.min(STOP_CHECK);
            match answer.reply.recv_timeout(step) {
                Ok(result) => return Ok(result),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(outage(topic, "its client panicked".to_owned()));
                }
                Err(RecvTimeoutError::Timeout) => left -= step,
            }
            if left.is_zero() || self.cut.is_stopped() {
                break;
            }
        }
        // Counted first: the thread takes itself off the count as soon as it sees the mark.
        self.hung.count.fetch_add(1, Ordering::Relaxed);
        if answer.settled.swap(true, Ordering::AcqRel) {
            self.hung.returned();
            return answer.reply.try_recv().map_err(|_| outage(topic, "it panicked".to_owned()));
        }
        if self.cut.is_stopped() {
            return Err(outage(topic, "the daemon is stopping".to_owned()));
        }
        tracing::warn!(thread = self.thread, "a call doesn't end and is left behind");
        Err(outage(topic, format!("a call has taken longer than {:?}", self.wait_max)))
    }
}

fn outage(topic: &str, detail: String) -> TopicError {
    TopicError::Outage { topic: topic.to_owned(), detail }
}

impl OpenSource for Detached<dyn OpenSource> {
    fn open(&self) -> Result<Box<dyn Source>, TopicError> {
        let opener = Arc::clone(&self.opener);
        let remote = Remote::open(&self.hands, self.opener.name(), move || opener.open())?;
        Ok(Box::new(remote))
    }

    fn name(&self) -> String {
        self.opener.name()
    }
}

impl Source for Remote<dyn Source> {
    fn bounds(&mut self) -> Result<Vec<Bounds>, TopicError> {
        self.call(|source| source.bounds())
    }

    fn seek(&mut self, positions: &[(i32, i64)]) {
        let positions = positions.to_vec();
        self.post(move |source| source.seek(&positions));
    }

    fn fetch(&mut self, wait_max: Duration) -> Result<Vec<Message>, TopicError> {
        self.call(move |source| source.fetch(wait_max))
    }

    fn standing(&mut self) -> Result<Standing, TopicError> {
        self.call(|source| source.standing())
    }

    fn saved(&mut self, positions: &[(i32, i64)]) {
        let positions = positions.to_vec();
        self.post(move |source| source.saved(&positions));
    }
}

impl OpenSink for Detached<dyn OpenSink> {
    fn open(&self) -> Result<Box<dyn Sink>, TopicError> {
        let opener = Arc::clone(&self.opener);
        let remote = Remote::open(&self.hands, "of the orders".to_owned(), move || opener.open())?;
        Ok(Box::new(remote))
    }
}

impl Sink for Remote<dyn Sink> {
    fn append(&mut self, records: &[Record]) -> Result<(), TopicError> {
        let records = records.to_vec();
        self.call(move |sink| sink.append(&records))
    }
}
