//! What was found out, when what is looked at again, and what the others are told of it. Knows no clock.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hac_agents::{Depth, Missing, Proof};
use hac_model::{Agent, AgentRelease, Invocation, Lack, Readiness};

use crate::reload::masked;

/// Longest sentence that is told, characters.
const SENTENCE_MAX: usize = 400;

/// How soon it is looked again whether something is missing that was not so before: only what is found twice is told.
const DOUBT: Duration = Duration::from_secs(10);

/// The shortest pause between two proofs of what was proved before.
const STEADY: Duration = Duration::from_millis(50);

/// What is to be proved, and what came of it.
#[derive(Debug)]
struct Target {
    invocation: Invocation,
    depth: Depth,
    /// When it was proved last.
    at: Option<Instant>,
    /// Not before this.
    not_before: Option<Instant>,
    /// Found missing, but not yet twice.
    doubted: bool,
    missing: Vec<Missing>,
    release: Option<String>,
}

/// See the [module documentation](self).
#[derive(Debug)]
pub(super) struct Proofs {
    every: Duration,
    doubt: Duration,
    targets: Vec<Target>,
    disk: Option<Lack>,
}

impl Proofs {
    pub(super) fn new(every: Duration) -> Self {
        Self { every, doubt: DOUBT.min(every / 2), targets: Vec::new(), disk: None }
    }

    /// Something else is to be proved from now on. What is as it was keeps what is known of it.
    pub(super) fn replace(&mut self, targets: Vec<(Invocation, Depth)>) {
        let mut before: BTreeMap<String, Target> =
            self.targets.drain(..).map(|target| (target.invocation.resource.clone(), target)).collect();
        self.targets = targets
            .into_iter()
            .map(|(invocation, depth)| {
                let known = before.remove(&invocation.resource);
                let same = |known: &Target| {
                    let Invocation { agent, params, meta, .. } = &known.invocation;
                    known.depth == depth
                        && (agent, params, meta) == (&invocation.agent, &invocation.params, &invocation.meta)
                };
                match known {
                    Some(known) if same(&known) => known,
                    // What was missing is told until it is found out anew.
                    known => {
                        let missing = known.map(|known| known.missing).unwrap_or_default();
                        let (at, not_before) = (None, None);
                        Target { invocation, depth, at, not_before, doubted: false, missing, release: None }
                    }
                }
            })
            .collect();
    }

    pub(super) fn disk(&mut self, lack: Option<Lack>) {
        self.disk = lack;
    }

    /// The one that is to be proved now; an error says how long there is nothing to do.
    pub(super) fn due(&self, now: Instant) -> Result<usize, Duration> {
        let next = self.targets.iter().enumerate().map(|(index, target)| {
            let wait = if target.doubted { self.doubt } else { self.every };
            let due = target.at.map_or(now, |at| at + wait);
            // What was never proved comes first, then what is doubted.
            (due.max(target.not_before.unwrap_or(due)), target.at.is_some(), !target.doubted, index)
        });
        let ready =
            next.clone().filter(|(due, ..)| *due <= now).min_by_key(|(due, known, sure, _)| (*known, *sure, *due));
        match ready {
            Some((.., index)) => Ok(index),
            None => Err(next.map(|(due, ..)| due.saturating_duration_since(now)).min().unwrap_or(self.every)),
        }
    }

    /// How long to rest between two, so that all have their turn in the time and none of them in a bunch.
    pub(super) fn pause(&self) -> Duration {
        let known = self.targets.iter().all(|target| target.at.is_some());
        let count = u32::try_from(self.targets.len()).unwrap_or(u32::MAX).max(1);
        if known { (self.every / count).min(Duration::from_secs(1)).max(STEADY) } else { Duration::ZERO }
    }

    /// What is to be asked about one.
    pub(super) fn wanted(&self, index: usize) -> Option<(Invocation, Depth)> {
        self.targets.get(index).map(|target| (target.invocation.clone(), target.depth))
    }

    /// One was not proved, and is not to be before then.
    pub(super) fn put_off(&mut self, index: usize, until: Instant) {
        if let Some(target) = self.targets.get_mut(index) {
            target.not_before = Some(until);
        }
    }

    /// What a resource is told cannot be put together.
    pub(super) fn refused(&mut self, index: usize, now: Instant, why: String) {
        let remedy = "It is looked at again by itself.".to_owned();
        let missing = vec![Missing { what: "parameters", sentence: why, remedy }];
        self.take(index, now, Proof { missing, ..Proof::default() }, &BTreeMap::new());
    }

