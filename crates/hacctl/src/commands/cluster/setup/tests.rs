//! Lines of crm's, and what hacctl takes them for.

use super::*;

fn fixed(interface: &str) -> Result<String, Failure> {
    match interface {
        "eth1" => Ok("10.0.0.7".to_owned()),
        other => Ok(other.to_owned()),
    }
}

fn read_line(line: &str) -> Result<Line, Failure> {
    let words = hac_pacemaker::crm_syntax::words(line).expect("words");
    let (of, words) = words.split_first().expect("a command");
    read(of, words, &fixed)
}

#[test]
fn a_line_of_crm_is_one_of_hacctl() {
    let own = crate::commands::fresh::hostname();
    for (line, hosts, options) in [
        ("init -y -n web -i eth1 -u", "", "--name web --address 10.0.0.7"),
        ("init --name=web -i eth1 -i 10.1.0.7", "", "--name web --address 10.0.0.7 --address 10.1.0.7"),
        ("init -nweb -yq", "", "--name web"),
        ("init --no-start --config cluster --count=2", "", "--no-start --config cluster --count=2"),
        ("init -F --no-overwrite-sshkey", "", "--force"),
        (&format!("init -N {own} -N root@{own}"), "", ""),
        ("join -c root@10.0.0.1 -i eth1 -y", "10.0.0.1", "--address 10.0.0.7"),
        ("join --cluster-node=one --code ABC", "one", "--code ABC"),
        ("join one --code-file f", "one", "--code-file f"),
        ("remove two three -y", "two three", ""),
        ("remove -c two --force", "two", ""),
        ("remove two --node-is-off 'unplugged, by me' --keep-key", "two", "--node-is-off unplugged, by me --keep-key"),
    ] {
        let read = read_line(line).unwrap_or_else(|failure| panic!("{line}: {}", failure.message));
        assert_eq!((read.hosts.join(" "), read.options.join(" ")), (hosts.to_owned(), options.to_owned()), "{line}");
        assert_eq!(read.yes, line.contains("-y"), "{line}");
    }
    assert!(read_line("init -yq").expect("is read").quiet);
}

#[test]
fn what_has_no_meaning_here_is_refused_with_why_and_what_to_do_instead() {
    for (line, why, instead) in [
        ("init -U", "never to a multicast group", "Leave it out"),
        ("init -A 10.0.0.9", "makes no resources", "configure primitive"),
        ("init -s /dev/sdb -y", "does not use sbd", "hacctl doctor"),
        ("init -S", "does not use sbd", "hacctl doctor"),
        ("init sbd -s /dev/sdb", "does not use sbd", "hacctl doctor"),
        ("init -w /dev/watchdog", "does not use sbd", "[watchdog]"),
        ("init --qnetd-hostname=q", "no quorum device", "third node"),
        ("init qdevice --qnetd-hostname q", "no quorum device", "third node"),
        ("init -o /dev/sdc -C -m /srv", "no storage", "Filesystem"),
        ("init -M", "needs an address", "-i twice"),
        ("init -I", "by its address", "-i ADDRESS"),
        ("init -N root@other.example -y", "other.example is not this one", "--count"),
        ("init --nodes 'a b'", "a, b is not", "Leave -N out"),
        ("init csync2", "no stages", "Leave the stage out"),
        ("join cluster -c one", "no stages", "Leave the stage out"),
        ("join -c one -w softdog", "does not use sbd", "hacctl doctor"),
        ("join -c", "-c needs a value", "-c VALUE"),
        ("join -c -y", "-c needs a value", "-c VALUE"),
        ("init --yes=1", "takes no value", "--yes alone"),
        ("remove --qdevice", "no quorum device", "third node"),
    ] {
        let failure = read_line(line).expect_err(line);
        let remedy = failure.remedy.unwrap_or_default();
        assert!(failure.message.contains(why) && remedy.contains(instead), "{line}: {} {remedy}", failure.message);
        assert_eq!(failure.exit_code, 64, "{line}");
    }
}

#[test]
fn an_interface_is_meant_by_its_private_address() {
    let of = |text: &str| addresses_in(text).iter().map(ToString::to_string).collect::<Vec<_>>();
    let public = "2: eth0    inet 203.0.113.7/20 brd 203.0.113.255 scope global eth0\\       valid_lft forever\n";
    let anchor = "2: eth0    inet 10.19.0.5/16 brd 10.19.255.255 scope global eth0\\       valid_lft forever\n";
    let six = "2: eth0    inet6 2001:db8::7/64 scope global \\       valid_lft forever\n2: eth0    inet6 fe80::1/64 scope link \\\n";
    assert_eq!(of(&[public, anchor, six].concat()), ["10.19.0.5"]);
    assert_eq!(of(&[public, six].concat()), ["203.0.113.7"]);
    assert_eq!(of(six), ["2001:db8::7"]);
    assert_eq!(of(&[anchor, &anchor.replace("10.19.0.5", "10.0.0.5")].concat()).len(), 2);
    assert_eq!(of("2: eth0    inet6 fe80::1/64 scope link\n"), Vec::<String>::new());
    let failure = address_of("no-such-if").expect_err("there is none");
    assert!(failure.message.contains("no interface no-such-if") || failure.exit_code == 71, "{failure:?}");
    assert_eq!(address_of("::1"), Ok("::1".to_owned()));
}
