//! Whether a value is empty, found out by serialising it into nothing and stopping at the first thing that is not.

use std::fmt;

use serde::Serialize;
use serde::ser::{self, Impossible, SerializeStruct};

/// Whether the field with this value is left out.
pub(crate) fn is_empty<T: Serialize + ?Sized>(value: &T) -> bool {
    value.serialize(Probe).is_ok()
}

/// Succeeds for what is empty.
struct Probe;

/// The value is not empty.
#[derive(Debug)]
pub(crate) struct Full;

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the value is not empty")
    }
}

impl std::error::Error for Full {}

impl ser::Error for Full {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

type Found = Result<(), Full>;

const fn only(empty: bool) -> Found {
    if empty { Ok(()) } else { Err(Full) }
}

macro_rules! numbers {
    ($($method:ident: $type:ty),*) => {
        $(fn $method(self, v: $type) -> Found {
            only(v == <$type>::default())
        })*
    };
}

impl ser::Serializer for Probe {
    type Ok = ();
    type Error = Full;
    type SerializeSeq = Impossible<(), Full>;
    type SerializeTuple = Impossible<(), Full>;
    type SerializeTupleStruct = Impossible<(), Full>;
    type SerializeTupleVariant = Impossible<(), Full>;
    type SerializeMap = Impossible<(), Full>;
    type SerializeStruct = Self;
    type SerializeStructVariant = Impossible<(), Full>;

    numbers!(serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64);
    numbers!(serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64);

    fn serialize_f32(self, _: f32) -> Found {
        Err(Full)
    }
    fn serialize_f64(self, _: f64) -> Found {
        Err(Full)
    }
    fn serialize_char(self, _: char) -> Found {
        Err(Full)
    }
    fn serialize_str(self, v: &str) -> Found {
        only(v.is_empty())
    }
    fn serialize_bytes(self, v: &[u8]) -> Found {
        only(v.is_empty())
    }
    fn serialize_none(self) -> Found {
        Ok(())
    }
    /// A value that is there says something, even `false`.
    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Found {
        Err(Full)
    }
    fn serialize_unit(self) -> Found {
        Err(Full)
    }
    fn serialize_unit_struct(self, _: &'static str) -> Found {
        Err(Full)
    }
    fn serialize_unit_variant(self, _: &'static str, _: u32, _: &'static str) -> Found {
        Err(Full)
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Found {
        value.serialize(self)
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Found {
        Err(Full)
    }
    fn collect_seq<I: IntoIterator>(self, items: I) -> Found {
        only(items.into_iter().next().is_none())
    }
    fn collect_map<K, V, I: IntoIterator<Item = (K, V)>>(self, entries: I) -> Found {
        only(entries.into_iter().next().is_none())
    }
    /// Who does not give a whole list at once has something to say, as far as this is concerned.
    fn serialize_seq(self, _: Option<usize>) -> Result<Self::SerializeSeq, Full> {
        Err(Full)
    }
    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, Full> {
        Err(Full)
    }
    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeTupleStruct, Full> {
        Err(Full)
    }
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Full> {
        Err(Full)
    }
    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, Full> {
        Err(Full)
    }
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, Full> {
        Ok(self)
    }
    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Full> {
        Err(Full)
    }
}

impl SerializeStruct for Probe {
    type Ok = ();
    type Error = Full;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, _: &'static str, value: &T) -> Found {
        value.serialize(Self)
    }

    fn end(self) -> Found {
        Ok(())
    }
}
