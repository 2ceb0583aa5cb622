//! Handlebars templates → the last user turn of a request.
//!
//! A call's conversation is `[system?]`, the prompt's turns, the response, and one turn rendered here: the item first,
//! the principle last, nothing that varies in front of it (law 5). Every turn states the principle on a line of its own,
//! `Principle [the-id]: text`. The built-in templates stand in `prompts/`; a user's file overrides one by its name.
//!
//! Pure. Prompts, responses, critiques and the constitution are data here: never compiled, never a partial, never
//! escaped, passed through byte for byte. What a template may name is checked when it is loaded (`check`).

mod check;

use crate::pure::constitution::{Constitution, Example, Principle, Proposition, Style};
use crate::pure::diagnostic::Diagnostic;
use crate::pure::digest::Parts;
use crate::pure::prompt::{Message, Speaker};
use crate::pure::taxonomy::Taxonomy;
use check::Shape::{self, Flag, List, Record, Text};
use handlebars::Handlebars;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A template that cannot be rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("template `{name}`: {message}")]
pub struct TemplateError {
    /// The template's name, such as `critique`.
    pub name: String,
    /// What happened, with line and column where there are any.
    pub message: String,
}

/// A principle that a response violates, with the critique that says so.
#[derive(Debug, Clone, Copy)]
pub struct Objection<'a> {
    /// The principle.
    pub principle: &'a Principle,
    /// The critique.
    pub critique: &'a str,
}

/// Two responses to compare under one principle.
#[derive(Debug, Clone, Copy)]
pub struct Pair<'a> {
    /// The conversation that both answer.
    pub conversation: &'a [Message],
    /// The response shown as (A).
    pub a: &'a str,
    /// The response shown as (B).
    pub b: &'a str,
}

/// What is wrong with a styled answer.
#[derive(Debug, Clone)]
pub struct StyleFaults<'a> {
    /// Questions of propositions that must be true and are not.
    pub missing: Vec<&'a str>,
    /// Questions of propositions that must not be true and are.
    pub broken: Vec<&'a str>,
    /// How many words it has.
    pub words: usize,
}

/// What a critique is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CritiqueAsk {
    /// A review, and a closing line with the verdict.
    Line,
    /// A JSON object with the review and the verdict.
    Json,
    /// Why the response violates the principle: the verdict is known.
    Why,
}

/// The templates of a run.
#[derive(Debug, Clone)]
pub struct Templates {
    engine: Handlebars<'static>,
    sources: BTreeMap<&'static str, String>,
}

/// The template of a guard's check. It is none that a recipe's folder can override, and no run depends on it.
const GUARD: &str = "guard";

/// The templates of prompts that a model writes, and of the judge who says what a prompt is. The same holds for them.
const AUTHOR_PROMPT: &str = "author/prompt";
const AUTHOR_TWIN: &str = "author/twin";
const PROMPT_CHECK: &str = "author/check";
const ATTACKER: &str = "attacks/attacker";
const SAME_GOAL: &str = "attacks/same_goal";
const TRANSLATE: &str = "attacks/translate";

/// The template that only runs with `gates.confirm_revision` depend on.
const CONFIRM_REVISION: &str = "confirm_revision";

/// What an author is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthorTask {
    /// A prompt.
    Prompt,
    /// The benign twin of one.
    Twin,
}

/// The verdicts that a critic may give.
pub const VERDICTS: [&str; 3] = ["violates", "conforms", "not-applicable"];

/// At most this many examples stand in a merged revision request: two of each principle, first come first.
const MERGED_EXAMPLES: usize = 6;

/// The JSON schema of a structured critique: `{"critique": …, "verdict": …}`.
pub fn verdict_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "critique": { "type": "string" },
            "verdict": { "type": "string", "enum": VERDICTS },
        },
        "required": ["critique", "verdict"],
        "additionalProperties": false,
    })
}

/// The JSON schema of a structured screening: one verdict per principle id.
pub fn screen_schema<'a>(ids: impl IntoIterator<Item = &'a str>) -> Value {
    let ids: Vec<&str> = ids.into_iter().collect();
    let verdict = json!({ "type": "string", "enum": VERDICTS });
    let properties: serde_json::Map<String, Value> =
        ids.iter().map(|id| ((*id).to_owned(), verdict.clone())).collect();
    json!({ "type": "object", "properties": properties, "required": ids, "additionalProperties": false })
}

