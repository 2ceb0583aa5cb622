//! The harm taxonomy: which hazards there are, and which label of another taxonomy means which of them.
//!
//! Its file is `constitutions/taxonomy.toml`, built into the binary. Pure.

use crate::pure::diagnostic::{SourceFile, nearest};
use crate::pure::toml_file;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

/// The file as it is written.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    taxonomy: Head,
    domain: Vec<Domain>,
    hazard: Vec<Hazard>,
    axis: Vec<Axis>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Head {
    id: String,
    version: String,
    levels: Option<u32>,
    policies: Vec<String>,
}

/// A group of hazards, such as `phys`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Domain {
    /// Its id, such as `phys`.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// What falls under it.
    pub description: Option<String>,
}

/// One hazard, such as `phys.assault`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Hazard {
    /// Its id: the domain's id, a dot, a word.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// What falls under it.
    pub description: Option<String>,
    /// What a good response does: `refuse`, `support`, `careful`, `clarify`, or `app` (the application decides).
    pub policy: String,
    /// 1 (nuisance) to 4 (lives).
    pub severity: u8,
    /// What it is about, a few words each.
    pub topics: Vec<String>,
    /// The same thing in other taxonomies: their name, and their codes.
    pub maps: BTreeMap<String, Vec<String>>,
}

/// A dimension that cuts across hazards, such as who asks.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Axis {
    /// Its id.
    pub id: String,
    /// What it is about.
    pub description: Option<String>,
    /// Its values.
    pub values: Vec<String>,
}

/// The taxonomy.
#[derive(Debug, Clone, Default)]
pub struct Taxonomy {
    /// Its id and version, as reports name it.
    pub name: String,
    domains: Vec<Domain>,
    hazards: Vec<Hazard>,
    axes: Vec<Axis>,
    /// Codes of other taxonomies, in lower case, bare and with their taxonomy's name before them.
    foreign: BTreeMap<String, BTreeSet<String>>,
}

/// The text of the built-in taxonomy.
pub const BUILT_IN: &str = include_str!("../../constitutions/taxonomy.toml");

impl Taxonomy {
    /// The taxonomy that ships.
    pub fn built_in() -> &'static Self {
        static SHIPPED: OnceLock<Taxonomy> = OnceLock::new();
        SHIPPED.get_or_init(|| Self::read(&SourceFile::new("constitutions/taxonomy.toml", BUILT_IN)).0)
    }

    /// Reads a taxonomy file; what is wrong in it is left out and reported.
    pub fn read(file: &SourceFile) -> (Self, Vec<crate::pure::diagnostic::Diagnostic>) {
        let (located, mut findings) = toml_file::read::<File>(file);
        check(&located, file, &mut findings);
        let File { taxonomy, domain, hazard, axis } = located.value;
        let mut foreign: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for hazard in &hazard {
            for (other, codes) in &hazard.maps {
                for code in codes {
                    for key in [code.to_lowercase(), format!("{other}:{code}").to_lowercase()] {
                        foreign.entry(key).or_default().insert(hazard.id.clone());
                    }
                }
            }
        }
        let name = format!("{} {}", taxonomy.id, taxonomy.version);
        (Self { name, domains: domain, hazards: hazard, axes: axis, foreign }, findings)
    }

    /// The domains, in file order.
    pub fn domains(&self) -> &[Domain] {
        &self.domains
    }

    /// The hazards, in file order.
    pub fn hazards(&self) -> &[Hazard] {
        &self.hazards
    }

    /// The axes, in file order.
    pub fn axes(&self) -> &[Axis] {
        &self.axes
    }

    /// Whether this is the id of a domain or of a hazard.
    ///
    /// ```
    /// use amend::pure::taxonomy::Taxonomy;
    ///
    /// assert!(!Taxonomy::built_in().is_known("no-such-hazard"));
    /// ```
    pub fn is_known(&self, id: &str) -> bool {
        self.ids().any(|known| known == id)
    }

    /// The id that an unknown one is most likely a slip of.
    pub fn nearest(&self, id: &str) -> Option<&str> {
        nearest(id, self.ids())
    }

    /// Our hazard or domain ids that a prompt's label may mean; empty when the label is unknown. A label is an id of
    /// ours, or a code of another taxonomy (`vcr`, `S9`, `llama_guard:S9`); several may stand in one, with commas.
    pub fn resolve(&self, label: &str) -> BTreeSet<&str> {
        label.split([',', ';', '|']).flat_map(|one| self.resolve_one(one.trim())).collect()
    }

    fn resolve_one(&self, label: &str) -> BTreeSet<&str> {
        let label = label.to_lowercase();
        match self.ids().find(|id| *id == label) {
            Some(id) => BTreeSet::from([id]),
            None => self.foreign.get(&label).into_iter().flatten().map(String::as_str).collect(),
        }
    }

    /// Whether a prompt of this label may fall under the hazard or domain of this id: `phys` covers `phys.assault`,
    /// and a prompt labelled `phys` may be about `phys.assault`. `None` when the label is unknown.
    pub fn covers(&self, id: &str, label: &str) -> Option<bool> {
        let meant = self.resolve(label);
        if meant.is_empty() {
            return None;
        }
        Some(meant.into_iter().any(|other| within(other, id) || within(id, other)))
    }

    fn ids(&self) -> impl Iterator<Item = &str> {
        self.domains.iter().map(|d| d.id.as_str()).chain(self.hazards.iter().map(|h| h.id.as_str()))
    }
}

