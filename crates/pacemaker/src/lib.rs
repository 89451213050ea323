//! The outside formats: what Pacemaker, `crm` and Corosync write and print, read into our types and printed from them.
//!
//! * [`cib_xml`] reads and writes the XML of a cluster information base.
//!
//! Everything is a function from text to types or back; nothing here touches a file, a clock or a socket.

pub mod cib_xml;
