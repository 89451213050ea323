//! Explanations in plain sentences.

mod cluster;
mod node;
mod resource;
mod words;

use std::fmt;

use super::Explanation;

impl fmt::Display for Explanation {
    /// Some lines, each ended.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster(story) => cluster::write(f, story),
            Self::Resource(story) => resource::write(f, story),
            Self::Node(story) => node::write(f, story),
        }
    }
}
