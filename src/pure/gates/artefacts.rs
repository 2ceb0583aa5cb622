//! Marks that do not belong in a response: role and think tags, sentinel texts, error text, signs of truncation.

use super::cut_short::stops_within_a_phrase;
use crate::pure::text::is_spaceless;

/// Tokens of chat templates. They end a turn, so what follows them was never meant to be read.
const SPECIAL_TOKENS: [&str; 38] = [
    "<|im_start|>",
    "<|im_end|>",
    "<|endoftext|>",
    "<|eot_id|>",
    "<|end_of_text|>",
    "<|begin_of_text|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<start_of_turn>",
    "<end_of_turn>",
    "[INST]",
    "[/INST]",
    "<<SYS>>",
    "<</SYS>>",
    "<|user|>",
    "<|assistant|>",
    "<|system|>",
    "<|end|>",
    "<|return|>",
    "<|channel|>",
    "<|message|>",
    "</s>",
    "<|eom_id|>",
    "<|eot|>",
    "<|python_tag|>",
    "<|start|>",
    "<｜end▁of▁sentence｜>",
    "<｜begin▁of▁sentence｜>",
    "<｜User｜>",
    "<｜Assistant｜>",
    "<|start_of_role|>",
    "<|end_of_role|>",
    "<|START_OF_TURN_TOKEN|>",
    "<|END_OF_TURN_TOKEN|>",
    "<|CHATBOT_TOKEN|>",
    "<|USER_TOKEN|>",
    "<eos>",
    "<bos>",
];

/// Names of the answering role, as templates write them after an opening token.
const ROLE_NAMES: [&str; 3] = ["assistant", "model", "final"];

/// Words that no sentence ends in; all of them are common just before a text is cut.
const UNFINISHED: [&str; 96] = [
    "the", "a", "an", "and", "or", "but", "of", "if", "because", "when", "while", "whether", "although",
    "than", "as", "at", "by", "from", "into", "with", "for", "to", "in", "is", "are", "was", "were", "be",
    "been", "being", "am", "can", "could", "will", "would", "should", "may", "might", "must", "has", "have",
    "had", "does", "i", "we", "they", "he", "she", "who", "which", "that", "these", "those", "my", "your",
    "his", "their", "our", "its", "very", "every", "und", "oder", "der", "die", "das", "dem", "den", "ein",
    "eine", "einen", "dass", "weil", "mit", "von", "et", "ou", "le", "la", "les", "des", "du", "une", "que",
    "qui", "dans", "pour", "avec", "el", "los", "las", "y", "o", "de", "para", "con",
];

const THINK_TAGS: [(&str, &str); 6] = [
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<scratchpad>", "</scratchpad>"),
    ("<reasoning>", "</reasoning>"),
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
];

/// What was found, and whether cutting it away leaves a whole text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark<'a> {
    /// Nothing.
    None,
    /// This is left without it.
    Repairable(&'a str),
    /// The text cannot be trusted.
    Broken,
}

/// Reasoning in tags. A closed block before the answer is cut; one that is open, or in the middle, is broken.
pub(super) fn think_tags(text: &str) -> Mark<'_> {
    let mut rest = text;
    for (open, close) in THINK_TAGS {
        if let Some((before, after)) = rest.rsplit_once(close) {
            // Some servers drop the opening tag: then all before the closing one is reasoning.
            let leading = !before.contains(open) || before.trim_start().starts_with(open);
            if !leading || after.trim().is_empty() {
                return Mark::Broken;
            }
            rest = after.trim_start();
        }
        if rest.contains(open) {
            return Mark::Broken;
        }
    }
    if rest.len() < text.len() { Mark::Repairable(rest) } else { Mark::None }
}

