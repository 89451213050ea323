//! The cloud on the loopback interface, asked over real connections.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
use serde_json::{Value, json};

use super::*;
use crate::http::{Answer, request_text};
use crate::run::wait_for;

const LIMIT: Duration = Duration::from_secs(5);
const ACTIONS: &str = "/v2/reserved_ips/198.51.100.10/actions";

/// What the cloud did to its hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Done {
    Point(Option<usize>),
    Power(usize, bool),
}

struct Recorder(Arc<Mutex<Vec<Done>>>);

impl Fabric for Recorder {
    fn point(&self, holder: Option<usize>) -> Result<(), Error> {
        self.0.lock().unwrap().push(Done::Point(holder));
        Ok(())
    }

    fn power(&self, host: usize, on: bool) -> Result<(), Error> {
        self.0.lock().unwrap().push(Done::Power(host, on));
        Ok(())
    }
}

struct Fixture {
    cloud: Cloud,
    done: Arc<Mutex<Vec<Done>>>,
}

impl Fixture {
    fn new() -> Self {
        let done = Arc::new(Mutex::new(Vec::new()));
        let fabric = Box::new(Recorder(Arc::clone(&done)));
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let cloud = Cloud::start(None, vec![Door { listen, host: None }], 2, Some(1), fabric).expect("a free port");
        Self { cloud, done }
    }

    /// Sends a request as host `from`; `None` when the connection ended without an answer.
    fn try_call(&self, from: usize, method: &str, path: &str, token: &str, body: &str) -> Option<Answer> {
        let server = self.cloud.addresses()[0];
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        bind(&socket, &SocketAddr::from((loopback(from), 0))).unwrap();
        connect(&socket, &server).unwrap();
        let mut stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        let text = request_text(server, method, path, Some(token), body);
        stream.write_all(text.as_bytes()).unwrap();
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        Answer::parse(&bytes)
    }

    fn call(&self, method: &str, path: &str, body: &str) -> Answer {
        self.try_call(1, method, path, TOKEN, body).expect("an answer")
    }

    fn get(&self, path: &str) -> Answer {
        self.call("GET", path, "")
    }

    fn metadata(&self, host: usize, path: &str) -> Answer {
        let path = format!("/metadata/v1{path}");
        self.try_call(host, "GET", &path, "", "").expect("an answer")
    }

    fn assign(&self, host: usize) -> Answer {
        let body = json!({ "type": "assign", "droplet_id": Plan::droplet(host) });
        self.call("POST", ACTIONS, &body.to_string())
    }

    fn wait_status(&self, action: &Value, status: &str) {
        let path = format!("{ACTIONS}/{}", action["action"]["id"]);
        wait_for(status, LIMIT, || {
            let shown = self.get(&path).json();
            (shown["action"]["status"] == status).then_some(())
        })
        .expect(status);
    }
}

#[test]
fn an_assign_is_first_in_progress_and_then_completed() {
    let lab = Fixture::new();
    let answer = lab.assign(2);
    assert_eq!(answer.status, 201);
    let begun = answer.json();
    assert_eq!(begun["action"]["status"], "in-progress");
    assert_eq!(begun["action"]["type"], "assign_ip");
    assert_eq!(begun["action"]["resource_type"], "reserved_ip");
    assert_eq!(begun["action"]["completed_at"], Value::Null);
    lab.wait_status(&begun, "completed");
    assert_eq!(lab.cloud.holder(), Some(2));
    assert_eq!(*lab.done.lock().unwrap(), [Done::Point(Some(1)), Done::Point(Some(2))]);
    assert_eq!(lab.cloud.assigns(Instant::now() - LIMIT).len(), 1);
}

#[test]
fn a_slow_assign_locks_the_address_and_refuses_the_next() {
    let lab = Fixture::new();
    lab.cloud.set(|settings| settings.apply_ms = 150);
    let begun = lab.assign(2).json();
    let shown = lab.get("/v2/floating_ips/198.51.100.10").json();
    assert_eq!(shown["floating_ip"]["locked"], true);
    assert_eq!(shown["floating_ip"]["droplet"]["id"], 1_000_001);
    let refused = lab.assign(1);
    assert_eq!(refused.status, 422);
    assert_eq!(refused.json()["id"], "unprocessable_entity");
    lab.wait_status(&begun, "completed");
    assert_eq!(lab.assign(1).status, 201);
}