    /// One was proved.
    pub(super) fn take(&mut self, index: usize, now: Instant, proof: Proof, params: &BTreeMap<String, String>) {
        let Some(target) = self.targets.get_mut(index) else { return };
        (target.at, target.not_before) = (Some(now), None);
        target.release = proof.release;
        let had_agent = !lacks_agent(&target.missing);
        let missing: Vec<Missing> = proof
            .missing
            .into_iter()
            .map(|one| Missing { sentence: short(&masked(&one.sentence, params)), ..one })
            .collect();
        if missing.is_empty() {
            (target.doubted, target.missing) = (false, Vec::new());
        } else if target.doubted || !target.missing.is_empty() {
            (target.doubted, target.missing) = (false, missing);
        } else {
            target.doubted = true;
        }
        // What holds for one resource of an agent is looked at for all of them.
        let (agent, has_agent) = (target.invocation.agent.clone(), !lacks_agent(&target.missing));
        if had_agent != has_agent {
            self.look_at_all_of(&agent, index);
        }
    }

    fn look_at_all_of(&mut self, agent: &Agent, but: usize) {
        let others = self.targets.iter_mut().enumerate().filter(|(index, _)| *index != but);
        for (_, target) in others.filter(|(_, target)| target.invocation.agent == *agent) {
            target.at = None;
        }
    }

    /// What the others are to be told; nothing while there is nothing sure. `known` is what they know.
    pub(super) fn to_tell(&self, node: &str, known: Option<&Readiness>) -> Option<Readiness> {
        let whole = self.targets.iter().all(|target| target.at.is_some() && !target.doubted);
        let mut lacks: BTreeMap<(&str, &str, &str), Vec<String>> = BTreeMap::new();
        for target in &self.targets {
            for one in &target.missing {
                let of = lacks.entry((one.what, &one.sentence, &one.remedy)).or_default();
                of.push(target.invocation.resource.clone());
            }
        }
        let lack = |((what, sentence, remedy), resources): ((&str, &str, &str), Vec<String>)| Lack {
            resources,
            what: what.to_owned(),
            sentence: sentence.to_owned(),
            remedy: remedy.to_owned(),
        };
        let lacks: Vec<Lack> =
            self.disk.iter().cloned().chain(lacks.into_iter().map(lack)).take(Readiness::LACKS_MAX).collect();
        if !whole {
            // What is missing is told at once, all else when everything was looked at.
            let before = known.cloned().unwrap_or_else(|| Readiness { node: node.to_owned(), ..Readiness::default() });
            return (known.is_some() || !lacks.is_empty()).then_some(Readiness { lacks, ..before });
        }
        let releases: BTreeMap<String, &String> = self
            .targets
            .iter()
            .filter_map(|target| Some((target.invocation.agent.to_string(), target.release.as_ref()?)))
            .collect();
        let agent = |(agent, release): (String, &String)| AgentRelease { agent, release: release.clone() };
        Some(Readiness {
            node: node.to_owned(),
            proved: u64::try_from(self.targets.len()).unwrap_or(u64::MAX),
            lacks,
            agents: releases.into_iter().map(agent).take(Readiness::AGENTS_MAX).collect(),
        })
    }
}

fn lacks_agent(missing: &[Missing]) -> bool {
    missing.iter().any(|one| one.what == "agent")
}

