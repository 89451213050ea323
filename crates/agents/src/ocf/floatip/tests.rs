//! Against a stand-in on loopback that answers from a script.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Method, Request, Response};
use hac_model::{Agent, InvocationId};

use super::*;
use crate::Options;
use crate::cloud::Trouble;

const IP: &str = "203.0.113.25";
const TOKEN: &str = "dop_v1_secret";
const OWN: u64 = 1_000_001;

/// What the stand-in does with a POST.
#[derive(Clone, Copy, Debug)]
enum Do {
    /// Assigns; the action is completed after this many looks.
    Assign(u32),
    /// Assigns and drops the connection without an answer.
    AssignAndDrop,
    /// Answers with this status and `retry-after`.
    Refuse(u16, Option<u32>),
    /// Accepts, but the action ends as errored.
    Error,
    /// Never answers.
    Hang,
    /// Accepts, and the action never ends.
    Endless,
    /// Answers with this text, as something in between does.
    Says(u16, &'static str),
}

/// The cloud.
#[derive(Debug, Default)]
struct Cloud {
    script: VecDeque<Do>,
    /// Refusals of requests that read: status, and seconds to wait.
    reads_refused: VecDeque<(u16, Option<u32>)>,
    droplet: Option<u64>,
    looks: u32,
    errored: bool,
    /// 404 for the new names.
    floating_only: bool,
    /// Metadata never shows a change.
    metadata_lags: bool,
    metadata_down: bool,
    /// Metadata are asked for behind a portal that wants people to log in.
    portal: bool,
    api_down: bool,
    /// The API shows no droplets.
    blind: bool,
    /// What the API says of the droplet that has the address.
    droplet_status: Option<&'static str>,
    /// Looks at an action are answered with 429 and this `retry-after`.
    look_refused: Option<&'static str>,
    /// Looks at an action are answered with this status.
    unseen: Option<u16>,
    /// The id of actions, as it stands in the answers.
    action_id: Option<&'static str>,
    /// The id of this droplet, as the metadata service gives it.
    own: Option<&'static str>,
    posts: u32,
    /// Requests for actions.
    looked: u32,
    gets: u32,
    tokens: Vec<String>,
}

type Shared = Arc<Mutex<Cloud>>;

fn answer(status: u16, body: &str) -> Response<Body> {
    Response::builder().status(status).body(Body::from(body.to_owned())).expect("an answer")
}

fn metadata(cloud: &Cloud, path: &str) -> Response<Body> {
    let here = cloud.droplet == Some(OWN) && !cloud.metadata_lags;
    match path {
        _ if cloud.metadata_down => answer(500, ""),
        "id" if cloud.portal => answer(200, cloud.own.unwrap_or(&OWN.to_string())),
        _ if cloud.portal => answer(200, "<html>Please log in</html>"),
        "id" => answer(200, cloud.own.unwrap_or(&OWN.to_string())),
        _ if path.starts_with("reserved_ip") && cloud.floating_only => answer(404, ""),
        _ if path.ends_with("active") => answer(200, if here { "true" } else { "false" }),
        _ if path.ends_with("ip_address") => answer(200, IP),
        _ => answer(404, ""),
    }
}

fn action(cloud: &mut Cloud) -> Response<Body> {
    cloud.looked += 1;
    if let Some(wait) = cloud.look_refused {
        let mut refusal = answer(429, r#"{"id":"too_many_requests","message":"slow down"}"#);
        refusal.headers_mut().insert("retry-after", wait.parse().expect("a header"));
        return refusal;
    }
    if let Some(status) = cloud.unseen {
        return answer(status, r#"{"id":"x","message":"no"}"#);
    }
    let status = if cloud.errored {
        "errored"
    } else if cloud.looks == 0 {
        "completed"
    } else {
        cloud.looks -= 1;
        "in-progress"
    };
    answer(200, &format!(r#"{{"action":{{"id":7,"status":"{status}","region":"nyc3"}}}}"#))
}

fn refusal(status: u16, after: Option<u32>) -> Response<Body> {
    let mut refusal = answer(status, r#"{"id":"x","message":"You do not have access for the attempted action."}"#);
    if let Some(after) = after {
        refusal.headers_mut().insert("retry-after", after.into());
    }
    refusal
}

fn post(cloud: &mut Cloud) -> Option<Response<Body>> {
    cloud.posts += 1;
    let id = cloud.action_id.unwrap_or("7");
    let created = &format!(r#"{{"action":{{"id":{id},"status":"in-progress"}}}}"#);
    match cloud.script.pop_front().unwrap_or(Do::Assign(0)) {
        Do::Assign(looks) => {
            cloud.droplet = Some(OWN);
            cloud.looks = looks;
            cloud.errored = false;
            Some(answer(201, created))
        }
        Do::AssignAndDrop => {
            cloud.droplet = Some(OWN);
            // A body that breaks off is what a dropped connection looks like to the client.
            let broken = futures_util::stream::iter([Ok("{\"act"), Err(std::io::Error::other("dropped"))]);
            Some(Response::builder().status(201).body(Body::from_stream(broken)).expect("an answer"))
        }
        Do::Error => {
            cloud.errored = true;
            Some(answer(201, created))
        }
        Do::Refuse(status, after) => Some(refusal(status, after)),
        Do::Hang => None,
        Do::Endless => {
            cloud.looks = u32::MAX;
            Some(answer(201, created))
        }
        Do::Says(status, text) => Some(answer(status, text)),
    }
}

async fn serve(State(cloud): State<Shared>, request: Request<Body>) -> Response<Body> {
    let path = request.uri().path().to_owned();
    let reply = {
        let mut cloud = lock(&cloud);
        if let Some(path) = path.strip_prefix("/metadata/v1/") {
            return metadata(&cloud, path);
        }
        let token = request.headers().get("authorization").and_then(|t| t.to_str().ok()).unwrap_or("").to_owned();
        cloud.tokens.push(token);
        if cloud.api_down {
            Some(answer(503, ""))
        } else if path.contains("reserved_ips") && cloud.floating_only {
            Some(answer(404, r#"{"id":"not_found","message":"The resource you requested could not be found."}"#))
        } else if request.method() == Method::POST {
            post(&mut cloud)
        } else if path.contains("/actions/") {
            Some(action(&mut cloud))
        } else if let Some((status, after)) = cloud.reads_refused.pop_front() {
            cloud.gets += 1;
            Some(refusal(status, after))
        } else {
            cloud.gets += 1;
            let status = cloud.droplet_status.unwrap_or("active");
            let seen = cloud.droplet.filter(|_| !cloud.blind);
            let droplet = seen.map_or_else(|| "null".to_owned(), |id| format!(r#"{{"id":{id},"status":"{status}"}}"#));
            let key = if path.contains("reserved") { "reserved_ip" } else { "floating_ip" };
            Some(answer(200, &format!(r#"{{"{key}":{{"ip":"{IP}","locked":false,"droplet":{droplet}}}}}"#)))
        }
    };
    match reply {
        Some(reply) => reply,
        None => std::future::pending().await,
    }
}

fn agent(api_url: String, metadata_url: String) -> FloatIp {
    FloatIp::new(Arc::new(crate::cloud::Cloud::new(&Options {
        api_url,
        metadata_url,
        ..crate::testing::options("/nowhere")
    })))
}

/// A stand-in and an agent that talks to it.
async fn lab(cloud: Cloud) -> (Shared, FloatIp) {
    let shared: Shared = Arc::new(Mutex::new(cloud));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let router = Router::new().fallback(serve).with_state(Arc::clone(&shared));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (shared, agent(url.clone(), url))
}

fn invocation(action: &str, interval_ms: u64) -> Invocation {
    Invocation {
        id: InvocationId(1),
        node: "primary".into(),
        migration: None,
        fencing: None,
        resource: "FloatIP".into(),
        instance: "FloatIP".into(),
        agent: Agent { class: "ocf".into(), provider: Some("digitalocean".into()), kind: "floatip".into() },
        action: action.into(),
        interval_ms,
        timeout: Duration::from_secs(20),
        expected_rc: 0,
        params: BTreeMap::from([
            ("do_token".into(), TOKEN.into()),
            ("floating_ip".into(), IP.into()),
            ("api_check_interval".into(), "0".into()),
        ]),
        meta: BTreeMap::new(),
    }
}

async fn start(script: &[Do]) -> (Shared, Finished) {
    let (cloud, agent) = lab(Cloud { script: script.iter().copied().collect(), ..Cloud::default() }).await;
    let invocation = invocation("start", 0);
    let finished =
        tokio::time::timeout(Duration::from_secs(20), agent.run(&invocation)).await.expect("within the timeout");
    (cloud, finished)
}

#[tokio::test]
async fn a_start_assigns_the_address_and_waits_for_the_end_of_the_action() {
    let (cloud, agent) = lab(Cloud { metadata_lags: true, script: [Do::Assign(3)].into(), ..Cloud::default() }).await;
    assert_eq!(agent.run(&invocation("start", 0)).await, Finished::with(Exit::Success));
    let cloud = lock(&cloud);
    assert_eq!((cloud.droplet, cloud.looks, cloud.posts), (Some(OWN), 0, 1));
    assert!(cloud.tokens.iter().all(|token| *token == format!("Bearer {TOKEN}")));
}

#[tokio::test]
async fn refusals_that_pass_do_not_stop_a_start() {
    for script in [
        &[Do::Refuse(422, None), Do::Refuse(422, None)][..],
        &[Do::Refuse(429, Some(1))],
        &[Do::Refuse(429, None)],
        &[Do::Refuse(500, None), Do::Refuse(503, None)],
        &[Do::Error],
    ] {
        let (cloud, finished) = start(script).await;
        assert_eq!(finished, Finished::with(Exit::Success), "{script:?}");
        let posts = u32::try_from(script.len()).expect("few") + 1;
        let cloud = lock(&cloud);
        assert_eq!((cloud.droplet, cloud.posts), (Some(OWN), posts), "{script:?}");
    }
}

#[tokio::test]
async fn a_start_that_runs_out_of_time_says_what_it_met_with() {
    let (_, agent) = lab(Cloud { script: [Do::Refuse(503, None); 20].into(), ..Cloud::default() }).await;
    let short = Invocation { timeout: Duration::from_millis(900), ..invocation("start", 0) };
    let finished = agent.run(&short).await;
    assert_eq!(finished.rc, 1);
    assert_eq!(finished.exit_reason.as_deref(), Some("203.0.113.25 could not be assigned: the API failed (503)"));
}

#[tokio::test]
async fn a_hang_costs_one_request_and_the_address_arrives() {
    let (cloud, finished) = start(&[Do::Hang]).await;
    assert_eq!(finished, Finished::with(Exit::Success));
    assert_eq!(lock(&cloud).posts, 2);
}

#[tokio::test]
async fn a_lost_reply_is_looked_up_and_not_repeated() {
    let (cloud, finished) = start(&[Do::AssignAndDrop]).await;
    assert_eq!(finished, Finished::with(Exit::Success));
    assert_eq!(lock(&cloud).posts, 1);
}

#[tokio::test]
async fn refusals_that_do_not_pass_end_a_start_at_once_and_say_which() {
    for (status, rc, words) in [
        (401, 4, "the API refused the token (401)"),
        (403, 4, "the API does not allow the token to do this (403): You do not have access for the attempted action."),
        (404, 2, "(404)"),
    ] {
        // A 404 of one family is asked again of the other.
        let (cloud, finished) = start(&[Do::Refuse(status, None), Do::Refuse(status, None)]).await;
        assert_eq!(finished.rc, rc);
        let reason = finished.exit_reason.expect("a reason");
        assert!(reason.contains(words), "{reason}");
        assert!(!reason.contains(TOKEN));
        assert!(lock(&cloud).posts <= 2);
    }
}

#[tokio::test]
async fn the_old_names_work_where_the_new_ones_do_not() {
    let (cloud, agent) = lab(Cloud { floating_only: true, ..Cloud::default() }).await;
    assert_eq!(agent.run(&invocation("start", 0)).await, Finished::with(Exit::Success));
    assert_eq!(agent.run(&invocation("monitor", 10_000)).await, Finished::with(Exit::Success));
    assert_eq!(lock(&cloud).droplet, Some(OWN));
}

#[tokio::test]
async fn a_probe_asks_the_metadata_service_alone() {
    let (cloud, agent) = lab(Cloud { droplet: Some(OWN), ..Cloud::default() }).await;
    assert_eq!(agent.run(&invocation("monitor", 0)).await, Finished::with(Exit::Success));
    lock(&cloud).droplet = Some(OWN + 1);
    assert_eq!(agent.run(&invocation("monitor", 0)).await, Finished::with(Exit::NotRunning));
    assert_eq!(lock(&cloud).gets, 0);
}

#[tokio::test]
async fn a_moved_address_is_noticed_by_the_api_when_metadata_lags() {
    let (cloud, agent) = lab(Cloud { droplet: Some(OWN), ..Cloud::default() }).await;
    assert_eq!(agent.run(&invocation("monitor", 10_000)).await, Finished::with(Exit::Success));
    // Metadata still shows it here, the API knows better.
    let lagging = Cloud { droplet: Some(OWN), ..Cloud::default() };
    let (other, _) = lab(lagging).await;
    lock(&cloud).droplet = Some(OWN + 1);
    let metadata_url = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let router = Router::new().fallback(serve).with_state(Arc::clone(&other));
        tokio::spawn(async move { axum::serve(listener, router).await });
        url
    };
    let agent = self::agent(agent.cloud.api_url().to_owned(), metadata_url);
    let finished = agent.run(&invocation("monitor", 10_000)).await;
    assert_eq!(finished.rc, 7);
    assert!(finished.exit_reason.expect("a reason").contains(&(OWN + 1).to_string()));
}

#[tokio::test]
async fn metadata_that_lag_behind_a_start_fail_no_monitor() {
    let (cloud, agent) = lab(Cloud { droplet: Some(OWN), metadata_lags: true, ..Cloud::default() }).await;
    assert_eq!(agent.run(&invocation("monitor", 10_000)).await, Finished::with(Exit::Success));
    lock(&cloud).droplet = Some(OWN + 1);
    assert_eq!(agent.run(&invocation("monitor", 10_000)).await.rc, 7);
}

#[tokio::test]
async fn an_outage_of_the_control_plane_fails_no_monitor() {
    let down = Cloud { droplet: Some(OWN), metadata_down: true, api_down: true, ..Cloud::default() };
    let (_, agent) = lab(down).await;
    assert_eq!(agent.run(&invocation("monitor", 10_000)).await, Finished::with(Exit::Success));
    assert_eq!(agent.run(&invocation("monitor", 0)).await, Finished::with(Exit::NotRunning));
}

#[tokio::test]
async fn parameters_that_cannot_be_right_are_refused_before_anything_is_sent() {
    let (cloud, agent) = lab(Cloud::default()).await;
    for (name, value) in [("do_token", ""), ("do_token", "two words\n"), ("floating_ip", "nowhere")] {
        let mut wrong = invocation("start", 0);
        wrong.params.insert(name.into(), value.into());
        let finished = agent.run(&wrong).await;
        assert_eq!(finished.rc, 6, "{name}={value}");
        assert!(finished.exit_reason.expect("a reason").contains(name));
    }
    assert_eq!(lock(&cloud).tokens.len(), 0);
}

#[tokio::test]
async fn a_token_that_may_not_see_droplets_says_nothing() {
    let (cloud, agent) = lab(Cloud { droplet: Some(OWN), blind: true, ..Cloud::default() }).await;
    assert_eq!(agent.run(&invocation("monitor", 10_000)).await, Finished::with(Exit::Success));
    lock(&cloud).metadata_down = true;
    assert_eq!(agent.run(&invocation("monitor", 10_000)).await, Finished::with(Exit::Success));
    // Unless metadata say no as well.
    *lock(&cloud) = Cloud { droplet: Some(OWN + 1), blind: true, ..Cloud::default() };
    assert_eq!(agent.run(&invocation("monitor", 10_000)).await.rc, 7);
}

#[tokio::test]
async fn what_the_api_asks_for_holds_while_an_action_is_watched_and_for_the_next_start() {
    let (cloud, agent) =
        lab(Cloud { metadata_lags: true, script: [Do::Endless].into(), look_refused: Some("30"), ..Cloud::default() })
            .await;
    let short = Invocation { timeout: Duration::from_secs(3), ..invocation("start", 0) };
    let begin = Instant::now();
    let finished = agent.run(&short).await;
    assert!(begin.elapsed() < short.timeout);
    assert!(finished.retry_after.is_some_and(|wait| wait > Duration::from_secs(25)), "{finished:?}");
    assert_eq!(agent.run(&short).await.rc, 1);
    assert_eq!(agent.run(&invocation("monitor", 10_000)).await.rc, 7);
    let cloud = lock(&cloud);
    assert_eq!((cloud.posts, cloud.looked, cloud.gets), (1, 1, 0));
}

#[tokio::test]
async fn an_absurd_wait_ends_the_start_and_nothing_else() {
    for wait in ["18446744073709551615", "-1e300", "1e999", "Fri, 31 Dec 9999 23:59:59 GMT", "\u{7f}"] {
        let Ok(header) = wait.parse() else { continue };
        let _: axum::http::HeaderValue = header;
        let (_, agent) =
            lab(Cloud { script: [Do::Endless].into(), look_refused: Some(wait), ..Cloud::default() }).await;
        let short = Invocation { timeout: Duration::from_millis(900), ..invocation("start", 0) };
        assert_eq!(agent.run(&short).await.rc, 1, "{wait}");
        let endless = Invocation { timeout: Duration::MAX, ..invocation("monitor", 0) };
        assert_eq!(agent.run(&endless).await.rc, 7, "{wait}");
    }
}

#[tokio::test]
async fn an_action_that_does_not_end_is_gone_on_with_by_the_next_start() {
    let (cloud, agent) = lab(Cloud { metadata_lags: true, script: [Do::Endless].into(), ..Cloud::default() }).await;
    let short = Invocation { timeout: Duration::from_millis(900), ..invocation("start", 0) };
    let finished = agent.run(&short).await;
    assert_eq!(finished.exit_reason.as_deref(), Some("203.0.113.25 could not be assigned: action 7 has not ended"));
    assert!(finished.retry_after.is_some());
    (lock(&cloud).looks, lock(&cloud).droplet) = (1, Some(OWN));
    assert_eq!(agent.run(&invocation("start", 0)).await, Finished::with(Exit::Success));
    assert_eq!(lock(&cloud).posts, 1);
}

#[tokio::test]
async fn an_action_that_ended_as_errored_is_ordered_again_also_after_the_time_is_up() {
    let (cloud, agent) = lab(Cloud { script: [Do::Error; 40].into(), ..Cloud::default() }).await;
    let short = Invocation { timeout: Duration::from_secs(2), ..invocation("start", 0) };
    let finished = agent.run(&short).await;
    assert!(finished.retry_after.is_some(), "{finished:?}");
    assert!(finished.exit_reason.as_deref().is_some_and(|why| why.ends_with("the action ended without success")));
    assert!((2..20).contains(&lock(&cloud).posts), "{}", lock(&cloud).posts);
    lock(&cloud).script.clear();
    assert_eq!(agent.run(&invocation("start", 0)).await, Finished::with(Exit::Success));
}

#[tokio::test]
async fn an_action_that_cannot_be_looked_at_is_no_refusal() {
    for status in [403, 404, 410] {
        let (cloud, agent) = lab(Cloud { metadata_lags: true, unseen: Some(status), ..Cloud::default() }).await;
        assert_eq!(agent.run(&invocation("start", 0)).await, Finished::with(Exit::Success), "{status}");
        assert_eq!(lock(&cloud).posts, 1, "the assignment is read before it is asked for again");
    }
}

#[tokio::test]
async fn numbers_that_are_none_stop_nobody() {
    for id in ["-1", "7.5", "1e40", "18446744073709551616", "null", "\"7\"", "[]", "1e400", "18446744073709551615"] {
        let (_, agent) = lab(Cloud { action_id: Some(id), ..Cloud::default() }).await;
        assert_eq!(agent.run(&invocation("start", 0)).await, Finished::with(Exit::Success), "action {id}");
    }
    for id in ["0", "-1", "1.5", "18446744073709551616", "", "none", "\u{1b}[2J"] {
        let (cloud, agent) = lab(Cloud { own: Some(id), ..Cloud::default() }).await;
        let short = Invocation { timeout: Duration::from_millis(600), ..invocation("start", 0) };
        let finished = agent.run(&short).await;
        assert!(finished.retry_after.is_some(), "droplet {id}: {finished:?}");
        assert!(!finished.exit_reason.unwrap_or_default().contains('\u{1b}'), "{id}");
        assert_eq!(lock(&cloud).posts, 0, "droplet {id}");
    }
}

#[tokio::test]
async fn a_page_of_a_proxy_is_no_refusal_of_the_api() {
    for status in [200, 302, 401, 403, 404, 407, 409, 451] {
        for text in ["<html>Please log in</html>", "404 page not found", "no healthy upstream", "", "\"denied\"", "\0"]
        {
            let (_, finished) = start(&[Do::Says(status, text)]).await;
            assert_eq!(finished, Finished::with(Exit::Success), "{status} {text}");
        }
    }
    // For both names: nobody said that there is no such address.
    let (_, agent) = lab(Cloud { script: [Do::Says(404, "404 page not found"); 40].into(), ..Cloud::default() }).await;
    let short = Invocation { timeout: Duration::from_millis(900), ..invocation("start", 0) };
    let finished = agent.run(&short).await;
    assert!(finished.retry_after.is_some(), "{finished:?}");
    let reason = finished.exit_reason.expect("a reason");
    assert!(reason.contains("something in between (status 404)"), "{reason}");
}

#[tokio::test]
async fn a_page_of_a_portal_is_no_metadata() {
    let (cloud, agent) = lab(Cloud { droplet: Some(OWN), portal: true, api_down: true, ..Cloud::default() }).await;
    assert_eq!(agent.run(&invocation("monitor", 10_000)).await, Finished::with(Exit::Success), "nothing was found out");
    lock(&cloud).portal = false;
    assert_eq!(agent.run(&invocation("monitor", 10_000)).await, Finished::with(Exit::Success));
}

#[tokio::test]
async fn a_byte_order_mark_is_no_text() {
    let (_, finished) = start(&[Do::Says(201, "\u{feff}{\"action\":{\"id\":7,\"status\":\"completed\"}}")]).await;
    assert_eq!(finished, Finished::with(Exit::Success));
    let refusal = Do::Says(401, "\u{feff}{\"id\":\"unauthorized\",\"message\":\"no\"}");
    assert_eq!(start(&[refusal]).await.1.rc, 4);
}

#[tokio::test]
async fn an_api_with_several_addresses_is_reached_although_the_first_is_dead() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let (port, shared) = (listener.local_addr().expect("bound").port(), Shared::default());
    let router = Router::new().fallback(serve).with_state(Arc::clone(&shared));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let (dead, _queue) = crate::testing::silent("127.0.0.2", port);
    let urls = (format!("http://several.test:{port}"), format!("http://127.0.0.1:{port}"));
    let options = Options { api_url: urls.0, metadata_url: urls.1, ..crate::testing::options("/nowhere") };
    let mut cloud = crate::cloud::Cloud::new(&options);
    cloud.stand_for([dead, "127.0.0.1:0".parse().expect("an address")].to_vec());
    let agent = FloatIp::new(Arc::new(cloud));
    let finished = agent.run(&Invocation { timeout: Duration::from_secs(8), ..invocation("start", 0) }).await;
    assert_eq!(finished, Finished::with(Exit::Success));
    assert_eq!(lock(&shared).droplet, Some(OWN));
}

#[tokio::test]
async fn an_outage_is_no_failure_and_the_whole_time_is_used() {
    let (cloud, agent) = lab(Cloud { api_down: true, ..Cloud::default() }).await;
    let short = Invocation { timeout: Duration::from_secs(3), ..invocation("start", 0) };
    let begin = Instant::now();
    let finished = agent.run(&short).await;
    // Pauses grow and differ: the last that would end too late is not begun.
    assert!(begin.elapsed() > Duration::from_millis(1200), "gave up after {:?}", begin.elapsed());
    assert!(finished.retry_after.is_some(), "{finished:?}");
    lock(&cloud).api_down = false;
    assert_eq!(agent.run(&short).await, Finished::with(Exit::Success));
}

#[tokio::test]
async fn who_lost_the_address_while_nodes_are_missing_does_not_take_it_back() {
    let (cloud, agent) = lab(Cloud::default()).await;
    assert_eq!(agent.run(&invocation("start", 0)).await, Finished::with(Exit::Success));
    agent.members(false);
    lock(&cloud).droplet = Some(OWN + 1);
    assert_eq!(agent.run(&invocation("monitor", 10_000)).await.rc, 7);
    let refused = agent.run(&invocation("start", 0)).await;
    assert!(refused.exit_reason.as_ref().is_some_and(|words| words.contains("not taken back")), "{refused:?}");
    assert!(refused.retry_after.is_some());
    assert_eq!(lock(&cloud).posts, 1);
    // A droplet that is off serves nobody.
    lock(&cloud).droplet_status = Some("off");
    assert_eq!(agent.run(&invocation("start", 0)).await, Finished::with(Exit::Success));
    // All are together again: the cluster decides.
    (lock(&cloud).droplet, lock(&cloud).droplet_status) = (Some(OWN + 1), None);
    assert_eq!(agent.run(&invocation("monitor", 10_000)).await.rc, 7);
    agent.members(true);
    agent.members(false);
    assert_eq!(agent.run(&invocation("start", 0)).await, Finished::with(Exit::Success));
}

#[test]
fn pauses_grow_and_obey() {
    assert_eq!(Trouble::TooMany(Some(Duration::from_secs(7))).pause(1), Duration::from_secs(7));
    assert_eq!(Trouble::Failed(500, None).pause(1), Duration::from_millis(100));
    assert_eq!(Trouble::Failed(500, None).pause(3), Duration::from_millis(400));
    assert_eq!(Trouble::Failed(500, None).pause(60), Duration::from_secs(5));
    assert_eq!(Trouble::Pending(String::new()).pause(60), Duration::from_millis(500));
}

/// What is found missing, and what the API was asked meanwhile: reads, and requests for actions that were taken.
async fn proved(agent: &FloatIp, cloud: &Shared, change: impl FnOnce(&mut Invocation)) -> (Vec<String>, u32, u32) {
    let mut invocation = invocation("validate-all", 0);
    change(&mut invocation);
    let gets = lock(cloud).gets;
    let posts = lock(cloud).posts;
    let missing = agent.prove(&invocation).await;
    let cloud = lock(cloud);
    (missing.into_iter().map(|missing| missing.sentence).collect(), cloud.gets - gets, cloud.posts - posts)
}

#[tokio::test]
async fn an_address_is_proved_by_reads_alone_and_not_again_while_the_connection_is_warm() {
    let (cloud, agent) = lab(Cloud { droplet: Some(5), ..Cloud::default() }).await;
    assert_eq!(proved(&agent, &cloud, |_| {}).await, (vec![], 1, 0));
    assert_eq!(proved(&agent, &cloud, |_| {}).await, (vec![], 0, 0), "nothing is to be found out");
    assert_eq!(lock(&cloud).droplet, Some(5), "it is where it was");
    let (missing, ..) = proved(&agent, &cloud, |of| drop(of.params.insert("floating_ip".into(), "x".into()))).await;
    assert_eq!(missing, ["floating_ip is no address: x"]);
    // A start finds all that it needs: nothing but the assignment is asked.
    lock(&cloud).metadata_down = true;
    assert_eq!(agent.run(&invocation("start", 0)).await, Finished::with(Exit::Success));
}

#[tokio::test]
async fn what_the_api_would_say_to_a_start_is_told_before() {
    let (cloud, agent) = lab(Cloud { reads_refused: [(403, None), (401, None)].into(), ..Cloud::default() }).await;
    let (missing, ..) = proved(&agent, &cloud, |_| {}).await;
    assert!(
        missing[0].starts_with("the API does not allow the token to ask where 203.0.113.25 is (403)"),
        "{missing:?}"
    );
    let (missing, ..) = proved(&agent, &cloud, |_| {}).await;
    assert_eq!(missing, ["the API refuses the token (401)"], "a refusal is asked about again");
    assert_eq!(proved(&agent, &cloud, |_| {}).await.0, [""; 0], "it was put right");
    // Another token is another question.
    let (missing, gets, _) =
        proved(&agent, &cloud, |of| drop(of.params.insert("do_token".into(), "other".into()))).await;
    assert_eq!((missing, gets), (vec![], 1));
}

#[tokio::test]
async fn an_api_that_gives_no_answer_is_told_the_second_time_and_one_that_asks_to_wait_not_at_all() {
    let (cloud, agent) = lab(Cloud { api_down: true, ..Cloud::default() }).await;
    assert_eq!(proved(&agent, &cloud, |_| {}).await.0, [""; 0]);
    let (missing, ..) = proved(&agent, &cloud, |_| {}).await;
    assert_eq!(missing, ["the API cannot be asked: the API failed (503)"]);
    lock(&cloud).api_down = false;
    assert_eq!(proved(&agent, &cloud, |_| {}).await.0, [""; 0]);
    let (cloud, agent) = lab(Cloud { reads_refused: [(429, Some(60))].into(), ..Cloud::default() }).await;
    for _ in 0..4 {
        assert_eq!(proved(&agent, &cloud, |_| {}).await.0, [""; 0]);
    }
    assert_eq!(lock(&cloud).tokens.len(), 1, "who is told to wait waits");
}

#[tokio::test]
async fn a_droplet_that_does_not_know_itself_is_told() {
    let (cloud, agent) = lab(Cloud { own: Some("nonsense"), ..Cloud::default() }).await;
    let (missing, ..) = proved(&agent, &cloud, |_| {}).await;
    assert_eq!(missing, ["the metadata service does not say which droplet this is: 'nonsense'"]);
}
