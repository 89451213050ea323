//! What is left out, what is refused, and that nothing is lost.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::*;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Before {
    id: String,
    count: u64,
    on: bool,
    text: Option<String>,
    flag: Option<bool>,
    list: Vec<Inner>,
    map: BTreeMap<String, String>,
    keyed: BTreeMap<Key, u8>,
    inner: Inner,
    what: Option<What>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Key(u32);

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Inner {
    a: i64,
    b: Option<Box<Self>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum What {
    Unit,
    One(Inner),
    Two(String, Option<u8>),
    Named { x: u32, inner: Inner },
}

/// The same, some releases later.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct After {
    id: String,
    added: Vec<String>,
    count: u64,
    on: bool,
    text: Option<String>,
    flag: Option<bool>,
    list: Vec<Inner>,
    map: BTreeMap<String, String>,
    keyed: BTreeMap<Key, u8>,
    inner: Inner,
    what: Option<What>,
    also: Inner,
}

fn text<T: Serialize>(value: &T) -> String {
    String::from_utf8(to_vec(value).unwrap()).unwrap()
}

fn inner() -> impl Strategy<Value = Inner> {
    (any::<i64>(), prop::option::of(-2..2_i64))
        .prop_map(|(a, b)| Inner { a, b: b.map(|a| Box::new(Inner { a, b: None })) })
}

fn what() -> impl Strategy<Value = What> {
    prop_oneof![
        Just(What::Unit),
        inner().prop_map(What::One),
        (".{0,3}", any::<Option<u8>>()).prop_map(|(a, b)| What::Two(a, b)),
        (0..3_u32, inner()).prop_map(|(x, inner)| What::Named { x, inner }),
    ]
}

fn before() -> impl Strategy<Value = Before> {
    let simple = (".{0,4}", 0..3_u64, any::<bool>(), prop::option::of(".{0,2}"), any::<Option<bool>>());
    let maps = (
        prop::collection::btree_map(".{0,2}", ".{0,2}", 0..3),
        prop::collection::btree_map((0..9_u32).prop_map(Key), any::<u8>(), 0..3),
    );
    (simple, prop::collection::vec(inner(), 0..3), maps, inner(), prop::option::of(what())).prop_map(
        |((id, count, on, text, flag), list, (map, keyed), inner, what)| Before {
            id,
            count,
            on,
            text,
            flag,
            list,
            map,
            keyed,
            inner,
            what,
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_is_read(value in before()) {
        prop_assert_eq!(from_slice::<Before>(&to_vec(&value).unwrap()), Ok(value));
    }

    #[test]
    fn a_release_that_knows_more_reads_and_writes_the_same_bytes(value in before()) {
        let bytes = to_vec(&value).unwrap();
        let later: After = from_slice(&bytes).unwrap();
        prop_assert_eq!(to_vec(&later).unwrap(), bytes);
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let _ = from_slice::<Before>(&bytes).is_ok();
    }
}

#[test]
fn what_is_empty_is_left_out_and_what_is_said_is_not() {
    assert_eq!(text(&Before::default()), "{}");
    let said = Before { text: Some(String::new()), flag: Some(false), ..Before::default() };
    assert_eq!(text(&said), r#"{"text":"","flag":false}"#);
    let variants = [What::Unit, What::One(Inner::default()), What::Named { x: 0, inner: Inner::default() }];
    assert_eq!(text(&variants.to_vec()), r#"["Unit",{"One":{}},{"Named":{}}]"#);
    assert_eq!(text(&vec![Inner::default()]), "[{}]");
}

#[test]
fn a_name_that_is_not_known_is_refused_at_any_depth() {
    for (bytes, name) in [
        (r#"{"id":"a","new":0}"#, "new"),
        (r#"{"list":[{"a":1},{"c":2}]}"#, "c"),
        (r#"{"inner":{"b":{"d":null}}}"#, "d"),
        (r#"{"what":"Three"}"#, "Three"),
        (r#"{"what":{"Four":{}}}"#, "Four"),
        (r#"{"what":{"Named":{"y":1}}}"#, "y"),
        (r#"{"what":{"One":{"z":1}}}"#, "z"),
    ] {
        assert_eq!(from_slice::<Before>(bytes.as_bytes()), Err(Unreadable::Unknown(name.to_owned())), "{bytes}");
    }
    let used = After { added: vec!["x".to_owned()], ..After::default() };
    assert_eq!(from_slice::<Before>(&to_vec(&used).unwrap()), Err(Unreadable::Unknown("added".to_owned())));
}

#[test]
fn what_is_not_the_form_is_malformed() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Needs {
        what: What,
    }
    for bytes in ["", "[]", "{", "{} {}", r#"{"id":1}"#, r#"{"count":-1}"#, r#"{"id":"a","id":"b"}"#] {
        assert!(matches!(from_slice::<Before>(bytes.as_bytes()), Err(Unreadable::Malformed(_))), "{bytes}");
    }
    assert!(matches!(from_slice::<Needs>(b"{}"), Err(Unreadable::Malformed(why)) if why.contains("what")));
    let deep = r#"{"inner":"#.to_owned() + &r#"{"b":"#.repeat(5000);
    assert!(matches!(from_slice::<Before>(deep.as_bytes()), Err(Unreadable::Malformed(_))));
}

#[test]
fn every_name_is_found_whatever_it_is_in() {
    let names = names::<After>();
    let expected = [
        "After.added",
        "After.also",
        "After.count",
        "After.flag",
        "After.id",
        "After.inner",
        "After.keyed",
        "After.list",
        "After.map",
        "After.on",
        "After.text",
        "After.what",
        "Inner.a",
        "Inner.b",
        "What::Named",
        "What::Named.inner",
        "What::Named.x",
        "What::One",
        "What::Two",
        "What::Unit",
    ];
    assert_eq!(names.iter().map(String::as_str).collect::<Vec<_>>(), expected);
}
