//! What needs no bus. Units themselves are tried on hosts with systemd (`tests/lab/systemd.rs`).

use super::*;

#[test]
fn a_name_without_a_known_ending_is_a_service() {
    let names = [
        ("nginx", "nginx.service"),
        ("nginx.service", "nginx.service"),
        ("data.mount", "data.mount"),
        ("cleanup.timer", "cleanup.timer"),
        ("postgresql@15-main", "postgresql@15-main.service"),
        ("name.with.dots", "name.with.dots.service"),
    ];
    for (kind, unit) in names {
        assert_eq!(unit_name(kind), unit);
    }
}

#[test]
fn what_is_no_service_has_no_part_for_services_in_its_drop_in() {
    let service = drop_in("nginx.service");
    assert!(service.contains("Before=hacd.service") && service.contains("[Service]\nRestart=no"), "{service}");
    let mount = drop_in("data.mount");
    assert!(mount.contains("Before=hacd.service") && !mount.contains("[Service]"), "{mount}");
}

#[tokio::test]
async fn a_drop_in_is_written_and_taken_away_and_others_stay() {
    let folder = std::env::temp_dir().join(format!("hacd-units-{}", std::process::id()));
    let systemd = Systemd { folder: folder.clone(), looks: Arc::default(), connection: Mutex::default() };
    systemd.write_drop_in("a.service").await.expect("written");
    let own = folder.join("a.service.d");
    std::fs::write(own.join("other.conf"), "").expect("another drop-in");
    systemd.remove_drop_in("a.service").await.expect("removed");
    assert!(!own.join(DROP_IN).exists() && own.join("other.conf").exists());
    systemd.remove_drop_in("a.service").await.expect("what is gone needs no removing");
    std::fs::remove_dir_all(&folder).expect("tidied");
}

#[tokio::test]
async fn a_host_without_systemd_says_so_and_is_not_asked_again() {
    let folder = crate::testing::absent();
    let systemd = Systemd { folder, looks: Arc::default(), connection: Mutex::default() };
    let agent: Agent = "systemd:nginx".parse().expect("a name");
    let ran = systemd.run(&crate::testing::invocation(agent, "monitor")).await;
    assert_eq!((ran.rc, ran.status), (Exit::Installed.code(), ExecStatus::NotInstalled));
    assert!(ran.exit_reason.is_some_and(|reason| reason.starts_with("systemd does not run on this host")));
    assert!(systemd.list().await.is_empty());
}
