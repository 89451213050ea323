//! An API that refuses, stalls and lies while the address must move.

use std::time::{Duration, Instant};

use anyhow::ensure;
use hac_lab::cloud::{Fault, Rule, TOKEN, When};
use hac_lab::{Cluster, Plan};

use crate::Test;
use crate::common::{Env, LIMIT, assert_consistent, assert_contains, steady, wait, wait_online};

/// A token that the API does not know.
const WRONG_TOKEN: &str = "dop_v1_this_token_was_revoked";
/// For this long a refused token must not lead to more requests.
const WATCHED: Duration = Duration::from_secs(4);

pub(crate) fn one() -> Vec<(&'static str, Test)> {
    vec![
        ("refusals_do_not_stop_the_address", refusals),
        ("lost_and_late_answers_do_not_stop_the_address", losses),
        ("slow_and_stale_services_do_not_stop_the_address", slow),
        ("a_refused_token_is_told_and_not_repeated", wrong_token),
    ]
}

/// Powers the active host off under some rules; the address must arrive at the other all the same.
fn fail_over(cluster: &Cluster, what: &str, rules: Vec<Rule>) -> anyhow::Result<()> {
    let active = cluster.active()?;
    let other = cluster.other(active)?;
    let cloud = cluster.lab().cloud();
    cloud.clear_rules();
    let struck = rules.len();
    rules.into_iter().for_each(|rule| cloud.add_rule(rule));
    let begin = Instant::now();
    cluster.lab().power_off(active)?;
    let arrived = steady(cluster, Some(other), begin);
    let requests = cloud.assigns(begin);
    arrived.map_err(|error| anyhow::anyhow!("{what}: {error:#}; requests: {requests:#?}"))?;
    for index in 0..struck {
        ensure!(cloud.struck(index) > 0, "{what}: rule {index} never struck: {requests:#?}");
    }
    ensure!(requests.len() <= 8, "{what}: a storm of requests: {requests:#?}");
    cloud.clear_rules();
    cluster.wait_status(other, "the address is started", LIMIT, |status| {
        status.place("FloatIP") == Some(Plan::name(other))
    })?;
    cluster.lab().power_on(active)?;
    assert_consistent(cluster)?;
    steady(cluster, None, Instant::now())
}

fn fault(change: impl FnOnce(&mut Fault)) -> Fault {
    let mut fault = Fault::default();
    change(&mut fault);
    fault
}

fn refusals(env: &Env) -> anyhow::Result<()> {
    env.with_running(|cluster| {
        let limited = fault(|fault| {
            fault.status = Some(429);
            fault.retry_after = Some(1);
        });
        fail_over(cluster, "422 twice", vec![Rule::assign().times(2).answer(422)])?;
        fail_over(cluster, "429 with retry-after", vec![Rule::assign().times(1).fault(limited)])?;
        fail_over(cluster, "500", vec![Rule::assign().times(1).answer(500)])?;
        let errored = fault(|fault| fault.end = Some("errored".to_owned()));
        fail_over(cluster, "an action that errs", vec![Rule::assign().times(1).fault(errored)])
    })
}

fn losses(env: &Env) -> anyhow::Result<()> {
    env.with_running(|cluster| {
        let dropped = |when| fault(|fault| fault.drop = Some(when));
        fail_over(cluster, "a lost request", vec![Rule::assign().times(1).fault(dropped(When::Before))])?;
        fail_over(cluster, "a lost reply", vec![Rule::assign().times(1).fault(dropped(When::After))])?;
        let hang = fault(|fault| fault.hang = Some(When::Before));
        fail_over(cluster, "a hang", vec![Rule::assign().times(1).fault(hang)])
    })
}

fn slow(env: &Env) -> anyhow::Result<()> {
    env.with_running(|cluster| {
        cluster.lab().cloud().set(|settings| {
            settings.latency_ms = 100;
            settings.apply_ms = 1500;
            settings.metadata_stale_ms = 1000;
            settings.region_string = true;
        });
        fail_over(cluster, "a slow action and stale metadata", Vec::new())?;
        cluster.lab().cloud().set(|settings| {
            *settings = hac_lab::cloud::Settings::default();
            settings.families = vec!["reserved_ips".to_owned()];
        });
        fail_over(cluster, "only the new family", Vec::new())?;
        cluster.lab().cloud().set(|settings| settings.families = vec!["floating_ips".to_owned()]);
        fail_over(cluster, "only the old family", Vec::new())
    })
}

fn wrong_token(env: &Env) -> anyhow::Result<()> {
    env.with_hosts(2, "", |cluster| {
        cluster.start_all()?;
        wait_online(cluster)?;
        let token = format!("do_token={WRONG_TOKEN}");
        let address = format!("floating_ip={}", Plan::floating_ip());
        cluster.hacctl(1, &["configure", "property", "stonith-enabled=false"])?;
        let begin = Instant::now();
        let primitive = ["configure", "primitive", "FloatIP", "ocf:digitalocean:floatip", "params", &token, &address];
        cluster.hacctl(1, &primitive)?;
        // A probe finds out from the metadata whether the address is here; a start asks the API.
        // The stand-in gave the address to primary, so it is taken away to make one necessary.
        cluster.lab().cloud().move_address(None)?;
        cluster.hacctl(1, &["resource", "refresh", "FloatIP"])?;
        let status = cluster.wait_status(1, "the refused token is told", LIMIT, |status| {
            status.failed.iter().any(|line| line.contains("the API refused the token (401)"))
        })?;
        ensure!(!status.text.contains(WRONG_TOKEN), "the token is shown:\n{}", status.text);
        wait("the other host has tried as well", || cluster.is_settled(1))?;
        let watched = Instant::now();
        hac_lab::bench::pause(WATCHED);
        let later = cluster.lab().cloud().assigns(watched);
        ensure!(later.is_empty(), "the refused token is tried again and again: {later:#?}");
        let all = cluster.lab().cloud().assigns(begin);
        ensure!(all.iter().all(|entry| entry.status() == Some(401)), "{all:#?}");
        ensure!((1..=4).contains(&all.len()), "{} requests", all.len());

        cluster.hacctl(1, &["resource", "param", "FloatIP", "set", "do_token", TOKEN])?;
        cluster.hacctl(1, &["resource", "cleanup", "FloatIP"])?;
        let status = cluster.wait_status(1, "the right token works", LIMIT, |status| {
            status.place("FloatIP").is_some() && status.failed.is_empty()
        })?;
        assert_contains(&status.text, "Started")
    })
}
