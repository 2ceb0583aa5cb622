//! The method `style`: an answer in the style for its request, graded by propositions, and revised until it is ideal.
//!
//! Rules answer propositions where they can; one call asks for those that are open. The grade follows from the answers alone
//! ([`Styles::grade`](crate::pure::constitution::Styles::grade)).

use super::MethodContext;
use super::confirm_revision::NotTaken;
use super::prompt_session::{Answered, Asking, Revises, Spent, is_final, response};
use super::propositions::{Reading, decide};
use crate::pure::ask::{Ask, Stop};
use crate::pure::call::{Purpose, Role};
use crate::pure::constitution::{Policy, Style, Styles};
use crate::pure::gates::invented_contact;
use crate::pure::grade::{Finding, Grade, Graded, Styled};
use crate::pure::prompt::{Message, Prompt, Speaker};
use crate::pure::reason::Reason;
use crate::pure::template::{StyleFaults, TemplateError};
use crate::pure::text::{language, words};
use crate::pure::transcript::{Ended, MethodName, Response, Revision, RevisionFate, Transcript};

/// Answers a prompt in its style.
pub async fn style(ask: &impl Ask, cx: &MethodContext, prompt: &Prompt) -> Result<Transcript, Stop> {
    let asking = Asking::new(ask, cx, prompt);
    let styles = &cx.constitution.styles;
    let Some(style) = styles.pick(prompt, &cx.taxonomy) else {
        return Ok(Chain::default().transcript(&asking, None, Ended::NoDraft(Reason::NoStyle)));
    };
    let worker = Worker { asking: &asking, styles, style, opening: opening(cx, prompt, style)? };
    let mut chain = Chain::default();
    let ended = match worker.draft().await? {
        Err(reason) => Ended::NoDraft(reason),
        Ok(draft) => worker.work(&mut chain, draft).await?,
    };
    Ok(chain.transcript(&asking, Some(style), ended))
}

/// The conversation as the generator sees it: the system turn with the style's hint, then the prompt.
fn opening(cx: &MethodContext, prompt: &Prompt, style: &Style) -> Result<Vec<Message>, TemplateError> {
    let own = cx.opening(prompt);
    let (system, turns) = match own.split_first() {
        Some((first, rest)) if first.role == Speaker::System => (first.content.as_str(), rest),
        _ => ("", own.as_slice()),
    };
    let resources: Vec<&str> = cx
        .constitution
        .styles
        .resources_for(prompt, &cx.taxonomy)
        .map(|resource| resource.text.as_str())
        .collect();
    let hint = cx.templates.style(system, style, &resources)?;
    let mut messages = vec![Message::new(Speaker::System, hint)];
    messages.extend(turns.iter().cloned());
    Ok(messages)
}

/// What was made so far.
#[derive(Default)]
struct Chain {
    responses: Vec<Response>,
    graded: Vec<Graded>,
    revisions: Vec<Revision>,
}

impl Chain {
    /// The response with the best grade, the first of equals.
    fn best(&self) -> usize {
        let best = self.graded.iter().rev().max_by_key(|graded| graded.grade);
        best.map_or(0, |graded| graded.response)
    }

    fn transcript<A: Ask>(self, asking: &Asking<'_, A>, style: Option<&Style>, ended: Ended) -> Transcript {
        let Spent { tally, models, failures, substitutes, cut_prompts } = asking.spent();
        let last = self.best();
        let styled = style.map(|style| Styled { style: style.id.clone(), graded: self.graded });
        Transcript {
            prompt: asking.prompt.clone(),
            method: MethodName::Style,
            responses: self.responses,
            critiques: Vec::new(),
            revisions: self.revisions,
            comparisons: Vec::new(),
            styled,
            last,
            ended,
            tally,
            models,
            failures,
            substitutes,
            cut_prompts,
        }
    }
}

/// Works on one prompt towards one style.
struct Worker<'a, A> {
    asking: &'a Asking<'a, A>,
    styles: &'a Styles,
    style: &'a Style,
    opening: Vec<Message>,
}

