//! `bench idle`: what a node costs while nothing happens.

use std::io::Write;
use std::time::{Duration, Instant};

use super::{LIMIT, pause};
use crate::{Agents, Cluster, Error, Tools};

/// Clock ticks a second, as Linux counts CPU time for programs.
const TICKS: f64 = 100.0;
/// Left alone for this long before it counts.
const CALM: Duration = Duration::from_secs(5);

/// What was used up to a moment.
struct Used {
    resident_kib: u64,
    cpu_ticks: u64,
    /// As [`crate::Network::private_counters`].
    counters: [u64; 4],
}

/// Measures memory, CPU and packets of each node for `length`.
///
/// # Errors
/// When the lab cannot be built.
pub fn idle(tools: &Tools, length: Duration, out: &mut dyn Write) -> Result<(), Error> {
    let cluster = Cluster::running(tools, 2, Agents::Native, "", LIMIT)?;
    pause(CALM);
    let hosts: Vec<usize> = cluster.lab().plan().hosts().collect();
    let before = used_by(&cluster, &hosts)?;
    let begin = Instant::now();
    pause(length);
    let seconds = begin.elapsed().as_secs_f64();
    let after = used_by(&cluster, &hosts)?;
    let failed = Error::system("cannot write");
    let mut print = || -> std::io::Result<()> {
        writeln!(out, "\nidle for {seconds:.0} s, tutorial's cluster of two")?;
        let head = ["host", "resident MiB", "CPU %", "packets/s out", "bytes/s out"];
        let [host, resident, cpu, packets, bytes] = head;
        writeln!(out, "{host:<12} {resident:>13} {cpu:>8} {packets:>14} {bytes:>12}")?;
        for ((host, before), after) in cluster.lab().hosts().iter().zip(&before).zip(&after) {
            let [_, _, bytes, packets] = rates(before, after, seconds);
            let ticks = after.cpu_ticks.saturating_sub(before.cpu_ticks);
            writeln!(
                out,
                "{:<12} {:>13.1} {:>8.2} {:>14.1} {:>12.0}",
                host.name(),
                float(after.resident_kib) / 1024.0,
                float(ticks) / TICKS / seconds * 100.0,
                packets,
                bytes,
            )?;
        }
        Ok(())
    };
    print().map_err(failed)
}

fn used_by(cluster: &Cluster, hosts: &[usize]) -> Result<Vec<Used>, Error> {
    let used = |&host: &usize| {
        let daemons = cluster.host(host).processes_named("hacd")?;
        Ok(Used {
            resident_kib: daemons.iter().map(|process| process.resident_kib).sum(),
            cpu_ticks: daemons.iter().map(|process| process.cpu_ticks).sum(),
            counters: cluster.lab().network()?.private_counters(host)?,
        })
    };
    hosts.iter().map(used).collect()
}

fn rates(before: &Used, after: &Used, seconds: f64) -> [f64; 4] {
    let mut rates = [0.0; 4];
    let both = before.counters.iter().zip(&after.counters);
    for (rate, (before, after)) in rates.iter_mut().zip(both) {
        *rate = float(after.saturating_sub(*before)) / seconds;
    }
    rates
}

/// Counters of a bench stay far below where a float loses whole numbers.
fn float(count: u64) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}
