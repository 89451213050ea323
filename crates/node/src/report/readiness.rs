//! What members could not start if they had to, for people.

use hac_model::Cib;

use super::Severity;
use crate::participant::could_not;

/// Sentences about this, at most: each node tells of everything itself.
const MOST: usize = 40;

/// What nodes lack, and agents that are not the same on all nodes.
pub(crate) fn problems(cib: &Cib, add: &mut impl FnMut(Severity, String, &str)) {
    let known = &cib.status.readiness;
    let lacks = known.iter().flat_map(|of| of.lacks.iter().map(|lack| (of.node.as_str(), lack)));
    for (node, lack) in lacks.take(MOST) {
        let sentence = format!("{}: {}", could_not(node, &lack.resources), lack.sentence);
        add(Severity::Warning, sentence, &lack.remedy);
    }
    let Some((first, others)) = known.split_first() else { return };
    let mut differ = 0;
    for (agent, other) in others.iter().flat_map(|other| other.agents.iter().map(move |agent| (agent, other))) {
        let ours = first.agents.iter().find(|ours| ours.agent == agent.agent);
        if let Some(ours) = ours.filter(|ours| ours.release != agent.release)
            && differ < MOST
        {
            differ += 1;
            let (one, two) = (&first.node, &other.node);
            let sentence = format!(
                "the agent {} is another one on {two} ({}) than on {one} ({})",
                agent.agent, agent.release, ours.release
            );
            add(Severity::Info, sentence, "Install the same release of the package that has it on all nodes.");
        }
    }
}

#[cfg(test)]
mod tests {
    use hac_model::{AgentRelease, Lack, Readiness};

    use super::*;

    #[test]
    fn lacks_and_agents_that_differ_are_told_with_what_to_do() {
        let agent = |release: &str| vec![AgentRelease { agent: "ocf:a:b".into(), release: release.into() }];
        let lack = Lack {
            resources: vec!["A".into()],
            what: "agent".into(),
            sentence: "it is not there".into(),
            remedy: "Install it.".into(),
        };
        let of = |node: &str, release, lacks| Readiness { node: node.into(), agents: agent(release), lacks, proved: 1 };
        let mut cib = Cib::default();
        cib.status.readiness = vec![of("n1", "1", Vec::new()), of("n2", "2", vec![lack])];
        let mut told = Vec::new();
        problems(&cib, &mut |severity, sentence, remedy: &str| told.push((severity, sentence, remedy.to_owned())));
        let sentences: Vec<&str> = told.iter().map(|(_, sentence, _)| sentence.as_str()).collect();
        assert_eq!(
            sentences,
            [
                "n2 could not start A if it had to: it is not there",
                "the agent ocf:a:b is another one on n2 (2) than on n1 (1)"
            ]
        );
        assert_eq!((told[0].0, told[0].2.as_str()), (Severity::Warning, "Install it."));
    }
}
