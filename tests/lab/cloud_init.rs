//! The user data of `config/examples/cloud-init.yaml` brings two hosts up that nobody logs in to: what cloud-init would write and
//! run is written and run here, in its order.

use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use hac_lab::cloud::TOKEN;
use hac_lab::{Ground, Host, Lab, Options, Plan};
use yaml_rust2::{Yaml, YamlLoader};

use crate::Test;
use crate::common::{Env, LIMIT, STEADY, assert_contains};
use crate::six::{CLOUD, SYSTEMCTL};

pub(crate) fn one() -> Vec<(&'static str, Test)> {
    vec![("user_data_brings_two_hosts_up_unattended", unattended)]
}

const USER_DATA: &str = include_str!("../../config/examples/cloud-init.yaml");

/// There is no archive of packages behind these hosts: what is asked of these programs is written down.
const ARCHIVE: &str = "#!/bin/sh\necho \"$(basename \"$0\") $*\" >> /var/log/archive\n";

/// The user data with what a person puts in before.
fn filled_in(code: &str) -> anyhow::Result<Yaml> {
    let mut text = USER_DATA.to_owned();
    for (example, real) in [
        ("7KQ2-M0VX-9DTE-R4N8-1ZAC-W5HB-3P4C", code),
        ("dop_v1_PUT_THE_TOKEN_HERE", TOKEN),
        ("203.0.113.25", &Plan::floating_ip().to_string()),
        ("10.132.0.11", &Plan::private(1).to_string()),
        // Where this lab's stand-in for the provider is; droplets need no such thing.
        ("hacctl init ", "hacctl init --include /etc/cloud.toml "),
    ] {
        ensure!(text.contains(example), "the user data has no {example}");
        text = text.replace(example, real);
    }
    ensure!(text.starts_with("#cloud-config\n"), "cloud-init takes it for something else");
    let documents = YamlLoader::load_from_str(&text).context("the user data is no YAML")?;
    documents.into_iter().next().context("the user data is empty")
}

/// Does what cloud-init does with the parts that are used; a part that this does not know is an error.
fn cloud_init(host: &Host, data: &Yaml) -> anyhow::Result<()> {
    let parts = data.as_hash().context("a table")?;
    let known = ["write_files", "packages", "runcmd"];
    for part in parts.keys() {
        ensure!(part.as_str().is_some_and(|part| known.contains(&part)), "{part:?} is not carried out here");
    }
    for file in data["write_files"].as_vec().context("a list of files")? {
        let text = |name: &str| file[name].as_str().with_context(|| format!("{name} of a file"));
        let mode = u32::from_str_radix(text("permissions")?, 8)?;
        host.write_with_mode(text("path")?, text("content")?.as_bytes(), mode)?;
    }
    for package in data["packages"].as_vec().context("a list of packages")? {
        host.exec(&["apt-get", "install", "-y", package.as_str().context("the name of a package")?])?;
    }
    for command in data["runcmd"].as_vec().context("a list of commands")? {
        let words: Option<Vec<&str>> = command.as_vec().context("a command")?.iter().map(Yaml::as_str).collect();
        host.exec(&words.context("words of a command")?)?;
    }
    Ok(())
}

fn unattended(env: &Env) -> anyhow::Result<()> {
    let lab = Lab::new(&Options {
        ground: Ground::Namespaces,
        hosts: 2,
        programs: env.tools.directory().to_owned(),
        probe_period: Duration::from_millis(10),
    })?;
    for host in lab.hosts() {
        host.write_with_mode("/usr/local/sbin/systemctl", SYSTEMCTL.as_bytes(), 0o755)?;
        for program in ["apt-get", "curl"] {
            host.write_with_mode(&format!("/usr/local/sbin/{program}"), ARCHIVE.as_bytes(), 0o755)?;
        }
        host.write("/etc/cloud.toml", CLOUD)?;
    }
    let (primary, secondary) = (lab.host(1)?, lab.host(2)?);
    let code = primary.exec(&["hacctl", "invite", "--print-code"])?;
    let data = filled_in(code.trim())?;
    // Both boot at once; the second one waits for the first.
    let ended: anyhow::Result<()> = std::thread::scope(|scope| {
        let late = scope.spawn(|| cloud_init(secondary, &data).context("on secondary"));
        cloud_init(primary, &data).context("on primary")?;
        late.join().unwrap_or_else(|_| bail!("the second host's boot panicked"))
    });
    let log = |host: &Host| host.read("/var/log/hacd/hacd.log").or_else(|_| host.read("/var/log/hacd/out"));
    ended.and_then(|()| served(&lab, primary, secondary)).map_err(|error| {
        let told = |host: &Host| log(host).unwrap_or_default();
        anyhow::anyhow!("{error:#}\nprimary:\n{}\nsecondary:\n{}", told(primary), told(secondary))
    })
}

/// The page comes, both are in, and nothing secret lies about.
fn served(lab: &Lab, primary: &Host, secondary: &Host) -> anyhow::Result<()> {
    lab.prober().wait_answers(None, Instant::now(), STEADY, LIMIT)?;
    for host in [primary, secondary] {
        let archive = host.read("/var/log/archive")?;
        assert_contains(&archive, "apt-get install -y nginx")?;
        assert_contains(&archive, "apt-get install -y /var/lib/hacd-setup/hacd.deb")?;
        let left = host.shell("ls /var/lib/hacd-setup/hacd-code /var/lib/hacd-setup/do_token 2> /dev/null || true")?;
        ensure!(left.trim().is_empty(), "left on {}: {left}", host.name());
        hac_lab::wait_for("both are online", LIMIT, || {
            let status = host.exec(&["hacctl", "status"]).unwrap_or_default();
            status.contains("Online: [ primary secondary ]").then_some(())
        })?;
    }
    Ok(())
}