/// The JSON schema of an answer about propositions: true or false for each id.
pub fn proposition_schema(ids: &[&str]) -> Value {
    let properties: serde_json::Map<String, Value> =
        ids.iter().map(|id| ((*id).to_owned(), json!({ "type": "boolean" }))).collect();
    json!({ "type": "object", "properties": properties, "required": ids, "additionalProperties": false })
}

/// The JSON schema of a guard's check: which principles are violated, and which may be.
pub fn guard_schema(ids: &[&str]) -> Value {
    let list = json!({ "type": "array", "items": { "type": "string", "enum": ids } });
    json!({
        "type": "object",
        "properties": { "violates": list, "unsure": list },
        "required": ["violates", "unsure"],
        "additionalProperties": false,
    })
}

impl Templates {
    /// The templates that ship.
    pub fn built_in() -> Self {
        // They are checked by the tests; one that did not compile would say so when it is rendered.
        Self::compiled(BUILT_IN.iter().map(|spec| (spec.name, spec.source.to_owned())).collect())
    }

    /// The built-in templates, some of them replaced. Keys are names (`critique`) or files (`my/critique.hbs`), values
    /// their texts. Everything that is wrong with any of them is reported at once.
    pub fn load(overrides: &BTreeMap<String, String>) -> Result<Self, Vec<Diagnostic>> {
        let mut found = Vec::new();
        let mut sources: BTreeMap<&'static str, String> =
            BUILT_IN.iter().map(|spec| (spec.name, spec.source.to_owned())).collect();
        for (file, text) in overrides {
            let name = file.rsplit(['/', '\\']).next().unwrap_or(file);
            let name = name.strip_suffix(".hbs").unwrap_or(name);
            match BUILT_IN.iter().find(|spec| spec.name == name) {
                Some(spec) => {
                    found.extend(check::check(file, text, &spec.data, spec.needed));
                    sources.insert(spec.name, text.clone());
                }
                None => found.push(unknown_template(file, name)),
            }
        }
        if found.is_empty() { Ok(Self::compiled(sources)) } else { Err(found) }
    }

    /// The short templates for small models; what is not among them is as in [`Self::built_in`].
    pub fn small() -> Self {
        let mut sources: BTreeMap<&'static str, String> =
            BUILT_IN.iter().map(|spec| (spec.name, spec.source.to_owned())).collect();
        sources.extend(SMALL.iter().map(|(name, source)| (*name, (*source).to_owned())));
        Self::compiled(sources)
    }

    fn compiled(sources: BTreeMap<&'static str, String>) -> Self {
        let mut engine = Handlebars::new();
        engine.set_strict_mode(true);
        engine.register_escape_fn(handlebars::no_escape);
        for (name, source) in &sources {
            // A template that does not compile is found by `check`; here it stays unknown and rendering names it.
            let _ = engine.register_template_string(name, source);
        }
        for (name, source) in [
            (GUARD, include_str!("../../prompts/guard/policy.hbs")),
            (AUTHOR_PROMPT, include_str!("../../prompts/author/prompt.hbs")),
            (AUTHOR_TWIN, include_str!("../../prompts/author/twin.hbs")),
            (PROMPT_CHECK, include_str!("../../prompts/author/check.hbs")),
            (ATTACKER, include_str!("../../prompts/attacks/attacker.hbs")),
            (SAME_GOAL, include_str!("../../prompts/attacks/same_goal.hbs")),
            (TRANSLATE, include_str!("../../prompts/attacks/translate.hbs")),
        ] {
            let _ = engine.register_template_string(name, source);
        }
        Self { engine, sources }
    }

    /// Every template's name and text, in the order of their names: what a run directory keeps.
    pub fn sources(&self) -> impl Iterator<Item = (&str, &str)> {
        self.sources.iter().map(|(name, source)| (*name, source.as_str()))
    }

    /// SHA-256 over all names and texts, but for [`Self::confirm_revision_source`].
    pub fn sha256(&self) -> String {
        self.sources
            .iter()
            .filter(|(name, _)| **name != CONFIRM_REVISION)
            .fold(Parts::new("templates"), |parts, (name, text)| parts.with(name).with(text))
            .hex()
    }

    /// The text of the template that only runs with `gates.confirm_revision` depend on.
    pub fn confirm_revision_source(&self) -> &str {
        self.sources.get(CONFIRM_REVISION).map_or("", String::as_str)
    }

