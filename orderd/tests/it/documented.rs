//! What the README and `docs/` tell people to type is typed here: each command of each ```sh block
//! is run in a shell, against a daemon on the real PostgreSQL and the real Kafka, with the servers'
//! own addresses in the place of the documented ones. What can't be run stands in a list that says
//! why.

use crate::daemon::Daemon;
use crate::daemon::wait_until;
use crate::dead_letters::incomplete;
use crate::dead_letters::last;
use crate::servers;
use crate::servers::TestDatabase;
use crate::workload;
use bytes::Bytes;
use orderd::supervise::Crew;
use orderd::supervise::StopToken;
use orderd::topic::OpenSink as _;
use orderd::topic::Record;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Output;
use std::time::Duration;

/// Beginnings of commands that aren't run, and why.
#[rustfmt::skip]
const NOT_RUN: &[(&str, &str)] = &[
    ("docker ",             "the tests have no engine for containers"),
    ("KAFKA_IMAGE=",        "the tests have no engine for containers"),
    ("sudo ",               "it changes the machine"),
    ("systemctl ",          "the tests have no systemd"),
    ("journalctl ",         "the tests have no systemd"),
    ("cargo bench",         "it takes minutes; `cargo test -p benches` does the same work"),
    ("cargo run --release", "it takes minutes; `cargo test -p benches` does the same work"),
];

/// The token of those who may write, and how many dead letters the documents may name.
const TOKEN: &str = "a token of the test";
const LETTERS: usize = 8;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The documents: those at the root and of the parts, and all of `docs/`.
fn documents() -> Vec<(String, String)> {
    let fixed = ["README.md", "CONTRIBUTING.md", "lru-engine/README.md", "benches/README.md"];
    let mut names: Vec<_> = fixed.map(str::to_owned).to_vec();
    for entry in fs::read_dir(root().join("docs")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".md") {
            names.push(format!("docs/{name}"));
        }
    }
    names.sort();
    let read = |name: String| {
        let text = fs::read_to_string(root().join(&name)).unwrap();
        (name, text)
    };
    names.into_iter().map(read).collect()
}

/// The commands of a document's ```sh blocks, lines that end with a backslash joined.
fn commands(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for block in text.split("```sh\n").skip(1) {
        let block = block.split("```").next().unwrap().replace("\\\n", " ");
        let lines = block.lines().map(str::trim);
        found.extend(lines.filter(|l| !l.is_empty() && !l.starts_with('#')).map(str::to_owned));
    }
    found
}

/// A daemon with an order and dead letters, and a folder to type commands in.
struct Scene {
    folder: tempfile::TempDir,
    database: TestDatabase,
    /// The topic of the commands, which isn't the daemon's.
    topic: String,
    daemon: Daemon,
    /// Ids of open dead letters that no command has named yet.
    letters: Vec<String>,
}

impl Scene {
    fn new() -> Self {
        let (database, topic) = (servers::database(), servers::unique_topic("documented"));
        let crew = Crew::new(StopToken::new());
        let mut sink = workload::kafka(&crew, &topic, 1).open().unwrap();
        let incomplete = (0..LETTERS).map(|number| Bytes::from(incomplete(&format!("l{number}"))));
        let values = incomplete.chain([last()]);
        let record = |value| Record { key: Bytes::new(), value };
        sink.append(&values.map(record).collect::<Vec<_>>()).unwrap();
        let brokers = servers::brokers();
        let start = |validation| {
            let daemon = Daemon::start(&[
                "--database-url",
                database.url(),
                "--kafka-brokers",
                &brokers,
                "--kafka-topic",
                &topic,
                "--write-token",
                TOKEN,
                "--validation",
                validation,
            ]);
            wait_until("the order is served", || daemon.get("/orders/last").status == 200);
            daemon.wait_ready();
            daemon
        };
        // What the strict rules refused is an order by the lenient ones.
        assert_eq!(start("strict").interrupt().0.code(), Some(0));
        let daemon = start("lenient");
        let _ = crew.stop_and_join(Duration::from_secs(5));
        let folder = tempfile::tempdir().unwrap();
        let topic = servers::unique_topic("typed");
        let mut scene = Self { folder, database, topic, daemon, letters: Vec::new() };
        let listed = scene.typed("orderd dead-letters list --database-url $URL");
        let listed = String::from_utf8(listed.stdout).unwrap();
        let id = |line: &str| line.split('\t').next().unwrap().to_owned();
        scene.letters = listed.lines().map(id).collect();
        assert_eq!(scene.letters.len(), LETTERS, "{listed}");
        scene
    }

