//! The node list: ids, names, addresses and votes, each as hacd takes them.

use std::net::IpAddr;

use super::blocks::{Block, Line};
use super::{ConfError, ConfProblem, keys};

/// Most nodes of a cluster.
const NODES_MAX: usize = 64;

/// A node of the list.
#[derive(Debug)]
pub(super) struct Node<'b> {
    /// What the file says of it.
    pub(super) block: &'b Block,
    /// Its id.
    pub(super) id: u64,
    /// Its id in corosync.conf, if it is another.
    pub(super) old_id: Option<&'b str>,
    /// Whether the id was given by us.
    pub(super) new_id: bool,
    /// Its name.
    pub(super) name: String,
    /// Whether the name was given by us.
    pub(super) new_name: bool,
    /// Its address on link 0.
    pub(super) first: IpAddr,
    /// Its address on link 1.
    pub(super) second: Option<IpAddr>,
    /// Its votes.
    pub(super) votes: u64,
}

/// What was found out about the whole list.
#[derive(Debug)]
pub(super) struct Nodes<'b> {
    /// The nodes in the order of the file.
    pub(super) list: Vec<Node<'b>>,
    /// Why link 1 is not used although some node has an address on it.
    pub(super) single: Option<String>,
}

impl Nodes<'_> {
    /// Whether all nodes have an address on link 1.
    pub(super) fn two_links(&self) -> bool {
        self.list.iter().all(|node| node.second.is_some())
    }

    /// The votes of all nodes together.
    pub(super) fn votes(&self) -> u64 {
        self.list.iter().map(|node| node.votes).sum()
    }
}

/// Reads the list.
///
/// # Errors
/// What must be put right by a person: an address that is missing, is not one, or is used twice; a name or an id that is
/// used twice; votes that hacd does not take; too many nodes.
pub(super) fn read(root: &Block) -> Result<Nodes<'_>, ConfError> {
    let blocks: Vec<&Block> = root.all("nodelist").flat_map(|list| list.all("node")).collect();
    if blocks.is_empty() {
        let line = root.all("nodelist").next().map_or(1, |list| list.line);
        return Err(ConfError { line, problem: ConfProblem::NoNodes });
    }
    if let Some(block) = blocks.get(NODES_MAX) {
        return Err(ConfError { line: block.line, problem: ConfProblem::TooManyNodes(NODES_MAX) });
    }
    let taken: Vec<u64> = blocks.iter().filter_map(|block| id_of(block)).collect();
    let mut free = (1_u64..).filter(|id| !taken.contains(id));
    let mut list: Vec<Node<'_>> = Vec::new();
    for block in blocks {
        let node = node(block, &mut free)?;
        list.iter().try_for_each(|other| differ(other, &node))?;
        list.push(node);
    }
    if list.iter().all(|node| node.votes == 0) {
        let line = list.first().map_or(1, |node| node.block.line);
        return Err(ConfError { line, problem: ConfProblem::NoVotes });
    }
    let single = single_link(&list);
    if single.is_some() {
        list.iter_mut().for_each(|node| node.second = None);
    }
    Ok(Nodes { list, single })
}

/// Makes a node list of the members of `totem.interface`, as Corosync 1 has them, in a file without one. What is to be said of
/// it, if it did.
pub(super) fn from_members(root: &mut Block) -> Option<String> {
    if root.all("nodelist").any(|list| list.all("node").next().is_some()) {
        return None;
    }
    let number = |interface: &Block| {
        let line = interface.get("linknumber").or_else(|| interface.get("ringnumber"));
        line.map_or_else(|| "0".to_owned(), |line| line.value.clone())
    };
    let members = |wanted: &str, key: &str| -> Vec<Line> {
        let interfaces = root.all("totem").flat_map(|totem| totem.all("interface"));
        let members = interfaces.filter(|interface| number(interface) == wanted).flat_map(|found| found.all("member"));
        let lines = members.filter_map(|member| member.get("memberaddr"));
        lines.map(|line| Line { key: key.to_owned(), value: line.value.clone(), line: line.line }).collect()
    };
    let (first, second) = (members("0", "ring0_addr"), members("1", "ring1_addr"));
    let begin = first.first()?.line;
    let paired = if second.len() == first.len() { " and on link 1, in the order of the file" } else { "" };
    let mut second = second.into_iter().filter(|_| !paired.is_empty());
    let node = |first: Line| Block {
        name: "node".to_owned(),
        line: first.line,
        lines: [Some(first), second.next()].into_iter().flatten().collect(),
        blocks: Vec::new(),
    };
    let blocks = first.into_iter().map(node).collect();
    root.blocks.push(Block { name: "nodelist".to_owned(), line: begin, lines: Vec::new(), blocks });
    Some(format!(
        "there is no nodelist: the nodes are the members of totem.interface (line {begin}) on link 0{paired}; compare their \
         addresses"
    ))
}

