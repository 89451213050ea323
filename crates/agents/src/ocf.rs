//! The OCF standard: scripts below `resource.d`, and agents of the same interface that are inside.
//!
//! | way | module |
//! |---|---|
//! | scripts, unchanged, as processes | [`script`] |
//! | `ocf:digitalocean:floatip`, inside | [`floatip`] |
//! | `ocf:heartbeat:nginx`, inside | [`nginx`] |

mod floatip;

pub use floatip::{AddressAction, AddressActions};
mod nginx;
mod script;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use hac_model::{Agent, Invocation, ProcessRef};

use crate::cloud::Cloud;
use crate::look::Looks;
use crate::runs::Runs;
use crate::{Depth, Doing, Finished, Implementation, Listed, Missing, Options, Proof, Standard, watch};
use script::Scripts;

/// Where agents look for programs.
pub(crate) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Parameters that name a pid file, whatever the agent.
const PID_FILE_PARAMETERS: &[&str] = &["pidfile", "pid_file", "pid"];

/// An OCF agent that is inside.
trait Native: std::fmt::Debug + Send + Sync {
    /// Its name, `ocf:PROVIDER:TYPE`.
    fn name(&self) -> &'static str;

    /// What it says of itself, XML.
    fn metadata(&self) -> &'static str;

    /// Runs one action to its end; see [`Standard::run`].
    fn run<'a>(&'a self, invocation: &'a Invocation) -> Doing<'a, Finished>;

    /// Whether its resources need files that another resource may bring.
    fn needs_files(&self) -> bool {
        false
    }

    /// What keeps a resource from being started here; see [`Standard::prove`].
    fn prove<'a>(&'a self, invocation: &'a Invocation) -> Doing<'a, Vec<Missing>>;

    /// Whether all nodes of the cluster are members; see [`Standard::members`].
    fn members(&self, whole: bool) {
        let _ = whole;
    }

    /// The pid file of a resource with these parameters, if that is known without being told. Called on a thread that
    /// may wait for files.
    fn pid_file(&self, params: &BTreeMap<String, String>) -> Option<PathBuf> {
        let _ = params;
        None
    }
}

/// The standard.
#[derive(Debug)]
pub(crate) struct Ocf {
    options: Options,
    scripts: Arc<Scripts>,
    natives: Vec<Arc<dyn Native>>,
    looks: Arc<Looks>,
}

impl Ocf {
    pub(crate) fn new(options: Options, cloud: Arc<Cloud>, looks: Arc<Looks>, runs: Arc<Runs>) -> Self {
        let scripts = Arc::new(Scripts::new(&options, Arc::clone(&looks), Arc::clone(&runs)));
        let natives: Vec<Arc<dyn Native>> =
            vec![Arc::new(floatip::FloatIp::new(cloud)), Arc::new(nginx::Nginx::new(Arc::clone(&looks), runs))];
        Self { options, scripts, natives, looks }
    }

    fn native(&self, agent: &Agent) -> Option<&Arc<dyn Native>> {
        let name = agent.to_string();
        self.natives.iter().find(|native| native.name() == name)
    }

    /// Whether the one inside is wanted where there is a script as well.
    fn prefers_native(&self, name: &str) -> bool {
        let named = |list: &[String]| list.iter().any(|other| other == name);
        !named(&self.options.script) && (named(&self.options.native) || !self.options.prefer_script)
    }

    /// The agent inside that serves `agent`, if that is what shall be used. A script that is preferred and not there
    /// must not take the service down.
    fn implementation(&self, agent: &Agent, script: Option<&PathBuf>) -> Option<&Arc<dyn Native>> {
        self.native(agent).filter(|native| self.prefers_native(native.name()) || script.is_none())
    }

    fn listed(&self, agent: Agent, script: Option<PathBuf>) -> Listed {
        let native = self.native(&agent).is_some();
        let inside = self.implementation(&agent, script.as_ref()).is_some();
        let implementation = if inside { Implementation::Native } else { Implementation::Script };
        Listed { agent, implementation, script, native }
    }

    async fn all(&self) -> Vec<Listed> {
        let mut found = self.scripts.installed().await;
        for native in &self.natives {
            let Ok(agent) = native.name().parse::<Agent>() else { continue };
            if !found.iter().any(|(other, _)| *other == agent) {
                found.push((agent, None));
            }
        }
        found.into_iter().map(|(agent, path)| self.listed(agent, path)).collect()
    }

    async fn description(&self, agent: &Agent) -> Option<(Listed, String)> {
        let script = self.scripts.find(agent, &agent.to_string()).await;
        let path = script.as_ref().map(|script| script.path.clone());
        let xml = match self.implementation(agent, path.as_ref()) {
            Some(native) => native.metadata().to_owned(),
            None => self.scripts.metadata(agent, script?).await?,
        };
        Some((self.listed(agent.clone(), path), xml))
    }

    async fn act(&self, invocation: &Invocation) -> Finished {
        let Some(native) = self.native(&invocation.agent) else { return self.scripts.run(invocation).await };
        if !self.prefers_native(native.name())
            && self.scripts.find(&invocation.agent, &invocation.resource).await.is_some()
        {
            return self.scripts.run(invocation).await;
        }
        native.run(invocation).await
    }

    async fn proof(&self, invocation: &Invocation, depth: Depth) -> Proof {
        let agent = &invocation.agent;
        let script = self.scripts.find(agent, &invocation.resource).await;
        if let Some(native) = self.implementation(agent, script.as_ref().map(|script| &script.path)) {
            if depth == Depth::Shallow && native.needs_files() {
                return Proof::default();
            }
            return Proof { missing: native.prove(invocation).await, release: None, deep: true };
        }
        let Some(script) = script else { return Proof::of([Missing::agent(agent)]) };
        self.scripts.prove(invocation, script, depth == Depth::Deep).await
    }

    /// The process that the pid file names: that of the parameters, or else the one that the agent inside knows of.
    async fn behind(&self, invocation: &Invocation) -> Vec<ProcessRef> {
        let named = PID_FILE_PARAMETERS.iter().find_map(|name| invocation.params.get(*name)).map(PathBuf::from);
        let native = self.native(&invocation.agent).cloned();
        if named.is_none() && native.is_none() {
            return Vec::new();
        }
        let params = invocation.params.clone();
        let work = move || {
            let file = named.or_else(|| native?.pid_file(&params))?;
            watch::from_file(&file)
        };
        // A turn of its own: a pid file that hangs costs the watching and no action.
        let key = format!("{} (pid file)", invocation.resource);
        self.looks.look(&key, "reading the pid file", work).await.ok().flatten().into_iter().collect()
    }
}

impl Standard for Ocf {
    fn list(&self) -> Doing<'_, Vec<Listed>> {
        Box::pin(self.all())
    }

    fn describe<'a>(&'a self, agent: &'a Agent) -> Doing<'a, Option<(Listed, String)>> {
        Box::pin(self.description(agent))
    }

    fn run<'a>(&'a self, invocation: &'a Invocation) -> Doing<'a, Finished> {
        Box::pin(self.act(invocation))
    }

    fn prove<'a>(&'a self, invocation: &'a Invocation, depth: Depth) -> Doing<'a, Proof> {
        Box::pin(self.proof(invocation, depth))
    }

    fn processes<'a>(&'a self, invocation: &'a Invocation) -> Doing<'a, Vec<ProcessRef>> {
        Box::pin(self.behind(invocation))
    }
    fn members(&self, whole: bool) {
        self.natives.iter().for_each(|native| native.members(whole));
    }
}
