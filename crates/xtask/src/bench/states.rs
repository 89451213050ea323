//! Generated clusters, as CIB XML: as many resources as wanted on sixteen nodes, at rest, at their start, with a node lost.

use std::fmt::Write as _;

/// Nodes of every generated cluster.
pub(super) const NODES: usize = 16;
/// How many primitives hang together: each goes where the one before it is, and starts after it.
const CHAIN: usize = 5;
/// Whoever gave the orders. Short, so that the largest state stays within what is read of a file.
const ORIGIN: &str = "bench";
/// Digest of an operation without parameters.
const NO_PARAMS: &str = "f2317cad3d54cec5d7d7aa7d0bf35cf8";
/// The same for a recurring operation with a timeout of 20 s.
const MONITOR_PARAMS: &str = "4811cef7f7f94e3a35a70be7916cb2fd";

/// What is going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing is known: all is probed and started.
    Start,
    /// All runs: nothing is to be done.
    Steady,
    /// The last node is gone: what it had is started elsewhere.
    NodeLoss,
}

/// A generated cluster.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) primitives: usize,
    pub(super) clones: usize,
    pub(super) phase: Phase,
}

impl Shape {
    /// How it is told.
    pub(super) fn name(self) -> String {
        let what = match (self.primitives, self.clones) {
            (primitives, 0) => format!("{primitives} primitives"),
            (_, clones) => format!("{clones} clones"),
        };
        let phase = match self.phase {
            Phase::Start => "start",
            Phase::Steady => "steady",
            Phase::NodeLoss => "node lost",
        };
        format!("{what}, {phase}")
    }

    /// The state as XML.
    pub(super) fn xml(self) -> String {
        let mut xml = String::new();
        // Writing into a string does not fail.
        let _ = self.write(&mut xml);
        xml
    }

    fn write(self, xml: &mut String) -> std::fmt::Result {
        xml.push_str(
            "<cib crm_feature_set=\"3.16.1\" validate-with=\"pacemaker-3.9\" epoch=\"1\" num_updates=\"0\" \
             admin_epoch=\"0\" have-quorum=\"1\" execution-date=\"1767268800\">\n<configuration>\n<crm_config>\
             <cluster_property_set id=\"cib-bootstrap-options\"><nvpair id=\"fencing\" name=\"stonith-enabled\" \
             value=\"false\"/></cluster_property_set></crm_config>\n<nodes>\n",
        );
        for node in 1..=NODES {
            writeln!(xml, "<node id=\"{node}\" uname=\"node{node}\"/>")?;
        }
        xml.push_str("</nodes>\n<resources>\n");
        for number in 0..self.primitives {
            primitive(xml, &format!("p{number}"))?;
        }
        for number in 0..self.clones {
            writeln!(xml, "<clone id=\"c{number}-clone\">")?;
            primitive(xml, &format!("c{number}"))?;
            xml.push_str("</clone>\n");
        }
        xml.push_str("</resources>\n<constraints>\n");
        for number in (0..self.primitives).filter(|number| number % CHAIN != 0) {
            let before = number - 1;
            writeln!(
                xml,
                "<rsc_colocation id=\"with{number}\" score=\"INFINITY\" rsc=\"p{number}\" with-rsc=\"p{before}\"/>\
                 <rsc_order id=\"after{number}\" first=\"p{before}\" then=\"p{number}\"/>"
            )?;
        }
        xml.push_str("</constraints>\n</configuration>\n<status>\n");
        for node in 0..NODES {
            self.node_state(xml, node)?;
        }
        xml.push_str("</status>\n</cib>\n");
        Ok(())
    }

    fn node_state(self, xml: &mut String, node: usize) -> std::fmt::Result {
        let lost = self.phase == Phase::NodeLoss && node + 1 == NODES;
        let (member, online, join) = if lost { ("false", "offline", "down") } else { ("true", "online", "member") };
        let id = node + 1;
        writeln!(
            xml,
            "<node_state id=\"{id}\" uname=\"node{id}\" in_ccm=\"{member}\" crmd=\"{online}\" join=\"{join}\" \
             expected=\"member\"><lrm id=\"{id}\"><lrm_resources>"
        )?;
        if self.phase != Phase::Start {
            for number in 0..self.primitives {
                history(xml, &format!("p{number}"), (number / CHAIN) % NODES == node, number)?;
            }
            for number in 0..self.clones {
                history(xml, &format!("c{number}"), true, number)?;
            }
        }
        xml.push_str("</lrm_resources></lrm></node_state>\n");
        Ok(())
    }
}

fn primitive(xml: &mut String, id: &str) -> std::fmt::Result {
    writeln!(
        xml,
        "<primitive id=\"{id}\" class=\"ocf\" provider=\"pacemaker\" type=\"Dummy\"><operations>\
         <op id=\"{id}-monitor\" name=\"monitor\" interval=\"10s\" timeout=\"20s\"/></operations></primitive>"
    )
}

/// What a node knows of a resource: that it runs there, or that it does not.
fn history(xml: &mut String, id: &str, runs: bool, number: usize) -> std::fmt::Result {
    writeln!(xml, "<lrm_resource id=\"{id}\" class=\"ocf\" provider=\"pacemaker\" type=\"Dummy\">")?;
    let call = 2 * number + 1;
    if runs {
        operation(xml, id, ("start", 0, NO_PARAMS), 0, call)?;
        operation(xml, id, ("monitor", 10_000, MONITOR_PARAMS), 0, call + 1)?;
    } else {
        operation(xml, id, ("monitor", 0, NO_PARAMS), 7, call)?;
    }
    xml.push_str("</lrm_resource>\n");
    Ok(())
}

fn operation(
    xml: &mut String,
    id: &str,
    (task, interval, digest): (&str, u32, &str),
    rc: i32,
    call: usize,
) -> std::fmt::Result {
    let entry = if interval == 0 { format!("{id}_last_0") } else { format!("{id}_{task}_{interval}") };
    writeln!(
        xml,
        "<lrm_rsc_op id=\"{entry}\" operation_key=\"{id}_{task}_{interval}\" operation=\"{task}\" \
         transition-key=\"1:1:{rc}:{ORIGIN}\" transition-magic=\"0:{rc};1:1:{rc}:{ORIGIN}\" call-id=\"{call}\" \
         rc-code=\"{rc}\" op-status=\"0\" interval=\"{interval}\" last-rc-change=\"1767265200\" op-digest=\"{digest}\"/>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_at_rest_runs_on_one_node_and_is_known_on_all() {
        let xml = Shape { primitives: 7, clones: 0, phase: Phase::Steady }.xml();
        assert_eq!(xml.matches("<lrm_resource id=\"p6\"").count(), NODES);
        assert_eq!(xml.matches("operation_key=\"p6_start_0\"").count(), 1);
        assert_eq!(xml.matches("<rsc_order").count(), 5);
        assert!(!Shape { primitives: 1, clones: 0, phase: Phase::Start }.xml().contains("<lrm_resource "));
    }
}
