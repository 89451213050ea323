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
    "-L --output-as=xml",
    "-l --output-as=xml",
    "-q -r web",
    "-q -r m --output-as=xml",
    "-W -r off --output-as=xml",
    "-g target-role -m -r off --output-as=xml",
    "-g nosuch -r off --output-as=xml",
    "-G nosuch -r c",
    "-W",
    "-Y",
    "-Y -r g1",
    "-Y -r s",
    "-Y -r off",
    "-Y -r nosuch",
    "--why -N n1",
    "--why -N n2",
    "--why -N nosuch",
    "-Y -r web -N n2",
    "-Y --output-as=xml",
    "-Y -r off --output-as=xml",
    "-Y -r c -N n2 --output-as=xml",
    "-Y -N n1 --output-as=xml",
];

/// What moves and takes back: the file is the same afterwards, too. Several calls, one after the other, on one file.
const CHANGES: &[&str] = &[
    "--move -r m --promoted -N n2",
    "--move -r m --master -N n1",
    "--move -r m --promoted -N n1 --force",
    "--move -r m -N n2",
    "--move -r m -N n1",
    "--move -r m",
    "--ban -r m",
    "--ban -r m --promoted",
    "--ban -r m --master -N n2",
    "--ban -r s",
    "--ban -r web --promoted",
    "--move -r web --promoted -N n2",
    "-M -r web",
    "-M -r web -N n1",
    "-M -r web -N n1 --force",
    "-M -r web -N n2 --force",
    "-M -r web -N n2 --force -Q",
    "-M -r web -N nosuch",
    "-M -r nosuch",
    "-M -r c",
    "-M -r c -N n1",
    "-B -r c",
    "-B -r c -N n1",
    "-B -r p",
    "-B -r off",
    "-B -r g",
    "-B -r web -Q",
    "-B -r web -u bogus",
    "-B -r web -N n2; -M -r web -N n2",
    "-M -r web -N n2; -M -r web -N n2",
    "-M -r web -N n2; -B -r web -N n2; -U -r web -N n1; -U -r web",
    "-B -r web -N n1; -B -r web -N n2; -U -r web -N n2",
    "-B -r m --promoted; -U -r m",
    "-B -r web -u PT1H; -U -r web -e; -U -r web",
    "-M -r web -N n2 -u PT1H",
    "-M -r m -N n2 --promoted; -U -r web -e",
    "-U",
    "-p priority -v 5 -m -r web -Q",
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
    "cibadmin -Q -o tags",
    "cibadmin -Q -A //nosuch",
    "cibadmin -5 -X <a><b/></a>",
    "cibadmin -6 -X <a/>",
    "cibadmin --md5-sum-versioned -X <cib_crm_feature_set='3.16.1'_update-user='x'/>",
    "cibadmin --md5-sum -X <a_b='&lt;&apos;&quot;'/>",
    "crm_verify -X nothing",
    "crm_failcount -D -r nosuch -N n1",
];

/// The same where only standard output and the exit code are; what is said of an error is in words of our own.
const ANSWERS: &[&str] = &[
    "cibadmin -Q -o nosuch",
    "cibadmin -Q -A //[",
    "cibadmin -5",
    "cibadmin -M -o resources -X <primitive_id='nosuch'/>",
    "cibadmin -D -X <primitive_id='off'/>",
    "cibadmin -E",
    "crm_verify",
    "crm_verify -x /nonexistent/file",
    "crm_verify -X <cib/>",
    "crm_verify -X <cib_validate-with='none'/>",
    "crm_verify -X <cib_validate-with='pacemaker-3.9'><configuration/></cib>",
];

