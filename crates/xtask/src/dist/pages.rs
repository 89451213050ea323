//! The manual pages of the daemon and of its file, from what the daemon says of itself.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};
use roff::{Roff, bold, italic, roman};

/// Writes `hacd.8` and `hacd.toml.5`.
pub(super) fn write(hacd: &Path, folder: &Path) -> anyhow::Result<()> {
    let help = super::output(Command::new(hacd).arg("--help"))?;
    let keys = super::output(Command::new(hacd).arg("--print-keys"))?;
    super::write(&folder.join("hacd.8"), daemon(&String::from_utf8(help)?)?.as_bytes())?;
    super::write(&folder.join("hacd.toml.5"), file(&String::from_utf8(keys)?)?.as_bytes())
}

/// The page of the daemon: its help, with the options as a list.
fn daemon(help: &str) -> anyhow::Result<String> {
    let mut page = head("hacd", "8");
    page.control("SH", ["NAME"]).text([roman("hacd - keeps services running on a handful of machines")]);
    page.control("SH", ["SYNOPSIS"]).text([bold("hacd"), roman(" [OPTIONS]")]);
    page.control("SH", ["DESCRIPTION"]).text([roman(
        "One daemon per node that does what Corosync and Pacemaker do together: membership and messaging, quorum, \
         a replicated configuration, a scheduler, and resource agents. It is steered with hacctl(8) and configured in \
         hacd.toml(5). Started by systemd as hacd.service.",
    )]);
    page.control("SH", ["OPTIONS"]);
    let (_, options) = help.split_once("Options:\n").context("the help of hacd has no list of options")?;
    let (options, rest) = options.split_once("\n\n").context("the help of hacd ends with its options")?;
    for line in options.lines() {
        let (option, meaning) = line.trim().split_once("  ").context("an option without a meaning")?;
        page.control("TP", []).text([bold(option)]).text([roman(meaning.trim())]);
    }
    for paragraph in rest.lines().filter(|line| !line.trim().is_empty()) {
        let (title, text) = paragraph.split_once(": ").context("a line without a title in the help of hacd")?;
        page.control("SH", [title.to_uppercase().as_str()]).text([roman(text)]);
    }
    page.control("SH", ["SEE ALSO"]).text([roman("hacctl(8), hacd.toml(5), corosync.conf(5), votequorum(5)")]);
    Ok(page.to_roff())
}

/// The page of the file: a section a table, an entry a key.
fn file(keys: &str) -> anyhow::Result<String> {
    let mut page = head("hacd.toml", "5");
    page.control("SH", ["NAME"]).text([roman("hacd.toml - configuration of the cluster daemon hacd")]);
    page.control("SH", ["DESCRIPTION"]).text([roman(
        "/etc/hacd/hacd.toml is one TOML file, the same on every node. Its names are those of corosync.conf(5) and \
         votequorum(5). An unknown key, a wrong value and values that contradict each other stop the daemon before it \
         touches anything, with a line that names the place. Times are milliseconds. hacd --check reads the file and says \
         all that is wrong with it.",
    )]);
    let mut section = String::new();
    for line in keys.lines().skip(1) {
        let cells: Vec<&str> = line.split('\t').collect();
        let [key, accepts, _unit, default, meaning] = cells[..] else {
            anyhow::bail!("a key is described by five cells and not by {line:?}");
        };
        let (table, name) = key.rsplit_once('.').context("a key outside all tables")?;
        if section != table {
            table.clone_into(&mut section);
            let title = match table.strip_suffix("[]") {
                Some(list) => format!("[[{list}]]"),
                None => format!("[{table}]"),
            };
            page.control("SH", [title.as_str()]);
        }
        let name = if name == "*" { "any name" } else { name };
        page.control("TP", []).text([bold(name), roman(" ("), italic(accepts), roman(")")]);
        let default = if default.is_empty() { String::new() } else { format!(" Default: {default}.") };
        page.text([roman(format!("{meaning}{default}"))]);
    }
    ensure!(!section.is_empty(), "the daemon names no keys");
    page.control("SH", ["FILES"]).text([roman(
        "/etc/hacd/hacd.toml, /etc/hacd/authkey (the key of the cluster, hacctl keygen), /var/lib/hacd (the state), \
         /usr/share/doc/hacd/examples/hacd.toml (every key with a comment)",
    )]);
    page.control("SH", ["SEE ALSO"]).text([roman("hacd(8), hacctl(8), corosync.conf(5), votequorum(5)")]);
    Ok(page.to_roff())
}

/// The beginning of a page.
fn head(name: &str, section: &str) -> Roff {
    let mut page = Roff::new();
    page.control("TH", [name, section, "", concat!("hacd ", env!("CARGO_PKG_VERSION")), "hacd"]);
    page
}

#[cfg(test)]
mod tests {
    use super::{daemon, file};

    #[test]
    fn each_key_stands_in_the_section_of_its_table_with_its_default() {
        let keys = "#key\taccepts\tunit\tdefault\tdescription\n\
                    totem.token\tmilliseconds from 30 to 300000\tms\t3000\tLongest silence of the ring.\n\
                    totem.interface[].mcastport\ta number\t\t\tThe port.\n";
        let page = file(keys).expect("a page");
        let section = page.find(".SH [totem]").expect("the table");
        let list = page.find(".SH [[totem.interface]]").expect("the list");
        let key = page.find("token").expect("the key");
        assert!(section < key && key < list, "{page}");
        assert!(page.contains("Longest silence of the ring. Default: 3000."), "{page}");
        assert!(page.contains("The port.\n"), "{page}");
    }

    #[test]
    fn a_table_of_keys_of_another_form_is_refused() {
        assert!(file("#key\ntotem.token\n").is_err());
        assert!(file("#key\n").is_err());
    }

    #[test]
    fn options_and_exit_codes_come_from_the_help() {
        let help =
            "hacd\n\nOptions:\n  --check   Read the file\n  --help    Print this\n\nExit codes: 0 left, 78 wrong.\n";
        let page = daemon(help).expect("a page");
        assert!(page.contains(".SH \"EXIT CODES\"\n0 left, 78 wrong."), "{page}");
        assert!(page.contains("Read the file"), "{page}");
    }
}
