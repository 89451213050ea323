//! The API over its socket, with a driver played by the test.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use hac_agents::Agents;
use hac_api::{ErrorBody, ErrorCode, route};
use hac_crm::cib::Refusal;
use hac_model::{Agent, Cib, Node, NvPair, NvSet, Primitive, Resource, Version};
use hac_node::{Now, QuorumReport, Reply, Report, Request, SyncState};
use hac_types::{Incarnation, NodeId, Timestamp, WallTime};
use hac_udp::Counters;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use super::{Api, Hub, serve};
use crate::driver::{Ask, Shared, Snapshot};
use crate::nodes::Place;
use crate::testing::{TempDir, quiet_log};

/// A server and the client's side of it.
struct Fixture {
    dir: TempDir,
    hub: Arc<Hub>,
    asks: mpsc::Receiver<Ask>,
}

impl Fixture {
    fn new() -> Self {
        let dir = TempDir::new();
        let nowhere = "http://127.0.0.1:9".to_owned();
        let options = hac_agents::Options {
            runs: dir.path().join("runs"),
            node: "primary".into(),
            node_id: 1,
            nodes: 1,
            ocf_root: dir.path().to_owned(),
            fence_agents: dir.path().to_owned(),
            tools: None,
            environment: BTreeMap::new(),
            prefer_script: false,
            native: Vec::new(),
            script: Vec::new(),
            api_url: nowhere.clone(),
            metadata_url: nowhere,
        };
        let (sender, asks) = mpsc::channel(8);
        let hub = Arc::new(Hub::new(super::Teller::default(), None, None));
        let shared = Arc::new(Shared::default());
        shared.count(Counters { unlisted: 3, ..Counters::default() });
        let (snapshots, agents) = (watch::channel(Arc::new(look())).1, Arc::new(Agents::new(options)));
        let place = Place {
            node: NodeId(1),
            name: "n1".to_owned(),
            nodes: Vec::new(),
            addresses: vec![Ipv4Addr::LOCALHOST.into()],
            ports: vec![0],
            config: dir.path().join("hacd.toml"),
            authkey: dir.path().join("authkey"),
            state: dir.path().to_owned(),
            quorum: hac_quorum::Config::new(NodeId(1), Vec::new()),
        };
        let handle = tokio::runtime::Handle::current();
        let alerts = Arc::new(crate::alerts::Alerts::new("n1".to_owned(), Arc::clone(&agents), handle));
        let api = Api::new(
            (sender, snapshots),
            Arc::clone(&hub),
            (agents, alerts),
            Arc::new(place),
            shared,
            quiet_log(),
            None,
        );
        serve(&dir.path().join("sock"), api).expect("listens");
        Self { dir, hub, asks }
    }

    fn client(&self) -> reqwest::Client {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let socket = self.dir.path().join("sock");
        reqwest::Client::builder().unix_socket(socket).tls_certs_only([]).build().expect("a client")
    }

    fn get(&self, path: &str) -> reqwest::RequestBuilder {
        self.client().get(format!("http://hacd{path}"))
    }

    fn post(&self, path: &str, body: &Value) -> reqwest::RequestBuilder {
        self.client().post(format!("http://hacd{path}")).json(body)
    }

    /// Sends a request and plays the driver meanwhile.
    async fn exchange(
        &mut self,
        request: reqwest::RequestBuilder,
        mut driver: impl FnMut(Request) -> Reply,
    ) -> (u16, Value) {
        let sent = tokio::spawn(request.timeout(Duration::from_secs(5)).send());
        tokio::pin!(sent);
        loop {
            tokio::select! {
                response = &mut sent => {
                    let response = response.expect("runs").expect("answers");
                    let status = response.status().as_u16();
                    return (status, response.json().await.expect("is JSON"));
                }
                Some(ask) = self.asks.recv() => match ask {
                    Ask::Look(reply) => {
                        let _ = reply.send(());
                    }
                    Ask::Request { request, reply } => drop(reply.send(driver(request))),
                },
            }
        }
    }
}

