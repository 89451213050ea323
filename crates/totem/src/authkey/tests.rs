//! What may be known of a key, and what not.

use super::*;

fn key(byte: u8) -> AuthKey {
    AuthKey::new(vec![byte; 128]).expect("128 bytes are a key")
}

#[test]
fn a_key_has_32_to_4096_bytes() {
    for (length, fits) in [(31, false), (32, true), (4096, true), (4097, false)] {
        assert_eq!(AuthKey::new(vec![0; length]).is_ok(), fits, "{length}");
    }
}

#[test]
fn nothing_of_a_key_is_printed() {
    assert_eq!(format!("{:?}", key(b'k')), "AuthKey(..)");
    let sealed = key(1).seal(&key(b'k'), [3; 16]);
    assert_eq!(format!("{sealed:?}"), format!("SealedKey({} bytes)", 16 + 128 + 16));
}

#[test]
fn a_fingerprint_names_one_key_always_alike() {
    assert_eq!(key(1).fingerprint(), key(1).fingerprint());
    assert_ne!(key(1).fingerprint(), key(2).fingerprint());
    let shown = key(1).fingerprint().to_string();
    assert!(shown.len() == 16 && shown.bytes().all(|b| b.is_ascii_hexdigit()), "{shown}");
}

#[test]
fn a_sealed_key_is_read_by_holders_of_the_sealing_key_alone() {
    let sealed = key(1).seal(&key(2), [9; 16]);
    assert_eq!(key(1).unseal(&sealed), Some(key(2)));
    assert_eq!(key(2).unseal(&sealed), None);
    assert_eq!(key(3).unseal(&sealed), None);
    assert!(!sealed.bytes().windows(8).any(|window| window == [2; 8]), "the key does not show");
}

#[test]
fn a_sealed_key_that_was_changed_or_cut_is_refused() {
    let sealed = key(1).seal(&key(2), [9; 16]);
    for at in 0..sealed.bytes().len() {
        let mut bytes = sealed.bytes().to_vec();
        bytes[at] ^= 1;
        assert_eq!(key(1).unseal(&SealedKey::from_bytes(bytes)), None, "byte {at}");
        assert_eq!(key(1).unseal(&SealedKey::from_bytes(sealed.bytes()[..at].to_vec())), None, "cut at {at}");
    }
}
