//! What must survive: both hosts killed at any moment, torn files, a full disk.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use hac_lab::Cluster;

use crate::Test;
use crate::common::{Env, LIMIT, assert_consistent, assert_contains, bring_up, steady, wait};

/// Rounds of killing both hosts.
const ROUNDS: u64 = 4;
/// Where the state is.
const STATE: &str = "/var/lib/hacd";

pub(crate) fn one() -> Vec<(&'static str, Test)> {
    vec![
        ("the_configuration_survives_both_hosts_being_killed", both_killed),
        ("a_torn_state_file_is_set_aside", torn),
        ("a_full_disk_holds_up_nobody_and_catches_up", full_disk),
    ]
}

/// Both hosts lose power at different moments of a stream of changes; what was acknowledged stays.
fn both_killed(env: &Env) -> anyhow::Result<()> {
    env.with_running(|cluster| {
        for round in 0..ROUNDS {
            let begin = Instant::now();
            let length = Duration::from_millis(40 + 90 * round);
            let mut acknowledged = 0;
            let mut number = 100 * (round + 1);
            while begin.elapsed() < length || acknowledged == 0 {
                number += 1;
                let value = format!("cluster-recheck-interval={number}s");
                cluster.hacctl(1, &["configure", "property", &value])?;
                acknowledged = number;
            }
            // One more is under way when the power goes.
            let last = number + 1;
            let value = format!("cluster-recheck-interval={last}s");
            let host = cluster.host(2);
            std::thread::scope(|scope| {
                let asked = scope.spawn(|| host.output_of(&["hacctl", "configure", "property", &value]));
                hac_lab::bench::pause(Duration::from_millis(3 * round));
                let off = [1, 2].map(|host| cluster.lab().power_off(host));
                // Whether it was acknowledged in time does not matter.
                let _ = asked.join();
                off.into_iter().collect::<Result<Vec<()>, _>>()
            })?;
            for host in [1, 2] {
                cluster.lab().power_on(host)?;
            }
            assert_consistent(cluster)?;
            let shown = cluster.hacctl(2, &["configure", "show"])?;
            let kept = [acknowledged, last]
                .iter()
                .any(|number| shown.contains(&format!("cluster-recheck-interval={number}s")));
            ensure!(kept, "neither {acknowledged} nor {last} survived:\n{shown}");
        }
        steady(cluster, None, Instant::now())
    })
}

/// The newest generation of the configuration on a host.
fn newest_generation(cluster: &Cluster, host: usize) -> anyhow::Result<PathBuf> {
    let directory = cluster.host(host).outside(STATE)?;
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&directory)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let number = name.strip_prefix("cib.").and_then(|number| number.parse::<u64>().ok());
        found.extend(number.map(|_| (entry.metadata().and_then(|data| data.modified()), entry.path())));
    }
    found.sort_by_key(|(modified, _)| modified.as_ref().ok().copied());
    found.pop().map(|(_, path)| path).with_context(|| format!("no cib.N in {}", directory.display()))
}

fn torn(env: &Env) -> anyhow::Result<()> {
    env.with_running(|cluster| {
        cluster.hacctl(1, &["configure", "property", "cluster-recheck-interval=111s"])?;
        cluster.hacctl(1, &["configure", "property", "cluster-recheck-interval=222s"])?;
        for host in [1, 2] {
            cluster.stop(host)?;
        }
        let torn = newest_generation(cluster, 1)?;
        let bytes = std::fs::read(&torn)?;
        std::fs::write(&torn, bytes.get(..bytes.len() / 2).unwrap_or_default())?;
        let flipped = newest_generation(cluster, 2)?;
        let mut bytes = std::fs::read(&flipped)?;
        let middle = bytes.len() / 2;
        if let Some(byte) = bytes.get_mut(middle) {
            *byte ^= 0x10;
        }
        std::fs::write(&flipped, bytes)?;
        cluster.start_all()?;
        assert_consistent(cluster)?;
        let shown = cluster.hacctl(1, &["configure", "show"])?;
        let kept = ["111s", "222s"].iter().any(|value| shown.contains(value));
        ensure!(kept, "the generation before is not used:\n{shown}");
        for host in [1, 2] {
            assert_contains(&cluster.log(host), "set aside")?;
            let files = cluster.host(host).exec(&["ls", STATE])?;
            assert_contains(&files, "corrupt")?;
        }
        // The number of lives and rings is torn as well; the node comes up all the same.
        cluster.stop(2)?;
        let ring = cluster.host(2).outside(&format!("{STATE}/ring"))?;
        std::fs::write(&ring, b"nonsense")?;
        cluster.start(2)?;
        assert_consistent(cluster)
    })
}

fn full_disk(env: &Env) -> anyhow::Result<()> {
    env.with_hosts(2, "", |cluster| {
        for host in cluster.lab().hosts() {
            host.shell(&format!("mount -t tmpfs -o size=2m,mode=700 tmpfs {STATE}"))?;
        }
        bring_up(cluster)?;
        let fill = format!("dd if=/dev/zero of={STATE}/filler bs=4k 2>/dev/null; sync; true");
        cluster.host(2).shell(&fill)?;
        let done = cluster.try_hacctl(1, &["configure", "property", "cluster-recheck-interval=77s"])?;
        let text = String::from_utf8_lossy(&done.stderr).into_owned();
        ensure!(done.status.success(), "the change was refused: {text}");
        // Whose disk it was and why is in the answer, and in the events of both.
        assert_contains(&text, "secondary")?;
        assert_contains(&text, "no space left")?;
        for host in [1, 2] {
            assert_contains(&cluster.hacctl(host, &["configure", "show"])?, "cluster-recheck-interval=77s")?;
            assert_contains(&cluster.hacctl(host, &["events"])?, "secondary has not stored the newest configuration")?;
        }
        steady(cluster, None, Instant::now())?;
        cluster.host(2).shell(&format!("rm {STATE}/filler"))?;
        wait("secondary has stored the newest state", || {
            let events = cluster.hacctl(1, &["events"]);
            events.is_ok_and(|text| text.contains("secondary has stored the newest configuration again"))
        })?;
        cluster.hacctl(1, &["configure", "property", "cluster-recheck-interval=78s"])?;
        cluster.wait_up(LIMIT)?;
        let shown = cluster.hacctl(2, &["configure", "show"])?;
        assert_contains(&shown, "cluster-recheck-interval=78s")
    })
}
