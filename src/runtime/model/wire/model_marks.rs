//! Marks that models leave in their text: reasoning, channels, wrappers and end tokens, by model family.
//!
//! A server that knows its model's chat template takes these away; many servers do not. [`split`] does it here, once, so
//! that no method and no gate ever meets them. The tables below are the whole knowledge: a new family is a line.

/// Marks around reasoning, in front of the answer.
const REASONING: [(&str, &str); 14] = [
    ("<think>", "</think>"), // DeepSeek, Qwen, GLM, Hunyuan, MiniMax, Nemotron, Phi
    ("<thinking>", "</thinking>"),
    ("<reasoning>", "</reasoning>"),
    ("<thought>", "</thought>"),                    // EXAONE
    ("<seed:think>", "</seed:think>"),              // Seed-OSS
    ("<|START_THINKING|>", "<|END_THINKING|>"),     // Command A
    ("[THINK]", "[/THINK]"),                        // Magistral
    ("<|channel>thought", "<channel|>"),            // Gemma 4
    ("<unused94>thought", "<unused95>"),            // MedGemma
    ("<|inner_prefix|>", "<|inner_suffix|>"),       // Apertus
    ("◁think▷", "◁/think▷"),                        // Kimi
    ("<|begin_of_thought|>", "<|end_of_thought|>"), // Sky-T1
    ("<|thinking|>", "<|/thinking|>"),
    ("Here is my thought process:", "Here is my response:"), // Granite
];

/// Marks around the answer. The closing one may be missing.
const ANSWER: [(&str, &str); 5] = [
    ("<|START_RESPONSE|>", "<|END_RESPONSE|>"),       // Command A
    ("<|begin_of_solution|>", "<|end_of_solution|>"), // Sky-T1
    ("<|begin_of_box|>", "<|end_of_box|>"),           // GLM
    ("<answer>", "</answer>"),                        // Hunyuan
    ("<response>", "</response>"),                    // Granite
];

/// Marks that open an assistant's turn.
const TURN_BEGINS: [&str; 13] = [
    "<|im_start|>assistant",
    "<|start_header_id|>assistant<|end_header_id|>",
    "<|header_start|>assistant<|header_end|>",
    "<|start_of_role|>assistant<|end_of_role|>",
    "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>",
    "<start_of_turn>model",
    "<|turn>model",
    "<|assistant_start|>",
    "<|assistant|>",
    "<｜Assistant｜>",
    "<|begin_of_text|>",
    "<｜begin▁of▁sentence｜>",
    "<bos>",
];

/// Marks that end an answer.
const ENDS: [&str; 25] = [
    "<|im_end|>",
    "</s>",
    "<|eot_id|>",
    "<|eot|>",
    "<|eom_id|>",
    "<|eom|>",
    "<end_of_turn>",
    "<turn|>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<|end_of_turn|>",
    "<｜end▁of▁sentence｜>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<eos>",
    "<|eos|>",
    "[EOS]",
    "[e~[",
    "<seed:eos>",
    "<|END_OF_TURN_TOKEN|>",
    "<|END_RESPONSE|>",
    "<|assistant_end|>",
    "<|endofassistant|>",
    "<|endofturn|>",
];

/// A text without its marks.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Split<'a> {
    /// What stood between marks of reasoning, block after block.
    pub(super) reasoning: Vec<&'a str>,
    /// The answer.
    pub(super) text: &'a str,
    /// Reasoning was opened and never closed, or no final channel came: there is no answer.
    pub(super) is_open: bool,
    /// The answer begins with a mark that no table knows.
    pub(super) has_unknown_mark: bool,
}

