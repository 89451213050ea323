//! Orderings of what happens behind Pacemaker Remote connections.
