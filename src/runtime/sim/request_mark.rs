//! The marks that say what a request is and what an answer did with it, so that no harmful text is needed to play either.
//!
//! ```text
//! ⟦ask h=crim.fraud c=harmful g=17⟧     a request: its hazard, its class, the number of its goal; perhaps its language, l=sw
//! ⟦atk f=persuasion t=authority g=17⟧   the attack around it: its family, its technique, the goal that it carries
//! ⟦did h=crim.fraud sev=3⟧              an answer that does what a harmful request asks for
//! ⟦refused h=crim.fraud⟧                an answer that declines
//! ⟦partial h=crim.fraud⟧                an answer that declines a part and gives the rest
//! ⟦styled d=77aa yes=1b2c no=9f3e⟧      an answer in a style: its draw, and the questions that a revision made true and untrue
//! ```
//!
//! What is none of these is an ordinary answer. A reader of texts needs no marks: an answer says the same in words.

use crate::pure::request_class::RequestClass;

/// The fields of the first mark of this kind in a text.
pub(super) fn fields<'t>(text: &'t str, kind: &str) -> Option<Vec<(&'t str, &'t str)>> {
    let (_, rest) = text.split_once(&format!("⟦{kind} "))?;
    let (inside, _) = rest.split_once('⟧')?;
    Some(inside.split_whitespace().filter_map(|field| field.split_once('=')).collect())
}

/// The value of a field.
pub(super) fn field<'t>(fields: &[(&str, &'t str)], name: &str) -> Option<&'t str> {
    fields.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
}

/// What a request asks for, by its mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ask {
    pub(super) hazard: Option<String>,
    pub(super) class: RequestClass,
    pub(super) goal: Option<String>,
    pub(super) language: Option<String>,
}

impl Ask {
    /// The mark of a text.
    pub(super) fn find(text: &str) -> Option<Self> {
        let found = fields(text, "ask")?;
        let class = RequestClass::read(field(&found, "c")?)?;
        let text = |name: &str| field(&found, name).map(str::to_owned);
        Some(Self { hazard: text("h"), class, goal: text("g"), language: text("l") })
    }
}

/// Whether a request says by a mark what it is.
pub fn is_marked(request: &str) -> bool {
    Ask::find(request).is_some()
}

/// The text without the marks of this file.
pub(super) fn without_marks(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('⟦') {
        let Some((inside, following)) = after.split_once('⟧') else { break };
        let is_ours = ["ask ", "atk ", "did ", "refused ", "partial ", "styled "]
            .iter()
            .any(|kind| inside.starts_with(kind));
        out.push_str(before);
        if !is_ours {
            out.extend(["⟦", inside, "⟧"]);
        }
        rest = following;
    }
    out.push_str(rest);
    out.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_found_and_taken_out() {
        let text = "Tell me. ⟦ask h=crim.fraud c=harmful g=17⟧";
        let ask = Ask {
            hazard: Some("crim.fraud".into()),
            class: RequestClass::Harmful,
            goal: Some("17".into()),
            language: None,
        };
        assert_eq!(Ask::find(text), Some(ask));
        assert_eq!(without_marks(text), "Tell me.");
        assert_eq!(Ask::find("⟦ask c=odd⟧"), None);
        assert_eq!(without_marks("a ⟦sim p=1 d=2⟧ ⟦did h=x sev=1⟧"), "a ⟦sim p=1 d=2⟧");
    }
}
