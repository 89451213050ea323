//! Words, with where they stand.

use super::SyntaxError;
use crate::text::printable;

/// A word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    /// Without quotes.
    pub(super) text: String,
    /// Line, from 1.
    pub(super) line: usize,
    /// Column, from 1.
    pub(super) column: usize,
}

impl Token {
    /// A mistake here.
    pub(super) fn error(&self, message: impl Into<String>, remedy: impl Into<String>) -> SyntaxError {
        SyntaxError { line: self.line, column: self.column, message: message.into(), remedy: remedy.into() }
    }

    /// An option here that was given before: only one of two values could count.
    pub(super) fn twice(&self, name: &str) -> SyntaxError {
        let name = printable(name);
        self.error(format!("{name} is given twice"), format!("Write {name}= once."))
    }

    /// The word, harmless and in quotes, for an error.
    pub(super) fn quoted(&self) -> String {
        let short: String = self.text.chars().take(60).collect();
        format!("'{}'", printable(&short))
    }
}

/// Takes a text apart into statements of words.
pub(super) fn statements(text: &str) -> Result<Vec<Vec<Token>>, SyntaxError> {
    Scanner { chars: text.chars().peekable(), line: 1, column: 1 }.run()
}

/// Words that a shell has taken apart.
pub(super) fn from_words(words: &[String]) -> Vec<Token> {
    let mut column = 1;
    words
        .iter()
        .map(|word| {
            let token = Token { text: word.clone(), line: 1, column };
            column += word.chars().count() + 1;
            token
        })
        .collect()
}

struct Scanner<'a> {
    chars: std::iter::Peekable<std::str::Chars<'a>>,
    line: usize,
    column: usize,
}

impl Scanner<'_> {
    fn run(mut self) -> Result<Vec<Vec<Token>>, SyntaxError> {
        let mut statements = Vec::new();
        let mut words: Vec<Token> = Vec::new();
        while let Some(&c) = self.chars.peek() {
            match c {
                '\n' => {
                    self.next();
                    if !words.is_empty() {
                        statements.push(std::mem::take(&mut words));
                    }
                }
                '#' if words.is_empty() => {
                    while self.chars.peek().is_some_and(|&c| c != '\n') {
                        self.next();
                    }
                }
                c if c.is_whitespace() => {
                    self.next();
                }
                '\\' if self.at_line_end() => {
                    self.next();
                    while self.chars.peek().is_some_and(|&c| c != '\n') {
                        self.next();
                    }
                    self.next();
                }
                _ => {
                    let raw = words.first().is_some_and(|first: &Token| first.text == "xml");
                    words.push(self.word(raw)?);
                }
            }
        }
        if !words.is_empty() {
            statements.push(words);
        }
        Ok(statements)
    }

    /// Whether only blanks stand between a backslash here and the end of the line.
    fn at_line_end(&self) -> bool {
        let mut rest = self.chars.clone();
        rest.next();
        rest.find(|&c| c == '\n' || !c.is_whitespace()).is_none_or(|c| c == '\n')
    }

    /// Whether a backslash here ends the line, and the next one begins without a blank: the word goes on there.
    fn goes_on(&self) -> bool {
        let mut rest = self.chars.clone();
        rest.next();
        rest.next() == Some('\n') && rest.next().is_some_and(|c| !c.is_whitespace())
    }

    /// A word; `raw` ones keep quotes and backslashes.
    fn word(&mut self, raw: bool) -> Result<Token, SyntaxError> {
        let mut token = Token { text: String::new(), line: self.line, column: self.column };
        while let Some(&c) = self.chars.peek() {
            match c {
                c if c.is_whitespace() => break,
                '"' | '\'' if !raw => self.quotation(&mut token, c)?,
                '\\' if self.goes_on() => {
                    self.next();
                    self.next();
                }
                '\\' if self.at_line_end() => break,
                '\\' if !raw => {
                    self.next();
                    token.text.extend(self.next());
                }
                _ => token.text.extend(self.next()),
            }
        }
        Ok(token)
    }

    fn quotation(&mut self, token: &mut Token, mark: char) -> Result<(), SyntaxError> {
        let begin = Token { text: String::new(), line: self.line, column: self.column };
        self.next();
        loop {
            match self.next() {
                Some(c) if c == mark => return Ok(()),
                Some('\\') if mark == '"' && self.chars.peek().is_some_and(|c| matches!(c, '"' | '\\')) => {
                    token.text.extend(self.next());
                }
                // The line goes on with the first letter of the next one.
                Some('\\') if matches!(self.chars.peek(), Some('\n' | '\r')) => {
                    while matches!(self.chars.peek(), Some('\n' | '\r')) {
                        self.next();
                    }
                    self.blanks();
                }
                Some(c) => token.text.push(c),
                None => {
                    return Err(
                        begin.error("this quotation has no end", format!("Close it with {mark} on the same line."))
                    );
                }
            }
        }
    }

    fn blanks(&mut self) {
        while self.chars.peek().is_some_and(|&c| c == ' ' || c == '\t') {
            self.next();
        }
    }

    fn next(&mut self) -> Option<char> {
        let c = self.chars.next()?;
        if c == '\n' {
            self.line += 1;
            self.column = 1;
        } else {
            self.column += 1;
        }
        Some(c)
    }
}
