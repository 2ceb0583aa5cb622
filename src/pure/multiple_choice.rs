//! A multiple-choice question: a prompt, right and wrong answers, and the letters that answers are chosen by.
//!
//! Rows become questions in [`crate::runtime::dataset::multiple_choice`]; a model is asked in [`crate::pure::method`].

use crate::pure::digest::Parts;
use crate::pure::prompt::{Prompt, PromptId};

/// The column of right answers.
pub const CORRECTS: &str = "corrects";
/// The column of wrong answers.
pub const INCORRECTS: &str = "incorrects";
/// Options are lettered (A) to (Z).
const MOST_OPTIONS: usize = 26;

/// A question with right and wrong answers: at least one of each, no two the same, as many as there are letters at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The question, or a conversation that ends in one.
    pub prompt: Prompt,
    /// Right answers first, then wrong ones.
    options: Vec<Choice>,
    /// Whether the answers are the letters of options that the question itself lists.
    pub lettered: bool,
}

/// An answer that can be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Its text, as the file has it.
    pub text: String,
    /// Whether it is right.
    pub right: bool,
}

impl Question {
    /// A question; `Err` says what is wrong with its answers.
    pub fn new(prompt: Prompt, corrects: Vec<String>, incorrects: Vec<String>) -> Result<Self, String> {
        for (name, texts) in [(CORRECTS, &corrects), (INCORRECTS, &incorrects)] {
            if texts.is_empty() {
                return Err(format!(
                    "`{name}` is empty: a question has at least one right and one wrong answer"
                ));
            }
            if texts.iter().any(|text| text.trim().is_empty()) {
                return Err(format!("an answer in `{name}` is empty"));
            }
        }
        let of = |texts: Vec<String>, right: bool| texts.into_iter().map(move |text| Choice { text, right });
        let options: Vec<Choice> = of(corrects, true).chain(of(incorrects, false)).collect();
        if options.len() > MOST_OPTIONS {
            return Err(format!("there are {} answers, more than the letters A to Z", options.len()));
        }
        let mut texts: Vec<&str> = options.iter().map(|option| option.text.trim()).collect();
        texts.sort_unstable();
        if texts.windows(2).any(|two| two.first() == two.last()) {
            return Err("two answers are the same".into());
        }
        let lettered = are_letters(&options)?;
        Ok(Self { prompt, options, lettered })
    }

    /// What tells the question from every other, also from one that has the same prompt and other answers.
    pub fn id(&self) -> PromptId {
        let parts = Parts::new("question").with(&self.prompt.id.0);
        let add = |parts: Parts, option: &Choice| parts.with(&option.text).with([u8::from(option.right)]);
        PromptId(self.options.iter().fold(parts, add).short())
    }

    /// The answers in the order in which they are shown, whatever order the file has. Letters that the question itself
    /// lists stand at their places; texts are shuffled by the seed, so that no place is right more often.
    pub fn shown(&self, seed: u64) -> Vec<Choice> {
        let mut options = self.options.clone();
        if self.lettered {
            options.sort_by_key(|option| option_letter(&option.text));
        } else {
            let place = Parts::new("option").with_u64(seed).with(&self.prompt.id.0);
            options.sort_by_key(|option| (place.clone().with(&option.text).uniform(), option.text.clone()));
        }
        options
    }
}

/// Whether the answers are the first letters, each once. Bracketed letters that are not cannot be put in their places.
fn are_letters(options: &[Choice]) -> Result<bool, String> {
    let letters = options.iter().map(|option| option_letter(&option.text)).collect::<Option<Vec<char>>>();
    let Some(mut letters) = letters else { return Ok(false) };
    letters.sort_unstable();
    letters.dedup();
    if letters.iter().copied().eq(('A'..='Z').take(options.len())) {
        return Ok(true);
    }
    if options.iter().all(|option| option.text.trim().starts_with('(')) {
        return Err(format!(
            "the answers are letters, but not (A) and on, each once, as {} answers need",
            options.len()
        ));
    }
    Ok(false)
}

/// The letter that a text is, whatever stands around it: ` (A)`, `(A`, `**A**`, `A.`
pub(crate) fn option_letter(text: &str) -> Option<char> {
    let bare = text.trim_matches(|c: char| c.is_whitespace() || "()[]*_`\"'.,:".contains(c));
    let mut chars = bare.chars();
    chars.next().filter(|letter| letter.is_ascii_uppercase() && chars.next().is_none())
}
