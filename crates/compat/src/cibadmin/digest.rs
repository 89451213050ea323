//! `cibadmin --md5-sum` and `--md5-sum-versioned`: the digests that Pacemaker takes of a document.

use std::fmt::Write as _;

use hac_pacemaker::xml_tree::Node;
use md5::{Digest as _, Md5};

/// Attributes that the versioned digest leaves out: who wrote, and when.
const UNCOUNTED: [&str; 5] = ["cib-last-written", "crm-debug-origin", "update-client", "update-origin", "update-user"];

/// The digest, and the words before it.
pub(super) fn of(document: &Node, versioned: bool) -> (String, String) {
    let set = document.get("crm_feature_set");
    let mut text = String::new();
    // Feature sets before 3 knew the old one alone.
    let modern =
        |set: &str| set.split('.').next().and_then(|first| first.parse().ok()).is_some_and(|first: u32| first >= 3);
    match (versioned, set) {
        (true, Some(set)) if modern(set) => write(document, &UNCOUNTED, &mut text),
        // The old one is taken of the text as it once was written: with a blank before and a line break behind it.
        _ => {
            text.push(' ');
            write(document, &[], &mut text);
            text.push('\n');
        }
    }
    let digest = Md5::digest(text.as_bytes()).iter().fold(String::new(), |mut all, byte| {
        // Writing to a string cannot fail.
        let _ = write!(all, "{byte:02x}");
        all
    });
    let heading =
        if versioned { format!("Versioned ({}) digest: ", set.unwrap_or("(null)")) } else { "Digest: ".into() };
    (digest, heading)
}

/// The document in one line.
fn write(node: &Node, without: &[&str], text: &mut String) {
    text.push('<');
    text.push_str(&node.name);
    for (name, value) in node.attributes.iter().filter(|(name, _)| !without.contains(&name.as_str())) {
        let value = crate::options::escaped(value).replace('\'', "&apos;");
        text.push_str(&format!(" {name}=\"{value}\""));
    }
    if node.children.is_empty() {
        text.push_str("/>");
        return;
    }
    text.push('>');
    node.children.iter().for_each(|child| write(child, without, text));
    text.push_str(&format!("</{}>", node.name));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_debians_cibadmin() {
        let digest = |text: &str, versioned| of(&Node::parse(text).expect("is XML"), versioned);
        let old = |text: &str| digest(text, false).0;
        assert_eq!(old("<a/>"), "36f3fe87323978c81376fbe84b315483");
        assert_eq!(old("<a><b/></a>"), "10ef483059e04670f54c3cf811408522");
        let (sum, heading) = digest("<a/>", true);
        assert_eq!(
            (sum.as_str(), heading.as_str()),
            ("36f3fe87323978c81376fbe84b315483", "Versioned ((null)) digest: ")
        );
        let (sum, heading) = digest("<cib crm_feature_set=\"3.16.1\" cib-last-written=\"1\"/>", true);
        assert_eq!(
            (sum.as_str(), heading.as_str()),
            ("0f9e3323ad90174f6195ff44c1c06c83", "Versioned (3.16.1) digest: ")
        );
        let quoted = "<cib crm_feature_set=\"3.16.1\" update-user=\"b\" x=\"&lt;&quot;&apos;&gt;&amp;é\"/>";
        assert_eq!(digest(quoted, true).0, "b6acf984d576316718e12595a8d830f9");
    }
}
