//! Hosts, network, cloud and prober together, with real nginx and without `hacd`.
//!
//! These need root, network namespaces and nginx; where they are missing the tests say so and pass.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use hac_lab::cloud::TOKEN;
use hac_lab::{Daemon, Ground, Host, Lab, Options, Plan, setup};

const LIMIT: Duration = Duration::from_secs(20);

#[allow(clippy::print_stdout, reason = "libtest shows what a test prints, and a skip must be seen")]
fn skipped(reason: &str) {
    let thread = std::thread::current();
    println!("skipped: {}: {reason}", thread.name().unwrap_or("hosts"));
}

/// A lab of two hosts with nginx running on both; none where the machine cannot hold one.
fn lab() -> Option<Lab> {
    static POSSIBLE: OnceLock<Result<(), String>> = OnceLock::new();
    let install = || setup::install(&mut std::io::stderr()).map_err(|error| error.to_string());
    if let Err(reason) = POSSIBLE.get_or_init(install) {
        skipped(reason);
        return None;
    }
    let lab = Lab::new(&Options {
        ground: Ground::Namespaces,
        hosts: 2,
        programs: PathBuf::from("/usr/bin"),
        probe_period: Duration::from_millis(10),
    })
    .expect("a lab");
    for host in lab.hosts() {
        let nginx = Daemon { name: "nginx", command: vec!["nginx".into(), "-g".into(), "daemon off;".into()] };
        host.at_boot(nginx.clone());
        host.start(&nginx).expect("nginx starts");
        wait_nginx(host);
    }
    Some(lab)
}

/// Waits for nginx and its one worker.
fn wait_nginx(host: &Host) {
    hac_lab::wait_for("nginx runs", LIMIT, || {
        let running = host.processes_named("nginx").ok()?;
        (running.len() == 2).then_some(())
    })
    .expect("nginx runs");
}

