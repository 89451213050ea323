//! The longest text in a value of any type, found by serializing it to nowhere.

use std::fmt;

use serde::ser::{self, Serialize};

/// Length in bytes of the longest text in `value`, and the name beside it: a field `name`, or the first of a pair.
pub(super) fn longest(value: &impl Serialize) -> Option<(usize, Option<String>)> {
    let mut seen = Seen::default();
    // It refuses nothing.
    let _ = value.serialize(&mut seen);
    seen.longest
}

/// The first character in it that no XML can have, and the name of the value in which it stands.
pub(super) fn unwritable(value: &impl Serialize) -> Option<(char, Option<String>)> {
    let mut seen = Seen::default();
    // It refuses nothing.
    let _ = value.serialize(&mut seen);
    seen.unwritable
}

/// Whether XML 1.0 has no place for it.
const fn is_unwritable(c: char) -> bool {
    matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}

#[derive(Default)]
struct Seen {
    longest: Option<(usize, Option<String>)>,
    /// A character that no XML can have, and the name of the value that has it.
    unwritable: Option<(char, Option<String>)>,
    /// The next text is a name.
    names: bool,
    name: Option<String>,
}

impl Seen {
    fn text(&mut self, text: &str) {
        if std::mem::take(&mut self.names) {
            self.name = Some(text.chars().take(100).collect());
        }
        if self.longest.as_ref().is_none_or(|(length, _)| *length < text.len()) {
            self.longest = Some((text.len(), self.name.clone()));
        }
        if self.unwritable.is_none()
            && let Some(c) = text.chars().find(|c| is_unwritable(*c))
        {
            self.unwritable = Some((c, self.name.clone()));
        }
    }
}

/// It never occurs.
#[derive(Debug)]
struct Never;

impl fmt::Display for Never {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("never")
    }
}

impl std::error::Error for Never {}

impl ser::Error for Never {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

macro_rules! ignored {
    ($($method:ident: $type:ty),* $(,)?) => {
        $(fn $method(self, _: $type) -> Result<(), Never> {
            Ok(())
        })*
    };
}

impl<'a> ser::Serializer for &'a mut Seen {
    type Ok = ();
    type Error = Never;
    type SerializeSeq = Walk<'a>;
    type SerializeTuple = Walk<'a>;
    type SerializeTupleStruct = Walk<'a>;
    type SerializeTupleVariant = Walk<'a>;
    type SerializeMap = Walk<'a>;
    type SerializeStruct = Walk<'a>;
    type SerializeStructVariant = Walk<'a>;

    ignored! {
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_f32: f32,
        serialize_f64: f64, serialize_char: char, serialize_bytes: &[u8], serialize_unit_struct: &'static str,
    }

    fn serialize_str(self, text: &str) -> Result<(), Never> {
        self.text(text);
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Never> {
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Never> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Never> {
        Ok(())
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, _: &'static str) -> Result<(), Never> {
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Never> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        value: &T,
    ) -> Result<(), Never> {
        value.serialize(self)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Walk<'a>, Never> {
        Ok(Walk { seen: self, place: None })
    }

    fn serialize_tuple(self, _: usize) -> Result<Walk<'a>, Never> {
        Ok(Walk { seen: self, place: Some(0) })
    }

    fn serialize_tuple_struct(self, _: &'static str, length: usize) -> Result<Walk<'a>, Never> {
        self.serialize_tuple(length)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        length: usize,
    ) -> Result<Walk<'a>, Never> {
        self.serialize_tuple(length)
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Walk<'a>, Never> {
        self.serialize_seq(length)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Walk<'a>, Never> {
        self.serialize_seq(None)
    }

    fn serialize_struct_variant(self, _: &'static str, _: u32, _: &'static str, _: usize) -> Result<Walk<'a>, Never> {
        self.serialize_seq(None)
    }
}

/// Goes through what a value is made of.
struct Walk<'a> {
    seen: &'a mut Seen,
    /// Which part of a tuple comes next.
    place: Option<usize>,
}

impl Walk<'_> {
    fn part<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Never> {
        self.seen.names = self.place == Some(0);
        self.place = self.place.map(|place| place + 1);
        value.serialize(&mut *self.seen)
    }

    fn field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Never> {
        self.seen.names = key == "name";
        value.serialize(&mut *self.seen)
    }
}

macro_rules! parts {
    ($($trait:ident $method:ident),* $(,)?) => {
        $(impl ser::$trait for Walk<'_> {
            type Ok = ();
            type Error = Never;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Never> {
                self.part(value)
            }

            fn end(self) -> Result<(), Never> {
                Ok(())
            }
        })*
    };
}

parts! {
    SerializeSeq serialize_element,
    SerializeTuple serialize_element,
    SerializeTupleStruct serialize_field,
    SerializeTupleVariant serialize_field,
}

macro_rules! fields {
    ($($trait:ident),* $(,)?) => {
        $(impl ser::$trait for Walk<'_> {
            type Ok = ();
            type Error = Never;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Never> {
                self.field(key, value)
            }

            fn end(self) -> Result<(), Never> {
                Ok(())
            }
        })*
    };
}

fields! { SerializeStruct, SerializeStructVariant }

impl ser::SerializeMap for Walk<'_> {
    type Ok = ();
    type Error = Never;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Never> {
        self.seen.names = true;
        key.serialize(&mut *self.seen)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Never> {
        self.part(value)
    }

    fn end(self) -> Result<(), Never> {
        Ok(())
    }
}
