//! `stonith_admin`: devices, fencing and its history.

use std::time::{Duration, Instant};

use hac_api::{AgentDetail, AgentList, CibResponse, Command, route};
use hac_crm::cib::primitives;
use hac_model::fencing::{End, Requests};
use hac_model::{Cib, FenceAction, FenceDevice, Primitive};

use crate::options::{COMMON, Given, Spec, Value};
use crate::{Ends, Said, client, exit, facts};

const PROGRAM: &str = "stonith_admin";
const UNREACHABLE: &str = "stonith_admin: Could not connect to fencer: Transport endpoint is not connected";

/// How long is waited for what comes of a request, unless `-t` says otherwise.
const TIMEOUT: u64 = 120;

/// How long is waited for the end of it at most, whatever was asked for, seconds: a year.
const TIMEOUT_MAX: u64 = 31_536_000;

/// How often is looked.
const LOOK: Duration = Duration::from_millis(200);

const OPTIONS: &[Spec] = &[
    Spec("L", &["list-registered"], Value::No),
    Spec("I", &["list-installed"], Value::No),
    Spec("l", &["list"], Value::Yes),
    Spec("M", &["metadata"], Value::No),
    Spec("a", &["agent"], Value::Yes),
    Spec("F", &["fence"], Value::Yes),
    Spec("U", &["unfence"], Value::Yes),
    Spec("B", &["reboot"], Value::Yes),
    Spec("C", &["confirm"], Value::Yes),
    Spec("H", &["history"], Value::Yes),
    Spec("c", &["cleanup"], Value::No),
    Spec("t", &["timeout"], Value::Yes),
    Spec("y", &["delay"], Value::Yes),
    Spec("", &["tolerance"], Value::Yes),
    Spec("f", &["force"], Value::No),
    Spec("q", &["quiet"], Value::No),
];

const HELP: &str = "Usage: stonith_admin -L | -I | -l HOST | -M -a AGENT | -F HOST | -B HOST | -U HOST | -C HOST | -H HOST [-c]\n       \
    [-t SECONDS] [-y SECONDS] [--tolerance SECONDS] [-f] [-q]\n\n  -L, --list-registered   fence devices\n  -I, --list-installed    \
    fence agents of this node\n  -l, --list HOST         devices that may fence HOST\n  -M, --metadata          of the agent -a\n  \
    -F, --fence; -B, --reboot; -U, --unfence HOST\n  -C, --confirm HOST      HOST is down: a person has seen to it (-f: though it is a member)\n  \
    -H, --history HOST      what was done to HOST, or to '*'; with -c forget it";

/// Runs with these words.
pub(crate) fn run(words: &[String]) -> Ends<Said> {
    let given = Given::read(PROGRAM, &[OPTIONS, COMMON], words)?;
    if given.has("help") {
        return Ok(Said::printed(HELP));
    }
    if given.xml()? {
        return Err(Said::failed(
            exit::USAGE,
            format!("{PROGRAM}: hacd offers no XML here; 'hacctl --json fence history'"),
        ));
    }
    let quiet = given.has("quiet");
    if given.has("list-registered") {
        return Ok(counted(devices(&cib()?, None), "fence device", quiet));
    }
    if let Some(host) = given.value("list") {
        let found = devices(&cib()?, Some(host));
        let code = if found.is_empty() { exit::NO_SUCH } else { exit::OK };
        return Ok(Said { code, ..counted(found, "fence device", quiet) });
    }
    if given.has("list-installed") {
        let answer: AgentList = client::get(PROGRAM, route::AGENTS, UNREACHABLE)?;
        let agents =
            answer.agents.into_iter().filter_map(|agent| agent.name.strip_prefix("stonith:").map(str::to_owned));
        return Ok(counted(agents.collect(), "fence agent", quiet));
    }
    if given.has("metadata") {
        return metadata(&given);
    }
    for (option, action) in [("fence", FenceAction::Off), ("reboot", FenceAction::Reboot), ("unfence", FenceAction::On)]
    {
        if let Some(host) = given.value(option) {
            return fence(&given, host, action);
        }
    }
    if let Some(host) = given.value("confirm") {
        let command =
            Command::ConfirmDown { node: host.to_owned(), client: PROGRAM.to_owned(), force: given.has("force") };
        facts::order(PROGRAM, command, true, UNREACHABLE)?;
        return Ok(Said::nothing());
    }
    if let Some(host) = given.value("history") {
        return history(&given, host);
    }
    Err(Said::failed(exit::USAGE, format!("{PROGRAM}: nothing to do; see --help")))
}

