//! Rules for `config/hacd.toml`: every option is explained, says its default, and is in `docs/configuration.md`.
//!
//! Lines of `# text` are prose, lines of `#key = value` and `#[section]` are options that are commented out. That the
//! daemon knows exactly these keys is proven by `cargo xtask test` ("configuration keys").

use std::path::Path;

/// An option of the file.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    /// Section and name, joined by a dot.
    pub(super) name: String,
    /// The line that it is on, from 1.
    pub(super) line: usize,
    /// The prose above it.
    pub(super) prose: String,
}

/// Options without prose, and prose that does not tell the default.
pub(super) fn problems(root: &Path, problems: &mut Vec<String>) -> anyhow::Result<()> {
    let path = root.join("config/hacd.toml");
    if !path.is_file() {
        return Ok(());
    }
    let document = std::fs::read_to_string(root.join("docs/configuration.md")).unwrap_or_default();
    for key in keys(&std::fs::read_to_string(path)?) {
        let told = ["default", "required"].iter().any(|word| key.prose.to_lowercase().contains(word));
        let short = key.name.rsplit('.').next().unwrap_or("");
        if !document.contains(&format!("| `{short}` |")) {
            problems.push(format!("docs/configuration.md does not name {}", key.name));
        }
        if !told {
            problems.push(format!("config/hacd.toml:{}: {} does not say its default", key.line, key.name));
        }
    }
    Ok(())
}

/// The options that a file names, set or commented out, in order.
pub(super) fn keys(text: &str) -> Vec<Key> {
    let mut keys = Vec::new();
    let mut section = String::new();
    let mut prose = String::new();
    for (index, line) in text.lines().enumerate() {
        if line.is_empty() || line.starts_with("# ") || line == "#" {
            if line.is_empty() {
                prose.clear();
            }
            prose.push_str(line.trim_start_matches('#'));
            continue;
        }
        let option = line.strip_prefix('#').unwrap_or(line);
        if option.starts_with('[') {
            section = option.split(']').next().unwrap_or("").trim_matches('[').to_owned();
            prose.clear();
        } else if let Some((name, _)) = option.split_once('=') {
            let name = format!("{section}.{}", name.trim());
            keys.push(Key { name, line: index + 1, prose: std::mem::take(&mut prose) });
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::keys;

    const TEXT: &str = "[totem]\n# The token. Milliseconds; default 3000.\n#token = 3000\n\n#[a.b]\n#x = 1\n";

    #[test]
    fn keys_carry_their_section_and_prose() {
        let keys = keys(TEXT);
        let names: Vec<&str> = keys.iter().map(|key| key.name.as_str()).collect();
        assert_eq!(names, ["totem.token", "a.b.x"]);
        assert!(keys[0].prose.contains("default 3000"));
        assert_eq!(keys[1].prose, "");
    }
}
