//! `hacctl import`: a `corosync.conf` as `hacd.toml`, or a `keepalived.conf` as statements of `configure`, for people who
//! move a cluster. Needs no daemon and writes no file.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use hac_pacemaker::{corosync_conf, keepalived_conf};

use crate::failure::Failure;
use crate::terminal;

/// Longest file read, bytes: far more than any cluster needs.
const MAX_BYTES: u64 = 1 << 20;

/// Prints the `hacd.toml`; what is done differently stands at its head and, without being in the way of a redirection,
/// on standard error.
pub(crate) fn run(file: &Path, json: bool) -> Result<ExitCode, Failure> {
    let name = file.display();
    let text = read(file).map_err(|error| {
        Failure::unread(&name, &error).with_remedy(
            "Name the corosync.conf or keepalived.conf of what is to be moved, such as /etc/corosync/corosync.conf or \
                 /etc/keepalived/keepalived.conf; a CIB or crm's words are read by 'hacctl configure import FILE'.",
        )
    })?;
    if keepalived_conf::is_one(&text) {
        return keepalived(&name.to_string(), &text, json);
    }
    let converted = corosync_conf::to_toml(&text).map_err(|error| Failure {
        exit_code: 65,
        message: format!("{name}: {error}"),
        remedy: Some("Put that place right; nothing was converted.".to_owned()),
    })?;
    if json {
        terminal::print_json(&serde_json::json!({ "toml": converted.toml, "notes": converted.notes }))?;
        return Ok(ExitCode::SUCCESS);
    }
    terminal::print(&converted.toml)?;
    for note in &converted.notes {
        eprintln!("NOTE: {}", terminal::harmless(note));
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints the statements for a `keepalived.conf`; what became of each line stands on standard error.
fn keepalived(name: &str, text: &str, json: bool) -> Result<ExitCode, Failure> {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let node = host.trim().split('.').next().filter(|node| !node.is_empty()).unwrap_or("NODE").to_owned();
    let converted = keepalived_conf::to_crm(text, &node).map_err(|error| Failure {
        exit_code: 65,
        message: format!("{name}: {error}"),
        remedy: Some("Put that place right; nothing was converted.".to_owned()),
    })?;
    if json {
        terminal::print_json(&serde_json::json!({ "statements": converted.statements, "notes": converted.notes }))?;
        return Ok(ExitCode::SUCCESS);
    }
    terminal::print(&converted.statements)?;
    for note in &converted.notes {
        eprintln!("NOTE: {}", terminal::harmless(note));
    }
    eprintln!(
        "NOTE: to apply it: 'hacctl import {name} | hacctl configure load update -'; then 'systemctl disable --now keepalived'"
    );
    Ok(ExitCode::SUCCESS)
}

fn read(file: &Path) -> std::io::Result<String> {
    if fs::metadata(file)?.len() > MAX_BYTES {
        return Err(std::io::Error::other(format!("it has more than {MAX_BYTES} bytes")));
    }
    fs::read_to_string(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_converted_is_refused_with_the_place() {
        let missing = run(Path::new("/nowhere/corosync.conf"), false).unwrap_err();
        assert_eq!(missing.exit_code, 66);
        let keepalived = std::env::temp_dir().join(format!("hacctl-keepalived-{}", std::process::id()));
        fs::write(&keepalived, "vrrp_instance a {\n").unwrap();
        let refused = run(&keepalived, false).unwrap_err();
        fs::remove_file(&keepalived).unwrap();
        assert!(refused.message.ends_with("line 1: the block vrrp_instance has no }"), "{}", refused.message);
        let file = std::env::temp_dir().join(format!("hacctl-import-{}", std::process::id()));
        fs::write(&file, "totem {\n  version: 2\n").unwrap();
        let unclosed = run(&file, false).unwrap_err();
        fs::remove_file(&file).unwrap();
        assert_eq!(unclosed.exit_code, 65);
        assert!(unclosed.message.ends_with("line 1: the section totem has no }"), "{}", unclosed.message);
    }
}
