//! Checks the values of a constitution file: what its structs cannot say.

use super::file::{ExampleEntry, File, PrincipleEntry, PrincipleRuleEntry, TestEntry};
use super::{Expect, language};
use crate::pure::diagnostic::{Diagnostic, Slip, SourceFile, is_known, nearest_code};
use crate::pure::taxonomy::Taxonomy;
use crate::pure::text::live_match::{LiveMatcher, Span, longest_match};
use crate::pure::toml_file::{Located, Node};

/// A text longer than this, in characters, is no rule but a document.
const LONGEST_TEXT: usize = 8_000;

/// Checks everything in one file.
pub(super) fn check_values(file: &SourceFile, located: &Located<File>, findings: &mut Vec<Diagnostic>) {
    let mut check = Check { file, findings };
    check.head(located);
    for (n, entry) in located.value.principle.iter().enumerate() {
        check.principle(entry, located.root.key("principle").nth(n));
    }
    let File { style, proposition, resource, .. } = &located.value;
    for (n, entry) in style.iter().enumerate() {
        check.style(entry, located.root.key("style").nth(n));
    }
    for (n, entry) in proposition.iter().enumerate() {
        check.proposition(entry, located.root.key("proposition").nth(n));
    }
    for (n, entry) in resource.iter().enumerate() {
        check.resource(entry, located.root.key("resource").nth(n));
    }
}

/// Collects what is wrong; `node` is the place of the table that is checked.
pub(super) struct Check<'a> {
    file: &'a SourceFile,
    findings: &'a mut Vec<Diagnostic>,
}

