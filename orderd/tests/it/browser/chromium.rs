//! A headless Chromium, told what to do in its DevTools protocol over a pair of pipes.
//!
//! Written here because it is little: a message is one line of JSON that ends with a NUL. The kept
//! crates that drive browsers bring 142 to 185 others each (2026-11-20), most with a runtime.
//!
//! Every tab has a profile of its own. It notes each request, and each error that the console
//! shows, and [`Tab::close`] fails for what no page may do.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crossbeam_channel::Receiver;
use crossbeam_channel::unbounded;
use serde_json::Value;
use serde_json::json;
use std::cell::Cell;
use std::cell::RefCell;
use std::fs;
use std::io::BufRead as _;
use std::io::BufReader;
use std::io::Write as _;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::ChildStdin;
use std::process::Command;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

/// One at a time: a browser is ten processes, and the tests of everything else run beside it.
static ONE: Mutex<()> = Mutex::new(());

/// How long a browser may take for anything: it is slower than what it is a test of.
const PATIENCE: Duration = Duration::from_secs(90);

/// How often a condition on a page is looked at.
const POLL_MS: u64 = 20;

/// How a reader looks at pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reader {
    pub(crate) width: u32,
    pub(crate) language: &'static str,
    pub(crate) scheme: Scheme,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Light,
    Dark,
}

impl Reader {
    /// The reader's name in the names of screenshots.
    pub(crate) fn name(self) -> String {
        let device = if self.width < 600 { "phone" } else { "desktop" };
        let scheme = match self.scheme {
            Scheme::Light => "",
            Scheme::Dark => "-dark",
        };
        format!("{device}-{}{scheme}", self.language)
    }
}

/// A browser, which ends with this value.
pub(crate) struct Browser {
    process: Child,
    input: RefCell<ChildStdin>,
    messages: Receiver<Value>,
    last_id: Cell<u64>,
    user_agent: String,
    _profile: tempfile::TempDir,
    _one: MutexGuard<'static, ()>,
}

