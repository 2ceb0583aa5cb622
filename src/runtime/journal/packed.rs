//! How texts stand in the journal: compressed where that is worth it, and encrypted where there is a key.

use super::seal::Seal;
use crate::pure::prompt::PromptId;

/// Bytes that may be compressed and encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Packed {
    pub(super) bytes: Vec<u8>,
    /// [`PACKED`] and [`SEALED`], or neither.
    pub(super) form: u8,
}

/// The bytes are compressed.
const PACKED: u8 = 1;
/// The bytes are encrypted, after they were compressed.
const SEALED: u8 = 2;

/// Below this compression gains nothing.
const WORTH_PACKING: usize = 300;

impl Packed {
    /// Compresses what is large enough, and encrypts it where there is a key; `record` is what it belongs to.
    pub(super) fn new(text: &str, record: &[u8], seal: Option<&Seal>) -> Result<Self, String> {
        let packed =
            if text.len() < WORTH_PACKING { None } else { zstd::bulk::compress(text.as_bytes(), 3).ok() };
        let (bytes, form) = packed.map_or_else(|| (text.into(), 0), |bytes| (bytes, PACKED));
        Ok(match seal {
            None => Self { bytes, form },
            Some(seal) => Self { bytes: seal.close(record, bytes)?, form: form | SEALED },
        })
    }

    /// Whether a key is needed to read it.
    pub(super) fn is_sealed(&self) -> bool {
        self.form & SEALED != 0
    }

    /// The text again, or what is wrong with the bytes.
    pub(super) fn text(self, record: &[u8], seal: Option<&Seal>) -> Result<String, String> {
        let bytes = match seal {
            Some(seal) if self.is_sealed() => seal.open(record, &self.bytes)?,
            None if self.is_sealed() => return Err("it is encrypted, and there is no key".into()),
            Some(_) | None => self.bytes,
        };
        let bytes = if self.form & PACKED == 0 {
            bytes
        } else {
            zstd::decode_all(&bytes[..]).map_err(|error| error.to_string())?
        };
        String::from_utf8(bytes).map_err(|error| error.to_string())
    }
}

/// What begins the body of a transcript that is encrypted. A compressed one begins otherwise.
const SEALED_TRANSCRIPT: &[u8] = b"sealed";

/// The body of a transcript's record: its JSON, compressed, and encrypted where there is a key.
pub(super) fn pack_transcript(json: &str, id: &PromptId, seal: Option<&Seal>) -> Result<Vec<u8>, String> {
    let packed = zstd::bulk::compress(json.as_bytes(), 3).map_err(|error| error.to_string())?;
    let Some(seal) = seal else { return Ok(packed) };
    Ok([SEALED_TRANSCRIPT, &seal.close(id.0.as_bytes(), packed)?].concat())
}

/// Whether a key is needed to read the body of a transcript's record.
pub(super) fn is_sealed_transcript(body: &[u8]) -> bool {
    body.starts_with(SEALED_TRANSCRIPT)
}

/// A transcript's JSON again.
pub(super) fn unpack_transcript(body: &[u8], id: &str, seal: Option<&Seal>) -> Result<Vec<u8>, String> {
    let opened = match (body.strip_prefix(SEALED_TRANSCRIPT), seal) {
        (Some(sealed), Some(seal)) => seal.open(id.as_bytes(), sealed)?,
        (Some(_), None) => return Err("it is encrypted, and there is no key".into()),
        (None, _) => return zstd::decode_all(body).map_err(|error| error.to_string()),
    };
    zstd::decode_all(&opened[..]).map_err(|error| error.to_string())
}
