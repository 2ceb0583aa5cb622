//! Talk around a revision: "Sure, here is the revised response:" before it, notes about the changes after it.
//!
//! Only words about the *revision itself* are cut. "Here is a recipe for bread:" belongs to an answer and stays.

use super::pattern::regex;
use regex::Regex;
use std::sync::LazyLock;

/// "Sure, here is a revised version of the response:". Three parts: an opening that presents something, a word for
/// having been revised, and a colon; all three are needed, or answers about revised laws and budgets would lose a line.
static LEAD: LazyLock<Regex> = LazyLock::new(|| {
    let courtesy = r"(?:sure|certainly|of course|absolutely|okay|ok|great|got it|understood|thank you|thanks|no problem|apologies|bien sûr|claro|por supuesto|natürlich|gerne|certo|конечно|好的|当然)";
    let presents = r"(?:here|below|this is|the following|my|a|the|voici|ci-dessous|hier|nachfolgend|aquí|a continuación|aqui|abaixo|ecco|вот|ниже|以下|下面|这是|إليك|فيما يلي|यहाँ)";
    let revised = r"(?:\b(?:revised|revision|rewritten|re-written|rewrite|improved|updated|corrected|amended|edited|modified|reworded)\b|révisée?|réécrite|améliorée?|corrigée?|überarbeitet|verbessert|revisad|mejorad|corregid|reescrit|melhorad|rivist|riscritt|修改|修订|改写|改进|修正|改訂|пересмотренн|исправленн|переработанн|معدل|منقح|संशोधित)";
    let noun = r"(?:\b(?:response|version|answer|reply|revision|rewrite|message|text|réponse|antwort|fassung|respuesta|versión|resposta|versão|risposta|versione)\b|ответ|верси|回答|回复|答复|版本|الرد|الإجابة|उत्तर|जवाब)";
    regex(&format!(
        r"(?i)^\W*(?:{courtesy}[^\n:：]{{0,80}}?[,.!—–，。！-]+\s*)?(?:{presents}[^\n:：]{{0,100}}?)?(?:{revised}[^\n:：]{{0,60}}{noun}|{noun}[^\n:：]{{0,60}}{revised}|{presents}[^\n:：]{{0,40}}(?:rewrite|revision)\b)[^\n:：]{{0,120}}[:：][*_]*(?:\s+|$)"
    ))
});

static LABEL: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?ix)^\W* (?:(?:final|my|new|the)\s+)? (?:(?:revised|rewritten|improved|updated|corrected|amended)\s+)?
        (?:(?:ai\s+)?assistant(?:'s)?(?:\s+(?:response|answer|reply))?|response|answer|reply|revision|rewrite|output|réponse(?:\s+révisée)?|antwort|respuesta|resposta|risposta|回答|回复|答复)
        \s*[*_\#]*\s*[:：]\s*[*_]*\s*",
    )
});

static TALK: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?ix)^\W* (?: (?:sure|certainly|of\ course|okay|thank\ you[^.!]{0,80}|you(?:'|’)re\ right[^.!]{0,60}|i\ apologi[sz]e\ for[^.!]{0,100})[,.!]\s+ )?
        (?: i(?:\ have|\ will|(?:'|’)ve|(?:'|’)ll)?\ (?:now\ )?(?:revised?|rewr[io]te|rewritten|reworked|edited|amend(?:ed)?|updated?|corrected|adjusted|modified)\ (?:the|my|this|it)
          | (?:based\ on|in\ light\ of|following|taking\ into\ account|considering|given)\ (?:the|this|your|these)\ (?:\w+\ )?(?:critiques?|feedback|criticisms?)
          | (?:to|in\ order\ to)\ address\ (?:the|this|these)\ (?:\w+\ )?(?:critiques?|feedback|concerns?\ raised|issues?\ raised|criticisms?) )",
    )
});

static POSTSCRIPT: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?ix)^[\W_]* (?: (?:note|explanation|changes(?:\ made)?|summary\ of\ changes|key\ changes|what\ (?:i\ )?changed|rationale|revision\ notes?)\b [^\n]{0,30}? [:：] [^\n]* (?:revis|rewr|chang|remov|critique|principle|original|response)
          | (?:i\ hope\ (?:this|the)|this|the|please\ let\ me\ know\ if\ (?:this|the))\ (?:revised|rewritten|updated|amended|new|improved|corrected)\ (?:response|version|answer|revision|reply)
          | (?:in\ this|this)\ (?:revision|rewrite)\b
          | (?:i|i(?:'|’)ve|i\ have)\ (?:revised|removed|rewrote|rewritten|changed|replaced)\ [^\n]{0,120}(?:original|response|critique|principle|previous) )",
    )
});

