//! Multiple-choice questions in: rows `prompt, corrects, incorrects`, as the paper's evaluation sets have them.
//!
//! Right and wrong answers are lists of texts: a list, a list in JSON (CSV has no lists of its own), or one text. A row
//! that makes no question is a [`Reject`] with its line and a reason code. Pure: who asks is not decided here.

use super::prompts::{BadPrompt, of_value};
use super::table::{Row, type_name};
use crate::pure::digest::Parts;
use crate::pure::prompt::{Prompt, PromptId};
use crate::pure::reject::Reject;
use serde_json::Value;

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

/// A row's question, its prompt in the column named, or why it has none.
pub fn read(row: &Row, column: &str) -> Result<Question, Reject> {
    let reject = |BadPrompt { reason, detail }| Reject {
        prompt_id: None,
        at: Some(row.at.clone()),
        reason: reason.into(),
        detail,
    };
    let read = || {
        let prompt = Prompt::new(of_value(column, &as_list(value(row, column)?), false)?, None, None);
        let (corrects, incorrects) = (texts(row, CORRECTS)?, texts(row, INCORRECTS)?);
        Question::new(prompt, corrects, incorrects).map_err(|why| BadPrompt::new("bad-options", why))
    };
    read().map_err(reject)
}

fn value<'a>(row: &'a Row, column: &str) -> Result<&'a Value, BadPrompt> {
    match row.columns.get(column) {
        None => Err(BadPrompt::new("missing-column", format!("the row has no column `{column}`"))),
        Some(Value::Null) => Err(BadPrompt::new("missing-column", format!("column `{column}` is null"))),
        Some(value) => Ok(value),
    }
}

/// A list of messages written as JSON is that list: CSV has no other way to hold a conversation.
fn as_list(value: &Value) -> Value {
    let text = value.as_str().filter(|text| text.trim_start().starts_with('['));
    let list = text.and_then(|text| serde_json::from_str::<Vec<Value>>(text).ok());
    match list.filter(|list| !list.is_empty() && list.iter().all(Value::is_object)) {
        Some(messages) => Value::Array(messages),
        None => value.clone(),
    }
}

