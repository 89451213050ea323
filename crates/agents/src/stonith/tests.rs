//! With small fence agents in a folder of their own, which write down what they are given.

use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::testing::{invocation, options};

/// A folder with fence agents that is removed at the end.
struct Folder(PathBuf);

/// The meta-data of an agent with these actions.
fn metadata(actions: &[&str]) -> String {
    let actions: String = actions.iter().map(|action| format!("<action name=\"{action}\"/>")).collect();
    format!(
        "<resource-agent name=\"x\"><parameters><parameter name=\"plug\"/></parameters><actions>{actions}</actions></resource-agent>"
    )
}

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("hacd-stonith-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        Self(folder)
    }

    /// An agent that adds its input to `log` and does what `body` says with the action in `$action`.
    fn agent(&self, actions: &[&str], body: &str) -> Stonith {
        let path = self.0.join("fence_x");
        let text = format!(
            "#!/bin/sh\ninput=$(cat)\naction=$(echo \"$input\" | sed -n 's/^action=//p')\n\
             [ \"$action\" != metadata ] || {{ echo '{}'; exit 0; }}\n\
             echo \"-- $# $PCMK_service\" >> {log}; echo \"$input\" >> {log}\n{body}\n",
            metadata(actions),
            log = self.0.join("log").display(),
        );
        fs::write(&path, text).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("made executable");
        let options = Options { fence_agents: self.0.clone(), ..options(crate::testing::absent()) };
        let cloud = Arc::new(Cloud::new(&options));
        Stonith::new(&options, cloud, Arc::default(), Arc::new(Runs::new(self.0.join("runs"))))
    }

    fn log(&self) -> String {
        fs::read_to_string(self.0.join("log")).unwrap_or_default()
    }

    /// The actions that the agent was run for.
    fn actions(&self) -> Vec<String> {
        self.log().lines().filter_map(|line| line.strip_prefix("action=")).map(str::to_owned).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn with(action: &str, params: &[(&str, &str)]) -> Invocation {
    let agent = Agent { class: "stonith".into(), provider: None, kind: "fence_x".into() };
    let params = params.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Invocation { params, ..invocation(agent, action) }
}

fn against(target: &str, action: &str, params: &[(&str, &str)]) -> Invocation {
    let order = FenceOrder { target: target.to_owned(), delay: Duration::ZERO, base: Duration::from_secs(20) };
    Invocation { fencing: Some(order), ..with(action, params) }
}

#[tokio::test]
async fn the_agent_reads_its_parameters_from_its_input_and_nothing_that_is_the_clusters() {
    let folder = Folder::new("input");
    let stonith = folder.agent(&["reboot", "off", "list"], "");
    let params = [
        ("pcmk_host_map", "db1:7;db2:8"),
        ("pcmk_delay_base", "0s"),
        ("ip", "192.0.2.1"),
        ("passwd", "a b=c"),
        ("action", "off"),
        ("CRM_meta_timeout", "20000"),
        ("crm_feature_set", "3.19.0"),
    ];
    assert_eq!(stonith.run(&against("db2", "reboot", &params)).await, Finished::with(Exit::Success));
    let expected = "-- 0 pacemaker-fenced\nip=192.0.2.1\npasswd=a b=c\naction=reboot\nnodename=db2\nplug=8\n";
    assert_eq!(folder.log(), expected);
}

#[tokio::test]
async fn a_device_is_started_by_a_monitor_probed_from_memory_and_stopped_without_a_run() {
    let folder = Folder::new("life");
    let stonith = folder.agent(&["off"], "[ ! -e \"$0.down\" ] || { echo 'no route' >&2; exit 9; }");
    let recurring = Invocation { interval_ms: 10_000, ..with("monitor", &[]) };
    let code = async |invocation: &Invocation| stonith.run(invocation).await.rc;
    assert_eq!(code(&with("monitor", &[])).await, 7);
    assert_eq!(code(&recurring).await, 7);
    assert_eq!(folder.actions(), [""; 0], "nothing ran");
    assert_eq!(code(&with("start", &[])).await, 0);
    assert_eq!(code(&with("monitor", &[])).await, 0);
    assert_eq!(folder.actions(), ["monitor"]);
    assert_eq!(code(&recurring).await, 0);
    assert_eq!(code(&with("promote", &[])).await, Exit::Unimplemented.code());
    assert_eq!(code(&with("stop", &[])).await, 0);
    assert_eq!(code(&with("monitor", &[])).await, 7);
    fs::write(folder.0.join("fence_x.down"), "").expect("written");
    let failed = stonith.run(&with("start", &[("pcmk_monitor_retries", "1")])).await;
    assert_eq!((failed.rc, failed.exit_reason.as_deref()), (1, Some("no route")));
    assert_eq!(code(&with("monitor", &[])).await, 7);
    assert_eq!(folder.actions(), ["monitor", "monitor", "monitor"]);
}

#[tokio::test]
async fn a_failure_is_tried_again_after_a_second_and_a_timeout_is_not() {
    let folder = Folder::new("again");
    let stonith = folder.agent(&["off"], "[ -e \"$0.once\" ] || { : > \"$0.once\"; exit 1; }");
    let params = [("pcmk_host_check", "none")];
    let begin = Instant::now();
    assert_eq!(stonith.run(&against("db2", "off", &params)).await.rc, 0);
    assert!(begin.elapsed() >= RETRY_PAUSE);
    assert_eq!(folder.actions(), ["off", "off"]);

    let folder = Folder::new("hangs");
    let stonith = folder.agent(&["off"], "sleep 60");
    let params = [("pcmk_host_check", "none"), ("pcmk_off_timeout", "1s")];
    let finished = stonith.run(&against("db2", "off", &params)).await;
    assert_eq!(finished.status, ExecStatus::Timeout);
    assert_eq!(folder.actions(), ["off"]);
}

#[tokio::test]
async fn a_device_that_does_not_know_the_node_is_told_from_one_that_fails() {
    let folder = Folder::new("knows");
    let body = "case $action in list) echo 'db2,;db3,on';; status) exit 1;; esac";
    let stonith = folder.agent(&["off", "list", "status"], body);
    let status = async |invocation: Invocation| stonith.run(&invocation).await.status;
    assert_eq!(status(against("db2", "off", &[])).await, ExecStatus::Done);
    assert_eq!(status(against("db4", "off", &[])).await, ExecStatus::NoFenceDevice);
    assert_eq!(folder.actions(), ["list", "off"], "the list is believed for a while");
    assert_eq!(status(against("db2", "on", &[])).await, ExecStatus::NoFenceDevice, "it cannot switch on");
    let check = [("pcmk_host_check", "status")];
    assert_eq!(status(against("db2", "off", &check)).await, ExecStatus::NoFenceDevice);
    let named = [("pcmk_host_list", "db9")];
    assert_eq!(status(against("db2", "off", &named)).await, ExecStatus::NoFenceDevice);
}

#[tokio::test]
async fn an_agent_whose_list_never_works_is_asked_for_the_state_of_each_node_unless_a_list_was_chosen() {
    let folder = Folder::new("no-list");
    let stonith = folder.agent(&["off", "list", "status"], "case $action in list) exit 1;; status) exit 2;; esac");
    let once = [("pcmk_list_retries", "1")];
    assert_eq!(stonith.run(&against("db2", "off", &once)).await.status, ExecStatus::Done);
    assert_eq!(stonith.run(&against("db2", "off", &once)).await.status, ExecStatus::Done);
    assert_eq!(folder.actions(), ["list", "status", "off", "status", "off"]);
    let chosen = [("pcmk_host_check", "dynamic-list"), ("pcmk_list_retries", "1")];
    let other = Invocation { resource: "S".into(), ..against("db2", "off", &chosen) };
    assert_eq!(stonith.run(&other).await.status, ExecStatus::NoFenceDevice);
}

#[tokio::test]
async fn a_list_is_asked_for_again_until_it_works_and_the_last_one_stands_in_for_one_that_fails() {
    let folder = Folder::new("list-later");
    let stonith = folder.agent(&["off", "list", "status"], "[ $action != list ] || cat \"$0.nodes\"");
    let chosen = [("pcmk_host_check", "dynamic-list"), ("pcmk_list_retries", "1")];
    let status = async |target: &str| stonith.run(&against(target, "off", &chosen)).await.status;
    assert_eq!(status("db2").await, ExecStatus::NoFenceDevice);
    fs::write(folder.0.join("fence_x.nodes"), "db2\n").expect("written");
    assert_eq!(status("db2").await, ExecStatus::Done);
    let outdate = || {
        let mut devices = lock(&stonith.devices);
        let (at, _) = devices.values_mut().find_map(|memory| memory.listed.as_mut()).expect("a list");
        *at = at.checked_sub(LIST).expect("an earlier moment");
    };
    outdate();
    fs::write(folder.0.join("fence_x.nodes"), "db3\n").expect("written");
    assert_eq!((status("db2").await, status("db3").await), (ExecStatus::NoFenceDevice, ExecStatus::Done));
    outdate();
    fs::remove_file(folder.0.join("fence_x.nodes")).expect("removed");
    assert_eq!((status("db3").await, status("db2").await), (ExecStatus::Done, ExecStatus::NoFenceDevice));
    // Each run that could not know asked again.
    assert_eq!(folder.actions(), ["list", "list", "off", "list", "off", "list", "off", "list"]);
}

#[tokio::test]
async fn a_reboot_is_off_for_an_agent_that_knows_no_reboot() {
    let folder = Folder::new("no-reboot");
    let stonith = folder.agent(&["off"], "");
    assert_eq!(stonith.run(&against("db2", "reboot", &[("pcmk_host_check", "none")])).await.rc, 0);
    assert_eq!(folder.actions(), ["off"]);
}

#[tokio::test]
async fn what_is_not_installed_says_so_and_agents_are_listed_by_their_names() {
    let folder = Folder::new("installed");
    let stonith = folder.agent(&["off"], "");
    let mut missing = against("db2", "off", &[]);
    missing.agent.kind = "fence_y".to_owned();
    let finished = stonith.run(&missing).await;
    assert_eq!((finished.rc, finished.status), (Exit::Installed.code(), ExecStatus::NotInstalled));
    fs::copy(folder.0.join("fence_x"), folder.0.join("fence_virtd")).expect("copied");
    let names: Vec<String> = stonith.list().await.into_iter().map(|listed| listed.agent.to_string()).collect();
    assert_eq!(names, ["stonith:fence_digitalocean", "stonith:fence_x"]);
    let (_, xml) = stonith.describe(&"stonith:fence_x".parse().expect("an agent")).await.expect("meta-data");
    assert!(xml.contains("<action name=\"off\"/>"), "{xml}");
    assert_eq!(stonith.describe(&"stonith:../x".parse::<Agent>().unwrap_or_default()).await, None);
}

#[tokio::test]
async fn the_watchdog_of_a_node_is_waited_for_and_nothing_is_run() {
    let folder = Folder::new("watchdog");
    let stonith = folder.agent(&["off"], "");
    let agent = Agent { class: "stonith".into(), provider: None, kind: WATCHDOG.into() };
    let delay = Duration::from_millis(300);
    let order = FenceOrder { target: "db2".to_owned(), delay, base: Duration::from_secs(20) };
    let shot = |params: &[(&str, &str)]| {
        let asked = with("reboot", params);
        Invocation { agent: agent.clone(), fencing: Some(order.clone()), ..asked }
    };
    let begin = Instant::now();
    assert_eq!(stonith.run(&shot(&[])).await, Finished::with(Exit::Success));
    assert!(begin.elapsed() >= delay);
    let begin = Instant::now();
    let others = stonith.run(&shot(&[("pcmk_host_list", "db1")])).await;
    assert_eq!((others.status, begin.elapsed() < delay), (ExecStatus::NoFenceDevice, true));
    let monitor = Invocation { agent, ..with("start", &[]) };
    assert_eq!((stonith.run(&monitor).await.rc, folder.actions()), (0, Vec::<String>::new()));
}
