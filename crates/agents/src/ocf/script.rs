//! OCF scripts, unchanged, as processes: found below `resource.d`, told everything by their environment.

mod said;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hac_model::{Agent, ExecStatus, FEATURE_SET, Invocation};

use super::PATH;
use crate::look::{self, Looks, lock};
use crate::runs::{Runs, Task, outcome};
use crate::{Exit, Finished, Missing, Options, Proof};
use said::{Said, Stamp};

/// Marks the reason of a failure on an agent's standard error.
const REASON_PREFIX: &str = "ocf-exit-reason:";

/// Directory for the scripts' own state; `ocf-shellfuncs` expects it.
const RUN: &str = "/run/resource-agents";

/// How long an agent may take to print its meta-data.
const METADATA_TIMEOUT: Duration = Duration::from_secs(5);

/// A script that is installed, and how its file was when it was found.
#[derive(Clone, Debug)]
pub(super) struct Script {
    pub(super) path: PathBuf,
    stamp: Option<Stamp>,
}

/// Finds and runs OCF scripts.
#[derive(Debug)]
pub(super) struct Scripts {
    root: PathBuf,
    node: String,
    node_id: u32,
    /// What is in the environment of every agent.
    common: BTreeMap<String, String>,
    looks: Arc<Looks>,
    runs: Arc<Runs>,
    said: Said,
    /// Sums of scripts, and how their files were.
    sums: Mutex<BTreeMap<PathBuf, (Stamp, u64)>>,
}

/// Where the script of `agent` is below `root`, if it is installed. Names that could lead elsewhere name nothing.
fn place(root: &Path, agent: &Agent) -> Option<PathBuf> {
    let provider = agent.provider.as_deref()?;
    let plain = |name: &str| !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\0']);
    if agent.class != "ocf" || !plain(provider) || !plain(&agent.kind) {
        return None;
    }
    Some(root.join("resource.d").join(provider).join(&agent.kind))
}

/// The script of `agent` below `root`, if it is installed.
fn path(root: &Path, agent: &Agent) -> Option<PathBuf> {
    place(root, agent).filter(|path| path.is_file())
}

/// All scripts below `root`.
fn all(root: &Path) -> Vec<(Agent, Option<PathBuf>)> {
    let names = |path: PathBuf| {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().into_string().ok()).filter(|name| !name.starts_with('.'))
    };
    let agent = |provider: &str, kind| Agent { class: "ocf".into(), provider: Some(provider.into()), kind };
    let folder = root.join("resource.d");
    names(folder.clone())
        .flat_map(|provider| names(folder.join(&provider)).map(|kind| agent(&provider, kind)).collect::<Vec<_>>())
        .filter_map(|agent| path(root, &agent).map(|path| (agent, Some(path))))
        .collect()
}

impl Scripts {
    /// Scripts are below `ocf_root`/resource.d.
    pub(super) fn new(options: &Options, looks: Arc<Looks>, runs: Arc<Runs>) -> Self {
        let (root, node) = (options.ocf_root.clone(), options.node.clone());
        let mut common = options.environment.clone();
        let mut put = |name: &str, value: String| common.insert(name.to_owned(), value);
        put("LC_ALL", "C".to_owned());
        put("OCF_ROOT", root.display().to_string());
        match &options.tools {
            Some(tools) => {
                put("PATH", format!("{}:{PATH}", tools.display()));
                put("HA_SBIN_DIR", tools.display().to_string());
            }
            None => {
                put("PATH", PATH.to_owned());
            }
        }
        Self {
            root,
            node,
            node_id: options.node_id,
            common,
            looks,
            runs,
            said: Said::default(),
            sums: Mutex::default(),
        }
    }

    /// The script of `agent`, if it is installed, and how its file is now; looked for in turn with what else is looked at for
    /// `key`.
    pub(super) async fn find(&self, agent: &Agent, key: &str) -> Option<Script> {
        let (root, agent) = (self.root.clone(), agent.clone());
        let what = format!("looking for the agent {agent} below {}", root.display());
        let work = move || {
            let path = path(&root, &agent)?;
            Some(Script { stamp: Stamp::of(&path), path })
        };
        self.looks.look(key, what, work).await.ok().flatten()
    }

