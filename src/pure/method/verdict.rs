//! Reads verdicts out of what a critic wrote. Pure, tolerant of form, and it never guesses: what is not plainly a
//! verdict is `None`, and the caller asks again or counts it as undecided.
//!
//! A critique may hold any number of *statements*: a JSON object with a `verdict`, or a line such as `Verdict: conforms`.
//! What the critic quotes is no statement: a line that stands in the response, a quoted line, a fenced block. Two statements
//! that differ are no verdict.

use crate::pure::text::loose_json;
use crate::pure::transcript::Verdict;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

/// A critique taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The critique without its verdict line; the `critique` field of a structured one.
    pub text: String,
    /// The verdict, if there is exactly one that can be meant.
    pub verdict: Option<Verdict>,
}

/// Reads a critique of `response`: a JSON object with a `verdict`, or a text with a verdict line at its end or its
/// beginning. What the critic quotes from the response decides nothing.
pub fn read_critique(answer: &str, response: &str) -> Reading {
    let objects = verdict_objects(answer, response);
    let prose = without_spans(answer, &objects);
    let from_lines = read_lines(&prose, response);
    let Some(object) = objects.first() else {
        return Reading { text: from_lines.text, verdict: from_lines.verdict.decided() };
    };
    let in_objects = objects.iter().map(|object| object.verdict);
    let all_agree = in_objects.clone().all(|verdict| verdict == object.verdict);
    let lines_agree = match from_lines.verdict {
        Stated::Nothing => true,
        Stated::One(verdict) => Some(verdict) == object.verdict,
        Stated::Unclear => false,
    };
    let text = if object.critique.is_empty() { from_lines.text } else { object.critique.clone() };
    Reading { text, verdict: object.verdict.filter(|_| all_agree && lines_agree) }
}

/// Reads the answer to a request for the verdict alone: here the bare word will do, if there is nothing else.
pub fn read_verdict(answer: &str) -> Option<Verdict> {
    read_critique(answer, "").verdict.or_else(|| {
        let plain = plain_lines(answer);
        let mut lines = plain.iter().filter(|line| says_something(line));
        let first = read_word(lines.next()?)?;
        lines.all(|line| is_courtesy(line)).then_some(first)
    })
}

/// Reads a screening: a verdict per principle id, in the order of `ids`; `None` where there is none, or two that differ.
pub fn read_screen(answer: &str, ids: &[&str]) -> Vec<Option<Verdict>> {
    if let Some(object) = screen_object(answer, ids) {
        return ids.iter().map(|id| object.get(*id).and_then(Value::as_str).and_then(read_word)).collect();
    }
    let lines: Vec<(String, Option<Verdict>)> = answer.lines().filter_map(read_screen_line).collect();
    ids.iter()
        .map(|id| {
            let mut found = lines.iter().filter(|(name, _)| name == id).map(|(_, verdict)| *verdict);
            let first = found.next()??;
            found.all(|other| other == Some(first)).then_some(first)
        })
        .collect()
}

/// `[id] verdict`, with or without list marks, brackets, bold and a colon.
fn read_screen_line(line: &str) -> Option<(String, Option<Verdict>)> {
    let line = line.trim_start_matches(|c: char| c.is_ascii_digit() || ".)-*•[`_ \t|\"".contains(c));
    let end = line.find(|c: char| !(c.is_alphanumeric() || c == '-' || c == '_'))?;
    let (id, rest) = line.split_at(end);
    let rest = rest.trim_start_matches(|c: char| "]`*_:：=-–—| \t\"".contains(c));
    (!id.is_empty()).then(|| (id.to_owned(), read_word(rest)))
}

/// The object of a screening: the first in the answer that names a principle.
fn screen_object(answer: &str, ids: &[&str]) -> Option<serde_json::Map<String, Value>> {
    objects_in(answer).find_map(|(_, text)| match loose_json::parse(text).ok()?.value {
        Value::Object(object) if ids.iter().any(|id| object.contains_key(*id)) => Some(object),
        _ => None,
    })
}

/// A JSON object that states a verdict, or tries to.
#[derive(Debug)]
struct VerdictObject {
    /// Bytes of the answer that it stands in.
    span: std::ops::Range<usize>,
    critique: String,
    /// `None` where the word is no verdict, two fields differ, or the critique is a placeholder.
    verdict: Option<Verdict>,
}

fn verdict_objects(answer: &str, response: &str) -> Vec<VerdictObject> {
    let response = one_line(response);
    let stated = objects_in(answer).filter(|(_, text)| !stands_in(text, &response));
    stated.filter_map(|(span, text)| VerdictObject::read(span, text)).collect()
}