fn look() -> Snapshot {
    let mut cib = Cib { version: Version { admin_epoch: 0, epoch: 4, num_updates: 2 }, ..Cib::default() };
    let token = NvPair { name: "do_token".into(), value: Some("hunter2".into()), ..NvPair::default() };
    let params = vec![NvSet { pairs: vec![token], ..NvSet::default() }];
    cib.configuration.resources.push(Resource::Primitive(Primitive {
        id: "Nginx".into(),
        agent: Agent { class: "ocf".into(), provider: Some("heartbeat".into()), kind: "nginx".into() },
        params,
        ..Primitive::default()
    }));
    cib.configuration.nodes.push(Node { id: "1".into(), uname: "n1".into(), ..Node::default() });
    let report = Report {
        cluster_name: "lb".into(),
        name: "primary".into(),
        node: NodeId(1),
        incarnation: Incarnation(1),
        version: "0".into(),
        now: WallTime(5),
        started: WallTime(1),
        ring: None,
        sync: SyncState::Active,
        compared: true,
        members: Vec::new(),
        quorum: QuorumReport { waiting_for: Some("secondary has not been seen yet".into()), ..QuorumReport::default() },
        dc: Some("primary".into()),
        dc_version: None,
        settled: true,
        waiting_for: Vec::new(),
        problems: Vec::new(),
        keys: hac_node::KeyReport::default(),
        cluster: hac_node::ClusterConfig::default(),
        levels: hac_types::LevelWindow::KNOWN,
        away: Vec::new(),
        lost: Vec::new(),
        cib_version: cib.version,
        counters: Vec::new(),
    };
    Snapshot::first(report, Arc::new(cib))
}

fn unexpected(request: Request) -> Reply {
    panic!("nobody asked for {request:?}")
}

#[tokio::test]
async fn status_and_cib_hide_secrets_unless_they_are_asked_for() {
    let mut fixture = Fixture::new();
    let (code, status) = fixture.exchange(fixture.get(route::STATUS), unexpected).await;
    assert_eq!((code, &status["node"], &status["dc"]), (200, &json!("primary"), &json!("primary")));
    assert!(!status.to_string().contains("hunter2") && status.to_string().contains("********"));
    assert!(status["counters"].as_array().expect("a list").contains(&json!({"name": "udp.unlisted", "value": 3})));
    let (_, cib) = fixture.exchange(fixture.get(route::CIB), unexpected).await;
    assert!(!cib.to_string().contains("hunter2"));
    assert_eq!(cib["version"]["epoch"], 4);
    let (_, cib) = fixture.exchange(fixture.get("/v1/cib?secrets=true"), unexpected).await;
    assert!(cib.to_string().contains("hunter2"));
}

#[tokio::test]
async fn explanations_come_as_values_and_as_text_with_what_is_under_way() {
    let mut fixture = Fixture::new();
    let now = Now { mono: Timestamp::from_millis(7), wall: WallTime(1000) };
    let decisions = vec!["Start Nginx (primary) because it is to run".to_owned()];
    fixture.hub.publish_own(&hac_node::Event::Transition { number: 4, actions: 2, decisions }, now);
    let (code, answer) = fixture.exchange(fixture.get("/v1/explain?name=Nginx"), unexpected).await;
    assert_eq!((code, &answer["explanation"]["about"]), (200, &json!("resource")), "{answer}");
    assert!(answer["text"].as_str().expect("is text").contains("Nginx"), "{answer}");
    assert!(!answer.to_string().contains("hunter2"));
    assert_eq!(answer["waiting_for"], json!(["secondary has not been seen yet"]));
    let last = &answer["last_transition"];
    assert_eq!((&last["number"], &last["end"], &last["time_ms"]), (&json!(4), &Value::Null, &json!(1000)));
    let end = hac_node::Event::TransitionEnded { number: 4, end: "complete".into(), problems: Vec::new() };
    fixture.hub.publish_own(&end, now);
    let (code, answer) = fixture.exchange(fixture.get(route::EXPLAIN), unexpected).await;
    assert_eq!((code, &answer["explanation"]["about"]), (200, &json!("cluster")));
    assert_eq!(answer["last_transition"]["end"], "complete");
    let (code, answer) = fixture.exchange(fixture.get("/v1/explain?kind=node&name=n1"), unexpected).await;
    assert_eq!((code, &answer["explanation"]["about"]), (200, &json!("node")));
}

#[tokio::test]
async fn what_cannot_be_explained_is_refused_with_a_remedy() {
    let mut fixture = Fixture::new();
    for (query, status, code, message) in [
        ("name=Ngin", 404, "no_such", "there is no resource or node Ngin"),
        ("name=Nginx&kind=node", 404, "no_such", "there is no node Nginx"),
        ("kind=node", 400, "usage", "a kind needs a name"),
        ("kind=pod&name=x", 400, "usage", "kind"),
    ] {
        let (got, body) = fixture.exchange(fixture.get(&format!("/v1/explain?{query}")), unexpected).await;
        assert_eq!((got, &body["code"]), (status, &json!(code)), "{query}: {body}");
        assert!(body["message"].as_str().expect("a sentence").contains(message), "{query}: {body}");
    }
    let (_, body) = fixture.exchange(fixture.get("/v1/explain?name=Ngin"), unexpected).await;
    assert_eq!(body["remedy"], "Did you mean Nginx? There are: Nginx, n1.");
}

