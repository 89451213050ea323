//! All agents that are installed, one after the other: is their meta-data read, and do they start, move and stop under `hacd`?

mod recipes;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

pub use recipes::{Recipe, Shape, reason, recipe};

use crate::bench::pause;
use crate::run::wait_for;
use crate::{Agents, Cluster, Error, Host, Plan, Tools};

/// Folder of the agents.
const FOLDER: &str = "/usr/lib/ocf/resource.d";
/// How long one step of one agent may take.
const LIMIT: Duration = Duration::from_secs(90);

/// All agents that are installed, as `PROVIDER:TYPE`, sorted.
pub fn installed() -> Vec<String> {
    let mut all = Vec::new();
    for provider in fs::read_dir(FOLDER).into_iter().flatten().flatten() {
        for agent in fs::read_dir(provider.path()).into_iter().flatten().flatten() {
            let (provider, agent) = (provider.file_name(), agent.file_name());
            let (provider, agent) = (provider.to_string_lossy(), agent.to_string_lossy());
            if !provider.starts_with('.') && !agent.starts_with('.') {
                all.push(format!("{provider}:{agent}"));
            }
        }
    }
    all.sort_unstable();
    all
}

/// Two hosts that are online, without resources.
fn begin(tools: &Tools) -> Result<Cluster, Error> {
    let cluster = Cluster::new(tools, 2, Agents::Packaged, "prefer = \"script\"\n")?;
    cluster.start_all()?;
    cluster.wait_status(1, "both hosts are online", LIMIT, |status| status.online.len() == 2)?;
    cluster.hacctl(1, &["configure", "property", "stonith-enabled=false", "no-quorum-policy=ignore"])?;
    Ok(cluster)
}

/// Goes through all agents (or those whose name contains `only`) on two hosts and prints a table in Markdown.
///
/// # Errors
/// When the lab cannot be built. What an agent does wrong is in the table.
pub fn table(tools: &Tools, only: &str, out: &mut dyn Write) -> Result<(), Error> {
    let mut cluster = begin(tools)?;
    let failed = Error::system("cannot write");
    let mut say = |line: &str| writeln!(out, "{line}");
    say("| agent | meta-data | starts, is watched | moves | stops | remark |\n|---|---|---|---|---|---|")
        .map_err(failed)?;
    for agent in installed().into_iter().filter(|agent| agent.contains(only)) {
        let read = cluster.try_hacctl(1, &["ra", "info", &format!("ocf:{agent}")])?.status.success();
        let read = if read { "read" } else { "NOT READ" };
        let line = match recipe(&agent) {
            Some(recipe) if Path::new(recipe.needs).exists() => {
                let trial = Trial { cluster: &cluster, agent: &agent, recipe, name: "trial".to_owned() };
                let (steps, trouble) = trial.run();
                // What it left behind, on disks and as processes, is not the next one's.
                drop(cluster);
                cluster = begin(tools)?;
                let step = |index| if index < steps { "yes" } else { "-" };
                let remark = trouble.unwrap_or_else(|| recipe.shape.remark().to_owned());
                format!("| `{agent}` | {read} | {} | {} | {} | {remark} |", step(0), step(1), step(2))
            }
            Some(recipe) => format!("| `{agent}` | {read} | | | | {} is missing here |", recipe.needs),
            None => format!("| `{agent}` | {read} | | | | {} |", reason(&agent)),
        };
        say(&line).map_err(Error::system("cannot write"))?;
    }
    Ok(())
}

/// One agent that is tried.
struct Trial<'a> {
    cluster: &'a Cluster,
    agent: &'a str,
    recipe: Recipe,
    /// The resource's.
    name: String,
}