#[test]
fn unassigning_leaves_the_address_with_nobody() {
    let lab = Fixture::new();
    assert_eq!(lab.call("POST", ACTIONS, r#"{"type":"unassign"}"#).status, 201);
    let shown = lab.get("/v2/reserved_ips/198.51.100.10").json();
    assert_eq!(shown["reserved_ip"]["droplet"], Value::Null);
    assert_eq!(lab.metadata(1, "/reserved_ip/ipv4/active").body, "false");
}

#[test]
fn the_metadata_service_tells_hosts_apart() {
    let lab = Fixture::new();
    assert_eq!(lab.metadata(1, "/id").body, "1000001");
    assert_eq!(lab.metadata(2, "/hostname").body, "secondary");
    assert_eq!(lab.metadata(1, "/floating_ip/ipv4/active").body, "true");
    assert_eq!(lab.metadata(2, "/floating_ip/ipv4/active").body, "false");
    assert_eq!(lab.metadata(2, "/interfaces/public/0/anchor_ipv4/address").body, "10.17.0.12");
    assert_eq!(lab.metadata(1, "/nothing").status, 404);
    assert_eq!(lab.metadata(1, "/interfaces").status, 301);
    assert!(lab.metadata(1, "/interfaces/").body.contains("public/"));
    let whole = lab.metadata(1, ".json").json();
    assert_eq!(whole["droplet_id"], 1_000_001);
    assert_eq!(whole["reserved_ip"]["ipv4"]["ip_address"], "198.51.100.10");
}

#[test]
fn lagging_metadata_shows_the_former_holder() {
    let lab = Fixture::new();
    lab.cloud.set(|settings| settings.metadata_stale_ms = 200);
    lab.assign(2);
    assert_eq!(lab.metadata(1, "/reserved_ip/ipv4/active").body, "true");
    wait_for("the metadata follow", LIMIT, || {
        let mine = lab.metadata(2, "/reserved_ip/ipv4/active").body;
        (mine == "true").then_some(())
    })
    .expect("follows");
}

#[test]
fn tokens_are_refused_by_what_they_lack() {
    let lab = Fixture::new();
    let path = "/v2/reserved_ips/198.51.100.10";
    let ask = |token: &str| lab.try_call(1, "GET", path, token, "").expect("an answer");
    assert_eq!(ask("wrong").status, 401);
    assert_eq!(ask("wrong").json()["id"], "unauthorized");
    lab.cloud.set(|settings| {
        let scopes = vec!["reserved_ip:read".to_owned()];
        settings.tokens.insert("reader".to_owned(), scopes);
    });
    let shown = ask("reader").json();
    assert!(shown["reserved_ip"].get("droplet").is_none());
    let body = json!({ "type": "assign", "droplet_id": 1_000_002 }).to_string();
    let refused = lab.try_call(1, "POST", ACTIONS, "reader", &body).expect("an answer");
    assert_eq!(refused.status, 403);
    assert_eq!(lab.cloud.holder(), Some(1));
}

#[test]
fn limits_are_told_and_kept() {
    let lab = Fixture::new();
    lab.cloud.set(|settings| settings.rate_minute = 2);
    let first = lab.get("/v2/droplets");
    assert_eq!(first.header("ratelimit-limit"), Some("5000"));
    assert_eq!(first.header("ratelimit-remaining"), Some("4999"));
    lab.get("/v2/droplets");
    let burst = lab.get("/v2/droplets");
    assert_eq!(burst.status, 429);
    assert!(burst.header("retry-after").is_some());
    assert_eq!(burst.header("ratelimit-remaining"), Some("0"));
    lab.cloud.set(|settings| {
        settings.rate_minute = 0;
        settings.rate_hour = 2;
    });
    let hourly = lab.get("/v2/droplets");
    assert_eq!(hourly.status, 429);
    assert_eq!(hourly.header("retry-after"), None);
}

#[test]
fn rules_strike_as_often_as_they_say() {
    let lab = Fixture::new();
    lab.cloud.add_rule(Rule::assign().times(2).answer(422));
    lab.cloud.add_rule(Rule::assign().times(1).fault(Fault {
        status: Some(429),
        retry_after: Some(2),
        ..Fault::default()
    }));
    let statuses: Vec<u16> = (0..4).map(|_| lab.assign(2).status).collect();
    assert_eq!(statuses, [422, 422, 429, 201]);
    assert_eq!((lab.cloud.struck(0), lab.cloud.struck(1)), (2, 1));
    assert_eq!(lab.cloud.holder(), Some(2));
}

#[test]
fn a_dropped_connection_loses_the_request_or_only_its_answer() {
    let lab = Fixture::new();
    let body = json!({ "type": "assign", "droplet_id": 1_000_002 }).to_string();
    for (when, holder) in [(When::Before, Some(1)), (When::After, Some(2))] {
        lab.cloud.clear_rules();
        lab.cloud.add_rule(Rule::assign().times(1).fault(Fault { drop: Some(when), ..Fault::default() }));
        assert_eq!(lab.try_call(1, "POST", ACTIONS, TOKEN, &body), None);
        assert_eq!(lab.cloud.holder(), holder);
    }
}

#[test]
fn a_hanging_request_is_in_the_journal_without_a_status() {
    let lab = Fixture::new();
    lab.cloud.add_rule(Rule::new("GET", "/id").fault(Fault { hang: Some(When::Before), ..Fault::default() }));
    let server = lab.cloud.addresses()[0];
    let mut stream = TcpStream::connect(server).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let text = request_text(server, "GET", "/metadata/v1/id", None, "");
    stream.write_all(text.as_bytes()).unwrap();
    assert!(stream.read(&mut [0; 1]).is_err());
    let journal = lab.cloud.journal(Instant::now() - LIMIT);
    assert!(journal.iter().any(|entry| { matches!(&entry.event, Event::Request { status: None, struck: true, .. }) }));
}

#[test]
fn an_action_can_end_badly_or_never() {
    let lab = Fixture::new();
    lab.cloud.add_rule(Rule::assign().times(1).fault(Fault { end: Some("errored".to_owned()), ..Fault::default() }));
    lab.cloud.add_rule(Rule::assign().times(1).fault(Fault { end: Some("never".to_owned()), ..Fault::default() }));
    let errored = lab.assign(2).json();
    lab.wait_status(&errored, "errored");
    let stuck = lab.assign(2).json();
    lab.wait_status(&stuck, "in-progress");
    assert_eq!(lab.cloud.holder(), Some(1));
    assert_eq!(lab.assign(2).status, 422);
}

#[test]
fn droplets_are_switched_and_their_status_may_lag() {
    let lab = Fixture::new();
    lab.cloud.set(|settings| settings.status_lag_ms = 200);
    let path = "/v2/droplets/1000002";
    let begun = lab.call("POST", &format!("{path}/actions"), r#"{"type":"power_off"}"#);
    assert_eq!(begun.status, 201);
    let id = &begun.json()["action"]["id"];
    wait_for("the action completes", LIMIT, || {
        let shown = lab.get(&format!("{path}/actions/{id}")).json();
        (shown["action"]["status"] == "completed").then_some(())
    })
    .expect("completes");
    assert_eq!(lab.get(path).json()["droplet"]["status"], "active");
    wait_for("the status follows", LIMIT, || (lab.get(path).json()["droplet"]["status"] == "off").then_some(()))
        .expect("follows");
    assert_eq!(lab.done.lock().unwrap().last(), Some(&Done::Power(2, false)));
    assert_eq!(lab.get("/v2/droplets/1000009").status, 404);
    assert_eq!(lab.get("/v2/droplets?name=SECONDARY").json()["meta"]["total"], 1);
    assert_eq!(lab.get("/v2/droplets?tag_name=ha").json()["meta"]["total"], 2);
}

#[test]
fn lists_have_pages() {
    let lab = Fixture::new();
    let page = lab.get("/v2/droplets?per_page=1").json();
    assert_eq!(page["droplets"].as_array().map(Vec::len), Some(1));
    let next = page["links"]["pages"]["next"].as_str().unwrap_or_default();
    assert!(next.ends_with("/v2/droplets?page=2&per_page=1"), "{next}");
    assert_eq!(lab.get("/v2/droplets?per_page=0").status, 400);
}

#[test]
fn either_family_and_either_region_can_be_had() {
    let lab = Fixture::new();
    lab.cloud.set(|settings| {
        settings.families = vec!["reserved_ips".to_owned()];
        settings.region_string = true;
    });
    assert_eq!(lab.get("/v2/floating_ips/198.51.100.10").status, 404);
    assert_eq!(lab.get("/v2/reserved_ips/198.51.100.11").status, 404);
    let shown = lab.get("/v2/reserved_ips/198.51.100.10").json();
    assert_eq!(shown["reserved_ip"]["region"], "nyc3");
}

#[test]
fn the_door_changes_all_or_nothing() {
    let lab = Fixture::new();
    let change = json!({
        "settings": { "latency_ms": 1 },
        "rules": [{ "method": "POST", "path": "/actions", "times": 1, "fault": { "status": 500 } }],
        "holder": "secondary",
        "droplets": { "primary": { "locked": true } },
    });
    let answer = lab.call("POST", "/_lab", &change.to_string());
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(lab.cloud.holder(), Some(2));
    assert_eq!(lab.assign(1).status, 500);
    assert_eq!(lab.assign(1).status, 422);
    for wrong in [
        r#"{"settings":{"latencyms":1},"holder":"primary"}"#,
        r#"{"holder":"nowhere"}"#,
        r#"{"unknown":1}"#,
        "nonsense",
    ] {
        let answer = lab.call("POST", "/_lab", wrong);
        assert_eq!(answer.status, 400, "{wrong}");
    }
    assert_eq!(lab.get("/_lab").json()["holder"], "secondary");
    lab.call("POST", "/_lab", r#"{"reset":true}"#);
    assert_eq!(lab.get("/_lab").json()["rules"], json!([]));
}
