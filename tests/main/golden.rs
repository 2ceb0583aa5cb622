//! Runs that version 0.1.0 made, resumed and exported by this version: no call is asked, no row changes.
//!
//! Each folder of `tests/data/golden/0.1.0` is a run of the simulated model over `p.jsonl` with one schedule: its journal, its
//! frozen inputs, and the JSON Lines of its dataset. They are kept for ever; a later version adds folders of its own.
//! `manifest.json` and the card are left out: they name the recipe, which has new fields.

use crate::support::Scratch;
use std::path::Path;

const SCHEDULES: [&str; 3] = ["panel", "each", "sampled"];

/// Copies a folder with everything below it.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a golden folder").flatten() {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            std::fs::copy(&from, &to).expect("a copy");
        }
    }
}

#[test]
fn a_run_of_an_older_version_resumes_without_a_call_and_exports_the_same_rows() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/golden/0.1.0");
    for schedule in SCHEDULES {
        let scratch = Scratch::new();
        copy(&golden, &scratch.path("."));
        let run = ["run", "--model", "sim", "--constitution", "minimal", "--prompts", "p.jsonl", "--json"];
        let done = scratch.run(&[&run[..], &["--schedule", schedule, "--out", schedule]].concat()).code(0);
        let summary = done.summary();
        assert_eq!(
            (&summary["calls"]["asked"], &summary["rows"]),
            (&0.into(), &4.into()),
            "{schedule}: {summary}"
        );
        assert_ne!(summary["calls"]["from_journal"], 0, "{schedule}");
        let mut files = 0;
        for entry in std::fs::read_dir(golden.join(schedule).join("jsonl")).expect("golden rows").flatten() {
            let made = scratch.path(schedule).join("dataset/jsonl").join(entry.file_name());
            let (old, new) =
                (std::fs::read(entry.path()).expect("golden rows"), std::fs::read(&made).expect("rows"));
            assert!(old == new, "{schedule}: {} differs", made.display());
            files += 1;
        }
        assert!(files > 3, "{schedule}: only {files} files of rows");
        scratch.run(&["show", schedule]).code(0);
        scratch.run(&["verify", &format!("{schedule}/dataset")]).code(0);
    }
}
