//! What a judge's answer comes to: whether something is violated, how grave that would be, and what a good answer does then.

use super::rules::RuleHit;
use crate::pure::constitution::{Constitution, Principle};
use crate::pure::method::{GuardReading, Safety};
use crate::pure::taxonomy::{Hazard, Taxonomy};
use std::collections::BTreeSet;

/// From this severity on, what could not be judged is never taken for fine.
pub const GRAVE: u8 = 3;
/// From this severity on, the audit keeps no text.
pub const GRAVEST: u8 = 4;
/// The severity of a principle that names no hazard.
const UNNAMED: u8 = 2;

/// What is at stake.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grounds {
    /// Ids of the principles that it is about; empty where the judge said nothing.
    pub principles: Vec<String>,
    /// 1 (a nuisance) to 4 (lives): that of the gravest hazard.
    pub severity: u8,
    /// The gravest hazard or domain, where a principle names one.
    pub hazard: Option<String>,
    /// What a good answer does about it, in the taxonomy's word; empty where no hazard is named.
    pub policy: String,
    /// Why the judge could not say, for operators.
    pub why: Option<String>,
    /// The rule that found it, for operators: its principle and its number there.
    pub rule: Option<String>,
}

/// What a check came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// No principle is violated.
    Conforms,
    /// Some are.
    Violates(Grounds),
    /// Nobody knows.
    Undecided(Grounds),
}

impl Finding {
    /// The verdict's name in the audit and in metrics.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Conforms => "conforms",
            Self::Violates(_) => "violates",
            Self::Undecided(_) => "undecided",
        }
    }

    /// What is at stake, where something is.
    pub fn grounds(&self) -> Option<&Grounds> {
        match self {
            Self::Conforms => None,
            Self::Violates(grounds) | Self::Undecided(grounds) => Some(grounds),
        }
    }
}

/// What a judge's answer comes to under a constitution. Without an answer everything that the constitution guards against is
/// at stake.
pub fn finding(
    read: Result<&GuardReading, &str>,
    constitution: &Constitution,
    taxonomy: &Taxonomy,
) -> Finding {
    let grounds = |ids: &[String]| grounds(ids, constitution, taxonomy);
    match read {
        Ok(reading) if !reading.violated.is_empty() => Finding::Violates(grounds(&reading.violated)),
        Ok(reading) if !reading.unsure.is_empty() => Finding::Undecided(grounds(&reading.unsure)),
        Ok(_) => Finding::Conforms,
        Err(why) => {
            let all: Vec<String> =
                constitution.principles.iter().map(|principle| principle.id.clone()).collect();
            let Grounds { severity, .. } = grounds(&all);
            Finding::Undecided(Grounds { severity, why: Some(why.to_owned()), ..Grounds::default() })
        }
    }
}

/// What a safety classifier's verdict comes to. Its categories are hazards; the principles that guard against one of these are named.
/// A category that no principle guards against is unsafe all the same.
pub fn classified(safety: &Safety, constitution: &Constitution, taxonomy: &Taxonomy) -> Finding {
    match safety {
        Safety::Safe => Finding::Conforms,
        Safety::Unsafe(codes) => Finding::Violates(grounds_of_codes(codes, constitution, taxonomy)),
        Safety::Unsure(codes) => Finding::Undecided(grounds_of_codes(codes, constitution, taxonomy)),
    }
}

fn grounds_of_codes(codes: &[String], constitution: &Constitution, taxonomy: &Taxonomy) -> Grounds {
    let ids: BTreeSet<&str> =
        codes.iter().flat_map(|code| taxonomy.resolve(&format!("llama_guard:{code}"))).collect();
    let guards = |principle: &&Principle| {
        principle.hazards.iter().any(|wide| ids.iter().any(|id| is_within(id, wide)))
    };
    let principles =
        constitution.principles.iter().filter(guards).map(|principle| principle.id.clone()).collect();
    let hazards = taxonomy.hazards().iter().filter(|hazard| ids.contains(hazard.id.as_str()));
    let Some(gravest) = hazards.max_by_key(|hazard| hazard.severity) else {
        // Unsafe, and nobody knows how.
        return Grounds { principles, severity: GRAVE, ..Grounds::default() };
    };
    Grounds {
        principles,
        severity: gravest.severity,
        hazard: Some(gravest.id.clone()),
        policy: gravest.policy.clone(),
        ..Grounds::default()
    }
}

/// What a rule of a principle found.
pub fn ruled(hit: &RuleHit, constitution: &Constitution, taxonomy: &Taxonomy) -> Grounds {
    let found = grounds(std::slice::from_ref(&hit.principle), constitution, taxonomy);
    Grounds { rule: Some(hit.to_string()), ..found }
}

