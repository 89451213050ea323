//! Mistakes of a person at the keyboard: the exit code, a sentence that names the cause, a remedy, and nothing changed.

use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use hac_lab::Tools;

use crate::names::{Cluster, Said, split};

type Test = fn(&Tools) -> anyhow::Result<()>;

pub(crate) fn cases() -> Vec<(&'static str, Test)> {
    vec![
        ("a_mistake_is_named_with_its_remedy_and_changes_nothing", mistakes),
        ("a_wrong_file_is_named_with_its_remedy_and_changes_nothing", files),
        ("a_mistake_in_the_editor_costs_nothing", editor),
    ]
}

/// What is typed, the exit code, the cause, the remedy.
type Line = (&'static str, i32, &'static str, &'static str);

/// Objects and their parts.
const OBJECTS: &[Line] = &[
    (
        "configure primitive FloatIP nginx",
        108,
        "Cannot create primitive with ID 'FloatIP'",
        "'hacctl configure show FloatIP'",
    ),
    ("configure clone Nginx-clone d", 108, "Found existing clone with same ID", "Choose another id"),
    ("configure colocation FloatIP-Nginx inf: d a", 108, "Found existing constraint with same ID", "Choose another id"),
    (
        "configure primitive F2 ocf:digitalocean:floatip params do_token=x",
        78,
        "required parameter \"floating_ip\" not defined",
        "Add it: params floating_ip=...",
    ),
    (
        "configure primitive F2 ocf:digitalocean:floatip params do_token=x floating_ip=203.0.113.2 floating_ipp=1",
        78,
        "parameter floating_ipp does not exist",
        "Did you mean floating_ip? 'hacctl ra info AGENT'",
    ),
    ("configure primitive x nginxx", 78, "ocf:heartbeat:nginxx: got no meta-data", "Did you mean ocf:heartbeat:nginx?"),
    ("configure primitive x ocf:heartbaet:nginx", 78, "got no meta-data", "Did you mean ocf:heartbeat:nginx?"),
    ("configure primitive x ofc:heartbeat:nginx", 64, "invalid agent name", "Write CLASS:PROVIDER:TYPE"),
    (
        "configure primitive ocf:heartbeat:nginx",
        64,
        "the id is missing before the agent",
        "'primitive ID ocf:heartbeat:nginx'",
    ),
    ("configure primitive 'a b' nginx", 64, "'a b' is no id", "An id begins with a letter"),
    ("configure primitive 9x nginx", 64, "'9x' is no id", "An id begins with a letter"),
    ("configure primitive x nginx param httpd=x", 64, "'param' has no place here", "Did you mean 'params'?"),
    ("configure primitive x nginx parms httpd=x", 64, "'parms' has no place here", "Did you mean 'params'?"),
    ("configure pirmitive x nginx", 64, "unknown kind of object 'pirmitive'", "Did you mean 'primitive'?"),
    ("configure set", 64, "missing argument", "configure set ID.NAME VALUE"),
    ("configure monitor", 64, "missing argument", "configure monitor RSC INTERVAL[:TIMEOUT]"),
    ("configure alert", 64, "missing argument", "configure alert ID PATH"),
    ("configure erase", 107, "CIB erase aborted (nothing was deleted)", "'hacctl resource stop"),
    ("configure primitive x nginx op monitor interval=10x", 78, "\"10x\" is no value for interval", "Give a time"),
    ("configure primitive x nginx op monitor interval=1.5s", 78, "\"1.5s\" is no value", "Give a time"),
    ("configure primitive x nginx op start timeout=abc", 78, "\"abc\" is no value for timeout", "Give a time above 0"),
    ("configure primitive x nginx op start timeout=-5", 78, "\"-5\" is no value for timeout", "Give a time above 0"),
    (
        "configure primitive x nginx op start on-fail=restrat",
        78,
        "\"restrat\" is no value",
        "It is one of ignore, block",
    ),
    (
        "configure primitive x nginx meta target-role=Stoped",
        78,
        "\"Stoped\" is no value",
        "It is one of Stopped, Started",
    ),
    ("configure primitive x nginx meta is-managed=perhaps", 78, "\"perhaps\" is no value", "Say true or false."),
    (
        "configure primitive x nginx op monitor intervall=10s",
        78,
        "option of op monitor intervall",
        "Did you mean interval? Add --force",
    ),
    (
        "configure primitive x nginx op monitr interval=10s",
        78,
        "unknown operation monitr",
        "Did you mean monitor? Add --force",
    ),
    (
        "configure primitive x nginx meta target-rol=Stopped",
        78,
        "unknown meta-attribute target-rol",
        "Did you mean target-role? Add --force",
    ),
    ("configure op_defaults timout=1", 78, "unknown operation option timout", "Did you mean timeout? Add --force"),
    (
        "configure rsc_defaults resource-stickyness=1",
        78,
        "meta-attribute resource-stickyness",
        "Did you mean resource-stickiness?",
    ),
    ("resource meta d set target-rol Stopped", 78, "unknown meta-attribute target-rol", "Did you mean target-role?"),
    ("configure property stonith-enabled=maybe", 78, "\"maybe\" is no value for stonith-enabled", "Say true or false."),
    ("configure property no-quorum-policy=ignroe", 78, "\"ignroe\" is no value", "It is one of stop, freeze, ignore"),
    (
        "configure property stonith-enable=false",
        78,
        "no such cluster property is known",
        "Did you mean stonith-enabled? Add --force",
    ),
    (
        "configure property stonith-enabled = false",
        64,
        "nothing is said to be set",
        "Write NAME=VALUE, or NAME= to remove it.",
    ),
    ("configure property stonith-enabled false", 64, "nothing is said to be set", "Write NAME=VALUE"),
    ("configure property batch-limit=1 batch-limit=2", 64, "batch-limit is given twice", "Write batch-limit= once."),
    (
        "configure primitive x nginx op monitor interval=10s op monitor interval=10s timeout=5",
        64,
        "x already has a monitor op with interval 10s",
        "Give each its own interval.",
    ),
    ("configure rsc_template x", 64, "an agent such as ocf:heartbeat:nginx must follow", "Add an agent"),
];

/// Constraints, groups and clones.
const CONSTRAINTS: &[Line] = &[
    ("configure colocation k inf d a", 64, "a colocation needs a score", "Write 'colocation ID inf: RSC WITH'."),
    ("configure colocation k inf: d", 64, "between two resources or more", "Name the resources one after the other."),
    ("configure colocation k in: d a", 64, "'in' is no score", "Write a number, inf or -inf before the colon."),
    ("configure colocation k inf: d a:Leader", 64, "'a:Leader' does not end in a role", "one of Started, Stopped"),
    ("configure colocation k inf: d d", 78, "d stands on both sides", "Name two different resources."),
    ("configure colocation k inf: d nope", 78, "object nope does not exist", "Name a resource that exists"),
    ("configure order o d nope", 78, "object nope does not exist", "Name a resource that exists"),
    ("configure location l nope 10: primary", 78, "object nope does not exist", "Name a resource that exists"),
    ("configure location l d 1e3: primary", 64, "'1e3' is not a score", "Write a whole number, inf or -inf"),
    ("configure location l d 100 primary", 64, "a colon is missing after the score '100'", "Write '100: NODE'."),
    ("configure order o d:strat a", 64, "'d:strat' does not end in an action", "one of start, stop, promote, demote"),
    ("configure order o Mandatory d a", 64, "'Mandatory' has no colon", "Write 'Mandatory:' before the resources."),
    ("configure group g4 g", 78, "g is a group, which cannot be in g4", "Name a primitive."),
    (
        "configure clone cc Nginx-clone",
        78,
        "Nginx-clone is a clone, which cannot be in cc",
        "Name a primitive or a group.",
    ),
    ("configure group g4 a", 107, "a already in use at g", "Delete g first (its children stay)."),
    ("configure clone cc a", 107, "a already in use at g", "Delete g first (its children stay)."),
    ("configure group g4 d d", 64, "member 'd' is named twice in group g4", "Name each member once."),
    ("configure modgroup one remove only", 78, "only is the only member of group one", "'hacctl configure delete one'"),
    ("configure modgroup g remove d", 105, "d is not in group g", "'hacctl configure show g'"),
    ("configure delete d", 107, "resource d is running, can't delete it", "'hacctl resource stop d'"),
    ("configure delete t", 107, "template t is in use by tt", "Delete or change the primitives"),
    ("configure delete primary", 107, "node primary is a member of the cluster", "Stop hacd on it first."),
    ("configure delete nope", 105, "object nope does not exist", "'hacctl configure show'"),
    ("configure show nope", 105, "object nope does not exist", "'hacctl configure show'"),
    ("resource stop nope", 105, "resource nope does not exist", "The cluster's resources are: "),
    ("resource start nginx", 105, "resource nginx does not exist", "Did you mean Nginx?"),
    ("resource move nope", 105, "resource nope does not exist", "The cluster's resources are: "),
    ("resource cleanup nope", 105, "resource nope does not exist", "a, b"),
    ("resource move d", 64, "no node to move d to", "Name one, or add --force"),
    ("resource move d secondary never", 64, "'never' has no place here", "resource move RSC [NODE] [LIFETIME] [force]"),
    ("resource promote d", 78, "d is not promotable", "Name a clone with promotable=true"),
    ("node standby 7", 105, "Node \"7\" is not a cluster node", "The cluster's nodes are: primary, secondary."),
    (
        "node standby primary PT5M",
        105,
        "Node \"PT5M\" is not a cluster node",
        "The cluster's nodes are: primary, secondary.",
    ),
    ("resource ban d 2", 105, "Node \"2\" is not a cluster node", "The cluster's nodes are: primary, secondary."),
    ("resource move d secondary 300", 64, "'300' has no place here", "resource move RSC [NODE] [LIFETIME] [force]"),
    ("node standby Primary", 105, "Node \"Primary\" is not a cluster node", "Did you mean primary?"),
    (
        "configure load update ABSENT",
        66,
        "ABSENT: there is no such file or folder",
        "Name a file that 'hacctl configure save FILE' wrote",
    ),
    ("configure load update /tmp", 66, "/tmp is a folder, not a file", "Name a file"),
    (
        "configure load update https://example.org/x",
        64,
        "is not a file; nothing was changed",
        "curl -fsS https://example.org/x |",
    ),
    ("configure load replace /dev/null", 64, "/dev/null is empty", "Name a file with at least one object"),
    ("node unstandby primary", 64, "node.unstandby: No such command", "'hacctl node online NODE'"),
    ("resource create x nginx", 64, "resource.create: No such command", "'hacctl configure primitive ID"),
    ("constraint location d prefers primary", 64, "hacd does not have 'constraint'", "'hacctl configure location'"),
    ("quorum status", 64, "'hacctl quorum' does not know the word 'status'", "It takes: unblock, trust"),
    ("initt", 64, "unrecognized subcommand 'initt'", "'init'"),
    ("recipe active-pasive", 64, "does not know the word 'active-pasive'", "Did you mean active-passive?"),
    ("recipe active-passive --address FLOATING_IP", 64, "write the reserved address itself", "'hacctl --help'"),
    ("secret set do_token", 64, "there is no terminal to ask on", "--file FILE"),
    ("primitive x nginx", 64, "'primitive' needs its level before it", "'hacctl configure primitive'"),
    ("test failover", 107, "would be moved away", "--yes does it without asking"),
    ("join 127.0.0.9 --code 7KQ2-M0VX", 73, "hacd runs on this host already", "'hacctl status' shows which one"),
    ("--timeout abc status", 64, "invalid value 'abc'", "'hacctl --help' lists the commands"),
    ("--timeout 3 --timeout 4 status", 64, "cannot be used multiple times", "'hacctl --help'"),
    ("--socket ABSENT/socket status", 102, "hacd is not running here", "--check"),
];

/// What is taken with a warning because it may be meant, and how it is taken back.
const WARNED: &[(&str, &str, &str, &str)] = &[
    (
        "configure property foo=bar",
        "no such cluster property is known",
        "'hacctl configure property foo=' removes it",
        "configure property foo=",
    ),
    (
        "configure location l d 10: primry",
        "Node \"primry\" is not a cluster node",
        "Did you mean primary?",
        "configure delete l",
    ),
    ("configure location l Nginx 10: primary", "resource Nginx is cloned", "", "configure delete l"),
    ("configure order o a Nginx-clone", "resource a is grouped", "", "configure delete o"),
    ("configure order o FloatIP d", "closes a circle of orders", "'hacctl configure delete o'", "configure delete o"),
    (
        "configure colocation k inf: Nginx-clone FloatIP",
        "closes a circle of colocations",
        "Remove one",
        "configure delete k",
    ),
    ("configure tag g3 d d", "d is named twice in it", "Name each object once.", "configure delete g3"),
    (
        "configure op_defaults interval=10s",
        "where it has no effect",
        "op monitor interval=...",
        "configure op_defaults interval=",
    ),
    (
        "configure primitive x nginx op monitor timeout=30s",
        "its monitor has no interval",
        "interval=10s",
        "--force configure delete x",
    ),
    ("resource ban d primary", "", "", "resource clear d"),
];

/// A cluster with something of each kind, and its configuration.
fn cluster(tools: &Tools, net: u8) -> anyhow::Result<Cluster<'_>> {
    let cluster = Cluster::with(tools, net, |_| String::new())?;
    std::os::unix::fs::symlink(tools.directory().join("hacctl"), cluster.place.path("bin").join("hacctl"))?;
    for line in [
        "configure property stonith-enabled=false no-quorum-policy=ignore",
        "configure primitive FloatIP ocf:digitalocean:floatip params do_token=TOKEN floating_ip=203.0.113.25 op monitor interval=10s",
        "configure primitive Nginx nginx op monitor interval=10s",
        "configure clone Nginx-clone Nginx",
        "configure colocation FloatIP-Nginx inf: FloatIP Nginx-clone",
        "configure primitive a nginx op monitor interval=10s",
        "configure primitive b nginx op monitor interval=10s",
        "configure group g a b",
        "configure primitive only nginx op monitor interval=10s",
        "configure group one only",
        "configure rsc_template t nginx op monitor interval=10s",
        "configure primitive tt @t",
        "-w configure primitive d nginx op monitor interval=10s",
        "configure order first d FloatIP",
    ] {
        cluster.must(line)?;
    }
    Ok(cluster)
}