/// The beginning of a long text.
fn short(text: &str) -> String {
    match text.char_indices().nth(SENTENCE_MAX) {
        Some((end, _)) => format!("{} … (cut)", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use hac_model::InvocationId;

    use super::*;

    const EVERY: Duration = Duration::from_secs(60);

    fn target(resource: &str, kind: &str) -> (Invocation, Depth) {
        let agent = Agent { class: "ocf".into(), provider: Some("heartbeat".into()), kind: kind.into() };
        let invocation = Invocation {
            id: InvocationId(0),
            node: "n1".into(),
            resource: resource.into(),
            instance: resource.into(),
            agent,
            action: "validate-all".into(),
            interval_ms: 0,
            timeout: Duration::from_secs(20),
            expected_rc: 0,
            migration: None,
            fencing: None,
            params: [("token".to_owned(), "gold".to_owned())].into(),
            meta: BTreeMap::new(),
        };
        (invocation, Depth::Deep)
    }

    fn missing(what: &'static str, sentence: &str) -> Proof {
        let missing = vec![Missing { what, sentence: sentence.to_owned(), remedy: "Do.".to_owned() }];
        Proof { missing, ..Proof::default() }
    }

    /// Proves what is due with this answer.
    fn step(proofs: &mut Proofs, now: Instant, answer: impl Fn(&str) -> Proof) -> Option<String> {
        let index = proofs.due(now).ok()?;
        let (invocation, _) = proofs.wanted(index)?;
        proofs.take(index, now, answer(&invocation.resource), &invocation.params);
        Some(invocation.resource)
    }

    #[test]
    fn everything_is_proved_in_turn_and_again_after_its_time() {
        let (mut proofs, now) = (Proofs::new(EVERY), Instant::now());
        assert_eq!(proofs.due(now), Err(EVERY));
        proofs.replace(vec![target("A", "x"), target("B", "y")]);
        assert_eq!(proofs.to_tell("n1", None), None, "nothing is known yet");
        let well = |_: &str| Proof { release: Some("1".to_owned()), ..Proof::default() };
        assert_eq!(step(&mut proofs, now, well).as_deref(), Some("A"));
        assert_eq!(step(&mut proofs, now + Duration::from_secs(1), well).as_deref(), Some("B"));
        assert_eq!(proofs.due(now + Duration::from_secs(1)), Err(Duration::from_secs(59)));
        let told = proofs.to_tell("n1", None).expect("all were proved");
        assert_eq!((told.proved, told.lacks.len(), told.agents.len()), (2, 0, 2));
        assert_eq!(step(&mut proofs, now + EVERY, well).as_deref(), Some("A"));
        // A resource that is told something else is proved anew, and the others are not.
        let other = |mut of: (Invocation, Depth)| {
            of.0.params.clear();
            of
        };
        proofs.replace(vec![target("A", "x"), other(target("B", "y"))]);
        assert_eq!(step(&mut proofs, now + EVERY, well).as_deref(), Some("B"));
    }

    #[test]
    fn what_is_found_twice_is_told_without_secrets_and_what_is_well_at_once() {
        let (mut proofs, now) = (Proofs::new(EVERY), Instant::now());
        proofs.replace(vec![target("A", "x")]);
        let bad = |_: &str| missing("validate", "gold is not enough");
        step(&mut proofs, now, bad);
        assert_eq!(proofs.to_tell("n1", None), None, "it may pass");
        assert_eq!(proofs.due(now), Err(DOUBT));
        step(&mut proofs, now + DOUBT, bad);
        let told = proofs.to_tell("n1", None).expect("it is sure");
        assert_eq!(told.lacks[0].resources, ["A"]);
        assert_eq!(told.lacks[0].sentence, format!("{} is not enough", hac_model::MASK));
        assert_eq!(proofs.due(now + DOUBT), Err(EVERY));
        step(&mut proofs, now + DOUBT + EVERY, |_| Proof::default());
        assert!(proofs.to_tell("n1", None).expect("it is well").lacks.is_empty());
    }

    #[test]
    fn an_agent_that_is_gone_is_told_once_for_all_its_resources() {
        let (mut proofs, now) = (Proofs::new(EVERY), Instant::now());
        proofs.replace((0..500).map(|n| target(&format!("R{n:03}"), "x")).collect());
        let (mut at, mut steps) = (now, 0);
        while proofs.to_tell("n1", None).is_none_or(|told| told.proved == 0) {
            if step(&mut proofs, at, |_| missing("agent", "it is gone")).is_none() {
                at += Duration::from_secs(1);
            }
            steps += 1;
            assert!(steps < 5000, "it comes to an end");
        }
        let told = proofs.to_tell("n1", None).expect("all were proved");
        assert_eq!((told.lacks.len(), told.lacks[0].resources.len()), (1, 500));
    }

    #[test]
    fn what_is_told_has_an_end() {
        let (mut proofs, now) = (Proofs::new(EVERY), Instant::now());
        proofs.replace((0..300).map(|n| target(&format!("R{n}"), &format!("x{n}"))).collect());
        let bad = |resource: &str| missing("validate", &format!("{resource} {}", "long ".repeat(1000)));
        for at in [now, now + DOUBT] {
            while step(&mut proofs, at, bad).is_some() {}
        }
        let told = proofs.to_tell("n1", None).expect("all were proved");
        assert_eq!(told.lacks.len(), Readiness::LACKS_MAX);
        assert!(told.lacks.iter().all(|lack| lack.sentence.chars().count() <= SENTENCE_MAX + 10));
    }

    #[test]
    fn what_was_put_off_waits() {
        let (mut proofs, now) = (Proofs::new(EVERY), Instant::now());
        proofs.replace(vec![target("A", "x")]);
        proofs.put_off(0, now + Duration::from_secs(5));
        assert_eq!(proofs.due(now), Err(Duration::from_secs(5)));
        assert_eq!(proofs.due(now + Duration::from_secs(5)), Ok(0));
    }
}
