//! Which names a type uses in the named form: all fields and variants, found by reading a value that has them all.
//!
//! A test compares them with the list of a level: a field that nobody thought of as a change of the contract shows there.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::value::{Error, StrDeserializer};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};

/// Deeper than any model nests; a type that contains itself ends here.
const DEPTH: u8 = 24;
/// Most readings: each one goes through one more variant of every enum.
const ROUNDS: usize = 200;

/// The names in `T` and in all that is in it: `Type.field` and `Type::Variant`.
#[must_use]
pub fn names<T: DeserializeOwned>() -> BTreeSet<String> {
    let mut seen = Seen::default();
    for _ in 0..ROUNDS {
        let before = (seen.names.len(), seen.next.clone());
        // What comes of the reading does not matter, nor whether it ends at once in a type that nests too deeply.
        let _ = T::deserialize(Walker { seen: &mut seen, depth: 0 }).is_ok();
        if (seen.names.len(), &seen.next) == (before.0, &before.1) {
            break;
        }
    }
    seen.names
}

#[derive(Default)]
struct Seen {
    names: BTreeSet<String>,
    /// The variant of each enum that is read next.
    next: BTreeMap<&'static str, usize>,
}

/// Gives whoever asks a value of the type that it asks for, with all fields and one entry in each list.
struct Walker<'s> {
    seen: &'s mut Seen,
    depth: u8,
}

impl Walker<'_> {
    fn below(&mut self) -> Walker<'_> {
        Walker { seen: self.seen, depth: self.depth + 1 }
    }

    const fn is_deep(&self) -> bool {
        self.depth >= DEPTH
    }
}

macro_rules! values {
    ($($method:ident: $visit:ident($value:expr)),*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            visitor.$visit($value)
        })*
    };
}

impl<'de> Deserializer<'de> for Walker<'_> {
    type Error = Error;

    values!(deserialize_bool: visit_bool(true), deserialize_i8: visit_i8(1), deserialize_i16: visit_i16(1));
    values!(deserialize_i32: visit_i32(1), deserialize_i64: visit_i64(1), deserialize_u8: visit_u8(1));
    values!(deserialize_u16: visit_u16(1), deserialize_u32: visit_u32(1), deserialize_u64: visit_u64(1));
    values!(deserialize_str: visit_borrowed_str("x"), deserialize_string: visit_borrowed_str("x"));
    values!(deserialize_bytes: visit_borrowed_bytes(b"x"), deserialize_byte_buf: visit_borrowed_bytes(b"x"));
    values!(deserialize_char: visit_char('x'), deserialize_f32: visit_f32(1.0));
    values!(deserialize_f64: visit_f64(1.0), deserialize_identifier: visit_borrowed_str("x"));

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }
    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(Error::custom("a type without names"))
    }
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }
    fn deserialize_option<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        if self.is_deep() { visitor.visit_none() } else { visitor.visit_some(self.below()) }
    }
    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }
    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let left = usize::from(!self.is_deep());
        visitor.visit_seq(Entries { walker: self, left })
    }
    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(Entries { walker: self, left: len })
    }
    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_seq(Entries { walker: self, left: len })
    }
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let left = usize::from(!self.is_deep());
        visitor.visit_map(Entries { walker: self, left })
    }
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.seen.names.extend(fields.iter().map(|field| format!("{name}.{field}")));
        visitor.visit_map(Fields { walker: self, fields: fields.iter() })
    }
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.seen.names.extend(variants.iter().map(|variant| format!("{name}::{variant}")));
        let next = self.seen.next.entry(name).or_default();
        let variant = variants.get(*next).or_else(|| variants.first()).copied();
        *next = (*next + 1).min(variants.len());
        if self.is_deep() {
            return Err(Error::custom("nested deeply"));
        }
        visitor.visit_enum(Chosen { walker: self, name, variant: variant.unwrap_or_default() })
    }
}

struct Entries<'s> {
    walker: Walker<'s>,
    left: usize,
}

impl<'de> SeqAccess<'de> for Entries<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        seed.deserialize(self.walker.below()).map(Some)
    }
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        self.next_element_seed(seed)
    }
    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(self.walker.below())
    }
}

struct Fields<'s> {
    walker: Walker<'s>,
    fields: std::slice::Iter<'static, &'static str>,
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some(field) = self.fields.next() else { return Ok(None) };
        let field: StrDeserializer<'_, Error> = (*field).into_deserializer();
        seed.deserialize(field).map(Some)
    }
    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(self.walker.below())
    }
}

struct Chosen<'s> {
    walker: Walker<'s>,
    name: &'static str,
    variant: &'static str,
}

impl<'de> EnumAccess<'de> for Chosen<'_> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Error> {
        let variant: StrDeserializer<'_, Error> = self.variant.into_deserializer();
        Ok((seed.deserialize(variant)?, self))
    }
}

impl<'de> VariantAccess<'de> for Chosen<'_> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        Ok(())
    }
    fn newtype_variant_seed<S: DeserializeSeed<'de>>(mut self, seed: S) -> Result<S::Value, Error> {
        seed.deserialize(self.walker.below())
    }
    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(Entries { walker: self.walker, left: len })
    }
    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Error> {
        let (name, variant) = (self.name, self.variant);
        self.walker.seen.names.extend(fields.iter().map(|field| format!("{name}::{variant}.{field}")));
        visitor.visit_map(Fields { walker: self.walker, fields: fields.iter() })
    }
}