    /// All scripts there are; none if their directory does not answer in time.
    pub(super) async fn installed(&self) -> Vec<(Agent, Option<PathBuf>)> {
        let root = self.root.clone();
        let listed = self.looks.look("agents", "listing all agents", move || all(&root));
        tokio::time::timeout(METADATA_TIMEOUT, listed).await.ok().and_then(Result::ok).unwrap_or_default()
    }

    /// What the script of `agent` prints for `meta-data`; `None` if it prints nothing. As long as its file stays as it is, the
    /// script is asked once.
    pub(super) async fn metadata(&self, agent: &Agent, script: Script) -> Option<String> {
        let name = agent.to_string();
        let entry = self.said.entry(&name);
        let mut entry = entry.lock().await;
        let Script { path, stamp } = script;
        if let Some((_, text)) = entry.as_ref().filter(|(of, _)| stamp.as_ref() == Some(of)) {
            return Some(text.clone());
        }
        let text = self.ask_metadata(name, path).await?;
        *entry = stamp.map(|stamp| (stamp, text.clone()));
        Some(text)
    }

    async fn ask_metadata(&self, name: String, program: PathBuf) -> Option<String> {
        let environment = self.common.clone();
        let action = "meta-data".to_owned();
        let arguments = vec![action.clone()];
        let task = Task {
            resource: name,
            arguments,
            action,
            program,
            environment,
            folder: Some(RUN),
            input: None,
            user: None,
        };
        let ran = tokio::time::timeout(METADATA_TIMEOUT, self.runs.run(&self.looks, task)).await.ok()?.ok()?;
        (ran.status.success() && !ran.stdout.is_empty()).then(|| String::from_utf8_lossy(&ran.stdout).into_owned())
    }

    /// Finds out whether the script could start what `invocation` describes: whether it can be run, says what it is, and if `deep`
    /// what its `validate-all` says, if it has one.
    pub(super) async fn prove(&self, invocation: &Invocation, script: Script, deep: bool) -> Proof {
        let agent = &invocation.agent;
        let path = script.path.clone();
        let looked = self.looks.look(&invocation.resource, format!("looking at {}", path.display()), move || {
            rustix::fs::access(&path, rustix::fs::Access::EXEC_OK).is_ok()
        });
        let remedy = "Install the package that has it anew on that node.";
        if !looked.await.unwrap_or(false) {
            let sentence = format!("the agent {} is not executable", script.path.display());
            return Proof::of([Missing::new("agent", sentence, remedy)]);
        }
        let Some(text) = self.metadata(agent, script.clone()).await else {
            let sentence = format!("the agent {} does not say what it is (meta-data)", script.path.display());
            return Proof::of([Missing::new("agent", sentence, remedy)]);
        };
        let release = self.release(&invocation.resource, &script, &text).await;
        let asked = deep && validates(&text);
        let missing = if asked { Missing::validated(self.run(invocation).await) } else { None };
        Proof { release: Some(release), deep: asked, ..Proof::of(missing) }
    }

    /// What tells a script from others of its name: the version that it gives, and the beginning of a sum of its text.
    async fn release(&self, key: &str, script: &Script, metadata: &str) -> String {
        let known = lock(&self.sums).get(&script.path).filter(|(of, _)| script.stamp.as_ref() == Some(of)).cloned();
        let sum = match known {
            Some((_, sum)) => sum,
            None => {
                let path = script.path.clone();
                let what = format!("reading {}", path.display());
                let text = self.looks.look(key, what, move || look::read(&path, SCRIPT_MAX).unwrap_or_default()).await;
                let sum = sum(text.unwrap_or_default().as_bytes());
                if let Some(stamp) = script.stamp.clone() {
                    lock(&self.sums).insert(script.path.clone(), (stamp, sum));
                }
                sum
            }
        };
        let short = sum >> 40;
        match version(metadata) {
            Some(version) => format!("{version}, {short:06x}"),
            None => format!("{short:06x}"),
        }
    }

