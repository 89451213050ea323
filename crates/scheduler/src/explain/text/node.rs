//! A node: what it runs and why, and what it may not run.

use std::fmt;

use super::words;
use crate::explain::{Condition, NodeStory, Service};
use hac_model::INFINITY;

pub(super) fn write(f: &mut fmt::Formatter<'_>, story: &NodeStory) -> fmt::Result {
    words::circumstances(f, &story.circumstances)?;
    let dc = if story.dc { "; it is the coordinator (DC)" } else { "" };
    match story.obstacle {
        Some(obstacle) => writeln!(f, "Node {} may not run anything: it is {obstacle}{dc}.", story.name)?,
        None => writeln!(f, "Node {} may run resources{dc}.", story.name)?,
    }
    if !story.here.is_empty() {
        f.write_str("\nHere:\n")?;
    }
    for service in &story.here {
        write!(f, "  * {} ", service.id)?;
        let active = service.now.iter().any(|place| place.node == story.name);
        let belongs = service.next.as_ref().filter(|place| place.node == story.name);
        match (active, belongs, &service.next) {
            (true, Some(place), _) => writeln!(f, "runs and belongs on {}", words::place(place))?,
            (true, None, Some(next)) => writeln!(f, "runs here and belongs on {}", words::place(next))?,
            (true, None, None) => f.write_str("runs here and belongs nowhere\n")?,
            (false, Some(place), _) => writeln!(f, "belongs on {} and does not run yet", words::place(place))?,
            (false, None, _) => f.write_str("was put here, but is to be stopped\n")?,
        }
        parts(f, service)?;
    }
    if !story.elsewhere.is_empty() {
        f.write_str("\nNot here:\n")?;
    }
    for service in &story.elsewhere {
        match &service.next {
            Some(next) => writeln!(f, "  * {} belongs on {}", service.id, words::place(next))?,
            None => writeln!(f, "  * {} belongs nowhere", service.id)?,
        }
        parts(f, service)?;
    }
    words::steps(f, &story.steps)
}

fn parts(f: &mut fmt::Formatter<'_>, service: &Service) -> fmt::Result {
    for candidate in &service.nodes {
        for part in &candidate.parts {
            writeln!(f, "      {:>9}  {}", words::points(part.points), part.influence)?;
            let id = service.id.split_once(':').map_or(service.id.as_str(), |(name, _)| name);
            let remedy = part.influence.remedy(id, &candidate.node).filter(|_| part.points <= -INFINITY);
            if let Some(remedy) = remedy {
                writeln!(f, "                 {remedy}")?;
            }
        }
    }
    for condition in &service.conditions {
        if let Condition::NotReady { sentence, remedy, .. } = condition {
            writeln!(f, "      if it had to, it could not be started here: {sentence}")?;
            writeln!(f, "        {remedy}")?;
        }
    }
    Ok(())
}
