//! Whether a short text stops in the middle of a phrase: "It rises for an hour and so the".
//!
//! Only words count that no phrase ends in: articles, possessives, conjunctions, and prepositions that never stand alone at an end
//! ("the town that I come from" is whole, "it fell into" is not). Where a word is also one of another language ("die", "des"), two
//! more of its own language have to stand before it.

/// English words that no phrase ends in.
const ENGLISH: [&str; 24] = [
    "the", "an", "and", "but", "because", "although", "whether", "than", "my", "your", "their", "our",
    "every", "whose", "into", "onto", "upon", "during", "among", "amongst", "despite", "via", "unless",
    "nor",
];

/// The same of other languages, each with those of its words that tell it from the others. Words that English has too, and those
/// that a verb leaves at the end ("ich komme mit", "schalte es ein"), are not among them.
const OTHERS: [&[&str]; 5] = [
    &[
        "und", "oder", "der", "dem", "den", "eine", "einen", "einem", "dass", "weil", "im", "zum", "zur",
        "für", "sowie",
    ],
    &["et", "ou", "le", "la", "les", "des", "du", "une", "dans", "que", "qui", "au", "aux"],
    &["el", "los", "las", "del", "para", "con", "que", "al", "por", "porque"],
    &["il", "gli", "della", "delle", "dei", "per", "con", "che", "nel", "perché"],
    &["os", "da", "das", "dos", "uma", "para", "com", "que", "pelo", "pela", "porque"],
];

/// Words of a text that is long enough to stop in the middle.
const FEWEST_WORDS: usize = 4;
/// Other words of a language that have to stand before its last one.
const FEWEST_OF_A_LANGUAGE: usize = 2;

/// Whether a line stops at a word that no phrase ends in.
pub(super) fn stops_within_a_phrase(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    let Some((last, before)) = words.split_last().filter(|_| words.len() >= FEWEST_WORDS) else {
        return false;
    };
    // A name may be any word ("The Who"), and a mark at the end ends the phrase.
    if !last.chars().all(char::is_lowercase) {
        return false;
    }
    let is_foreign = |words: &&[&str]| {
        let plain =
            before.iter().map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase());
        let own: std::collections::BTreeSet<String> =
            plain.filter(|word| words.contains(&word.as_str())).collect();
        words.contains(last) && own.len() >= FEWEST_OF_A_LANGUAGE
    };
    ENGLISH.contains(last) || OTHERS.iter().any(is_foreign)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_stops_at_a_word_no_phrase_ends_in_is_cut() {
        for (line, want) in [
            ("It rises for an hour and so the", true),
            ("You can buy it at the market because", true),
            ("Mischen Sie das Mehl mit dem Wasser und der", true),
            ("Mélangez la farine avec les oeufs et le", true),
            ("Mezcla la harina con los huevos para el", true),
            ("Mescola la farina con le uova per il", true),
            ("This is the town that I come from", false),
            ("They would rather fight than die", false),
            ("What is it made of and what is it good for", false),
            ("My favourite band of all is The Who", false),
            ("It was released in France as Les", false),
            ("Use the value of x or y", false),
            ("As I do it so often, the answer is a plain no", false),
            ("Wenn der Zug und das Wetter passen, komme ich mit", false),
            ("Add the flour, and stir, and wait and…", false),
            ("and the", false),
        ] {
            assert_eq!(stops_within_a_phrase(line), want, "{line:?}");
        }
    }
}
