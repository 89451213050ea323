//! The metadata service: a tree of text for each droplet, and the same as JSON.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::api::Reply;
use super::world::World;
use crate::plan::Plan;

/// Where the tree begins.
const ROOT: &str = "/metadata/v1";

/// A file or a directory of the tree.
enum Entry {
    Text(String),
    Directory(BTreeMap<&'static str, Self>),
}

fn text(value: impl ToString) -> Entry {
    Entry::Text(value.to_string())
}

fn directory<const N: usize>(entries: [(&'static str, Entry); N]) -> Entry {
    Entry::Directory(BTreeMap::from(entries))
}

fn ipv4(address: impl ToString, netmask: &str, gateway: &str) -> Entry {
    directory([("address", text(address)), ("netmask", text(netmask)), ("gateway", text(gateway))])
}

/// Answers a GET of `path` by the droplet `host`; a caller that is no droplet gets 404.
pub(super) fn answer(world: &World, method: &str, path: &str, host: Option<usize>) -> Reply {
    let not_found = || Reply::text(404, "not found");
    let Some(host) = host.filter(|_| method == "GET") else {
        return not_found();
    };
    if path == format!("{ROOT}.json") {
        return Reply::json(200, as_json(world, host));
    }
    let Some(below) = path.strip_prefix(ROOT) else {
        return not_found();
    };
    if !below.is_empty() && !below.starts_with('/') {
        return not_found();
    }
    let whole = tree(world, host);
    let mut names = below.split('/').filter(|name| !name.is_empty());
    let found = names.try_fold(&whole, |entry, name| match entry {
        Entry::Directory(entries) => entries.get(name),
        Entry::Text(_) => None,
    });
    match found {
        None => not_found(),
        Some(Entry::Text(value)) => Reply::text(200, value.clone()),
        Some(Entry::Directory(entries)) if path.ends_with('/') => Reply::text(200, index(entries).join("\n")),
        Some(Entry::Directory(_)) => {
            let mut reply = Reply::text(301, "");
            reply.headers.push(("location", format!("{path}/")));
            reply
        }
    }
}

fn index(entries: &BTreeMap<&'static str, Entry>) -> Vec<String> {
    let line = |(name, entry): (&&str, &Entry)| match entry {
        Entry::Text(_) => (*name).to_owned(),
        Entry::Directory(_) => format!("{name}/"),
    };
    entries.iter().map(line).collect()
}

/// Whether the service believes that a host holds the floating IP.
fn holds(world: &World, host: usize) -> bool {
    world.holders.seen(world.settings.metadata_stale_ms) == Some(host)
}

fn name(world: &World, host: usize) -> String {
    world.droplets.get(&host).map_or_else(String::new, |droplet| droplet.name.clone())
}

fn tags(world: &World, host: usize) -> Vec<String> {
    world.droplets.get(&host).map_or_else(Vec::new, |droplet| droplet.tags.clone())
}

fn floating(mine: bool) -> Entry {
    let address = if mine { Plan::floating_ip().to_string() } else { String::new() };
    directory([("ip_address", text(address)), ("active", text(mine))])
}

fn tree(world: &World, host: usize) -> Entry {
    let mine = holds(world, host);
    let public = directory([
        ("mac", text(format!("02:00:00:00:00:{host:02x}"))),
        ("type", text("public")),
        ("ipv4", ipv4(Plan::public(host), "255.255.255.0", "203.0.113.1")),
        ("anchor_ipv4", ipv4(Plan::anchor(host), "255.255.0.0", "10.17.0.1")),
    ]);
    let private = directory([
        ("mac", text(format!("02:00:00:00:01:{host:02x}"))),
        ("type", text("private")),
        ("ipv4", ipv4(Plan::private(host), "255.255.0.0", "10.132.0.1")),
    ]);
    let none = directory([("ip_address", text("")), ("active", text(false))]);
    directory([
        ("id", text(Plan::droplet(host))),
        ("hostname", text(name(world, host))),
        ("user-data", text("")),
        ("vendor-data", text("")),
        ("public-keys", text("")),
        ("region", text("nyc3")),
        ("tags", text(tags(world, host).join("\n"))),
        ("interfaces", directory([("public", directory([("0", public)])), ("private", directory([("0", private)]))])),
        ("dns", directory([("nameservers", text("67.207.67.3\n67.207.67.2"))])),
        ("floating_ip", directory([("ipv4", floating(mine))])),
        ("reserved_ip", directory([("ipv4", floating(mine)), ("ipv6", none)])),
        ("features", directory([("dhcp_enabled", text(false)), ("vpc_peering_enabled", text(false))])),
    ])
}

fn as_json(world: &World, host: usize) -> Value {
    let v4 = |address: std::net::Ipv4Addr, netmask: &str, gateway: &str| json!({ "ip_address": address, "netmask": netmask, "gateway": gateway });
    let held = if holds(world, host) {
        json!({ "ip_address": Plan::floating_ip(), "active": true })
    } else {
        json!({ "active": false })
    };
    json!({
        "droplet_id": Plan::droplet(host),
        "hostname": name(world, host),
        "vendor_data": "",
        "public_keys": [],
        "region": "nyc3",
        "tags": tags(world, host),
        "interfaces": {
            "public": [{
                "mac": format!("02:00:00:00:00:{host:02x}"),
                "type": "public",
                "ipv4": v4(Plan::public(host), "255.255.255.0", "203.0.113.1"),
                "anchor_ipv4": v4(Plan::anchor(host), "255.255.0.0", "10.17.0.1"),
            }],
            "private": [{
                "mac": format!("02:00:00:00:01:{host:02x}"),
                "type": "private",
                "ipv4": v4(Plan::private(host), "255.255.0.0", "10.132.0.1"),
            }],
        },
        "dns": { "nameservers": ["67.207.67.3", "67.207.67.2"] },
        "floating_ip": { "ipv4": held },
        "reserved_ip": { "ipv4": held, "ipv6": { "active": false } },
        "features": { "dhcp_enabled": false, "vpc_peering_enabled": false },
    })
}
