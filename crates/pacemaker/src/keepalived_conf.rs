//! A `keepalived.conf` as statements of `crm configure`: the addresses of each VRRP instance as a group, its priority as a
//! location, the service that its script looks for as a clone. What becomes of each line is told; what has no counterpart
//! too.

use std::collections::BTreeSet;
use std::net::IpAddr;

use thiserror::Error;

/// Most blocks and lines that are read.
const MOST: usize = 10_000;
/// Deepest nesting of blocks.
const DEEPEST: usize = 16;

/// What a file became.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Converted {
    /// Statements of `crm configure`.
    pub statements: String,
    /// What became of which line, in the order of the lines, and what could not be taken over.
    pub notes: Vec<String>,
}

/// A file that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("line {line}: {message}")]
pub struct ConfError {
    /// Line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub message: String,
}

/// A line, and the block that it opens.
#[derive(Debug, Default)]
struct Entry {
    line: usize,
    words: Vec<String>,
    inside: Vec<Self>,
}

impl Entry {
    fn word(&self, at: usize) -> &str {
        self.words.get(at).map_or("", String::as_str)
    }

    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.inside.iter().filter(move |entry| entry.word(0) == name)
    }
}

/// Whether a text looks like a `keepalived.conf`.
#[must_use]
pub fn is_one(text: &str) -> bool {
    text.lines().any(|line| {
        ["vrrp_instance", "vrrp_script", "virtual_server"].iter().any(|word| line.trim_start().starts_with(word))
    })
}

/// Converts a file; `node` is the node that it is from, whose priority stands in it.
///
/// # Errors
/// [`ConfError`] if braces do not match, or nothing in it is an address.
pub fn to_crm(text: &str, node: &str) -> Result<Converted, ConfError> {
    let entries = parse(text)?;
    let mut made = Made { node, ..Made::default() };
    for entry in &entries {
        match entry.word(0) {
            "vrrp_instance" => made.instance(entry, &entries)?,
            // Taken where it is named.
            "vrrp_script" => {}
            "global_defs" => {
                made.left(entry, "who is told of what is decided by a monitoring system: 'hacctl status --check'")
            }
            "vrrp_sync_group" => {
                made.left(entry, "put its addresses into one group: hacctl configure group ID ADDRESS...")
            }
            "virtual_server" | "virtual_server_group" => {
                made.left(entry, "hacd spreads no load; HAProxy or nginx does: hacctl recipe haproxy-anchor");
            }
            _ => made.left(entry, "hacd has nothing of that kind"),
        }
    }
    let used: BTreeSet<&str> = entries
        .iter()
        .flat_map(|entry| entry.all("track_script"))
        .flat_map(|track| &track.inside)
        .map(|script| script.word(0))
        .collect();
    for script in entries.iter().filter(|entry| entry.word(0) == "vrrp_script" && !used.contains(entry.word(1))) {
        made.left(script, "no instance names it");
    }
    if made.statements.is_empty() {
        return Err(ConfError {
            line: 1,
            message: "no vrrp_instance with a virtual_ipaddress stands in it".to_owned(),
        });
    }
    made.notes.sort_by_key(|(line, _)| *line);
    let notes = made.notes.into_iter().map(|(line, note)| format!("line {line}: {note}")).collect();
    Ok(Converted { statements: made.statements.concat(), notes })
}

#[derive(Default)]
struct Made<'a> {
    node: &'a str,
    statements: Vec<String>,
    notes: Vec<(usize, String)>,
    services: BTreeSet<String>,
}

