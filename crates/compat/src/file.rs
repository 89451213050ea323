//! `CIB_file`: the programs work on a file with a CIB instead of asking the daemon. The file may be a pipe: it is read once, to
//! its end.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use hac_api::{CibResponse, Command, CommandRequest, ConfigureRequest, LastChange, Quorum, Status, route};
use hac_crm::cib::{self, Applied, Change, Configure, Replicated as _, StatusChange};
use hac_model::Cib;
use hac_pacemaker::cib_xml;
use hac_pacemaker::xml_tree::Node;
use hac_types::WallTime;
use serde_json::Value;

use crate::client::{Ask, Trouble};
use crate::{exit, variable};

/// Most of a document that is read, bytes.
const INPUT_MAX: u64 = 64 << 20;

/// Sections that hacd knows; what else stands in a document stays there as it is.
const SECTIONS: [&str; 8] =
    ["crm_config", "nodes", "resources", "constraints", "fencing-topology", "op_defaults", "rsc_defaults", "tags"];

/// The file that is worked on; none is to ask the daemon.
pub(crate) fn named() -> Option<OsString> {
    std::env::var_os("CIB_file").filter(|name| !name.is_empty())
}

/// What stands in it.
pub(crate) fn text(name: &OsString) -> Result<&'static str, Trouble> {
    static TEXT: OnceLock<Result<String, (u8, String)>> = OnceLock::new();
    let read = || {
        let mut text = String::new();
        let read = fs::File::open(name).and_then(|file| file.take(INPUT_MAX).read_to_string(&mut text));
        match read {
            Ok(_) => Ok(text),
            Err(error) => Err((exit::NO_SUCH, format!("could not read {}: {error}", Path::new(name).display()))),
        }
    };
    TEXT.get_or_init(read).as_deref().map_err(|(code, why)| Trouble::Refused(*code, why.clone()))
}

/// Writes a document in the place of the file, whole or not at all.
pub(crate) fn write(name: &OsString, text: &str) -> Result<(), Trouble> {
    let path = Path::new(name);
    let fresh = path.with_extension("new");
    let written = (|| -> io::Result<()> {
        fs::write(&fresh, text)?;
        fs::set_permissions(&fresh, fs::metadata(path)?.permissions())?;
        fs::rename(&fresh, path)
    })();
    written.map_err(|error| {
        // What was begun is of no use.
        let _ = fs::remove_file(&fresh);
        Trouble::Refused(73, format!("could not write {}: {error}", path.display()))
    })
}

/// Answers as the daemon would.
pub(crate) fn answer(ask: &Ask<'_>, name: &OsString) -> Result<Value, Trouble> {
    let before = text(name)?;
    let mut cib = read(before)?;
    match ask {
        Ask::Get(path) => get(path, &cib),
        Ask::Post(path, body) => {
            let applied = change(path, body, &mut cib)?;
            match applied {
                Applied::Refused(refusal) => {
                    Err(Trouble::Refused(hac_api::ErrorCode::Invalid.exit_code(), refusal.sentence))
                }
                Applied::Unchanged => Ok(Value::Null),
                Applied::Changed(_) => write(name, &merged(before, &cib)?).map(|()| Value::Null),
            }
        }
    }
}

fn read(text: &str) -> Result<Cib, Trouble> {
    cib_xml::read(text).map_err(|error| Trouble::Refused(exit::CONFIG, error.to_string()))
}

pub(crate) fn now() -> WallTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    WallTime(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

fn get(path: &str, cib: &Cib) -> Result<Value, Trouble> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let value = if path == route::STATUS {
        serde_json::to_value(status(cib))
    } else if path == route::CIB {
        serde_json::to_value(CibResponse {
            version: hac_api::Version {
                admin_epoch: cib.version.admin_epoch,
                epoch: cib.version.epoch,
                num_updates: cib.version.num_updates,
            },
            cib: serde_json::to_value(cib).unwrap_or_default(),
            secrets: true,
            uncompared: false,
        })
    } else {
        let only = query.strip_prefix("name=");
        let view = hac_scheduler::view(cib, now());
        let member = |name: &str| view.nodes.iter().any(|node| node.name == name && node.online);
        // An encoded name is found by its plain letters; others are found by asking for all.
        let wanted = |name: &str| only.is_none_or(|only| only == crate::facts::encoded(name));
        let known = crate::known::attributes(cib, wanted, member);
        let node = own_name();
        let node_id = known.nodes.iter().find(|known| known.name == node).and_then(|known| known.id.parse().ok());
        serde_json::to_value(hac_api::Attributes {
            node,
            node_id: node_id.unwrap_or_default(),
            quorate: cib.info.have_quorum,
            ..known
        })
    };
    value.map_err(|error| Trouble::Refused(exit::ERROR, error.to_string()))
}

