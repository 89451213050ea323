//! The text of a golden plan's state.

use anyhow::{Context as _, bail, ensure};
use hac_crm::cib::Replicated as _;
use hac_model::{Cib, CibInfo, NodeState, NvPair, NvSet, TicketState};
use hac_pacemaker::crm_syntax;
use hac_pacemaker::simulate::Clock;

use super::history::Digests;
use super::{Golden, history};

/// When it is decided unless the file says.
const NOW: &str = "2026-01-01 12:00:00";

/// Reads what stands before the mark.
pub(super) fn golden(text: &str) -> anyhow::Result<Golden> {
    let mut state = State::default();
    let mut continued = false;
    for (number, line) in text.lines().enumerate() {
        let meant = if continued { state.configure(line) } else { state.line(line) };
        meant.with_context(|| format!("line {}: {line}", number + 1))?;
        // crm's objects may go on in the next line; so does the language that is not theirs.
        continued = !line.trim_start().starts_with('#') && line.ends_with('\\');
    }
    let (cib, unlike) = state.finish()?;
    Ok(Golden { cib, unlike, state: text.to_owned() })
}

/// A node as the file tells of it.
struct On<'a> {
    name: &'a str,
    words: Vec<&'a str>,
    history: Vec<&'a str>,
}

/// What was read so far.
#[derive(Default)]
struct State<'a> {
    /// Text in crm's language; other lines are blank in it.
    configuration: String,
    /// Members so far, for their ids.
    members: usize,
    now: Option<&'a str>,
    dc: Option<&'a str>,
    no_quorum: bool,
    unlike: Option<String>,
    tickets: Vec<TicketState>,
    on: Vec<On<'a>>,
}

impl<'a> State<'a> {
    fn line(&mut self, line: &'a str) -> anyhow::Result<()> {
        if line.starts_with("  ") {
            let on = self.on.last_mut().context("a history follows no node")?;
            on.history.push(line.trim());
            return Ok(());
        }
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "nodes" => {
                for name in rest.split_whitespace() {
                    self.members += 1;
                    self.configuration += &format!("node {}: {name}\n", self.members);
                }
                Ok(())
            }
            "now" => keep(&mut self.now, rest),
            "dc" => keep(&mut self.dc, rest),
            "no-quorum" => {
                self.no_quorum = true;
                Ok(())
            }
            "unlike" => {
                let why = rest.strip_prefix("Pacemaker: ").context("write 'unlike Pacemaker: WHY'")?;
                self.unlike = Some(why.to_owned());
                Ok(())
            }
            "ticket" => {
                self.tickets.push(ticket(rest)?);
                Ok(())
            }
            "on" => {
                let mut words = rest.split_whitespace();
                let name = words.next().context("which node?")?;
                self.on.push(On { name, words: words.collect(), history: Vec::new() });
                Ok(())
            }
            _ => self.configure(line),
        }
    }

    fn configure(&mut self, line: &str) -> anyhow::Result<()> {
        self.configuration += line;
        self.configuration.push('\n');
        Ok(())
    }

    fn finish(self) -> anyhow::Result<(Cib, Option<String>)> {
        let changes = crm_syntax::parse(&self.configuration).map_err(|error| anyhow::anyhow!("{error}"))?;
        let now = self.now.unwrap_or(NOW);
        let Some(Clock::Given(now, _)) = Clock::given(now) else { bail!("{now} is no time") };
        let info = CibInfo {
            have_quorum: !self.no_quorum,
            crm_feature_set: Some("3.16.1".into()),
            execution_date: Some(now.as_secs()),
            ..CibInfo::default()
        };
        let mut cib = Cib { info, ..Cib::default() }.with_unverified(&changes)?;
        if let Some(dc) = self.dc {
            let node = cib.configuration.nodes.iter().find(|node| node.uname == dc);
            cib.info.dc_uuid = Some(node.with_context(|| format!("the coordinator {dc} is no node"))?.id.clone());
        }
        cib.status.tickets = self.tickets;
        for node in &cib.configuration.nodes {
            if node.kind.as_deref().is_none_or(|kind| matches!(kind, "member" | "normal")) {
                cib.status.nodes.push(standing(&node.id, &node.uname, "up")?);
            }
        }
        let implied = history::implied_digests(&cib);
        cib.status.nodes.retain(|state| self.on.iter().all(|on| state.uname.as_deref() != Some(on.name)));
        for on in &self.on {
            let state = node_state(&cib, on, &implied).with_context(|| format!("on {}", on.name))?;
            cib.status.nodes.extend(state);
        }
        // Pacemaker's own entries stand in the order of the nodes.
        let place = |state: &NodeState| cib.configuration.nodes.iter().position(|node| node.id == state.id);
        let mut nodes = std::mem::take(&mut cib.status.nodes);
        nodes.sort_by_key(|state| place(state).unwrap_or(usize::MAX));
        cib.status.nodes = nodes;
        Ok((cib, self.unlike))
    }
}

