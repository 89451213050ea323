//! The examples of Pacemaker's documents, and what nobody should be able to write.

use super::*;

const ALL: FenceAbilities =
    FenceAbilities { list: true, status: true, reboot: true, on: true, on_target: false, plug: true, port: false };

fn params(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn how_the_hosts_are_found_out_follows_from_the_parameters_and_then_from_the_agent() {
    let check = |pairs: &[(&str, &str)], can| FenceDevice::new(&params(pairs)).host_check(can);
    let none = FenceAbilities::default();
    assert_eq!(check(&[("pcmk_host_list", "a")], ALL), HostCheck::StaticList);
    assert_eq!(check(&[("pcmk_host_map", "a:1")], ALL), HostCheck::StaticList);
    assert_eq!(check(&[], ALL), HostCheck::DynamicList);
    assert_eq!(check(&[], FenceAbilities { list: false, ..ALL }), HostCheck::Status);
    assert_eq!(check(&[], none), HostCheck::Any);
    assert_eq!(check(&[("pcmk_host_list", "a"), ("pcmk_host_check", "none")], ALL), HostCheck::Any);
    assert_eq!(check(&[("pcmk_host_check", "sometimes")], ALL), HostCheck::Nobody);
}

#[test]
fn nodes_are_named_by_list_and_map_without_regard_to_case() {
    let params = params(&[("pcmk_host_list", "web1, web2;web3"), ("pcmk_host_map", "db1:10;db2=11 db3:2,3\tdb4:")]);
    let device = FenceDevice::new(&params);
    for node in ["web1", "WEB2", "web3", "db1", "DB2", "db3"] {
        assert!(device.names(node), "{node}");
    }
    for node in ["web", "web12", "db4", ""] {
        assert!(!device.names(node) || node.is_empty(), "{node}");
    }
    assert_eq!(
        (device.alias("db1"), device.alias("Db2"), device.alias("db3"), device.alias("web1")),
        ("10", "11", "2,3", "web1")
    );
}

#[test]
fn an_agents_list_is_read_as_pacemaker_reads_it() {
    let map = params(&[("pcmk_host_map", "db1:10;db3:2,3")]);
    let device = FenceDevice::new(&map);
    assert!(device.is_listed("10,primary\n11,secondary\n", "db1"));
    assert!(device.is_listed("10,primary\n11,secondary\n", "secondary"));
    assert!(device.is_listed("one;two\\nthree", "three"));
    assert!(!device.is_listed("10 is invalid\nvariable 11", "db1"));
    assert!(!device.is_listed("11,off\n", "off"));
    assert!(device.is_listed("2\n3\n", "db3"));
    assert!(!device.is_listed("2\n", "db3"), "one of two ports is not enough");
    assert!(!device.is_listed("primary2", "primary"), "a part of a name is not the name");
}

#[test]
fn delays_keep_to_their_bounds_both_ends_included() {
    let drawn = |pairs: &[(&str, &str)], node: &str| {
        let params = params(pairs);
        let device = FenceDevice::new(&params);
        let mut seconds: Vec<u64> = (0..1000).map(|draw| device.delay(node, draw).as_secs()).collect();
        seconds.sort_unstable();
        seconds.dedup();
        seconds
    };
    assert_eq!(drawn(&[], "a"), [0]);
    assert_eq!(drawn(&[("pcmk_delay_base", "5s")], "a"), [5]);
    assert_eq!(drawn(&[("pcmk_delay_max", "3s")], "a"), [0, 1, 2, 3]);
    assert_eq!(drawn(&[("pcmk_delay_base", "2"), ("pcmk_delay_max", "4")], "a"), [2, 3, 4]);
    assert_eq!(drawn(&[("pcmk_delay_base", "9s"), ("pcmk_delay_max", "4s")], "a"), [4]);
    let map = [("pcmk_delay_base", "a:0s;b:5s")];
    assert_eq!((drawn(&map, "a"), drawn(&map, "B"), drawn(&map, "c")), (vec![0], vec![5], vec![0]));
    let params = params(&[("pcmk_delay_max", "99999999999999999s")]);
    assert!(FenceDevice::new(&params).delay("a", u64::MAX) <= FenceDevice::new(&params).delay_bounds("a").1);
}

#[test]
fn an_agent_is_told_its_parameters_and_never_the_clusters() {
    let params = params(&[
        ("ip", "10.0.0.1"),
        ("password", "hush"),
        ("action", "metadata"),
        ("pcmk_host_map", "db1:10"),
        ("pcmk_reboot_action", "cycle"),
        ("CRM_meta_timeout", "20000"),
        ("crm_feature_set", "3.19"),
    ]);
    let device = FenceDevice::new(&params);
    assert_eq!(
        device.input("off", Some("db1"), ALL),
        "ip=10.0.0.1\npassword=hush\naction=off\nnodename=db1\nplug=10\n"
    );
    assert_eq!(
        device.input("reboot", Some("db1"), ALL),
        "ip=10.0.0.1\npassword=hush\naction=cycle\nnodename=db1\nplug=10\n"
    );
    assert_eq!(device.input("monitor", None, ALL), "ip=10.0.0.1\npassword=hush\naction=monitor\n");
    let without = FenceAbilities { reboot: false, plug: false, port: true, ..ALL };
    assert_eq!(
        device.input("reboot", Some("x"), without),
        "ip=10.0.0.1\npassword=hush\naction=off\nnodename=x\nport=x\n"
    );
}

#[test]
fn a_plug_that_is_configured_stays_unless_it_is_dynamic() {
    let input = |pairs: &[(&str, &str)], can| FenceDevice::new(&params(pairs)).input("off", Some("a"), can);
    assert_eq!(input(&[("plug", "7")], ALL), "plug=7\naction=off\nnodename=a\n");
    assert_eq!(input(&[("plug", "dynamic")], ALL), "action=off\nnodename=a\nplug=a\n");
    assert_eq!(input(&[("pcmk_host_argument", "none")], ALL), "action=off\nnodename=a\n");
    assert_eq!(input(&[("pcmk_host_argument", "uuid")], ALL), "action=off\nnodename=a\nuuid=a\n");
    assert_eq!(input(&[], FenceAbilities::default()), "action=off\nnodename=a\n");
}

#[test]
fn no_value_can_smuggle_a_line_in() {
    let params = params(&[("ip", "10.0.0.1\naction=on")]);
    assert_eq!(FenceDevice::new(&params).input("off", None, ALL), "ip=10.0.0.1\naction=off\n");
}

#[test]
fn times_and_tries_are_those_of_the_action_that_is_sent() {
    let params = params(&[("pcmk_off_timeout", "120s"), ("pcmk_off_retries", "5"), ("pcmk_action_limit", "0")]);
    let device = FenceDevice::new(&params);
    let base = Duration::from_secs(60);
    assert_eq!((device.timeout("off", ALL, base), device.tries("off", ALL)), (Duration::from_secs(120), 5));
    assert_eq!((device.timeout("reboot", ALL, base), device.tries("reboot", ALL)), (base, 2));
    let without = FenceAbilities { reboot: false, ..ALL };
    assert_eq!(
        (device.timeout("reboot", without, base), device.tries("reboot", without)),
        (Duration::from_secs(120), 5)
    );
    assert_eq!(device.parallel(), Some(1));
}

#[test]
fn an_agent_is_tried_again_while_there_is_time() {
    let limit = Duration::from_secs(60);
    let again = |tried, tries, passed| is_tried_again(tried, tries, Duration::from_secs(passed), limit);
    assert!(again(1, 2, 6));
    assert!(!again(1, 2, 45), "after three quarters of the time");
    assert!(again(1, 2, 41) && !again(1, 2, 42), "70 % is the bound");
    assert!(!again(1, 1, 6), "it was to be tried once");
    assert!(!again(2, 2, 6));
}
