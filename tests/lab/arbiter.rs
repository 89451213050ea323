//! The third vote of two hosts in a store that both reach: etcd where it is installed, and a stand-in everywhere.

use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use hac_lab::{Cluster, Store, StoreKind};

use crate::Test;
use crate::common::{Env, assert_contains, bring_up, steady, wait, wait_online};

/// The daemon's configuration on a host.
const FILE: &str = "/etc/hacd/hacd.toml";
/// Long enough for a claim to be given up, and for the next one.
const GIVEN_UP: Duration = Duration::from_secs(13);

/// It is looked at once a minute while both hosts are there.
const NOTICED: Duration = Duration::from_secs(100);

/// With the stand-in.
pub(crate) fn one() -> Vec<(&'static str, Test)> {
    vec![
        ("of_two_halves_the_one_with_the_third_vote_goes_on", |env| halves(env, StoreKind::StandIn)),
        ("a_third_vote_that_cannot_be_had_stops_nothing_before_it_is_needed", |env| silent(env, StoreKind::StandIn)),
        ("a_store_that_was_set_back_is_not_believed", |env| set_back(env, StoreKind::StandIn)),
    ]
}

/// With the program of the distribution.
pub(crate) fn with_etcd() -> Vec<(&'static str, Test)> {
    vec![
        ("etcd_of_two_halves_the_one_with_the_third_vote_goes_on", |env| halves(env, StoreKind::Etcd)),
        ("etcd_that_cannot_be_had_stops_nothing_before_it_is_needed", |env| silent(env, StoreKind::Etcd)),
        ("etcd_that_was_set_back_is_not_believed", |env| set_back(env, StoreKind::Etcd)),
    ]
}

/// Why the tests with etcd cannot be run here.
pub(crate) fn missing() -> Option<String> {
    for program in ["etcd", "etcdctl"] {
        let found = Command::new(program).env("ETCDCTL_API", "3").arg("--help").output();
        if found.is_err() {
            return Some(format!("{program} is not installed (packages etcd-server, etcd-client)"));
        }
    }
    None
}

/// Two hosts with a store, and no daemon running.
fn with_store(
    env: &Env,
    kind: StoreKind,
    test: impl FnOnce(&Cluster, &mut Store) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    env.with_hosts(2, "", |cluster| {
        let mut store = Store::start(cluster.lab(), kind)?;
        for host in cluster.lab().hosts() {
            let text = host.read(FILE)?.replace("two_node = 1\n", "");
            host.write(FILE, &format!("{text}[arbiter]\nmodel = \"etcd\"\nendpoints = [\"{}\"]\n", Store::url()))?;
        }
        test(cluster, &mut store)
    })
}

/// What a host says of its arbiter.
fn state(cluster: &Cluster, host: usize) -> String {
    let told = cluster.told(host).and_then(|status| status.quorum.arbiter);
    told.map(|arbiter| arbiter.state).unwrap_or_default()
}

pub(crate) fn is_quorate(cluster: &Cluster, host: usize) -> bool {
    cluster.told(host).is_some_and(|status| status.quorum.quorate)
}

/// Waits until a host says this of its arbiter.
pub(crate) fn wait_state(cluster: &Cluster, host: usize, wanted: &str) -> anyhow::Result<()> {
    wait(&format!("the arbiter is {wanted} at host {host}"), || state(cluster, host) == wanted)
        .with_context(|| format!("it is {}", state(cluster, host)))
}

/// Cuts the link; the host with the address, which gets the vote, and the other one, which does not.
pub(crate) fn decided_cut(cluster: &Cluster) -> anyhow::Result<(usize, usize)> {
    let active = cluster.active()?;
    let other = cluster.other(active)?;
    cluster.lab().network()?.cut()?;
    wait_state(cluster, active, "won")?;
    wait_state(cluster, other, "lost")?;
    Ok((active, other))
}