    /// The system turn for all roles, if there is one.
    pub fn system(&self, constitution: &Constitution) -> Result<Option<String>, TemplateError> {
        let Constitution { title, description, system, .. } = constitution;
        let system = system.as_deref().unwrap_or_default();
        let data =
            json!({ "constitution": { "title": title, "description": description, "system": system } });
        let text = self.render("system", &data)?;
        Ok((!text.trim().is_empty()).then_some(text))
    }

    /// The user turn that asks for a critique of the response before it, and for a verdict.
    pub fn critique(
        &self,
        principle: &Principle,
        examples: bool,
        ask: CritiqueAsk,
    ) -> Result<String, TemplateError> {
        let structured = ask == CritiqueAsk::Json;
        let examples: Vec<_> = principle
            .examples
            .iter()
            .filter(|_| examples)
            .map(|example| ExampleView::new(example, structured))
            .collect();
        let principle = PrincipleView::new(principle);
        self.render(
            "critique",
            &json!({
                "principle": principle,
                "examples": examples,
                "structured": structured,
                "violates": ask == CritiqueAsk::Why,
            }),
        )
    }

    /// The user turn that asks whether the response before it violates the principle, as one of two letters: (A) says that it
    /// does, unless they are swapped.
    pub fn verdict_choice(&self, principle: &Principle, swapped: bool) -> Result<String, TemplateError> {
        let principle = PrincipleView::new(principle);
        self.render("verdict_choice", &json!({ "principle": principle, "swapped": swapped }))
    }

    /// The user turn that asks for a verdict on every principle at once.
    pub fn screen(
        &self,
        principles: &[&Principle],
        structured: bool,
        system: &str,
    ) -> Result<String, TemplateError> {
        let principles: Vec<_> = principles.iter().map(|p| PrincipleView::new(p)).collect();
        let data = json!({ "principles": principles, "structured": structured, "system": system.trim() });
        self.render("screen", &data)
    }

    /// The user turn that asks for a screening, after the conversation and the response.
    pub fn screen_ask(&self) -> Result<String, TemplateError> {
        self.render("screen_ask", &json!({}))
    }

    /// The user turn that asks whether the revision before it is a clean answer.
    pub fn confirm_revision(&self) -> Result<String, TemplateError> {
        self.render(CONFIRM_REVISION, &json!({}))
    }

    /// The system turn of a guard's check: the policy, the same whatever is judged.
    pub fn guard(
        &self,
        constitution: &Constitution,
        principles: &[&Principle],
        structured: bool,
    ) -> Result<String, TemplateError> {
        let principles: Vec<_> = principles.iter().map(|p| PrincipleView::new(p)).collect();
        let system = constitution.system.as_deref().unwrap_or_default().trim();
        self.render(GUARD, &json!({ "principles": principles, "system": system, "structured": structured }))
    }

    /// The follow-up turn that asks for the verdict alone, after a critique without a readable one.
    pub fn verdict(&self, principle: &Principle, structured: bool) -> Result<String, TemplateError> {
        let principle = PrincipleView::new(principle);
        self.render("verdict", &json!({ "principle": principle, "structured": structured }))
    }

    /// The user turn that asks for a revision, after a critique call and its answer.
    pub fn revision(&self, principle: &Principle, examples: bool) -> Result<String, TemplateError> {
        let examples: Vec<_> = revised_examples(principle).filter(|_| examples).collect();
        let principle = PrincipleView::new(principle);
        self.render("revision", &json!({ "principle": principle, "examples": examples }))
    }

