//! From words to changes.

mod attributes;
mod bundle;
mod constraint;
mod resource;
mod rule;
mod section;
mod told;

pub(super) use attributes::BLOCKS;
pub(super) use bundle::TECHNOLOGIES;
use hac_crm::cib::{Change, GroupEdit, Object, Place, PutMode, Section};
use hac_model::parse_score;
pub(super) use resource::OPERATION_OPTIONS;
pub(super) use rule::VALUE_SOURCES;
pub(super) use told::ENDS;

use super::token::Token;
use super::{KEYWORDS, SyntaxError, xml_form};

/// Reads one statement.
pub(super) fn statement(tokens: Vec<Token>, changes: &mut Vec<Change>) -> Result<(), SyntaxError> {
    let mut words = Words { tokens, position: 0 };
    if words.peek() == Some("configure") {
        words.skip();
    }
    let Some(first) = words.next() else { return Ok(()) };
    // What ends a script of crm does nothing here: all of it is one change.
    if matches!(first.text.as_str(), "commit" | "end" | "up" | "quit" | "exit" | "bye") && words.is_done() {
        return Ok(());
    }
    let keyword = keyword(&first)?;
    if matches!(keyword, "colocation" | "collocation" | "order" | "location" | "rsc_ticket") {
        words.part_brackets();
        words.lower(&["rule"], &["and", "or", "date", "defined", "not_defined"]);
    } else if !matches!(keyword, "xml" | "tag" | "rename" | "modgroup" | "fencing_topology") {
        words.lower(&BLOCKS, &[]);
    }
    match keyword {
        "primitive" => changes.push(put(Object::Primitive(resource::primitive(&mut words)?))),
        "rsc_template" => changes.push(put(Object::Template(resource::template(&mut words)?))),
        "group" => changes.push(put(Object::Group(resource::group(&mut words)?))),
        "clone" => changes.push(put(Object::Clone(resource::clone(&mut words, false)?))),
        "ms" | "master" => changes.push(put(Object::Clone(resource::clone(&mut words, true)?))),
        "colocation" | "collocation" => changes.push(put(Object::Constraint(constraint::colocation(&mut words)?))),
        "monitor" => changes.push(section::monitor(&mut words)?),
        "order" => changes.push(put(Object::Constraint(constraint::order(&mut words)?))),
        "location" => changes.push(put(Object::Constraint(constraint::location(&mut words)?))),
        "rsc_ticket" => changes.push(put(Object::Constraint(constraint::ticket(&mut words)?))),
        "property" => changes.push(section::properties(&mut words, Section::CrmConfig)?),
        "rsc_defaults" => changes.push(section::properties(&mut words, Section::RscDefaults)?),
        "op_defaults" => changes.push(section::properties(&mut words, Section::OpDefaults)?),
        "node" => changes.push(put(Object::Node(section::node(&mut words)?))),
        "tag" => changes.push(put(Object::Tag(section::tag(&mut words)?))),
        "alert" => changes.push(put(Object::Alert(told::alert(&mut words)?))),
        "notice" => changes.push(put(Object::Notice(told::notice(&mut words)?))),
        "fencing_topology" => {
            changes.extend(section::fencing_topology(&mut words)?.into_iter().map(|l| put(Object::FencingLevel(l))));
        }
        "rename" => {
            let (from, to) = (words.id("what is renamed")?, words.id("its new id")?);
            changes.push(Change::Rename { from, to });
        }
        "modgroup" => changes.push(modgroup(&mut words)?),
        "xml" => changes.extend(xml_form::parse(&words.rest_joined(), &first)?),
        _ => changes.push(put(Object::Bundle(bundle::bundle(&mut words)?))),
    }
    words.end()
}

/// Creates an object.
pub(super) fn put(object: Object) -> Change {
    Change::Put { object, mode: PutMode::Create }
}

/// Which keyword a word is or abbreviates.
fn keyword(token: &Token) -> Result<&'static str, SyntaxError> {
    let word = token.text.to_ascii_lowercase();
    let word = word.as_str();
    if word.is_empty() {
        let remedy = "Write what it is, such as 'primitive'; perhaps a variable of your script is empty.";
        return Err(token.error("a statement begins with an empty word", remedy));
    }
    let mut candidates = hac_model::abbreviated(word, KEYWORDS);
    // Two spellings of one thing.
    candidates.retain(|k| !matches!(*k, "collocation" | "master") || candidates_alone(word, k));
    match candidates[..] {
        [only] => Ok(only),
        [] => Err(unknown_keyword(token)),
        _ => Err(token.error(
            format!("{} may mean {}", token.quoted(), candidates.join(" or ")),
            "Write some more letters of it.",
        )),
    }
}