fn cib() -> Ends<Cib> {
    let answer: CibResponse = client::get(PROGRAM, route::CIB, UNREACHABLE)?;
    serde_json::from_value(answer.cib).map_err(|error| Said::failed(exit::ERROR, format!("{PROGRAM}: {error}")))
}

/// A list with its count, as Pacemaker prints it.
fn counted(found: Vec<String>, what: &str, quiet: bool) -> Said {
    let mut text: String = found.iter().map(|name| format!(" {name}\n")).collect();
    if !quiet {
        match found.len() {
            0 => text.push_str("No devices found\n"),
            1 => text.push_str(&format!("1 {what} found\n")),
            count => text.push_str(&format!("{count} {what}s found\n")),
        }
    }
    Said::printed(text)
}

/// Ids of the fence devices, or of those that may fence a node as far as their parameters tell.
fn devices(cib: &Cib, host: Option<&str>) -> Vec<String> {
    let all = primitives(&cib.configuration).into_iter().filter(|of| of.agent.is_fence_device());
    let fits = |of: &&Primitive| host.is_none_or(|host| FenceDevice::new(&of.plain_params()).may_reach(host));
    all.filter(fits).map(|of| of.id.clone()).collect()
}

fn metadata(given: &Given) -> Ends<Said> {
    let Some(agent) = given.value("agent") else {
        return Err(Said::failed(exit::USAGE, format!("{PROGRAM}: -M needs an agent: -a fence_...")));
    };
    let answer: AgentDetail = client::get(PROGRAM, &format!("{}?agent=stonith:{agent}", route::AGENTS), UNREACHABLE)?;
    Ok(Said::printed(answer.xml))
}

fn number(given: &Given, option: &str) -> Ends<Option<i64>> {
    let Some(text) = given.value(option) else { return Ok(None) };
    let read = text.trim_end_matches('s').parse();
    read.map(Some).map_err(|_| Said::failed(exit::USAGE, format!("{PROGRAM}: '{text}' is no number of seconds")))
}

/// How long is waited for the end of it, seconds.
fn patience(asked: Option<i64>) -> u64 {
    asked.and_then(|asked| u64::try_from(asked).ok()).unwrap_or(TIMEOUT).min(TIMEOUT_MAX)
}

/// Asks for it, and waits for what comes of it.
fn fence(given: &Given, host: &str, action: FenceAction) -> Ends<Said> {
    // All that was typed is read before anything is asked for: what makes no sense shoots nobody.
    let delay = number(given, "delay")?;
    let tolerance = number(given, "tolerance")?.unwrap_or(0);
    let limit = patience(number(given, "timeout")?);
    let before = cib()?.status.fencing;
    let command = Command::Fence {
        node: host.to_owned(),
        action: match action {
            FenceAction::Off => hac_api::FenceAction::Off,
            FenceAction::Reboot => hac_api::FenceAction::Reboot,
            FenceAction::On => hac_api::FenceAction::On,
        },
        client: PROGRAM.to_owned(),
        // Without -y (-1) there is no delay at all, whatever the devices say.
        delay_s: delay.and_then(|delay| u64::try_from(delay).ok()),
        tolerance_s: u64::try_from(tolerance).unwrap_or(0),
        device: None,
    };
    facts::order(PROGRAM, command, true, UNREACHABLE)?;
    let end = Instant::now() + Duration::from_secs(limit);
    loop {
        let fencing = cib()?.status.fencing;
        if let Some(done) = outcome(&fencing, host, action, before.last) {
            return done;
        }
        if Instant::now() >= end {
            return Err(Said::failed(
                exit::TIMEOUT,
                format!("{PROGRAM}: {host} is still being fenced after {limit} s"),
            ));
        }
        std::thread::sleep(LOOK);
    }
}

