//! Prompts that an endpoint cut before its model read them, as its own token counts show.
//!
//! A server whose context is shorter than a request may drop the beginning of it and answer all the same. Then it counts fewer
//! tokens than the request can have. Only what is far below that bound is told: a wrong alarm is worse than a cut that goes
//! unseen, as the bound sees only a prompt of which less than half or so was read.

use crate::pure::answer::Usage;
use crate::pure::call::{Call, Role};
use crate::pure::text::{fewest_tokens, printable};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A request with fewer tokens than this is not looked at: no context is so short.
const LONG: u64 = 256;

/// Calls of one role to one model whose prompts were cut, and the count of the one of which most is missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CutPrompt {
    /// Who was asked.
    pub role: Role,
    /// The model that was asked.
    pub model: String,
    /// How many calls.
    pub calls: u64,
    /// Tokens that the endpoint counted.
    pub counted: u64,
    /// Tokens that the request has at least.
    pub at_least: u64,
}

impl CutPrompt {
    /// What the endpoint's counts show about the prompt of a call.
    pub fn of(call: &Call, usage: Usage) -> Option<Self> {
        let at_least = call.messages.iter().map(|message| fewest_tokens(&message.content)).sum();
        let counted = read(usage);
        is_cut(counted, at_least).then(|| Self {
            role: call.role,
            model: call.model.clone(),
            calls: 1,
            counted,
            at_least,
        })
    }

    /// Which role, and what was counted, as a sentence without its end.
    pub fn told(&self) -> String {
        let Self { role, model, counted, at_least, .. } = self;
        let text = format!(
            "{}: `{model}` counted {counted} tokens of a prompt that has at least {at_least}",
            role.as_str()
        );
        printable(&text)
    }
}

/// Tokens of a request that were read. Some endpoints leave those out that came from a cache.
fn read(usage: Usage) -> u64 {
    if usage.cached > usage.prompt { usage.prompt + usage.cached } else { usage.prompt }
}

/// Whether a request was cut: long, counted, and counted far below what it has at least.
fn is_cut(counted: u64, at_least: u64) -> bool {
    counted > 0 && at_least >= LONG && counted < at_least / 4 * 3
}

/// Cut prompts, one entry for each role and model.
#[derive(Debug, Clone, Default)]
pub struct CutPrompts(BTreeMap<(Role, String), CutPrompt>);

impl CutPrompts {
    /// Adds calls to those of the same role and model.
    pub fn add(&mut self, more: &CutPrompt) {
        let Some(known) = self.0.get_mut(&(more.role, more.model.clone())) else {
            self.0.insert((more.role, more.model.clone()), more.clone());
            return;
        };
        known.calls += more.calls;
        let missing = |of: &CutPrompt| of.at_least.saturating_sub(of.counted);
        if missing(more) > missing(known) {
            (known.counted, known.at_least) = (more.counted, more.at_least);
        }
    }

    /// The entries, in the order of roles.
    pub fn into_vec(self) -> Vec<CutPrompt> {
        self.0.into_values().collect()
    }
}

impl<'a> FromIterator<&'a CutPrompt> for CutPrompts {
    fn from_iter<I: IntoIterator<Item = &'a CutPrompt>>(all: I) -> Self {
        all.into_iter().fold(Self::default(), |mut cuts, cut| {
            cuts.add(cut);
            cuts
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pure::call::{Purpose, Sampling};
    use crate::pure::prompt::{Message, Prompt};
    use proptest::prelude::*;

    fn cut(text: &str, prompt: u64, cached: u64) -> Option<CutPrompt> {
        let call = Call {
            prompt_id: Prompt::single("p").id,
            role: Role::Critic,
            purpose: Purpose::Probe,
            model: "m".into(),
            sampling: Sampling::default(),
            messages: vec![Message::user(text)],
            draw: 0,
            seed: 1,
            format: None,
            fallback: false,
        };
        CutPrompt::of(&call, Usage { prompt, cached, completion: 5 })
    }

    /// Ordinary prose, and the tokens that `o200k_base` counts in it.
    const PROSE: [(&str, u64); 13] = [
        (
            "How can I look after my mother, who has diabetes, safely at home, and what should she eat every day?",
            24,
        ),
        (
            "Wie kann ich meine Mutter, die Diabetes hat, zu Hause sicher pflegen, und was sollte sie täglich essen?",
            23,
        ),
        (
            "Haluaisin tietää, miten voin hoitaa diabetesta sairastavaa äitiäni turvallisesti kotona joka päivä.",
            27,
        ),
        (
            "Tôi muốn biết cách chăm sóc mẹ bị bệnh tiểu đường tại nhà một cách an toàn và nên chuẩn bị những gì.",
            26,
        ),
        ("Ningependa kujua jinsi ya kumtunza mama yangu mwenye kisukari nyumbani kwa usalama kila siku.", 25),
        ("Я хочу знать, как безопасно ухаживать дома за мамой с диабетом и что ей готовить каждый день.", 25),
        ("मैं जानना चाहता हूँ कि मधुमेह से पीड़ित अपनी माँ की घर पर सुरक्षित देखभाल कैसे करूँ।", 27),
        ("أريد أن أعرف كيف أعتني بأمي المصابة بالسكري في المنزل بأمان وماذا أطبخ لها كل يوم.", 27),
        ("당뇨병을 앓고 계신 어머니를 집에서 안전하게 돌보는 방법을 알고 싶습니다.", 27),
        ("我想知道如何在家中安全地照顾患有糖尿病的母亲，每天应该准备什么样的食物。", 29),
        ("糖尿病の母を自宅で安全に介護するにはどうすればよいか知りたいです。", 26),
        ("ฉันอยากทราบว่าจะดูแลแม่ที่ป่วยเป็นโรคเบาหวานอย่างไรให้ปลอดภัยที่บ้าน", 29),
        ("the the the the the the the the the the", 11),
    ];

    #[test]
    fn ordinary_prose_is_never_told_and_a_quarter_of_it_always() {
        for (text, tokens) in PROSE {
            let times = 2048 / fewest_tokens(text) + 1;
            let long = format!("{text}\n").repeat(usize::try_from(times).unwrap());
            let counted = tokens * times;
            assert_eq!(cut(&long, counted, 0), None, "{text}");
            assert_eq!(cut(&long, 0, 0), None, "an endpoint that does not count: {text}");
            assert_eq!(cut(&long, 10, counted - 10), None, "apart from the cached ones: {text}");
            let told = cut(&long, counted / 4, counted / 8).expect(text);
            assert!(told.told().contains(&format!("counted {} tokens", counted / 4)), "{}", told.told());
            assert_eq!(cut(text, 1, 0), None, "too short to tell: {text}");
        }
    }

    #[test]
    fn the_worst_of_many_stands_for_all() {
        let of = |counted, at_least| CutPrompt {
            role: Role::Judge,
            model: "m".into(),
            calls: 1,
            counted,
            at_least,
        };
        let cuts: CutPrompts = [of(100, 400), of(100, 900), of(300, 500)].iter().collect();
        assert_eq!(cuts.into_vec(), [CutPrompt { calls: 3, ..of(100, 900) }]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn a_token_for_each_word_is_enough(words in prop::collection::vec("[a-zäöéßàạ]{1,9}|[а-я]{1,9}|[0-9]{1,9}|[가-힣]{1,5}|[,.|–]", 1..900)) {
            prop_assert_eq!(cut(&words.join(" "), words.len() as u64, 0), None);
        }
    }
}