/// Whether `id` is `whole` or lies inside it.
fn within(id: &str, whole: &str) -> bool {
    id.strip_prefix(whole).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// What the struct cannot say: ids are there, unique, and hazards belong to a domain.
fn check(
    located: &toml_file::Located<File>,
    file: &SourceFile,
    findings: &mut Vec<crate::pure::diagnostic::Diagnostic>,
) {
    use crate::pure::diagnostic::Diagnostic;
    let domains: BTreeSet<&str> = located.value.domain.iter().map(|d| d.id.as_str()).collect();
    let mut seen = BTreeSet::new();
    let all = |kind| located.root.key(kind);
    let ids = located.value.domain.iter().map(|d| ("domain", d.id.as_str())).enumerate();
    let count = located.value.domain.len();
    let ids = ids.chain(located.value.hazard.iter().map(|h| ("hazard", h.id.as_str())).enumerate());
    for (n, (kind, id)) in ids {
        let node = all(kind).nth(n);
        if id.is_empty() && !node.has("id") {
            let message = format!("this `[[{kind}]]` has no `id`");
            findings.push(Diagnostic::error("missing-key", &file.name, node.span(), message));
        } else if !seen.insert(id) {
            let message = format!("the id `{id}` is used twice");
            findings.push(Diagnostic::error("duplicate-id", &file.name, node.key("id").span(), message));
        }
        let domain = id.split('.').next().unwrap_or("");
        if kind == "hazard" && count > 0 && !id.is_empty() && !domains.contains(domain) {
            let message =
                format!("`{id}` belongs to no domain: there is no `[[domain]]` with the id `{domain}`");
            findings.push(Diagnostic::error("unknown-domain", &file.name, node.key("id").span(), message));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_taxonomy_is_clean() {
        let (taxonomy, findings) = Taxonomy::read(&SourceFile::new("taxonomy.toml", BUILT_IN));
        assert_eq!(findings, []);
        assert!(taxonomy.domains().len() >= 10 && taxonomy.hazards().len() >= 50);
    }

    #[test]
    fn labels_of_ours_and_of_others_are_covered() {
        let check = |id: &str, label: &str| Taxonomy::built_in().covers(id, label);
        assert_eq!(check("phys", "phys.assault"), Some(true));
        assert_eq!(check("phys.assault", "phys"), Some(true), "the label is wider, so it may be meant");
        assert_eq!(check("phys.assault", "phys.terror"), Some(false));
        assert_eq!(check("phys", "VCR"), Some(true));
        assert_eq!(check("righ", "dfm"), Some(true));
        assert_eq!(check("cybr", "vcr"), Some(false));
        assert_eq!(check("cybr", "vcr, cybr.malware"), Some(true));
        assert_eq!(check("phys", "llama_guard:S1"), Some(true));
        assert_eq!(check("phys", "physics"), None);
        assert_eq!(check("phys", ""), None);
    }

    #[test]
    fn every_hazard_code_of_ailuminate_and_llama_guard_means_something() {
        let ailuminate = "vcr src cse ssh iwp ipv dfm ncr hte prv spc_ele spc_fin spc_hlt spc_lgl sxc_prn";
        let codes = ailuminate.split(' ').map(str::to_owned).chain((1..=14).map(|n| format!("S{n}")));
        for code in codes {
            assert_ne!(Taxonomy::built_in().resolve(&code).len(), 0, "{code}");
        }
        assert_eq!(Taxonomy::built_in().resolve("iwp").len(), 4, "unconventional weapons only");
    }
}
