//! Content hashes and seeded chance.
//!
//! Everything that must come out the same on every machine (ids, call keys, draws, splits) is derived here,
//! from SHA-256 over length-prefixed parts. There is no other source of randomness in the library.

use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

/// SHA-256 over parts, each prefixed by its length, so that `["ab","c"]` and `["a","bc"]` differ.
#[derive(Debug, Default, Clone)]
pub struct Parts(Sha256);

impl Parts {
    /// An empty hash for the given domain (say `"prompt"` or `"call"`): the same parts in two domains differ.
    pub fn new(domain: &str) -> Self {
        Self::default().with(domain)
    }

    /// Adds one part.
    #[must_use]
    pub fn with(mut self, part: impl AsRef<[u8]>) -> Self {
        let part = part.as_ref();
        self.0.update((part.len() as u64).to_le_bytes());
        self.0.update(part);
        self
    }

    /// Adds an integer as a part.
    #[must_use]
    pub fn with_u64(self, value: u64) -> Self {
        self.with(value.to_le_bytes())
    }

    /// The 32 bytes of the hash.
    pub fn bytes(self) -> [u8; 32] {
        self.0.finalize().into()
    }

    /// The hash as 64 hexadecimal characters.
    pub fn hex(self) -> String {
        hex(&self.bytes())
    }

    /// The first 16 hexadecimal characters: enough to name things of which there are millions.
    pub fn short(self) -> String {
        hex(&self.head())
    }

    /// A uniform integer.
    pub fn uniform(self) -> u64 {
        u64::from_le_bytes(self.head())
    }

    fn head(self) -> [u8; 8] {
        let bytes = self.bytes();
        std::array::from_fn(|i| bytes[i])
    }

    /// A uniform number in `[0, 1)`.
    pub fn unit(self) -> f64 {
        (self.uniform() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// SHA-256 of plain bytes as 64 hexadecimal characters: what `sha256sum` prints for a file.
///
/// ```
/// use amend::pure::digest::sha256_hex;
///
/// assert!(sha256_hex(b"").starts_with("e3b0c442"));
/// ```
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Bytes as lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_delimited_and_domains_differ() {
        assert_ne!(Parts::new("x").with("ab").with("c").hex(), Parts::new("x").with("a").with("bc").hex());
        assert_ne!(Parts::new("x").with("a").hex(), Parts::new("y").with("a").hex());
    }

    #[test]
    fn a_plain_hash_is_what_sha256sum_prints() {
        assert_eq!(sha256_hex(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn chance_is_uniform_enough() {
        let mean = (0..10_000).map(|i| Parts::new("t").with_u64(i).unit()).sum::<f64>() / 10_000.0;
        assert!((mean - 0.5).abs() < 0.02, "{mean}");
    }
}
