//! Words of a principle, as far as the lints look at them: what it is about, whether it forbids or permits, whether
//! a request leads. English only; on other languages only the comparison of words works.

use regex::Regex;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::OnceLock;

/// Words that are in every principle or say nothing about its subject.
const COMMON: &str = " a about after all always an and any anyone are as ask at be because been before being both but \
    by can could do does each else even every everyone for from give has have he her him his how if in into is it \
    its just like make may might more most must of on only one or other our out over own person people request say \
    she should so some someone such than that the their them then there these they thing this those through to too \
    toward up us use user very was way we were what when where whether which while who whom whose will with would \
    you your response reply answer assistant model output text ai allowed permitted fine acceptable okay ";

/// Words that turn a statement into its opposite.
const NEGATIONS: &str = " no not never without avoid avoids avoiding cannot nor neither none nothing nobody don't doesn't isn't aren't \
    can't won't mustn't shouldn't refrain refrains ";

/// Pairs that cannot both hold of one response.
const OPPOSITES: &[(&str, &str)] = &[
    ("short", "long"),
    ("short", "detail"),
    ("brief", "detail"),
    ("brief", "long"),
    ("concise", "detail"),
    ("concise", "long"),
    ("formal", "informal"),
    ("formal", "casual"),
    ("include", "omit"),
    ("include", "exclude"),
    ("encourage", "discourage"),
    ("agree", "disagree"),
    ("simple", "complex"),
    ("technical", "plain"),
];

/// The words that say what a text is about, without endings, and whether it says that something is not to be.
#[derive(Debug, Clone, Default)]
pub(super) struct Words {
    /// A hash of each word, in order: what is compared by the million has to be small.
    subject: Vec<u64>,
    /// What the text says that a response is, as the stem of one word.
    quality: Option<u64>,
    forbids: bool,
}

impl Words {
    pub(super) fn of(text: &str) -> Self {
        let known = |list: &str, word: &str| list.contains(&format!(" {word} "));
        let of_subject = |word: &String| {
            word.chars().count() > 1
                && !known(COMMON, word)
                && !known(NEGATIONS, word)
                && !known(COMMON, &stem(word))
        };
        let mut subject: Vec<u64> =
            words(text).filter(of_subject).map(|word| word_hash(&stem(&word))).collect();
        subject.sort_unstable();
        subject.dedup();
        Self { subject, quality: quality(text).as_deref().map(word_hash), forbids: forbids(text) }
    }

    /// How many words there are before the rest is less than this share of them.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a number of words"
    )]
    fn all_but(&self, share: f64) -> usize {
        if self.len() == 0 { 0 } else { self.len() - (share * self.len() as f64 - 1e-9).ceil() as usize + 1 }
    }

    /// The words of it that are one of a pair of opposites.
    fn opposites(&self) -> impl Iterator<Item = u64> {
        self.subject.iter().copied().chain(self.quality).filter(|word| counterparts(*word).next().is_some())
    }

    fn has(&self, word: u64) -> bool {
        self.subject.binary_search(&word).is_ok()
    }

    pub(super) fn len(&self) -> usize {
        self.subject.len()
    }

    pub(super) fn in_common(&self, other: &Self) -> usize {
        let (mut a, mut b) = (self.subject.iter().peekable(), other.subject.iter().peekable());
        let mut common = 0;
        while let (Some(x), Some(y)) = (a.peek(), b.peek()) {
            let order = x.cmp(y);
            common += usize::from(order.is_eq());
            if order.is_le() {
                a.next();
            }
            if order.is_ge() {
                b.next();
            }
        }
        common
    }

    /// How much of the smaller of the two the larger has.
    pub(super) fn shares(&self, other: &Self) -> f64 {
        share(self.in_common(other), self.len().min(other.len()))
    }
}

/// Shared words over all words of both.
pub(super) fn likeness(a: &Words, b: &Words) -> f64 {
    share(a.in_common(b), a.len() + b.len() - a.in_common(b))
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// How two texts about the same thing are against each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opposed {
    /// The first forbids what the second asks for.
    FirstForbids,
    /// The second forbids what the first asks for.
    SecondForbids,
    /// They ask for opposites.
    Opposites,
}

