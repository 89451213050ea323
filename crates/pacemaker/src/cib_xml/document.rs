//! A document as a tree of elements that borrow from the text, with bounds on everything.

use std::borrow::Cow;

use hac_model::ResourceHistory;
use quick_xml::XmlVersion;
use quick_xml::events::attributes::{Attribute, Attributes};
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

use super::{MAX_ATTRIBUTES, MAX_BYTES, MAX_DEPTH, MAX_ELEMENTS, MAX_VALUE, Problem, XmlError};

/// An element.
#[derive(Debug)]
pub(super) struct Element<'a> {
    /// Its name.
    pub(super) name: &'a str,
    /// Its attributes in document order.
    pub(super) attributes: Box<[(&'a str, Cow<'a, str>)]>,
    /// The elements inside, in document order.
    pub(super) children: Vec<Self>,
    /// What was read of elements inside as soon as they ended. They are not among the children.
    pub(super) histories: Vec<ResourceHistory>,
    /// The first element inside of those that is not an operation: its name, and the byte at which it begins.
    pub(super) strange: Option<(&'a str, usize)>,
    /// Byte at which it begins.
    offset: usize,
}

/// Reads what is not worth keeping as an element, given its parent and it; `None` keeps the element.
pub(super) type ReadEarly = fn(&Element<'_>, &Element<'_>) -> Result<Option<ResourceHistory>, Fault>;

/// A problem and the byte where it shows.
#[derive(Debug)]
pub(super) struct Fault {
    offset: usize,
    problem: Problem,
}

impl Fault {
    /// A problem at byte `offset`.
    pub(super) const fn at(offset: usize, problem: Problem) -> Self {
        Self { offset, problem }
    }

    /// Counts lines and columns.
    pub(super) fn locate(self, text: &str) -> XmlError {
        let (line, column) = place(text, self.offset);
        XmlError { line, column, problem: self.problem }
    }
}

