//! A document as a tree that can be looked through and changed: what `cibadmin` works on. What hacd has no words for stays in
//! it as it stands.

mod update;
mod xpath;

pub use update::{Refused, create, delete, delete_at, merge, modify, patch, replace};
pub use xpath::{Path, PathError};

use crate::cib_xml::{self, Attributes, Writer, XmlError};

/// An element.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Its attributes in document order.
    pub attributes: Vec<(String, String)>,
    /// The elements inside, in document order.
    pub children: Vec<Self>,
}

/// Where an element is: the index of a child at each level below the root.
pub type Place = Vec<usize>;

impl Node {
    /// Reads a document; text between the elements and comments are passed over.
    ///
    /// # Errors
    /// [`XmlError`] if it is not well formed, or too large in any of the bounds of [`cib_xml`].
    pub fn parse(text: &str) -> Result<Self, XmlError> {
        cib_xml::tree(text)
    }

    /// The value of an attribute.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Sets an attribute, or removes it.
    pub fn set(&mut self, name: &str, value: Option<&str>) {
        match (self.attributes.iter_mut().find(|(known, _)| known == name), value) {
            (Some((_, old)), Some(value)) => value.clone_into(old),
            (None, Some(value)) => self.attributes.push((name.to_owned(), value.to_owned())),
            (_, None) => self.attributes.retain(|(known, _)| known != name),
        }
    }

    /// The first child of this name.
    #[must_use]
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The same to be changed.
    pub fn child_mut(&mut self, name: &str) -> Option<&mut Self> {
        self.children.iter_mut().find(|child| child.name == name)
    }

    /// The element at a place.
    #[must_use]
    pub fn at(&self, place: &[usize]) -> Option<&Self> {
        place.iter().try_fold(self, |node, index| node.children.get(*index))
    }

    /// The same to be changed.
    pub fn at_mut(&mut self, place: &[usize]) -> Option<&mut Self> {
        place.iter().try_fold(self, |node, index| node.children.get_mut(*index))
    }

    /// `/cib/configuration/resources/clone[@id='Nginx-clone']`: where an element is, in words that a [`Path`] reads.
    #[must_use]
    pub fn path(&self, place: &[usize]) -> String {
        let mut node = Some(self);
        let mut text = self.step();
        for index in place {
            node = node.and_then(|node| node.children.get(*index));
            text.push_str(&node.map(Self::step).unwrap_or_default());
        }
        text
    }

    fn step(&self) -> String {
        let id = self.get("id").map(|id| format!("[@id='{id}']")).unwrap_or_default();
        format!("/{}{id}", self.name)
    }

    /// The element as text, two blanks a level.
    #[must_use]
    pub fn text(&self) -> String {
        let mut writer = Writer::default();
        self.write(&mut writer);
        writer.finish()
    }

    /// The same without what is inside.
    #[must_use]
    pub fn bare(&self) -> Self {
        Self { children: Vec::new(), ..self.clone() }
    }

    fn write(&self, writer: &mut Writer) {
        let attributes = self.attributes.iter();
        let attributes = attributes.fold(Attributes::default(), |all, (name, value)| all.with(name, value));
        writer.element(&self.name, &attributes, |writer| self.children.iter().for_each(|child| child.write(writer)));
    }
}

#[cfg(test)]
mod tests;
