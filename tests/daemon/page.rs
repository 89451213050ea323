//! What those see who only look: the page in a real browser, steered by WebDriver, and the numbers for Prometheus.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use hac_lab::{Tools, request};
use hac_tests::browser::{self, Browser, missing};
use serde_json::{Value, json};

use crate::Test;
use crate::names::Cluster;

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(20);

pub(crate) fn cases() -> Vec<(&'static str, Test, Option<String>)> {
    vec![
        ("the_page_opens_with_its_link_alone_and_changes_nothing", who_is_let_in, None),
        ("numbers_are_served_and_a_taken_port_is_told", numbers, None),
        ("a_browser_shows_the_cluster_as_it_changes", in_a_browser, missing(&browser::PROGRAMS)),
        ("the_page_plans_an_action_before_it_does_it", actions, missing(&browser::PROGRAMS)),
        ("the_page_has_the_certificate_that_is_given", certificate, missing(&["openssl", "curl"])),
        ("alarms_fire_as_they_should", alarms, missing(&["promtool"])),
        ("the_page_can_be_used_by_all", accessible, missing(&browser::PROGRAMS).or_else(|| axe().err())),
        ("numbers_are_those_of_the_exporter_in_every_state", beside_exporter, missing(&["ha_cluster_exporter"])),
    ]
}

/// The ports of page and numbers of a node; `base` is the test's own.
pub(crate) fn more(base: u16) -> impl Fn(usize) -> String {
    move |node| {
        let port = base + u16::try_from(node).unwrap_or(0) * 2;
        format!("[web]\nlisten = \"127.0.0.1:{port}\"\n[metrics]\nlisten = \"127.0.0.1:{}\"\n", port + 1)
    }
}

