//! What the cluster itself reads of a fence device's parameters: whom it can fence, how long one waits for it, and what its
//! agent is told. Names and defaults are Pacemaker's (its manual page `pacemaker-fenced`), so that configurations can be
//! taken over as they are.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::parse_duration_ms;

/// How often a fence agent is tried at most for one attempt, unless `pcmk_ACTION_retries` says otherwise.
const TRIES: u32 = 2;

/// The pause before a fence agent is tried again.
pub const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// How it is found out whether a device can fence a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostCheck {
    /// The configuration names its nodes.
    StaticList,
    /// Its agent lists them.
    DynamicList,
    /// Its agent knows a node's state, or does not know the node.
    Status,
    /// It can fence every node.
    Any,
    /// Nobody: `pcmk_host_check` is a word without meaning.
    Nobody,
}

/// What a fence agent says that it can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FenceAbilities {
    /// Action `list`.
    pub list: bool,
    /// Action `status`.
    pub status: bool,
    /// Action `reboot`; without it a node is powered off instead.
    pub reboot: bool,
    /// Action `on`.
    pub on: bool,
    /// Action `on` is of use on the node alone that is let in (`on_target`).
    pub on_target: bool,
    /// Parameter `plug`.
    pub plug: bool,
    /// Parameter `port`.
    pub port: bool,
}

/// A fence device as its parameters describe it. Whether it may be used on a node is not said here.
#[derive(Clone, Copy, Debug)]
pub struct FenceDevice<'a> {
    params: &'a BTreeMap<String, String>,
}

impl<'a> FenceDevice<'a> {
    /// The device with these parameters.
    #[must_use]
    pub const fn new(params: &'a BTreeMap<String, String>) -> Self {
        Self { params }
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        self.params.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// The entries of `pcmk_host_map`: name of a node, and what the device calls it.
    fn host_map(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let text = self.get("pcmk_host_map").unwrap_or_default();
        let entries = text.split([';', ' ', '\t', '\n']).filter(|entry| !entry.is_empty());
        entries
            .filter_map(|entry| entry.split_once([':', '=']))
            .filter(|(node, port)| !node.is_empty() && !port.is_empty())
    }

    /// How it is found out whom the device can fence.
    #[must_use]
    pub fn host_check(&self, can: FenceAbilities) -> HostCheck {
        match self.get("pcmk_host_check") {
            Some("static-list") => HostCheck::StaticList,
            Some("dynamic-list") => HostCheck::DynamicList,
            Some("status") => HostCheck::Status,
            Some("none") => HostCheck::Any,
            Some(_) => HostCheck::Nobody,
            None if self.get("pcmk_host_list").is_some() || self.get("pcmk_host_map").is_some() => {
                HostCheck::StaticList
            }
            None if can.list => HostCheck::DynamicList,
            None if can.status => HostCheck::Status,
            None => HostCheck::Any,
        }
    }

    /// Whether the configuration names `node` as one that the device can fence; names are compared without regard to case.
    #[must_use]
    pub fn names(&self, node: &str) -> bool {
        let list = self.get("pcmk_host_list").unwrap_or_default();
        let mut listed = list.split(|c: char| c == ',' || c == ';' || c.is_whitespace());
        listed.any(|name| name.eq_ignore_ascii_case(node))
            || self.host_map().any(|(name, _)| name.eq_ignore_ascii_case(node))
    }

    /// Whether `pcmk_host_check` says how it is found out whom the device can fence.
    #[must_use]
    pub fn is_check_chosen(&self) -> bool {
        self.get("pcmk_host_check").is_some()
    }

    /// Whether it may be able to fence `node`, as far as its parameters tell: where they do not name nodes, its agent knows.
    #[must_use]
    pub fn may_reach(&self, node: &str) -> bool {
        match self.host_check(FenceAbilities { list: true, ..FenceAbilities::default() }) {
            HostCheck::StaticList => self.names(node),
            HostCheck::Nobody => false,
            HostCheck::DynamicList | HostCheck::Status | HostCheck::Any => true,
        }
    }

    /// Whether a node that it was told to reboot stays off (`pcmk_reboot_action=off`).
    #[must_use]
    pub fn stays_off(&self) -> bool {
        self.get("pcmk_reboot_action") == Some("off")
    }

    /// How long one attempt at `action` may take at most, whatever the agent turns out to know.
    #[must_use]
    pub fn longest_timeout(&self, action: &str, base: Duration) -> Duration {
        let knows = |reboot| FenceAbilities { reboot, ..FenceAbilities::default() };
        self.timeout(action, knows(true), base).max(self.timeout(action, knows(false), base))
    }

    /// What the device calls `node`: its port in `pcmk_host_map`, else its name.
    #[must_use]
    pub fn alias<'n>(&self, node: &'n str) -> &'n str
    where
        'a: 'n,
    {
        self.host_map().find(|(name, _)| name.eq_ignore_ascii_case(node)).map_or(node, |(_, port)| port)
    }