fn hacctl(cluster: &Cluster<'_>, line: &str) -> anyhow::Result<Said> {
    cluster.run(0, "hacctl", &split(line), "")
}

/// All that a mistake might have changed.
fn everything(cluster: &Cluster<'_>) -> anyhow::Result<String> {
    Ok(cluster.must("configure show")? + &cluster.must("node show")? + &hacctl(cluster, "secret list")?.out)
}

/// Whether this was refused as it should be.
fn refused(line: &str, said: &Said, (code, cause, remedy): (i32, &str, &str)) -> anyhow::Result<()> {
    let all = format!("{line}: exit code {}:\n{}{}", said.code, said.out, said.err);
    ensure!(said.code == code, "not {code}: {all}");
    ensure!(said.out.is_empty(), "something was printed: {all}");
    let from = said.err.find("ERROR: ").with_context(|| format!("no ERROR: {all}"))?;
    let (first, rest) = said.err[from..].split_once('\n').with_context(|| format!("one line: {all}"))?;
    ensure!(first.contains(cause), "the cause is not {cause:?}: {all}");
    ensure!(rest.starts_with("  ") && rest.contains(remedy), "the remedy is not {remedy:?}: {all}");
    ensure!(!said.err.contains("was moved to the secret"), "it tells of what was not done: {all}");
    Ok(())
}

