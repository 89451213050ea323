//! The part of `XPath` that people and agents give to `cibadmin`: steps (`/`, `//`, `*`, `..` not), conditions on attributes, on what
//! is inside and on positions, `and`, `or`, `not()`, `contains()`, `starts-with()`, `|` between paths.

use thiserror::Error;

use super::{Node, Place};

/// Longest path that is read, bytes.
const LONGEST: usize = 16 << 10;
/// Deepest nesting of conditions.
const DEEPEST: usize = 32;

/// A path through a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path(Vec<Vec<Step>>);

/// A path that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("column {column} of the path: {message}")]
pub struct PathError {
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong there.
    pub message: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Step {
    /// At any depth below (`//`), not only directly.
    anywhere: bool,
    /// The name; `None` is any.
    name: Option<String>,
    conditions: Vec<Condition>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Condition {
    /// `[2]`, from 1.
    Position(usize),
    /// `[last()]`.
    Last,
    Test(Test),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
    Not(Box<Self>),
    /// `@a`, or a path inside.
    Exists(Operand),
    Compares(Operand, bool, Operand),
    Contains(Operand, Operand),
    StartsWith(Operand, Operand),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Operand {
    Text(String),
    /// Elements inside, and perhaps an attribute of them.
    Inside(Vec<Step>, Option<String>),
}

impl Path {
    /// Reads a path.
    ///
    /// # Errors
    /// [`PathError`] with the place of what is not understood.
    pub fn read(text: &str) -> Result<Self, PathError> {
        let mut reader = Reader { chars: text.chars().collect(), at: 0, depth: 0 };
        if text.len() > LONGEST {
            return Err(reader.error("the path is too long"));
        }
        let mut paths = Vec::new();
        loop {
            let (steps, attribute) = reader.steps(true)?;
            if steps.is_empty() {
                return Err(reader.error("a name is missing"));
            }
            // The element of an attribute stands for it, as for cibadmin.
            let mut steps = steps;
            if let (Some(name), Some(last)) = (attribute, steps.last_mut()) {
                last.conditions.push(Condition::Test(Test::Exists(Operand::Inside(Vec::new(), Some(name)))));
            }
            paths.push(steps);
            reader.blanks();
            if !reader.take('|') {
                break;
            }
        }
        if reader.at < reader.chars.len() {
            return Err(reader.error("this is not understood"));
        }
        Ok(Self(paths))
    }

    /// The elements that the path leads to, in document order.
    #[must_use]
    pub fn find(&self, root: &Node) -> Vec<Place> {
        let mut found: Vec<Place> = Vec::new();
        for steps in &self.0 {
            let document = Node { children: vec![root.clone()], ..Node::default() };
            // Below the document stands the root; places count from the root.
            found.extend(follow(&document, &[Vec::new()], steps).into_iter().map(|place| place[1..].to_vec()));
        }
        found.sort();
        found.dedup();
        found
    }
}

/// Where these steps lead from some places.
fn follow(document: &Node, from: &[Place], steps: &[Step]) -> Vec<Place> {
    let mut places = from.to_vec();
    for step in steps {
        let mut next: Vec<Place> = Vec::new();
        for place in &places {
            let parents = if step.anywhere { below(document, place) } else { vec![place.clone()] };
            for parent in parents {
                next.extend(chosen(document, &parent, step));
            }
        }
        next.sort();
        next.dedup();
        places = next;
    }
    places
}

/// A place and all below it.
fn below(document: &Node, place: &Place) -> Vec<Place> {
    let mut all = vec![place.clone()];
    let mut next = 0;
    while let Some(place) = all.get(next).cloned() {
        let children = document.at(&place).map_or(0, |node| node.children.len());
        all.extend((0..children).map(|index| [place.as_slice(), &[index]].concat()));
        next += 1;
    }
    all
}

/// The children of an element that a step takes.
fn chosen(document: &Node, parent: &Place, step: &Step) -> Vec<Place> {
    let Some(node) = document.at(parent) else { return Vec::new() };
    let named = |child: &Node| step.name.as_ref().is_none_or(|name| child.name == *name);
    let mut children: Vec<usize> =
        node.children.iter().enumerate().filter(|(_, child)| named(child)).map(|(index, _)| index).collect();
    for condition in &step.conditions {
        children = match condition {
            Condition::Position(at) => at.checked_sub(1).and_then(|at| children.get(at)).copied().into_iter().collect(),
            Condition::Last => children.last().copied().into_iter().collect(),
            Condition::Test(test) => {
                children.into_iter().filter(|index| node.children.get(*index).is_some_and(|c| holds(c, test))).collect()
            }
        };
    }
    children.into_iter().map(|index| [parent.as_slice(), &[index]].concat()).collect()
}

fn holds(node: &Node, test: &Test) -> bool {
    let any = |one: &Operand, other: &Operand, is: &dyn Fn(&str, &str) -> bool| {
        let (ones, others) = (values(node, one), values(node, other));
        ones.iter().any(|one| others.iter().any(|other| is(one, other)))
    };
    match test {
        Test::And(one, other) => holds(node, one) && holds(node, other),
        Test::Or(one, other) => holds(node, one) || holds(node, other),
        Test::Not(inner) => !holds(node, inner),
        Test::Exists(Operand::Text(text)) => !text.is_empty(),
        Test::Exists(Operand::Inside(steps, None)) => !follow(node, &[Vec::new()], steps).is_empty(),
        Test::Exists(operand) => !values(node, operand).is_empty(),
        Test::Compares(one, equal, other) => any(one, other, &|one, other| (one == other) == *equal),
        Test::Contains(one, other) => any(one, other, &|one, other| one.contains(other)),
        Test::StartsWith(one, other) => any(one, other, &|one, other| one.starts_with(other)),
    }
}

fn values(node: &Node, operand: &Operand) -> Vec<String> {
    match operand {
        Operand::Text(text) => vec![text.clone()],
        // Elements of a CIB have no text of their own.
        Operand::Inside(_, None) => Vec::new(),
        Operand::Inside(steps, Some(name)) => {
            let places = follow(node, &[Vec::new()], steps);
            places.iter().filter_map(|place| node.at(place)?.get(name).map(str::to_owned)).collect()
        }
    }
}

struct Reader {
    chars: Vec<char>,
    at: usize,
    depth: usize,
}

impl Reader {
    fn error(&self, message: &str) -> PathError {
        PathError { column: self.at + 1, message: message.to_owned() }
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn take(&mut self, c: char) -> bool {
        let found = self.peek() == Some(c);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, c: char) -> Result<(), PathError> {
        self.blanks();
        if self.take(c) { Ok(()) } else { Err(self.error(&format!("'{c}' must stand here"))) }
    }

    fn blanks(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    /// Takes a word if it is next.
    fn word(&mut self, word: &str) -> bool {
        let found = self.chars[self.at..].iter().copied().take(word.len()).eq(word.chars());
        let ends = self.chars.get(self.at + word.len()).is_none_or(|c| !is_name(*c));
        if found && ends {
            self.at += word.len();
        }
        found && ends
    }

    fn name(&mut self) -> Result<String, PathError> {
        let begin = self.at;
        while self.peek().is_some_and(is_name) {
            self.at += 1;
        }
        if self.at == begin {
            return Err(self.error("a name must stand here"));
        }
        Ok(self.chars[begin..self.at].iter().collect())
    }

    /// Steps, and the attribute at their end. From the root they begin with a stroke.
    fn steps(&mut self, from_root: bool) -> Result<(Vec<Step>, Option<String>), PathError> {
        let mut steps: Vec<Step> = Vec::new();
        self.blanks();
        if self.word(".") {
            // What follows is below this element.
        } else if !from_root && self.peek() != Some('/') {
            if self.take('@') {
                return Ok((steps, Some(self.name()?)));
            }
            steps.push(self.step(false)?);
        } else if self.peek() != Some('/') {
            return Err(self.error("a path begins with / or //"));
        }
        while self.take('/') {
            let anywhere = self.take('/');
            if self.take('@') {
                let name = self.name()?;
                if anywhere {
                    steps.push(Step { anywhere: true, name: None, conditions: Vec::new() });
                }
                return Ok((steps, Some(name)));
            }
            steps.push(self.step(anywhere)?);
        }
        Ok((steps, None))
    }

    fn step(&mut self, anywhere: bool) -> Result<Step, PathError> {
        let name = if self.take('*') { None } else { Some(self.name()?) };
        let mut conditions = Vec::new();
        self.blanks();
        while self.take('[') {
            self.blanks();
            let digits: String = self.chars[self.at..].iter().take_while(|c| c.is_ascii_digit()).collect();
            if !digits.is_empty() {
                self.at += digits.len();
                let position = digits.parse().map_err(|_| self.error("this number is too large"))?;
                conditions.push(Condition::Position(position));
            } else if self.word("last") {
                self.expect('(')?;
                self.expect(')')?;
                conditions.push(Condition::Last);
            } else {
                conditions.push(Condition::Test(self.or()?));
            }
            self.expect(']')?;
            self.blanks();
        }
        Ok(Step { anywhere, name, conditions })
    }

    fn or(&mut self) -> Result<Test, PathError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.error("conditions are nested too deeply"));
        }
        let mut test = self.and()?;
        self.blanks();
        while self.word("or") {
            test = Test::Or(Box::new(test), Box::new(self.and()?));
            self.blanks();
        }
        self.depth -= 1;
        Ok(test)
    }

    fn and(&mut self) -> Result<Test, PathError> {
        let mut test = self.test()?;
        self.blanks();
        while self.word("and") {
            test = Test::And(Box::new(test), Box::new(self.test()?));
            self.blanks();
        }
        Ok(test)
    }

    fn test(&mut self) -> Result<Test, PathError> {
        self.blanks();
        if self.take('(') {
            let test = self.or()?;
            self.expect(')')?;
            return Ok(test);
        }
        for word in ["not", "contains", "starts-with"] {
            if !self.word(word) {
                continue;
            }
            self.expect('(')?;
            let test = if word == "not" {
                Test::Not(Box::new(self.or()?))
            } else {
                let one = self.operand()?;
                self.expect(',')?;
                let other = self.operand()?;
                if word == "contains" { Test::Contains(one, other) } else { Test::StartsWith(one, other) }
            };
            self.expect(')')?;
            return Ok(test);
        }
        let one = self.operand()?;
        self.blanks();
        let equal = if self.take('=') {
            true
        } else if self.take('!') {
            self.expect('=')?;
            false
        } else {
            return Ok(Test::Exists(one));
        };
        Ok(Test::Compares(one, equal, self.operand()?))
    }

    fn operand(&mut self) -> Result<Operand, PathError> {
        self.blanks();
        for quote in ['\'', '"'] {
            if !self.take(quote) {
                continue;
            }
            let text: String = self.chars[self.at..].iter().take_while(|c| **c != quote).collect();
            self.at += text.chars().count();
            self.expect(quote)?;
            return Ok(Operand::Text(text));
        }
        let digits: String = self.chars[self.at..].iter().take_while(|c| c.is_ascii_digit()).collect();
        if !digits.is_empty() {
            self.at += digits.len();
            return Ok(Operand::Text(digits));
        }
        let (steps, attribute) = self.steps(false)?;
        Ok(Operand::Inside(steps, attribute))
    }
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.')
}
