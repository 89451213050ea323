//! The page in a real browser on a real host: what it shows of a loss of power and when, what it says the interruption was, and a
//! part of the cluster that may not act.

use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, ensure};
use hac_lab::{Cluster, Daemon, Plan, hostile};
use hac_tests::browser::{self, Browser, missing};
use serde_json::Value;

use crate::Test;
use crate::common::{Env, LIMIT, bring_up, steady, wait};

/// Where the page, the numbers and the driver of the browser are, as each host has them.
const PAGE: SocketAddr = loopback(7630);
const NUMBERS: SocketAddr = loopback(9664);
const DRIVER: SocketAddr = loopback(9515);

/// How late anything may be shown. This machine does other things, too; half a second is what is meant.
const LATE: Duration = Duration::from_secs(4);

/// How far the page's interruption may be from the prober's. 30 ms are what is meant.
const OFF: f64 = 400.0;

/// How long requests are hostile here; `hac-lab hostile --requests SECONDS` does it for longer.
const HOSTILE: Duration = Duration::from_secs(20);

const fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), port)
}

pub(crate) fn all() -> Vec<(&'static str, Test, Option<String>)> {
    vec![
        ("the_page_shows_a_loss_of_power_as_it_happens_and_how_long_it_took", power_off, missing(&browser::PROGRAMS)),
        ("the_page_of_a_part_that_may_not_act_says_so_in_red", minority, missing(&browser::PROGRAMS)),
        ("hostile_requests_change_and_tell_nothing", requests, None),
    ]
}

fn more() -> String {
    format!("[web]\nlisten = \"{PAGE}\"\nactions = \"yes\"\n[metrics]\nlisten = \"{NUMBERS}\"\n")
}

/// The link that a host prints.
fn link(cluster: &Cluster, host: usize) -> anyhow::Result<String> {
    let said: Value = serde_json::from_str(&cluster.hacctl(host, &["--json", "web"])?)?;
    Ok(said["url"].as_str().context("a link")?.to_owned())
}

/// A browser on a host, with the page of that host open.
fn open(cluster: &Cluster, host: usize) -> anyhow::Result<Browser<'_>> {
    let command = vec!["chromedriver".to_owned(), format!("--port={}", DRIVER.port())];
    cluster.host(host).start(&Daemon { name: "chromedriver", command })?;
    let browser =
        Browser::reached(move |method, path, body| Ok(cluster.lab().ask(host, DRIVER, method, path, None, body)?))?;
    browser.open(&link(cluster, host)?)?;
    browser.until("the page is there", "return document.querySelectorAll('#resources tbody tr').length > 0")?;
    Ok(browser)
}

/// Has the page note when it shows what, in the frame after it was put there.
fn watch(browser: &Browser<'_>, lost: &str, other: &str) -> anyhow::Result<()> {
    let script = r"
        window.saw = {};
        const rows = () => [...document.querySelectorAll('#events tr')].map(row => row.cells[2].textContent);
        const signs = {
            suspicion: () => rows().some(text => / is silent: nothing heard for /.test(text)),
            view: () => rows().some(text => text.startsWith('new membership') && text.includes('; lost: LOST')),
            transition: () => rows().some(text => /^transition \d+: .*FloatIP \((\S+ -> )?OTHER\)/.test(text)),
            served: () => {
                const row = [...document.querySelectorAll('#resources tbody tr')].find(row => row.cells[0].textContent.startsWith('FloatIP'));
                const column = [...document.querySelectorAll('#resources thead th')].findIndex(head => head.textContent.startsWith('OTHER'));
                return row !== undefined && row.cells[column].textContent.includes('started');
            },
        };
        const look = () => { for (const [name, is] of Object.entries(signs)) if (!(name in window.saw) && is()) window.saw[name] = Date.now(); };
        new MutationObserver(() => requestAnimationFrame(look)).observe(document.getElementById('main'), { childList: true, subtree: true, characterData: true });
        look();
        return Object.keys(window.saw).length;";
    let before = browser.script(&script.replace("LOST", lost).replace("OTHER", other))?;
    ensure!(before == 0, "something of it is shown before it happens: {before}");
    Ok(())
}

