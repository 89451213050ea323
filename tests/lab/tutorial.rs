//! The tutorial's end state, and what may be seen of it from outside.

use std::time::Instant;

use anyhow::{bail, ensure};
use hac_lab::cloud::TOKEN;
use hac_lab::{Plan, wait_for};

use crate::Test;
use crate::common::{Env, LIMIT, assert_contains, bring_up, steady, wait_online};

/// A floatip script with the tutorial's interface, as a user may have one.
const SCRIPT: &str = include_str!("floatip.sh");

pub(crate) fn both() -> Vec<(&'static str, Test)> {
    vec![("the_tutorial_ends_as_it_says", end_state)]
}

pub(crate) fn one() -> Vec<(&'static str, Test)> {
    vec![
        ("scripts_of_the_user_work_unchanged", users_script),
        ("only_the_ports_of_the_firewall_rules_are_used", ports),
        ("the_token_is_never_shown", token),
    ]
}

fn end_state(env: &Env) -> anyhow::Result<()> {
    env.with_running(|cluster| {
        let status = cluster.wait_up(LIMIT)?;
        for part in [
            "Online: [ primary secondary ]",
            "(ocf:digitalocean:floatip):",
            "Started primary",
            "Clone Set: Nginx-clone [Nginx]",
            "Started: [ primary secondary ]",
            "partition with quorum",
        ] {
            assert_contains(&status.text, part)?;
        }
        ensure!(status.failed.is_empty(), "failed actions:\n{}", status.text);
        let members = cluster.hacctl(2, &["members"])?;
        ensure!(members.matches("joined").count() == 2, "members:\n{members}");
        for host in [1, 2] {
            assert_contains(&members, &Plan::private(host).to_string())?;
        }
        assert_contains(&cluster.lab().page()?, "Droplet: primary, IP Address: 203.0.113.11")?;
        let shown = cluster.hacctl(2, &["configure", "show"])?;
        for part in ["FloatIP-Nginx", "Nginx-clone", "stonith-enabled=false", "no-quorum-policy=ignore"] {
            assert_contains(&shown, part)?;
        }
        let told = cluster.hacctl(2, &["explain", "FloatIP"])?;
        assert_contains(&told, "FloatIP (ocf:digitalocean:floatip) runs on primary and stays as it is.")?;
        assert_contains(&told, "It belongs on primary")?;
        let whole = cluster.hacctl(1, &["explain"])?;
        assert_contains(&whole, "Nothing changes")?;
        Ok(())
    })
}

/// With scripts for both resources: the packaged one and the user's own.
fn users_script(env: &Env) -> anyhow::Result<()> {
    let more = "[agents]\nprefer = \"script\"\n";
    env.with_hosts(2, more, |cluster| {
        for host in cluster.lab().hosts() {
            let path = "/usr/lib/ocf/resource.d/digitalocean/floatip";
            host.write_with_mode(path, SCRIPT.as_bytes(), 0o755)?;
        }
        bring_up(cluster)?;
        let begin = Instant::now();
        let active = cluster.active()?;
        let other = cluster.other(active)?;
        cluster.lab().power_off(active)?;
        steady(cluster, Some(other), begin)?;
        let requests = cluster.lab().cloud().assigns(begin);
        ensure!(!requests.is_empty(), "nobody asked the API");
        Ok(())
    })
}

/// Only what the tutorial's firewall lines let through is used between the hosts, and nothing
/// listens besides.
fn ports(env: &Env) -> anyhow::Result<()> {
    env.with_hosts(2, "", |cluster| {
        let capture = cluster.lab().capture(1)?;
        bring_up(cluster)?;
        let between: Vec<_> = capture
            .packets()
            .into_iter()
            .filter(|packet| packet.source == Plan::private(2) || packet.destination == Plan::private(2))
            // The kernel's own word for a port that is not open yet.
            .filter(|packet| !packet.is_icmp())
            .collect();
        ensure!(between.len() > 20, "only {} packets between the hosts", between.len());
        for packet in &between {
            let (from, to) = packet.ports;
            let fits = packet.is_udp() && from == 5404 && (5405..=5406).contains(&to);
            ensure!(fits, "a packet that the firewall stops: {packet:?}");
        }
        for host in cluster.lab().hosts() {
            let udp = local_ports(&host.exec(&["cat", "/proc/net/udp"])?);
            ensure!(udp.iter().all(|port| (5404..=5406).contains(port)), "UDP ports {udp:?}");
            ensure!(udp.contains(&5405), "UDP ports {udp:?}");
            let listening = listening_ports(&host.exec(&["cat", "/proc/net/tcp"])?);
            ensure!(listening == [80], "TCP ports {listening:?}");
        }
        Ok(())
    })
}

/// The local ports in `/proc/net/udp`.
fn local_ports(text: &str) -> Vec<u16> {
    let port = |line: &str| {
        let address = line.split_whitespace().nth(1)?;
        u16::from_str_radix(address.rsplit_once(':')?.1, 16).ok()
    };
    text.lines().skip(1).filter_map(port).collect()
}

/// The ports in `/proc/net/tcp` that listen.
fn listening_ports(text: &str) -> Vec<u16> {
    let listening: Vec<&str> = text.lines().filter(|line| line.split_whitespace().nth(3) == Some("0A")).collect();
    let mut ports = local_ports(&format!("\n{}", listening.join("\n")));
    ports.dedup();
    ports
}

fn token(env: &Env) -> anyhow::Result<()> {
    env.with_running(|cluster| {
        let mut shown = Vec::new();
        for words in [
            &["status"][..],
            &["--json", "status"],
            &["configure", "show"],
            &["--json", "configure", "show"],
            &["--json", "events"],
        ] {
            for host in [1, 2] {
                let output = cluster.try_hacctl(host, words)?;
                let text = [output.stdout, output.stderr].concat();
                shown.push((words.join(" "), String::from_utf8_lossy(&text).into_owned()));
            }
        }
        for host in cluster.lab().hosts() {
            shown.push((format!("log of {}", host.name()), cluster.log(host.number())));
            shown.push((format!("output of {}", host.name()), host.output("hacd")));
            for process in host.processes()? {
                let line = std::fs::read(format!("/proc/{}/cmdline", process.pid)).unwrap_or_default();
                shown.push((format!("arguments of {}", process.name), String::from_utf8_lossy(&line).into_owned()));
            }
        }
        for (what, text) in shown {
            if text.contains(TOKEN) {
                bail!("the token is in {what}");
            }
        }
        // It was used all the same: the address is where the cluster wanted it.
        wait_online(cluster)?;
        wait_for("somebody asked with the token", LIMIT, || cluster.active().ok())?;
        Ok(())
    })
}
