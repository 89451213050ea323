//! Promotable resources for real: `ocf:pacemaker:Stateful`, and databases under the agents that Debian ships, with a client
//! that writes and checks. One failover and one switchover each; `hac-lab bench databases` does more.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use hac_lab::databases::{Database, Engine, Stack};
use hac_lab::writers::{self, Harm};
use hac_lab::{Cluster, Plan, Tools, wait_for};

use crate::Test;
use crate::common::{Env, assert_contains, wait_online};

/// How long a step may take: agents of databases take their time, and the machine may be busy.
const LIMIT: Duration = Duration::from_secs(120);
/// So many acknowledgements mean that the database can be written to.
const STEADY: usize = 20;
/// The smallest promotable agent that there is.
const STATEFUL: &str = "/usr/lib/ocf/resource.d/pacemaker/Stateful";

/// The tests, and why one of them is not possible here.
pub(crate) fn all() -> Vec<(&'static str, Test, Option<String>)> {
    let stateful = (!Path::new(STATEFUL).exists()).then(|| "not installed: pacemaker-resource-agents".to_owned());
    let missing = |engine: Engine| {
        let missing = engine.missing();
        (!missing.is_empty()).then(|| format!("not installed: {}", missing.join(" ")))
    };
    vec![
        ("the_meta_data_of_all_installed_agents_is_read", meta_data, None),
        ("stateful_is_promoted_demoted_and_moved", plain, stateful),
        ("postgresql_under_paf_loses_its_primary_and_no_write", paf_fails_over, missing(Engine::Paf)),
        ("postgresql_under_paf_is_moved_demoted_and_promoted", paf_is_moved, missing(Engine::Paf)),
        ("of_two_hosts_with_fencing_never_both_take_writes", never_both, missing(Engine::Paf)),
        ("postgresql_under_pgsql_loses_its_primary_and_no_write", pgsql, missing(Engine::Pgsql)),
        ("redis_fails_over_and_switches_over", redis, missing(Engine::Redis)),
    ]
}

/// What `ra info` shows of every agent of this machine names its start; `hac-lab agents` tries them.
fn meta_data(env: &Env) -> anyhow::Result<()> {
    env.with_hosts(1, "", |cluster| {
        cluster.start_all()?;
        wait_online(cluster)?;
        let installed = hac_lab::agents::installed();
        ensure!(installed.iter().any(|agent| agent == "heartbeat:nginx"), "{installed:?}");
        let unread: Vec<_> = installed
            .iter()
            .filter(|agent| {
                let said = cluster.hacctl(1, &["ra", "info", &format!("ocf:{agent}")]);
                !said.is_ok_and(|text| text.contains("start"))
            })
            .collect();
        ensure!(unread.is_empty(), "not read: {unread:?}");
        Ok(())
    })
}

/// Where the instances of a clone are: the promoted ones, and the others.
fn roles(cluster: &Cluster, host: usize, clone: &str) -> Option<(Vec<String>, Vec<String>)> {
    let status = cluster.status(host)?;
    let names = |roles: &std::collections::BTreeMap<String, std::collections::BTreeSet<String>>| {
        roles.get(clone).into_iter().flatten().cloned().collect()
    };
    Some((names(&status.promoted), names(&status.unpromoted)))
}

fn until(cluster: &Cluster, host: usize, promoted: &[&str], unpromoted: &[&str]) -> anyhow::Result<()> {
    let what = format!("S-clone is promoted on {promoted:?} and on {unpromoted:?} not");
    let reached = wait_for(&what, LIMIT, || {
        roles(cluster, host, "S-clone").filter(|(yes, no)| yes == promoted && no == unpromoted)
    });
    reached.map(drop).with_context(|| cluster.status(host).map(|status| status.text).unwrap_or_default())
}

fn plain(env: &Env) -> anyhow::Result<()> {
    env.with_hosts(2, "", |cluster| {
        cluster.start_all()?;
        wait_online(cluster)?;
        let say = |host: usize, line: &str| -> anyhow::Result<String> {
            Ok(cluster.hacctl(host, &line.split_whitespace().collect::<Vec<_>>())?)
        };
        say(1, "configure property stonith-enabled=false no-quorum-policy=ignore")?;
        say(
            1,
            "configure primitive S ocf:pacemaker:Stateful op monitor interval=10s role=Master op monitor interval=11s",
        )?;
        say(1, "configure clone S-clone S meta promotable=true")?;
        wait_for("one is promoted", LIMIT, || {
            roles(cluster, 1, "S-clone").filter(|(yes, no)| yes.len() == 1 && no.len() == 1)
        })?;
        let (first, second) = (Plan::name(1), Plan::name(2));
        say(1, "--wait resource move S-clone primary")?;
        until(cluster, 1, &[first], &[second])?;
        say(1, "--wait resource clear S-clone")?;
        say(1, "--wait resource demote S-clone")?;
        until(cluster, 1, &[], &[first, second])?;
        say(1, "--wait resource promote S-clone")?;
        wait_for("one is promoted", LIMIT, || {
            roles(cluster, 1, "S-clone").filter(|(yes, no)| yes.len() == 1 && no.len() == 1)
        })?;
        say(1, "--wait resource move S-clone primary")?;
        until(cluster, 1, &[first], &[second])?;
        say(1, "--wait resource clear S-clone")?;
        cluster.lab().power_off(1)?;
        until(cluster, 2, &[second], &[])?;
        cluster.lab().power_on(1)?;
        until(cluster, 2, &[second], &[first])
    })
}

