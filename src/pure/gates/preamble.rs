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
    let presents = r"(?:here|below|this is|the following|my|a|the|voici|ci-dessous|hier|nachfolgend|aquí|a continuación|aqui|abaixo|ecco|вот|ниже|以下|下面|这是|こちら|다음은|여기|oto|poniżej|hieronder|berikut|işte|aşağıda|إليك|فيما يلي|यहाँ)";
    let revised = r"(?:\b(?:revised|revision|rewritten|re-written|rewrite|improved|updated|corrected|amended|edited|modified|reworded|rephrased|safer|more (?:helpful|respectful|honest|balanced|careful|ethical|harmless|appropriate))\b|révisée?|réécrite|améliorée?|corrigée?|überarbeitet|verbessert|revisad|mejorad|corregid|reescrit|melhorad|rivist|riscritt|修改|修订|改写|改进|修正|改訂|改善|書き直|수정|개선|다시 작성|poprawion|zmienion|herzien|verbeterd|aangepast|direvisi|diperbaiki|düzeltilmiş|gözden geçirilmiş|riveduta|corretta|revisto|revista|corrigid|пересмотренн|исправленн|переработанн|معدل|منقح|संशोधित)";
    let noun = r"(?:\b(?:response|version|answer|reply|revision|rewrite|message|text|réponse|antwort|fassung|respuesta|versión|resposta|versão|risposta|versione)\b|ответ|верси|回答|回复|答复|版本|答案|応答|返答|バージョン|답변|응답|버전|odpowied|wersj|antwoord|versie|jawaban|versi|yanıt|cevap|الرد|الإجابة|उत्तर|जवाब)";
    regex(&format!(
        r"(?i)^\W*(?:{courtesy}[^\n:：]{{0,80}}?[,.!—–，。！-]+\s*)?(?:{presents}[^\n:：]{{0,100}}?)?(?:{revised}[^\n:：]{{0,60}}{noun}|{noun}[^\n:：]{{0,60}}{revised}|{presents}[^\n:：]{{0,40}}(?:rewrite|revision)\b)[^\n:：]{{0,120}}[:：][*_]*(?:\s+|$)"
    ))
});

static LABEL: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?ix)^\W* (?:(?:final|my|new|the)\s+)? (?:(?:revised|rewritten|improved|updated|corrected|amended)\s+)?
        (?:(?:ai\s+)?assistant(?:'s)?(?:\s+(?:response|answer|reply))?|response|answer|reply|revision|rewrite|output|revised|rewritten|reworded|here\s+(?:you\s+go|it\s+is|goes)|réponse(?:\s+révisée)?|antwort|respuesta|resposta|risposta|回答|回复|答复)
        \s*[*_\#]*\s*[:：]\s*[*_]*\s*",
    )
});

static TALK: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?ix)^\W* (?: (?:sure|certainly|of\ course|okay|thank\ you[^.!]{0,80}|you(?:'|’)re\ right[^.!]{0,60}|i\ apologi[sz]e\ for[^.!]{0,100})[,.!]\s+ )?
        (?: i(?:\ have|\ will|(?:'|’)ve|(?:'|’)ll)?\ (?:now\ )?(?:revised?|rewr[io]te|rewritten|reworked|edited|amend(?:ed)?|updated?|corrected|adjusted|modified)\ (?:the|my|this|it)
          | let\ me\ (?:revise|rewrite|rephrase|rework|try\ (?:that\ )?again)\b | here(?:'|’)?s?\ (?:is\ )?(?:my|a|another)\ (?:second\ |new\ )?(?:attempt|try)\b
          | (?:thank\ you|thanks)\ for\ (?:the|your)\ (?:\w+\ )?(?:critique|criticism)
          | (?:based\ on|in\ light\ of|following|taking\ into\ account|considering|given)\ (?:the|this|your|these)\ (?:\w+\ )?(?:critiques?|feedback|criticisms?)
          | (?:to|in\ order\ to)\ address\ (?:the|this|these)\ (?:\w+\ )?(?:critiques?|feedback|concerns?\ raised|issues?\ raised|criticisms?) )",
    )
});

/// "**Revised response**" or "## Revision" as a line of its own.
static HEADING: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?ix)^ (?:\#{1,6}\ *|\*\*|__)+ \s* (?:(?:final|my|new|the)\ )?
        (?: (?:revised|rewritten|improved|updated|corrected|amended)\ (?:response|answer|reply|version|text|draft|message) | revision | rewrite )
        \s* (?:\*\*|__)? [:：]? (?:\*\*|__)? [\ \t]* \n",
    )
});

