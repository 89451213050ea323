//! What becomes of a node that was emptied and is not taken out.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hac_api::{Configured, Members, MembersEntry};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixListener;

use super::*;
use crate::client::Client;
use crate::commands::context::Consent;

fn status(names: &[&str]) -> Status {
    let entry = |name: &&str| MembersEntry { name: (*name).to_owned(), ..MembersEntry::default() };
    let nodes = names.iter().map(entry).collect();
    Status { members: Members { nodes, ..Members::default() }, ..Status::default() }
}

fn context(socket: &Path) -> Context {
    Context {
        client: Client::new(socket).expect("a client"),
        json: false,
        wait: None,
        timeout: Duration::from_secs(5),
        consent: Consent::default(),
        draft: None,
        typed: false,
    }
}

fn socket(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("hacctl-remove-{name}-{}", std::process::id()))
}

fn refused(code: ErrorCode) -> Failure {
    Failure::new(code, "it cannot be").with_remedy("Do that.")
}

#[test]
fn all_the_nodes_are_not_taken_out() {
    let failure = refuse_all(&status(&["one"]), &["one"]).expect_err("it is the only one");
    assert_eq!((failure.exit_code, failure.message.as_str()), (107, "one is the only node; nothing was changed"));
    let failure = refuse_all(&status(&["one", "two"]), &["two", "one"]).expect_err("there is no other");
    assert_eq!(failure.message, "these are all the nodes; nothing was changed");
    refuse_all(&status(&["one", "two"]), &["two"]).expect("one is left");
}

#[tokio::test]
async fn a_refused_removal_takes_the_standby_back() {
    let path = socket("back");
    let _ = std::fs::remove_file(&path); // of a test that was killed
    let listener = UnixListener::bind(&path).expect("a socket");
    let daemon = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a request");
        let mut asked = Vec::new();
        while !String::from_utf8_lossy(&asked).contains("\"client\"") {
            assert_ne!(stream.read_buf(&mut asked).await.expect("readable"), 0, "it ends before it is whole");
        }
        let body = serde_json::to_string(&Configured::default()).expect("JSON");
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length:";
        stream.write_all(format!("{head} {}\r\n\r\n{body}", body.len()).as_bytes()).await.expect("written");
        String::from_utf8_lossy(&asked).into_owned()
    });
    let failure = take_back(&context(&path), "two", Some("off".to_owned()), refused(ErrorCode::Quorum)).await;
    let remedy = failure.remedy.expect("a remedy");
    assert_eq!(remedy, "Do that. two was on standby for this and is no longer.");
    let asked = daemon.await.expect("it was asked");
    for part in ["\"two\"", "\"standby\"", "\"off\""] {
        assert!(asked.contains(part), "{part} is not in {asked}");
    }
    std::fs::remove_file(&path).expect("removed");
}

#[tokio::test]
async fn a_standby_that_stays_is_told_with_the_line_that_ends_it() {
    let nobody = context(&socket("nobody"));
    let failure = take_back(&nobody, "two", None, refused(ErrorCode::Unsafe)).await;
    let remedy = failure.remedy.expect("a remedy");
    assert_eq!(remedy, "Do that. two stays on standby: 'hacctl node online two' ends that.");
    // Whether it is taken out nobody knows.
    for unknown in [refused(ErrorCode::Timeout), Failure::disconnected("it broke")] {
        let remedy = take_back(&nobody, "two", None, unknown).await.remedy.expect("a remedy");
        assert!(remedy.contains("If two is still a node") && remedy.contains("'hacctl node online two'"), "{remedy}");
    }
    assert_eq!(take_back(&nobody, "two", None, refused(ErrorCode::NoSuch)).await, refused(ErrorCode::NoSuch));
}
