//! Wrong configuration stops `hacd` before it does anything, with one line that helps.

use std::fs;
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use hac_lab::Tools;

use crate::Test;

/// A daemon that has not ended by then took the file for right. What may pass by itself it waits for first, 10 s long.
const LIMIT: Duration = Duration::from_secs(30);
/// A port for the rings of these tests, so that they meet nobody.
const PORT: u16 = 25_405;

pub(crate) fn cases() -> Vec<(&'static str, Test)> {
    vec![
        ("every_wrong_file_stops_the_daemon_with_one_line", wrong_files),
        ("a_bad_key_file_stops_the_daemon_with_one_line", wrong_keys),
        ("a_taken_port_stops_the_daemon_with_one_line", taken_port),
        ("keys_are_made_once_and_for_root_alone", keygen),
    ]
}

/// A directory of its own with a right configuration, removed when dropped.
pub(crate) struct Place(PathBuf);

impl Place {
    pub(crate) fn new() -> anyhow::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("hac-daemon-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let place = Self(std::env::temp_dir().join(name));
        fs::create_dir_all(&place.0)?;
        place.write_key(&[7; 256], 0o400)?;
        Ok(place)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn write_key(&self, key: &[u8], mode: u32) -> anyhow::Result<()> {
        let path = self.path("authkey");
        let _ = fs::remove_file(&path); // it may be readable only
        fs::write(&path, key)?;
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
        Ok(())
    }

    /// The tutorial's file with addresses that this machine has.
    fn right(&self) -> String {
        let key = self.path("authkey");
        format!(
            "[totem]\nversion = 2\ncluster_name = \"lbcluster\"\nauthkey = \"{}\"\n\
             [[totem.interface]]\nringnumber = 0\nmcastport = {PORT}\n\
             [quorum]\nprovider = \"corosync_votequorum\"\ntwo_node = 1\n\
             [[nodelist.node]]\nring0_addr = \"127.0.0.11\"\nname = \"primary\"\nnodeid = 1\n\
             [[nodelist.node]]\nring0_addr = \"192.0.2.12\"\nname = \"secondary\"\nnodeid = 2\n\
             [logging]\nto_syslog = \"no\"\nto_stderr = \"no\"\n",
            key.display()
        )
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0); // what is left lies in the temporary directory
    }
}

/// What the text of the file alone decides: the service manager does not try again.
const FINAL: i32 = 78;

/// What may pass by itself: the service manager tries again.
const PASSING: i32 = 71;