fn mistakes(tools: &Tools) -> anyhow::Result<()> {
    let cluster = cluster(tools, 121)?;
    let before = everything(&cluster)?;
    let mut wrong = Vec::new();
    for (line, code, cause, remedy) in OBJECTS.iter().chain(CONSTRAINTS) {
        let said = hacctl(&cluster, line)?;
        if let Err(error) = refused(line, &said, (*code, cause, remedy)) {
            wrong.push(error.to_string());
        }
        let after = everything(&cluster)?;
        ensure!(after == before, "{line} changed something:\n{before}\n{after}");
    }
    for (line, cause, remedy, back) in WARNED {
        let said = hacctl(&cluster, line)?;
        let warned = said.code == 0 && said.err.contains("WARNING: ") | cause.is_empty();
        if !warned || !said.err.contains(cause) || !said.err.contains(remedy) {
            wrong.push(format!("{line}: exit code {}: {}{}", said.code, said.out, said.err));
        }
        // What the warning says takes it back.
        let back = hacctl(&cluster, back)?;
        ensure!(back.code == 0, "{line}: {}", back.err);
    }
    ensure!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    // What is misspelt is taken where that is said, and named again.
    let forced = hacctl(&cluster, "--force configure property stonith-enable=false")?;
    ensure!(forced.code == 0 && forced.err.contains("Did you mean stonith-enabled?"), "{}", forced.err);
    ensure!(hacctl(&cluster, "configure property stonith-enable=")?.code == 0, "it stays");
    // Of a secret that was moved is told, once it is.
    let moved =
        hacctl(&cluster, "configure primitive F3 ocf:digitalocean:floatip params do_token=x floating_ip=203.0.113.3")?;
    ensure!(
        moved.code == 0 && moved.err.contains("do_token of F3 was moved to the secret F3-do_token"),
        "{}",
        moved.err
    );
    // Words that no text can have.
    let mut command = Command::new(cluster.place.path("bin/hacctl"));
    let word = <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"\xff");
    command.args(["configure", "primitive"]).arg(word).env("HACD_SOCKET", cluster.socket(0)).stdin(Stdio::null());
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(64) && said.contains("invalid UTF-8 was detected"), "{said}");
    Ok(())
}

