//! How long a call may take: what `[limits]` allows, and what its model has of its own.

use super::{Limits, ResolvedModel};

/// The tier whose answers come when there is room for them.
const FLEX: &str = "flex";

/// Seconds that an attempt in that tier may take unless the recipe says otherwise, as OpenAI recommends.
const FLEX_S: f64 = 900.0;

/// How long a call may take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Patience {
    /// Seconds of one attempt.
    pub attempt_s: f64,
    /// Seconds of all attempts and the waits between them.
    pub call_s: f64,
}

impl Limits {
    /// How long a call to a model may take. Where an attempt may take longer than `timeout_s`, the whole call may take longer
    /// than `elapsed_s` in the same ratio, so that there is time for as many attempts.
    pub fn patience(&self, model: &ResolvedModel) -> Patience {
        let by_tier =
            model.service_tier.as_deref().filter(|tier| *tier == FLEX).map(|_| self.timeout_s.max(FLEX_S));
        let attempt_s = model.timeout_s.or(by_tier).unwrap_or(self.timeout_s);
        Patience { attempt_s, call_s: self.elapsed_s * (attempt_s / self.timeout_s).max(1.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pure::call::Role;
    use crate::pure::recipe::Models;

    #[test]
    fn a_flex_tier_may_take_longer_and_the_recipe_has_the_last_word() {
        let patience = |model: &str, timeout_s: f64| {
            let models: Models = toml::from_str(&format!("[default]\nmodel = \"m\"\n{model}")).unwrap();
            let limits = Limits { timeout_s, ..Limits::default() };
            let Patience { attempt_s, call_s } = limits.patience(&models.resolve(Role::Critic).unwrap());
            (attempt_s, call_s.round())
        };
        let flex = "service_tier = \"flex\"\n";
        for (model, timeout_s, expected) in [
            ("", 120.0, (120.0, 900.0)),
            ("service_tier = \"priority\"", 120.0, (120.0, 900.0)),
            (flex, 120.0, (900.0, 6750.0)),
            (flex, 1200.0, (1200.0, 900.0)),
            (&format!("{flex}timeout_s = 300"), 120.0, (300.0, 2250.0)),
            ("timeout_s = 30", 120.0, (30.0, 900.0)),
        ] {
            assert_eq!(patience(model, timeout_s), expected, "{model:?} {timeout_s}");
        }
    }
}
