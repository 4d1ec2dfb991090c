//! What is replaced in one instance, seen from all.

use crate::daemon::now;
use crate::daemon::wait_until;
use crate::instances::Instance;
use crate::instances::found;
use crate::instances::two;
use crate::servers;
use std::time::Duration;

/// Issue: an update in one instance is seen in the others at once, and served from the cache there
/// as soon as it has been read.
#[test]
fn an_update_in_one_instance_is_seen_in_the_other() {
    let (_database, a, b) = two();
    a.write("o", 1);
    wait_until("the order is there", || b.read("o").status == 200);
    for version in 2..=20 {
        // In turn: each has the version of the other in its cache.
        let (writer, reader) = if version % 2 == 0 { (&a, &b) } else { (&b, &a) };
        wait_until("it is cached", || reader.read("o") == found(version - 1, "HIT"));
        let started = now();
        writer.write("o", version);
        wait_until("the update is seen", || reader.read("o").version == Some(version));
        // The way through the writer's topic and its transaction included.
        eprintln!("version {version} was seen after {:?}", started.elapsed());
        assert!(started.elapsed() < Duration::from_secs(10));
    }
}

/// Design: the catalog gets what was written. An instance that hears of its own writing keeps it:
/// nobody sees a miss, neither at once nor when the news has come back.
#[test]
fn what_an_instance_replaced_itself_stays_in_its_cache() {
    let database = servers::database();
    let instance = Instance::start(database.url(), "only");
    instance.write("o", 1);
    wait_until("the order is there", || instance.read("o") == found(1, "HIT"));
    for version in 2..=6 {
        instance.write("o", version);
        let replaced = || {
            let read = instance.read("o");
            assert_eq!(read.x_cache, "HIT", "{read:?}");
            read.version == Some(version)
        };
        wait_until("the version is there", replaced);
        let seen_at = now();
        while seen_at.elapsed() < Duration::from_millis(300) {
            assert_eq!(instance.read("o"), found(version, "HIT"));
        }
    }
}
