//! Clusters that grow and shrink while they run: `init`, `invite`, `join` and `node remove` with real daemons.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use hac_lab::Tools;
use serde_json::Value;

use crate::Test;
use crate::configuration::Place;

/// How long anything may take.
const LIMIT: Duration = Duration::from_secs(60);
/// A port for the rings of these tests, so that they meet nobody.
const PORT: u16 = 26_405;

pub(crate) fn cases() -> Vec<(&'static str, Test)> {
    vec![
        ("init_and_join_make_a_pair_without_a_file_edited", pair),
        ("a_pair_becomes_three_and_two_again", three),
        ("two_hosts_join_with_one_code", two_at_once),
        ("a_wrong_used_old_or_cancelled_code_lets_nobody_in", codes),
        ("a_guest_that_dies_joins_with_the_same_command", dying_guest),
        ("what_passes_has_neither_key_nor_code", capture),
        ("a_node_that_was_removed_ends_and_says_why", removed),
        ("the_only_node_is_not_emptied_before_its_removal_is_refused", only),
        ("a_node_that_is_off_is_removed_with_a_word", off),
        ("a_pair_is_made_and_ended_with_the_lines_of_crm", as_crm),
    ]
}

/// Hosts on addresses of `127.77.N.0/24`, each with a folder.
struct World<'t> {
    tools: &'t Tools,
    place: Place,
    net: u8,
    daemons: Mutex<Vec<(u8, Child)>>,
}

impl<'t> World<'t> {
    fn new(tools: &'t Tools) -> anyhow::Result<Self> {
        static NET: AtomicU8 = AtomicU8::new(1);
        let net = NET.fetch_add(1, Ordering::Relaxed);
        Ok(Self { tools, place: Place::new()?, net, daemons: Mutex::new(Vec::new()) })
    }

    fn address(&self, host: u8) -> String {
        format!("127.77.{}.{host}", self.net)
    }

    fn path(&self, host: u8, name: &str) -> PathBuf {
        self.place.path(&format!("h{host}")).join(name)
    }

    /// `hacctl` on a host.
    fn hacctl(&self, host: u8, words: &[&str]) -> Command {
        let mut command = Command::new(self.tools.directory().join("hacctl"));
        command.arg("--socket").arg(self.path(host, "sock")).args(words).stdin(Stdio::null());
        command.env_remove("HACD_JOIN_CODE");
        command
    }

    fn run(&self, host: u8, words: &[&str]) -> anyhow::Result<Output> {
        self.hacctl(host, words).output().context("hacctl runs")
    }

    /// What it prints; it must succeed.
    fn exec(&self, host: u8, words: &[&str]) -> anyhow::Result<String> {
        let output = self.run(host, words)?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "h{host}: hacctl {}: {} {said}", words.join(" "), output.status);
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// The options that give a host a place of its own.
    fn own(&self, host: u8) -> Vec<String> {
        let (config, state) = (self.path(host, "hacd.toml"), self.path(host, "state"));
        let words = [
            "--config".to_owned(),
            config.display().to_string(),
            "--state".to_owned(),
            state.display().to_string(),
            "--node".to_owned(),
            format!("n{host}"),
            "--address".to_owned(),
            self.address(host),
            "--no-start".to_owned(),
        ];
        words.into()
    }

    /// Makes a cluster of host 1, whose daemon runs.
    fn init(&self) -> anyhow::Result<()> {
        let local = self.place.path("local.toml");
        fs::write(&local, "[logging]\nto_syslog = \"no\"\n")?;
        let (local, port) = (local.display().to_string(), PORT.to_string());
        let own = self.own(1);
        let mut words = vec!["init", "--name", "grown", "--port", &port, "--include", &local];
        words.extend(own.iter().map(String::as_str));
        self.exec(1, &words)?;
        self.start(1)?;
        self.wait("the first node acts", 1, |status| status["quorum"]["quorate"] == true)
    }

    fn start(&self, host: u8) -> anyhow::Result<()> {
        self.start_as(host, &format!("n{host}"))
    }

    fn start_as(&self, host: u8, name: &str) -> anyhow::Result<()> {
        let log = fs::File::create(self.path(host, "out"))?;
        let child = Command::new(self.tools.directory().join("hacd"))
            .arg("--config")
            .arg(self.path(host, "hacd.toml"))
            .arg("--state")
            .arg(self.path(host, "state"))
            .arg("--socket")
            .arg(self.path(host, "sock"))
            .args(["--node", name])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context("hacd starts")?;
        self.daemons.lock().map_err(|_| anyhow::anyhow!("a test has failed"))?.push((host, child));
        Ok(())
    }