    /// The command with the addresses of the test's servers.
    fn here(&mut self, command: &str) -> String {
        let mut text = command
            .replace("cargo run --bin orderd -- ", "orderd ")
            .replace("postgresql://orders:secret@localhost/orders", "$URL")
            .replace("localhost:9092", &servers::brokers())
            .replace("http://127.0.0.1:8081", self.daemon.base())
            .replace("ORDER_UID", "last")
            .replace("curl ", "curl --fail --silent --show-error ");
        if text.contains("LETTER_ID") {
            text = text.replace("LETTER_ID", &self.letters.pop().expect("more letters"));
        }
        // It goes on for ever by itself.
        if text.contains("orderd produce") && !text.contains("-count") && !text.contains("--list") {
            text.push_str(" --count 2");
        }
        text
    }

    /// A command in a shell, through `wrapper` if there is one.
    fn shell(&self, wrapper: &[&str], script: &str) -> Command {
        let binary = Path::new(env!("CARGO_BIN_EXE_orderd"));
        let path = std::env::var_os("PATH").unwrap_or_default();
        let paths = [binary.parent().unwrap().to_owned()].into_iter();
        let paths = std::env::join_paths(paths.chain(std::env::split_paths(&path))).unwrap();
        let words = [wrapper, &["sh", "-ec", script]].concat();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).current_dir(self.folder.path());
        for name in ["ORDERD_URL", "KAFKA_BROKERS", "DATABASE_URL", "ORDERD_CONFIG"] {
            command.env_remove(name);
        }
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("ORDERD_") {
                command.env_remove(name);
            }
        }
        command.env("PATH", paths).env("URL", self.database.url());
        command.env("KAFKA_TOPIC", &self.topic).env("ORDERD_WRITE_TOKEN", TOKEN);
        command.env("ORDERD_LISTEN", "127.0.0.1:0").env("ORDERD_LOG", "warn");
        command
    }

    /// Types a command and waits for its end.
    fn typed(&self, script: &str) -> Output {
        self.shell(&["timeout", "60"], script).output().unwrap()
    }

    /// Runs a documented command, which must work.
    fn run(&mut self, document: &str, command: &str) {
        eprintln!("{document}: {command}");
        if let Some((_, why)) = NOT_RUN.iter().find(|(begin, _)| command.starts_with(begin)) {
            eprintln!("    isn't run: {why}");
            return;
        }
        if let Some(target) = command.strip_prefix("make ") {
            let target = target.split(' ').next().unwrap();
            let mut make = Command::new("make");
            let made = make.args(["--dry-run", target]).current_dir(root()).output().unwrap();
            assert!(made.status.success(), "{document}: {command}: {made:?}");
            return;
        }
        let here = self.here(command);
        if here.starts_with("orderd serve") && !here.contains("--print-config") {
            let here = here.split(" #").next().unwrap();
            let mut serve = self.shell(&[], &format!("exec {here}"));
            serve.stderr(fs::File::create(self.folder.path().join("log")).unwrap());
            let daemon = Daemon::launch(serve);
            daemon.wait_ready();
            assert_eq!(daemon.interrupt().0.code(), Some(0), "{document}: {command}");
            return;
        }
        let ended = self.typed(&here);
        assert!(ended.status.success(), "{document}: {command}\nas {here}\n{ended:?}");
    }
}