/// Whether the two are about the same thing and one is worded against the other.
pub(super) fn oppose(a: &Words, b: &Words) -> Option<Opposed> {
    let common = a.in_common(b);
    let like = likeness(a, b);
    // The same few words say enough when there are no others: "is fun", "is not fun".
    let same_subject =
        (common >= super::FEWEST_WORDS && like >= super::SAME_SUBJECT) || (common > 0 && like >= 1.0);
    if a.forbids != b.forbids {
        let who = if a.forbids { Opposed::FirstForbids } else { Opposed::SecondForbids };
        return same_subject.then_some(who);
    }
    let is_enough = like >= SHARED_BY_OPPOSITES || (are_few(a) && are_few(b));
    let apart = |x: u64, y: u64| a.has(x) && b.has(y) && !a.has(y) && !b.has(x);
    let is = |x: u64, y: u64| a.quality == Some(x) && b.quality == Some(y);
    let found =
        opposites().iter().any(|&(x, y)| is(x, y) || is(y, x) || ((apart(x, y) || apart(y, x)) && is_enough));
    found.then_some(Opposed::Opposites)
}

/// Texts about the same thing share this of their words, where opposite words are to mean that they are against each other.
const SHARED_BY_OPPOSITES: f64 = 0.5;

/// Whether the words are so few that opposite ones among them say enough.
fn are_few(words: &Words) -> bool {
    words.len() <= super::FEWEST_WORDS
}

fn opposites() -> &'static [(u64, u64)] {
    static HASHES: OnceLock<Vec<(u64, u64)>> = OnceLock::new();
    HASHES.get_or_init(|| OPPOSITES.iter().map(|(x, y)| (word_hash(x), word_hash(y))).collect())
}

/// The same on every machine, and different for different words but once in some billions of pairs.
fn word_hash(word: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    word.hash(&mut hasher);
    hasher.finish()
}

/// For each text the earlier ones that it may say the same as, or the opposite: nothing that [`oppose`] or a [`likeness`]
/// of [`SAME_SUBJECT`](super::SAME_SUBJECT) finds is left out, and few others are in.
///
/// Two alike texts share one of their rarest words ("prefix filtering", Xiao et al. 2008, ppjoin). Shorter texts come
/// first, so of each text fewer words have to be remembered than looked up.
pub(super) fn comparable(texts: &[Words]) -> Vec<Vec<usize>> {
    let mut frequency: BTreeMap<u64, usize> = BTreeMap::new();
    for word in texts.iter().flat_map(|text| &text.subject) {
        *frequency.entry(*word).or_default() += 1;
    }
    let mut by_length: Vec<(usize, &Words)> = texts.iter().enumerate().collect();
    by_length.sort_by_key(|(_, text)| text.len());
    let (mut by_rare_word, mut by_opposite) = (Places::new(), Places::new());
    let mut found = vec![Vec::new(); texts.len()];
    for (n, text) in by_length {
        let mut rarest = text.subject.clone();
        rarest.sort_by_key(|word| (frequency.get(word).copied(), *word));
        let like = super::SAME_SUBJECT;
        let looked_up = rarest.iter().take(text.all_but(like)).filter_map(|word| by_rare_word.get(word));
        let opposed = text.opposites().flat_map(counterparts).filter_map(|word| by_opposite.get(&word));
        for m in looked_up.chain(opposed).flatten().copied() {
            if let Some(earlier) = found.get_mut(n.max(m)) {
                earlier.push(n.min(m));
            }
        }
        for word in rarest.iter().take(text.all_but(2.0 * like / (1.0 + like))) {
            by_rare_word.entry(*word).or_default().push(n);
        }
        for word in text.opposites() {
            by_opposite.entry(word).or_default().push(n);
        }
    }
    for earlier in &mut found {
        earlier.sort_unstable();
        earlier.dedup();
    }
    found
}

/// The texts that hold a word.
type Places = BTreeMap<u64, Vec<usize>>;

fn counterparts(word: u64) -> impl Iterator<Item = u64> {
    opposites().iter().filter_map(move |&(x, y)| match word {
        _ if word == x => Some(y),
        _ if word == y => Some(x),
        _ => None,
    })
}

