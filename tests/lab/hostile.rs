//! Datagrams that nobody of the cluster sent: forged, replayed, truncated, flipped, random.
//!
//! `hac-lab hostile` sends a million of them.

use std::time::Instant;

use anyhow::ensure;
use hac_lab::{Plan, hostile};

use crate::Test;
use crate::common::{Env, assert_consistent, steady, web_servers};

/// How many are sent here.
const COUNT: usize = 50_000;

pub(crate) fn one() -> Vec<(&'static str, Test)> {
    vec![("hostile_datagrams_change_nothing_but_a_counter", assault)]
}

fn assault(env: &Env) -> anyhow::Result<()> {
    env.with_running(|cluster| {
        let before = web_servers(cluster)?;
        let begin = Instant::now();
        let outcome = hostile::assault(cluster, COUNT)?;
        ensure!(outcome.changed.is_empty(), "{}", outcome.changed.join("\n"));
        // Most must have come as far as the daemon, or nothing was tested.
        ensure!(outcome.refused >= COUNT as u64 / 4, "{outcome:?}");
        ensure!(web_servers(cluster)? == before, "a web server was restarted");
        ensure!(cluster.lab().cloud().assigns(begin).is_empty(), "somebody asked for the address");
        ensure!(cluster.lab().prober().window(begin).failed == 0, "the page went away");
        let active = cluster.active()?;
        cluster.hacctl(active, &["--wait", "node", "standby", Plan::name(active)])?;
        steady(cluster, Some(cluster.other(active)?), begin)?;
        cluster.hacctl(active, &["--wait", "node", "online", Plan::name(active)])?;
        assert_consistent(cluster)
    })
}