impl Made<'_> {
    fn note(&mut self, entry: &Entry, what: &str) {
        let name = crate::text::printable(&entry.words.join(" ")).into_owned();
        self.notes.push((entry.line, format!("{name}: {what}")));
    }

    fn left(&mut self, entry: &Entry, why: &str) {
        self.note(entry, &format!("not taken over; {why}"));
    }

    fn instance(&mut self, entry: &Entry, all: &[Entry]) -> Result<(), ConfError> {
        let id = id(entry.word(1), "vrrp");
        let interface = entry.all("interface").next().map(|line| line.word(1).to_owned());
        let mut members = Vec::new();
        for kind in ["virtual_ipaddress", "virtual_ipaddress_excluded"] {
            for line in entry.all(kind).flat_map(|block| &block.inside) {
                members.push(self.address(&id, line, interface.as_deref())?);
            }
        }
        if members.is_empty() {
            self.left(entry, "it has no virtual_ipaddress");
            return Ok(());
        }
        let stays = entry.all("nopreempt").next().is_some();
        let stickiness = if stays { "INFINITY" } else { "0" };
        self.statements.push(format!("group {id} {} \\\n\tmeta resource-stickiness={stickiness}\n", members.join(" ")));
        self.note(entry, &format!("is the group {id}"));
        for line in &entry.inside {
            match line.word(0) {
                "virtual_ipaddress" | "virtual_ipaddress_excluded" => {}
                "interface" => self.note(line, "is the nic of addresses that name none"),
                "priority" => self.priority(&id, line),
                "nopreempt" => self.note(line, &format!("{id} stays where it is when the node comes back")),
                "state" => self.left(line, "who has it first is decided by scores and by who is there"),
                "virtual_router_id"
                | "advert_int"
                | "authentication"
                | "unicast_src_ip"
                | "unicast_peer"
                | "garp_master_delay"
                | "garp_master_refresh"
                | "garp_master_repeat"
                | "mcast_src_ip"
                | "version"
                | "use_vmac"
                | "accept"
                | "strict_mode" => {
                    self.left(line, "not needed: the nodes know each other from hacd.toml, and the ring has its key");
                }
                "preempt_delay" => self.left(line, "scores decide at once; a stickiness keeps it where it is"),
                "track_script" => {
                    for script in &line.inside {
                        self.script(&id, script, all);
                    }
                }
                "track_interface" => {
                    self.left(
                        line,
                        "the ring notices a dead link by itself; ocf:pacemaker:ping watches a way to the outside",
                    );
                }
                "notify" | "notify_master" | "notify_backup" | "notify_fault" | "notify_stop" | "smtp_alert" => {
                    self.left(line, "follow 'hacctl events --follow --json' and call the program from there");
                }
                "virtual_routes" | "virtual_rules" => self.left(line, "write each as a primitive Route"),
                _ => self.left(line, "hacd has nothing of that kind"),
            }
        }
        Ok(())
    }

    /// `ADDRESS[/BITS] [dev NAME] [label LABEL]`: the id of the resource that it becomes.
    fn address(&mut self, owner: &str, line: &Entry, interface: Option<&str>) -> Result<String, ConfError> {
        let written = line.word(0);
        let (ip, bits) = written.split_once('/').map_or((written, None), |(ip, bits)| (ip, Some(bits)));
        let wrong =
            || ConfError { line: line.line, message: format!("'{}' is no address", crate::text::printable(written)) };
        let parsed: IpAddr = ip.parse().map_err(|_| wrong())?;
        if bits.is_some_and(|bits| bits.parse::<u8>().is_err()) {
            return Err(wrong());
        }
        let option = |name: &str| line.words.iter().position(|word| word == name).map(|at| line.word(at + 1));
        let nic = option("dev").or(interface);
        let id = id(&format!("{owner}-{}", ip.replace([':', '.'], "-")), "ip");
        let mut params = format!("ip={}", if parsed.is_ipv6() { format!("\"{ip}\"") } else { ip.to_owned() });
        if let Some(bits) = bits {
            params.push_str(&format!(" cidr_netmask={bits}"));
        }
        if let Some(nic) = nic {
            params.push_str(&format!(" nic=\"{}\"", nic.replace(['"', '\\'], "")));
        }
        self.statements
            .push(format!("primitive {id} IPaddr2 \\\n\tparams {params} \\\n\top monitor interval=10s timeout=20s\n"));
        self.note(line, &format!("is the resource {id}"));
        if option("label").is_some() {
            self.note(line, "its label is not taken over: give iflabel to IPaddr2");
        }
        Ok(id)
    }

    fn priority(&mut self, id: &str, line: &Entry) {
        match line.word(1).parse::<u8>() {
            Ok(priority) => {
                self.statements.push(format!("location {id}-on-{0} {id} {priority}: {0}\n", self.node));
                self.note(
                    line,
                    &format!("is the score of {}; the file of each other node has that node's own", self.node),
                );
            }
            Err(_) => self.left(line, "it is not a number up to 255"),
        }
    }

    /// A script that looks whether a service runs: the service becomes a clone, and the addresses stay with it.
    fn script(&mut self, id: &str, named: &Entry, all: &[Entry]) {
        let script = all.iter().find(|entry| entry.word(0) == "vrrp_script" && entry.word(1) == named.word(0));
        let Some(script) = script else {
            self.left(named, "there is no vrrp_script of that name");
            return;
        };
        let command = script.all("script").next().map(|line| line.words.get(1..).unwrap_or_default().join(" "));
        let command = command.unwrap_or_default();
        match service(&command) {
            Some(unit) => {
                let service = self::id(&unit, "service");
                if self.services.insert(service.clone()) {
                    self.statements.push(format!(
                        "primitive {service} systemd:{unit} \\\n\top monitor interval=10s timeout=30s\nclone {service}-clone {service}\n"
                    ));
                }
                self.statements.push(format!("colocation {id}-with-{service} inf: {id} {service}-clone\n"));
                self.note(
                    script,
                    &format!("{unit} is a clone that the cluster starts and watches, and {id} stays with it; 'systemctl disable {unit}' on all nodes"),
                );
            }
            None => self.left(
                script,
                &format!(
                    "write what '{}' looks at as a resource, and 'colocation ID inf: {id} RSC'",
                    crate::text::printable(&command)
                ),
            ),
        }
    }
}

