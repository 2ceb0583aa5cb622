//! Encryption at rest: what models answered, and the transcripts made of it, in a form that only the holder of a key can read.
//!
//! The key is in the environment variable [`KEY_VARIABLE`] and in no file. A journal that is begun with it is encrypted from its
//! first record and stays so (`encryption.rs`). Ids, models, counts, times and the reasons of
//! rejects are in the clear, so that a run can be counted, verified, copied and merged without the key.
//!
//! Each text is encrypted by itself with ChaCha20-Poly1305 (RFC 8439) under a random nonce of 96 bits, which is safe for some
//! four thousand million texts of one key. The record's key is authenticated with it: a text put into another record is damage.

use super::JournalError;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom as _, SystemRandom};
use std::sync::Arc;

/// The environment variable that holds the key: 64 hexadecimal digits, as `openssl rand -hex 32` prints them.
pub const KEY_VARIABLE: &str = "AMEND_JOURNAL_KEY";

/// Bytes of a key.
const KEY_BYTES: usize = 32;

/// A key, ready for use. Clones share it.
#[derive(Clone)]
pub(super) struct Seal {
    key: Arc<LessSafeKey>,
    /// What tells this key from others, and nothing about it.
    pub(super) mark: String,
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Seal").field(&self.mark).finish()
    }
}

/// Whether the environment holds a key.
///
/// # Errors
///
/// It holds something that is not a key.
pub fn is_key_set() -> Result<bool, JournalError> {
    Seal::of_environment().map(|seal| seal.is_some())
}

impl Seal {
    /// The key of the environment; `None` where there is none.
    pub(super) fn of_environment() -> Result<Option<Self>, JournalError> {
        #[expect(
            clippy::disallowed_methods,
            reason = "a key is in no file, and every reader of a journal needs it"
        )]
        let found = std::env::var(KEY_VARIABLE);
        match found {
            Ok(text) if text.is_empty() => Ok(None),
            Ok(text) => Self::new(text.trim()).map(Some).ok_or(JournalError::BadKey),
            Err(std::env::VarError::NotPresent) => Ok(None),
            Err(std::env::VarError::NotUnicode(_)) => Err(JournalError::BadKey),
        }
    }

    /// The key that 64 hexadecimal digits say.
    pub(super) fn new(digits: &str) -> Option<Self> {
        if digits.len() != 2 * KEY_BYTES || !digits.is_ascii() {
            return None;
        }
        let byte = |n: usize| u8::from_str_radix(digits.get(2 * n..2 * n + 2)?, 16).ok();
        let bytes: Vec<u8> = (0..KEY_BYTES).map(byte).collect::<Option<_>>()?;
        let key = UnboundKey::new(&CHACHA20_POLY1305, &bytes).ok()?;
        let mark = crate::pure::digest::sha256_hex(&[b"amend journal key\0", &bytes[..]].concat());
        Some(Self { key: Arc::new(LessSafeKey::new(key)), mark: mark.chars().take(16).collect() })
    }

    /// The bytes, encrypted; `record` is what they belong to.
    pub(super) fn close(&self, record: &[u8], mut bytes: Vec<u8>) -> Result<Vec<u8>, String> {
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(|_| "the system gives no random numbers".to_owned())?;
        let tag = self
            .key
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(record), &mut bytes)
            .map_err(|_| "it cannot be encrypted".to_owned())?;
        Ok([&nonce, &bytes[..], tag.as_ref()].concat())
    }

    /// The bytes again.
    pub(super) fn open(&self, record: &[u8], sealed: &[u8]) -> Result<Vec<u8>, String> {
        let damaged = || "it cannot be decrypted".to_owned();
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LEN>().ok_or_else(damaged)?;
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let mut bytes = sealed.to_vec();
        let length =
            self.key.open_in_place(nonce, Aad::from(record), &mut bytes).map_err(|_| damaged())?.len();
        bytes.truncate(length);
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seal(digit: char) -> Seal {
        Seal::new(&digit.to_string().repeat(64)).unwrap()
    }

    #[test]
    fn what_is_closed_opens_with_its_key_in_its_record_and_nowhere_else() {
        let (one, two) = (seal('a'), seal('b'));
        for text in
            ["", "x", "a longer text, several blocks of the cipher long, so that its end is in another one"]
        {
            let closed = one.close(b"record", text.into()).unwrap();
            assert_eq!(one.open(b"record", &closed), Ok(text.into()));
            assert!(one.open(b"other", &closed).is_err() && two.open(b"record", &closed).is_err());
            for at in 0..closed.len() {
                let mut flipped = closed.clone();
                flipped[at] ^= 1;
                assert!(one.open(b"record", &flipped).is_err(), "byte {at}");
            }
            assert_ne!(closed, one.close(b"record", text.into()).unwrap(), "two nonces");
        }
        assert!(one.open(b"record", b"short").is_err());
    }

    #[test]
    fn a_key_is_64_hexadecimal_digits() {
        for bad in ["", "abc", &"g".repeat(64), &"a".repeat(63), &"ä".repeat(32)] {
            assert!(Seal::new(bad).is_none(), "{bad}");
        }
        assert_eq!(seal('A').mark, seal('a').mark);
        assert!(!format!("{:?}", seal('a')).contains("aaaa"));
    }
}
