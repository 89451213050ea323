//! Against a stand-in on loopback that has droplets and a list of what befalls orders.

use std::collections::VecDeque;
use std::sync::Mutex;

use axum::Router;
use axum::body::Body;
use axum::extract::State as Shared;
use axum::http::{Request, Response};
use hac_model::FenceAbilities;

use super::*;
use crate::Options;
use crate::look::lock;

const TOKEN: &str = "dop_v1_secret";
const OWN: u64 = 1_000_001;
const OTHER: u64 = 1_000_002;

/// What the API wants to be left alone for.
const LATER: Duration = Duration::from_secs(2);

/// What becomes of an order.
#[derive(Clone, Copy, Debug)]
enum Fate {
    /// It is carried out; the status is shown after so many looks more.
    Done(u32),
    /// It is refused with this status.
    Refused(u16),
    /// It ends as errored.
    Errored,
    /// It is carried out, and from then on the token is not known any more.
    Revoked,
}

#[derive(Debug, Default)]
struct World {
    fates: VecDeque<Fate>,
    /// Whether a droplet is on; absent if it is gone.
    on: BTreeMap<u64, bool>,
    /// What is shown after so many looks.
    to_come: Option<(u64, bool, u32)>,
    errored: bool,
    orders: Vec<String>,
    /// The token sees no droplet.
    foreign: bool,
    /// The token is not known any more.
    revoked: bool,
    /// What is in between does not find the other droplet.
    between: Option<&'static str>,
}

type Handle = Arc<Mutex<World>>;

fn reply(status: u16, body: &Value) -> Response<Body> {
    Response::builder().status(status).body(Body::from(body.to_string())).expect("a reply")
}

async fn answer(Shared(world): Shared<Handle>, request: Request<Body>) -> Response<Body> {
    let path = request.uri().path().to_owned();
    if path == "/metadata/v1/id" {
        return Response::new(Body::from(OWN.to_string()));
    }
    let authorization = request.headers().get("authorization").and_then(|value| value.to_str().ok());
    if authorization != Some(&format!("Bearer {TOKEN}")) || lock(&world).revoked {
        return reply(401, &json!({ "id": "Unauthorized" }));
    }
    let method = request.method().clone();
    let body = axum::body::to_bytes(request.into_body(), 1 << 16).await.expect("a body");
    let mut world = lock(&world);
    let shown = |id: u64, on: bool| json!({ "id": id, "name": format!("node{}", id % 10), "status": if on { "active" } else { "off" } });
    let parts: Vec<&str> = path.trim_start_matches("/v2/droplets").split('/').filter(|part| !part.is_empty()).collect();
    match (method.as_str(), parts.as_slice()) {
        ("GET", []) => {
            let all: Vec<Value> = world.on.iter().map(|(id, on)| shown(*id, *on)).collect();
            reply(200, &json!({ "droplets": all }))
        }
        ("GET", [id]) if world.between.is_some() && *id == OTHER.to_string() => {
            let text = world.between.unwrap_or_default();
            Response::builder().status(404).body(Body::from(text)).expect("a reply")
        }
        ("GET", [id]) => {
            let id: u64 = id.parse().expect("an id");
            if let Some((of, on, looks)) = world.to_come.filter(|(of, ..)| *of == id) {
                world.to_come = looks.checked_sub(1).map(|left| (of, on, left));
                if looks == 0 {
                    world.on.insert(of, on);
                }
            }
            match world.on.get(&id).filter(|_| !world.foreign) {
                Some(on) => reply(200, &json!({ "droplet": shown(id, *on) })),
                None => reply(404, &json!({ "id": "not_found" })),
            }
        }
        ("GET", [_, "actions", _]) => {
            let status = if std::mem::take(&mut world.errored) { "errored" } else { "completed" };
            reply(200, &json!({ "action": { "id": 7, "status": status } }))
        }
        ("POST", [id, "actions"]) => {
            let id: u64 = id.parse().expect("an id");
            let word =
                serde_json::from_slice::<Value>(&body).expect("JSON")["type"].as_str().expect("a word").to_owned();
            world.orders.push(format!("{word} {id}"));
            match world.fates.pop_front().unwrap_or(Fate::Done(0)) {
                Fate::Done(looks) => world.to_come = Some((id, word == "power_on", looks)),
                Fate::Revoked => {
                    world.on.insert(id, word == "power_on");
                    world.revoked = true;
                }
                Fate::Refused(429) => {
                    let later = Response::builder().status(429).header("retry-after", LATER.as_secs());
                    return later.body(Body::from("{}")).expect("a reply");
                }
                Fate::Refused(status) => {
                    return reply(status, &json!({ "message": "Droplet already has a pending event." }));
                }
                Fate::Errored => world.errored = true,
            }
            reply(201, &json!({ "action": { "id": 7, "status": "in-progress" } }))
        }
        _ => reply(500, &json!({ "message": path })),
    }
}

