//! `crm_mon`: how the cluster stands, once or again and again.

mod agent;

use std::fs;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use hac_api::{CibResponse, MemberState, Status, route};
use hac_model::Cib;
use hac_pacemaker::mon::{self, Facts, Fencing, Options, Page, Section};
use hac_scheduler::view::ClusterView;

use self::agent::Agent;
use crate::client::{self, Trouble};
use crate::options::{COMMON, Given, Spec, Value, escaped};
use crate::{Ends, Said, exit, file};

const PROGRAM: &str = "crm_mon";

/// Tells the process in the background that it is one.
const IN_BACKGROUND: &str = "HACD_CRM_MON_IN_BACKGROUND";

const OPTIONS: &[Spec] = &[
    Spec("1", &["one-shot"], Value::No),
    Spec("i", &["interval"], Value::Yes),
    Spec("d", &["daemonize"], Value::No),
    Spec("p", &["pid-file"], Value::Yes),
    Spec("E", &["external-agent"], Value::Yes),
    Spec("e", &["external-recipient"], Value::Yes),
    Spec("W", &["watch-fencing"], Value::No),
    Spec("X", &["as-xml"], Value::No),
    Spec("h", &["as-html"], Value::Yes),
    Spec("w", &["web-cgi", "html-cgi"], Value::No),
    Spec("", &["html-stylesheet"], Value::Yes),
    Spec("", &["html-title"], Value::Yes),
    Spec("s", &["simple-status"], Value::No),
    Spec("N", &["text-fancy", "disable-ncurses"], Value::No),
    Spec("I", &["include"], Value::Yes),
    Spec("U", &["exclude"], Value::Yes),
    Spec("", &["node"], Value::Yes),
    Spec("", &["resource"], Value::Yes),
    Spec("n", &["group-by-node"], Value::No),
    Spec("r", &["inactive"], Value::No),
    Spec("b", &["brief"], Value::No),
    Spec("f", &["failcounts"], Value::No),
    Spec("o", &["operations"], Value::No),
    Spec("t", &["timing-details"], Value::No),
    Spec("c", &["tickets"], Value::No),
    Spec("m", &["fence-history"], Value::Maybe),
    Spec("L", &["neg-locations"], Value::Maybe),
    Spec("A", &["show-node-attributes"], Value::No),
    Spec("D", &["hide-headers"], Value::No),
    Spec("R", &["show-detail"], Value::No),
    Spec("j", &["print-clone-detail", "show-description"], Value::No),
    Spec("x", &["xml-file"], Value::Yes),
    Spec("Q", &["quiet"], Value::No),
];

const HELP: &str = "Usage: crm_mon [OPTIONS]\n\
    \nHow often:   -1, --one-shot   -i, --interval=SECONDS   -d, --daemonize (with --output-to=FILE)   -p, --pid-file=FILE\
    \n             -E, --external-agent=PROGRAM   -e, --external-recipient=TEXT   -W, --watch-fencing (with -E)\
    \nIn which form: --output-as=console|text|xml|html|none   --output-to=FILE   -X, --as-xml   -s, --simple-status\
    \n               --html-title=TITLE   --html-stylesheet=URL   --html-cgi\
    \nWhat:        -n by node   -r inactive too   -b brief   -f fail counts   -o operations   -t with times   -A attributes\
    \n             -L bans   -c tickets   -m[0-3] fence history   -D no header   -R detail   -Q no times\
    \n             --node=NAME   --resource=ID   -I, --include=LIST   -U, --exclude=LIST\n";

/// The names that `--include` and `--exclude` take.
const SECTIONS: &[&str] = &[
    "all",
    "attributes",
    "bans[:PREFIX]",
    "counts",
    "dc",
    "default",
    "failcounts",
    "failures",
    "fencing",
    "fencing-failed",
    "fencing-pending",
    "fencing-succeeded",
    "maint-mode",
    "nodes",
    "none",
    "operations",
    "options",
    "resources",
    "stack",
    "summary",
    "tickets",
    "times",
];

