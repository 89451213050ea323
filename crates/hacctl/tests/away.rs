//! What hacctl makes of a daemon that is slow, says what nobody understands, or is not there, and of an output that takes nothing.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Something that listens where the daemon would, and answers every request in one way.
struct Daemon {
    socket: PathBuf,
}

impl Daemon {
    fn new(name: &str, answer: impl Fn(UnixStream) + Send + Sync + 'static) -> Self {
        let socket = std::env::temp_dir().join(format!("hacctl-away-{name}-{}", std::process::id()));
        let listener = UnixListener::bind(&socket).expect("can be bound");
        let answer = std::sync::Arc::new(answer);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let answer = std::sync::Arc::clone(&answer);
                std::thread::spawn(move || {
                    let mut bytes = [0; 4096];
                    // A client that only looks whether somebody listens asks nothing.
                    let _ = (&stream).read(&mut bytes);
                    answer(stream);
                });
            }
        });
        Self { socket }
    }

    /// One that says this and hangs up.
    fn saying(name: &str, text: &'static str) -> Self {
        Self::new(name, move |mut stream| {
            // Who is gone hears nothing.
            let _ = stream.write_all(text.as_bytes());
        })
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hacctl"));
        command.args(words).env("HACD_SOCKET", &self.socket).stdin(Stdio::null());
        command
    }

    fn run(&self, words: &[&str]) -> (i32, String, String) {
        told(&self.command(words).output().expect("hacctl starts"))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It lies in a temporary folder.
        let _ = std::fs::remove_file(&self.socket);
    }
}

fn told(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("is UTF-8");
    (output.status.code().expect("ended by itself"), text(&output.stdout), text(&output.stderr))
}

#[test]
fn what_is_not_understood_comes_from_another_version() {
    for (name, answer, code) in [
        ("empty", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", 70),
        ("page", "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n<html>", 70),
        ("unknown", "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", 70),
        ("nothing", "", 102),
        ("noise", "noise\r\n\r\n", 102),
        ("cut", "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{\"a\"", 70),
    ] {
        let daemon = Daemon::saying(name, answer);
        for words in [&["status"][..], &["configure", "show"], &["resource", "stop", "web"]] {
            let (got, out, err) = daemon.run(words);
            assert_eq!((got, out.as_str()), (code, ""), "{name} {words:?}: {err}");
            assert!(err.starts_with("ERROR: ") && err.lines().count() == 2, "{name} {words:?}: {err}");
            // Where it was asked is nobody's business.
            assert!(!err.contains("http://"), "{name} {words:?}: {err}");
            assert_eq!(err.contains("of the same version?"), code == 70, "{name} {words:?}: {err}");
        }
    }
}

#[test]
fn progress_is_for_people() {
    let slow = || {
        Daemon::new("slow", |mut stream| {
            std::thread::sleep(Duration::from_secs(4));
            let _ = stream.write_all(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n");
        })
    };
    let daemon = slow();
    let (_, _, err) = daemon.run(&["status"]);
    assert!(err.starts_with("waiting for hacd ..") && err.contains("\nERROR: "), "{err}");
    let (code, _, err) = daemon.run(&["--json", "status"]);
    let error: serde_json::Value = serde_json::from_str(&err).expect("is JSON and nothing else");
    assert_eq!(error["error"]["exit_code"], code);
}

#[test]
fn a_check_ends_before_it_is_ended() {
    let daemon = Daemon::new("frozen", |_stream| std::thread::sleep(Duration::from_secs(60)));
    let begin = Instant::now();
    let (code, out, _) = daemon.run(&["status", "--check"]);
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
    assert_eq!(code, 2);
    assert!(out.starts_with("CLUSTER CRIT: hacd did not answer"), "{out}");
}

#[test]
fn who_follows_may_stop_reading() {
    const EVENT: &str =
        r#"data: {"seq":1,"time_ms":0,"mono_ns":0,"level":"info","kind":"node","text":"something happened"}"#;
    let daemon = Daemon::new("events", |mut stream| {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
        let _ = stream.write_all(format!("{head}{EVENT}\n\n").as_bytes());
        std::thread::sleep(Duration::from_secs(60));
    });
    let mut child = daemon.command(&["events", "--follow"]).stdout(Stdio::piped()).spawn().expect("hacctl starts");
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.take().expect("is piped"));
    out.read_line(&mut line).expect("can be read");
    assert!(line.contains("something happened"), "{line}");
    drop(out);
    let end = Instant::now() + Duration::from_secs(20);
    while child.try_wait().expect("can be waited for").is_none() {
        assert!(Instant::now() < end, "it still follows, and nobody reads");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(child.wait().expect("ended").success());
}

#[test]
fn a_variable_that_is_empty_is_none() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hacctl"));
    let output = command.arg("status").env("HACD_SOCKET", "").stdin(Stdio::null()).output().expect("hacctl starts");
    let (code, _, err) = told(&output);
    // No daemon runs where tests are made; if one does, it answers.
    assert!(code != 64 && !err.contains("--socket"), "{code}: {err}");
}

#[test]
fn an_output_that_takes_nothing_is_a_failure() {
    let full = || std::fs::File::options().write(true).open("/dev/full").expect("Linux has it");
    for words in
        [&["--help"][..], &["--version"], &["resource", "--help"], &["completion", "bash"], &["help", "status"]]
    {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hacctl"));
        let output = command.args(words).stdin(Stdio::null()).stdout(full()).output().expect("hacctl starts");
        let (code, _, err) = told(&output);
        assert_eq!(code, 71, "{words:?}: {err}");
        assert!(err.contains("could not print") && err.lines().count() == 2, "{words:?}: {err}");
    }
}