fn keep<'a>(place: &mut Option<&'a str>, rest: &'a str) -> anyhow::Result<()> {
    ensure!(place.replace(rest).is_none(), "that was said before");
    Ok(())
}

fn ticket(rest: &str) -> anyhow::Result<TicketState> {
    let (id, state) = rest.split_once(' ').context("write 'ticket NAME granted|revoked|standby'")?;
    let standby = (state == "standby").then(|| "true".to_owned());
    ensure!(matches!(state, "granted" | "revoked" | "standby"), "{state} is no state of a ticket");
    Ok(TicketState {
        id: id.to_owned(),
        granted: Some((state != "revoked").to_string()),
        standby,
        ..TicketState::default()
    })
}

/// The entry of a node; none for one that was never seen.
fn node_state(cib: &Cib, on: &On<'_>, implied: &Digests) -> anyhow::Result<Option<NodeState>> {
    let (standing_words, attributes): (Vec<&str>, Vec<&str>) = on.words.iter().partition(|word| !word.contains('='));
    let word = match standing_words[..] {
        [] => "up",
        ["unseen"] => return Ok(None),
        [word] => word,
        _ => bail!("a node has one state"),
    };
    let node = cib.configuration.nodes.iter().find(|node| node.uname == on.name);
    let id = node.map_or(on.name, |node| &node.id);
    let mut state = standing(id, on.name, word)?;
    let pairs: Vec<NvPair> = attributes
        .iter()
        .filter_map(|word| word.split_once('='))
        .map(|(name, value)| NvPair {
            id: format!("status-{id}-{name}"),
            name: name.to_owned(),
            value: Some(value.to_owned()),
            ..NvPair::default()
        })
        .collect();
    if !pairs.is_empty() {
        state.attributes.push(NvSet { id: format!("status-{id}"), pairs, ..NvSet::default() });
    }
    let histories = history::read(cib, implied, on.name, &on.history)?;
    state.resources = histories.into_iter().map(hac_model::Shared::new).collect();
    Ok(Some(state))
}

/// The entry of a node that stands thus and knows nothing.
fn standing(id: &str, name: &str, word: &str) -> anyhow::Result<NodeState> {
    let (in_ccm, crmd, join, expected) = match word {
        "up" => ("true", "online", "member", "member"),
        "lost" => ("false", "offline", "down", "member"),
        "down" => ("false", "offline", "down", "down"),
        "pending" => ("true", "online", "pending", "down"),
        "banned" => ("true", "online", "banned", "down"),
        "remote" | "fenced-remote" | "maintained-remote" => {
            let (id, uname) = (id.to_owned(), Some(name.to_owned()));
            let node_fenced = (word == "fenced-remote").then(|| "1".to_owned());
            let in_maintenance = (word == "maintained-remote").then(|| "1".to_owned());
            return Ok(NodeState { id, uname, remote_node: true, node_fenced, in_maintenance, ..NodeState::default() });
        }
        _ => bail!("{word} is no state of a node"),
    };
    Ok(NodeState {
        id: id.to_owned(),
        uname: Some(name.to_owned()),
        in_ccm: Some(in_ccm.to_owned()),
        crmd: Some(crmd.to_owned()),
        join: Some(join.to_owned()),
        expected: Some(expected.to_owned()),
        ..NodeState::default()
    })
}
