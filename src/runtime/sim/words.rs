//! Harmless filler prose in the language of the prompt: plausible sentences about nothing in particular.
//!
//! A sentence is an opening, an object and an ending from small lists, so that texts differ from each other while
//! their words, length and language look like those of real answers.

use super::draw::Draw;
use super::lists::{
    ARABIC, CHINESE, ENGLISH, FRENCH, GERMAN, HINDI, ITALIAN, JAPANESE, KOREAN, Lists, PORTUGUESE, RUSSIAN,
    SPANISH,
};
use whatlang::{Detector, Lang, Script};

const SPOKEN: [Lang; 12] = [
    Lang::Eng,
    Lang::Fra,
    Lang::Deu,
    Lang::Spa,
    Lang::Ita,
    Lang::Por,
    Lang::Rus,
    Lang::Cmn,
    Lang::Jpn,
    Lang::Kor,
    Lang::Hin,
    Lang::Ara,
];

/// The language that a text is answered in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Language(&'static Lists);

impl Language {
    /// The language of a text, where it can be told and is one of those that the sim speaks; English otherwise.
    pub(super) fn of(text: &str) -> Self {
        // The first few hundred characters tell; a long prompt costs no more.
        let head: String = text.chars().take(600).collect();
        let Some(info) = Detector::with_allowlist(SPOKEN.to_vec()).detect(&head) else {
            return Self(&ENGLISH);
        };
        // In Latin script a short text is soon mistaken for another language.
        if info.script() == Script::Latin && !info.is_reliable() && info.confidence() < 0.3 {
            return Self(&ENGLISH);
        }
        Self(match info.lang() {
            Lang::Rus => &RUSSIAN,
            Lang::Cmn => &CHINESE,
            Lang::Jpn => &JAPANESE,
            Lang::Kor => &KOREAN,
            Lang::Hin => &HINDI,
            Lang::Ara => &ARABIC,
            Lang::Fra => &FRENCH,
            Lang::Deu => &GERMAN,
            Lang::Spa => &SPANISH,
            Lang::Ita => &ITALIAN,
            Lang::Por => &PORTUGUESE,
            _ => &ENGLISH,
        })
    }

    /// The language of a tag, where it is one of those that the sim speaks; English otherwise.
    pub(super) fn tagged(tag: &str) -> Self {
        Self(match tag.split(['-', '_']).next().unwrap_or("") {
            "ru" => &RUSSIAN,
            "zh" => &CHINESE,
            "ja" => &JAPANESE,
            "ko" => &KOREAN,
            "hi" => &HINDI,
            "ar" => &ARABIC,
            "fr" => &FRENCH,
            "de" => &GERMAN,
            "es" => &SPANISH,
            "it" => &ITALIAN,
            "pt" => &PORTUGUESE,
            _ => &ENGLISH,
        })
    }

    pub(super) fn english() -> Self {
        Self(&ENGLISH)
    }

    fn sentence_number(self, number: usize) -> String {
        let Lists { openings, objects, endings, space, stop, .. } = self.0;
        let opening = openings.get(number % openings.len()).copied().unwrap_or_default();
        let number = number / openings.len();
        let object = objects.get(number % objects.len()).copied().unwrap_or_default();
        let ending = endings.get(number / objects.len() % endings.len()).copied().unwrap_or_default();
        format!("{opening}{space}{object}{space}{ending}{stop}")
    }

    fn count(self) -> usize {
        self.0.openings.len() * self.0.objects.len() * self.0.endings.len()
    }

    /// One sentence that is not among those given.
    pub(super) fn sentence(self, draw: &Draw, taken: &str) -> String {
        let first = draw.below("sentence", self.count());
        // A stride that is prime to every count walks through all sentences.
        (0..self.count())
            .map(|step| self.sentence_number((first + step * 1009) % self.count()))
            .find(|sentence| !taken.contains(sentence.as_str()))
            .unwrap_or_else(|| self.sentence_number(first))
    }

    /// Prose of the given number of sentences in paragraphs of a few, no sentence twice while there are enough.
    pub(super) fn prose(self, draw: &Draw, sentences: usize) -> String {
        let mut text = String::new();
        for number in 0..sentences {
            let sentence = self.sentence(&draw.with("prose").with_u64(number as u64), &text);
            if number > 0 {
                text.push_str(if number % 4 == 0 { "\n\n" } else { self.0.space });
            }
            text.push_str(&sentence);
        }
        text
    }

    /// A refusal.
    pub(super) fn decline(self) -> &'static str {
        self.0.decline
    }
}

/// A text cut into sentences, each with the white space after it, so that joining them gives the text back.
pub(super) fn sentences(text: &str) -> Vec<&str> {
    let mut found: Vec<&str> = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest
            .char_indices()
            .scan(false, |ended, (at, c)| {
                let over = *ended && !c.is_whitespace() && !is_stop(c);
                *ended = is_stop(c) || (*ended && c.is_whitespace());
                Some((at, over))
            })
            .find_map(|(at, over)| over.then_some(at))
            .unwrap_or(rest.len());
        let (sentence, after) = rest.split_at(end);
        found.push(sentence);
        rest = after;
    }
    found
}

fn is_stop(c: char) -> bool {
    matches!(c, '.' | '!' | '?' | '。' | '！' | '？' | '।' | '؟')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_prompt_is_answered_in_its_language() {
        let check = |prompt: &str, lists: &Lists| {
            let found = Language::of(prompt).0.decline;
            assert_eq!(found, lists.decline, "{prompt}");
        };
        check("How do I get from the station to the museum without a car?", &ENGLISH);
        check("Comment puis-je apprendre à mes enfants à faire leurs devoirs sans se plaindre ?", &FRENCH);
        check("Wie kann ich meinen Kindern beibringen, ihre Hausaufgaben ohne Klagen zu machen?", &GERMAN);
        check("¿Cómo puedo enseñar a mis hijos a hacer los deberes sin quejarse todos los días?", &SPANISH);
        check("Как мне научить детей делать уроки без жалоб?", &RUSSIAN);
        check("我怎样才能教会孩子们做作业？", &CHINESE);
        check("子どもに宿題をさせるにはどうすればいいですか。", &JAPANESE);
        check("아이들이 숙제를 하도록 하려면 어떻게 해야 합니까?", &KOREAN);
        check("मैं बच्चों को गृहकार्य करना कैसे सिखाऊँ?", &HINDI);
        check("كيف أعلم أطفالي أداء واجباتهم المدرسية؟", &ARABIC);
        check("", &ENGLISH);
    }

    #[test]
    fn prose_is_in_its_own_language_and_repeats_nothing() {
        for lists in [
            &ENGLISH,
            &FRENCH,
            &GERMAN,
            &SPANISH,
            &ITALIAN,
            &PORTUGUESE,
            &RUSSIAN,
            &CHINESE,
            &JAPANESE,
            &KOREAN,
            &HINDI,
            &ARABIC,
        ] {
            for n in 0..20 {
                let text = Language(lists).prose(&Draw::new("t").with_u64(n), 9);
                assert_eq!(Language::of(&text).0.decline, lists.decline, "{text}");
                let parts = sentences(&text);
                assert_eq!(parts.len(), 9, "{text}");
                let mut distinct: Vec<&str> = parts.iter().map(|s| s.trim()).collect();
                distinct.sort_unstable();
                distinct.dedup();
                assert_eq!(distinct.len(), 9, "{text}");
            }
        }
    }

    proptest! {
        #[test]
        fn sentences_join_to_their_text(text in "[ab .!?\n。]{0,60}") {
            prop_assert_eq!(sentences(&text).concat(), text);
        }
    }
}