/// The unit that a common check looks for: `pidof X`, `killall -0 X`, `pgrep X`, `systemctl is-active X`.
fn service(command: &str) -> Option<String> {
    let words: Vec<&str> = command.split_whitespace().collect();
    let program = words.first()?.rsplit('/').next()?;
    let name = match (program, words.get(1..)?) {
        ("pidof" | "pgrep", [.., name]) => name,
        ("killall", ["-0" | "-s0", name]) => name,
        ("systemctl", ["is-active", .., name]) => name,
        ("service", [name, "status"]) => name,
        _ => return None,
    };
    let name = name.rsplit('/').next()?.trim_end_matches(".service");
    let is_unit = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '@'));
    is_unit.then(|| name.to_owned())
}

/// A name as an id.
fn id(name: &str, otherwise: &str) -> String {
    let safe: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '-' }).collect();
    if safe.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') { safe } else { format!("{otherwise}-{safe}") }
}

fn parse(text: &str) -> Result<Vec<Entry>, ConfError> {
    let mut open: Vec<Entry> = vec![Entry::default()];
    let mut count = 0;
    for (number, line) in text.lines().enumerate() {
        let line_number = number + 1;
        let error = |message: &str| ConfError { line: line_number, message: message.to_owned() };
        count += 1;
        if count > MOST {
            return Err(error("the file is too long"));
        }
        let mut words: Vec<String> = Vec::new();
        for word in split(line).map_err(error)? {
            match word {
                Word::Open => {
                    // The name of a block may stand on the line before.
                    let entry = match (words.is_empty(), open.last_mut()) {
                        (true, Some(parent)) => parent.inside.pop().ok_or_else(|| error("a { without a name"))?,
                        _ => Entry { line: line_number, words: std::mem::take(&mut words), inside: Vec::new() },
                    };
                    open.push(entry);
                    if open.len() > DEEPEST {
                        return Err(error("blocks are nested too deeply"));
                    }
                }
                Word::Close => {
                    flush(&mut open, line_number, &mut words);
                    let entry = open.pop().ok_or_else(|| error("a } without a {"))?;
                    open.last_mut().ok_or_else(|| error("a } without a {"))?.inside.push(entry);
                }
                Word::Text(text) => words.push(text),
            }
        }
        flush(&mut open, line_number, &mut words);
    }
    match (open.pop(), open.is_empty()) {
        (Some(root), true) => Ok(root.inside),
        (Some(entry), false) => Err(ConfError {
            line: entry.line,
            message: format!("the block {} has no }}", crate::text::printable(entry.word(0))),
        }),
        (None, _) => Ok(Vec::new()),
    }
}

/// Words that open no block are an entry of the block around them.
fn flush(open: &mut [Entry], line: usize, words: &mut Vec<String>) {
    let words = std::mem::take(words);
    if let Some(parent) = open.last_mut()
        && !words.is_empty()
    {
        parent.inside.push(Entry { line, words, inside: Vec::new() });
    }
}

enum Word {
    Open,
    Close,
    Text(String),
}

