//! Clients of a cluster that is hurt all the time, and many restarts: both short here.
//!
//! `hac-lab history` and `hac-lab soak` do the same for as long as one likes.

use std::io::stderr;
use std::time::Duration;

use hac_lab::{history, soak};

use crate::Test;
use crate::common::Env;

/// For how long each cluster is hurt.
const LENGTH: Duration = Duration::from_secs(30);

pub(crate) fn one() -> Vec<(&'static str, Test)> {
    vec![
        ("what_clients_are_told_of_three_hosts_holds", of_three),
        ("what_clients_are_told_of_a_pair_holds", of_a_pair),
        ("nothing_grows_by_restarts_and_runs", little),
    ]
}

fn of_three(env: &Env) -> anyhow::Result<()> {
    Ok(history::run(&env.tools, 3, LENGTH, 1, history::DISK, &mut stderr())?)
}

fn of_a_pair(env: &Env) -> anyhow::Result<()> {
    Ok(history::run(&env.tools, 2, LENGTH, 2, history::DISK, &mut stderr())?)
}

fn little(env: &Env) -> anyhow::Result<()> {
    Ok(soak::run(&env.tools, 6, 500, &mut stderr())?)
}
