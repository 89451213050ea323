//! With small scripts in a folder of their own.

use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::testing::{invocation, options};

/// A folder with scripts that is removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("hacd-lsb-{name}-{}", std::process::id()));
        fs::create_dir_all(folder.join("init.d")).expect("a folder");
        Self(folder)
    }

    fn script(&self, name: &str, body: &str) {
        let path = self.0.join("init.d").join(name);
        fs::write(&path, format!("#!/bin/sh\n{body}\n")).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("made executable");
    }

    fn lsb(&self) -> Lsb {
        let runs = Arc::new(Runs::new(self.0.join("runs")));
        Lsb::in_folder(self.0.join("init.d"), &options(crate::testing::absent()), Arc::default(), runs)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn named(kind: &str, action: &str) -> Invocation {
    invocation(Agent { class: "lsb".into(), provider: None, kind: kind.into() }, action)
}

#[test]
fn the_codes_of_status_are_not_those_of_other_actions() {
    let codes = [0, 1, 2, 3, 4, 7, 150, 151, 200];
    assert_eq!(codes.map(|code| ocf_code("status", code)), [0, 7, 7, 7, 1, 1, 5, 4, 1]);
    assert_eq!(codes.map(|code| ocf_code("start", code)), [0, 1, 2, 3, 4, 7, 1, 1, 1]);
}

#[tokio::test]
async fn a_monitor_asks_for_status_and_other_actions_are_passed_on() {
    let folder = Folder::new("actions");
    folder.script("one", "echo \"$1 $#\" >> $0.log; [ \"$1\" != status ] || exit 3");
    let lsb = folder.lsb();
    assert_eq!(lsb.run(&named("one", "start")).await.rc, 0);
    assert_eq!(lsb.run(&named("one", "monitor")).await.rc, Exit::NotRunning.code());
    assert_eq!(lsb.run(&named("one", "stop")).await.rc, 0);
    assert_eq!(lsb.run(&named("one", "promote")).await.rc, Exit::Unimplemented.code());
    let log = fs::read_to_string(folder.0.join("init.d/one.log")).expect("a log");
    assert_eq!(log, "start 1\nstatus 1\nstop 1\n");
}

#[tokio::test]
async fn what_is_not_there_is_not_installed() {
    let folder = Folder::new("missing");
    let ran = folder.lsb().run(&named("two", "start")).await;
    assert_eq!((ran.rc, ran.status), (Exit::Installed.code(), ExecStatus::NotInstalled));
    assert!(folder.lsb().describe(&named("two", "start").agent).await.is_none());
}

#[tokio::test]
async fn the_block_of_lsb_describes_a_script() {
    let folder = Folder::new("described");
    folder.script(
        "three",
        "### BEGIN INIT INFO\n# Provides: three\n# Short-Description: serves <pages>\n### END INIT INFO",
    );
    let lsb = folder.lsb();
    let (listed, xml) = lsb.describe(&named("three", "start").agent).await.expect("described");
    assert_eq!(listed.agent.to_string(), "lsb:three");
    assert!(xml.contains("serves &lt;pages&gt;"), "{xml}");
    let all: Vec<String> = lsb.list().await.iter().map(|listed| listed.agent.to_string()).collect();
    assert_eq!(all, ["lsb:three"]);
}

#[tokio::test]
async fn a_service_is_the_script_where_there_is_one() {
    let folder = Folder::new("service");
    folder.script("four", "[ \"$1\" != status ] || exit 0");
    let systemd = Arc::new(Systemd::new(Arc::default()));
    let service = Service::new(Arc::new(folder.lsb()), systemd);
    let agent = Agent { class: "service".into(), provider: None, kind: "four".into() };
    assert_eq!(service.run(&invocation(agent, "monitor")).await.rc, 0);
    let listed = service.list().await;
    assert!(listed.iter().any(|listed| listed.agent.to_string() == "service:four"), "{listed:?}");
}

#[tokio::test]
async fn a_script_that_a_signal_ended_or_that_cannot_run_says_so() {
    let folder = Folder::new("signal");
    folder.script("one", "echo last words >&2; kill -KILL $$");
    folder.script("two", "");
    let two = folder.0.join("init.d/two");
    fs::set_permissions(&two, fs::Permissions::from_mode(0o644)).expect("made a plain file");
    let lsb = folder.lsb();
    let killed = lsb.run(&named("one", "start")).await;
    let reason = format!("{} was ended by signal 9", folder.0.join("init.d/one").display());
    assert_eq!((killed.rc, killed.exit_reason), (Exit::Generic.code(), Some(reason)));
    assert_eq!(killed.output, "last words\n");
    let refused = lsb.run(&named("two", "start")).await;
    assert_eq!(
        (refused.rc, refused.exit_reason),
        (Exit::Perm.code(), Some(format!("{} is not executable", two.display())))
    );
    let absent = lsb.run(&named("three", "start")).await;
    assert_eq!(absent.rc, Exit::Installed.code());
}
