//! `[arbiter]`: where the third vote of two nodes is.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use super::Checker;
use super::keys::Table;
use crate::arbiter::{AddressLog, Etcd, Place};

/// What the keys of all clusters begin with.
const PREFIX: &str = "/hacd/";

impl Checker<'_> {
    /// The store, if there is one.
    pub(super) fn arbiter(&mut self, nodes: usize) -> Option<Place> {
        let section = self.document.section(Table::Arbiter);
        let model = section.text("model").unwrap_or("none");
        let (etcd, digitalocean): (&[&str], &[&str]) = (
            &["endpoints", "prefix", "ca_file", "cert_file", "key_file", "user", "password_file"],
            &["address", "token_file"],
        );
        let unused = match model {
            "etcd" => [digitalocean, &[]],
            "digitalocean" => [etcd, &[]],
            _ => [etcd, digitalocean],
        };
        for key in unused.into_iter().flatten().filter(|key| section.has(key)) {
            let other = if etcd.contains(key) { "etcd" } else { "digitalocean" };
            let what = format!("is not used: set arbiter.model to \"{other}\", or remove the key");
            self.warn(section.line_of(key), &format!("arbiter.{key}"), &what);
        }
        let place = match model {
            "etcd" => Place::Etcd(self.etcd()),
            "digitalocean" => Place::DigitalOcean(self.address_actions()),
            _ => return None,
        };
        if nodes != 2 {
            let what = "the arbiter votes with two nodes alone; with others its vote does not count";
            self.warn(section.line_of("model"), "arbiter.model", what);
        }
        Some(place)
    }

    /// The provider's list of actions on an address.
    fn address_actions(&mut self) -> AddressLog {
        let section = self.document.section(Table::Arbiter);
        let text = section.text("address").unwrap_or_default();
        let address = text.parse::<Ipv4Addr>().unwrap_or(Ipv4Addr::UNSPECIFIED);
        if address.is_unspecified() {
            let what = match text.parse::<std::net::Ipv6Addr>() {
                Ok(_) => format!("\"{text}\" is an IPv6 address, of which the provider keeps no list of actions"),
                Err(_) if text.is_empty() => "names no address, such as \"203.0.113.25\"".to_owned(),
                Err(_) => format!("\"{text}\" is no IPv4 address"),
            };
            self.report(section.line_of("address"), "arbiter.address", what);
        }
        let token_file = section.text("token_file").map(PathBuf::from).unwrap_or_default();
        if token_file.as_os_str().is_empty() {
            let what = "is missing: a file with a token that may read and assign the address";
            self.report(section.line_of("token_file"), "arbiter.token_file", what);
        }
        AddressLog { address, token_file }
    }

    /// A store that compares and swaps.
    fn etcd(&mut self) -> Etcd {
        let section = self.document.section(Table::Arbiter);
        let line = section.line_of("endpoints");
        let endpoints: Vec<String> =
            section.names("endpoints").iter().map(|url| url.trim_end_matches('/').to_owned()).collect();
        if endpoints.is_empty() {
            self.report(line, "arbiter.endpoints", "names no member of the store, such as [\"https://10.9.0.1:2379\"]");
        }
        let is_url = |url: &&String| url.starts_with("http://") || url.starts_with("https://");
        if let Some(other) = endpoints.iter().find(|url| !is_url(url)) {
            let what = format!("\"{other}\" is no URL that begins with https:// or http://");
            self.report(line, "arbiter.endpoints", what);
        }
        let path = |key: &str| section.text(key).map(PathBuf::from);
        let identity = match (path("cert_file"), path("key_file")) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            (Some(_), None) => {
                self.report(section.line_of("cert_file"), "arbiter.cert_file", "arbiter.key_file is missing");
                None
            }
            (None, Some(_)) => {
                self.report(section.line_of("key_file"), "arbiter.key_file", "arbiter.cert_file is missing");
                None
            }
        };
        let user = match (section.text("user"), path("password_file")) {
            (Some(user), Some(file)) => Some((user.to_owned(), file)),
            (None, None) => None,
            (Some(_), None) => {
                self.report(section.line_of("user"), "arbiter.user", "arbiter.password_file is missing");
                None
            }
            (None, Some(_)) => {
                self.report(section.line_of("password_file"), "arbiter.password_file", "arbiter.user is missing");
                None
            }
        };
        if user.is_some() && endpoints.iter().any(|url| url.starts_with("http://")) {
            self.warn(line, "arbiter.endpoints", "plain http: the password travels in clear");
        }
        let prefix = section.text("prefix").unwrap_or(PREFIX).to_owned();
        Etcd { endpoints, prefix, ca_file: path("ca_file"), identity, user }
    }
}