fn files(tools: &Tools) -> anyhow::Result<()> {
    let cluster = cluster(tools, 122)?;
    let before = everything(&cluster)?;
    let long = "x".repeat(3 << 20);
    let many: String = (0..30_000).map(|i| format!("primitive p{i} nginx params httpd={}\n", "x".repeat(60))).collect();
    let table: [(&str, Vec<u8>, i32, &str, &str); 9] = [
        ("binary", b"\xff\xfe".to_vec(), 65, "is not UTF-8 text", "iconv -t UTF-8"),
        (
            "line3",
            b"primitive x nginx\nprimitive y nginx\npirmitive z nginx\nprimitive q nginx\nprimitive r nginx\n".to_vec(),
            64,
            "line3: line 3, column 1: unknown kind of object 'pirmitive'; nothing was changed",
            "Did you mean 'primitive'?",
        ),
        (
            "open",
            b"primitive x nginx params httpd=\"y\n".to_vec(),
            64,
            "open: line 1, column 32: this quotation has no end",
            "Close it with \"",
        ),
        (
            "twice",
            b"primitive x nginx\nprimitive x nginx\n".to_vec(),
            64,
            "'x' is defined on line 1 too; nothing was changed",
            "Give each object an id of its own",
        ),
        ("nothing", b"# nothing\n".to_vec(), 64, "there is nothing to load", "Name a file with at least one object"),
        (
            "masked",
            b"primitive x ocf:digitalocean:floatip params do_token=\"********\" floating_ip=1\n".to_vec(),
            78,
            "******** is no value for do_token",
            "Give the value: params do_token=...",
        ),
        (
            "long",
            format!("primitive x nginx params httpd={long}\n").into_bytes(),
            78,
            "the limit is 64 KiB; nothing was changed",
            "Put it into a file on the nodes",
        ),
        ("many", many.into_bytes(), 78, "the limit is 4 MiB; nothing was changed", "Make it in several steps."),
        (
            "xml",
            b"<cib><configuration><resources><primitve id=\"x\"/></resources></configuration></cib>".to_vec(),
            64,
            "no schema has a <primitve> inside of <resources>: is \"primitive\" meant?; nothing was changed",
            "Put that place right.",
        ),
    ];
    for (name, text, code, cause, remedy) in &table {
        let file = cluster.place.path(name);
        fs::write(&file, text)?;
        let said = hacctl(&cluster, &format!("configure load update {}", file.display()))?;
        refused(name, &said, (*code, cause, remedy))?;
        let after = everything(&cluster)?;
        ensure!(after == before, "{name} changed something:\n{before}\n{after}");
    }
    // A file from elsewhere may have names that are only like ours: it is taken, and they are told.
    let file = cluster.place.path("field");
    fs::write(&file, "primitive x nginx meta target-rol=Stopped\n")?;
    let said = hacctl(&cluster, &format!("configure load update {}", file.display()))?;
    ensure!(said.code == 0 && said.err.contains("Did you mean target-role?"), "{}: {}", said.code, said.err);
    Ok(())
}

