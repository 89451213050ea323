//! One host that wants to be a node, from its first word until it counts.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hac_join::{Ask, FromGuest, FromHost, PATIENCE, Probe, Secret, Trouble, Welcome, read, write};
use hac_node::{ClusterNode, Level, MemberState, Report};
use hac_types::NodeId;
use ring::rand::{SecureRandom as _, SystemRandom};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UdpSocket;
use zeroize::Zeroizing;

use super::door::tell;
use super::invite;
use super::refusal::Refused;
use super::routes::{aside, look};
use super::server::Api;
use crate::storage::words;

/// Version of the words.
const PROTOCOL: u32 = 1;

/// How long a guest may take to become a member before it is told what is missing; it is taken in later all the same.
const MEMBER_WITHIN: u32 = 60;

/// How long is waited until another host has been added.
const TURN_WITHIN: Duration = Duration::from_secs(60);

/// Datagrams each way by which is found out whether they pass.
const PROBES: u32 = 3;

/// How long a guest may take to write its files: its disk may be slow.
const STORED_WITHIN: Duration = Duration::from_secs(30);

/// Speaks with a guest; whether it became a node.
pub(super) async fn serve(api: &Api, stream: &mut (impl AsyncRead + AsyncWrite + Unpin), wanted: Option<&str>) -> bool {
    match admit(api, stream, wanted).await {
        Ok(()) => true,
        Err(End::Refused(refused)) => {
            let said = FromHost::Refused {
                sentence: refused.0.message.clone(),
                remedy: refused.0.remedy.clone().unwrap_or_default(),
            };
            let _ = write(stream, &said).await;
            tell(api, Level::Warning, format!("a node was not let in: {}", refused.0.message));
            false
        }
        Err(End::Broken(trouble)) => {
            tell(api, Level::Warning, format!("a node did not finish joining: {trouble}"));
            false
        }
    }
}

/// Why it came to nothing.
enum End {
    Refused(Refused),
    Broken(Trouble),
}

