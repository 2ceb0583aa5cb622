//! Reason codes: why a text, a row or a prompt is left out, in the words that files, events and reports use.
//!
//! One list for all of amend. A reason is decided by its variant and printed by its name; the names are part of the
//! interface, and a test holds them. What to do about a reason stands here too, as [`Reason::hint`].

use crate::pure::stored_name::{UnknownName, stored_names};

/// Why a text, a row or a prompt is left out.
#[derive(Debug, Clone, PartialEq, Eq, Hash, strum::EnumString, strum::EnumIter, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum Reason {
    // Gates, in the order in which they run.
    /// Nothing but white space.
    Empty,
    /// A server's or client's error message.
    ErrorText,
    /// Reasoning in tags.
    ThinkTag,
    /// Tokens of a chat template, or turns of a further conversation.
    RoleTag,
    /// Talk about the revision around it.
    Preamble,
    /// A text that stands for "nothing to do" or "no value".
    Sentinel,
    /// A critique, or much of one, where a revision is due.
    CritiqueEcho,
    /// Speaks of its critique, of the principles or of what it revises, to a reader who knows of none of them.
    SelfMention,
    /// Text of the few-shot examples.
    ExampleLeak,
    /// Text of the instruction that asked for it.
    InstructionEcho,
    /// The same said over and over.
    Repetition,
    /// Cut off, although the endpoint said that it was whole.
    TruncationSigns,
    /// Another language than the text it revises.
    LanguageChange,
    /// Another language than the prompt's.
    WrongLanguage,
    /// A number or an address that is no resource of the constitution for the prompt's place.
    InventedContact,
    /// Chosen and rejected are the same but for case, space and punctuation.
    Equal,
    /// Chosen and rejected differ by too few words to teach anything.
    TooClose,
    /// Chosen and rejected both refuse.
    BothRefuse,
    /// One of chosen and rejected is many times as long as the other.
    LengthRatio,

    // Styled answers, and prompts that were written for them.
    /// No style fits the prompt, or it does not say whether it asks for harm.
    NoStyle,
    /// The grade of the answer is too low for a row.
    BelowGrade,
    /// The answer opens as too many others do.
    SameOpening,
    /// The answer is nearly the same as another one.
    SimilarAnswer,
    /// The prompt is of another class than it should be.
    WrongClass,
    /// The prompt is about another hazard than it should be.
    WrongHazard,
    /// The prompt is nearly the same as another one.
    NearDuplicate,

    // Calls that ended otherwise than complete; an empty answer is `Empty`.
    /// The answer hit the token ceiling.
    Truncated,
    /// A provider's filter removed or replaced the answer.
    Filtered,
    /// The model or provider declined by a typed refusal field.
    Refused,
    /// The response could not be read as an answer.
    Malformed,
    /// There was no response after every attempt.
    Failed,

    // Chains.
    /// The reviser gave the response back as it was.
    Unchanged,
    /// A revision came back to an earlier response.
    Oscillation,
    /// The critic says that a revision is no clean answer to the user.
    NotClean,
    /// The critic did not say whether a revision is a clean answer to the user.
    Unconfirmed,

    // Rows of the input.
    /// The line is not JSON.
    BadJson,
    /// The row is not UTF-8.
    InvalidUtf8,
    /// The line is JSON, but not an object.
    NotAnObject,
    /// The row has more bytes than are allowed.
    TooLong,
    /// The row has more or fewer fields than the header.
    WrongColumns,
    /// The bytes cannot be read, or an answer names no option.
    Unreadable,
    /// The column is not there, or is null.
    MissingColumn,
    /// The column holds something else than it should.
    WrongType,
    /// A message of a conversation cannot be understood.
    BadMessage,
    /// The turns do not alternate.
    WrongOrder,
    /// The conversation has no user turn.
    NoUserTurn,
    /// The conversation ends with a reply.
    NotUserLast,
    /// A reply stands alone, without the conversation before it.
    NoConversation,
    /// A response to compare is not there.
    MissingResponse,
    /// A response to compare is empty.
    EmptyResponse,
    /// The responses to compare are the same.
    EqualResponses,
    /// The row has more responses than can be compared.
    TooManyResponses,
    /// The conversations differ in more than their last reply.
    MoreThanAReply,
    /// The options make no multiple-choice question.
    BadOptions,
    /// The row says neither `safe` nor `unsafe`.
    BadSide,
    /// The same prompt was met before.
    Duplicate,
    /// The journal has the row as a reject of an earlier pass.
    Rejected,

    // Rows of a dataset.
    /// No verdict or preference could be read.
    Undecided,
    /// A principle objects to the final response.
    Unresolved,
    /// A critique names a principle that the constitution does not have.
    UnknownPrinciple,
    /// The conversation has several turns, and the config has room for one.
    MultiTurn,
    /// There are fewer than two responses to compare.
    OneResponse,
    /// No principle applies under which responses could be compared.
    NoPrinciple,
    /// Neither response is preferred.
    Tie,
    /// The critiques do not say that the later response is better.
    NoDirection,
    /// The judge that was to confirm a pair gave no label.
    JudgeUndecided,
    /// The judge that was to confirm a pair prefers the other response.
    JudgeDisagrees,
    /// The same reply stands in too many rows.
    Boilerplate,
    /// The pair would teach a phrase that too many pairs teach.
    BoilerplatePhrase,
    /// The same row is in the config already.
    Repeat,
    /// The prompt is near to prompts of two splits.
    BetweenSplits,
    /// The mix has no room for the prompt.
    NotInMix,

    // Others.
    /// A response that should be there is not.
    Missing,
    /// Something that cannot happen has happened.
    Bug,
    /// A reason of another version of amend, as a file has it.
    #[strum(disabled)]
    Other(UnknownName),
}