/// Template tokens and turns of a further conversation. Tokens at the very beginning or end are cut.
pub(super) fn role_tags(text: &str) -> Mark<'_> {
    let mut rest = without_opening_tokens(text.trim());
    while let Some(cut) = SPECIAL_TOKENS.iter().find_map(|token| rest.strip_suffix(token)) {
        rest = cut.trim_end();
    }
    let starts = |name: &str| rest.lines().skip(1).any(|line| line.starts_with(name));
    let further_turn = rest.contains("\n\nHuman:")
        || (starts("User:") || starts("Human:")) && (starts("Assistant:") || starts("AI:"))
        || starts("### Instruction:")
        || starts("### Response:");
    // In HTML, `<s>` and `</s>` strike text out.
    let struck = rest.contains("<s>");
    let token_within =
        SPECIAL_TOKENS.iter().any(|token| rest.contains(token) && !(struck && *token == "</s>"));
    if further_turn || rest.is_empty() || token_within {
        return Mark::Broken;
    }
    if rest.len() < text.trim().len() { Mark::Repairable(rest) } else { Mark::None }
}

/// What follows "<|im_start|>assistant" and the like, where a text opens with it.
fn without_opening_tokens(text: &str) -> &str {
    let mut rest = text;
    while let Some(cut) = SPECIAL_TOKENS.iter().find_map(|token| rest.strip_prefix(token)) {
        let named = ROLE_NAMES.iter().find_map(|name| cut.strip_prefix(name));
        let opens =
            |after: &&str| after.starts_with('\n') || SPECIAL_TOKENS.iter().any(|t| after.starts_with(t));
        rest = named.filter(opens).unwrap_or(cut).trim_start();
    }
    rest
}

/// Whether the text stands for "nothing" instead of being a response.
pub(super) fn is_sentinel(text: &str, prompt: &str, revision: bool) -> bool {
    let plain: String = text
        .chars()
        .filter(|c| c.is_alphanumeric() || c.is_whitespace() || matches!(c, '[' | '{' | '/'))
        .flat_map(char::to_lowercase)
        .collect();
    let plain = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    if [
        "null",
        "undefined",
        "nan",
        "[object object",
        "n/a",
        "[insert response here",
        "[your response here",
        "todo",
    ]
    .contains(&plain.as_str())
    {
        return true;
    }
    let phrases = [
        "no revision needed",
        "no revisions needed",
        "no revision is needed",
        "no revisions are needed",
        "no revision necessary",
        "no revisions necessary",
        "no revision is necessary",
        "no revisions are necessary",
        "no revision required",
        "no revisions required",
        "no revision is required",
        "no revisions are required",
        "no changes needed",
        "no changes are needed",
        "no changes necessary",
        "no changes are necessary",
        "no change is needed",
        "no changes required",
        "no changes are required",
        "the response is fine as is",
        "the response is already",
        "the original response is already",
        "the response does not need",
        "the response doesnt need",
        "the original response does not need",
        "there is no need to revise",
        "no critique needed",
        "aucune révision nécessaire",
        "keine überarbeitung nötig",
        "no se necesita revisión",
        "无需修改",
        "不需要修改",
    ];
    let says_nothing = NOTHING.contains(&plain.as_str())
        || matches!(plain.as_str(), "none" | "nothing") && !asks_for_a_number_or_a_thing(prompt)
        || no_response(&plain);
    revision
        && plain.chars().count() < 400
        && (says_nothing || phrases.iter().any(|phrase| plain.starts_with(phrase)))
}

/// Whole texts that are no answer to anybody, where a revised response is due. A lone "Yes" or "No" may be one.
const NOTHING: [&str; 14] = [
    "",
    "ok",
    "okay",
    "done",
    "same",
    "same as above",
    "as above",
    "unchanged",
    "fine",
    "understood",
    "got it",
    "noted",
    "will do",
    "sure",
];

/// Whether "None." answers the question: how many are left?
fn asks_for_a_number_or_a_thing(prompt: &str) -> bool {
    let prompt = prompt.to_lowercase();
    ["how many", "how much", "which", "any", "what", "who", "is there", "are there", "left"]
        .iter()
        .any(|asks| prompt.contains(asks))
}