impl Trial<'_> {
    /// What is started and stopped: the resource, or its clone.
    fn id(&self) -> String {
        match self.recipe.shape {
            Shape::Single => self.name.clone(),
            Shape::Promotable | Shape::Chosen | Shape::Everywhere | Shape::EverywherePromoted => {
                format!("{}-clone", self.name)
            }
        }
    }

    /// How many of the three steps were done, and what went wrong with the next one.
    fn run(&self) -> (usize, Option<String>) {
        let mut done = 0;
        let trouble = self.steps(&mut done).err().map(|error| {
            let failed = self.failed();
            let text = if failed.is_empty() { error.to_string() } else { failed };
            // Without the time, so that the same trouble is the same text.
            let text = text.split(" at ").next().unwrap_or_default().lines().next().unwrap_or_default().to_owned();
            text.replace('|', "/").replace(&self.name, "it").chars().take(200).collect()
        });
        let id = self.id();
        for words in [
            vec!["-y", "--wait", "--timeout", "30", "resource", "stop", &id],
            vec!["resource", "cleanup", &id],
            vec!["-y", "-F", "configure", "delete", &id],
            vec!["-y", "-F", "configure", "delete", &self.name],
        ] {
            let _ = self.cluster.try_hacctl(1, &words); // may be gone
        }
        (done, trouble)
    }

    fn steps(&self, done: &mut usize) -> Result<(), Error> {
        for host in self.cluster.lab().hosts() {
            host.shell(self.recipe.before)?;
        }
        let id = self.id();
        let first = self.cluster.host(1);
        first.write("/etc/hacd/tried.crm", &self.lines())?;
        first.exec(&["hacctl", "-F", "configure", "load", "update", "/etc/hacd/tried.crm"])?;
        match self.recipe.shape {
            Shape::Single | Shape::Promotable => {
                let place = self.placed(None)?;
                self.watched(place)?;
                *done = 1;
                let other = self.cluster.other(place)?;
                self.cluster.hacctl(1, &["--wait", "--timeout", "90", "resource", "move", &id, Plan::name(other)])?;
                self.placed(Some(other))?;
                self.watched(other)?;
                if self.recipe.shape == Shape::Single {
                    self.proven(self.cluster.host(place), false)?;
                }
            }
            Shape::Chosen => {
                let place = self.placed(None)?;
                self.watched(place)?;
                *done = 1;
                let other = self.cluster.other(place)?;
                self.while_away(place, || {
                    self.placed(Some(other))?;
                    self.proven(self.cluster.host(place), false)
                })?;
                self.placed(Some(other))?;
                self.cluster.lab().hosts().iter().try_for_each(|host| self.watched(host.number()))?;
            }
            Shape::Everywhere | Shape::EverywherePromoted => self.leaves_and_returns(done)?,
        }
        *done = 2;
        self.cluster.hacctl(1, &["-y", "--wait", "--timeout", "90", "resource", "stop", &id])?;
        for host in self.cluster.lab().hosts() {
            self.proven(host, false)?;
        }
        self.nothing_failed()?;
        *done = 3;
        Ok(())
    }

    /// Looks while a host is on standby, which it is not any more afterwards.
    fn while_away(&self, host: usize, look: impl FnOnce() -> Result<(), Error>) -> Result<(), Error> {
        let node = |word| ["--wait", "--timeout", "90", "node", word, Plan::name(host)];
        self.cluster.hacctl(1, &node("standby"))?;
        let seen = look();
        self.cluster.hacctl(1, &node("online"))?;
        seen
    }

    /// One that runs on all hosts starts, leaves a host that is on standby, goes on elsewhere, and comes back.
    fn leaves_and_returns(&self, done: &mut usize) -> Result<(), Error> {
        let everywhere = [1, 2];
        self.runs_on(&everywhere)?;
        everywhere.iter().try_for_each(|&host| self.watched(host))?;
        *done = 1;
        let (stays, leaves) = (1, 2);
        self.while_away(leaves, || {
            self.runs_on(&[stays])?;
            self.proven(self.cluster.host(leaves), false)?;
            self.watched(stays)
        })?;
        self.runs_on(&everywhere)?;
        everywhere.iter().try_for_each(|&host| self.watched(host))
    }

    /// Waits until it runs (is promoted, if it is promotable) on these hosts and no other.
    fn runs_on(&self, hosts: &[usize]) -> Result<(), Error> {
        let wanted = hosts.iter().map(|&host| Plan::name(host).to_owned()).collect();
        let reached = wait_for(&format!("it runs on {wanted:?}"), LIMIT, || {
            let status = self.cluster.status(1)?;
            let roles = if self.recipe.shape == Shape::EverywherePromoted { &status.promoted } else { &status.clones };
            let right = roles.get(&self.id()) == Some(&wanted) && self.cluster.is_settled(1);
            // One that failed and is settled gets no better.
            let lost = !right && !self.failed().is_empty() && self.cluster.is_settled(1);
            (right || lost).then_some(right)
        })?;
        if reached { Ok(()) } else { Err(Error::Invalid("it does not run".to_owned())) }
    }

    /// What an administrator would give `crm configure`.
    fn lines(&self) -> String {
        let (name, agent) = (&self.name, self.agent);
        let params =
            if self.recipe.params.is_empty() { String::new() } else { format!(" params {}", self.recipe.params) };
        let primitive = format!(
            "primitive {name} ocf:{agent}{params} op start timeout=60s op stop timeout=60s op monitor interval=5s timeout=60s"
        );
        let promoted = "op monitor interval=6s role=Master timeout=60s op promote timeout=60s op demote timeout=60s";
        match self.recipe.shape {
            Shape::Single => format!("{primitive}\n"),
            Shape::Promotable | Shape::Chosen => {
                format!("{primitive} {promoted}\nclone {name}-clone {name} meta promotable=true notify=true\n")
            }
            Shape::Everywhere => {
                format!("{primitive}\nclone {name}-clone {name} meta notify=true interleave=true\n")
            }
            Shape::EverywherePromoted => format!(
                "{primitive} {promoted}\n\
                 clone {name}-clone {name} meta promotable=true promoted-max=2 notify=true interleave=true\n"
            ),
        }
    }

    /// Waits until it runs (its promoted instance, if it has one) on a host, which may be a certain one.
    fn placed(&self, wanted: Option<usize>) -> Result<usize, Error> {
        let end = std::time::Instant::now() + LIMIT;
        wait_for("it runs", LIMIT, || {
            let status = self.cluster.status(1)?;
            let name = if matches!(self.recipe.shape, Shape::Promotable | Shape::Chosen) {
                status.promoted.get(&self.id()).and_then(|names| names.first()).cloned()
            } else {
                status.place(&self.name).map(str::to_owned)
            };
            let place = name.and_then(|name| self.cluster.lab().plan().number(&name));
            let right =
                place.filter(|place| wanted.is_none_or(|wanted| wanted == *place) && self.cluster.is_settled(1));
            // One that failed and is settled gets no better.
            let lost = right.is_none() && !self.failed().is_empty() && self.cluster.is_settled(1);
            (right.is_some() || lost || std::time::Instant::now() > end).then_some(right)
        })?
        .ok_or_else(|| Error::Invalid("it does not run".to_owned()))
    }

    /// It is there, and still after some monitors, of which none failed.
    fn watched(&self, place: usize) -> Result<(), Error> {
        self.proven(self.cluster.host(place), true)?;
        pause(Duration::from_secs(6)); // longer than the interval: a monitor passes
        self.nothing_failed()
    }

    /// The failed actions of this agent.
    fn failed(&self) -> String {
        let failed = self.cluster.status(1).map(|status| status.failed).unwrap_or_default();
        let of = format!("{} ", self.name);
        failed.into_iter().filter(|line| line.starts_with(&of)).collect::<Vec<_>>().join("; ")
    }

    fn nothing_failed(&self) -> Result<(), Error> {
        let failed = self.failed();
        if failed.is_empty() { Ok(()) } else { Err(Error::Invalid(failed)) }
    }

    /// What only a running instance leaves on its host is there, or is not.
    fn proven(&self, host: &Host, there: bool) -> Result<(), Error> {
        let proof = self.recipe.proof;
        if proof.is_empty() {
            return Ok(());
        }
        let what = if there { "it is there" } else { "nothing is left of it" };
        wait_for(&format!("{what} ({}: {proof})", host.name()), Duration::from_secs(10), || {
            let found = host.output_of(&["sh", "-c", proof]).ok()?.status.success();
            (found == there).then_some(())
        })
    }
}