/// The name of this host: nobody else says who is meant where no node is named.
fn own_name() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    variable("OCF_RESKEY_CRM_meta_on_node").unwrap_or_else(|| name.trim().to_owned())
}

fn status(cib: &Cib) -> Status {
    let view = hac_scheduler::view(cib, now());
    let dc = cib.info.dc_uuid.as_deref();
    let dc = cib.configuration.nodes.iter().find(|node| Some(node.id.as_str()) == dc).map(|node| node.uname.clone());
    let of_set = |name: &str| cib.configuration.crm_config.iter().find_map(|set| set.get(name).map(str::to_owned));
    Status {
        dc,
        dc_version: of_set("dc-version"),
        now_ms: now().0,
        quorum: Quorum { quorate: cib.info.have_quorum, ..Quorum::default() },
        view: serde_json::to_value(view).unwrap_or_default(),
        last_change: LastChange {
            time_ms: cib.info.last_changed_ms,
            user: cib.info.update_user.clone(),
            client: cib.info.update_client.clone(),
            origin: cib.info.update_origin.clone(),
        },
        ..Status::default()
    }
}

fn change(path: &str, body: &[u8], cib: &mut Cib) -> Result<Applied, Trouble> {
    let unreadable = |error: serde_json::Error| Trouble::Refused(exit::ERROR, error.to_string());
    if path == route::CONFIGURE {
        let request: ConfigureRequest = serde_json::from_slice(body).map_err(unreadable)?;
        let changes: Result<Vec<Change>, _> = request.changes.into_iter().map(serde_json::from_value).collect();
        let changes = changes.map_err(unreadable)?;
        let configure = Configure {
            changes,
            client: request.client,
            origin: own_name(),
            user: variable("USER").unwrap_or_default(),
            ..Configure::default()
        };
        return Ok(cib.apply(&cib::Command::Configure(configure), now()));
    }
    let request: CommandRequest = serde_json::from_slice(body).map_err(unreadable)?;
    let status = match request.command {
        Command::Attribute { node, name, value, utilization, .. } => {
            StatusChange::SetAttribute { node, name, value, private: false, dampening_ms: 0, utilization }
        }
        Command::Ticket { id, values, forget } => StatusChange::Ticket { id, values, forget },
        Command::Cleanup { resource, node, operation, interval_ms } => {
            let operation = operation.map(|operation| (operation, interval_ms.unwrap_or_default()));
            StatusChange::ClearFailures { resource, node, operation }
        }
        _ => {
            let why = "this asks a running cluster; leave CIB_file out".to_owned();
            return Err(Trouble::Refused(exit::USAGE, why));
        }
    };
    Ok(cib.apply(&cib::Command::Status(status), now()))
}

/// The document with what hacd knows of it renewed; what it does not know stays.
fn merged(before: &str, cib: &Cib) -> Result<String, Trouble> {
    let parsed = |text: &str| Node::parse(text).map_err(|error| Trouble::Refused(exit::CONFIG, error.to_string()));
    let (mut old, mut new) = (parsed(before)?, parsed(&cib_xml::write(cib))?);
    for (name, value) in std::mem::take(&mut new.attributes) {
        old.set(&name, Some(&value));
    }
    for name in ["configuration", "status"] {
        if old.child(name).is_none() {
            old.children.push(Node { name: name.to_owned(), ..Node::default() });
        }
    }
    if let (Some(old), Some(new)) = (old.child_mut("status"), new.child_mut("status")) {
        std::mem::swap(old, new);
    }
    if let (Some(old), Some(new)) = (old.child_mut("configuration"), new.child_mut("configuration")) {
        for section in SECTIONS {
            match (old.child_mut(section), new.child_mut(section)) {
                (Some(old), Some(new)) => std::mem::swap(old, new),
                (None, Some(new)) => old.children.push(new.clone()),
                (Some(_), None) => old.children.retain(|child| child.name != section),
                (None, None) => {}
            }
        }
    }
    Ok(old.text())
}
