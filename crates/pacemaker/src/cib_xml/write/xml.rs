//! Elements and attributes as text, two blanks a level.

use std::fmt::{Display, Write as _};

use crate::cib_xml::document::expressible;

/// Attributes in the order in which they are written.
#[derive(Debug, Default)]
pub(crate) struct Attributes(String);

impl Attributes {
    /// Adds one.
    pub(crate) fn with(mut self, name: &str, value: impl Display) -> Self {
        self.0.push(' ');
        self.0.push_str(name);
        self.0.push_str("=\"");
        escape_into(&mut self.0, &value.to_string());
        self.0.push('"');
        self
    }

    /// Adds one if there is a value.
    pub(crate) fn opt(self, name: &str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// Adds one if it is not empty.
    pub(crate) fn nonempty(self, name: &str, value: &str) -> Self {
        if value.is_empty() { self } else { self.with(name, value) }
    }

    /// Adds all of a map.
    pub(crate) fn all<'a>(mut self, map: impl IntoIterator<Item = (&'a String, &'a String)>) -> Self {
        for (name, value) in map {
            self = self.with(name, value);
        }
        self
    }
}

/// Quotes what has a meaning in an attribute value. What XML cannot say becomes U+FFFD.
fn escape_into(out: &mut String, value: &str) {
    for c in value.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // Also the controls that a terminal might obey.
            _ if c.is_control() && expressible(c) => {
                // Writing to a string does not fail.
                let _ = write!(out, "&#{};", u32::from(c));
            }
            _ if expressible(c) => out.push(c),
            _ => out.push('\u{fffd}'),
        }
    }
}

/// A document in the making.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    text: String,
    depth: usize,
}

impl Writer {
    /// Writes an element with what `inside` writes.
    pub(crate) fn element(&mut self, name: &str, attributes: &Attributes, inside: impl FnOnce(&mut Self)) {
        self.indent();
        self.text.push('<');
        self.text.push_str(name);
        self.text.push_str(&attributes.0);
        let open_end = self.text.len();
        self.text.push_str(">\n");
        self.depth += 1;
        let before = self.text.len();
        inside(self);
        self.depth -= 1;
        if self.text.len() == before {
            self.text.truncate(open_end);
            self.text.push_str("/>\n");
        } else {
            self.indent();
            self.text.push_str("</");
            self.text.push_str(name);
            self.text.push_str(">\n");
        }
    }

    /// Writes an element with nothing inside.
    pub(crate) fn empty(&mut self, name: &str, attributes: &Attributes) {
        self.element(name, attributes, |_| {});
    }

    /// The document.
    pub(crate) fn finish(self) -> String {
        self.text
    }

    fn indent(&mut self) {
        self.text.extend(std::iter::repeat_n("  ", self.depth));
    }
}
