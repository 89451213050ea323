//! The keys that hacd has too, with the values it takes: what is written into `hacd.toml` must be accepted there.

/// What a value must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One of the words for yes and no.
    Bool,
    /// A number in this range; times are in milliseconds.
    Number(u64, u64),
    /// One of these words, in any case.
    Choice(&'static [&'static str]),
    /// An IPv4 or IPv6 address.
    Address,
    /// A text that is not empty and has at most this many bytes.
    Text(usize),
}

/// A key of a section.
pub(super) type Key = (&'static str, Kind);

use Kind::{Address, Bool, Choice, Number, Text};

/// Longest text, bytes.
const TEXT_MAX: usize = 255;
const MINUTE: u64 = 60_000;
const PRIORITIES: Kind = Choice(&["emerg", "alert", "crit", "error", "warning", "notice", "info", "debug"]);

/// Keys of `totem`.
pub(super) const TOTEM: &[Key] = &[
    ("version", Number(2, 2)),
    ("cluster_name", Text(TEXT_MAX)),
    ("token", Number(40, 5 * MINUTE)),
    ("token_coefficient", Number(0, MINUTE)),
    ("token_retransmits_before_loss_const", Number(1, 1000)),
    ("token_retransmit", Number(30, 5 * MINUTE)),
    ("hold", Number(10, 5 * MINUTE)),
    ("join", Number(30, MINUTE)),
    ("consensus", Number(30, 10 * MINUTE)),
    ("merge", Number(30, MINUTE)),
    ("window_size", Number(1, 10_000)),
    ("max_messages", Number(1, 10_000)),
    ("netmtu", Number(1280, 65_535)),
];

/// Keys of `totem.interface`.
pub(super) const INTERFACE: &[Key] = &[
    ("ringnumber", Number(0, 1)),
    ("linknumber", Number(0, 1)),
    ("bindnetaddr", Address),
    ("mcastport", Number(1024, 65_535)),
    ("broadcast", Bool),
];

/// Keys of `quorum`.
pub(super) const QUORUM: &[Key] = &[
    ("provider", Choice(&["corosync_votequorum"])),
    ("expected_votes", Number(1, 65_535)),
    ("two_node", Bool),
    ("wait_for_all", Bool),
    ("auto_tie_breaker", Bool),
    ("auto_tie_breaker_node", Text(TEXT_MAX)),
    ("last_man_standing", Bool),
    ("last_man_standing_window", Number(30, 10 * MINUTE)),
];

/// Keys of `nodelist.node`.
pub(super) const NODE: &[Key] = &[
    ("ring0_addr", Address),
    ("ring1_addr", Address),
    ("name", Text(TEXT_MAX)),
    ("nodeid", Number(1, 65_535)),
    ("quorum_votes", Number(0, 255)),
];

/// Keys of `logging`; the log file is another.
pub(super) const LOGGING: &[Key] = &[
    ("to_logfile", Bool),
    ("to_syslog", Bool),
    ("to_stderr", Bool),
    (
        "syslog_facility",
        Choice(&[
            "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
            "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
        ]),
    ),
    ("syslog_priority", PRIORITIES),
    ("logfile_priority", PRIORITIES),
    ("timestamp", Choice(&["on", "off", "hires", "yes", "no"])),
    ("debug", Choice(&["on", "off", "trace", "yes", "no"])),
];

/// Keys that mean nothing once hacd does its own way.
pub(super) const DROPPED_SILENTLY: &[&str] =
    &["secauth", "transport", "crypto_cipher", "crypto_hash", "keyfile", "key", "logfile"];

/// Other words of corosync.conf(5) and syslog(3) for what hacd calls differently.
const SYNONYMS: &[(&str, &str)] =
    &[("err", "error"), ("warn", "warning"), ("panic", "emerg"), ("security", "auth"), ("1", "on"), ("0", "off")];

impl Kind {
    /// The value as `hacd.toml` has it; `None` if hacd does not take it.
    pub(super) fn toml(self, value: &str) -> Option<String> {
        match self {
            Bool => truth(value).map(|_| quoted_or_number(value)),
            Number(min, max) => {
                let number: u64 = value.parse().ok()?;
                (min..=max).contains(&number).then(|| number.to_string())
            }
            Choice(words) => choice(words, value).map(quoted),
            Address => value.parse::<std::net::IpAddr>().ok().map(|_| quoted(value)),
            Text(max) => {
                let fits = !value.trim().is_empty() && value.len() <= max && !value.contains(|c: char| c.is_control());
                fits.then(|| quoted(value))
            }
        }
    }

    /// What it takes, in words.
    pub(super) fn words(self) -> String {
        match self {
            Bool => "yes or no".to_owned(),
            Number(min, max) if min == max => format!("only {min}"),
            Number(min, max) => format!("a number from {min} to {max}"),
            Choice([word]) => format!("only {word}"),
            Choice(words) => format!("one of {}", words.join(", ")),
            Address => "an IPv4 or IPv6 address".to_owned(),
            Text(max) => format!("a text of 1 to {max} bytes"),
        }
    }
}

/// The truth value that a word stands for.
pub(super) fn truth(value: &str) -> Option<bool> {
    hac_model::parse_bool(value)
}

fn choice<'w>(words: &[&'w str], value: &str) -> Option<&'w str> {
    let find = |wanted: &str| words.iter().copied().find(|word| word.eq_ignore_ascii_case(wanted));
    let synonym = || SYNONYMS.iter().find(|(other, _)| other.eq_ignore_ascii_case(value));
    find(value).or_else(|| synonym().and_then(|(_, ours)| find(ours)))
}

fn quoted_or_number(value: &str) -> String {
    if matches!(value, "0" | "1") { value.to_owned() } else { quoted(value) }
}

/// A basic string of TOML.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
