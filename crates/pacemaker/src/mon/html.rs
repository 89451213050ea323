//! The text as a page: headings, and lists in lists.

use super::Page;

/// Makes a page of what [`render`](super::render) wrote.
pub(super) fn page(text: &str, page: &Page) -> String {
    let title = escaped(page.title.as_deref().unwrap_or("Cluster Status"));
    let mut out = String::new();
    if page.cgi {
        out.push_str("Content-Type: text/html\n\n");
    }
    out.push_str(&format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<title>{title}</title>\n<meta charset=\"utf-8\">\n"
    ));
    if let Some(seconds) = page.refresh_s {
        out.push_str(&format!("<meta http-equiv=\"refresh\" content=\"{seconds}\">\n"));
    }
    match &page.stylesheet {
        Some(url) => out.push_str(&format!("<link rel=\"stylesheet\" href=\"{}\">\n", escaped(url))),
        None => out.push_str(&format!("<style>{STYLE}</style>\n")),
    }
    out.push_str("</head>\n<body>\n");
    let mut depth = 0;
    for line in text.lines() {
        let item = line.trim_start().strip_prefix("* ");
        let wanted = item.map_or(0, |_| (line.len() - line.trim_start().len()) / 2);
        while depth < wanted {
            out.push_str("<ul>\n");
            depth += 1;
        }
        while depth > wanted {
            out.push_str("</ul>\n");
            depth -= 1;
        }
        match item {
            Some(item) => out.push_str(&format!("<li>{}</li>\n", marked(item))),
            None if line.trim().is_empty() => {}
            None if line.ends_with(':') => {
                out.push_str(&format!("<h2>{}</h2>\n", escaped(line.trim_end_matches(':'))));
            }
            None => out.push_str(&format!("<p><span class=\"bold\">{}</span></p>\n", escaped(line.trim()))),
        }
    }
    out.push_str(&"</ul>\n".repeat(depth));
    out.push_str("</body>\n</html>\n");
    out
}

const STYLE: &str = ".bold { font-weight: bold }\n.online { color: green }\n.offline { color: red }\n.maint { color: blue }\n\
    .standby { color: blue }\n.health_red { color: red }\n.health_yellow { color: GoldenRod }\n.rsc-failed { color: red }\n\
    .rsc-failure-ignored { color: DarkGreen }\n.rsc-managed { color: blue }\n.rsc-multiple { color: orange }\n\
    .rsc-ok { color: green }\n.warning { color: red; font-weight: bold }";

/// An item with the class that its words have.
fn marked(item: &str) -> String {
    let text = escaped(item);
    let class = [
        ("OFFLINE", "offline"),
        ("UNCLEAN", "warning"),
        ("FAILED", "rsc-failed"),
        ("WITHOUT quorum", "warning"),
        ("standby", "standby"),
        ("maintenance", "maint"),
        ("Online: ", "online"),
        ("Started", "rsc-ok"),
        ("Promoted", "rsc-ok"),
    ]
    .into_iter()
    .find(|(word, _)| item.contains(word));
    class.map_or_else(|| text.clone(), |(_, class)| format!("<span class=\"{class}\">{text}</span>"))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_closed_and_nothing_from_elsewhere_is_markup() {
        let text =
            "Node List:\n  * Online: [ a<b ]\n\nFull List of Resources:\n  * Clone Set: c [r]:\n    * Started: [ n ]\n";
        let made = page(text, &Page { refresh_s: Some(5), ..Page::default() });
        assert_eq!(made.matches("<ul>").count(), made.matches("</ul>").count());
        assert!(made.contains("<title>Cluster Status</title>") && made.contains("content=\"5\""));
        assert!(made.contains("<h2>Node List</h2>") && made.contains("a&lt;b") && !made.contains("a<b"));
        assert!(page(text, &Page { cgi: true, ..Page::default() }).starts_with("Content-Type: text/html\n\n"));
    }
}