/// What a text says that a response is: `brief` in "The response is brief: at most five sentences."
fn quality(text: &str) -> Option<String> {
    static PATTERN: OnceLock<Option<Regex>> = OnceLock::new();
    let pattern = r"^\W*((the|an?|each|every)\W+)?(response|answer|reply|assistant|ai)\W+(is|must be|should be|stays)\W+(?<quality>\w+)";
    let compiled = PATTERN.get_or_init(|| Regex::new(&format!("(?is){pattern}")).ok()).as_ref()?;
    Some(stem(&compiled.captures(text)?.name("quality")?.as_str().to_lowercase()))
}

/// Whether the text says that something is not to be.
pub(super) fn forbids(text: &str) -> bool {
    clauses(text).iter().any(|clause| main_words(clause).iter().any(|word| is_negation(word)))
}

fn is_negation(word: &str) -> bool {
    NEGATIONS.contains(&format!(" {word} "))
}

/// The words of a clause up to where a condition or a question begins: "it says what it does not know" forbids nothing.
/// A clause that begins with one ("when it is not sure, …") says when, and not what.
fn main_words(clause: &str) -> Vec<String> {
    let turns =
        |word: &String| matches!(word.as_str(), "what" | "when" | "whether" | "if" | "where" | "unless");
    words(clause).take_while(|word| !turns(word)).collect()
}

/// Whether the text also says what a good response does: enough words before a negation, or a clause without one.
pub(super) fn says_what_to_do(text: &str) -> bool {
    clauses(text).iter().enumerate().any(|(n, clause)| {
        let positive: Vec<String> = words(clause).take_while(|word| !is_negation(word)).collect();
        let does = |word: &String| matches!(word.as_str(), "it" | "response" | "assistant" | "answer" | "ai");
        let is_whole = n > 0 && positive.iter().any(does) && positive.len() == words(clause).count();
        Words::of(&positive.join(" ")).len() >= if is_whole { 1 } else { 2 }
    })
}

/// Whether the text says that something may be.
pub(super) fn permits(text: &str) -> bool {
    static PATTERN: OnceLock<Option<Regex>> = OnceLock::new();
    let pattern = r"\b(may|is allowed|are allowed|is permitted|are permitted|is fine|are fine|is acceptable|are acceptable|feel free|can freely|is okay|is ok)\b";
    matches(&PATTERN, pattern, text) && !forbids(text)
}

/// Whether a critique request presumes that there is something to find.
pub(super) fn is_leading(critique: &str) -> bool {
    static STRONGEST: OnceLock<Option<Regex>> = OnceLock::new();
    static LISTING: OnceLock<Option<Regex>> = OnceLock::new();
    static HOW: OnceLock<Option<Regex>> = OnceLock::new();
    static OPEN: OnceLock<Option<Regex>> = OnceLock::new();
    let bad = "(violat|harm|break|fail|wrong|bad|unethic|toxic|danger|offens|illegal|mislead|preach|biase?d|untru|\
               dishonest|racist|sexist|immoral|inappropriat|unkind|rude|impolite|insensitiv|overly|unsuitable|\
               not (be )?(suitable|appropriate)|problem|flaw|fault)";
    let strongest = r"\bstrongest (possible )?(argument|case|objection|evidence|criticism)";
    let verb = "(identify|list|find|point out|name|describe|discuss|enumerate|explain|critique|criticise|criticize|highlight|outline|show)";
    let fault = "(problems?|faults?|flaws?|mistakes?|violations?|errors?|shortcomings?|weaknesses)";
    let listing = format!(
        r"\b{verb}\b(\W+\w+){{0,4}}\W+(ways?|reasons?|respects|{fault})\b|\b{verb}\W+((all|any|the|those|specific|every)\W+)*(everything|anything|portions?|parts?|passages?|content|aspects?|instances?|examples?)\b[^.?!]*\b{bad}|\bwhat('s|’s|\W+(is|are|was|were))(\W+\w+){{0,3}}\W+(wrong|{fault})\b"
    );
    let how = format!(
        r"\b(how|why|in what ways?|in which ways?)\W+((do|does|did|is|was|are)\W+)?((the|this|your|assistant's|last)\W+)*(assistant|response|answer|reply|it)\b.*\b{bad}|\bhow\W+(can|could|should|might|would)\b[^.?!]*\b(improved?|better)\b"
    );
    let open = r"\b(whether|if any|if so|if it|if there|if none|if not|if the|is there|are there|are any)\b|(^|[.?!:]\s*)(do|does|did|is|are|was|were|has|have)\W+(the|this|that|it|its|any|some|there|these|they|an?|assistant)\b";
    let leads = matches(&LISTING, &listing, critique) || matches(&HOW, &how, critique);
    matches(&STRONGEST, strongest, critique) || (leads && !matches(&OPEN, open, critique))
}

