//! What the host that waits could not start is told before the other one fails: a broken configuration, a token that is refused
//! there, an agent that was removed.

use std::time::Instant;

use anyhow::ensure;
use hac_lab::cloud::Rule;
use hac_lab::{Cluster, Plan};

use crate::Test;
use crate::common::{Env, LIMIT, wait, wait_online};

pub(crate) fn one() -> Vec<(&'static str, Test)> {
    vec![("what_the_waiting_host_lacks_is_told_before_a_failover", told)]
}

/// Agents of the test, of which each host has its own; and a round of proofs each two seconds.
const MORE: &str = "[agents]\nocf_root = \"/etc/ocf\"\nprove_interval = 2000\n";

const THING: &str = r#"#!/bin/sh
case "$1" in
meta-data) echo '<resource-agent name="Thing" version="1.0"><actions><action name="start" timeout="20s"/></actions></resource-agent>' ;;
start) touch /run/thing ;;
stop) rm -f /run/thing ;;
monitor) [ -e /run/thing ] || exit 7 ;;
esac
"#;

const AGENT: &str = "/etc/ocf/resource.d/heartbeat/Thing";

fn install(cluster: &Cluster, host: usize) -> anyhow::Result<()> {
    cluster.host(host).write_with_mode(AGENT, THING.as_bytes(), 0o755)?;
    Ok(())
}

/// Waits until both hosts tell, or do not tell any more, that `host` could not start this.
fn lacks(cluster: &Cluster, host: usize, resource: &str, what: &str, is_so: bool) -> anyhow::Result<()> {
    let sentence = format!("{} could not start {resource} if it had to: ", Plan::name(host));
    let tells = |at: usize| {
        cluster.status(at).is_some_and(|status| {
            status.text.lines().any(|line| line.contains(&sentence) && line.contains(what)) == is_so
        })
    };
    wait(&format!("{resource} on {}: {what}: {is_so}", Plan::name(host)), || tells(1) && tells(2))
}

fn told(env: &Env) -> anyhow::Result<()> {
    env.with_hosts(2, MORE, |cluster| {
        for host in 1..=2 {
            install(cluster, host)?;
        }
        let (active, other) = (1, 2);
        let cloud = cluster.lab().cloud();
        cluster.start_all()?;
        wait_online(cluster)?;
        // The API does not take the token from the host that is to wait.
        cloud.add_rule(Rule::new("GET", "_ips/").from_host(other).answer(401));
        cluster.configure_tutorial(1)?;
        cluster.wait_up(LIMIT)?;
        ensure!(cluster.active()? == active, "the first host has the address");
        let begin = Instant::now();
        lacks(cluster, other, "FloatIP", "the API refuses the token (401)", true)?;
        let explained = cluster.hacctl(active, &["explain", "FloatIP"])?;
        ensure!(explained.contains(&format!("If it had to, {} could not start it", Plan::name(other))), "{explained}");
        cloud.clear_rules();
        lacks(cluster, other, "FloatIP", "the API refuses the token (401)", false)?;

        cluster.hacctl(1, &["--wait", "configure", "primitive", "Thing", "ocf:heartbeat:Thing"])?;
        let near = ["--wait", "configure", "location", "near", "Thing", "100:", Plan::name(active)];
        cluster.hacctl(1, &near)?;
        let proved = |host: usize| {
            let told = cluster.told(1).unwrap_or_default();
            told.readiness.iter().any(|of| of.node == Plan::name(host) && of.ready && of.proved == 3)
        };
        wait("both hosts could start everything", || proved(1) && proved(2))?;

        // A configuration that is broken while the server runs on.
        let sound = cluster.host(other).read("/etc/nginx/nginx.conf")?;
        cluster.host(other).write("/etc/nginx/nginx.conf", "this is no configuration\n")?;
        lacks(cluster, other, "Nginx", "nginx does not take its configuration", true)?;
        ensure!(cluster.nginx(other).is_some(), "it runs on");
        cluster.host(other).write("/etc/nginx/nginx.conf", &sound)?;
        lacks(cluster, other, "Nginx", "nginx does not take its configuration", false)?;

        // An agent that is removed.
        cluster.host(other).exec(&["mv", AGENT, "/etc/ocf/away"])?;
        lacks(cluster, other, "Thing", "the agent ocf:heartbeat:Thing is not installed", true)?;
        install(cluster, other)?;
        lacks(cluster, other, "Thing", "the agent ocf:heartbeat:Thing is not installed", false)?;

        ensure!(cloud.assigns(begin).is_empty(), "a proof assigned the address: {:#?}", cloud.assigns(begin));
        ensure!(cluster.active()? == active, "the address moved");
        let asked = cloud.journal(begin);
        ensure!(asked.len() < 200, "{} requests of proofs and metadata", asked.len());
        Ok(())
    })
}
