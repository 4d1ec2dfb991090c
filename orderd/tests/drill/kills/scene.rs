//! The servers of one drill, and the two daemons that share them.
//!
//! Everything is reached through proxies, so that connections can be cut: PostgreSQL through one
//! for each daemon, the broker through one for all, because it tells its clients itself where it
//! is.

use crate::daemon::Daemon;
use crate::daemon::orderd;
use crate::kills::wait_until;
use crate::own_servers::Kind;
use crate::own_servers::OwnServer;
use crate::proxy::Proxy;
use crate::servers;
use orderd::clock::Clock;
use orderd::store::positions::Positions as _;
use orderd::store::postgres::Postgres;
use orderd::supervise::Crew;
use orderd::supervise::StopToken;
use orderd::topic::kafka::Client;
use orderd::topic::kafka::KafkaSettings;
use orderd::topic::kafka::KafkaTopic;
use orderd::topic::kafka::Security;
use std::collections::BTreeMap;

/// How many partitions the topic has.
pub(crate) const PARTITIONS: i32 = 4;

/// How many daemons there are.
pub(crate) const INSTANCES: usize = 2;

/// Everything that a drill kills.
pub(crate) struct Scene {
    pub(crate) postgres: OwnServer,
    pub(crate) broker: OwnServer,
    pub(crate) postgres_proxies: Vec<Proxy>,
    pub(crate) broker_proxy: Proxy,
    pub(crate) daemons: Vec<Daemon>,
    pub(crate) client: Client,
    pub(crate) topic: String,
    urls: Vec<String>,
    crew: Crew,
}

impl Scene {
    /// Starts the servers and the daemons.
    pub(crate) fn start(client: Client) -> Self {
        let (postgres, (broker, broker_proxy)) = std::thread::scope(|scope| {
            let postgres = scope.spawn(|| OwnServer::start(Kind::Postgres));
            let broker = scope.spawn(|| {
                let mut broker = OwnServer::start(Kind::Kafka);
                let proxy = Proxy::to(broker.address.clone());
                broker.advertise(proxy.address());
                (broker, proxy)
            });
            (postgres.join().unwrap(), broker.join().unwrap())
        });
        let proxies = (0..INSTANCES).map(|_| Proxy::to_url(&postgres.address));
        let (postgres_proxies, urls) = proxies.unzip();
        let mut scene = Self {
            postgres,
            broker,
            postgres_proxies,
            broker_proxy,
            daemons: Vec::new(),
            client,
            topic: servers::unique_topic("kills"),
            urls,
            crew: Crew::new(StopToken::new()),
        };
        for number in 0..INSTANCES {
            scene.daemons.push(scene.daemon(number, None));
        }
        scene
    }

    /// Starts a daemon as instance `number`, to end at this crash point if there is one.
    pub(crate) fn daemon(&self, number: usize, crash_at: Option<&str>) -> Daemon {
        let mut command = orderd(&["--log", "error", "serve", "--listen", "127.0.0.1:0"]);
        command.args(["--database-url", &self.urls[number]]);
        command.args(["--kafka-brokers", &self.broker_proxy.address().to_string()]);
        command.args(["--kafka-topic", &self.topic]);
        command.args(["--kafka-partitions", &PARTITIONS.to_string()]);
        match self.client {
            Client::Rdkafka => command.args(["--kafka-client", "rdkafka"]),
            _ => command
                .args(["--kafka-client", "kafka"])
                .args(["--instance", &format!("{number}/{INSTANCES}")]),
        };
        command.envs(crash_at.map(|point| ("ORDERD_CRASH_AT", point)));
        Daemon::launch(command)
    }

    /// Whether `partition` may be read by instance `number`.
    pub(crate) fn may_read(&self, number: usize, partition: i32) -> bool {
        self.client == Client::Rdkafka || partition as usize % INSTANCES == number
    }

    /// The topic through this client, for the drill's own use.
    pub(crate) fn topic(&self, client: Client) -> KafkaTopic {
        let settings = KafkaSettings {
            brokers: self.broker_proxy.address().to_string(),
            topic: self.topic.clone(),
            group: "drill".to_owned(),
            partitions: PARTITIONS,
            message_bytes_max: 4 * 1024 * 1024,
            client,
            security: Security::default(),
            share: None,
        };
        KafkaTopic::start(&self.crew, Clock::system(), settings).unwrap()
    }

    /// The stored positions, as soon as the database tells them.
    pub(crate) fn positions(&self) -> BTreeMap<i32, i64> {
        let postgres = Postgres::new(&self.postgres.address).unwrap();
        let mut positions = BTreeMap::new();
        wait_until("the database tells the positions", || match postgres.positions() {
            Ok(all) => {
                positions = all.iter().map(|p| (p.partition, p.next_offset)).collect();
                true
            }
            Err(_) => false,
        });
        positions
    }

    /// Stops the daemons as an operator does, and says what is wrong with how they end.
    pub(crate) fn stop(&mut self) -> Vec<String> {
        let ends = self.daemons.drain(..).map(|daemon| daemon.interrupt().0);
        let bad = ends.filter(|status| status.code() != Some(0));
        bad.map(|status| format!("a daemon that was asked to stop ended with {status}")).collect()
    }
}