/// The revision without the talk around it, or `None` when there is none. What is left is never empty.
pub fn repair_preamble(text: &str) -> Option<&str> {
    let whole = text.trim();
    let mut rest = whole;
    // A lead may be followed by a label: "Sure! Here is the revised response:\n\nAssistant: …".
    for _ in 0..3 {
        let cut = cut_lead(rest);
        if cut.len() == rest.len() {
            break;
        }
        rest = cut;
    }
    let led = rest.len() < whole.len();
    rest = cut_postscript(rest);
    if led {
        rest = unquote(rest);
    }
    (rest.len() < whole.len() && !rest.is_empty()).then_some(rest)
}

fn cut_lead(text: &str) -> &str {
    let after = |end: usize| text.get(end..).map(strip_rule).filter(|rest| !rest.is_empty());
    if let Some(rest) = LABEL.find(text).and_then(|m| after(m.end())) {
        return rest;
    }
    if let Some(rest) = LEAD.find(text).and_then(|m| after(m.end())) {
        return rest;
    }
    match text.split_once("\n\n") {
        Some((first, rest))
            if first.chars().count() < 500 && TALK.is_match(first) && !strip_rule(rest).is_empty() =>
        {
            strip_rule(rest)
        }
        Some(_) | None => text,
    }
}

/// Drops a horizontal rule and white space before the text proper.
fn strip_rule(text: &str) -> &str {
    let text = text.trim_start();
    match text.split_once('\n') {
        Some((first, rest))
            if first.len() >= 3 && first.trim().chars().all(|c| matches!(c, '-' | '*' | '_' | '=')) =>
        {
            rest.trim_start()
        }
        Some(_) | None => text,
    }
}

fn cut_postscript(text: &str) -> &str {
    let mut rest = text.trim_end();
    for _ in 0..3 {
        let Some((before, last)) = rest.rsplit_once("\n\n") else { break };
        let is_rule =
            last.trim().len() >= 3 && last.trim().chars().all(|c| matches!(c, '-' | '*' | '_' | '='));
        if before.trim().is_empty() || !(is_rule || POSTSCRIPT.is_match(last)) {
            break;
        }
        rest = before.trim_end();
    }
    rest
}

fn unquote(text: &str) -> &str {
    for (open, close) in [('"', '"'), ('“', '”'), ('«', '»'), ('「', '」')] {
        if let Some(inner) = text.strip_prefix(open).and_then(|t| t.strip_suffix(close))
            && !inner.trim().is_empty()
            && !inner.contains([open, close])
        {
            return inner.trim();
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, want: Option<&str>) {
        assert_eq!(repair_preamble(text), want, "{text:?}");
    }

    #[test]
    fn talk_around_a_revision_is_cut() {
        let body = "Bread needs flour, water and time. Let it rest overnight.";
        for lead in [
            "Sure, here is the revised response:\n\n",
            "Sure! Here's a revised version of the response that avoids the issue:\n",
            "**Revised Response:**\n\n",
            "Revised response: ",
            "Certainly! Here is an improved answer:\n\n---\n\n",
            "Assistant: ",
            "Here is the rewritten response, without the harmful parts:\n\nResponse: ",
            "I have revised the response to remove the judgement.\n\n",
            "Thank you for the feedback. I've rewritten my answer to be kinder.\n\n",
            "Based on the critique, the tone should change.\n\n",
            "Voici la réponse révisée :\n\n",
            "Hier ist die überarbeitete Antwort:\n\n",
            "Aquí está la respuesta revisada:\n\n",
            "以下是修改后的回答：\n",
        ] {
            check(&format!("{lead}{body}"), Some(body));
        }
        check(&format!("{body}\n\nNote: I removed the judgement from the original response."), Some(body));
        check(&format!("{body}\n\n---\n\nI hope this revised response helps!"), Some(body));
        check(&format!("Here is the revised response:\n\n\"{body}\""), Some(body));
    }

    #[test]
    fn answers_keep_their_own_lead() {
        for text in [
            "Here is a recipe for bread:\n\n1. Mix.\n2. Wait.",
            "Sure! To kill a Python process:\n\nuse `kill -9`.",
            "I'm sorry, but I can't help with that.",
            "Note: call a doctor if the pain lasts.",
            "The response to the earthquake was slow: roads were blocked, and help came late.",
            "Revised response:",
            "The revised budget contains:\n- bread\n- wine",
            "The committee answered in a revised letter: no.",
            "The law was revised in 1990.\n\nIt had been drafted twice before.",
            "",
        ] {
            check(text, None);
        }
    }
}