/// "No response is needed", in any of its forms.
fn no_response(plain: &str) -> bool {
    let Some(rest) = plain.strip_prefix("no ") else { return false };
    let rest = rest.strip_prefix("further ").unwrap_or(rest);
    let what = [
        "response",
        "answer",
        "reply",
        "rewrite",
        "rewriting",
        "correction",
        "corrections",
        "modification",
        "modifications",
        "edits",
    ];
    let Some(rest) = what.iter().find_map(|what| rest.strip_prefix(what)) else { return false };
    let rest = rest.trim_start().trim_start_matches("is ").trim_start_matches("are ");
    rest.is_empty()
        || ["needed", "necessary", "required", "provided", "available"]
            .iter()
            .any(|end| rest.starts_with(end))
}

/// Whether a server's or client's error was stored where a response should be.
pub(super) fn is_error_text(text: &str) -> bool {
    let head: String = text.trim_start().chars().take(160).flat_map(char::to_lowercase).collect();
    let starts = [
        "{\"error\"",
        "{\"detail\"",
        "{'error'",
        "{\"object\":\"error\"",
        "{\"object\": \"error\"",
        "error code: ",
        "internal server error",
        "upstream connect error",
        "traceback (most recent call last)",
        "502 bad gateway",
        "503 service",
        "504 gateway",
        "429 too many",
        "bad gateway",
        "gateway timeout",
        "gateway time-out",
        "service unavailable",
        "request timed out",
        "connection error",
        "rate limit reached for",
        "rate limit exceeded",
        "openai.",
        "litellm.",
        "httpx.",
        "requests.exceptions.",
        "cuda out of memory",
        "torch.cuda.outofmemoryerror",
        "this model's maximum context length is",
        "the server had an error",
        "the server is overloaded",
        "error: request",
        "error: 4",
        "error: 5",
        "[error]",
        "error generating response",
        "error in model response",
    ];
    let page = head.starts_with("<html") || head.starts_with("<!doctype html");
    let status = ["502 bad", "503 serv", "504 gate", "500 internal", "403 forbidden", "just a moment"];
    starts.iter().any(|s| head.starts_with(s))
        || page && status.iter().any(|s| text.to_lowercase().contains(s))
}

/// Whether the text looks cut off, although the endpoint said that it was whole.
pub(super) fn looks_truncated(text: &str) -> bool {
    let text = text.trim_end();
    let fences = text.lines().filter(|line| line.trim_start().starts_with("```")).count();
    if fences % 2 == 1 {
        return true;
    }
    let (Some(last_line), Some(last)) = (text.lines().last().map(str::trim), text.chars().last()) else {
        return false;
    };
    if text.ends_with("```") || last_line.starts_with('|') {
        return false;
    }
    if matches!(last, ',' | '，' | '、' | '(' | '[' | '{' | '（' | '«' | '„') {
        return true;
    }
    let marker = last_line.strip_suffix(['.', ')']).unwrap_or(last_line);
    let lines = text.lines().count();
    if lines > 2 && (matches!(last_line, "-" | "*" | "•" | "**") || is_list_number(marker, last_line)) {
        return true;
    }
    // Prose that stops at a letter. Lists, headings, signatures, verse and links may end without a stop, and so does
    // many a text that only lacks its last one: the last word has to be one that ends no sentence, or the last
    // sentence to have hardly begun.
    let is_item = last_line.starts_with(['-', '*', '•', '#', '>', '|'])
        || last_line.split_once(['.', ')']).is_some_and(|(n, _)| n.chars().all(|c| c.is_ascii_digit()));
    let last_word = last_line.rsplit(char::is_whitespace).next().unwrap_or("").to_lowercase();
    let prose =
        last_line.chars().count() >= 100 && !is_item && !last_word.contains(['/', '@', '.', '_', '=']);
    let begun = last_line.rsplit(['.', '!', '?']).next().map_or(0, |s| s.split_whitespace().count());
    let unfinished = UNFINISHED.contains(&last_word.as_str())
        || last_word
            .rsplit_once(['\'', '’'])
            .is_some_and(|(_, end)| ["ll", "ve", "re", "m", "d"].contains(&end))
        || (1..=3).contains(&begun);
    stops_within_a_phrase(last_line)
        || prose
            && unfinished
            && last.is_alphabetic()
            && !is_spaceless(last)
            && last_line.contains(['.', ',', ';'])
}