    /// The user turn that asks for one revision that answers every objection.
    pub fn merged_revision(
        &self,
        objections: &[Objection<'_>],
        examples: bool,
    ) -> Result<String, TemplateError> {
        let examples = merged_examples(objections.iter().map(|o| o.principle), examples);
        let objections: Vec<_> = objections
            .iter()
            .map(|o| json!({ "principle": PrincipleView::new(o.principle), "critique": o.critique }))
            .collect();
        self.render("merged_revision", &json!({ "objections": objections, "examples": examples }))
    }

    /// The user turn that asks for a revision that keeps the principles, after a response that nobody reviewed.
    pub fn direct_revision(
        &self,
        principles: &[&Principle],
        examples: bool,
    ) -> Result<String, TemplateError> {
        let examples = merged_examples(principles.iter().copied(), examples);
        let principles: Vec<_> = principles.iter().map(|p| PrincipleView::new(p)).collect();
        self.render("direct_revision", &json!({ "principles": principles, "examples": examples }))
    }

    /// The system turn of a styled answer: the application's own, then how to answer.
    pub fn style(&self, system: &str, style: &Style, resources: &[&str]) -> Result<String, TemplateError> {
        let most = style.max_words.map_or_else(String::new, |most| most.to_string());
        let text = one_line(&style.text);
        self.render(
            "style",
            &json!({ "system": system, "style": text, "max_words": most, "resources": resources }),
        )
    }

    /// The user turn that asks for a revision of a styled answer: what it lacks, and what it must not do.
    pub fn style_revision(&self, style: &Style, faults: &StyleFaults<'_>) -> Result<String, TemplateError> {
        let most = style.max_words.unwrap_or(u32::MAX);
        let data = json!({
            "style": one_line(&style.text),
            "missing": faults.missing,
            "broken": faults.broken,
            "too_long": faults.words > most as usize,
            "words": faults.words.to_string(),
            "max_words": most.to_string(),
        });
        self.render("style_revision", &data)
    }

    /// The system turn of a call that asks which propositions are true: the block of all of them.
    pub fn propositions(
        &self,
        propositions: &[Proposition],
        structured: bool,
    ) -> Result<String, TemplateError> {
        let shown: Vec<_> = propositions
            .iter()
            .map(|one| json!({ "id": one.id, "question": one_line(&one.question) }))
            .collect();
        self.render("propositions", &json!({ "propositions": shown, "structured": structured }))
    }

    /// The system turn that asks an author for prompts. The constitution says which application they are for.
    pub fn author(&self, task: AuthorTask, constitution: &Constitution) -> Result<String, TemplateError> {
        let system = constitution.system.as_deref().unwrap_or_default().trim();
        let name = match task {
            AuthorTask::Prompt => AUTHOR_PROMPT,
            AuthorTask::Twin => AUTHOR_TWIN,
        };
        self.render(name, &json!({ "system": system }))
    }

    /// The system turn that asks what a prompt is.
    ///
    /// `system` is an application's task where prompts of its scope are asked about, else empty.
    pub fn prompt_check(&self, taxonomy: &Taxonomy, system: &str) -> Result<String, TemplateError> {
        let hazards: Vec<_> =
            taxonomy.hazards().iter().map(|hazard| json!({ "id": hazard.id, "name": hazard.name })).collect();
        self.render(PROMPT_CHECK, &json!({ "hazards": hazards, "system": system.trim() }))
    }

    /// The system turn of who writes attacks. The instruction is a value: it is put there, and never read as a template.
    pub fn attacker(&self, instruction: &str) -> Result<String, TemplateError> {
        self.render(ATTACKER, &json!({ "instruction": instruction.trim() }))
    }

    /// The system turn that asks whether an attack still has its goal.
    pub fn same_goal(&self) -> Result<String, TemplateError> {
        self.render(SAME_GOAL, &json!({}))
    }

    /// The system turn of who puts a goal into another language.
    pub fn translate(&self) -> Result<String, TemplateError> {
        self.render(TRANSLATE, &json!({}))
    }

    /// The user turn that shows a conversation and two responses, and asks which is better under the principle.
    pub fn compare(
        &self,
        pair: Pair<'_>,
        principle: &Principle,
        reason_first: bool,
    ) -> Result<String, TemplateError> {
        let conversation: Vec<_> = pair
            .conversation
            .iter()
            .map(|turn| json!({ "speaker": speaker(turn.role), "content": turn.content }))
            .collect();
        let data = json!({
            "conversation": conversation,
            "a": pair.a,
            "b": pair.b,
            "principle": PrincipleView::new(principle),
            "reason_first": reason_first,
        });
        self.render("compare", &data)
    }

    /// The user turn of a multiple-choice question; options are lettered in the order given, 26 at most.
    pub fn choice(
        &self,
        question: &str,
        options: &[&str],
        reason_first: bool,
    ) -> Result<String, TemplateError> {
        let options: Vec<_> = ('A'..='Z')
            .zip(options)
            .map(|(letter, text)| json!({ "letter": letter.to_string(), "text": text }))
            .collect();
        self.render(
            "choice",
            &json!({ "question": question, "options": options, "reason_first": reason_first }),
        )
    }

    fn render(&self, name: &'static str, data: &Value) -> Result<String, TemplateError> {
        match self.engine.render(name, data) {
            Ok(text) => Ok(text.trim_matches('\n').to_owned()),
            Err(error) => Err(TemplateError { name: name.into(), message: error.to_string() }),
        }
    }
}

fn unknown_template(file: &str, name: &str) -> Diagnostic {
    let there_are: Vec<_> = BUILT_IN.iter().map(|spec| format!("`{}.hbs`", spec.name)).collect();
    let message = format!("there is no template `{name}` to override");
    Diagnostic::error("template-unknown", file, None, message)
        .help(format!("there are {}.", there_are.join(", ")))
}

/// The examples that show a revision, as the templates see them.
fn revised_examples(principle: &Principle) -> impl Iterator<Item = ExampleView<'_>> {
    principle.examples.iter().filter(|e| e.revision.is_some()).map(|e| ExampleView::new(e, false))
}

