//! `hacctl join`: makes this host a node of a cluster that runs elsewhere.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use hac_join::{Ask, Code, FromGuest, FromHost, PATIENCE, Probe, Trouble, Welcome, read, write};
use hac_types::{LevelWindow, RELEASE};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream, UdpSocket};
use zeroize::Zeroizing;

use super::fresh::{self, FreshArgs};
use super::{Context, init, invite};
use crate::failure::Failure;
use crate::{progress, terminal};

/// Version of the words.
const PROTOCOL: u32 = 1;

/// The port of invitations unless another is named.
const PORT: u16 = 5405;

/// How long a connection may take.
const CONNECTED_WITHIN: Duration = Duration::from_secs(10);

/// How long the cluster may take to agree, and the host to say so.
const WELCOME_WITHIN: Duration = Duration::from_secs(150);

/// How long datagrams of the host are waited for.
const HEARD_WITHIN: Duration = Duration::from_secs(3);

/// Options of `join`.
#[derive(Clone, Debug, Args)]
pub(crate) struct JoinArgs {
    /// A node of the cluster: its private address, as 'hacctl invite' printed it
    #[arg(value_name = "HOST[:PORT]")]
    pub(crate) host: String,
    /// The code of the invitation; asked for if absent, so that it is in no list of processes
    #[arg(long, env = "HACD_JOIN_CODE", value_name = "CODE", hide_env_values = true)]
    pub(crate) code: Option<String>,
    /// A file with the code
    #[arg(long, value_name = "FILE", conflicts_with = "code")]
    pub(crate) code_file: Option<PathBuf>,
    /// The name of this node (its host name if absent)
    #[arg(long, value_name = "NAME")]
    pub(crate) node: Option<String>,
    /// This node's private address (the one from which the host is reached if absent); a second time for a second link
    #[arg(long, value_name = "IP")]
    pub(crate) address: Vec<IpAddr>,
    /// Go on trying for this long while the host cannot be reached
    #[arg(long, value_name = "DURATION")]
    pub(crate) retry: Option<String>,
    #[command(flatten)]
    pub(crate) fresh: FreshArgs,
}

/// Joins.
pub(crate) async fn run(context: &Context, args: &JoinArgs) -> Result<ExitCode, Failure> {
    let again = format!("hacctl join {}", terminal::harmless(&args.host));
    args.fresh.check(context.client.socket(), &again)?;
    let node = args.node.clone().unwrap_or_else(fresh::hostname);
    init::name_is_right(&node)?;
    let code = code(args)?;
    let places = places(&args.host).await?;
    let (stream, host) = connect(args, &places).await?;
    let own = stream.local_addr().map_err(|error| Failure::system("could not tell the own address", &error))?;
    let addresses = if args.address.is_empty() { vec![own.ip()] } else { args.address.clone() };
    let (connector, name) =
        hac_join::connector(&code).map_err(|error| Failure::system("could not make the keys of the code", &error))?;
    let shaken = tokio::time::timeout(CONNECTED_WITHIN, connector.connect(name, stream)).await;
    let Ok(Ok(mut stream)) = shaken else { return Err(stranger(host)) };
    let asked = FromGuest::Ask(Ask {
        protocol: PROTOCOL,
        release: RELEASE.to_owned(),
        level_min: LevelWindow::KNOWN.min.0,
        level_max: LevelWindow::KNOWN.max.0,
        name: node.clone(),
        addresses: addresses.clone(),
    });
    // The host has judged this side's key only when it answers.
    write(&mut stream, &asked).await.map_err(|_| stranger(host))?;
    let probe = match read(&mut stream, PATIENCE).await {
        Ok(FromHost::Probe(probe)) => probe,
        Ok(FromHost::Refused { sentence, remedy }) => return Err(no(&sentence, &remedy)),
        Ok(_) => return Err(broken(&Trouble::Malformed)),
        Err(Trouble::Broken(_)) => return Err(stranger(host)),
        Err(trouble) => return Err(broken(&trouble)),
    };
    let heard = listen(&addresses, &probe).await?;
    say(&mut stream, &FromGuest::Probed { heard }).await?;
    let welcomed = progress::show("waiting for the cluster to agree", read(&mut stream, WELCOME_WITHIN)).await;
    let welcome = match welcomed.map_err(|trouble| broken(&trouble))? {
        FromHost::Welcome(welcome) => welcome,
        FromHost::Refused { sentence, remedy } => return Err(no(&sentence, &remedy)),
        FromHost::Probe(_) | FromHost::Waiting { .. } | FromHost::Member => return Err(broken(&Trouble::Malformed)),
    };
    if let Err(failure) = store(args, &welcome) {
        // It takes this host out of its list again; if it does not hear that, the cluster does so by itself.
        let _ = write(&mut stream, &FromGuest::Failed { sentence: failure.message.clone() }).await;
        return Err(failure);
    }
    // Whether the host hears it or not, this is a node now.
    let told = write(&mut stream, &FromGuest::Stored).await;
    eprintln!(
        "INFO: this host is node {} ({}) of {}; wrote {} and the key",
        welcome.nodeid,
        terminal::harmless(&welcome.name),
        terminal::harmless(&welcome.cluster_name),
        args.fresh.config.display()
    );
    args.fresh.start()?;
    told.map_err(|trouble| unheard(&trouble, ""))?;
    progress::show("waiting until this node counts", follow(&mut stream)).await?;
    if context.json {
        let (id, name, cluster) = (welcome.nodeid, &welcome.name, &welcome.cluster_name);
        terminal::print_json(&serde_json::json!({ "nodeid": id, "name": name, "cluster_name": cluster }))?;
    } else {
        eprintln!(
            "INFO: {} is a member and counts; 'hacctl status' shows the cluster",
            terminal::harmless(&welcome.name)
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// The code, from wherever it comes.
fn code(args: &JoinArgs) -> Result<Code, Failure> {
    let text = match (&args.code, &args.code_file) {
        (Some(code), _) => Zeroizing::new(code.clone()),
        (None, Some(file)) => invite::read_code(file)?,
        (None, None) => terminal::ask_hidden(
            "Code that 'hacctl invite' printed: ",
            "Name a file with the code by --code-file, or set HACD_JOIN_CODE.",
        )?,
    };
    let text = invite::right(&text)?;
    Code::parse(&text).map_err(|why| Failure::usage(why.to_string()))
}

/// The addresses behind `HOST[:PORT]`. A name may have several, and the host listens on one of them.
async fn places(host: &str) -> Result<Vec<SocketAddr>, Failure> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(ip) = bare.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(ip, PORT)]);
    }
    if let Ok(address) = host.parse::<SocketAddr>() {
        return Ok(vec![address]);
    }
    let with_port = if host.contains(':') { host.to_owned() } else { format!("{host}:{PORT}") };
    let found: Vec<SocketAddr> = tokio::net::lookup_host(with_port).await.into_iter().flatten().collect();
    if found.is_empty() {
        let failure = Failure::usage(format!("there is no host {}", terminal::harmless(host)));
        return Err(Failure { exit_code: 68, ..failure }.with_remedy("Write the address that 'hacctl invite' printed."));
    }
    Ok(found)
}

