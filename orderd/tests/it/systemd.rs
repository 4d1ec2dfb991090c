//! What the daemon tells systemd, read from a socket in systemd's place.

use crate::daemon::Daemon;
use crate::daemon::PATIENCE;
use crate::daemon::wait_until;
use crate::own_servers::Kind;
use crate::own_servers::OwnServer;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;

struct Manager {
    socket: UnixDatagram,
    folder: tempfile::TempDir,
}

impl Manager {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket, folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("notify")
    }

    /// A daemon whose watchdog is 400 ms.
    fn daemon(&self, arguments: &[&str]) -> Daemon {
        let data = self.folder.path().join("data");
        let all = [arguments, &["--data-dir", data.to_str().unwrap()]].concat();
        let path = self.path();
        let variables = [("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", "400000")];
        Daemon::start_with(&all, &variables)
    }

    /// The lines of the next datagram.
    fn told(&self) -> Vec<String> {
        let mut buffer = [0; 4096];
        let count = self.socket.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..count]).lines().map(str::to_owned).collect()
    }

    /// Everything that is told until this line comes.
    fn told_until(&self, line: &str) -> Vec<String> {
        let mut all = Vec::new();
        wait_until(&format!("{line} is told"), || {
            all.extend(self.told());
            all.iter().any(|told| told == line)
        });
        all
    }
}

/// Issue, shutdown: systemd learns when the daemon is ready, that it lives, and that it stops.
#[test]
fn ready_alive_and_stopping_are_told() {
    let manager = Manager::new();
    let daemon = manager.daemon(&[]);
    manager.told_until("READY=1");
    assert_eq!(daemon.get("/readyz").status, 200);
    for _ in 0..3 {
        assert!(manager.told().contains(&"WATCHDOG=1".to_owned()));
    }
    daemon.signal("TERM");
    let told = manager.told_until("STOPPING=1");
    assert!(!told.contains(&"READY=1".to_owned()), "ready is told once: {told:?}");
    assert_eq!(daemon.ended().0.code(), Some(0));
}

/// Issue, outages: a start that waits for its database isn't ready, says so, and isn't ended for
/// it; when the database comes it is ready.
#[test]
fn a_start_that_waits_asks_for_time() {
    let mut server = OwnServer::start(Kind::Postgres);
    server.kill();
    let manager = Manager::new();
    let daemon = manager.daemon(&["--database-url", &server.address]);
    let told = manager.told_until("EXTEND_TIMEOUT_USEC=30000000");
    assert!(told.iter().any(|line| line.starts_with("STATUS=store: ")), "{told:?}");
    assert!(!told.contains(&"READY=1".to_owned()), "{told:?}");
    server.start_again();
    let told = manager.told_until("READY=1");
    assert!(told.contains(&"STATUS=ready".to_owned()), "{told:?}");
    drop(daemon);
}