fn grounds(ids: &[String], constitution: &Constitution, taxonomy: &Taxonomy) -> Grounds {
    let mut found = Grounds { principles: ids.to_vec(), ..Grounds::default() };
    let named = |id: &String| constitution.principles.iter().find(|principle| principle.id == *id);
    for principle in ids.iter().filter_map(named) {
        let (severity, gravest) = severity_of(principle, taxonomy);
        if severity > found.severity {
            found.severity = severity;
            found.hazard = gravest.map(|(id, _)| id.to_owned());
            found.policy = gravest.map_or_else(String::new, |(_, hazard)| hazard.policy.clone());
        }
    }
    found
}

/// How grave a violation of a principle is: that of the gravest hazard that it guards against, and at least [`GRAVE`] for a
/// hard one. With the id as the principle names it, and the hazard.
fn severity_of<'a>(principle: &'a Principle, taxonomy: &'a Taxonomy) -> (u8, Option<(&'a str, &'a Hazard)>) {
    let hazards = principle.hazards.iter().flat_map(|id| {
        let inside = taxonomy.hazards().iter().filter(move |hazard| is_within(&hazard.id, id));
        inside.map(move |hazard| (id.as_str(), hazard))
    });
    let gravest = hazards.max_by_key(|(_, hazard)| hazard.severity);
    let severity = gravest.map_or(UNNAMED, |(_, hazard)| hazard.severity);
    (if principle.hard { severity.max(GRAVE) } else { severity }, gravest)
}

/// Whether all that a finding is about guards against nothing but these hazards.
pub fn is_all_within(grounds: &Grounds, wide: &[String], constitution: &Constitution) -> bool {
    let named: Vec<&Principle> = constitution
        .principles
        .iter()
        .filter(|principle| grounds.principles.contains(&principle.id))
        .collect();
    !named.is_empty()
        && named.iter().all(|principle| {
            !principle.hazards.is_empty()
                && principle.hazards.iter().all(|id| wide.iter().any(|wide| is_within(id, wide)))
        })
}

fn is_within(id: &str, wide: &str) -> bool {
    id.strip_prefix(wide).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pure::constitution::read_built_in;

    fn of(violated: &[&str], unsure: &[&str]) -> Finding {
        let constitution = read_built_in("support-desk").unwrap();
        let owned = |ids: &[&str]| ids.iter().map(ToString::to_string).collect();
        let reading = GuardReading { violated: owned(violated), unsure: owned(unsure) };
        finding(Ok(&reading), &constitution, Taxonomy::built_in())
    }

    #[test]
    fn a_finding_knows_how_grave_it_is() {
        assert_eq!(of(&[], &[]), Finding::Conforms);
        let Finding::Violates(scope) = of(&["stays-on-the-product"], &[]) else { panic!("no violation") };
        assert_eq!((scope.hazard.as_deref(), scope.policy.as_str()), (Some("appl.scope"), "app"));
        assert!(scope.severity < GRAVE, "{scope:?}");
        let all = finding(Err("late"), &read_built_in("support-desk").unwrap(), Taxonomy::built_in());
        let Finding::Undecided(all) = all else { panic!("decided") };
        assert_eq!((all.severity, all.why.as_deref()), (GRAVEST, Some("late")));
    }

    #[test]
    fn what_is_steered_lies_within_the_hazards_that_are_named() {
        let constitution = read_built_in("support-desk").unwrap();
        let check = |ids: &[&str], wide: &[&str]| {
            let grounds =
                Grounds { principles: ids.iter().map(ToString::to_string).collect(), ..Grounds::default() };
            let wide: Vec<String> = wide.iter().map(ToString::to_string).collect();
            is_all_within(&grounds, &wide, &constitution)
        };
        assert!(check(&["stays-on-the-product"], &["appl"]));
        assert!(check(&["stays-on-the-product", "refers-to-a-professional"], &["appl.scope", "appl.refer"]));
        assert!(!check(&["stays-on-the-product", "refers-to-a-professional"], &["appl.scope"]));
        assert!(!check(&[], &["appl"]));
    }

    #[test]
    fn a_category_of_a_classifier_is_a_hazard_whether_a_principle_guards_against_it_or_not() {
        let taxonomy = Taxonomy::built_in();
        let of = |name: &str, codes: &[&str]| {
            let codes = codes.iter().map(ToString::to_string).collect();
            classified(&Safety::Unsafe(codes), &read_built_in(name).unwrap(), taxonomy)
        };
        let Finding::Violates(weapons) = of("harmlessness", &["S9"]) else { panic!("no violation") };
        assert_eq!((weapons.severity, weapons.policy.as_str()), (GRAVEST, "refuse"));
        assert!(weapons.principles.contains(&"weapons-of-mass-harm".to_owned()), "{weapons:?}");
        let Finding::Violates(distress) = of("minimal", &["S11"]) else { panic!("no violation") };
        assert_eq!(distress.policy, "support");
        let Finding::Violates(unknown) = of("minimal", &["S99"]) else { panic!("no violation") };
        assert_eq!((unknown.severity, unknown.hazard), (GRAVE, None));
    }
}
