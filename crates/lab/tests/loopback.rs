//! A lab without namespaces: hosts are processes on loopback addresses.
//!
//! It needs nginx alone; where that is missing the test says so and passes.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use hac_lab::cloud::TOKEN;
use hac_lab::{Daemon, Ground, Lab, Options, Plan, request, setup};

const LIMIT: Duration = Duration::from_secs(20);

#[allow(clippy::print_stdout, reason = "libtest shows what a test prints, and a skip must be seen")]
fn skipped(reason: &str) {
    let thread = std::thread::current();
    println!("skipped: {}: {reason}", thread.name().unwrap_or("loopback"));
}

#[test]
fn hosts_on_loopback_serve_the_page_and_lose_power() {
    if let Err(reason) = setup::check(Ground::Loopback) {
        return skipped(&reason.to_string());
    }
    let options = Options {
        ground: Ground::Loopback,
        hosts: 2,
        programs: PathBuf::from("/usr/sbin"),
        probe_period: Duration::from_millis(10),
    };
    let lab = Lab::new(&options).expect("a lab");
    for host in lab.hosts() {
        let file = host.outside("/etc/nginx/nginx.conf").expect("a path");
        let words = ["nginx", "-g", "daemon off;", "-c"].map(str::to_owned);
        let command = words.into_iter().chain([file.display().to_string()]).collect();
        let nginx = Daemon { name: "nginx", command };
        host.at_boot(nginx.clone());
        host.start(&nginx).expect("nginx starts");
    }
    let begin = Instant::now();
    lab.prober().wait_answers(Some("primary"), begin, 5, LIMIT).expect("primary answers");
    assert!(lab.page().expect("a page").contains("Droplet: primary, IP Address: 127.0.0.11"));
    assert!(lab.network().is_err());

    let body = format!(r#"{{"type":"assign","droplet_id":{}}}"#, Plan::droplet(2));
    let path = "/v2/reserved_ips/198.51.100.10/actions";
    let api = lab.host(2).expect("a host").cloud().expect("a door of its own");
    let answer = request(api, "POST", path, Some(TOKEN), &body, LIMIT).expect("an answer");
    assert_eq!(answer.status, 201);
    let moved = Instant::now();
    lab.prober().wait_answers(Some("secondary"), moved, 5, LIMIT).expect("secondary answers");
    let id = request(api, "GET", "/metadata/v1/id", None, "", LIMIT).expect("an answer");
    assert_eq!(id.body, "1000002");

    lab.power_off(2).expect("power off");
    assert!(lab.host(2).expect("a host").processes().is_err());
    let lost = Instant::now();
    hac_lab::wait_for("the prober notices", LIMIT, || (lab.prober().window(lost).failed > 2).then_some(()))
        .expect("a dead host answers nobody");
    lab.power_on(2).expect("power on");
    let back = Instant::now();
    lab.prober().wait_answers(Some("secondary"), back, 5, LIMIT).expect("secondary answers again");
    let pids: Vec<i32> = lab
        .hosts()
        .iter()
        .flat_map(|host| host.processes().expect("list"))
        .filter(|process| process.name == "nginx")
        .map(|process| process.pid)
        .collect();
    assert!(pids.len() >= 2, "{pids:?}");
    let directory = lab.directory().to_owned();
    drop(lab);
    assert!(!directory.exists());
    for pid in pids {
        assert!(!std::path::Path::new(&format!("/proc/{pid}/exe")).exists(), "{pid}");
    }
}
