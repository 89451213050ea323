//! The named form: how whatever contains the model travels in the ordered stream, lies on the disk, and is compared.
//!
//! It is JSON as serde_json writes it, with two rules that hold for every struct and need no attribute on any of them:
//!
//! * **A field that is empty is left out.** Empty are: no value, `false`, zero, a text without letters, a list or map
//!   without entries, and a struct all of whose fields are empty. A field that is added to the model therefore changes
//!   neither bytes nor digest until somebody uses it. The reader makes an empty value of a field that is not there.
//! * **A name that the reader does not know is refused**, be it a field or a variant. Nothing is skipped: who skips
//!   what others apply has another state than they, silently and for ever.
//!
//! So a new field is one whose empty value means "as before"; what cannot be empty (an enum) is added as an `Option`.
//! Fields stand in the order of their declaration, maps in the order of their keys: equal values have equal bytes.

mod empty;
mod names;
mod read;
mod write;
mod zero;

use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

pub use names::names;

/// Why bytes are not a value of the type that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unreadable {
    /// They use a name that this program does not know: another release wrote them.
    #[error("it contains `{0}`, which this release does not know")]
    Unknown(String),
    /// They are not the form at all, or a value is of another type.
    #[error("{0}")]
    Malformed(String),
}

/// The value in the named form.
///
/// # Errors
/// It has a part that JSON cannot say, such as a map whose keys are structs: a fault of the type, not of the value.
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = Vec::with_capacity(128);
    to_writer(&mut bytes, value)?;
    Ok(bytes)
}

/// The value in the named form, to where `writer` leads: into a digest, for instance.
///
/// # Errors
/// As [`to_vec`], and those of the writer.
pub fn to_writer<W: std::io::Write, T: Serialize + ?Sized>(writer: W, value: &T) -> Result<(), serde_json::Error> {
    let mut json = serde_json::Serializer::new(writer);
    value.serialize(write::Named(&mut json))
}

/// The value that these bytes are the named form of. Nothing may follow it.
///
/// # Errors
/// See [`Unreadable`]. Nesting is bounded by serde_json, memory by the length of `bytes`.
pub fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Unreadable> {
    let mut unknown = None;
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = T::deserialize(read::Named::new(&mut json, &mut unknown)).and_then(|value| json.end().map(|()| value));
    value.map_err(|error| match unknown {
        Some(name) => Unreadable::Unknown(name),
        None => Unreadable::Malformed(error.to_string()),
    })
}

#[cfg(test)]
mod tests;
