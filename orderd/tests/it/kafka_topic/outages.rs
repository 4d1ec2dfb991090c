//! Brokers that are silent, refuse, are too young, or are none.

use std::io::Write;
use std::net::TcpListener;
use std::time::Duration;

use bytes::BytesMut;
use kafka_protocol::messages::ApiVersionsResponse;
use kafka_protocol::messages::ResponseHeader;
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::protocol::Encodable;
use orderd::topic::OpenSink;
use orderd::topic::OpenSource;
use orderd::topic::TopicError;
use orderd::topic::kafka::KafkaSettings;

use crate::kafka_topic::Fixture;
use crate::kafka_topic::broker::read_frame;
use crate::kafka_topic::now;
use crate::kafka_topic::settings;
use crate::servers;

/// Issue: a silent Kafka is waited for: opening fails soon, and not after the client's 120 s.
#[test]
fn a_silent_broker_is_an_outage_within_five_seconds() {
    // It listens and never accepts: the system completes the connection, and nobody answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let topic = servers::unique_topic("silent");
    let fixture = Fixture::new(KafkaSettings { brokers: address.clone(), ..settings(&topic, 1) });
    let start = now();
    let source = OpenSource::open(&fixture.kafka).err().unwrap();
    let sink = OpenSink::open(&fixture.kafka).err().unwrap();
    assert!(start.elapsed() < Duration::from_secs(10), "{:?} for both", start.elapsed());
    for error in [source, sink] {
        assert!(matches!(error, TopicError::Outage { .. }), "{error:?}");
        assert!(error.to_string().contains(&address), "{error}");
    }
    // Beside it a broker that answers is enough.
    let brokers = format!("{address},{}", servers::brokers());
    let fixture = Fixture::new(KafkaSettings { brokers, ..settings(&topic, 1) });
    let start = now();
    assert_eq!(fixture.source().bounds().unwrap().len(), 1);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

/// Issue: a Kafka that refuses is waited for, and the sentence names it.
#[test]
fn a_broker_that_refuses_is_an_outage() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let settings = settings(&servers::unique_topic("refused"), 1);
    let fixture = Fixture::new(KafkaSettings { brokers: closed.clone(), ..settings });
    let error = OpenSource::open(&fixture.kafka).err().unwrap();
    assert!(matches!(error, TopicError::Outage { .. }), "{error:?}");
    assert!(error.to_string().contains(&closed), "{error}");
}

/// What a peer answers to whatever it is asked first decides the error that `open` gives.
fn open_on(answer: &[u8]) -> TopicError {
    let peer = TcpListener::bind("127.0.0.1:0").unwrap();
    let brokers = peer.local_addr().unwrap().to_string();
    let settings = settings(&servers::unique_topic("peer"), 1);
    let fixture = Fixture::new(KafkaSettings { brokers, ..settings });
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (mut stream, _) = peer.accept().unwrap();
            read_frame(&mut stream);
            stream.write_all(answer).unwrap();
        });
        OpenSource::open(&fixture.kafka).err().unwrap()
    })
}

/// Design: a broker of 4.x gets one sentence that says so.
#[test]
fn a_broker_of_kafka_4_is_a_configuration_error() {
    let fetch = ApiVersion::default().with_api_key(1).with_min_version(4).with_max_version(17);
    let versions = ApiVersionsResponse::default().with_api_keys(vec![fetch]);
    let mut answer = BytesMut::new();
    ResponseHeader::default().with_correlation_id(1).encode(&mut answer, 0).unwrap();
    versions.encode(&mut answer, 0).unwrap();
    let mut frame = u32::try_from(answer.len()).unwrap().to_be_bytes().to_vec();
    frame.extend_from_slice(&answer);
    let error = open_on(&frame);
    assert!(matches!(error, TopicError::Configuration(_)), "{error:?}");
    let sentence = error.to_string();
    assert!(sentence.contains("--kafka-brokers") && sentence.contains("4.0"), "{sentence}");
}

/// Whatever answers at the broker's address, it is an error and never a panic or a huge allocation.
#[test]
fn a_peer_that_is_no_broker_is_an_outage() {
    let answers: [&[u8]; 5] = [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"",
        &[0xff; 64],
        &[0, 0, 0, 4, 0, 0, 0, 1],
        &[0, 0, 0, 10, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0],
    ];
    for answer in answers {
        let error = open_on(answer);
        assert!(matches!(error, TopicError::Outage { .. }), "{answer:?}: {error:?}");
    }
}