    fn take(&self, host: u8) -> anyhow::Result<Child> {
        let mut daemons = self.daemons.lock().map_err(|_| anyhow::anyhow!("a test has failed"))?;
        let at = daemons.iter().position(|(number, _)| *number == host).context("it runs")?;
        Ok(daemons.remove(at).1)
    }

    fn kill(&self, host: u8) -> anyhow::Result<()> {
        let mut child = self.take(host)?;
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    fn status(&self, host: u8) -> anyhow::Result<Value> {
        Ok(serde_json::from_str(&self.exec(host, &["--json", "status"])?)?)
    }

    fn wait(&self, what: &str, host: u8, mut so: impl FnMut(&Value) -> bool) -> anyhow::Result<()> {
        let end = Instant::now() + LIMIT;
        loop {
            let status = self.status(host);
            if status.as_ref().is_ok_and(&mut so) {
                return Ok(());
            }
            if Instant::now() > end {
                let said = fs::read_to_string(self.path(host, "out")).unwrap_or_default();
                bail!("waited in vain until {what}: {status:?}\n{said}");
            }
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// The code of a new invitation on host 1.
    fn invite(&self, more: &[&str]) -> anyhow::Result<String> {
        let words = [&["--json", "invite"], more].concat();
        let invited: Value = serde_json::from_str(&self.exec(1, &words)?)?;
        ensure!(invited["address"] == self.address(1).as_str() && invited["port"] == PORT, "{invited}");
        Ok(invited["code"].as_str().context("a code")?.to_owned())
    }

    fn join_words(&self, host: u8, at: &str) -> Vec<String> {
        let mut words = vec!["join".to_owned(), at.to_owned()];
        words.extend(self.own(host));
        words
    }

    fn join_command(&self, host: u8, at: &str, code: &str) -> Command {
        let words = self.join_words(host, at);
        let mut command = self.hacctl(host, &words.iter().map(String::as_str).collect::<Vec<_>>());
        command.env("HACD_JOIN_CODE", code).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn door(&self) -> String {
        format!("{}:{PORT}", self.address(1))
    }

    /// Joins, and starts the daemon when the configuration is there.
    fn join(&self, host: u8, code: &str) -> anyhow::Result<()> {
        let joining = self.join_command(host, &self.door(), code).spawn().context("hacctl runs")?;
        self.go_with(host, joining)
    }

    fn go_with(&self, host: u8, mut joining: Child) -> anyhow::Result<()> {
        let end = Instant::now() + LIMIT;
        while !self.path(host, "hacd.toml").exists() && joining.try_wait()?.is_none() {
            ensure!(Instant::now() < end, "no configuration came");
            thread::sleep(Duration::from_millis(20));
        }
        if joining.try_wait()?.is_none() {
            self.start(host)?;
        }
        let output = joining.wait_with_output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "h{host} did not join: {} {said}", output.status);
        Ok(())
    }

    /// A join that must be refused: exit code and what is said.
    fn refused(&self, host: u8, code: &str) -> anyhow::Result<(i32, String)> {
        let output = self.join_command(host, &self.door(), code).output().context("hacctl runs")?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(!self.path(host, "hacd.toml").exists(), "it was refused and has a configuration: {said}");
        Ok((output.status.code().context("an exit code")?, said))
    }

    /// All of these see each other, and each has this many votes.
    fn wait_members(&self, hosts: &[u8]) -> anyhow::Result<()> {
        let names: Vec<String> = hosts.iter().map(|host| format!("n{host}")).collect();
        for host in hosts {
            self.wait(&format!("h{host} sees {names:?}"), *host, |status| {
                let nodes = status["members"]["nodes"].as_array().cloned().unwrap_or_default();
                let mut joined: Vec<&str> = nodes
                    .iter()
                    .filter(|node| node["state"] == "joined" && node["votes"] == 1)
                    .filter_map(|node| node["name"].as_str())
                    .collect();
                joined.sort_unstable();
                joined == names && nodes.len() == names.len() && status["quorum"]["quorate"] == true
            })?;
        }
        Ok(())
    }
}

impl Drop for World<'_> {
    fn drop(&mut self) {
        let Ok(mut daemons) = self.daemons.lock() else { return };
        for (_, child) in daemons.iter_mut() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Whether somebody listens at the door.
fn is_open(at: &str) -> bool {
    at.parse().is_ok_and(|at| TcpStream::connect_timeout(&at, Duration::from_secs(1)).is_ok())
}

fn pair(tools: &Tools) -> anyhow::Result<()> {
    let world = World::new(tools)?;
    world.init()?;
    ensure!(!is_open(&world.door()), "the door is open before anybody was invited");
    let code = world.invite(&[])?;
    ensure!(is_open(&world.door()), "the door is closed");
    world.join(2, &code)?;
    world.wait_members(&[1, 2])?;
    for host in [1, 2] {
        world.wait("two_node is in force", host, |status| {
            status["quorum"]["flags"].to_string().contains("2Node") && status["quorum"]["expected_votes"] == 2
        })?;
        // The file follows the cluster, so that a node starts without it being touched.
        let end = Instant::now() + LIMIT;
        loop {
            let text = fs::read_to_string(world.path(host, "hacd.toml"))?;
            if text.contains("name = \"n2\"\nnodeid = 2\n") && text.contains("two_node = \"yes\"") {
                ensure!(!text.contains("quorum_votes"), "{text}");
                break;
            }
            ensure!(Instant::now() < end, "the file of h{host} does not follow:\n{text}");
            thread::sleep(Duration::from_millis(100));
        }
    }
    let end = Instant::now() + LIMIT;
    while is_open(&world.door()) {
        ensure!(Instant::now() < end, "the door is still open");
        thread::sleep(Duration::from_millis(100));
    }
    let keys = [1, 2].map(|host| fs::read(world.path(host, "authkey")).unwrap_or_default());
    ensure!(keys[0] == keys[1] && keys[0].len() == 256, "the keys differ");
    // Both end at once; what they have kept is enough to be a pair again.
    world.kill(1)?;
    world.kill(2)?;
    world.start(1)?;
    world.start(2)?;
    world.wait_members(&[1, 2])
}

fn three(tools: &Tools) -> anyhow::Result<()> {
    let world = World::new(tools)?;
    world.init()?;
    for host in [2, 3] {
        let code = world.invite(&[])?;
        world.join(host, &code)?;
    }
    world.wait_members(&[1, 2, 3])?;
    world.wait("three votes", 1, |status| {
        status["quorum"]["expected_votes"] == 3
            && status["quorum"]["quorum"] == 2
            && !status["quorum"]["flags"].to_string().contains("2Node")
    })?;
    world.exec(1, &["node", "remove", "n2", "--yes"])?;
    world.wait_members(&[1, 3])?;
    world.wait("two votes", 3, |status| {
        status["quorum"]["expected_votes"] == 2 && status["quorum"]["flags"].to_string().contains("2Node")
    })?;
    // The removed node's id is never given again, and the key is another one.
    ensure!(fs::read(world.path(1, "authkey"))? != fs::read(world.path(2, "authkey"))?, "n2 knows the key");
    // One of two goes on when the other loses power.
    world.kill(3)?;
    world.wait("n1 goes on alone", 1, |status| {
        status["quorum"]["quorate"] == true && status["members"]["nodes"][1]["state"] == "lost"
    })?;
    world.start(3)?;
    world.wait_members(&[1, 3])?;
    let code = world.invite(&[])?;
    world.join(4, &code)?;
    world.wait_members(&[1, 3, 4])?;
    let status = world.status(1)?;
    ensure!(status["members"]["nodes"][2]["id"] == 4, "{}", status["members"]);
    Ok(())
}

fn two_at_once(tools: &Tools) -> anyhow::Result<()> {
    let world = World::new(tools)?;
    world.init()?;
    let code = world.invite(&["--count", "2"])?;
    let both = [2, 3].map(|host| world.join_command(host, &world.door(), &code).spawn());
    thread::scope(|scope| {
        let joins: Vec<_> = both
            .into_iter()
            .zip([2, 3])
            .map(|(joining, host)| {
                scope.spawn({
                    let world = &world;
                    move || world.go_with(host, joining?)
                })
            })
            .collect();
        joins.into_iter().try_for_each(|join| join.join().map_err(|_| anyhow::anyhow!("a panic"))?)
    })?;
    world.wait_members(&[1, 2, 3])
}

fn codes(tools: &Tools) -> anyhow::Result<()> {
    let world = World::new(tools)?;
    world.init()?;
    let printed = world.exec(1, &["invite", "--print-code"])?;
    let another = printed.trim();
    let code = world.invite(&[])?;
    let mut mistyped = code.clone();
    let last = if mistyped.ends_with('0') { "1" } else { "0" };
    mistyped.replace_range(mistyped.len() - 1.., last);
    let (exit, said) = world.refused(2, &mistyped)?;
    ensure!(exit == 64 && said.contains("mistyped") && said.contains("Nothing was sent"), "{exit} {said}");
    let (exit, said) = world.refused(2, another)?;
    ensure!(exit == 4 && said.contains("does not know this code, or it is over"), "{exit} {said}");
    let state: Value = serde_json::from_str(&world.exec(1, &["--json", "invite", "status"])?)?;
    ensure!(state["open"] == true && state["strangers"] == 1, "a stranger does not burn the invitation: {state}");
    // A new invitation ends the one before.
    let newer = world.invite(&["--node", "n3"])?;
    let (exit, said) = world.refused(2, &code)?;
    ensure!(exit == 4, "{exit} {said}");
    let (exit, said) = world.refused(2, &newer)?;
    ensure!(exit == 78 && said.contains("the invitation is for n3, not for n2"), "{exit} {said}");
    world.exec(1, &["invite", "cancel"])?;
    let (exit, said) = world.refused(3, &newer)?;
    ensure!(exit == 69 && said.contains("cannot be reached on TCP"), "{exit} {said}");
    // One that is over by itself.
    let short = world.invite(&["--for", "1s"])?;
    thread::sleep(Duration::from_secs(2));
    let (exit, said) = world.refused(3, &short)?;
    ensure!(exit == 69, "{exit} {said}");
    // A used one, and a host that is a node already.
    let used = world.invite(&[])?;
    world.join(2, &used)?;
    let (exit, said) = world.refused(3, &used)?;
    ensure!(exit == 69, "{exit} {said}");
    let words = world.join_words(2, &world.door());
    let output = world.run(2, &words.iter().map(String::as_str).collect::<Vec<_>>())?;
    ensure!(output.status.code() == Some(73), "{output:?}");
    // Nothing of all that changed the cluster.
    world.wait_members(&[1, 2])
}

/// Between guest and host: passes what is said on until so many bytes came from the host, then cuts.
struct Wire {
    at: String,
    seen: Arc<Mutex<Vec<u8>>>,
    over: Arc<AtomicBool>,
}

impl Wire {
    fn new(own: &str, to: String, cut_after: usize) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(format!("{own}:0"))?;
        let at = listener.local_addr()?.to_string();
        let (seen, over) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (keep, end) = (Arc::clone(&seen), Arc::clone(&over));
        thread::spawn(move || {
            for guest in listener.incoming() {
                if end.load(Ordering::Relaxed) {
                    return;
                }
                let (Ok(guest), Ok(host)) = (guest, TcpStream::connect(&to)) else { return };
                pass(guest, host, cut_after, &keep);
            }
        });
        Ok(Self { at, seen, over })
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(&self.at); // wakes the thread, which ends
    }
}

fn pass(guest: TcpStream, host: TcpStream, cut_after: usize, seen: &Arc<Mutex<Vec<u8>>>) {
    let copy = |from: &TcpStream, to: &TcpStream, limit: usize| -> Option<thread::JoinHandle<()>> {
        let (mut from, mut to, seen) = (from.try_clone().ok()?, to.try_clone().ok()?, Arc::clone(seen));
        Some(thread::spawn(move || {
            let (mut total, mut buffer) = (0, [0; 4096]);
            while let Ok(length @ 1..) = from.read(&mut buffer) {
                total += length;
                if let Ok(mut seen) = seen.lock() {
                    seen.extend_from_slice(&buffer[..length]);
                }
                if total > limit || to.write_all(&buffer[..length]).is_err() {
                    break;
                }
            }
            let _ = to.shutdown(std::net::Shutdown::Both);
            let _ = from.shutdown(std::net::Shutdown::Both);
        }))
    };
    let threads = [copy(&guest, &host, usize::MAX), copy(&host, &guest, cut_after)];
    threads.into_iter().flatten().for_each(|thread| drop(thread.join()));
}

fn dying_guest(tools: &Tools) -> anyhow::Result<()> {
    let world = World::new(tools)?;
    world.init()?;
    let code = world.invite(&["--for", "1h"])?;
    // The connection ends in the handshake, after the first answer, in the welcome: whatever the guest has, it may ask again.
    for cut in [100, 700, 1200, 1800] {
        let wire = Wire::new(&world.address(2), world.door(), cut)?;
        let output = world.join_command(2, &wire.at, &code).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(!output.status.success(), "it joined through a connection that was cut after {cut} bytes: {said}");
        if world.path(2, "hacd.toml").exists() {
            // It has all that it needs, and says so: it only did not hear that it counts.
            ensure!(said.contains("this host has what it needs"), "half a node after {cut} bytes: {said}");
            ensure!(fs::read(world.path(2, "authkey"))?.len() == 256, "no key after {cut} bytes: {said}");
            world.start(2)?;
            break;
        }
    }
    if !world.path(2, "hacd.toml").exists() {
        world.join(2, &code)?;
    }
    world.wait_members(&[1, 2])?;
    let status = world.status(1)?;
    ensure!(status["members"]["nodes"][1]["id"] == 2, "the same host has the same id: {}", status["members"]);
    Ok(())
}

fn capture(tools: &Tools) -> anyhow::Result<()> {
    let world = World::new(tools)?;
    world.init()?;
    let code = world.invite(&[])?;
    let wire = Wire::new(&world.address(2), world.door(), usize::MAX)?;
    let joining = world.join_command(2, &wire.at, &code).spawn()?;
    world.go_with(2, joining)?;
    let seen = wire.seen.lock().map_err(|_| anyhow::anyhow!("a panic"))?.clone();
    ensure!(seen.len() > 1000, "nothing was recorded");
    let has = |part: &[u8]| seen.windows(part.len()).any(|window| window == part);
    let key = fs::read(world.path(1, "authkey"))?;
    let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    ensure!(!has(&key[..16]) && !has(&hex.as_bytes()[..16]), "the key passes in clear");
    ensure!(!has(code.as_bytes()) && !has(&code.as_bytes()[..9]), "the code passes in clear");
    ensure!(!has(b"nodelist"), "the configuration passes in clear");
    // Neither stands in what the daemons wrote, nor in an event.
    let events = world.exec(1, &["--json", "events"])?;
    ensure!(events.contains("a node was invited") && !events.contains(&code[..9]), "the events tell the code");
    Ok(())
}

fn removed(tools: &Tools) -> anyhow::Result<()> {
    let world = World::new(tools)?;
    world.init()?;
    let code = world.invite(&[])?;
    world.join(2, &code)?;
    world.wait_members(&[1, 2])?;
    let refused = world.run(1, &["node", "remove", "n2"])?;
    ensure!(refused.status.code() == Some(107), "nobody was asked: {refused:?}");
    world.exec(1, &["node", "remove", "n2", "--yes"])?;
    world.wait_members(&[1])?;
    let mut gone = world.take(2)?;
    let end = Instant::now() + LIMIT;
    let status = loop {
        if let Some(status) = gone.try_wait()? {
            break status;
        }
        ensure!(Instant::now() < end, "the removed node goes on");
        thread::sleep(Duration::from_millis(50));
    };
    let said = fs::read_to_string(world.path(2, "out"))?;
    ensure!(!status.success() && said.contains("was removed from grown at configuration"), "{status} {said}");
    // It does not come back by itself, and says what to do.
    world.start(2)?;
    let mut again = world.take(2)?;
    let end = Instant::now() + LIMIT;
    let status = loop {
        if let Some(status) = again.try_wait()? {
            break status;
        }
        ensure!(Instant::now() < end, "the removed node starts again");
        thread::sleep(Duration::from_millis(50));
    };
    let said = fs::read_to_string(world.path(2, "out"))?;
    ensure!(status.code() == Some(78) && said.contains("hacctl join"), "{status} {said}");
    // It becomes a new member, as another node.
    let code = world.invite(&[])?;
    let mut command = world.join_command(2, &world.door(), &code);
    let joining = command.arg("--force").spawn()?;
    let end = Instant::now() + LIMIT;
    while !fs::read_to_string(world.path(2, "hacd.toml")).is_ok_and(|text| text.contains("nodeid = 3")) {
        ensure!(Instant::now() < end, "no configuration came");
        thread::sleep(Duration::from_millis(20));
    }
    world.start(2)?;
    let output = joining.wait_with_output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    world.wait_members(&[1, 2])
}

/// Nothing is on standby after a removal that could not be.
fn only(tools: &Tools) -> anyhow::Result<()> {
    let world = World::new(tools)?;
    world.init()?;
    for words in [["node", "remove", "n1", "--yes"], ["cluster", "remove", "n1", "-y"]] {
        let refused = world.run(1, &words)?;
        let said = String::from_utf8_lossy(&refused.stderr);
        ensure!(
            refused.status.code() == Some(107) && said.contains("n1 is the only node; nothing was changed"),
            "{said}"
        );
        let shown = world.exec(1, &["node", "show"])?;
        ensure!(shown.contains("member") && !shown.contains("standby"), "{shown}");
    }
    Ok(())
}

fn off(tools: &Tools) -> anyhow::Result<()> {
    let world = World::new(tools)?;
    world.init()?;
    let code = world.invite(&[])?;
    world.join(2, &code)?;
    world.wait_members(&[1, 2])?;
    world.kill(2)?;
    world.wait("n2 is lost", 1, |status| status["members"]["nodes"][1]["state"] == "lost")?;
    let refused = world.run(1, &["node", "remove", "n2", "--yes"])?;
    let said = String::from_utf8_lossy(&refused.stderr);
    ensure!(refused.status.code() == Some(107) && said.contains("--node-is-off"), "{said}");
    world.exec(1, &["node", "remove", "n2", "--yes", "--node-is-off", "killed by the test"])?;
    world.wait_members(&[1])
}

/// `crm cluster init`, `join` and `remove`, with crm's options.
fn as_crm(tools: &Tools) -> anyhow::Result<()> {
    let world = World::new(tools)?;
    let hostname = fs::read_to_string("/proc/sys/kernel/hostname")?;
    let first = hostname.trim().split('.').next().unwrap_or_default();
    let local = world.place.path("local.toml");
    fs::write(&local, "[logging]\nto_syslog = \"no\"\n")?;
    let (local, port, own) = (local.display().to_string(), PORT.to_string(), world.own(1));
    let own: Vec<&str> = own.iter().map(String::as_str).collect();
    let [config, config_at, state, state_at, ..] = own[..] else { bail!("{own:?}") };
    let address = world.address(1);
    let init = ["cluster", "init", "-y", "-u", "-n", "grown", "-i", &address, "--port", &port, "--include", &local];
    let rest = [config, config_at, state, state_at, "--no-start"];
    let refused = world.run(1, &[&init[..], &["-s", "/dev/sdb"], &rest].concat())?;
    ensure!(refused.status.code() == Some(64) && !world.path(1, "hacd.toml").exists(), "{refused:?}");
    world.exec(1, &[&init[..], &rest].concat())?;
    world.start_as(1, first)?;
    world.wait("the first node acts", 1, |status| status["quorum"]["quorate"] == true)?;
    let again = world.run(1, &[&init[..], &rest].concat())?;
    ensure!(again.status.code() == Some(73), "{again:?}");

    let code = world.invite(&[])?;
    let (door, own) = (format!("root@{}", world.door()), world.own(2));
    let mut words = vec!["cluster", "join", "-y", "-c", &door, "-i"];
    let address = world.address(2);
    words.push(&address);
    // The address has been named in crm's way.
    let named = own.iter().position(|word| word == "--address").context("is named")?;
    words.extend(
        own.iter().enumerate().filter(|(at, _)| *at != named && *at != named + 1).map(|(_, word)| word.as_str()),
    );
    let mut joining = world.hacctl(2, &words);
    let joining = joining.env("HACD_JOIN_CODE", code).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    world.go_with(2, joining)?;
    let joined = |status: &Value| {
        let nodes = status["members"]["nodes"].as_array().cloned().unwrap_or_default();
        nodes.len() == 2 && nodes.iter().all(|node| node["state"] == "joined")
    };
    world.wait("both are members", 1, joined)?;
    world.wait("both are members", 2, joined)?;

    // Without -y a terminal is needed, and there is none.
    let unasked = world.run(1, &["cluster", "remove", "n2"])?;
    ensure!(!unasked.status.success() && joined(&world.status(1)?), "{unasked:?}");
    let nobody = world.run(1, &["cluster", "remove", "-y"])?;
    let said = String::from_utf8_lossy(&nobody.stderr);
    ensure!(nobody.status.code() == Some(64) && said.contains("missing argument: <NODE>"), "{said}");
    let dry = world.exec(1, &["--dry-run", "cluster", "remove", "-c", "n2"])?;
    ensure!(dry.contains("nothing was changed") && joined(&world.status(1)?), "{dry}");
    world.exec(1, &["cluster", "remove", "-c", &world.address(2), "-y"])?;
    world.wait("one node is left", 1, |status| {
        status["members"]["nodes"].as_array().is_some_and(|nodes| nodes.len() == 1)
    })
}
