//! `[arbiter]`: where the third vote of two nodes is.

use std::path::PathBuf;

use super::Checker;
use super::keys::Table;
use crate::arbiter::Place;

/// What the keys of all clusters begin with.
const PREFIX: &str = "/hacd/";

impl Checker<'_> {
    /// The store, if there is one.
    pub(super) fn arbiter(&mut self, nodes: usize) -> Option<Place> {
        let section = self.document.section(Table::Arbiter);
        if section.text("model").unwrap_or("none") == "none" {
            if section.has("endpoints") {
                let what = "names a store that is not used: set arbiter.model to \"etcd\", or remove the key";
                self.warn(section.line_of("endpoints"), "arbiter.endpoints", what);
            }
            return None;
        }
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
        if nodes != 2 {
            let what = "the arbiter votes with two nodes alone; with others its vote does not count";
            self.warn(section.line_of("model"), "arbiter.model", what);
        }
        let prefix = section.text("prefix").unwrap_or(PREFIX).to_owned();
        Some(Place { endpoints, prefix, ca_file: path("ca_file"), identity, user })
    }
}
