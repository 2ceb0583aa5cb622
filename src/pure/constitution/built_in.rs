//! The constitutions that ship, built into the binary, so that a run needs no checkout.

use crate::pure::diagnostic::SourceFile;

/// Where built-in files seem to stand, so that what they extend is found beside them and never on disk.
const FOLDER: &str = "built-in/";

/// Name and text of every built-in constitution.
const FILES: &[(&str, &str)] = &[
    ("harmlessness", include_str!("../../../constitutions/harmlessness.toml")),
    ("helpful-honest-harmless", include_str!("../../../constitutions/helpful-honest-harmless.toml")),
    ("minimal", include_str!("../../../constitutions/minimal.toml")),
    ("styles", include_str!("../../../constitutions/styles.toml")),
    ("support-desk", include_str!("../../../constitutions/support-desk.toml")),
];

/// The built-in constitution of this name: `harmlessness`, `harmlessness.toml` or `constitutions/harmlessness.toml`.
pub fn built_in(name: &str) -> Option<SourceFile> {
    let stem = name.strip_suffix(".toml").unwrap_or(name);
    let stem = stem.strip_prefix(FOLDER).or_else(|| stem.strip_prefix("constitutions/")).unwrap_or(stem);
    let (name, text) = FILES.iter().find(|(name, _)| *name == stem)?;
    Some(SourceFile::new(format!("{FOLDER}{name}.toml"), *text))
}

/// The names of the built-in constitutions.
pub fn built_in_names() -> impl Iterator<Item = &'static str> {
    FILES.iter().map(|(name, _)| *name)
}

/// Whether a path names a built-in file as [`built_in`] does.
pub(super) fn is_built_in_path(path: &str) -> bool {
    path.starts_with(FOLDER)
}

#[cfg(test)]
mod tests {
    use super::super::{Expect, read};
    use super::*;
    use crate::pure::taxonomy::Taxonomy;
    use crate::pure::transcript::Verdict;

    fn shipped(name: &str) -> super::super::Constitution {
        let file = built_in(name).unwrap();
        let (constitution, warnings) =
            read(&file, &mut |path| built_in(path).ok_or_else(|| "it does not ship".into()))
                .unwrap_or_else(|findings| panic!("{name}: {findings:#?}"));
        assert_eq!(warnings, [], "{name}");
        constitution
    }

    #[test]
    fn all_of_them_are_read_without_a_finding() {
        assert_eq!(built_in_names().count(), 5);
        for name in built_in_names() {
            assert_eq!(shipped(name).id, name);
        }
    }

    #[test]
    fn every_principle_has_a_test_on_either_side_of_the_line() {
        for name in built_in_names() {
            for principle in shipped(name).principles {
                for side in [Expect::Violates, Expect::Conforms] {
                    assert!(
                        principle.tests.iter().any(|t| t.expect == side),
                        "{name}: {}: {side:?}",
                        principle.id
                    );
                }
            }
        }
    }

    #[test]
    fn examples_revise_what_violates_and_only_that() {
        let mut kept = 0;
        for name in built_in_names() {
            for principle in shipped(name).principles {
                for example in &principle.examples {
                    assert_eq!(
                        example.verdict == Verdict::Violates,
                        example.revision.is_some(),
                        "{}",
                        principle.id
                    );
                    kept += usize::from(example.verdict == Verdict::Conforms);
                }
            }
        }
        assert!(kept >= 2, "examples that need no change: {kept}");
    }

    #[test]
    fn harmlessness_guards_against_every_harm_and_support_desk_adds_what_an_application_decides() {
        let uncovered = |name: &str| -> Vec<&str> {
            let principles = shipped(name).principles;
            let taxonomy = Taxonomy::built_in();
            taxonomy
                .hazards()
                .iter()
                .map(|hazard| hazard.id.as_str())
                .filter(|id| {
                    !principles.iter().flat_map(|p| &p.hazards).any(|h| taxonomy.covers(h, id) == Some(true))
                })
                .collect()
        };
        assert_eq!(uncovered("harmlessness"), ["appl.scope", "appl.commit", "appl.persona"]);
        assert_eq!(uncovered("support-desk"), [""; 0]);
    }
}
