//! What those see who only look: the page in a real browser, steered by WebDriver, and the numbers for Prometheus.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use hac_lab::{Tools, request};
use serde_json::{Value, json};

use crate::Test;
use crate::names::Cluster;

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(20);

pub(crate) fn cases() -> Vec<(&'static str, Test, Option<String>)> {
    vec![
        ("the_page_opens_with_its_link_alone_and_changes_nothing", who_is_let_in, None),
        ("numbers_are_served_and_a_taken_port_is_told", numbers, None),
        ("a_browser_shows_the_cluster_as_it_changes", in_a_browser, missing(&["chromedriver", "chromium"])),
        ("numbers_are_those_of_the_exporter_in_every_state", beside_exporter, missing(&["ha_cluster_exporter"])),
    ]
}

/// Which of these programs are not installed, if any is missing.
fn missing(programs: &[&str]) -> Option<String> {
    let folders = std::env::var("PATH").unwrap_or_default();
    let has = |program: &str| folders.split(':').any(|folder| Path::new(folder).join(program).exists());
    let missing: Vec<&str> = programs.iter().copied().filter(|program| !has(program)).collect();
    (!missing.is_empty()).then(|| format!("{} is not installed", missing.join(" and ")))
}

/// The ports of page and numbers of a node; `base` is the test's own.
fn more(base: u16) -> impl Fn(usize) -> String {
    move |node| {
        let port = base + u16::try_from(node).unwrap_or(0) * 2;
        format!("[web]\nlisten = \"127.0.0.1:{port}\"\n[metrics]\nlisten = \"127.0.0.1:{}\"\n", port + 1)
    }
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// The link that a node prints.
fn link(cluster: &Cluster<'_>, node: usize) -> anyhow::Result<(String, String)> {
    let said = cluster.run(node, "crm", &["--json", "web"], "")?;
    ensure!(said.code == 0, "{}", said.err);
    let said: Value = serde_json::from_str(&said.out)?;
    let url = said["url"].as_str().context("a link")?.to_owned();
    let token = url.split_once("token=").context("a token")?.1.to_owned();
    Ok((url, token))
}

fn who_is_let_in(tools: &Tools) -> anyhow::Result<()> {
    let cluster = Cluster::with(tools, 113, more(17_630))?;
    cluster.must("configure primitive Shown ocf:heartbeat:nginx params httpd=/bin/true op monitor interval=10s")?;
    let (_, token) = link(&cluster, 0)?;
    let at = local(17_630);
    let ask = |method: &str, path: &str, token: Option<&str>| request(at, method, path, token, "", LIMIT);
    let status = |method: &str, path: &str, token: Option<&str>| anyhow::Ok(ask(method, path, token)?.status);
    ensure!(status("GET", "/", None)? == 401 && status("GET", "/v1/status", None)? == 401);
    ensure!(status("GET", "/", Some("0123456789abcdef0123456789abcdef"))? == 401);
    let page = ask("GET", "/", Some(&token))?;
    ensure!(page.status == 200 && page.body.contains("<noscript>") && page.body.contains("Shown"), "{}", page.body);
    let policy = page.header("content-security-policy").context("a policy")?;
    ensure!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    let opened = ask("GET", &format!("/?token={token}"), None)?;
    ensure!(opened.status == 303 && opened.header("location") == Some("/"), "{opened:?}");
    let cookie = opened.header("set-cookie").context("a cookie")?;
    ensure!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    for path in ["/v1/status?view=true", "/v1/explain?name=Shown", "/v1/members"] {
        ensure!(status("GET", path, Some(&token))? == 200, "{path}");
    }
    // What changes something, or shows a secret, is not there at all.
    for path in ["/v1/cib?secrets=true", "/v1/key", "/v1/web", "/v1/attributes", "/../etc/passwd", "/%2e%2e/x"] {
        ensure!(status("GET", path, Some(&token))? == 404, "{path}");
    }
    for path in ["/v1/configure", "/v1/command", "/", "/v1/status"] {
        ensure!(status("POST", path, Some(&token))? == 405, "{path}");
    }
    // Guessing comes to an end, and the right token still opens.
    let guesses: Vec<u16> =
        (0..40).map(|number| status("GET", "/", Some(&format!("{number:032}")))).collect::<Result<_, _>>()?;
    ensure!(guesses.contains(&429) && status("GET", "/", Some(&token))? == 200, "{guesses:?}");
    // Many who connect and say nothing hold up nobody: the cluster does not notice.
    let idle: Vec<TcpStream> = (0..100).filter_map(|_| TcpStream::connect_timeout(&at, LIMIT).ok()).collect();
    ensure!(idle.len() > 90, "{}", idle.len());
    cluster.must("configure property no-quorum-policy=ignore")?;
    drop(idle);
    cluster.until("the page answers again", |_| Ok(status("GET", "/", Some(&token)).is_ok_and(|code| code == 200)))
}

fn numbers(tools: &Tools) -> anyhow::Result<()> {
    // Another program has the port of the second node for now.
    let taken = TcpListener::bind(local(17_643)).context("a port to take")?;
    let cluster = Cluster::with(tools, 114, more(17_640))?;
    cluster.must("configure property stonith-enabled=false")?;
    cluster.must("configure primitive Shown ocf:heartbeat:nginx params httpd=/bin/true op monitor interval=10s")?;
    let read = |port: u16| anyhow::Ok(request(local(port), "GET", "/metrics", None, "", LIMIT)?.body);
    cluster.until("the resource is in the numbers", |_| {
        Ok(read(17_641)?
            .contains("ha_cluster_pacemaker_resources{node=\"primary\",resource=\"Shown\",role=\"started\""))
    })?;
    let text = read(17_641)?;
    for line in [
        "ha_cluster_corosync_quorate 1.0",
        "ha_cluster_pacemaker_nodes{node=\"secondary\",type=\"member\",status=\"online\"} 1.0",
        "hacd_ring_members 2.0",
        "# EOF",
    ] {
        ensure!(text.lines().any(|found| found == line), "no line {line} in\n{text}");
    }
    let problem = "metrics.listen: TCP 127.0.0.1:17643 cannot be opened";
    let told = cluster.run(1, "crm", &["status"], "")?;
    ensure!(told.out.contains(problem), "{}", told.out);
    drop(taken);
    cluster.until("the port is had", |_| Ok(read(17_643).is_ok()))?;
    cluster
        .until("nothing is told any more", |cluster| Ok(!cluster.run(1, "crm", &["status"], "")?.out.contains(problem)))
}

/// A browser without a window.
struct Browser {
    driver: Child,
    at: SocketAddr,
    session: String,
}

impl Browser {
    fn start(port: u16) -> anyhow::Result<Self> {
        let mut command = Command::new("chromedriver");
        command.arg(format!("--port={port}")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let driver = command.spawn().context("chromedriver starts")?;
        let mut browser = Self { driver, at: local(port), session: String::new() };
        let arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1280,900"];
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome", "goog:loggingPrefs": { "browser": "ALL" }, "goog:chromeOptions": { "args": arguments },
        } } });
        let end = Instant::now() + LIMIT;
        while TcpStream::connect(browser.at).is_err() {
            ensure!(Instant::now() < end, "chromedriver does not listen");
            std::thread::sleep(Duration::from_millis(50));
        }
        let answer = browser.ask("POST", "/session", &wanted)?;
        browser.session = format!("/session/{}", answer["sessionId"].as_str().context("a session")?);
        Ok(browser)
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> anyhow::Result<Value> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = request(self.at, method, path, None, &body, Duration::from_secs(60))?;
        ensure!(answer.status == 200, "{method} {path}: {}", answer.body);
        Ok(answer.json()["value"].clone())
    }

    fn open(&self, url: &str) -> anyhow::Result<()> {
        self.ask("POST", &format!("{}/url", self.session), &json!({ "url": url })).map(drop)
    }

    fn script(&self, text: &str) -> anyhow::Result<Value> {
        self.ask("POST", &format!("{}/execute/sync", self.session), &json!({ "script": text, "args": [] }))
    }

    /// Waits until this script says yes.
    fn until(&self, what: &str, script: &str) -> anyhow::Result<()> {
        let end = Instant::now() + LIMIT;
        while self.script(script)? != Value::Bool(true) {
            if Instant::now() > end {
                bail!("waited in vain until {what}: {}", self.script("return document.body.innerText")?);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// What the browser complained about.
    fn complaints(&self) -> anyhow::Result<Value> {
        self.ask("POST", &format!("{}/se/log", self.session), &json!({ "type": "browser" }))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The browser ends with its session; the driver is ended in any case. There is no body: one that says nothing is
        // refused, and the browser would stay.
        let _ = self.ask("DELETE", &self.session, &Value::Null);
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// A script that says whether a resource is where it is said to be, and nowhere else.
fn runs_on(resource: &str, column: usize) -> String {
    format!(
        "const row = [...document.querySelectorAll('#resources tbody tr')].find(r => r.cells[0].textContent.startsWith('{resource}'));
         if (!row) return false;
         const here = [...row.cells].slice(2).map(cell => cell.textContent.includes('●'));
         return here.every((is, at) => is === (at === {column}));"
    )
}

fn in_a_browser(tools: &Tools) -> anyhow::Result<()> {
    let mut cluster = Cluster::with(tools, 115, more(17_650))?;
    cluster.must("configure property stonith-enabled=false")?;
    cluster.must(
        "configure primitive FloatIP ocf:digitalocean:floatip params do_token=hunter2 floating_ip=203.0.113.25",
    )?;
    cluster.must("configure location rather FloatIP 50: secondary")?;
    let browser = Browser::start(17_659)?;
    let (url, token) = link(&cluster, 0)?;
    browser.open(&url)?;
    browser.until("all is well", "return document.getElementById('head').className === 'good'")?;
    browser.until("the address is on the second node", &runs_on("FloatIP", 1))?;
    ensure!(browser.script("return location.href")? == json!("http://127.0.0.1:17650/"), "the token is in the address");
    browser.script("window.untouched = true; document.querySelector('#resources button').click()")?;
    browser
        .until("it says why", "return document.querySelector('#why pre')?.textContent.includes('FloatIP') === true")?;

    cluster.must("node standby secondary")?;
    browser.until("the address moved", &runs_on("FloatIP", 0))?;
    let lingers = "return document.getElementById('lingers').textContent.includes('hacctl node online secondary')";
    browser.until("standby lingers", lingers)?;
    cluster.must("node online secondary")?;

    cluster.kill(1);
    let away = "return document.getElementById('word').textContent.includes('secondary is away')";
    browser.until("a node is away", away)?;
    browser.until("events are listed", "return document.querySelectorAll('#events tr').length > 3")?;
    browser.until("transitions are listed", "return document.querySelectorAll('#moves li').length > 0")?;
    ensure!(browser.script("return window.untouched")? == Value::Bool(true), "the page was loaded again");
    let text = browser.script("return document.documentElement.outerHTML")?.to_string();
    ensure!(!text.contains("hunter2") && !text.contains(&token), "a secret is on the page");

    // Very many resources are drawn at once, and again at once.
    let many: String =
        (0..1000).map(|n| format!("primitive r{n} ocf:heartbeat:nginx meta target-role=Stopped\n")).collect();
    let said = cluster.run(0, "crm", &["configure", "load", "update", "-"], &many)?;
    ensure!(said.code == 0, "{}", said.err);
    browser.until("they are shown", "return document.querySelectorAll('#resources tbody tr').length > 1000")?;
    let took = browser.script("const begin = performance.now(); drawn = ''; draw(); document.body.offsetHeight; return performance.now() - begin")?;
    ensure!(took.as_f64().context("a time")? < 1000.0, "drawn in {took} ms");
    let complaints = browser.complaints()?;
    ensure!(complaints.as_array().is_some_and(Vec::is_empty), "{complaints}");

    // A daemon that is gone is said to be gone, and how old the view is.
    cluster.kill(0);
    let silent = "return document.getElementById('head').className === 'bad' && document.getElementById('word').textContent.includes('Nothing is heard')";
    browser.until("silence is told", silent)
}

/// `ha_cluster_exporter`, as Debian has it, over the names that `hacctl compat install` makes.
struct Exporter(Child);

impl Exporter {
    fn start(cluster: &Cluster<'_>, port: u16) -> anyhow::Result<Self> {
        let program = |name: &str| cluster.place.path("bin").join(name).display().to_string();
        let mut command = Command::new("ha_cluster_exporter");
        command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
        command.arg(format!("--crm-mon-path={}", program("crm_mon")));
        command.arg(format!("--cibadmin-path={}", program("cibadmin")));
        command.arg(format!("--corosync-cfgtoolpath-path={}", program("corosync-cfgtool")));
        command.arg(format!("--corosync-quorumtool-path={}", program("corosync-quorumtool")));
        command.env("HACD_SOCKET", cluster.socket(0)).stdin(Stdio::null());
        let exporter =
            Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().context("the exporter starts")?);
        cluster.until("the exporter answers", |_| Ok(TcpStream::connect(local(port)).is_ok()))?;
        Ok(exporter)
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The numbers on a port of this machine. By HTTP 1.0, so that they come in one piece.
fn read(port: u16) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect_timeout(&local(port), LIMIT)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.write_all(b"GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

/// The numbers that both are to have, by name and labels; the order of labels means nothing.
fn shared(text: &str) -> BTreeMap<String, f64> {
    let of_both = |name: &str| {
        // Newer exporters have this one too.
        (name.starts_with("ha_cluster_pacemaker_") && name != "ha_cluster_pacemaker_maintenance_mode_enabled")
            || ["ha_cluster_corosync_quorate", "ha_cluster_corosync_quorum_votes", "ha_cluster_corosync_member_votes"]
                .contains(&name)
    };
    let line = |line: &str| {
        let (what, value) = line.rsplit_once(' ')?;
        let (name, labels) = what.split_once('{').unwrap_or((what, "}"));
        let mut labels: Vec<&str> =
            labels.trim_end_matches('}').split("\",").map(|l| l.trim_end_matches('"')).collect();
        labels.sort_unstable();
        let value = value.replace("+Inf", "inf").replace("-Inf", "-inf").parse().ok()?;
        of_both(name).then(|| (format!("{name} {}", labels.join(", ")), value))
    };
    text.lines().filter(|line| !line.starts_with('#')).filter_map(line).collect()
}

fn beside_exporter(tools: &Tools) -> anyhow::Result<()> {
    let mut cluster = Cluster::with(tools, 116, more(17_660))?;
    let _exporter = Exporter::start(&cluster, 17_669)?;
    let compare = |cluster: &Cluster<'_>, state: &str| {
        let (mut ours, mut theirs) = (BTreeMap::new(), BTreeMap::new());
        let same = cluster.until(&format!("both say the same {state}"), |_| {
            (ours, theirs) = (shared(&read(17_661)?), shared(&read(17_669)?));
            Ok(theirs.len() > 20 && ours == theirs)
        });
        let of = |one: &BTreeMap<String, f64>, other: &BTreeMap<String, f64>| {
            let only = one.iter().filter(|(name, value)| other.get(*name) != Some(*value));
            only.map(|(name, value)| format!("  {name} {value}\n")).collect::<String>()
        };
        same.with_context(|| format!("{state}: only ours:\n{}only theirs:\n{}", of(&ours, &theirs), of(&theirs, &ours)))
    };
    cluster.must("configure property stonith-enabled=false")?;
    cluster.must("configure primitive Nginx ocf:heartbeat:nginx params httpd=/bin/true op monitor interval=10s")?;
    cluster.must("configure clone Nginx-clone Nginx")?;
    cluster.must("configure primitive FloatIP ocf:digitalocean:floatip params do_token=x floating_ip=203.0.113.25 meta migration-threshold=3")?;
    cluster.must("configure location rather FloatIP 50: primary")?;
    cluster.must("node attribute primary set site a")?;
    compare(&cluster, "when all is well")?;
    cluster.must("--yes node standby secondary")?;
    compare(&cluster, "in standby")?;
    cluster.must("node online secondary")?;
    cluster.must("configure property maintenance-mode=true")?;
    compare(&cluster, "in maintenance")?;
    cluster.must("configure property maintenance-mode=false")?;
    cluster.must("--yes resource move FloatIP secondary force")?;
    cluster.must("--yes resource ban FloatIP primary")?;
    compare(&cluster, "with bans")?;
    cluster.must("resource clear FloatIP")?;
    cluster.must("--yes resource stop FloatIP")?;
    compare(&cluster, "with something stopped")?;
    cluster.must("resource start FloatIP")?;
    cluster.must("resource failcount FloatIP set primary 2")?;
    cluster.must("resource failcount FloatIP set secondary INFINITY")?;
    compare(&cluster, "after failures")?;
    cluster.must("configure primitive Many ocf:heartbeat:nginx params httpd=/bin/true")?;
    cluster.must("configure clone Many-clone Many meta promotable=true")?;
    compare(&cluster, "with something promotable")?;
    cluster.kill(1);
    cluster.until("the other is away", |cluster| Ok(cluster.crm("status")?.out.contains("OFFLINE: [ secondary ]")))?;
    compare(&cluster, "with a node away")
}