/// What came of the request that is newer than `before`, or was under way then; nothing yet.
fn outcome(fencing: &Requests, host: &str, action: FenceAction, before: u64) -> Option<Ends<Said>> {
    let is_this = |target: &str, what: FenceAction| target == host && what == action;
    if fencing.running.iter().any(|request| is_this(&request.wanted.target, request.wanted.action)) {
        return None;
    }
    let of = fencing.history.iter().rev().filter(|record| is_this(&record.target, record.action));
    let record = of.clone().find(|record| record.id > before).or_else(|| of.clone().next())?;
    Some(match &record.end {
        End::Succeeded => Ok(Said::nothing()),
        End::Failed { reason, nobody } => {
            let code = if *nobody { exit::NO_SUCH } else { exit::ERROR };
            Err(Said::failed(code, format!("{PROGRAM}: Fencing failed: {reason}")))
        }
    })
}

fn history(given: &Given, host: &str) -> Ends<Said> {
    let node = (host != "*").then(|| host.to_owned());
    if given.has("cleanup") {
        facts::order(PROGRAM, Command::ForgetFencing { node }, true, UNREACHABLE)?;
        return Ok(Said::nothing());
    }
    let cib = cib()?;
    let mut fencing = cib.status.fencing;
    if let Some(node) = node {
        let was = fencing.history.iter().map(|record| &record.target);
        let mut was = was.chain(fencing.running.iter().map(|request| &request.wanted.target));
        if !was.any(|target| *target == node) && !cib.configuration.nodes.iter().any(|known| known.uname == node) {
            let known: Vec<&str> = cib.configuration.nodes.iter().map(|known| known.uname.as_str()).collect();
            let err = format!("{PROGRAM}: Node \"{node}\" is not a cluster node; those are: {}", known.join(", "));
            return Err(Said::failed(exit::NO_SUCH, err));
        }
        fencing.running.retain(|request| request.wanted.target == node);
        fencing.history.retain(|record| record.target == node);
    }
    Ok(Said::printed(hac_pacemaker::fencing::text(&fencing, "")))
}

#[cfg(test)]
mod tests {
    use hac_model::fencing::Record;

    use super::*;

    #[test]
    fn patience_ends_whatever_was_asked_for() {
        for (asked, waited) in
            [(None, 120), (Some(-1), 120), (Some(0), 0), (Some(30), 30), (Some(i64::MAX), TIMEOUT_MAX)]
        {
            assert_eq!(patience(asked), waited, "{asked:?}");
        }
    }

    #[test]
    fn lists_are_counted_as_pacemaker_counts_them() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(counted(names(&["F"]), "fence device", false).out, " F\n1 fence device found\n");
        assert_eq!(counted(names(&["F", "G"]), "fence device", false).out, " F\n G\n2 fence devices found\n");
        assert_eq!(counted(names(&[]), "fence device", false).out, "No devices found\n");
        assert_eq!(counted(names(&["F"]), "fence device", true).out, " F\n");
    }

    #[test]
    fn the_outcome_is_that_of_the_newest_request_and_its_code_says_what_kind_of_failure() {
        let record = |id, end| Record {
            id,
            target: "n2".to_owned(),
            action: FenceAction::Off,
            client: PROGRAM.to_owned(),
            origin: "n1".to_owned(),
            delegate: None,
            completed: 0,
            end,
        };
        let failed = |nobody| End::Failed { reason: "why".to_owned(), nobody };
        let with = |history: Vec<Record>| Requests { history, ..Requests::default() };
        let code = |fencing: &Requests, before| {
            outcome(fencing, "n2", FenceAction::Off, before)
                .map(|end| end.map_or_else(|said| said.code, |said| said.code))
        };
        assert_eq!(code(&with(vec![]), 0), None);
        assert_eq!(code(&with(vec![record(1, failed(true)), record(2, End::Succeeded)]), 1), Some(exit::OK));
        assert_eq!(code(&with(vec![record(1, failed(true))]), 0), Some(exit::NO_SUCH));
        assert_eq!(code(&with(vec![record(1, failed(false))]), 0), Some(exit::ERROR));
        assert_eq!(outcome(&with(vec![record(1, failed(false))]), "n2", FenceAction::Reboot, 0), None);
    }
}