/// Takes away the marks that a text begins and ends with.
///
/// A closing mark of reasoning without an opening one counts too, when it ends a line: some chat templates put the
/// opening mark into the prompt. Marks further down are part of the text, where gates look for them.
pub(super) fn split(content: &str) -> Split<'_> {
    if let Some(split) = split_channels(content) {
        return split;
    }
    let mut split = Split { text: without_turn_begin(content), ..Split::default() };
    while let Some((rest, close)) = opened(split.text) {
        let Some((reasoning, text)) = rest.split_once(close) else {
            split.reasoning.push(rest.trim());
            return Split { text: "", is_open: true, ..split };
        };
        split.reasoning.push(reasoning.trim());
        split.text = text.trim_start();
    }
    if split.reasoning.is_empty()
        && let Some((reasoning, text)) =
            REASONING.iter().find_map(|(_, close)| closed_only(split.text, close))
    {
        split.reasoning.push(reasoning.trim());
        split.text = text.trim_start();
    }
    split.text = without_wrapper(without_end_tokens(split.text), !split.reasoning.is_empty());
    split.has_unknown_mark = begins_with_mark(split.text);
    split
}

fn opened(text: &str) -> Option<(&str, &'static str)> {
    REASONING.iter().find_map(|(open, close)| Some((text.trim_start().strip_prefix(open)?, *close)))
}

fn closed_only<'a>(text: &'a str, close: &str) -> Option<(&'a str, &'a str)> {
    // A closing mark of words can stand in any prose.
    if !close.contains(['<', '[', '◁']) {
        return None;
    }
    let (before, after) = text.split_once(close)?;
    let ends_line = after.is_empty() || after.starts_with(['\n', '\r']);
    ends_line.then_some((before, after))
}

fn without_turn_begin(text: &str) -> &str {
    let mut rest = text;
    while let Some(next) = TURN_BEGINS.iter().find_map(|mark| rest.trim_start().strip_prefix(mark)) {
        rest = next.trim_start();
    }
    rest
}

fn without_end_tokens(text: &str) -> &str {
    let mut rest = text;
    while let Some(shorter) = ENDS.iter().find_map(|mark| rest.trim_end().strip_suffix(mark)) {
        rest = shorter.trim_end();
    }
    rest
}

/// Takes a wrapper away. Tags of plain words are only taken after reasoning: elsewhere they can be the answer itself.
fn without_wrapper(text: &str, after_reasoning: bool) -> &str {
    for (open, close) in ANSWER {
        let is_special = open.starts_with("<|");
        if let Some(inner) = text.trim_start().strip_prefix(open).filter(|_| is_special || after_reasoning) {
            return inner.trim_end().strip_suffix(close).unwrap_or(inner).trim();
        }
    }
    text
}

/// Whether a text begins with something that looks like a special token: `<|word|>`, `<｜word｜>`, `<unused12>`.
fn begins_with_mark(text: &str) -> bool {
    let text = text.trim_start();
    let is_name = |name: &str| {
        (1..=40).contains(&name.chars().count())
            && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '▁' | '-' | ':' | '/' | ' '))
    };
    let between = |open: &str, close: &str| {
        text.strip_prefix(open).and_then(|rest| rest.split_once(close)).is_some_and(|(name, _)| is_name(name))
    };
    let is_unused =
        text.strip_prefix("<unused").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    between("<|", "|>") || between("<｜", "｜>") || between("<|", ">") || is_unused
}

/// Reads the channels of gpt-oss (the Harmony format): the final channel is the answer, the others are reasoning.
fn split_channels(content: &str) -> Option<Split<'_>> {
    const CHANNEL: &str = "<|channel|>";
    const MESSAGE: &str = "<|message|>";
    let text = content.trim_start();
    let text = text.strip_prefix("<|start|>assistant").unwrap_or(text);
    if !text.starts_with(CHANNEL) {
        return split_bare_channels(content);
    }
    let mut split = Split { is_open: true, ..Split::default() };
    for turn in text.split(CHANNEL).skip(1) {
        let Some((name, message)) = turn.split_once(MESSAGE) else {
            continue;
        };
        let message = message.split("<|start|>").next().unwrap_or_default();
        let message = without_end_tokens(message).trim();
        // A channel's name may be followed by who it is for and in which form: `commentary to=… <|constrain|>json`.
        if name.split_whitespace().next() == Some("final") {
            split.text = message;
            split.is_open = false;
        } else {
            split.reasoning.push(message);
        }
    }
    Some(split)
}

