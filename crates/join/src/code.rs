//! The code of an invitation, and the keys that it is.

use std::fmt;

use ring::digest::{SHA256, digest};
use ring::hkdf::{self, KeyType};
use ring::rand::{SecureRandom as _, SystemRandom};
use thiserror::Error;
use zeroize::Zeroizing;

/// Crockford's digits: no I, L, O, U, so that none is taken for another.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Bytes of a code.
const BYTES: usize = 16;

/// Digits of the code itself: 130 bits, of which the first two are zero.
const BODY: usize = 26;

/// All digits: two more are the check.
const LENGTH: usize = BODY + 2;

/// Digits between two dashes.
const GROUP: usize = 4;

/// What the keys are derived with.
const SALT: &[u8] = b"hacd/join 1";

/// The code of an invitation: whoever has it is let in once. Neither `Debug` nor `Display` shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Code(Zeroizing<[u8; BYTES]>);

/// Why a text is not a code. Nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CodeError {
    /// Too short or too long.
    #[error("a code has 28 letters and digits, this has {0}")]
    Length(usize),
    /// A character that no code has.
    #[error("'{0}' is in no code: letters and digits without I, L, O and U")]
    Digit(char),
    /// Its last two digits are not those of the others.
    #[error("the code was mistyped: its last two characters do not fit the others")]
    Check,
}

impl Code {
    /// A new one from the operating system's random source; `None` if that gives nothing.
    #[must_use]
    pub fn generate() -> Option<Self> {
        let mut bytes = Zeroizing::new([0; BYTES]);
        SystemRandom::new().fill(&mut *bytes).ok()?;
        Some(Self(bytes))
    }

    /// The code that this text is, with dashes and blanks or without.
    ///
    /// # Errors
    /// See [`CodeError`].
    pub fn parse(text: &str) -> Result<Self, CodeError> {
        let digits: Zeroizing<Vec<u8>> = Zeroizing::new(
            text.chars()
                .filter(|c| !c.is_whitespace() && *c != '-')
                .map(value)
                .collect::<Result<Vec<u8>, CodeError>>()?,
        );
        if digits.len() != LENGTH {
            return Err(CodeError::Length(digits.len()));
        }
        let mut bytes = Zeroizing::new([0; BYTES]);
        let mut number = Zeroizing::new(0_u128);
        for (place, digit) in digits.iter().take(BODY).enumerate() {
            // The first digit has three bits that count.
            if place == 0 && *digit > 7 {
                return Err(CodeError::Check);
            }
            *number = (*number << 5) | u128::from(*digit);
        }
        bytes.copy_from_slice(&number.to_be_bytes());
        let code = Self(bytes);
        if code.check() == [digits[BODY], digits[BODY + 1]] { Ok(code) } else { Err(CodeError::Check) }
    }

    /// The code as people copy it: groups of four with dashes between.
    #[must_use]
    pub fn reveal(&self) -> Zeroizing<String> {
        let number = Zeroizing::new(u128::from_be_bytes(*self.0));
        let body = (0..BODY).map(|place| {
            let shift = 5 * (BODY - 1 - place);
            u8::try_from((*number >> shift) & 31).unwrap_or_default()
        });
        let mut text = Zeroizing::new(String::with_capacity(LENGTH + LENGTH / GROUP));
        for (place, digit) in body.chain(self.check()).enumerate() {
            if place > 0 && place % GROUP == 0 {
                text.push('-');
            }
            text.push(char::from(DIGITS[usize::from(digit)]));
        }
        text
    }

    /// The seed of the host's key.
    #[must_use]
    pub fn host_seed(&self) -> Zeroizing<[u8; 32]> {
        self.derive(b"host")
    }

    /// The seed of the guest's key.
    #[must_use]
    pub fn guest_seed(&self) -> Zeroizing<[u8; 32]> {
        self.derive(b"guest")
    }

    /// The name under which the host is asked for: it tells invitations apart and nothing of the code.
    #[must_use]
    pub fn host_name(&self) -> String {
        let id: Zeroizing<[u8; 8]> = self.derive(b"id");
        let hex: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{hex}.join.hacd")
    }

    /// Ten bits by which a mistyped code is noticed.
    fn check(&self) -> [u8; 2] {
        let digest = digest(&SHA256, &*self.0);
        let [first, second, ..] = digest.as_ref() else { return [0; 2] };
        [first >> 3, ((first & 7) << 2) | (second >> 6)]
    }

    fn derive<const N: usize>(&self, what: &[u8]) -> Zeroizing<[u8; N]> {
        struct Length(usize);
        impl KeyType for Length {
            fn len(&self) -> usize {
                self.0
            }
        }
        let mut key = Zeroizing::new([0; N]);
        let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, SALT);
        let prk = salt.extract(&*self.0);
        let info = [what];
        // It fails for lengths alone that no key here has.
        let _ = prk.expand(&info, Length(N)).and_then(|okm| okm.fill(&mut *key));
        key
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(********)")
    }
}

/// The value of a digit; small letters, and those that look like a digit, are taken for what is meant.
fn value(c: char) -> Result<u8, CodeError> {
    let meant = match c.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    let found = DIGITS.iter().position(|digit| char::from(*digit) == meant);
    found.and_then(|place| u8::try_from(place).ok()).ok_or(CodeError::Digit(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Code {
        Code(Zeroizing::new([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255]))
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Computed with another implementation of HKDF-SHA256 and of Crockford's base 32.
    #[test]
    fn a_known_code_has_these_keys() {
        let code = known();
        assert_eq!(&*code.reveal(), "0004-1061-050R-3GG2-8A1C-60T3-QZCQ");
        assert_eq!(hex(&*code.host_seed()), "ae86ac041f59054529dc0e0f1606b1ffa40c13a34a7c80308970d53c4ee0b207");
        assert_eq!(hex(&*code.guest_seed()), "4c9c4debd62c4d0ad8e2f997b9d7dd089de9c87ad6a9271181dce480fe901557");
        assert_eq!(code.host_name(), "c228c44c84256f99.join.hacd");
    }

    #[test]
    fn a_code_reads_back_however_it_is_typed() {
        for _ in 0..200 {
            let code = Code::generate().expect("randomness");
            let text = code.reveal();
            assert_eq!(text.len(), 34);
            for typed in [text.to_string(), text.to_lowercase(), text.replace('-', " "), text.replace('0', "o")] {
                assert_eq!(Code::parse(&typed).as_ref(), Ok(&code), "{typed}");
            }
        }
    }

    #[test]
    fn a_mistyped_code_is_noticed_before_anything_is_sent() {
        let text = known().reveal();
        assert_eq!(Code::parse(&text[1..]), Err(CodeError::Length(27)));
        assert_eq!(Code::parse(&text.replacen('0', "U", 1)), Err(CodeError::Digit('U')));
        assert_eq!(Code::parse(&text.replacen("000", "0W0", 1)), Err(CodeError::Check));
        assert_eq!(Code::parse(&format!("Z{}", &text[1..])), Err(CodeError::Check), "more than 128 bits");
        assert_eq!(format!("{:?}", known()), "Code(********)");
    }
}