/// Exit code, standard output, standard error; without the version and the path of the program. An underline in XML is a blank.
fn run(program: &Path, line: &str, cib: &Path) -> (Option<i32>, String, String) {
    let mut command = Command::new(program);
    let blanks = |word: &str| {
        if word.starts_with('<') {
            word.replace('_', " ").replace("crm feature set", "crm_feature_set")
        } else {
            word.to_owned()
        }
    };
    command
        .args(line.split_whitespace().map(blanks))
        .env("CIB_file", cib)
        .env("HACD_SOCKET", "/nonexistent/hacd.sock")
        .stdin(Stdio::null());
    let output = command.output().expect("starts");
    let text = |bytes: &[u8]| {
        let text = String::from_utf8(bytes.to_vec()).expect("is UTF-8").replace("/usr/sbin/", "");
        let text = text.replace("api-version=\"2.38\"", "").replace("api-version=\"2.25\"", "");
        // Since 2.1.6.
        text.replace(" maintenance=\"false\"", "")
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

/// What a series of calls says, and what it leaves in the file; without times, of which one may pass between two calls.
fn series(program: &Path, line: &str, cib: &Path) -> Vec<String> {
    fs::write(cib, CIB).expect("can be written");
    let said = line.split("; ").map(|line| format!("{:?}", run(program, line, cib)));
    let mut said: Vec<String> = said.collect();
    let left = fs::read_to_string(cib).expect("is there");
    // The order of attributes says nothing.
    let sorted = |line: &str| {
        let mut words: Vec<&str> = line.trim().trim_end_matches('>').trim_end_matches('/').split(' ').collect();
        words.sort_unstable();
        words.join(" ")
    };
    let year = |text: &str| text.find("20").filter(|at| text.get(at + 4..at + 5) == Some("-"));
    let timeless = |text: String| match year(&text) {
        Some(at) => format!("{}TIME{}", &text[..at], text.get(at + 20..).unwrap_or_default()),
        None => text,
    };
    said = said.into_iter().map(timeless).collect();
    let constraints = left.lines().filter(|line| line.contains("cli-"));
    said.extend(constraints.map(|line| sorted(&timeless(line.to_owned()))));
    said
}

#[test]
fn crm_resource_moves_as_debians_does() {
    let debian = Path::new("/usr/sbin/crm_resource");
    let folder = std::env::temp_dir().join(format!("hacctl-beside-moves-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("can be made");
    let (cib, own) = (folder.join("cib.xml"), folder.join("crm_resource"));
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_hacctl"), &own).expect("can be made");
    let mut wrong = Vec::new();
    for line in CHANGES {
        let ours = series(&own, line, &cib);
        if debian.exists() {
            let theirs = series(debian, line, &cib);
            if theirs != ours {
                wrong.push(format!("crm_resource {line}\n  there: {theirs:#?}\n  here:  {ours:#?}"));
            }
        } else {
            eprintln!("crm_resource {line} not compared: no Pacemaker is installed here");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // Without it, too.
    let said = series(&own, "--ban -r m --promoted", &cib);
    assert!(said[0].contains("from being promoted on n1") && said[1].contains("role=\"Promoted\""), "{said:?}");
    let said = series(&own, "-M -r web -N n1", &cib);
    assert!(said.len() == 1 && said[0].starts_with("(Some(108), "), "{said:?}");
    fs::remove_dir_all(&folder).expect("can be removed");
}

#[test]
fn what_scripts_ask_is_answered_as_debians_programs_answer() {
    let folder = std::env::temp_dir().join(format!("hacctl-beside-calls-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("can be made");
    let cib = folder.join("cib.xml");
    fs::write(&cib, CIB).expect("can be written");
    let mut wrong = Vec::new();
    for call in CALLS.iter().chain(ANSWERS) {
        let (program, line) = call.split_once(' ').unwrap_or((call, ""));
        // A change in one call is not there for the next.
        fs::write(&cib, CIB).expect("can be written");
        let (debian, own) = (Path::new("/usr/sbin").join(program), folder.join(program));
        if !own.exists() {
            std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_hacctl"), &own).expect("can be made");
        }
        let ours = run(&own, line, &cib);
        assert!(ours.0 != Some(64) || ANSWERS.contains(call), "{call} is known: {ours:?}");
        if debian.exists() {
            let theirs = run(&debian, line, &cib);
            if theirs != ours && !(ANSWERS.contains(call) && (theirs.0, &theirs.1) == (ours.0, &ours.1)) {
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
