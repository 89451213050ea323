//! Runs a command and lets the caller read its lines as they come.

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

/// How long output may still arrive after the command itself has ended: a process that it left behind may hold the
/// pipe open for ever.
const DRAIN: Duration = Duration::from_secs(2);

/// Runs `command` as [`read`] does and prints every line of its output.
///
/// # Errors
/// As [`read`].
pub(crate) fn show(command: &mut Command, limit: Duration) -> anyhow::Result<ExitStatus> {
    read(command, limit, |line| println!("{line}"))
}

/// Runs `command` without standard input; every line of its output is given to `on_line`.
///
/// # Errors
/// It cannot be started or waited for, or it takes longer than `limit`: it is killed then, with all that it started.
pub(crate) fn read(
    command: &mut Command,
    limit: Duration,
    mut on_line: impl FnMut(&str),
) -> anyhow::Result<ExitStatus> {
    let name = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("cannot run {name}"))?;
    let (sender, lines) = channel();
    let stdout = child.stdout.take().map(|pipe| forward(pipe, sender.clone()));
    let stderr = child.stderr.take().map(|pipe| forward(pipe, sender));
    let started = Instant::now();
    let status = loop {
        if started.elapsed() > limit {
            kill(child.id());
            child.wait()?;
            bail!("no end within {} s", limit.as_secs());
        }
        match lines.recv_timeout(Duration::from_millis(100)) {
            Ok(line) => on_line(&line),
            Err(RecvTimeoutError::Disconnected) => break child.wait()?,
            Err(RecvTimeoutError::Timeout) => {
                if let Some(status) = child.try_wait()? {
                    while let Ok(line) = lines.recv_timeout(DRAIN) {
                        on_line(&line);
                    }
                    break status;
                }
            }
        }
    };
    // The readers end with their pipes; one that is held open by a stranger ends with this process.
    drop((stdout, stderr));
    Ok(status)
}

/// Kills a process and all that it started, as far as they have not cut themselves loose from it.
fn kill(pid: u32) {
    let mut pids = vec![pid.to_string()];
    let mut at = 0;
    while let Some(parent) = pids.get(at).cloned() {
        // One thread's list at a time; a process may have children by any of its threads.
        for thread in std::fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten() {
            let children = std::fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            pids.extend(children.split_whitespace().map(str::to_owned));
        }
        at += 1;
    }
    // The shell's own `kill`: the program of that name is not on every machine. Those that are gone already are no loss.
    let shell = ["-c", "kill -KILL \"$@\"", "sh"];
    let _ = Command::new("sh").args(shell).args(pids).stderr(Stdio::null()).status();
}

/// Sends the lines of a pipe, whatever their encoding, until it ends or nobody listens.
fn forward(pipe: impl Read + Send + 'static, sender: Sender<String>) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        let mut reader = BufReader::new(pipe);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
            let text = String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']).to_owned();
            if sender.send(text).is_err() {
                return;
            }
            line.clear();
        }
    })
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::{Duration, Instant};

    const LIMIT: Duration = Duration::from_secs(60);

    #[test]
    fn lines_of_both_streams_and_the_status_arrive() {
        let mut lines = Vec::new();
        let mut command = Command::new("sh");
        command.args(["-c", "echo one; echo two >&2; printf three; exit 3"]);
        let status = super::read(&mut command, LIMIT, |line| lines.push(line.to_owned())).unwrap();
        lines.sort();
        assert_eq!(lines, ["one", "three", "two"]);
        assert_eq!(status.code(), Some(3));
    }

    #[test]
    fn a_process_left_behind_does_not_hold_the_caller() {
        let started = Instant::now();
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 30 & echo $!"]);
        let mut pid = String::new();
        super::read(&mut command, LIMIT, |line| pid = line.to_owned()).unwrap();
        assert!(started.elapsed().as_secs() < 20);
        Command::new("sh").args(["-c", "kill $0", &pid]).status().unwrap();
    }

    #[test]
    fn what_does_not_end_is_killed_with_its_children() {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 60 & echo $!; wait"]);
        let mut pid = String::new();
        let error = super::read(&mut command, Duration::from_millis(500), |line| pid = line.to_owned()).unwrap_err();
        assert!(error.to_string().contains("no end within"), "{error}");
        let gone = || {
            let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            state.is_empty() || state.contains(" Z ")
        };
        let started = Instant::now();
        while !gone() {
            assert!(started.elapsed() < LIMIT, "the child lives on");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
