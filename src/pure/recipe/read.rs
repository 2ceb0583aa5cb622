//! Recipe files → [`Recipe`], with every problem told at once. Pure.

mod guard;
mod redteam;

use super::header::{HeaderSource, carries_key};
use super::{Concurrency, Config, LabelSource, MOST_HELD_OUT, Model, Recipe, SIM, Schedule, Target};
use crate::pure::diagnostic::{Diagnostic, Slip, SourceFile, nearest};
use crate::pure::reason::Reason;
use crate::pure::toml_file::{self, Located, Node};

/// A recipe file, read.
#[derive(Debug)]
pub struct Reading {
    /// What it says, as far as it could be read.
    pub recipe: Recipe,
    /// What is wrong with it.
    pub findings: Vec<Diagnostic>,
    /// Where everything stands.
    pub root: Node,
}

/// Reads a recipe.
///
/// ```
/// use amend::pure::diagnostic::SourceFile;
/// use amend::pure::recipe;
///
/// let reading = recipe::read(&SourceFile::new("amend.toml", "[method]\nroundz = 3\n"));
/// assert_eq!(reading.findings[0].code, "unknown-key");
/// assert_eq!(reading.findings[0].help, ["did you mean `rounds`?"]);
/// ```
pub fn read(file: &SourceFile) -> Reading {
    let (Located { value: recipe, root }, mut findings) = toml_file::read::<Recipe>(file);
    for finding in findings.iter_mut().filter(|finding| finding.code == "unknown-key") {
        let key = finding.span.clone().and_then(|span| file.text.get(span)).unwrap_or("");
        if let Some(section) = section_of(key) {
            finding.help = vec![format!("`{key}` belongs under `[{section}]`")];
            finding.fix = None;
        }
    }
    let mut check = Check { file, findings };
    check.recipe(&recipe, &root);
    Reading { recipe, findings: check.findings, root }
}

/// Warns of what flags would have to add before the recipe can run.
pub fn check_complete(file: &SourceFile, reading: &Reading) -> Vec<Diagnostic> {
    let Reading { recipe, root, .. } = reading;
    let warn = |code, at: &Node, message: &str| Diagnostic::warning(code, &file.name, at.span(), message);
    let mut findings = Vec::new();
    // A recipe for a guard asks no prompts.
    if recipe.prompts.is_empty() && !root.key("prompts").is_wrong() && !root.has("guard") {
        let finding = Diagnostic::warning("no-prompts", &file.name, None, "the recipe names no prompts");
        findings.push(
            finding.help("add `prompts = [\"prompts.jsonl\"]`, or give `--prompts FILE` with each run"),
        );
    }
    let models = root.key("models");
    let default = &recipe.models.default;
    if default.model.is_none() && !models.key("default").key("model").is_wrong() {
        let finding =
            Diagnostic::warning("no-model", &file.name, None, "the recipe names no model for every role");
        findings
            .push(finding.help("add `model` under `[models.default]`, or give `--model NAME` with each run"));
    }
    for (name, model) in recipe.models.sections() {
        let needs = model.model.as_deref().is_some_and(|model| model != SIM);
        let is_placed = |model: &Model| model.base_url.is_some() || model.base_urls.is_some();
        if needs && !is_placed(model) && !is_placed(default) {
            let at = models.key(name).key("model");
            let finding = warn("no-endpoint", at, "the model has no endpoint");
            findings.push(
                finding.help("add the `base_url` of an OpenAI-compatible endpoint, or give `--base-url URL`"),
            );
        }
    }
    findings
}

/// The JSON schema of the file, as text.
pub fn schema() -> String {
    toml_file::schema::<Recipe>("amend recipe")
}

