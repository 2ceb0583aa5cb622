//! What is wrong with the values of `[guard]`.

use super::Check;
use crate::pure::diagnostic::{Diagnostic, Slip};
use crate::pure::recipe::{Guard, GuardApp};
use crate::pure::taxonomy::Taxonomy;
use crate::pure::toml_file::Node;

impl Check<'_> {
    pub(super) fn guard(&mut self, guard: &Guard, node: &Node) {
        let upstream = node.key("upstream");
        self.web("base_url", guard.upstream.base_url.as_deref(), upstream);
        for (n, path) in guard.unguarded.paths.iter().enumerate() {
            if !path.starts_with('/')
                || path.contains(['?', '#', ' '])
                || path.split('/').any(|part| part == "..")
            {
                let message = format!("`{path}` is not a path such as `/v1/embeddings`");
                self.error("bad-value", node.key("unguarded").key("paths").nth(n), message);
            }
        }
        self.not_empty("text", guard.answer.text.as_deref(), node.key("answer"));
        self.not_empty("locale", guard.answer.locale.as_deref(), node.key("answer"));
        let taxonomy = Taxonomy::built_in();
        for (n, id) in guard.steer.hazards.iter().enumerate().filter(|(_, id)| !taxonomy.is_known(id)) {
            let at = node.key("steer").key("hazards").nth(n);
            let finding = Diagnostic::error(
                "unknown-hazard",
                &self.file.name,
                at.span(),
                format!("there is no hazard or domain `{id}`"),
            );
            let otherwise = "see `constitutions/taxonomy.toml` for the ids".to_owned();
            self.findings.push(finding.did_you_mean(
                &Slip::text(id, at.span()),
                taxonomy.nearest(id),
                otherwise,
            ));
        }
        self.not_empty("path", guard.audit.path.as_deref(), node.key("audit"));
        for (n, app) in guard.app.iter().enumerate() {
            let at = node.key("app").nth(n);
            for (key, text) in [("name", &app.name), ("token_env", &app.token_env)] {
                if !at.has(key) {
                    self.error("missing-key", at, format!("`{key}` is missing here"));
                } else if text.trim().is_empty() {
                    self.error("empty-text", at.key(key), format!("`{key}` is empty"));
                }
            }
            self.not_empty("constitution", app.constitution.as_deref(), at);
            let is_there_twice =
                |other: &GuardApp| other.name == app.name || other.token_env == app.token_env;
            if guard.app.iter().take(n).any(is_there_twice) {
                self.error("bad-value", at, "two applications have this name or this token".to_owned());
            }
        }
        self.at_least_one("rotate_mib", Some(guard.audit.rotate_mib), node.key("audit"));
        let input = node.key("input");
        for (tiers, at) in [(&guard.input.tiers, input), (&guard.output.tiers, node.key("output"))] {
            // A name that is wrong was taken out while reading, and is reported there.
            let shown = self.file.text.get(at.key("tiers").span()).unwrap_or_default();
            if tiers.is_empty() && !shown.contains(['"', '\'']) {
                self.error(
                    "bad-value",
                    at.key("tiers"),
                    "`tiers` is empty, so nothing would judge".to_owned(),
                );
            }
        }
        self.at_least_one("budget_ms", Some(guard.input.budget_ms), input);
        self.at_least_one("max_body_kib", Some(guard.input.max_body_kib), input);
        let (output, at) = (&guard.output, node.key("output"));
        self.at_least_one("budget_ms", Some(output.budget_ms), at);
        self.at_least_one("first_tokens", Some(output.first_tokens.into()), at);
        self.at_least_one("max_held_kib", Some(output.max_held_kib), at);
        self.at_least_one("most_tokens", Some(output.most_tokens.into()), at);
        self.within("grow", output.grow, 1.0, 100.0, at);
    }
}

#[cfg(test)]
mod tests {
    use crate::pure::diagnostic::SourceFile;
    use crate::pure::recipe::{check_complete, read};

    /// The codes found in a recipe.
    fn check(text: &str) -> Vec<&'static str> {
        let file = SourceFile::new("amend.toml", text);
        let reading = read(&file);
        let found = check_complete(&file, &reading);
        found.into_iter().chain(reading.findings).map(|finding| finding.code).collect()
    }

    #[test]
    fn a_recipe_for_a_guard_needs_no_prompts_and_is_strict_like_the_others() {
        let guard = "[models.default]\nmodel = \"sim\"\n[guard]\nmode = \"shadow\"\n";
        assert_eq!(check(guard), [""; 0]);
        for (line, code) in [
            ("hold = \"full\"", "unknown-key"),
            ("mode = \"enforced\"", "bad-value"),
            ("upstream = { base_url = \"localhost\" }", "bad-value"),
            ("unguarded = { paths = [\"v1/embeddings\"] }", "bad-value"),
            ("steer = { hazards = [\"advise\"] }", "unknown-hazard"),
            ("output = { grow = 0.5 }", "bad-value"),
            ("input = { budget_ms = 0 }", "bad-value"),
            ("app = [{ name = \"shop\" }]", "missing-key"),
            ("app = [{ name = \"a\", token_env = \"T\" }, { name = \"b\", token_env = \"T\" }]", "bad-value"),
            ("output = { tiers = [] }", "bad-value"),
            ("input = { tiers = [\"learned\"] }", "bad-value"),
        ] {
            let text = format!("[models.default]\nmodel = \"sim\"\n[guard]\n{line}\n");
            let found = check(&text);
            assert!(found.len() == 1 && found[0] == code, "{line}: {found:?}");
        }
    }
}