/// How it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Text,
    Xml,
    OldXml,
    Html,
    Simple,
    None,
}

/// Runs with these words. Without `-1` it goes on until it is ended.
pub(crate) fn run(words: &[String]) -> Ends<Said> {
    let given = Given::read(PROGRAM, &[OPTIONS, COMMON], words)?;
    if given.has("help") {
        return Ok(Said::printed(HELP));
    }
    if let Some(word) = given.words.first() {
        return Err(Said::failed(exit::USAGE, format!("{PROGRAM}: '{word}' has no place here\n{HELP}")));
    }
    let form = form(&given)?;
    let options = options(&given)?;
    let file = given.value("as-html").or_else(|| given.value("output-to")).filter(|file| *file != "-");
    let once = given.has("one-shot") || matches!(form, Form::OldXml | Form::Simple);
    let daemon = given.has("daemonize");
    let called = given.value("external-agent");
    if daemon && file.is_none() && called.is_none() {
        return Err(Said::failed(
            exit::USAGE,
            "--daemonize requires at least one of --output-to (with a file) and --external-agent\n",
        ));
    }
    if given.has("watch-fencing") && called.is_none() {
        return Err(Said::failed(exit::USAGE, "--watch-fencing requires --external-agent: it says whom to tell\n"));
    }
    if let Some(file) = given.value("xml-file") {
        let err = format!("{PROGRAM}: hacd does not offer --xml-file; write CIB_file={file} before the command");
        return Err(Said::failed(exit::USAGE, err));
    }
    if daemon && !once && std::env::var_os(IN_BACKGROUND).is_none() {
        return background(words);
    }
    let recipient = given.value("external-recipient").unwrap_or_default();
    let mut agent = called.map(|program| Agent::new(program, recipient, given.has("watch-fencing")));
    let interval = interval(given.value("interval").unwrap_or("5"))?;
    let request = format!("{PROGRAM} {}", words.join(" "));
    let page = Page {
        title: given.value("html-title").map(str::to_owned),
        stylesheet: given.value("html-stylesheet").map(str::to_owned),
        refresh_s: (!once).then_some(interval.as_secs()),
        cgi: given.has("web-cgi"),
    };
    if let Some(pid) = given.value("pid-file").filter(|_| daemon) {
        fs::write(pid, format!("{}\n", std::process::id()))
            .map_err(|error| Said::failed(73, format!("{PROGRAM}: could not write {pid}: {error}")))?;
    }
    loop {
        let said = look(form, &options, &request, &page, agent.as_mut());
        if once || (!daemon && agent.is_none() && file.is_none() && form != Form::Text) {
            return put(said, file);
        }
        match put(said, file) {
            // Nobody sees it.
            Ok(_) | Err(_) if daemon => {}
            // On a terminal the screen begins anew each time.
            Ok(said) if file.is_none() => print(&format!("\x1b[H\x1b[2J{}", said.out)),
            Ok(_) => {}
            Err(said) if file.is_none() => print(&format!("\x1b[H\x1b[2J{}", said.err)),
            // What stood in the file stays there until the daemon is back.
            Err(_) => {}
        }
        std::thread::sleep(interval);
    }
}

/// Goes on in the background with the same words, under the same name: `ps` shows them to agents that look for it.
fn background(words: &[String]) -> Ends<Said> {
    let failed =
        |error: &dyn std::fmt::Display| Said::failed(71, format!("{PROGRAM}: could not go to the background: {error}"));
    let program = std::env::current_exe().map_err(|error| failed(&error))?;
    let mut command = Command::new(program);
    command.arg0(PROGRAM).args(words).env(IN_BACKGROUND, "1").process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().map_err(|error| failed(&error))?;
    Ok(Said::nothing())
}

fn print(text: &str) {
    let end = if text.ends_with('\n') { "" } else { "\n" };
    // Who does not listen misses it.
    let _ = std::io::stdout().write_all(format!("{text}{end}").as_bytes());
    let _ = std::io::stdout().flush();
}

