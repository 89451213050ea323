//! Six commands take two hosts with nothing but the programs to a tested failover: no file is edited, no key is copied.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use hac_lab::cloud::TOKEN;
use hac_lab::{Ground, Host, Lab, Options, Plan};

use crate::Test;
use crate::common::{Env, LIMIT, STEADY, assert_contains};

pub(crate) fn one() -> Vec<(&'static str, Test)> {
    vec![("six_commands_take_two_fresh_hosts_to_a_tested_failover", six)]
}

/// These hosts have no systemd: what `hacctl` asks of it is done by a few lines.
pub(crate) const SYSTEMCTL: &str = r#"#!/bin/sh
case "$1 $2" in
"enable --now") mkdir -p /var/log/hacd /var/lib/hacd; setsid hacd </dev/null >>/var/log/hacd/out 2>&1 & ;;
"is-enabled hacd") echo enabled ;;
"is-enabled "*) echo disabled; exit 1 ;;
esac
"#;

/// Where this lab's stand-in for the cloud is; on a droplet nothing is included.
pub(crate) const CLOUD: &str = "[digitalocean]\napi_url = \"http://203.0.113.1\"\nmetadata_url = \"http://169.254.169.254\"\n\n\
                     [logging]\nto_logfile = \"yes\"\nlogfile = \"/var/log/hacd/hacd.log\"\nto_syslog = \"no\"\n";

fn six(env: &Env) -> anyhow::Result<()> {
    let lab = Lab::new(&Options {
        ground: Ground::Namespaces,
        hosts: 2,
        programs: env.tools.directory().to_owned(),
        probe_period: Duration::from_millis(10),
    })?;
    for host in lab.hosts() {
        host.write_with_mode("/usr/local/sbin/systemctl", SYSTEMCTL.as_bytes(), 0o755)?;
        host.write("/etc/cloud.toml", CLOUD)?;
        ensure!(host.read("/etc/hacd/hacd.toml").is_err(), "{} is not fresh", host.name());
    }
    let (primary, secondary) = (lab.host(1)?, lab.host(2)?);
    let report = |error: anyhow::Error| {
        let said = |host: &Host| {
            host.read("/var/log/hacd/hacd.log").or_else(|_| host.read("/var/log/hacd/out")).unwrap_or_default()
        };
        anyhow::anyhow!("{error:#}\nprimary:\n{}\nsecondary:\n{}", said(primary), said(secondary))
    };
    commands(&lab, primary, secondary).map_err(report)
}

fn commands(lab: &Lab, primary: &Host, secondary: &Host) -> anyhow::Result<()> {
    // 1 and 2: what the first prints is typed on the other host.
    let invited = primary.exec(&["hacctl", "init", "--include", "/etc/cloud.toml"])?;
    let line = invited.lines().find(|line| line.starts_with("hacctl join ")).context("a line for the other host")?;
    let words: Vec<&str> = line.split_whitespace().collect();
    ensure!(words.get(2) == Some(&Plan::private(1).to_string().as_str()), "another address: {line}");
    secondary.exec(&words)?;
    // 3: the token, which a person would type without its being shown.
    primary.write_with_mode("/etc/do_token", TOKEN.as_bytes(), 0o600)?;
    primary.exec(&["hacctl", "secret", "set", "do_token", "--file", "/etc/do_token"])?;
    // 4
    let address = Plan::floating_ip().to_string();
    let printed = primary.exec(&["hacctl", "recipe", "active-passive", "--address", &address, "--yes"])?;
    assert_contains(&printed, "primitive FloatIP ocf:digitalocean:floatip params do_token=secret:do_token")?;
    lab.prober().wait_answers(None, Instant::now(), STEADY, LIMIT)?;
    // 5
    let output = primary.output_of(&["hacctl", "doctor"])?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.code().is_some_and(|code| code < 2), "doctor: {said}");
    // 6: and what it measured is what somebody else saw.
    let begin = Instant::now();
    // In this lab each host has the floating address itself, so that none sees where it leads; a droplet would. The page of
    // the other host is asked for, and what a client feels is what the lab's own prober sees.
    let url = format!("http://{}/", Plan::public(2));
    let tested = primary.exec(&["hacctl", "--json", "test", "failover", "--yes", "--baseline", "2s", "--url", &url])?;
    let record: serde_json::Value = serde_json::from_str(&tested)?;
    ensure!(record["passed"] == true && record["asked"].as_u64() > Some(50), "{record}");
    let seen = lab.prober().window(begin);
    ensure!(seen.gap < Duration::from_secs(5), "the prober saw {:?}, the drill {record}", seen.gap);
    let shown = primary.exec(&["hacctl", "configure", "show"])?;
    ensure!(!shown.contains("drill-") && !shown.contains(TOKEN), "left behind or shown:\n{shown}");
    // The drill's interlock, and the result that is kept.
    let again = primary.output_of(&["hacctl", "test", "failover", "--yes"])?;
    ensure!(again.status.code() == Some(107), "a second test at once: {again:?}");
    assert_contains(&primary.exec(&["hacctl", "test", "history"])?, "passed")?;
    let secrets = secondary.exec(&["hacctl", "secret", "list"])?;
    ensure!(secrets == "do_token: used by FloatIP do_token\n", "{secrets:?}");
    lab.prober().wait_answers(None, Instant::now(), STEADY, LIMIT)?;
    Ok(())
}
