//! A session of PostgreSQL that listens.

use crate::store::StoreError;
use crate::store::listen::Heard;
use crate::store::listen::Listening;
use crate::store::postgres::connect::Session;
use crate::store::postgres::notify::CHANNEL;
use crate::store::postgres::notify::Instance;
use crate::store::postgres::outage;
use postgres::Client;
use postgres::fallible_iterator::FallibleIterator as _;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// How long the server may be silent when it is sent a heartbeat. After a second there is no trust
/// any more, so a session that takes longer is better replaced than waited for.
const SILENT_MAX: Duration = Duration::from_secs(2);

/// In milliseconds: a listener that takes nothing is cut off by the server. What it doesn't take
/// stays in the queue of all listeners, and when that is full no order can be replaced any more.
const SET: &str = "set tcp_user_timeout = 30000";

/// A session that listens.
pub(super) struct ListeningSession {
    client: Client,
    what: Arc<str>,
    instance: Instance,
    heartbeat_channel: String,
}

impl ListeningSession {
    /// Has a session listen.
    pub(super) fn begin(
        session: Session,
        what: &Arc<str>,
        instance: Instance,
    ) -> Result<Self, StoreError> {
        let Session { client, line } = session;
        let (what, heartbeat_channel) = (Arc::clone(what), instance.heartbeat_channel());
        let begin = format!("{SET}; listen {CHANNEL}; listen {heartbeat_channel}");
        line.set_patience(SILENT_MAX);
        let mut session = Self { client, what, instance, heartbeat_channel };
        session.run(&begin)?;
        Ok(session)
    }

    fn run(&mut self, statement: &str) -> Result<(), StoreError> {
        self.client.batch_execute(statement).map_err(|error| outage(&self.what, error))
    }
}

impl Listening for ListeningSession {
    fn hear(&mut self, wait_max: Duration) -> Result<Option<Heard>, StoreError> {
        let told = self.client.notifications().timeout_iter(wait_max).next();
        let Some(told) = told.map_err(|error| outage(&self.what, error))? else {
            // To the library the end of a session is the end of what is told.
            if self.client.is_closed() {
                return Err(outage(&self.what, io::Error::from(io::ErrorKind::ConnectionAborted)));
            }
            return Ok(None);
        };
        Ok(match told.channel() {
            CHANNEL => Some(self.instance.read(told.payload())),
            channel if channel == self.heartbeat_channel => {
                told.payload().parse().ok().map(Heard::Heartbeat)
            }
            _ => None,
        })
    }

    fn send_heartbeat(&mut self, token: u64) -> Result<(), StoreError> {
        self.run(&format!("notify {}, '{token}'", self.heartbeat_channel))
    }
}
