//! What stands on a terminal: the shell with what it completes, a change in an editor, the monitor, small and wide. tmux draws
//! them; they are kept in `docs/screens`, and `HACD_BLESS=1` writes them anew.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use hac_lab::Tools;
use hac_tests::browser::missing;

use crate::Test;
use crate::names::Cluster;

/// How long a screen may take to show something.
const LIMIT: Duration = Duration::from_secs(20);

/// Where the screens are kept.
const KEPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/screens");

pub(crate) fn cases() -> Vec<(&'static str, Test, Option<String>)> {
    vec![
        ("screens_are_those_that_are_kept", screens, missing(&["tmux"])),
        ("ctrl_c_ends_a_command_and_neither_shell_nor_terminal", interrupted, missing(&["tmux"])),
    ]
}

/// A terminal that nobody sits before.
struct Terminal {
    socket: PathBuf,
}

impl Terminal {
    /// Runs `hacctl WORDS` on a screen of this size.
    fn new(cluster: &Cluster<'_>, tools: &Tools, size: (u16, u16), words: &str) -> anyhow::Result<Self> {
        // Each has a server of its own: the one before may still be ending.
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let terminal = Self { socket: cluster.place.path(&format!("tmux{number}")) };
        let program = tools.directory().join("hacctl");
        let line = format!(
            "env -u VISUAL HACD_SOCKET={} XDG_STATE_HOME={} EDITOR='sed -i s/10s/20s/' LC_ALL=C.UTF-8 {} {words}",
            cluster.socket(0).display(),
            cluster.place.path("home").display(),
            program.display()
        );
        let (columns, lines) = (size.0.to_string(), size.1.to_string());
        terminal.tmux(&["-u", "-f", "/dev/null", "new-session", "-d", "-x", &columns, "-y", &lines, &line])?;
        Ok(terminal)
    }

