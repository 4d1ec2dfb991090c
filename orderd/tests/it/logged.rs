//! Row 10: what the log says of an order on its way in and out.

use crate::daemon;
use crate::daemon::Daemon;
use crate::daemon::wait_until;
use std::fs::File;
use std::path::Path;

const SAMPLE: &[u8] = include_bytes!("../../assets/model.json");
const UID: &str = "b563feb7b2b84b6test";

/// A daemon that logs into a file.
fn logging(folder: &Path, level: &str) -> Daemon {
    let data = folder.join("data");
    let mut command = daemon::orderd(&["--log", level, "serve", "--listen", "127.0.0.1:0"]);
    command.args(["--demo", "--demo-interval", "1h", "--warm-orders", "0", "--data-dir"]).arg(data);
    command.stderr(File::create(folder.join("log")).unwrap());
    Daemon::launch(command)
}

/// Row 10: receipt, save and caching of a batch at info with their times; each order and each hit
/// at debug; each miss at info with its time.
#[test]
fn row_10_the_log_has_the_times_of_an_order() {
    for level in ["info", "debug"] {
        let folder = tempfile::tempdir().unwrap();
        let log = || std::fs::read_to_string(folder.path().join("log")).unwrap();
        let lines = |level: &str, what: &str| -> Vec<String> {
            let log = log();
            let said = |line: &&str| line.contains(level) && line.contains(what);
            log.lines().filter(said).map(str::to_owned).collect()
        };
        let daemon = logging(folder.path(), level);
        daemon.wait_ready();
        assert_eq!(daemon.post(SAMPLE).unwrap(), 202);
        wait_until("the batch is saved", || !lines(" INFO ", "a batch is saved").is_empty());
        let batch = lines(" INFO ", "a batch is saved").remove(0);
        for field in ["inserted=", "waited_ms=", "save_ms=", "cache_ms="] {
            assert!(batch.contains(field), "{field} is missing in: {batch}");
        }
        let path = format!("/orders/{UID}");
        wait_until("the order is served", || daemon.get(&path).status == 200);
        wait_until("it is a hit", || daemon.get(&path).headers["x-cache"] == "HIT");
        assert_eq!(daemon.get("/orders/nobody").status, 404);
        wait_until("the miss is logged", || !lines(" INFO ", "order_uid=nobody").is_empty());
        let miss = lines(" INFO ", "order_uid=nobody").remove(0);
        assert!(miss.contains("read from the store") && miss.contains(" ms="), "{miss}");
        let hits = lines("DEBUG ", "order read from the cache");
        let saved = lines("DEBUG ", "saved");
        if level == "info" {
            assert_eq!((hits, saved), (Vec::new(), Vec::new()));
        } else {
            assert!(hits.iter().any(|hit| hit.contains(UID) && hit.contains(" ms=")), "{hits:?}");
            assert!(saved.iter().any(|order| order.contains(UID)), "{saved:?}");
        }
    }
}
