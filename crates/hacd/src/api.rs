//! The local API: HTTP with JSON on a unix socket that only root may use. Its types are in `hac-api`.
//!
//! A request is handled in the task of its connection; what concerns the node is asked of the driver through a channel,
//! so that there is one way in.

mod act;
mod agents;
mod alerts;
mod asked;
mod attributes;
mod convert;
mod door;
mod explain;
mod guest;
mod hub;
mod invite;
mod journal;
mod judge;
mod metrics;
mod past;
mod refusal;
mod routes;
mod server;
mod tcp;
mod tls;
mod web;

pub(crate) use hub::{Hub, Teller};
pub(crate) use journal::answer_node;
pub(crate) use metrics::serve_metrics;
#[cfg(any(test, fuzzing))]
pub(crate) use routes::{asked, changes};
pub(crate) use server::{Api, serve};
pub(crate) use web::{Web, serve_web};

#[cfg(test)]
mod tests;
