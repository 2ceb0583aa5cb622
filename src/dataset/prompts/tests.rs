//! Every form a prompt comes in, every way a file can be wrong, and the real sets where they are at hand.

use super::*;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::PathBuf;

fn send<T: Send>(value: T) -> T {
    value
}

/// Rows, rejects by reason, and ids that occur again, in a real set. `None` where the set is absent.
fn real(file: &str) -> Option<(u64, BTreeMap<String, u64>, u64)> {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let places = ["../shared/data", "../../shared/data"].map(|dir| here.join(dir).join(file));
    let Some(path) = places.into_iter().find(|path| path.exists()) else {
        eprintln!("skipped: `{file}` is not at hand");
        return None;
    };
    let reader = send(open(vec![Source::Path(path)], &Input::default(), 0).expect(file));
    let expected = reader.expected();
    let (mut prompts, mut rejects, mut ids) = (0, BTreeMap::new(), BTreeSet::new());
    for row in reader {
        match row {
            Row::Prompt { prompt, .. } => {
                prompts += 1;
                ids.insert(prompt.id);
            }
            Row::Reject(reject) => *rejects.entry(reject.reason).or_default() += 1,
        }
    }
    assert_eq!(expected, Some(prompts + rejects.values().sum::<u64>()), "{file}");
    let again = prompts - ids.len() as u64;
    println!("{file}: {prompts} prompts, {again} of them again, rejects {rejects:?}");
    Some((prompts, rejects, again))
}

#[test]
fn every_row_of_the_real_sets_is_a_prompt_or_a_reject() {
    for (file, rows) in [
        ("ailuminate/prompts.jsonl", 1600),
        ("ailuminate/multilingual.jsonl", 3500),
        ("hh-rlhf-harmless/test.jsonl.gz", 2312),
        ("xstest/xstest_prompts.csv", 450),
        ("xstest/xstest_v2_completions_gpt4_streval.csv", 450),
        ("coconot/coconot_eval.jsonl", 1001),
        ("coconot/coconot_contrast_eval.jsonl", 379),
        ("benign/prompts.jsonl", 2136),
        ("benign/mt_bench_question.jsonl", 80),
        ("benign/user_oriented_instructions.jsonl", 252),
        ("benign/safe_prompts.txt", 520),
        ("benign", 80 + 2136 + 520 + 252),
    ] {
        let Some((prompts, rejects, _)) = real(file) else { continue };
        assert_eq!(prompts + rejects.values().sum::<u64>(), rows, "{file}");
        assert!(prompts * 100 >= rows * 99, "{file}: {rejects:?}");
    }
}