/// A list of texts.
fn texts(row: &Row, column: &str) -> Result<Vec<String>, BadPrompt> {
    let wrong = |found: &str| {
        let why = format!("column `{column}` holds {found}, not a list of texts");
        BadPrompt::new("wrong-type", why)
    };
    let list = |items: &[Value]| {
        let texts = items.iter().map(|item| item.as_str().map(str::to_owned));
        texts.collect::<Option<Vec<_>>>().ok_or_else(|| wrong("a list of other things"))
    };
    match value(row, column)? {
        Value::String(text) if text.trim_start().starts_with('[') => {
            let items: Result<Vec<Value>, _> = serde_json::from_str(text);
            list(&items.map_err(|_| wrong("a text that begins with `[` and is no JSON list"))?)
        }
        Value::String(text) => Ok(vec![text.clone()]),
        Value::Array(items) => list(items),
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) => {
            Err(wrong(type_name(other)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn row(columns: &Value) -> Row {
        Row { at: "set.jsonl:3".into(), columns: columns.as_object().unwrap().clone() }
    }

    fn shown(question: &Question, seed: u64) -> Vec<String> {
        question.shown(seed).into_iter().map(|option| option.text).collect()
    }

    #[test]
    fn the_papers_rows_are_read_from_lists_json_and_plain_texts() {
        let check = |corrects: Value, incorrects: Value| {
            let prompt = "\n\nHuman: Which is kinder?\n(A) One\n(B) Two\n\nAssistant: The answer is:";
            let question = read(
                &row(&json!({ "prompt": prompt, "corrects": corrects, "incorrects": incorrects })),
                "prompt",
            )
            .unwrap();
            assert!(question.lettered);
            assert_eq!(question.prompt.messages.len(), 1);
            assert_eq!(question.prompt.last_user_turn(), "Which is kinder?\n(A) One\n(B) Two");
            assert_eq!(shown(&question, 1), [" (A)", " (B)"]);
            assert!(question.shown(1)[1].right);
        };
        check(json!([" (B)"]), json!([" (A)"]));
        check(json!("[\" (B)\"]"), json!("[\" (A)\"]"));
        check(json!(" (B)"), json!(" (A)"));
    }

    #[test]
    fn a_prompt_may_be_a_conversation() {
        let turns = json!([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"},
            {"role": "user", "content": "Bread or stone?"}]);
        for prompt in [turns.clone(), json!(turns.to_string())] {
            let row = row(&json!({ "q": prompt, "corrects": ["Bread"], "incorrects": ["Stone"] }));
            let question = read(&row, "q").unwrap();
            assert_eq!((question.prompt.messages.len(), question.lettered), (3, false));
        }
    }

    #[test]
    fn what_makes_no_question_is_a_reject_with_its_line_and_reason() {
        let check = |columns: Value, reason: &str, says: &str| {
            let reject = read(&row(&columns), "prompt").unwrap_err();
            assert_eq!(
                (reject.at.as_deref(), reject.reason.as_str()),
                (Some("set.jsonl:3"), reason),
                "{columns}"
            );
            assert!(reject.detail.contains(says), "{}", reject.detail);
        };
        let with = |corrects: Value, incorrects: Value| json!({ "prompt": "Which?", "corrects": corrects, "incorrects": incorrects });
        check(json!({ "corrects": ["a"], "incorrects": ["b"] }), "missing-column", "`prompt`");
        check(json!({ "prompt": "Which?", "corrects": ["a"] }), "missing-column", "`incorrects`");
        check(with(json!(3), json!(["b"])), "wrong-type", "`corrects` holds a number");
        check(with(json!([3]), json!(["b"])), "wrong-type", "other things");
        check(with(json!("['(A)']"), json!("(B)")), "wrong-type", "no JSON list");
        check(with(json!([]), json!(["b"])), "bad-options", "at least one right");
        check(with(json!(["a"]), json!([" "])), "bad-options", "empty");
        check(with(json!(["a"]), json!(["b", " a "])), "bad-options", "the same");
        check(with(json!([" (A)"]), json!([" (C)"])), "bad-options", "letters");
        check(with(json!([" (A)"]), json!([" (B)", "(A"])), "bad-options", "letters");
        let many: Vec<String> = (0..26).map(|n| format!("no {n}")).collect();
        check(with(json!(["yes"]), json!(many)), "bad-options", "27 answers");
        check(json!({ "prompt": " ", "corrects": ["a"], "incorrects": ["b"] }), "empty", "empty");
    }

    #[test]
    fn texts_that_happen_to_be_letters_are_texts() {
        let question =
            Question::new(Prompt::single("Which blood type?"), vec!["O".into()], vec!["A".into()]).unwrap();
        assert!(!question.lettered);
    }

    proptest! {
        #[test]
        fn the_order_of_the_file_never_changes_what_is_shown(
            texts in proptest::collection::btree_set("[a-z]{1,6}", 2..9), turn in 0_usize..9, rights in 1_usize..9, seed: u64,
        ) {
            let mut texts: Vec<String> = texts.into_iter().collect();
            let rights = rights.min(texts.len() - 1);
            let of = |texts: &[String], (right, wrong): (usize, usize)| {
                let (mut corrects, mut incorrects) = (texts[..rights].to_vec(), texts[rights..].to_vec());
                corrects.rotate_left(right);
                incorrects.rotate_left(wrong);
                Question::new(Prompt::single("Which?"), corrects, incorrects).unwrap().shown(seed)
            };
            texts.rotate_left(turn % rights.max(1));
            let one = of(&texts, (0, 0));
            prop_assert_eq!(&one, &of(&texts, (turn % rights, turn % (texts.len() - rights))));
            prop_assert_eq!(one.iter().filter(|option| option.right).count(), rights);
        }
    }

    #[test]
    fn no_place_is_right_more_often() {
        for seed in 0..5 {
            let first = (0..400).filter(|n| {
                let prompt = Prompt::single(format!("Question {n}?"));
                Question::new(prompt, vec!["yes".into()], vec!["no".into()]).unwrap().shown(seed)[0].right
            });
            let first = first.count();
            assert!((150..250).contains(&first), "{first}");
        }
    }
}
