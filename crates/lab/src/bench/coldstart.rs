//! `bench coldstart`: from starting all daemons to everything started.

use std::io::Write;
use std::time::Instant;

use super::{LIMIT, Series};
use crate::{Agents, Cluster, Error, Tools};

/// Stops all daemons and starts them again, `repetitions` times.
///
/// # Errors
/// When the lab cannot be built or the cluster does not come up.
pub fn coldstart(tools: &Tools, repetitions: usize, out: &mut dyn Write) -> Result<(), Error> {
    let cluster = Cluster::running(tools, 2, Agents::Native, "", LIMIT)?;
    let mut online = Series::default();
    let mut up = Series::default();
    for _ in 0..repetitions {
        for host in cluster.lab().hosts() {
            cluster.stop(host.number())?;
        }
        let begin = Instant::now();
        cluster.start_all()?;
        cluster.wait_status(1, "both are online", LIMIT, |status| status.online.len() == 2)?;
        online.add(begin.elapsed());
        cluster.wait_up(LIMIT)?;
        up.add(begin.elapsed());
        cluster.lab().prober().wait_answers(None, Instant::now(), 10, LIMIT)?;
    }
    let mut print = || -> std::io::Result<()> {
        writeln!(out, "\ncold start of both hosts, {repetitions} times")?;
        writeln!(out, "{:<44} {:>9}  {:>9}", "", "median", "worst")?;
        writeln!(out, "{:<44} {}", "daemons started to both online", online.columns())?;
        writeln!(out, "{:<44} {}", "daemons started to everything started", up.columns())
    };
    print().map_err(Error::system("cannot write"))
}