/// The examples of a request about several principles: a few of each, and not too many in all.
fn merged_examples<'a>(
    principles: impl Iterator<Item = &'a Principle>,
    wanted: bool,
) -> Vec<ExampleView<'a>> {
    let of_each = principles.filter(|_| wanted).flat_map(|principle| revised_examples(principle).take(2));
    of_each.take(MERGED_EXAMPLES).collect()
}

/// A conversation as one text: its only turn as it is, several with who speaks before each.
pub fn conversation_text(turns: &[Message]) -> String {
    match turns {
        [only] => only.content.clone(),
        several => {
            let turns = several.iter().map(|turn| format!("{}: {}", speaker(turn.role), turn.content));
            turns.collect::<Vec<_>>().join("\n\n")
        }
    }
}

fn speaker(role: Speaker) -> &'static str {
    match role {
        Speaker::System => "System",
        Speaker::User => "User",
        Speaker::Assistant => "Assistant",
    }
}

/// A principle as templates see it: nothing optional, the rule on one line.
#[derive(Serialize)]
struct PrincipleView<'a> {
    id: &'a str,
    text: String,
    critique: &'a str,
    revision: &'a str,
    compare: &'a str,
    exceptions: Vec<String>,
    hard: bool,
}

impl<'a> PrincipleView<'a> {
    fn new(principle: &'a Principle) -> Self {
        Self {
            id: &principle.id,
            text: one_line(&principle.text),
            critique: principle.critique.as_deref().unwrap_or_default().trim(),
            revision: principle.revision.as_deref().unwrap_or_default().trim(),
            compare: principle.compare.as_deref().unwrap_or_default().trim(),
            exceptions: principle.exceptions.iter().map(|text| one_line(text)).collect(),
            hard: principle.hard,
        }
    }
}

/// An example as templates see it.
#[derive(Serialize)]
struct ExampleView<'a> {
    prompt: &'a str,
    response: &'a str,
    critique: &'a str,
    verdict: &'a str,
    revision: &'a str,
    /// The critique and its verdict, in the form that the critic is asked for.
    answer: String,
}

impl<'a> ExampleView<'a> {
    fn new(example: &'a Example, structured: bool) -> Self {
        let (critique, verdict) = (example.critique.trim(), example.verdict.as_str());
        let answer = if structured {
            json!({ "critique": critique, "verdict": verdict }).to_string()
        } else {
            format!("{critique}\nVerdict: {verdict}")
        };
        let revision = example.revision.as_deref().unwrap_or_default().trim();
        Self {
            prompt: example.prompt.trim(),
            response: example.response.trim(),
            critique,
            verdict,
            revision,
            answer,
        }
    }
}

/// A text on one line: TOML's multi-line strings bring line breaks that the principle's line cannot have.
fn one_line(text: &str) -> String {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

/// A built-in template: its text, the shape of its data, and what a replacement must name.
struct Spec {
    name: &'static str,
    source: &'static str,
    data: Shape,
    needed: &'static [&'static str],
}

const PRINCIPLE: Shape = Record(&[
    ("id", Text),
    ("text", Text),
    ("critique", Text),
    ("revision", Text),
    ("compare", Text),
    ("exceptions", List(&Text)),
    ("hard", Flag),
]);

const EXAMPLES: Shape = List(&Record(&[
    ("prompt", Text),
    ("response", Text),
    ("critique", Text),
    ("verdict", Text),
    ("revision", Text),
    ("answer", Text),
]));