/// The wall clock at a moment, milliseconds since 1970.
fn wall_ms(moment: Instant) -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (since.saturating_sub(moment.elapsed())).as_secs_f64() * 1000.0
}

fn power_off(env: &Env) -> anyhow::Result<()> {
    env.with_hosts(2, &more(), |cluster| {
        bring_up(cluster)?;
        let active = cluster.active()?;
        let other = cluster.other(active)?;
        let (lost, survivor) = (Plan::name(active), Plan::name(other));
        let browser = open(cluster, other)?;
        // Until what began with the configuration is over, and the page has drawn it.
        browser.until("all is well", "return !document.getElementById('word').textContent.includes('under way')")?;
        std::thread::sleep(Duration::from_secs(2));
        watch(&browser, lost, survivor)?;
        let begin = Instant::now();
        cluster.lab().power_off(active)?;
        steady(cluster, Some(other), begin)?;
        browser.until("all of it was shown", "return Object.keys(window.saw).length === 4")?;
        let saw = browser.script("return window.saw")?;

        // When it was, by what the node told and by what the client felt.
        let script = r"
            const first = is => events.find(e => e.time_ms >= BEGIN && is(e))?.time_ms ?? null;
            return [first(e => / is silent: nothing heard/.test(e.text)), first(e => e.kind === 'view' && e.details.lost.length > 0),
                first(e => e.kind === 'transition' && e.text.includes('FloatIP'))];";
        let times = browser.script(&script.replace("BEGIN", &format!("{:.0}", wall_ms(begin) - 50.0)))?;
        let window = cluster.lab().prober().window(begin);
        let (_, first) = window.around.context("a gap")?;
        let mut was = vec![wall_ms(first)];
        was.splice(0..0, (0..3).filter_map(|index| times[index].as_f64()));
        ensure!(was.len() == 4, "not all was told: {times}");
        for (name, was) in ["suspicion", "view", "transition", "served"].iter().zip(was) {
            let late = saw[*name].as_f64().context("a time")? - was;
            eprintln!("{name}: shown {late:.0} ms after it was");
            ensure!(late < LATE.as_secs_f64() * 1000.0, "{name} was shown {late} ms late");
        }

        // How long it was away, as the page has it, and as the client felt it.
        browser.until("the interruption is told", "return document.querySelectorAll('#gaps li[data-resource=FloatIP]').length > 0")?;
        let told = browser.script("return Number(document.querySelector('#gaps li[data-resource=FloatIP]').dataset.gap)")?;
        let (told, felt) = (told.as_f64().context("a length")?, window.gap.as_secs_f64() * 1000.0);
        eprintln!("interruption: {told:.0} ms on the page, {felt:.0} ms as the prober felt it, {:+.0} ms", told - felt);
        ensure!((told - felt).abs() < OFF, "{told} ms on the page, {felt} ms felt");
        browser.resize(1200, 1900)?;
        browser.script("document.getElementById('ties').click()")?;
        std::thread::sleep(Duration::from_millis(500));
        browser.picture("page.png")?;

        // What would come of an action, as it is seen before it is done.
        cluster.lab().power_on(active)?;
        cluster.wait_up(LIMIT)?;
        let press = "const head = [...document.querySelectorAll('#resources thead th')].find(one => one.textContent.startsWith('NODE')); head?.querySelector('button')?.click(); return head !== undefined";
        browser.until("all is well again", "return document.getElementById('word').textContent.startsWith('Everything runs') && !document.getElementById('word').textContent.includes('away')")?;
        browser.until("a button is pressed", &press.replace("NODE", survivor))?;
        browser.until("it is planned", "return document.querySelector('#act .sure') !== null")?;
        browser.prefer("dark")?;
        browser.resize(1200, 1500)?;
        std::thread::sleep(Duration::from_millis(500));
        browser.picture("page-plan.png")?;
        let complaints = browser.complaints()?;
        ensure!(complaints.as_array().is_some_and(Vec::is_empty), "{complaints}");
        Ok(())
    })
}

