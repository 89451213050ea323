//! Completion: in the shell, and for the scripts that `hacctl completion` prints.

use std::time::Duration;

use hac_api::AgentDetail;
use rustyline::completion::{Completer, Pair};
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{Context, Result};

use crate::client::Client;
use crate::grammar::{Candidate, Known, Level, candidates};
use crate::script::Session;

/// How long a completion may ask.
const PATIENCE: Duration = Duration::from_millis(1500);

/// What the line editor asks.
pub(super) struct Helper {
    pub(super) level: Option<&'static Level>,
    pub(super) known: Known,
    pub(super) client: Client,
}

/// What there is now that words can name. Without a daemon that is nothing.
pub(super) async fn known(session: &Session) -> Known {
    let mut known = match session.context.cib(false).await {
        Ok(cib) => Known::of(&cib.configuration),
        Err(_) => Known::default(),
    };
    known.commands = commands();
    if let Ok(list) = session.context.client.agents().await {
        known.agents = list.agents.into_iter().map(|agent| agent.name).collect();
    }
    known
}

/// Commands that are in no level.
pub(crate) fn commands() -> Vec<(String, String)> {
    use clap::CommandFactory as _;
    let command = crate::args::Arguments::command();
    let shown = command.get_subcommands().filter(|sub| !sub.is_hide_set());
    shown
        .map(|sub| (sub.get_name().to_owned(), sub.get_about().map(ToString::to_string).unwrap_or_default()))
        .chain([
            ("help".to_owned(), "What the words mean".to_owned()),
            ("quit".to_owned(), "Leave the shell".to_owned()),
        ])
        .collect()
}

/// The agent that a line is about: named in it, or that of the resource named in it.
pub(crate) fn agent_in(words: &[String], configuration: &hac_model::Configuration) -> Option<String> {
    let at = words.iter().position(|word| matches!(word.as_str(), "primitive" | "rsc_template"));
    if let Some(name) = at.and_then(|at| words.get(at + 2)) {
        return name.parse::<hac_model::Agent>().ok().map(|agent| agent.to_string());
    }
    let word = |id: &str| words.iter().any(|word| word == id);
    fn of(resource: &hac_model::Resource, word: &impl Fn(&str) -> bool) -> Option<String> {
        match resource {
            hac_model::Resource::Primitive(p) => word(&p.id).then(|| p.agent.to_string()),
            hac_model::Resource::Group(g) => g.members.iter().find(|p| word(&p.id)).map(|p| p.agent.to_string()),
            hac_model::Resource::Clone(c) => of(&c.child, word),
            hac_model::Resource::Template(_) | hac_model::Resource::Bundle(_) => None,
        }
    }
    configuration.resources.iter().find_map(|resource| of(resource, &word))
}

/// Adds what an agent has.
pub(crate) fn of_agent(known: &mut Known, detail: AgentDetail) {
    known.parameters = detail
        .parameters
        .into_iter()
        .map(|parameter| {
            let star = if parameter.required { "(required) " } else { "" };
            let line = parameter.shortdesc.split_whitespace().collect::<Vec<_>>().join(" ");
            (parameter.name, format!("{star}{line}"))
        })
        .collect();
    known.operations = detail.actions.into_iter().map(|action| action.name).collect();
}

/// The words before the one that is being written, and that one.
pub(crate) fn split(line: &str) -> (Vec<String>, &str) {
    let start = line.rfind(char::is_whitespace).map_or(0, |at| at + 1);
    let before = line.get(..start).unwrap_or_default();
    let words = before.split_whitespace().filter(|word| *word != "\\").map(str::to_owned).collect();
    (words, line.get(start..).unwrap_or_default())
}

impl Helper {
    /// Asks the daemon for the parameters of the agent in the line, without holding the shell up for long.
    fn with_agent(&self, words: &[String]) -> Known {
        let mut known = self.known.clone();
        let client = self.client.clone();
        let words = words.to_vec();
        // The line editor knows no async: a thread of its own asks.
        let asked = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
            let look = async {
                let client = client.anew().ok()?;
                let configuration = client.cib(false).await.ok()?.configuration;
                let agent = agent_in(&words, &configuration)?;
                client.agent(&agent).await.ok()
            };
            // The clock of the limit is the runtime's, so that it begins inside.
            runtime.block_on(async { tokio::time::timeout(PATIENCE, look).await.ok()? })
        });
        if let Ok(Some(detail)) = asked.join() {
            of_agent(&mut known, detail);
        }
        known
    }
}

impl Completer for Helper {
    type Candidate = Pair;

    fn complete(&self, line: &str, position: usize, _: &Context<'_>) -> Result<(usize, Vec<Pair>)> {
        let line = line.get(..position).unwrap_or(line);
        let (words, begun) = split(line);
        let about_agent =
            words.iter().any(|word| matches!(word.as_str(), "params" | "op" | "param" | "secret" | "primitive"));
        let known = if about_agent { self.with_agent(&words) } else { self.known.clone() };
        let found = candidates(self.level, &words, begun, &known);
        Ok((line.len() - begun.len(), found.into_iter().map(pair).collect()))
    }
}

/// What is put in, and what is shown: with its help.
fn pair(Candidate { word, help }: Candidate) -> Pair {
    let display = if help.is_empty() { word.clone() } else { format!("{word}  -- {help}") };
    // After a whole word a blank follows; a name waits for its value, a class for its provider.
    let replacement = if word.ends_with(['=', ':']) { word } else { format!("{word} ") };
    Pair { display, replacement }
}

impl Hinter for Helper {
    type Hint = String;
}
impl Highlighter for Helper {}
impl Validator for Helper {}
impl rustyline::Helper for Helper {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_that_is_being_written_is_the_last() {
        assert_eq!(split("resource sto"), (vec!["resource".to_owned()], "sto"));
        assert_eq!(split("resource "), (vec!["resource".to_owned()], ""));
        assert_eq!(split(""), (vec![], ""));
    }

    #[test]
    fn a_line_is_about_the_agent_that_it_names() {
        let words: Vec<String> = "configure primitive w nginx params".split(' ').map(str::to_owned).collect();
        let none = hac_model::Configuration::default();
        assert_eq!(agent_in(&words, &none).as_deref(), Some("ocf:heartbeat:nginx"));
        assert_eq!(agent_in(&words[..1], &none), None);
    }
}
