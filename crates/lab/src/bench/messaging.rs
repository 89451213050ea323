//! `bench messaging`: how many messages a second the ring orders, how long one takes, and what it costs; beside it the
//! same on Corosync's CPG where that is installed.
//!
//! Each product has hosts of its own. All run at the same time and are measured in turns, so that whatever else the
//! machine does hurts all alike: the ratios mean more than the figures. None runs with real-time priority (Corosync would
//! by default), and all hosts share the cores of this machine.

mod contender;
mod corosync;
mod table;

use std::io::Write;
use std::time::Duration;

use self::contender::{Contender, Measured};
use crate::Error;

/// What is measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Messaging {
    /// Numbers of hosts.
    pub hosts: Vec<usize>,
    /// Sizes of messages, bytes.
    pub sizes: Vec<usize>,
    /// How long each flood lasts.
    pub length: Duration,
    /// Repetitions; the median counts.
    pub repetitions: usize,
    /// Without Corosync.
    pub alone: bool,
}

/// One kind of protection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protection {
    Encrypted,
    Plain,
}

impl Protection {
    const fn words(self) -> &'static str {
        match self {
            Self::Encrypted => "encrypted (hacd: AES-256-GCM and HMAC-SHA256; knet: aes256 and sha256)",
            Self::Plain => "not encrypted (hacd: still HMAC-SHA256 on everything; Corosync: nothing)",
        }
    }
}

/// Measures and prints a table for each number of hosts and kind of protection.
///
/// # Errors
/// When the lab cannot be built, or a ring does not form or breaks.
pub fn messaging(what: &Messaging, out: &mut dyn Write) -> Result<(), Error> {
    let peer = if what.alone { Err("not wanted".to_owned()) } else { corosync::Client::build() };
    let failed = Error::system("cannot write");
    let mut print = |text: &str| out.write_all(text.as_bytes()).and_then(|()| out.flush());
    match &peer {
        Ok(client) => print(&format!("beside {}\n", client.version())),
        Err(why) => print(&format!("Corosync is left out: {why}\n")),
    }
    .map_err(failed)?;
    for &hosts in &what.hosts {
        for protection in [Protection::Encrypted, Protection::Plain] {
            let text = one(what, hosts, protection, peer.as_ref().ok())?;
            print(&text).map_err(Error::system("cannot write"))?;
        }
    }
    Ok(())
}

/// One number of hosts with one kind of protection: the table.
fn one(
    what: &Messaging,
    hosts: usize,
    protection: Protection,
    peer: Option<&corosync::Client>,
) -> Result<String, Error> {
    let mut contenders = vec![Contender::hacd(hosts, protection)?];
    if let Some(client) = peer {
        for transport in corosync::transports(protection) {
            contenders.push(client.contender(hosts, *transport)?);
        }
    }
    let names: Vec<&str> = contenders.iter().map(Contender::name).collect();
    let mut text = table::head(hosts, protection.words(), &names);
    for &size in &what.sizes {
        let mut measured: Vec<Vec<Measured>> = vec![Vec::new(); contenders.len()];
        for _ in 0..what.repetitions {
            for (contender, results) in contenders.iter_mut().zip(&mut measured) {
                results.push(contender.measure(size, what.length)?);
            }
        }
        let medians: Vec<Measured> = measured.iter().map(|results| Measured::median(results)).collect();
        text.push_str(&table::rows(size, &medians));
    }
    Ok(text)
}
