//! Running a program to its end: its own process group, bounded output, killed when it is given up.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Command;
use tokio::task::JoinHandle;

/// Output beyond this is read and thrown away, so that the program never blocks on a full pipe. Bytes.
const OUTPUT_MAX: usize = 10 << 20;

/// How long to wait for the end of the output after the program's own end. A service that it started may hold the
/// pipe for ever.
const LAST_WORDS: Duration = Duration::from_millis(50);

/// What a program did.
#[derive(Debug)]
pub(crate) struct Ran {
    /// How it ended.
    pub(crate) status: ExitStatus,
    /// Its standard output.
    pub(crate) stdout: Vec<u8>,
    /// Its standard error.
    pub(crate) stderr: Vec<u8>,
}

/// Kills a process group unless told that its leader has ended: services that an agent started stay alive then.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // It may have ended in between.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// Runs `command` in a process group of its own, with nothing on its standard input. If the future is dropped before
/// the program ends, the whole group is killed.
///
/// # Errors
/// If it cannot be started or waited for.
pub(crate) async fn run(mut command: Command) -> io::Result<Ran> {
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).spawn()?;
    let mut group = Group(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw));
    let stdout = child.stdout.take().map(collect);
    let stderr = child.stderr.take().map(collect);
    let status = child.wait().await?;
    group.0 = None;
    Ok(Ran { status, stdout: finish(stdout).await, stderr: finish(stderr).await })
}

/// Reads in the background; the bytes so far are in the shared buffer at any time.
fn collect(pipe: impl AsyncRead + Unpin + Send + 'static) -> (JoinHandle<()>, tokio::sync::watch::Receiver<Vec<u8>>) {
    let (buffer, reader) = tokio::sync::watch::channel(Vec::new());
    let task = tokio::spawn(async move {
        let mut pipe = pipe;
        let mut chunk = vec![0; 8 << 10];
        loop {
            match pipe.read(&mut chunk).await {
                Ok(0) | Err(_) => break,
                Ok(size) => buffer.send_modify(|all: &mut Vec<u8>| {
                    let room = OUTPUT_MAX.saturating_sub(all.len()).min(size);
                    all.extend(chunk.iter().take(room));
                }),
            }
        }
    });
    (task, reader)
}

async fn finish(collected: Option<(JoinHandle<()>, tokio::sync::watch::Receiver<Vec<u8>>)>) -> Vec<u8> {
    let Some((mut task, reader)) = collected else { return Vec::new() };
    if tokio::time::timeout(LAST_WORDS, &mut task).await.is_err() {
        task.abort();
    }
    reader.borrow().clone()
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        command
    }

    #[tokio::test]
    async fn output_and_exit_code_come_back() {
        let ran = run(shell("echo out; echo err >&2; exit 7")).await.expect("ran");
        assert_eq!(
            (ran.status.code(), ran.stdout.as_slice(), ran.stderr.as_slice()),
            (Some(7), &b"out\n"[..], &b"err\n"[..])
        );
    }

    #[tokio::test]
    async fn a_service_that_keeps_the_pipe_does_not_keep_us() {
        let begin = Instant::now();
        let ran = run(shell("sleep 5 & echo $!")).await.expect("ran");
        assert!(begin.elapsed() < Duration::from_secs(4));
        let pid = String::from_utf8_lossy(&ran.stdout).trim().parse().ok().and_then(Pid::from_raw).expect("a pid");
        rustix::process::test_kill_process(pid).expect("the service is left alive");
        rustix::process::kill_process(pid, Signal::KILL).expect("ended by this test");
    }

    #[tokio::test]
    async fn a_program_that_is_given_up_is_killed_with_its_children() {
        let file = std::env::temp_dir().join(format!("hacd-process-{}", std::process::id()));
        let script = format!("sleep 60 & echo $! > {}; wait", file.display());
        let given_up = tokio::time::timeout(Duration::from_millis(500), run(shell(&script))).await;
        assert!(given_up.is_err());
        let pid: i32 = std::fs::read_to_string(&file).expect("written").trim().parse().expect("a number");
        std::fs::remove_file(&file).expect("removed");
        let deadline = Instant::now() + Duration::from_secs(5);
        while alive(pid) {
            assert!(Instant::now() < deadline, "the child is still there");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Whether a process runs (a zombie that nobody has reaped does not).
    fn alive(pid: i32) -> bool {
        std::fs::read_to_string(format!("/proc/{pid}/stat"))
            .is_ok_and(|stat| !stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z')))
    }

    #[tokio::test]
    async fn a_flood_of_output_is_cut_and_does_not_block() {
        let ran = run(shell("head -c 12000000 /dev/zero; echo done >&2")).await.expect("ran");
        assert_eq!(ran.stdout.len(), OUTPUT_MAX);
        assert_eq!(ran.stderr, b"done\n");
    }
}
