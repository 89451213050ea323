//! What a run may cost, whatever the configuration says. People's configurations stay far below; one that nobody could
//! have meant ends with an answer and a warning instead of never, or with the end of the stack.

/// Longest chain of colocations that is followed to find out who is placed first. Who stands beyond is not placed, for it
/// could be put where it must not be.
const CHAIN_MAX: usize = 1_000;
/// How far a resource is heard that wishes another to be near.
const WISHES_DEPTH_MAX: usize = 500;
/// Wishes heard in one run: so many, and so many more for each resource.
const WISHES_MAX: usize = 200_000;
const WISHES_PER_RESOURCE: usize = 100;
/// Actions looked at in one run for what probes must come before.
const PROBE_STEPS_MAX: usize = 10_000_000;

/// What is used up and what is left.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    chain: usize,
    wishes_depth: usize,
    wishes_left: usize,
}

/// How far it is followed what probes must come before.
#[derive(Clone, Debug)]
pub(super) struct ProbeSteps {
    left: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { chain: 0, wishes_depth: 0, wishes_left: WISHES_MAX }
    }
}

impl Limits {
    /// There are so many resources.
    pub(super) fn allow_for(&mut self, resources: usize) {
        self.wishes_left = WISHES_MAX.saturating_add(resources.saturating_mul(WISHES_PER_RESOURCE));
    }

    /// One more link of a chain of colocations; false if the chain is too long. [`Limits::leave_chain`] follows a true.
    pub(super) const fn enter_chain(&mut self) -> bool {
        let fits = self.chain < CHAIN_MAX;
        if fits {
            self.chain += 1;
        }
        fits
    }

    /// Back by one link.
    pub(super) const fn leave_chain(&mut self) {
        self.chain -= 1;
    }

    /// One more wish; false if it is not to be heard. [`Limits::leave_wish`] follows a true.
    pub(super) const fn enter_wish(&mut self) -> bool {
        let fits = self.wishes_depth < WISHES_DEPTH_MAX && self.wishes_left > 0;
        if fits {
            self.wishes_depth += 1;
            self.wishes_left -= 1;
        }
        fits
    }

    /// Back from a wish.
    pub(super) const fn leave_wish(&mut self) {
        self.wishes_depth -= 1;
    }

    /// What was not done for lack of means.
    pub(super) fn warning(&self) -> Option<String> {
        (self.wishes_left == 0).then(|| "there are too many colocations: not all of them were weighed".to_owned())
    }
}

impl Default for ProbeSteps {
    fn default() -> Self {
        Self { left: PROBE_STEPS_MAX }
    }
}

impl ProbeSteps {
    /// One more action on the way from a probe; false if there were too many.
    pub(super) const fn take(&mut self) -> bool {
        let fits = self.left > 0;
        if fits {
            self.left -= 1;
        }
        fits
    }

    /// What was not done for lack of means.
    pub(super) fn warning(&self) -> Option<String> {
        (self.left == 0).then(|| "there are too many orderings: not all of them were applied to probes".to_owned())
    }
}
