//! The real program as a process of its own: started, asked, stopped and killed by tests.

use std::io::BufRead as _;
use std::io::BufReader;
use std::process::Child;
use std::process::ChildStdout;
use std::process::Command;
use std::process::ExitStatus;
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;
use std::time::Instant;

/// Long enough for any machine; a test that waits so long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A running `orderd`. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Daemon {
    child: Child,
    base: String,
}

/// What a program that has ended left behind.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// An answer to a request.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
    pub(crate) headers: http::HeaderMap,
}

/// `orderd` with these arguments and none of the environment's settings.
pub(crate) fn orderd(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_orderd"));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if ["ORDERD_", "KAFKA_", "DATABASE_URL"].iter().any(|prefix| text.starts_with(prefix)) {
            command.env_remove(&name);
        }
    }
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Runs `orderd` to its end.
pub(crate) fn run(arguments: &[&str]) -> Ended {
    run_with(arguments, &[])
}

/// The same, with these variables in the environment.
pub(crate) fn run_with(arguments: &[&str], variables: &[(&str, &str)]) -> Ended {
    let mut command = orderd(arguments);
    command.envs(variables.iter().copied());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let id = child.id();
    // The watchdog ends a program that doesn't end by itself, and the status then says so.
    let (done, ended) = mpsc::channel::<()>();
    let output = std::thread::scope(|scope| {
        scope.spawn(move || {
            if ended.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
                signal(id, "KILL");
            }
        });
        let output = child.wait_with_output().unwrap();
        drop(done);
        output
    });
    Ended {
        status: output.status,
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

impl Daemon {
    /// Starts `orderd serve` on a free port and waits for the line that names it. The log goes to
    /// the test's own standard error.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_with(arguments, &[])
    }

    /// The same, with these variables in the environment.
    pub(crate) fn start_with(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut all = vec!["--log", "warn", "serve", "--listen", "127.0.0.1:0"];
        all.extend(arguments);
        let mut command = orderd(&all);
        command.envs(variables.iter().copied());
        Self::launch(command)
    }

    /// Starts this command, which must be `orderd serve`, and waits for its address.
    pub(crate) fn launch(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let (line_found, line) = mpsc::channel();
        let stdout = child.stdout.take().unwrap();
        read_lines(stdout, line_found);
        let mut daemon = Self { child, base: String::new() };
        let line = line.recv_timeout(PATIENCE).unwrap_or_else(|_| {
            panic!("no line from orderd: {:?}", daemon.child.try_wait());
        });
        let base = line.strip_prefix("listening on ").unwrap_or_else(|| panic!("{line}"));
        base.clone_into(&mut daemon.base);
        daemon
    }

    /// The number of its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The address to ask, such as `http://127.0.0.1:40001`.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// `GET path`.
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.try_get(path).unwrap()
    }

    /// `GET path`, or why there is no answer.
    pub(crate) fn try_get(&self, path: &str) -> Result<Answer, ureq::Error> {
        let mut answer = agent().get(format!("{}{path}", self.base)).call()?;
        Ok(Answer {
            status: answer.status().as_u16(),
            body: answer.body_mut().read_to_string()?,
            headers: answer.headers().clone(),
        })
    }

    /// Posts an order; its status, or why there is no answer.
    pub(crate) fn post(&self, body: &[u8]) -> Result<u16, ureq::Error> {
        let request = agent().post(format!("{}/orders", self.base));
        let answer = request.header("content-type", "application/json").send(body)?;
        Ok(answer.status().as_u16())
    }

    /// Waits until `/readyz` answers 200.
    pub(crate) fn wait_ready(&self) {
        wait_until("the daemon is ready", || self.get("/readyz").status == 200);
    }

    /// Kills the daemon as `kill -9` does.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// The names of the daemon's threads that run, cut to 15 bytes by the system.
    pub(crate) fn threads(&self) -> Vec<String> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let name = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("comm")).ok();
        let names = tasks.flatten().filter_map(name);
        names.map(|name| name.trim_end().to_owned()).collect()
    }

    /// Sends the signal with this name.
    pub(crate) fn signal(&self, name: &str) {
        signal(self.id(), name);
    }

    /// Sends Ctrl-C and waits for the end. Returns the status and the time it took.
    pub(crate) fn interrupt(self) -> (ExitStatus, Duration) {
        self.signal("INT");
        self.ended()
    }

    /// Waits for the end. Returns the status and the time it took.
    pub(crate) fn ended(mut self) -> (ExitStatus, Duration) {
        let started = now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status, started.elapsed());
            }
            assert!(started.elapsed() < PATIENCE, "orderd doesn't end");
            pause();
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends on what the daemon prints, on a thread that ends with the daemon, whose end closes the
/// pipe.
#[expect(clippy::disallowed_methods, reason = "the daemon's own crew is in another process")]
fn read_lines(stdout: ChildStdout, line_found: mpsc::Sender<String>) {
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            // The test waits for the first line only.
            let _ = line_found.send(line);
        }
    });
}

fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(20)));
    config.build().into()
}

fn signal(process: u32, name: &str) {
    let status = Command::new("kill").args(["-s", name, &process.to_string()]).status().unwrap();
    assert!(status.success());
}

/// Asks again and again until `condition` holds, and fails when patience ends.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let started = now();
    while !condition() {
        assert!(started.elapsed() < PATIENCE, "it never came to pass that {what}");
        pause();
    }
}

#[expect(clippy::disallowed_methods, reason = "a test waits for a process, by the machine's clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "between two questions to another process")]
fn pause() {
    std::thread::sleep(Duration::from_millis(10));
}