/// A word that begins nothing: what was most likely meant, or what to do instead of what hacd does not have.
fn unknown_keyword(token: &Token) -> SyntaxError {
    if let Some((_, instead)) = NOT_OFFERED.iter().find(|(word, _)| *word == token.text) {
        return token.error(format!("hacd has no {}", token.quoted()), *instead);
    }
    let message = format!("unknown kind of object {}", token.quoted());
    match hac_model::nearest(&token.text, KEYWORDS.iter().copied()) {
        Some(near) => token.error(message, format!("Did you mean '{near}'?")),
        None => token.error(message, format!("Objects begin with {}.", KEYWORDS.join(", "))),
    }
}

/// Words of crm that hacd does not have, with what to do instead.
const NOT_OFFERED: &[(&str, &str)] = &[
    ("role", "hacd has no access rules: everything is done as root on a node."),
    ("acl_target", "hacd has no access rules: everything is done as root on a node."),
    ("acl_group", "hacd has no access rules: everything is done as root on a node."),
    ("user", "hacd has no access rules: everything is done as root on a node."),
    ("get_property", "Use 'hacctl configure get_property NAME'."),
    ("validate-all", "Use 'hacctl configure verify'."),
    ("default-timeouts", "Use 'hacctl configure default-timeouts RSC'."),
    ("rsctest", "Use 'hacctl resource start RSC' on a cluster for tests."),
    ("schema", "hacd has no schema to choose; 'hacctl configure verify' checks everything."),
    ("upgrade", "Nothing has to be upgraded; 'hacctl configure verify' checks everything."),
    ("erase", "Write 'hacctl configure erase', which refuses while something runs."),
    ("ptest", "Use 'hacctl configure simulate', or 'hacctl simulate -x FILE' for a stored state."),
    ("simulate", "Use 'hacctl configure simulate', or 'hacctl simulate -x FILE' for a stored state."),
    ("graph", "Use 'hacctl simulate -x FILE --dot DOT'."),
    ("filter", "Use 'hacctl configure show > FILE', change FILE, and 'hacctl configure load update FILE'."),
    ("template", "Write the resources themselves; 'rsc_template' gives several of them common values."),
    ("cib", "Use 'hacctl cib new NAME', which makes a draft, and 'hacctl cib commit NAME'."),
    ("set", "Use 'hacctl configure set ID.NAME VALUE', or 'hacctl resource param RSC set NAME VALUE'."),
];

/// Whether an alternative spelling is the only one that `word` can mean.
fn candidates_alone(word: &str, spelling: &str) -> bool {
    let other = if spelling == "master" { "ms" } else { "colocation" };
    !other.starts_with(word) && !hac_model::is_spread(word, other)
}

fn modgroup(words: &mut Words) -> Result<Change, SyntaxError> {
    let group = words.id("the group")?;
    let verb = words.expect("add or remove")?;
    let resource = words.id("the resource")?;
    let edit = match verb.text.as_str() {
        "add" => {
            let place = match words.next() {
                None => Place::Last,
                Some(token) if token.text == "before" => Place::Before(words.id("the member it comes before")?),
                Some(token) if token.text == "after" => Place::After(words.id("the member it comes after")?),
                Some(token) => {
                    return Err(token.error(
                        format!("{} is no place", token.quoted()),
                        "Write 'before MEMBER' or 'after MEMBER', or nothing for the end.",
                    ));
                }
            };
            GroupEdit::Add { resource, place }
        }
        "remove" => GroupEdit::Remove { resource },
        _ => {
            let message = format!("{} is neither add nor remove", verb.quoted());
            return Err(verb.error(message, "Write 'modgroup GROUP add RSC [before|after MEMBER]' or 'remove RSC'."));
        }
    };
    Ok(Change::ModGroup { group, edit })
}

/// The words of a statement, read from left to right.
pub(super) struct Words {
    tokens: Vec<Token>,
    position: usize,
}

impl Words {
    /// Makes words of their own of the brackets that stand at the edges of words: `(a b)` is `( a b )`.
    fn part_brackets(&mut self) {
        let rest = self.tokens.split_off(self.position.min(self.tokens.len()));
        let mut in_rule = false;
        for token in rest {
            // Patterns, and values that are not options of a set, may have brackets of their own; so has all of a rule.
            in_rule |= token.text == "rule";
            let name = token.text.split_once('=').map(|(name, _)| name);
            let value = name.is_some_and(|name| !constraint::SET_OPTIONS.contains(&name));
            let pattern = in_rule || value || token.text.starts_with('/');
            let mut inner = token.clone();
            let mut after = Vec::new();
            while !pattern && inner.text.len() > 1 && inner.text.starts_with(['(', '[', '{']) {
                let text = inner.text.remove(0).to_string();
                self.tokens.push(Token { text, ..inner.clone() });
                inner.column += 1;
            }
            // A bracket that was opened inside of the word belongs to it.
            let opened = |text: &str| text.contains(['(', '[', '{']);
            while !pattern && inner.text.len() > 1 && inner.text.ends_with([')', ']', '}']) && !opened(&inner.text) {
                let text = inner.text.pop().map(String::from).unwrap_or_default();
                after.push(Token { text, column: inner.column + inner.text.chars().count(), ..inner.clone() });
            }
            self.tokens.push(inner);
            self.tokens.extend(after.into_iter().rev());
        }
    }