fn halves(env: &Env, kind: StoreKind) -> anyhow::Result<()> {
    with_store(env, kind, |cluster, _store| {
        bring_up(cluster)?;
        cluster.hacctl(1, &["--wait", "configure", "property", "no-quorum-policy=stop"])?;
        [1, 2].into_iter().try_for_each(|host| wait_state(cluster, host, "ready"))?;
        let shown = cluster.hacctl(1, &["quorum"])?;
        assert_contains(&shown, "Expected votes:   3")?;
        assert_contains(&shown, "Qdevice")?;
        assert_contains(&shown, "Arbiter: ready")?;
        for round in 1..=2 {
            let begin = Instant::now();
            let (active, other) = decided_cut(cluster)?;
            wait("the one that won acts", || is_quorate(cluster, active))?;
            wait("the other stops what it has", || cluster.nginx(other).is_none())?;
            sleep(GIVEN_UP);
            ensure!(is_quorate(cluster, active) && !is_quorate(cluster, other), "round {round}: it did not last");
            ensure!(cluster.active()? == active, "round {round}: the address has moved");
            let moved = cluster.lab().cloud().assigns(begin).len();
            ensure!(moved == 0, "round {round}: the address was assigned {moved} times");
            let problems = cluster.try_hacctl(other, &["status"])?;
            assert_contains(&String::from_utf8_lossy(&problems.stdout), "no vote of the arbiter")?;
            cluster.lab().network()?.heal()?;
            wait_online(cluster)?;
            [1, 2].into_iter().try_for_each(|host| wait_state(cluster, host, "ready"))?;
            wait("both act", || is_quorate(cluster, 1) && is_quorate(cluster, 2))?;
        }
        // The holder dies: the other one gets the vote and the address.
        let active = cluster.active()?;
        let (other, begin) = (cluster.other(active)?, Instant::now());
        cluster.lab().power_off(active)?;
        steady(cluster, Some(other), begin)?;
        ensure!(state(cluster, other) == "won" && is_quorate(cluster, other), "it acts without the vote");
        Ok(())
    })
}

fn silent(env: &Env, kind: StoreKind) -> anyhow::Result<()> {
    with_store(env, kind, |cluster, store| {
        cluster.start_all()?;
        wait_online(cluster)?;
        wait_state(cluster, 1, "ready")?;
        // Gone while both are there: nothing happens, and people are told.
        store.kill()?;
        hac_lab::wait_for("host 1 says that there is no arbiter", NOTICED, || {
            (state(cluster, 1) == "silent").then_some(())
        })?;
        ensure!(is_quorate(cluster, 1) && is_quorate(cluster, 2), "the store is not needed by both");
        let shown = String::from_utf8_lossy(&cluster.try_hacctl(1, &["status"])?.stdout).into_owned();
        assert_contains(&shown, "the next death of a node stops the service")?;
        let doctor = String::from_utf8_lossy(&cluster.try_hacctl(1, &["doctor"])?.stdout).into_owned();
        assert_contains(&doctor, "the next death of a node stops the service")?;
        cluster.kill(2)?;
        wait("host 1 is alone", || cluster.told(1).is_some_and(|status| status.quorum.total_votes == 1))?;
        sleep(GIVEN_UP);
        ensure!(!is_quorate(cluster, 1), "it acts without a vote");
        // It comes back, and whoever waits for it gets the vote.
        store.start_again()?;
        wait("host 1 acts", || is_quorate(cluster, 1))?;
        cluster.start(2)?;
        wait_online(cluster)?;
        wait_state(cluster, 2, "ready")?;
        // It stands still: the same.
        store.freeze(true)?;
        cluster.kill(1)?;
        sleep(GIVEN_UP);
        ensure!(!is_quorate(cluster, 2), "it acts without a vote");
        store.freeze(false)?;
        wait("host 2 acts", || is_quorate(cluster, 2))
    })
}

fn set_back(env: &Env, kind: StoreKind) -> anyhow::Result<()> {
    with_store(env, kind, |cluster, store| {
        cluster.start_all()?;
        wait_online(cluster)?;
        wait_state(cluster, 1, "ready")?;
        store.save()?;
        cluster.lab().network()?.cut()?;
        wait("one acts", || is_quorate(cluster, 1) != is_quorate(cluster, 2))?;
        let winner = if is_quorate(cluster, 1) { 1 } else { 2 };
        let loser = 3 - winner;
        wait_state(cluster, loser, "lost")?;
        // The register is as it was before the cut. Who has lost would win with it, and starts anew.
        store.restore()?;
        cluster.kill(loser)?;
        cluster.start(loser)?;
        sleep(GIVEN_UP);
        ensure!(is_quorate(cluster, winner), "the winner needs no store");
        ensure!(!is_quorate(cluster, loser), "two halves act:\n{}", cluster.report());
        cluster.lab().network()?.heal()?;
        wait_online(cluster)?;
        wait_state(cluster, 1, "strange")?;
        let told = cluster.try_hacctl(1, &["quorum", "trust", "--yes"])?;
        ensure!(told.status.success(), "{told:?}");
        wait_state(cluster, 1, "ready")?;
        cluster.kill(2)?;
        wait("host 1 acts", || is_quorate(cluster, 1) && state(cluster, 1) == "won")?;
        Ok(())
    })
}
