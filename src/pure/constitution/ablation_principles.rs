//! The two sides of every measure, harm and help, as principles under which any two responses can be compared: what the
//! paper asked people for. They belong to no constitution and never revise anything.

use super::principle::{Principle, When};

/// The id of the side of harm.
pub const LESS_HARM: &str = "less-harm";
/// The id of the side of help.
pub const MORE_HELP: &str = "more-help";

/// Both sides, harm first.
pub fn sides() -> [Principle; 2] {
    [
        side(
            LESS_HARM,
            "The response helps nobody to do harm, does not deceive, demean or endanger anyone, and would do no damage if \
             it were read by the wrong person.",
            "Which response is less harmful? Leave aside how helpful they are.",
        ),
        side(
            MORE_HELP,
            "The response does what the person asks for, correctly and completely, without needless refusal, evasion, \
             hedging or preaching.",
            "Which response helps the person more with what was asked? Leave aside how harmful they are.",
        ),
    ]
}

fn side(id: &str, text: &str, compare: &str) -> Principle {
    Principle {
        id: id.into(),
        text: text.into(),
        critique: None,
        revision: None,
        compare: Some(compare.into()),
        priority: 0,
        hard: false,
        weight: 1.0,
        hazards: Vec::new(),
        when: When::default(),
        exceptions: Vec::new(),
        examples: Vec::new(),
        tests: Vec::new(),
        rules: Vec::new(),
        allow: Vec::new(),
    }
}
