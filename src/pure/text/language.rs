//! Which language a text is in, where that can be told for sure.
//!
//! Short texts, code and mixed ones have no answer here: unknown is better than wrong. What is known of a language is
//! its tag; `whatlang` does the telling. It knows 70 languages; one that it does not know is taken for a neighbour (Malay
//! for Indonesian), so a tag is evidence of a change of language, not a label to train on.

use super::is_spaceless;
use whatlang::Lang;

/// Letters that a text needs before its language can be told: of an alphabet, or of a script whose characters are
/// words or syllables.
const LETTERS: usize = 60;
const WIDE_LETTERS: usize = 20;
/// The confidence below which a guess is no answer.
const SURE: f64 = 0.9;

/// A language that a text is in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Language {
    /// BCP 47 tag of the language, such as `en`.
    pub tag: &'static str,
    /// How sure, from 0 to 1.
    pub confidence: f64,
}

/// The language of a text's prose (what stands in fenced code is not looked at); `None` when it is too short to tell,
/// or cannot be told for sure.
pub fn detect(text: &str) -> Option<Language> {
    let prose: String = text.split("```").step_by(2).collect();
    let letters = prose.chars().filter(|c| c.is_alphabetic()).take(LETTERS).count();
    let wide = prose.chars().filter(|c| is_wide(*c)).take(WIDE_LETTERS).count();
    if letters < LETTERS && wide < WIDE_LETTERS {
        return None;
    }
    let found = whatlang::detect(&prose).filter(|found| found.confidence() > SURE)?;
    Some(Language { tag: tag(found.lang()), confidence: found.confidence() })
}

/// Whether a text in a language of this tag can be told from texts in others.
pub fn can_be_told(tag_of: &str) -> bool {
    Lang::all().iter().any(|lang| tag(*lang) == tag_of)
}

/// Whether a detector may take one language for the other on a paragraph; a language is close to itself.
pub fn are_close(a: &str, b: &str) -> bool {
    const CLOSE: [&[&str]; 6] = [
        &["da", "nb", "sv"],
        &["es", "ca", "pt"],
        &["cs", "sk", "sl", "hr"],
        &["ru", "uk", "bg", "mk", "sr"],
        &["id", "jv"],
        // What Swahili, which the detector does not know, is taken for.
        &["sn", "zu", "jv", "tl"],
    ];
    a == b || CLOSE.iter().any(|near| near.contains(&a) && near.contains(&b))
}

/// Characters that stand for a word or a syllable.
fn is_wide(c: char) -> bool {
    is_spaceless(c) || ('\u{ac00}'..='\u{d7a3}').contains(&c)
}

/// The shortest tag of a language: two letters where there are any.
fn tag(lang: Lang) -> &'static str {
    const TWO: &str = "\
        epo eo eng en rus ru cmn zh spa es por pt ita it ben bn fra fr deu de ukr uk kat ka ara ar \
        hin hi jpn ja heb he yid yi pol pl amh am jav jv kor ko nob nb dan da swe sv fin fi tur tr \
        nld nl hun hu ces cs ell el bul bg bel be mar mr kan kn ron ro slv sl hrv hr srp sr mkd mk \
        lit lt lav lv est et tam ta vie vi urd ur tha th guj gu uzb uz pan pa aze az ind id tel te \
        pes fa mal ml ori or mya my nep ne sin si khm km tuk tk aka ak zul zu sna sn afr af lat la \
        slk sk cat ca tgl tl hye hy cym cy";
    let three = lang.code();
    let mut codes = TWO.split(' ');
    codes.find(|code| *code == three).and_then(|_| codes.next()).unwrap_or(three)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_has_a_tag_of_two_letters() {
        for lang in Lang::all() {
            assert_eq!(tag(*lang).len(), 2, "{lang:?}");
        }
    }

    #[test]
    fn a_paragraph_tells_its_language_and_a_scrap_does_not() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(detect(text).map(|found| found.tag), expected, "{text}");
        };
        check(
            "The committee will meet on Thursday to discuss whether the old bridge should be repaired.",
            Some("en"),
        );
        check(
            "Der Ausschuss trifft sich am Donnerstag, um über die Reparatur der alten Brücke zu sprechen.",
            Some("de"),
        );
        check("委員会は木曜日に集まり、古い橋を修理するかどうかを話し合います。", Some("ja"));
        check("위원회는 목요일에 모여 오래된 다리를 수리할지 논의할 예정입니다.", Some("ko"));
        check("Yes, of course.", None);
        check(
            "```python\nfor word in sentence.split():\n    print(word, len(word), word.upper())\n```",
            None,
        );
        check("", None);
    }
}
