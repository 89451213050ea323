//! Stage: graph. (Being written by the coordinator, see ordering.rs.)