/// A paragraph about the changes, after the revision.
static POSTSCRIPT: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?ix)^[\W_]* (?: (?:note|explanation|changes(?:\ made)?|summary\ of\ changes|key\ changes|what\ (?:i\ )?changed|rationale|revision\ notes?|reasoning)\b [^\n]{0,30}? [:：] [^\n]* (?:revis|rewr|chang|remov|critique|principle|original|response)
          | (?:i\ hope\ (?:this|the)|this|the|(?:please\ )?let\ me\ know\ if\ (?:this|the|my))\ (?:revised|rewritten|updated|amended|new|improved|corrected|reworked)\ (?:response|version|answer|revision|reply|text|message)
          | (?:(?:please\ )?let\ me\ know\ (?:if|whether)|i\ hope|feel\ free)\b [^\n.!?]{0,40}\b (?:this|the|my)\ (?:revision|rewrite)\b
          | (?:(?:i\ hope|overall,?|in\ (?:summary|conclusion|short),?|by\ doing\ so,?)\ )?(?:this|the)\ (?:response|reply|answer)\ (?:now\ |also\ |no\ longer\ |thus\ |clearly\ |still\ )?(?:avoids|removes|addresses|adheres|aligns|complies|conforms|eliminates|acknowledges|refrains|respects|maintains|meets|satisfies|demonstrates|shows|promotes|ensures|emphasi[sz]es|reflects|highlights|encourages|remains|keeps|upholds|is\ (?:now\ |more\ |both\ )?(?:respectful|harmless|honest|helpful|ethical|appropriate|polite|kind|balanced|safe|neutral))\b
          | (?:critique|self-?critique|evaluation)\ ?[*_]*[:：]
          | (?:in\ this|this)\ (?:revision|rewrite)\b
          | end\ of\ (?:the\ )?(?:revised\ )?(?:response|revision|answer)\b
          | (?:i|i(?:'|’)ve|i\ have)\ (?:revised|removed|rewrote|rewritten|changed|replaced|reworded|softened|omitted|edited|modified)\ [^\n]{0,120}(?:original|response|critique|principle|previous|draft) )",
    )
});

/// The heading of a list of changes; with the list it is all that follows the revision.
static CHANGES: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?ix) \n\s*\n [\W_]* (?: (?:the\ |here\ are\ the\ )?changes(?:\ (?:i(?:'|’)ve\ |i\ )?made)(?:\ to\ [^\n]{0,40})? | summary\ of\ (?:the\ )?changes | explanation\ of\ (?:the\ )?(?:changes|revisions?|edits) | (?:what\ i|how\ i)\ (?:changed|revised)[^\n]{0,40} | (?:reasons?|rationale)\ for\ (?:the\ )?(?:changes|revisions?) | revision\ notes? )
        [\W_]* \n",
    )
});

/// Words that only somebody who knows of critiques and principles would write.
static SELF_MENTION: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?ix) \b(?: the\ (?:above\ |given\ |provided\ )?critique(?:s|\ request)? | (?:the|this|our)\ constitution(?:al)?\ principles?
          | (?:in\ (?:accordance|line|keeping)|consistent|compl(?:y|ying)|align(?:s|ed|ing)?|adher(?:e|es|ing)\ to|accordance)\ (?:with\ )?(?:the|this|these|that)\ (?:given\ |stated\ |provided\ |above\ |above-mentioned\ )?(?:principles?|constitution)\ (?:of\ (?:harmlessness|helpfulness|honesty|non-?maleficence)|above|given|provided|stated)
          | (?:as|because)\ the\ (?:principle|constitution)\ (?:says|requires|asks|states|demands|forbids)
          | (?:the|my)\ (?:original|initial|unrevised)\ (?:response|answer|reply|draft)
          | this\ (?:revised|rewritten|amended)\ (?:response|answer|reply|version)
          | in\ this\ (?:revised|rewritten)\ (?:response|answer|reply|version) )\b",
    )
});