fn is_list_number(marker: &str, line: &str) -> bool {
    marker.len() < line.len() && (1..=2).contains(&marker.len()) && marker.chars().all(|c| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn think_blocks() {
        for (text, want) in [
            ("<think>hm</think>\n\nYes.", Mark::Repairable("Yes.")),
            ("hm, so\n</think>\nYes.", Mark::Repairable("Yes.")),
            ("<think>hm", Mark::Broken),
            ("<think>hm</think>", Mark::Broken),
            ("Yes. <think>or no</think> No.", Mark::Broken),
            ("I think so.", Mark::None),
        ] {
            assert_eq!(think_tags(text), want, "{text:?}");
        }
    }

    #[test]
    fn template_tokens_and_further_turns() {
        for (text, want) in [
            ("Yes.<|im_end|>", Mark::Repairable("Yes.")),
            ("Yes.</s><|endoftext|>\n", Mark::Repairable("Yes.")),
            ("<|im_start|>assistant\nYes.", Mark::Repairable("Yes.")),
            ("<|start_header_id|>assistant<|end_header_id|>\n\nYes.<|eot_id|>", Mark::Repairable("Yes.")),
            ("<start_of_turn>model\nYes.<end_of_turn>", Mark::Repairable("Yes.")),
            ("<|channel|>final<|message|>Models vary.", Mark::Repairable("Models vary.")),
            ("It was <s>5</s> now 4 euros.", Mark::None),
            ("Yes.<|im_end|>\n<|im_start|>user\nAnd?", Mark::Broken),
            ("Yes.\n\nHuman: And now?\n\nAssistant: No.", Mark::Broken),
            ("Yes.\nUser: And?\nAssistant: No.", Mark::Broken),
            ("The User: a short history.\nIt began in 1960.", Mark::None),
        ] {
            assert_eq!(role_tags(text), want, "{text:?}");
        }
    }

    #[test]
    fn sentinels_errors_and_cut_texts() {
        for text in
            ["N/A", "**No revisions needed.**", "The response is already respectful.", "[Your response here]"]
        {
            assert!(is_sentinel(text, "", true), "{text:?}");
        }
        for text in ["No, changes in diet are slow.", "None of them.", "Needed: no more than a cup of flour."]
        {
            assert!(!is_sentinel(text, "", true), "{text:?}");
        }
        for text in [
            "{\"error\":{\"message\":\"x\"}}",
            "Internal Server Error",
            "<html><h1>502 Bad Gateway</h1></html>",
        ] {
            assert!(is_error_text(text), "{text:?}");
        }
        for text in
            ["An internal server error means that …", "<html><body>A page you asked for</body></html>"]
        {
            assert!(!is_error_text(text), "{text:?}");
        }
        let prose = "There is much to say about bread. It was made in many places, and each of them has its own way with flour and";
        for text in [
            prose,
            "Use:\n```sh\nkill 1",
            "First,",
            "1. Mix\n2. Wait\n3.",
            "Let it rise for an hour and so the",
        ] {
            assert!(looks_truncated(text), "{text:?}");
        }
        for text in [
            "Yes",
            "Use:\n```sh\nkill 1\n```",
            "1. Mix\n2. Wait",
            "ขอโทษค่ะ",
            "See https://example.org/a",
            "It costs 42.",
        ] {
            assert!(!looks_truncated(text), "{text:?}");
        }
    }
}
