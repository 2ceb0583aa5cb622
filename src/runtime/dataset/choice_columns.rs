//! Where the rows of multiple-choice sets have their question, their options and the right one. Pure.
//!
//! Known by themselves: the paper's `corrects` and `incorrects`, anthropics/evals (`answer_matching_behavior`), MMLU (`choices`
//! and the place of the right one, or columns `A` to `D`), ARC (`choices` with labels and `answerKey`), TruthfulQA
//! (`mc1_targets`, or its table of best and incorrect answers), RewardBench (`chosen` and `rejected`). Other sets name
//! their columns.

use super::prompts::BadPrompt;
use super::readers::type_name;
use crate::pure::multiple_choice::{CORRECTS, INCORRECTS};
use crate::pure::reason::Reason;
use serde_json::{Map, Value};

/// The columns that a user names; the others are found by their names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChoiceColumns {
    /// The question.
    pub question: Option<String>,
    /// All options: a list, or texts with labels.
    pub choices: Option<String>,
    /// The right option: its place from 0, its letter, its label or its text.
    pub answer: Option<String>,
}

type Columns = Map<String, Value>;

/// Right and wrong answers.
pub(super) type Answers = (Vec<String>, Vec<String>);

const QUESTIONS: [&str; 5] = ["prompt", "question", "Question", "query", "input"];
const CHOICES: [&str; 3] = ["choices", "options", "endings"];
const ANSWERS: [&str; 7] =
    ["answer", "answerKey", "answer_index", "answer_idx", "label", "target", "correct"];
const LETTERS: [&str; 10] = ["A", "B", "C", "D", "E", "F", "G", "H", "I", "J"];

/// Two columns that hold right and wrong answers by themselves.
const PAIRS: [(&str, &str); 3] = [
    (CORRECTS, INCORRECTS),
    ("answer_matching_behavior", "answer_not_matching_behavior"),
    ("chosen", "rejected"),
];

/// TruthfulQA's table: answers of a column stand between semicolons.
const BEST: &str = "Best Answer";
const WRONG: &str = "Incorrect Answers";

impl ChoiceColumns {
    /// The columns by which the header of a nameless table is known.
    pub fn known(&self) -> Vec<&str> {
        let named = [&self.question, &self.choices, &self.answer].into_iter().flatten().map(String::as_str);
        let pairs = PAIRS.iter().flat_map(|(right, wrong)| [*right, *wrong]);
        named.chain(QUESTIONS).chain(CHOICES).chain(pairs).collect()
    }

    /// Whether rows with these columns hold questions. `Err` says what is missing.
    pub fn fit(&self, columns: &[String]) -> Result<(), String> {
        let row: Columns = columns.iter().map(|name| (name.clone(), Value::Bool(true))).collect();
        self.question_in(&row).map_err(|bad| bad.detail)?;
        self.form_of(&row).map(|_| ()).map_err(|bad| bad.detail)
    }