    /// Runs one action.
    pub(super) async fn run(&self, invocation: &Invocation) -> Finished {
        let not_there = || {
            let reason = format!("there is no agent {} on this node", invocation.agent);
            Finished::failed(Exit::Installed, reason).with_status(ExecStatus::NotInstalled)
        };
        let Some(path) = place(&self.root, &invocation.agent) else { return not_there() };
        let task = Task {
            resource: invocation.resource.clone(),
            action: invocation.action.clone(),
            program: path.clone(),
            arguments: vec![invocation.action.clone()],
            environment: self.environment(invocation),
            folder: Some(RUN),
            input: None,
            user: None,
        };
        let ran = self.runs.run(&self.looks, task).await;
        outcome(ran, &path, not_there, |code, stderr| {
            let reason = exit_reason(stderr).filter(|_| code != 0);
            Finished { exit_reason: reason, ..Finished::code(code) }
        })
    }

    /// The environment of one action.
    fn environment(&self, invocation: &Invocation) -> BTreeMap<String, String> {
        let agent = &invocation.agent;
        let mut all = self.common.clone();
        let mut put = |name: &str, value: String| all.insert(name.to_owned(), value);
        put("OCF_RA_VERSION_MAJOR", "1".to_owned());
        put("OCF_RA_VERSION_MINOR", "1".to_owned());
        put("OCF_EXIT_REASON_PREFIX", REASON_PREFIX.to_owned());
        put("OCF_RESOURCE_INSTANCE", invocation.instance.clone());
        put("OCF_RESOURCE_TYPE", agent.kind.clone());
        put("OCF_RESOURCE_PROVIDER", agent.provider.clone().unwrap_or_default());
        for (name, value) in invocation.meta.iter().chain(&invocation.params).filter(|(name, _)| variable(name)) {
            put(&format!("OCF_RESKEY_{name}"), value.clone());
        }
        put("OCF_RESKEY_CRM_meta_timeout", invocation.timeout.as_millis().to_string());
        put("OCF_RESKEY_CRM_meta_interval", invocation.interval_ms.to_string());
        put("OCF_RESKEY_CRM_meta_name", invocation.action.clone());
        // The id of a node that has no daemon is its name.
        let own = invocation.node == self.node;
        let id = if own { self.node_id.to_string() } else { invocation.node.clone() };
        put("OCF_RESKEY_CRM_meta_on_node", invocation.node.clone());
        put("OCF_RESKEY_CRM_meta_on_node_uuid", id);
        if let Some(ends) = &invocation.migration {
            put("OCF_RESKEY_CRM_meta_migrate_source", ends.source.clone());
            put("OCF_RESKEY_CRM_meta_migrate_target", ends.target.clone());
        }
        put("OCF_RESKEY_crm_feature_set", FEATURE_SET.to_owned());
        let level =
            invocation.params.get("OCF_CHECK_LEVEL").or_else(|| invocation.meta.get("CRM_meta_OCF_CHECK_LEVEL"));
        if let Some(level) = level {
            put("OCF_CHECK_LEVEL", level.clone());
        }
        all
    }
}

/// Longest script of which a sum is made, bytes.
const SCRIPT_MAX: u64 = 1 << 20;

/// Longest version that is taken, bytes.
const VERSION_MAX: usize = 32;

/// Whether an agent's meta-data name the action.
fn validates(metadata: &str) -> bool {
    ["\"validate-all\"", "'validate-all'"].iter().any(|name| metadata.contains(name))
}

/// The version of an agent: that of its first tag.
fn version(metadata: &str) -> Option<&str> {
    let (tag, _) = metadata.split_once("<resource-agent")?.1.split_once('>')?;
    let rest = tag.split_once("version=")?.1;
    let quote = rest.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    let (version, _) = rest.get(1..)?.split_once(quote)?;
    let plain = version.len() <= VERSION_MAX && !version.is_empty() && version.chars().all(|c| c.is_ascii_graphic());
    plain.then_some(version)
}

/// A sum that tells texts apart which nobody made to have the same (FNV-1a).
fn sum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

/// Whether a name can be part of the name of a variable.
fn variable(name: &str) -> bool {
    !name.is_empty() && !name.contains(['=', '\0'])
}

/// The last reason on the agent's standard error, to the end of its line.
fn exit_reason(stderr: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(stderr);
    let (_, reason) = text.rsplit_once(REASON_PREFIX)?;
    let reason = reason.lines().next().unwrap_or("").trim();
    (!reason.is_empty()).then(|| reason.to_owned())
}

#[cfg(test)]
mod tests;
