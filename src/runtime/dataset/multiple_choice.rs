//! Multiple-choice questions in: rows as the paper's evaluation sets have them, and other public sets; see
//! [`choice_columns`](super::choice_columns).
//!
//! A row that makes no question is a [`Reject`] with its line and a reason code. Pure: who asks is not decided here.

use super::choice_columns::ChoiceColumns;
use super::prompts::{BadPrompt, of_value};
use super::readers::Row;
use crate::pure::multiple_choice::Question;
use crate::pure::prompt::Prompt;
use crate::pure::reason::Reason;
use crate::pure::reject::Reject;
use serde_json::Value;

/// A row's question, or why it has none.
pub fn read(row: &Row, columns: &ChoiceColumns) -> Result<Question, Reject> {
    let reject =
        |BadPrompt { reason, detail }| Reject { prompt_id: None, at: Some(row.at.clone()), reason, detail };
    let read = || {
        let column = columns.question_in(&row.columns)?;
        let held = row.columns.get(column).unwrap_or(&Value::Null);
        let prompt = Prompt::new(of_value(column, &as_list(held), false)?, None, None);
        let (corrects, incorrects) = columns.answers_in(&row.columns)?;
        Question::new(prompt, corrects, incorrects).map_err(|why| BadPrompt::new(Reason::BadOptions, why))
    };
    read().map_err(reject)
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
                &ChoiceColumns::default(),
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
            let columns = ChoiceColumns { question: Some("q".into()), ..ChoiceColumns::default() };
            let question = read(&row, &columns).unwrap();
            assert_eq!((question.prompt.messages.len(), question.lettered), (3, false));
        }
    }

    #[test]
    fn what_makes_no_question_is_a_reject_with_its_line_and_reason() {
        let check = |columns: Value, reason: &str, says: &str| {
            let reject = read(&row(&columns), &ChoiceColumns::default()).unwrap_err();
            assert_eq!(
                (reject.at.as_deref(), reject.reason.as_str()),
                (Some("set.jsonl:3"), reason),
                "{columns}"
            );
            assert!(reject.detail.contains(says), "{}", reject.detail);
        };
        let with = |corrects: Value, incorrects: Value| json!({ "prompt": "Which?", "corrects": corrects, "incorrects": incorrects });
        check(json!({ "corrects": ["a"], "incorrects": ["b"] }), "missing-column", "`prompt`");
        check(json!({ "prompt": "Which?", "corrects": ["a"] }), "missing-column", "the options");
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
