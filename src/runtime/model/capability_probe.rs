//! What an endpoint can do, found out by asking it: a few small calls, each for one ability.
//!
//! Makes no decision and prints nothing; `amend doctor` does both. Every call is made once, without retries or limits, so
//! what is found is what the endpoint did just now.

use super::retry::{Next, judge};
use super::transport::{Fault, Request, Transport};
use super::{Http, wire};
use crate::pure::answer::Answer;
use crate::pure::call::{Call, Purpose, ResponseFormat, Role, Sampling};
use crate::pure::prompt::{Message, PromptId, Speaker};
use crate::pure::recipe::{ResolvedModel, SystemTurn};
use crate::pure::transcript::CutPrompt;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::time::Duration;
use tokio::time::timeout;

/// How long a list of models may take.
const LIST_TIME: Duration = Duration::from_secs(5);
/// How long one answer may take; a local server may have to load the model first.
const ANSWER_TIME: Duration = Duration::from_secs(60);

/// Whether an endpoint can do something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ability {
    /// It did.
    Yes,
    /// It took the request and did not do it.
    No,
    /// It does not take such a request; what it said.
    Refused(String),
}

/// What was found out by asking a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    /// Small calls made.
    pub calls: u32,
    /// Whether it names the likeliest tokens with their log-probabilities.
    pub logprobs: Ability,
    /// Most alternatives per token that came, where five were asked for.
    pub top_logprobs: usize,
    /// Whether an answer follows a JSON schema that the request brings.
    pub structured: Ability,
    /// Whether the same seed gives the same text.
    pub seed: Ability,
    /// Whether it counts tokens.
    pub usage: Ability,
    /// Whether it says how many tokens of a long prompt came from its cache the second time.
    pub cached: Ability,
    /// The counts of a prompt of some 2,000 tokens, where they show that the server's context cut it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut_prompt: Option<CutPrompt>,
    /// Whether reasoning comes with the answer.
    pub reasoning: bool,
    /// Whether the ceiling of tokens must be named `max_completion_tokens`.
    pub max_completion_tokens: bool,
    /// Whether it takes no temperature.
    pub no_temperature: bool,
    /// Where it takes a system turn.
    pub system: SystemTurn,
}

/// The models an endpoint serves, or why it does not say.
pub async fn models(http: &Http, model: &ResolvedModel) -> Result<Vec<String>, String> {
    let listed = timeout(LIST_TIME, http.models(model)).await.unwrap_or(Err(Fault::Timeout));
    listed.map_err(|fault| fault.to_string())
}

/// Whether [`models`] gave up waiting.
pub fn is_timeout(why: &str) -> bool {
    why == Fault::Timeout.to_string()
}

/// Asks a model, and says what it can do; `Err` is why it does not answer at all.
pub async fn probe(transport: &impl Transport, model: &ResolvedModel) -> Result<Found, String> {
    let mut asker = Asker { transport, model: model.clone(), calls: 0, cut_prompt: None };
    let plain = asker.first_answer().await?;
    let max_completion_tokens = asker.model.max_tokens_field != model.max_tokens_field;
    let no_temperature = asker.model.sampling.temperature.is_none() && model.sampling.temperature.is_some();

    let with_logprobs = asker.ask(|call| call.sampling.top_logprobs = Some(5)).await;
    let tops =
        |answer: &Answer| answer.logprobs.iter().flatten().map(|token| token.top.len()).max().unwrap_or(0);
    let top_logprobs = with_logprobs.as_ref().map_or(0, tops);
    let structured = asker.ask(ask_for_schema).await;
    let seed = asker.same_text_twice().await;
    let cached = asker.long_prompt_twice().await;
    Ok(Found {
        calls: asker.calls,
        logprobs: ability(with_logprobs, |answer| tops(answer) > 0),
        top_logprobs,
        structured: ability(structured, |answer| follows_schema(&answer.text)),
        seed,
        usage: if plain.usage.prompt > 0 && plain.usage.completion > 0 { Ability::Yes } else { Ability::No },
        cached: ability(cached, |answer| answer.usage.cached > 0),
        cut_prompt: asker.cut_prompt,
        reasoning: plain.reasoning.is_some(),
        max_completion_tokens,
        no_temperature,
        system: asker.model.system,
    })
}

