//! The web server of a host: Debian's nginx with a small configuration and the tutorial's page.

use crate::Error;
use crate::host::{Footing, Host};

/// nginx's configuration on a host.
pub(crate) const CONFIGURATION: &str = "/etc/nginx/nginx.conf";

/// Writes nginx's configuration and the page that names the host.
pub(crate) fn furnish(host: &Host) -> Result<(), Error> {
    host.write(CONFIGURATION, &configuration(host)?)?;
    host.write("/var/www/html/index.html", &page(host))
}

/// Like Debian's own file where it matters (process id file, logs), and small.
fn configuration(host: &Host) -> Result<String, Error> {
    let path = |path: &str| match host.footing() {
        Footing::Namespaces { .. } => Ok(path.to_owned()),
        Footing::Loopback { .. } => host.outside(path).map(|path| path.display().to_string()),
    };
    let (user, listen) = match host.footing() {
        Footing::Namespaces { .. } => ("user www-data;", "80 default_server".to_owned()),
        Footing::Loopback { web, .. } => ("", web.to_string()),
    };
    let mut temporary = String::new();
    for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
        temporary.push_str(&format!("    {kind}_temp_path {};\n", path(&format!("/run/nginx-{kind}"))?));
    }
    Ok(format!(
        "{user}
worker_processes 1;
pid {pid};
error_log {log};
events {{ worker_connections 256; }}
http {{
    access_log off;
    keepalive_timeout 0;
{temporary}    server {{
        listen {listen};
        root {html};
        index index.html;
    }}
}}
",
        pid = path("/run/nginx.pid")?,
        log = path("/var/log/nginx.error.log")?,
        html = path("/var/www/html")?,
    ))
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