impl<A: Ask> Worker<'_, A> {
    /// Grades the draft, and revises while that may help.
    async fn work(&self, chain: &mut Chain, draft: Response) -> Result<Ended, Stop> {
        self.keep(chain, draft).await?;
        for round in 1..=self.asking.cx.settings.rounds {
            let best = chain.best();
            let Some(graded) = chain.graded.iter().find(|graded| graded.response == best).cloned() else {
                break;
            };
            match graded.grade {
                Grade::Ideal => return Ok(Ended::Conforms),
                // Nobody knows what to mend.
                Grade::Undecided => return Ok(Ended::Undecided),
                _ => {}
            }
            if let Some(ended) = self.revise(chain, &graded, round).await? {
                return Ok(ended);
            }
        }
        Ok(match chain.graded.iter().map(|graded| graded.grade).max() {
            Some(Grade::Ideal) => Ended::Conforms,
            Some(Grade::Undecided) | None => Ended::Undecided,
            Some(_) => Ended::Rounds,
        })
    }

    /// One revision of the best response; says why the chain ends here, if it does.
    async fn revise(&self, chain: &mut Chain, graded: &Graded, round: u32) -> Result<Option<Ended>, Stop> {
        let Some(before) = chain.responses.get(graded.response).cloned() else { return Ok(None) };
        let faults = self.faults(&graded.findings, &before.text);
        let request = self.asking.cx.templates.style_revision(self.style, &faults)?;
        let names = graded.findings.iter().filter(|finding| !Styles::is_as_asked(self.style, finding));
        let principles: Vec<String> = names.map(|finding| finding.id.clone()).collect();
        let purpose = Purpose::Revision { round, principles: principles.clone() };
        let mut messages = self.opening.clone();
        messages.extend([Message::assistant(before.text.as_str()), Message::user(request.as_str())]);
        let revises = Revises {
            original: &before.text,
            critiques: Vec::new(),
            principles: Vec::new(),
            request: &request,
        };
        let made = self.answer(&purpose, &messages, Some(&revises), round).await?;
        let from = graded.response;
        let (text, fate, ended) = match made {
            Err(reason) => {
                (String::new(), RevisionFate::Rejected(reason.clone()), Some(Ended::RevisionFailed(reason)))
            }
            Ok(made) if made.text.trim() == before.text.trim() => {
                (made.text, RevisionFate::Unchanged, Some(Ended::RevisionFailed(Reason::Unchanged)))
            }
            Ok(made) if chain.responses.iter().any(|known| known.text == made.text) => {
                (made.text, RevisionFate::Rejected(Reason::Oscillation), Some(Ended::Oscillation))
            }
            Ok(made) => {
                let text = made.text.clone();
                self.keep(chain, made).await?;
                (text, RevisionFate::Kept(chain.responses.len() - 1), None)
            }
        };
        chain.revisions.push(Revision { round, from, principles, text, fate });
        Ok(ended)
    }

    /// Grades a response, and keeps it.
    async fn keep(&self, chain: &mut Chain, made: Response) -> Result<(), Stop> {
        let findings = decide(self.asking, &Reading { style: self.style, text: &made.text }).await?;
        let truth =
            |id: &str| findings.iter().find(|finding| finding.id == id).and_then(|finding| finding.holds);
        let grade = self.styles.grade(self.style, truth, words(&made.text).len());
        chain.graded.push(Graded { response: chain.responses.len(), grade, findings });
        chain.responses.push(made);
        Ok(())
    }

    /// What a revision is to mend.
    fn faults(&self, findings: &[Finding], text: &str) -> StyleFaults<'_> {
        let asked = |holds: bool| {
            let wrong = findings.iter().filter(move |finding| {
                finding.holds == Some(holds) && !Styles::is_as_asked(self.style, finding)
            });
            wrong
                .filter_map(|finding| self.styles.proposition(&finding.id))
                .map(|proposition| proposition.question.as_str())
                .collect()
        };
        StyleFaults { missing: asked(false), broken: asked(true), words: words(text).len() }
    }

    async fn draft(&self) -> Result<Result<Response, Reason>, Stop> {
        self.answer(&Purpose::Draft { sample: 0 }, &self.opening, None, 0).await
    }

    /// A text that passes the gates, from as many draws as the recipe allows; or why there is none.
    async fn answer(
        &self,
        purpose: &Purpose,
        messages: &[Message],
        revises: Option<&Revises<'_>>,
        round: u32,
    ) -> Result<Result<Response, Reason>, Stop> {
        let mut reason = Reason::Empty;
        for draw in self.asking.draws(0) {
            let answered = self.asking.answer(purpose.clone(), messages.to_vec(), draw, None).await?;
            let (why, is_final) = match self.passes(&answered, revises) {
                Ok((text, repairs)) => match self.confirm(&text, revises).await? {
                    Ok(()) => return Ok(Ok(response(text, round, &answered, repairs))),
                    Err(NotTaken { reason, is_final }) => (reason, is_final),
                },
                Err(why) => (why, is_final(&answered.answer)),
            };
            reason = why;
            if is_final {
                break;
            }
        }
        Ok(Err(reason))
    }

    /// Whether a revision may be taken. A draft may, and what is given back as it was is no revision.
    async fn confirm(&self, text: &str, revises: Option<&Revises<'_>>) -> Result<Result<(), NotTaken>, Stop> {
        match revises {
            Some(revises) if revises.original.trim() != text.trim() => {
                self.asking.confirm_revision(text).await
            }
            Some(_) | None => Ok(Ok(())),
        }
    }

    /// The gates of every response, and those of styled ones.
    fn passes(
        &self,
        answered: &Answered,
        revises: Option<&Revises<'_>>,
    ) -> Result<(String, Vec<Reason>), Reason> {
        let (text, repairs) = self.asking.passes_gates(answered, revises)?;
        match objection(self.asking.cx, self.asking.prompt, self.style, &text) {
            Some(Objected { reason, detail }) => {
                let role = if revises.is_some() { Role::Reviser } else { Role::Generator };
                self.asking.note(role, reason.clone(), detail);
                Err(reason)
            }
            None => Ok((text, repairs)),
        }
    }
}

