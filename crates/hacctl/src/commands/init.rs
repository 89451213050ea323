//! `hacctl init`: makes a cluster of one node out of a host, and invites the next one.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;

use super::fresh::{self, FreshArgs};
use super::invite::{self, InviteArgs};
use super::{Context, keygen};
use crate::failure::Failure;
use crate::terminal;

/// Bytes of a key.
const KEY: usize = 256;

/// How long the daemon may take until it may act.
const QUORATE_WITHIN: Duration = Duration::from_secs(60);

/// How long the cloud may take to say which address is the private one.
const METADATA_WITHIN: Duration = Duration::from_millis(700);

/// Where the cloud says so.
const METADATA: &str = "http://169.254.169.254/metadata/v1/interfaces/private/0/ipv4/address";

/// Options of `init`.
#[derive(Clone, Debug, Args)]
pub(crate) struct InitArgs {
    /// Name of the cluster
    #[arg(long, value_name = "NAME", default_value = "lbcluster")]
    pub(crate) name: String,
    /// Name of this node (its host name if absent)
    #[arg(long, value_name = "NAME")]
    pub(crate) node: Option<String>,
    /// This node's private address; a second time for a second link
    #[arg(long, value_name = "IP")]
    pub(crate) address: Vec<IpAddr>,
    /// UDP port on which the first link receives; also the TCP port of invitations
    #[arg(long, value_name = "PORT", default_value_t = 5405)]
    pub(crate) port: u16,
    /// Sections for the configuration, taken over as they are: logging, agents
    #[arg(long, value_name = "FILE")]
    pub(crate) include: Option<PathBuf>,
    /// Do not invite the next node
    #[arg(long)]
    pub(crate) no_invite: bool,
    #[command(flatten)]
    pub(crate) invite: InviteArgs,
    #[command(flatten)]
    pub(crate) fresh: FreshArgs,
}

/// Makes the cluster.
pub(crate) async fn run(context: &Context, args: &InitArgs) -> Result<ExitCode, Failure> {
    args.fresh.check(context.client.socket(), "hacctl init")?;
    let node = args.node.clone().unwrap_or_else(fresh::hostname);
    name_is_right(&node)?;
    let cluster = args.name.trim();
    if !(1..=255).contains(&cluster.len()) || cluster.contains(['"', '\\', '\n']) {
        return Err(Failure::usage("the cluster's name has 1 to 255 bytes, without quotes")
            .with_remedy("Write --name lbcluster."));
    }
    let addresses = addresses(&args.address).await?;
    // What cannot be used is said before anything is written.
    let code = args.invite.code()?;
    let more = match &args.include {
        None => String::new(),
        Some(file) => std::fs::read_to_string(file).map_err(|error| Failure::unread(&file.display(), &error))?,
    };
    let text = configuration(cluster, &node, &addresses, args.port, &more);
    let key = keygen::random(KEY).map_err(|error| Failure::system("could not get random bytes", &error))?;
    args.fresh.set_aside()?;
    args.fresh.write(&text, &key, &args.fresh.key())?;
    eprintln!(
        "INFO: wrote {} and {} for {node} ({})",
        args.fresh.config.display(),
        args.fresh.key().display(),
        addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    );
    args.fresh.start()?;
    if args.fresh.no_start {
        eprintln!("INFO: then 'hacctl invite' prints the line for the next node");
        return Ok(ExitCode::SUCCESS);
    }
    await_quorum(context).await?;
    eprintln!("INFO: {cluster} runs, with {node} as its first node");
    if args.no_invite {
        return Ok(ExitCode::SUCCESS);
    }
    invite::open(context, &args.invite, code).await
}

/// Whether a node can be called so.
pub(crate) fn name_is_right(name: &str) -> Result<(), Failure> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if (1..=64).contains(&name.len()) && name.chars().all(plain) && !name.starts_with(['-', '.']) {
        return Ok(());
    }
    Err(Failure::usage(format!("'{}' cannot be the name of a node", terminal::harmless(name)))
        .with_remedy("Name it with --node NAME: letters, digits, dots and dashes."))
}