/// A judgement on a response as the first words of a text.
static ABOUT_A_RESPONSE: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?ix)^\W* (?:(?:overall|in\ (?:summary|conclusion|short)),?\ )? (?:this|the)\ (?:assistant(?:'|’)s\ |revised\ |above\ |given\ )?(?:response|reply)\ (?:now\ |also\ |clearly\ )?
        (?:avoids|addresses|adheres|aligns|complies|conforms|violates|demonstrates|shows|promotes|ensures|emphasi[sz]es|highlights|maintains|upholds|fails|does\ (?:not\ )?(?:violate|conform|comply|adhere|break|keep)|is\ (?:not\ |now\ |more\ |both\ )?(?:respectful|harmless|harmful|honest|helpful|ethical|appropriate|inappropriate|polite|kind|preachy|balanced|safe|neutral))\b",
    )
});

/// Whether a text judges a response instead of being one.
pub(super) fn talks_about_a_response(text: &str) -> bool {
    ABOUT_A_RESPONSE.is_match(text)
}

/// Whether a response speaks of its own critique, principles or earlier self. Such text trains badly.
pub(super) fn mentions_itself(text: &str) -> bool {
    SELF_MENTION.is_match(text)
}

/// The revision without the talk around it, or `None` when there is none. What is left is never empty.
///
/// ```
/// use amend::pure::gates::repair_preamble;
///
/// assert_eq!(
///     repair_preamble("Here is the revised response:\n\nTurn it off first."),
///     Some("Turn it off first.")
/// );
/// ```
pub fn repair_preamble(text: &str) -> Option<&str> {
    let whole = text.trim();
    let mut rest = whole;
    // A lead may be followed by a label, and quotation marks may hold another lead.
    for _ in 0..4 {
        let (before, led) = (rest.len(), cut_lead(rest));
        let talked = led.len() < before;
        rest = without_tags(cut_postscript(led));
        // Quotation marks and fences around all of it belong to the text, unless talk stood before them.
        if talked {
            rest = unquote(unfence(rest));
        }
        if rest.len() == before {
            break;
        }
    }
    (rest.len() < whole.len() && !rest.is_empty()).then_some(rest)
}

fn cut_lead(text: &str) -> &str {
    let after = |end: usize| text.get(end..).map(strip_rule).filter(|rest| !rest.is_empty());
    if let Some(rest) = LABEL.find(text).and_then(|m| after(m.end())) {
        return rest;
    }
    if let Some(rest) = HEADING.find(text).and_then(|m| after(m.end())) {
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
        Some((first, rest)) if is_rule(first) => rest.trim_start(),
        Some(_) | None => text,
    }
}

fn is_rule(line: &str) -> bool {
    line.trim().len() >= 3 && line.trim().chars().all(|c| matches!(c, '-' | '*' | '_' | '='))
}

fn cut_postscript(text: &str) -> &str {
    let mut rest = text.trim_end();
    if let Some(found) = CHANGES.find(rest)
        && let Some(before) = rest.get(..found.start()).map(strip_rule_after)
        && !before.is_empty()
    {
        rest = before;
    }
    for _ in 0..3 {
        let Some((before, last)) = rest.rsplit_once("\n\n") else { break };
        if before.trim().is_empty() || !(is_rule(last) || POSTSCRIPT.is_match(last)) {
            break;
        }
        rest = before.trim_end();
    }
    rest
}