/// Line and column of a byte, from 1.
pub(super) fn place(text: &str, offset: usize) -> (usize, usize) {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    let before = &text[..offset];
    let line = before.bytes().filter(|&b| b == b'\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |tail| tail.chars().count()) + 1;
    (line, column)
}

/// Longest value quoted in an error.
const QUOTED_CHARS: usize = 120;

/// `text` short and without control characters, for an error.
pub(super) fn quotable(text: &str) -> String {
    let mut short: String = text.chars().take(QUOTED_CHARS).flat_map(char::escape_debug).collect();
    if text.chars().nth(QUOTED_CHARS).is_some() {
        short.push('…');
    }
    short
}

impl<'a> Element<'a> {
    /// The attribute `name`.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(n, _)| *n == name).map(|(_, value)| value.as_ref())
    }

    /// The attribute `name`, owned.
    pub(super) fn opt(&self, name: &str) -> Option<String> {
        self.get(name).map(str::to_owned)
    }

    /// The attribute `name`, empty if it is not there.
    pub(super) fn or_empty(&self, name: &str) -> String {
        self.opt(name).unwrap_or_default()
    }

    /// The attribute `name`, which must be there.
    pub(super) fn required(&self, name: &'static str) -> Result<String, Fault> {
        self.opt(name).ok_or_else(|| self.fault(Problem::Lacks { element: quotable(self.name), attribute: name }))
    }

    /// The attribute `name` as a number.
    pub(super) fn number<T: std::str::FromStr>(&self, name: &'static str) -> Result<Option<T>, Fault> {
        self.parsed(name, "a number in its range", |text| text.trim().parse().ok())
    }

    /// The attribute `name`, read by `parse`; `wanted` says what it should be.
    pub(super) fn parsed<T>(
        &self,
        name: &'static str,
        wanted: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, Fault> {
        let Some(text) = self.get(name) else { return Ok(None) };
        match parse(text) {
            Some(value) => Ok(Some(value)),
            None => Err(self.fault(Problem::Wrong {
                element: quotable(self.name),
                attribute: name,
                value: quotable(text),
                wanted,
            })),
        }
    }

    /// The elements inside called `name`.
    pub(super) fn all<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s Element<'a>> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The first element inside called `name`.
    pub(super) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The first element inside called `name`, to take something out.
    pub(super) fn child_mut(&mut self, name: &str) -> Option<&mut Self> {
        self.children.iter_mut().find(|child| child.name == name)
    }

    /// A problem at this element.
    pub(super) fn fault(&self, problem: Problem) -> Fault {
        Fault { offset: self.offset, problem }
    }
}

/// Reads `text` into its root element. Most of a CIB is what nodes know of resources; `early` keeps that from being in
/// memory twice.
pub(super) fn parse(text: &str, early: ReadEarly) -> Result<Element<'_>, Fault> {
    if text.len() > MAX_BYTES {
        return Err(Fault { offset: 0, problem: Problem::TooLong });
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Element<'_>> = Vec::new();
    let mut root: Option<Element<'_>> = None;
    let mut attributes = Vec::new();
    let mut count = 0;
    loop {
        let offset = position(reader.buffer_position());
        let event = reader
            .read_event()
            .map_err(|error| Fault { offset: position(reader.error_position()), problem: syntax(&error) })?;
        let (element, empty) = match event {
            Event::Start(start) => (element(text, &start, offset, &mut attributes)?, false),
            Event::Empty(start) => (element(text, &start, offset, &mut attributes)?, true),
            Event::End(_) => {
                // The reader refuses an end without its start.
                if let Some(done) = open.pop() {
                    attach(&mut open, &mut root, done, early)?;
                }
                continue;
            }
            Event::DocType(_) => return Err(Fault { offset, problem: Problem::DocumentType }),
            Event::Eof => break,
            _ => continue,
        };
        count += 1;
        if count > MAX_ELEMENTS {
            return Err(Fault { offset, problem: Problem::TooManyElements });
        }
        if open.len() >= MAX_DEPTH {
            return Err(Fault { offset, problem: Problem::TooDeep });
        }
        if empty {
            attach(&mut open, &mut root, element, early)?;
        } else {
            open.push(element);
        }
    }
    if let Some(unfinished) = open.pop() {
        return Err(Fault { offset: text.len(), problem: Problem::Truncated(quotable(unfinished.name)) });
    }
    root.ok_or(Fault { offset: 0, problem: Problem::Empty })
}

/// Puts a finished element where it belongs.
fn attach<'a>(
    open: &mut [Element<'a>],
    root: &mut Option<Element<'a>>,
    mut done: Element<'a>,
    early: ReadEarly,
) -> Result<(), Fault> {
    done.children.shrink_to_fit();
    if let Some(parent) = open.last_mut() {
        match early(parent, &done)? {
            Some(history) => {
                let mut inside = done.children.iter().filter(|child| child.name != "lrm_rsc_op");
                parent.strange = parent.strange.or_else(|| inside.next().map(|child| (child.name, child.offset)));
                parent.histories.push(history);
            }
            None => parent.children.push(done),
        }
    } else if root.is_some() {
        return Err(done.fault(Problem::SecondRoot(quotable(done.name))));
    } else {
        *root = Some(done);
    }
    Ok(())
}

/// Reads name and attributes of a start tag that begins at byte `offset`. `attributes` is room to gather them in.
fn element<'a>(
    text: &'a str,
    start: &BytesStart<'a>,
    offset: usize,
    attributes: &mut Vec<(&'a str, Cow<'a, str>)>,
) -> Result<Element<'a>, Fault> {
    let at = |problem| Fault { offset, problem };
    // The tag's content directly follows the `<`; slicing the text lends it for as long as the text lives.
    let content = text.get(offset + 1..offset + 1 + start.len()).unwrap_or_default();
    let name_len = start.name().as_ref().len();
    let name = content.get(..name_len).unwrap_or_default();
    attributes.clear();
    for attribute in Attributes::new(content, name_len) {
        let attribute = attribute.map_err(|error| at(Problem::Syntax(quotable(&error.to_string()))))?;
        if attributes.len() == MAX_ATTRIBUTES {
            return Err(at(Problem::TooManyAttributes));
        }
        let key = attribute.key.into_inner();
        attributes.push((key, value(key, attribute).map_err(at)?));
    }
    let attributes = attributes.drain(..).collect();
    Ok(Element { name, attributes, children: Vec::new(), histories: Vec::new(), strange: None, offset })
}

/// The value of an attribute, references and blanks resolved.
fn value<'a>(key: &str, attribute: Attribute<'a>) -> Result<Cow<'a, str>, Problem> {
    if attribute.value.len() > MAX_VALUE {
        return Err(Problem::ValueTooLong(quotable(key), attribute.value.len()));
    }
    let plain = |byte: u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'&' | b'<');
    if attribute.value.bytes().all(plain) {
        return Ok(attribute.value);
    }
    let value = attribute.normalized_value(XmlVersion::Explicit1_0).map_err(|error| syntax(&error))?;
    match value.chars().find(|&c| !expressible(c)) {
        Some(bad) => Err(Problem::Syntax(format!("character {} is not allowed", bad.escape_default()))),
        None => Ok(value),
    }
}

/// Whether XML 1.0 knows the character.
pub(super) fn expressible(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

fn syntax(error: &quick_xml::Error) -> Problem {
    Problem::Syntax(quotable(&error.to_string()))
}

/// A position within a text that fits in memory.
fn position(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}