    /// The column of a row's question.
    pub(super) fn question_in<'a>(&'a self, row: &Columns) -> Result<&'a str, BadPrompt> {
        column(row, self.question.as_deref(), &QUESTIONS, "a question")
    }

    /// A row's right and wrong answers.
    pub(super) fn answers_in(&self, row: &Columns) -> Result<Answers, BadPrompt> {
        match self.form_of(row)? {
            Form::Apart(right, wrong) => Ok((texts(row, right)?, texts(row, wrong)?)),
            Form::Table => Ok((texts(row, BEST)?, between_semicolons(row, WRONG)?)),
            Form::Targets => labelled(row, "mc1_targets"),
            Form::Lettered(answer) => {
                let held =
                    LETTERS.iter().filter(|letter| row.get(**letter).is_some_and(|held| !held.is_null()));
                let options =
                    held.map(|letter| Ok(texts(row, letter)?.concat())).collect::<Result<Vec<_>, _>>()?;
                chosen(options, &[], value(row, answer)?)
            }
            Form::Listed(choices, answer) => {
                let (options, labels) = options(row, choices)?;
                chosen(options, &labels, value(row, answer)?)
            }
        }
    }

    fn form_of<'a>(&'a self, row: &Columns) -> Result<Form<'a>, BadPrompt> {
        let has = |name: &str| row.get(name).is_some_and(|held| !held.is_null());
        let is_named = self.choices.is_some() || self.answer.is_some();
        if let Some((right, wrong)) =
            PAIRS.iter().find(|(right, wrong)| !is_named && has(right) && has(wrong))
        {
            return Ok(Form::Apart(right, wrong));
        }
        if !is_named && has("mc1_targets") {
            return Ok(Form::Targets);
        }
        if !is_named && has(BEST) && has(WRONG) {
            return Ok(Form::Table);
        }
        if self.choices.is_none() && has("A") && has("B") && !CHOICES.iter().any(|name| has(name)) {
            return Ok(Form::Lettered(column(row, self.answer.as_deref(), &ANSWERS, "the right answer")?));
        }
        Ok(Form::Listed(
            column(row, self.choices.as_deref(), &CHOICES, "the options")?,
            column(row, self.answer.as_deref(), &ANSWERS, "the right answer")?,
        ))
    }
}

/// How a row holds its answers.
enum Form<'a> {
    /// Right and wrong ones in two columns.
    Apart(&'a str, &'a str),
    /// Options in one column, the right one in another.
    Listed(&'a str, &'a str),
    /// Options in columns `A`, `B` and so on, the right one in another.
    Lettered(&'a str),
    /// TruthfulQA's options with a 1 for the right one.
    Targets,
    /// TruthfulQA's table.
    Table,
}

/// The column that is named, or the first known one that the row has.
fn column<'a>(
    row: &Columns,
    named: Option<&'a str>,
    known: &[&'a str],
    what: &str,
) -> Result<&'a str, BadPrompt> {
    let has = |name: &&str| row.get(*name).is_some_and(|held| !held.is_null());
    match named {
        Some(name) if has(&name) => Ok(name),
        Some(name) => {
            Err(BadPrompt::new(Reason::MissingColumn, format!("the row has no column `{name}` with {what}")))
        }
        None => known.iter().copied().find(has).ok_or_else(|| {
            let names = known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            BadPrompt::new(Reason::MissingColumn, format!("no column is known to hold {what} ({names})"))
        }),
    }
}

fn value<'a>(row: &'a Columns, name: &str) -> Result<&'a Value, BadPrompt> {
    row.get(name)
        .filter(|held| !held.is_null())
        .ok_or_else(|| BadPrompt::new(Reason::MissingColumn, format!("the row has no column `{name}`")))
}

fn wrong(name: &str, found: &str) -> BadPrompt {
    BadPrompt::new(Reason::WrongType, format!("column `{name}` holds {found}, not a list of texts"))
}

/// A list of texts: a list, a list in JSON (CSV has no lists of its own), one text, or the last turn of a conversation.
fn texts(row: &Columns, name: &str) -> Result<Vec<String>, BadPrompt> {
    match value(row, name)? {
        Value::String(text) if text.trim_start().starts_with('[') => {
            let items: Result<Vec<Value>, _> = serde_json::from_str(text);
            list(name, &items.map_err(|_| wrong(name, "a text that begins with `[` and is no JSON list"))?)
        }
        Value::String(text) => Ok(vec![text.clone()]),
        Value::Array(items) => list(name, items),
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) => {
            Err(wrong(name, type_name(other)))
        }
    }
}

fn list(name: &str, items: &[Value]) -> Result<Vec<String>, BadPrompt> {
    if let Some(Value::Object(turn)) = items.last()
        && let Some(Value::String(content)) = turn.get("content")
    {
        return Ok(vec![content.clone()]);
    }
    let texts = items.iter().map(|item| item.as_str().map(str::to_owned));
    texts.collect::<Option<Vec<_>>>().ok_or_else(|| wrong(name, "a list of other things"))
}

