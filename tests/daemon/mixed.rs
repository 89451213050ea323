//! Two releases on loopback addresses, where there are no namespaces: see `hac_tests::mixed`. And states that were written
//! before there were levels.

use anyhow::Context;
use hac_lab::{Agents, Cluster, Ground, Tools, setup};
use hac_tests::mixed::{Releases, rolling_upgrade, state_from_before, up_by_itself_and_back};

use crate::Test;

const OLD_STATE: &[u8] = include_bytes!("../golden/state/l0/cib.2");
const OLD_STATE_SHOWN: &str = include_str!("../golden/state/l0/cib.2.show.txt");

/// The tests; those that cannot run here come with the reason.
pub(crate) fn cases() -> Vec<(&'static str, Test)> {
    vec![
        ("a_pair_of_two_releases_is_upgraded_and_then_refuses_the_older_one", upgraded),
        ("the_level_is_raised_by_itself_and_the_older_release_is_back_after_a_revert", reverted),
        ("a_state_from_before_there_were_levels_is_taken_over_by_both_releases", from_before),
    ]
}

/// Why none of them can run here.
pub(crate) fn missing(tools: &Tools) -> Option<String> {
    let possible = setup::check(Ground::Loopback).map_err(|error| error.to_string());
    possible.and_then(|()| tools.next_release().map(drop).map_err(|error| error.to_string())).err()
}

fn releases(tools: &Tools) -> anyhow::Result<Releases> {
    Ok(Releases { old: tools.release(), new: tools.next_release()? })
}

fn on_loopback(tools: &Tools, hosts: usize, test: impl FnOnce(&Cluster) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let cluster = Cluster::on(Ground::Loopback, tools, hosts, Agents::Native, "").context("a lab on loopback")?;
    test(&cluster).map_err(|error| anyhow::anyhow!("{error:#}\n{}", cluster.report()))
}

fn upgraded(tools: &Tools) -> anyhow::Result<()> {
    let releases = releases(tools)?;
    on_loopback(tools, 2, |cluster| rolling_upgrade(cluster, &releases))
}

fn reverted(tools: &Tools) -> anyhow::Result<()> {
    let releases = releases(tools)?;
    on_loopback(tools, 2, |cluster| up_by_itself_and_back(cluster, &releases))
}

fn from_before(tools: &Tools) -> anyhow::Result<()> {
    let Releases { old, new } = releases(tools)?;
    for program in [old, new] {
        on_loopback(tools, 1, |cluster| state_from_before(cluster, &program, OLD_STATE, OLD_STATE_SHOWN))?;
    }
    Ok(())
}