#[tokio::test]
async fn a_change_goes_to_the_node_with_origin_client_and_user() {
    let mut fixture = Fixture::new();
    let change = json!({"SetProperties": {"section": "CrmConfig", "set": null, "pairs": [["a", "b"]]}});
    let order = json!({"changes": [change], "base": {"admin_epoch": 0, "epoch": 4, "num_updates": 0},
        "client": "crm", "wait_ms": 10});
    let request = fixture.post(route::CONFIGURE, &order);
    let (code, answer) = fixture
        .exchange(request, |request| match request {
            Request::Configure(configure) => {
                assert_eq!((configure.origin.as_str(), configure.client.as_str()), ("primary", "crm"));
                let caller = rustix::process::getuid();
                let name = if caller.is_root() { "root".to_owned() } else { format!("uid {}", caller.as_raw()) };
                assert_eq!(configure.user, name);
                assert_eq!(configure.base.map(|base| base.epoch), Some(4));
                assert_eq!(configure.changes.len(), 1);
                let version = Version { admin_epoch: 0, epoch: 5, num_updates: 0 };
                Reply::Done { version, warnings: vec!["mind the gap".into()] }
            }
            Request::Settle { timeout } => {
                assert_eq!(timeout, Duration::from_millis(10));
                Reply::Settled { settled: false, waiting_for: vec!["a start".into()] }
            }
            other => unexpected(other),
        })
        .await;
    assert_eq!((code, &answer["version"]["epoch"]), (200, &json!(5)));
    assert_eq!(answer["findings"][0]["sentence"], "mind the gap");
    assert_eq!(answer["settled"], json!({"settled": false, "waiting_for": ["a start"]}));
}

#[tokio::test]
async fn what_the_cluster_refuses_comes_back_with_sentence_remedy_and_code() {
    let mut fixture = Fixture::new();
    type Kind = fn(Refusal) -> Reply;
    let table = [
        (Reply::Refused as Kind, ErrorCode::Invalid, 422),
        (Reply::TooLarge, ErrorCode::Invalid, 413),
        (Reply::NotStored, ErrorCode::Storage, 507),
        (Reply::NoQuorum, ErrorCode::Quorum, 503),
        (Reply::Unavailable, ErrorCode::Unavailable, 503),
        (Reply::TimedOut, ErrorCode::Timeout, 504),
    ];
    for (reply, code, status) in table {
        let order = json!({"command": "cleanup", "resource": "X"});
        let request = fixture.post(route::COMMAND, &order);
        let (got, body) = fixture.exchange(request, |_| reply(Refusal::new("no X", "make it"))).await;
        let body: ErrorBody = serde_json::from_value(body).expect("an error");
        assert_eq!((got, body.code, body.message.as_str()), (status, code, "no X"));
        assert_eq!(body.remedy.as_deref(), Some("Make it."));
    }
}

#[tokio::test]
async fn nonsense_is_refused_before_the_node_hears_of_it() {
    let mut fixture = Fixture::new();
    for (path, body) in [
        (route::CONFIGURE, json!({"changes": [{"Explode": {}}]})),
        (route::CONFIGURE, json!({"changes": 1})),
        (route::COMMAND, json!({"command": "dance"})),
        ("/v1/nothing", json!({})),
        (route::STATUS, json!({})),
        (route::SETTLE, json!([])),
    ] {
        let request = fixture.post(path, &body);
        let (code, answer) = fixture.exchange(request, unexpected).await;
        assert_eq!((code, &answer["code"]), (400, &json!("usage")), "{path} {body}");
    }
    for path in [
        "/v1/events?since=-1",
        "/v1/status?view=perhaps",
        "/v1/cib?secrets=2",
        "/v1/history?last=all",
        "/v1/explain?kind=thing",
        "/v1/past?at=a&at=b",
        "/v1/attributes?name=a&name=b",
    ] {
        let request = fixture.get(path);
        let (code, answer) = fixture.exchange(request, unexpected).await;
        assert_eq!((code, &answer["code"]), (400, &json!("usage")), "{path}");
    }
    let big = json!({"changes": ["x".repeat(hac_api::MAX_REQUEST)]});
    let request = fixture.post(route::CONFIGURE, &big);
    let (code, answer) = fixture.exchange(request, unexpected).await;
    assert_eq!((code, &answer["code"]), (413, &json!("invalid")));
    assert!(answer["message"].as_str().is_some_and(|message| message.contains("16 MiB")), "{answer}");
}

