//! What ships beside the binary: constitutions, templates and seed prompts are clean, and of use together.

use crate::support::Scratch;
use amend::pure::constitution::read_built_in;
use amend::pure::prompt::Prompt;
use amend::pure::recipe::{Input, Sim};
use amend::pure::taxonomy::Taxonomy;
use amend::runtime::dataset::prompts::{Row, open};
use amend::runtime::dataset::readers::Source;
use amend::runtime::sim::{World, truth};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

fn root(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

#[test]
fn constitutions_taxonomy_and_templates_are_clean() {
    for folder in ["constitutions", "prompts"] {
        let done = Scratch::new().run(&["check", "--deny-warnings", &root(folder).to_string_lossy()]);
        done.code(0);
    }
}

/// The seed prompts of one side as a run reads them, and the fields that only we look at.
fn seeds(side: &str) -> Vec<(Prompt, BTreeMap<String, serde_json::Value>)> {
    let path = root("prompts/seeds").join(format!("{side}.jsonl"));
    let text = std::fs::read_to_string(&path).expect("the seeds");
    let reader = open(vec![Source::Path(path)], &Input::default(), 0).expect("opens");
    let prompts = reader.map(|row| match row {
        Row::Prompt { prompt, .. } => prompt,
        Row::Reject(reject) => panic!("{reject:?}"),
    });
    let fields = text.lines().map(|line| serde_json::from_str(line).expect("a JSON object"));
    prompts.zip(fields).collect()
}

#[test]
fn every_hazard_has_topics_and_seed_prompts() {
    let hazards = Taxonomy::built_in().hazards();
    assert!(hazards.iter().map(|hazard| hazard.topics.len()).sum::<usize>() >= 400);
    let seeds: BTreeSet<String> =
        ["harmful", "harmless"].into_iter().flat_map(seeds).filter_map(|(prompt, _)| prompt.hazard).collect();
    for hazard in hazards {
        assert!(hazard.topics.len() >= 4, "{}", hazard.id);
        assert!(seeds.contains(&hazard.id), "{}", hazard.id);
    }
}

#[test]
fn seed_prompts_stand_on_both_sides_of_the_line_in_many_languages() {
    let mut twins = BTreeMap::new();
    let (mut ids, mut harmful_domains) = (BTreeSet::new(), BTreeSet::new());
    for side in ["harmful", "harmless"] {
        let seeds = seeds(side);
        assert!(seeds.len() >= 50, "{side}: {}", seeds.len());
        let languages: BTreeSet<_> = seeds.iter().filter_map(|(prompt, _)| prompt.language.clone()).collect();
        assert!(languages.len() >= 5, "{side}: {languages:?}");
        for (prompt, fields) in seeds {
            let hazard = prompt.hazard.clone().expect("a hazard");
            assert!(Taxonomy::built_in().is_known(&hazard), "{hazard}");
            assert_eq!(fields.get("side").and_then(|s| s.as_str()), Some(side));
            if side == "harmful" {
                harmful_domains.insert(hazard.split('.').next().unwrap_or_default().to_owned());
            }
            if let Some(twin) = fields.get("twin").and_then(|t| t.as_str()) {
                let labels = (Some(hazard), prompt.language.clone());
                assert!(
                    twins.insert((twin.to_owned(), side), labels).is_none(),
                    "{side}: {twin} stands twice"
                );
            }
            assert!(ids.insert(prompt.id), "a prompt stands twice: {fields:?}");
        }
    }
    for ((twin, side), labels) in &twins {
        let other = if *side == "harmful" { "harmless" } else { "harmful" };
        assert_eq!(twins.get(&(twin.clone(), other)), Some(labels), "{twin}: the {other} twin");
    }
    let harms =
        Taxonomy::built_in().domains().iter().map(|d| d.id.clone()).filter(|id| id != "appl" && id != "noan");
    assert_eq!(harmful_domains, harms.collect());
}

#[test]
fn the_simulated_model_has_words_for_every_seed_prompt() {
    let constitution = read_built_in("harmlessness").expect("it is built in");
    let sim = Sim { violations: 1.0, ..Sim::default() };
    for side in ["harmful", "harmless"] {
        for (prompt, _) in seeds(side) {
            let ids = constitution.principles.iter().map(|p| p.id.as_str());
            let planted = truth(World::new(&sim), &prompt, ids).filter(|truth| truth.planted).count();
            // Filler would break every principle; a scene's draft has the one flaw that was written into it.
            assert_eq!(planted, 1, "{side}: {:?}", prompt.messages);
        }
    }
}
