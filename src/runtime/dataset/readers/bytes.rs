//! Bytes of a file, decompressed: gzip and zstd are recognised by their first bytes, never by a name.

use std::io::{self, BufRead, BufReader, Cursor, Read};

/// Bytes looked at to find out what a file is.
const HEAD: usize = 64 * 1024;
const BOM: &[u8] = b"\xef\xbb\xbf";

/// A stream of plain bytes, and its beginning, which is still in the stream.
pub(super) struct Plain {
    pub(super) read: Box<dyn BufRead + Send>,
    pub(super) head: Vec<u8>,
    /// Whether the stream was compressed.
    pub(super) compressed: bool,
}

/// Undoes compression and a byte order mark.
pub(super) fn plain(read: Box<dyn Read + Send>) -> io::Result<Plain> {
    let (head, read) = peek(read)?;
    let (read, compressed): (Box<dyn Read + Send>, bool) = if head.starts_with(b"\x1f\x8b") {
        (Box::new(flate2::read::MultiGzDecoder::new(read)), true)
    } else if head.starts_with(b"\x28\xb5\x2f\xfd") {
        (Box::new(zstd::stream::read::Decoder::new(read)?), true)
    } else {
        (read, false)
    };
    let (mut head, mut read) = if compressed { peek(read)? } else { (head, read) };
    if head.starts_with(BOM) {
        head.drain(..BOM.len());
        read.read_exact(&mut [0; BOM.len()])?;
    }
    Ok(Plain { read: Box::new(BufReader::with_capacity(HEAD, read)), head, compressed })
}

fn peek(mut read: Box<dyn Read + Send>) -> io::Result<(Vec<u8>, Box<dyn Read + Send>)> {
    let mut head = Vec::new();
    read.by_ref().take(HEAD as u64).read_to_end(&mut head)?;
    let whole = Cursor::new(head.clone()).chain(read);
    Ok((head, Box::new(whole)))
}
