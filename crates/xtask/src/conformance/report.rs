//! The report of a simulation, cut into its sections.

/// The sections that are compared.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// "Transition Summary".
    pub(super) summary: Section,
    /// "Executing Cluster Transition".
    pub(super) executing: Section,
    /// "Revised Cluster Status".
    pub(super) revised: Section,
}

/// The lines of a section, white space reduced to single spaces.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Section {
    present: bool,
    pub(super) lines: Vec<String>,
}

impl Report {
    /// Cuts at the headings, which alone stand at the left margin; other lines there are notes.
    pub(super) fn parse(text: &str) -> Self {
        let mut report = Self::default();
        let mut other = Section::default();
        let mut at = 0;
        for line in text.lines() {
            if line.trim().is_empty() {
                continue;
            }
            if !line.starts_with(char::is_whitespace) {
                at = match line.trim_end() {
                    "Current cluster status:" => 0,
                    "Transition Summary:" => 1,
                    "Executing Cluster Transition:" => 2,
                    "Revised Cluster Status:" => 3,
                    _ => continue,
                };
            }
            let section = match at {
                1 => &mut report.summary,
                2 => &mut report.executing,
                3 => &mut report.revised,
                _ => &mut other,
            };
            if line.starts_with(char::is_whitespace) {
                section.lines.push(line.split_whitespace().collect::<Vec<_>>().join(" "));
            } else {
                section.present = true;
            }
        }
        report
    }
}

impl Section {
    /// The first line that differs, or `None` when all are the same in the same order.
    pub(super) fn same_lines(&self, other: &Self) -> Option<String> {
        if self == other {
            return None;
        }
        self.same_set(other).or_else(|| Some("the same lines in another order".to_owned()))
    }

    /// The first line that only one side has, or `None` when both have the same lines in some order.
    pub(super) fn same_set(&self, other: &Self) -> Option<String> {
        if self.present && !other.present {
            return Some("the section is missing".to_owned());
        }
        let (mut wanted, mut given) = (self.lines.clone(), other.lines.clone());
        wanted.sort();
        given.sort();
        if wanted == given {
            return None;
        }
        let at = wanted.iter().zip(&given).take_while(|(a, b)| a == b).count();
        let show = |lines: &[String]| lines.get(at).map_or("nothing", String::as_str).to_owned();
        Some(format!("wanted {}, got {}", show(&wanted), show(&given)))
    }
}

#[cfg(test)]
mod tests {
    use super::Report;

    const TEXT: &str = "Current cluster status:\n  * a\n\nTransition Summary:\n  * Start   x  ( n )\n\n\
        Executing Cluster Transition:\nUsing a note\n  * one\n  * two\nRevised Cluster Status:\n  * b\n";

    #[test]
    fn sections_are_cut_at_headings() {
        let report = Report::parse(TEXT);
        assert_eq!(report.summary.lines, ["* Start x ( n )"]);
        assert_eq!(report.executing.lines, ["* one", "* two"]);
        assert_eq!(report.revised.lines, ["* b"]);
    }

    #[test]
    fn order_matters_only_where_asked() {
        let one = Report::parse(TEXT);
        let two = Report::parse(&TEXT.replace("* one", "* three").replace("* two", "* one"));
        assert!(one.executing.same_set(&two.executing).is_some());
        let swapped = TEXT.replace("  * one\n  * two\n", "  * two\n  * one\n");
        let swapped = Report::parse(&swapped);
        assert_eq!(one.executing.same_set(&swapped.executing), None);
        assert!(one.executing.same_lines(&swapped.executing).is_some());
    }

    #[test]
    fn a_missing_section_is_a_difference() {
        let none = Report::parse("");
        assert!(Report::parse(TEXT).revised.same_lines(&none.revised).is_some());
    }
}
