//! Hosts that start, cannot hear each other, or must not.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use hac_lab::{Cluster, Plan, Sample, Status};

use crate::Test;
use crate::common::{Env, LIMIT, assert_consistent, assert_contains, bring_up, steady, wait, wait_online, web_servers};

pub(crate) fn one() -> Vec<(&'static str, Test)> {
    vec![
        ("both_hosts_start_cold", cold_start),
        ("a_host_alone_says_whom_it_waits_for", alone),
        ("a_host_alone_that_ignores_quorum_says_so_and_serves", alone_and_ignorant),
        ("a_cut_link_heals_into_one_cluster", cut),
        ("a_link_that_loses_one_direction_heals", one_way),
        ("a_monitored_address_moves_once_at_most_in_a_cut_and_stays_as_long_as_that_lasts", monitored_cut),
        ("hosts_with_different_keys_do_not_meet", other_key),
        ("configuration_is_agreed_from_either_host", either_host),
    ]
}

fn cold_start(env: &Env) -> anyhow::Result<()> {
    env.with_running(|cluster| {
        for host in [1, 2] {
            cluster.stop(host)?;
        }
        for host in [1, 2] {
            ensure!(cluster.nginx(host).is_none(), "nginx outlived an orderly stop");
        }
        cluster.start_all()?;
        assert_consistent(cluster)?;
        steady(cluster, None, Instant::now())?;
        // The same without any order.
        for host in [1, 2] {
            cluster.lab().power_off(host)?;
        }
        for host in [2, 1] {
            cluster.lab().power_on(host)?;
        }
        assert_consistent(cluster)?;
        steady(cluster, None, Instant::now())
    })
}

fn alone(env: &Env) -> anyhow::Result<()> {
    env.with_running(|cluster| {
        cluster.hacctl(1, &["--wait", "configure", "property", "no-quorum-policy=stop"])?;
        stop_both(cluster)?;
        let begin = Instant::now();
        cluster.start(2)?;
        let status = wait_waiting(cluster, 2, "primary")?;
        ensure!(!status.quorate, "{}", status.text);
        let quorum = cluster.try_hacctl(2, &["quorum"])?;
        ensure!(quorum.status.code() == Some(2), "{quorum:?}");
        wait("it has decided", || cluster.is_settled(2))?;
        let status = cluster.status(2).context("status")?;
        ensure!(status.place("FloatIP").is_none(), "{}", status.text);
        ensure!(cluster.nginx(2).is_none(), "it started nginx without quorum");
        ensure!(cluster.lab().cloud().assigns(begin).is_empty(), "it asked for the address");
        cluster.start(1)?;
        assert_consistent(cluster)?;
        // It has seen all once: it may go on alone from now on.
        let begin = Instant::now();
        cluster.lab().power_off(1)?;
        steady(cluster, Some(2), begin)
    })
}

/// The tutorial's policy says that quorum does not matter: then it does not matter here either.
fn alone_and_ignorant(env: &Env) -> anyhow::Result<()> {
    env.with_running(|cluster| {
        stop_both(cluster)?;
        let begin = Instant::now();
        cluster.start(2)?;
        let status = wait_waiting(cluster, 2, "primary")?;
        ensure!(!status.quorate, "{}", status.text);
        steady(cluster, Some(2), begin)?;
        cluster.start(1)?;
        assert_consistent(cluster)
    })
}

fn stop_both(cluster: &Cluster) -> anyhow::Result<()> {
    for host in [1, 2] {
        cluster.stop(host)?;
    }
    Ok(())
}

/// Waits until a host says that it waits for another one.
fn wait_waiting(cluster: &Cluster, host: usize, other: &str) -> anyhow::Result<Status> {
    let status = cluster.wait_status(host, "it says whom it waits for", LIMIT, |status| {
        status.text.contains("wait_for_all") && status.text.contains(other)
    })?;
    Ok(status)
}

/// Waits until a host holds the other for gone.
fn wait_apart(cluster: &Cluster, host: usize, other: usize) -> anyhow::Result<()> {
    cluster.wait_status(host, "it is apart", LIMIT, |status| status.offline.contains(Plan::name(other)))?;
    Ok(())
}

fn cut(env: &Env) -> anyhow::Result<()> {
    env.with_running(|cluster| {
        let before = web_servers(cluster)?;
        cluster.lab().network()?.cut()?;
        wait_apart(cluster, 1, 2)?;
        wait_apart(cluster, 2, 1)?;
        let healed = Instant::now();
        cluster.lab().network()?.heal()?;
        assert_consistent(cluster)?;
        steady(cluster, None, Instant::now())?;
        let requests = cluster.lab().cloud().assigns(healed);
        ensure!(requests.len() <= 2, "a quarrel about the address: {requests:?}");
        ensure!(web_servers(cluster)? == before, "a web server was restarted needlessly");

        // A cable pulled out, which the host sees.
        cluster.lab().network()?.private_link(2, false)?;
        wait_apart(cluster, 1, 2)?;
        cluster.lab().network()?.private_link(2, true)?;
        assert_consistent(cluster)?;
        steady(cluster, None, Instant::now())
    })
}

