//! What the operating system says of a failure, in words that tell a person more than its own, and without a number.

/// The text with each sentence of the system in it, such as `Is a directory (os error 21)`, in plain words.
#[must_use]
pub fn plain(text: &str) -> String {
    let mut rest = text;
    let mut told = String::new();
    while let Some((before, after)) = rest.split_once(MARK) {
        let Some((number, after)) = after.split_once(')') else { break };
        // A sentence begins behind what it is about.
        let begin = before.rfind(": ").map_or(0, |at| at + 2).max(before.rfind('\n').map_or(0, |at| at + 1));
        let (about, said) = before.split_at(begin);
        told.push_str(about);
        told.push_str(&words(number, said));
        rest = after;
    }
    told + rest
}

/// What stands before the number of an error.
const MARK: &str = " (os error ";

fn words(number: &str, said: &str) -> String {
    let plain = match number {
        "1" | "13" => "this user may not",
        "2" => "there is no such file or folder",
        "5" => "it is there, but cannot be read or written",
        "17" => "it is there already",
        "20" => "a part of the path is no folder",
        "21" => "it is a folder, not a file",
        "28" => "the disk is full",
        "30" => "what it is on can only be read",
        "36" => "the name is too long",
        "40" => "its links lead in a circle",
        "111" => "nothing listens there",
        _ => "",
    };
    if !plain.is_empty() {
        return plain.to_owned();
    }
    let mut letters = said.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_the_system_become_plain() {
        let error = |number| std::io::Error::from_raw_os_error(number).to_string();
        for (text, told) in [
            (format!("could not read /a: {}", error(21)), "could not read /a: it is a folder, not a file"),
            (error(2), "there is no such file or folder"),
            (format!("x: {}; y: {}", error(13), error(111)), "x: this user may not; y: nothing listens there"),
            (format!("x:\n{}\n  Do y.", error(28)), "x:\nthe disk is full\n  Do y."),
            (format!("x: {}", error(104)), "x: connection reset by peer"),
            ("nothing (os error".to_owned(), "nothing (os error"),
            ("plain".to_owned(), "plain"),
        ] {
            assert_eq!(plain(&text), told);
        }
    }
}