/// A client that talks to the socket itself gets the same judgement as one that uses `hacctl`.
#[tokio::test]
async fn what_is_wrong_is_refused_before_the_node_hears_of_it() {
    let mut fixture = Fixture::new();
    let property = |name: &str, value: &str| json!({"changes": [{"SetProperties": {"section": "CrmConfig", "set": null, "pairs": [[name, value]]}}]});
    let request = fixture.post(route::CONFIGURE, &property("maintenance-mode", "sometimes"));
    let (code, answer) = fixture.exchange(request, unexpected).await;
    assert_eq!((code, &answer["code"]), (ErrorCode::Invalid.http_status(), &json!("invalid")), "{answer}");
    assert_eq!(ErrorCode::Invalid.exit_code(), 78);
    let message = answer["message"].as_str().unwrap_or_default();
    assert!(message.ends_with("\"sometimes\" is no value for maintenance-mode"), "{answer}");
    assert_eq!(answer["remedy"], "Say true or false.");

    let request = fixture.post(route::CONFIGURE, &property("stonith-enable", "false"));
    let done = |_| Reply::Done { version: Version::default(), warnings: Vec::new() };
    let (code, answer) = fixture.exchange(request, done).await;
    assert_eq!(code, 200, "{answer}");
    assert_eq!(
        answer["findings"][0],
        json!({
            "severity": "warning",
            "subject": "stonith-enable",
            "sentence": "stonith-enable: no such cluster property is known, it has no effect",
            "remedy": "Did you mean stonith-enabled? 'hacctl configure property stonith-enable=' removes it.",
        })
    );
}

#[tokio::test]
async fn events_are_numbered_remembered_and_followed() {
    let fixture = Fixture::new();
    let now = Now { mono: Timestamp::from_millis(7), wall: WallTime(1000) };
    let remark = |text: &str| hac_node::Event::Remark { level: hac_node::Level::Notice, text: text.into() };
    fixture.hub.publish_own(&remark("one"), now);
    fixture.hub.publish_own(&remark("two"), now);
    let past = fixture.get("/v1/events?since=1&no_follow=true").send().await.expect("answers");
    let past = past.text().await.expect("ends");
    assert!(past.contains("id: 2\n") && past.contains("event: remark\n") && !past.contains("id: 1\n"), "{past}");
    let mut stream = fixture.get(route::EVENTS).send().await.expect("answers");
    fixture.hub.publish_own(&remark("three"), now);
    let piece = tokio::time::timeout(Duration::from_secs(5), stream.chunk()).await.expect("in time");
    let piece = String::from_utf8(piece.expect("works").expect("there is more").to_vec()).expect("is text");
    assert!(piece.contains("id: 3\n"), "{piece}");
    let data = piece.lines().find_map(|line| line.strip_prefix("data: ")).expect("has data");
    let event: hac_api::Event = serde_json::from_str(data).expect("is an event");
    assert_eq!((event.text.as_str(), event.level, event.time_ms), ("three", hac_api::Level::Notice, 1000));
}

#[tokio::test]
async fn agents_are_listed_and_described() {
    let mut fixture = Fixture::new();
    let (_, list) = fixture.exchange(fixture.get(route::AGENTS), unexpected).await;
    let names = list["agents"].as_array().expect("a list").iter().filter_map(|a| a["name"].as_str());
    // Scripts of init and units are those of the machine.
    let names: Vec<&str> = names.filter(|name| name.starts_with("ocf:")).collect();
    assert_eq!(names, ["ocf:digitalocean:floatip", "ocf:heartbeat:nginx"]);
    let (_, one) = fixture.exchange(fixture.get("/v1/agents?agent=ocf:digitalocean:floatip"), unexpected).await;
    let required: Vec<&str> = one["parameters"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|parameter| parameter["required"] == true)
        .filter_map(|parameter| parameter["name"].as_str())
        .collect();
    assert_eq!(required, ["do_token", "floating_ip"]);
    let (code, _) = fixture.exchange(fixture.get("/v1/agents?agent=ocf:x:y"), unexpected).await;
    assert_eq!(code, 404);
}

#[test]
fn a_view_that_is_text_has_its_place_in_a_status() {
    let status = hac_api::Status {
        cluster_name: r#"a "view":null"#.to_owned(),
        waiting_for: vec![r#""view":null"#.to_owned()],
        ..hac_api::Status::default()
    };
    let view = json!({ "nodes": [{ "view": null }] });
    let text = super::convert::text(&status, Some(&view.to_string())).expect("text");
    let read: hac_api::Status = serde_json::from_str(&text).expect("read");
    assert_eq!(read, hac_api::Status { view, ..status.clone() });
    let read: hac_api::Status =
        serde_json::from_str(&super::convert::text(&status, None).expect("text")).expect("read");
    assert_eq!(read, status);
}
