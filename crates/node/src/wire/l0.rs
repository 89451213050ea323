//! Level 0: the state as it lay on the disk before the first release, read and never written.
//!
//! ```text
//! "hacd-cib" │ 1 │ bincode: CIB, lineage
//! ```
//!
//! Positions are all that bincode has, so the types stand here as they were, **frozen**, whatever becomes of the model.
//! From here the state goes on in the named form of level 1, which every release that reads level 0 reads as well.

use std::cell::Cell;
use std::collections::BTreeMap;

use hac_types::{LevelWindow, RingId};
use serde::{Deserialize, Deserializer, Serialize};

use super::stored::{StoredState, Unstorable};
use super::{named, whole};
use crate::cluster::ClusterConfig;

/// What stands at the beginning.
pub(super) const MAGIC: &[u8] = b"hacd-cib";
/// The only version there was.
const VERSION: u8 = 1;

/// The content after [`MAGIC`].
pub(super) fn decode(bytes: &[u8], known: LevelWindow) -> Result<StoredState, Unstorable> {
    let by = || "at level 0 by hacd 0.1.0 or older".to_owned();
    let unreadable = |why: &str| Unstorable::Unreadable(why.to_owned(), by());
    let body = match bytes.split_first() {
        Some((&VERSION, body)) => body,
        Some((version, _)) => {
            return Err(Unstorable::Newer(format!("in version {version} of the old form by a newer release"), known));
        }
        None => return Err(unreadable("it is cut off")),
    };
    let state: State = whole(body).map_err(|why| unreadable(&why.to_string()))?;
    let bytes = named(&state).ok_or_else(|| unreadable("it has no named form"))?;
    let now: StoredState = hac_wire::from_slice(&bytes).map_err(|why| unreadable(&why.to_string()))?;
    Ok(StoredState { cluster: ClusterConfig::default(), ..now })
}

#[derive(Serialize, Deserialize)]
struct State {
    cib: Cib,
    lineage: Option<RingId>,
}

/// A list that a stored state never filled: the status.
struct NoEntries;

impl<'de> Deserialize<'de> for NoEntries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let entries = Vec::<u8>::deserialize(deserializer)?;
        if entries.is_empty() { Ok(Self) } else { Err(serde::de::Error::custom("the status is not empty")) }
    }
}

#[derive(Serialize, Deserialize)]
struct Version {
    admin_epoch: u64,
    epoch: u64,
    num_updates: u64,
}

#[derive(Serialize, Deserialize)]
struct Cib {
    version: Version,
    info: CibInfo,
    configuration: Configuration,
    /// Nodes and tickets; read so that what follows is.
    #[serde(skip_serializing)]
    #[expect(dead_code, reason = "it was empty in every stored state")]
    status: (NoEntries, NoEntries),
}

