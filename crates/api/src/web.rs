//! The page for browsers.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where the page is, and what opens it.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebLink {
    /// Address and port on which it is served.
    pub listen: String,
    /// Anybody who has it can read how the cluster stands; another one after each start of the daemon.
    pub token: String,
    /// It is served with TLS.
    #[serde(default)]
    pub tls: bool,
    /// Who has the token may change something, too.
    #[serde(default)]
    pub actions: bool,
}

impl fmt::Debug for WebLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebLink").field("listen", &self.listen).finish_non_exhaustive()
    }
}