/// Writes into the file, whole or not at all.
fn put(said: Ends<Said>, file: Option<&str>) -> Ends<Said> {
    let said = said?;
    let Some(file) = file else { return Ok(said) };
    let path = Path::new(file);
    let fresh = path.with_extension("new");
    let written = fs::write(&fresh, crate::line(&said.out)).and_then(|()| fs::rename(&fresh, path));
    written.map_err(|error| Said::failed(73, format!("{PROGRAM}: could not write {file}: {error}")))?;
    Ok(Said { out: String::new(), ..said })
}

fn interval(text: &str) -> Ends<Duration> {
    let ms = hac_model::parse_duration_ms(text).filter(|ms| *ms > 0);
    ms.map(Duration::from_millis)
        .ok_or_else(|| Said::failed(exit::USAGE, format!("{PROGRAM}: Invalid value for -i: {text}")))
}

fn form(given: &Given) -> Ends<Form> {
    if given.has("simple-status") {
        return Ok(Form::Simple);
    }
    if given.has("as-xml") {
        return Ok(Form::OldXml);
    }
    if given.has("web-cgi") || given.has("as-html") {
        return Ok(Form::Html);
    }
    match given.value("output-as") {
        None | Some("text" | "console") => Ok(Form::Text),
        Some("xml") => Ok(Form::Xml),
        Some("html") => Ok(Form::Html),
        Some("none") => Ok(Form::None),
        Some(other) => {
            Err(Said::failed(exit::ERROR, format!("Error creating output format {other}: Unknown output format")))
        }
    }
}

fn options(given: &Given) -> Ends<Options> {
    let mut options = Options {
        inactive: given.has("inactive"),
        by_node: given.has("group-by-node"),
        brief: given.has("brief"),
        failcounts: given.has("failcounts"),
        operations: given.has("operations"),
        timing: given.has("timing-details"),
        attributes: given.has("show-node-attributes"),
        bans: given.has("neg-locations").then(|| given.value("neg-locations").unwrap_or_default().to_owned()),
        tickets: given.has("tickets"),
        fencing: fencing(given)?,
        properties: false,
        detail: given.has("show-detail"),
        node: given.value("node").map(str::to_owned),
        resource: given.value("resource").map(str::to_owned),
        without: Vec::new(),
    };
    for (option, list) in given.all() {
        let shown = match option {
            "include" => true,
            "exclude" => false,
            _ => continue,
        };
        for name in list.into_iter().flat_map(|list| list.split(',')) {
            show(&mut options, option, name.trim(), shown)?;
        }
    }
    if given.has("hide-headers") {
        show(&mut options, "exclude", "summary", false)?;
    }
    if given.has("quiet") {
        show(&mut options, "exclude", "times", false)?;
    }
    Ok(options)
}

/// What is shown of fencing: without `-m` what failed and what is under way, with it what succeeded too.
fn fencing(given: &Given) -> Ends<Fencing> {
    let level = match given.value("fence-history") {
        None if given.has("fence-history") => Some(2),
        None => Some(1),
        Some(text) => text.parse().ok(),
    };
    level
        .and_then(Fencing::of_level)
        .ok_or_else(|| Said::failed(exit::USAGE, format!("{PROGRAM}: Fence history must be 0-3")))
}

