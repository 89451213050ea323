//! The outside formats: what Pacemaker, `crm` and Corosync write and print, read into our types and printed from them.
//!
//! * [`agent_metadata`] reads what a resource agent says of itself.
//! * [`cib_xml`] reads and writes the XML of a cluster information base.
//! * [`corosync_conf`] turns a `corosync.conf` into a `hacd.toml`.
//! * [`keepalived_conf`] turns a `keepalived.conf` into statements of `crm configure`.
//! * [`crm_syntax`] reads and writes the language of `crm configure`.
//! * [`impact`] tells what a change would do to what runs, and [`crm_commands`] which changes the commands of crm make.
//! * [`mon`] tells how a cluster stands, in the words of `crm status`.
//! * [`xml_tree`] is a document that can be looked through and changed.
//! * [`simulate`] tells what would happen, in the words of `crm_simulate`.
//!
//! Everything is a function from text to types or back; nothing here touches a file, a clock or a socket.

pub mod agent_metadata;
pub mod cib_xml;
pub mod corosync_conf;
pub mod crm_commands;
pub mod crm_syntax;
pub mod fencing;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod impact;
pub mod keepalived_conf;
pub mod mon;
pub mod simulate;
pub mod xml_tree;

mod standing;
mod text;
