//! A session of PostgreSQL that listens.
//!
//! It is the one session that stands on `tokio_postgres`, the client that the blocking one wraps,
//! because every wait must have an end here: the blocking client waits for the answer to a heartbeat
//! for as long as a silent server likes, and the thread inside it could only be abandoned, each time
//! another one. Here a session that falls silent is dropped, and the same thread opens the next. The
//! runtime is the session's own and runs on the calling thread, like the one inside the blocking
//! client, and nothing async leaves this file.

use crate::store::StoreError;
use crate::store::listen::Heard;
use crate::store::listen::Listening;
use crate::store::postgres::connect::Server;
use crate::store::postgres::notify::CHANNEL;
use crate::store::postgres::notify::Instance;
use crate::store::postgres::outage;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime;
use tokio::runtime::Runtime;
use tokio_postgres::AsyncMessage;
use tokio_postgres::Client;
use tokio_postgres::NoTls;
use tokio_postgres::Socket;
use tokio_postgres::tls::NoTlsStream;

/// How long the server may take to let a session in, and to begin listening.
const OPEN_WAIT_MAX: Duration = Duration::from_secs(3);

/// In milliseconds: a listener that takes nothing is cut off by the server. What it doesn't take
/// stays in the queue of all listeners, and when that is full no order can be replaced any more.
const SERVER_OPTIONS: &str = "-c tcp_user_timeout=30000";

type Connection = tokio_postgres::Connection<Socket, NoTlsStream>;

/// Why a session is over.
type Reason = Box<dyn Error + Send + Sync>;

/// A statement on its way.
type Statement = Pin<Box<dyn Future<Output = Result<(), tokio_postgres::Error>> + Send>>;

/// A session that listens.
pub(super) struct Session {
    what: Arc<str>,
    instance: Instance,
    heartbeat_channel: String,
    /// The heartbeat that the server hasn't taken yet.
    heartbeat: Option<Statement>,
    client: Arc<Client>,
    connection: Connection,
    /// Last, because the connection is registered with it.
    runtime: Runtime,
}

impl Session {
    /// Opens a session with this server, whose listening has begun.
    pub(super) fn open(
        server: &Server,
        what: &Arc<str>,
        instance: Instance,
    ) -> Result<Self, StoreError> {
        let mut config = server.reached(what)?;
        let options = format!("{SERVER_OPTIONS} {}", config.get_options().unwrap_or_default());
        config.options(options);
        let built = runtime::Builder::new_current_thread().enable_all().build();
        let runtime = built.map_err(|error| outage(what, error))?;
        let (client, connection) = within(&runtime, what, config.connect(NoTls))?
            .map_err(|error| server.refusal(what, error))?;
        let mut session = Self {
            what: Arc::clone(what),
            instance,
            heartbeat_channel: instance.heartbeat_channel(),
            heartbeat: None,
            client: Arc::new(client),
            connection,
            runtime,
        };
        session.begin()?;
        Ok(session)
    }

    fn begin(&mut self) -> Result<(), StoreError> {
        let channels = format!("listen {CHANNEL}; listen {}", self.heartbeat_channel);
        let listen = self.client.batch_execute(&channels);
        let connection = &mut self.connection;
        let begun = within(&self.runtime, &self.what, async {
            let mut listen = std::pin::pin!(listen);
            loop {
                tokio::select! {
                    biased;
                    // What is told before the listener knows that it listens concerns only what was
                    // cached before that, and this is going to be forgotten.
                    told = next(connection) => drop(told?),
                    begun = &mut listen => return Ok(begun?),
                }
            }
        })?;
        begun.map_err(|error: Reason| outage(&self.what, error))
    }

    fn heard(&self, message: &AsyncMessage) -> Option<Heard> {
        match message {
            AsyncMessage::Notification(told) if told.channel() == CHANNEL => {
                Some(self.instance.read(told.payload()))
            }
            AsyncMessage::Notification(told) if told.channel() == self.heartbeat_channel => {
                told.payload().parse().ok().map(Heard::Heartbeat)
            }
            _ => None,
        }
    }
}

impl Listening for Session {
    fn hear(&mut self, wait_max: Duration) -> Result<Option<Heard>, StoreError> {
        let Self { runtime, connection, heartbeat, .. } = self;
        let told = runtime.block_on(async {
            let mut over = std::pin::pin!(tokio::time::sleep(wait_max));
            loop {
                let idle = heartbeat.is_none();
                tokio::select! {
                    biased;
                    told = next(connection) => return told.map(Some),
                    taken = async { heartbeat.as_mut().expect("one is on its way").await },
                        if !idle =>
                    {
                        *heartbeat = None;
                        taken?;
                    }
                    () = &mut over => return Ok(None),
                }
            }
        });
        let told = told.map_err(|error: Reason| outage(&self.what, error))?;
        Ok(told.and_then(|message| self.heard(&message)))
    }

    fn send_heartbeat(&mut self, token: u64) {
        if self.heartbeat.is_some() {
            return;
        }
        let client = Arc::clone(&self.client);
        let notify = format!("notify {}, '{token}'", self.heartbeat_channel);
        self.heartbeat = Some(Box::pin(async move { client.batch_execute(&notify).await }));
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("what", &self.what).finish_non_exhaustive()
    }
}

/// The next message that is no answer to a statement.
async fn next(connection: &mut Connection) -> Result<AsyncMessage, Reason> {
    match poll_fn(|context| connection.poll_message(context)).await {
        Some(message) => Ok(message?),
        None => Err("the server has ended the session".into()),
    }
}

/// Runs `work` to its end, at most for [`OPEN_WAIT_MAX`].
fn within<T>(
    runtime: &Runtime,
    what: &str,
    work: impl Future<Output = T>,
) -> Result<T, StoreError> {
    runtime
        .block_on(async { tokio::time::timeout(OPEN_WAIT_MAX, work).await })
        .map_err(|_| outage(what, io::Error::from(io::ErrorKind::TimedOut)))
}
