//! Bytes of a file, decompressed: gzip and zstd are recognised by their first bytes, never by a name.

use std::io::{self, BufRead, BufReader, Cursor, Read};

/// Bytes looked at to find out what a file is.
const HEAD: usize = 64 * 1024;
const BOM: &[u8] = b"\xef\xbb\xbf";

/// A stream of plain bytes, and its beginning, which is still in the stream.
pub(super) struct Plain {
    pub(super) read: Box<dyn BufRead + Send>,
    pub(super) head: Vec<u8>,
    /// How the stream was compressed.
    pub(super) compression: Compression,
}

/// How a file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// It is not.
    None,
    /// gzip.
    Gzip,
    /// zstd.
    Zstd,
}

/// The bytes of a file, decompressed and without a byte order mark, and how they were compressed.
pub(in crate::runtime) fn raw_lines(
    read: Box<dyn Read + Send>,
) -> io::Result<(Box<dyn BufRead + Send>, Compression)> {
    plain(read).map(|plain| (plain.read, plain.compression))
}

/// Undoes compression and a byte order mark.
pub(super) fn plain(read: Box<dyn Read + Send>) -> io::Result<Plain> {
    let (head, read) = peek(read)?;
    let (read, compression): (Box<dyn Read + Send>, Compression) = if head.starts_with(b"\x1f\x8b") {
        (Box::new(flate2::read::MultiGzDecoder::new(read)), Compression::Gzip)
    } else if head.starts_with(b"\x28\xb5\x2f\xfd") {
        (Box::new(zstd::stream::read::Decoder::new(read)?), Compression::Zstd)
    } else {
        (read, Compression::None)
    };
    let is_plain = compression == Compression::None;
    let (mut head, mut read) = if is_plain { (head, read) } else { peek(read)? };
    if head.starts_with(BOM) {
        head.drain(..BOM.len());
        read.read_exact(&mut [0; BOM.len()])?;
    }
    Ok(Plain { read: Box::new(BufReader::with_capacity(HEAD, read)), head, compression })
}

fn peek(mut read: Box<dyn Read + Send>) -> io::Result<(Vec<u8>, Box<dyn Read + Send>)> {
    let mut head = Vec::new();
    read.by_ref().take(HEAD as u64).read_to_end(&mut head)?;
    let whole = Cursor::new(head.clone()).chain(read);
    Ok((head, Box::new(whole)))
}
