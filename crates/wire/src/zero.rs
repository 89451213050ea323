//! The value of a field that is not there.

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{Deserializer, Error, IntoDeserializer, Visitor};

/// Gives whoever asks the empty value of the type that it asks for. What has none (an enum, a tuple) is missing.
pub(crate) struct Zero<E> {
    /// The field.
    name: &'static str,
    error: std::marker::PhantomData<E>,
}

impl<E> Zero<E> {
    pub(crate) const fn new(name: &'static str) -> Self {
        Self { name, error: std::marker::PhantomData }
    }
}

impl<'de, E: Error> IntoDeserializer<'de, E> for Zero<E> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

macro_rules! zeros {
    ($($method:ident: $visit:ident($value:expr)),*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
            visitor.$visit($value)
        })*
    };
}

macro_rules! missing {
    ($($method:ident($($argument:ty),*)),*) => {
        $(fn $method<V: Visitor<'de>>(self, $(_: $argument,)* _: V) -> Result<V::Value, E> {
            Err(E::missing_field(self.name))
        })*
    };
}

impl<'de, E: Error> Deserializer<'de> for Zero<E> {
    type Error = E;

    zeros!(deserialize_bool: visit_bool(false), deserialize_i8: visit_i8(0), deserialize_i16: visit_i16(0));
    zeros!(deserialize_i32: visit_i32(0), deserialize_i64: visit_i64(0), deserialize_u8: visit_u8(0));
    zeros!(deserialize_u16: visit_u16(0), deserialize_u32: visit_u32(0), deserialize_u64: visit_u64(0));
    zeros!(deserialize_str: visit_borrowed_str(""), deserialize_string: visit_borrowed_str(""));
    zeros!(deserialize_bytes: visit_borrowed_bytes(&[]), deserialize_byte_buf: visit_borrowed_bytes(&[]));

    missing!(deserialize_any(), deserialize_f32(), deserialize_f64(), deserialize_char(), deserialize_unit());
    missing!(deserialize_unit_struct(&'static str), deserialize_tuple(usize), deserialize_identifier());
    missing!(deserialize_tuple_struct(&'static str, usize), deserialize_ignored_any());
    missing!(deserialize_enum(&'static str, &'static [&'static str]));

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        visitor.visit_none()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, E> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        visitor.visit_seq(SeqDeserializer::new(std::iter::empty::<Self>()))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        visitor.visit_map(MapDeserializer::new(std::iter::empty::<(Self, Self)>()))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, E> {
        visitor.visit_map(MapDeserializer::new(fields.iter().map(|name| (*name, Self::new(name)))))
    }
}