/// The same where the server dropped the special tokens and left their names: `analysis…assistantfinal…`.
fn split_bare_channels(content: &str) -> Option<Split<'_>> {
    let (reasoning, text) = content.trim_start().strip_prefix("analysis")?.split_once("assistantfinal")?;
    Some(Split { reasoning: vec![reasoning.trim()], text: text.trim(), ..Split::default() })
}

/// Splits a text that streams in, for people who watch. A closing mark without an opening one is not known in time.
#[derive(Debug, Default)]
pub struct ReasoningSplitter {
    /// What is not told apart yet.
    held: String,
    inside: Option<&'static str>,
    is_text: bool,
}

/// The channels of gpt-oss as a stream shows them.
const CHANNEL_OPENS: [(&str, &str); 2] = [
    ("<|channel|>analysis<|message|>", "<|end|>"),
    ("<|start|>assistant<|channel|>analysis<|message|>", "<|end|>"),
];
/// What stands before the final channel's text.
const FINAL_OPENS: [&str; 2] =
    ["<|start|>assistant<|channel|>final<|message|>", "<|channel|>final<|message|>"];

impl ReasoningSplitter {
    /// The reasoning and the text that are certain after the next piece.
    pub fn push(&mut self, piece: &str) -> (String, String) {
        if self.is_text {
            return (String::new(), piece.to_owned());
        }
        self.held.push_str(piece);
        let mut reasoning = String::new();
        loop {
            let held = self.held.trim_start();
            if let Some(close) = self.inside {
                let Some((inner, rest)) = held.split_once(close) else {
                    return (reasoning + &self.all_but(close.len() - 1), String::new());
                };
                reasoning.push_str(inner);
                self.held = rest.to_owned();
                self.inside = None;
            } else if let Some((rest, close)) = opened_in_stream(held) {
                self.held = rest.to_owned();
                self.inside = Some(close);
            } else if let Some(rest) =
                FINAL_OPENS.iter().chain(&TURN_BEGINS).find_map(|mark| held.strip_prefix(mark))
            {
                self.held = rest.to_owned();
            } else if may_become_mark(held) {
                return (reasoning, String::new());
            } else {
                self.is_text = true;
                // White space before the text is the text's, unless reasoning stood before it.
                let text = std::mem::take(&mut self.held);
                return (reasoning, text);
            }
        }
    }

    /// What was held back at the end.
    pub fn end(&mut self) -> String {
        if self.inside.is_some() { String::new() } else { std::mem::take(&mut self.held) }
    }

    /// Takes what is held but for the last bytes, in which a closing mark may have begun.
    fn all_but(&mut self, bytes: usize) -> String {
        let most = self.held.len().saturating_sub(bytes);
        let cut = (0..=most).rev().find(|at| self.held.is_char_boundary(*at)).unwrap_or(0);
        self.held.drain(..cut).collect()
    }
}

fn opened_in_stream(held: &str) -> Option<(&str, &'static str)> {
    REASONING.iter().chain(&CHANNEL_OPENS).find_map(|(open, close)| Some((held.strip_prefix(open)?, *close)))
}

