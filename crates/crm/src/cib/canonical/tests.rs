//! Tests: what changes a digest and what does not.

use std::collections::BTreeMap;

use serde::Serialize;

use super::super::Replicated as _;
use super::digest;
use hac_model::{Cib, Expression, Version};

fn hex(digest: [u8; 16]) -> String {
    digest.iter().map(|b| format!("{b:02x}")).collect()
}

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
    expect_test::expect!["b69f41afcccf506f1710114d91c1c299"].assert_eq(&hex(digest(&value)));
}

/// Deliberate bug `digest-with-defaults`: the digest of an empty state would be that of all its names.
#[test]
fn a_field_at_its_default_changes_no_digest() {
    #[derive(Serialize)]
    struct Later {
        version: Version,
        added: Vec<String>,
        also: Option<String>,
        switch: bool,
    }
    #[derive(Serialize)]
    struct Now {
        version: Version,
    }
    let version = Version { admin_epoch: 0, epoch: 2, num_updates: 0 };
    let later = Later { version, added: Vec::new(), also: None, switch: false };
    assert_eq!(digest(&later), digest(&Now { version }));
    assert_eq!(hex(Cib::default().digest()), "99914b932bd37a50b983c5e7c90ae93b", "the MD5 of {{}}");
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