fn between_semicolons(row: &Columns, name: &str) -> Result<Vec<String>, BadPrompt> {
    let held = texts(row, name)?.concat();
    Ok(held.split(';').map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned).collect())
}

/// Options, and the labels that belong to them where there are any.
fn options(row: &Columns, name: &str) -> Result<(Vec<String>, Vec<String>), BadPrompt> {
    let held = value(row, name)?;
    let parsed = held.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
    let Value::Object(fields) = parsed.as_ref().filter(|parsed| parsed.is_object()).unwrap_or(held) else {
        return Ok((texts(row, name)?, Vec::new()));
    };
    let of = |keys: [&str; 2]| {
        let items = keys.iter().find_map(|key| fields.get(*key)).and_then(Value::as_array);
        items.map(|items| list(name, items)).transpose()
    };
    if let Some(texts) = of(["text", "choices"])? {
        return Ok((texts, of(["label", "labels"])?.unwrap_or_default()));
    }
    // `{"A": "one", "B": "two"}`
    let texts = fields.values().map(|held| held.as_str().map(str::to_owned)).collect::<Option<_>>();
    Ok((texts.ok_or_else(|| wrong(name, "an object"))?, fields.keys().cloned().collect()))
}

/// Options with a 1 for each right one (`{"choices": [...], "labels": [1, 0, 0]}`).
fn labelled(row: &Columns, name: &str) -> Result<Answers, BadPrompt> {
    let held = value(row, name)?;
    let parsed = held.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
    let held = parsed.as_ref().unwrap_or(held);
    let (Some(choices), Some(labels)) = (held["choices"].as_array(), held["labels"].as_array()) else {
        return Err(wrong(name, "no `choices` and `labels`"));
    };
    let texts = list(name, choices)?;
    let is_right = |n: usize| labels.get(n).and_then(Value::as_f64) == Some(1.0);
    let (right, wrong): (Vec<_>, Vec<_>) = texts.into_iter().enumerate().partition(|(n, _)| is_right(*n));
    let bare = |some: Vec<(usize, String)>| some.into_iter().map(|(_, text)| text).collect();
    Ok((bare(right), bare(wrong)))
}

