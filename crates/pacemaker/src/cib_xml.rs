//! The XML of Pacemaker's cluster information base, schemas 1.3 to 4.0, to and from [`Cib`].
//!
//! What is read: everything that the scheduler looks at. Alerts and notices are read too. Passed over: access lists, and attributes that only say
//! who wrote an entry. Old names are kept where the scheduler knows both (the element `master`, the roles `Master` and
//! `Slave`, `stonith-enabled`); defaults that schemas before 3.0 kept among the cluster properties move to
//! `rsc_defaults` and `op_defaults`, as Pacemaker's own upgrade does.
//!
//! The input is not trusted: its size, depth and number of elements are bounded, document types (and with them
//! user-defined entities) are refused, and every error names line and column. [`read_valid`] also asks what the schema
//! asks that a document says it obeys: known elements, attributes and words, unique ids, references that lead somewhere.

mod document;
mod read;
mod references;
mod schema;
mod write;

pub(crate) use write::{Attributes, Writer};

#[cfg(test)]
mod tests;

use hac_model::Cib;
use thiserror::Error;

/// How the path of an alert begins that is a notice; what follows is its form.
const NOTICE: &str = "hacd:";

/// Why a text is no CIB.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("line {line}, column {column}: {problem}")]
pub struct XmlError {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong there.
    pub problem: Problem,
}

/// What can be wrong with the XML of a CIB.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Problem {
    /// The text is longer than [`MAX_BYTES`].
    #[error("the document is longer than the {MAX_BYTES} bytes that are read")]
    TooLong,
    /// Elements nested deeper than [`MAX_DEPTH`].
    #[error("elements are nested more than {MAX_DEPTH} deep")]
    TooDeep,
    /// More elements than [`MAX_ELEMENTS`].
    #[error("the document has more than {MAX_ELEMENTS} elements")]
    TooManyElements,
    /// More attributes in one element than [`MAX_ATTRIBUTES`].
    #[error("an element has more than {MAX_ATTRIBUTES} attributes")]
    TooManyAttributes,
    /// A value longer than [`MAX_VALUE`].
    #[error("the value of \"{0}\" has {1} bytes, more than the {MAX_VALUE} that are read")]
    ValueTooLong(String, usize),
    /// More than [`MAX_OPERATIONS`] in the history of a resource on a node.
    #[error("the history of {0} has more than {MAX_OPERATIONS} operations")]
    TooManyOperations(String),
    /// A `<!DOCTYPE` declaration.
    #[error("document type definitions are not accepted: remove the DOCTYPE")]
    DocumentType,
    /// Not well formed, in the parser's words.
    #[error("not well-formed XML: {0}")]
    Syntax(String),
    /// The text ends within an element.
    #[error("the document ends inside <{0}>")]
    Truncated(String),
    /// No element at all.
    #[error("the document has no element")]
    Empty,
    /// Something after the end of the root element.
    #[error("there is a second root element <{0}>")]
    SecondRoot(String),
    /// The root element is another.
    #[error("the root element is <{0}>, not <cib>")]
    NotCib(String),
    /// An element lacks an attribute that it must have.
    #[error("<{element}> lacks the attribute \"{attribute}\"")]
    Lacks {
        /// The element.
        element: String,
        /// The attribute.
        attribute: &'static str,
    },
    /// An element has nothing inside that it is about.
    #[error("<{element} id=\"{id}\"> has no {wanted} inside")]
    LacksChild {
        /// The element.
        element: String,
        /// Its id.
        id: String,
        /// What should be there.
        wanted: &'static str,
    },
    /// An element is where it cannot be.
    #[error("there is a <{element}> inside the <{parent}>, where only primitives can be")]
    Misplaced {
        /// The element.
        element: String,
        /// Where it is.
        parent: &'static str,
    },
    /// Two elements have the same id.
    #[error("<{element}> has the id \"{id}\", which an element before it has already")]
    Redefined {
        /// The element.
        element: String,
        /// The id.
        id: String,
    },
    /// A reference to nothing.
    #[error("{attribute}=\"{id}\" in <{element}> refers to nothing: there is no {wanted} with that id")]
    Dangling {
        /// The element.
        element: String,
        /// The attribute.
        attribute: &'static str,
        /// What it says.
        id: String,
        /// What should be there.
        wanted: &'static str,
    },
    /// No schema has this element there.
    #[error("no schema has a <{element}> inside of <{parent}>{meant}")]
    UnknownElement {
        /// The element.
        element: String,
        /// Where it is.
        parent: String,
        /// What may be meant; may be empty.
        meant: String,
    },
    /// No schema has this attribute there.
    #[error("no schema has an attribute \"{attribute}\" of <{element}>{meant}")]
    UnknownAttribute {
        /// The element.
        element: String,
        /// The attribute.
        attribute: String,
        /// What may be meant; may be empty.
        meant: String,
    },
    /// An attribute that has one of a few words has another.
    #[error("{attribute}=\"{value}\" in <{element}> is not {wanted}")]
    NotOneOf {
        /// The element.
        element: String,
        /// The attribute.
        attribute: String,
        /// What it says.
        value: String,
        /// What it may say.
        wanted: String,
    },
    /// An attribute is not of its type.
    #[error("{attribute}=\"{value}\" in <{element}> is not {wanted}")]
    Wrong {
        /// The element.
        element: String,
        /// The attribute.
        attribute: &'static str,
        /// What it says, cut to a bearable length.
        value: String,
        /// What it should be.
        wanted: &'static str,
    },
}

