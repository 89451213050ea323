//! A digest over any serialisable value that is the same on every platform and in every build.
//!
//! The value is walked by serde and written down without ambiguity: numbers as eight bytes with the lowest first, texts
//! and sequences with their length in front, variants by their index, fields in the order of their declaration. Nothing
//! reads this form back.

use std::fmt;

use md5::{Digest as _, Md5};
use serde::Serialize;
use serde::ser::{
    self, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple, SerializeTupleStruct,
    SerializeTupleVariant,
};

/// Digest over the canonical form of `value`.
pub(super) fn digest<T: Serialize>(value: &T) -> [u8; 16] {
    let mut writer = Writer(Md5::new());
    // A value that cannot be written (a map key that refuses, a float) is not part of the model.
    let written = value.serialize(&mut writer);
    debug_assert!(written.is_ok(), "the model has a canonical form");
    writer.0.finalize().into()
}

/// Feeds what it is given to the digest.
struct Writer(Md5);

impl Writer {
    fn number(&mut self, number: u64) {
        self.0.update(number.to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.update(bytes);
    }
}

/// The value has no canonical form.
#[derive(Debug)]
struct NoForm;

impl fmt::Display for NoForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the value has no canonical form")
    }
}

impl std::error::Error for NoForm {}

impl ser::Error for NoForm {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

type Written = Result<(), NoForm>;

impl ser::Serializer for &mut Writer {
    type Ok = ();
    type Error = NoForm;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    fn serialize_bool(self, v: bool) -> Written {
        self.serialize_u64(u64::from(v))
    }
    fn serialize_i8(self, v: i8) -> Written {
        self.serialize_i64(i64::from(v))
    }
    fn serialize_i16(self, v: i16) -> Written {
        self.serialize_i64(i64::from(v))
    }
    fn serialize_i32(self, v: i32) -> Written {
        self.serialize_i64(i64::from(v))
    }
    fn serialize_i64(self, v: i64) -> Written {
        self.0.update(v.to_le_bytes());
        Ok(())
    }
    fn serialize_u8(self, v: u8) -> Written {
        self.serialize_u64(u64::from(v))
    }
    fn serialize_u16(self, v: u16) -> Written {
        self.serialize_u64(u64::from(v))
    }
    fn serialize_u32(self, v: u32) -> Written {
        self.serialize_u64(u64::from(v))
    }
    fn serialize_u64(self, v: u64) -> Written {
        self.number(v);
        Ok(())
    }
    fn serialize_f32(self, _: f32) -> Written {
        Err(NoForm)
    }
    fn serialize_f64(self, _: f64) -> Written {
        Err(NoForm)
    }
    fn serialize_char(self, v: char) -> Written {
        self.serialize_u32(u32::from(v))
    }
    fn serialize_str(self, v: &str) -> Written {
        self.bytes(v.as_bytes());
        Ok(())
    }
    fn serialize_bytes(self, v: &[u8]) -> Written {
        self.bytes(v);
        Ok(())
    }
    fn serialize_none(self) -> Written {
        self.serialize_u64(0)
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Written {
        self.number(1);
        value.serialize(self)
    }
    fn serialize_unit(self) -> Written {
        Ok(())
    }
    fn serialize_unit_struct(self, _: &'static str) -> Written {
        Ok(())
    }
    fn serialize_unit_variant(self, _: &'static str, index: u32, _: &'static str) -> Written {
        self.serialize_u32(index)
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Written {
        value.serialize(self)
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        value: &T,
    ) -> Written {
        self.number(u64::from(index));
        value.serialize(self)
    }
    fn serialize_seq(self, len: Option<usize>) -> Result<Self, NoForm> {
        self.number(len.ok_or(NoForm)? as u64);
        Ok(self)
    }
    fn serialize_tuple(self, _: usize) -> Result<Self, NoForm> {
        Ok(self)
    }
    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, NoForm> {
        Ok(self)
    }
    fn serialize_tuple_variant(self, _: &'static str, index: u32, _: &'static str, _: usize) -> Result<Self, NoForm> {
        self.number(u64::from(index));
        Ok(self)
    }
    fn serialize_map(self, len: Option<usize>) -> Result<Self, NoForm> {
        self.number(len.ok_or(NoForm)? as u64);
        Ok(self)
    }
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, NoForm> {
        Ok(self)
    }
    fn serialize_struct_variant(self, _: &'static str, index: u32, _: &'static str, _: usize) -> Result<Self, NoForm> {
        self.number(u64::from(index));
        Ok(self)
    }
}

/// The parts of a compound value are written one after the other.
macro_rules! parts {
    ($trait:ident, $method:ident $(, $key:ty)?) => {
        impl $trait for &mut Writer {
            type Ok = ();
            type Error = NoForm;

            fn $method<T: Serialize + ?Sized>(&mut self, $(_: $key,)? value: &T) -> Written {
                value.serialize(&mut **self)
            }

            fn end(self) -> Written {
                Ok(())
            }
        }
    };
}

parts!(SerializeSeq, serialize_element);
parts!(SerializeTuple, serialize_element);
parts!(SerializeTupleStruct, serialize_field);
parts!(SerializeTupleVariant, serialize_field);
parts!(SerializeStruct, serialize_field, &'static str);
parts!(SerializeStructVariant, serialize_field, &'static str);

impl SerializeMap for &mut Writer {
    type Ok = ();
    type Error = NoForm;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Written {
        key.serialize(&mut **self)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        value.serialize(&mut **self)
    }

    fn end(self) -> Written {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
