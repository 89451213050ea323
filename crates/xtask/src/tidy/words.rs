//! Words that make an operator read a sentence twice, in what operators read: documentation, examples, error texts, help,
//! log lines.

/// A word, and what to write instead. Only what has one plain replacement is here; style needs a reader.
const WORDS: &[(&str, &str)] = &[
    ("for ever", "permanently, without end, or until when"),
    ("lest", "so that … not"),
    ("shall", "must, should, or the present tense"),
    ("that is none", "what is wrong with it"),
    ("whoever", "who: the node, the client, the operator"),
];

/// Sources whose comments are the help that people get.
const HELP: &[&str] = &["crates/hacctl/src/args.rs", "crates/hacd/src/arguments.rs"];

/// The words in a text, with their lines.
pub(super) fn words(path: &str, text: &str, problems: &mut Vec<String>) {
    let source = path.ends_with(".rs") && !HELP.contains(&path);
    let prose = [".md", ".toml", ".service"].iter().any(|end| path.ends_with(end));
    if path.ends_with("tidy/words.rs") || !(source || prose || HELP.contains(&path)) {
        return;
    }
    let mut wrapped = "";
    for (index, line) in text.lines().enumerate() {
        let read = if source { quoted(line) } else { line };
        // A word of two may be divided by the end of a line.
        let joined = format!("{} {}", wrapped.split_whitespace().next_back().unwrap_or(""), read.trim()).to_lowercase();
        for (word, instead) in WORDS.iter().filter(|(word, _)| has(&joined, word)) {
            problems.push(format!("{path}:{}: \"{word}\": write {instead}", index + 1));
        }
        wrapped = read;
    }
}

/// What of a line of source stands in quotes, from the first to the last of them; nothing of a comment.
fn quoted(line: &str) -> &str {
    if line.trim_start().starts_with("//") {
        return "";
    }
    match (line.find('"'), line.rfind('"')) {
        (Some(first), Some(last)) if first < last => &line[first..last],
        // The first or the last line of a longer text.
        (Some(first), _) => &line[first..],
        _ => "",
    }
}

/// Whether a text has a word, not as a part of another.
fn has(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let letter = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        // What the line before ended with was told there.
        let new = text.find(' ').is_none_or(|first| at + word.len() > first);
        new && !letter(text[..at].chars().next_back()) && !letter(text[at + word.len()..].chars().next())
    })
}

#[cfg(test)]
mod tests {
    use super::words;

    fn found(path: &str, text: &str) -> Vec<String> {
        let mut problems = Vec::new();
        words(path, text, &mut problems);
        problems
    }

    #[test]
    fn words_are_found_where_operators_read_them() {
        let word = super::WORDS[2].0;
        assert_eq!(found("docs/a.md", &format!("It {word} not.\nIt must not.\n")).len(), 1);
        assert_eq!(found("docs/a.md", &format!("{word}ow {word}\nx\n")).len(), 1);
        assert_eq!(found("crates/a/src/a.rs", &format!("//! It {word}.\nlet a = 1; // {word}\n")), [""; 0]);
        assert_eq!(found("crates/a/src/a.rs", &format!("let a = \"it {word}\";\n")).len(), 1);
        assert_eq!(found("crates/hacctl/src/args.rs", &format!("/// It {word}.\n")).len(), 1);
        assert_eq!(found("docs/a.md", "It runs for\never.\n").len(), 1);
        assert_eq!(found("docs/a.md", "Forever, latest, there is none.\n"), [""; 0]);
    }
}
