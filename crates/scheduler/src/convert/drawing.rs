//! All that was considered, for people who look for the reason.

use crate::graph::Graph;
use crate::ids::ActIdx;
use crate::{Drawing, DrawnAction};

use super::pick;

/// The actions that are planned or blocked, and what is between them.
pub(crate) fn draw(graph: &mut Graph<'_>) -> Drawing {
    let mut drawing = Drawing::default();
    let mut places = vec![None; graph.actions.len()];
    for (at, action) in graph.actions.keys().enumerate() {
        let entry = &graph.actions[action];
        let planned = entry.planned.is_some();
        let blocked = !entry.runnable && !entry.optional && !entry.pseudo;
        if !planned && !blocked {
            continue;
        }
        places[at] = Some(drawing.actions.len());
        let name = match entry.node {
            Some(node) => format!("{} {}", entry.key, graph.nodes[node].name),
            _ => entry.key.clone(),
        };
        drawing.actions.push(DrawnAction { name, planned, blocked, pseudo: entry.pseudo });
    }
    let actions: Vec<ActIdx> = graph.actions.keys().collect();
    for (at, action) in actions.into_iter().enumerate() {
        let Some(after) = places[at] else { continue };
        for position in 0..graph.actions[action].before.len() {
            let other = graph.actions[action].before[position].action;
            let Some(before) = places[crate::arena::Key::at(other)] else { continue };
            let flags = graph.actions[action].before[position].flags;
            let both = graph.actions[action].planned.is_some() && graph.actions[other].planned.is_some();
            if both && pick::input(graph, action, position) {
                drawing.edges.push((before, after, true));
            } else if !both && !flags.is_none() {
                drawing.edges.push((before, after, false));
            }
        }
    }
    drawing
}
