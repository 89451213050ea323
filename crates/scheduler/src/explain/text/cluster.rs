//! What would be done now.

use std::fmt;

use super::words;
use crate::explain::ClusterStory;

pub(super) fn write(f: &mut fmt::Formatter<'_>, story: &ClusterStory) -> fmt::Result {
    words::circumstances(f, &story.circumstances)?;
    if story.decisions.is_empty() {
        f.write_str("Nothing changes: every resource is as it should be, or has to stay as it is.\n")?;
    }
    for decision in &story.decisions {
        writeln!(f, "{}", words::decision(decision))?;
    }
    words::steps(f, &story.steps)
}
