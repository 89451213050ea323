//! Scripts of `/etc/init.d` (class `lsb`), and `service`, which is one of them or a unit of systemd.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hac_model::{Agent, ExecStatus, Invocation, OcfCode, ProcessRef};

use crate::look::Looks;
use crate::runs::{Runs, Task, outcome};
use crate::systemd::Systemd;
use crate::{Depth, Doing, Exit, Finished, Implementation, Listed, Missing, Options, Proof, Standard};

/// Where the scripts are.
const FOLDER: &str = "/etc/init.d";

/// The actions of a script and their limits as Pacemaker advertises them, seconds.
const ACTIONS: &[(&str, u32)] =
    &[("start", 15), ("stop", 15), ("status", 15), ("restart", 15), ("force-reload", 15), ("monitor", 15)];

/// Most of a script that is read for its description, bytes.
const HEAD_MAX: u64 = 16 << 10;

/// Scripts of init.
#[derive(Debug)]
pub(crate) struct Lsb {
    folder: PathBuf,
    environment: BTreeMap<String, String>,
    looks: Arc<Looks>,
    runs: Arc<Runs>,
}

impl Lsb {
    pub(crate) fn new(options: &Options, looks: Arc<Looks>, runs: Arc<Runs>) -> Self {
        Self::in_folder(PathBuf::from(FOLDER), options, looks, runs)
    }

    fn in_folder(folder: PathBuf, options: &Options, looks: Arc<Looks>, runs: Arc<Runs>) -> Self {
        let mut environment = options.environment.clone();
        environment.insert("LC_ALL".to_owned(), "C".to_owned());
        environment.insert("PATH".to_owned(), crate::ocf::PATH.to_owned());
        Self { folder, environment, looks, runs }
    }

    /// Whether there is a script of this name.
    async fn has(&self, kind: &str) -> bool {
        let path = self.folder.join(kind);
        let looked = self.looks.look(kind, format!("looking for {}", path.display()), move || path.is_file());
        looked.await.unwrap_or(false)
    }

    async fn act(&self, invocation: &Invocation) -> Finished {
        let path = self.folder.join(&invocation.agent.kind);
        let action = match invocation.action.as_str() {
            "monitor" => "status",
            "start" | "stop" | "status" | "restart" | "force-reload" => invocation.action.as_str(),
            "validate-all" if self.has(&invocation.agent.kind).await => return Finished::with(Exit::Success),
            "validate-all" => return not_there(&path),
            _ => return Finished::with(Exit::Unimplemented),
        };
        let task = Task {
            resource: invocation.resource.clone(),
            action: invocation.action.clone(),
            program: path.clone(),
            arguments: vec![action.to_owned()],
            environment: self.environment.clone(),
            folder: None,
            input: None,
            user: None,
        };
        let ran = self.runs.run(&self.looks, task).await;
        outcome(ran, &path, || not_there(&path), |code, _| Finished::code(ocf_code(action, code)))
    }

    async fn installed(&self, class: &'static str) -> Vec<Listed> {
        let folder = self.folder.clone();
        let work = move || {
            let entries = fs::read_dir(folder).into_iter().flatten().flatten();
            let files = entries.filter(|entry| entry.path().is_file() && executable(&entry.path()));
            files.filter_map(|entry| entry.file_name().into_string().ok()).collect::<Vec<_>>()
        };
        let names = self.looks.look("agents", "listing the scripts of init", work).await.unwrap_or_default();
        names.into_iter().map(|kind| self.listed(class, kind)).collect()
    }

    fn listed(&self, class: &str, kind: String) -> Listed {
        let script = Some(self.folder.join(&kind));
        let agent = Agent { class: class.to_owned(), provider: None, kind };
        Listed { agent, implementation: Implementation::Script, script, native: false }
    }

    async fn description(&self, agent: &Agent) -> Option<(Listed, String)> {
        let path = self.folder.join(&agent.kind);
        let what = format!("reading {}", path.display());
        let head = self.looks.look(&agent.kind, what, move || crate::look::read(&path, HEAD_MAX).ok()).await.ok()??;
        let described = short_description(&head).unwrap_or_else(|| format!("the script {} of init", agent.kind));
        let xml = crate::metadata::without_parameters(&agent.kind, &described, ACTIONS);
        Some((self.listed(&agent.class, agent.kind.clone()), xml))
    }
}

