//! Text for terminals: what came from people or peers is made harmless before it is printed.

use std::borrow::Cow;

/// `text` with control characters (escape sequences for a terminal among them) spelled out.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(char::is_control) {
        return Cow::Borrowed(text);
    }
    let mut harmless = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if c.is_control() {
            harmless.extend(c.escape_debug());
        } else {
            harmless.push(c);
        }
    }
    Cow::Owned(harmless)
}

/// An indented list in the making: `* ` before every item, two blanks a level.
#[derive(Debug, Default)]
pub(crate) struct Lines(String);

impl Lines {
    /// Adds an item.
    pub(crate) fn item(&mut self, depth: usize, text: &str) {
        self.0.extend(std::iter::repeat_n("  ", depth));
        self.0.push_str("* ");
        self.0.push_str(&printable_but_tabs(text));
        self.0.push('\n');
    }

    /// Adds a line as it is.
    pub(crate) fn plain(&mut self, text: &str) {
        self.0.push_str(&printable(text));
        self.0.push('\n');
    }

    /// Whether nothing was added.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds all lines of another list.
    pub(crate) fn append(&mut self, other: &Self) {
        self.0.push_str(&other.0);
    }

    /// The text.
    pub(crate) fn finish(self) -> String {
        self.0
    }
}

/// Our own lines have tabs between columns.
fn printable_but_tabs(text: &str) -> String {
    text.split('\t').map(printable).collect::<Vec<_>>().join("\t")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_do_not_reach_the_terminal() {
        assert_eq!(printable("a\u{1b}[31mb\r\n"), "a\\u{1b}[31mb\\r\\n");
        assert_eq!(printable("plain ü"), "plain ü");
        let mut lines = Lines::default();
        lines.item(1, "a\tb\u{7}");
        assert_eq!(lines.finish(), "  * a\tb\\u{7}\n");
    }
}