/// The addresses of this node: those that were given, or the only private one.
async fn addresses(given: &[IpAddr]) -> Result<Vec<IpAddr>, Failure> {
    if given.len() > 2 {
        return Err(Failure::usage("a node has one address or two").with_remedy("Give --address once for each link."));
    }
    if let Some(foreign) = given.iter().find(|address| !fresh::is_local(**address)) {
        return Err(
            Failure::usage(format!("{foreign} is not an address of this host")).with_remedy("'ip address' lists them.")
        );
    }
    if !given.is_empty() {
        return Ok(given.to_vec());
    }
    let found = fresh::private_addresses();
    if let [only] = found.as_slice() {
        return Ok(vec![IpAddr::from(*only)]);
    }
    if let Some(private) = metadata().await.filter(|address| fresh::is_local(*address)) {
        return Ok(vec![private]);
    }
    let list = found.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let (text, remedy) = if found.is_empty() {
        (
            "this host has no private address",
            "Give the address on which the nodes reach each other: --address IP.".to_owned(),
        )
    } else {
        ("this host has several private addresses", format!("Say which one: --address IP, of {list}."))
    };
    Err(Failure::usage(text).with_remedy(remedy))
}

/// The private address as the cloud's metadata service has it; nothing where there is none.
async fn metadata() -> Option<IpAddr> {
    let client = reqwest::Client::builder().tls_certs_only([]).no_proxy().timeout(METADATA_WITHIN).build().ok()?;
    let text = client.get(METADATA).send().await.ok()?.text().await.ok()?;
    text.trim().parse().ok()
}

/// The configuration of a cluster of one node.
fn configuration(cluster: &str, node: &str, addresses: &[IpAddr], port: u16, more: &str) -> String {
    let mut text = format!(
        "# Written by 'hacctl init'. The nodes below follow the cluster: 'hacctl invite' and 'hacctl join' add one,\n\
         # 'hacctl node remove' takes one out. Everything else is yours.\n\n\
         [totem]\nversion = 2\ncluster_name = \"{cluster}\"\n"
    );
    for link in 0..addresses.len() {
        let number = usize::from(port) + link;
        if number != 5405 + link || link > 0 {
            // Writing to a string cannot fail.
            let _ = write!(text, "\n[[totem.interface]]\nlinknumber = {link}\nmcastport = {number}\n");
        }
    }
    text.push_str("\n[quorum]\nprovider = \"corosync_votequorum\"\n");
    if !more.trim().is_empty() {
        let _ = write!(text, "\n{}\n", more.trim());
    }
    let _ = write!(text, "\n[[nodelist.node]]\nname = \"{node}\"\nnodeid = 1\n");
    for (link, address) in addresses.iter().enumerate() {
        let _ = writeln!(text, "ring{link}_addr = \"{address}\"");
    }
    text
}

/// Waits until the daemon may act.
async fn await_quorum(context: &Context) -> Result<(), Failure> {
    let end = Instant::now() + QUORATE_WITHIN;
    loop {
        let last = match context.client.status().await {
            Ok(status) if status.quorum.quorate && status.sync == hac_api::Sync::Active => return Ok(()),
            Ok(_) => "it has no quorum yet".to_owned(),
            Err(failure) => failure.message,
        };
        if Instant::now() >= end {
            return Err(Failure::new(hac_api::ErrorCode::Timeout, format!("hacd is not ready after 60 s: {last}"))
                .with_remedy("'journalctl -u hacd' says why; then 'hacctl invite'."));
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn the_configuration_says_no_more_than_it_must() {
        let address = IpAddr::from([10, 0, 0, 7]);
        let text = configuration("c", "one", &[address], 5405, "[agents]\nprefer = \"script\"\n");
        let (head, rest) = text.split_once("\n\n").expect("a head");
        assert!(head.starts_with("# Written by 'hacctl init'."));
        expect![[r#"
            [totem]
            version = 2
            cluster_name = "c"

            [quorum]
            provider = "corosync_votequorum"

            [agents]
            prefer = "script"

            [[nodelist.node]]
            name = "one"
            nodeid = 1
            ring0_addr = "10.0.0.7"
        "#]]
        .assert_eq(rest);
        let two = configuration("c", "one", &[address, IpAddr::from([10, 1, 0, 7])], 6405, "");
        assert!(
            two.contains("linknumber = 0\nmcastport = 6405\n\n[[totem.interface]]\nlinknumber = 1\nmcastport = 6406\n")
        );
        assert!(two.ends_with("ring0_addr = \"10.0.0.7\"\nring1_addr = \"10.1.0.7\"\n"));
    }

    #[test]
    fn names_of_nodes_are_plain() {
        for right in ["primary", "a.b-c_1"] {
            assert_eq!(name_is_right(right), Ok(()), "{right}");
        }
        for wrong in ["", "-x", ".x", "a b", "ä", "a\"b"] {
            assert!(name_is_right(wrong).is_err(), "{wrong}");
        }
    }
}
