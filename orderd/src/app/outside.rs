//! The outside of a daemon: the store that it keeps orders in and the topics that they come
//! through, as its settings name them.
//!
//! What is embedded is one file with one owner, so it is opened at once, and that may end the
//! start. Servers are never reached from here: whoever needs one waits for it on a thread of its
//! own.

use crate::app::StartError;
use crate::app::topics;
use crate::cli;
use crate::clock::Clock;
use crate::dead_letters::Feed;
use crate::embedded::Embedded;
use crate::store::Connect;
use crate::store::StoreError;
use crate::store::listen::Listen;
use crate::store::postgres::Postgres;
use crate::supervise::Crew;
use crate::supervise::StopToken;
use crate::topic::OpenSink;
use crate::topic::OpenSource;
use secrecy::ExposeSecret as _;
use std::path::PathBuf;
use std::sync::Arc;

/// Where orders are kept and come through, by the settings.
pub(super) struct Outside {
    pub(super) connect: Arc<dyn Connect>,
    /// None for a store that only one process can open.
    pub(super) listen: Option<Arc<dyn Listen>>,
    pub(super) sources: Arc<dyn OpenSource>,
    pub(super) sinks: Arc<dyn OpenSink>,
    pub(super) hot_set_file: Option<PathBuf>,
    /// The topic of dead letters.
    pub(super) letters: Option<Feed>,
}

impl Outside {
    /// Puts together store and topic. Only what is embedded is opened; servers are reached later.
    pub(super) fn open(
        intake: &Arc<Crew>,
        crew: &Arc<Crew>,
        cut: &StopToken,
        clock: &Clock,
        settings: &cli::Serve,
    ) -> Result<Self, StartError> {
        let kafka = &settings.kafka;
        let on_kafka = !kafka.kafka_brokers.is_empty();
        // Before the folder is opened, so that a wrong URL leaves none behind.
        let postgres = postgres(settings)?.map(|postgres| postgres.cut_by(cut.clone()));
        let open = || Embedded::open(&settings.data_dir);
        let postgres = postgres.map(Arc::new);
        let listen = postgres.clone().map(|postgres| postgres as Arc<dyn Listen>);
        let (connect, embedded): (Arc<dyn Connect>, Option<Embedded>) = match postgres {
            Some(postgres) if on_kafka => (postgres, None),
            Some(postgres) => (postgres, Some(open()?)),
            None => {
                let embedded = open()?;
                (Arc::new(embedded.clone()), Some(embedded))
            }
        };
        let (sources, sinks): (Arc<dyn OpenSource>, Arc<dyn OpenSink>) = match &embedded {
            Some(embedded) if !on_kafka => {
                let topic = embedded.topic(&kafka.kafka_topic, 1);
                (Arc::new(topic.clone()), Arc::new(topic))
            }
            _ => {
                let share = settings.instance;
                let topic =
                    topics::kafka_topic(intake, clock, kafka, &settings.kafka_group, share)?;
                topics::detached(topic, intake, crew, cut)
            }
        };
        let sinks_of_letters = topics::sinks(intake, cut, clock, settings, embedded.as_ref())?;
        let letters = sinks_of_letters.map(|sinks| Feed { connect: Arc::clone(&connect), sinks });
        tracing::info!(store = connect.name(), topic = sources.name(), "orders");
        let in_folder = || embedded.is_some().then(|| settings.data_dir.join("hot-set"));
        let hot_set_file = settings.hot_set_file.clone().or_else(in_folder);
        Ok(Self { connect, listen, sources, sinks, hot_set_file, letters })
    }
}

/// The PostgreSQL of the settings, if they name one; nothing is asked of it.
pub(super) fn postgres(settings: &cli::Serve) -> Result<Option<Postgres>, StoreError> {
    settings.database_url.as_ref().map(|url| Postgres::new(url.expose_secret())).transpose()
}