    /// What the device calls the nodes of `pcmk_host_map`; of several ports of one node each.
    #[must_use]
    pub fn ports(&self) -> Vec<&'a str> {
        self.host_map().flat_map(|(_, ports)| ports.split(',')).collect()
    }

    /// Whether what the agent wrote for `list` has `node` in it, by its name or by what the device calls it.
    #[must_use]
    pub fn is_listed(&self, output: &str, node: &str) -> bool {
        let alias = self.alias(node);
        let targets = listed_targets(output);
        // Of several ports of one node (`2,3`) each must be there.
        let has = |name: &str| targets.iter().any(|target| target.eq_ignore_ascii_case(name));
        alias.split(',').all(has) || has(node)
    }

    /// The word that the agent is told for `action` (`off`, `reboot`, `on`, `list`, `status`, `monitor` …): what
    /// `pcmk_ACTION_action` says, `off` for a reboot that the agent does not know, else the action itself.
    #[must_use]
    pub fn word<'w>(&self, action: &'w str, can: FenceAbilities) -> &'w str
    where
        'a: 'w,
    {
        let known = known_as(action, can);
        self.get(&format!("pcmk_{known}_action")).unwrap_or(known)
    }

    /// How long one attempt at `action` may take with all that is tried again: `pcmk_ACTION_timeout`, else `base`, which is
    /// that of who asked.
    #[must_use]
    pub fn timeout(&self, action: &str, can: FenceAbilities, base: Duration) -> Duration {
        let own = self.get(&format!("pcmk_{}_timeout", known_as(action, can))).and_then(parse_duration_ms);
        own.map_or(base, Duration::from_millis)
    }

    /// How often the agent is run at most in one attempt at `action`; at least once.
    #[must_use]
    pub fn tries(&self, action: &str, can: FenceAbilities) -> u32 {
        let own = self.get(&format!("pcmk_{}_retries", known_as(action, can))).and_then(|text| text.parse().ok());
        own.unwrap_or(TRIES).max(1)
    }

    /// How many runs of the agent one node may have at one time; `None` is any number. 0 counts as 1.
    #[must_use]
    pub fn parallel(&self) -> Option<u32> {
        match self.get("pcmk_action_limit").map(str::parse::<i64>) {
            Some(Ok(-1)) => None,
            Some(Ok(limit)) => Some(u32::try_from(limit).unwrap_or(1).max(1)),
            Some(Err(_)) | None => Some(1),
        }
    }

    /// `pcmk_delay_base` for `node`: one time for all, or one for each (`node1:0s;node2:5s`; who is not named does not wait).
    fn delay_base(&self, node: &str) -> Duration {
        let Some(text) = self.get("pcmk_delay_base") else { return Duration::ZERO };
        let of_node = |entry: &'a str| entry.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case(node));
        let time = if text.contains(':') {
            text.split([';', ' ', '\t']).find_map(of_node).and_then(|(_, time)| parse_duration_ms(time))
        } else {
            parse_duration_ms(text)
        };
        Duration::from_millis(time.unwrap_or(0))
    }

    /// The least and the longest wait before `node` is powered off or rebooted by this device. A base above the longest is
    /// cut to it; without a longest it is the base.
    #[must_use]
    pub fn delay_bounds(&self, node: &str) -> (Duration, Duration) {
        let base = self.delay_base(node);
        match self.get("pcmk_delay_max").and_then(parse_duration_ms).filter(|max| *max > 0) {
            Some(max) => (base.min(Duration::from_millis(max)), Duration::from_millis(max)),
            None => (base, base),
        }
    }

    /// The wait before `node` is powered off or rebooted: the base and whole seconds up to the longest, both ends included,
    /// of which the random number `draw` picks one.
    #[must_use]
    pub fn delay(&self, node: &str, draw: u64) -> Duration {
        let (base, max) = self.delay_bounds(node);
        let choices = max.saturating_sub(base).as_secs().saturating_add(1);
        base + Duration::from_secs(draw.checked_rem(choices).unwrap_or(0))
    }

    /// The parameter by which the agent learns the target: `pcmk_host_argument`, else `plug` or `port` if the agent has it;
    /// `None` if it is not told.
    fn host_argument(&self, can: FenceAbilities) -> Option<&'a str> {
        match self.get("pcmk_host_argument") {
            Some("none") => None,
            Some(name) => Some(name),
            None if can.plug => Some("plug"),
            None if can.port => Some("port"),
            None => None,
        }
    }

    /// What the agent reads on its standard input for `action` at `target`: a line `NAME=VALUE` each, the parameters in the
    /// order of their names. What would make a line more (a line break in a value) is left out with what follows it.
    ///
    /// There are secrets in it.
    #[must_use]
    pub fn input(&self, action: &str, target: Option<&str>, can: FenceAbilities) -> String {
        let line =
            |name: &str, value: &str| format!("{name}={}\n", value.split(['\n', '\r']).next().unwrap_or_default());
        let argument = target.and_then(|target| Some((self.host_argument(can)?, self.alias(target))));
        let preset = |name: &str| self.get(name).is_some_and(|value| value != "dynamic");
        let argument = argument.filter(|(name, _)| !preset(name));
        let mut text = String::new();
        for (name, value) in self.params.iter().filter(|(name, _)| is_for_agent(name)) {
            if argument.is_none_or(|(replaced, _)| replaced != name) {
                text.push_str(&line(name, value));
            }
        }
        text.push_str(&line("action", self.word(action, can)));
        target.into_iter().for_each(|target| text.push_str(&line("nodename", target)));
        argument.into_iter().for_each(|(name, alias)| text.push_str(&line(name, alias)));
        text
    }
}