static BUILT_IN: [Spec; 15] = [
    Spec {
        name: "system",
        source: include_str!("../../prompts/system.hbs"),
        data: Record(&[(
            "constitution",
            Record(&[("title", Text), ("description", Text), ("system", Text)]),
        )]),
        needed: &[],
    },
    Spec {
        name: "critique",
        source: include_str!("../../prompts/critique.hbs"),
        data: Record(&[
            ("principle", PRINCIPLE),
            ("examples", EXAMPLES),
            ("structured", Flag),
            ("violates", Flag),
        ]),
        needed: &["principle.text"],
    },
    Spec {
        name: "verdict_choice",
        source: include_str!("../../prompts/verdict_choice.hbs"),
        data: Record(&[("principle", PRINCIPLE), ("swapped", Flag)]),
        needed: &["principle.text", "swapped"],
    },
    Spec {
        name: "screen",
        source: include_str!("../../prompts/screen.hbs"),
        data: Record(&[("principles", List(&PRINCIPLE)), ("structured", Flag), ("system", Text)]),
        needed: &["principles.id", "principles.text"],
    },
    Spec {
        name: "screen_ask",
        source: include_str!("../../prompts/screen_ask.hbs"),
        data: Record(&[]),
        needed: &[],
    },
    Spec {
        name: "verdict",
        source: include_str!("../../prompts/verdict.hbs"),
        data: Record(&[("principle", PRINCIPLE), ("structured", Flag)]),
        needed: &[],
    },
    Spec {
        name: CONFIRM_REVISION,
        source: include_str!("../../prompts/confirm_revision.hbs"),
        data: Record(&[]),
        needed: &[],
    },
    Spec {
        name: "revision",
        source: include_str!("../../prompts/revision.hbs"),
        data: Record(&[("principle", PRINCIPLE), ("examples", EXAMPLES)]),
        needed: &[],
    },
    Spec {
        name: "merged_revision",
        source: include_str!("../../prompts/merged_revision.hbs"),
        data: Record(&[
            ("objections", List(&Record(&[("principle", PRINCIPLE), ("critique", Text)]))),
            ("examples", EXAMPLES),
        ]),
        needed: &["objections.critique"],
    },
    Spec {
        name: "direct_revision",
        source: include_str!("../../prompts/direct_revision.hbs"),
        data: Record(&[("principles", List(&PRINCIPLE)), ("examples", EXAMPLES)]),
        needed: &["principles.text"],
    },
    Spec {
        name: "compare",
        source: include_str!("../../prompts/compare.hbs"),
        data: Record(&[
            ("conversation", List(&Record(&[("speaker", Text), ("content", Text)]))),
            ("a", Text),
            ("b", Text),
            ("principle", PRINCIPLE),
            ("reason_first", Flag),
        ]),
        needed: &["conversation.content", "a", "b", "principle.text"],
    },
    Spec {
        name: "choice",
        source: include_str!("../../prompts/choice.hbs"),
        data: Record(&[
            ("question", Text),
            ("options", List(&Record(&[("letter", Text), ("text", Text)]))),
            ("reason_first", Flag),
        ]),
        needed: &["question", "options.letter", "options.text"],
    },
    Spec {
        name: "style",
        source: include_str!("../../prompts/style.hbs"),
        data: Record(&[("system", Text), ("style", Text), ("max_words", Text), ("resources", List(&Text))]),
        needed: &["system", "style", "resources"],
    },
    Spec {
        name: "style_revision",
        source: include_str!("../../prompts/style_revision.hbs"),
        data: Record(&[
            ("style", Text),
            ("missing", List(&Text)),
            ("broken", List(&Text)),
            ("too_long", Flag),
            ("words", Text),
            ("max_words", Text),
        ]),
        needed: &["missing", "broken"],
    },
    Spec {
        name: "propositions",
        source: include_str!("../../prompts/propositions.hbs"),
        data: Record(&[
            ("propositions", List(&Record(&[("id", Text), ("question", Text)]))),
            ("structured", Flag),
        ]),
        needed: &["propositions.id", "propositions.question"],
    },
];

/// The name of the short templates in a recipe.
pub const SMALL_NAME: &str = "small";

static SMALL: [(&str, &str); 10] = [
    ("critique", include_str!("../../prompts/small/critique.hbs")),
    ("verdict_choice", include_str!("../../prompts/small/verdict_choice.hbs")),
    ("screen", include_str!("../../prompts/small/screen.hbs")),
    ("screen_ask", include_str!("../../prompts/small/screen_ask.hbs")),
    ("verdict", include_str!("../../prompts/small/verdict.hbs")),
    (CONFIRM_REVISION, include_str!("../../prompts/small/confirm_revision.hbs")),
    ("revision", include_str!("../../prompts/small/revision.hbs")),
    ("merged_revision", include_str!("../../prompts/small/merged_revision.hbs")),
    ("direct_revision", include_str!("../../prompts/small/direct_revision.hbs")),
    ("compare", include_str!("../../prompts/small/compare.hbs")),
];

#[cfg(test)]
mod renderings;
#[cfg(test)]
mod tests;