/// Issue: "Each command in it is run by a test". Row 25: `psql` into the database, as the README
/// says.
#[test]
fn every_documented_command_works() {
    let mut used = BTreeSet::new();
    let mut psql = 0;
    for (document, text) in documents() {
        let commands = commands(&text);
        let mut scene = None;
        for command in &commands {
            let scene: &mut Scene = scene.get_or_insert_with(Scene::new);
            scene.run(&document, command);
            psql += usize::from(document == "README.md" && command.starts_with("psql "));
            let not_run = NOT_RUN.iter().find(|(begin, _)| command.starts_with(begin));
            used.extend(not_run.map(|(begin, _)| *begin));
        }
    }
    assert!(psql >= 1, "the README shows the database");
    let all: BTreeSet<_> = NOT_RUN.iter().map(|(begin, _)| *begin).collect();
    assert_eq!(used, all, "the list has what no document has");
}

/// The reading itself: comments and blank lines are no commands, and lines are joined.
#[test]
fn commands_are_read_as_a_shell_reads_them() {
    let text =
        "a\n```sh\n# no\n\none # two\nthree \\\n  four\n```\n```\nfive\n```\n```sh\nsix\n```";
    assert_eq!(commands(text), ["one # two", "three    four", "six"]);
}

/// Issue: every metric is in the list for operators, and every one in the list is there.
#[test]
fn every_metric_is_documented() {
    let scene = Scene::new();
    let scraped = scene.daemon.get("/metrics").body;
    let typed = scraped.lines().filter_map(|line| line.strip_prefix("# TYPE orderd_"));
    let served: BTreeSet<_> =
        typed.map(|line| format!("orderd_{}", line.split(' ').next().unwrap())).collect();
    let text = fs::read_to_string(root().join("docs/monitoring.md")).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `orderd_"));
    let documented: BTreeSet<_> =
        rows.map(|row| format!("orderd_{}", row.split(['`', '{']).next().unwrap())).collect();
    let missing: Vec<_> = served.difference(&documented).collect();
    assert!(missing.is_empty(), "docs/monitoring.md lacks {missing:?}");
    // Those without a sample yet aren't served; the source has the names of all.
    let source = ["metrics/mod.rs", "readings.rs"]
        .map(|file| fs::read_to_string(root().join("orderd/src").join(file)).unwrap());
    for name in &documented {
        let literal = format!("\"{name}\"");
        assert!(source.iter().any(|text| text.contains(&literal)), "there is no {name}");
    }
    let alerts = fs::read_to_string(root().join("docs/monitoring/alerts.yml")).unwrap();
    for line in alerts.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        assert!(text.contains(&format!("`{line}`")), "docs/monitoring.md lacks the alert {line}");
    }
}

/// Issue: `lru-engine` in ten lines that compile: they are those of its own README, whose code is
/// compiled and run with the crate's documentation.
#[test]
fn the_ten_lines_are_compiled() {
    let block = |text: &str| -> Vec<String> {
        let code = text.split("```rust\n").nth(1).unwrap().split("```").next().unwrap();
        let code = code.lines().map(str::trim).filter(|line| !line.is_empty());
        code.map(str::to_owned).collect()
    };
    let shown = block(&fs::read_to_string(root().join("README.md")).unwrap());
    let compiled = block(&fs::read_to_string(root().join("lru-engine/README.md")).unwrap());
    assert!((5..=16).contains(&shown.len()), "{shown:?}");
    for line in &shown {
        assert!(compiled.contains(line), "{line} isn't in lru-engine/README.md");
    }
    let library = fs::read_to_string(root().join("lru-engine/src/lib.rs")).unwrap();
    assert!(library.contains("include_str!(\"../README.md\")"), "its README is compiled");
}

/// What a document links to within this repository is there.
#[test]
fn links_lead_somewhere() {
    let mut checked = 0;
    let mut texts = documents();
    for name in ["ARCHITECTURE.md", "CHANGELOG.md"] {
        texts.push((name.to_owned(), fs::read_to_string(root().join(name)).unwrap()));
    }
    for (name, text) in texts {
        let folder = root().join(&name).parent().unwrap().to_owned();
        for rest in text.split("](").skip(1) {
            let target = rest.split([')', '#']).next().unwrap();
            if !target.is_empty() && !target.contains("://") {
                assert!(folder.join(target).exists(), "{name}: {target} isn't there");
                checked += 1;
            }
        }
    }
    assert!(checked >= 10, "{checked}");
}