fn move_to(lab: &Lab, host: usize) {
    let body = format!(r#"{{"type":"assign","droplet_id":{}}}"#, Plan::droplet(host));
    let header = format!("Authorization: Bearer {TOKEN}");
    let url = "http://203.0.113.1/v2/reserved_ips/198.51.100.10/actions";
    let words = ["curl", "-sf", "-H", &header, "-d", &body, url];
    let caller = lab.host(host).expect("a host");
    caller.exec(&words).expect("the API accepts");
}

#[test]
fn the_floating_ip_follows_the_api_and_the_power() {
    let Some(lab) = lab() else { return };
    let begin = Instant::now();
    let prober = lab.prober();
    prober.wait_answers(Some("primary"), begin, 5, LIMIT).expect("primary answers");

    let moved = Instant::now();
    move_to(&lab, 2);
    prober.wait_answers(Some("secondary"), moved, 5, LIMIT).expect("secondary answers");
    assert_eq!(lab.cloud().assigns(moved).first().and_then(|entry| entry.host()), Some(2));
    assert!(prober.window(moved).gap < Duration::from_millis(500));

    let lost = Instant::now();
    lab.power_off(2).expect("power off");
    assert!(!lab.host(2).expect("a host").is_on());
    hac_lab::wait_for("the prober notices", LIMIT, || (prober.window(lost).failed > 2).then_some(()))
        .expect("a dead host answers nobody");
    move_to(&lab, 1);
    let back = Instant::now();
    prober.wait_answers(Some("primary"), back, 5, LIMIT).expect("primary answers again");
    let window = prober.window(lost);
    assert!(window.gap > Duration::from_millis(20), "{window:?}");

    lab.power_on(2).expect("power on");
    move_to(&lab, 2);
    let booted = Instant::now();
    prober.wait_answers(Some("secondary"), booted, 5, LIMIT).expect("nginx started at boot");
}

#[test]
fn hosts_are_apart_from_each_other_and_from_the_machine() {
    let Some(lab) = lab() else { return };
    let (one, two) = (lab.host(1).expect("one"), lab.host(2).expect("two"));
    assert_eq!(one.exec(&["hostname"]).expect("runs").trim(), "primary");
    one.shell("echo kept >/var/lib/hacd/state; echo lost >/run/pid; echo mine >/etc/hacd/x").expect("writes");
    assert!(two.read("/var/lib/hacd/state").is_err());
    assert!(!std::path::Path::new("/etc/hacd/x").exists());
    let id = "http://169.254.169.254/metadata/v1/id";
    assert_eq!(one.exec(&["curl", "-s", id]).expect("asks"), "1000001");
    assert_eq!(two.exec(&["curl", "-s", id]).expect("asks"), "1000002");

    one.power_off().expect("off");
    assert_eq!(one.read("/var/lib/hacd/state").expect("its disk"), "kept\n");
    assert!(one.exec(&["true"]).is_err());
    one.write("/etc/hacd/y", "written while off\n").expect("writes");
    one.power_on().expect("on");
    assert_eq!(one.read("/etc/hacd/y").expect("is there"), "written while off\n");
    assert_eq!(one.read("/etc/hacd/x").expect("is there"), "mine\n");
    assert!(one.read("/run/pid").is_err());
    wait_nginx(one);
}

#[test]
fn the_private_network_is_cut_and_healed_in_each_way() {
    let Some(lab) = lab() else { return };
    let reaches = |from: usize, to: usize| {
        let target = format!("http://{}/", Plan::private(to));
        let words = ["curl", "-s", "-m", "0.3", "-o", "/dev/null", &target];
        let host = lab.host(from).expect("a host");
        host.output_of(&words).expect("runs").status.success()
    };
    assert!(reaches(1, 2) && reaches(2, 1));
    let capture = lab.capture(1).expect("listens");
    lab.send(2, 1, 5405, vec![b"one".to_vec(), b"two".to_vec()]).expect("sends");
    hac_lab::wait_for("both datagrams were seen", LIMIT, || {
        let payloads: Vec<_> = capture.packets().into_iter().filter(|p| p.is_udp()).map(|p| p.payload).collect();
        (payloads == [b"one", b"two"]).then_some(())
    })
    .expect("seen");
    lab.network().expect("cables").cut().expect("cut");
    assert!(!reaches(1, 2) && !reaches(2, 1));
    lab.network().expect("cables").heal().expect("heal");
    assert!(reaches(1, 2) && reaches(2, 1));
    lab.network().expect("cables").lose(1, 2).expect("lose");
    assert!(!reaches(1, 2));
    lab.network().expect("cables").heal().expect("heal");
    assert!(reaches(1, 2));
    lab.network().expect("cables").private_link(2, false).expect("pull");
    assert!(!reaches(1, 2));
    lab.network().expect("cables").private_link(2, true).expect("plug");
    assert!(reaches(1, 2));
    let counters = lab.network().expect("cables").private_counters(1).expect("counters");
    assert!(counters.iter().all(|&count| count > 0), "{counters:?}");
}

#[test]
fn daemons_end_alone_and_are_told_apart() {
    let Some(lab) = lab() else { return };
    let host = lab.host(1).expect("a host");
    let daemon = Daemon { name: "sleep", command: vec!["sleep".into(), "600".into()] };
    host.start(&daemon).expect("starts");
    assert!(host.start(&daemon).is_err());
    assert_eq!(host.ended("sleep").expect("known"), None);
    hac_lab::wait_for("sleep runs", LIMIT, || {
        let found = host.processes_named("sleep").ok()?;
        (found.len() == 1).then_some(())
    })
    .expect("runs");
    let nginx = host.processes_named("nginx").expect("list");
    host.kill("sleep").expect("kills");
    assert!(host.ended("sleep").expect("known").is_some());
    assert_eq!(host.processes_named("nginx").expect("list").len(), nginx.len());
    host.start(&daemon).expect("starts again");
}

#[test]
fn the_packaged_agent_runs_the_web_server_of_one_host() {
    let Some(lab) = lab() else { return };
    let host = lab.host(2).expect("a host");
    let agent = |action: &str| {
        let script = format!(
            "export OCF_ROOT=/usr/lib/ocf OCF_RESOURCE_INSTANCE=Nginx OCF_RESKEY_httpd=/usr/sbin/nginx \
             OCF_RESKEY_CRM_meta_timeout=30000 OCF_RA_VERSION_MAJOR=1 OCF_RA_VERSION_MINOR=0; \
             exec $OCF_ROOT/resource.d/heartbeat/nginx {action}"
        );
        host.output_of(&["sh", "-c", &script]).expect("runs").status.code()
    };
    assert_eq!(agent("monitor"), Some(0));
    assert_eq!(agent("stop"), Some(0));
    assert_eq!(agent("monitor"), Some(7));
    assert_eq!(agent("start"), Some(0));
    assert_eq!(agent("monitor"), Some(0));
    assert!(!lab.host(1).expect("a host").processes_named("nginx").expect("list").is_empty());
}

#[test]
fn nothing_is_left_of_a_lab() {
    let Some(lab) = lab() else { return };
    let prefix = lab.plan().prefix().to_owned();
    let directory = lab.directory().to_owned();
    let pids: Vec<i32> =
        lab.hosts().iter().flat_map(|host| host.processes().expect("list")).map(|process| process.pid).collect();
    assert!(pids.len() >= 6, "{pids:?}");
    drop(lab);
    assert!(!directory.exists());
    let names = std::fs::read_dir("/run/netns").expect("a directory");
    let left = names.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(&format!("{prefix}-")));
    assert_eq!(left.count(), 0);
    for pid in pids {
        assert!(!std::path::Path::new(&format!("/proc/{pid}/ns")).exists(), "{pid}");
    }
}

#[test]
fn a_kept_lab_outlives_its_maker_until_it_is_taken_down() {
    let Some(lab) = lab() else { return };
    let moved = Instant::now();
    move_to(&lab, 2);
    lab.prober().wait_answers(Some("secondary"), moved, 5, LIMIT).expect("secondary answers");
    let program = PathBuf::from(env!("CARGO_BIN_EXE_hac-lab"));
    let directory = lab.keep(&program).expect("is kept");
    let command = |words: &[&str]| {
        let mut command = std::process::Command::new(&program);
        command.args(words).env("HAC_LAB_DIRECTORY", &directory);
        command
    };
    let run = |words: &[&str]| {
        let output = command(words).output().expect("runs");
        assert!(output.status.success(), "{words:?}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert_eq!(run(&["exec", "primary", "hostname"]).trim(), "primary");
    let page = ["exec", "client", "curl", "-s", "-m", "2", "http://198.51.100.10/"];
    assert!(run(&page).contains("Droplet: secondary"));
    assert!(run(&["cloud"]).contains("\"holder\": \"secondary\""));
    run(&["cloud", r#"{"holder":"primary"}"#]);
    assert!(run(&page).contains("Droplet: primary"));
    run(&["power", "off", "secondary"]);
    hac_lab::wait_for("secondary is off", LIMIT, || {
        let words = ["exec", "secondary", "true"];
        let status = command(&words).output().ok()?.status;
        (!status.success()).then_some(())
    })
    .expect("is off");
    assert_eq!(hac_lab::down(Some(&directory)), 1);
    assert!(!directory.exists());
}
