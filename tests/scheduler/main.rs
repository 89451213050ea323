//! Golden plans: every file of this folder is a state and the plan for it. With `HACD_BLESS=1` the plans are rewritten.
//!
//! Where Pacemaker's `crm_simulate` is installed, each state is exported to it as XML, and must give the same plan.
//! `HACD_EXPORT=DIR` writes the XML of every state into a folder, for other tools.

mod peer;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use hac_pacemaker::cib_xml;
use hac_pacemaker::simulate::{Clock, simulate};
use hac_scheduler::plan::check::check;
use hac_tests::golden::Golden;
use hac_tests::runner::{Case, run};
use hac_types::WallTime;

fn main() -> ExitCode {
    let files = files();
    let peer = peer::find();
    let mut cases = vec![Case::new("there_are_golden_plans", {
        let count = files.len();
        move || {
            ensure!(count > 0, "no file was found");
            Ok(())
        }
    })];
    cases.push(Case::new("a_server_stops_after_what_was_with_it", server_last));
    for file in files {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let unlike = read(&file).ok().and_then(|golden| golden.unlike);
        let (first, second) = (file.clone(), file);
        cases.push(Case::new(format!("plan/{name}"), move || plan(&first)));
        let found = peer.clone();
        let beside = Case::new(format!("as_pacemaker/{name}"), move || match &found {
            Ok(tool) => peer::agrees(tool, &read(&second)?),
            Err(why) => anyhow::bail!("{why}"),
        });
        cases.push(match (&peer, unlike) {
            (Err(why), _) => beside.skipped(why),
            (Ok(_), Some(why)) => beside.skipped(format!("Pacemaker decides otherwise: {why}")),
            (Ok(_), None) => beside,
        });
    }
    run(cases)
}

/// An address and, on all nodes, a server; both leave the first node.
const LEAVING: &str = "# An address leaves the server that it was with.
nodes n1 n2
property stonith-enabled=false
primitive ip ocf:pacemaker:Dummy
primitive web ocf:pacemaker:Dummy
clone web-clone web
MORE
on n1 standby=on
  ip start
  web start
on n2
  ip monitor
  web start
----
";

/// The stop of a server that nothing waits for is told to let the start of the address go first. An order, other roles, the
/// other direction or a preference to be apart change nothing.
fn server_last() -> anyhow::Result<()> {
    let told = |more: &str| -> anyhow::Result<Vec<String>> {
        let golden = Golden::read(&LEAVING.replace("MORE", more))?;
        let plan = golden.simulate().outcome.plan;
        let name = |at: usize| {
            let action = plan.actions.get(at);
            action.map(|action| format!("{} {}", action.key, action.node.as_deref().unwrap_or("-"))).unwrap_or_default()
        };
        let line = |(at, after): (usize, &Vec<usize>)| {
            let after: Vec<String> = after.iter().map(|other| name(*other)).collect();
            format!("{} rather after {}", name(at), after.join(", "))
        };
        let all = plan.actions.iter().map(|action| &action.rather_after).enumerate();
        Ok(all.filter(|(_, after)| !after.is_empty()).map(line).collect())
    };
    let last = ["web:0_stop_0 n1 rather after ip_start_0 n2"];
    for together in ["inf:", "10:"] {
        let told = told(&format!("colocation together {together} ip web-clone"))?;
        ensure!(told == last, "with {together}: {told:?}");
    }
    for otherwise in [
        "",
        "colocation apart -10: ip web-clone",
        "colocation together inf: web-clone ip",
        "colocation together inf: ip web-clone\norder then Mandatory: web-clone ip",
        "colocation together inf: ip web-clone\norder then Optional: web-clone ip",
        "colocation together inf: ip web-clone\norder then Mandatory: ip web-clone",
    ] {
        let told = told(otherwise)?;
        ensure!(told.is_empty(), "with '{otherwise}': {told:?}");
    }
    Ok(())
}

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scheduler");
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|ending| ending == "txt")).collect();
    files.sort();
    files
}

fn read(file: &Path) -> anyhow::Result<Golden> {
    Golden::read(&fs::read_to_string(file)?).with_context(|| file.display().to_string())
}

/// The plan is the one in the file, and the one for the state as exported and read again.
fn plan(file: &Path) -> anyhow::Result<()> {
    let text = fs::read_to_string(file)?;
    let golden = read(file)?;
    let simulation = golden.simulate();
    let broken = check(&golden.cib, &simulation.outcome.view, &simulation.outcome.plan);
    ensure!(broken.is_empty(), "the plan is not lawful: {broken:#?}");
    let real = golden.rendered(&simulation);
    if real != text && std::env::var_os("HACD_BLESS").is_some() {
        fs::write(file, &real)?;
    } else {
        ensure!(real == text, "{}\n(HACD_BLESS=1 rewrites the files)", first_difference(&text, &real));
    }
    if let (Some(folder), Some(name)) = (std::env::var_os("HACD_EXPORT"), file.file_stem()) {
        fs::write(Path::new(&folder).join(name).with_extension("xml"), golden.xml())?;
    }
    let exported = simulate(&cib_xml::read(&golden.xml())?, &Clock::Present(WallTime(0)), true);
    ensure!(exported.outcome.plan == simulation.outcome.plan, "exported and read again the plan is another");
    Ok(())
}

fn first_difference(expected: &str, real: &str) -> String {
    let mut lines = expected.lines().zip(real.lines()).enumerate();
    match lines.find(|(_, (a, b))| a != b) {
        Some((number, (a, b))) => format!("line {}\n  expected: {a}\n  real:     {b}", number + 1),
        None => format!("{} lines expected, {} are real", expected.lines().count(), real.lines().count()),
    }
}