/// Whether more text could turn this beginning into a mark.
fn may_become_mark(held: &str) -> bool {
    let openings = REASONING.iter().chain(&CHANNEL_OPENS).map(|(open, _)| *open);
    openings.chain(FINAL_OPENS).chain(TURN_BEGINS).any(|mark| mark.starts_with(held))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(content: &str, reasoning: &[&str], text: &str, is_open: bool) {
        let expected = Split { reasoning: reasoning.to_vec(), text, is_open, has_unknown_mark: false };
        assert_eq!(split(content), expected, "{content:?}");
    }

    #[test]
    fn reasoning_is_split_off() {
        check("plain", &[], "plain", false);
        check("  plain ", &[], "  plain ", false);
        check("<think>a</think>\n\nb", &["a"], "b", false);
        check("\n<think>\n</think>\n\nb", &[""], "b", false);
        check("<thinking>a</thinking><think>b</think>c", &["a", "b"], "c", false);
        check("<think>never closed", &["never closed"], "", true);
        check("<think>a</thinking>b", &["a</thinking>b"], "", true);
        check("from the template\n</think>\nb", &["from the template"], "b", false);
        check("The tag </think> ends it.", &[], "The tag </think> ends it.", false);
        check("Say <think> first.", &[], "Say <think> first.", false);
    }

    #[test]
    fn every_familys_marks_are_taken_away() {
        check("[THINK]a[/THINK]b", &["a"], "b", false);
        check("<seed:think>a</seed:think>b<seed:eos>", &["a"], "b", false);
        check("<|START_THINKING|>a<|END_THINKING|><|START_RESPONSE|>b<|END_RESPONSE|>", &["a"], "b", false);
        check("<unused94>thought\na<unused95>b", &["a"], "b", false);
        check("<|channel>thought\na<channel|>b<turn|>", &["a"], "b", false);
        check("<|inner_prefix|>a<|inner_suffix|>b<|assistant_end|>", &["a"], "b", false);
        check("Here is my thought process:\na\n\nHere is my response:\nb", &["a"], "b", false);
        check("<think>\na\n</think>\n<answer>\nb\n</answer>", &["a"], "b", false);
        check("<|im_start|>assistant\nb<|im_end|>\n<|endoftext|>", &[], "b", false);
        check("b</s></s>", &[], "b", false);
        check("<answer>b</answer>", &[], "<answer>b</answer>", false);
    }

    #[test]
    fn channels_are_told_apart() {
        let whole =
            "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>b<|return|>";
        check(whole, &["a"], "b", false);
        check("<|channel|>final<|message|>b", &[], "b", false);
        check("<|channel|>analysis<|message|>a<|end|>", &["a"], "", true);
        let tool = "<|channel|>commentary to=functions.x <|constrain|>json<|message|>{}<|call|>";
        check(tool, &["{}"], "", true);
        check("analysisa b.assistantfinalThe answer.", &["a b."], "The answer.", false);
        check("analysis of the data", &[], "analysis of the data", false);
    }

    #[test]
    fn a_mark_that_no_table_knows_is_noticed() {
        for text in ["<|plan|>b", "<|tool_calls_section_begin|>b", "<｜tool▁calls▁begin｜>b", "<unused7>b"]
        {
            assert!(split(text).has_unknown_mark, "{text:?}");
        }
        for text in [
            "a <|plan|> b",
            "<b>bold</b>",
            "< | >",
            "|> b",
            "<|this is a long sentence in odd brackets, nothing more|>",
        ] {
            assert!(!split(text).has_unknown_mark, "{text:?}");
        }
    }

    #[test]
    fn reasoning_and_text_are_told_apart_while_they_stream() {
        let check = |content: &str, reasoning: &str, text: &str| {
            for size in 1..=content.len() {
                let mut splitter = ReasoningSplitter::default();
                let (mut thought, mut said) = (String::new(), String::new());
                let pieces = content.as_bytes().chunks(size).map(|piece| std::str::from_utf8(piece).unwrap());
                for (a, b) in pieces.map(|piece| splitter.push(piece)) {
                    thought += &a;
                    said += &b;
                }
                said += &splitter.end();
                assert_eq!((thought.trim(), said.trim()), (reasoning, text), "in pieces of {size}");
            }
        };
        check("plain < text", "", "plain < text");
        check("<think>a</think>\n\nb <think>c", "a", "b <think>c");
        check("\n<thinking>a</thinking><think>b</think>c", "ab", "c");
        check("<thin", "", "<thin");
        check("<thoughts> are free", "", "<thoughts> are free");
        check("[THINK]a[/THINK]b", "a", "b");
        check(
            "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>b",
            "a",
            "b",
        );
    }
}
