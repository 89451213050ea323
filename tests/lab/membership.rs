//! Hosts that start, cannot hear each other, or must not.

use std::time::Instant;

use anyhow::{Context, ensure};
use hac_lab::{Cluster, Plan, Status};

use crate::Test;
use crate::common::{Env, LIMIT, assert_consistent, assert_contains, bring_up, steady, wait, wait_online, web_servers};

pub(crate) fn one() -> Vec<(&'static str, Test)> {
    vec![
        ("both_hosts_start_cold", cold_start),
        ("a_host_alone_says_whom_it_waits_for", alone),
        ("a_host_alone_that_ignores_quorum_says_so_and_serves", alone_and_ignorant),
        ("a_cut_link_heals_into_one_cluster", cut),
        ("a_link_that_loses_one_direction_heals", one_way),
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
