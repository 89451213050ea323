//! `bench detection` on real daemons: how soon a host that loses power is suspected, and whether living ones ever are,
//! on an idle machine and on one whose cores are all busy. What this machine cannot do (a kernel without netem loses
//! and delays nothing) is simulated: `hac-detection`.

use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::failover::{self, Parts, Scenario};
use super::{LIMIT, Profile, pause};
use crate::{Agents, Cluster, Error, Tools};

/// Busy processes for each core.
const BUSY_PER_CORE: usize = 2;
/// Living hosts are watched for so long.
const WATCHED: Duration = Duration::from_secs(20);
/// The cluster settles for so long after a start.
const CALM: Duration = Duration::from_secs(2);

/// Processes that keep all cores busy for as long as this lives.
#[derive(Debug)]
struct Busy(Vec<Child>);

impl Busy {
    fn all_cores() -> Result<Self, Error> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let mut busy = Self(Vec::new());
        for _ in 0..cores * BUSY_PER_CORE {
            let mut command = Command::new("sh");
            command.args(["-c", "while :; do :; done"]).stdin(Stdio::null());
            busy.0.push(command.spawn().map_err(Error::system("cannot run sh"))?);
        }
        Ok(busy)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // A loop ends in no other way.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Measures both profiles in both circumstances, with so many power failures each.
///
/// # Errors
/// When the lab cannot be built or the cluster does not recover.
pub fn detection(tools: &Tools, repetitions: usize, out: &mut dyn Write) -> Result<(), Error> {
    let seconds = WATCHED.as_secs();
    let mut print = |text: &str| writeln!(out, "{text}").map_err(Error::system("cannot write"));
    print(&format!(
        "\nreal daemons: two hosts, {repetitions} power failures and {seconds} s without any for each line"
    ))?;
    let head = format!("{:<28} {:<10} {:>22} {:>22} {:>11}", "", "cores", "noticed", "gap in the page", "suspicions");
    print(&head)?;
    print(&format!("{:<39} {:>10} {:>11} {:>10} {:>11} {:>11}", "", "median", "worst", "median", "worst", "false"))?;
    for profile in [Profile::Fast, Profile::Usual] {
        for starved in [false, true] {
            let line = one(tools, profile, starved, repetitions)?;
            print(&line)?;
        }
    }
    Ok(())
}

fn one(tools: &Tools, profile: Profile, starved: bool, repetitions: usize) -> Result<String, Error> {
    let cluster = Cluster::new(tools, 2, Agents::Native, "")?.tuned(profile.totem())?.up(LIMIT)?;
    pause(CALM);
    let busy = if starved { Some(Busy::all_cores()?) } else { None };
    let before = suspicions(&cluster)?;
    pause(WATCHED);
    let wrong = suspicions(&cluster)?.saturating_sub(before);
    let mut parts = Parts::default();
    for _ in 0..repetitions {
        failover::once(&cluster, Scenario::PowerOff, &mut parts)?;
        failover::recover(&cluster, Scenario::PowerOff)?;
    }
    drop(busy);
    let cores = if starved { "all busy" } else { "idle" };
    let (detect, gap) = (parts.detect.columns(), parts.gap.columns());
    Ok(format!("{:<28} {cores:<10} {detect} {gap} {wrong:>11}", profile.words()))
}

/// Suspicions that the daemons of all hosts have counted.
fn suspicions(cluster: &Cluster) -> Result<u64, Error> {
    let mut sum = 0;
    for host in cluster.lab().hosts() {
        let text = cluster.hacctl(host.number(), &["--json", "status"])?;
        let status: hac_api::Status = serde_json::from_str(&text)
            .map_err(|error| Error::Invalid(format!("the status cannot be read: {error}")))?;
        sum +=
            status.counters.iter().filter(|counter| counter.name == "totem.suspicions").map(|c| c.value).sum::<u64>();
    }
    Ok(sum)
}
