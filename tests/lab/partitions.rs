//! Hosts that do not all hear each other: two sides, a host that nobody hears, one that hears nobody, a single direction
//! that is lost. As in the simulator, those that are together afterwards all hear each other, nothing flaps, only a
//! majority changes the configuration, and healing gives one membership of all.

use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use hac_lab::{Cluster, Plan};

use crate::Test;
use crate::common::{Env, LIMIT, wait};
use crate::ring::{all, same_state, view, views, wait_ring};

/// How many hosts take part.
const HOSTS: usize = 4;
/// Long enough to see whether memberships last.
const WATCH: Duration = Duration::from_secs(2);

/// Memberships, each a list of hosts.
type Memberships = Vec<Vec<usize>>;

/// A way to be divided.
struct Division {
    what: &'static str,
    /// Who is not heard by whom.
    lost: Vec<(usize, usize)>,
    /// The memberships that it may lead to.
    outcomes: Vec<Memberships>,
}

pub(crate) fn one() -> Vec<(&'static str, Test)> {
    vec![
        ("two_sides_settle_and_heal", sides),
        ("one_way_losses_settle_and_heal", one_way),
        ("a_minority_names_who_is_missing_and_changes_nothing", minority),
    ]
}

/// Everything that `from` sends to `to`.
fn between(from: &[usize], to: &[usize]) -> Vec<(usize, usize)> {
    from.iter().flat_map(|&from| to.iter().map(move |&to| (from, to))).collect()
}

fn sides(env: &Env) -> anyhow::Result<()> {
    let both = [between(&[1, 2], &[3, 4]), between(&[3, 4], &[1, 2])].concat();
    let alone = [between(&[2], &[1, 3, 4]), between(&[1, 3, 4], &[2])].concat();
    divide(
        env,
        &[
            Division { what: "two against two", lost: both, outcomes: vec![vec![vec![1, 2], vec![3, 4]]] },
            Division { what: "one against three", lost: alone, outcomes: vec![vec![vec![1, 3, 4], vec![2]]] },
        ],
    )
}

fn one_way(env: &Env) -> anyhow::Result<()> {
    let of_one = vec![vec![vec![1, 2, 4], vec![3]], vec![vec![1, 3, 4], vec![2]]];
    divide(
        env,
        &[
            Division {
                what: "nobody hears the first",
                lost: between(&[1], &[2, 3, 4]),
                outcomes: vec![vec![vec![1], vec![2, 3, 4]]],
            },
            Division {
                what: "the last hears nobody",
                lost: between(&[1, 2, 3], &[4]),
                outcomes: vec![vec![vec![1, 2, 3], vec![4]]],
            },
            Division { what: "the third does not hear the second", lost: vec![(2, 3)], outcomes: of_one },
            Division {
                what: "one half does not hear the other",
                lost: between(&[1, 2], &[3, 4]),
                outcomes: vec![vec![vec![1, 2], vec![3, 4]]],
            },
        ],
    )
}

/// Divides the same hosts in each of these ways, one after the other.
fn divide(env: &Env, divisions: &[Division]) -> anyhow::Result<()> {
    env.with_hosts(HOSTS, "", |cluster| {
        cluster.start_all()?;
        wait_ring(cluster, &all(cluster))?;
        divisions.iter().try_for_each(|division| settles(cluster, division).context(division.what))
    })
}

fn settles(cluster: &Cluster, division: &Division) -> anyhow::Result<()> {
    let network = cluster.lab().network()?;
    division.lost.iter().try_for_each(|&(from, to)| network.lose(from, to))?;
    let settled = hac_lab::wait_for("the memberships that this leads to", LIMIT, || {
        memberships(cluster).filter(|found| division.outcomes.contains(found))
    })?;
    let counts = counts(cluster)?;
    sleep(WATCH);
    ensure!(memberships(cluster).as_ref() == Some(&settled), "{settled:?} did not last: {:?}", memberships(cluster));
    ensure!(self::counts(cluster)? == counts, "it flaps: {counts:?}, then {:?}", self::counts(cluster)?);
    for members in &settled {
        for &host in members {
            let quorate = cluster.told(host).context("it answers")?.quorum.quorate;
            ensure!(quorate == (2 * members.len() > HOSTS), "quorum of host {host} in {members:?}: {quorate}");
        }
    }
    network.heal()?;
    wait_ring(cluster, &all(cluster))?;
    same_state(cluster)
}

/// The memberships at present, if the members of each agree on it.
fn memberships(cluster: &Cluster) -> Option<Memberships> {
    let views: Vec<(usize, (String, Vec<usize>))> =
        all(cluster).into_iter().map(|host| Some((host, view(cluster, host)?))).collect::<Option<_>>()?;
    for (host, (ring, members)) in &views {
        let same = |&member: &usize| views.iter().any(|(other, view)| *other == member && view.0 == *ring);
        if !members.contains(host) || !members.iter().all(same) {
            return None;
        }
    }
    let mut found: Memberships = views.into_iter().map(|(_, (_, members))| members).collect();
    found.sort();
    found.dedup();
    Some(found)
}

/// How many memberships each host has seen.
fn counts(cluster: &Cluster) -> anyhow::Result<Vec<usize>> {
    all(cluster).into_iter().map(|host| Ok(views(cluster, host)?.len())).collect()
}

fn minority(env: &Env) -> anyhow::Result<()> {
    env.with_hosts(3, "", |cluster| {
        cluster.start_all()?;
        wait_ring(cluster, &[1, 2, 3])?;
        let network = cluster.lab().network()?;
        between(&[1], &[2, 3]).into_iter().try_for_each(|(from, to)| network.lose(from, to))?;
        wait_ring(cluster, &[2, 3])?;
        wait_ring(cluster, &[1])?;
        let set = |host, value: &str| {
            let value = format!("cluster-recheck-interval={value}");
            cluster.try_hacctl(host, &["configure", "property", &value])
        };
        let refused = set(1, "111s")?;
        let text = String::from_utf8_lossy(&refused.stderr).into_owned();
        ensure!(refused.status.code() == Some(106), "{refused:?}");
        for missing in [2, 3] {
            ensure!(text.contains(Plan::name(missing)), "who is missing is not named: {text}");
        }
        let quorum = cluster.try_hacctl(1, &["quorum"])?;
        let text = String::from_utf8_lossy(&quorum.stdout).into_owned();
        ensure!(quorum.status.code() == Some(2), "{quorum:?}");
        for missing in [2, 3] {
            ensure!(text.contains(Plan::name(missing)), "who is missing is not named: {text}");
        }
        // The others go on, and the one that was away learns of it.
        ensure!(set(2, "222s")?.status.success(), "the majority may change the configuration");
        network.heal()?;
        wait_ring(cluster, &[1, 2, 3])?;
        wait("the change is everywhere", || {
            cluster.hacctl(1, &["configure", "show"]).is_ok_and(|shown| shown.contains("222s"))
        })?;
        same_state(cluster)
    })
}