fn ability(answer: Result<Answer, String>, did: impl Fn(&Answer) -> bool) -> Ability {
    match answer {
        Ok(answer) if did(&answer) => Ability::Yes,
        Ok(_) => Ability::No,
        Err(why) => Ability::Refused(why),
    }
}

/// Asks one model, one call after another.
struct Asker<'a, T> {
    transport: &'a T,
    model: ResolvedModel,
    calls: u32,
    cut_prompt: Option<CutPrompt>,
}

impl<T: Transport> Asker<'_, T> {
    /// The plainest call that the endpoint takes: newer OpenAI models refuse `max_tokens`, some refuse a temperature.
    async fn first_answer(&mut self) -> Result<Answer, String> {
        let first = self.ask(|_| {}).await;
        let Err(why) = &first else { return first };
        if why.contains("max_completion_tokens") {
            self.model.max_tokens_field = crate::pure::recipe::MaxTokensField::MaxCompletionTokens;
        } else if why.contains("temperature") {
            self.model.sampling.temperature = None;
        } else {
            return first;
        }
        let second = self.ask(|_| {}).await;
        if second.as_ref().is_err_and(|why| why.contains("temperature")) {
            self.model.sampling.temperature = None;
            return self.ask(|_| {}).await;
        }
        second
    }

    async fn same_text_twice(&mut self) -> Ability {
        let draw = |call: &mut Call| {
            call.sampling.temperature = call.sampling.temperature.map(|_| 1.0);
            call.messages = vec![Message::user("Name five unusual colours and one unusual animal for each.")];
        };
        self.model.send_seed = true;
        let (first, second) = (self.ask(draw).await, self.ask(draw).await);
        let same = second.as_ref().map(|answer| answer.text.clone()).unwrap_or_default();
        ability(first, |answer| !answer.text.is_empty() && answer.text == same)
    }

    async fn long_prompt_twice(&mut self) -> Result<Answer, String> {
        let long = |call: &mut Call| {
            // Caches begin at 1,024 tokens with some providers.
            let rule = "Answer briefly, kindly and in plain words, and say so when you do not know. ";
            call.messages.insert(0, Message::new(Speaker::System, rule.repeat(120)));
        };
        let first = self.ask(long).await;
        if first
            .as_ref()
            .is_err_and(|why| ["system", "alternate"].iter().any(|word| why.to_lowercase().contains(word)))
        {
            self.model.system = SystemTurn::Fold;
            self.ask(long).await?;
        } else {
            first?;
        }
        self.ask(long).await
    }

    async fn ask(&mut self, change: impl Fn(&mut Call)) -> Result<Answer, String> {
        let mut call = Call {
            prompt_id: PromptId("probe".into()),
            role: Role::Generator,
            purpose: Purpose::Probe,
            model: self.model.model.clone(),
            sampling: Sampling {
                temperature: self.model.sampling.temperature.map(|_| 0.0),
                top_p: None,
                max_tokens: 64,
                top_logprobs: None,
                extra: Map::new(),
            },
            messages: vec![Message::user("Say hello in one word.")],
            draw: 0,
            seed: 7,
            format: None,
            fallback: false,
        };
        change(&mut call);
        let request = Request { model: self.model.clone(), body: wire::body(&call, &self.model) };
        self.calls += 1;
        let sent = timeout(ANSWER_TIME, self.transport.send(&request, None)).await;
        match judge(sent.unwrap_or(Err(Fault::Timeout)), &request) {
            Next::Answer(answer) => {
                self.cut_prompt = self.cut_prompt.take().or_else(|| CutPrompt::of(&call, answer.usage));
                Ok(answer)
            }
            Next::Fail(failure) => Err(failure.message),
            Next::Again(trouble) => Err(trouble.message),
            Next::Without { message, .. } | Next::Stop(message) => Err(message),
        }
    }
}

fn ask_for_schema(call: &mut Call) {
    let verdict = json!({ "type": "string", "enum": ["violates", "conforms"] });
    let schema = json!({
        "type": "object", "properties": { "verdict": verdict },
        "required": ["verdict"], "additionalProperties": false,
    });
    // The text does not ask for JSON: only an endpoint that enforces the schema gives it.
    call.messages = vec![Message::user("Is it kind to greet a stranger? Answer in one sentence.")];
    call.format = Some(ResponseFormat { name: "verdict".into(), schema });
}

