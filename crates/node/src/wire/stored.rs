//! The state as it lies on the disk.
//!
//! ```text
//! hacd-state 2
//! {"level":1,"release":"0.1.0","cluster":{…},"cib":{"version":…,"info":…,"configuration":…},"lineage":…,"trail":[…]}
//! ```
//!
//! The number in the first line is that of this form; what is in it is told by the level. A state that cannot be read is
//! named with who wrote it: it is intact, and the release that wrote it can read it.

use hac_model::{Cib, CibInfo, Configuration, Version};
use hac_quorum::Register;
use hac_types::{Level, LevelWindow, RingId};
use hac_wire::Unreadable;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Mark, SNAPSHOT_MAX, l0, named};
use crate::cluster::ClusterConfig;

/// How the first line begins.
const MAGIC: &[u8] = b"hacd-state ";
/// The form that is written, and the only one that is read besides that of level 0.
const FORM: &str = "2";

/// What is on the disk: a CIB whose status is empty.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct StoredState {
    /// The level at which it was written.
    pub(crate) level: Level,
    /// The release that wrote it, for people.
    pub(crate) release: String,
    pub(crate) cluster: ClusterConfig,
    pub(crate) cib: Cib,
    pub(crate) lineage: Option<RingId>,
    pub(crate) trail: Vec<Mark>,
    /// What this state knows of the arbiter's register.
    pub(crate) register: Option<Register>,
}

/// The same, to be written without a copy of the configuration.
#[derive(Serialize)]
struct StoredRef<'a> {
    level: Level,
    release: &'a str,
    cluster: &'a ClusterConfig,
    cib: CibRef<'a>,
    lineage: Option<RingId>,
    trail: &'a [Mark],
    register: Option<&'a Register>,
}

/// What of a CIB is stored.
#[derive(Serialize)]
struct CibRef<'a> {
    version: Version,
    info: CibInfo,
    configuration: &'a Configuration,
}

/// What any later form of a state says of itself, whatever else is in it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Head {
    level: Level,
    release: String,
}

/// Why an intact state cannot be used. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum Unstorable {
    /// It says so itself.
    #[error("was written {0}; this is hacd {RELEASE}, which knows levels {1}")]
    Newer(String, LevelWindow),
    /// It says that it can be read, and it cannot.
    #[error("is intact, but hacd {RELEASE} cannot read it: {0}; it was written {1}")]
    Unreadable(String, String),
}

pub(crate) use hac_types::RELEASE;

/// What of `cib` goes to the disk: what people asked for, without what is known of the present. `None` if it is larger
/// than anything that is read.
pub(crate) fn encode_stored(
    cib: &Cib,
    cluster: &ClusterConfig,
    lineage: Option<RingId>,
    trail: &[Mark],
    register: Option<&Register>,
) -> Option<Vec<u8>> {
    let version = Version { num_updates: 0, ..cib.version };
    let info = CibInfo { have_quorum: false, dc_uuid: None, ..cib.info.clone() };
    let cib = CibRef { version, info, configuration: &cib.configuration };
    let level = cluster.level;
    let state = named(&StoredRef { level, release: RELEASE, cluster, cib, lineage, trail, register })?;
    let bytes = [MAGIC, FORM.as_bytes(), b"\n", state.as_slice()].concat();
    (bytes.len() <= SNAPSHOT_MAX).then_some(bytes)
}

/// What lies on the disk as a state.
///
/// # Errors
/// See [`Unstorable`].
pub(crate) fn decode_stored(bytes: &[u8], known: LevelWindow) -> Result<StoredState, Unstorable> {
    if let Some(old) = bytes.strip_prefix(l0::MAGIC) {
        return l0::decode(old, known);
    }
    let unknown =
        || Unstorable::Unreadable("it does not begin as a stored state".to_owned(), "by an unknown release".to_owned());
    let rest = bytes.strip_prefix(MAGIC).ok_or_else(unknown)?;
    let end = rest.iter().position(|byte| *byte == b'\n').ok_or_else(unknown)?;
    let (form, state) = rest.split_at(end);
    let state = state.get(1..).unwrap_or_default();
    let head: Head = serde_json::from_slice(state).unwrap_or_default();
    let by = if head.release.is_empty() { "a newer hacd".to_owned() } else { format!("hacd {}", head.release) };
    if form != FORM.as_bytes() {
        return Err(Unstorable::Newer(
            format!("in form {} by a newer release ({by})", String::from_utf8_lossy(form).escape_debug()),
            known,
        ));
    }
    if head.level > known.max {
        return Err(Unstorable::Newer(format!("at level {} by {by}, which is newer", head.level), known));
    }
    hac_wire::from_slice(state).map_err(|why| {
        let writer = format!("at level {} by {by}", head.level);
        match why {
            Unreadable::Unknown(name) => {
                Unstorable::Newer(format!("{writer}, which is newer (it uses `{}`)", name.escape_debug()), known)
            }
            Unreadable::Malformed(why) => Unstorable::Unreadable(why, writer),
        }
    })
}
