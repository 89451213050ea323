//! `hacctl web`: the link that opens the page of this node in a browser.

use std::net::SocketAddr;
use std::process::ExitCode;

use hac_api::WebLink;

use super::Context;
use crate::failure::Failure;
use crate::terminal;

/// Prints the link.
pub(crate) async fn run(context: &Context) -> Result<ExitCode, Failure> {
    let link = context.client.web().await?;
    let status = context.client.status().await?;
    let own = status.members.nodes.iter().find(|node| node.local).and_then(|node| node.addresses.first());
    let own = own.map(|address| address.ip.as_str());
    let url = url(&link, own);
    if context.json {
        terminal::print_json(&serde_json::json!({ "url": url, "listen": link.listen }))?;
    } else {
        terminal::print(&text(&url, &link, &status.node))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The link. On all addresses means on that of the ring too.
fn url(link: &WebLink, own: Option<&str>) -> String {
    let place = match link.listen.parse::<SocketAddr>() {
        Ok(at) if at.ip().is_unspecified() => match own.and_then(|own| own.parse().ok()) {
            Some(own) => SocketAddr::new(own, at.port()).to_string(),
            None => link.listen.clone(),
        },
        _ => link.listen.clone(),
    };
    format!("{}://{place}/?token={}", if link.tls { "https" } else { "http" }, link.token)
}

/// The link, and how one gets there from elsewhere.
fn text(url: &str, link: &WebLink, node: &str) -> String {
    let mut text = format!("{url}\n");
    if let Ok(at) = link.listen.parse::<SocketAddr>()
        && at.ip().is_loopback()
    {
        let (port, node) = (at.port(), terminal::harmless(node));
        text.push_str(&format!(
            "From another machine: 'ssh -L {port}:{at} root@{node}' there, then the same link with localhost:{port}.\n"
        ));
    }
    let may = if link.actions { "read how the cluster stands and change it" } else { "read how the cluster stands" };
    text.push_str(&format!("The link lets anybody who has it {may}, until hacd starts again."));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(listen: &str) -> WebLink {
        WebLink { listen: listen.to_owned(), token: "c0ffee".to_owned(), ..WebLink::default() }
    }

    #[test]
    fn the_link_leads_to_an_address_that_a_browser_can_reach() {
        assert_eq!(url(&link("127.0.0.1:7630"), Some("10.0.0.1")), "http://127.0.0.1:7630/?token=c0ffee");
        assert_eq!(url(&link("0.0.0.0:7630"), Some("10.0.0.1")), "http://10.0.0.1:7630/?token=c0ffee");
        assert_eq!(url(&link("[::]:7630"), Some("fd00::1")), "http://[fd00::1]:7630/?token=c0ffee");
    }

    #[test]
    fn what_the_link_lets_one_do_is_said() {
        let with = WebLink { tls: true, actions: true, ..link("10.0.0.1:7630") };
        assert_eq!(url(&with, None), "https://10.0.0.1:7630/?token=c0ffee");
        assert!(text("URL", &with, "one").contains("and change it"));
        assert!(!text("URL", &link("10.0.0.1:7630"), "one").contains("change"));
    }

    #[test]
    fn a_page_on_loopback_is_reached_through_a_tunnel() {
        let local = link("127.0.0.1:7630");
        assert!(text("URL", &local, "one").contains("'ssh -L 7630:127.0.0.1:7630 root@one'"));
        assert!(!text("URL", &link("10.0.0.1:7630"), "one").contains("ssh"));
    }
}
