//! Tests: what is said to etcd and what its answers mean, as release 3.4 of Debian writes them; and members that fail.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};

use hac_types::NodeId;

use super::*;

fn mark_of_node_1() -> ArbiterMark {
    ArbiterMark {
        epoch: 5,
        node: NodeId(1),
        incarnation: 0x1122,
        nonce: "1-0000000000001122-4-12".to_owned(),
        members: vec![NodeId(1)],
    }
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).expect("it is JSON")
}

#[test]
fn a_claim_compares_with_what_is_known_and_says_what_is_there_if_not() {
    let swap = ArbiterRequest::Swap { expected: 12, mark: mark_of_node_1() };
    let (path, body) = body("a2V5", &swap);
    assert_eq!(path, "/v3/kv/txn");
    assert_eq!(body["compare"], json_of(r#"[{"key":"a2V5","target":"MOD","result":"EQUAL","mod_revision":"12"}]"#));
    assert_eq!(body["failure"], json_of(r#"[{"request_range":{"key":"a2V5"}}]"#));
    let value = body["success"][0]["request_put"]["value"].as_str().expect("a value");
    let bytes = STANDARD.decode(value).expect("base64");
    assert_eq!(mark(&bytes), Some(mark_of_node_1()), "what is written is read");
}

#[test]
fn answers_of_etcd_are_read_and_others_are_none() {
    let swap = ArbiterRequest::Swap { expected: 12, mark: mark_of_node_1() };
    let done = json_of(
        r#"{"header":{"cluster_id":"14841639068965178418","member_id":"10276657743932975437","revision":"13","raft_term":"2"},
            "succeeded":true,"responses":[{"response_put":{"header":{"revision":"13"}}}]}"#,
    );
    let answer = read(&done, &swap).expect("an answer");
    assert_eq!((answer.store, answer.revision), (14_841_639_068_965_178_418, 13));
    assert_eq!(answer.outcome, ArbiterOutcome::Swapped);

    let value = STANDARD.encode(text(&mark_of_node_1()));
    let kvs = format!(
        r#""kvs":[{{"key":"a2V5","create_revision":"2","mod_revision":"14","version":"3","value":"{value}"}}]"#
    );
    let not = json_of(&format!(
        r#"{{"header":{{"cluster_id":"7","revision":"20"}},"responses":[{{"response_range":{{"header":{{"revision":"20"}},{kvs},"count":"1"}}}}]}}"#
    ));
    let found = ArbiterOutcome::Found(Some(ArbiterFound { revision: 14, mark: Some(mark_of_node_1()) }));
    assert_eq!(read(&not, &swap).expect("an answer").outcome, found);
    let range = json_of(&format!(r#"{{"header":{{"cluster_id":"7","revision":"20"}},{kvs},"count":"1"}}"#));
    assert_eq!(read(&range, &ArbiterRequest::Read).expect("an answer").outcome, found);
    let empty = json_of(r#"{"header":{"cluster_id":"7","revision":"1"}}"#);
    assert_eq!(read(&empty, &ArbiterRequest::Read).expect("an answer").outcome, ArbiterOutcome::Found(None));
    let foreign =
        json_of(r#"{"header":{"cluster_id":"7","revision":"9"},"kvs":[{"mod_revision":"9","value":"aGk="}]}"#);
    let outcome = read(&foreign, &ArbiterRequest::Read).expect("an answer").outcome;
    assert_eq!(outcome, ArbiterOutcome::Found(Some(ArbiterFound { revision: 9, mark: None })));

    for nonsense in [
        "{}",
        "[]",
        r#"{"succeeded":true}"#,
        r#"{"header":{},"succeeded":true}"#,
        r#"{"header":{"cluster_id":"x","revision":"1"},"succeeded":true}"#,
        r#"{"header":{"cluster_id":"7","revision":"-1"},"succeeded":true}"#,
        r#"{"header":{"cluster_id":"7","revision":"1"},"responses":[]}"#,
        r#"{"header":{"cluster_id":"7","revision":"1"},"responses":[{"response_range":{"kvs":[{"mod_revision":"0"}]}}]}"#,
    ] {
        assert_eq!(read(&json_of(nonsense), &swap), None, "{nonsense}");
    }
}

/// Answers one request with this, or says nothing if there is nothing to say.
fn serve_once(answer: Option<String>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a caller");
        let mut request = [0; 4096];
        let _ = stream.read(&mut request);
        match answer {
            Some(answer) => drop(stream.write_all(answer.as_bytes())),
            None => std::thread::sleep(Duration::from_secs(4)),
        }
    });
    address
}

fn http(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn client(addresses: &[SocketAddr]) -> Client {
    let endpoints = addresses.iter().map(|address| format!("http://{address}")).collect();
    Client::new(Etcd { endpoints, prefix: "/hacd/".to_owned(), ca_file: None, identity: None, user: None })
}

#[tokio::test]
async fn a_member_that_fails_or_says_nothing_is_passed_over() {
    let broken = serve_once(Some(http(
        "503 Service Unavailable",
        r#"{"error":"etcdserver: no leader","message":"etcdserver: no leader","code":14}"#,
    )));
    let frozen = serve_once(None);
    let well = serve_once(Some(http("200 OK", r#"{"header":{"cluster_id":"7","revision":"1"}}"#)));
    let client = client(&[broken, frozen, well]);
    let answer = client.ask("ab", &ArbiterRequest::Read).await.expect("the third answers");
    assert_eq!((answer.store, answer.revision), (7, 1));
    let why = client.ask("ab", &ArbiterRequest::Read).await.expect_err("nobody answers twice");
    assert!(why.starts_with("http://127.0.0.1:"), "{why}");
}

#[tokio::test]
async fn what_a_member_complains_of_is_told() {
    let broken = serve_once(Some(http("503 Service Unavailable", r#"{"message":"etcdserver: no leader","code":14}"#)));
    let why = client(&[broken]).ask("ab", &ArbiterRequest::Read).await.expect_err("it fails");
    assert!(why.ends_with("etcdserver: no leader (503)"), "{why}");
}
