//! The published test vector of the envelope's keys.

use super::*;

pub(crate) fn vector_keys() -> (ClusterKeys, End, End) {
    let authkey = AuthKey::new((0..=255).collect()).unwrap();
    let a = End { node: NodeId(1), incarnation: Incarnation(0x0000_0007_1111_1111), nonce: [0xaa; 16] };
    let b = End { node: NodeId(2), incarnation: Incarnation(0x0000_0009_2222_2222), nonce: [0xbb; 16] };
    (ClusterKeys::new(&authkey, "demo"), a, b)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[test]
fn the_cluster_id_is_that_of_the_test_vector() {
    let (keys, _, _) = vector_keys();
    assert_eq!(hex(&keys.cluster()), "a2c43294");
}

#[test]
fn the_session_id_is_that_of_the_test_vector_from_both_ends() {
    let (_, a, b) = vector_keys();
    let expected = "15c31a72087fff2f05843f1bcbccb39a686ef1b1931ecaa3661cd58197552709";
    assert_eq!(hex(&session_id(&a, &b)), expected);
    assert_eq!(hex(&session_id(&b, &a)), expected);
}

#[test]
fn the_derived_keys_are_those_of_the_test_vector() {
    let (keys, a, b) = vector_keys();
    let sid = session_id(&a, &b);
    let hello = expand(&keys.prk, b"hello", &[b"demo"]);
    assert_eq!(hex(hello.as_ref()), "d8a1dd9b8bdc79e05d0c8ba5851b7ec08fef50cb25a2e1b2455ad6ef5ed08c8c");
    let context: [&[u8]; 3] = [&sid, &[1, 0, 0, 0], &[2, 0, 0, 0]];
    let mac = expand(&keys.prk, b"mac", &context);
    assert_eq!(hex(mac.as_ref()), "81f0890416a182563652ea0a97d88c77ed96a8cdba38ebb8946fe628de362f69");
    let enc = expand(&keys.prk, b"enc", &context);
    assert_eq!(hex(enc.as_ref()), "adfd5e3a5de90e69e9125fbdbe37f47e02e686b8d53b3b9b8c97bb87bab0b093");
}

#[test]
fn the_two_directions_have_different_keys() {
    let (keys, a, b) = vector_keys();
    let there = keys.direction(&a, &b, Cipher::Aes256Gcm);
    let back = keys.direction(&b, &a, Cipher::Aes256Gcm);
    assert_ne!(hmac::sign(&there.mac, b"x").as_ref(), hmac::sign(&back.mac, b"x").as_ref());
}

#[test]
fn a_derived_key_never_shows_its_bytes() {
    let (keys, a, b) = vector_keys();
    let printed = format!("{:?}", keys.direction(&a, &b, Cipher::Aes256Gcm));
    assert!(!printed.contains("81f0") && !printed.contains("129, 240"), "{printed}");
}

#[test]
fn what_nonces_are_made_of_follows_from_all_that_was_stirred_in() {
    let (pool, one, other) = ([1; 32], [2; 32], [3; 32]);
    assert_ne!(stirred(&pool, &one), stirred(&pool, &other));
    assert_ne!(stirred(&stirred(&pool, &one), &other), stirred(&stirred(&pool, &other), &one));
    assert_eq!(stirred(&pool, &one), stirred(&pool, &one), "nothing else goes in");
}