fn follows_schema(text: &str) -> bool {
    let value: Value = serde_json::from_str(text.trim()).unwrap_or_default();
    matches!(value["verdict"].as_str(), Some("violates" | "conforms"))
        && value.as_object().is_some_and(|object| object.len() == 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pure::recipe::{Model, Models};
    use crate::runtime::model::Reply;

    /// An endpoint that can do everything, or nothing that is not plain.
    struct Fake {
        able: bool,
        counts: u64,
    }

    impl Transport for Fake {
        async fn send(
            &self,
            request: &Request,
            _: Option<crate::runtime::model::OnDelta<'_>>,
        ) -> Result<Reply, Fault> {
            let asked = |name: &str| !request.body[name].is_null();
            let refuse = |message: &str| {
                let body =
                    json!({ "error": { "message": message, "code": "unsupported_parameter" } }).to_string();
                Ok(Reply { status: 400, retry_after_s: None, rate_reset_s: None, body })
            };
            if !self.able && asked("max_tokens") {
                return refuse("use 'max_completion_tokens' instead");
            }
            if !self.able && asked("temperature") {
                return refuse("'temperature' does not support this value");
            }
            if !self.able && request.body["messages"][0]["role"] == "system" {
                return refuse("System role not supported");
            }
            if !self.able && asked("response_format") {
                return refuse("no schemas here");
            }
            let text = if asked("response_format") { r#"{"verdict":"conforms"}"# } else { "Hello" };
            let mut choice = json!({ "message": { "content": text }, "finish_reason": "stop" });
            if self.able && asked("logprobs") {
                let token = json!({ "token": "Hello", "logprob": -0.5,
                    "top_logprobs": [{ "token": "Hello", "logprob": -0.5 }, { "token": "Hi", "logprob": -1.0 }] });
                choice["logprobs"] = json!({ "content": [token] });
            }
            let mut body = json!({ "choices": [choice] });
            if self.able {
                body["usage"] = json!({ "prompt_tokens": self.counts, "completion_tokens": 1,
                    "prompt_tokens_details": { "cached_tokens": 1024 } });
            }
            Ok(Reply { status: 200, retry_after_s: None, rate_reset_s: None, body: body.to_string() })
        }
    }

    async fn find(able: bool) -> Found {
        find_counting(able, 2000).await
    }

    async fn find_counting(able: bool, counts: u64) -> Found {
        let default =
            Model { model: Some("m".into()), base_url: Some("http://host".into()), ..Model::default() };
        let model = Models { default, ..Models::default() }.resolve(Role::Generator).unwrap();
        probe(&Fake { able, counts }, &model).await.unwrap()
    }

    #[tokio::test]
    async fn abilities_are_found() {
        let found = find(true).await;
        let expected = Found {
            calls: 7,
            logprobs: Ability::Yes,
            top_logprobs: 2,
            structured: Ability::Yes,
            seed: Ability::Yes,
            usage: Ability::Yes,
            cached: Ability::Yes,
            cut_prompt: None,
            reasoning: false,
            max_completion_tokens: false,
            no_temperature: false,
            system: SystemTurn::Keep,
        };
        assert_eq!(found, expected);
    }

    #[tokio::test]
    async fn a_context_that_cuts_a_long_prompt_is_found() {
        let cut = find_counting(true, 1024).await.cut_prompt.unwrap();
        assert_eq!((cut.calls, cut.counted), (1, 1024));
    }

    #[tokio::test]
    async fn what_is_missing_or_refused_is_told_apart() {
        let found = find(false).await;
        assert_eq!((found.calls, &found.logprobs, &found.usage), (10, &Ability::No, &Ability::No));
        assert!(matches!(&found.structured, Ability::Refused(why) if why.contains("no schemas here")));
        assert!(found.max_completion_tokens && found.no_temperature && found.system == SystemTurn::Fold);
    }

    #[test]
    fn only_an_enforced_schema_counts() {
        for (text, follows) in [
            (r#" {"verdict": "violates"} "#, true),
            (r#"{"verdict": "perhaps"}"#, false),
            (r#"{"verdict": "violates", "why": "x"}"#, false),
            ("Yes, it is kind.", false),
        ] {
            assert_eq!(follows_schema(text), follows, "{text}");
        }
    }
}