fn minority(env: &Env) -> anyhow::Result<()> {
    env.with_hosts(3, &more(), |cluster| {
        bring_up(cluster)?;
        cluster.hacctl(1, &["configure", "property", "no-quorum-policy=stop"])?;
        let browser = open(cluster, 3)?;
        browser.until("all is well", "return document.getElementById('head').className !== 'bad'")?;
        cluster.lab().network()?.private_link(3, false)?;
        let red = "return document.getElementById('head').className === 'bad' && document.getElementById('word').textContent.includes('may not act')";
        browser.until("the part that was cut off says so", red)?;
        let colour = browser.script("return getComputedStyle(document.getElementById('word')).color")?;
        ensure!(colour == "rgb(179, 20, 29)", "it is not red but {colour}");
        let whose = browser.script("return document.getElementById('whose').textContent")?;
        let whose = whose.as_str().context("whose view it is")?.to_owned();
        ensure!(whose.contains(&format!("As {} of", Plan::name(3))) && whose.contains("without quorum"), "{whose}");
        browser.until(
            "how old what it knows of the others is",
            "return [...document.querySelectorAll('#resources thead th')].filter(head => /down, last heard \\d+ s ago/.test(head.textContent)).length === 2",
        )?;
        browser.resize(1200, 800)?;
        std::thread::sleep(Duration::from_millis(500));
        browser.picture("page-minority.png")?;
        cluster.lab().network()?.private_link(3, true)?;
        browser.until("it may act again", "return document.getElementById('head').className !== 'bad'")
    })
}

/// See [`hostile::requests`].
fn requests(env: &Env) -> anyhow::Result<()> {
    env.with_hosts(2, &more(), |cluster| {
        bring_up(cluster)?;
        let token = link(cluster, 1)?.split_once("token=").context("a token")?.1.to_owned();
        let secrets = vec![hac_lab::cloud::TOKEN.to_owned(), token.clone()];
        let names = ["FloatIP", "Nginx", "lbcluster"].map(str::to_owned).to_vec();
        let target = hostile::requests::Target { page: PAGE, metrics: NUMBERS, token: token.clone(), secrets, names };
        let standing = |host| cluster.told(host).map(|told| (told.cib, told.members.ring));
        let files = || -> anyhow::Result<usize> {
            let pid = cluster.host(1).processes_named("hacd")?.first().context("hacd runs")?.inner_pid;
            Ok(cluster.host(1).exec(&["ls", &format!("/proc/{pid}/fd")])?.lines().count())
        };
        let (before, open, begin) = ([standing(1), standing(2)], files()?, Instant::now());
        ensure!(before.iter().all(Option::is_some));
        let told =
            cluster.lab().at_host(1, "hostile requests", move || Ok(hostile::requests::attack(&target, HOSTILE, 7)))?;
        eprintln!("{}", told.line());
        ensure!(told.wrong.is_empty(), "{}", told.wrong.join("\n"));
        // It came as far as the daemon, in all ways.
        ensure!(told.sent > 200 && told.held > 100, "{}", told.line());
        for code in [200, 400, 401, 403, 404, 405, 421] {
            ensure!(
                told.answers.get(&code).is_some_and(|count| *count > 0),
                "nothing was answered with {code}: {}",
                told.line()
            );
        }
        ensure!([standing(1), standing(2)] == before, "state or ring changed");
        ensure!(cluster.lab().prober().window(begin).failed == 0, "the page of the service went away");
        let opens = || cluster.lab().ask(1, PAGE, "GET", "/v1/members", Some(&token), "");
        wait("who has the token is let in", || opens().is_ok_and(|answer| answer.status == 200))?;
        wait("connections are closed", || files().is_ok_and(|now| now <= open + 20))
    })
}