/// OCF's code for what a script of init gave (LSB core, 22.2).
fn ocf_code(action: &str, code: i32) -> i32 {
    match (action, code) {
        ("status", 1..=3) => OcfCode::NOT_RUNNING.0,
        ("status", 150) => OcfCode::NOT_INSTALLED.0,
        ("status", 151) => OcfCode::INSUFFICIENT_PRIV.0,
        ("status", 0) => OcfCode::OK.0,
        ("status", _) => OcfCode::ERROR.0,
        (_, 0..=7) => code,
        _ => OcfCode::ERROR.0,
    }
}

/// `Short-Description:` of the block that LSB wants at a script's beginning.
fn short_description(head: &str) -> Option<String> {
    let (_, block) = head.split_once("### BEGIN INIT INFO")?;
    let (block, _) = block.split_once("### END INIT INFO")?;
    let line = block.lines().find_map(|line| line.trim_start_matches('#').trim().strip_prefix("Short-Description:"))?;
    Some(line.trim().to_owned()).filter(|text| !text.is_empty())
}

fn executable(path: &Path) -> bool {
    rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
}

fn not_there(path: &Path) -> Finished {
    let reason = format!("there is no {} on this node", path.display());
    Finished::failed(Exit::Installed, reason).with_status(ExecStatus::NotInstalled)
}

impl Standard for Lsb {
    fn list(&self) -> Doing<'_, Vec<Listed>> {
        Box::pin(self.installed("lsb"))
    }

    fn describe<'a>(&'a self, agent: &'a Agent) -> Doing<'a, Option<(Listed, String)>> {
        Box::pin(self.description(agent))
    }

    fn run<'a>(&'a self, invocation: &'a Invocation) -> Doing<'a, Finished> {
        Box::pin(self.act(invocation))
    }

    fn prove<'a>(&'a self, invocation: &'a Invocation, _: Depth) -> Doing<'a, Proof> {
        Box::pin(async { Proof::of(Missing::validated(self.act(invocation).await)) })
    }

    fn processes<'a>(&'a self, _: &'a Invocation) -> Doing<'a, Vec<ProcessRef>> {
        // A script of init does not say which processes it has started.
        Box::pin(async { Vec::new() })
    }
}

/// `service:NAME`: the script of init if there is one, else the unit of systemd. Chosen anew for each action, so that a script
/// that is installed later counts.
#[derive(Debug)]
pub(crate) struct Service {
    lsb: Arc<Lsb>,
    systemd: Arc<Systemd>,
}

impl Service {
    pub(crate) fn new(lsb: Arc<Lsb>, systemd: Arc<Systemd>) -> Self {
        Self { lsb, systemd }
    }

    async fn chosen(&self, kind: &str) -> &dyn Standard {
        if self.lsb.has(kind).await { &*self.lsb } else { &*self.systemd }
    }
}

impl Standard for Service {
    fn list(&self) -> Doing<'_, Vec<Listed>> {
        Box::pin(async {
            let mut all = self.lsb.installed("service").await;
            for mut unit in self.systemd.list().await {
                "service".clone_into(&mut unit.agent.class);
                if !all.iter().any(|script| script.agent == unit.agent) {
                    all.push(unit);
                }
            }
            all
        })
    }

    fn describe<'a>(&'a self, agent: &'a Agent) -> Doing<'a, Option<(Listed, String)>> {
        Box::pin(async move {
            let (mut listed, xml) = self.chosen(&agent.kind).await.describe(agent).await?;
            listed.agent = agent.clone();
            Some((listed, xml))
        })
    }

    fn run<'a>(&'a self, invocation: &'a Invocation) -> Doing<'a, Finished> {
        Box::pin(async move { self.chosen(&invocation.agent.kind).await.run(invocation).await })
    }

    fn prove<'a>(&'a self, invocation: &'a Invocation, depth: Depth) -> Doing<'a, Proof> {
        Box::pin(async move { self.chosen(&invocation.agent.kind).await.prove(invocation, depth).await })
    }

    fn processes<'a>(&'a self, invocation: &'a Invocation) -> Doing<'a, Vec<ProcessRef>> {
        Box::pin(async move { self.chosen(&invocation.agent.kind).await.processes(invocation).await })
    }
}

#[cfg(test)]
mod tests;
