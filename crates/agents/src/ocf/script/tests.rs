//! With small scripts in a directory of their own.

use std::os::unix::fs::PermissionsExt as _;

use hac_model::InvocationId;

use super::*;

/// A directory with agents that is removed at the end.
struct Root(PathBuf);

impl Root {
    fn new(name: &str) -> Self {
        let root = std::env::temp_dir().join(format!("hacd-ocf-{name}-{}", std::process::id()));
        fs::create_dir_all(root.join("runs")).expect("a directory for the runs");
        fs::create_dir_all(root.join("resource.d/test")).expect("a directory for the test");
        Self(root)
    }

    fn script(&self, name: &str, body: &str) {
        let path = self.0.join("resource.d/test").join(name);
        fs::write(&path, format!("#!/bin/sh\n{body}\n")).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("made executable");
    }

    fn ocf(&self) -> Scripts {
        let options = crate::testing::options(&self.0);
        Scripts::new(&options, Arc::default(), Arc::new(Runs::new(self.0.join("runs"))))
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn invocation(kind: &str, action: &str) -> Invocation {
    Invocation {
        id: InvocationId(1),
        node: "primary".into(),
        migration: None,
        fencing: None,
        resource: "R".into(),
        instance: "R:0".into(),
        agent: Agent { class: "ocf".into(), provider: Some("test".into()), kind: kind.into() },
        action: action.into(),
        interval_ms: 10_000,
        timeout: Duration::from_secs(20),
        expected_rc: 0,
        params: BTreeMap::from([("ip".into(), "198.51.100.10; rm -rf /".into())]),
        meta: BTreeMap::from([("CRM_meta_clone_max".into(), "2".into())]),
    }
}

#[tokio::test]
async fn everything_is_in_the_environment_and_nothing_else_is() {
    let root = Root::new("env");
    root.script("dump", "env | sort > $OCF_ROOT/env; echo \"$1 $#\" >> $OCF_ROOT/env");
    assert_eq!(root.ocf().run(&invocation("dump", "monitor")).await, Finished::with(Exit::Success));
    let env = fs::read_to_string(root.0.join("env")).expect("written by the script");
    for line in [
        "OCF_RESKEY_ip=198.51.100.10; rm -rf /",
        "OCF_RESKEY_CRM_meta_clone_max=2",
        "OCF_RESKEY_CRM_meta_timeout=20000",
        "OCF_RESKEY_CRM_meta_interval=10000",
        "OCF_RESOURCE_INSTANCE=R:0",
        "OCF_RESKEY_CRM_meta_on_node=primary",
        "OCF_RA_VERSION_MINOR=1",
        "OCF_RESKEY_crm_feature_set=3.20.0",
        "HA_SBIN_DIR=/run/hacd/hacd.bin",
        "PATH=/run/hacd/hacd.bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HA_debug=0",
        "monitor 1",
    ] {
        assert!(env.lines().any(|l| l == line), "{line} in\n{env}");
    }
    assert!(!env.contains("CARGO"), "the daemon's own environment must not leak");
    assert!(!env.contains("migrate_"), "nothing migrates");
}

#[tokio::test]
async fn a_migration_has_its_ends_in_the_environment_and_work_for_another_node_its_name() {
    let root = Root::new("ends");
    root.script("dump", "env | sort > $OCF_ROOT/env");
    let ends = hac_model::Migration { source: "guest".into(), target: "secondary".into() };
    let migrate = Invocation { node: "guest".into(), migration: Some(ends), ..invocation("dump", "migrate_to") };
    assert_eq!(root.ocf().run(&migrate).await, Finished::with(Exit::Success));
    let env = fs::read_to_string(root.0.join("env")).expect("written by the script");
    for line in [
        "OCF_RESKEY_CRM_meta_migrate_source=guest",
        "OCF_RESKEY_CRM_meta_migrate_target=secondary",
        "OCF_RESKEY_CRM_meta_on_node=guest",
        "OCF_RESKEY_CRM_meta_on_node_uuid=guest",
    ] {
        assert!(env.lines().any(|l| l == line), "{line} in\n{env}");
    }
}

#[tokio::test]
async fn the_last_exit_reason_is_told() {
    let root = Root::new("reason");
    root.script(
        "fails",
        "echo 'ocf-exit-reason:first' >&2; echo noise >&2; echo 'ocf-exit-reason:no disk' >&2; exit 5",
    );
    let failed = root.ocf().run(&invocation("fails", "start")).await;
    assert_eq!((failed.rc, failed.exit_reason.as_deref()), (5, Some("no disk")));
    assert_eq!(failed.output, "ocf-exit-reason:first\nnoise\nocf-exit-reason:no disk\n");
}

#[tokio::test]
async fn a_missing_or_unusable_agent_says_so() {
    let root = Root::new("missing");
    let missing = root.ocf().run(&invocation("nothing", "monitor")).await;
    assert_eq!((missing.rc, missing.status), (5, ExecStatus::NotInstalled));
    root.script("locked", "exit 0");
    let path = root.0.join("resource.d/test/locked");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("changed");
    let locked = root.ocf().run(&invocation("locked", "start")).await;
    assert_eq!((locked.rc, locked.status), (4, ExecStatus::Error));
    root.script("unread", "exit 0");
    fs::write(root.0.join("resource.d/test/unread"), format!("#!{}\nexit 0\n", crate::testing::absent().display()))
        .expect("written");
    let unread = root.ocf().run(&invocation("unread", "start")).await;
    assert_eq!((unread.rc, unread.status), (1, ExecStatus::Error), "{unread:?}");
    root.script("plain", "");
    fs::write(root.0.join("resource.d/test/plain"), "exit 7\n").expect("written");
    assert_eq!(root.ocf().run(&invocation("plain", "monitor")).await.rc, 7, "a shell reads it");
}

#[tokio::test]
async fn death_by_signal_is_an_error() {
    let root = Root::new("signal");
    root.script("dies", "kill -SEGV $$");
    let died = root.ocf().run(&invocation("dies", "monitor")).await;
    assert_eq!((died.rc, died.status), (1, ExecStatus::Error));
}

#[tokio::test]
async fn only_a_run_that_an_action_waits_for_is_said_not_to_end() {
    let root = Root::new("late");
    root.script("stubborn", "trap '' TERM; echo x >> $OCF_ROOT/begun; sleep 60; sleep 60");
    let agents = crate::Agents::new(crate::testing::options(&root.0));
    let run = Invocation { timeout: Duration::from_millis(500), ..invocation("stubborn", "start") };
    let late = agents.run(&run).await;
    assert_eq!(late.status, ExecStatus::Timeout);
    assert_eq!(late.exit_reason.as_deref(), Some("start of R:0 did not complete within 0.5s"), "it was just given up");
    assert!(root.0.join("begun").exists());
    assert!(agents.finish(Duration::from_secs(10)), "and it is ended");
}

#[test]
fn names_cannot_lead_out_of_the_directory() {
    let root = Root::new("path");
    fs::write(root.0.join("evil"), "").expect("written");
    let agent = Agent { class: "ocf".into(), provider: Some("test".into()), kind: "../../evil".into() };
    assert_eq!(path(&root.0, &agent), None);
    assert!(Path::new(&root.0.join("evil")).exists());
}

/// What the script of `agent` prints for `meta-data`.
async fn metadata(scripts: &Scripts, agent: &Agent) -> Option<String> {
    let script = scripts.find(agent, "R").await.expect("installed");
    scripts.metadata(agent, script).await
}

#[tokio::test]
async fn agents_are_listed_and_asked_for_their_metadata() {
    let root = Root::new("list");
    root.script("asked", "[ \"$1\" = meta-data ] && echo '<resource-agent name=\"asked\"/>'");
    let agents = root.ocf().installed().await;
    assert_eq!(agents.len(), 1);
    let (agent, _) = agents.first().expect("one");
    assert_eq!(agent.to_string(), "ocf:test:asked");
    assert_eq!(metadata(&root.ocf(), agent).await.as_deref(), Some("<resource-agent name=\"asked\"/>\n"));
}

#[tokio::test]
async fn a_script_is_asked_for_its_metadata_again_when_its_file_is_another() {
    let root = Root::new("said");
    let says = |words: &str| format!("echo x >> $OCF_ROOT/asked; echo '<resource-agent name=\"{words}\"/>'");
    let asked = || fs::read_to_string(root.0.join("asked")).unwrap_or_default().lines().count();
    root.script("told", &says("first"));
    let (scripts, agent) = (root.ocf(), invocation("told", "start").agent);
    let many = (0..20).map(|_| metadata(&scripts, &agent));
    for told in futures_util::future::join_all(many).await {
        assert_eq!(told.as_deref(), Some("<resource-agent name=\"first\"/>\n"));
    }
    assert_eq!(asked(), 1, "twenty wanted to know, one asked");
    root.script("told", &says("second"));
    assert_eq!(metadata(&scripts, &agent).await.as_deref(), Some("<resource-agent name=\"second\"/>\n"));
    assert_eq!(asked(), 2);
    root.script("told", "exit 1");
    assert_eq!(metadata(&scripts, &agent).await, None, "what it said before is no answer");
}

/// An agent that validates, and what it says then.
fn validates(then: &str) -> String {
    format!(
        "echo $1 >> $OCF_ROOT/calls\ncase $1 in\nmeta-data) echo '<resource-agent name=\"v\" version=\"2.1\"><actions>\
         <action name=\"validate-all\"/></actions></resource-agent>' ;;\nvalidate-all) {then} ;;\nesac"
    )
}

#[tokio::test]
async fn an_agent_is_proved_by_its_meta_data_and_its_validation() {
    let root = Root::new("prove");
    let scripts = root.ocf();
    let wanted = invocation("v", "validate-all");
    let prove = async |deep| {
        let script = scripts.find(&wanted.agent, "R").await.expect("installed");
        scripts.prove(&wanted, script, deep).await
    };
    root.script("v", &validates("echo 'ocf-exit-reason:no such device' >&2; exit 5"));
    let shallow = prove(false).await;
    assert_eq!((shallow.missing, shallow.deep), (vec![], false));
    let calls = || fs::read_to_string(root.0.join("calls")).unwrap_or_default();
    assert_eq!(calls(), "meta-data\n", "nothing else is run");
    let deep = prove(true).await;
    assert_eq!(deep.missing.iter().map(|one| one.sentence.as_str()).collect::<Vec<_>>(), ["no such device"]);
    let release = deep.release.expect("it has one");
    assert!(release.starts_with("2.1, "), "{release}");
    root.script("v", &validates("exit 0"));
    let well = prove(true).await;
    assert!(well.missing.is_empty() && well.deep && well.release.as_deref() != Some(release.as_str()), "{well:?}");
    root.script("v", &validates("exit 3"));
    assert_eq!(prove(true).await.missing, [], "it does not know the action after all");
    root.script("v", &validates("exit 6"));
    assert_eq!(prove(true).await.missing[0].sentence, "validate-all ended with exit code 6 (Not configured)");
    root.script("v", "[ $1 = meta-data ] && echo '<resource-agent name=\"v\"/>'");
    assert!(!prove(true).await.deep, "it does not offer it");
    root.script("v", "exit 0");
    assert!(prove(true).await.missing[0].sentence.ends_with("does not say what it is (meta-data)"));
    let path = root.0.join("resource.d/test/v");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("changed");
    assert!(prove(true).await.missing[0].sentence.ends_with("is not executable"));
}

#[tokio::test]
async fn a_validation_that_hangs_ends_in_time_and_keeps_no_operation_waiting() {
    let root = Root::new("prove-late");
    root.script("v", &validates("trap '' TERM; sleep 60; sleep 60"));
    let agents = crate::Agents::new(crate::testing::options(&root.0));
    let late = Invocation { timeout: Duration::from_millis(500), ..invocation("v", "validate-all") };
    let proof = agents.prove(&late, crate::Depth::Deep).await;
    assert_eq!(proof.missing[0].sentence, "validate-all did not end within 0.5s");
    let begin = std::time::Instant::now();
    assert_eq!(agents.run(&invocation("v", "start")).await.rc, 0);
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    let gone = Agent { kind: "gone".into(), ..invocation("v", "start").agent };
    let proof = agents.prove(&Invocation { agent: gone, ..late }, crate::Depth::Deep).await;
    assert_eq!(proof.missing[0].sentence, "the agent ocf:test:gone is not installed");
    assert!(agents.finish(Duration::from_secs(10)), "and it is ended");
}