impl Problem {
    /// What to do about it.
    #[must_use]
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::TooLong | Self::NotCib(_) | Self::Empty => {
                "Is it a CIB? 'cibadmin -Q' and 'hacctl configure save xml FILE' write one."
            }
            Self::Truncated(_) => "The end is missing: save the CIB again.",
            Self::Redefined { .. } => "Give one of them another id.",
            Self::Dangling { .. } => "Remove the reference, or add what it refers to.",
            Self::DocumentType => "Remove the declaration; a CIB needs none.",
            _ => "Put that place right.",
        }
    }

    /// Whether it is about what the configuration says, not about how it is written down.
    #[must_use]
    pub const fn is_about_configuration(&self) -> bool {
        matches!(
            self,
            Self::Lacks { .. }
                | Self::LacksChild { .. }
                | Self::Misplaced { .. }
                | Self::Redefined { .. }
                | Self::Dangling { .. }
                | Self::UnknownElement { .. }
                | Self::UnknownAttribute { .. }
                | Self::NotOneOf { .. }
                | Self::Wrong { .. }
        )
    }
}

/// Where byte `offset` of `text` is: line and column, both from 1.
#[must_use]
pub fn place(text: &str, offset: usize) -> (usize, usize) {
    document::place(text, offset)
}

/// Longest document read: 64 MiB, some forty times the CIB of a cluster of 500 resources on 16 nodes.
pub const MAX_BYTES: usize = 64 << 20;
/// Deepest nesting read; a CIB needs about a dozen.
pub const MAX_DEPTH: usize = 64;
/// Most elements read.
pub const MAX_ELEMENTS: usize = 500_000;
/// Most attributes of one element; an operation's history has about thirty.
pub const MAX_ATTRIBUTES: usize = 256;

/// Longest value of an attribute, bytes.
pub const MAX_VALUE: usize = 1 << 20;
/// Most operations in the history of a resource on a node; there is one for each operation and interval.
pub const MAX_OPERATIONS: usize = 5_000;

/// Reads a CIB.
///
/// # Errors
/// [`XmlError`] if the text is not well formed, too large in any of the bounds of this module, not a CIB, or has
/// attributes of a wrong type.
pub fn read(text: &str) -> Result<Cib, XmlError> {
    let mut root = document::parse(text, read::early).map_err(|error| error.locate(text))?;
    read::cib(&mut root).map_err(|error| error.locate(text))
}

/// Reads a CIB that somebody else wrote.
///
/// # Errors
/// As [`read`]; also where an element, an attribute, a word, an id or a reference breaks the schema that the document
/// names.
pub fn read_valid(text: &str) -> Result<Cib, XmlError> {
    let mut root = document::parse(text, read::early).map_err(|error| error.locate(text))?;
    let checked = schema::check_if_named(&root).and_then(|()| references::check(&root));
    checked.and_then(|()| read::cib(&mut root)).map_err(|error| error.locate(text))
}

/// Reads a part of a CIB, inside of the elements around it, that somebody typed or wrote into a file to be taken over.
///
/// # Errors
/// As [`read`]; also where an element, an attribute or a word is in no schema.
pub fn read_part(text: &str) -> Result<Cib, XmlError> {
    let mut root = document::parse(text, read::early).map_err(|error| error.locate(text))?;
    let checked = if root.name == "cib" { schema::check(&root) } else { Ok(()) };
    checked.and_then(|()| read::cib(&mut root)).map_err(|error| error.locate(text))
}

/// Reads any document as a tree.
pub(crate) fn tree(text: &str) -> Result<crate::xml_tree::Node, XmlError> {
    let root = document::parse(text, |_, _| Ok(None)).map_err(|error| error.locate(text))?;
    Ok(node(&root))
}

/// An element as a node of a tree. Their depth is bounded.
fn node(element: &document::Element<'_>) -> crate::xml_tree::Node {
    let attributes = element.attributes.iter();
    crate::xml_tree::Node {
        name: element.name.to_owned(),
        attributes: attributes.map(|(name, value)| ((*name).to_owned(), value.clone().into_owned())).collect(),
        children: element.children.iter().map(node).collect(),
    }
}

/// Writes a CIB in the form that Pacemaker's tools accept. [`read`] gives it back as it was, except that characters
/// which XML cannot express become U+FFFD, that the time of the last change is kept to the second, and that a CIB without
/// schema gets one.
#[must_use]
pub fn write(cib: &Cib) -> String {
    write::cib(cib)
}
