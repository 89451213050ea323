//! Tests: a digest over any serialisable value that is the same on every platform and in every build.

use std::collections::BTreeMap;

use super::digest;
use crate::model::{Expression, Version};

#[test]
fn boundaries_between_texts_count() {
    assert_ne!(digest(&("ab", "c")), digest(&("a", "bc")));
    assert_ne!(digest(&vec!["a"]), digest(&vec!["a", ""]));
    assert_ne!(digest(&Some("")), digest(&None::<&str>));
}

#[test]
fn the_form_never_changes() {
    // A change here means that nodes of two releases no longer agree on what they have.
    let value = (true, -1_i32, "text", Some(7_u64), vec![1_u8, 2], BTreeMap::from([("key", "value")]));
    let hex: String = digest(&value).iter().map(|b| format!("{b:02x}")).collect();
    expect_test::expect!["f52bbf73e65aaf8bd8c4530f908d54f9"].assert_eq(&hex);
}

#[test]
fn every_kind_of_value_is_written() {
    let version = Version { admin_epoch: 1, epoch: 2, num_updates: 3 };
    let swapped = Version { admin_epoch: 1, epoch: 3, num_updates: 2 };
    assert_ne!(digest(&version), digest(&swapped));
    let map = |value: &str| BTreeMap::from([("k".to_owned(), value.to_owned())]);
    assert_ne!(digest(&map("1")), digest(&map("2")));
    let operation = |name: &str| Expression::Operation { id: "e".into(), name: name.into(), interval: None };
    assert_ne!(digest(&operation("start")), digest(&operation("stop")));
}