/// The section that has a key of this name, for keys that stand in the wrong one.
fn section_of(key: &str) -> Option<String> {
    let schema: serde_json::Value = serde_json::from_str(&schema()).ok()?;
    let table = |property: &serde_json::Value| {
        let mut options =
            ["allOf", "anyOf"].iter().filter_map(|of| property.get(of)?.get(0)).chain([property]);
        let name = options.find_map(|option| option.get("$ref")?.as_str())?;
        schema.pointer(&format!("{}/properties", name.strip_prefix('#')?))?.as_object()
    };
    for (section, property) in schema.get("properties")?.as_object()? {
        let Some(keys) = table(property) else { continue };
        if keys.contains_key(key) {
            return Some(section.clone());
        }
        if let Some((inner, _)) =
            keys.iter().find(|(_, inner)| table(inner).is_some_and(|t| t.contains_key(key)))
        {
            return Some(format!("{section}.{inner}"));
        }
    }
    None
}

struct Check<'a> {
    file: &'a SourceFile,
    findings: Vec<Diagnostic>,
}

impl Check<'_> {
    fn recipe(&mut self, recipe: &Recipe, root: &Node) {
        self.not_empty("constitution", Some(&recipe.constitution), root);
        self.not_empty("out", recipe.out.as_deref(), root);
        self.not_empty("templates", recipe.templates.as_deref(), root);
        for (n, path) in recipe.prompts.iter().enumerate().filter(|(_, path)| path.trim().is_empty()) {
            let message = format!("`{path}` is not a file of prompts");
            self.error("empty-text", root.key("prompts").nth(n), message);
        }
        let input = root.key("input");
        self.at_least_one("limit", recipe.input.limit, input);
        self.at_least_one("sample", recipe.input.sample, input);
        if !recipe.input.responses.is_empty() && recipe.label.source != LabelSource::Given {
            self.no_effect(
                input.key("responses"),
                "`responses` is only read with `source = \"given\"` under `[label]`",
            );
        }
        self.method(recipe, root.key("method"));
        self.label(recipe, root.key("label"));
        for (name, model) in recipe.models.sections() {
            self.model(model, root.key("models").key(name));
        }
        self.limits(recipe, root.key("limits"));
        self.budget(recipe, root.key("budget"));
        self.gates(recipe, root.key("gates"));
        self.export(recipe, root.key("export"));
        self.guard(&recipe.guard, root.key("guard"));
        self.redteam(&recipe.redteam, root.key("redteam"));
        self.scale(recipe, root.key("scale"));
    }

    fn method(&mut self, recipe: &Recipe, node: &Node) {
        let method = &recipe.method;
        self.within("rounds", f64::from(method.rounds), 0.0, 100.0, node);
        self.within("retries", f64::from(method.retries), 0.0, 20.0, node);
        self.within("screen_measured", method.screen_measured, 0.0, 1.0, node);
        let sampled = method.schedule == Schedule::Sampled;
        if method.revise_always && !sampled {
            self.no_effect(
                node.key("revise_always"),
                "`revise_always` only works with the schedule `sampled`",
            );
        }
        if method.screen && !sampled && !method.critique {
            self.no_effect(node.key("screen"), "`screen` does nothing where no critique is asked for");
        }
        if method.screen && sampled {
            self.no_effect(node.key("screen"), "`screen` does nothing with the schedule `sampled`");
        }
    }

    fn label(&mut self, recipe: &Recipe, node: &Node) {
        let label = &recipe.label;
        self.within("samples", f64::from(label.samples), 2.0, 64.0, node);
        self.within("votes", f64::from(label.votes), 1.0, 100.0, node);
        self.within("clamp", label.clamp, 0.0, 0.5, node);
        self.within("temperature", label.temperature, 0.0, 2.0, node);
        // Two options have to be seen, each in a spelling or two.
        self.within("top_logprobs", f64::from(label.top_logprobs), 2.0, 20.0, node);
    }

    fn model(&mut self, model: &Model, node: &Node) {
        self.not_empty("model", model.model.as_deref(), node);
        self.web("base_url", model.base_url.as_deref(), node);
        self.replicas(model, node);
        let name = |name: &str| {
            !name.is_empty()
                && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
        };
        if model.api_key_env.as_deref().is_some_and(|env| !name(env)) {
            // What stands there may be a key: it is not repeated in the message.
            let message = "`api_key_env` must be the name of an environment variable, not a key";
            let at = node.key("api_key_env");
            let finding = Diagnostic::error("bad-value", &self.file.name, at.key_span(), message);
            self.findings.push(finding.help("put the key into an environment variable, and its name here"));
        }
        self.not_empty("ca_bundle", model.ca_bundle.as_deref(), node);
        self.not_empty("service_tier", model.service_tier.as_deref(), node);
        self.within("timeout_s", model.timeout_s.unwrap_or(1.0), 0.1, 86_400.0, node);
        for (header, source) in model.headers.iter().flatten() {
            if matches!(source, HeaderSource::Text(_)) && carries_key(header) {
                // What stands there may be a key: it is not repeated in the message.
                let message = format!("the header `{header}` carries a key, which does not belong in a file");
                let at = node.key("headers");
                let finding = Diagnostic::error("bad-value", &self.file.name, at.key_span(), message);
                self.findings
                    .push(finding.help("write `{ env = \"NAME\" }`, and put the key into that variable"));
            }
        }
        self.within("fallback_share", model.fallback_share.unwrap_or(1.0), 0.0, 1.0, node);
        if let Some(fallback) = &model.fallback {
            self.model(fallback, node.key("fallback"));
        }
        self.within("temperature", model.temperature.unwrap_or(0.0), -1.0, 5.0, node);
        self.within("top_p", model.top_p.unwrap_or(1.0), 0.0, 1.0, node);
        self.at_least_one("max_tokens", model.max_tokens.map(u64::from), node);
    }

    fn budget(&mut self, recipe: &Recipe, node: &Node) {
        let budget = &recipe.budget;
        self.within("money", budget.money.unwrap_or(0.0), 0.0, 1e12, node);
        self.within("time_s", budget.time_s.unwrap_or(1.0), 0.1, 365.0 * 86_400.0, node);
    }

    fn limits(&mut self, recipe: &Recipe, node: &Node) {
        let limits = &recipe.limits;
        self.at_least_one("rpm", limits.rpm.map(u64::from), node);
        self.at_least_one("tpm", limits.tpm.map(u64::from), node);
        self.at_least_one("attempts", Some(limits.attempts.into()), node);
        self.within("timeout_s", limits.timeout_s, 0.1, 86_400.0, node);
        self.within("elapsed_s", limits.elapsed_s, 0.1, 7.0 * 86_400.0, node);
        self.within("outage_s", limits.outage_s, 0.0, 7.0 * 86_400.0, node);
        if let Concurrency::Fixed(n) = limits.concurrency {
            self.within("concurrency", f64::from(n), 1.0, 10_000.0, node);
        }
    }

    fn scale(&mut self, recipe: &Recipe, node: &Node) {
        let scale = &recipe.scale;
        self.at_least_one("workers", scale.workers.map(u64::from), node);
        self.not_empty("mirror", scale.mirror.as_deref(), node);
        self.within("mirror_every_s", scale.mirror_every_s, 0.1, 3600.0, node);
        self.within("grace_s", scale.grace_s, 0.0, 86_400.0, node);
    }

    fn gates(&mut self, recipe: &Recipe, node: &Node) {
        let gates = &recipe.gates;
        for (key, share) in [
            ("max_critique_overlap", gates.max_critique_overlap),
            ("max_example_overlap", gates.max_example_overlap),
            ("max_repeated_share", gates.max_repeated_share),
            ("min_edit_share", gates.min_edit_share),
        ] {
            self.within(key, share, 0.0, 1.0, node);
        }
        self.within("max_length_ratio", gates.max_length_ratio, 0.0, 1e6, node);
        self.at_least_one("overlap_ngram", Some(gates.overlap_ngram as u64), node);
        let makes_revisions = recipe.method.rounds > 0
            && (recipe.method.target == Target::Style
                || matches!(recipe.label.source, LabelSource::Off | LabelSource::Chain));
        if gates.confirm_revision && !makes_revisions {
            let message = "`confirm_revision` does nothing where no response is revised";
            self.no_effect(node.key("confirm_revision"), message);
        }
        let known = Reason::GATES;
        let known: Vec<&str> = known.iter().map(Reason::as_str).collect();
        self.names("unknown-gate", "gate", &gates.off, &known, node.key("off"));
    }

    fn export(&mut self, recipe: &Recipe, node: &Node) {
        self.within("holdout", recipe.export.holdout, 0.0, MOST_HELD_OUT, node);
        if recipe.export.batch_model.is_some()
            && !recipe.export.configs.iter().any(|name| name == Config::Prompts.as_str())
        {
            let message =
                "`batch_model` asks for requests made of the config `prompts`, which is not among `configs`";
            self.error("bad-value", node.key("batch_model"), message.into());
        }
        for (key, share) in [
            ("max_phrase_share", recipe.export.max_phrase_share),
            ("max_same_opening", recipe.export.max_same_opening),
            ("max_answer_similarity", recipe.export.max_answer_similarity),
        ] {
            self.within(key, share, 0.0, 1.0, node);
        }
        self.names(
            "unknown-config",
            "export config",
            &recipe.export.configs,
            &Config::names(),
            node.key("configs"),
        );
    }

    /// Several endpoints are each a URL, each once, and are not given beside one.
    fn replicas(&mut self, model: &Model, node: &Node) {
        let Some(urls) = &model.base_urls else { return };
        for url in urls {
            self.web("base_urls", Some(url), node);
        }
        let mut once = std::collections::BTreeSet::new();
        if urls.is_empty() {
            self.error("bad-value", node.key("base_urls"), "`base_urls` is empty".into());
        } else if !urls.iter().all(|url| once.insert(url.trim_end_matches('/'))) {
            self.error("bad-value", node.key("base_urls"), "`base_urls` names an endpoint twice".into());
        }
        if model.base_url.is_some() {
            let message = "`base_url` and `base_urls` both say where the model is; leave one of them out";
            self.error("bad-value", node.key("base_urls"), message.into());
        }
    }

    fn web(&mut self, key: &str, url: Option<&str>, node: &Node) {
        if url.is_some_and(|url| !url.starts_with("http://") && !url.starts_with("https://")) {
            let message = format!("`{key}` is not a URL");
            let finding = Diagnostic::error("bad-value", &self.file.name, node.key(key).span(), message);
            self.findings.push(finding.help("write it with its scheme, such as `http://localhost:8000/v1`"));
        }
    }

    /// Every name in the list is one of the known ones.
    fn names(&mut self, code: &'static str, what: &str, names: &[String], known: &[&str], node: &Node) {
        for (n, name) in names.iter().enumerate().filter(|(_, name)| !known.contains(&name.as_str())) {
            let at = node.nth(n).span();
            let all: Vec<_> = known.iter().map(|name| format!("`{name}`")).collect();
            let message = format!("there is no {what} `{name}`");
            let finding = Diagnostic::error(code, &self.file.name, at.clone(), message);
            let near = nearest(name, known.iter().copied());
            let otherwise = format!("there are {}", all.join(", "));
            self.findings.push(finding.did_you_mean(&Slip::text(name, at), near, otherwise));
        }
    }

    fn not_empty(&mut self, key: &str, text: Option<&str>, node: &Node) {
        if text.is_some_and(|text| text.trim().is_empty()) && !node.key(key).is_wrong() {
            self.error("empty-text", node.key(key), format!("`{key}` is empty"));
        }
    }

    fn at_least_one(&mut self, key: &str, number: Option<u64>, node: &Node) {
        if number == Some(0) {
            self.error("bad-value", node.key(key), format!("`{key}` must be at least 1"));
        }
    }

    fn within(&mut self, key: &str, number: f64, low: f64, high: f64, node: &Node) {
        if !(low..=high).contains(&number) {
            let message = format!("`{key}` must be between {low} and {high}, not {number}");
            self.error("bad-value", node.key(key), message);
        }
    }

    fn no_effect(&mut self, at: &Node, message: &str) {
        let finding = Diagnostic::warning("no-effect", &self.file.name, at.key_span(), message);
        self.findings.push(finding.help("remove it, or change what it stands beside"));
    }

    fn error(&mut self, code: &'static str, at: &Node, message: String) {
        self.findings.push(Diagnostic::error(code, &self.file.name, at.span(), message));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pure::diagnostic::{Sources, sort};

    /// The codes found in a recipe, with the line of each.
    fn check(text: &str) -> Vec<String> {
        let file = SourceFile::new("amend.toml", text);
        let mut sources = Sources::default();
        sources.add(file.clone());
        let reading = read(&file);
        let mut findings = check_complete(&file, &reading);
        findings.extend(reading.findings);
        sort(&mut findings, &sources);
        let line = |finding: &Diagnostic| finding.position(&sources).map_or(0, |at| at.line);
        findings.iter().map(|finding| format!("{}:{}", line(finding), finding.code)).collect()
    }

    #[test]
    fn a_sound_recipe_has_no_findings() {
        let text =
            "prompts = [\"p.jsonl\"]\n[models.default]\nmodel = \"sim\"\n[models.critic]\ntemperature = -1\n";
        assert_eq!(check(text), [""; 0]);
    }

    #[test]
    fn every_mistake_is_a_finding() {
        let text = r#"
constitution = ""
prompts = "p.jsonl"
sed = 1
[input]
limit = 0
[method]
schedule = "pannel"
rounds = -1
screen = "yes"
revise_always = true
[models.default]
base_url = "localhost:8000"
api_key_env = "sk-12345"
top_p = 2
max_tokens = 0
service_tier = " "
timeout_s = 0
[models.criticc]
model = "x"
[models.judge]
model = "y"
temperature = nan
[limits]
concurrency = 0
timeout_s = 0
rpm = 1.5
[export]
configs = ["sft", "preferences"]
holdout = 0.5
"#;
        assert_eq!(
            check(text),
            [
                "0:no-model",
                "2:empty-text",
                "3:wrong-type",
                "4:unknown-key",
                "6:bad-value",
                "8:bad-value",
                "9:bad-value",
                "10:wrong-type",
                "11:no-effect",
                "13:bad-value",
                "14:bad-value",
                "15:bad-value",
                "16:bad-value",
                "17:empty-text",
                "18:bad-value",
                "19:unknown-key",
                "23:bad-value",
                "25:bad-value",
                "26:bad-value",
                "27:wrong-type",
                "29:unknown-config",
                "30:bad-value",
            ]
        );
    }

    #[test]
    fn what_has_no_effect_is_told() {
        let check = |method: &str, codes: &[&str]| {
            let findings = read(&SourceFile::new("amend.toml", format!("[method]\n{method}"))).findings;
            assert_eq!(findings.iter().map(|finding| finding.code).collect::<Vec<_>>(), codes, "{method}");
        };
        check("critique = false", &[]);
        check("critique = false\nschedule = \"sampled\"\nrevise_always = true", &[]);
        check("critique = false\nscreen = true", &["no-effect"]);
        check("schedule = \"sampled\"\nscreen = true", &["no-effect"]);
        check("revise_always = true", &["no-effect"]);
        check("[gates]\nconfirm_revision = true", &[]);
        check("rounds = 0\n[gates]\nconfirm_revision = true", &["no-effect"]);
        check("[gates]\nconfirm_revision = true\n[label]\nsource = \"given\"", &["no-effect"]);
        check("target = \"style\"\n[gates]\nconfirm_revision = true", &[]);
    }

    #[test]
    fn a_key_in_the_wrong_section_is_told_its_own() {
        let check = |text: &str, help: &str| {
            let findings = read(&SourceFile::new("amend.toml", text)).findings;
            assert_eq!(findings.iter().flat_map(|f| f.help.clone()).collect::<Vec<_>>(), [help], "{text}");
        };
        check("rounds = 3", "`rounds` belongs under `[method]`");
        check("model = \"sim\"", "`model` belongs under `[models.default]`");
        check("[models]\nrpm = 3", "`rpm` belongs under `[limits]`");
        check("[limits]\natempts = 3", "did you mean `attempts`?");
    }

    #[test]
    fn a_secret_in_the_wrong_place_is_not_repeated() {
        let file = SourceFile::new("amend.toml", "[models.default]\napi_key_env = \"sk-12345\"\n");
        let told = format!("{:?}", read(&file).findings);
        assert!(told.contains("name of an environment variable") && !told.contains("sk-12345"), "{told}");
    }
}