/// Shows a section, or leaves it out.
fn show(options: &mut Options, option: &str, name: &str, shown: bool) -> Ends<()> {
    const ALL: [Section; 8] = [
        Section::Stack,
        Section::Dc,
        Section::Times,
        Section::Counts,
        Section::Maintenance,
        Section::Nodes,
        Section::Resources,
        Section::Failures,
    ];
    let (name, prefix) = name.split_once(':').unwrap_or((name, ""));
    let sections: &[Section] = match name {
        "all" | "default" => &ALL,
        "none" if shown => {
            let Options { node, resource, inactive, by_node, brief, detail, timing, .. } = options.clone();
            let without = ALL.to_vec();
            *options =
                Options { node, resource, inactive, by_node, brief, detail, timing, without, ..Options::default() };
            return Ok(());
        }
        "summary" => &ALL[..5],
        "stack" => &ALL[..1],
        "dc" => &ALL[1..2],
        "times" => &ALL[2..3],
        "counts" => &ALL[3..4],
        "maint-mode" => &ALL[4..5],
        "nodes" => &ALL[5..6],
        "resources" => &ALL[6..7],
        "failures" => &ALL[7..],
        _ => &[],
    };
    if shown {
        options.without.retain(|section| !sections.contains(section));
    } else {
        options.without.extend_from_slice(sections);
    }
    match name {
        "all" => {
            options.fencing = Fencing { failed: shown, pending: shown, succeeded: shown, ..options.fencing };
            options.properties = shown;
            options.attributes = shown;
            options.failcounts = shown;
            options.operations = shown;
            options.tickets = shown;
            options.bans = shown.then(String::new);
        }
        "attributes" => options.attributes = shown,
        "failcounts" => options.failcounts = shown,
        "operations" => options.operations = shown,
        "tickets" => options.tickets = shown,
        "bans" => options.bans = shown.then(|| prefix.to_owned()),
        "options" => options.properties = shown,
        "fencing" => {
            options.fencing = Fencing { failed: shown, pending: shown, succeeded: shown, ..options.fencing };
        }
        "fencing-failed" => options.fencing.failed = shown,
        "fencing-pending" => options.fencing.pending = shown,
        "fencing-succeeded" => options.fencing.succeeded = shown,
        _ if SECTIONS.contains(&name) => {}
        _ => {
            let wrong = if name == "list" { String::new() } else { format!("there is no section '{name}'\n") };
            let err = format!("{HELP}\n{PROGRAM}: {wrong}--{option} options: {}", SECTIONS.join(", "));
            return Err(Said::failed(exit::USAGE, err));
        }
    }
    Ok(())
}

/// Asks the daemon, and writes what it says.
fn look(form: Form, options: &Options, request: &str, page: &Page, agent: Option<&mut Agent>) -> Ends<Said> {
    let (status, view, mut cib) = match ask() {
        Ok(answer) => answer,
        Err(trouble) => return Err(unreachable(form, request, &trouble)),
    };
    // Readers of this text know no line with the cluster's name.
    let (cluster_name, from_file) = (String::new(), file::named().is_some());
    let property = |name| cib.configuration.crm_config.iter().find_map(|set| set.get(name).map(str::to_owned));
    let stack = if from_file { property("cluster-infrastructure") } else { Some("corosync (hacd)".to_owned()) };
    let stack = stack.unwrap_or_else(|| "unknown".to_owned());
    let mut facts = Facts { cluster_name, stack, from_file, ..facts(&status) };
    if from_file && facts.dc_version.is_empty() {
        facts.dc_version = "unknown".to_owned();
    }
    if let Some(agent) = agent {
        agent.look(&cib);
    }
    cib.info.last_changed_ms = status.last_change.time_ms;
    cib.info.update_user.clone_from(&status.last_change.user);
    cib.info.update_client.clone_from(&status.last_change.client);
    cib.info.update_origin.clone_from(&status.last_change.origin);
    Ok(match form {
        Form::Text => Said::printed(zoneless(&mon::render(&facts, &view, &cib, options))),
        Form::Html => Said::printed(mon::html(&facts, &view, &cib, options, page)),
        Form::Xml => Said::printed(mon::xml(&facts, &view, &cib, options, Some(request))),
        Form::OldXml => Said::printed(mon::xml(&facts, &view, &cib, options, None)),
        Form::None => Said::nothing(),
        Form::Simple => {
            let verdict = crate::verdict::as_plugin(&status, &view);
            Said { code: verdict.code, ..Said::printed(verdict.line) }
        }
    })
}

