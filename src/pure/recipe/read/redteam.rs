//! What is wrong with the values of `[redteam]`.

use super::Check;
use crate::pure::attack::Family;
use crate::pure::diagnostic::{Diagnostic, Slip, nearest};
use crate::pure::recipe::Redteam;
use crate::pure::taxonomy::Taxonomy;
use crate::pure::toml_file::Node;

impl Check<'_> {
    pub(super) fn redteam(&mut self, redteam: &Redteam, node: &Node) {
        let names = <Family as strum::VariantNames>::VARIANTS;
        for (n, name) in redteam.families.iter().enumerate().filter(|(_, name)| Family::read(name).is_none())
        {
            let at = node.key("families").nth(n).span();
            let message = format!("there is no family of attacks `{name}`");
            let finding = Diagnostic::error("unknown-family", &self.file.name, at.clone(), message);
            let near = nearest(name, names.iter().copied());
            let otherwise = format!("the families are {}", names.join(", "));
            self.findings.push(finding.did_you_mean(&Slip::text(name, at), near, otherwise));
        }
        let taxonomy = Taxonomy::built_in();
        for (n, id) in redteam.hazards.iter().enumerate().filter(|(_, id)| !taxonomy.is_known(id)) {
            let at = node.key("hazards").nth(n).span();
            let message = format!("there is no hazard or domain `{id}`");
            let finding = Diagnostic::error("unknown-hazard", &self.file.name, at.clone(), message);
            let otherwise = "see `constitutions/taxonomy.toml` for the ids".to_owned();
            self.findings.push(finding.did_you_mean(&Slip::text(id, at), taxonomy.nearest(id), otherwise));
        }
        if !(redteam.half_width > 0.0 && redteam.half_width <= 0.5) {
            self.error(
                "bad-value",
                node.key("half_width"),
                "`half_width` must be above 0 and at most 0.5".into(),
            );
        }
        for (name, value) in [
            ("min_tries", redteam.min_tries),
            ("max_finds", redteam.max_finds),
            ("round", redteam.round.into()),
            ("calls", redteam.calls),
        ] {
            if value == 0 {
                self.error("bad-value", node.key(name), format!("`{name}` must be at least 1"));
            }
        }
    }
}