impl Check<'_> {
    fn head(&mut self, located: &Located<File>) {
        let head = &located.value.constitution;
        let node = located.root.key("constitution");
        if located.root.has("constitution") {
            self.id(&head.id, node);
        } else {
            let message = "the `[constitution]` table is missing";
            let finding = Diagnostic::error("missing-key", &self.file.name, None, message);
            self.findings.push(finding.help("start the file with `[constitution]` and an `id`"));
        }
        for (key, text) in [("version", &head.version), ("title", &head.title), ("system", &head.system)] {
            self.text(key, text.as_deref(), node);
        }
        self.codes(&head.allow, node.key("allow"));
    }

    fn principle(&mut self, entry: &PrincipleEntry, node: &Node) {
        self.id(&entry.id, node);
        self.required("text", &entry.text, node);
        for (key, text) in
            [("critique", &entry.critique), ("revision", &entry.revision), ("compare", &entry.compare)]
        {
            self.text(key, text.as_deref(), node);
        }
        if let Some(weight) = entry.weight.filter(|weight| !(weight.is_finite() && *weight >= 0.0)) {
            self.error(
                "bad-value",
                node.key("weight"),
                format!("`weight` must be 0 or more, not `{weight}`"),
            );
        }
        self.hazards(&entry.hazards, node.key("hazards"));
        self.hazards(&entry.when.hazards, node.key("when").key("hazards"));
        self.languages(&entry.when.languages, node.key("when").key("languages"));
        for (n, text) in entry.exceptions.iter().enumerate() {
            if text.trim().is_empty() {
                self.error("empty-text", node.key("exceptions").nth(n), "this exception is empty");
            }
        }
        self.codes(&entry.allow, node.key("allow"));
        for (n, example) in entry.example.iter().enumerate() {
            self.example(example, node.key("example").nth(n));
        }
        for (n, test) in entry.test.iter().enumerate() {
            self.test(test, node.key("test").nth(n));
        }
        for (n, rule) in entry.rule.iter().enumerate() {
            self.rule_of_principle(rule, node.key("rule").nth(n));
        }
    }

    fn example(&mut self, entry: &ExampleEntry, node: &Node) {
        self.required("prompt", &entry.prompt, node);
        self.required("response", &entry.response, node);
        self.required("critique", &entry.critique, node);
        self.present("verdict", node);
        self.text("revision", entry.revision.as_deref(), node);
        if entry.verdict == Some(Expect::Violates) && !node.has("revision") {
            self.error("missing-key", node, "an example that violates its principle needs a `revision`");
        }
    }

    fn test(&mut self, entry: &TestEntry, node: &Node) {
        self.required("prompt", &entry.prompt, node);
        self.required("response", &entry.response, node);
        self.present("expect", node);
    }

    fn rule_of_principle(&mut self, entry: &PrincipleRuleEntry, node: &Node) {
        let has_words = entry.words.iter().any(|words| !words.trim().is_empty());
        if !has_words && entry.pattern.is_none() {
            self.error("missing-key", node, "a rule needs `words`, or a `pattern`");
        }
        let pattern = entry.pattern.as_deref();
        let spans = entry.words.iter().map(|words| Span::Words(words)).chain(pattern.map(Span::Pattern));
        let is_read = pattern.is_none_or(|pattern| match longest_match(pattern) {
            Ok(_) => true,
            Err(why) => {
                self.error("bad-value", node.key("pattern"), format!("`pattern` cannot be used: {why}"));
                false
            }
        });
        if is_read
            && has_words | pattern.is_some()
            && let Err(why) = LiveMatcher::new(&spans.collect::<Vec<_>>())
        {
            self.error("bad-value", node, format!("this rule cannot be used: {why}"));
        }
    }

    pub(super) fn id(&mut self, id: &str, node: &Node) {
        self.required("id", id, node);
        if id.trim().is_empty() || is_slug(id) {
            return;
        }
        let slug = to_slug(id);
        let message =
            format!("`{id}` is not an id: lower-case words joined by hyphens, 64 characters at most");
        let at = node.key("id").span();
        let finding = Diagnostic::error("bad-id", &self.file.name, at.clone(), message);
        self.findings.push(if is_slug(&slug) {
            finding.help(format!("write `{slug}`")).fix(at, format!("\"{slug}\""))
        } else {
            finding
        });
    }

    pub(super) fn present(&mut self, key: &str, node: &Node) {
        if !node.has(key) {
            self.error("missing-key", node, format!("`{key}` is missing here"));
        }
    }

    pub(super) fn required(&mut self, key: &str, text: &str, node: &Node) {
        self.present(key, node);
        if node.has(key) {
            self.text(key, Some(text), node);
        }
    }

    /// A text that is there is not empty, and not too long.
    fn text(&mut self, key: &str, text: Option<&str>, node: &Node) {
        let (Some(text), at) = (text, node.key(key)) else { return };
        let length = text.chars().count();
        // What is of the wrong type was taken out while reading, and is reported there.
        if text.trim().is_empty() && !at.is_wrong() {
            self.error("empty-text", at, format!("`{key}` is empty"));
        } else if length > LONGEST_TEXT {
            let message = format!("`{key}` has {length} characters; {LONGEST_TEXT} are the most it may have");
            let finding = Diagnostic::error("too-long", &self.file.name, at.span(), message);
            self.findings.push(finding.help("say it shorter, or split it into several principles"));
        }
    }

    pub(super) fn hazards(&mut self, ids: &[String], node: &Node) {
        let taxonomy = Taxonomy::built_in();
        for (n, id) in ids.iter().enumerate().filter(|(_, id)| !taxonomy.is_known(id)) {
            let domains: Vec<_> = taxonomy.domains().iter().map(|d| format!("`{}`", d.id)).collect();
            let otherwise = format!("its domains are {}", domains.join(", "));
            let at = node.nth(n).span();
            let message = format!("`{id}` is not in the taxonomy");
            let finding = Diagnostic::error("unknown-hazard", &self.file.name, at.clone(), message);
            self.findings.push(finding.did_you_mean(&Slip::text(id, at), taxonomy.nearest(id), otherwise));
        }
    }

    fn languages(&mut self, tags: &[String], node: &Node) {
        for (n, tag) in tags.iter().enumerate().filter(|(_, tag)| language::parts(tag).is_none()) {
            let message = format!("`{tag}` is not the tag of a language");
            let finding = Diagnostic::error("bad-language", &self.file.name, node.nth(n).span(), message);
            self.findings.push(finding.help("write a tag such as `en`, `pt-BR` or `zh`"));
        }
    }

    fn codes(&mut self, codes: &[String], node: &Node) {
        for (n, code) in codes.iter().enumerate().filter(|(_, code)| !is_known(code)) {
            let at = node.nth(n).span();
            let message = format!("`{code}` is not the code of a warning");
            let finding = Diagnostic::warning("unknown-code", &self.file.name, at.clone(), message);
            let otherwise = "`amend check --explain` lists the codes";
            self.findings.push(finding.did_you_mean(&Slip::text(code, at), nearest_code(code), otherwise));
        }
    }

    pub(super) fn error(&mut self, code: &'static str, at: &Node, message: impl Into<String>) {
        self.findings.push(Diagnostic::error(code, &self.file.name, at.span(), message));
    }
}

fn is_slug(id: &str) -> bool {
    let word =
        |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    id.len() <= 64 && id.split('-').all(word)
}

fn to_slug(id: &str) -> String {
    let words = id.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect::<Vec<_>>().join("-")
}
