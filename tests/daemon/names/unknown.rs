//! Names that nobody knows, in every command that takes one: refused with the right exit code, and with those that there are.

use anyhow::ensure;
use hac_lab::Tools;

use super::Cluster;

/// What is typed, the exit code, and what stands in the answer.
type Line = (&'static str, i32, &'static str);

const NODES: &str = "The cluster's nodes are: primary, secondary.";
const RESOURCES: &str = "The cluster's resources are: web.";

/// Lines of `hacctl`.
const LINES: &[Line] = &[
    ("resource refresh nope", 105, RESOURCES),
    ("resource cleanup nope", 105, RESOURCES),
    ("resource start wbe", 105, "Did you mean web?"),
    ("resource refresh web nope", 105, NODES),
    ("node attribute primary delete nope", 105, "'hacctl node attribute primary show'"),
    ("node status-attr primary delete nope", 105, "'hacctl node status-attr primary show'"),
    ("node utilization primary delete nope", 105, "'hacctl node utilization primary show'"),
    ("node attribute nope show", 105, NODES),
    ("configure show type:primtive", 64, "Did you mean type:primitive?"),
    ("configure show nope", 105, "object nope does not exist"),
    ("configure verify nope", 105, "object nope does not exist"),
    ("configure schema nope", 105, "It writes pacemaker-3.9 alone."),
    ("configure get_property nope", 105, "Property not set"),
    ("events --kind nope", 64, "The kinds are: active, configuration,"),
    ("history --kind veiw", 64, "Did you mean view?"),
    ("events --resource nope", 105, RESOURCES),
    ("events --node nope", 105, NODES),
    ("history --resource nope", 105, RESOURCES),
    ("history --node nope", 105, NODES),
    ("history resource nope", 105, RESOURCES),
    ("history node nope", 105, NODES),
    ("history log nope", 105, NODES),
    ("history transition nope", 64, "'nope' is no number of a transition"),
    ("history transition 4711", 105, "no journal has a transition 4711"),
    ("history --causes nope", 105, "no journal has the event nope"),
    ("cibstatus op nope web 7", 105, "web has no operation nope"),
    ("simulate --op-fail web:montior:10s=7@primary", 105, "Did you mean monitor?"),
    ("simulate --node-down nope", 105, NODES),
    ("fence list nope", 105, NODES),
    ("fence history nope", 105, NODES),
    ("fence forget nope", 105, NODES),
    ("fence off nope", 105, NODES),
    ("node fence nope", 105, NODES),
    ("cluster stop nope", 105, NODES),
    ("explain nope", 105, "there is no resource or node nope"),
    ("maintenance on nope", 105, "object nope does not exist"),
    ("ticket standby nope", 105, "no ticket nope is known"),
    ("recipe nope", 64, "It takes: active-passive"),
    ("secret show nope", 64, "'hacctl secret' does not know the word 'show'"),
    ("secret delete nope", 105, "there is no secret nope"),
    ("doctor --only nope", 64, "there is no check 'nope'"),
    ("ra info nope", 105, "there is no agent"),
];

/// Lines of the other names.
const NAMES: &[(&str, &[&str], i32, &str)] = &[
    ("cibadmin", &["-Q", "-o", "nope"], 0, "there is no section 'nope'"),
    ("cibadmin", &["-Q", "-o", "resource"], 0, "did you mean resources?"),
    ("cibadmin", &["-C", "-o", "nope", "-X", "<tag id='t'/>"], 64, "there is no section 'nope'"),
    ("stonith_admin", &["-H", "nope"], 105, "Node \"nope\" is not a cluster node"),
    ("stonith_admin", &["-F", "nope"], 105, "Node \"nope\" is not a cluster node"),
    ("crm_resource", &["-r", "nope", "-W"], 105, "Resource 'nope' not found"),
    ("crm_attribute", &["-N", "nope", "-n", "x", "-G"], 105, "Could not map name=nope"),
    ("crm_mon", &["-1", "--include", "nope"], 64, "there is no section 'nope'"),
    ("crm_mon", &["-1", "-m7"], 64, "Fence history must be 0-3"),
    ("crm_mon", &["-W"], 64, "--watch-fencing requires --external-agent"),
    ("crm_ticket", &["-t", "nope", "-q"], 105, "Could not query ticket XML: No such device or address"),
];

pub(super) fn refused(tools: &Tools) -> anyhow::Result<()> {
    let cluster = Cluster::new(tools, 94)?;
    cluster.must("configure property stonith-enabled=false no-quorum-policy=ignore")?;
    cluster.must("-w configure primitive web nginx op monitor interval=10s")?;
    std::os::unix::fs::symlink(tools.directory().join("hacctl"), cluster.place.path("bin").join("hacctl"))?;
    let before = cluster.must("configure show")?;
    for (line, code, told) in LINES {
        let words: Vec<&str> = line.split(' ').collect();
        let said = cluster.run(0, "hacctl", &words, "")?;
        ensure!(said.code == *code && said.err.contains(told), "{line}: {} {}{}", said.code, said.out, said.err);
        ensure!(said.out.is_empty() && said.err.lines().count() >= 2, "{line}: {}{}", said.out, said.err);
    }
    for (name, words, code, told) in NAMES {
        let said = cluster.run(0, name, words, "")?;
        ensure!(said.code == *code && said.err.contains(told), "{name} {words:?}: {} {}", said.code, said.err);
        // As Debian's does, cibadmin shows all where it does not know the section.
        let shows_all = *code == 0 && said.out.starts_with("<cib ");
        ensure!(said.out.is_empty() || shows_all, "{name} {words:?}: {}", said.out);
    }
    // Nothing was changed by any of it.
    ensure!(before == cluster.must("configure show")?, "something was changed");
    // What was there once can still be asked for, and times say their zone.
    cluster.must("-F configure delete web")?;
    let said = cluster.must("history --resource web --last 1")?;
    ensure!(said.contains(" UTC ") && said.contains("web"), "{said}");
    Ok(())
}