/// The clauses of a text: what stands between its stops.
pub(super) fn clauses(text: &str) -> Vec<String> {
    let text = text.replace(" but ", ";").replace(" instead", ";").replace(", and ", ";");
    text.split(['.', ';', ':', '!', '?', '\n', ','])
        .map(|clause| clause.trim().to_owned())
        .filter(|clause| !clause.is_empty())
        .collect()
}

fn matches(cell: &'static OnceLock<Option<Regex>>, pattern: &str, text: &str) -> bool {
    let compiled = cell.get_or_init(|| Regex::new(&format!("(?is){pattern}")).ok());
    compiled.as_ref().is_some_and(|pattern| pattern.is_match(text))
}

fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric() && c != '\'' && c != '’')
        .map(|word| word.replace('’', "'").trim_matches('\'').to_lowercase())
        .filter(|word| !word.is_empty())
}

/// The word without the commonest English endings, so that `gives`, `giving` and `give` are one.
fn stem(word: &str) -> String {
    let cut = |ending: &str, least: usize| {
        word.strip_suffix(ending).filter(|rest| rest.chars().count() >= least).map(str::to_owned)
    };
    let bare =
        cut("ing", 3).or_else(|| cut("ed", 3)).or_else(|| cut("s", 3)).unwrap_or_else(|| word.to_owned());
    bare.strip_suffix('e').filter(|rest| rest.chars().count() >= 3).unwrap_or(&bare).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn nothing_that_matters_is_left_uncompared(
            texts in prop::collection::vec(prop::collection::vec(0_usize..12, 0..7), 0..24)
        ) {
            const VOCABULARY: [&str; 12] = ["never", "short", "detail", "the response is brief", "dogs", "cats", "birds",
                "formal", "casual", "fish", "horses", "response"];
            let texts: Vec<Words> = texts.iter().map(|words| {
                let text: Vec<&str> = words.iter().map(|n| VOCABULARY[*n]).collect();
                Words::of(&text.join(" "))
            }).collect();
            for (n, earlier) in comparable(&texts).iter().enumerate() {
                for (m, other) in texts.iter().enumerate().take(n) {
                    let matters = oppose(other, &texts[n]).is_some() || likeness(other, &texts[n]) >= super::super::SAME_SUBJECT;
                    prop_assert!(!matters || earlier.contains(&m), "{:?} and {:?}", other, texts[n]);
                }
            }
        }
    }

    #[test]
    fn thousands_of_principles_of_one_pattern_are_not_compared_each_with_each() {
        let text =
            |n: usize| format!("The response does not mention topic number {n} with the word w{n} in it.");
        let texts: Vec<Words> = (0..2_000).map(|n| Words::of(&text(n))).collect();
        let compared: usize = comparable(&texts).iter().map(Vec::len).sum();
        assert!(compared < 20 * texts.len(), "{compared} pairs");
    }

    #[test]
    fn endings_do_not_matter() {
        let check = |a: &str, b: &str| assert_eq!(stem(a), stem(b));
        check("gives", "giving");
        check("weapons", "weapon");
        check("instructions", "instruction");
        check("reveals", "revealed");
    }

    #[test]
    fn what_to_do_is_told_from_what_not_to_do() {
        let check = |text: &str| (forbids(text), says_what_to_do(text));
        assert_eq!(check("The response never insults anyone."), (true, false));
        assert_eq!(check("The response gives no dangerous instructions."), (true, false));
        assert_eq!(
            check("The response never insults anyone; it speaks respectfully to the reader."),
            (true, true)
        );
        assert_eq!(check("The response helps with the whole task, without a lecture."), (true, true));
        assert_eq!(check("The response treats groups fairly."), (false, true));
        assert!(!check("The AI should be honest about what it doesn't know.").0);
        assert!(!check("The AI should admit when it is not sure.").0);
        assert_eq!(check("When a person is not an adult, the response never flirts."), (true, false));
        assert_eq!(check("The response never insults anyone, on any topic."), (true, false));
        assert_eq!(check("The response invents no packages; when unsure it says so."), (true, true));
    }
}
