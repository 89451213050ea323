//! N nodes in one thread under one seed, in a world that does them every harm the fault model knows; and checkers that
//! say whether they kept their promises.
//!
//! A run has a phase of chaos, in which the promises of safety must hold after every event, and a calm one, in which
//! the nodes must find together again. The same seed gives the same run, to the last bit.

pub mod check;
pub mod cluster;
pub mod detection;
pub mod disk;
pub mod harm;
pub mod manners;
pub mod model;
#[cfg(feature = "mutants")]
pub mod mutants;
pub mod options;
pub mod power;
pub mod reality;
pub mod replay;
pub mod ring;
pub mod run;
pub mod script;
pub mod service;
pub mod stream;
pub mod sweep;
pub mod trace;
pub mod tutorial;
pub mod workload;