/// How long a cut is watched: several monitors, and the API is asked by some of them.
const CUT: Duration = Duration::from_secs(30);

/// So long after it was asked for the address may be on its way.
const MOVED: Duration = Duration::from_secs(1);

/// With the tutorial's settings and a monitor that would notice that the address is gone, on both sides of a cut.
fn monitored_cut(env: &Env) -> anyhow::Result<()> {
    env.with_running(|cluster| {
        cluster.hacctl(1, &["configure", "monitor", "FloatIP", "2s:20s"])?;
        cluster.hacctl(1, &["resource", "param", "FloatIP", "set", "api_check_interval", "4s"])?;
        wait("nothing is in progress", || cluster.is_settled(1) && cluster.is_settled(2))?;
        let (prober, begin) = (cluster.lab().prober(), Instant::now());
        cluster.lab().network()?.cut()?;
        wait_apart(cluster, 1, 2)?;
        wait_apart(cluster, 2, 1)?;
        std::thread::sleep(CUT);
        let assigned = cluster.lab().cloud().assigns(begin);
        ensure!(assigned.len() <= 1, "a quarrel about the address: {assigned:?}");
        // What is under way when the provider moves the address may be lost, and nothing else.
        let samples = prober.samples(begin);
        let (answered, lost): (Vec<_>, Vec<_>) = samples.iter().partition(|sample| sample.host.is_some());
        let is_moved = |sample: &Sample| assigned.iter().any(|it| it.at <= sample.done && sample.sent <= it.at + MOVED);
        let lost: Vec<_> = lost.into_iter().filter(|sample| !is_moved(sample)).collect();
        ensure!(lost.is_empty(), "requests were not answered: {lost:?}; assigned: {assigned:?}");
        let moves = answered.windows(2).filter(|pair| pair[0].host != pair[1].host).count();
        ensure!(moves == assigned.len(), "the page came from another host {moves} times");
        // The two meet, and the address has one owner.
        cluster.lab().network()?.heal()?;
        assert_consistent(cluster)?;
        steady(cluster, None, Instant::now())
    })
}

fn one_way(env: &Env) -> anyhow::Result<()> {
    env.with_running(|cluster| {
        for (from, to) in [(1, 2), (2, 1)] {
            cluster.lab().network()?.lose(from, to)?;
            wait_apart(cluster, to, from)?;
            cluster.lab().network()?.heal()?;
            assert_consistent(cluster)?;
            steady(cluster, None, Instant::now())?;
        }
        Ok(())
    })
}

fn other_key(env: &Env) -> anyhow::Result<()> {
    env.with_hosts(2, "", |cluster| {
        cluster.host(2).exec(&["hacctl", "keygen", "--force"])?;
        cluster.start_all()?;
        for host in [1, 2] {
            cluster.wait_status(host, "it tells of another key", LIMIT, |status| {
                status.text.contains("authkey") && !status.online.contains(Plan::name(3 - host))
            })?;
            wait("the log tells of another key", || cluster.log(host).contains("authkey"))?;
        }
        // With the right key it is a cluster at once.
        cluster.stop(2)?;
        let key = std::fs::read(cluster.host(1).outside("/etc/hacd/authkey")?)?;
        cluster.host(2).write_with_mode("/etc/hacd/authkey", &key, 0o400)?;
        cluster.start(2)?;
        wait_online(cluster)
    })
}

fn either_host(env: &Env) -> anyhow::Result<()> {
    env.with_hosts(2, "", |cluster| {
        bring_up(cluster)?;
        for (host, other) in [(1, 2), (2, 1)] {
            let value = format!("cluster-recheck-interval={host}13s");
            cluster.hacctl(host, &["configure", "property", &value])?;
            let shown = cluster.hacctl(other, &["configure", "show"])?;
            assert_contains(&shown, &value).context("a change is everywhere when its command returns")?;
        }
        for wrong in [
            &["configure", "primitive", "FloatIP", "ocf:heartbeat:nginx"][..],
            &["configure", "primitive", "x", "ocf:nobody:nothing"],
            &["configure", "colocation", "c", "inf:", "FloatIP", "nothing"],
            &["node", "standby", "nobody"],
        ] {
            let output = cluster.try_hacctl(1, wrong)?;
            ensure!(!output.status.success(), "{wrong:?} was accepted");
            ensure!(!output.stderr.is_empty(), "{wrong:?} was refused without a word");
        }
        assert_consistent(cluster)
    })
}