/// Runs `hacd` with a file that must be wrong and end it with `expected`, and gives the line with which it ends. Where it
/// waits first, one line before that says for what.
fn refusal(tools: &Tools, place: &Place, text: &str, expected: i32) -> anyhow::Result<String> {
    let file = place.path("hacd.toml");
    fs::write(&file, text)?;
    let mut child = Command::new(tools.directory().join("hacd"))
        .args([Path::new("--config"), &file])
        .args([Path::new("--state"), &place.path("state")])
        .args([Path::new("--socket"), &place.path("socket")])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("hacd starts")?;
    let deadline = Instant::now() + LIMIT;
    while child.try_wait()?.is_none() {
        if Instant::now() > deadline {
            child.kill()?;
            let output = child.wait_with_output()?;
            bail!("hacd went on:\n{}", String::from_utf8_lossy(&output.stderr));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let output = child.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let code = output.status.code().context("hacd was killed by a signal")?;
    ensure!(code == expected, "hacd ended with {code}, not {expected}: {said}");
    let lines: Vec<&str> = said.lines().collect();
    let (line, before) = lines.split_last().context("hacd said nothing")?;
    let waited = expected == PASSING && before.len() == 1 && before[0].contains("waiting: ");
    ensure!(before.is_empty() || waited, "more than it should say:\n{said}");
    Ok((*line).to_owned())
}

fn assert_parts(line: &str, file: &Path, parts: &[&str]) -> anyhow::Result<()> {
    let name = file.display().to_string();
    for part in parts.iter().copied().chain([name.as_str()]) {
        ensure!(line.contains(part), "no {part:?} in: {line}");
    }
    Ok(())
}

fn wrong_files(tools: &Tools) -> anyhow::Result<()> {
    let table: [(&str, &str, &[&str]); 9] = [
        ("version = 2", "version = 2\ntokn = 1000", &[":3:", "totem.tokn", "token"]),
        ("version = 2", "version = \"two\"", &[":2:", "totem.version"]),
        ("\"127.0.0.11\"", "\"192.0.2.11\"", &["nodelist.node.ring0_addr", "192.0.2.11", "host"]),
        ("nodeid = 2", "nodeid = 1", &["nodelist.node.nodeid", "primary"]),
        ("\"secondary\"", "\"primary\"", &["nodelist.node.name", "primary"]),
        ("\"192.0.2.12\"", "\"fd00::12\"", &["nodelist.node.ring0_addr", "family"]),
        ("version = 2", "version = 2\ntoken = 5", &[":3:", "totem.token"]),
        ("version = 2", "version = 2\nsilence_max = 9000", &[":3:", "totem.silence_max", "token"]),
        ("[quorum]", "[quorum\n", &["hacd.toml"]),
    ];
    let place = Place::new()?;
    let right = place.right();
    for (from, to, parts) in table {
        ensure!(right.contains(from), "{from}");
        // An address may come a little later than the daemon.
        let expected = if to == "\"192.0.2.11\"" { PASSING } else { FINAL };
        let line = refusal(tools, &place, &right.replacen(from, to, 1), expected)?;
        assert_parts(&line, &place.path("hacd.toml"), parts).with_context(|| format!("{from} -> {to}"))?;
    }
    Ok(())
}

fn wrong_keys(tools: &Tools) -> anyhow::Result<()> {
    let place = Place::new()?;
    let key = place.path("authkey");
    let right = place.right();
    fs::remove_file(&key)?;
    assert_parts(&refusal(tools, &place, &right, PASSING)?, &key, &["hacctl keygen"])?;
    place.write_key(&[7; 256], 0o644)?;
    assert_parts(&refusal(tools, &place, &right, PASSING)?, &key, &["chmod"])?;
    place.write_key(&[7; 16], 0o400)?;
    assert_parts(&refusal(tools, &place, &right, PASSING)?, &key, &["32"])
}

fn taken_port(tools: &Tools) -> anyhow::Result<()> {
    let place = Place::new()?;
    let _taken = UdpSocket::bind(("127.0.0.11", PORT))?;
    let line = refusal(tools, &place, &place.right(), PASSING)?;
    assert_parts(&line, &place.path("hacd.toml"), &["mcastport", &PORT.to_string(), "127.0.0.11"])
}

fn keygen(tools: &Tools) -> anyhow::Result<()> {
    let place = Place::new()?;
    let key = place.path("made");
    let keygen = |more: &[&str]| {
        let mut command = Command::new(tools.directory().join("hacctl"));
        command.arg("keygen").arg("-k").arg(&key).args(more).stdin(Stdio::null());
        command.output().context("hacctl starts")
    };
    let made = keygen(&[])?;
    ensure!(made.status.success(), "{made:?}");
    let first = fs::read(&key)?;
    ensure!(first.len() == 256, "{} bytes", first.len());
    let mode = fs::metadata(&key)?.permissions().mode() & 0o777;
    ensure!(mode == 0o400, "mode {mode:o}");
    ensure!(!keygen(&[])?.status.success(), "a key was overwritten without --force");
    ensure!(fs::read(&key)? == first, "the key changed");
    ensure!(keygen(&["--force"])?.status.success(), "--force is refused");
    ensure!(fs::read(&key)? != first, "the same key again");
    Ok(())
}
