//! Conversions, and files that are none.

use expect_test::expect;

use super::*;

#[test]
fn the_tutorials_file_is_taken_over() {
    let text = "\
totem {
  version: 2
  cluster_name: lbcluster
  transport: udpu
  interface {
    ringnumber: 0
    bindnetaddr: 10.132.0.11
    broadcast: yes
    mcastport: 5405
  }
}

quorum {
  provider: corosync_votequorum
  two_node: 1
}

nodelist {
  node {
    ring0_addr: 10.132.0.11
    name: primary
    nodeid: 1
  }
  node {
    ring0_addr: 10.132.0.12
    name: secondary
    nodeid: 2
  }
}

logging {
  to_logfile: yes
  logfile: /var/log/corosync/corosync.log
  to_syslog: yes
  timestamp: on
}
";
    expect![[r##"
        # Converted from corosync.conf.
        # Note: make a new key with 'hacctl keygen' and copy it to all nodes: corosync's is not used.
        # Note: the log goes to /var/log/hacd/hacd.log: corosync's file is left to corosync.

        [totem]
        version = 2
        cluster_name = "lbcluster"
        transport = "udpu"

        [[totem.interface]]
        ringnumber = 0
        bindnetaddr = "10.132.0.11"
        broadcast = "yes"
        mcastport = 5405

        [quorum]
        provider = "corosync_votequorum"
        two_node = 1

        [[nodelist.node]]
        ring0_addr = "10.132.0.11"
        name = "primary"
        nodeid = 1

        [[nodelist.node]]
        ring0_addr = "10.132.0.12"
        name = "secondary"
        nodeid = 2

        [logging]
        to_logfile = "yes"
        to_syslog = "yes"
        timestamp = "on"
    "##]]
    .assert_eq(&to_toml(text).unwrap().toml);
}

#[test]
fn what_hacd_does_differently_is_noted() {
    let text = "# comment\ntotem {\n  transport: knet\n  crypto_cipher: aes128\n  token: 5000\n  token: 6000\n  rrp_mode: active\n\
                \tinterface {\n knet_transport: sctp\n }\n}\n\
                quorum {\n  device {\n    model: net\n  }\n}\n\
                nodelist {\n  node {\n    ring0_addr: fd00::1\n name: web\"1\n  }\n node {\n ring0_addr: fd00::2\n nodeid: 7\n }\n}\n\
                logging {\n logger_subsys {\n subsys: QUORUM\n }\n}\nnozzle {\n}\n";
    expect![[r##"
        # Converted from corosync.conf.
        # Note: totem.rrp_mode (line 7) is left out: hacd has no such key.
        # Note: transport knet becomes udpu: hacd talks by UDP unicast, encrypted, on up to two links.
        # Note: crypto_cipher aes128 becomes aes256, hacd's default.
        # Note: make a new key with 'hacctl keygen' and copy it to all nodes: corosync's is not used.
        # Note: totem.interface.knet_transport (line 9) is left out: hacd has no such key.
        # Note: quorum.device (line 13) is left out: hacd has no quorum device.
        # Note: the node of line 18 is 1 here: hacd takes 1 to 65535.
        # Note: node 1 has no name that hacd takes; it is called node1 here, change it to its host's name.
        # Note: node 7 has no name that hacd takes; it is called node7 here, change it to its host's name.
        # Note: logging.logger_subsys (line 28) is left out: all parts of hacd log alike.
        # Note: the section nozzle (line 32) is left out: hacd has no such section.

        [totem]
        token = 6000
        transport = "udpu"

        [[totem.interface]]

        [quorum]

        [[nodelist.node]]
        ring0_addr = "fd00::1"
        name = "node1"
        nodeid = 1

        [[nodelist.node]]
        ring0_addr = "fd00::2"
        name = "node7"
        nodeid = 7

        [logging]
    "##]]
    .assert_eq(&to_toml(text).unwrap().toml);
}

#[test]
fn a_section_that_comes_again_goes_on() {
    let text = "\
quorum {
  provider: corosync_votequorum
  two_node: 0
}
nodelist {
  node {
    ring0_addr: 10.132.0.11
    nodeid: 1
    name: a
  }
}
quorum {
  two_node: 1
}
nodelist {
  node {
    ring0_addr: 10.132.0.12
    nodeid: 2
    name: b
  }
}
";
    let toml = to_toml(text).unwrap().toml;
    assert_eq!(toml.matches("[quorum]").count(), 1, "{toml}");
    assert!(toml.contains("two_node = 1") && !toml.contains("two_node = 0"), "{toml}");
    assert_eq!(toml.matches("[[nodelist.node]]").count(), 2, "{toml}");
}

#[test]
fn broken_files_are_refused_with_their_line() {
    let error = |text: &str| to_toml(text).unwrap_err().to_string();
    expect![[r#"line 2: 'version 2' is neither KEY: VALUE nor the beginning or end of a section"#]]
        .assert_eq(&error("totem {\n  version 2\n}"));
    expect![[r#"line 1: the section totem has no }"#]].assert_eq(&error("totem {\n\n"));
    expect![[r#"line 1: this } closes nothing"#]].assert_eq(&error("}\n"));
    expect![[r#"line 9: sections are nested too deep"#]].assert_eq(&error(&"a {\n".repeat(100)));
    expect![[r#"line 4: there is no nodelist with a node; hacd needs the address of every node"#]]
        .assert_eq(&error("totem {\n}\n\nnodelist {\n}\n"));
    expect![[r#"line 1: '\u{1b}[2J' is neither KEY: VALUE nor the beginning or end of a section"#]]
        .assert_eq(&error("\u{1b}[2J"));
}

#[test]
fn members_of_an_interface_are_the_nodes_where_there_is_no_list() {
    let interface = |number: &str, addresses: &[&str]| {
        let members: String =
            addresses.iter().map(|at| format!("    member {{\n      memberaddr: {at}\n    }}\n")).collect();
        format!("  interface {{\n    ringnumber: {number}\n    bindnetaddr: 10.0.0.0\n{members}  }}\n")
    };
    let file =
        |interfaces: &[String]| format!("totem {{\n  version: 2\n{}  transport: udpu\n}}\n", interfaces.concat());

    let one = interface("0", &["10.0.0.1", "10.0.0.2"]);
    let converted = to_toml(&file(std::slice::from_ref(&one))).expect("is converted");
    assert_eq!(converted.toml.matches("[[nodelist.node]]").count(), 2, "{}", converted.toml);
    assert!(converted.toml.contains("ring0_addr = \"10.0.0.2\"\nname = \"node2\"\nnodeid = 2\n"), "{}", converted.toml);
    expect![
        "there is no nodelist: the nodes are the members of totem.interface (line 7) on link 0; compare their addresses"
    ]
    .assert_eq(converted.notes.first().expect("a note"));

    let two = to_toml(&file(&[one.clone(), interface("1", &["10.1.0.1", "10.1.0.2"])])).expect("is converted");
    assert!(two.toml.contains("ring0_addr = \"10.0.0.1\"\nring1_addr = \"10.1.0.1\"\n"), "{}", two.toml);
    // Who belongs to whom cannot be told.
    let unequal = to_toml(&file(&[one, interface("1", &["10.1.0.1"])])).expect("is converted");
    assert!(!unequal.toml.contains("ring1_addr"), "{}", unequal.toml);
    // A list has the last word.
    let listed =
        file(&[interface("0", &["10.0.0.1", "10.0.0.2"])]) + "nodelist {\n node {\n  ring0_addr: 10.0.0.9\n }\n}\n";
    assert_eq!(to_toml(&listed).expect("is converted").toml.matches("[[nodelist.node]]").count(), 1);
}
