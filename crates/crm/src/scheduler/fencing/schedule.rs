//! Stage: fencing and shutdown of nodes, and what comes before and after.