fn id_of(block: &Block) -> Option<u64> {
    let value = &block.get("nodeid")?.value;
    value.parse().ok().filter(|id| (1..=65_535).contains(id))
}

fn node<'b>(block: &'b Block, free: &mut impl Iterator<Item = u64>) -> Result<Node<'b>, ConfError> {
    let Some(first) = address(block, "ring0_addr")? else {
        return Err(ConfError { line: block.line, problem: ConfProblem::NoAddress });
    };
    let second = address(block, "ring1_addr")?;
    let given = id_of(block);
    let id = given.or_else(|| free.next()).unwrap_or_default();
    let name = block.get("name").map(|line| line.value.as_str()).filter(|name| is_name(name));
    let votes = match block.get("quorum_votes") {
        None => 1,
        Some(line) => votes(line)?,
    };
    Ok(Node {
        block,
        id,
        old_id: block.get("nodeid").filter(|_| given.is_none()).map(|line| line.value.as_str()),
        new_id: given.is_none(),
        name: name.map_or_else(|| format!("node{id}"), str::to_owned),
        new_name: name.is_none(),
        first,
        second,
        votes,
    })
}

fn votes(line: &Line) -> Result<u64, ConfError> {
    let votes = line.value.parse().ok().filter(|votes| (0..=255).contains(votes));
    votes.ok_or_else(|| ConfError { line: line.line, problem: ConfProblem::Votes(line.value.clone()) })
}

/// An address; names are not resolved.
fn address(block: &Block, key: &str) -> Result<Option<IpAddr>, ConfError> {
    let Some(line) = block.get(key) else { return Ok(None) };
    let problem = |why| ConfError { line: line.line, problem: why };
    let address: IpAddr =
        line.value.parse().map_err(|_| problem(ConfProblem::NotAnAddress(key.to_owned(), line.value.clone())))?;
    if address.is_unspecified() || address.is_multicast() {
        return Err(problem(ConfProblem::NotOfAHost(key.to_owned(), line.value.clone())));
    }
    Ok(Some(address))
}

fn is_name(name: &str) -> bool {
    let fits = |c: char| !c.is_whitespace() && !c.is_control() && !"[]{}()\"'\\,;".contains(c);
    keys::Kind::Text(255).toml(name).is_some() && name.chars().all(fits) && !name.starts_with('-')
}

/// What two nodes must not share.
fn differ(one: &Node<'_>, other: &Node<'_>) -> Result<(), ConfError> {
    let line_of = |key: &str| other.block.get(key).map_or(other.block.line, |line| line.line);
    let twice = |key: &str, value: String| {
        let problem = ConfProblem::Twice { key: key.to_owned(), value, line: one.block.line };
        Err(ConfError { line: line_of(key), problem })
    };
    if one.id == other.id {
        return twice("nodeid", other.id.to_string());
    }
    if one.name == other.name {
        return twice("name", other.name.clone());
    }
    let addresses = [("ring0_addr", Some(other.first)), ("ring1_addr", other.second)];
    for (key, address) in addresses {
        if let Some(address) = address.filter(|address| [Some(one.first), one.second].contains(&Some(*address))) {
            return twice(key, address.to_string());
        }
    }
    if one.first.is_ipv4() != other.first.is_ipv4() {
        return Err(ConfError { line: line_of("ring0_addr"), problem: ConfProblem::Families(one.block.line) });
    }
    Ok(())
}

/// Why only link 0 can be used although a node has an address on link 1.
fn single_link(list: &[Node<'_>]) -> Option<String> {
    let with: Vec<&Node<'_>> = list.iter().filter(|node| node.second.is_some()).collect();
    if with.is_empty() {
        return None;
    }
    if let Some(without) = list.iter().find(|node| node.second.is_none()) {
        return Some(format!("node {} has no ring1_addr (line {})", without.name, without.block.line));
    }
    if let Some(same) = with.iter().find(|node| node.second == Some(node.first)) {
        return Some(format!("ring1_addr of node {} is its ring0_addr (line {})", same.name, same.block.line));
    }
    let v4 = with.iter().filter(|node| node.second.is_some_and(|address| address.is_ipv4())).count();
    (v4 != 0 && v4 != with.len()).then(|| "the ring1_addr are not all IPv4 or all IPv6".to_owned())
}
