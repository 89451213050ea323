//! `crm_resource` beside Debian's, on one file: what is said and the exit code are the same.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Constraints of every kind, groups and clones that run, one that was stopped.
const CIB: &str = include_str!("beside_pacemaker.xml");

const LINES: &[&str] = &[
    "-O",
    "-o",
    "-O -r web",
    "-o -r web",
    "-O -r gone",
    "-o -r gone",
    "-O -r c",
    "-O -r p",
    "-O -r nosuch",
    "-O -N n1",
    "-O -N n2 -r web",
    "-a -r web",
    "-A -r web",
    "-a -r ip",
    "-A -r ip",
    "-a -r c",
    "-A -r p",
    "-a -r g1",
    "-A -r g",
    "-a -r m",
    "-A -r s",
    "-a -r off",
    "-A -r off",
    "-a -r nosuch",
    "-O -r web --output-as=xml",
    "-O -r c --output-as=xml",
    "-a -r web --output-as=xml",
    "-A -r web --output-as=xml",
    "-a -r ip --output-as=xml",
    "-L",
    "-l",
    "-W -r web",
    "-W -r c",
    "-W -r off",
];

/// Exit code, standard output, standard error; without the version and the path of the program.
fn run(program: &Path, line: &str, cib: &Path) -> (Option<i32>, String, String) {
    let mut command = Command::new(program);
    command.args(line.split(' ')).env("CIB_file", cib).stdin(Stdio::null());
    let output = command.output().expect("starts");
    let text = |bytes: &[u8]| {
        let text = String::from_utf8(bytes.to_vec()).expect("is UTF-8").replace("/usr/sbin/", "");
        text.replace("api-version=\"2.38\"", "").replace("api-version=\"2.25\"", "")
    };
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn crm_resource_tells_what_debians_tells() {
    let debian = Path::new("/usr/sbin/crm_resource");
    let folder = std::env::temp_dir().join(format!("hacctl-beside-pacemaker-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("can be made");
    let (cib, own): (PathBuf, PathBuf) = (folder.join("cib.xml"), folder.join("crm_resource"));
    fs::write(&cib, CIB).expect("can be written");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_hacctl"), &own).expect("can be made");
    if debian.exists() {
        let wrong: Vec<String> = LINES
            .iter()
            .map(|line| (line, run(debian, line, &cib), run(&own, line, &cib)))
            .filter(|(_, theirs, ours)| theirs != ours)
            .map(|(line, theirs, ours)| format!("crm_resource {line}\n  there: {theirs:?}\n  here:  {ours:?}"))
            .collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    } else {
        eprintln!("skipped: no Pacemaker is installed here");
    }
    // Without it, too.
    let (code, out, _) = run(&own, "-A -r off", &cib);
    let first = "Resources off is colocated with:\n  * web (score=4, id=k8)\n    * Locations:\n";
    assert!(code == Some(0) && out.starts_with(first), "{out}");
    let (_, out, _) = run(&own, "-o -r gone", &cib);
    assert!(out.contains(" Stopped (disabled): gone_stop_0 (node=n2, call=4, rc=0, "), "{out}");
    let (_, out, _) = run(&own, "-q -r g", &cib);
    assert!(out.starts_with("g1\t(ocf:pacemaker:Dummy):\t Started n1\ng2\t"), "{out}");
    fs::remove_dir_all(&folder).expect("can be removed");
}
