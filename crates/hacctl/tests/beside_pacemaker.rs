//! `crm_resource` and what monitoring and scripts call, beside Debian's, on one file: what is said and the exit code are the same.

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

/// What scripts, monitoring and modules of configuration management ask, each with its program.
const CALLS: &[&str] = &[
    "cibadmin -Q",
    "cibadmin -Q -o crm_config",
    "cibadmin -Q --scope nodes",
    "cibadmin -Q --xpath //primitive",
    "cibadmin -Q --xpath //nvpair[@name='stonith-enabled']",
    "cibadmin -Q -A /cib/configuration/nodes/node[@uname='n1']",
    "cibadmin -Q -e --xpath //primitive[@id='web']",
    "cibadmin -Q -n",
    "crm_attribute -G -n stonith-enabled",
    "crm_attribute -G -q -n stonith-enabled",
    "crm_attribute -q -G -n no-quorum-policy",
    "crm_attribute -G -n no-quorum-policy -d stop",
    "crm_attribute -t crm_config --name stonith-enabled --query",
    "crm_attribute -N n1 -n standby -l forever -G -q",
    "crm_attribute -N n1 -n standby -G -d off -q",
    "crm_attribute -N nosuch -n standby -G",
    "crm_failcount -G -r web -N n1",
    "crm_failcount -G -r web -N n1 -q",
    "crm_failcount -G -r nosuch -N n1",
    "crm_standby -G -N n1",
    "crm_standby -G -N n1 -q",
    "crm_master -G -r s -N n1",
    "crm_resource -q -W -r web",
    "crm_resource --locate --resource web --quiet",
    "crm_resource -W -r nosuch",
    "crm_resource -r off --meta --get-parameter target-role",
    "crm_resource -r web -m -g priority",
    "crm_resource -r nosuch -g x",
    "crm_resource --list-raw",
    "crm_mon -1 --include=none,nodes",
    "crm_mon -1 --include=none,resources",
    "crm_mon -1 --exclude=all --include=failures",
    "crm_ticket -L",
    "crm_ticket -c",
    "crm_ticket -c -t t1",
    "crm_ticket -t t1 -q",
    "crm_ticket -t t1 -G granted",
    "crm_ticket -t t1 -G granted -d false",
];

/// Exit code, standard output, standard error; without the version and the path of the program.
fn run(program: &Path, line: &str, cib: &Path) -> (Option<i32>, String, String) {
    let mut command = Command::new(program);
    command
        .args(line.split(' '))
        .env("CIB_file", cib)
        .env("HACD_SOCKET", "/nonexistent/hacd.sock")
        .stdin(Stdio::null());
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

#[test]
fn what_scripts_ask_is_answered_as_debians_programs_answer() {
    let folder = std::env::temp_dir().join(format!("hacctl-beside-calls-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("can be made");
    let cib = folder.join("cib.xml");
    fs::write(&cib, CIB).expect("can be written");
    let mut wrong = Vec::new();
    for call in CALLS {
        let (program, line) = call.split_once(' ').expect("a program and what it is asked");
        let (debian, own) = (Path::new("/usr/sbin").join(program), folder.join(program));
        if !own.exists() {
            std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_hacctl"), &own).expect("can be made");
        }
        let ours = run(&own, line, &cib);
        assert_ne!(ours.0, Some(64), "{call} is known: {ours:?}");
        if debian.exists() {
            let theirs = run(&debian, line, &cib);
            if theirs != ours {
                wrong.push(format!("{call}\n  there: {theirs:?}\n  here:  {ours:?}"));
            }
        } else {
            eprintln!("{call} not compared: no Pacemaker is installed here");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // What is installed stands in no file: the daemon is asked, and there is none.
    let (code, out, err) = run(&folder.join("crm_resource"), "--list-ocf-providers", &cib);
    assert!(code == Some(102) && out.is_empty() && !err.contains("missing field"), "{code:?} {out} {err}");
    fs::remove_dir_all(&folder).expect("can be removed");
}