/// The option that an answer means: by its label, its letter, its place from 0, or its text.
fn chosen(options: Vec<String>, labels: &[String], answer: &Value) -> Result<Answers, BadPrompt> {
    let said = match answer {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            let found = format!("the right answer is {}, not a text or a number", type_name(answer));
            return Err(BadPrompt::new(Reason::WrongType, found));
        }
    };
    let bare = said.trim_matches(['(', ')', '.', ' ']);
    let by_label = labels.iter().position(|label| label.trim() == bare);
    let by_letter = LETTERS.iter().position(|letter| letter.eq_ignore_ascii_case(bare));
    let by_place = bare.parse::<usize>().ok();
    let by_text = options.iter().position(|option| option.trim() == said);
    let place = by_label.or(by_text).or(by_letter).or(by_place).filter(|place| *place < options.len());
    let Some(place) = place else {
        return Err(BadPrompt::new(
            Reason::BadOptions,
            "the right answer names none of the options by label, letter, place from 0 or text",
        ));
    };
    let (right, wrong): (Vec<_>, Vec<_>) = options.into_iter().enumerate().partition(|(n, _)| *n == place);
    let bare = |some: Vec<(usize, String)>| some.into_iter().map(|(_, text)| text).collect();
    Ok((bare(right), bare(wrong)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(columns: &ChoiceColumns, row: &Value) -> Result<(String, Vec<String>, Vec<String>), String> {
        let row = row.as_object().unwrap();
        let question = columns.question_in(row).map_err(|bad| bad.detail)?;
        let (right, wrong) = columns.answers_in(row).map_err(|bad| bad.detail)?;
        Ok((question.to_owned(), right, wrong))
    }

    /// Each public set in a row as it is published.
    #[test]
    fn public_sets_are_known_by_their_columns() {
        let check = |row: Value, question: &str, right: &str, wrong: &[&str]| {
            let (found, rights, wrongs) = read(&ChoiceColumns::default(), &row).unwrap();
            assert_eq!((found.as_str(), rights.concat().as_str()), (question, right), "{row}");
            assert_eq!(wrongs, wrong, "{row}");
        };
        check(json!({"prompt": "p", "corrects": ["r"], "incorrects": ["w"]}), "prompt", "r", &["w"]);
        check(
            json!({"question": "q\\n (A) x\\n (B) y", "answer_matching_behavior": " (A)", "answer_not_matching_behavior": " (B)"}),
            "question",
            " (A)",
            &[" (B)"],
        );
        // MMLU: from the hub, and as a table with a header.
        check(
            json!({"question": "q", "subject": "s", "choices": ["w", "r", "v", "u"], "answer": 1}),
            "question",
            "r",
            &["w", "v", "u"],
        );
        check(
            json!({"question": "q", "A": "w", "B": "v", "C": "r", "D": "u", "answer": "C"}),
            "question",
            "r",
            &["w", "v", "u"],
        );
        // ARC, with letters and with numbers for labels.
        check(
            json!({"id": "1", "question": "q", "choices": {"text": ["w", "r"], "label": ["A", "B"]}, "answerKey": "B"}),
            "question",
            "r",
            &["w"],
        );
        check(
            json!({"question": "q", "choices": {"text": ["r", "w"], "label": ["1", "2"]}, "answerKey": "1"}),
            "question",
            "r",
            &["w"],
        );
        // TruthfulQA from the hub, and its table.
        check(
            json!({"question": "q", "mc1_targets": {"choices": ["w", "r", "v"], "labels": [0, 1, 0]}, "mc2_targets": {}}),
            "question",
            "r",
            &["w", "v"],
        );
        check(
            json!({"Question": "q", "Best Answer": "r", "Correct Answers": "r; s", "Incorrect Answers": "w; v"}),
            "Question",
            "r",
            &["w", "v"],
        );
        // RewardBench, and a pair of conversations.
        check(json!({"prompt": "p", "chosen": "r", "rejected": "w"}), "prompt", "r", &["w"]);
        let turns =
            |text: &str| json!([{"role": "user", "content": "p"}, {"role": "assistant", "content": text}]);
        check(json!({"prompt": "p", "chosen": turns("r"), "rejected": turns("w")}), "prompt", "r", &["w"]);
        check(json!({"input": "q", "options": "[\"w\", \"r\"]", "target": "r"}), "input", "r", &["w"]);
        check(
            json!({"question": "q", "options": {"A": "r", "B": "w"}, "answer_idx": "A"}),
            "question",
            "r",
            &["w"],
        );
    }

    #[test]
    fn columns_that_are_named_count_and_what_is_missing_is_told() {
        let named = ChoiceColumns {
            question: Some("ask".into()),
            choices: Some("some".into()),
            answer: Some("key".into()),
        };
        let row =
            json!({"ask": "q", "some": ["w", "r"], "key": "(b)", "corrects": ["x"], "incorrects": ["y"]});
        assert_eq!(read(&named, &row), Ok(("ask".into(), vec!["r".into()], vec!["w".into()])));
        let says = |columns: &ChoiceColumns, row: Value, part: &str| {
            let why = read(columns, &row).unwrap_err();
            assert!(why.contains(part), "{why}");
        };
        says(&named, json!({"ask": "q", "some": ["w"]}), "no column `key` with the right answer");
        let plain = ChoiceColumns::default();
        says(&plain, json!({"question": "q"}), "no column is known to hold the options");
        says(
            &plain,
            json!({"question": "q", "choices": ["w", "r"], "answer": 2}),
            "names none of the options",
        );
        says(&plain, json!({"question": "q", "choices": 3, "answer": 0}), "`choices` holds a number");
        assert_eq!(plain.fit(&["question".into(), "choices".into(), "answer".into()]), Ok(()));
        assert!(plain.fit(&["question".into()]).is_err());
    }
}