/// Whether an agent that has failed, not for want of time, is tried again after [`RETRY_PAUSE`]: `tried` times it was, `passed`
/// of its `limit` is over.
#[must_use]
pub fn is_tried_again(tried: u32, tries: u32, passed: Duration, limit: Duration) -> bool {
    // Less than 70 % of the time, in whole numbers.
    tried < tries && passed.as_millis().saturating_mul(10) < limit.as_millis().saturating_mul(7)
}

/// The action as the agent knows it.
fn known_as(action: &str, can: FenceAbilities) -> &str {
    if action == "reboot" && !can.reboot { "off" } else { action }
}

/// Whether a parameter is the agent's and not the cluster's.
fn is_for_agent(name: &str) -> bool {
    !name.starts_with("pcmk_") && !name.starts_with("CRM_meta_") && !matches!(name, "action" | "crm_feature_set")
}

/// The names in the answer to `list`.
fn listed_targets(output: &str) -> BTreeSet<&str> {
    let lines = output.split('\n').flat_map(|line| line.split("\\n"));
    let sound = lines.filter(|line| !line.contains("invalid") && !line.contains("variable"));
    let words =
        sound.flat_map(|line| line.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))));
    words
        .filter(|word| !word.is_empty() && !["on", "off"].iter().any(|state| word.eq_ignore_ascii_case(state)))
        .collect()
}

#[cfg(test)]
mod tests;
