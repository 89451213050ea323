//! Configurations in crm's words that nobody wrote.

/// Draws numbers from a seed.
struct Draw(u64);

impl Draw {
    /// A number below `end`.
    fn below(&mut self, end: usize) -> usize {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % u64::try_from(end).expect("is small")).expect("is small")
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    /// One time in `times`.
    fn rarely(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// Up to `most` of what `make` gives, joined by blanks.
    fn some(&mut self, most: usize, mut make: impl FnMut(&mut Self) -> String) -> String {
        (0..self.below(most + 1)).map(|_| format!(" {}", make(self))).collect()
    }
}

/// Without letters that are not ASCII: crmsh makes entities of entities of them.
const VALUES: &[&str] = &[
    "1",
    "0",
    "-1",
    "\"\"",
    "yes",
    "a",
    "10.0.0.1",
    "\"a b\"",
    "'c d'",
    "\"it's\"",
    "'say \"x\"'",
    "a=b",
    "\"a=b c=d\"",
    "/dev/drbd0",
    "\"*.example.org\"",
    "a,b;c",
    "\"x;y\"",
    "\"$HOME\"",
    "http://h:80/p?q=1",
    "{a}",
    "\"(b)\"",
    "[c]",
    "#x",
    "\"# y\"",
    "a:b",
    "a@b",
    "\"<&>\"",
    "100%",
    "\"-o ro,noexec\"",
    "\\\\a",
    "x\\ty",
];
const NAMES: &[&str] = &["fake", "state", "ip", "nic", "device", "op_sleep", "a_b", "x-y", "X.z", "passwd"];
const TIMES: &[&str] = &["10", "10s", "30s", "2min", "1h", "500ms", "PT1M", "0", "0s"];
const SCORES: &[&str] = &["inf", "-inf", "INFINITY", "-INFINITY", "100", "-50", "0", "+5", "+inf", "1000"];
const EXPRESSIONS: &[&str] = &[
    "#uname eq n1",
    "#uname ne n2",
    "defined pingd",
    "not_defined site",
    "pingd gt 100",
    "pingd number:lte 5",
    "site string:eq east",
    "#ra-version version:gt 1.2",
    "date lt 2030-01-01",
    "date gt \"2026-01-01 10:00:00\"",
    "date in start=2026-01-01 end=2027-01-01",
    "date in start=2026-01-01 months=2",
    "date spec hours=9-17 weekdays=1-5",
    "#kind eq remote",
    "uptime gte 3",
];

/// A name of an attribute that was not drawn before.
fn fresh(draw: &mut Draw, names: &[&str], seen: &mut Vec<String>) -> Option<String> {
    let name = draw.one(names).to_owned();
    if seen.contains(&name) {
        return None;
    }
    seen.push(name.clone());
    Some(name)
}

fn pairs(draw: &mut Draw, names: &[&str], values: &[&str], most: usize) -> String {
    let mut seen = Vec::new();
    draw.some(most, |draw| match fresh(draw, names, &mut seen) {
        Some(name) => format!("{name}={}", draw.one(values)),
        None => String::new(),
    })
}

fn rule(draw: &mut Draw) -> String {
    let word = draw.one(&["and", "or"]);
    let first = draw.one(EXPRESSIONS).to_owned();
    let more = draw.some(2, |draw| format!("{word} {}", draw.one(EXPRESSIONS)));
    format!("{first}{more}")
}

/// A block of pairs; sometimes for a while or with a score alone.
fn block(draw: &mut Draw, keyword: &str, names: &[&str], values: &[&str], id: &str) -> String {
    let mut text = format!(" {keyword}");
    if draw.rarely(8) {
        text += &format!(" $id={id}");
    }
    if draw.rarely(10) {
        text += &format!(" {}:", draw.one(&["1", "5", "100"]));
    }
    if draw.rarely(10) {
        text += &format!(" rule {}", rule(draw));
    }
    text + " " + &format!("{}={}", "first", draw.one(values)) + &pairs(draw, names, values, 4)
}

fn meta(draw: &mut Draw) -> String {
    let pairs = [
        "target-role=Started",
        "target-role=Stopped",
        "is-managed=true",
        "priority=5",
        "migration-threshold=3",
        "failure-timeout=60s",
        "resource-stickiness=100",
        "allow-migrate=true",
        "multiple-active=stop_start",
        "critical=false",
        "maintenance=false",
    ];
    draw.some(3, |draw| draw.one(&pairs).to_owned())
}

fn operations(draw: &mut Draw) -> String {
    let mut text = String::new();
    for name in ["start", "stop", "promote", "demote", "notify"] {
        if draw.rarely(4) {
            text += &format!(" op {name} timeout={}", draw.one(TIMES));
            text += draw.one(&["", " interval=0", " interval=0s", " on-fail=block", " on-fail=\"restart\""]);
        }
    }
    for interval in [["10", "10s"], ["11s", "11000ms"], ["2min", "120"]] {
        if draw.rarely(3) {
            text += &format!(" op monitor interval={} timeout={}", draw.one(&interval), draw.one(TIMES));
            text += draw.one(&[
                "",
                "",
                "",
                " role=Master",
                " role=Slave",
                " role=Started",
                " OCF_CHECK_LEVEL=10",
                " on-fail=standby",
                " enabled=false",
                " start-delay=5s",
                " record-pending=true",
                " depth=0",
                " op_params a=b",
                " op_meta x=1",
                " description=\"looks in\"",
            ]);
        }
    }
    text
}

fn primitive(draw: &mut Draw, id: &str) -> String {
    let agent = draw.one(&[
        "Dummy",
        "ocf:heartbeat:Dummy",
        "ocf:pacemaker:Stateful",
        "IPaddr2",
        "systemd:nginx",
        "lsb:apache2",
        "service:cron",
        "ocf:linbit:drbd",
        "stonith:fence_ipmilan",
        "stonith:external/ipmi",
        "ocf:suse:SAPHana",
        "Filesystem",
        "@t0",
    ]);
    let mut text = format!("primitive {id} {agent}");
    if draw.rarely(8) {
        text += " description=\"made by nobody\"";
    }
    let mut parts = Vec::new();
    if draw.rarely(2) {
        parts.push(block(draw, "params", NAMES, VALUES, &format!("{id}-p")));
    }
    if draw.rarely(3) {
        parts.push(format!(" meta{}", meta(draw)));
    }
    if draw.rarely(6) {
        parts.push(block(draw, "utilization", &["cpu", "memory", "disk"], &["1", "2", "4096"], &format!("{id}-u")));
    }
    // An operation ends where the next block begins. What names them all stands before the first.
    let named = if draw.rarely(8) { format!(" operations $id={id}-ops") } else { String::new() };
    parts.push(named + &operations(draw));
    let first = draw.below(parts.len());
    parts.rotate_left(first);
    text + &parts.concat()
}

/// Two to four of these resources, with roles and brackets.
fn set(draw: &mut Draw, of: &[String], words: &[&str]) -> String {
    let from = draw.below(of.len() - 4);
    let names: Vec<String> =
        of[from..from + 2 + draw.below(3)].iter().map(|id| format!("{id}{}", draw.one(words))).collect();
    match draw.below(5) {
        0 => format!("( {} )", names.join(" ")),
        1 => format!("[ {} ]", names.join(" ")),
        2 => format!("{} ( {} )", of[from + 4], names.join(" ")),
        3 => format!("( {} ) {}", names.join(" "), of[from + 4]),
        _ => names.join(" "),
    }
}

fn constraint(draw: &mut Draw, number: usize, of: &[String]) -> String {
    match draw.below(4) {
        0 => {
            let score = draw.one(SCORES);
            let mut resource = of[draw.below(of.len())].clone();
            if draw.rarely(6) {
                resource = draw.one(&["/^r.*/", "{ r0 r1 }", "tag0"]).to_owned();
            }
            match draw.below(4) {
                0 => format!("location l{number} {resource} {score}: n{}", draw.below(3)),
                // A set says itself in which role its resources are meant.
                1 if !resource.starts_with('{') => {
                    let words = draw.one(&[
                        "role=Master",
                        "role=Started",
                        "resource-discovery=never",
                        "resource-discovery=exclusive",
                    ]);
                    format!("location l{number} {resource} {words} {score}: n1")
                }
                2 => format!("location l{number} {resource} rule {}", rule(draw)),
                _ => {
                    let head =
                        draw.one(&["", "", "$role=Master ", "$id=x "]).replace("$id=x", &format!("$id=rule{number}"));
                    let second = if draw.rarely(4) { format!(" rule 7: {}", rule(draw)) } else { String::new() };
                    format!("location l{number} {resource} rule {head}{score}: {}{second}", rule(draw))
                }
            }
        }
        1 => {
            let (score, roles) = (draw.one(SCORES), ["", "", ":Master", ":Slave", ":Started"]);
            if draw.rarely(2) {
                return format!("colocation c{number} {score}: {}", set(draw, of, &roles));
            }
            let (one, other) = (draw.below(of.len() - 1), of.len() - 1);
            let end = draw.one(&["", "", " node-attribute=site"]);
            format!(
                "colocation c{number} {score}: {}{} {}{}{end}",
                of[one],
                draw.one(&roles),
                of[other],
                draw.one(&roles)
            )
        }
        2 => {
            let kind = draw.one(&["Mandatory:", "Optional:", "Serialize:", "inf:", "0:", "100:", ""]);
            let end = draw.one(&["", "", " symmetrical=false", " symmetrical=true"]);
            format!("order o{number} {kind} {}{end}", set(draw, of, &["", "", ":start", ":promote", ":stop"]))
        }
        _ => {
            let end = draw.one(&[
                "",
                " loss-policy=stop",
                " loss-policy=fence",
                " loss-policy=demote",
                " loss-policy=freeze",
            ]);
            format!("rsc_ticket k{number} T1: {}{}{end}", of[draw.below(of.len())], draw.one(&["", ":Master"]))
        }
    }
}

/// A configuration of some dozen statements that refer to each other.
pub(super) fn configuration(seed: u64) -> String {
    let mut draw = Draw(seed);
    let draw = &mut draw;
    let mut lines = Vec::new();
    for number in 0..3 {
        let id = draw.one(&["$id=\"7\" ", "7: ", "$id=7 "]).replace('7', &(number + 1).to_string());
        let attributes = if draw.rarely(2) {
            block(draw, "attributes", &["site", "standby", "rack"], VALUES, &format!("na{number}"))
        } else {
            String::new()
        };
        let utilization = if draw.rarely(3) { " utilization cpu=8 memory=4096" } else { "" };
        lines.push(format!("node {id}n{number}{attributes}{utilization}"));
    }
    lines.push(format!(
        "rsc_template t0 {}",
        primitive(draw, "t0").split_once("t0 ").map_or("", |(_, rest)| rest).replace("@t0", "Dummy")
    ));
    let mut ids: Vec<String> = (0..24).map(|number| format!("r{number}")).collect();
    lines.extend(ids.iter().map(|id| primitive(draw, id)));
    // The last ones are in groups and clones, and are named by those.
    let inside = ids.split_off(14);
    for (number, members) in inside.chunks(2).enumerate() {
        let (id, members) = (format!("g{number}"), members.join(" "));
        match draw.below(3) {
            0 => lines.push(format!("group {id} {members} meta{}", meta(draw))),
            1 => {
                lines.push(format!("group {id}-in {members}"));
                lines.push(format!(
                    "clone {id} {id}-in meta interleave=true clone-max=2{}",
                    draw.one(&["", " notify=true", " globally-unique=false"])
                ));
            }
            _ => {
                let first = members.split(' ').next().expect("has members");
                lines.push(format!(
                    "ms {id} {first} meta notify=true{}",
                    draw.one(&["", " master-max=1", " clone-node-max=1", " target-role=Master"])
                ));
            }
        }
        ids.push(id);
    }
    lines.push("tag tag0 r0 r1".to_owned());
    lines.extend((0..16).map(|number| constraint(draw, number, &ids)));
    if draw.rarely(2) {
        lines.push(format!(
            "property {}",
            draw.one(&[
                "no-quorum-policy=ignore stonith-enabled=false",
                "$id=mine batch-limit=5",
                "cib-bootstrap-options: maintenance-mode=true"
            ])
        ));
    }
    if draw.rarely(2) {
        lines.push(format!(
            "rsc_defaults {}",
            draw.one(&["resource-stickiness=100", "rsc-options: migration-threshold=3", "$id=d resource-stickiness=1"])
        ));
    }
    if draw.rarely(2) {
        lines.push(format!(
            "op_defaults{}",
            draw.one(&[" timeout=60s", " $id=od timeout=20 record-pending=true", " rule #uname eq n1 timeout=90s"])
        ));
    }
    if draw.rarely(3) {
        lines.push("fencing_topology n1: r0 r1 n2: r2,r3".to_owned());
    }
    lines.join("\n")
}
