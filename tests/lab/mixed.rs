//! Two releases on real hosts: see `hac_tests::mixed`.

use hac_tests::mixed::{Releases, rolling_upgrade, up_by_itself_and_back};

use crate::Test;
use crate::common::Env;

pub(crate) fn one() -> Vec<(&'static str, Test)> {
    vec![
        ("a_pair_of_two_releases_is_upgraded_and_then_refuses_the_older_one", upgraded),
        ("the_level_is_raised_by_itself_and_the_older_release_is_back_after_a_revert", reverted),
    ]
}

fn releases(env: &Env) -> anyhow::Result<Releases> {
    Ok(Releases { old: env.tools.release(), new: env.tools.next_release()? })
}

fn upgraded(env: &Env) -> anyhow::Result<()> {
    let releases = releases(env)?;
    env.with_hosts(2, "", |cluster| rolling_upgrade(cluster, &releases))
}

fn reverted(env: &Env) -> anyhow::Result<()> {
    let releases = releases(env)?;
    env.with_hosts(2, "", |cluster| up_by_itself_and_back(cluster, &releases))
}