async fn cloud(fates: impl IntoIterator<Item = Fate>) -> (Device, Handle) {
    let on = BTreeMap::from([(OWN, true), (OTHER, true)]);
    let world: Handle = Arc::new(Mutex::new(World { fates: fates.into_iter().collect(), on, ..World::default() }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let router = Router::new().fallback(answer).with_state(Arc::clone(&world));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let options = Options { api_url: url.clone(), metadata_url: url, ..crate::testing::options("/nowhere") };
    (Device::new(Arc::new(Cloud::new(&options))), world)
}

/// Runs an action at a target that the map calls so.
async fn run(device: &Device, action: &str, plug: &str, token: &str) -> (Finished, String) {
    run_for(device, action, plug, token, Duration::from_secs(10)).await
}

/// The same with the token that is known and for so long.
async fn run_within(device: &Device, action: &str, plug: &str, limit: Duration) -> (Finished, String) {
    run_for(device, action, plug, TOKEN, limit).await
}

async fn run_for(device: &Device, action: &str, plug: &str, token: &str, limit: Duration) -> (Finished, String) {
    let params = BTreeMap::from([
        ("api_token".to_owned(), token.to_owned()),
        ("pcmk_host_map".to_owned(), format!("two:{plug}")),
    ]);
    let of = FenceDevice::new(&params);
    let can =
        FenceAbilities { list: true, status: true, reboot: true, on: true, plug: true, ..FenceAbilities::default() };
    let target = (!["monitor", "list"].contains(&action)).then_some("two");
    device.run(of, &of.input(action, target, can), limit).await
}

fn code(finished: &Finished) -> (u8, String) {
    (u8::try_from(finished.rc).expect("a code"), finished.exit_reason.clone().unwrap_or_default())
}

#[tokio::test]
async fn off_is_proved_by_the_status_which_comes_later_than_the_action() {
    let (device, world) = cloud([Fate::Done(3)]).await;
    let (finished, _) = run(&device, "off", &OTHER.to_string(), TOKEN).await;
    assert_eq!(code(&finished), (0, String::new()));
    let world = lock(&world);
    assert_eq!((world.on[&OTHER], world.orders.as_slice()), (false, ["power_off 1000002".to_owned()].as_slice()));
}

#[tokio::test]
async fn what_passes_is_met_with_another_try_and_what_is_off_is_left_alone() {
    let (device, world) = cloud([Fate::Refused(422), Fate::Errored, Fate::Refused(503), Fate::Done(0)]).await;
    let (finished, _) = run(&device, "off", &OTHER.to_string(), TOKEN).await;
    assert_eq!(code(&finished), (0, String::new()));
    assert_eq!(lock(&world).orders.len(), 4);
    let (finished, _) = run(&device, "off", &OTHER.to_string(), TOKEN).await;
    assert_eq!((code(&finished).0, lock(&world).orders.len()), (0, 4), "nothing is ordered");
}

#[tokio::test]
async fn an_api_that_wants_to_be_asked_later_is_asked_later() {
    let (device, world) = cloud([Fate::Refused(429), Fate::Done(0)]).await;
    let begin = Instant::now();
    assert_eq!(code(&run(&device, "off", &OTHER.to_string(), TOKEN).await.0), (0, String::new()));
    assert!(begin.elapsed() >= LATER, "{:?}", begin.elapsed());
    assert_eq!(lock(&world).orders.len(), 2);
    assert!(!lock(&world).on[&OTHER]);
    // Who has not that much time says so, and nothing is said to be off.
    let (device, world) = cloud([Fate::Refused(429)]).await;
    let (rc, why) = code(&run_within(&device, "off", &OTHER.to_string(), Duration::from_secs(1)).await.0);
    assert!(rc == 1 && why.contains("429"), "{rc} {why}");
    assert!(lock(&world).on[&OTHER]);
}

#[tokio::test]
async fn a_token_that_is_revoked_meanwhile_proves_nothing() {
    let (device, world) = cloud([Fate::Revoked]).await;
    let (rc, why) = code(&run(&device, "off", &OTHER.to_string(), TOKEN).await.0);
    assert_eq!((rc, why.as_str()), (1, "the API refused the token (401)"));
    assert!(!lock(&world).on[&OTHER], "it is off, and nobody can know");
    lock(&world).revoked = false;
    assert_eq!(code(&run(&device, "off", &OTHER.to_string(), TOKEN).await.0), (0, String::new()));
    assert_eq!(lock(&world).orders.len(), 1, "nothing is ordered again");
}

#[tokio::test]
async fn a_reboot_counts_when_it_went_off() {
    let (device, world) = cloud([Fate::Done(0), Fate::Done(0)]).await;
    assert_eq!(code(&run(&device, "reboot", "node2", TOKEN).await.0).0, 0, "by its name");
    assert_eq!(lock(&world).orders, ["power_off 1000002", "power_on 1000002"]);
    let (device, world) = cloud([Fate::Done(0), Fate::Refused(403)]).await;
    assert_eq!(code(&run(&device, "reboot", "node2", TOKEN).await.0).0, 0);
    assert!(!lock(&world).on[&OTHER]);
}

#[tokio::test]
async fn a_droplet_that_is_gone_is_off_for_a_token_that_sees_ours_alone() {
    let (device, world) = cloud([]).await;
    lock(&world).on.remove(&OTHER);
    assert_eq!(code(&run(&device, "off", &OTHER.to_string(), TOKEN).await.0).0, 0);
    assert_eq!(code(&run(&device, "status", &OTHER.to_string(), TOKEN).await.0).0, OFF);
    lock(&world).foreign = true;
    for action in ["off", "status"] {
        let (rc, why) = code(&run(&device, action, &OTHER.to_string(), TOKEN).await.0);
        assert!(rc == 1 && why.contains("sees no droplet 1000002"), "{action}: {rc} {why}");
    }
    let (rc, why) = code(&run(&device, "monitor", &OTHER.to_string(), TOKEN).await.0);
    assert!(rc == 1 && why.contains("is it of another account?"), "{why}");
    assert!(lock(&world).orders.is_empty());
}

#[tokio::test]
async fn a_droplet_is_not_gone_because_something_in_between_does_not_find_it() {
    for text in ["404 page not found", "<html>Not found</html>", "", "null"] {
        let (device, world) = cloud([]).await;
        lock(&world).between = Some(text);
        for action in ["off", "status"] {
            let (rc, why) = code(&run_within(&device, action, &OTHER.to_string(), Duration::from_millis(300)).await.0);
            assert!(rc == 1 && why.contains("something in between (status 404)"), "{action} '{text}': {rc} {why}");
        }
    }
}

#[tokio::test]
async fn a_wrong_token_and_a_wrong_map_are_told_and_nobody_is_shot() {
    let (device, world) = cloud([]).await;
    let (rc, why) = code(&run(&device, "off", &OTHER.to_string(), "dop_v1_other").await.0);
    assert_eq!((rc, why.as_str()), (1, "the API refused the token (401)"));
    let (rc, why) = code(&run(&device, "off", &OWN.to_string(), TOKEN).await.0);
    assert!(rc == 1 && why.contains("this very node"), "{why}");
    let (rc, why) = code(&run(&device, "off", "node7", TOKEN).await.0);
    assert!(rc == 1 && why.contains("sees no droplet node7"), "{why}");
    let (rc, why) = code(&run(&device, "monitor", "1000009", TOKEN).await.0);
    assert!(rc == 1 && why.contains("1000009"), "{why}");
    let (rc, why) = code(&run(&device, "off", &OTHER.to_string(), "").await.0);
    assert!(rc == 1 && why.contains("api_token is not set"), "{why}");
    assert!(lock(&world).orders.is_empty() && lock(&world).on.values().all(|on| *on));
}

#[tokio::test]
async fn its_state_and_its_droplets_are_told_as_fence_agents_do() {
    let (device, world) = cloud([]).await;
    assert_eq!(code(&run(&device, "status", &OTHER.to_string(), TOKEN).await.0).0, 0);
    assert_eq!(code(&run(&device, "monitor", &OTHER.to_string(), TOKEN).await.0), (0, String::new()));
    let (_, text) = run(&device, "list", &OTHER.to_string(), TOKEN).await;
    assert_eq!(text, "1000001,node1\n1000002,node2\n");
    lock(&world).on.insert(OTHER, false);
    assert_eq!(code(&run(&device, "status", &OTHER.to_string(), TOKEN).await.0).0, OFF);
    assert_eq!(code(&run(&device, "on", &OTHER.to_string(), TOKEN).await.0).0, 0);
    assert!(lock(&world).on[&OTHER]);
}
