//! A headless Chromium, driven through chromedriver: as much of `WebDriver` as the tests need, over
//! plain HTTP to the loopback. A client crate would bring a second HTTP stack for these few calls.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::servers::process::program;
use crate::servers::wait_until;
use crate::unslow::LOST;

/// Tab, as `WebDriver` writes keys.
pub(crate) const TAB: &str = "\u{e004}";
/// Enter, as `WebDriver` writes keys.
pub(crate) const ENTER: &str = "\u{e007}";

/// Ends driver and browser, which share its process group, when its standard input closes: when
/// the test drops it, and also when the test binary is killed.
const WATCHDOG: &str = r#""$0" --port=0 & cat > /dev/null; kill -KILL 0"#;

/// A browser with a fresh profile and one window. Ended when dropped.
pub(crate) struct Browser {
    watchdog: Child,
    port: u16,
    session: String,
    profile: TempDir,
}

impl Browser {
    pub(crate) fn start() -> Browser {
        let profile = tempfile::tempdir().unwrap();
        let mut watchdog = Command::new("sh")
            .args(["-c", WATCHDOG])
            .arg(program("chromedriver", &[], "chromium-driver"))
            // Chromium writes beside its profile as well; what it leaves there goes with the profile.
            .env("HOME", profile.path())
            .env("TMPDIR", profile.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        let port = announced_port(&mut watchdog);
        let mut browser = Browser {
            watchdog,
            port,
            session: String::new(),
            profile,
        };
        let session = browser.call("POST", "/session", &browser.capabilities());
        browser.session = format!("/session/{}", session["sessionId"].as_str().unwrap());
        // A new window shows a page of the browser's own, whose log is none of ours.
        browser.open("about:blank");
        browser.console();
        browser.requests();
        browser
    }

    fn capabilities(&self) -> Value {
        let profile = format!("--user-data-dir={}", self.profile.path().display());
        json!({ "capabilities": { "alwaysMatch": {
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
            "goog:chromeOptions": { "args": [
                "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
                "--disable-background-networking", "--disable-component-update",
                "--disable-sync", profile,
            ] },
        } } })
    }

    /// Goes to an address and waits until the page is loaded.
    pub(crate) fn open(&self, url: &str) {
        self.command("/url", &json!({ "url": url }));
    }

    /// Runs a script as the body of a function and returns what it returns.
    pub(crate) fn script(&self, body: &str) -> Value {
        self.command("/execute/sync", &json!({ "script": body, "args": [] }))
    }

    /// The text that a script returns.
    #[track_caller]
    pub(crate) fn text(&self, expression: &str) -> String {
        let value = self.script(&format!("return {expression}"));
        let text = value.as_str();
        text.unwrap_or_else(|| panic!("{expression} is {value}"))
            .to_owned()
    }

    /// The size of the window, and the theme that the reader prefers.
    pub(crate) fn looks(&self, width: u32, theme: &str) {
        let metrics =
            json!({ "width": width, "height": 800, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", &metrics);
        let features = json!([
            { "name": "prefers-color-scheme", "value": theme },
            // An element that moves would still be on its way when it is looked at.
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]);
        self.devtools(
            "Emulation.setEmulatedMedia",
            &json!({ "features": features }),
        );
    }

    /// A command of the `DevTools` protocol.
    pub(crate) fn devtools(&self, command: &str, params: &Value) -> Value {
        self.command(
            "/goog/cdp/execute",
            &json!({ "cmd": command, "params": params }),
        )
    }

    /// Presses and releases a key, wherever the focus is.
    pub(crate) fn press(&self, key: &str) {
        let strokes =
            json!([{ "type": "keyDown", "value": key }, { "type": "keyUp", "value": key }]);
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": strokes });
        self.command("/actions", &json!({ "actions": [keyboard] }));
    }

    /// Clicks on the first element of a CSS selector, as a user does: it must be there and in
    /// nobody's shade. Where that leads to another page, see [`Browser::follow`].
    pub(crate) fn click(&self, selector: &str) {
        self.command(&format!("{}/click", self.find(selector)), &json!({}));
    }

    /// Clicks and waits until another page has come and is loaded. The driver itself waits only
    /// for a navigation that has begun by the time the click returns.
    pub(crate) fn follow(&self, selector: &str) {
        let page = self.script("return performance.timeOrigin");
        self.click(selector);
        self.wait_for(&format!(
            "performance.timeOrigin !== {page} && document.readyState === 'complete'"
        ));
    }

    /// Waits until an expression is true. While a page gives way to the next, nothing is.
    #[track_caller]
    pub(crate) fn wait_for(&self, condition: &str) {
        let script = json!({ "script": format!("return {condition}"), "args": [] }).to_string();
        let path = format!("{}/execute/sync", self.session);
        wait_until(condition, || {
            self.exchange("POST", &path, &script)["value"] == true
        });
    }

    /// Replaces the text of an input by typing.
    pub(crate) fn fill(&self, selector: &str, text: &str) {
        let element = self.find(selector);
        self.command(&format!("{element}/clear"), &json!({}));
        self.command(&format!("{element}/value"), &json!({ "text": text }));
    }

    fn find(&self, selector: &str) -> String {
        let how = json!({ "using": "css selector", "value": selector });
        let found = self.command("/element", &how);
        let id = found.as_object().and_then(|found| found.values().next());
        format!("/element/{}", id.unwrap().as_str().unwrap())
    }

    /// Returns the messages of the console since it was last asked: errors of loading, of scripts,
    /// of the policy.
    pub(crate) fn console(&self) -> Vec<String> {
        self.log("browser")
    }

    /// The addresses that were asked for since the last time, by whomever.
    pub(crate) fn requests(&self) -> Vec<String> {
        let events = self.log("performance");
        let events = events.iter().map(|event| {
            let event: Value = serde_json::from_str(event).unwrap();
            event["message"].clone()
        });
        events
            .filter(|event| event["method"] == "Network.requestWillBeSent")
            .map(|event| {
                event["params"]["request"]["url"]
                    .as_str()
                    .unwrap()
                    .to_owned()
            })
            .collect()
    }

    fn log(&self, kind: &str) -> Vec<String> {
        let entries = self.command("/se/log", &json!({ "type": kind }));
        let entries = entries.as_array().unwrap().iter();
        entries
            .map(|entry| entry["message"].as_str().unwrap().to_owned())
            .collect()
    }

    #[track_caller]
    fn command(&self, path: &str, body: &Value) -> Value {
        self.call("POST", &format!("{}{path}", self.session), body)
    }

    #[track_caller]
    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let mut answer = self.exchange(method, path, &body.to_string());
        let value = answer["value"].take();
        assert!(value.get("error").is_none(), "{path} {body}: {value:#}");
        value
    }

    fn exchange(&self, method: &str, path: &str, body: &str) -> Value {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(LOST)).unwrap();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Length: {}\r\n\r\n",
            self.port,
            body.len()
        );
        stream.write_all((head + body).as_bytes()).unwrap();
        let mut stream = BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).unwrap();
            match line.trim_end().split_once(':') {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = value.trim().parse().unwrap();
                }
                None if line.trim_end().is_empty() => break,
                _ => {}
            }
        }
        let mut answer = vec![0; length];
        stream.read_exact(&mut answer).unwrap();
        serde_json::from_slice(&answer).unwrap()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        drop(self.watchdog.stdin.take());
        let _ = self.watchdog.wait();
    }
}

/// The port that the driver chose and named.
fn announced_port(driver: &mut Child) -> u16 {
    let lines = BufReader::new(driver.stdout.take().unwrap()).lines();
    for line in lines.map_while(Result::ok) {
        let port = line
            .split_once("started successfully on port ")
            .and_then(|(_, rest)| rest.trim_end_matches('.').parse().ok());
        if let Some(port) = port {
            return port;
        }
    }
    panic!("chromedriver ended without naming its port");
}