impl From<Refused> for End {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl From<Trouble> for End {
    fn from(trouble: Trouble) -> Self {
        Self::Broken(trouble)
    }
}

fn refused(sentence: impl Into<String>, remedy: impl Into<String>) -> End {
    End::Refused(Refused::new(hac_api::ErrorCode::Invalid, sentence).with_remedy(remedy))
}

async fn admit(api: &Api, stream: &mut (impl AsyncRead + AsyncWrite + Unpin), wanted: Option<&str>) -> Result<(), End> {
    let FromGuest::Ask(ask) = read(stream, PATIENCE).await? else { return Err(Trouble::Malformed.into()) };
    judge(api, &ask, wanted).await?;
    probe(api, stream, &ask).await?;
    let (id, nodes) = add(api, &ask).await?;
    let welcome = welcome(api, &ask, id, &nodes).await?;
    write(stream, &FromHost::Welcome(Box::new(welcome))).await?;
    match read(stream, STORED_WITHIN).await? {
        FromGuest::Stored => {}
        FromGuest::Failed { sentence } => {
            take_back(api, id).await;
            let text = format!("{} could not store what makes it a node: {sentence}", ask.name);
            return Err(refused(text, "Put that right there, and join again."));
        }
        FromGuest::Ask(_) | FromGuest::Probed { .. } => return Err(Trouble::Malformed.into()),
    }
    follow(api, stream, &ask, id).await
}

/// Whether this host can be a node at all.
async fn judge(api: &Api, ask: &Ask, wanted: Option<&str>) -> Result<(), End> {
    if ask.protocol != PROTOCOL {
        let text = format!("{} speaks version {} of joining, this node version {PROTOCOL}", ask.name, ask.protocol);
        return Err(refused(text, "Install the same release of hacd on both."));
    }
    if !invite::is_name(&ask.name) {
        return Err(invite::not_a_name(&ask.name).into());
    }
    if let Some(wanted) = wanted.filter(|wanted| *wanted != ask.name) {
        let text = format!("the invitation is for {wanted}, not for {}", ask.name);
        return Err(refused(text, format!("Join with --node {wanted}, or make another invitation.")));
    }
    let look = look(api).await;
    let report = look.facts();
    let level = report.cluster.level.0;
    if !(ask.level_min..=ask.level_max).contains(&level) {
        let text = format!(
            "{} runs hacd {}, which knows levels {} to {}; this cluster is at {level}",
            ask.name, ask.release, ask.level_min, ask.level_max
        );
        return Err(refused(text, format!("Install hacd {} there.", hac_types::RELEASE)));
    }
    let links = api.place.addresses.len();
    if ask.addresses.len() != links {
        let text = format!("the nodes here have {links} addresses each, {} has {}", ask.name, ask.addresses.len());
        return Err(refused(text, "Join with one --address for each link, in the order of the links."));
    }
    let nodes = api.place.current(report);
    let again = api.door.given(&ask.name);
    if again.is_none() && nodes.iter().any(|node| node.name == ask.name) {
        let text = format!("there is a node {} already", ask.name);
        let remedy = "Take it out with 'hacctl node remove', or join under another name with --node NAME.";
        return Err(refused(text, remedy));
    }
    let others = nodes.iter().filter(|node| Some(node.id) != again);
    if let Some(node) = others.into_iter().find(|node| node.addresses.iter().any(|ip| ask.addresses.contains(ip))) {
        let text = format!("{} has one of these addresses already", node.name);
        return Err(refused(text, "Join with the addresses of this host: --address."));
    }
    if again.is_none() && !api.door.has_room() {
        return Err(refused("the code was used already", "'hacctl invite' makes another one."));
    }
    Ok(())
}

/// Finds out whether datagrams pass on each link, both ways.
async fn probe(api: &Api, stream: &mut (impl AsyncRead + AsyncWrite + Unpin), ask: &Ask) -> Result<(), End> {
    let mut token = [0_u8; 16];
    SystemRandom::new().fill(&mut token).map_err(|_| refused("no randomness here", "Try again."))?;
    let token: String = token.iter().map(|byte| format!("{byte:02x}")).collect();
    let place = &api.place;
    // A host that comes again is spoken with by the ring already: nothing of it is counted as unlisted.
    let is_known = api.door.given(&ask.name).is_some();
    let before = unlisted(api).await;
    let said = Probe { addresses: place.addresses.clone(), ports: place.ports.clone(), token: token.clone() };
    write(stream, &FromHost::Probe(said)).await?;
    let sending = async {
        for _ in 0..4 * PROBES {
            for (link, to) in ask.addresses.iter().enumerate() {
                let (Some(from), Some(port)) = (place.addresses.get(link), place.ports.get(link)) else { continue };
                send(*from, SocketAddr::new(*to, *port), token.as_bytes()).await;
            }
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
    };
    let (heard, ()) = tokio::join!(read(stream, PATIENCE), sending);
    let FromGuest::Probed { heard } = heard? else { return Err(Trouble::Malformed.into()) };
    let way = |link: usize, from: IpAddr, to: IpAddr| {
        let port = place.ports.get(link).copied().unwrap_or_default();
        let text = format!("UDP {port} from {from} to {to} does not arrive");
        refused(text, format!("Let UDP {port} in on {to}, in its firewall and in that of the cloud, and join again."))
    };
    for (link, (own, theirs)) in place.addresses.iter().zip(&ask.addresses).enumerate() {
        if heard.get(link).copied().unwrap_or_default() == 0 {
            return Err(way(link, *own, *theirs));
        }
    }
    if !is_known && unlisted(api).await == before {
        let (own, theirs) = (place.addresses.first().copied(), ask.addresses.first().copied());
        if let (Some(own), Some(theirs)) = (own, theirs) {
            return Err(way(0, theirs, own));
        }
    }
    Ok(())
}

/// Datagrams from addresses of no node that have come.
async fn unlisted(api: &Api) -> u64 {
    drop(look(api).await);
    api.shared.udp().unlisted
}

/// One datagram; what cannot be sent does not arrive.
async fn send(from: IpAddr, to: SocketAddr, bytes: &[u8]) {
    if let Ok(socket) = UdpSocket::bind(SocketAddr::new(from, 0)).await {
        let _ = socket.send_to(bytes, to).await;
    }
}

/// Has the cluster take the host in; its id, and the nodes from then on.
async fn add(api: &Api, ask: &Ask) -> Result<(NodeId, Vec<ClusterNode>), End> {
    let door = api.door.clone();
    let turn = tokio::time::timeout(TURN_WITHIN, door.adding.lock()).await;
    let _turn = turn.map_err(|_| refused("another node is being added just now", "Join again when it is done."))?;
    let mut patience = TURN_WITHIN.as_secs();
    loop {
        let look = look(api).await;
        let report = look.facts();
        let mut nodes = api.place.current(report);
        if let Some(id) = api.door.given(&ask.name)
            && let Some(node) = nodes.iter().find(|node| node.id == id)
        {
            if node.addresses == ask.addresses {
                return Ok((id, nodes));
            }
            let text = format!("{} joined with other addresses before", ask.name);
            return Err(refused(text, format!("'hacctl node remove {}' here, then invite it again.", ask.name)));
        }
        let retired = report.cluster.retired.iter().map(|retired| retired.id);
        let highest = nodes.iter().map(|node| node.id).chain(retired).max().unwrap_or(NodeId(0));
        let id = NodeId(highest.0.saturating_add(1));
        let (name, addresses) = (ask.name.clone(), ask.addresses.clone());
        nodes.push(ClusterNode { id, name, addresses, votes: 0, learner: true });
        match invite::set(api, report, nodes.clone(), String::new()).await {
            Ok(()) => {
                api.door.give(&ask.name, id);
                tell(api, Level::Notice, format!("{} is taken in as node {id}", ask.name));
                return Ok((id, nodes));
            }
            // Another change came first, or another node is not counted yet.
            Err(why) if patience > 0 && passes(&why) => {
                patience -= 1;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            Err(why) => return Err(why.into()),
        }
    }
}

/// Whether it is worth another try.
fn passes(why: &Refused) -> bool {
    let busy = why.0.message.contains("being added just now");
    why.0.code == hac_api::ErrorCode::Old || busy
}

/// What makes the host a node.
async fn welcome(api: &Api, ask: &Ask, id: NodeId, nodes: &[ClusterNode]) -> Result<Welcome, End> {
    let (place, list) = (api.place.clone(), nodes.to_vec());
    let cannot = |what: &str, why: String| {
        refused(format!("{what} cannot be read on {}: {why}", api.place.name), "Put that right there, and join again.")
    };
    let files = aside(move || {
        let text = place.text_with(&list);
        let key = std::fs::read(&place.authkey).map(Zeroizing::new).map_err(|error| words(&error));
        let beside = place.config.with_file_name("authkey") == place.authkey;
        (text, key, (!beside).then(|| place.authkey.display().to_string()))
    });
    let (text, key, authkey_file) = files.await?;
    let text = text.map_err(|why| cannot("the configuration", why))?;
    let key = key.map_err(|why| cannot("the key", why))?;
    let look = look(api).await;
    Ok(Welcome {
        nodeid: id.0,
        name: ask.name.clone(),
        cluster_name: look.facts().cluster_name.clone(),
        hacd_toml: text,
        authkey: Secret(key.iter().map(|byte| format!("{byte:02x}")).collect()),
        authkey_file,
    })
}

/// The host cannot be a node: it is taken out again.
async fn take_back(api: &Api, id: NodeId) {
    let look = look(api).await;
    let report = look.facts();
    let nodes = api.place.current(report).into_iter().filter(|node| node.id != id).collect();
    if let Err(why) = invite::set(api, report, nodes, String::new()).await {
        tell(api, Level::Warning, format!("node {id} is still in the list: {}", why.0.message));
    }
}

/// Tells the host what is waited for until it counts.
async fn follow(
    api: &Api,
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    ask: &Ask,
    id: NodeId,
) -> Result<(), End> {
    for _ in 0..MEMBER_WITHIN {
        let look = look(api).await;
        let report = look.facts();
        if counts(report, id) {
            write(stream, &FromHost::Member).await?;
            tell(api, Level::Notice, format!("{} is a member that counts", ask.name));
            return Ok(());
        }
        let sentence = if is_member(report, id) {
            format!("{} has the state and is counted in a moment", ask.name)
        } else {
            format!("waiting for hacd on {}", ask.name)
        };
        // Who does not listen any more has its files all the same.
        if write(stream, &FromHost::Waiting { sentence }).await.is_err() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let text = format!("{} has not become a member within {MEMBER_WITHIN} s", ask.name);
    let remedy = "'journalctl -u hacd' there says why; it is still taken in when it comes within 15 minutes.";
    Err(refused(text, remedy))
}

fn is_member(report: &Report, id: NodeId) -> bool {
    report.members.iter().any(|member| member.node == id && member.state == MemberState::Joined)
}

fn counts(report: &Report, id: NodeId) -> bool {
    is_member(report, id) && report.cluster.nodes.iter().any(|node| node.id == id && !node.learner)
}