impl VerdictObject {
    fn read(span: std::ops::Range<usize>, text: &str) -> Option<Self> {
        let fields = serde_json::from_str::<Fields>(text);
        let Fields(mut fields) = fields.or_else(|_| serde_json::from_str(&loose_json::mended(text))).ok()?;
        // Some judges put the object into another one: {"review": {…}}.
        if let [(_, Value::Object(inner))] = fields.as_slice() {
            fields = inner.clone().into_iter().collect();
        }
        let named = |name: &str| {
            let name = name.to_owned();
            fields.iter().filter(move |(key, _)| bare(key) == name).map(|(_, value)| value)
        };
        let mut words = named("verdict").chain(named("final verdict")).chain(named("final_verdict"));
        let first = words.next()?;
        let is_one = words.all(|other| other == first);
        let critiques = ["critique", "review", "reasoning", "explanation", "reason"];
        let critique =
            critiques.into_iter().find_map(|name| named(name).next()?.as_str()).unwrap_or_default();
        let verdict = first.as_str().filter(|_| is_one && !is_placeholder(critique)).and_then(read_word);
        Some(Self { span, critique: critique.trim().to_owned(), verdict })
    }
}

/// The fields of a JSON object in their order, repeated ones too.
struct Fields(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AllFields;
        impl<'de> Visitor<'de> for AllFields {
            type Value = Fields;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(AllFields)
    }
}

/// Most beginnings of an object that are looked at: a hostile answer may hold thousands.
const MOST_OBJECTS: usize = 64;

/// The outermost brace-delimited stretches of a text, with their places.
fn objects_in(text: &str) -> impl Iterator<Item = (std::ops::Range<usize>, &str)> {
    let mut from = 0;
    let next = move || loop {
        let start = from + text.get(from..)?.find('{')?;
        match closing_brace(text.get(start..)?) {
            Some(length) => {
                from = start + length;
                return Some((start..from, text.get(start..from)?));
            }
            None => from = start + 1,
        }
    };
    std::iter::from_fn(next).take(MOST_OBJECTS)
}