    fn tmux(&self, words: &[&str]) -> anyhow::Result<String> {
        let output = Command::new("tmux").arg("-S").arg(&self.socket).args(words).output().context("tmux starts")?;
        ensure!(output.status.success(), "tmux {words:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Types; names of keys such as `Enter` and `Tab` are keys.
    fn types(&self, keys: &[&str]) -> anyhow::Result<()> {
        self.tmux(&[&["send-keys"], keys].concat()).map(|_| ())
    }

    /// The screen when it has this text and stands still.
    fn shows(&self, text: &str) -> anyhow::Result<String> {
        let end = Instant::now() + LIMIT;
        let mut before = String::new();
        loop {
            let now = self.tmux(&["capture-pane", "-p"])?;
            if now.contains(text) && now == before {
                return Ok(now);
            }
            ensure!(Instant::now() < end, "there never was {text:?} on the screen:\n{now}");
            before = now;
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended with its program.
        let _ = self.tmux(&["kill-server"]);
    }
}

/// A screen without what differs from run to run and from host to host: times, and what the daemon says of its host.
fn steady(screen: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut about_host = false;
    for line in screen.lines() {
        about_host |= line == "Attention:";
        let last = line.starts_with("q quit");
        if about_host && !last {
            continue;
        }
        // How much of the text has room depends on what was left out here.
        let line = if last { line.split("  1").next().unwrap_or(line) } else { line };
        lines.push(line.split(' ').map(without_time).collect::<Vec<_>>().join(" ").trim_end().to_owned());
    }
    let text = lines.join("\n");
    format!("{}\n", text.trim_end())
}

/// A word with noughts for digits if it is a date or a time.
fn without_time(word: &str) -> String {
    let is_time = word.len() >= 8 && word.chars().all(|c| c.is_ascii_digit() || matches!(c, ':' | '-' | '.'));
    if is_time { word.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect() } else { word.to_owned() }
}

/// Compares with what is kept, or keeps it.
fn kept(name: &str, screen: &str) -> anyhow::Result<()> {
    let path = Path::new(KEPT).join(format!("{name}.txt"));
    let text = steady(screen);
    if std::env::var_os("HACD_BLESS").is_some() {
        std::fs::create_dir_all(KEPT)?;
        std::fs::write(&path, &text)?;
        return Ok(());
    }
    let expected = std::fs::read_to_string(&path).with_context(|| format!("{name} is not kept; HACD_BLESS=1 does"))?;
    if expected != text {
        bail!("{name} is another one (HACD_BLESS=1 keeps it):\n{text}\nkept:\n{expected}");
    }
    Ok(())
}

fn screens(tools: &Tools) -> anyhow::Result<()> {
    let cluster = Cluster::with(tools, 95, |_| String::new())?;
    cluster.must("configure property stonith-enabled=false no-quorum-policy=ignore")?;
    cluster.must("-w configure primitive Nginx nginx op monitor interval=10s")?;
    cluster
        .must("-w configure primitive FloatIP ocf:digitalocean:floatip params do_token=t floating_ip=203.0.113.25")?;
    cluster.must("-w configure colocation FloatIP-Nginx inf: FloatIP Nginx")?;
    shell(&cluster, tools)?;
    edit(&cluster, tools)?;
    for (name, size) in [("mon-80x24", (80, 24)), ("mon-140x40", (140, 40))] {
        let terminal = Terminal::new(&cluster, tools, size, "mon")?;
        terminal.shows(" Events ")?;
        // What happened, and when, is another thing each time.
        terminal.types(&["e"])?;
        let screen = terminal.shows("q quit")?;
        ensure!(!screen.contains(" Events "), "the key does nothing:\n{screen}");
        kept(name, &screen)?;
        terminal.types(&["?"])?;
        terminal.shows("quit")?;
        terminal.types(&["q"])?;
    }
    Ok(())
}

/// At a question, while something is waited for, and where what is typed is not shown.
fn interrupted(tools: &Tools) -> anyhow::Result<()> {
    let cluster = Cluster::with(tools, 147, |_| String::new())?;
    cluster.must("configure property stonith-enabled=false no-quorum-policy=ignore")?;
    cluster.must("-w configure primitive Nginx nginx op monitor interval=10s")?;
    let terminal = Terminal::new(&cluster, tools, (80, 24), "")?;
    terminal.shows("hacctl(live)#")?;
    terminal.types(&["resource stop Nginx", "Enter"])?;
    terminal.shows("Go on? [y/N]")?;
    terminal.types(&["ye", "C-c"])?;
    terminal.shows("ERROR: interrupted; nothing was changed")?;
    ensure!(cluster.must("resource status Nginx")?.contains("is running on"), "it was stopped");
    terminal.types(&["events --follow", "Enter"])?;
    terminal.shows("Nginx_start_0")?;
    terminal.types(&["C-c"])?;
    terminal.shows("ERROR: interrupted\n")?;
    terminal.types(&["secret set trial", "Enter"])?;
    terminal.shows("trial (not shown):")?;
    terminal.types(&["hidden", "C-c"])?;
    // What is typed is shown again.
    terminal.types(&["resource stop Nginx", "Enter"])?;
    terminal.shows("Go on? [y/N]")?;
    terminal.types(&["maybe", "C-u", "y"])?;
    let screen = terminal.shows("Go on? [y/N] y\n")?;
    ensure!(!screen.contains("hidden"), "it was shown:\n{screen}");
    terminal.types(&["Enter"])?;
    cluster.until("it is stopped", |cluster| Ok(cluster.crm("resource status Nginx")?.out.contains("is NOT running")))
}

/// Words, resources and an agent's parameters are completed.
fn shell(cluster: &Cluster<'_>, tools: &Tools) -> anyhow::Result<()> {
    let terminal = Terminal::new(cluster, tools, (80, 24), "")?;
    terminal.shows("hacctl(live)#")?;
    terminal.types(&["resource st", "Tab", "Tab"])?;
    terminal.shows("stop")?;
    terminal.types(&["art ", "Tab", "Tab"])?;
    terminal.shows("Nginx")?;
    terminal.types(&["C-u", "configure", "Enter"])?;
    terminal.shows("hacctl(live)configure#")?;
    terminal.types(&["primitive Other ocf:digitalocean:floatip params ", "Tab", "Tab"])?;
    let screen = terminal.shows("floating_ip")?;
    ensure!(screen.contains("do_token"), "the agent's parameters are not offered:\n{screen}");
    kept("shell-80x24", &screen)
}

/// A change in the editor is collected, shown, and committed.
fn edit(cluster: &Cluster<'_>, tools: &Tools) -> anyhow::Result<()> {
    let terminal = Terminal::new(cluster, tools, (80, 24), "")?;
    terminal.shows("hacctl(live)#")?;
    for (line, then) in [
        ("configure", "hacctl(live)configure#"),
        ("edit Nginx", "hacctl(live)configure*#"),
        ("simulate", "Nothing was changed (--dry-run)."),
        ("commit", "INFO: committed 1 change"),
    ] {
        terminal.types(&[line, "Enter"])?;
        terminal.shows(then)?;
    }
    let screen = terminal.shows("INFO: committed 1 change")?;
    ensure!(cluster.must("configure show Nginx")?.contains("interval=20s"), "nothing was changed:\n{screen}");
    kept("edit-80x24", &screen)
}
