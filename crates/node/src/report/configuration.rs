//! What the configuration alone is reason to tell people. It takes a while where there is much of it, so it is no part of
//! what a node reports of itself.

use hac_crm::cib::{Agents, Severity as Doubt, primitives, verify};
use hac_crm::fencer::protection;
use hac_model::{Cib, parse_bool};

use super::{Problem, Report, Severity};

impl Report {
    /// What is wrong, doubtful or unprotected in the configuration of `cib`, as this node sees it; in no order.
    #[must_use]
    pub fn configuration_problems(&self, cib: &Cib) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut add = |severity, sentence: String, remedy: &str| {
            problems.push(Problem { severity, sentence, remedy: remedy.to_owned() });
        };
        self.doubts(cib, &mut add);
        self.missing_protection(cib, &mut add);
        problems
    }

    /// What is wrong or doubtful in the configuration.
    fn doubts(&self, cib: &Cib, add: &mut impl FnMut(Severity, String, &str)) {
        for finding in verify(&cib.configuration, &Agents::default()) {
            // Without fencing although it is wanted nothing starts at all.
            let stops_all = finding.subject == "stonith-enabled";
            let severity = match finding.severity {
                Doubt::Error => Severity::Error,
                Doubt::Warning if stops_all => Severity::Error,
                Doubt::Warning => Severity::Warning,
            };
            add(severity, finding.to_string(), &finding.remedy);
        }
        let id = self.node.to_string();
        let known = cib.configuration.nodes.iter().find(|node| node.id == id);
        if let Some(other) = known.filter(|node| node.uname != self.name) {
            let sentence = format!("this node is called {} in hacd.toml and {} in the cluster", self.name, other.uname);
            add(Severity::Error, sentence, "Give it the same name in both: until then nothing can run here.");
        }
    }

    /// What the configuration leaves unprotected, as people decided.
    fn missing_protection(&self, cib: &Cib, add: &mut impl FnMut(Severity, String, &str)) {
        if cib.configuration.property("stonith-enabled").and_then(parse_bool) == Some(false) {
            let sentence = "stonith-enabled=false: a node that hangs or is cut off is not fenced, so \
                            a resource may run twice for a while";
            let remedy = "Accept it for resources that are harmless twice, or configure fencing.";
            add(Severity::Info, sentence.to_owned(), remedy);
        } else if let Some((sentence, remedy)) = protection(cib).missing.filter(|_| has_device(cib)) {
            add(Severity::Warning, sentence, &remedy);
        }
        if cib.configuration.property("no-quorum-policy") == Some("ignore") {
            let two_node = self.quorum.flags.iter().any(|flag| flag == "2Node");
            let sentence = if two_node {
                "no-quorum-policy=ignore: resources are started even by a node that has not seen the other"
            } else {
                "no-quorum-policy=ignore: every part of a split cluster starts all resources"
            };
            let remedy = "Accept it, or remove the property.";
            add(Severity::Info, sentence.to_owned(), remedy);
        }
    }
}

/// Whether there is a fence device. That there is not is a doubt which is told elsewhere.
fn has_device(cib: &Cib) -> bool {
    primitives(&cib.configuration).iter().any(|of| of.agent.is_fence_device())
}