#[derive(Serialize, Deserialize)]
struct CibInfo {
    have_quorum: bool,
    dc_uuid: Option<String>,
    validate_with: Option<String>,
    crm_feature_set: Option<String>,
    execution_date: Option<i64>,
    no_quorum_panic: Option<bool>,
    last_changed_ms: Option<i64>,
    update_origin: Option<String>,
    update_client: Option<String>,
    update_user: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Configuration {
    crm_config: Vec<NvSet>,
    rsc_defaults: Vec<NvSet>,
    op_defaults: Vec<NvSet>,
    nodes: Vec<Node>,
    resources: Vec<Resource>,
    constraints: Vec<Constraint>,
    fencing_topology: Vec<FencingLevel>,
    tags: Vec<Tag>,
}

#[derive(Serialize, Deserialize)]
struct Node {
    id: String,
    uname: String,
    kind: Option<String>,
    score: Option<String>,
    attributes: Vec<NvSet>,
    utilization: Vec<NvSet>,
}

#[derive(Serialize, Deserialize)]
struct NvSet {
    id: String,
    id_ref: Option<String>,
    score: Option<String>,
    rule: Option<Rule>,
    pairs: Vec<NvPair>,
}

#[derive(Serialize, Deserialize)]
struct NvPair {
    id: String,
    id_ref: Option<String>,
    name: String,
    value: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Rule {
    id: String,
    id_ref: Option<String>,
    boolean_op: Option<String>,
    score: Option<String>,
    score_attribute: Option<String>,
    role: Option<String>,
    expressions: Vec<Expression>,
}

#[derive(Serialize, Deserialize)]
enum Expression {
    Attribute {
        id: String,
        attribute: String,
        operation: String,
        value: Option<String>,
        value_type: Option<String>,
        value_source: Option<String>,
    },
    Date {
        id: String,
        operation: Option<String>,
        start: Option<String>,
        end: Option<String>,
        duration: Option<BTreeMap<String, String>>,
        spec: Option<BTreeMap<String, String>>,
    },
    Resource {
        id: String,
        class: Option<String>,
        provider: Option<String>,
        kind: Option<String>,
    },
    Operation {
        id: String,
        name: String,
        interval: Option<String>,
    },
    Rule(#[serde(deserialize_with = "inner_rule")] Box<Rule>),
}

#[derive(Serialize, Deserialize)]
struct Agent {
    class: String,
    provider: Option<String>,
    kind: String,
}

#[derive(Serialize, Deserialize)]
enum Resource {
    Primitive(Primitive),
    Group(Group),
    Clone(Clone),
    Bundle(Bundle),
    Template(Template),
}

#[derive(Serialize, Deserialize)]
struct Primitive {
    id: String,
    agent: Agent,
    template: Option<String>,
    description: Option<String>,
    params: Vec<NvSet>,
    meta: Vec<NvSet>,
    utilization: Vec<NvSet>,
    operations: Vec<Operation>,
    operations_id: Option<String>,
    operations_id_ref: Option<String>,
    attributes: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct Template(Primitive);

#[derive(Serialize, Deserialize)]
struct Operation {
    id: String,
    id_ref: Option<String>,
    name: String,
    interval: String,
    options: BTreeMap<String, String>,
    meta: Vec<NvSet>,
    params: Vec<NvSet>,
}

#[derive(Serialize, Deserialize)]
struct Group {
    id: String,
    description: Option<String>,
    members: Vec<Primitive>,
    params: Vec<NvSet>,
    meta: Vec<NvSet>,
    attributes: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
struct Clone {
    id: String,
    description: Option<String>,
    #[serde(deserialize_with = "child")]
    child: Box<Resource>,
    params: Vec<NvSet>,
    meta: Vec<NvSet>,
    legacy_master: bool,
    attributes: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
struct Bundle {
    id: String,
    description: Option<String>,
    technology: String,
    container: BTreeMap<String, String>,
    network: BTreeMap<String, String>,
    ports: Vec<BTreeMap<String, String>>,
    storage: Vec<BTreeMap<String, String>>,
    primitive: Option<Primitive>,
    meta: Vec<NvSet>,
    params: Vec<NvSet>,
    attributes: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
struct FencingLevel {
    id: String,
    target: FencingTarget,
    index: u8,
    devices: Vec<String>,
}

#[derive(Serialize, Deserialize)]
enum FencingTarget {
    Node(String),
    Pattern(String),
    Attribute(String, String),
}

#[derive(Serialize, Deserialize)]
struct Tag {
    id: String,
    members: Vec<String>,
}

#[derive(Serialize, Deserialize)]
enum Constraint {
    Location(Location),
    Colocation(Colocation),
    Order(Order),
    Ticket(Ticket),
}

#[derive(Serialize, Deserialize)]
struct Location {
    id: String,
    subject: LocationSubject,
    role: Option<String>,
    resource_discovery: Option<String>,
    target: LocationTarget,
    lifetime: Vec<Rule>,
}

#[derive(Serialize, Deserialize)]
enum LocationSubject {
    Resource(String),
    Pattern(String, bool),
    Sets(Vec<ResourceSet>),
}

#[derive(Serialize, Deserialize)]
enum LocationTarget {
    Node { node: String, score: Option<String> },
    Rules(Vec<Rule>),
}

#[derive(Serialize, Deserialize)]
struct Colocation {
    id: String,
    score: Option<String>,
    rsc: String,
    rsc_role: Option<String>,
    rsc_instance: Option<String>,
    with_rsc: String,
    with_rsc_role: Option<String>,
    with_rsc_instance: Option<String>,
    node_attribute: Option<String>,
    influence: Option<String>,
    sets: Vec<ResourceSet>,
    lifetime: Vec<Rule>,
}

#[derive(Serialize, Deserialize)]
struct Order {
    id: String,
    kind: Option<String>,
    score: Option<String>,
    first: String,
    first_action: Option<String>,
    first_instance: Option<String>,
    then: String,
    then_action: Option<String>,
    then_instance: Option<String>,
    symmetrical: Option<String>,
    require_all: Option<String>,
    sets: Vec<ResourceSet>,
}

#[derive(Serialize, Deserialize)]
struct Ticket {
    id: String,
    ticket: String,
    loss_policy: Option<String>,
    rsc: String,
    rsc_role: Option<String>,
    sets: Vec<ResourceSet>,
}

#[derive(Serialize, Deserialize)]
struct ResourceSet {
    id: String,
    id_ref: Option<String>,
    members: Vec<String>,
    sequential: Option<String>,
    require_all: Option<String>,
    ordering: Option<String>,
    action: Option<String>,
    role: Option<String>,
    score: Option<String>,
    kind: Option<String>,
}

/// What can be in a clone, in the order of [`Resource`].
#[derive(Deserialize)]
enum Child {
    Primitive(Primitive),
    Group(Group),
}

fn child<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Box<Resource>, D::Error> {
    Ok(Box::new(match Child::deserialize(deserializer)? {
        Child::Primitive(primitive) => Resource::Primitive(primitive),
        Child::Group(group) => Resource::Group(group),
    }))
}

/// Deepest nesting of rules that was read.
const MAX_DEPTH: u8 = 16;

thread_local! {
    /// How deep in a rule the reader is.
    static DEPTH: Cell<u8> = const { Cell::new(0) };
}

fn inner_rule<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Box<Rule>, D::Error> {
    let depth = DEPTH.get();
    if depth >= MAX_DEPTH {
        return Err(serde::de::Error::custom("rules are nested too deeply"));
    }
    DEPTH.set(depth + 1);
    let rule = Rule::deserialize(deserializer);
    DEPTH.set(depth);
    rule.map(Box::new)
}