/// Editing with a program in the editor's place, in a terminal as a person has it.
fn editor(tools: &Tools) -> anyhow::Result<()> {
    let cluster = cluster(tools, 123)?;
    let before = everything(&cluster)?;
    let script = cluster.place.path("editor");
    for (name, does, code, cause, remedy) in [
        (
            "a slip in the grammar",
            "sed -i 's/^primitive d/pirmitive d/' \"$1\"",
            64,
            "pirmitive",
            "Did you mean 'primitive'?",
        ),
        (
            "a slip in a parameter",
            "sed -i 's/^primitive d nginx/& params htpd=x/' \"$1\"",
            78,
            "parameter htpd does not exist",
            "Did you mean httpd?",
        ),
        (
            "an editor that fails",
            "exit 3",
            64,
            "ended with exit status: 3; nothing was changed",
            "set the variable EDITOR",
        ),
    ] {
        fs::write(&script, format!("#!/bin/sh\n{does}\n"))?;
        fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        let mut command = Command::new(cluster.place.path("bin/hacctl"));
        command.args(["configure", "edit", "d"]).env("HACD_SOCKET", cluster.socket(0)).env("EDITOR", &script);
        command.env_remove("VISUAL").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let said = Said::of(&command.output()?)?;
        refused(name, &said, (code, cause, remedy))?;
        ensure!(everything(&cluster)? == before, "{name} changed something");
    }
    Ok(())
}
