//! A topic on any Apache Kafka, through librdkafka: for brokers of 4.0 and later, for TLS, SASL and
//! every compression, and with real consumer groups.
//!
//! Only the blocking half of the crate is used, on the threads of whoever calls. librdkafka starts
//! threads of its own, which `supervise` doesn't know; dropping a client ends them.
//!
//! Invariants:
//! * Positions are the caller's. Nothing is committed or stored by the library itself, and an
//!   offset that the log doesn't have is an error and no reason to go elsewhere.
//! * Every call is bounded. A lost connection is mended by the library; when no broker is left, the
//!   client is dropped and opened anew, as everywhere.
//! * No log line or error has the password: the library never prints it, and it is held as a
//!   [`secrecy::SecretString`].

mod group;
mod prepare;
mod sink;
mod source;

use crate::topic::Sink;
use crate::topic::Source;
use crate::topic::TopicError;
use crate::topic::kafka::Shared;
use rdkafka::ClientConfig;
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use secrecy::ExposeSecret as _;
use std::fmt::Display;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

/// How long one question to a broker may take.
const ANSWER_WAIT: Duration = Duration::from_secs(5);
/// How long librdkafka waits for an answer and for a connection before it calls a broker silent.
const SOCKET_TIMEOUT_MS: &str = "10000";
const CONNECT_TIMEOUT_MS: &str = "5000";

/// Opens a source.
pub(super) fn source(shared: &Arc<Shared>) -> Result<Box<dyn Source>, TopicError> {
    prepare::prepare(shared)?;
    Ok(Box::new(source::RdkafkaSource::open(Arc::clone(shared))?))
}

/// Opens a sink.
pub(super) fn sink(shared: &Arc<Shared>) -> Result<Box<dyn Sink>, TopicError> {
    prepare::prepare(shared)?;
    Ok(Box::new(sink::RdkafkaSink::open(Arc::clone(shared))?))
}

/// What every client is made with.
fn config(shared: &Shared) -> ClientConfig {
    let settings = &shared.settings;
    let security = &settings.security;
    let protocol = match (&security.tls, &security.sasl) {
        (None, None) => "plaintext",
        (Some(_), None) => "ssl",
        (None, Some(_)) => "sasl_plaintext",
        (Some(_), Some(_)) => "sasl_ssl",
    };
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &settings.brokers)
        .set("client.id", "orderd")
        .set("security.protocol", protocol)
        .set("socket.timeout.ms", SOCKET_TIMEOUT_MS)
        .set("socket.connection.setup.timeout.ms", CONNECT_TIMEOUT_MS)
        .set("reconnect.backoff.max.ms", "1000");
    if let Some(file) = security.tls.as_ref().and_then(|tls| tls.ca_file.as_ref()) {
        config.set("ssl.ca.location", file.to_string_lossy());
    }
    if let Some(sasl) = &security.sasl {
        config
            .set("sasl.mechanisms", &sasl.mechanism)
            .set("sasl.username", &sasl.user)
            .set("sasl.password", sasl.password.expose_secret());
    }
    config
}

/// What the library told last about a connection that failed: its errors only say that one did.
#[derive(Debug, Default)]
struct Told(Mutex<Option<String>>);

impl Told {
    /// An outage with what was told beside it.
    fn outage(&self, shared: &Shared, detail: impl Display) -> TopicError {
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).as_deref() {
            Some(told) => shared.outage(format_args!("{detail} ({told})")),
            None => shared.outage(detail),
        }
    }

    fn note(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        if matches!(facility, "FAIL" | "ERROR") {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(line.to_owned());
        }
        // Every rise of a backoff is a line at level "error", every failed commit a warning; what
        // these come to is told once, by whoever the client belongs to.
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
                tracing::error!(target: "librdkafka", facility, "{line}");
            }
            RDKafkaLogLevel::Warning if facility != "COMMITFAIL" => {
                tracing::warn!(target: "librdkafka", facility, "{line}");
            }
            _ => tracing::debug!(target: "librdkafka", facility, "{line}"),
        }
    }
}

impl ClientContext for Told {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        self.note(level, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "librdkafka", %error, "{reason}");
    }
}

/// A client that can't even be made has a wrong setting, such as a file that isn't there.
fn refused(error: &KafkaError) -> TopicError {
    TopicError::Configuration(format!(
        "the settings of --kafka-tls, --kafka-ca-file and --kafka-sasl-mechanism can't be used: \
         {error}"
    ))
}