fn paf_fails_over(env: &Env) -> anyhow::Result<()> {
    with_database(env, Engine::Paf, |database| {
        fails_over(database)?;
        nothing_is_lost(database)
    })
}

fn paf_is_moved(env: &Env) -> anyhow::Result<()> {
    with_database(env, Engine::Paf, |database| {
        switches_over(database)?;
        demoted_and_promoted(database)?;
        nothing_is_lost(database)
    })
}

/// It is not moved: this agent lets a primary that was demoted beside a standby start again only when a person has said that
/// its data is good.
fn pgsql(env: &Env) -> anyhow::Result<()> {
    with_database(env, Engine::Pgsql, |database| {
        fails_over(database)?;
        nothing_is_lost(database)
    })
}

fn redis(env: &Env) -> anyhow::Result<()> {
    with_database(env, Engine::Redis, |database| {
        fails_over(database)?;
        switches_over(database)
    })
}

/// One run of each harm that is soon over; `hac-lab writers` does them all, and many times.
fn never_both(_: &Env) -> anyhow::Result<()> {
    let mut told = Vec::new();
    let harms = [Harm::PowerOff, Harm::Cut, Harm::Deaf, Harm::Kill];
    writers::run(&Tools::find()?, &harms, 1, &mut told)?;
    let told = String::from_utf8(told)?;
    ensure!(told.lines().count() == harms.len(), "{told}");
    Ok(())
}

fn with_database(
    env: &Env,
    engine: Engine,
    test: impl FnOnce(&Database<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    env.with_hosts(3, "", |cluster| {
        cluster.lab().hosts().iter().for_each(|host| host.nothing_at_boot());
        let database = Database::up(cluster, engine, Stack::Hacd, LIMIT)?;
        at_rest(&database)?;
        test(&database)
    })
}

/// All run, as many may be promoted as the agent lets, and it is written to.
fn at_rest(database: &Database<'_>) -> anyhow::Result<()> {
    let hosts = database.cluster().lab().hosts().len();
    database.wait("all instances run", LIMIT, |roles| roles.standbys.len() + 1 == hosts)?;
    database.wait_candidates(LIMIT)?;
    Ok(database.writer()?.wait(Instant::now(), STEADY, LIMIT)?)
}

/// The primary loses power, another takes over, and the old one comes back as a standby.
fn fails_over(database: &Database<'_>) -> anyhow::Result<()> {
    let before = database.roles().context("has a primary")?.primary;
    let begin = Instant::now();
    database.cluster().lab().power_off(before)?;
    database.wait("another is promoted", LIMIT, |now| now.primary != before)?;
    database.writer()?.wait(Instant::now(), STEADY, LIMIT)?;
    let gap = database.writer()?.gap(begin);
    ensure!(gap < LIMIT, "nothing was acknowledged for {gap:?}");
    database.rejoin(before)?;
    let now = database.wait("the old primary is a standby", LIMIT, |roles| roles.standbys.contains(&before))?;
    ensure!(now.primary != before, "it was promoted again");
    at_rest(database)
}

/// An administrator moves the primary; the old one stays as a standby.
fn switches_over(database: &Database<'_>) -> anyhow::Result<()> {
    let (cluster, clone) = (database.cluster(), database.engine().clone_id());
    let before = database.roles().context("has a primary")?.primary;
    let Some(to) = database.best_candidate() else { bail!("nobody may be promoted:\n{}", database.attributes()) };
    cluster.hacctl(1, &["--timeout", "120", "--wait", "resource", "move", clone, Plan::name(to)])?;
    database.wait("the other is promoted", LIMIT, |now| now.primary == to)?;
    cluster.hacctl(1, &["--timeout", "120", "--wait", "resource", "clear", clone])?;
    let now = database.wait("the old primary is a standby", LIMIT, |roles| roles.standbys.contains(&before))?;
    ensure!(now.primary == to, "it went back");
    at_rest(database)
}

/// `target-role` takes the role from the primary, and gives one back.
fn demoted_and_promoted(database: &Database<'_>) -> anyhow::Result<()> {
    let (cluster, clone) = (database.cluster(), database.engine().clone_id());
    cluster.hacctl(1, &["--timeout", "120", "--wait", "resource", "demote", clone])?;
    let text = cluster.hacctl(1, &["status"])?;
    ensure!(!text.contains(" Promoted: ["), "{text}");
    assert_contains(&text, "Unpromoted (target-role): [ primary secondary third ]")?;
    cluster.hacctl(1, &["--timeout", "120", "--wait", "resource", "promote", clone])?;
    at_rest(database)
}

fn nothing_is_lost(database: &Database<'_>) -> anyhow::Result<()> {
    let lost = database.lost()?;
    ensure!(lost.is_empty(), "acknowledged, and not there: {lost:?}");
    ensure!(!database.writer()?.acknowledged().is_empty(), "nothing was acknowledged");
    Ok(())
}
