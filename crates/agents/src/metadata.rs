//! Meta-data of agents that say none themselves.

use std::fmt::Write as _;

/// Meta-data of an agent that takes no parameters; `actions` with their limits in seconds.
pub(crate) fn without_parameters(name: &str, described: &str, actions: &[(&str, u32)]) -> String {
    let (name, described) = (escaped(name), escaped(described));
    let mut xml = format!(
        "<?xml version=\"1.0\"?>\n<resource-agent name=\"{name}\" version=\"1.1\">\n  <version>1.1</version>\n  \
         <longdesc lang=\"en\">{described}</longdesc>\n  <shortdesc lang=\"en\">{described}</shortdesc>\n  \
         <parameters/>\n  <actions>\n"
    );
    for (action, limit) in actions {
        let interval = if *action == "monitor" { " interval=\"60s\"" } else { "" };
        let _ = writeln!(xml, "    <action name=\"{action}\" timeout=\"{limit}s\"{interval}/>");
    }
    xml.push_str("    <action name=\"meta-data\" timeout=\"5s\"/>\n  </actions>\n</resource-agent>\n");
    xml
}

/// A text that may stand in XML.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::without_parameters;

    #[test]
    fn what_a_file_says_cannot_break_the_form() {
        let xml = without_parameters("a", "<evil> & \"more\"\n", &[("start", 100), ("monitor", 15)]);
        assert!(xml.contains("<shortdesc lang=\"en\">&lt;evil&gt; &amp; &quot;more&quot; </shortdesc>"), "{xml}");
        assert!(xml.contains("<action name=\"start\" timeout=\"100s\"/>"), "{xml}");
        assert!(xml.contains("<action name=\"monitor\" timeout=\"15s\" interval=\"60s\"/>"), "{xml}");
    }
}