stored_names!(Reason);

impl Reason {
    /// The reasons of gates, in the order in which the gates run: what `gates.off` may name.
    pub const GATES: [Self; 19] = [
        Self::Empty,
        Self::ErrorText,
        Self::ThinkTag,
        Self::RoleTag,
        Self::Preamble,
        Self::Sentinel,
        Self::CritiqueEcho,
        Self::SelfMention,
        Self::ExampleLeak,
        Self::InstructionEcho,
        Self::Repetition,
        Self::TruncationSigns,
        Self::LanguageChange,
        Self::WrongLanguage,
        Self::InventedContact,
        Self::Equal,
        Self::TooClose,
        Self::BothRefuse,
        Self::LengthRatio,
    ];

    /// What to do next, in one sentence without a full stop.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Empty => {
                "leave empty rows out; where a model gives empty answers, try it with `amend doctor`"
            }
            Self::ErrorText => "the endpoint sends error messages as answers: try it with `amend doctor`",
            Self::ThinkTag => "let the server give the reasoning apart from the answer",
            Self::RoleTag => "look at the server's chat template: parts of it stand in the answer",
            Self::Preamble => "nothing to do: talk around a text is cut off",
            Self::Sentinel => "raise `method.retries`, or take a stronger model: it wrote a placeholder",
            Self::CritiqueEcho => {
                "raise `method.retries`, or take a stronger reviser: it repeats the critique"
            }
            Self::SelfMention => {
                "raise `method.retries`, or take a stronger reviser: it talks about its own revision"
            }
            Self::ExampleLeak => "set `method.examples = false`, or word the examples in another way",
            Self::InstructionEcho => {
                "take a stronger reviser, or try `templates = \"small\"`: it repeats what it was told"
            }
            Self::Repetition => "raise the temperature, or set a repetition penalty in the model's `extra`",
            Self::TruncationSigns | Self::Truncated => "raise the `max_tokens` of the model",
            Self::LanguageChange | Self::WrongLanguage => {
                "take a model that writes the language of the prompts"
            }
            Self::InventedContact => {
                "add the number or address as a `[[resource]]` of the prompt's `locale`, if it is right"
            }
            Self::NoStyle => {
                "give the prompt a `class` (harmful, borderline or benign), or add a `[[style]]` for it"
            }
            Self::BelowGrade => {
                "raise `method.rounds`, or keep more with `export.min_grade = \"acceptable\"`"
            }
            Self::SameOpening => "raise `export.max_same_opening` to keep more answers that open alike",
            Self::SimilarAnswer => {
                "raise `export.max_answer_similarity` to keep more answers that resemble each other"
            }
            Self::WrongClass | Self::WrongHazard => {
                "nothing to do: another prompt was asked for; a better author misses less"
            }
            Self::NearDuplicate => "nothing to do: another prompt was asked for in its place",
            Self::Equal | Self::EqualResponses => "nothing to do: two texts that are the same teach nothing",
            Self::TooClose => "lower `gates.min_edit_share` to keep such pairs",
            Self::BothRefuse => "put `both-refuse` into `gates.off` to keep such pairs",
            Self::LengthRatio => "raise `gates.max_length_ratio` to keep such pairs",
            Self::Filtered => "give the role a `fallback` model without such a filter",
            Self::Refused => "give the role a `fallback` model, or another model",
            Self::Malformed => "the answers of the endpoint cannot be read: try it with `amend doctor`",
            Self::Failed => {
                "run the same command again when the endpoint answers: only failed calls are asked again"
            }
            Self::Unchanged => "raise `method.retries`, or take a stronger reviser: it changes nothing",
            Self::Oscillation => {
                "look at the transcript: two principles may pull the text in opposite directions"
            }
            Self::NotClean => {
                "raise `method.retries`, or take a stronger reviser: it writes more than the answer"
            }
            Self::Unconfirmed => {
                "take a critic that answers yes or no, or set `gates.confirm_revision = false`"
            }
            Self::BadJson => {
                "write whole JSON objects, one on every line (`jq -c .` does that) or all in one array"
            }
            Self::InvalidUtf8 => "save the file as UTF-8; `iconv -t UTF-8` does that",
            Self::NotAnObject => "write every line as an object, such as {\"prompt\": \"…\"}",
            Self::TooLong => {
                "raise `input.max_bytes`, or shorten the row; an open quote also makes a row too long"
            }
            Self::WrongColumns => {
                "give the row as many fields as the header has, and quote fields with commas"
            }
            Self::Unreadable => "look at the detail: it says what could not be read",
            Self::MissingColumn => "give the row the column, or name another one with `input.column`",
            Self::WrongType => "write a text or a list of messages into the column",
            Self::BadMessage => {
                "give every message a `role` (system, user or assistant) and a text as `content`"
            }
            Self::WrongOrder => "let user and assistant speak in turn, after one system turn at most",
            Self::NoUserTurn => "give the conversation a turn of the user",
            Self::NotUserLast => "remove `input.drop_reply = false`, so that the last reply is left out",
            Self::NoConversation => "give the row a column with the prompt",
            Self::MissingResponse => "give the row two responses or more",
            Self::EmptyResponse => "leave the row out, or fill in the response",
            Self::TooManyResponses => "split the row: every two of its responses are compared",
            Self::MoreThanAReply => "let the conversations differ in their last reply only",
            Self::BadOptions => {
                "give the question at least one right and one wrong option, all of them different"
            }
            Self::BadSide => "write `safe` or `unsafe` into the column",
            Self::Duplicate => "nothing to do: the prompt is answered once",
            Self::Rejected => "look at the row with `amend show RUN --rejects`",
            Self::Undecided => {
                "take a critic or judge that ends with a verdict, or let it use structured output"
            }
            Self::Unresolved => {
                "raise `method.rounds`, or set `export.keep_unresolved = true` to keep such responses"
            }
            Self::UnknownPrinciple => "export with the constitution that made the run",
            Self::MultiTurn => "export `preference` or `kto`: they hold conversations of several turns",
            Self::OneResponse => "raise `label.samples`, or bring two responses with every prompt",
            Self::NoPrinciple => "give the constitution a principle that applies to such prompts",
            Self::Tie => "nothing to do: the judge sees no better response",
            Self::NoDirection => "nothing to do: the later response is not the better one by the critiques",
            Self::JudgeUndecided => "take a judge that names an option, or set `gates.confirm = false`",
            Self::JudgeDisagrees => "nothing to do: critic and judge do not agree about this pair",
            Self::Boilerplate => "raise `export.max_same_reply` to keep more rows with this reply",
            Self::BoilerplatePhrase => "raise `export.max_phrase_share` to keep more pairs with this phrase",
            Self::Repeat => "nothing to do: the row is in the dataset already",
            Self::NotInMix => "nothing to do: `export.mix` says how many of each kind there are",
            Self::BetweenSplits => "nothing to do: rows in either split would leak into the other",
            Self::Missing | Self::Bug => "this is a bug of amend: please report it",
            Self::Other(_) => {
                "this version of amend does not know the reason: look into the version that made the run"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: &str = "\
empty error-text think-tag role-tag preamble sentinel critique-echo self-mention example-leak instruction-echo
repetition truncation-signs language-change wrong-language invented-contact equal too-close both-refuse length-ratio
no-style below-grade same-opening similar-answer wrong-class wrong-hazard near-duplicate truncated
filtered refused malformed failed unchanged oscillation not-clean unconfirmed bad-json invalid-utf8 not-an-object too-long
wrong-columns unreadable missing-column wrong-type bad-message wrong-order no-user-turn
not-user-last no-conversation missing-response empty-response equal-responses too-many-responses
more-than-a-reply bad-options bad-side duplicate rejected undecided unresolved unknown-principle
multi-turn one-response no-principle tie no-direction judge-undecided judge-disagrees boilerplate
boilerplate-phrase repeat between-splits not-in-mix missing bug";

    #[test]
    fn the_names_are_part_of_the_interface() {
        let names: Vec<String> = Reason::known().map(|reason| reason.to_string()).collect();
        assert_eq!(names.join(" "), NAMES.replace('\n', " "));
        for (reason, name) in Reason::known().zip(&names) {
            assert_eq!(name.parse::<Reason>().as_ref(), Ok(&reason));
            assert_eq!(serde_json::json!(reason), serde_json::json!(name));
            assert_eq!(serde_json::from_value::<Reason>(serde_json::json!(name)).unwrap(), reason);
            let hint = reason.hint();
            assert!(!hint.is_empty() && !hint.ends_with('.') && hint.len() <= 100, "{name}: {hint}");
        }
        assert!(
            Reason::GATES.iter().eq(Reason::known().take(Reason::GATES.len()).collect::<Vec<_>>().iter())
        );
    }

    #[test]
    fn a_name_of_another_version_is_kept_as_it_is() {
        let read: Reason = serde_json::from_str("\"moon-phase\"").unwrap();
        assert!(matches!(read, Reason::Other(_)));
        assert_eq!((read.as_str(), read.to_string().as_str()), ("moon-phase", "moon-phase"));
        assert_eq!(serde_json::to_string(&read).unwrap(), "\"moon-phase\"");
        // What a user writes is not taken on trust.
        assert!("moon-phase".parse::<Reason>().is_err());
        assert!("other".parse::<Reason>().is_err());
        assert!(Reason::stored("other") > Reason::Empty && Reason::Truncated > Reason::Empty);
    }
}
