//! The web server of a host: Debian's nginx with a small configuration and the tutorial's page.

use crate::Error;
use crate::host::Host;

/// Like Debian's own file where it matters (process id file, logs), and small.
const CONFIGURATION: &str = "user www-data;
worker_processes 1;
pid /run/nginx.pid;
error_log /var/log/nginx/error.log;
events { worker_connections 256; }
http {
    access_log off;
    keepalive_timeout 0;
    server {
        listen 80 default_server;
        root /var/www/html;
        index index.html;
    }
}
";

/// Writes nginx's configuration and the page that names the host.
pub(crate) fn furnish(host: &Host) -> Result<(), Error> {
    host.write("/etc/nginx/nginx.conf", CONFIGURATION)?;
    host.write("/var/www/html/index.html", &page(host))
}

/// The tutorial's page.
fn page(host: &Host) -> String {
    format!("Droplet: {}, IP Address: {}\n", host.name(), host.public())
}

/// The host that a page names.
pub(crate) fn page_of(text: &str) -> Option<&str> {
    let after = text.split_once("Droplet: ")?.1;
    let name = after.split([',', '\n', '\r']).next()?.trim();
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::page_of;

    #[test]
    fn a_page_names_its_host() {
        assert_eq!(page_of("Droplet: secondary, IP Address: 203.0.113.12\n"), Some("secondary"));
        assert_eq!(page_of("<h1>Droplet: primary, IP"), Some("primary"));
        assert_eq!(page_of("502 Bad Gateway"), None);
        assert_eq!(page_of("Droplet: , IP"), None);
    }
}
