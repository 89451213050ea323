//! Every input that the fuzzers found worth keeping.

use super::*;

#[path = "../../../../tests/fuzz/replay.rs"]
mod replay;

use replay::replay;

#[test]
fn kept_inputs_of_state_files_do_no_harm() {
    replay("state_files", state_files);
}

#[test]
fn kept_inputs_of_hacd_toml_do_no_harm() {
    replay("hacd_toml", hacd_toml);
}

#[test]
fn kept_inputs_of_corosync_conf_do_no_harm() {
    replay("corosync_conf", corosync_conf);
}

#[test]
fn kept_inputs_of_api_request_do_no_harm() {
    replay("api_request", api_request);
}

/// Values that somebody's file may have, right and wrong, for every key that is taken over.
const VALUES: &[&str] = &[
    "",
    "0",
    "1",
    "2",
    "7",
    "29",
    "30",
    "39",
    "40",
    "255",
    "256",
    "1023",
    "1024",
    "1279",
    "65535",
    "65536",
    "300000",
    "300001",
    "4294967295",
    "18446744073709551616",
    "-1",
    "1.5",
    "yes",
    "on",
    "no",
    "maybe",
    "err",
    "warn",
    "trace",
    "LOCAL7",
    "lowest",
    "1 2",
    "2 1",
    "9",
    "10.0.0.1",
    "10.0.0.3",
    "fd00::1",
    "0.0.0.0",
    "10.0.0.0/24",
    "host1",
    "-x",
    "a b",
    "a\"b",
    "corosync_votequorum",
];

#[test]
fn what_comes_of_any_corosync_conf_is_accepted_by_the_daemon() {
    let keys: &[(&str, &[&str])] = &[
        (
            "totem",
            &[
                "version",
                "cluster_name",
                "token",
                "token_coefficient",
                "token_retransmits_before_loss_const",
                "token_retransmit",
                "hold",
                "join",
                "consensus",
                "merge",
                "window_size",
                "max_messages",
                "netmtu",
            ],
        ),
        ("interface", &["ringnumber", "linknumber", "bindnetaddr", "mcastport", "broadcast"]),
        (
            "quorum",
            &[
                "provider",
                "expected_votes",
                "two_node",
                "wait_for_all",
                "auto_tie_breaker",
                "auto_tie_breaker_node",
                "last_man_standing",
                "last_man_standing_window",
            ],
        ),
        ("node", &["ring0_addr", "ring1_addr", "name", "nodeid", "quorum_votes"]),
        (
            "logging",
            &[
                "to_logfile",
                "to_syslog",
                "to_stderr",
                "syslog_facility",
                "syslog_priority",
                "logfile_priority",
                "timestamp",
                "debug",
            ],
        ),
    ];
    let text = |section: &str, lines: &str, nodes: usize| {
        let of = |name: &str| if name == section { lines.to_owned() } else { String::new() };
        let plain =
            |index: usize| format!("node {{\n ring0_addr: 10.0.0.{index}\n nodeid: {index}\n name: n{index}\n}}\n");
        let others: String = (2..=nodes).map(plain).collect();
        let first =
            if section == "node" { format!("ring0_addr: 10.0.0.1\n{lines}") } else { "ring0_addr: 10.0.0.1\n".into() };
        format!(
            "totem {{\n{}interface {{\n{}}}\n}}\nquorum {{\n{}}}\nlogging {{\n{}}}\nnodelist {{\nnode {{\n{first}}}\n{others}}}\n",
            of("totem"),
            of("interface"),
            of("quorum"),
            of("logging"),
        )
    };
    for (section, keys) in keys {
        for (index, key) in keys.iter().enumerate() {
            for value in VALUES {
                for nodes in [1, 2, 3, 65] {
                    corosync_conf(text(section, &format!("{key}: {value}\n"), nodes).as_bytes());
                }
                // With each other key: rules between two values.
                for other in keys.iter().skip(index + 1) {
                    for second in ["yes", "2", "30", "299999", "10.0.0.9"].iter().filter(|_| value.len() < 6) {
                        let lines = format!("{key}: {value}\n{other}: {second}\n");
                        corosync_conf(text(section, &lines, 2).as_bytes());
                    }
                }
            }
        }
    }
}