impl Browser {
    /// Starts the Chromium that `ORDERD_TEST_CHROMIUM` names, else the one in the path.
    #[expect(clippy::disallowed_methods, reason = "tests read their servers' names, and wait")]
    pub(crate) fn start() -> Self {
        let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let program = std::env::var("ORDERD_TEST_CHROMIUM").unwrap_or("chromium".to_owned());
        let profile = tempfile::tempdir().unwrap();
        // Chromium reads its orders from descriptor 3 and answers on 4.
        let mut process = Command::new("sh")
            .args(["-c", "exec \"$@\" 3<&0 4>&1 >/dev/null 2>&1 </dev/null", "sh", &program])
            .args(["--headless", "--remote-debugging-pipe", "--disable-gpu", "--no-first-run"])
            // Root and containers have no sandbox to offer, and only own pages are opened.
            .args(["--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = RefCell::new(process.stdin.take().unwrap());
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let (sender, messages) = unbounded();
        // Ends with the browser, whose end of the pipe closes.
        std::thread::spawn(move || {
            let mut message = Vec::new();
            while output.read_until(0, &mut message).is_ok_and(|read| read > 0) {
                message.pop();
                let parsed = serde_json::from_slice(&message).unwrap();
                if sender.send(parsed).is_err() {
                    return;
                }
                message.clear();
            }
        });
        let user_agent = String::new();
        let mut browser = Self {
            process,
            input,
            messages,
            last_id: Cell::new(0),
            user_agent,
            _profile: profile,
            _one: one,
        };
        let version = browser.call(None, "Browser.getVersion", json!({}), &mut |_| {});
        version["userAgent"].as_str().unwrap().clone_into(&mut browser.user_agent);
        browser
    }

    /// Sends a command and waits for its result; what else arrives goes to `event`.
    fn call(
        &self,
        session: Option<&str>,
        method: &str,
        params: Value,
        event: &mut dyn FnMut(Value),
    ) -> Value {
        let id = self.last_id.get() + 1;
        self.last_id.set(id);
        let mut command = json!({ "id": id, "method": method, "params": params });
        if let Some(session) = session {
            command["sessionId"] = session.into();
        }
        let mut line = command.to_string().into_bytes();
        line.push(0);
        self.input.borrow_mut().write_all(&line).expect("Chromium has ended, or never started");
        loop {
            let message = self.next(PATIENCE).unwrap_or_else(|| panic!("{method} isn't answered"));
            if message["id"] == id {
                assert!(message["error"].is_null(), "{method}: {}", message["error"]);
                return message["result"].clone();
            }
            event(message);
        }
    }

    fn next(&self, wait_max: Duration) -> Option<Value> {
        self.messages.recv_timeout(wait_max).ok()
    }

    /// Opens an empty tab for this reader.
    pub(crate) fn tab(&self, reader: Reader) -> Tab<'_> {
        let plain = |method, params| self.call(None, method, params, &mut |_| {});
        let context = plain("Target.createBrowserContext", json!({}));
        let id = context["browserContextId"].clone();
        let blank = json!({ "url": "about:blank", "browserContextId": id });
        let target = plain("Target.createTarget", blank)["targetId"].clone();
        let attach = json!({ "targetId": target, "flatten": true });
        let session = plain("Target.attachToTarget", attach)["sessionId"].as_str().unwrap().into();
        let tab = Tab { browser: self, session, target, notes: RefCell::default() };
        for domain in ["Page", "Runtime", "Log", "Network"] {
            tab.call(&format!("{domain}.enable"), json!({}));
        }
        let (width, mobile) = (reader.width, reader.width < 600);
        let screen = json!({
            "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": mobile,
        });
        tab.call("Emulation.setDeviceMetricsOverride", screen);
        let agent = json!({ "userAgent": self.user_agent, "acceptLanguage": reader.language });
        tab.call("Emulation.setUserAgentOverride", agent);
        tab.show_in(reader.scheme);
        tab
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Its children end with it. It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What happened in a tab.
#[derive(Default)]
struct Notes {
    requests: Vec<String>,
    /// The status of the newest page.
    status: u64,
    failures: Vec<String>,
    errors: Vec<String>,
    loads: usize,
}

impl Notes {
    fn note(&mut self, event: &Value) {
        let params = &event["params"];
        match event["method"].as_str().unwrap_or("") {
            "Page.loadEventFired" => self.loads += 1,
            "Network.requestWillBeSent" => {
                self.requests.push(params["request"]["url"].as_str().unwrap().to_owned());
            }
            "Network.responseReceived" => {
                let status = params["response"]["status"].as_u64().unwrap();
                if params["type"] == "Document" {
                    self.status = status;
                } else if status >= 400 {
                    self.failures.push(format!("{status} {}", params["response"]["url"]));
                }
            }
            // A page that is left gives up what it was asking for.
            "Network.loadingFailed" if params["canceled"] != true => {
                self.failures.push(params["errorText"].to_string());
            }
            "Runtime.exceptionThrown" => self.errors.push(params.to_string()),
            "Runtime.consoleAPICalled" if params["type"] != "log" => {
                self.errors.push(params.to_string());
            }
            // What the network says is noted above, where an expected status can be told.
            "Log.entryAdded" if params["entry"]["source"] != "network" => {
                self.errors.push(params["entry"].to_string());
            }
            _ => {}
        }
    }
}

/// A tab, closed with [`Tab::close`].
pub(crate) struct Tab<'a> {
    browser: &'a Browser,
    session: String,
    target: Value,
    notes: RefCell<Notes>,
}

impl Tab<'_> {
    fn call(&self, method: &str, params: Value) -> Value {
        let note = &mut |event: Value| self.note(&event);
        self.browser.call(Some(&self.session), method, params, note)
    }

    fn note(&self, event: &Value) {
        if event["sessionId"] == self.session.as_str() {
            self.notes.borrow_mut().note(event);
        }
    }

    /// Shows pages in this colour scheme from here on.
    pub(crate) fn show_in(&self, scheme: Scheme) {
        let value = match scheme {
            Scheme::Light => "light",
            Scheme::Dark => "dark",
        };
        let feature = json!({ "name": "prefers-color-scheme", "value": value });
        self.call("Emulation.setEmulatedMedia", json!({ "features": [feature] }));
    }

    /// Opens a page and waits until it has loaded. Returns its status.
    pub(crate) fn open(&self, url: &str) -> u64 {
        self.loading(|| {
            let answer = self.call("Page.navigate", json!({ "url": url }));
            assert!(answer["errorText"].is_null(), "{url}: {answer}");
        })
    }

    /// Does what leads to another page, and waits until that has loaded. Returns its status.
    pub(crate) fn loading(&self, act: impl FnOnce()) -> u64 {
        let before = self.notes.borrow().loads;
        act();
        while self.notes.borrow().loads == before {
            let event = self.browser.next(PATIENCE).expect("the page doesn't load");
            self.note(&event);
        }
        self.notes.borrow().status
    }

    /// The value of a JavaScript expression, awaited if it is a promise.
    pub(crate) fn evaluate(&self, expression: &str) -> Value {
        let what = json!({
            "expression": expression, "returnByValue": true, "awaitPromise": true,
        });
        let answer = self.call("Runtime.evaluate", what);
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// The text of a page, as it is seen.
    pub(crate) fn text(&self) -> String {
        self.evaluate("document.body.innerText").as_str().unwrap().to_owned()
    }

    /// Waits until an expression is true.
    #[track_caller]
    pub(crate) fn wait_until(&self, expression: &str) {
        let until = format!(
            "new Promise((done) => {{ const end = performance.now() + {};
             const look = () => {{ const is = Boolean({expression});
             if (is || performance.now() > end) done(is); else setTimeout(look, {POLL_MS}); }};
             look(); }})",
            PATIENCE.as_millis() / 2
        );
        assert_eq!(self.evaluate(&until), true, "{expression} never; {}", self.text());
    }

    /// Presses and releases a key, by its name in the DOM.
    pub(crate) fn press(&self, key: &str) {
        let (code, text) = match key {
            "Tab" => (9, ""),
            "Enter" => (13, "\r"),
            " " => (32, " "),
            _ => panic!("{key} is no key that is pressed here"),
        };
        for kind in ["keyDown", "keyUp"] {
            let mut event = json!({ "type": kind, "key": key, "windowsVirtualKeyCode": code });
            if kind == "keyDown" && !text.is_empty() {
                event["text"] = text.into();
            }
            self.call("Input.dispatchKeyEvent", event);
        }
    }

    /// Enters text where the focus is.
    pub(crate) fn enter(&self, text: &str) {
        self.call("Input.insertText", json!({ "text": text }));
    }

    /// Keeps a picture of the whole page in the folder `screenshots` of the build's output.
    pub(crate) fn screenshot(&self, name: &str) {
        let what = json!({ "format": "png", "captureBeyondViewport": true });
        let answer = self.call("Page.captureScreenshot", what);
        let picture = STANDARD.decode(answer["data"].as_str().unwrap()).unwrap();
        let folder = screenshots();
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(format!("{name}.png")), picture).unwrap();
    }

    /// Lets no request through any more.
    pub(crate) fn lose_the_network(&self) {
        let gone = json!({
            "offline": true, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1,
        });
        self.call("Network.emulateNetworkConditions", gone);
    }

    /// Forgets requests that failed, after a test that made them fail.
    pub(crate) fn forgive_failures(&self) {
        self.notes.borrow_mut().failures.clear();
    }

    /// Closes the tab. Fails if a page asked another host, or the console showed an error.
    pub(crate) fn close(self, origin: &str) {
        let note = &mut |event: Value| self.note(&event);
        let close = json!({ "targetId": self.target });
        self.browser.call(None, "Target.closeTarget", close, note);
        let notes = self.notes.borrow();
        let none: [&str; 0] = [];
        assert_eq!(notes.errors, none, "the console shows errors");
        assert_eq!(notes.failures, none, "requests of the page failed");
        let foreign = notes.requests.iter().filter(|url| !url.starts_with(origin));
        assert_eq!(foreign.collect::<Vec<_>>(), none, "requests to other hosts");
        assert!(!notes.requests.is_empty(), "no request was noted at all");
    }
}

/// `target/screenshots`, wherever the build's output is: the tests' binary lies in it.
fn screenshots() -> PathBuf {
    let binary = std::env::current_exe().unwrap();
    let profile = binary.parent().and_then(Path::parent).unwrap();
    profile.parent().unwrap().join("screenshots")
}
