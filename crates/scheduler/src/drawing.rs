//! The action graph with what was blocked, as a value.

/// The action graph with what was blocked, for people who look for the reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drawing {
    /// The actions, in order of creation.
    pub actions: Vec<DrawnAction>,
    /// Edges between them: (before, after, is it in the plan).
    pub edges: Vec<(usize, usize, bool)>,
}

/// One action of a [`Drawing`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrawnAction {
    /// Its key, and the node after a blank where it has one.
    pub name: String,
    /// It is in the plan (else it cannot be carried out or is not needed).
    pub planned: bool,
    /// It is needed but cannot be carried out.
    pub blocked: bool,
    /// A milestone, not work.
    pub pseudo: bool,
}
