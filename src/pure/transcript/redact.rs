//! A transcript without its words: what may be shown where the text must not be read.

use super::Transcript;
use crate::pure::digest::sha256_hex;

/// What stands for a text: its length and the beginning of its hash, so that equal texts are seen to be equal.
fn mark(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let hash = sha256_hex(text.as_bytes());
    format!("[{} characters, {}]", text.chars().count(), hash.get(..8).unwrap_or(&hash))
}

impl Transcript {
    /// The same chain with a mark for every text of the prompt, the responses, the critiques and the revisions, and without
    /// the user's own columns. Ids, verdicts, counts and the provider's messages stay.
    #[must_use]
    pub fn redacted(&self) -> Self {
        let mut redacted = self.clone();
        let prompt = &mut redacted.prompt;
        prompt.kept.clear();
        let asked = prompt.messages.iter_mut().map(|message| &mut message.content);
        let given = prompt.given.iter_mut().map(|given| &mut given.text);
        let responses = redacted.responses.iter_mut().map(|response| &mut response.text);
        let critiques = redacted.critiques.iter_mut().map(|critique| &mut critique.text);
        let revisions = redacted.revisions.iter_mut().map(|revision| &mut revision.text);
        for text in asked.chain(given).chain(responses).chain(critiques).chain(revisions) {
            *text = mark(text);
        }
        redacted
    }
}
