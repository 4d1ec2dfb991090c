//! The real program on a real broker of Kafka 4, with the client that `auto` takes there.

use crate::daemon;
use crate::daemon::Daemon;
use crate::daemon::wait_until;
use crate::servers;
use crate::servers::TestDatabase;
use orderd::store::Connect as _;
use orderd::store::postgres::Postgres;
use rdkafka::ClientConfig;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::BaseConsumer;
use rdkafka::consumer::Consumer as _;
use std::time::Duration;

const PARTITIONS: i32 = 4;
const TOKEN: &str = "of-this-test";
const ANSWER_WAIT: Duration = Duration::from_secs(10);

struct Scene {
    database: TestDatabase,
    topic: String,
    brokers: String,
}

impl Scene {
    fn new() -> Self {
        let (database, topic) = (servers::database(), servers::unique_topic("four"));
        Self { database, topic, brokers: servers::brokers_4() }
    }

    fn kafka(&self) -> [&str; 6] {
        let partitions = "4";
        let (brokers, topic) = (self.brokers.as_str(), self.topic.as_str());
        ["--kafka-brokers", brokers, "--kafka-topic", topic, "--kafka-partitions", partitions]
    }

    fn start(&self) -> Daemon {
        let store = ["--database-url", self.database.url(), "--write-token", TOKEN];
        // A group of its own: the members of one group wait for each other in every rebalance.
        let group = ["--kafka-group", &self.topic];
        Daemon::start(&[&self.kafka()[..], &store, &group].concat())
    }

    /// Produces to the topic, and returns the ids.
    fn produce(&self, count: usize) -> Vec<String> {
        produce(&self.kafka(), count)
    }

    /// How many messages of each partition the group has not committed, as lag tools find it.
    fn lags(&self, tool: &BaseConsumer) -> Option<Vec<i64>> {
        let mut wanted = TopicPartitionList::new();
        wanted.add_partition_range(&self.topic, 0, PARTITIONS - 1);
        let committed = tool.committed_offsets(wanted, ANSWER_WAIT).ok()?;
        let lag = |element: &rdkafka::topic_partition_list::TopicPartitionListElem<'_>| {
            let end = tool.fetch_watermarks(&self.topic, element.partition(), ANSWER_WAIT).ok()?.1;
            Some(end - element.offset().to_raw()?)
        };
        committed.elements().iter().map(lag).collect()
    }

    fn orders(&self) -> u64 {
        let connect = Postgres::new(self.database.url()).unwrap();
        connect.connect().unwrap().counts().unwrap().orders
    }
}

fn produce(target: &[&str], count: usize) -> Vec<String> {
    let count = count.to_string();
    let pace = ["--count", &count, "--rate", "0"];
    let ended = daemon::run(&[&["produce"], target, &pace].concat());
    assert!(ended.status.success(), "{}", ended.stderr);
    ended.stdout.lines().map(str::to_owned).collect()
}

/// Issue: the sink on 4.x, by HTTP and by `produce`; what it takes is saved and served, and the
/// group's offsets come to the end of the log.
#[test]
fn orders_come_in_both_ways_and_the_lag_ends() {
    let scene = Scene::new();
    let daemon = scene.start();
    daemon.wait_ready();
    let mut uids = scene.produce(40);
    uids.extend(produce(&["--url", daemon.base(), "--token", TOKEN], 40));
    assert_eq!(uids.len(), 80);
    for uid in &uids {
        wait_until("the order is served", || daemon.get(&format!("/orders/{uid}")).status == 200);
    }
    let mut tool = ClientConfig::new();
    tool.set("bootstrap.servers", &scene.brokers).set("group.id", &scene.topic);
    let tool: BaseConsumer = tool.create().unwrap();
    // A partition that got no order has no committed offset, which is no lag either.
    wait_until("there is no lag", || {
        scene.lags(&tool).is_some_and(|lags| lags.iter().all(|lag| *lag == 0))
    });
    // Leaving the group is part of the stop, and within its deadline.
    let (status, took) = daemon.interrupt();
    assert_eq!(status.code(), Some(0));
    assert!(took < Duration::from_secs(5), "the stop took {took:?}");
}

/// Design: the compare-and-set fences zombies. An instance that is stopped for longer than its
/// session loses its partitions; when it goes on it neither saves nor loses anything of theirs.
#[test]
fn an_instance_that_was_frozen_comes_back_as_a_member() {
    let scene = Scene::new();
    let (first, second) = (scene.start(), scene.start());
    first.wait_ready();
    second.wait_ready();
    let mut uids = scene.produce(200);
    first.signal("STOP");
    uids.extend(scene.produce(200));
    wait_until("the other one has saved everything", || scene.orders() == 400);
    first.signal("CONT");
    uids.extend(scene.produce(200));
    wait_until("everything is saved", || scene.orders() == 600);
    first.wait_ready();
    for uid in &uids {
        assert_eq!(first.get(&format!("/orders/{uid}")).status, 200, "{uid}");
    }
}