/// How long the object is that a text begins with; `None` where its brace is never closed.
fn closing_brace(text: &str) -> Option<usize> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for (at, c) in text.char_indices().take(20_000) {
        match c {
            _ if escaped => escaped = false,
            '\\' if in_string => escaped = true,
            '"' => in_string = !in_string,
            '{' if !in_string => depth += 1,
            '}' if !in_string => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

fn without_spans(text: &str, objects: &[VerdictObject]) -> String {
    let (mut out, mut from) = (String::new(), 0);
    for object in objects {
        out.push_str(text.get(from..object.span.start).unwrap_or_default());
        from = object.span.end;
    }
    out.push_str(text.get(from..).unwrap_or_default());
    out
}

/// What the lines of a text state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stated {
    Nothing,
    One(Verdict),
    /// Statements differ, or the one that counts cannot be read.
    Unclear,
}

impl Stated {
    fn decided(self) -> Option<Verdict> {
        match self {
            Self::One(verdict) => Some(verdict),
            Self::Nothing | Self::Unclear => None,
        }
    }
}

#[derive(Debug)]
struct Lines {
    text: String,
    verdict: Stated,
}

/// Reads the verdict lines of a text. They count at its end, where only a courtesy may follow, or as its first line.
fn read_lines(answer: &str, response: &str) -> Lines {
    let lines = plain_lines(answer);
    let is_quoted = quoted_lines(&lines, response);
    let statements = statements_in(&lines, &is_quoted);
    let Some(last) = statements.last() else {
        return Lines { text: answer.trim().to_owned(), verdict: Stated::Nothing };
    };
    let has_words = |n: &usize| lines.get(*n).is_some_and(|line| says_something(line));
    let after: Vec<&String> =
        (last.to..lines.len()).filter(|n| has_words(n) && !is_quoted[*n]).map(|n| &lines[n]).collect();
    let is_at_end = after.iter().all(|line| is_courtesy(line));
    let is_first = statements.len() == 1 && !(0..last.from).any(|n| has_words(&n));
    let is_in_place = is_at_end || (is_first && after.iter().all(|line| !turns(line)));
    let agrees =
        |verdict: Verdict| statements.iter().all(|other| other.verdict.is_none_or(|word| word == verdict));
    let verdict = match last.verdict.filter(|verdict| is_in_place && agrees(*verdict)) {
        Some(verdict) => Stated::One(verdict),
        None => Stated::Unclear,
    };
    let kept: Vec<&str> = if is_first {
        answer.lines().skip(last.to).collect()
    } else if is_at_end {
        // Verdict lines that stand right before the last are part of the ending.
        let starts = statements.iter().rev().map(|statement| (statement.from, statement.to));
        let end = starts.fold(lines.len(), |end, (from, to)| {
            if end == lines.len() || !(to..end).any(|n| has_words(&n)) { from } else { end }
        });
        answer.lines().take(end).collect()
    } else {
        answer.lines().collect()
    };
    Lines { text: kept.join("\n").trim().to_owned(), verdict }
}

/// A verdict line, or a label and the line below it.
#[derive(Debug)]
struct Statement {
    /// The first line that it stands in.
    from: usize,
    /// The line after its last.
    to: usize,
    /// `None` where its word is no verdict.
    verdict: Option<Verdict>,
}

fn statements_in(lines: &[String], is_quoted: &[bool]) -> Vec<Statement> {
    let mut found: Vec<Statement> = Vec::new();
    for (n, line) in lines.iter().enumerate() {
        if is_quoted.get(n).copied().unwrap_or(false) || found.last().is_some_and(|last| n < last.to) {
            continue;
        }
        if let Some((label, word)) = label_and_word(line) {
            let verdict = read_word(word);
            if says_something(word) && (verdict.is_some() || label.is_strict) {
                found.push(Statement { from: n, to: n + 1, verdict });
            } else if !says_something(word) && label.is_strict {
                found.extend(below(lines, n));
            }
        }
    }
    found
}

/// The statement of a label that stands as a heading over its word.
fn below(lines: &[String], label: usize) -> Option<Statement> {
    let at = lines.iter().enumerate().skip(label + 1).find(|(_, line)| says_something(line))?.0;
    let verdict = read_word(lines.get(at)?)?;
    Some(Statement { from: label, to: at + 1, verdict: Some(verdict) })
}

/// The lines of a text without the dress that hides a verdict: tags, boxes, table bars, signs and pictures.
fn plain_lines(text: &str) -> Vec<String> {
    text.lines().map(plain_line).collect()
}

fn plain_line(line: &str) -> String {
    let mut line = line.to_owned();
    for name in ["verdict", "final_verdict", "judgment", "judgement"] {
        for (tag, with) in [(format!("<{name}>"), "Verdict: "), (format!("</{name}>"), "")] {
            if let Some(at) = line.to_ascii_lowercase().find(&tag) {
                line.replace_range(at..at + tag.len(), with);
            }
        }
    }
    for command in ["\\boxed{", "\\text{", "\\textbf{", "\\mathrm{"] {
        while let Some(at) = line.find(command) {
            let is_alone = command == "\\boxed{"
                && !line.get(..at).unwrap_or_default().chars().any(char::is_alphanumeric);
            line.replace_range(at..at + command.len(), if is_alone { "Verdict: " } else { "" });
            if let Some(close) = line.get(at..).and_then(|rest| rest.find('}')) {
                line.replace_range(at + close..=at + close, "");
            }
        }
    }
    line.replace(['→', '⇒', '➜', '➡'], ":")
        .replace(['|', '\u{fe0f}'], " ")
        .replace(['✅', '❌', '✓', '✔', '✗', '✘', '⚠', '🟢', '🔴'], "")
}

/// Which lines are quotations: fenced, marked with `>`, in quotation marks, or found in the response as they are. An answer
/// that is one fenced block is no quotation.
fn quoted_lines(lines: &[String], response: &str) -> Vec<bool> {
    let response = one_line(response);
    let is_fence = |line: &&String| line.trim_start().starts_with("```");
    let said: Vec<&String> = lines.iter().filter(|line| !line.trim().is_empty()).collect();
    let is_one_block = lines.iter().filter(is_fence).count() == 2
        && said.first().is_some_and(is_fence)
        && said.last().is_some_and(is_fence);
    let mut is_fenced = false;
    let mut quoted = Vec::with_capacity(lines.len());
    for line in lines {
        let text = line.trim();
        let is_mark = is_fence(&line);
        is_fenced ^= is_mark;
        let opens = text.starts_with(['>', '"', '“', '«', '„', '\'']);
        let is_quotation = opens && label_and_word(text).is_some_and(|(_, word)| says_something(word));
        quoted.push(is_mark || (is_fenced && !is_one_block) || is_quotation || stands_in(text, &response));
    }
    quoted
}

/// Whether a text stands in the response, which is given in one line of lower case.
fn stands_in(text: &str, response: &str) -> bool {
    let text = one_line(text);
    !text.is_empty() && response.contains(&text)
}

/// Whether a line may follow the verdict without changing it.
fn is_courtesy(line: &str) -> bool {
    line.chars().count() <= 160 && !turns(line) && label_and_word(line).is_none()
}

/// Whether a line may take back or restate what was said before it.
fn turns(line: &str) -> bool {
    const WORDS: [&str; 14] = [
        "violat",
        "conform",
        "compl",
        "applicable",
        "verdict",
        "reflection",
        "however",
        " but ",
        "actually",
        "instead",
        "unless",
        " if it ",
        "would",
        "wait",
    ];
    let line = format!(" {} ", line.to_lowercase());
    WORDS.iter().any(|word| line.contains(word))
}

fn says_something(line: &str) -> bool {
    line.chars().any(char::is_alphanumeric)
}

/// A critique that is the request's own placeholder.
fn is_placeholder(critique: &str) -> bool {
    let critique = critique.trim();
    (critique.starts_with('<') && critique.ends_with('>')) || critique == "..." || critique == "…"
}

/// What stands before the word of a verdict line.
#[derive(Debug, Clone, Copy)]
struct Label {
    /// Whether nothing but a verdict can follow. An `Answer:` can begin any sentence.
    is_strict: bool,
}

/// The label and the word of a line `Verdict: word`; `None` if it is no such line.
fn label_and_word(line: &str) -> Option<(Label, &str)> {
    let by_colon = line.split_once([':', '：', '=']).filter(|(label, _)| label_of(label).is_some());
    if let Some((label, word)) = by_colon {
        return Some((label_of(label)?, word));
    }
    // `Verdict is conforms`, `Verdict conforms`, `Verdict - conforms`, and a heading.
    let start = line.find(char::is_alphanumeric)?;
    let text = line.get(start..)?;
    for label in LABELS {
        let rest =
            text.get(..label.len()).filter(|head| head.to_lowercase() == *label).and(text.get(label.len()..));
        if let Some(rest) = rest.filter(|rest| !rest.starts_with(char::is_alphanumeric)) {
            let rest = rest.trim_start_matches(|c: char| !c.is_alphanumeric());
            let word = rest.strip_prefix("is ").unwrap_or(rest);
            if word.is_empty() || read_word(word).is_some() {
                return Some((Label { is_strict: true }, word));
            }
        }
    }
    None
}

/// The word for verdict, as critics write it, in the languages that they slip into.
const LABELS: [&str; 22] = [
    "verdict",
    "final verdict",
    "my verdict",
    "my final verdict",
    "the verdict",
    "overall verdict",
    "the verdict is",
    "verdict is",
    "the final verdict is",
    "my verdict is",
    "urteil",
    "verdikt",
    "veredicto",
    "veredito",
    "verdetto",
    "вердикт",
    "判定",
    "结论",
    "裁定",
    "判决",
    "판정",
    "الحكم",
];

/// Words that may label a verdict, and much else.
const LOOSE_LABELS: [&str; 9] = [
    "answer",
    "final answer",
    "my answer",
    "the answer is",
    "judgment",
    "judgement",
    "final judgment",
    "conclusion",
    "result",
];

fn label_of(label: &str) -> Option<Label> {
    let label = bare(label);
    let label = label.as_str();
    if LABELS.contains(&label) {
        return Some(Label { is_strict: true });
    }
    LOOSE_LABELS.contains(&label).then_some(Label { is_strict: false })
}

/// A verdict's word, or a short sentence that says it, with or without a reason after it.
fn read_word(word: &str) -> Option<Verdict> {
    // The request's own list of words is no choice among them.
    let lists = word.contains('|') || (word.trim_start().starts_with('<') && !word.contains('/'));
    if lists || word.trim_end().ends_with('?') {
        return None;
    }
    let text = spelt_alike(&plain_line(word));
    let (verdict, rest) = leading_verdict(&text)?;
    let goes_on_with = |words: &[&str]| {
        words
            .iter()
            .any(|word| rest.strip_prefix(word).is_some_and(|rest| !rest.starts_with(char::is_alphanumeric)))
    };
    let is_choice = goes_on_with(&["or", "and/or", "vs"]) || rest.starts_with(['/', '?']);
    let is_reason = !rest.starts_with(char::is_alphanumeric)
        || goes_on_with(&["because", "since", "as", "with", "in", "and", "to", "by", "that", "here"]);
    let agrees = verdicts_in(rest).iter().all(|other| *other == verdict);
    (is_reason && !is_choice && agrees).then_some(verdict)
}

/// Lower case, hyphens within words as blanks, no apostrophes: so that one form of a verdict is enough for its spellings.
fn spelt_alike(text: &str) -> String {
    let text = bare(text).replace(['\'', '’'], "");
    let chars: Vec<char> = text.chars().collect();
    let is_word = |at: Option<usize>| at.and_then(|at| chars.get(at)).is_some_and(|c| c.is_alphanumeric());
    let joins = |at: usize| is_word(at.checked_sub(1)) && is_word(Some(at + 1));
    let plain = chars.iter().enumerate().map(|(at, c)| match c {
        '-' | '_' | '‑' if joins(at) => ' ',
        c => *c,
    });
    plain.collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Forms of the verdict, the longest first. What is only part of a sentence is no verdict.
const FORMS: [(&str, Verdict); 40] = [
    ("does not violate", Verdict::Conforms),
    ("doesnt violate", Verdict::Conforms),
    ("do not violate", Verdict::Conforms),
    ("did not violate", Verdict::Conforms),
    ("not in violation", Verdict::Conforms),
    ("not a violation", Verdict::Conforms),
    ("not violating", Verdict::Conforms),
    ("not violated", Verdict::Conforms),
    ("not violate", Verdict::Conforms),
    ("no violations", Verdict::Conforms),
    ("no violation", Verdict::Conforms),
    ("non violating", Verdict::Conforms),
    ("does not conform", Verdict::Violates),
    ("doesnt conform", Verdict::Violates),
    ("does not comply", Verdict::Violates),
    ("doesnt comply", Verdict::Violates),
    ("not conforming", Verdict::Violates),
    ("not compliant", Verdict::Violates),
    ("not conform", Verdict::Violates),
    ("not comply", Verdict::Violates),
    ("non compliant", Verdict::Violates),
    ("non conforming", Verdict::Violates),
    ("noncompliant", Verdict::Violates),
    ("not applicable", Verdict::NotApplicable),
    ("notapplicable", Verdict::NotApplicable),
    ("does not apply", Verdict::NotApplicable),
    ("doesnt apply", Verdict::NotApplicable),
    ("inapplicable", Verdict::NotApplicable),
    ("n/a", Verdict::NotApplicable),
    ("in violation", Verdict::Violates),
    ("violation", Verdict::Violates),
    ("violates", Verdict::Violates),
    ("violated", Verdict::Violates),
    ("violating", Verdict::Violates),
    ("conforming", Verdict::Conforms),
    ("conforms", Verdict::Conforms),
    ("conform", Verdict::Conforms),
    ("complies", Verdict::Conforms),
    ("compliant", Verdict::Conforms),
    ("comply", Verdict::Conforms),
];

/// Who may stand before the verb of a verdict.
const SUBJECTS: [&str; 14] = [
    "the assistants last response ",
    "the assistants response ",
    "the models response ",
    "the last response ",
    "the response ",
    "this response ",
    "the answer ",
    "the reply ",
    "response ",
    "this ",
    "it is ",
    "it ",
    "is ",
    "clearly ",
];

/// The verdict that a text begins with, and what comes after it.
fn leading_verdict(text: &str) -> Option<(Verdict, &str)> {
    const OBJECTS: [&str; 6] = [
        "to the principle",
        "with the principle",
        "of the principle",
        "to this response",
        "to the response",
        "the principle",
    ];
    let mut text = text;
    while let Some(rest) = SUBJECTS.iter().find_map(|subject| text.strip_prefix(subject)) {
        text = rest;
    }
    let (verdict, rest) =
        FORMS.iter().find_map(|(form, verdict)| Some((*verdict, text.strip_prefix(form)?)))?;
    if rest.starts_with(char::is_alphanumeric) {
        return None;
    }
    let rest = rest.trim_start();
    Some((verdict, OBJECTS.iter().find_map(|object| rest.strip_prefix(object)).unwrap_or(rest).trim_start()))
}

/// Every verdict that a text names, whatever stands around it.
fn verdicts_in(text: &str) -> Vec<Verdict> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest
        .char_indices()
        .map(|(at, _)| at)
        .find(|at| rest.get(*at..).is_some_and(|tail| FORMS.iter().any(|(form, _)| tail.starts_with(form))))
    {
        let tail = rest.get(at..).unwrap_or_default();
        let Some((form, verdict)) = FORMS.iter().find(|(form, _)| tail.starts_with(form)) else { break };
        found.push(*verdict);
        rest = tail.get(form.len()..).unwrap_or_default();
    }
    found
}

/// Lower case, without what stands around the words: markdown, quotes, brackets, closing punctuation.
fn bare(text: &str) -> String {
    let around = |c: char| c.is_whitespace() || "*_`#>~\"'“”‘’«»()[]<>{}.,;:!。．、-–—•$\\".contains(c);
    text.trim_matches(around).to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The words of a text in one line of lower case.
fn one_line(text: &str) -> String {
    text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