/// The text with times as Pacemaker's program writes them, which does not name the zone, where the host's zone is UTC. Elsewhere
/// it stays: who reads them would take them for the host's.
fn zoneless(text: &str) -> String {
    let zone = match std::env::var("TZ") {
        Ok(zone) => zone,
        Err(_) => fs::read_link("/etc/localtime").map(|path| path.display().to_string()).unwrap_or_default(),
    };
    let zone = zone.trim_start_matches(':').rsplit("zoneinfo/").next().unwrap_or_default().to_owned();
    if !matches!(zone.as_str(), "" | "UTC" | "UTC0" | "Etc/UTC" | "Etc/UCT" | "Zulu" | "Universal" | "Etc/Universal") {
        return text.to_owned();
    }
    // A date ends with the year.
    let year = |before: &str| {
        before.len() > 5 && before.ends_with(|c: char| c.is_ascii_digit()) && {
            let last = before.rsplit(' ').next().unwrap_or_default();
            last.len() == 4 && last.bytes().all(|byte| byte.is_ascii_digit())
        }
    };
    let mut parts = text.split(" UTC");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        if !year(&out) || part.starts_with(|c: char| c.is_alphanumeric()) {
            out.push_str(" UTC");
        }
        out.push_str(part);
    }
    out
}

fn ask() -> Result<(Status, ClusterView, Cib), Trouble> {
    let mut status: Status = client::ask(&client::Ask::Get(&format!("{}?view=true", route::STATUS)), None)?;
    let view = serde_json::from_value(std::mem::take(&mut status.view));
    let answer: CibResponse = client::ask(&client::Ask::Get(route::CIB), None)?;
    let unreadable = |error: serde_json::Error| Trouble::Refused(exit::ERROR, error.to_string());
    Ok((status, view.map_err(unreadable)?, serde_json::from_value(answer.cib).map_err(unreadable)?))
}

/// What a daemon says of itself and the cluster, as the texts of `crm_mon` and `crm status` want it.
#[must_use]
pub fn facts(status: &Status) -> Facts {
    let members = status.members.nodes.iter().filter(|node| node.state == MemberState::Joined);
    let mut releases: Vec<&str> = members.filter_map(|node| node.version.as_deref()).collect();
    releases.sort_unstable();
    releases.dedup();
    Facts {
        cluster_name: status.cluster_name.clone(),
        node: status.node.clone(),
        dc: status.dc.clone(),
        dc_version: status.dc_version.clone().unwrap_or_else(|| status.hacd_version.clone()),
        mixed_version: releases.len() > 1,
        quorate: status.quorum.quorate,
        now: mon::wall_time(status.now_ms),
        stack: String::new(),
        from_file: false,
    }
}

/// What Pacemaker's program says without a daemon, in the form that is asked for.
fn unreachable(form: Form, request: &str, trouble: &Trouble) -> Said {
    let (code, why) = match trouble {
        Trouble::Nobody => (exit::DISCONNECT, "Connection refused".to_owned()),
        Trouble::Late => (124, "Timer expired".to_owned()),
        Trouble::Refused(code, why) => (*code, why.clone()),
    };
    match form {
        Form::Simple => Said::failed(2, format!("crm_mon: CLUSTER CRIT: Connection to cluster failed: {why}")),
        Form::OldXml => Said {
            out: "<crm_mon version=\"3.0.0\"/>".to_owned(),
            ..Said::failed(code, format!("crm_mon: Connection to cluster failed: {why}"))
        },
        Form::Xml => {
            let (request, why) = (escaped(request), escaped(&why));
            let out = format!(
                "<pacemaker-result api-version=\"2.38\" request=\"{request}\">\n  <status code=\"{code}\" message=\"Not connected\">\n    \
                 <errors>\n      <error>crm_mon: Connection to cluster failed: {why}</error>\n    </errors>\n  </status>\n</pacemaker-result>"
            );
            Said { out, err: String::new(), code }
        }
        _ => Said::failed(code, format!("crm_mon: Connection to cluster failed: {why}")),
    }
}