pub(crate) fn local(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// The link that a node prints.
pub(crate) fn link(cluster: &Cluster<'_>, node: usize) -> anyhow::Result<(String, String)> {
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
    for path in ["/v1/configure", "/v1/command", "/", "/v1/status", "/v1/act"] {
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
    // Who says a byte now and then is not let in, and goes.
    let (mut slow, begin) = (TcpStream::connect_timeout(&at, LIMIT)?, Instant::now());
    while slow.write_all(b"G").is_ok() {
        ensure!(begin.elapsed() < Duration::from_secs(40), "who is not let in may stay without end");
        std::thread::sleep(Duration::from_millis(300));
    }
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
    // The journals of both, merged.
    let teller = |who: &str| {
        browser.script(&format!("const one = document.getElementById('tellers'); one.value = '{who}'; one.dispatchEvent(new Event('change'))"))
    };
    teller("all")?;
    let both = "return [...document.querySelectorAll('#events small')].some(small => small.textContent === 'primary, secondary')";
    browser.until("what both told is one line", both)?;
    teller("here")?;

    cluster.kill(1);
    let away = "return document.getElementById('word').textContent.includes('secondary is away')";
    browser.until("a node is away", away)?;
    browser.until("events are listed", "return document.querySelectorAll('#events tr').length > 3")?;
    browser.until("transitions are listed", "return document.querySelectorAll('#moves li').length > 0")?;
    // What led to something can be read back, and the journals of all nodes are there to be filtered.
    let told = "return [...document.querySelectorAll('#events tr')].some(row => row.textContent.includes('FloatIP_start_0 on primary ended'))";
    let choose = |id: &str, value: &str| {
        browser.script(&format!(
            "const one = document.getElementById('{id}'); one.value = '{value}'; one.dispatchEvent(new Event('change'))"
        ))
    };
    choose("level", "1")?;
    choose("of-resource", "FloatIP")?;
    browser.until("the resource's events are listed", told)?;
    choose("tellers", "all")?;
    browser.until(
        "who cannot be asked is named",
        "return document.getElementById('missing').textContent.includes('secondary is away')",
    )?;
    browser.until("its start is there", told)?;
    browser.script("[...document.querySelectorAll('#events tr')].find(row => row.textContent.includes('FloatIP_start_0 on primary ended')).querySelector('button').click()")?;
    browser.until("what led to it is told", "const text = document.getElementById('chain').textContent; return text.includes('transition') && text.includes('hacctl history --causes')")?;
    choose("tellers", "here")?;
    choose("of-resource", "")?;
    choose("level", "2")?;
    // What was away is told with where the time went; the picture shows what is where.
    browser.until("an interruption is told", "return [...document.querySelectorAll('#gaps li')].some(gap => gap.dataset.resource === 'FloatIP' && Number(gap.dataset.gap) > 0 && gap.querySelectorAll('rect').length > 0)")?;
    browser.script("document.getElementById('ties').click()")?;
    browser.until("the picture has both nodes and the address", "const names = [...document.querySelectorAll('#picture text')].map(text => text.textContent); return ['primary', 'secondary', 'FloatIP'].every(name => names.includes(name))")?;
    ensure!(browser.script("return window.untouched")? == Value::Bool(true), "the page was loaded again");
    let text = browser.script("return document.documentElement.outerHTML")?.to_string();
    ensure!(!text.contains("hunter2") && !text.contains(&token), "a secret is on the page");

    // The page as of an earlier moment, and back.
    browser.until("an earlier moment is chosen", "const when = document.getElementById('when'), i = moments.findIndex(m => m.text.includes('FloatIP_start_0 on secondary ended')); if (i < 0) return false; when.value = i; when.dispatchEvent(new Event('input')); return true")?;
    browser.until("the address is where it was", &runs_on("FloatIP", 1))?;
    browser.until(
        "it is said to be earlier",
        "return document.getElementById('word').textContent.startsWith('This is how it was at ')",
    )?;
    browser.script("document.getElementById('now').click()")?;
    browser.until("it is now again", &runs_on("FloatIP", 0))?;

    // Very many resources are drawn at once, and again at once.
    let many: String =
        (0..1000).map(|n| format!("primitive r{n} ocf:heartbeat:nginx meta target-role=Stopped\n")).collect();
    let said = cluster.run(0, "crm", &["configure", "load", "update", "-"], &many)?;
    ensure!(said.code == 0, "{}", said.err);
    browser.until("they are shown", "return document.querySelectorAll('#resources tbody tr').length > 1000")?;
    // The best of several, because this machine does other things, too: what did not change is not drawn again.
    let draw = |before: &str| {
        let script = format!(
            "let best = Infinity; for (let i = 0; i < 5; i++) {{ {before} const begin = performance.now(); drawn = ''; draw(); document.body.offsetHeight; best = Math.min(best, performance.now() - begin); }} return best"
        );
        browser.script(&script)?.as_f64().context("a time")
    };
    paint(&browser)?;
    let (all, one) = (draw("lines = new Map();")?, draw("last.view.resources[5].role = 'Step ' + i;")?);
    eprintln!("a thousand resources: drawn in {all:.0} ms, again with one changed in {one:.0} ms");
    ensure!(all < 5000.0 && one * 2.0 < all, "all in {all} ms, one changed in {one} ms");
    let complaints = browser.complaints()?;
    ensure!(complaints.as_array().is_some_and(Vec::is_empty), "{complaints}");

    // A daemon that is gone is said to be gone, and how old the view is.
    cluster.kill(0);
    let silent = "return document.getElementById('head').className === 'bad' && document.getElementById('word').textContent.includes('Nothing is heard')";
    browser.until("silence is told", silent)
}

/// Loads the page anew, and tells when something of it was seen first and when all of its resources were there.
fn paint(browser: &Browser<'_>) -> anyhow::Result<()> {
    let watch = "new MutationObserver(() => { if (!window.full && document.querySelectorAll('#resources tbody tr').length > 1000) requestAnimationFrame(() => { window.full ||= performance.now(); }); }).observe(document, { childList: true, subtree: true })";
    browser.command("Page.addScriptToEvaluateOnNewDocument", &json!({ "source": watch }))?;
    browser.script("location.reload()")?;
    browser.until("all are there again", "return window.full > 0")?;
    let times = browser.script(
        "return [performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? Infinity, window.full]",
    )?;
    let (first, full) = (times[0].as_f64().unwrap_or(f64::INFINITY), times[1].as_f64().unwrap_or(f64::INFINITY));
    eprintln!("a thousand resources: first paint after {first:.0} ms, all of them after {full:.0} ms");
    // This machine does other things, too.
    ensure!(first < 5000.0 && full < 10_000.0, "first paint after {first} ms, all after {full} ms");
    Ok(())
}

/// Whether a node is in standby, as the other commands see it.
fn in_standby(cluster: &Cluster<'_>) -> anyhow::Result<bool> {
    Ok(cluster.crm("status")?.out.contains("Node secondary: standby"))
}

fn actions(tools: &Tools) -> anyhow::Result<()> {
    let base = more(17_660);
    let cluster = Cluster::with(tools, 116, |node| base(node).replace("[metrics]", "actions = \"yes\"\n[metrics]"))?;
    cluster.must("configure property stonith-enabled=false")?;
    cluster.must(
        "configure primitive FloatIP ocf:digitalocean:floatip params do_token=hunter2 floating_ip=203.0.113.25",
    )?;
    cluster.must("configure location rather FloatIP 50: secondary")?;
    let (url, token) = link(&cluster, 0)?;
    ensure!(cluster.run(0, "crm", &["web"], "")?.out.contains("and change it"));

    // Only the page itself may ask: another origin, none, a form, and somebody without the token may not.
    let at = local(17_660);
    let post = |headers: &str, body: &str| -> anyhow::Result<String> {
        let mut stream = TcpStream::connect_timeout(&at, LIMIT)?;
        stream.set_read_timeout(Some(LIMIT))?;
        let length = body.len();
        let head = format!("POST /v1/act HTTP/1.0\r\nHost: {at}\r\nContent-Length: {length}\r\n{headers}\r\n");
        stream.write_all((head + body).as_bytes())?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    };
    let (bearer, json) = (format!("Authorization: Bearer {token}\r\n"), "Content-Type: application/json\r\n");
    let own = format!("Origin: http://{at}\r\n");
    let wish = r#"{"action": "standby", "subject": "secondary"}"#;
    let sure =
        r#"{"action": "standby", "subject": "secondary", "version": {"admin_epoch": 0, "epoch": 1, "num_updates": 0}}"#;
    let code = |text: &str| text.split(' ').nth(1).unwrap_or_default().to_owned();
    for (headers, body, expected) in [
        (format!("{bearer}{json}"), sure, "403"),
        (format!("{bearer}{json}Origin: http://evil.example\r\n"), sure, "403"),
        (format!("{bearer}{json}{own}Sec-Fetch-Site: cross-site\r\n"), sure, "403"),
        (format!("{json}{own}"), sure, "401"),
        (format!("{bearer}{own}Content-Type: text/plain\r\n"), sure, "400"),
        (format!("{bearer}{json}{own}"), r#"{"action": "erase", "subject": "secondary"}"#, "400"),
        (format!("{bearer}{json}{own}"), r#"{"action": "stop", "subject": "Nobody"}"#, "404"),
        // The configuration is a newer one than that.
        (format!("{bearer}{json}{own}"), sure, "409"),
        (format!("{bearer}{json}{own}"), wish, "200"),
    ] {
        let answer = post(&headers, body)?;
        ensure!(code(&answer) == expected, "{headers}{body}: {answer}");
    }
    ensure!(!in_standby(&cluster)?, "a plan, or what was refused, changed something");

    let browser = Browser::start(17_669)?;
    browser.open(&url)?;
    browser.until("the address is on the second node", &runs_on("FloatIP", 1))?;
    let press = |text: &str| {
        format!(
            "const found = [...document.querySelectorAll('button')].find(one => one.textContent === '{text}'); if (found) found.click(); return found !== undefined;"
        )
    };
    let standby = "const heads = [...document.querySelectorAll('#resources thead th')]; const head = heads.find(one => one.textContent.startsWith('secondary')); head.querySelector('button').click();";
    browser.script(standby)?;
    let planned = "const text = document.getElementById('act').innerText; return text.includes('hacctl node standby secondary') && text.includes('FloatIP')";
    browser.until("the plan is shown", planned)?;
    ensure!(!in_standby(&cluster)?, "it was done before anybody said so");
    ensure!(browser.script(&press("Do it"))? == Value::Bool(true));
    browser.until("it is done", "return document.getElementById('act').innerText.startsWith('Done')")?;
    browser.until("the address moved", &runs_on("FloatIP", 0))?;
    ensure!(in_standby(&cluster)?);
    // Who changed it is kept; the token is not.
    let history = request(at, "GET", "/v1/events?since=0&no_follow=true", Some(&token), "", LIMIT)?.body;
    ensure!(history.contains("client page, user link ") && !history.contains(&token), "{history}");

    // A resource: its buttons come with why it is as it is.
    browser.script(
        "[...document.querySelectorAll('#resources button')].find(one => one.textContent === 'FloatIP').click()",
    )?;
    browser.until("there is a button", &press("Stop …"))?;
    browser.until(
        "the plan is shown",
        "return document.getElementById('act').innerText.includes('Running nowhere afterwards: FloatIP')",
    )?;
    // Meanwhile somebody changes the configuration: the plan is not that of this one any more.
    cluster.must("configure property batch-limit=10")?;
    ensure!(browser.script(&press("Do it"))? == Value::Bool(true));
    browser.until("it is refused", "return document.querySelector('#act .bad') !== null")?;
    ensure!(!cluster.crm("configure show")?.out.contains("target-role"), "done in spite of another change");
    more_actions(&cluster, &browser, &press)?;
    let complaints = browser.complaints()?;
    let unexpected = |list: &Vec<Value>| list.iter().any(|one| !one.to_string().contains("409"));
    ensure!(complaints.as_array().is_some_and(|list| !unexpected(list)), "{complaints}");
    Ok(())
}

/// A ban and its end, maintenance of all, a node that is to be shot, and a notice that is tried.
fn more_actions(cluster: &Cluster<'_>, browser: &Browser<'_>, press: &dyn Fn(&str) -> String) -> anyhow::Result<()> {
    let planned = |line: &str| format!("return document.getElementById('act').innerText.includes('{line}')");
    let done = "return document.getElementById('act').innerText.startsWith('Done')";
    let pressed = |text: &str, how: &str, line: &str| -> anyhow::Result<()> {
        browser.until(&format!("there is {text}"), how)?;
        browser.until(&format!("{line} is planned"), &planned(line))?;
        browser.until("it can be done", &press("Do it"))?;
        browser.until("it is done", done)
    };
    let does = |text: &str, line: &str| pressed(text, &press(text), line);
    // Its button stands beside the command: that of something that is over by now may be there until the page is drawn anew.
    let ends = |line: &str| {
        let press = format!(
            "const found = [...document.querySelectorAll('#lingers li')].find(one => one.innerText.includes('{line}'))?.querySelector('button'); if (found) found.click(); return Boolean(found);"
        );
        pressed("End it …", &press, line)
    };
    browser.script(&press("Close"))?;
    cluster.must("node online secondary")?;
    browser.until("both are online", "return document.getElementById('lingers').textContent === ''")?;
    browser.until("it is back", &runs_on("FloatIP", 1))?;
    browser.script(&press("FloatIP"))?;
    does("Ban from secondary …", "hacctl resource ban FloatIP secondary")?;
    browser.until("it moved", &runs_on("FloatIP", 0))?;
    ensure!(cluster.must("configure show")?.contains("cli-ban-FloatIP-on-secondary"));
    ends("hacctl resource clear FloatIP")?;
    ensure!(!cluster.must("configure show")?.contains("cli-ban-FloatIP"));
    does("Maintenance of the whole cluster …", "hacctl maintenance on")?;
    ensure!(cluster.must("configure show")?.contains("maintenance-mode=true"));
    ends("hacctl maintenance off")?;

    cluster.must("configure notice letter webhook url=http://127.0.0.1:9/ events=failure")?;
    browser.script("tell()")?;
    does("Test …", "hacctl alert test letter")?;
    browser.until("what came of it is told", &planned("letter failed: "))?;

    // Whoever is shot is named once more. There is no device: what was asked for stays in the state.
    ensure!(
        browser.script("return [...document.querySelectorAll('button')].some(one => one.textContent === 'Fence …')")?
            == Value::Bool(false)
    );
    cluster.must("configure property stonith-enabled=true")?;
    let shoot = "const heads = [...document.querySelectorAll('#resources thead th')]; const head = heads.find(one => one.textContent.startsWith('secondary')); const found = [...head.querySelectorAll('button')].find(one => one.textContent === 'Fence …'); if (found) found.click(); return found !== undefined";
    browser.until("there is a button to shoot", shoot)?;
    browser.until("the plan is shown", &planned("hacctl node fence secondary"))?;
    let disabled =
        "return [...document.querySelectorAll('#act button')].find(one => one.textContent === 'Do it').disabled";
    ensure!(browser.script(disabled)? == Value::Bool(true), "it can be done without the name");
    browser.script("const typed = document.querySelector('#act input'); typed.value = 'secondary'; typed.dispatchEvent(new Event('input'))")?;
    ensure!(browser.script(disabled)? == Value::Bool(false), "it cannot be done with the name");
    ensure!(browser.script(&press("Do it"))? == Value::Bool(true));
    browser.until("it is asked for", done)?;
    let history = cluster.must("history --last 200")?;
    for line in ["node fence secondary", "alert test letter", "maintenance on"] {
        ensure!(history.contains(&format!("the page asks for 'hacctl {line}' (link ")), "no {line} in {history}");
    }
    Ok(())
}

fn certificate(tools: &Tools) -> anyhow::Result<()> {
    let place = folder("certificate")?;
    let (certificate, key) = (place.join("page.pem"), place.join("page.key"));
    let text = |path: &Path| path.display().to_string();
    let make = |days: &str| {
        let mut openssl = Command::new("openssl");
        openssl.args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            days,
        ]);
        openssl.args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout"]);
        let made = openssl.arg(&key).arg("-out").arg(&certificate).output()?;
        ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Ok(())
    };
    let base = more(17_670);
    let files = format!("certificate = \"{}\"\nkey = \"{}\"\n[metrics]", text(&certificate), text(&key));
    let cluster = Cluster::with(tools, 117, |node| base(node).replace("[metrics]", &files))?;
    // Before there is one it is said, and taken as soon as it comes.
    cluster.until("what is missing is told", |cluster| {
        Ok(cluster.run(0, "crm", &["status"], "")?.out.contains("web.certificate: "))
    })?;
    make("2")?;
    let (url, _) = link(&cluster, 0)?;
    ensure!(url.starts_with("https://127.0.0.1:17670/"), "{url}");
    let get = |url: &str| {
        let mut curl = Command::new("curl");
        curl.args(["-s", "-S", "--max-time", "20", "--cacert"]).arg(&certificate).args(["-D", "-", url]);
        let said = curl.output()?;
        anyhow::Ok(format!("{}{}", String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr)))
    };
    cluster.until("the page is served with it", |_| Ok(get(&url)?.contains("303")))?;
    ensure!(get(&url)?.contains("; Secure"), "{}", get(&url)?);
    ensure!(get(&url.replace("https", "http"))?.contains("curl: "), "it is served in clear, too");
    // Many who connect and say nothing hold up nobody.
    let idle: Vec<TcpStream> = (0..30).filter_map(|_| TcpStream::connect_timeout(&local(17_670), LIMIT).ok()).collect();
    ensure!(get(&url)?.contains("303"), "{} idle connections hold it up", idle.len());
    std::fs::remove_dir_all(&place)?;
    Ok(())
}

/// A folder of this test.
fn folder(name: &str) -> anyhow::Result<std::path::PathBuf> {
    let path = std::env::temp_dir().join(format!("hacd-page-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&path)?;
    Ok(path)
}

/// The alarms, judged by Prometheus.
fn alarms(_: &Tools) -> anyhow::Result<()> {
    let (folder, rules) =
        (folder("alarms")?, Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/prometheus/alerts.yml"));
    let tests = include_str!("alerts_test.yml").replace("ALERTS", &rules.display().to_string());
    let file = folder.join("tests.yml");
    std::fs::write(&file, tests)?;
    for command in [["check", "rules"], ["test", "rules"]] {
        let subject = if command[0] == "check" { &rules } else { &file };
        let said = Command::new("promtool").args(command).arg(subject).output()?;
        let text = [said.stdout, said.stderr].concat();
        ensure!(said.status.success(), "{}", String::from_utf8_lossy(&text));
    }
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

/// The text of axe-core, which looks for what keeps people from using a page: where npm put it, or what is missing.
fn axe() -> Result<String, String> {
    let folders = ["/usr/share/nodejs", "/usr/lib/node_modules", "/usr/local/lib/node_modules"];
    let named = std::env::var("AXE_CORE").into_iter().map(std::path::PathBuf::from);
    let places = named.chain(folders.iter().map(|folder| Path::new(folder).join("axe-core/axe.min.js")));
    let mut found = places.filter_map(|path| std::fs::read_to_string(path).ok());
    found.next().ok_or_else(|| "axe-core is not installed (npm install -g axe-core)".to_owned())
}

fn accessible(tools: &Tools) -> anyhow::Result<()> {
    let base = more(17_680);
    let mut cluster =
        Cluster::with(tools, 118, |node| base(node).replace("[metrics]", "actions = \"yes\"\n[metrics]"))?;
    cluster.must("configure property stonith-enabled=false")?;
    cluster.must(
        "configure primitive FloatIP ocf:digitalocean:floatip params do_token=hunter2 floating_ip=203.0.113.25",
    )?;
    cluster.must("configure location rather FloatIP 50: secondary")?;
    let axe = axe().map_err(anyhow::Error::msg)?;
    let (url, _) = link(&cluster, 0)?;
    let look = |browser: &Browser<'_>, what: &str| {
        browser.script(&format!("{axe}\nwindow.found = null; axe.run().then(found => window.found = found.violations.map(one => one.id + ': ' + one.nodes.map(node => node.html).join(' | ')));"))?;
        browser.until("axe has looked", "return window.found !== null")?;
        let found = browser.script("return window.found")?;
        ensure!(found.as_array().is_some_and(Vec::is_empty), "{what}: {found}");
        anyhow::Ok(())
    };
    let browser = Browser::start(17_689)?;
    browser.open(&url)?;
    browser.until("the address is on the second node", &runs_on("FloatIP", 1))?;
    browser.script(
        "[...document.querySelectorAll('#resources button')].find(one => one.textContent === 'FloatIP').click()",
    )?;
    browser.until("it says why", "return document.querySelector('#why pre') !== null")?;
    browser
        .script("[...document.querySelectorAll('#why button')].find(one => one.textContent === 'Stop …').click()")?;
    browser.until("it plans", "return document.querySelector('#act .sure') !== null")?;
    // From a telephone to a wall: nothing stands out to the side, and what is wrong for people may differ by width.
    for (width, height) in [(320, 640), (768, 1024), (1280, 900), (3840, 2160)] {
        browser.resize(width, height)?;
        let over = "return document.documentElement.scrollWidth - window.innerWidth";
        let over = browser.script(over)?;
        ensure!(over.as_i64().is_some_and(|over| over <= 0), "{width} wide: {over} stand out");
        for scheme in ["light", "dark"] {
            browser.prefer(scheme)?;
            look(&browser, &format!("{scheme}, {width} wide"))?;
        }
    }
    browser.resize(1280, 900)?;
    cluster.kill(1);
    let away = "return document.getElementById('word').textContent.includes('secondary is away')";
    browser.until("a node is away", away)?;
    browser.until("an interruption is told", "return document.querySelectorAll('#gaps li').length > 0")?;
    look(&browser, "in the dark, with a node away")
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
    let mut cluster = Cluster::with(tools, 146, more(17_690))?;
    let _exporter = Exporter::start(&cluster, 17_699)?;
    let compare = |cluster: &Cluster<'_>, state: &str| {
        let (mut ours, mut theirs) = (BTreeMap::new(), BTreeMap::new());
        let same = cluster.until(&format!("both say the same {state}"), |_| {
            (ours, theirs) = (shared(&read(17_691)?), shared(&read(17_699)?));
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
    compare(&cluster, "with a node away")?;
    // Started alone, it waits for the other one.
    cluster.kill(0);
    cluster.start(0)?;
    cluster.until("there is no quorum", |cluster| Ok(cluster.crm("status")?.out.contains("WITHOUT quorum")))?;
    compare(&cluster, "without quorum")
}
