//! The reader: serde_json's, except that a struct's missing fields are empty and its unknown ones are refused.

use std::borrow::Cow;
use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use crate::zero::Zero;

/// Where the first name that is not known is noted, so that it need not be read out of an error's text.
type Unknown<'u> = &'u mut Option<String>;

/// Anything of serde's reading side, with everything inside it read by the rules of this crate.
pub(crate) struct Named<'u, T> {
    below: T,
    unknown: Unknown<'u>,
}

impl<'u, T> Named<'u, T> {
    pub(crate) const fn new(below: T, unknown: Unknown<'u>) -> Self {
        Self { below, unknown }
    }
}

macro_rules! plain {
    ($($method:ident),*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.below.$method(visitor)
        })*
    };
}

macro_rules! compound {
    ($($method:ident($($name:ident: $type:ty),*)),*) => {
        $(fn $method<V: Visitor<'de>>(self, $($name: $type,)* visitor: V) -> Result<V::Value, D::Error> {
            self.below.$method($($name,)* Named::new(visitor, self.unknown))
        })*
    };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Named<'_, D> {
    type Error = D::Error;

    plain!(deserialize_bool, deserialize_i8, deserialize_i16, deserialize_i32, deserialize_i64, deserialize_u8);
    plain!(deserialize_u16, deserialize_u32, deserialize_u64, deserialize_f32, deserialize_f64, deserialize_char);
    plain!(deserialize_str, deserialize_string, deserialize_bytes, deserialize_byte_buf, deserialize_unit);
    plain!(deserialize_identifier, deserialize_ignored_any);

    compound!(deserialize_any(), deserialize_option(), deserialize_seq(), deserialize_map());
    compound!(deserialize_unit_struct(name: &'static str), deserialize_newtype_struct(name: &'static str));
    compound!(deserialize_tuple(len: usize), deserialize_tuple_struct(name: &'static str, len: usize));

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.below.deserialize_map(StructVisitor { fields, visitor, unknown: self.unknown })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.below.deserialize_enum(name, variants, EnumVisitor { variants, visitor, unknown: self.unknown })
    }
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Named<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.below.expecting(f)
    }
    fn visit_bool<E: Error>(self, v: bool) -> Result<V::Value, E> {
        self.below.visit_bool(v)
    }
    fn visit_i64<E: Error>(self, v: i64) -> Result<V::Value, E> {
        self.below.visit_i64(v)
    }
    fn visit_u64<E: Error>(self, v: u64) -> Result<V::Value, E> {
        self.below.visit_u64(v)
    }
    fn visit_str<E: Error>(self, v: &str) -> Result<V::Value, E> {
        self.below.visit_str(v)
    }
    fn visit_borrowed_str<E: Error>(self, v: &'de str) -> Result<V::Value, E> {
        self.below.visit_borrowed_str(v)
    }
    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.below.visit_none()
    }
    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.below.visit_unit()
    }
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        self.below.visit_some(Named::new(deserializer, self.unknown))
    }
    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        self.below.visit_newtype_struct(Named::new(deserializer, self.unknown))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<V::Value, A::Error> {
        self.below.visit_seq(Named::new(seq, self.unknown))
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        self.below.visit_map(Named::new(map, self.unknown))
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Named<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        self.below.deserialize(Named::new(deserializer, self.unknown))
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Named<'_, A> {
    type Error = A::Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, A::Error> {
        self.below.next_element_seed(Named::new(seed, self.unknown))
    }

    fn size_hint(&self) -> Option<usize> {
        self.below.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Named<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        self.below.next_key_seed(seed)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, A::Error> {
        self.below.next_value_seed(Named::new(seed, self.unknown))
    }
}

/// Reads a struct.
struct StructVisitor<'u, V> {
    fields: &'static [&'static str],
    visitor: V,
    unknown: Unknown<'u>,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for StructVisitor<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(f)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_map(Fields {
            below: map,
            unknown: self.unknown,
            fields: self.fields,
            seen: vec![false; self.fields.len()],
            next: 0,
            absent: None,
            over: false,
        })
    }
}

/// The fields of a struct: first those that are there, then those that are not.
struct Fields<'u, A> {
    below: A,
    unknown: Unknown<'u>,
    fields: &'static [&'static str],
    seen: Vec<bool>,
    /// The first field that has not been looked at again.
    next: usize,
    /// The field whose empty value is asked for next.
    absent: Option<&'static str>,
    /// Those that are there have been given.
    over: bool,
}

/// The name of a field, of which the reader's text need not be copied.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }
    fn visit_str<E: Error>(self, v: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(v.to_owned()))
    }
    fn visit_borrowed_str<E: Error>(self, v: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(v))
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Fields<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        if !self.over {
            if let Some(name) = self.below.next_key_seed(Name)? {
                let Some(at) = self.fields.iter().position(|field| *field == name) else {
                    let error = A::Error::unknown_field(&name, self.fields);
                    *self.unknown = Some(name.into_owned());
                    return Err(error);
                };
                if let Some(seen) = self.seen.get_mut(at) {
                    *seen = true;
                }
                let name: &str = &name;
                return seed.deserialize(name.into_deserializer()).map(Some);
            }
            self.over = true;
        }
        while let (Some(name), Some(seen)) = (self.fields.get(self.next), self.seen.get(self.next)) {
            self.next += 1;
            if !seen {
                self.absent = Some(name);
                return seed.deserialize((*name).into_deserializer()).map(Some);
            }
        }
        Ok(None)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, A::Error> {
        match self.absent.take() {
            Some(name) => seed.deserialize(Zero::new(name)),
            None => self.below.next_value_seed(Named::new(seed, self.unknown)),
        }
    }
}

/// Reads an enum.
struct EnumVisitor<'u, V> {
    variants: &'static [&'static str],
    visitor: V,
    unknown: Unknown<'u>,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for EnumVisitor<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(f)
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_enum(Variants { below: data, variants: self.variants, unknown: self.unknown })
    }
}

/// The variant of an enum and what is in it.
struct Variants<'u, A> {
    below: A,
    variants: &'static [&'static str],
    unknown: Unknown<'u>,
}

impl<'de, 'u, A: EnumAccess<'de>> EnumAccess<'de> for Variants<'u, A> {
    type Error = A::Error;
    type Variant = Named<'u, A::Variant>;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self::Variant), A::Error> {
        let (name, data) = self.below.variant_seed(Name)?;
        if !self.variants.contains(&name.as_ref()) {
            let error = A::Error::unknown_variant(&name, self.variants);
            *self.unknown = Some(name.into_owned());
            return Err(error);
        }
        let name: &str = &name;
        Ok((seed.deserialize(name.into_deserializer())?, Named::new(data, self.unknown)))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Named<'_, A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.below.unit_variant()
    }
    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        self.below.newtype_variant_seed(Named::new(seed, self.unknown))
    }
    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        self.below.tuple_variant(len, Named::new(visitor, self.unknown))
    }
    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.below.struct_variant(fields, StructVisitor { fields, visitor, unknown: self.unknown })
    }
}
