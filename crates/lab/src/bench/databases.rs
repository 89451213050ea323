//! `bench databases`: how long a replicated database cannot be written to when its primary dies, and what is lost by it.

use std::io::Write;
use std::time::{Duration, Instant};

use super::Series;
use crate::databases::{Database, Engine, Stack, pacemaker_installed};
use crate::{Agents, Cluster, Error, Tools};

/// Hosts: with synchronous replication two are left of three, which can go on.
const HOSTS: usize = 3;
/// How long a step may take; agents of databases take their time.
const LIMIT: Duration = Duration::from_secs(180);
/// So many acknowledgements mean that the database can be written to again.
const STEADY: usize = 20;

/// Takes the power from the primary `repetitions` times under `hacd`, and `beside` times under Corosync and Pacemaker with the
/// same configuration; prints gaps and what was lost.
///
/// # Errors
/// When the lab cannot be built or the database does not recover.
pub fn databases(
    tools: &Tools,
    engine: Engine,
    repetitions: usize,
    beside: usize,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let missing = engine.missing();
    if !missing.is_empty() {
        return Err(Error::Missing(format!("not installed: {}", missing.join(" "))));
    }
    let mut table = format!("\n{}, {HOSTS} hosts, the primary loses power\n{:<20} {:>5} ", engine.name(), "", "times");
    table.push_str(&format!("{:>9}  {:>9} {:>13} {:>6}\n", "median", "worst", "acknowledged", "lost"));
    let (line, configuration) = run(tools, engine, Stack::Hacd, repetitions, out)?;
    table.push_str(&line);
    if beside > 0 {
        if pacemaker_installed() {
            table.push_str(&run(tools, engine, Stack::Pacemaker(&configuration), beside, out)?.0);
        } else {
            table.push_str("corosync and pacemaker are not installed here\n");
        }
    }
    out.write_all(table.as_bytes()).map_err(Error::system("cannot write"))
}

/// Gives a line of the table, and the configuration.
fn run(
    tools: &Tools,
    engine: Engine,
    stack: Stack<'_>,
    repetitions: usize,
    out: &mut dyn Write,
) -> Result<(String, String), Error> {
    let cluster = Cluster::new(tools, HOSTS, Agents::Native, "")?;
    cluster.lab().hosts().iter().for_each(|host| host.nothing_at_boot());
    let database = Database::up(&cluster, engine, stack, LIMIT)?;
    let configuration = match stack {
        Stack::Hacd => database.configuration()?,
        Stack::Pacemaker(_) => String::new(),
    };
    let (mut gaps, mut lost) = (Series::default(), 0);
    for repetition in 1..=repetitions {
        let roles = database.wait("all instances run", LIMIT, |roles| roles.standbys.len() + 1 == HOSTS)?;
        database.wait_candidates(LIMIT)?;
        database.writer()?.wait(Instant::now(), STEADY, LIMIT)?;
        let begin = Instant::now();
        cluster.lab().power_off(roles.primary)?;
        let after = database.wait("another is promoted", LIMIT, |now| now.primary != roles.primary)?;
        database.writer()?.wait(Instant::now(), STEADY, LIMIT)?;
        let gap = database.writer()?.gap(begin);
        gaps.add(gap);
        let missing = database.lost()?;
        lost += missing.len();
        let (from, to, gap) = (roles.primary, after.primary, gap.as_secs_f64());
        let text =
            format!("  {:<20} {repetition:>3}: host {from} to {to}, {gap:>7.3} s, lost {missing:?}", stack.name());
        writeln!(out, "{text}").map_err(Error::system("cannot write"))?;
        database.rejoin(roles.primary)?;
    }
    database.wait("all instances run", LIMIT, |roles| roles.standbys.len() + 1 == HOSTS)?;
    lost = lost.max(database.lost()?.len());
    let acknowledged = database.writer()?.acknowledged().len();
    let line = format!("{:<20} {repetitions:>5} {} {acknowledged:>13} {lost:>6}\n", stack.name(), gaps.columns());
    Ok((line, configuration))
}
