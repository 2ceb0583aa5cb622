//! One file of a mirror: changes of a journal, packed by zstd with its checksum.
//!
//! A change is a byte for its kind and table, then its fields, each with its kind and its length. `zstd -t` tells whether a file is
//! whole.

use crate::runtime::journal::{Change, Field, columns_of};
use std::io::Write as _;

/// What a segment holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// A change of the journal.
    Change(Change),
    /// A file of the run directory as it is now.
    File {
        /// Its name within the run directory.
        name: String,
        /// Its bytes.
        bytes: Vec<u8>,
    },
}

const FILE: u8 = 0xf0;
const REMOVED: u8 = 0x80;

/// Packs items into the bytes of a file.
pub(super) struct Packer(zstd::Encoder<'static, Vec<u8>>);

impl Packer {
    pub(super) fn new() -> std::io::Result<Self> {
        // Most of it is packed already.
        let mut packer = zstd::Encoder::new(Vec::new(), 1)?;
        packer.include_checksum(true)?;
        Ok(Self(packer))
    }

    pub(super) fn add(&mut self, item: &Item) -> std::io::Result<()> {
        let mut bytes = Vec::with_capacity(256);
        match item {
            Item::Change(Change::Put { table, fields, sum }) => {
                bytes.push(*table);
                bytes.extend(sum.to_le_bytes());
                for field in fields {
                    put(&mut bytes, field);
                }
            }
            Item::Change(Change::Removed { table, key }) => {
                bytes.push(REMOVED | *table);
                put(&mut bytes, key);
            }
            Item::File { name, bytes: content } => {
                bytes.push(FILE);
                put(&mut bytes, &Field::Text(name.clone()));
                put(&mut bytes, &Field::Bytes(content.clone()));
            }
        }
        self.0.write_all(&bytes)
    }

    /// Bytes that are packed so far, about.
    pub(super) fn size(&self) -> usize {
        self.0.get_ref().len()
    }

    pub(super) fn finish(self) -> std::io::Result<Vec<u8>> {
        self.0.finish()
    }
}

fn put(bytes: &mut Vec<u8>, field: &Field) {
    let mut with_length = |kind: u8, content: &[u8]| {
        bytes.push(kind);
        bytes.extend(u32::try_from(content.len()).unwrap_or(u32::MAX).to_le_bytes());
        bytes.extend(content);
    };
    match field {
        Field::Null => bytes.push(0),
        Field::Number(number) => {
            bytes.push(1);
            bytes.extend(number.to_le_bytes());
        }
        Field::Text(text) => with_length(2, text.as_bytes()),
        Field::Bytes(content) => with_length(3, content),
    }
}

/// The items of a file, or what is wrong with it.
pub(super) fn unpack(packed: &[u8]) -> Result<Vec<Item>, String> {
    if packed.is_empty() {
        return Err("it is empty".into());
    }
    let bytes = zstd::decode_all(packed).map_err(|error| error.to_string())?;
    let mut rest = Rest(&bytes);
    let mut items = Vec::new();
    while !rest.0.is_empty() {
        items.push(rest.item().ok_or("it ends in the middle of a record")?);
    }
    Ok(items)
}

/// What is not read yet.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn take(&mut self, length: usize) -> Option<&[u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn number(&mut self) -> Option<i64> {
        Some(i64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    fn content(&mut self) -> Option<Vec<u8>> {
        let length = u32::from_le_bytes(self.take(4)?.try_into().ok()?);
        self.take(usize::try_from(length).ok()?).map(<[u8]>::to_vec)
    }

    fn field(&mut self) -> Option<Field> {
        Some(match self.byte()? {
            0 => Field::Null,
            1 => Field::Number(self.number()?),
            2 => Field::Text(String::from_utf8(self.content()?).ok()?),
            3 => Field::Bytes(self.content()?),
            _ => return None,
        })
    }

    fn item(&mut self) -> Option<Item> {
        let kind = self.byte()?;
        if kind == FILE {
            return match (self.field()?, self.field()?) {
                (Field::Text(name), Field::Bytes(bytes)) => Some(Item::File { name, bytes }),
                _ => None,
            };
        }
        let table = kind & !REMOVED;
        let columns = columns_of(table)?;
        if kind & REMOVED != 0 {
            return Some(Item::Change(Change::Removed { table, key: self.field()? }));
        }
        let sum = self.number()?;
        let fields = (0..columns).map(|_| self.field()).collect::<Option<Vec<_>>>()?;
        Some(Item::Change(Change::Put { table, fields, sum }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pack(items: &[Item]) -> Vec<u8> {
        let mut packer = Packer::new().unwrap();
        for item in items {
            packer.add(item).unwrap();
        }
        packer.finish().unwrap()
    }

    fn field() -> impl Strategy<Value = Field> {
        prop_oneof![
            Just(Field::Null),
            any::<i64>().prop_map(Field::Number),
            ".*".prop_map(Field::Text),
            proptest::collection::vec(any::<u8>(), 0..300).prop_map(Field::Bytes),
        ]
    }

    fn item() -> impl Strategy<Value = Item> {
        let put = (0_u8..5, any::<i64>()).prop_flat_map(|(table, sum)| {
            proptest::collection::vec(field(), columns_of(table).unwrap())
                .prop_map(move |fields| Item::Change(Change::Put { table, fields, sum }))
        });
        prop_oneof![
            put,
            (0_u8..5, field()).prop_map(|(table, key)| Item::Change(Change::Removed { table, key })),
            (".*", proptest::collection::vec(any::<u8>(), 0..300))
                .prop_map(|(name, bytes)| Item::File { name, bytes }),
        ]
    }

    proptest! {
        #[test]
        fn what_is_packed_is_unpacked(items in proptest::collection::vec(item(), 0..20)) {
            prop_assert_eq!(unpack(&pack(&items)), Ok(items));
        }

        #[test]
        fn a_file_that_is_cut_or_changed_is_told(
            items in proptest::collection::vec(item(), 1..20), at in any::<prop::sample::Index>(), bit in 0_u8..8,
        ) {
            let whole = pack(&items);
            let at = at.index(whole.len());
            prop_assert!(unpack(&whole[..at]).is_err());
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << bit;
            // A bit of the frame's head may carry no meaning; then the items are the same.
            prop_assert!(unpack(&flipped).is_err() || unpack(&flipped) == Ok(items));
        }
    }
}
