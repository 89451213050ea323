//! Two hosts that settle by the provider's list of actions who goes on, where an assignment takes its time.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::ensure;
use hac_lab::cloud::{Fault, Rule, TOKEN, When};
use hac_lab::{Cluster, Plan};

use crate::Test;
use crate::arbiter::{decided_cut, is_quorate, wait_state};
use crate::common::{Env, assert_contains, bring_up, steady, wait, wait_online};

/// The daemon's configuration on a host.
const FILE: &str = "/etc/hacd/hacd.toml";
/// The file with the token on a host.
const TOKEN_FILE: &str = "/etc/hacd/digitalocean.token";
/// So long an assignment takes.
const APPLY: Duration = Duration::from_secs(2);
/// Long enough for whoever has lost to try again, if it did.
const LASTS: Duration = Duration::from_secs(15);

/// These tests.
pub(crate) fn one() -> Vec<(&'static str, Test)> {
    vec![
        ("of_two_halves_the_one_whose_claim_the_provider_lists_first_goes_on", halves),
        ("a_claim_that_comes_to_nothing_is_made_again_and_one_without_an_answer_is_not_won", odd_answers),
        ("where_nobody_reaches_the_provider_both_halves_stop_what_they_have", unreachable),
    ]
}

/// Two hosts with such a vote, all running, and both ready.
fn with_claims(env: &Env, test: impl FnOnce(&Cluster) -> anyhow::Result<()>) -> anyhow::Result<()> {
    env.with_hosts(2, "", |cluster| {
        cluster.lab().cloud().set(|settings| settings.apply_ms = millis(APPLY));
        for host in cluster.lab().hosts() {
            let text = host.read(FILE)?.replace("two_node = 1\n", "");
            let (address, token) = (Plan::floating_ip(), TOKEN_FILE);
            host.write(TOKEN_FILE, TOKEN)?;
            let arbiter =
                format!("[arbiter]\nmodel = \"digitalocean\"\naddress = \"{address}\"\ntoken_file = \"{token}\"\n");
            host.write(FILE, &format!("{text}{arbiter}"))?;
        }
        bring_up(cluster)?;
        cluster.hacctl(1, &["--wait", "configure", "property", "no-quorum-policy=stop"])?;
        ready(cluster)?;
        test(cluster)
    })
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Both could claim, and nothing that was ordered is unknown to them.
fn ready(cluster: &Cluster) -> anyhow::Result<()> {
    [1, 2].into_iter().try_for_each(|host| wait_state(cluster, host, "ready"))?;
    wait("nothing is in progress", || cluster.is_settled(1) && cluster.is_settled(2))?;
    // The list is looked at a second after whatever may have moved the address.
    sleep(APPLY + Duration::from_secs(2));
    [1, 2].into_iter().try_for_each(|host| wait_state(cluster, host, "ready"))
}

/// Exactly one host goes on, and it is this one, for as long as the cut lasts.
fn assert_lasts(cluster: &Cluster, winner: usize) -> anyhow::Result<()> {
    let (loser, begin) = (cluster.other(winner)?, Instant::now());
    while begin.elapsed() < LASTS {
        ensure!(is_quorate(cluster, winner), "host {winner} has lost it");
        ensure!(!is_quorate(cluster, loser), "both hosts act:\n{}", cluster.report());
        sleep(Duration::from_millis(200));
    }
    ensure!(cluster.nginx(loser).is_none(), "the one without the vote runs something");
    Ok(())
}

fn meet(cluster: &Cluster) -> anyhow::Result<()> {
    cluster.lab().network()?.heal()?;
    wait_online(cluster)?;
    ready(cluster)?;
    steady(cluster, None, Instant::now())
}

fn halves(env: &Env) -> anyhow::Result<()> {
    with_claims(env, |cluster| {
        let shown = cluster.hacctl(1, &["quorum"])?;
        assert_contains(&shown, "Expected votes:   3")?;
        assert_contains(&shown, "Arbiter: ready")?;
        for round in 1..=2 {
            let begin = Instant::now();
            let (active, other) = decided_cut(cluster)?;
            assert_lasts(cluster, active)?;
            ensure!(cluster.active()? == active, "round {round}: the address has moved");
            let claims = cluster.lab().cloud().assigns(begin);
            ensure!(claims.len() == 1, "round {round}: one claim decides: {claims:?}");
            let told = cluster.try_hacctl(other, &["status"])?;
            assert_contains(&String::from_utf8_lossy(&told.stdout), "no vote of the arbiter")?;
            meet(cluster)?;
        }
        // The cluster moves the address itself: that is no claim, and both know it soon.
        let before = cluster.active()?;
        let after = cluster.other(before)?;
        let name = cluster.lab().hosts()[before - 1].name().to_owned();
        cluster.hacctl(1, &["--wait", "node", "standby", &name])?;
        steady(cluster, Some(after), Instant::now())?;
        cluster.hacctl(1, &["--wait", "node", "online", &name])?;
        ready(cluster)?;
        // Who has it dies: the claim of the other one is the assignment.
        let begin = Instant::now();
        cluster.lab().power_off(after)?;
        steady(cluster, Some(before), begin)?;
        // The address is there as soon as the claim is carried out; that it was is looked at once a second.
        wait("it has the vote", || is_quorate(cluster, before))?;
        wait("the address is started", || {
            cluster.status(before).is_some_and(|status| status.place("FloatIP") == Some(Plan::name(before)))
        })?;
        let claims = cluster.lab().cloud().assigns(begin);
        ensure!(claims.len() == 1, "the claim moves the address, and nothing else has to: {claims:?}");
        Ok(())
    })
}

fn odd_answers(env: &Env) -> anyhow::Result<()> {
    with_claims(env, |cluster| {
        let cloud = cluster.lab().cloud();
        // The first action ends as an error, after it was accepted.
        let errored = Fault { end: Some("errored".to_owned()), ..Fault::default() };
        cloud.add_rule(Rule::assign().times(1).fault(errored));
        let active = cluster.active()?;
        cluster.lab().network()?.cut()?;
        wait_state(cluster, active, "won")?;
        assert_lasts(cluster, active)?;
        ensure!(cloud.struck(0) == 1, "the error was not met");
        cloud.clear_rules();
        meet(cluster)?;
        // The answer to every claim is lost, although each is accepted: nobody knows whose they are, and nobody wins.
        let lost = Fault { drop: Some(When::After), ..Fault::default() };
        cloud.add_rule(Rule::assign().fault(lost));
        cluster.lab().network()?.cut()?;
        [1, 2].into_iter().try_for_each(|host| wait_state(cluster, host, "lost"))?;
        let begin = Instant::now();
        while begin.elapsed() < LASTS {
            ensure!(!is_quorate(cluster, 1) && !is_quorate(cluster, 2), "somebody guesses:\n{}", cluster.report());
            sleep(Duration::from_millis(200));
        }
        cloud.clear_rules();
        meet(cluster)
    })
}

fn unreachable(env: &Env) -> anyhow::Result<()> {
    with_claims(env, |cluster| {
        let cloud = cluster.lab().cloud();
        cloud.add_rule(Rule::new("*", "/actions").answer(503));
        let active = cluster.active()?;
        cluster.lab().network()?.cut()?;
        wait("the one that had the address stops", || cluster.nginx(active).is_none())?;
        ensure!(!is_quorate(cluster, 1) && !is_quorate(cluster, 2), "somebody acts without a vote");
        let told = cluster.try_hacctl(active, &["status"])?;
        assert_contains(&String::from_utf8_lossy(&told.stdout), "no vote of the arbiter")?;
        // It answers again: one of the two goes on, and stays the only one.
        cloud.clear_rules();
        wait("one of them goes on", || is_quorate(cluster, 1) || is_quorate(cluster, 2))?;
        let winner = if is_quorate(cluster, 1) { 1 } else { 2 };
        assert_lasts(cluster, winner)?;
        steady(cluster, Some(winner), Instant::now())?;
        meet(cluster)
    })
}
