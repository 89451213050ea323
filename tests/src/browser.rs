//! A real browser without a window, steered by WebDriver, as tests of the page use it.

use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use hac_lab::{Answer, request};
use serde_json::{Value, json};

/// How long something may take that happens by itself.
const LIMIT: Duration = Duration::from_secs(20);

/// How long a command may take.
const COMMAND: Duration = Duration::from_secs(60);

/// The programs that it takes.
pub const PROGRAMS: [&str; 2] = ["chromedriver", "chromium"];

/// Which of these programs are not installed, if any is missing.
#[must_use]
pub fn missing(programs: &[&str]) -> Option<String> {
    let folders = std::env::var("PATH").unwrap_or_default();
    let has = |program: &str| folders.split(':').any(|folder| Path::new(folder).join(program).exists());
    let missing: Vec<&str> = programs.iter().copied().filter(|program| !has(program)).collect();
    (!missing.is_empty()).then(|| format!("{} is not installed", missing.join(" and ")))
}

/// Sends a request to the driver: method, path and body.
type Ask<'a> = Box<dyn Fn(&str, &str, &str) -> anyhow::Result<Answer> + 'a>;

/// A browser without a window.
pub struct Browser<'a> {
    driver: Option<Child>,
    ask: Ask<'a>,
    session: String,
}

impl<'a> Browser<'a> {
    /// One on this machine; its driver listens on this port of loopback.
    ///
    /// # Errors
    /// It does not start.
    pub fn start(port: u16) -> anyhow::Result<Self> {
        let at = SocketAddr::from(([127, 0, 0, 1], port));
        let mut command = Command::new("chromedriver");
        command.arg(format!("--port={port}")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let driver = command.spawn().context("chromedriver starts")?;
        let ask = move |method: &str, path: &str, body: &str| Ok(request(at, method, path, None, body, COMMAND)?);
        let mut browser = Self { driver: Some(driver), ask: Box::new(ask), session: String::new() };
        let end = Instant::now() + LIMIT;
        while TcpStream::connect(at).is_err() {
            ensure!(Instant::now() < end, "chromedriver does not listen");
            std::thread::sleep(Duration::from_millis(50));
        }
        browser.begin()?;
        Ok(browser)
    }

    /// One whose driver somebody else has started, and reaches.
    ///
    /// # Errors
    /// It does not answer.
    pub fn reached(ask: impl Fn(&str, &str, &str) -> anyhow::Result<Answer> + 'a) -> anyhow::Result<Self> {
        let mut browser = Self { driver: None, ask: Box::new(ask), session: String::new() };
        let end = Instant::now() + LIMIT;
        while (browser.ask)("GET", "/status", "").is_err() {
            ensure!(Instant::now() < end, "chromedriver does not answer");
            std::thread::sleep(Duration::from_millis(100));
        }
        browser.begin()?;
        Ok(browser)
    }

    fn begin(&mut self) -> anyhow::Result<()> {
        let arguments =
            ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1280,900"];
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome", "goog:loggingPrefs": { "browser": "ALL" }, "goog:chromeOptions": { "args": arguments },
        } } });
        let answer = self.ask("POST", "/session", &wanted)?;
        self.session = format!("/session/{}", answer["sessionId"].as_str().context("a session")?);
        Ok(())
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> anyhow::Result<Value> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = (self.ask)(method, path, &body)?;
        ensure!(answer.status == 200, "{method} {path}: {}", answer.body);
        Ok(answer.json()["value"].clone())
    }

    /// Goes to an address.
    ///
    /// # Errors
    /// The browser does not answer.
    pub fn open(&self, url: &str) -> anyhow::Result<()> {
        self.ask("POST", &format!("{}/url", self.session), &json!({ "url": url })).map(drop)
    }

    /// Runs a script, which may return something.
    ///
    /// # Errors
    /// It throws.
    pub fn script(&self, text: &str) -> anyhow::Result<Value> {
        self.ask("POST", &format!("{}/execute/sync", self.session), &json!({ "script": text, "args": [] }))
    }

    /// Waits until this script says yes.
    ///
    /// # Errors
    /// It does not in time.
    pub fn until(&self, what: &str, script: &str) -> anyhow::Result<()> {
        let end = Instant::now() + LIMIT;
        while self.script(script)? != Value::Bool(true) {
            if Instant::now() > end {
                bail!("waited in vain until {what}: {}", self.script("return document.body.innerText")?);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// A command of the browser's own protocol (CDP).
    ///
    /// # Errors
    /// It is refused.
    pub fn command(&self, name: &str, parameters: &Value) -> anyhow::Result<Value> {
        let body = json!({ "cmd": name, "params": parameters });
        self.ask("POST", &format!("{}/goog/cdp/execute", self.session), &body)
    }

    /// As wide and high as a screen of that many points.
    ///
    /// # Errors
    /// It is refused.
    pub fn resize(&self, width: u32, height: u32) -> anyhow::Result<()> {
        let screen = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.command("Emulation.setDeviceMetricsOverride", &screen).map(drop)
    }

    /// Light or dark, as a person has it.
    ///
    /// # Errors
    /// It is refused.
    pub fn prefer(&self, scheme: &str) -> anyhow::Result<()> {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.command("Emulation.setEmulatedMedia", &json!({ "features": features })).map(drop)
    }

    /// What the browser complained about.
    ///
    /// # Errors
    /// The browser does not answer.
    pub fn complaints(&self) -> anyhow::Result<Value> {
        self.ask("POST", &format!("{}/se/log", self.session), &json!({ "type": "browser" }))
    }

    /// Writes what is seen into `docs/images`, if golden files are written anew (`HACD_BLESS=1`).
    ///
    /// # Errors
    /// There is no picture, or it cannot be written.
    pub fn picture(&self, name: &str) -> anyhow::Result<()> {
        if std::env::var_os("HACD_BLESS").is_none() {
            return Ok(());
        }
        let shot = self.ask("GET", &format!("{}/screenshot", self.session), &Value::Null)?;
        let bytes = from_base64(shot.as_str().context("a picture")?);
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/images");
        std::fs::write(folder.join(name), bytes).with_context(|| format!("{name} is written"))
    }
}

impl Drop for Browser<'_> {
    fn drop(&mut self) {
        // The browser ends with its session; the driver is ended in any case. There is no body: one that says nothing is
        // refused, and the browser would stay.
        let _ = self.ask("DELETE", &self.session, &Value::Null);
        if let Some(driver) = &mut self.driver {
            let _ = driver.kill();
            let _ = driver.wait();
        }
    }
}

/// The bytes that a text in base64 stands for.
fn from_base64(text: &str) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |byte: u8| DIGITS.iter().position(|known| *known == byte).and_then(|at| u32::try_from(at).ok());
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for value in text.bytes().filter_map(digit) {
        bits = bits << 6 | value;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count).to_le_bytes()[0]);
            bits &= (1 << count) - 1;
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    #[test]
    fn base64_is_read() {
        for (text, bytes) in [("", &b""[..]), ("Zg==", b"f"), ("Zm8=", b"fo"), ("Zm9v", b"foo"), ("Zm9vYmE=", b"fooba")]
        {
            assert_eq!(super::from_base64(text), bytes, "{text}");
        }
    }
}
