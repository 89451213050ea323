//! Fencing through the provider's API: who cannot be asked any more is powered off, and only then what ran there starts
//! elsewhere. The stand-in really takes the power from a host.

use std::time::Instant;

use anyhow::ensure;
use hac_lab::cloud::TOKEN;
use hac_lab::{Cluster, Plan};

use crate::Test;
use crate::common::{Env, LIMIT, assert_contains, steady, wait};

pub(crate) fn one() -> Vec<(&'static str, Test)> {
    vec![
        ("a_daemon_that_stands_still_costs_its_host_the_power", frozen),
        ("of_two_hosts_that_do_not_hear_each_other_one_is_left", cut),
    ]
}

/// Configures the provider's device; who aims at the first host waits for it.
fn with_device(cluster: &Cluster) -> anyhow::Result<()> {
    let status = cluster.fence_by_cloud(LIMIT)?;
    ensure!(!status.text.contains(TOKEN), "the token is shown:\n{}", status.text);
    assert_contains(&status.text, "Protected by: ")?;
    wait("nothing is in progress", || cluster.is_settled(1))
}

fn frozen(env: &Env) -> anyhow::Result<()> {
    env.with_running(|cluster| {
        with_device(cluster)?;
        let active = cluster.active()?;
        let other = cluster.other(active)?;
        let begin = Instant::now();
        cluster.pause(active)?;
        // Its agents and its web server go on: it would go on serving if the power were not taken from it.
        steady(cluster, Some(other), begin)?;
        ensure!(!cluster.host(active).is_on(), "{} still has power:\n{}", Plan::name(active), cluster.report());
        let assigned = cluster.lab().cloud().assigns(begin);
        ensure!(assigned.len() == 1, "the address was moved {} times", assigned.len());
        let history = cluster.hacctl(other, &["fence", "history"])?;
        assert_contains(&history, Plan::name(active))?;
        // It comes back and takes part; nobody shoots it again.
        cluster.lab().power_on(active)?;
        cluster.wait_status(other, "both are online", LIMIT, |status| {
            [1, 2].iter().all(|host| status.online.iter().any(|name| name == Plan::name(*host)))
        })?;
        wait("nothing is in progress", || cluster.is_settled(other))?;
        ensure!(cluster.host(active).is_on(), "it was shot again:\n{}", cluster.report());
        Ok(())
    })
}

fn cut(env: &Env) -> anyhow::Result<()> {
    env.with_running(|cluster| {
        with_device(cluster)?;
        let begin = Instant::now();
        cluster.lab().network()?.cut()?;
        // Both can reach the API. Who aims at the first host waits, so the first one is left.
        wait("the second host has no power", || !cluster.host(2).is_on())?;
        steady(cluster, Some(1), begin)?;
        ensure!(cluster.host(1).is_on(), "both are off:\n{}", cluster.report());
        cluster.wait_status(1, "the other one is known to be off", LIMIT, |status| {
            !status.text.contains("UNCLEAN") && status.place("FloatIP") == Some(Plan::name(1))
        })?;
        cluster.lab().network()?.heal()?;
        Ok(())
    })
}