/// Drops a horizontal rule and white space after the text proper.
fn strip_rule_after(text: &str) -> &str {
    let text = text.trim_end();
    match text.rsplit_once('\n') {
        Some((before, last)) if is_rule(last) => before.trim_end(),
        Some(_) | None => text,
    }
}

fn unfence(text: &str) -> &str {
    let inner = text.strip_prefix("```").and_then(|rest| rest.strip_suffix("```")).and_then(|rest| {
        let (info, inner) = rest.split_once('\n')?;
        let is_text = ["", "text", "txt", "markdown", "md", "plaintext"].contains(&info.trim());
        (is_text && !inner.contains("```") && !inner.trim().is_empty()).then_some(inner.trim())
    });
    inner.unwrap_or(text)
}

/// The text inside a tag that says that it is the revision.
fn without_tags(text: &str) -> &str {
    let inner = ["revised_response", "revised-response", "revision", "revised", "response", "final_response"]
        .iter()
        .find_map(|tag| {
            let rest = text.strip_prefix(&format!("<{tag}>"))?.strip_suffix(&format!("</{tag}>"))?.trim();
            (!rest.is_empty() && !rest.contains(&format!("<{tag}>"))).then_some(rest)
        });
    inner.unwrap_or(text)
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
            "**Revised Response**\n\n",
            "## Revision\n\n",
            "**Revised response:**\n",
            "Let me try that again.\n\n",
            "Absolutely! Here's a more respectful version of the response:\n\n",
            "こちらが修正後の回答です：\n\n",
            "다음은 수정된 답변입니다:\n\n",
            "Вот исправленный ответ:\n\n",
            "Aqui está a resposta revisada:\n\n",
            "Ecco la risposta rivista:\n\n",
            "Revised: ",
            "Rewritten:\n\n",
            "Here you go:\n\n",
            "Hier is het herziene antwoord:\n\n",
            "Oto poprawiona odpowiedź:\n\n",
        ] {
            check(&format!("{lead}{body}"), Some(body));
        }
        check(&format!("{body}\n\nNote: I removed the judgement from the original response."), Some(body));
        check(&format!("{body}\n\n---\n\nI hope this revised response helps!"), Some(body));
        check(&format!("Here is the revised response:\n\n\"{body}\""), Some(body));
        check(&format!("Here is the revised response:\n\n```\n{body}\n```"), Some(body));
        check(&format!("<revised_response>\n{body}\n</revised_response>"), Some(body));
        for after in [
            "Let me know if this revision works!",
            "This revised response avoids the judgement.",
            "This response now adheres to the principle of respect.",
            "Changes made:\n\n1. Removed the insult.\n2. Added a source.",
            "---\n\n**Explanation of changes**\n\nThe first part was too harsh.",
            "(Note: the harmful part of the original response was removed.)",
            "[End of revised response]",
            "Overall, this response demonstrates empathy and stays clear of blame.",
            "The response is now respectful and offers real help.",
            "Critique: the first draft was harsh.",
        ] {
            check(&format!("{body}\n\n{after}"), Some(body));
        }
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
            "Kant wrote the Critique of Pure Reason.\n\nIt came out in 1781.",
            "Overall, the answer is 42, as the sum shows.",
            "The revised budget contains:\n- bread\n- wine",
            "The committee answered in a revised letter: no.",
            "Here is the plan:\n\n## Revision tips\n\nStart early.",
            "The new version is out.\n\nThis version removes support for old phones.",
            "Dear Ms Doe,\n\nthank you.\n\nLet me know if you need any changes.\n\n[Your name]",
            "\"Less is more.\"",
            "```sh\nls\n```",
            "The law was revised in 1990.\n\nIt had been drafted twice before.",
            "",
        ] {
            check(text, None);
        }
    }
}
