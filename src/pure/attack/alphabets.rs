//! Alphabets of codes: digits that stand for bits, and books of words that stand for letters.

/// Digits that stand for a fixed number of bits each.
#[derive(Debug)]
pub(super) struct Radix {
    /// ASCII digits, in the order of their values.
    pub(super) digits: &'static str,
    /// Bits of a digit.
    pub(super) bits: u32,
    /// Digits are filled up with `=` to a multiple of this.
    pub(super) group: usize,
}

impl Radix {
    /// The digits of a text's bytes.
    pub(super) fn encode(&self, text: &str) -> String {
        let digits: Vec<char> = self.digits.chars().collect();
        let mask = (1_u32 << self.bits) - 1;
        let mut out = String::new();
        let (mut held, mut count) = (0_u32, 0_u32);
        let digit = |value: u32| digits.get((value & mask) as usize).copied().unwrap_or('?');
        let mut written = 0;
        for byte in text.bytes() {
            held = (held << 8 | u32::from(byte)) & 0xffff;
            count += 8;
            while count >= self.bits {
                count -= self.bits;
                out.push(digit(held >> count));
                written += 1;
            }
        }
        if count > 0 {
            out.push(digit(held << (self.bits - count)));
            written += 1;
        }
        while written % self.group != 0 {
            out.push('=');
            written += 1;
        }
        out
    }

    /// The text whose bytes have these digits.
    pub(super) fn decode(&self, text: &str) -> Option<String> {
        let text = text.trim();
        let digits = text.trim_end_matches('=');
        if digits.len() < 4 || !text.chars().count().is_multiple_of(self.group) {
            return None;
        }
        let mut bytes = Vec::with_capacity(digits.len());
        let (mut held, mut count) = (0_u32, 0_u32);
        for digit in digits.chars() {
            let value = self.digits.chars().position(|known| known == digit)?;
            held = (held << self.bits | u32::try_from(value).ok()?) & 0xffff;
            count += self.bits;
            if count >= 8 {
                count -= 8;
                bytes.push(u8::try_from(held >> count & 0xff).ok()?);
            }
        }
        // What is left over is filling, and empty.
        let left = held & ((1 << count) - 1);
        if count >= self.bits || left != 0 {
            return None;
        }
        String::from_utf8(bytes).ok()
    }
}

/// Words that stand for characters, with a space between them; ` / ` is a space. What has no word stands for itself.
#[derive(Debug)]
pub(super) struct Codebook {
    pub(super) codes: &'static [(char, &'static str)],
}

impl Codebook {
    /// The words of a text, whose capitals are lost.
    pub(super) fn encode(&self, text: &str) -> String {
        let word = |c: char| match c {
            ' ' => "/".to_owned(),
            c => self
                .codes
                .iter()
                .find(|(of, _)| *of == c)
                .map_or_else(|| c.to_string(), |(_, code)| (*code).into()),
        };
        text.to_lowercase().chars().map(word).collect::<Vec<_>>().join(" ")
    }

    /// The text of such words. Each is in the book, or a single character; two at least are in the book.
    pub(super) fn decode(&self, text: &str) -> Option<String> {
        let mut known = 0;
        let mut out = String::new();
        for word in text.trim().split(' ') {
            let mut chars = word.chars();
            match (self.codes.iter().find(|(_, code)| *code == word), chars.next(), chars.next()) {
                (Some((of, _)), _, _) => {
                    known += 1;
                    out.push(*of);
                }
                (None, Some('/'), None) => out.push(' '),
                (None, Some(itself), None) => out.push(itself),
                (None, _, _) => return None,
            }
        }
        (known > 1).then_some(out)
    }
}