/// Words of a line; what follows `#` or `!` is a comment.
fn split(line: &str) -> Result<Vec<Word>, &'static str> {
    let mut words = Vec::new();
    let mut chars = line.chars().peekable();
    while let Some(&c) = chars.peek() {
        match c {
            '#' | '!' => break,
            '{' | '}' => {
                chars.next();
                words.push(if c == '{' { Word::Open } else { Word::Close });
            }
            '"' | '\'' => {
                chars.next();
                let mut text = String::new();
                loop {
                    match chars.next() {
                        Some(end) if end == c => break,
                        Some(other) => text.push(other),
                        None => return Err("a quotation has no end"),
                    }
                }
                words.push(Word::Text(text));
            }
            c if c.is_whitespace() => {
                chars.next();
            }
            _ => {
                let mut text = String::new();
                while let Some(c) = chars.next_if(|c| !c.is_whitespace() && !matches!(c, '{' | '}')) {
                    text.push(c);
                }
                words.push(Word::Text(text));
            }
        }
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use proptest::prelude::*;

    use super::*;

    const FILE: &str = r#"! a pair
global_defs {
    router_id LB
}
vrrp_script chk_nginx {
    script "/usr/bin/pidof nginx"
    interval 2
}
vrrp_script odd
{
    script "curl -f http://localhost/"
}
vrrp_instance VI_1 {
    state MASTER
    interface eth1
    virtual_router_id 51
    priority 101   # here
    nopreempt
    authentication {
        auth_type PASS
        auth_pass geheim
    }
    virtual_ipaddress {
        192.0.2.10/24 dev eth0 label eth0:1
        2001:db8::1
    }
    track_script {
        chk_nginx
        odd
    }
    notify_master "/etc/keepalived/master.sh"
}
"#;

    #[test]
    fn a_pair_becomes_addresses_that_stay_with_their_service() {
        let converted = to_crm(FILE, "primary").expect("is read");
        expect![[r#"
            primitive VI_1-192-0-2-10 IPaddr2 \
            	params ip=192.0.2.10 cidr_netmask=24 nic="eth0" \
            	op monitor interval=10s timeout=20s
            primitive VI_1-2001-db8--1 IPaddr2 \
            	params ip="2001:db8::1" nic="eth1" \
            	op monitor interval=10s timeout=20s
            group VI_1 VI_1-192-0-2-10 VI_1-2001-db8--1 \
            	meta resource-stickiness=INFINITY
            location VI_1-on-primary VI_1 101: primary
            primitive nginx systemd:nginx \
            	op monitor interval=10s timeout=30s
            clone nginx-clone nginx
            colocation VI_1-with-nginx inf: VI_1 nginx-clone
        "#]]
        .assert_eq(&converted.statements);
        let changes = crate::crm_syntax::parse(&converted.statements).expect("are statements of crm");
        assert_eq!(changes.len(), 7);
        let notes = converted.notes.join("\n");
        for part in [
            "line 2: global_defs: not taken over",
            "line 5: vrrp_script chk_nginx: nginx is a clone",
            "line 9: vrrp_script odd: not taken over; write what 'curl -f http://localhost/' looks at as a resource",
            "line 17: priority 101: is the score of primary",
            "line 19: authentication: not taken over",
            "line 24: 192.0.2.10/24 dev eth0 label eth0:1: is the resource VI_1-192-0-2-10",
            "line 31: notify_master /etc/keepalived/master.sh: not taken over",
        ] {
            assert!(notes.contains(part), "{part}\n{notes}");
        }
        assert!(!notes.contains("geheim"), "{notes}");
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_its_line() {
        for (text, said) in [
            ("vrrp_instance a {\n", "line 1: the block vrrp_instance has no }"),
            ("}\n", "line 1: a } without a {"),
            ("{\n", "line 1: a { without a name"),
            ("vrrp_instance a {\n virtual_ipaddress {\n 192.0.2.300\n }\n}\n", "line 3: '192.0.2.300' is no address"),
            ("vrrp_script \"a\n", "line 1: a quotation has no end"),
            ("global_defs {\n}\n", "line 1: no vrrp_instance with a virtual_ipaddress stands in it"),
        ] {
            assert_eq!(to_crm(text, "n1").expect_err("is refused").to_string(), said, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[a-z{}\"# \n0-9./]{0,120}") {
            let _ = to_crm(&text, "n1").is_ok();
        }
    }
}