    /// Writes small what crm takes in either case: words that begin a part after the object's id, and words of a rule
    /// after its own.
    fn lower(&mut self, parts: &[&str], in_rule: &[&str]) {
        let mut ruled = false;
        for token in self.tokens.iter_mut().skip(self.position + 1) {
            let small = token.text.to_ascii_lowercase();
            if parts.contains(&small.as_str()) || ruled && in_rule.contains(&small.as_str()) {
                token.text = small;
            }
            ruled |= token.text == "rule";
        }
    }

    /// The next word, which stays.
    pub(super) fn peek(&self) -> Option<&str> {
        self.tokens.get(self.position).map(|token| token.text.as_str())
    }

    /// The word after the next one.
    pub(super) fn peek_second(&self) -> Option<&str> {
        self.tokens.get(self.position + 1).map(|token| token.text.as_str())
    }

    /// Passes over a word.
    pub(super) fn skip(&mut self) {
        self.position += 1;
    }

    /// Takes a word.
    pub(super) fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.position).cloned();
        self.position += 1;
        token
    }

    /// Takes the next word if it is `word`.
    pub(super) fn take(&mut self, word: &str) -> bool {
        let found = self.peek() == Some(word);
        if found {
            self.skip();
        }
        found
    }

    /// Takes a word that must be there; `what` says what it is.
    pub(super) fn expect(&mut self, what: &str) -> Result<Token, SyntaxError> {
        if self.position < self.tokens.len() {
            self.position += 1;
            return Ok(self.tokens[self.position - 1].clone());
        }
        let last = self.last();
        Err(last.error(format!("here ends what was written, but {what} must follow"), format!("Add {what}.")))
    }

    /// Takes an id.
    pub(super) fn id(&mut self, what: &str) -> Result<String, SyntaxError> {
        let token = self.expect(what)?;
        let begins_well = token.text.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_');
        let is_id =
            begins_well && token.text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':'));
        if is_id {
            return Ok(token.text);
        }
        Err(token.error(
            format!("{} is no id", token.quoted()),
            "An id begins with a letter; letters, digits, '-', '_' and '.' may follow.",
        ))
    }

    /// Takes `SCORE:` if it stands here: the score as the CIB writes it, or the name of an attribute that has it.
    pub(super) fn score(&mut self) -> Option<Score> {
        let text = self.peek()?.strip_suffix(':')?;
        let score = match parse_score(text) {
            Some(_) => Score::Number(written_score(text)),
            None if !text.is_empty() && !text.contains([' ', '=']) => Score::Attribute(text.to_owned()),
            None => return None,
        };
        self.skip();
        Some(score)
    }

    /// A mistake at the next word, or at the end.
    pub(super) fn error(&self, message: impl Into<String>, remedy: impl Into<String>) -> SyntaxError {
        self.here().error(message, remedy)
    }

    /// The next word, or the end.
    fn here(&self) -> Token {
        self.tokens.get(self.position).map_or_else(|| self.last(), Token::clone)
    }

    /// Refuses the option that is the next word if it was given before.
    pub(super) fn once(&self, given_before: bool, name: &str) -> Result<(), SyntaxError> {
        if given_before { Err(self.here().twice(name)) } else { Ok(()) }
    }

    /// Whether no word is left.
    pub(super) fn is_done(&self) -> bool {
        self.position >= self.tokens.len()
    }

    /// Refuses words that are left.
    pub(super) fn end(&mut self) -> Result<(), SyntaxError> {
        match self.next() {
            None => Ok(()),
            Some(token) => Err(token.error(
                format!("{} has no place here", token.quoted()),
                "Remove it; values with blanks are written in quotes.",
            )),
        }
    }

    fn rest_joined(&mut self) -> String {
        let rest: Vec<&str> = self.tokens.iter().skip(self.position).map(|t| t.text.as_str()).collect();
        let text = rest.join(" ");
        self.position = self.tokens.len();
        text
    }

    fn last(&self) -> Token {
        let end = |t: &Token| Token { column: t.column + t.text.chars().count(), ..t.clone() };
        self.tokens.last().map_or_else(|| Token { text: String::new(), line: 1, column: 1 }, end)
    }
}

/// What stands before a colon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Score {
    /// A score.
    Number(String),
    /// The name of a node attribute that has the score.
    Attribute(String),
}

/// A score as the CIB writes it: `inf` becomes `INFINITY`.
pub(super) fn written_score(text: &str) -> String {
    let (sign, magnitude) = text.split_at(usize::from(text.starts_with(['-', '+'])));
    let infinite = magnitude.eq_ignore_ascii_case("inf") || magnitude.eq_ignore_ascii_case("infinity");
    format!("{sign}{}", if infinite { "INFINITY" } else { magnitude })
}
