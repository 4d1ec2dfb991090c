//! Passwords and tokens: they go where they belong, and stand in no log, no error and no `Debug`.

use crate::daemon;
use crate::daemon::Daemon;
use crate::daemon::wait_until;
use crate::servers;
use clap::Parser as _;
use orderd::cli::Cli;
use std::fs::File;
use std::process::Stdio;

const SAMPLE: &[u8] = include_bytes!("../../assets/model.json");
const TOKEN: &str = "open-sesame-4711";
const WRONG: &str = "close-sesame-4712";

/// Issue: nothing secret in `Debug`.
#[test]
fn settings_print_no_secrets() {
    let url = "postgresql://orders:hunter2@localhost/orders";
    for arguments in [
        &["serve", "--database-url", url, "--write-token", TOKEN][..],
        &["produce", "--url", "http://127.0.0.1:1", "--token", TOKEN],
        &["migrate", "--database-url", url],
        &["positions", "list", "--database-url", url],
    ] {
        let cli = Cli::try_parse_from([&["orderd"], arguments].concat()).unwrap();
        let shown = format!("{cli:?}");
        assert!(!shown.contains("hunter2") && !shown.contains(TOKEN), "{shown}");
    }
}

/// Issue: nothing secret in logs, of the daemon on either server and of who talks to it, at the
/// most talkative level there is.
#[test]
fn logs_show_no_secrets() {
    let database = servers::database();
    let mut url = url::Url::parse(database.url()).unwrap();
    if url.password().is_none() {
        url.set_password(Some("hunter2-4713")).unwrap();
    }
    let password = url.password().unwrap().to_owned();
    let folder = tempfile::tempdir().unwrap();
    for server in ["axum", "tiny_http"] {
        let log = folder.path().join(server);
        let data = folder.path().join("data");
        let mut command = daemon::orderd(&["--log", "trace", "serve", "--listen", "127.0.0.1:0"]);
        command.args(["--http-server", server, "--data-dir", data.to_str().unwrap()]);
        command.env("DATABASE_URL", url.as_str()).env("ORDERD_WRITE_TOKEN", TOKEN);
        command.stderr(Stdio::from(File::create(&log).unwrap()));
        let daemon = Daemon::launch(command);
        daemon.wait_ready();
        assert_eq!(daemon.post(SAMPLE).unwrap(), 401);
        let mut said = String::new();
        for (token, expected) in [(TOKEN, Some(0)), (WRONG, Some(1))] {
            let target = ["--url", daemon.base(), "--token", token, "--count", "1"];
            let ended = daemon::run(&[&["--log", "trace", "produce"][..], &target].concat());
            assert_eq!(ended.status.code(), expected, "{}", ended.stderr);
            said += &(ended.stdout + &ended.stderr);
        }
        wait_until("the order is there", || daemon.get("/api/orders/recent").body.len() > 2);
        assert!(daemon.interrupt().0.success());
        said += &std::fs::read_to_string(&log).unwrap();
        assert!(said.contains("TRACE"), "this log isn't what it should be");
        for secret in [password.as_str(), TOKEN, WRONG] {
            let line = said.lines().find(|line| line.contains(secret));
            assert_eq!(line, None, "{server}: {secret}");
        }
    }
}
