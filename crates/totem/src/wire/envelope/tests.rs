//! The published test vector, and that nothing changed on the way is accepted.

use super::*;
use crate::Cipher;
use crate::crypto::tests::vector_keys;

fn header(suite: u8, cluster: [u8; 4]) -> Header {
    Header {
        suite,
        class: Class::Liveness,
        link: LinkId(0),
        cluster,
        source: NodeId(1),
        destination: NodeId(2),
        incarnation: Incarnation(0x0000_0007_1111_1111),
        counter: 1,
    }
}

#[test]
fn a_sealed_frame_is_that_of_the_test_vector() {
    let (keys, a, b) = vector_keys();
    let direction = keys.direction(&a, &b, Cipher::None);
    let frame = seal(&header(SUITE_HMAC, keys.cluster()), b"\x09ping", &direction).unwrap();
    let hex: String = frame.iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(
        hex,
        "4843443101000100a2c4329401000000020000001111111107000000010000000000000005000970696e67626d3b4dde6f66f332fd\
         1d1f68c25a087d4686aef424916a9c71a578d10a454c"
    );
}

#[test]
fn an_encrypted_frame_opens_to_what_was_sealed_and_hides_it() {
    let (keys, a, b) = vector_keys();
    let direction = keys.direction(&a, &b, Cipher::Aes256Gcm);
    let body = b"\x09a secret in the body";
    let frame = seal(&header(SUITE_AES, keys.cluster()), body, &direction).unwrap();
    assert_eq!(frame.len(), body.len() + OVERHEAD_ENCRYPTED);
    assert!(!frame.windows(6).any(|w| w == b"secret"));
    let parsed = Header::parse(&frame).unwrap();
    assert_eq!(parsed, header(SUITE_AES, keys.cluster()));
    verify(&frame, &direction.mac).unwrap();
    assert_eq!(open(&parsed, &frame, &direction).unwrap(), body);
}

#[test]
fn every_flipped_bit_and_every_truncation_is_refused() {
    let (keys, a, b) = vector_keys();
    for (suite, cipher) in [(SUITE_HMAC, Cipher::None), (SUITE_AES, Cipher::Aes256Gcm)] {
        let direction = keys.direction(&a, &b, cipher);
        let frame = seal(&header(suite, keys.cluster()), b"\x09ping", &direction).unwrap();
        for bit in 0..frame.len() * 8 {
            let mut forged = frame.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            let refused = Header::parse(&forged).is_err() || verify(&forged, &direction.mac).is_err();
            assert!(refused, "bit {bit} of suite {suite}");
        }
        for length in 0..frame.len() {
            assert!(Header::parse(&frame[..length]).is_err(), "length {length}");
        }
    }
}
