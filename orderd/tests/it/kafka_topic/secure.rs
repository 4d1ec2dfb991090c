//! TLS and SASL, on the real broker's listener that takes nothing else.

use orderd::topic::OpenSource;
use orderd::topic::TopicError;
use orderd::topic::kafka::Client;
use orderd::topic::kafka::KafkaSettings;
use orderd::topic::kafka::Sasl;
use orderd::topic::kafka::Security;
use orderd::topic::kafka::Tls;

use crate::daemon;
use crate::daemon::Daemon;
use crate::kafka_topic::Fixture;
use crate::kafka_topic::clients::joined;
use crate::kafka_topic::read;
use crate::kafka_topic::record;
use crate::kafka_topic::settings;
use crate::servers;
use crate::servers::SecureBroker;

fn secured(broker: &SecureBroker, mechanism: &str, password: &str) -> KafkaSettings {
    let tls = Tls { ca_file: Some((&broker.ca_file).into()) };
    let sasl = Sasl {
        mechanism: mechanism.to_owned(),
        user: "orderd".to_owned(),
        password: password.into(),
    };
    KafkaSettings {
        client: Client::Auto,
        brokers: broker.address.clone(),
        security: Security { tls: Some(tls), sasl: Some(sasl) },
        ..settings(&servers::unique_topic("secure"), 2)
    }
}

/// Why no source is opened.
fn refused(fixture: &Fixture) -> TopicError {
    OpenSource::open(&fixture.kafka).err().unwrap()
}

/// Issue: TLS and SASL. The topic is made, written and read.
#[test]
fn a_broker_is_reached_by_tls_and_either_mechanism() {
    let broker = servers::secure_broker();
    for mechanism in ["PLAIN", "SCRAM-SHA-512"] {
        let fixture = Fixture::settled(secured(&broker, mechanism, &broker.password));
        fixture.sink().append(&[record("k", "v")]).unwrap();
        let mut source = joined(&fixture);
        source.seek(&[(0, 0), (1, 0)]);
        assert_eq!(read(&mut *source, 1)[0].value, "v", "{mechanism}");
    }
}

/// Issue: passwords are never printed; what is wrong is said.
#[test]
fn a_wrong_password_is_named_and_not_shown() {
    let broker = servers::secure_broker();
    for mechanism in ["PLAIN", "SCRAM-SHA-512"] {
        let fixture = Fixture::new(secured(&broker, mechanism, "hunter2"));
        let error = refused(&fixture);
        assert!(matches!(error, TopicError::Outage { .. }), "{error:?}");
        let sentence = format!("{error} {error:?} {:?}", fixture.kafka);
        assert!(sentence.to_lowercase().contains("authentication"), "{sentence}");
        assert!(!sentence.contains("hunter2"), "{sentence}");
    }
}

/// Issue: a certificate that nobody vouches for, or a file that isn't there, is a named error.
#[test]
fn a_broker_that_is_not_trusted_is_not_used() {
    let broker = servers::secure_broker();
    let mut stranger = secured(&broker, "PLAIN", &broker.password);
    stranger.security.tls = Some(Tls { ca_file: None });
    let error = refused(&Fixture::new(stranger));
    assert!(matches!(error, TopicError::Outage { .. }), "{error:?}");
    assert!(error.to_string().contains("certificate"), "{error}");
    let mut missing = secured(&broker, "PLAIN", &broker.password);
    missing.security.tls = Some(Tls { ca_file: Some("/nowhere/ca.pem".into()) });
    let error = refused(&Fixture::new(missing));
    assert!(matches!(error, TopicError::Configuration(_)), "{error:?}");
    assert!(error.to_string().contains("--kafka-ca-file"), "{error}");
}

/// Issue: the client without TLS and SASL refuses them at once.
#[test]
fn the_old_client_refuses_tls_and_sasl() {
    let broker = servers::secure_broker();
    let settings =
        KafkaSettings { client: Client::Kafka, ..secured(&broker, "PLAIN", &broker.password) };
    let crew = orderd::supervise::Crew::new(orderd::supervise::StopToken::new());
    let clock = orderd::clock::Clock::system();
    let error = orderd::topic::kafka::KafkaTopic::start(&crew, clock, settings).unwrap_err();
    assert!(error.to_string().contains("--kafka-client"), "{error}");
}

/// Issue: the settings reach the broker from the command line, and the log has no password.
#[test]
fn the_daemon_and_produce_connect_as_they_are_told() {
    let broker = servers::secure_broker();
    let topic = servers::unique_topic("secure-daemon");
    let database = servers::database();
    let mut kafka = vec!["--kafka-brokers", &broker.address, "--kafka-topic", &topic];
    kafka.extend(["--kafka-tls", "--kafka-ca-file", &broker.ca_file]);
    kafka.extend(["--kafka-sasl-mechanism", "PLAIN", "--kafka-user", "orderd"]);
    let serve = [&["--database-url", database.url()], &kafka[..]].concat();
    let variables = [("KAFKA_PASSWORD", broker.password.as_str())];
    let daemon = Daemon::start_with(&serve, &variables);
    let produce = [&["--log", "trace", "produce"], &kafka[..]].concat();
    let ended = daemon::orderd(&[&produce[..], &["--count", "20", "--rate", "0"]].concat())
        .envs(variables)
        .output()
        .unwrap();
    let stderr = String::from_utf8(ended.stderr).unwrap();
    assert!(ended.status.success(), "{stderr}");
    assert!(!stderr.contains(&broker.password), "the password is in the log");
    let uids = String::from_utf8(ended.stdout).unwrap();
    assert_eq!(uids.lines().count(), 20);
    for uid in uids.lines() {
        daemon::wait_until("the order is served", || {
            daemon.get(&format!("/orders/{uid}")).status == 200
        });
    }
}
