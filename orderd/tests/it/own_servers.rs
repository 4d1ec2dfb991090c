//! Servers of one test alone, which it may kill, stop and start again.
//!
//! `with-servers` starts them as `make test` does. What a test then needs to do to one, it does by
//! the process: its command line, folder and user are read from `/proc`, so that the same server
//! can be started again. `with-servers` cleans up when its input ends, however the test ends.

use crate::daemon::wait_until;
use std::fs;
use std::io::BufRead as _;
use std::io::BufReader;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Postgres,
    Kafka,
}

/// A server of a test's own.
pub(crate) struct OwnServer {
    kind: Kind,
    launcher: Child,
    /// A superuser's URL, or `host:port` of the broker.
    pub(crate) address: String,
    process: u32,
    arguments: Vec<String>,
    folder: PathBuf,
    user: (u32, u32),
    again: Option<Child>,
}

impl OwnServer {
    pub(crate) fn start(kind: Kind) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers/with-servers");
        let (wanted, other) = match kind {
            Kind::Postgres => ("ORDERD_TEST_DATABASE_URL", "ORDERD_TEST_KAFKA"),
            Kind::Kafka => ("ORDERD_TEST_KAFKA", "ORDERD_TEST_DATABASE_URL"),
        };
        let mut launcher = Command::new(script)
            .args(["sh", "-c", &format!("echo \"${wanted}\"; exec cat")])
            .env_remove(wanted)
            .env(other, "not started")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut address = String::new();
        BufReader::new(launcher.stdout.take().unwrap()).read_line(&mut address).unwrap();
        let name = match kind {
            Kind::Postgres => "postgres",
            Kind::Kafka => "java",
        };
        let process = children(launcher.id()).into_iter().find(|process| {
            fs::read_to_string(format!("/proc/{process}/comm"))
                .is_ok_and(|comm| comm.trim() == name)
        });
        let process = process.unwrap_or_else(|| panic!("{kind:?} did not start"));
        let line = fs::read(format!("/proc/{process}/cmdline")).unwrap();
        let status = fs::metadata(format!("/proc/{process}")).unwrap();
        Self {
            kind,
            launcher,
            address: address.trim().to_owned(),
            process,
            arguments: line
                .split(|byte| *byte == 0)
                .filter(|argument| !argument.is_empty())
                .map(|argument| String::from_utf8(argument.to_vec()).unwrap())
                .collect(),
            folder: fs::read_link(format!("/proc/{process}/cwd")).unwrap(),
            user: (status.uid(), status.gid()),
            again: None,
        }
    }

    /// Ends the server at once, as a crash does, and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        // PostgreSQL's children end with their postmaster when it is told to quit.
        let signal = if self.kind == Kind::Postgres { "QUIT" } else { "KILL" };
        self.signal(signal, &[self.process]);
        if let Some(mut child) = self.again.take() {
            child.wait().unwrap();
        }
        let process = self.process;
        wait_until("the server is gone", || {
            let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
            stat.is_empty() || stat.contains(") Z ")
        });
    }

    /// Starts the killed server again: the same program on the same port and data.
    pub(crate) fn start_again(&mut self) {
        let mut command = Command::new(&self.arguments[0]);
        command.args(&self.arguments[1..]).current_dir(&self.folder);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if self.user.0 != fs::metadata("/proc/self").unwrap().uid() {
            command.gid(self.user.1).uid(self.user.0);
        }
        let child = command.spawn().unwrap();
        self.process = child.id();
        self.again = Some(child);
    }

    /// Has the broker tell its clients that it is at `address`, such as a proxy's, by starting it
    /// again.
    pub(crate) fn advertise(&mut self, address: SocketAddr) {
        self.kill();
        let settings = self.folder.join("server.properties");
        let told = fs::read_to_string(&settings).unwrap();
        let direct = format!("advertised.listeners=PLAINTEXT://{}", self.address);
        assert!(told.contains(&direct), "{told}");
        let through = format!("advertised.listeners=PLAINTEXT://{address}");
        fs::write(&settings, told.replace(&direct, &through)).unwrap();
        self.start_again();
    }

    /// Stops all processes of the server: its sockets stay open, and nobody answers.
    pub(crate) fn freeze(&self) {
        self.signal("STOP", &self.processes());
    }

    /// Lets a frozen server go on.
    pub(crate) fn thaw(&self) {
        self.signal("CONT", &self.processes());
    }

    fn processes(&self) -> Vec<u32> {
        let mut all = vec![self.process];
        all.extend(children(self.process));
        all
    }

    fn signal(&self, name: &str, processes: &[u32]) {
        // A child of the server may have ended meanwhile.
        let ids = processes.iter().map(ToString::to_string);
        Command::new("kill").args(["-s", name]).args(ids).stderr(Stdio::null()).status().unwrap();
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        // A stopped process can't end.
        self.thaw();
        if let Some(mut child) = self.again.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        drop(self.launcher.stdin.take());
        let _ = self.launcher.wait();
    }
}

/// The processes whose parent is `parent`.
fn children(parent: u32) -> Vec<u32> {
    let is_child = |process: &u32| {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        // The name in brackets may hold anything; the parent is the second field after it.
        let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
        fields.clone().nth(1).and_then(|field| field.parse().ok()) == Some(parent)
    };
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(is_child).collect()
}
