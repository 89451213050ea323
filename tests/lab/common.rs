//! What the tests on real hosts share.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use hac_lab::{Agents, Cluster, Plan, Tools};

/// How long anything may take. Wide: the machine may be busy with other things.
pub(crate) const LIMIT: Duration = Duration::from_secs(40);
/// So many answers in a row mean that the page is there.
pub(crate) const STEADY: usize = 10;

/// What a test is given.
#[derive(Debug)]
pub(crate) struct Env {
    pub(crate) tools: Tools,
    pub(crate) agents: Agents,
}

impl Env {
    pub(crate) fn new(tools: Tools, agents: Agents) -> Self {
        Self { tools, agents }
    }

    /// Runs `test` on the tutorial's cluster, all up. A failure comes with what the hosts say.
    pub(crate) fn with_running(&self, test: impl FnOnce(&Cluster) -> anyhow::Result<()>) -> anyhow::Result<()> {
        self.with_hosts(2, "", |cluster| {
            bring_up(cluster)?;
            test(cluster)
        })
    }

    /// Runs `test` on hosts with configuration and key in place and no daemon running; `more` is
    /// appended to `hacd.toml`.
    pub(crate) fn with_hosts(
        &self,
        hosts: usize,
        more: &str,
        test: impl FnOnce(&Cluster) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let cluster = Cluster::new(&self.tools, hosts, self.agents, more)?;
        test(&cluster).map_err(|error| anyhow::anyhow!("{error:#}\n{}", cluster.report()))
    }
}

/// Starts all daemons, types the tutorial's lines and waits until all is up and the page comes.
pub(crate) fn bring_up(cluster: &Cluster) -> anyhow::Result<()> {
    cluster.start_all()?;
    wait_online(cluster)?;
    cluster.configure_tutorial(1)?;
    cluster.wait_up(LIMIT)?;
    steady(cluster, None, Instant::now())
}

/// Waits until all hosts are online in the eyes of the first.
pub(crate) fn wait_online(cluster: &Cluster) -> anyhow::Result<()> {
    let count = cluster.lab().hosts().len();
    cluster.wait_status(1, "all hosts are online", LIMIT, |status| status.online.len() == count)?;
    Ok(())
}

/// Waits until the page comes steadily, from a certain host if one is given.
pub(crate) fn steady(cluster: &Cluster, host: Option<usize>, from: Instant) -> anyhow::Result<()> {
    let prober = cluster.lab().prober();
    prober.wait_answers(host.map(Plan::name), from, STEADY, LIMIT)?;
    Ok(())
}

/// The first processes of all web servers, which must all run.
pub(crate) fn web_servers(cluster: &Cluster) -> anyhow::Result<Vec<i32>> {
    let hosts = cluster.lab().plan().hosts();
    hosts.map(|host| cluster.nginx(host).with_context(|| format!("no nginx on {}", Plan::name(host)))).collect()
}

/// There is one web server on each host that is on, and the address is where the status says.
pub(crate) fn assert_consistent(cluster: &Cluster) -> anyhow::Result<()> {
    let status = cluster.wait_up(LIMIT)?;
    let holder = Plan::name(cluster.active()?);
    if status.place("FloatIP") != Some(holder) {
        bail!("the address is at {holder}, but status says\n{}", status.text);
    }
    for host in cluster.lab().hosts().iter().filter(|host| host.is_on()) {
        // A process goes by this title when it serves. 'nginx -t', which looks at the configuration now and then, never does.
        let titles =
            host.shell("for p in $(pidof nginx); do tr '\\0' ' ' < /proc/$p/cmdline; echo; done 2>/dev/null; true")?;
        if titles.lines().filter(|title| title.starts_with("nginx: master process")).count() != 1 {
            bail!("web servers on {}:\n{titles}", host.name());
        }
    }
    Ok(())
}

/// Fails with what is expected unless `text` contains `part`.
pub(crate) fn assert_contains(text: &str, part: &str) -> anyhow::Result<()> {
    if !text.contains(part) {
        bail!("no {part:?} in:\n{text}");
    }
    Ok(())
}

/// Waits until a condition holds.
pub(crate) fn wait(what: &str, mut condition: impl FnMut() -> bool) -> anyhow::Result<()> {
    hac_lab::wait_for(what, LIMIT, || condition().then_some(()))?;
    Ok(())
}