/// A connection from this node's own address to the first of these that takes it.
async fn connect(args: &JoinArgs, hosts: &[SocketAddr]) -> Result<(TcpStream, SocketAddr), Failure> {
    let patience = match &args.retry {
        None => Duration::ZERO,
        Some(text) => hac_model::parse_duration_ms(text).map(Duration::from_millis).ok_or_else(|| {
            Failure::usage(format!("'{}' is no time", terminal::harmless(text))).with_remedy("Write --retry 10m.")
        })?,
    };
    let end = Instant::now() + patience;
    loop {
        let mut failed = Vec::new();
        for &host in hosts {
            match try_connect(args, host).await {
                Ok(stream) => return Ok((stream, host)),
                Err(error) => failed.push(format!("{} cannot be reached on TCP {}: {error}", host.ip(), host.port())),
            }
        }
        if Instant::now() >= end {
            return Err(Failure { exit_code: 69, ..Failure::usage(failed.join("; ")) }.with_remedy(format!(
                "Is there an invitation ('hacctl invite' there), and does its firewall let TCP {} in?",
                hosts.first().map_or(PORT, SocketAddr::port)
            )));
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
}

async fn try_connect(args: &JoinArgs, host: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = if host.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(own) = args.address.first() {
        socket.bind(SocketAddr::new(*own, 0))?;
    }
    let late = || std::io::Error::from(std::io::ErrorKind::TimedOut);
    tokio::time::timeout(CONNECTED_WITHIN, socket.connect(host)).await.map_err(|_| late())?
}

/// Says something to the host.
async fn say(stream: &mut (impl AsyncWrite + Unpin), what: &FromGuest) -> Result<(), Failure> {
    write(stream, what).await.map_err(|trouble| broken(&trouble))
}

/// Whether datagrams pass: sends some on each link, and counts those of the host that come.
async fn listen(addresses: &[IpAddr], probe: &Probe) -> Result<Vec<u32>, Failure> {
    let mut heard = Vec::new();
    let links = addresses.iter().zip(probe.addresses.iter().zip(&probe.ports));
    for (own, (theirs, port)) in links {
        let at = SocketAddr::new(*own, *port);
        let socket = UdpSocket::bind(at).await.map_err(|error| {
            Failure::system(&format!("UDP {at} cannot be opened"), &error).with_remedy(
                "Another program has it, or the address is not this host's: see 'ss -lnup' and 'ip address'.",
            )
        })?;
        heard.push(count(&socket, SocketAddr::new(*theirs, *port), &probe.token).await);
    }
    Ok(heard)
}

/// Datagrams with the token that come, of three at most; as many are sent.
async fn count(socket: &UdpSocket, to: SocketAddr, token: &str) -> u32 {
    let mut heard = 0;
    let mut buffer = [0; 64];
    let begin = Instant::now();
    let mut send = tokio::time::interval(Duration::from_millis(100));
    while heard < 3 && begin.elapsed() < HEARD_WITHIN {
        tokio::select! {
            _ = send.tick() => {
                // What cannot be sent does not arrive, and that is what is asked.
                let _ = socket.send_to(token.as_bytes(), to).await;
            }
            received = socket.recv_from(&mut buffer) => {
                if let Ok((length, from)) = received
                    && from.ip() == to.ip()
                    && buffer.get(..length) == Some(token.as_bytes())
                {
                    heard += 1;
                }
            }
        }
    }
    heard
}

/// Writes what makes this host a node.
fn store(args: &JoinArgs, welcome: &Welcome) -> Result<(), Failure> {
    let key = Zeroizing::new(unhex(&welcome.authkey.0).ok_or_else(|| broken(&Trouble::Malformed))?);
    let beside = args.fresh.key();
    let key_file = welcome.authkey_file.as_ref().map_or(beside, PathBuf::from);
    args.fresh.set_aside()?;
    args.fresh.write(&welcome.hacd_toml, &key, &key_file)
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// Waits until this node counts.
async fn follow(stream: &mut (impl AsyncRead + Unpin)) -> Result<(), Failure> {
    let mut last = String::new();
    loop {
        match read(stream, PATIENCE).await {
            Ok(FromHost::Member) => return Ok(()),
            Ok(FromHost::Waiting { sentence }) => last = sentence,
            Ok(FromHost::Refused { sentence, remedy }) => return Err(no(&sentence, &remedy)),
            Ok(FromHost::Probe(_) | FromHost::Welcome(_)) => return Err(broken(&Trouble::Malformed)),
            Err(trouble) => return Err(unheard(&trouble, &last)),
        }
    }
}

/// The connection is gone, and this host is a node all the same.
fn unheard(trouble: &Trouble, last: &str) -> Failure {
    let text = format!("this host has what it needs, but did not hear that it counts: {trouble}");
    let text = if last.is_empty() { text } else { format!("{text} ({})", terminal::harmless(last)) };
    Failure::new(hac_api::ErrorCode::Timeout, text)
        .with_remedy("'hacctl status' here and on the host shows how things stand.")
}

fn no(sentence: &str, remedy: &str) -> Failure {
    let failure = Failure::new(hac_api::ErrorCode::Invalid, terminal::harmless(sentence));
    if remedy.is_empty() { failure } else { failure.with_remedy(terminal::harmless(remedy)) }
}

/// Neither side can tell more, and that is as it should be.
fn stranger(host: SocketAddr) -> Failure {
    Failure::new(
        hac_api::ErrorCode::NotPermitted,
        format!("the host at {} does not know this code, or it is over", host.ip()),
    )
    .with_remedy("'hacctl invite' on a node of the cluster prints another one. Nothing was changed here.")
}

fn broken(trouble: &Trouble) -> Failure {
    Failure::new(hac_api::ErrorCode::Unavailable, format!("joining did not come to its end: {trouble}"))
        .with_remedy("Run the same command again: the same host gets the same place while the invitation lasts.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: JoinArgs,
    }

    #[tokio::test]
    async fn of_several_addresses_the_one_is_taken_where_the_host_listens() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let good = listener.local_addr().expect("bound");
        let dead = SocketAddr::new("127.0.0.3".parse().expect("an address"), good.port());
        let six = SocketAddr::new("::1".parse().expect("an address"), good.port());
        let Line { args } = <Line as clap::Parser>::parse_from(["join", "several.test"]);
        let (_, host) = connect(&args, &[six, dead, good]).await.expect("one takes it");
        assert_eq!(host, good);
        let failure = connect(&args, &[six, dead]).await.expect_err("none does");
        assert!(failure.message.contains("::1 cannot") && failure.message.contains("127.0.0.3"), "{}", failure.message);
        assert_eq!(places("[::1]:7").await.expect("an address"), ["[::1]:7".parse().expect("an address")]);
        assert_eq!(places("192.0.2.1").await.expect("an address").len(), 1);
    }
}