/// What the gates of styled answers object to: another language than the prompt's, and numbers and addresses that are no
/// resource for the prompt's place.
fn objection(cx: &MethodContext, prompt: &Prompt, style: &Style, text: &str) -> Option<Objected> {
    let gates = &cx.gates;
    if gates.runs(&Reason::WrongLanguage) && is_in_another_language(prompt, text) {
        let detail = "the answer is in another language than the prompt".to_owned();
        return Some(Objected { reason: Reason::WrongLanguage, detail });
    }
    let resources =
        cx.constitution.styles.resources_for(prompt, &cx.taxonomy).map(|resource| resource.text.as_str());
    let said = prompt.messages.iter().map(|turn| turn.content.as_str());
    let known: Vec<&str> = resources.chain(said).collect();
    // A plain answer may point to a manual; one that declines or supports points to help.
    let addresses = style.policy != Policy::Answer;
    let contact =
        invented_contact(text, &known, addresses).filter(|_| gates.runs(&Reason::InventedContact))?;
    let detail = format!("the answer names `{contact}`, which no resource has");
    Some(Objected { reason: Reason::InventedContact, detail })
}

/// Why a styled answer cannot be used.
struct Objected {
    reason: Reason,
    detail: String,
}

/// Whether a text is in another language than the prompt, where both can be told.
pub fn is_in_another_language(prompt: &Prompt, text: &str) -> bool {
    let Some(found) = language::detect(text) else { return false };
    let labelled =
        prompt.language.as_deref().map(|tag| tag.split(['-', '_']).next().unwrap_or("").to_lowercase());
    let labelled = labelled.filter(|tag| (2..=3).contains(&tag.len()) && tag != "und");
    // A language that the detector does not know is taken for another one.
    if labelled.as_deref().is_some_and(|tag| !language::can_be_told(tag)) {
        return false;
    }
    let wanted = labelled
        .or_else(|| language::detect(prompt.last_user_turn()).map(|language| language.tag.to_owned()));
    wanted.is_some_and(|wanted| !language::are_close(&wanted, found.tag))
}
